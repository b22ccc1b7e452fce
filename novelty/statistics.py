"""Estimates with their uncertainty: over seeds, over works, over counts.

Comparisons rest on few seeds, so a figure is an inter-quartile mean with a 95 % bootstrap interval
(Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS
2021). Counts have exact intervals (Clopper & Pearson, Biometrika 1934). What scipy.stats has is
called from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Statistic = Callable[..., float]
RESAMPLES = 2000
CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes:
        value: The estimate.
        low: Lower end of the interval; nan if it is unknown.
        high: Upper end of the interval; may be inf; nan if it is unknown.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the interval is known."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half: a quarter of the scores (rounded down) is cut off at each end.

    Args:
        scores: Numbers of any shape, taken together; at least one.

    Raises:
        ValueError: If there are none, or one is NaN.
    """
    return float(stats.trim_mean(_numbers(scores, "scores"), 0.25, axis=None))


def bootstrap(
    statistic: Statistic,
    *samples: ArrayLike,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    paired: bool = False,
) -> Interval:
    """Any statistic of one or more samples with its percentile bootstrap interval.

    Not :func:`scipy.stats.bootstrap`, which refuses a sample of a single row: strata of one work
    are common here.

    Args:
        statistic: Takes as many arrays as there are samples, returns a number; nan for resamples
            of which it is not defined, which are left out.
        *samples: Each (N, ...): rows are resampled with replacement.
        rng: The only source of randomness.
        resamples: Number of resamples.
        paired: Row i of every sample belongs together: the same rows are drawn of all.

    Raises:
        ValueError: If a sample has no rows, or paired ones have different numbers of rows.
    """
    arrays = [np.asarray(sample) for sample in samples]
    if not arrays or any(a.ndim == 0 or len(a) == 0 for a in arrays):
        raise ValueError("samples: expected at least one, each with at least one row")
    if paired and len({len(a) for a in arrays}) != 1:
        raise ValueError(f"samples: paired ones must be as long, got {[len(a) for a in arrays]}")
    drawn = np.empty(resamples)
    for i in range(resamples):
        if paired:
            rows = rng.integers(0, len(arrays[0]), len(arrays[0]))
            drawn[i] = statistic(*(a[rows] for a in arrays))
        else:
            drawn[i] = statistic(*(a[rng.integers(0, len(a), len(a))] for a in arrays))
    tail = (1 - CONFIDENCE) / 2
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (math.nan, math.nan)
    return Interval(float(statistic(*arrays)), float(low), float(high))


