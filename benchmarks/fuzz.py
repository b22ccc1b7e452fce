"""Feed broken files to every loader: each must load or refuse with its own error, soon and small.

python -m benchmarks.fuzz --inputs 20000            # each loader, blindly mutated files, counted
python -m benchmarks.fuzz --loader svg --seed 5
python -m benchmarks.fuzz --guided svg --seconds 600 # coverage-guided, with atheris (pip install)

What a search finds becomes a case in tests/test_safety.py.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if "--guided" in sys.argv:
    import atheris

    # Numba cannot compile what is instrumented.
    compiled = [
        f"move37.envs.{name}"
        for name in (
            "judging.pca",
            "drawing.dynamics",
            "drawing.corpus.trace",
            "drawing.judging.descriptor",
            "drawing.rules.form",
            "drawing.rules.originality",
        )
    ]
    with atheris.instrument_imports(include=["move37", "svgpathtools"], exclude=compiled):
        for module in (
            "move37.agents.runs.config",
            "move37.agents.runs.train_state",
            "move37.envs.drawing.corpus.icons",
        ):
            importlib.import_module(module)

import numpy as np
import torch
from PIL import Image

from move37.agents.runs.checkpoint_io import Checkpoint, load_checkpoint, save_checkpoint
from move37.agents.runs.config import load_config, make_config, save_config
from move37.envs.base.corpus import Parsed, _read_cache, _write_cache
from move37.envs.base.registry import load_works
from move37.envs.base.works import Works, WorksError, pad_moves
from move37.envs.composition.corpus.melody import MelodyError, read_melody
from move37.envs.composition.modes import FREE
from move37.envs.composition.moves import BRIEF
from move37.envs.composition.score import notation
from move37.envs.composition.score.midi import midi
from move37.envs.composition.scores import scores_of
from move37.envs.drawing.corpus.icons import CorpusError, _check, load_corpus
from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.quickdraw import read_drawing
from move37.envs.drawing.corpus.reading import ReadingError, read_picture
from move37.envs.drawing.corpus.svg import read_svg
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.judging.craft import PatchCritic
from move37.envs.drawing.judging.descriptor import N_FEATURES, features_of
from move37.envs.drawing.rules.originality import stroke_facts
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import ArchiveError, NoveltyArchive
from move37.novelty.storage import (
    StorageError,
    load_weights,
    read_json,
    read_npz,
    save_weights,
)

SLOW = 5.0
"""CPU seconds that no input may take."""
WORDS = (
    b"<g>", b"</g>", b'd="M0 0', b"a1 1 0 1 1 3 3", b"z", b"1e999", b"nan", b"-", b"transform=",
    b"rotate(9)", b"matrix(1 0 0 1 0 0)", b"<!DOCTYPE a [", b"<!ENTITY a 'b'>", b"&a;",
    b"<use href='#b'/>", b"url(#c)", b"%",
    b"viewBox='0 0 0 0'", b"[[", b"]]", b"{}", b"null", b"true", b"1e400", b'"', b"'", b"\\u0000",
    b"\x93NUMPY\x01\x00", b"(9999999999,)", b"'descr': '|O'", b"<f8", b"True", b"(-1, -2)",
    b"PK\x03\x04", b"PK\x05\x06", b"9" * 400, b"\xff\xfe", b"\x00" * 9,
)  # fmt: skip


@dataclass(frozen=True)
class Loader:
    """One way into the program.

    Attributes:
        seeds: Writes a valid file.
        load: Reads a file, and uses what it holds as the program would.
        refuses: The one kind of error it may raise.
    """

    seeds: Callable[[Path], None]
    load: Callable[[Path], object]
    refuses: type[Exception]


def _moves(n: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    return pad_moves([rng.integers(0, 578, rng.integers(1, 48)) for _ in range(n)], 48)


def _write_works(path: Path) -> None:
    moves = _moves()
    Works("drawing", moves, appraisal={"reward": np.linspace(0, 1, len(moves))}).save(path)


def _load_works(path: Path) -> None:
    world, works = load_works(path)
    if world.id == "drawing" and works.images is None:
        stroke_facts(works.moves, pictures_of(works))  # compiled code believes what it is given


def _write_archive(path: Path) -> None:
    archive = NoveltyArchive(3, k_neighbors=2, capacity=5)
    archive.pin(np.eye(3))
    archive.add(np.random.default_rng(0).normal(size=(9, 3)))
    archive.save(path)


def _load_archive(path: Path) -> None:
    archive = NoveltyArchive.load(path)
    archive.novelty(np.zeros((1, archive.dim)))


def _write_descriptor(path: Path) -> None:
    rng = np.random.default_rng(0)
    mean, components = rng.normal(size=N_FEATURES), rng.normal(size=(4, N_FEATURES))
    PrincipalComponents(features_of, mean, components).save(path)


def _load_descriptor(path: Path) -> None:
    works = Works("drawing", np.zeros((1, 9), np.int16))
    PrincipalComponents.load(path, features_of, works)(works)


def _write_snapshot(path: Path) -> None:
    save_checkpoint(path, Checkpoint({"a": np.arange(9.0), "b": np.array(3)}, {"num_timesteps": 1}))


def _write_config(path: Path) -> None:
    save_config(make_config("smoke", run_dir=str(path.parent)))
    (path.parent / "config.json").replace(path)


def _load_config(path: Path) -> None:
    path.replace(path.parent / "config.json")
    load_config(path.parent)


def _write_svg(path: Path) -> None:
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY e "red">]>'
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#000">'
        "<style>g>.a{stroke:&e;fill:none!important}#b *{opacity:.5}@media all{a{x:y}}</style>"
        '<defs><path id="p" d="M0 0h5v9z"/><mask id="m"><rect width="99%" height="9" fill="#fff"/>'
        '</mask><clipPath id="c"><circle cx="12" cy="50%" r="3mm"/></clipPath></defs>'
        '<g transform="translate(1 1) rotate(9)"><path class="a" d="M4 4h8v8q1 1 2 3t1 1c1 1 2 2 '
        '3 3s1 1 2 2a3 3 0 0 1 2 2z"/></g><g id="b" mask="url(#m)"><use href="#p" x="2em"/></g>'
        '<circle cx="9" cy="9" r="3" clip-path="url(#c)" fill="rgb(9 9 9/.5)"/>'
        '<polyline points="1,2 3,4 5,9"/><svg x="2" width="9" viewBox="0 0 4 9" '
        'preserveAspectRatio="xMinYMax slice"><rect x="2" y="2" width="9" height="7" rx="2" '
        'style="stroke-width:2px;fill:var(--x,url(#g) white)"/></svg></svg>'
    )


def _write_drawing(path: Path) -> None:
    strokes = [[[0, 100, 255], [0, 50, 255]], [[9, 80], [200, 3]]]
    path.write_text(json.dumps({"word": "plane", "key_id": "1", "drawing": strokes}))


def _write_corpus(path: Path) -> None:
    works = Works("drawing", _moves(), names=("a",) * 20)
    _write_cache(path, Parsed(works, (("b", "c"),)))


def _load_cache(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _read_cache(path, "drawing", _check)


def _write_melody(path: Path, make: Callable[..., bytes]) -> None:
    """Two voices with rests, repeated and tied notes."""
    moves = np.random.default_rng(1).choice([0, 0, 1, 9, 12, 17], (1, 64)).astype(np.int16)
    moves[0, :2] = 9
    path.write_bytes(make(scores_of(moves, np.zeros((1, BRIEF), np.int16), FREE)[0], "a title"))


def _write_compressed(path: Path) -> None:
    _write_melody(path, notation.musicxml)
    text = path.read_bytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("META-INF/container.xml", "<container/>")
        file.writestr("score.xml", text)


def _load_melody(path: Path, suffix: str) -> None:
    named = path.with_suffix(suffix)
    path.replace(named)
    read_melody(named)


def _write_picture(path: Path, kind: str) -> None:
    """A photograph that was turned."""
    pixels = np.full((40, 30, 3), 255, np.uint8)
    pixels[8:32, 8:10] = pixels[30:32, 8:22] = 0
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(pixels).save(path, kind, exif=exif)


def _write_drawings(path: Path) -> None:
    _write_drawing(path)
    path.write_text(f"{path.read_text()}\n" * 3)


def _load_drawings(path: Path) -> None:
    file = path.with_suffix(".ndjson")
    path.replace(file)
    load_corpus(str(file), cache_dir=path.parent / "cache", progress=False)
    shutil.rmtree(path.parent / "cache")


LOADERS = {
    "works": Loader(_write_works, _load_works, ValueError),
    "npz": Loader(_write_works, read_npz, StorageError),
    "archive": Loader(_write_archive, _load_archive, ArchiveError),
    "descriptor": Loader(_write_descriptor, _load_descriptor, WorksError),
    "weights": Loader(
        lambda p: save_weights(p, PatchCritic()),
        lambda p: load_weights(p, PatchCritic()),
        StorageError,
    ),
    "checkpoint": Loader(_write_snapshot, load_checkpoint, StorageError),
    "config": Loader(_write_config, _load_config, ValueError),
    "json": Loader(_write_config, read_json, StorageError),
    "svg": Loader(_write_svg, lambda p: read_svg(p.read_bytes()), SvgError),
    "ndjson": Loader(_write_drawing, lambda p: read_drawing(p.read_bytes()), SvgError),
    "quickdraw": Loader(_write_drawings, _load_drawings, CorpusError),
    **{
        kind: Loader(partial(_write_picture, kind=kind), read_picture, ReadingError)
        for kind in ("png", "jpeg", "webp")
    },
    "musicxml": Loader(
        lambda p: _write_melody(p, notation.musicxml),
        lambda p: _load_melody(p, ".musicxml"),
        MelodyError,
    ),
    "mxl": Loader(_write_compressed, lambda p: _load_melody(p, ".mxl"), MelodyError),
    "midi": Loader(
        lambda p: _write_melody(p, midi), lambda p: _load_melody(p, ".mid"), MelodyError
    ),
    "cache": Loader(_write_corpus, _load_cache, ValueError),
}


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Break bytes in one to four places."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0:
                del out[at:]
            case 1:
                out[at:at] = rng.choice(WORDS)
            case 2:
                end = min(len(out), at + rng.randrange(1, 64))
                out[at:at] = out[at:end] * rng.choice((1, 2, 50))
            case 3:
                del out[at : at + rng.randrange(1, 32)]
            case 4:
                word = struct.pack("<q", rng.choice((0, -1, 1 << 31, (1 << 63) - 1, 255, 1 << 40)))
                out[at : at + 8] = word[: rng.choice((1, 2, 4, 8))]
            case _:
                if at < len(out):
                    out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


def break_file(data: bytes, rng: random.Random) -> bytes:
    """Break a file: anywhere, or inside its format, so that its checksums are still right."""
    if rng.random() < 0.4:
        return mutate(data, rng)
    if data.startswith(b"PK"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
            names = old.namelist()
            target = rng.choice(names)
            kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            for name in names:
                content = old.read(name)
                if name == target:
                    if rng.random() < 0.1:
                        continue
                    if rng.random() < 0.5:  # the header, or the content
                        content = mutate(content[:128], rng) + content[128:]
                    else:
                        content = content[:128] + mutate(content[128:], rng)
                new.writestr(name, content, kind)
        return buffer.getvalue()
    if data[8:9] == b"{" and len(data) > 8:  # safetensors: a header with its length before it
        length = int.from_bytes(data[:8], "little")
        header = mutate(data[8 : 8 + length], rng)
        return len(header).to_bytes(8, "little") + header + data[8 + length :]
    return mutate(data, rng)


def one_input(loader: Loader, path: Path, data: bytes) -> str:
    """Load one file; returns what came of it.

    Raises:
        AssertionError: If it took too long.
        Exception: If it raised anything but the loader's own error.
    """
    path.write_bytes(data)
    begin = time.process_time()
    try:
        loader.load(path)
        outcome = "loaded"
    except loader.refuses as error:
        assert "\n" not in str(error), f"more than one line: {error}"
        outcome = "refused"
    taken = time.process_time() - begin
    assert taken < SLOW, f"took {taken:.1f} s of CPU time"
    return outcome


def search(name: str, inputs: int, seed: int, folder: Path) -> Counter[str]:
    """Load broken files; returns how many were loaded, refused and how many failed."""
    loader, rng, path = LOADERS[name], random.Random(f"{name} {seed}"), folder / "input"
    loader.seeds(path)
    valid = path.read_bytes()
    assert one_input(loader, path, valid) == "loaded"
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    with np.errstate(all="ignore"):
        for _ in range(inputs):
            data = break_file(valid, rng)
            try:
                counts[one_input(loader, path, data)] += 1
            except Exception as error:
                counts["FAILED"] += 1
                what = f"{type(error).__name__}: {error!s:.60}"
                if what not in seen:
                    seen.add(what)
                    kept = Path(f"fuzz-{name}-{len(seen)}.bin")
                    kept.write_bytes(data)
                    print(f"{name}: {what} ({kept})")
    return counts


def guided(name: str, seconds: int, folder: Path) -> None:
    """Search with atheris until something fails or the time is over."""
    loader, path = LOADERS[name], folder / "input"
    corpus = folder / "corpus"
    corpus.mkdir()
    loader.seeds(corpus / "seed")

    def test(data: bytes) -> None:
        one_input(loader, path, data)

    options = [sys.argv[0], f"-max_total_time={seconds}", "-max_len=65536", "-timeout=20"]
    atheris.Setup([*options, "-rss_limit_mb=4096", str(corpus)], test)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="files for each loader")
    parser.add_argument("--loader", choices=LOADERS, help="only this one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", choices=LOADERS, help="search with atheris")
    parser.add_argument("--seconds", type=int, default=600, help="of the guided search")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as d:
        folder = Path(d)
        if args.guided:
            guided(args.guided, args.seconds, folder)
            return
        total: Counter[str] = Counter()
        print("| loader | inputs | loaded | refused | failed | CPU seconds |")
        print("|---|---|---|---|---|---|")
        for name in [args.loader] if args.loader else LOADERS:
            begin = time.process_time()
            counts = search(name, args.inputs, args.seed, folder)
            total += counts
            taken = time.process_time() - begin
            print(f"| {name} | {args.inputs} | {counts['loaded']} | {counts['refused']} | "
                  f"{counts['FAILED']} | {taken:.0f} |", flush=True)  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{sum(total.values())} inputs, {total['FAILED']} failed; {peak:.0f} MiB at the most")
        raise SystemExit(1 if total["FAILED"] else 0)


if __name__ == "__main__":
    main()
