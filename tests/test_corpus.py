from __future__ import annotations

import os
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from move37.envs.base import caches
from move37.envs.drawing.corpus import icons as corpus_module
from move37.envs.drawing.corpus.document import MAX_BYTES, MAX_DEPTH
from move37.envs.drawing.corpus.icons import Corpus, CorpusError, load_corpus
from move37.envs.drawing.corpus.lines import SvgError, simplify
from move37.envs.drawing.corpus.reading import read_folder
from move37.envs.drawing.corpus.sources import PACKAGES, installed
from move37.envs.drawing.corpus.svg import MAX_TOKENS, read_svg
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, SIZE, moves_of, strokes_of

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#000">'
SQUARE = '<path d="M4 4h8v8h-8z"/>'
ROWS = range(2, 23, 4)


def draw(body: str, head: str = HEAD) -> list[list[list[int]]]:
    return [stroke.tolist() for stroke in read_svg(f"{head}{body}</svg>".encode())[0]]


def write(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{body}</svg>")


@pytest.fixture
def icons(tmp_path: Path) -> Path:
    folder = tmp_path / "icons"
    write(folder, "square.svg", SQUARE)
    write(folder, "sub/plane.svg", '<path d="M2 2l9 3"/><path d="M5 9l9 3"/>')
    write(folder, "tick.svg", '<path d="M5 12l5 5l10 -10"/>')
    return folder


def load(icons: Path, withhold: tuple[str, ...] = ()) -> Corpus:
    return load_corpus(str(icons), withhold, icons.parent / "cache", progress=False)


# Geometry


def test_closed_path_returns_to_its_start() -> None:
    assert draw(SQUARE) == [[[4, 4], [12, 4], [12, 12], [4, 12], [4, 4]]]


def test_each_moveto_lifts_the_pen_even_where_it_is() -> None:
    assert draw('<path d="M1 1h4M5 1v4m1 1h2"/>') == [
        [[1, 1], [5, 1]],
        [[5, 1], [5, 5]],
        [[6, 6], [8, 6]],
    ]


def test_relative_moveto_after_close_starts_from_the_subpath_start() -> None:
    assert draw('<path d="M2 2h4v4zm10 10h3"/>')[1] == [[12, 12], [15, 12]]
    dot = '<path stroke-linecap="round" d="M2 2h3m0 5zm1 1h2"/>'
    assert draw(dot)[1:] == [[[5, 7], [5, 7]], [[6, 8], [8, 8]]]


@pytest.mark.parametrize(
    "d", ["M5 7h.01", "M5 7z", "M5 7l0 0", "M4.5 7a.5 .5 0 1 0 1 0a.5 .5 0 1 0 -1 0"]
)
def test_a_stroke_that_collapses_is_a_dot(d: str) -> None:
    assert draw(f'<path stroke-linecap="round" d="{d}"/>') == [[[5, 7], [5, 7]]]


def test_arc_bulges_to_the_side_its_sweep_says() -> None:
    over = np.array(draw('<path d="M4 12a8 8 0 0 1 16 0"/>')[0])
    under = np.array(draw('<path d="M4 12a8 8 0 0 0 16 0"/>')[0])
    assert over[:, 1].min() == 4 and over[:, 1].max() == 12
    assert under[:, 1].max() == 20 and under[:, 1].min() == 12
    radius = np.hypot(over[:, 0] - 12, over[:, 1] - 12)
    assert np.abs(radius - 8).max() < 0.75  # a point is rounded by at most half a cell each way


@pytest.mark.parametrize("d", ["M2 20C2 2 22 2 22 20", "M2 20Q12 -7 22 20"])
def test_curves_follow_de_casteljau(d: str) -> None:
    numbers = [float(x) for x in d[1:].replace("C", " ").replace("Q", " ").split()]
    control = np.array(numbers).reshape(-1, 2)
    stroke = np.array(draw(f'<path d="{d}"/>')[0], float)
    curve = []
    for t in np.linspace(0, 1, 400):
        points = control
        while len(points) > 1:
            points = points[:-1] * (1 - t) + points[1:] * t
        curve.append(points[0])
    gaps = np.linalg.norm(np.array(curve)[None] - stroke[:, None], axis=-1)
    assert gaps.min(axis=1).max() < 0.8
    assert len(stroke) > 3


def test_basic_shapes() -> None:
    assert draw('<line x1="1" y1="2" x2="9" y2="2"/>') == [[[1, 2], [9, 2]]]
    assert draw('<polyline points="1,2 9,2 9,8"/>') == [[[1, 2], [9, 2], [9, 8]]]
    assert draw('<polygon points="1,2 9,2 9,8"/>') == [[[1, 2], [9, 2], [9, 8], [1, 2]]]
    (plain,) = draw('<rect x="2" y="3" width="10" height="6"/>')
    assert plain[0] == plain[-1] and {tuple(p) for p in plain} == {(2, 3), (12, 3), (12, 9), (2, 9)}
    (rounded,) = draw('<rect x="2" y="3" width="10" height="10" rx="3"/>')
    assert rounded[0] == rounded[-1] and [2, 3] not in rounded
    assert np.array(rounded).min(axis=0).tolist() == [2, 3]
    assert np.array(rounded).max(axis=0).tolist() == [12, 13]
    for shape in ('<circle cx="12" cy="12" r="9"/>', '<ellipse cx="12" cy="12" rx="9" ry="4"/>'):
        (ring,) = draw(shape)
        height = 9 if "circle" in shape else 4
        assert ring[0] == ring[-1] == [21, 12]
        assert {p[1] for p in ring} >= {12 - height, 12 + height}


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("translate(3 2)", [[4, 3], [8, 3]]),
        ("scale(2)", [[2, 2], [10, 2]]),
        ("translate(3 2) scale(2)", [[5, 4], [13, 4]]),
        ("rotate(90 5 1)", [[5, -3], [5, 1]]),
        ("matrix(0 1 1 0 2 0)", [[3, 1], [3, 5]]),
    ],
)
def test_transforms_nest(transform: str, expected: list[list[int]]) -> None:
    clipped = [[x, max(y, 0)] for x, y in expected]  # upright where it leaves the board
    path = '<path d="M1 1h4"/>'
    assert draw(f'<g transform="{transform}"><g>{path}</g></g>') == [clipped]
    wrapped = f'<g transform="translate(1 1)"><g transform="{transform}">{path}</g></g>'
    shifted = [[x + 1, max(y + 1, 0)] for x, y in expected]
    assert draw(wrapped) == [shifted]