def works_interval(values: ArrayLike, mean: bool, rng: np.random.Generator) -> Interval:
    """Mean or median of one seed's works with its 95 % percentile bootstrap interval.

    Args:
        values: (N,) a measure of each work.
        mean: Whether the mean is taken (of shares), not the median.
        rng: The only source of randomness.

    Returns:
        The interval is unknown (nan) if there is a single number.
    """
    x = _numbers(values, "values").ravel()
    value = float(x.mean() if mean else np.median(x))
    if len(x) == 1:
        return Interval(value, math.nan, math.nan)
    drawn = resampled_means(x, rng) if mean else resampled_medians(x, rng)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def resampled_means(x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means of bootstrap samples of x (N,), (RESAMPLES,) float64."""
    n = len(x)
    if ((x == 0) | (x == 1)).all():
        return np.asarray(rng.binomial(n, x.mean(), RESAMPLES) / n, np.float64)
    return np.asarray(x[rng.integers(0, n, (RESAMPLES, n))].mean(axis=1), np.float64)


def resampled_medians(x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Medians of bootstrap samples of x (N,), (RESAMPLES,) float64, without drawing the samples.

    A bootstrap sample is x sorted, at N uniform positions; the k-th smallest of N uniform numbers
    has a Beta(k, N - k + 1) distribution, and the next one is the least of those left above it.
    """
    n, ordered = len(x), np.sort(x)
    k = (n + 1) // 2
    at = rng.beta(k, n - k + 1, RESAMPLES)
    medians: NDArray[np.float64] = ordered[np.minimum((at * n).astype(int), n - 1)]
    if n % 2 == 0:
        above = at + (1 - at) * rng.beta(1, n - k, RESAMPLES)
        medians = (medians + ordered[np.minimum((above * n).astype(int), n - 1)]) / 2
    return medians


def seeds_interval(seeds: Sequence[Interval], rng: np.random.Generator) -> Interval:
    """The inter-quartile mean over seeds with a 95 % two-stage bootstrap interval.

    Every resample draws seeds with replacement, and for each its figure from a normal distribution
    whose halves are as wide as those of the seed's own interval (two-stage bootstrap: Davison &
    Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8; the second stage is
    parametric, so that seeds measured elsewhere need not hand over their works). A percentile
    interval of few seeds is too narrow.

    Args:
        seeds: Each seed's figure with its own interval; where that is unknown the figure is taken
            as it is. A single seed is returned unchanged.
        rng: The only source of randomness.
    """
    if len(seeds) == 1:
        return seeds[0]
    rows = np.array([(s.value, s.low, s.high) if s.known else (s.value,) * 3 for s in seeds])
    values = rows[:, 0]
    below, above = np.abs(rows[:, 1:].T - values) / 1.96
    drawn = rng.integers(0, len(seeds), (len(seeds), RESAMPLES))
    z = rng.standard_normal(drawn.shape)
    figures = values[drawn] + z * np.where(z < 0, below[drawn], above[drawn])
    low, high = np.quantile(stats.trim_mean(figures, 0.25, axis=0), [0.025, 0.975])
    return Interval(interquartile_mean(values), float(low), float(high))


def clopper_pearson(hits: int, n: int) -> Interval:
    """A share with its exact 95 % interval (Clopper & Pearson 1934).

    Two-sided, so at 0 hits of n the upper end is ``1 - 0.025 ** (1 / n)``, about 3.7 / n. See
    :func:`rule_of_three` for the one-sided bound.

    Args:
        hits: Successes, 0 to n.
        n: Trials, at least 0; with 0 nothing is known: nan in [0, 1].

    Raises:
        ValueError: If hits is not in 0..n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"hits: expected 0 to {n}, got {hits}")
    if n == 0:
        return Interval(math.nan, 0.0, 1.0)
    ends = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, "exact")
    return Interval(hits / n, float(ends.low), float(ends.high))


def rule_of_three(n: int) -> float:
    """Largest probability that still gives no hit in n trials with probability 5 %.

    Exactly ``1 - 0.05 ** (1 / n)``, which is close to 3 / n; 1 if n is 0.
    (Hanley & Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 1983.)
    """
    if n < 0:
        raise ValueError(f"n: expected at least 0, got {n}")
    return 1.0 if n == 0 else -math.expm1(math.log1p(-CONFIDENCE) / n)


def airplane_ratio(after: int, n_after: int, before: int, n_before: int) -> Interval:
    """How many times more probable something has become: share after / share before.

    The interval is the exact one for a ratio of two Poisson rates, given the sum of the hits
    (Przyborowski & Wilenski, Biometrika 1940). Hits are binomial, which varies less than Poisson:
    the interval holds at least its confidence. It stays finite below when nothing was hit before.

    Args:
        after: Samples that hit, after.
        n_after: Samples, after; at least 1.
        before: Samples that hit, before.
        n_before: Samples, before; at least 1.

    Returns:
        The ratio; inf if only ``before`` is 0, nan in [0, inf] if both are.

    Raises:
        ValueError: If hits are not in 0..n, or there are no samples.
    """
    for name, hits, n in (("after", after, n_after), ("before", before, n_before)):
        if n < 1 or not 0 <= hits <= n:
            raise ValueError(f"{name}: expected 0 to n hits of n >= 1 samples, got {hits} of {n}")
    total = after + before
    if total == 0:
        return Interval(math.nan, 0.0, math.inf)
    share = clopper_pearson(after, total)

    def odds(p: float) -> float:
        return math.inf if p >= 1 else p / (1 - p) * n_before / n_after

    return Interval(odds(after / total), odds(share.low), odds(share.high))


def log_ratio(after: int, n_after: int, before: int, n_before: int) -> float:
    """Logarithm of share after / share before, finite also without hits: half a hit is added.

    One number per seed, to be averaged over seeds (Walter, Biometrika 1975: the bias of the
    logarithm is smallest with half a hit and half a sample added).
    """
    return math.log((after + 0.5) / (n_after + 0.5)) - math.log((before + 0.5) / (n_before + 0.5))


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """Probability that a random score of ``a`` exceeds one of ``b``, ties counted half.

    The Mann-Whitney statistic over its maximum; one of the measures of Agarwal et al. 2021.

    Args:
        a: (R,) scores.
        b: (S,) scores.
    """
    x, y = _numbers(a, "a").ravel(), _numbers(b, "b").ravel()
    with np.errstate(invalid="ignore"):  # the p-value, which is not asked for, of equal scores
        found = stats.mannwhitneyu(x, y, method="asymptotic")
    return float(found.statistic) / (len(x) * len(y))


def rank_agreement(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, resamples: int = 1000
) -> Interval:
    """Kendall's tau-b of two measures of the same items (Kendall, Biometrika 1945: ties allowed).

    Args:
        a: (N,) numbers, N at least 2.
        b: (N,) numbers.
        rng: The only source of randomness.
        resamples: Bootstrap samples of the items; those in which one measure is constant are
            left out.

    Returns:
        tau, -1 to 1, with its 95 % interval; nan if one of the measures is constant.

    Raises:
        ValueError: If the shapes differ, or a number is NaN.
    """
    x, y = _numbers(a, "a").ravel(), _numbers(b, "b").ravel()
    if x.shape != y.shape or len(x) < 2:
        raise ValueError(f"a, b: expected the same shape (N >= 2,), got {x.shape} and {y.shape}")

    def tau(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        return float(stats.kendalltau(p, q, method="asymptotic").statistic)

    return bootstrap(tau, x, y, rng=rng, resamples=resamples, paired=True)


def _numbers(x: ArrayLike, name: str) -> NDArray[np.float64]:
    values = np.asarray(x, np.float64)
    if values.size == 0 or values.ndim == 0:
        raise ValueError(f"{name}: expected at least one number in an array")
    if np.isnan(values).any():
        raise ValueError(f"{name}: {int(np.isnan(values).sum())} of the numbers are NaN")
    return values
