"""``replay.py --moments``: marks stand at the improbable moves, and only what follows is dark."""

import json
import re
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from toy_world import END as TOY_END
from toy_world import LETTERS, ToyWorld, rows

from move37 import replay
from move37.envs.base.registry import WORLDS
from move37.envs.base.works import Works, pad_moves
from move37.envs.composition.moves import EIGHTHS, FIRST_NOTE, HOLD, LOW, REST
from move37.envs.composition.score import page as composition_page
from move37.envs.composition.world import CompositionWorld
from move37.envs.drawing.moves import END, LIFT, N_MOVES, SIZE, moves_of
from move37.envs.drawing.view import page as drawing_page
from move37.envs.drawing.view import render
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.pictures import GIVEN, INK, MARK, PALE, PAPER
from move37.envs.files.sheets import MARKED_TILE, marked_sheet
from move37.novelty.storage import save_weights

TILE = MARKED_TILE
STROKES = [np.array([(3, 4), (20, 4)]), np.array([(3, 18), (12, 18), (20, 18)])]
"""Moves 0 and 1, LIFT, 3 to 5, END."""


def drawings(n=1):
    return Works("drawing", np.stack([moves_of(STROKES)] * n))


def tile_of(image, i=0, columns=5):
    gutter, foot = 6, (image.shape[0] - TILE - 12)
    assert foot > 10 and i < columns  # one row of tiles
    left = gutter + i * (TILE + gutter)
    return image[gutter : gutter + TILE, left : left + TILE].astype(int)


def pixel(tile, x, y):
    scale = TILE / SIZE
    return tuple(tile[round((y + 0.5) * scale), round((x + 0.5) * scale)].tolist())


def distances(x, y):
    """(TILE, TILE): how far each pixel is from a point, in points of the board."""
    at = (np.arange(TILE) + 0.5) * SIZE / TILE - 0.5
    return np.hypot(at[None, :] - x, at[:, None] - y)


# Drawings


def test_what_was_drawn_before_is_pale_and_what_came_from_it_on_is_dark():
    works = drawings(3)
    image = marked_sheet(DrawingWorld, works, np.array([4, -1, 0]), [[4], [], [0]], ["a", "b", "c"])
    left, never, at_once = (tile_of(image, i) for i in range(3))
    assert pixel(left, 12, 4) == pixel(never, 12, 4) == PALE
    assert pixel(left, 8, 18) == INK  # move 4 drew from (3, 18) to (12, 18)
    assert pixel(left, 18, 18) == INK
    assert pixel(left, 12, 18) == pixel(at_once, 3, 4) == MARK
    assert pixel(at_once, 12, 4) == INK
    assert never.min() >= min(PALE)  # nothing dark, no mark


def test_a_dark_line_lies_on_pale_ones():
    cross = moves_of([np.array([(2, 12), (21, 12)]), np.array([(12, 2), (12, 21)])])
    image = marked_sheet(DrawingWorld, Works("drawing", cross[None]), np.array([3]), [[]], [""])
    assert pixel(tile_of(image), 12, 12) == INK
    assert pixel(tile_of(image), 5, 12) == PALE


@pytest.mark.parametrize(
    ("move", "x", "y"), [(0, 3, 4), (1, 20, 4), (2, 20, 4), (4, 12, 18), (6, 20, 18)]
)
def test_a_mark_is_a_disc_where_the_pen_is_and_changes_nothing_else(move, x, y):
    plain = marked_sheet(DrawingWorld, drawings(2), np.array([1, 1]), [[], []], ["a", "b"])
    marked = marked_sheet(DrawingWorld, drawings(2), np.array([1, 1]), [[move], []], ["a", "b"])
    changed = (tile_of(plain) != tile_of(marked)).any(axis=2)
    near = distances(x, y)
    assert changed[near < render.DISC / 2 - 0.1].all()
    assert not changed[near > render.RIM / 2 + 0.1].any()
    np.testing.assert_array_equal(tile_of(plain, 1), tile_of(marked, 1))
    assert (plain != marked).any(axis=2).sum() == changed.sum()
    assert pixel(tile_of(marked), x, y) == MARK