def test_nested_svg_is_placed_and_scaled() -> None:
    inner = '<svg x="2" y="4" width="10" height="10" viewBox="0 0 5 5"><path d="M0 0h5v5"/></svg>'
    assert draw(inner) == [[[2, 4], [12, 4], [12, 14]]]
    inner = inner.replace('width="10"', 'width="14"').replace("0 0 5 5", "-1 -1 5 5")
    assert draw(inner) == [[[6, 6], [16, 6], [16, 14]]]  # cut off where its view ends


def test_other_boxes_are_centred_with_a_margin() -> None:
    path = '<path stroke="#000" fill="none" d="M0 0h100v50h-100z"/>'
    expected = [[[1, 6], [22, 6], [22, 17], [1, 17], [1, 6]]]
    assert draw(path, '<svg viewBox="0 0 100 50">') == expected
    assert draw(path, '<svg width="100px" height="50">') == expected
    assert draw(path, '<svg width="100%" height="50">') == expected  # from the bounding box
    assert draw(path.replace("M0 0", "M10 -20"), '<svg viewBox="10 -20 100 50">') == expected


def test_points_are_clipped_to_the_board() -> None:
    assert draw('<path d="M-9 3H40"/>') == [[[0, 3], [23, 3]]]


def test_what_is_not_painted_is_not_drawn() -> None:
    bounding = '<path stroke="none" d="M0 0h24v24H0z" fill="none"/>'
    hidden = (
        f'<defs>{SQUARE}</defs><clipPath><g>{SQUARE}</g></clipPath><g display="none">{SQUARE}</g>'
    )
    styled = '<g style="stroke:none"><path d="M0 0h24"/></g>'
    assert draw(bounding + hidden + styled + '<path d="M1 1h4"/>') == [[[1, 1], [5, 1]]]
    with pytest.raises(SvgError, match="nothing is drawn"):
        draw(bounding)


