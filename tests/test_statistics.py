"""Intervals that hold, and known answers."""

import numpy as np
import pytest
from scipy import stats

from move37.novelty.statistics import (
    Interval,
    airplane_ratio,
    bootstrap,
    clopper_pearson,
    interquartile_mean,
    log_ratio,
    probability_of_improvement,
    rank_agreement,
    resampled_medians,
    rule_of_three,
    seeds_interval,
    works_interval,
)

RNG = np.random.default_rng

IQM, IMPROVEMENT = -0.1780188844839206, 0.4370967741935484
SHARES = {
    (0, 10): (0.0, 0.3084971078187607), (3, 10): (0.0667395111777345, 0.6524528500599973),
    (10, 10): (0.6915028921812392, 1.0), (1, 1000): (2.5317487491294065e-05, 0.005558924279826672),
    (1, 100_000): (2.531780477933316e-07, 5.571516034774275e-05),
}  # fmt: skip
AGREEMENT = (-0.0924731182795699, -0.33883895131086134, 0.1640341632198536)
RESAMPLED = (-0.1780188844839206, -0.4006632709264993, 0.15571708106451684)


def test_interquartile_mean_drops_a_quarter_at_each_end():
    assert interquartile_mean([0, 1, 2, 3, 4, 5, 6, 1000]) == 3.5
    assert interquartile_mean([[1, 2], [3, 100]]) == 2.5
    assert interquartile_mean([1, 2, 3, 4, 100]) == 3  # of five runs one at each end
    with pytest.raises(ValueError, match="NaN"):
        interquartile_mean([1, np.nan])


def test_bootstrap_intervals_hold_the_truth():
    rng = RNG(1)
    held = 0
    for _ in range(150):
        found = bootstrap(interquartile_mean, rng.normal(3, 1, (30, 2)), rng=rng, resamples=200)
        held += found.low <= 3 <= found.high
    assert 0.88 <= held / 150 <= 1


def test_what_scipy_computes_is_what_was_computed_before():
    """Values of the statistics that this module had of its own before it called scipy.stats."""
    x, y = RNG(0).normal(size=31), RNG(1).normal(size=40)
    assert interquartile_mean(x) == pytest.approx(IQM, rel=1e-14)
    assert probability_of_improvement(x, y) == pytest.approx(IMPROVEMENT, rel=1e-14)
    for (hits, n), (low, high) in SHARES.items():
        found = clopper_pearson(hits, n)
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-5)
    found = rank_agreement(x, y[:31], RNG(2), 100)
    assert (found.value, found.low, found.high) == pytest.approx(AGREEMENT, rel=1e-12)
    found = bootstrap(interquartile_mean, x, rng=RNG(3), resamples=100)
    assert (found.value, found.low, found.high) == pytest.approx(RESAMPLED, rel=1e-12)


def test_resamples_without_a_value_are_left_out():
    found = bootstrap(lambda a: float(np.log(a.sum())) if a.any() else np.nan, [0.0, 1.0],
                      rng=RNG(0), resamples=200)  # fmt: skip
    assert (found.value, found.low) == (0, 0) and found.high == pytest.approx(np.log(2))
    assert not bootstrap(lambda a: np.nan, [1.0], rng=RNG(0), resamples=5).known


def test_paired_rows_stay_together():
    x = RNG(2).normal(size=40)

    def difference(a, b):
        return float(a.mean() - b.mean())

    paired = bootstrap(difference, x + 1, x, rng=RNG(3), resamples=100, paired=True)
    assert paired.low == pytest.approx(1) and paired.high == pytest.approx(1)
    apart = bootstrap(difference, x + 1, x, rng=RNG(3), resamples=100)
    assert apart.high - apart.low > 0.3
    with pytest.raises(ValueError, match="paired"):
        bootstrap(difference, x, x[:3], rng=RNG(0), paired=True)
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap(difference, x, [], rng=RNG(0))


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (1, 1000)])
def test_clopper_pearson_is_the_exact_interval(hits, n):
    known = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    found = clopper_pearson(hits, n)
    assert (found.low, found.high) == pytest.approx((known.low, known.high))
    assert found.value == hits / n


def test_nothing_is_known_from_no_trials():
    found = clopper_pearson(0, 0)
    assert np.isnan(found.value) and (found.low, found.high) == (0, 1)
    assert rule_of_three(0) == 1
    with pytest.raises(ValueError, match="hits"):
        clopper_pearson(3, 2)


def test_rule_of_three():
    for n in (1, 20, 100_000):
        assert (1 - rule_of_three(n)) ** n == pytest.approx(0.05)
    assert rule_of_three(100_000) == pytest.approx(3e-5, rel=0.01)


