from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from move37.envs.base.works import PAD, Works
from move37.envs.drawing.designers.labelled import Labelled
from move37.envs.drawing.meaning.fitting import FitOptions, fit_recogniser, torn
from move37.envs.drawing.meaning.lists import ROLES, read_lists
from move37.envs.drawing.meaning.networks import Recogniser
from move37.envs.drawing.meaning.picture import JITTER, PIXELS, Variation, pictures
from move37.envs.drawing.meaning.recognisers import Recognisers, stroke_bounds, without
from move37.envs.drawing.moves import END, LIFT, SIZE, moves_of, strokes_of
from move37.novelty.storage import StorageError


def drawing(*strokes: list[tuple[int, int]]) -> np.ndarray:
    moves = moves_of([np.array(stroke) for stroke in strokes])
    return np.pad(moves, (0, 48 - len(moves)), constant_values=PAD)


SQUARE = drawing([(4, 4), (20, 4), (20, 20), (4, 20), (4, 4)])
CROSS = drawing([(4, 4), (20, 20)], [(20, 4), (4, 20)])
BAR = drawing([(2, 12), (22, 12)])
KINDS = {"square": SQUARE, "cross": CROSS, "bar": BAR}


# Pictures


def test_a_drawing_fills_its_picture_wherever_it_stands() -> None:
    small = drawing([(0, 0), (8, 0), (8, 8), (0, 8), (0, 0)])
    seen = pictures(np.stack([SQUARE, small]))
    assert (seen[0] == seen[1]).all()
    assert seen[0].max() == 255 and not seen[0][:2].any() and not seen[0][:, :2].any()
    assert seen[0][PIXELS // 2, PIXELS // 2] == 0


def test_a_dot_stays_small_and_a_lone_point_is_nothing() -> None:
    dot, point, empty = drawing([(5, 5), (5, 5)]), drawing([(5, 5)]), drawing()
    seen = pictures(np.stack([dot, point, empty]))
    assert 0 < (seen[0] > 0).sum() < 40
    assert not seen[1].any() and not seen[2].any()


def test_a_point_without_ink_does_not_move_the_picture() -> None:
    with_point = drawing([(0, 0)], [(4, 4), (20, 4), (20, 20), (4, 20), (4, 4)], [(23, 0)])
    assert (pictures(with_point[None]) == pictures(SQUARE[None])).all()


def test_pictures_do_not_depend_on_what_else_is_in_the_batch() -> None:
    rng = np.random.default_rng(0)
    numbers = JITTER.draw(3, rng)
    together = pictures(np.stack(list(KINDS.values())), numbers)
    alone = [pictures(m[None], numbers[i : i + 1])[0] for i, m in enumerate(KINDS.values())]
    assert (together == np.stack(alone)).all()


def test_variation_turns_and_bends_but_nothing_is_lost() -> None:
    rng = np.random.default_rng(0)
    varied = Variation(bend=1.2, wobble=0.3).draw(50, rng)
    seen = pictures(np.repeat(SQUARE[None], 50, 0), varied, seed=1)
    assert (seen.reshape(50, -1).max(axis=1) == 255).all()
    assert len({image.tobytes() for image in seen}) == 50
    again = pictures(np.repeat(SQUARE[None], 50, 0), varied, seed=1)
    assert (seen == again).all()


# Strokes


def test_taking_strokes_away() -> None:
    work = drawing([(0, 0), (5, 0)], [(3, 3), (4, 4), (5, 3)], [(9, 9), (9, 9)])
    bounds = stroke_bounds(work)
    assert [work[a:b].tolist() for a, b in bounds] == [
        (stroke[:, 1] * SIZE + stroke[:, 0]).tolist() for stroke in strokes_of(work)
    ]
    gone = np.array([False, False, True])
    assert (without(work, bounds, gone, 0) == drawing([(3, 3), (4, 4), (5, 3)])).all()
    assert (without(work, bounds, np.zeros(3, bool)) == work).all()


def test_strokes_of_a_work_that_ends_without_end_or_lifts_twice() -> None:
    row = np.array([LIFT, LIFT, 3, 4, LIFT, LIFT, 7, 8], np.int16)
    assert stroke_bounds(row) == [(2, 4), (6, 8)]
    assert (without(row, stroke_bounds(row), np.array([True, False]))[:3] == [7, 8, END]).all()


class Counting(Recogniser):
    """Sure of class 0 in the measure of the ink in the middle of the picture."""

    def __init__(self) -> None:
        super().__init__(2, width=4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        ink = pictures.float().mean((1, 2)) / 255
        return torch.stack([20 * ink, torch.zeros_like(ink), torch.zeros_like(ink)], 1)


def test_a_stroke_nobody_needs_is_idle_and_the_only_one_never() -> None:
    judges = Recognisers([Counting()], ["full", "other"])
    speck = [(1, 1), (1, 1)]
    frame = [(4, 4), (20, 4), (20, 20), (4, 20), (4, 4)]
    work = drawing(frame, speck, [(4, 20), (20, 4)])
    idle = judges.idle_strokes(np.stack([work, SQUARE, drawing(speck)]), np.zeros(3, np.int64))
    assert idle[1].tolist() == [False] and idle[2].tolist() == [False]
    assert idle[0].tolist()[0] is False or idle[0].tolist()[2] is False
    # Of another class ink takes away: every stroke but one is idle.
    idle = judges.idle_strokes(work[None], np.ones(1, np.int64))
    assert idle[0].sum() == 2


def test_idle_strokes_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    judges = Recognisers([Recogniser(3, width=8)], list(KINDS))
    works = np.stack([CROSS, drawing([(4, 4), (9, 9)], [(2, 2), (3, 9)], [(9, 2), (3, 3)])])
    classes = np.array([1, 0])
    together = judges.idle_strokes(works, classes)
    assert together[0].tolist() == judges.idle_strokes(works[:1], classes[:1])[0].tolist()


# Learning


def labelled(n: int, seed: int) -> Labelled:
    """Squares, crosses and bars, each moved a little."""
    rng = np.random.default_rng(seed)
    rows, kinds = [], rng.integers(0, 3, n)
    for kind in kinds:
        strokes = strokes_of(list(KINDS.values())[kind])
        moved = [np.clip(s + rng.integers(-2, 3, s.shape), 0, SIZE - 1) for s in strokes]
        row = moves_of(moved)
        rows.append(np.pad(row, (0, 48 - len(row)), constant_values=PAD))
    works = Works("drawing", np.stack(rows))
    return Labelled(works, kinds.astype(np.int64), np.ones(n, bool), kinds % 2, ("a", "b"))


@pytest.mark.parametrize("kind", ["residual", "large-kernel"])
def test_a_recogniser_learns_to_name_and_to_call_nothing_nothing(kind: str, tmp_path: Path) -> None:
    options = FitOptions(
        kind=kind, width=8, steps=80, batch_size=96, nothing=24, learning_rate=5e-3
    )
    network = fit_recogniser(labelled(300, 0), [0, 1, 2], options)
    judges = Recognisers([network], list(KINDS))
    fresh = labelled(200, 1)
    named = judges(fresh.works.moves).argmax(axis=1)
    assert (named == fresh.concepts).mean() > 0.9
    ripped = torn(fresh.works.moves, np.random.default_rng(2))
    assert (judges(ripped).argmax(axis=1) == 3).mean() > 0.5
    # Saved in half precision and read again it says the same.
    judges.save([tmp_path / "one.safetensors"])
    again = Recognisers.load([tmp_path / "one.safetensors"])
    assert again.names == judges.names
    np.testing.assert_allclose(again(fresh.works.moves), judges(fresh.works.moves), atol=0.02)
    assert again.class_of("cross") == 1 and again.class_of("whale") == -1


def test_damaged_recognisers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    for data in (b"", b"nothing", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "):
        path.write_bytes(data)
        with pytest.raises(StorageError, match=r"one\.safetensors"):
            Recognisers.load([path])
    with pytest.raises(StorageError, match=r"none\.safetensors"):
        Recognisers.load([tmp_path / "none.safetensors"])
    Recognisers([Recogniser(2, width=4)], ["a", "b"]).save([path])
    Recognisers([Recogniser(2, width=4)], ["a", "c"]).save([tmp_path / "two.safetensors"])
    with pytest.raises(StorageError, match=r"two\.safetensors: knows other concepts than .*one"):
        Recognisers.load([path, tmp_path / "two.safetensors"])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(StorageError, match=r"one\.safetensors"):
        Recognisers.load([path])


def test_the_frozen_lists() -> None:
    lists = read_lists()
    assert tuple(lists) == ROLES
    names = [name for role in lists.values() for name in role]
    assert len(set(names)) == len(names)
    assert len(lists["practised"]) + len(lists["withheld"]) >= 150
    assert len(lists["one-shot"]) == 20


@pytest.mark.parametrize("kind", ["plain", "residual", "large-kernel"])
def test_recognisers_say_what_their_networks_say(kind: str) -> None:
    torch.manual_seed(0)
    network = Recogniser(3, kind, width=8)
    with torch.no_grad():  # normalisations that have seen something
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
    judges = Recognisers([network], list(KINDS))
    works = np.stack(list(KINDS.values()))
    with torch.no_grad():
        said = torch.softmax(network.eval()(torch.from_numpy(pictures(works))), 1).numpy()
    np.testing.assert_allclose(judges(works), said, atol=0.02)
