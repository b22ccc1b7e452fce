"""Malicious files, one by one: each is refused in one line, soon and in little memory.

Several were found by benchmarks/fuzz.py.
"""

import json
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save as to_safetensors

from move37.agents.runs.checkpoint_io import load_checkpoint
from move37.agents.runs.config import load_config
from move37.envs.base.corpus import CACHE_FORMAT, CorpusError
from move37.envs.base.registry import load_works
from move37.envs.base.works import Works, WorksError, write_npz
from move37.envs.drawing.corpus.css import MAX_STYLE
from move37.envs.drawing.corpus.document import MAX_ELEMENTS
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.svg import read_svg
from move37.envs.drawing.dynamics import DrawingSimulator, images_of
from move37.envs.drawing.judging.craft import PatchCritic
from move37.envs.drawing.judging.descriptor import N_FEATURES, features_of
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import ArchiveError, NoveltyArchive
from move37.novelty.storage import (
    StorageError,
    load_weights,
    read_json,
    read_npz,
    read_state,
    save_weights,
    write_state,
)

MEMORY = 32 << 20
"""Bytes that no refusal may take."""
SECONDS = 3.0


@pytest.fixture(autouse=True)
def bounded():
    """Every test here stays small and short."""
    tracemalloc.start()
    begin = time.process_time()
    yield
    taken, peak = time.process_time() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < SECONDS and peak < MEMORY, (taken, peak)


def npy(header, data=b""):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def header(dtype="<i2", shape="(1,)", order="False"):
    return f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


def pack(path, members, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data, kind)
    return path


# Arrays


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy(header(shape=f"({10**15},)")), "does not fit"),
        (npy(header(shape="(9" + "9" * 400 + ",)")), "does not fit"),
        (npy(header(shape="(-1, -4)"), bytes(8)), "does not fit"),
        (npy(header(shape=f"({10**17}, 0)")), "empty array"),
        (npy(header(shape="(True,)"), bytes(2)), "integer is required"),
        (npy(header(dtype="|O"), b"c__builtin__\neval\n."), "plain numbers"),
        (npy(header(dtype="|V0", shape=f"({10**17},)")), "plain numbers"),
        (npy(header(dtype="<U0", shape=f"({10**17},)")), "plain numbers"),
        (npy(header(dtype="|S999999999999", shape="(0,)")), "header is broken"),
        (npy(header().replace("'<i2'", "[('a', '<i2')]"), bytes(2)), "plain numbers"),
        (npy(header().replace("'<i2'", "('<i2', (9, 9))"), bytes(162)), "plain numbers"),
        (npy(header(dtype="<f3"), bytes(3)), "header is broken"),
        (npy("(" * 1000), "header is broken"),
        (npy("-" * 1000 + "1"), "header is broken"),
        (npy("(" * 4000), "header is broken"),
        (npy("__import__('os').system('true')"), "header is broken"),
        (npy("[" * 65_000), "header is broken"),
        (b"\x93NUMPY\x01\x00\xff\xff", "header is broken"),
        (b"\x93NUMPY\x03\x00", "header is broken"),
        (b"\x93NUMPY\x09\x00", "header is broken"),
        (b"", "header is broken"),
    ],
)
def test_an_array_that_lies_is_refused(tmp_path, data, words):
    path = pack(tmp_path / "a.npz", {"x": data})
    with pytest.raises(StorageError, match=rf"a\.npz.*{words}"):
        read_npz(path)


