"""What holds for every composition world: batches, states, and the environments around them."""

import gymnasium
import numpy as np
import pytest

from move37.envs.base.works import Works
from move37.envs.composition.dynamics import CompositionSimulator
from move37.envs.composition.moves import N_MOVES
from move37.envs.composition.rules.form import form_terms
from move37.envs.composition.score.roll import rolls_of
from move37.envs.composition.scores import scores_of
from move37.envs.composition.world import CompositionWorld, FourWorld, FreeWorld

WORLDS = (CompositionWorld, FreeWorld, FourWorld)


@pytest.fixture(scope="module", params=WORLDS, ids=lambda world: world.id)
def world(request):
    return request.param(limit=240)


def core_of(world, n, **kwargs) -> CompositionSimulator:
    return world.simulator_class(n, world.held_out.briefs, **kwargs)


def test_boards_in_a_batch_equal_boards_alone(world):
    briefs = world.held_out.briefs[:3]
    batch = core_of(world, 3)
    batch.reset(np.arange(3), briefs)
    actions = np.random.default_rng(1).integers(0, N_MOVES, (batch.max_moves, 3))
    alone = [core_of(world, 1) for _ in range(3)]
    for i, simulator in enumerate(alone):
        simulator.reset(np.array([0]), briefs[i : i + 1])
    for row in actions:
        batch.step(row)
        for i, simulator in enumerate(alone):
            simulator.step(row[i : i + 1])
            for key, value in simulator.observations.items():
                np.testing.assert_array_equal(batch.observations[key][i], value[0])
    scores = scores_of(actions.T.astype(np.int16), briefs, world.mode)
    works = Works(world.id, batch.moves, batch.briefs)
    np.testing.assert_array_equal(world.images(works), rolls_of(scores))


def test_a_core_goes_on_from_its_state(world):
    rng = np.random.default_rng(2)
    simulator, other = core_of(world, 3, seed=5), core_of(world, 3)
    simulator.reset(np.arange(3))
    for _ in range(17):
        simulator.step(rng.integers(0, N_MOVES, 3))
    other.load_state(simulator.state())
    for _ in range(simulator.max_moves):
        actions = rng.integers(0, N_MOVES, 3)
        done = simulator.step(actions)
        np.testing.assert_array_equal(done, other.step(actions))
        for each in (simulator, other):
            each.reset(np.flatnonzero(done))
        for key, value in simulator.observations.items():
            np.testing.assert_array_equal(other.observations[key], value)


def test_single_and_vector_environment_give_the_same_rewards(world):
    brief = world.held_out.briefs[0]
    single = gymnasium.make(world.env_id).unwrapped
    vector = gymnasium.make_vec(world.env_id, num_envs=3)
    vector.reset(options={"brief": brief})
    longest = core_of(world, 1).max_moves
    actions = np.random.default_rng(3).integers(0, N_MOVES, (longest, 3))
    for row in actions:
        _, rewards, ended, _, infos = vector.step(row)
    assert ended.all()
    for j in range(3):
        single.reset(options={"brief": brief})
        for a in actions[:, j]:
            _, reward, terminated, truncated, info = single.step(a)
        assert terminated and not truncated
        assert reward == rewards[j] == pytest.approx(info["form"], abs=1e-6)
        assert infos["final_info"]["form"][j] == info["form"]
    scores = scores_of(actions[:, j : j + 1].T.astype(np.int16), brief[None], world.mode)
    assert {f"form/{rule}" for rule in form_terms(scores, world.mode)} <= set(info)


def test_progress_features_are_the_same_whenever_they_are_asked_for(world):
    rng = np.random.default_rng(4)
    seldom, often = core_of(world, 4), core_of(world, 4)
    for simulator in (seldom, often):
        simulator.reset(np.arange(4))
    for t in range(11):
        actions = rng.integers(0, N_MOVES, 4)
        for simulator in (seldom, often):
            simulator.step(actions)
            if t == 7:  # two begin anew: once before anybody looks, once after
                simulator.reset(np.array([1, 3]))
        before = often.observations["progress_features"].copy()
        assert before[0].any()
    np.testing.assert_array_equal(seldom.observations["progress_features"], before)
    seldom.reset(np.arange(4), often.briefs)
    often.reset(np.arange(4), often.briefs)
    np.testing.assert_array_equal(
        seldom.observations["progress_features"], often.observations["progress_features"]
    )
    assert (often.observations["progress_features"] != before).any()
