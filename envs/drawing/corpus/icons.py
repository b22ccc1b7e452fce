"""Human corpora: icons, kanji and doodles as works of the drawing world.

``load_corpus("tabler")`` reads the icons of an installed package; "lucide" and "kanjivg" likewise;
a folder of ``*.svg`` files or a Quick, Draw! ``.ndjson`` file is given by its path. Parsing is done
once: the works are cached, keyed by the content they were read from.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import sqlite3
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import numpy as np
import platformdirs
from numpy.typing import NDArray
from tqdm import tqdm

from move37.envs.base.works import Works, check_moves, pad_moves, read_npz, write_npz
from move37.envs.drawing.corpus.svg import (
    MAX_BYTES,
    MAX_TOKENS,
    SvgError,
    bounding_box,
    fit,
    read_svg,
    to_stroke,
)
from move37.envs.drawing.moves import MAX_MOVES, N_MOVES, SIZE, moves_of

MAX_NDJSON = 1 << 30
"""Largest .ndjson file read, in bytes."""
PARSER_VERSION = 2
"""Raised whenever the same files would give other works, so that old caches are not used."""

Strokes = list[NDArray[np.int64]]
Record = tuple[str, bytes]
"""A label that says where a work was found, and its bytes."""


class CorpusError(ValueError):
    """A corpus that is unknown, not installed, empty or wrongly asked for."""


@dataclass(frozen=True)
class Corpus:
    """Human works of the drawing world.

    Attributes:
        name: The corpus: "tabler", or a folder's or file's name.
        works: The N works with their names; moves (N, 48) int16, each ending with END.
        skipped: (label, reason) of everything that was found but left out.
        fingerprint: sha256 over moves and names, hexadecimal.
    """

    name: str
    works: Works
    skipped: tuple[tuple[str, str], ...]
    fingerprint: str

    def split(self, fraction: float, seed: int) -> tuple[Works, Works]:
        """Split into works to train on and works held out; equal moves stay on one side.

        Args:
            fraction: Share of the works to hold out, in (0, 1).
            seed: The same seed gives the same split of the same corpus.

        Returns:
            (train, held-out), both in the corpus's order, neither empty. Held-out has
            ``round(fraction * N)`` works, a few more where the last one has duplicates.

        Raises:
            CorpusError: If the fraction is out of range or leaves a side empty.
        """
        if not 0 < fraction < 1:
            raise CorpusError(f"split: fraction is {fraction}, expected more than 0, less than 1")
        _, group, sizes = np.unique(
            self.works.moves, axis=0, return_inverse=True, return_counts=True
        )
        order = np.random.default_rng(seed).permutation(len(sizes))
        target = max(1, round(fraction * len(self.works)))
        chosen = order[: int(np.searchsorted(sizes[order].cumsum(), target)) + 1]
        held_out = np.isin(group.reshape(-1), chosen)
        if held_out.all():
            raise CorpusError(f"split: holding out {fraction} of {len(self.works)} leaves none")
        return self.works[~held_out], self.works[held_out]


@dataclass(frozen=True)
class _Source:
    """Where a corpus comes from: its kind, name, raw records, and how one record is read."""

    kind: str
    name: str
    records: list[Record]
    read: Callable[[str, bytes], tuple[str, Strokes]]


def load_corpus(
    spec: str,
    withhold: Sequence[str] = (),
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Corpus:
    """Load a human corpus, from the cache where it has been read before.

    Args:
        spec: "tabler", "lucide", "kanjivg", the path of a folder of .svg files (searched
            recursively), or the path of a Quick, Draw! .ndjson file (simplified or raw).
        withhold: Shell-style patterns, e.g. "*plane*"; works whose names match are removed.
        cache_dir: Folder of the cache; default $MOVE37_CACHE, else the user's cache folder.
        progress: Whether to show a progress bar on stderr while parsing.

    Returns:
        The corpus. What could not be read or does not fit in 48 moves is named in ``skipped``.

    Raises:
        CorpusError: If the spec is unknown, its package is not installed, no work is left, or a
            pattern matches no name.
    """
    source = _source(spec)
    folder = cache_dir or Path(
        os.environ.get("MOVE37_CACHE") or platformdirs.user_cache_dir("move37")
    )
    digest = hashlib.sha256()
    for label, data in source.records:
        digest.update(f"{len(data)} {label!r} ".encode() + data)
    cache = folder / f"{source.kind}-{digest.hexdigest()[:32]}-v{PARSER_VERSION}.npz"
    found = _read_cache(cache)
    if found is None:
        found = _parse(source, progress)
        _write_cache(cache, *found)
    works, skipped = found
    keep = np.ones(len(works), bool)
    for pattern in withhold:
        matches = np.array([fnmatchcase(name, pattern) for name in works.names], bool)
        if not matches.any():
            raise CorpusError(f"{spec}: no work's name matches the withheld pattern {pattern!r}")
        keep &= ~matches
    works = works[keep]
    if len(works) == 0:
        reason = f" (first: {skipped[0][0]}: {skipped[0][1]})" if skipped else ""
        withheld = int((~keep).sum())
        raise CorpusError(
            f"{spec}: no works left, {len(skipped)} skipped{reason}, {withheld} withheld"
        )
    return Corpus(source.name, works, skipped, _fingerprint(works))


def _fingerprint(works: Works) -> str:
    digest = hashlib.sha256(works.moves.astype("<i2").tobytes())
    digest.update(json.dumps(works.names).encode())
    return digest.hexdigest()


def _parse(source: _Source, progress: bool) -> tuple[Works, tuple[tuple[str, str], ...]]:
    names: list[str] = []
    rows: list[NDArray[np.int16]] = []
    skipped: list[tuple[str, str]] = []
    bar = tqdm(source.records, desc=f"reading {source.name}", unit="work", disable=not progress)
    for label, data in bar:
        try:
            name, strokes = source.read(label, data)
            moves = moves_of(strokes)
            if len(moves) > MAX_MOVES:
                raise SvgError(f"{len(moves)} moves, at most {MAX_MOVES} fit")
        except SvgError as error:
            skipped.append((label, str(error)))
            continue
        names.append(name)
        rows.append(moves)
    return Works("drawing", pad_moves(rows, MAX_MOVES), names=tuple(names)), tuple(skipped)


def _write_cache(path: Path, works: Works, skipped: tuple[tuple[str, str], ...]) -> None:
    text = json.dumps({"names": works.names, "skipped": skipped}).encode()
    check = hashlib.sha256(works.moves.astype("<i2").tobytes() + text).digest()
    try:
        write_npz(
            path,
            {
                "moves": works.moves,
                "text": np.frombuffer(text, np.uint8),
                "check": np.frombuffer(check, np.uint8),
            },
        )
    except OSError as error:
        warnings.warn(f"{path}: the corpus is not cached ({error})", stacklevel=3)


def _read_cache(path: Path) -> tuple[Works, tuple[tuple[str, str], ...]] | None:
    try:
        if not path.exists():
            return None
        arrays = read_npz(path)
        moves, text = arrays["moves"], arrays["text"].tobytes()
        check = hashlib.sha256(moves.astype("<i2").tobytes() + text).digest()
        if (
            moves.dtype != np.int16
            or moves.shape[1:] != (MAX_MOVES,)
            or check != arrays["check"].tobytes()
        ):
            raise ValueError("the checksum is wrong")
        check_moves("moves", moves, N_MOVES)
        meta = json.loads(text)
        skipped = tuple((str(label), str(reason)) for label, reason in meta["skipped"])
        return Works("drawing", moves.astype(np.int16), names=tuple(meta["names"])), skipped
    except Exception as error:  # a flipped bit can make zip, zlib or NumPy raise nearly anything
        warnings.warn(f"{path}: damaged cache, reading the corpus anew ({error})", stacklevel=3)
        return None


def _source(spec: str) -> _Source:
    if spec in _PACKAGES:
        return _PACKAGES[spec]()
    path = Path(spec).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file() and path.suffix == ".ndjson":
        return _quickdraw(path)
    raise CorpusError(
        f"{spec!r} is no known corpus: expected {', '.join(_PACKAGES)}, the path of a folder of "
        ".svg files, or the path of a Quick, Draw! .ndjson file"
    )


def _installed(corpus: str, package: str, path: str) -> Path:
    try:
        found = Path(str(importlib.metadata.distribution(package).locate_file(path)))
    except importlib.metadata.PackageNotFoundError:
        raise CorpusError(f"{corpus}: the package {package} is not installed") from None
    if not found.exists():
        raise CorpusError(f"{corpus}: the package {package} has no {path}")
    return found


def _read_named(label: str, data: bytes) -> tuple[str, Strokes]:
    return PurePosixPath(label).stem, read_svg(data)


def _outlines(corpus: str, package: str, path: str) -> _Source:
    """The outline icons of a package that ships its icons as a .zip."""
    with zipfile.ZipFile(_installed(corpus, package, path)) as file:
        names = sorted(n for n in file.namelist() if fnmatchcase(n, "outline/*.svg"))
        records = [(name, file.read(name)) for name in names]
    return _Source(corpus, corpus, records, _read_named)


def _tabler() -> _Source:
    return _outlines("tabler", "tablericons2", "tablericons/tablericons.zip")


def _heroicons() -> _Source:
    return _outlines("heroicons", "heroicons", "heroicons/heroicons.zip")


def _lucide() -> _Source:
    path = _installed("lucide", "python-lucide", "lucide/data/lucide-icons.db")
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        rows = database.execute("select name, svg from icons order by name").fetchall()
    except sqlite3.Error as error:
        raise CorpusError(f"lucide: {path} cannot be read ({error})") from error
    finally:
        database.close()
    records = [(f"{name}.svg", str(svg).encode()) for name, svg in rows]
    return _Source("lucide", "lucide", records, _read_named)


def _kanjivg() -> _Source:
    folder = _installed("kanjivg", "kanjivg", "kanji")
    # Variants of a character have a suffix: 04e8c-Kaisho.svg.
    paths = sorted(p for p in folder.glob("*.svg") if re.fullmatch("[0-9a-f]{5}", p.stem))

    def read(label: str, data: bytes) -> tuple[str, Strokes]:
        code = PurePosixPath(label).stem
        return f"{chr(int(code, 16))} {code}", read_svg(data)

    return _Source("kanjivg", "kanjivg", [(p.name, _bytes_of(p)) for p in paths], read)


_PACKAGES: dict[str, Callable[[], _Source]] = {
    "tabler": _tabler,
    "lucide": _lucide,
    "kanjivg": _kanjivg,
    "heroicons": _heroicons,
}


def _folder(path: Path) -> _Source:
    files = {p.relative_to(path).as_posix(): p for p in path.rglob("*.svg") if p.is_file()}
    if not files:
        raise CorpusError(f"{path}: no .svg files in this folder")
    records = [(label, _bytes_of(files[label])) for label in sorted(files)]

    def read(label: str, data: bytes) -> tuple[str, Strokes]:
        return label.removesuffix(".svg"), read_svg(data)

    return _Source("svg", path.resolve().name, records, read)


def _bytes_of(path: Path) -> bytes:
    """A file's bytes, but no more than one past the limit that read_svg enforces."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from error