def test_numpys_own_arrays_are_all_read(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "a.npz"
    arrays = {
        "f": np.asfortranarray(rng.normal(size=(3, 4))), "s": np.array(3), "e": np.zeros((0, 7)),
        "b": rng.random(9) < 0.5, "big": rng.normal(size=5).astype(">f4"),
        "u": np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    }  # fmt: skip
    write_npz(path, arrays)
    found = read_npz(path)
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape
        np.testing.assert_array_equal(found[name], value)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    zeros = zlib.compressobj(9, zlib.DEFLATED, -15)
    block, size = bytes(1 << 20), 300 << 20
    data = b"".join(zeros.compress(block) for _ in range(300)) + zeros.flush()
    crc = 0
    for _ in range(300):
        crc = zlib.crc32(block, crc)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), size, 5, 0)
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(data), size, 5, 0, 0, 0, 0, 0, 0
    )
    body = local + b"x.npy" + data
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central) + 5, len(body), 0)
    path.write_bytes(body + central + b"x.npy" + end)
    assert path.stat().st_size < 400_000
    with pytest.raises(StorageError, match=r"bomb\.npz.*unpacked, at most"):
        read_npz(path)
    # The same, with a small size declared: no more than that is unpacked.
    small = (body + central).replace(struct.pack("<I", size), struct.pack("<I", 100))
    path.write_bytes(small + b"x.npy" + end)
    with pytest.raises(StorageError, match=r"bomb\.npz"):
        read_npz(path)


def test_too_many_or_twice_named_or_oddly_packed_members_are_refused(tmp_path):
    one = npy(header(), bytes(2))
    many = pack(tmp_path / "many.npz", {f"x{i}": one for i in range(1001)})
    with pytest.raises(StorageError, match="1001 arrays"):
        read_npz(many)
    odd = pack(tmp_path / "odd.npz", {"x": one}, zipfile.ZIP_BZIP2)
    with pytest.raises(StorageError, match="compressed in an unknown way"):
        read_npz(odd)
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as file:
        file.writestr("x.npy", one)
        file.writestr("x", one)
    with pytest.raises(StorageError, match="'x' twice"):
        read_npz(tmp_path / "twice.npz")
    for path in (tmp_path, tmp_path / "none.npz"):
        with pytest.raises(StorageError, match=path.name):
            read_npz(path)


# Works, archives, descriptors


def works_file(path, **changes):
    moves = np.array([[3, 9, 577], [5, 577, -1]], np.int16)
    meta = {"format": "move37-works-1", "world": "drawing", "names": ["a", "b"]}
    meta |= changes.pop("meta", {})
    arrays = {"moves": moves, "briefs": np.zeros((2, 0), np.int16)} | changes
    arrays["meta"] = np.frombuffer(changes.get("text", json.dumps(meta).encode()), np.uint8)
    arrays.pop("text", None)
    write_npz(path, arrays)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # Compiled code would write outside its arrays.
        ({"moves": np.array([[32000, 577], [5, 577]], np.int16)}, "32000 is no move"),
        ({"moves": np.array([[-2, 577], [5, 577]], np.int16)}, "-2 is no move"),
        ({"briefs": np.array([[600], [5]], np.int16)}, "briefs: 600 is no move"),
        ({"moves": np.array([[5, -1, 7], [5, 577, -1]], np.int16)}, "after the last one"),
        ({"moves": np.zeros((2, 3))}, "expected int16"),
        ({"moves": np.zeros(2, np.int16)}, "expected int16"),
        ({"moves": np.zeros((1 << 20, 0), np.int16)}, "expected"),
        ({"meta": {"names": ["a"]}}, "names"),
        ({"meta": {"names": 3}}, "not a file of works"),
        ({"meta": {"format": "other"}}, "format 'other'"),
        ({"text": b"[" * 100_000}, "nested too deep"),
        ({"text": b"[1]"}, "expected an object"),
        ({"text": b"\xff"}, "not a file of works"),
        ({"images": np.full((2, 4, 4), 9, np.uint8)}, "images"),
        ({"images": np.zeros((2, 4, 4))}, "images"),
        ({"appraisal/x": np.zeros((2, 2))}, "appraisal"),
        ({"appraisal/x": np.zeros(2, np.int64)}, "expected float64"),
    ],
)
def test_works_that_are_none_are_refused(tmp_path, changes, words):
    path = works_file(tmp_path / "w.npz", **changes)
    with pytest.raises(ValueError, match=rf"w\.npz.*{words}"):
        load_works(path)