def test_simplify_keeps_every_point_within_tolerance() -> None:
    rng = np.random.default_rng(0)
    line = rng.normal(size=200).cumsum() + 1j * rng.normal(size=200).cumsum()
    short = simplify(line, 1.5)
    assert len(short) < len(line) and short[0] == line[0] and short[-1] == line[-1]
    start, chord = short[:-1, None], np.diff(short)[:, None]
    along = np.clip(((line - start) * chord.conj()).real / np.abs(chord) ** 2, 0, 1)
    assert np.abs(line - start - along * chord).min(axis=0).max() <= 1.5 + 1e-9


# Untrusted files


def test_entity_declarations_are_refused() -> None:
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(9))
    data = f"<!DOCTYPE svg [{laughs}]>{HEAD}<text>&a8;</text>{SQUARE}</svg>"
    with pytest.raises(SvgError, match="entity 'a1'"):
        read_svg(data.encode())
    external = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{HEAD}{SQUARE}</svg>'
    with pytest.raises(SvgError, match="entity 'x'"):
        read_svg(external.encode())


def test_a_doctype_with_attributes_only_is_read() -> None:
    doctype = (
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.0//EN" "http://localhost/none.dtd" '
        "[<!ATTLIST g xmlns:kvg CDATA #FIXED 'http://localhost' kvg:element CDATA #IMPLIED>]>"
    )
    assert len(read_svg(f"{doctype}{HEAD}{SQUARE}</svg>".encode())[0]) == 1


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_works_of_every_packaged_corpus_are_read(name: str) -> None:
    """Straight from the package: a reader that becomes stricter must not lose them unseen."""
    if name == "iconoir":
        if find_spec("flet_iconoir") is None:
            pytest.skip("its package is for who makes the recognisers again")
    source = PACKAGES[name]()
    assert source.name == name and source.designer and source.licence
    read = 0
    for label, data in source.records[:: len(source.records) // 40]:
        try:
            strokes = source.read(label, data)[1]
        except SvgError:
            continue
        read += len(strokes) > 0
    assert read >= 36


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<path d=""/>', r"^nothing is drawn \(path 1 has no points"),
        ('<path d="M5 5"/>', "path 1 has no points"),
        ('<path d="M5 5 L"/>', "path 1 is drawn up to 'L'"),
        ('<path d="L5 5"/>', "path 1 is drawn up to 'L5 5'"),
        ('<path d="M1e999 5h4"/>', "path 1 is drawn up to 'M1e999"),
        ('<polygon points=""/>', "polygon 1 has no points"),
        ('<circle cx="5" cy="5" r="0"/>', "circle 1 has no points"),
        ('<use href="#a"/>', "use 1 refers to '#a'"),
        ("<g>", "not well-formed"),
        (f"{'<g>' * MAX_DEPTH}{'</g>' * MAX_DEPTH}", "deep"),
        (f'<path d="M0 0{"h1" * MAX_TOKENS}"/>', "more than 20000 path commands"),
        (" " * MAX_BYTES, "bytes"),
        ("<!-- nothing -->", "nothing is drawn"),
    ],
)
def test_broken_files_are_named(body: str, message: str) -> None:
    with pytest.raises(SvgError, match=message):
        draw(body)


