"""Rediscovery: do works come near human works that were withheld from their maker?

A family of human works is taken out of the world before anything is fitted. What a maker then finds
of it, it has not been shown. Chance is what it finds of other works as far away: human works held
out, matched one to one with the withheld ones by their distance to the works that remained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from move37.novelty.knn import as_rows, nearest
from move37.novelty.measures.support import support_test
from move37.novelty.statistics import Interval, bootstrap, clopper_pearson


@dataclass(frozen=True)
class Rediscovery:
    """What a maker found of a withheld family.

    Attributes:
        withheld: Works of the family.
        found: Share of them that some work came near, with its exact interval.
        expected: The same share of the matched works held out.
        excess: ``found - expected``, matched pairs resampled together.
        hits: Share of the maker's works that are near any withheld one, with its exact interval.
        expected_hits: Near any matched one.
    """

    withheld: int
    found: Interval
    expected: Interval
    excess: Interval
    hits: Interval
    expected_hits: Interval


def rediscovered(
    works: ArrayLike | torch.Tensor,
    withheld: ArrayLike | torch.Tensor,
    held_out: ArrayLike | torch.Tensor,
    remaining: ArrayLike | torch.Tensor,
    radius: float,
    rng: np.random.Generator,
) -> Rediscovery:
    """Count the withheld works that a maker's works come near, beside matched ones.

    Args:
        works: (N, D) finite descriptors of the maker's works.
        withheld: (T, D) of the family that was taken out.
        held_out: (H, D) of other human works that nothing was fitted to, H at least T.
        remaining: (M, D) of the human works that the maker learnt from.
        radius: Distance that counts as near; see :func:`human_radius`.
        rng: The only source of chance (bootstrap).

    Raises:
        ValueError: If there are no withheld works, or more than works held out.
    """
    family = as_rows(withheld, None, "withheld", "cpu")
    others = as_rows(held_out, family.shape[1], "held_out", "cpu")
    if not 1 <= len(family) <= len(others):
        raise ValueError(
            f"withheld: expected 1 to {len(others)} works (as many as are held out), "
            f"got {len(family)}"
        )
    known = as_rows(remaining, family.shape[1], "remaining", "cpu")
    matched = others[match(_distances(family, known), _distances(others, known))]
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
    """For each wanted number the nearest offered one that is still free, the rarest first.

    Args:
        wanted: (T,) numbers.
        offered: (H,) numbers, H at least T.

    Returns:
        (T,) int64: places in ``offered``, none twice.
    """
    free = np.ones(len(offered), np.bool_)
    out = np.zeros(len(wanted), np.int64)
    # The largest distances have the fewest partners.
    for i in np.argsort(-wanted, kind="stable"):
        gap = np.where(free, np.abs(offered - wanted[i]), np.inf)
        out[i] = gap.argmin()
        free[out[i]] = False
    return out


def _distances(rows: torch.Tensor, remaining: torch.Tensor) -> NDArray[np.float64]:
    return nearest(rows, remaining, 1)[0][:, 0].double().numpy()