def test_compiled_code_is_given_moves_only():
    assert len(Works("drawing", np.array([[3, 577]], np.int16)))
    for bad in (578, 32767, -2, -32768):
        moves = np.array([[3, bad]], np.int16)
        with pytest.raises(ValueError, match=f"{bad} is no move"):
            images_of(moves)
        with pytest.raises(ValueError, match=f"{bad} is no move"):
            images_of(moves[:, :1], moves)
        with pytest.raises(ValueError, match=f"{bad} is no move"):
            DrawingSimulator(1).reset(np.arange(1), moves)


def test_an_archive_of_a_huge_size_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    NoveltyArchive(3).save(path)
    arrays = read_npz(path)
    settings = json.loads(arrays["settings"].tobytes())
    for change in ({"dim": 10**12}, {"dim": "3"}, {"capacity": -1}, {"scale": float("nan")},
                   {"next": 1e9}, {"extra": 1}, {"device": "meta"}):  # fmt: skip
        text = json.dumps(settings | change).encode()
        write_npz(path, arrays | {"settings": np.frombuffer(text, np.uint8)}, compressed=False)
        with pytest.raises(ArchiveError, match=r"a\.npz"):
            NoveltyArchive.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": np.full(N_FEATURES, np.nan)},
        {"components": np.zeros((4, 9))},
        {"components": np.full((4, N_FEATURES), np.inf)},
        {"mean": np.zeros((0,))},
    ],
)
def test_a_descriptor_that_is_none_is_refused(tmp_path, change):
    path = tmp_path / "d.npz"
    arrays = {"mean": np.zeros(N_FEATURES), "components": np.zeros((4, N_FEATURES))}
    write_npz(path, arrays | change)
    with pytest.raises(WorksError, match=r"d\.npz"):
        PrincipalComponents.load(path, features_of, Works("drawing", np.zeros((1, 9), np.int16)))


# Weights and checkpoints


def test_weights_of_another_shape_name_type_or_value_are_refused(tmp_path):
    path, module = tmp_path / "w.safetensors", PatchCritic()
    good = module.state_dict()
    before = {key: value.clone() for key, value in good.items()}
    name = "out.weight"
    cases = {
        "expected shape": good | {name: torch.zeros(1, 2)},
        "expected torch.float32": good | {name: good[name].double()},
        "not finite": good | {name: torch.full_like(good[name], float("nan"))},
        "'other' is unknown": good | {"other": torch.zeros(3)},
        "'out.weight' is missing": {k: v for k, v in good.items() if k != name},
    }
    for words, weights in cases.items():
        path.write_bytes(to_safetensors({k: v.contiguous() for k, v in weights.items()}))
        with pytest.raises(StorageError, match=rf"w\.safetensors.*{words}"):
            load_weights(path, module)
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key])
    save_weights(path, module)
    load_weights(path, PatchCritic())
    with pytest.raises(StorageError, match="no such file"):
        load_weights(tmp_path / "none", module)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        (1 << 62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
        (62).to_bytes(8, "little")
        + b'{"a":{"dtype":"F64","shape":[9999999999],"data_offsets":[0,9]}}'
        + bytes(9),
        b"cposix\nsystem\n(S'true'\ntR.",  # a pickle
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"w\.safetensors"):
        load_weights(path, PatchCritic())
    with pytest.raises(StorageError, match=r"w\.safetensors"):
        load_checkpoint(path)


# JSON


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b"\xff",
                                  b"null", b" " * (5 << 20)])  # fmt: skip
def test_what_is_no_json_object_is_refused(tmp_path, data):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"config\.json"):
        read_json(path)
    with pytest.raises(ValueError, match=r"config\.json"):
        load_config(tmp_path)


# Drawings