def test_other_roots_are_refused() -> None:
    with pytest.raises(SvgError, match="<html>"):
        read_svg(b"<html/>")


# Corpora


def test_folder_round_trip(icons: Path) -> None:
    corpus = load(icons)
    assert corpus.name == "icons"
    assert corpus.works.names == ("square", "sub/plane", "tick")
    assert corpus.works.moves.dtype == np.int16 and corpus.works.moves.shape == (3, MAX_MOVES)
    assert corpus.works.world == "drawing" and corpus.skipped == ()
    for moves, length in zip(corpus.works.moves, corpus.works.lengths, strict=True):
        assert moves[length - 1] == END and (moves[length:] == -1).all()
        assert (moves_of(strokes_of(moves)) == moves[:length]).all()
    plane = [stroke.tolist() for stroke in strokes_of(corpus.works.moves[1])]
    assert plane == [[[2, 2], [11, 5]], [[5, 9], [14, 12]]]
    assert (corpus.works.moves[1] == LIFT).sum() == 1


def test_works_that_are_broken_or_too_long_are_skipped_and_named(icons: Path) -> None:
    write(icons, "broken/plane.svg", "<path/>")
    write(icons, "partly.svg", f"{SQUARE}<path/>")
    write(icons, "long.svg", "".join(f'<path d="M{x} {y}h2"/>' for x in (1, 5, 9) for y in ROWS))
    write(icons, "fits.svg", "".join(f'<path d="M1 {y}h9"/>' for y in range(16)))
    corpus = load(icons)
    assert corpus.skipped == (
        ("broken/plane.svg", "nothing is drawn (path 1 has no points)"),
        ("long.svg", "54 moves, at most 48 fit, and 1.5 points off are not enough"),
        ("partly.svg", "path 2 has no points"),
    )
    assert corpus.works.lengths.tolist() == [48, 6, 6, 6, 4]


def test_suffixes_of_any_case_are_read_and_what_systems_put_there_is_not(icons: Path) -> None:
    write(icons, "UPPER.SVG", SQUARE)
    write(icons, "sub/Mixed.Svg", SQUARE)
    for hidden in (".hidden.svg", ".thumbnails/a.svg", "__MACOSX/a.svg", "__MACOSX/._tick.svg"):
        write(icons, hidden, "broken")
    names = ("UPPER", "square", "sub/Mixed", "sub/plane", "tick")
    assert load(icons).works.names == names and load(icons).skipped == ()
    added, left_out = read_folder(icons)
    assert added.names == names and left_out == []


def test_what_cannot_be_read_is_skipped_and_said(icons: Path) -> None:
    (icons / "gone.svg").symlink_to(icons / "nowhere")
    (icons / "folder.svg").mkdir()
    os.mkfifo(icons / "pipe.svg")
    assert load(icons).skipped == (
        ("gone.svg", "cannot be read (No such file or directory)"),
        ("pipe.svg", "cannot be read (not a file)"),
    )
    works, left_out = read_folder(icons)
    assert len(works) == 3 and [line.partition(":")[0] for line in left_out] == [
        "gone.svg", "pipe.svg",
    ]  # fmt: skip


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no \.svg files"):
        load(tmp_path)
    write(tmp_path / "icons", "a.svg", "<path/>")
    with pytest.raises(CorpusError, match=r"no works left.*a\.svg: .*path 1 has no points"):
        load(tmp_path / "icons")


def test_unknown_specs_name_what_is_known() -> None:
    with pytest.raises(CorpusError, match=r"'tablet' is no known corpus.*tabler, lucide, kanjivg"):
        load_corpus("tablet")


def test_withhold(icons: Path) -> None:
    whole, fewer = load(icons), load(icons, ("*plane*",))
    assert fewer.works.names == ("square", "tick")
    assert (fewer.works.moves == whole.works.moves[[0, 2]]).all()
    assert fewer.fingerprint != whole.fingerprint == load(icons).fingerprint
    with pytest.raises(CorpusError, match="'rocket'"):
        load(icons, ("*plane*", "rocket"))
    with pytest.raises(CorpusError, match="3 withheld"):
        load(icons, ("*",))


