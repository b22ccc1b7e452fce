"""Sheets are made of a world's tiles, whatever the world."""

import numpy as np
import pytest

from move37.envs.base.works import Works
from move37.envs.composition.world import CompositionWorld
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.pictures import GROUND
from move37.envs.files.sheets import (
    CAPTION,
    GAP,
    TITLE,
    marked_sheet,
    sheet,
    side_by_side,
    thumbnails,
)

SIZE = 20


class Grey:
    """A world whose works are shades of grey; keeps what its tiles were asked for."""

    def __init__(self):
        self.asked = []

    def tile(self, works, i, size, first=None, marks=()):
        self.asked.append((i, first, list(marks)))
        return np.full((size, size, 3), works.moves[i, 0], np.uint8)


def greys(n):
    return Works("grey", np.arange(10, 10 + n, dtype=np.int16)[:, None] * np.ones((1, 4), np.int16))


def tile_at(image, row, column, *, head=0, step=SIZE + GAP):
    top, left = head + GAP + row * step, GAP + column * (SIZE + GAP)
    return image[top : top + SIZE, left : left + SIZE]


def test_tiles_stand_row_by_row():
    image = sheet(Grey(), greys(3), 2, size=SIZE)
    assert image.dtype == np.uint8 and image.shape == (2 * (SIZE + GAP) + GAP,) * 2 + (3,)
    assert [int(tile_at(image, *at).min()) for at in ((0, 0), (0, 1), (1, 0))] == [10, 11, 12]
    assert (tile_at(image, 1, 1) == GROUND).all()
    assert ((image == GROUND).all(axis=2)).sum() == image[:, :, 0].size - 3 * SIZE**2


@pytest.mark.parametrize(("n", "columns", "across"), [(3, 10, 3), (9, None, 3), (10, None, 4)])
def test_rows_are_no_longer_than_the_works(n, columns, across):
    assert sheet(Grey(), greys(n), columns, size=SIZE).shape[1] == across * (SIZE + GAP) + GAP


def test_captions_and_titles_are_written_where_they_belong():
    plain = sheet(Grey(), greys(2), size=96)
    full = sheet(
        Grey(), greys(2), captions=["a name far too long for its tile", ""], size=96, title="T"
    )
    head, foot = TITLE + 2 * GAP, CAPTION + GAP
    assert full.shape == (plain.shape[0] + head + foot, *plain.shape[1:])
    np.testing.assert_array_equal(full[head : head + 96 + GAP], plain[: 96 + GAP])
    below = (full[head + GAP + 96 :] != GROUND).any(axis=(0, 2))
    assert below[GAP : GAP + 96].any() and not below[GAP + 96 :].any()
    assert (full[:head] != GROUND).any()


def test_an_empty_sheet_is_a_picture():
    assert sheet(Grey(), greys(0)).ndim == 3


def test_sheets_stand_side_by_side():
    both = side_by_side(Grey(), greys(3), greys(1), ("left", "right"), 2, size=48)
    left = sheet(Grey(), greys(3), 2, size=48, title="left")
    right = sheet(Grey(), greys(1), 2, size=48, title="right")
    np.testing.assert_array_equal(both[: len(left), : left.shape[1]], left)
    np.testing.assert_array_equal(both[: len(right), -right.shape[1] :], right)
    assert (both[len(right) :, left.shape[1] :] == GROUND).all()


def test_thumbnails_are_tiles():
    small = thumbnails(Grey(), greys(3), 8)
    assert small.shape == (3, 8, 8, 3) and small[:, 0, 0, 0].tolist() == [10, 11, 12]


def test_a_marked_sheet_hands_on_where_to_be_dark():
    world = Grey()
    marked_sheet(world, greys(3), np.array([2, -1, 0]), [[2, 3], [], [0]], ["", "", ""])
    # -1: every move is pale, as if the first dark one came after the end.
    assert world.asked == [(0, 2, [2, 3]), (1, 4, []), (2, 0, [0])]


def test_n_of_everything_and_no_images():
    works, first, marks, labels = greys(2), np.array([0, 0]), [[], []], ["", ""]
    for wrong in (
        (first[:1], marks, labels), (first, marks[:1], labels), (first, marks, labels[:1]),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected 2"):
            marked_sheet(Grey(), works, *wrong)
    with pytest.raises(ValueError, match="captions: expected 2, got 1"):
        sheet(Grey(), works, captions=["one"])
    with pytest.raises(ValueError, match="columns: expected at least 1, got 0"):
        sheet(Grey(), works, 0)
    pictures = Works("grey", works.moves, images=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="images"):
        marked_sheet(Grey(), pictures, first, marks, labels)


@pytest.mark.parametrize("world", [DrawingWorld, CompositionWorld])
@pytest.mark.parametrize("size", [16, 33, 300])
def test_worlds_give_square_tiles(world, size):
    moves = np.array([[30, 40, 300] if world is DrawingWorld else [12, 0, 14]], np.int16)
    works = Works(world.id, moves)
    plain = world.tile(works, 0, size)
    assert plain.shape == (size, size, 3) and plain.dtype == np.uint8
    np.testing.assert_array_equal(world.tile(works, 0, size, 0), plain)
    assert (world.tile(works, 0, size, 3) != plain).any()
    assert (world.tile(works, 0, size, None, [1]) != plain).any()