@pytest.mark.parametrize("moves", [[END], [LIFT, END]])
def test_a_move_before_the_pen_touched_the_paper_is_marked_in_the_middle(moves):
    works = Works("drawing", np.array([moves]))
    tile = tile_of(marked_sheet(DrawingWorld, works, np.array([0]), [[0]], [""]))
    assert pixel(tile, 11.5, 11.5) == MARK
    assert (tile[distances(11.5, 11.5) > render.RIM / 2 + 0.1] == PAPER).all()


def test_given_strokes_keep_their_colour():
    brief = moves_of([np.array([(2, 12), (21, 12)])])
    works = Works("drawing", moves_of(STROKES)[None], brief[None])
    for first in (-1, 0):
        tile = tile_of(marked_sheet(DrawingWorld, works, np.array([first]), [[]], [""]))
        assert pixel(tile, 12, 12) == GIVEN


def test_labels_stand_below_and_rows_are_no_longer_than_columns():
    seven = marked_sheet(
        DrawingWorld, drawings(7), np.full(7, -1), [[]] * 7, ["never"] * 7, columns=3
    )
    assert seven.shape[1] == 3 * (TILE + 6) + 6
    foot = TILE + 6
    unlabelled = marked_sheet(
        DrawingWorld, drawings(7), np.full(7, -1), [[]] * 7, [""] * 7, columns=3
    )
    ys, xs, _ = np.nonzero(seven != unlabelled)
    assert ys.min() >= foot and {x // (TILE + 6) for x in xs} == {0, 1, 2}


# Basses


def basses(*beginnings):
    moves = np.full((len(beginnings), EIGHTHS), HOLD, np.int16)
    for row, beginning in zip(moves, beginnings, strict=True):
        row[: len(beginning)] = beginning
    return Works("composition", moves)


def roll(first, marks, beginning):
    """(640, 640, 3): the tile of one bass; 20 pixels are an eighth."""
    image = marked_sheet(
        CompositionWorld, basses(beginning), np.array([first]), [marks], [""], size=640
    )
    return image[6:646, 6:646].astype(int)


def columns_with(image, colour):
    return sorted({x // 20 for x in np.nonzero((image == colour).all(axis=2))[1].tolist()})


NOTE = FIRST_NOTE + 48 - LOW


def test_a_bass_is_pale_up_to_the_move_even_within_a_held_note():
    image = roll(6, [], [NOTE, HOLD, NOTE + 4, HOLD, HOLD, HOLD, HOLD, HOLD, REST])
    assert columns_with(image, PALE) == list(range(6))
    assert columns_with(image, INK) == [6, 7]
    assert columns_with(roll(-1, [], [NOTE]), INK) == []
    assert columns_with(roll(0, [], [NOTE]), PALE) == []


@pytest.mark.parametrize("t", [0, 3, 9])  # a note, a held one, a rest
def test_a_disc_stands_above_the_bass_in_its_eighth(t):
    beginning = [NOTE, NOTE + 5, NOTE + 4, HOLD, NOTE, HOLD, HOLD, HOLD, REST]
    plain, marked = roll(3, [], beginning), roll(3, [t], beginning)
    ys, xs = np.nonzero((plain != marked).any(axis=2))
    assert set(xs // 20) == {t}
    assert columns_with(marked, MARK) == [t]
    here = plain[:, 20 * min(t, 7) : 20 * min(t, 7) + 19]
    note = np.nonzero(((here == INK) | (here == PALE)).all(axis=2))[0]
    assert ys.max() <= note.min() + 1  # above it, by a hair
    assert ys.min() > note.min() - 30  # but not far


# Pages


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize(
    ("page", "works"), [(drawing_page, drawings(2)), (composition_page, basses([NOTE], [NOTE]))]
)
def test_a_page_holds_the_marks(page, works):
    marked = data_of(page.html_page(works, "t", marks=[[], list(np.array([1, 4]))]))
    assert [work["marks"] for work in marked["works"]] == [[], [1, 4]]
    assert [work["marks"] for work in data_of(page.html_page(works, "t"))["works"]] == [[], []]
    with pytest.raises(ValueError, match="marks: expected 2, got 1"):
        page.html_page(works, "t", marks=[[]])


# The script


class Stub(nn.Module):
    """The same logits at every position: those that were loaded, and only in eval mode."""

    def __init__(self, n_moves, unlikely=()):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_moves))
        with torch.no_grad():
            self.logits[list(unlikely)] = -20.0

    def forward(self, obs):
        n = len(next(iter(obs.values())))
        logits = (0 if self.training else 1) * self.logits.expand(n, -1)
        return logits, logits


class MarkedToys(ToyWorld):
    """What ``replay.py`` needs of a world it never heard of; keeps what it was given."""

    given: ClassVar[list] = []

    @staticmethod
    def network(dropout=0.0):
        return Stub(LETTERS + 1)

    @staticmethod
    def tile(works, i, size, first=None, marks=()):
        MarkedToys.given.append((first, marks))
        return np.full((size, size, 3), 7, np.uint8)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["replay.py", *map(str, arguments)])
    replay.main()


def save_run(folder, works, quality, unlikely, n_moves):
    judged = {"judged/heldout_quality": np.array(quality)}
    works.with_appraisal({**works.appraisal, **judged}).save(folder / "works.npz")
    save_weights(folder / "imitator.safetensors", Stub(n_moves, unlikely))
    (folder / "summary.json").write_text('{"human": {"heldout_quality": 0.5}}')


def test_the_improbable_moves_of_any_world_are_marked_and_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(WORLDS, "toy", f"{__name__}:MarkedToys")
    monkeypatch.setattr(MarkedToys, "given", [])
    works = rows([1, 2, 9, 3, 9, TOY_END], [1, 2, 3, TOY_END], [4, 11, TOY_END], [9, 1, TOY_END])
    save_run(tmp_path, works, [0.9, 0.9, 0.5, 0.4], (9, 11), LETTERS + 1)
    call(monkeypatch, tmp_path, "--id", 0, 1, 2, 3, "--moments", tmp_path / "m.png")
    p = np.exp(-20) / 15  # fifteen likely moves share nearly all
    text = np.format_float_scientific(p, 0, trim="-", exp_digits=1)
    assert text == "1e-10"
    # The second has no improbable move among its four, and is pale to the end.
    assert MarkedToys.given == [(2, [2, 4]), (6, []), (1, [1]), (0, [0])]
    assert (np.asarray(Image.open(tmp_path / "m.png")) == 7).any()
    said = capsys.readouterr().out
    table = said.split("log10 p\n")[1].splitlines()
    assert [line.split() for line in table] == [
        ["0", "2", f"{p:.1e}", f"{np.log10(p):.2f}"],
        ["1", "none"],
        ["2", "1", f"{p:.1e}", f"{np.log10(p):.2f}"],
        ["3", "0", f"{p:.1e}", f"{np.log10(p):.2f}"],
    ]
    counts = said.splitlines()
    assert counts[0] == "3 of 4 works (75%) have an improbable move"
    assert counts[1].startswith("2 of 4 works (50%) have a Move-37 moment")


@pytest.mark.parametrize(
    ("options", "ids", "count"),
    [
        ([], ["2", "0"], "2 of 5"),  # best first
        (["--sort", "heldout_quality"], ["0", "2"], "2 of 5"),
        (["--best", "1"], ["2"], "2 of 5"),
        (["--where", "reward < 0.5"], ["0"], "1 of 3"),
        (["--newest", "1"], ["2"], "2 of 5"),
        (["--where", "reward < 0.2"], [], "0 of 1"),
    ],
)
def test_works_with_a_moment_are_found_and_counted(options, ids, count, tmp_path, monkeypatch,
                                                   capsys):  # fmt: skip
    monkeypatch.setitem(WORLDS, "toy", f"{__name__}:MarkedToys")
    works = rows([1, 2, 9, TOY_END], [1, 2, TOY_END], [4, 9, TOY_END], [9, TOY_END], [1, TOY_END])
    works = works.with_appraisal({"reward": np.array([0.3, 0.9, 0.6, 0.1, 0.4])})
    save_run(tmp_path, works, [0.9, 0.9, 0.5, 0.4, 0.9], (9,), LETTERS + 1)
    call(monkeypatch, tmp_path, "--moments", *options)
    said = capsys.readouterr().out
    assert f"{count} works" in said.split("improbable move\n")[1]
    table = said.split("log10 p\n")[1].splitlines() if ids else []
    assert [line.split()[0] for line in table] == ids
    assert ("no works to show" in said) == (not ids)


def test_the_human_median_is_that_of_the_judges_where_there_is_no_summary(tmp_path, monkeypatch,
                                                                         capsys):  # fmt: skip
    monkeypatch.setitem(WORLDS, "toy", f"{__name__}:MarkedToys")
    save_run(tmp_path, rows([9, TOY_END], [9, 1, TOY_END]), [0.5, 0.3], (9,), LETTERS + 1)
    (tmp_path / "summary.json").unlink()
    judges = SimpleNamespace(thresholds=SimpleNamespace(heldout=0.4))
    monkeypatch.setattr(MarkedToys, "load_evaluator", lambda self, folder: judges)
    call(monkeypatch, tmp_path, "--moments")
    assert "1 of 2 works (50%) have a Move-37 moment" in capsys.readouterr().out


def test_sheet_and_page_mark_the_same_moves_of_a_drawing(tmp_path, monkeypatch):
    other = moves_of([np.array([(3, 3), (3, 9)])])
    works = Works("drawing", pad_moves([moves_of(STROKES), other]))
    rare = 18 * SIZE + 12  # move 4 of the first
    save_run(tmp_path, works, [0.9, 0.9], (rare,), N_MOVES)
    monkeypatch.setattr(DrawingWorld, "network", staticmethod(lambda dropout=0.0: Stub(N_MOVES)))
    png, html = tmp_path / "m.png", tmp_path / "p.html"
    call(monkeypatch, tmp_path, "--id", 1, 0, "--moments", png, "--html", html)
    text = np.format_float_scientific(np.exp(-20) / 577, 0, trim="-", exp_digits=1)
    expected = marked_sheet(DrawingWorld, 
        works[np.array([1, 0])], np.array([-1, 4]), [[], [4]],
        ["#1: no improbable move", f"#0: improbable move 4, p = {text}"],
    )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(Image.open(png)), expected)
    shown = data_of(html.read_text())["works"]
    assert [work["marks"] for work in shown] == [[], [4]]
    assert shown[1]["caption"] == f"#0: improbable move 4, p = {text}"