def test_the_cache_is_used_and_follows_the_content(
    icons: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(icons)
    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "_parse", lambda *_: pytest.fail("the cache was not used"))
        again = load(icons)
    assert again.fingerprint == first.fingerprint and again.skipped == first.skipped
    write(icons, "tick.svg", '<path d="M5 12l5 5l9 -9"/>')
    assert load(icons).fingerprint != first.fingerprint


def test_a_damaged_cache_is_rebuilt(icons: Path) -> None:
    first = load(icons)
    (cache,) = (icons.parent / "cache").iterdir()
    whole = cache.read_bytes()
    flip = bytearray(whole)
    flip[len(whole) // 2] ^= 0x10
    for damaged in (whole[: len(whole) // 2], bytes(flip), b"", b"not a zip file"):
        cache.write_bytes(damaged)
        with pytest.warns(UserWarning, match="damaged cache"):
            assert load(icons).fingerprint == first.fingerprint
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert load(icons).fingerprint == first.fingerprint


def test_a_cache_with_other_moves_is_rebuilt(icons: Path) -> None:
    first = load(icons)
    (cache,) = (icons.parent / "cache").iterdir()
    with safe_open(cache, "np") as file:
        metadata, moves = file.metadata(), file.get_tensor("moves")
    save_file({"moves": moves[::-1].copy()}, cache, metadata)
    with pytest.warns(UserWarning, match="checksum"):
        assert load(icons).fingerprint == first.fingerprint


def test_no_flipped_bit_changes_what_is_read(icons: Path) -> None:
    first = load(icons)
    (cache,) = (icons.parent / "cache").iterdir()
    whole = cache.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 60, replace=False):
        flip = bytearray(whole)
        flip[place] ^= 1 << int(rng.integers(8))
        cache.write_bytes(bytes(flip))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = load(icons)
        assert again.fingerprint == first.fingerprint and again.skipped == first.skipped


def test_an_unwritable_cache_only_warns(icons: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(caches.TEMPORARY, "")
    blocked = icons.parent / "file"
    blocked.write_text("")
    caches._temporary_folder.cache_clear()
    with pytest.warns(UserWarning, match="no cache can be written"):
        corpus = load_corpus(str(icons), (), blocked, progress=False)
    assert len(corpus.works) == 3
    monkeypatch.setattr(corpus_module, "_parse", None)  # read from the temporary folder now
    assert load_corpus(str(icons), (), blocked).fingerprint == corpus.fingerprint


def test_the_cache_folder_follows_the_environment(
    icons: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVE37_CACHE", str(icons.parent / "elsewhere"))
    load_corpus(str(icons), progress=False)
    assert len(os.listdir(icons.parent / "elsewhere")) == 1


def test_real_icons(tmp_path: Path) -> None:
    path = installed("tabler", "tablericons2", "tablericons/tablericons.zip")
    folder = tmp_path / "icons"
    with zipfile.ZipFile(path) as file:
        names = sorted(n for n in file.namelist() if n.startswith("outline/") and n[-1] != "/")
        file.extractall(folder, [*names[:: len(names) // 60], "outline/plane.svg"])
    corpus = load(folder)
    assert len(corpus.works) + len(corpus.skipped) >= 60 and len(corpus.works) > 50
    assert all(reason.endswith("at most 48 fit") for _, reason in corpus.skipped)
    plane = corpus.works.moves[corpus.works.names.index("outline/plane")]
    (outline,) = strokes_of(plane)
    assert outline[0].tolist() == [16, 10] == outline[-1].tolist()
    assert [12, 21] in outline.tolist() and [9, 3] in outline.tolist()
    assert outline.min() >= 0 and outline.max() < SIZE
