"""Could sampling have found it? How close K samples of one maker come to another maker's works.

"No amount of random sampling could produce an airplane" is a claim about the support of a
distribution, about which samples say only so much. Hits are counted: samples within a given
distance of a work. If none of K samples is a hit, the probability of one is at most about 3 / K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.diversity import leave_one_out_novelty
from move37.novelty.knn import Table, as_rows, direct_distances
from move37.novelty.statistics import Interval, clopper_pearson, rule_of_three

FEW = 32
"""Nearest samples looked at first; only a target with that many hits is compared with all."""
SIZES = (100, 1_000, 10_000)
"""Numbers of samples of a curve."""


@dataclass(frozen=True)
class Support:
    """How close K samples came to T targets.

    Attributes:
        samples: K.
        hits: (T,) int64: samples within the radius of each target.
        sample_hits: Samples within the radius of any target.
        probability: Of a sample to hit any target, with its exact interval (Clopper-Pearson).
        bound: Rule of three: upper 95 % bound on the probability of a hit if there was none in K
            samples; nan if there was one.
        never: Share of targets that no sample hit, with the exact interval that treats the targets
            as draws from their maker.
    """

    samples: int
    hits: NDArray[np.int64]
    sample_hits: int
    probability: Interval
    bound: float
    never: Interval


def human_radius(human: ArrayLike, quantile: float = 0.95) -> float:
    """Distance at which two works count as the same kind, from human works.

    95 % of human works have another one within it. A small quantile asks for near copies: then
    hardly any work is hit, not even a held-out human one, and the test says nothing.

    Args:
        human: (N, D) finite descriptors, N at least 2.
        quantile: Of the distances of each work to its nearest other.

    Raises:
        ValueError: If there are fewer than two rows, or bad ones.
    """
    among = leave_one_out_novelty(human, 1)
    if len(among) < 2:
        raise ValueError(f"human: expected at least two rows, got {len(among)}")
    return float(np.quantile(among, quantile))


def support_test(targets: ArrayLike, samples: ArrayLike, radius: float) -> Support:
    """Count the samples that come within ``radius`` of each target, exactly.

    Args:
        targets: (T, D) finite descriptors of the works to be found.
        samples: (K, D) of the maker that might have found them.
        radius: At least 0; see :func:`human_radius`.

    Raises:
        ValueError: If shapes do not match, a row is bad, or the radius is negative or NaN.
    """
    rows = as_rows(samples, None, "samples")
    return support_curve(targets, rows, radius, (len(rows),))[0]


def support_curve(
    targets: ArrayLike,
    samples: ArrayLike,
    radius: float,
    sizes: Sequence[int] = SIZES,
) -> list[Support]:
    """The support test for the first 100, 1,000, ... samples, in one pass.

    The numbers of a curve share samples: each K holds those of the smaller ones.

    Args:
        targets: (T, D) finite descriptors.
        samples: (K, D) in random order.
        radius: At least 0.
        sizes: Numbers of samples, ascending, none above K.

    Returns:
        One :class:`Support` per size.

    Raises:
        ValueError: If shapes do not match, a row is bad, the radius is negative or NaN, or the
            sizes are not ascending or above K.
    """
    if not radius >= 0:
        raise ValueError(f"radius: expected at least 0, got {radius}")
    rows = as_rows(samples, None, "samples")
    goals = as_rows(targets, rows.shape[1], "targets")
    if any(a > b for a, b in zip([0, *sizes], [*sizes, len(rows)], strict=True)):
        raise ValueError(f"sizes: expected ascending numbers up to {len(rows)}, got {sizes}")
    hits = np.zeros(len(goals), np.int64)
    sample_hits = done = 0
    goal_table = Table.of(goals)
    out = []
    for size in sizes:
        # Each sample is looked at once; counts accumulate over the sizes.
        part = rows[done:size]
        done = size
        counts = _count(goals, part, radius)
        hits = hits + counts
        if counts.any():
            sample_hits += int((goal_table.nearest(part, 1)[0] <= radius).sum())
        missed = int((hits == 0).sum())
        out.append(
            Support(
                samples=size,
                hits=hits,
                sample_hits=sample_hits,
                probability=clopper_pearson(sample_hits, size),
                bound=float("nan") if sample_hits else rule_of_three(size),
                never=clopper_pearson(missed, len(goals)),
            )
        )
    return out


def _count(
    goals: NDArray[np.float32], samples: NDArray[np.float32], radius: float
) -> NDArray[np.int64]:
    """(T,) samples within the radius of each goal."""
    distances, _ = Table.of(samples).nearest(goals, min(FEW, max(len(samples), 1)))
    counts: NDArray[np.int64] = (distances <= radius).sum(axis=1)
    if len(samples) > FEW:
        # All of the nearest are within the radius, so there may be more: compare with every sample.
        for row in np.flatnonzero(counts == FEW):
            counts[row] = (direct_distances(goals[row], samples) <= radius).sum()
    return counts
