"""Has the distribution shifted? Two-sample tests with permutation p-values, density and coverage.

Both distances are U-statistics of a matrix of all pairs, so that a permutation costs one
matrix-vector product. The kernel distance is the unbiased MMD^2 (Gretton et
al., "A Kernel Two-Sample Test", JMLR 2012), the energy distance that of Székely & Rizzo ("Energy
statistics", JSPI 2013). Density and coverage are those of Naeem et al. ("Reliable Fidelity and
Diversity Metrics for Generative Models", ICML 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from move37.novelty.knn import as_rows, direct_distances, nearest
from move37.novelty.statistics import Interval

BANDWIDTHS = (0.5, 1.0, 2.0)
"""Widths of the Gaussian kernels that are averaged, in units of the median distance."""
BLOCK = 256
"""Permutations per matrix product."""


@dataclass(frozen=True)
class Shift:
    """How far apart two samples are.

    Attributes:
        value: The distance (a U-statistic: unbiased, so below 0 half of the time without a shift).
        effect: Effect size: the distance over a scale, see :func:`shift_test`. 0 on average without
            a shift, whatever the sample size.
        low: Lower end of the 95 % interval of ``effect`` (jackknife).
        high: Upper end.
        p_value: Share of the permutations that are at least as far apart, this one included; nan
            without permutations.
    """

    value: float
    effect: float
    low: float
    high: float
    p_value: float


def shift_test(
    x: ArrayLike,
    y: ArrayLike,
    rng: np.random.Generator,
    permutations: int = 999,
    at_most: int = 1500,
) -> dict[str, Shift]:
    """Kernel distance and energy distance between two samples, with permutation p-values.

    - ``kernel``: unbiased MMD^2 of the mean of Gaussian kernels ``exp(-d^2 / 2 w^2)``, where ``w``
      is each of ``BANDWIDTHS`` times the median distance in the pooled sample (which the
      permutations leave alone, so the test is exact). Effect: divided by
      ``E k(x, x') + E k(y, y')``; about 0.5 for samples far apart, whose distance is then the
      median too.
    - ``energy``: ``2 E|x - y| - E|x - x'| - E|y - y'|``. Effect: divided by ``2 E|x - y|`` (the
      energy coefficient H); 1 for samples far apart.

    The p-value is ``(1 + count) / (1 + permutations)`` and valid at any sample size (Phipson &
    Smyth, SAGMB 2010), if rows are exchangeable under "no shift": variants of one work in a sample
    would make it too small. Time grows with (N + M)^2 x permutations: 3,000 rows and 999
    permutations take a few seconds and four matrices of (N + M)^2 float64.

    Args:
        x: (N, D) finite numbers, N at least 2.
        y: (M, D) finite numbers, M at least 2.
        rng: The only source of chance.
        permutations: Of the pooled rows; 0 leaves the p-value out.
        at_most: Rows of each sample that are used: more are thinned at random.

    Returns:
        ``{"kernel": Shift, "energy": Shift}``.

    Raises:
        ValueError: If a sample has fewer than two rows or bad ones, or an argument is out of range.
    """
    if permutations < 0 or at_most < 2:
        raise ValueError(
            f"expected permutations >= 0 and at_most >= 2, got {permutations}, {at_most}"
        )
    rows_x = _thinned(as_rows(x, None, "x").astype(np.float64), rng, at_most)
    rows_y = as_rows(y, rows_x.shape[1], "y").astype(np.float64)
    rows_y = _thinned(rows_y, rng, at_most)
    n, m = len(rows_x), len(rows_y)
    if n < 2 or m < 2:
        raise ValueError(f"expected at least two rows of each sample, got {n} and {m}")
    distances = _pairwise(np.concatenate([rows_x, rows_y]))
    positive = distances[distances > 0]
    if not len(positive):
        same = Shift(0.0, 0.0, 0.0, 0.0, 1.0)
        return {"kernel": same, "energy": same}
    width = float(np.median(positive))
    kernel = np.zeros_like(distances)
    for factor in BANDWIDTHS:
        kernel += np.exp(-0.5 * (distances / (factor * width)) ** 2)
    kernel /= len(BANDWIDTHS)
    np.fill_diagonal(kernel, 0.0)
    np.negative(distances, out=distances)
    drawn = _assignments(n, m, permutations, rng)
    return {
        "kernel": _test(kernel, drawn, n, energy=False),
        "energy": _test(distances, drawn, n, energy=True),
    }


def density_coverage(human: ArrayLike, works: ArrayLike, k: int = 5) -> tuple[float, float]:
    """Density and coverage of Naeem et al. 2020.

    Around each human work lies a ball that reaches to its k-th nearest other human work. Density
    (fidelity) is the mean number of balls that contain a work, over k. Coverage (diversity) is the
    share of balls that contain a work. Without a shift density is 1 on average, and coverage is
    :func:`expected_coverage`. Balls are closed: a twin counts.

    Args:
        human: (N, D) finite numbers, N above k.
        works: (M, D) finite numbers, M at least 1.
        k: Neighbours that set the size of a ball.

    Returns:
        density, at least 0 (can exceed 1), and coverage, 0 to 1.

    Raises:
        ValueError: If there are too few rows, or bad ones.
    """
    real = as_rows(human, None, "human")
    made = as_rows(works, real.shape[1], "works")
    if k < 1 or len(real) <= k or len(made) < 1:
        raise ValueError(
            f"expected more than k = {k} >= 1 human rows and a work, got {len(real)}, {len(made)}"
        )
    radii = nearest(real, real, k, exclude_self=True)[0][:, -1]
    covered = nearest(real, made, 1)[0][:, 0] <= radii
    inside = 0
    for first in range(0, len(made), 32):
        part = made[first : first + 32]
        inside += int((direct_distances(part[:, None], real) <= radii).sum())
    return inside / (k * len(made)), float(covered.mean())


def expected_coverage(n: int, m: int, k: int = 5) -> float:
    """Mean coverage of n human works by m works of the same distribution (Naeem et al. 2020)."""
    missed = 1.0
    for i in range(1, k + 1):
        missed *= max(n - i, 0) / (n + m - i)
    return 1.0 - missed


def calibrated_density_coverage(
    human: ArrayLike,
    works: ArrayLike,
    rng: np.random.Generator,
    k: int = 5,
    splits: int = 20,
) -> tuple[Interval, Interval]:
    """Density and coverage against one half of the human works, calibrated on the other half.

    In each split one half of the human works is the reference; equally many works and human works
    of the other half are measured against it. Sample size and the corpus itself (its twins and
    outliers) affect both alike and cancel in the ratio. The intervals show how much depends on the
    split; splits share works, so they are not confidence intervals over corpora.

    Args:
        human: (N, D) finite numbers, N above 2 k.
        works: (M, D) finite numbers.
        rng: The only source of chance.
        k: As in :func:`density_coverage`.
        splits: Number of random splits.

    Returns:
        The works' density over that of the human works, and their coverage likewise: mean over the
        splits with the 2.5th and 97.5th percentile. 1 for a maker like the humans.

    Raises:
        ValueError: As :func:`density_coverage`.
    """
    real = as_rows(human, None, "human")
    made = as_rows(works, real.shape[1], "works")
    half = len(real) // 2
    size = min(half, len(made))
    if size < 1 or splits < 1:
        raise ValueError(f"expected works, human works and splits, got {len(made)}, {len(real)}")
    ratios = np.zeros((splits, 2))
    for i in range(splits):
        order = rng.permutation(len(real))
        reference, others = real[order[half:]], real[order[:size]]
        some = made[rng.permutation(len(made))[:size]]
        theirs = density_coverage(reference, others, k)
        ratios[i] = np.divide(density_coverage(reference, some, k), np.maximum(theirs, 1e-12))
    density, coverage = (
        Interval(float(column.mean()), *map(float, np.quantile(column, [0.025, 0.975])))
        for column in ratios.T
    )
    return density, coverage


def _thinned(
    rows: NDArray[np.float64], rng: np.random.Generator, at_most: int
) -> NDArray[np.float64]:
    return rows if len(rows) <= at_most else rows[rng.permutation(len(rows))[:at_most]]


def _pairwise(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, N) Euclidean distances; twins at 0 exactly only on the diagonal."""
    rows = rows - rows.mean(axis=0)
    norms = (rows * rows).sum(axis=1)
    squared = rows @ rows.T
    squared *= -2
    squared += norms[:, None]
    squared += norms
    # What cancels down to the rounding of the norms is a twin.
    squared[squared < 1e-13 * max(float(norms.max(initial=0.0)), 1e-300)] = 0.0
    np.fill_diagonal(squared, 0.0)
    return np.asarray(np.sqrt(squared, out=squared))