def svg(body, declarations="", attributes=""):
    return (
        f'<?xml version="1.0"?>{declarations}<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 24 24" stroke="#000" {attributes}>{body}</svg>'
    ).encode()


LINE = '<path d="M1 1h9"/>'
NESTED = '<g id="a{}">{}</g>'
LAUGHS = "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (svg("<text>&a9;</text>" + LINE, f"<!DOCTYPE svg [<!ENTITY a0 'ha'>{LAUGHS}]>"), "entity"),
        (svg("&x;", "<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"), "entity"),
        (svg(LINE, "<!DOCTYPE svg [<!ENTITY % x SYSTEM 'http://localhost/x'> %x;]>"), "entity"),
        # A long default on every element: 500 kB x 40,000.
        (
            svg("<g/>" * 40_000, f"<!DOCTYPE svg [<!ATTLIST g style CDATA '{'a:b;' * 99_999}'>]>"),
            "declares long defaults",
        ),
        (svg('<use href="http://localhost/x.svg"/>'), "refers to 'http"),
        (svg("<g>" * 5000 + LINE + "</g>" * 5000), "nested more than"),
        (svg("<g/>" * (MAX_ELEMENTS + 1)), "more than 20000 elements"),
        (svg(f'<g transform="{"rotate(1)" * 90_000}"/>'), "more than 20000 path"),
        # Numbers that end wrong after very many digits or blanks: tried in every way once.
        (svg(f'<rect width="{"1" * 900_000}x" height="1"/>'), "rect 1 has no points"),
        (svg(f'<rect width="1{" " * 900_000}x" height="1"/>'), "rect 1 has no points"),
        (svg(f'<path d="M{"1" * 900_000} 1h1"/>'), "path 1 is drawn up to 'M111"),
        (svg(f'<path d="M1 1{" 1" * 400_000}"/>'), "more than 20000 path"),
        (svg('<path d="M1e308 1e308h1e308"/>'), "path 1 is drawn up to 'M1e308"),
        (svg('<g transform="scale(1e99)">' * 9 + LINE + "</g>" * 9), "that are not finite"),
        # Each refers ten times to the one before; each to the next; each to the other; to itself.
        (
            svg(
                "".join(NESTED.format(i, f'<use href="#a{i - 1}"/>' * 10) for i in range(1, 21))
                + NESTED.format(0, LINE)
            ),
            "more than 20000",
        ),
        (svg("".join(NESTED.format(i, f'<use href="#a{i + 1}"/>') for i in range(99))), "deep"),
        (
            svg(NESTED.format(1, '<use href="#a2"/>') + NESTED.format(2, '<use href="#a1"/>')),
            "which contains it",
        ),
        (
            svg(
                '<linearGradient id="a" href="#a"/><path d="M1 1h9" stroke="url(#a)" fill="none"/>'
            ),
            "nothing is drawn",
        ),
        # Style: long, compared very often, nested, and variables that double.
        (svg(f"<style>{'a{b:c}' * (MAX_STYLE // 5)}</style>{LINE}"), "characters of style"),
        (svg(f"<style>{'* g{fill:red}' * 4600}</style>{'<g/>' * 9000}"), "too long for"),
        (svg(f"<style>path{{fill:{'(' * 65_000}}}</style><g/>"), "nothing is drawn"),
        (
            svg(
                f'<g style="--a:{"var(--a)" * 20}">' * 60 + "</g>" * 60, "", 'style="--a:xxxxxxxxx"'
            ),
            "nothing is drawn",
        ),
        # An entity that is read a hundred thousand times.
        (svg(f"<g id='{'&a;' * 100_000}'/>", f"<!DOCTYPE svg [<!ENTITY a '{'x' * 99}'>]>"), "long"),
        (b"<svg>" + b"\x00" * 99, "not well-formed"),
        (svg(LINE) + svg(LINE), "not well-formed"),
        (b'<?xml version="1.0" encoding="none"?><svg/>', "not well-formed"),
        (b"<!DOCTYPE svg SYSTEM 'http://localhost/x.dtd'><svg>&x;</svg>", "nothing is drawn"),
        (b"\x1f\x8b" + b"0" * 99, "not well-formed"),
    ],
)
def test_a_malicious_drawing_is_refused(data, words):
    with pytest.raises(SvgError, match=words) as caught:
        read_svg(data)
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


