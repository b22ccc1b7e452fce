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
    plain,
    probability_of_improvement,
    rank_agreement,
    rule_of_three,
    stratified_bootstrap,
)

RNG = np.random.default_rng


def test_interquartile_mean_drops_a_quarter_at_each_end():
    assert interquartile_mean([0, 1, 2, 3, 4, 5, 6, 1000]) == 3.5
    assert interquartile_mean([[1, 2], [3, 100]]) == 2.5
    assert interquartile_mean([1, 2, 3, 4, 100]) == 3  # of five runs one at each end
    with pytest.raises(ValueError, match="NaN"):
        interquartile_mean([1, np.nan])


def test_stratified_bootstrap_never_mixes_tasks():
    """Tasks whose runs all agree leave nothing to vary, however different the tasks are."""
    scores = np.repeat([[0.0, 10.0, 70.0]], 5, axis=0)
    found = stratified_bootstrap(scores, RNG(0), lambda x: float(x.mean()), 50)
    assert found.low == found.value == found.high == pytest.approx(80 / 3)


def test_bootstrap_intervals_hold_the_truth():
    rng = RNG(1)
    held = 0
    for _ in range(150):
        scores = rng.normal(3, 1, (30, 2))
        found = stratified_bootstrap(scores, rng, resamples=200)
        held += found.low <= 3 <= found.high
    assert 0.88 <= held / 150 <= 1


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
    assert rank_agreement([1, 2, 3, 4], [10, 20, 30, 40], RNG(0), 50).tau == 1
    assert rank_agreement([1, 2, 3, 4], [4, 3, 2, 1], RNG(0), 50).tau == -1
    # Of six pairs four agree, one disagrees and one is tied in b: (4 - 1) / sqrt(6 * 5).
    assert rank_agreement([1, 2, 3, 4], [1, 3, 2, 3], RNG(0), 50).tau == pytest.approx(3 / 30**0.5)
    assert np.isnan(rank_agreement([1, 2, 3], [5, 5, 5], RNG(0), 50).tau)
    rng = RNG(6)
    x = rng.normal(size=60)
    found = rank_agreement(x, x + rng.normal(size=60), rng, 200)
    assert 0 < found.low < found.tau < found.high < 1 and found.p_value < 0.001
    p = [
        rank_agreement(rng.normal(size=20), rng.normal(size=20), rng, 1).p_value for _ in range(300)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 300)


def test_probability_of_improvement_counts_ties_half():
    assert probability_of_improvement([2, 3], [1, 1]) == 1
    assert probability_of_improvement([1, 2], [1, 2]) == 0.5


def test_figures_become_json():
    figures = {"a": Interval(np.float64(1), float("nan"), np.inf), "b": np.arange(2), "c": (True,)}
    assert plain(figures) == {
        "a": {"value": 1.0, "low": None, "high": None}, "b": [0, 1], "c": [True],
    }  # fmt: skip
    with pytest.raises(TypeError, match="object"):
        plain(object())
