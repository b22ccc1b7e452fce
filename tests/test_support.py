"""The support test: hits counted exactly, and bounds that hold."""

import numpy as np
import pytest

from move37.novelty.measures.support import FEW, human_radius, support_curve, support_test

RNG = np.random.default_rng


def test_hits_are_those_of_every_pair_also_where_samples_crowd():
    rng = RNG(0)
    samples = np.float32(rng.normal(size=(700, 4)))
    targets = np.float32(np.concatenate([rng.normal(size=(30, 4)), rng.normal(size=(10, 4)) + 50]))
    d = np.sqrt(((targets[:, None] - samples) ** 2).sum(axis=2))
    found = support_test(targets, samples, 1.5)
    np.testing.assert_array_equal(found.hits, (d <= 1.5).sum(axis=1))
    assert found.hits.max() > FEW
    assert found.sample_hits == (d <= 1.5).any(axis=0).sum()
    assert found.never.value == (d > 1.5).all(axis=1).mean()
    assert found.probability.low < found.sample_hits / 700 < found.probability.high


def test_a_curve_is_the_test_on_the_first_samples():
    rng = RNG(1)
    samples, targets = rng.normal(size=(500, 3)), rng.normal(size=(20, 3))
    sizes = (0, 10, 100, 100, 500)
    for size, found in zip(sizes, support_curve(targets, samples, 0.4, sizes), strict=True):
        assert found.samples == size
        if size:
            alone = support_test(targets, samples[:size], 0.4)
            np.testing.assert_array_equal(found.hits, alone.hits)
            assert (found.sample_hits, found.never) == (alone.sample_hits, alone.never)


def test_works_of_the_same_maker_are_approached_and_new_ones_never():
    rng = RNG(2)
    human, samples = rng.normal(size=(400, 2)), rng.normal(size=(2000, 2))
    radius = human_radius(human)
    same = support_test(rng.normal(size=(50, 2)), samples, radius)
    new = support_test(rng.normal(size=(50, 2)) + 30, samples, radius)
    noise = support_test(rng.uniform(-40, 40, (200, 2)), samples, radius)
    assert same.never.value < 0.4 and np.isnan(same.bound)
    assert new.never.value == 1 and new.never.low > 0.9
    assert new.probability.value == 0 and new.bound == pytest.approx(3 / 2000, rel=0.01)
    assert noise.never.value > 0.9


def test_a_dropped_mode_is_not_approached():
    """The sampler has lost one of two modes: its works there could not be found by sampling."""
    rng = RNG(3)
    targets = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 12])
    found = support_test(targets, rng.normal(size=(3000, 2)), 1.0)
    assert (found.hits[40:] == 0).all() and (found.hits[:40] > 0).mean() > 0.8


def test_the_bound_without_hits_holds_as_often_as_it_says():
    """A rare kind of probability 1 %: where no sample hit, the bound must not lie below it."""
    rng = RNG(4)
    wrong = 0
    for _ in range(200):
        samples = np.where(rng.random((298, 1)) < 0.01, 10.0, 0.0)
        found = support_test(np.array([[10.0]]), samples, 1.0)
        wrong += found.sample_hits == 0 and found.bound < 0.01 * 0.999
        wrong += not found.probability.low <= 0.01 <= found.probability.high
    assert wrong <= 0.05 * 200 + 9  # the exact interval errs in at most 5 %


def test_the_radius_is_the_distance_of_human_works_to_each_other():
    line = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    assert human_radius(line, 0.5) == 2.0  # nearest others: 1, 1, 2, 3, 4
    assert human_radius(line, 1.0) == 4.0


def test_bad_arguments_are_refused():
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match="radius"):
        support_test(x, x, -1.0)
    with pytest.raises(ValueError, match="ascending"):
        support_curve(x, x, 1.0, (3, 2))
    with pytest.raises(ValueError, match="ascending"):
        support_curve(x, x, 1.0, (5,))
    with pytest.raises(ValueError, match="two rows"):
        human_radius(x[:1])
