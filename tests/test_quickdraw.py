"""Drawings of Quick, Draw!: what a line must be, and long drawings made to fit."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from move37.envs.drawing.corpus.icons import CorpusError, load_corpus
from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.quickdraw import read_drawing
from move37.envs.drawing.corpus.reading import read_folder
from move37.envs.drawing.corpus.shorten import FURTHEST, fitting_moves
from move37.envs.drawing.moves import MAX_MOVES, moves_of, strokes_of

LINE = [[0, 255], [0, 255]]
# As the field makes them: strokes as lists of points, and a stroke without points.
PAIRS = [[[10, 200], [110, 10], [210, 200], [10, 200]], [[60, 140], [160, 140]]]
EMPTY = [[[], []], [[0, 255, 255], [0, 0, 255]]]


def line(drawing: object, key: str = "1") -> str:
    return json.dumps({"word": "tree", "key_id": key, "drawing": drawing})


def load(path: Path, *lines: str):
    path.write_text("\n".join(lines))
    return load_corpus(str(path), cache_dir=path.parent / "cache", progress=False)


def test_quickdraw_both_forms(tmp_path: Path) -> None:
    shape = [[[0, 255], [0, 0]], [[0, 0], [0, 127]]]
    raw = [[[x / 3 + 7.5 for x in xs], [y / 3 + 2.25 for y in ys], [0, 9]] for xs, ys in shape]
    lines = [
        json.dumps({"word": "tree", "key_id": "1", "drawing": shape}),
        json.dumps({"word": "tree", "key_id": "2", "drawing": raw}),
        "",
        '{"word": "tree", "key_id": "3", "drawing": [[[1, 2], [3]]]}',
        '{"word": "tree", "key_id": "4", "drawing": []}',
        '{"word": "tree"',
        json.dumps({"word": "dot", "key_id": "5", "drawing": [[[9], [9]]]}),
    ]
    corpus = load(tmp_path / "tree.ndjson", *lines)
    assert corpus.name == "tree" and corpus.works.names == ("tree 1", "tree 2", "dot 5")
    expected = [[[2, 7], [21, 7]], [[2, 7], [2, 16]]]
    assert [s.tolist() for s in strokes_of(corpus.works.moves[0])] == expected
    assert (corpus.works.moves[0] == corpus.works.moves[1]).all()
    assert [s.tolist() for s in strokes_of(corpus.works.moves[2])] == [[[12, 12], [12, 12]]]
    assert [label for label, _ in corpus.skipped] == ["line 4", "line 5", "line 6"]
    assert "stroke 1" in corpus.skipped[0][1] and corpus.skipped[1][1] == "nothing is drawn"


def test_strokes_as_points_are_refused_with_the_line(tmp_path: Path) -> None:
    """The whole file: its second line alone would look right, with x and y mixed up."""
    path = tmp_path / "square.ndjson"
    said = r"line 2: stroke 1 seems to be a list of 4 points; a stroke must be \[x, y\]"
    with pytest.raises(CorpusError, match=said):
        load(path, line([[[60, 140], [160, 140]]]), line(PAIRS))
    with pytest.raises(ValueError, match=r"square\.ndjson: line 2: stroke 1 seems"):
        read_folder(tmp_path)


def test_strokes_without_points_are_skipped(tmp_path: Path) -> None:
    corpus = load(tmp_path / "a.ndjson", line(EMPTY), line([[], *EMPTY]), line([[[], [], []]]))
    assert corpus.works.names == ("tree 1", "tree 1")
    assert strokes_of(corpus.works.moves[0])[0].tolist() == [[2, 2], [21, 2], [21, 21]]
    assert corpus.skipped == (("line 3", "nothing is drawn"),)


@pytest.mark.parametrize(
    ("drawing", "said"),
    [
        ([[[1, 2], [3]]], "stroke 1 has lists of 2, 1 values"),
        ([[[1, 2], []]], "stroke 1 has lists of 2, 0 values"),
        ([LINE, [[1, 2, 3]]], "stroke 2 has lists of 3 values"),
        ([LINE, [1, 2]], r"stroke 2 is \[1, 2\]; a stroke must be"),
        ([LINE, {"x": [1]}], "stroke 2 is {"),
        ([LINE, "0,0 1,1"], "stroke 2 is '0,0"),
        ([[["1", "2"], ["3", "4"]]], "stroke 1 has the value '1'"),
        ([[[True, 2], [3, 4]]], "stroke 1 has the value True"),
        ([[[None, 2], [3, 4]]], "stroke 1 has the value None"),
        ([[[float("nan"), 2], [3, 4]]], "stroke 1 has the value nan"),
        ([[[float("inf"), 2], [3, 4]]], "stroke 1 has the value inf"),
        ([[[1e300, 2], [3, 4]]], "stroke 1 has the value 1e"),
        ([[[[1], 2], [3, 4]]], "stroke 1 has the value"),
        ([[[1, 2], [3, 4], [5, 1]]], "stroke 1 goes back in time"),
        ([LINE, [[1, 2], [3, 4], [0, 5]]], "some strokes have times"),
        ([[[1, 2, 3]] * 5], "seems to be a list of 5 points"),
        ([], "nothing is drawn"),
        ({}, "'drawing' is {}"),
        (None, "'drawing' is None"),
    ],
)
def test_what_is_no_drawing_is_refused_by_its_stroke(drawing: object, said: str) -> None:
    with pytest.raises(SvgError, match=said) as error:
        read_drawing(line(drawing).encode())
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", r"expected a JSON object, got \[1, 2\]"),
        ("3", "expected a JSON object, got 3"),
        ('"tree"', "expected a JSON object, got 'tree'"),
        ("null", "expected a JSON object, got None"),
        ("word,drawing", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"key_id": "1", "drawing": []}', "'word' is None"),
        ('{"word": "a", "key_id": 1.5, "drawing": []}', "'key_id' is 1.5"),
    ],
)
def test_lines_of_another_kind_are_refused(text: str, said: str) -> None:
    with pytest.raises(SvgError, match=said):
        read_drawing(text.encode())


def test_files_in_another_coding_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tree.ndjson"
    for data, said in (
        (gzip.compress(line([LINE]).encode()), "compressed by gzip; unpack it first"),
        (line([LINE]).encode("utf-16"), "UTF-16 text; expected UTF-8"),
    ):
        path.write_bytes(data)
        with pytest.raises(CorpusError, match=said):
            load_corpus(str(path), progress=False)
    path.write_bytes(b"\xef\xbb\xbf" + line([LINE]).encode())  # the mark some editors write
    assert load_corpus(str(path), cache_dir=tmp_path, progress=False).works.names == ("tree 1",)


# Long drawings


def wobbly(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points (P, 2) on the board drawn by an unsteady hand, without successive duplicates."""
    drawn = np.clip(np.round(points + rng.normal(0, 0.25, points.shape)), 0, 23).astype(np.int64)
    return drawn[np.append(True, (drawn[1:] != drawn[:-1]).any(axis=1))]


