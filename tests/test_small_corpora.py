"""Somebody's own drawings: few of them, or hardly different ones."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from move37.agents.learner.imitation import evaluate, fit_imitator, positions_of
from move37.agents.runs.shift_curves import ShiftCurves
from move37.envs.base.works import Works
from move37.envs.drawing import world as drawing_world
from move37.envs.drawing.corpus.augment import random_works
from move37.envs.drawing.world import DrawingWorld

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#000">'
SQUARE = '<path d="M4 4h8v8h-8z"/>'


def line(i: int) -> str:
    x = random.Random(i).choices(range(24), k=4)
    return f'<path d="M{x[0]} {x[1]}L{x[2]} {x[3]}"/>'


def dot(i: int) -> str:
    return f'<circle cx="{i % 10 * 2 + 1}" cy="{i // 10 * 3 + 1}" r="0.3"/>'


def house(i: int) -> str:
    x, y, size = random.Random(i).choices(range(4, 9), k=3)
    roof = f"M{x} {y}h{size}v{size}h-{size}zl{size / 2} -3l{size / 2} 3"
    return f'<path d="{roof}"/><path d="M{x + 1} {y + size}v-2h2v2"/>'


def world_of(folder: Path, shape: Callable[[int], str], n: int) -> DrawingWorld:
    folder.mkdir()
    for i in range(n):
        (folder / f"{i:03d}.svg").write_text(f"{HEAD}{shape(i)}</svg>")
    return DrawingWorld(str(folder))


@pytest.mark.parametrize(
    ("shape", "n", "different"),
    [(house, 1, 1), (house, 5, 5), (line, 19, 19), (lambda i: SQUARE, 60, 1)],
)
def test_too_few_drawings_are_refused_at_once_with_the_number_needed(tmp_path, shape, n, different):
    world = world_of(tmp_path / "mine", shape, n)
    with pytest.raises(
        ValueError, match=f"works: {different} different ones, at least 20 are needed"
    ):
        _ = world.train


def test_what_was_left_out_is_said_where_too_few_are_left(tmp_path):
    world = world_of(tmp_path / "mine", line, 10)
    (tmp_path / "mine" / "a.svg").write_text("<svg")
    with pytest.raises(
        ValueError, match=r"needed \(1 left out, whole or in part; a\.svg: not well-formed"
    ):
        _ = world.train


def test_drawings_too_much_alike_are_refused_before_a_judge_is_trained(tmp_path, monkeypatch):
    world = world_of(tmp_path / "mine", lambda i: line(i) if i < 25 else SQUARE, 60)
    monkeypatch.setattr(drawing_world, "train_judge", lambda *_: pytest.fail("was trained"))
    with pytest.raises(ValueError, match="more than half of them are alike"):
        world.fit_evaluator(1)


def test_twenty_drawings_are_learnt(tmp_path):
    """In the epochs of a run, which would be as many updates with batches of their usual size."""
    world = world_of(tmp_path / "mine", house, 20)
    held_out = positions_of(world.simulator, world.held_out)
    network = fit_imitator(world, 0, 18, lambda line: None, tmp_path / "state")
    nats, top1 = evaluate(network, *held_out)
    assert nats < 0.7 * math.log(578) and top1 > 0.2


@pytest.mark.parametrize("shape", [line, dot, house])
def test_degenerate_drawings_give_no_nan_and_no_division_by_zero(tmp_path, shape):
    """All open strokes, one point each: whatever is measured of them is a number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        world = world_of(tmp_path / "mine", shape, 60)
        evaluator = world.fit_evaluator(2, 1)
        rng = np.random.default_rng(0)
        drawn = Works("drawing", random_works(64, np.array([3, 9, 30]), rng))
        reward = world.make_reward(evaluator, drawn, 2, 0, 1)
        figures = dict(reward.refresh(drawn))
        for works in (world.train, world.held_out, drawn):
            measured = evaluator.measure(works)
            figures |= evaluator.summarise(measured)
            for key, values in (measured | dict(reward(works))).items():
                assert np.isfinite(values).all(), key
        curves = ShiftCurves(evaluator, world.train, 0)
        figures |= curves.curves(evaluator.describe(drawn), 1)
        reward.admit(drawn)
        curves.picture(drawn.with_appraisal({"step": np.arange(64.0)}))
        assert all(map(math.isfinite, figures.values())), figures


def test_where_no_human_stroke_is_closed_open_ones_are_no_fault(tmp_path):
    world = world_of(tmp_path / "mine", line, 60)
    reward = world.make_reward(world.fit_evaluator(2, 1), world.held_out, 2, 0, 1)
    assert reward.quality.closed_target == 0
    assert reward.quality(world.train)["quality"].max() > 0