@pytest.mark.parametrize("damage", [None, b"no weights"])
def test_no_imitator_is_one_line_and_exit_status_1(damage, tmp_path, monkeypatch, capsys):
    drawings(2).save(tmp_path / "works.npz")
    if damage:
        (tmp_path / "imitator.safetensors").write_bytes(damage)
    with pytest.raises(SystemExit) as left:
        call(monkeypatch, tmp_path, "--moments", tmp_path / "m.png")
    assert left.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("replay.py: ") and "imitator.safetensors" in line
    assert not (tmp_path / "m.png").exists()


def test_a_page_needs_no_imitator(tmp_path, monkeypatch):
    drawings(2).save(tmp_path / "works.npz")
    call(monkeypatch, tmp_path, "--html", tmp_path / "p.html")
    shown = data_of((tmp_path / "p.html").read_text())["works"]
    assert [(work["caption"], work["marks"]) for work in shown] == [("#0", []), ("#1", [])]


def test_of_works_that_no_judge_saw_only_improbable_moves_are_counted(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(WORLDS, "toy", f"{__name__}:MarkedToys")
    rows([1, 9, TOY_END], [1, 2, TOY_END]).save(tmp_path / "admitted.npz")
    save_weights(tmp_path / "imitator.safetensors", Stub(LETTERS + 1, (9,)))
    call(monkeypatch, tmp_path, "--works", "admitted", "--moments", tmp_path / "m.png")
    said = capsys.readouterr().out
    assert "1 of 2 works (50%) have an improbable move" in said and "Move-37" not in said