def test_the_airplane_ratio_holds_the_truth_and_is_finite_below_without_hits():
    rng = RNG(4)
    held = sum(
        found.low <= 4 <= found.high
        for found in (
            airplane_ratio(rng.binomial(1000, 0.04), 1000, rng.binomial(1000, 0.01), 1000)
            for _ in range(300)
        )
    )
    assert held >= 0.92 * 300
    assert airplane_ratio(40, 1000, 10, 500).value == pytest.approx(2)
    none_before = airplane_ratio(30, 1000, 0, 1000)
    assert none_before.value == none_before.high == np.inf and none_before.low > 5
    nothing = airplane_ratio(0, 1000, 0, 1000)
    assert np.isnan(nothing.value) and (nothing.low, nothing.high) == (0, np.inf)
    assert airplane_ratio(0, 100, 20, 100).value == 0
    assert log_ratio(0, 100, 0, 100) == 0 and np.isfinite(log_ratio(9, 100, 0, 100))
    with pytest.raises(ValueError, match="before"):
        airplane_ratio(1, 10, 0, 0)


def test_no_influence_is_not_called_influence_too_often():
    rng = RNG(5)
    found = [
        airplane_ratio(rng.binomial(2000, 0.01), 2000, rng.binomial(2000, 0.01), 2000).low > 1
        for _ in range(400)
    ]
    assert np.mean(found) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 400)


def test_rank_agreement_is_kendalls_tau_b():
    assert rank_agreement([1, 2, 3, 4], [10, 20, 30, 40], RNG(0), 50).value == 1
    assert rank_agreement([1, 2, 3, 4], [4, 3, 2, 1], RNG(0), 50).value == -1
    # Of six pairs four agree, one disagrees and one is tied in b: (4 - 1) / sqrt(6 * 5).
    tied = rank_agreement([1, 2, 3, 4], [1, 3, 2, 3], RNG(0), 50)
    assert tied.value == pytest.approx(3 / 30**0.5)
    assert np.isnan(rank_agreement([1, 2, 3], [5, 5, 5], RNG(0), 50).value)
    rng = RNG(6)
    x = rng.normal(size=60)
    found = rank_agreement(x, x + rng.normal(size=60), rng, 200)
    assert 0 < found.low < found.value < found.high < 1
    with pytest.raises(ValueError, match="same shape"):
        rank_agreement([1, 2], [1, 2, 3], RNG(0))


def test_probability_of_improvement_counts_ties_half():
    assert probability_of_improvement([2, 3], [1, 1]) == 1
    assert probability_of_improvement([1, 2], [1, 2]) == 0.5


def test_the_interval_of_works_is_that_of_their_mean_or_median():
    rng = RNG(7)
    x = (rng.random(400) < 0.3).astype(float)
    found = works_interval(x, True, rng)
    half = 1.96 * x.std() / 20
    assert found.value == x.mean()
    assert found.low == pytest.approx(x.mean() - half, abs=0.015)
    assert found.high == pytest.approx(x.mean() + half, abs=0.015)
    y = rng.normal(5, 2, 100)
    for mean, centre in ((True, y.mean()), (False, np.median(y))):
        found = works_interval(y, mean, rng)
        assert found.low < found.value == centre < found.high
        assert found.high - found.low < 2
    alone = works_interval([3.0], True, rng)
    assert alone.value == 3 and not alone.known
    with pytest.raises(ValueError, match="NaN"):
        works_interval([1, np.nan], True, rng)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_medians_are_resampled_as_by_drawing_the_samples(n):
    rng = RNG(n)
    x = rng.normal(0, 1, n)
    slow = np.median(x[rng.integers(0, n, (20_000, n))], axis=1)
    fast = np.concatenate([resampled_medians(x, rng) for _ in range(10)])
    shares = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(fast, shares), np.quantile(slow, shares), atol=0.05)


def test_the_interval_over_seeds_knows_of_seeds_and_of_their_works():
    rng = RNG(8)
    one = Interval(1.0, 0.5, 1.5)
    assert seeds_interval([one], rng) == one
    same = seeds_interval([one] * 4, rng)
    assert same.value == 1.0 and 0.55 < same.low < 0.9 < 1.1 < same.high < 1.45
    none = seeds_interval([Interval(0.0, 0.0, 0.03)] * 3, rng)
    assert none.low == 0 < none.high < 0.03  # a share stays a share
    unknown = [Interval(v, np.nan, np.nan) for v in (1.0, 2.0, 3.0, 4.0)]
    apart = seeds_interval(unknown, rng)
    assert apart.value == 2.5 and 1.0 <= apart.low < 2 < 3 < apart.high <= 4.0
    outlier = [works_interval(rng.normal(loc, 1, 200), False, rng) for loc in (0, 1, 2, 10)]
    found = seeds_interval(outlier, rng)
    medians = [one.value for one in outlier]
    assert found.value == pytest.approx(stats.trim_mean(medians, 0.25))
    assert found.low < found.value < found.high


def test_the_two_stages_are_near_a_bootstrap_that_draws_seeds_and_works():
    rng = RNG(9)
    seeds = [rng.normal(loc, 1, 150) for loc in (0.0, 0.3, 0.4, 0.9)]
    found = seeds_interval([works_interval(x, True, rng) for x in seeds], rng)
    slow = [
        stats.trim_mean([rng.choice(x, len(x)).mean() for x in
                         (seeds[i] for i in rng.integers(0, 4, 4))], 0.25)
        for _ in range(3000)
    ]  # fmt: skip
    low, high = np.quantile(slow, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)