def _quickdraw(path: Path) -> _Source:
    if path.stat().st_size > MAX_NDJSON:
        raise CorpusError(f"{path}: more than {MAX_NDJSON} bytes; give a part of it")
    lines = path.read_bytes().splitlines()
    records = [(f"line {i}", line) for i, line in enumerate(lines, 1) if line.strip()]
    return _Source("quickdraw", path.stem, records, _read_drawing)


def _read_drawing(label: str, data: bytes) -> tuple[str, Strokes]:
    """Read one Quick, Draw! drawing, scaled from its bounding box to 2..21, aspect kept."""
    if len(data) > MAX_BYTES:
        raise SvgError(f"{len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        drawing = json.loads(data)
        name = f"{drawing['word']} {drawing['key_id']}"
        lines = []
        for i, stroke in enumerate(drawing["drawing"], 1):
            x, y = np.asarray(stroke[0], np.float64), np.asarray(stroke[1], np.float64)
            if x.ndim != 1 or x.shape != y.shape or len(x) == 0 or not np.isfinite([x, y]).all():
                raise SvgError(f"stroke {i} has no points or x and y that do not match")
            lines.append(x + 1j * y)
    except SvgError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise SvgError(f"not a Quick, Draw! drawing ({error!r:.120})") from error
    if sum(map(len, lines)) > MAX_TOKENS:
        raise SvgError(f"more than {MAX_TOKENS} points")
    if not lines:
        raise SvgError("nothing is drawn")
    with np.errstate(all="ignore"):  # to_stroke refuses what has overflowed
        lines = fit(lines, bounding_box(lines), 2.0, SIZE - 3.0)
    return name, [to_stroke(line) for line in lines]