def _assignments(
    n: int, m: int, permutations: int, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Permutations as blocks (N + M, B) of indicators: 1 for rows put into the first sample."""
    blocks = []
    for first in range(0, permutations, BLOCK):
        block = np.zeros((n + m, min(BLOCK, permutations - first)))
        chosen = np.argpartition(rng.random(block.shape), n - 1, axis=0)[:n]
        np.put_along_axis(block, chosen, 1.0, axis=0)
        blocks.append(block)
    return blocks


def _test(
    similarity: NDArray[np.float64], drawn: list[NDArray[np.float64]], n: int, *, energy: bool
) -> Shift:
    """Test the first n rows against the others.

    Args:
        similarity: (N + M, N + M) of all pairs, zero on the diagonal.
        drawn: Permutations, from :func:`_assignments`.
        n: Rows of the first sample.
        energy: Whether to scale the effect as an energy distance.
    """
    m = len(similarity) - n
    rows = similarity.sum(axis=1)
    total = float(rows.sum())
    to_x = similarity[:, :n].sum(axis=1)
    to_y = rows - to_x
    xx, xy, yy = float(to_x[:n].sum()), float(to_y[:n].sum()), float(to_y[n:].sum())
    value = _distance(xx, xy, yy, n, m)
    effect = float(_effect(np.array([xx]), xy, yy, n, m, energy)[0])
    # Leave out each row of the one sample and of the other; Efron & Stein 1981 for two samples.
    without_x = _effect(xx - 2 * to_x[:n], xy - to_y[:n], yy, n - 1, m, energy)
    without_y = _effect(xx, xy - to_x[n:], yy - 2 * to_y[n:], n, m - 1, energy)
    variance = sum(
        (len(part) - 1) / len(part) * float(((part - part.mean()) ** 2).sum())
        for part in (without_x, without_y)
    )
    half = float(norm.ppf(0.975)) * math.sqrt(variance) if min(n, m) > 2 else math.nan
    permuted = _permuted(similarity, rows, drawn, n)
    p_value = math.nan
    if len(permuted):
        # Permutations that swap twins give the same value up to rounding: they count as ties.
        slack = 1e-10 * (abs(total) / len(similarity) ** 2)
        p_value = float((1 + (permuted >= value - slack).sum()) / (1 + len(permuted)))
    return Shift(value, effect, effect - half, effect + half, p_value)


def _permuted(
    similarity: NDArray[np.float64],
    rows: NDArray[np.float64],
    drawn: list[NDArray[np.float64]],
    n: int,
) -> NDArray[np.float64]:
    """The distance under each permutation; ``rows`` are the sums of the rows of ``similarity``."""
    m, total = len(similarity) - n, float(rows.sum())
    values: list[NDArray[np.float64]] = [np.zeros(0)]
    for block in drawn:
        outer = block.T @ rows
        xx = (block * (similarity @ block)).sum(axis=0)
        values.append(_distance(xx, outer - xx, total - 2 * outer + xx, n, m))
    return np.concatenate(values)


def _distance(xx: Any, xy: Any, yy: Any, n: int, m: int) -> Any:
    """The U-statistic from sums over ordered pairs within (xx, yy) and between (xy) samples."""
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def _effect(xx: Any, xy: Any, yy: Any, n: int, m: int, energy: bool) -> NDArray[np.float64]:
    """The distance over its scale, or nan where a sample has but one row left."""
    if min(n, m) < 2:
        return np.full(np.broadcast(xx, xy, yy).shape, np.nan)
    within = xx / (n * (n - 1)) + yy / (m * (m - 1))
    scale = -2 * xy / (n * m) if energy else within
    return np.asarray(_distance(xx, xy, yy, n, m) / scale)