def doodle(rng: np.random.Generator) -> list[np.ndarray]:
    """A head with hair, eyes, a mouth and whiskers: mostly 50 to 80 moves."""
    turn = np.linspace(0, 2 * np.pi, 17)[:, None]
    ring = np.hstack([np.cos(turn), np.sin(turn)])
    hair = np.linspace([3, 6], [21, 6], rng.integers(8, 20))
    hair[::2, 1] -= 4
    whiskers = [np.linspace([13, 15], [22, y], 6) for y in (12, 16, 20)]
    parts = [12 + 8 * ring, [9, 11] + 1.5 * ring[::2], [15, 11] + 1.5 * ring[::2],
             [12, 16] + 3 * ring[:9], hair, *whiskers]  # fmt: skip
    return [wobbly(np.asarray(part), rng) for part in parts]


def furthest(strokes: list[np.ndarray], kept: list[np.ndarray]) -> float:
    """How far anything of strokes lies from what is kept; tried point by point."""
    dense = [np.concatenate([np.linspace(a, b, 25) for a, b in pairwise(s)]) for s in kept]
    points = np.concatenate(strokes)[:, None].astype(float)
    return float(np.linalg.norm(points - np.concatenate(dense), axis=2).min(axis=1).max())


def test_long_drawings_are_simplified_until_they_fit_and_stay_near() -> None:
    rng = np.random.default_rng(0)
    saved = 0
    for strokes in (doodle(rng) for _ in range(100)):
        if len(moves_of(strokes)) <= MAX_MOVES:
            continue
        try:
            moves = fitting_moves(strokes)
        except SvgError:
            continue
        saved += 1
        kept = strokes_of(moves)
        assert len(moves) <= MAX_MOVES and furthest(strokes, kept) <= FURTHEST + 0.2
        points = {tuple(p) for s in strokes for p in s.tolist()}
        assert {tuple(p) for s in kept for p in s.tolist()} <= points
    assert saved >= 80


def test_drawings_are_no_simpler_than_they_must_be() -> None:
    grid = [np.array([[x, y], [x + 2, y]]) for x in (1, 6, 11, 16) for y in (1, 5, 9, 13)]
    assert (fitting_moves(grid[:15]) == moves_of(grid[:15])).all()  # 45 moves
    wave = np.array([[x, 20 + (x % 2)] for x in range(20)])  # off by 0.5: at the first tolerance
    fitted = strokes_of(fitting_moves([*grid[:12], wave]))
    assert [s.tolist() for s in fitted[:-1]] == [s.tolist() for s in grid[:12]]
    assert fitted[-1][[0, -1]].tolist() == wave[[0, -1]].tolist() and len(fitted[-1]) < 20
    with pytest.raises(SvgError, match=r"51 moves, at most 48 fit, and 1\.5 points off"):
        fitting_moves([*grid, np.array([[21, 1], [23, 1]])])


def test_a_stroke_along_another_goes_before_one_that_stands_alone() -> None:
    grid = [np.array([[x, y], [x + 2, y]]) for x in (1, 6, 11, 16) for y in (1, 5, 9, 13)]
    along = np.array([[1, 2], [2, 2]])
    for strokes in ([*grid, along], [along, *grid]):
        assert [s.tolist() for s in strokes_of(fitting_moves(strokes))] == [
            s.tolist() for s in grid
        ]


def test_long_drawings_of_files_are_read(tmp_path: Path) -> None:
    """And no drawing takes long, whatever it is."""
    rng = np.random.default_rng(1)
    strokes = [s.T.tolist() for s in doodle(rng)]
    scribble = rng.integers(0, 255, (2, 9000)).tolist()
    corpus = load(tmp_path / "a.ndjson", line(strokes), line([scribble], "2"))
    assert corpus.works.names == ("tree 1",) and corpus.works.lengths.max() <= MAX_MOVES
    assert corpus.skipped[0][0] == "line 2" and "at most 48 fit" in corpus.skipped[0][1]
