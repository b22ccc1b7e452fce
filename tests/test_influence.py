"""Influence: a culture learns a new kind, and no noise."""

import numpy as np
import pytest
from toy_world import END, ToyWorld, climbing, describe, evaluator, rows

from move37.agents.measures.influence import InfluenceConfig, Influences, noise_works

RNG = np.random.default_rng
QUIET = lambda text: None  # noqa: E731


@pytest.fixture(scope="module")
def influences():
    config = InfluenceConfig(
        n_learnt=100, n_tested=60, n_samples=600, epochs=40, seed=0, min_quality=0.5, radius=0.5
    )
    every = lambda works: np.ones(len(works))  # noqa: E731
    return Influences(ToyWorld(400, RNG(0)), evaluator, config, every, log=QUIET)


@pytest.fixture(scope="module")
def learner(influences):
    return influences.measure(climbing(160, RNG(2), step=-3), "learner")


def test_the_imitator_knows_human_works(influences):
    known = {tuple(row) for row in climbing(200, RNG(1)).moves.tolist()}
    own = np.mean([tuple(row) in known for row in influences.samples.moves.tolist()])
    assert own > 0.5


def test_a_new_kind_becomes_probable(learner):
    assert learner.region == 60
    assert learner.share_before < 0.01 and learner.share_after > 0.02
    assert learner.ratio.low > 3 and learner.log_ratio > 1.5
    assert learner.nats_gain.low > 1
    assert learner.progress.progress.low > 15
    assert learner.human_nats_after < learner.human_nats_before + 0.2


def test_more_human_works_change_nothing(influences):
    found = influences.measure(climbing(160, RNG(3)), "humans")
    assert found.region == 0 and np.isnan(found.ratio.value) and found.log_ratio == 0
    assert abs(found.progress.progress.value) < 3


def test_noise_is_learnt_by_nobody(influences, learner):
    found = influences.measure(noise_works(climbing(160, RNG(3)), RNG(4)), "noise")
    assert found.region == 60
    # It is expected after it has been seen, so its likelihood rises: no measure of influence.
    assert found.nats_gain.value > 0.5
    assert found.share_after < 0.01 and found.ratio.low < 1
    assert found.progress.progress.value < 0.2 * learner.progress.progress.value


def test_only_works_of_the_least_quality_count(influences, learner, monkeypatch):
    """Nothing is good where no work reaches the least quality, and the ratio of any works stays."""
    monkeypatch.setattr(influences, "_scorer", lambda works: np.zeros(len(works)))
    found = influences.measure(climbing(160, RNG(2), step=-3), "learner")
    assert found.region == 0 and found.share_after == 0 and np.isnan(found.ratio.value)
    # All else is the same: the same seed, the same works.
    assert found.any_ratio == learner.any_ratio and found.progress == learner.progress


def test_noise_has_the_lengths_and_ends_of_the_works():
    works = rows([1, 2, 3, END], [4, END], [5, 6])
    noise = noise_works(works, RNG(0))
    np.testing.assert_array_equal(noise.lengths, works.lengths)
    assert [row[row >= 0][-1] for row in noise.moves] == [END, END, 6]
    many = noise_works(climbing(500, RNG(1)), RNG(2))
    inner = many.moves[:, :-1].ravel()
    counts = np.bincount(inner)
    assert len(counts) == 14  # the human works never go above letter 13
    assert counts.min() > 0.7 * len(inner) / 14
    assert describe(many).shape == (500, 128)


def test_too_few_works_are_refused(influences):
    with pytest.raises(ValueError, match="160 of random needed, got 30"):
        influences.measure(climbing(30, RNG(0)), "random")
