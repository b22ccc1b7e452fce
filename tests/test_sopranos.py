"""New sopranos to practise on: they are new, in the compass, and made of the old ones."""

import numpy as np
import pytest

from move37.envs.base.registry import make_world
from move37.envs.composition.corpus.sopranos import _moved, new_sopranos
from move37.envs.composition.corpus.trivial import MAJOR, MINOR
from move37.envs.composition.dynamics import CompositionSimulator
from move37.envs.composition.moves import (
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    MODE,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_HIGH,
    SOPRANO_LOW,
    check_briefs,
    sounding,
)
from move37.envs.composition.world import ANSWERS, PRACTISED, CompositionWorld

WORLD = CompositionWorld(limit=240)
BRIEFS = WORLD.train.briefs


@pytest.fixture(scope="module")
def made():
    return new_sopranos(BRIEFS, 600, np.random.default_rng(0))


def codes_of(*pitches):
    out = np.full(EIGHTHS, HOLD, np.int16)
    out[: len(pitches)] = [REST if p < 0 else p - SOPRANO_LOW + FIRST_NOTE for p in pitches]
    return out


def test_they_are_briefs(made):
    check_briefs(made)
    assert made.shape == (600, BRIEFS.shape[1]) and (made >= 0).all()
    pitches = sounding(made[:, SOPRANO:FERMATA], SOPRANO_LOW)
    assert ((pitches == -1) | ((pitches >= SOPRANO_LOW) & (pitches <= SOPRANO_HIGH))).all()
    assert (made[:, FERMATA:].sum(axis=1) > 0).all()


def test_most_of_them_are_new_and_all_have_a_rhythm_of_bachs(made):
    known = {row.tobytes() for row in BRIEFS[:, SOPRANO:FERMATA]}
    new = np.array([row[SOPRANO:FERMATA].tobytes() not in known for row in made])
    assert new.mean() > 0.8
    halves = {row.tobytes() for row in BRIEFS[:, SOPRANO : SOPRANO + 6] >= FIRST_NOTE}
    assert all(row.tobytes() in halves for row in made[:, SOPRANO : SOPRANO + 6] >= FIRST_NOTE)
    places = set(BRIEFS[:, PHASE].tolist())
    assert set(made[:, PHASE].tolist()) <= places


def test_chance_is_the_generators_alone(made):
    np.testing.assert_array_equal(new_sopranos(BRIEFS, 600, np.random.default_rng(0)), made)
    assert (new_sopranos(BRIEFS, 600, np.random.default_rng(1)) != made).any()


def test_a_melody_moves_along_its_scale():
    theme = codes_of(60, 62, 64, -1, 66, 67, 71)
    major = (MAJOR, MAJOR)
    np.testing.assert_array_equal(_moved(theme, major, 0), theme)
    # A third up: E F G, silence, A sharp (as far above A as F sharp above F), B, D.
    np.testing.assert_array_equal(_moved(theme, major, 2), codes_of(64, 65, 67, -1, 70, 71, 74))
    np.testing.assert_array_equal(_moved(theme, major, 7), codes_of(72, 74, 76, -1, 78, 79, 83))
    assert _moved(theme, major, 14) is None and _moved(theme, major, -7) is None
    np.testing.assert_array_equal(
        _moved(codes_of(60, 64, 69), (MAJOR, MINOR), 0), codes_of(60, 63, 68)
    )


def test_modes_change_with_the_notes(made):
    assert 0.2 < made[:, MODE].mean() < 0.8


def test_a_learner_practises_on_more_than_there_is_to_imitate():
    world = make_world("composition", limit=240)
    simulator = world.practice(32)
    assert isinstance(simulator, CompositionSimulator)
    assert len(simulator.pool()) == len(world.train) + PRACTISED
    simulator.reset(np.arange(32))
    for g in range(0, 32, ANSWERS):
        assert (simulator.briefs[g : g + ANSWERS] == simulator.briefs[g]).all()
    assert len(np.unique(simulator.briefs, axis=0)) == 32 // ANSWERS
    # In which portions boards are started anew makes no difference.
    other = world.practice(32)
    dealt = np.concatenate([other._default_briefs(n) for n in (5, 1, 20, 6)])
    np.testing.assert_array_equal(dealt, simulator.briefs)


def test_every_brief_is_dealt_once_before_any_comes_again():
    simulator = CompositionSimulator(1, BRIEFS[:7], seed=3, group=2)
    first, second = simulator._default_briefs(14), simulator._default_briefs(14)
    for dealt in (first, second):
        rows, counts = np.unique(dealt, axis=0, return_counts=True)
        assert len(rows) == 7 and (counts == 2).all()
    assert (first != second).any()


def test_worlds_without_a_practice_have_their_core():
    world = make_world("drawing", limit=400)
    assert world.practice(3).n == 3 and world.ppo == {}
    assert CompositionWorld.ppo["value_network"] == "own"