def test_a_line_that_would_take_the_square_of_its_points_is_bounded():
    # A bow of many arcs, so that simplifying peels off one point after another.
    points = " ".join(f"{i * 1e-3:.3f},{(i * i) * 1e-6 + (i % 2) * 9:.6f}" for i in range(9000))
    try:
        read_svg(svg(f'<polyline points="{points}"/>'))
    except SvgError as error:
        assert "too intricate" in str(error)


def test_bad_doodles_are_left_out_and_named(tmp_path):
    good = {"word": "plane", "key_id": "1", "drawing": [[[0, 9], [0, 9]]]}
    lines = [
        json.dumps(good),
        "[" * 100_000,
        '{"word": "a"}',
        json.dumps(good | {"drawing": [[[0, 1e400], [0, 1]]]}),
        json.dumps(good | {"drawing": [[[0, 1], [0]]]}),
        json.dumps(good | {"drawing": [[["a", "b"], [0, 1]]]}),
        json.dumps(good | {"drawing": []}),
        json.dumps(good | {"drawing": [[[i % 7 for i in range(60_000)]] * 2]}),
        "9" * 10_000,
        '{"word": "a", "key_id": "1", "drawing": {}}',
    ]
    path = tmp_path / "doodles.ndjson"
    path.write_text("\n".join(lines))
    corpus = load_corpus(str(path), cache_dir=tmp_path / "cache", progress=False)
    assert len(corpus.works) == 1 and len(corpus.skipped) == len(lines) - 1
    assert all(len(reason) < 300 for _, reason in corpus.skipped)
    path.write_text("\n".join(lines[1:]))
    with pytest.raises(CorpusError, match="no works left"):
        load_corpus(str(path), cache_dir=tmp_path / "cache", progress=False)


def test_a_forged_cache_is_not_believed(tmp_path):
    icons, cache = tmp_path / "icons", tmp_path / "cache"
    icons.mkdir()
    (icons / "a.svg").write_bytes(svg(LINE))
    expected = load_corpus(str(icons), cache_dir=cache, progress=False).works.moves
    (kept,) = cache.iterdir()
    arrays, facts = read_state(kept, CACHE_FORMAT)
    write_state(kept, {"moves": np.full_like(arrays["moves"], 32000)}, facts, CACHE_FORMAT)
    with pytest.warns(UserWarning, match="damaged cache"):
        again = load_corpus(str(icons), cache_dir=cache, progress=False).works.moves
    np.testing.assert_array_equal(again, expected)


def test_nothing_of_the_project_reads_pickle():
    """No loader that could run code is even named in the program."""
    root = Path(__file__).parent.parent
    files = [p for d in ("novelty", "envs", "agents", "move37") for p in (root / d).rglob("*.py")]
    for path in files:
        text = path.read_text()
        for word in ("import pickle", "torch.load(", "joblib", "allow_pickle=True", "np.load(",
                     "PPO.load(", "yaml.load(", "eval("):  # fmt: skip
            found = text.replace(".eval(", "").replace("_eval(", "")
            assert word not in found, f"{path} has {word}"


def test_a_file_is_old_or_new_but_never_half(tmp_path, monkeypatch):
    path = tmp_path / "w.npz"
    write_npz(path, {"x": np.zeros(3)})
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    for step in ("os.fsync", "os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(step, fail)
            with pytest.raises(OSError, match="No space left"):
                write_npz(path, {"x": np.ones(3)})
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
