"""Rediscovery: do works come close to human works that were withheld from their maker?

A family of human works is removed from the world before anything is fitted, so whatever a maker
finds of it was never shown to it. The baseline is what it finds of other works that are as far
away: held-out human works, matched one to one with the withheld ones by their distance to the works
that remained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.knn import as_rows, nearest
from move37.novelty.measures.support import support_test
from move37.novelty.statistics import Interval, bootstrap, clopper_pearson


@dataclass(frozen=True)
class Rediscovery:
    """What a maker found of a withheld family.

    Attributes:
        withheld: Works of the family.
        found: Share of them with a work within the radius, with its exact interval.
        expected: The same share of the matched held-out works.
        excess: ``found - expected``, matched pairs resampled together.
        hits: Share of the maker's works within the radius of any withheld work, with its exact
            interval.
        expected_hits: The same for the matched held-out works.
    """

    withheld: int
    found: Interval
    expected: Interval
    excess: Interval
    hits: Interval
    expected_hits: Interval


def rediscovered(
    works: ArrayLike,
    withheld: ArrayLike,
    held_out: ArrayLike,
    remaining: ArrayLike,
    radius: float,
    rng: np.random.Generator,
) -> Rediscovery:
    """Count the withheld works that a maker's works come close to, and the matched ones.

    Args:
        works: (N, D) finite descriptors of the maker's works.
        withheld: (T, D) of the family that was removed.
        held_out: (H, D) of other human works that nothing was fitted to, H at least T.
        remaining: (M, D) of the human works that the maker was trained on.
        radius: Distance that counts as close; see :func:`human_radius`.
        rng: The only source of chance (bootstrap).

    Raises:
        ValueError: If there are no withheld works, or more of them than held-out works.
    """
    family = as_rows(withheld, None, "withheld")
    others = as_rows(held_out, family.shape[1], "held_out")
    if not 1 <= len(family) <= len(others):
        raise ValueError(
            f"withheld: expected 1 to {len(others)} works (as many as are held out), "
            f"got {len(family)}"
        )
    known = as_rows(remaining, family.shape[1], "remaining")
    far = (nearest(rows, known, 1)[0][:, 0].astype(np.float64) for rows in (family, others))
    matched = others[match(*far)]
    ours, theirs = (support_test(goals, works, radius) for goals in (family, matched))
    n = ours.samples

    def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(a.mean() - b.mean())

    near = [(one.hits > 0).astype(np.float64) for one in (ours, theirs)]
    return Rediscovery(
        withheld=len(family),
        found=clopper_pearson(int(near[0].sum()), len(family)),
        expected=clopper_pearson(int(near[1].sum()), len(family)),
        excess=bootstrap(difference, near[0], near[1], rng=rng, paired=True),
        hits=clopper_pearson(ours.sample_hits, n),
        expected_hits=clopper_pearson(theirs.sample_hits, n),
    )


def match(wanted: NDArray[np.float64], offered: NDArray[np.float64]) -> NDArray[np.int64]:
    """Match each wanted number with the nearest offered one, each used once (greedy, from the top).

    Args:
        wanted: (T,) numbers.
        offered: (H,) numbers, H at least T.

    Returns:
        (T,) int64: indices into ``offered``, none twice.
    """
    free = np.ones(len(offered), np.bool_)
    out = np.zeros(len(wanted), np.int64)
    # The largest distances have the fewest partners.
    for i in np.argsort(-wanted, kind="stable"):
        gap = np.where(free, np.abs(offered - wanted[i]), np.inf)
        out[i] = gap.argmin()
        free[out[i]] = False
    return out
