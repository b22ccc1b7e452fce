"""Under which briefs makers are examined, and what they may spend to get there."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from move37.agents.makers.maker import BUDGETS, budget_for
from move37.envs.base.registry import make_world
from move37.envs.composition.world import CompositionWorld
from move37.envs.drawing.world import DrawingWorld


@pytest.fixture(scope="module")
def world():
    return CompositionWorld(limit=200)


def test_makers_are_examined_with_briefs_that_nothing_was_fitted_to(world):
    def given(simulator):
        simulator.reset(np.arange(simulator.n))
        return {row.tobytes() for row in simulator.briefs}

    splits = {"": world.held_out, "held_out": world.held_out, "sealed": world.outsiders}
    for split, works in splits.items():
        other = world.for_exam(split)
        assert given(other.simulator(16)) <= {row.tobytes() for row in works.briefs}
        # Whoever learns practises where it did, on the training tunes and what is made of them.
        practised = given(other.practice(16))
        assert practised <= {row.tobytes() for row in world.practice_briefs}
        assert other.train is world.train and other.fingerprint == world.fingerprint
    assert given(world.simulator(16)) <= {row.tobytes() for row in world.train.briefs}
    assert world.split is None
    with pytest.raises(ValueError, match="held_out, sealed"):
        world.for_exam("open")
    with pytest.raises(ValueError, match="the world drawing has held_out"):
        DrawingWorld().for_exam("sealed")


def test_a_budget_is_what_a_learner_spends_in_the_world(world):
    moves = CompositionWorld.ppo["env_steps"]
    assert budget_for(world, "default") == replace(
        BUDGETS["default"], env_steps=moves, works=moves // 32
    )
    assert budget_for(world, "smoke") == BUDGETS["smoke"]
    assert budget_for(SimpleNamespace(ppo={}), "default") == BUDGETS["default"]


def test_a_world_without_briefs_is_examined_on_its_boards():
    world = make_world("drawing", limit=400)
    other = world.for_exam()
    assert type(other.simulator(2)) is type(world.simulator(2)) and type(other) is type(world)
    assert other.practice(3).n == 3
