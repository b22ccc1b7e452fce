"""Could sampling have found it? How near K samples of one maker come to another maker's works.

"No amount of random sampling could produce an airplane": a claim about the support of a
distribution, of which samples show only so much. What is counted is hits: samples within a given
distance of a work. No hit among K samples bounds the probability of one by about 3 / K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from move37.novelty.archive import leave_one_out_novelty
from move37.novelty.knn import Table, as_rows, direct_distances
from move37.novelty.statistics import Interval, clopper_pearson, rule_of_three

FEW = 32
"""Targets with up to this many hits are answered by their nearest samples alone."""
SIZES = (100, 1_000, 10_000)
"""Numbers of samples of a curve."""


@dataclass(frozen=True)
class Support:
    """How near K samples came to T targets.

    Attributes:
        samples: K.
        radius: Distance that counts as a hit (or less), in the units of the descriptors.
        hits: (T,) int64: samples within the radius of each target.
        nearest: (T,) float64: distance to the nearest sample; inf if there are none.
        sample_hits: Samples within the radius of any target.
        probability: Of a sample to hit any target, with its exact interval (Clopper-Pearson).
        bound: Rule of three: the probability that no hit in K samples leaves possible at 95 %;
            nan if there was a hit.
        never: Share of targets that no sample hit, with the exact interval that takes the targets
            as draws of their maker.
    """

    samples: int
    radius: float
    hits: NDArray[np.int64]
    nearest: NDArray[np.float64]
    sample_hits: int
    probability: Interval
    bound: float
    never: Interval


def human_radius(human: ArrayLike | torch.Tensor, quantile: float = 0.95) -> float:
    """Distance at which two works count as the same kind: that of human works to each other.

    Within it 95 % of human works have another. A small quantile asks for near copies: then hardly
    any work is approached, human works held out included, and the test says nothing.

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


def support_test(
    targets: ArrayLike | torch.Tensor, samples: ArrayLike | torch.Tensor, radius: float
) -> Support:
    """Count the samples that come within ``radius`` of each target, exactly.

    Args:
        targets: (T, D) finite descriptors of the works in question.
        samples: (K, D) of the maker that might have made them.
        radius: At least 0; see :func:`human_radius`.

    Raises:
        ValueError: If shapes do not match, a row is bad, or the radius is negative or NaN.
    """
    rows = as_rows(samples, None, "samples")
    return support_curve(targets, rows, radius, (len(rows),))[0]


def support_curve(
    targets: ArrayLike | torch.Tensor,
    samples: ArrayLike | torch.Tensor,
    radius: float,
    sizes: Sequence[int] = SIZES,
) -> list[Support]:
    """The support test for the first 100, 1,000, ... samples, in one pass.

    The numbers of a curve share samples: each K holds those of the smaller ones.

    Args:
        targets: (T, D) finite descriptors.
        samples: (K, D); in an order that means nothing.
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
    goals = as_rows(targets, rows.shape[1], "targets", rows.device)
    if any(a > b for a, b in zip([0, *sizes], [*sizes, len(rows)], strict=True)):
        raise ValueError(f"sizes: expected ascending numbers up to {len(rows)}, got {sizes}")
    hits = np.zeros(len(goals), np.int64)
    near = np.full(len(goals), np.inf)
    sample_hits = done = 0
    goal_table = _table(goals)
    out = []
    for size in sizes:
        # Each part of the samples is looked at once, and what was found is added up.
        part = rows[done:size]
        done = size
        counts, distances = _count(goals, part, radius)
        hits = hits + counts
        near = np.minimum(near, distances)
        if counts.any():
            sample_hits += int((goal_table.nearest(part, 1)[0] <= radius).sum())
        missed = int((hits == 0).sum())
        out.append(
            Support(
                samples=size,
                radius=float(radius),
                hits=hits,
                nearest=near,
                sample_hits=sample_hits,
                probability=clopper_pearson(sample_hits, size),
                bound=float("nan") if sample_hits else rule_of_three(size),
                never=clopper_pearson(missed, len(goals)),
            )
        )
    return out


def _table(rows: torch.Tensor) -> Table:
    table = Table(rows.shape[1], rows.device)
    table.extend(rows)
    return table


def _count(
    goals: torch.Tensor, samples: torch.Tensor, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(T,) samples within the radius of each goal and (T,) distances to the nearest."""
    distances = _table(samples).nearest(goals, min(FEW, max(len(samples), 1)))[0]
    counts = (distances <= radius).sum(dim=1)
    # All of the nearest are within the radius: there may be more, so every sample is asked.
    crowded = (counts == distances.shape[1]).nonzero().flatten().tolist()
    if len(samples) > FEW:
        for row in crowded:
            counts[row] = (direct_distances(goals[row], samples) <= radius).sum()
    return counts.cpu().numpy().astype(np.int64), distances[:, 0].double().cpu().numpy()
