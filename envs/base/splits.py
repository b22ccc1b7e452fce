"""Human works by what they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np

from move37.envs.base.works import Works, WorksError

HELD_OUT, JUDGE = 0.1, 0.2
"""Shares of the human works that are held out, and that the held-out judge alone learns from."""
LEAST = 20
"""Fewer different human works than this are too few: novelty is the distance to the nearest 15, and
some works are held out."""


@dataclass(frozen=True)
class Splits:
    """The human works of a world.

    Attributes:
        train: Works that everything is fitted to.
        held_out: Works that no network sees; they set the thresholds and choose the epoch.
        judge: Works that the held-out judge alone learns from.
        outsiders: Works of other makers, measured like anybody's; may be empty.
        fingerprint: SHA-256 of all that the works were made of.
        left_out: (label, reason) of everything that could not be used.
    """

    train: Works
    held_out: Works
    judge: Works
    outsiders: Works
    fingerprint: str
    left_out: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(
        cls,
        works: Works,
        withhold: Sequence[str] = (),
        limit: int = 0,
        seed: int = 0,
        left_out: Sequence[tuple[str, str]] = (),
    ) -> Splits:
        """Split works by chance: a tenth is held out, a fifth is for the judge, none are outsiders.

        Args:
            works: Named ones, if some are to be withheld.
            withhold: Patterns of names of works that are taken out first, as of files.
            limit: Keep only this many; 0 keeps all.
            seed: Of the split.
            left_out: See the attribute.

        Raises:
            WorksError: If too few different works are left.
        """
        kept = [not any(fnmatch(name, pattern) for pattern in withhold) for name in works.names]
        works = works[np.array(kept, np.bool_)]
        order = np.random.default_rng(seed).permutation(len(works))[: limit or None]
        check_enough(works[order], left_out)
        held_out, judge = (round(share * len(order)) for share in (HELD_OUT, JUDGE))
        digest = hashlib.sha256()
        for array in (works.moves, works.briefs):
            digest.update(np.ascontiguousarray(array, "<i2").tobytes())
        return cls(
            works[order[held_out + judge :]],
            works[order[:held_out]],
            works[order[held_out : held_out + judge]],
            works[:0],
            digest.hexdigest(),
            left_out,
        )


def check_enough(works: Works, left_out: Sequence[tuple[str, str]] = ()) -> None:
    """Refuse too few human works, before anything is fitted to them.

    Args:
        works: All of them.
        left_out: (label, reason) of what could not be used.

    Raises:
        WorksError: If there are fewer than ``LEAST`` different ones.
    """
    n = len(np.unique(np.concatenate([works.briefs, works.moves], axis=1), axis=0))
    if n < LEAST:
        more = (
            f" ({len(left_out)} left out, whole or in part; {': '.join(left_out[0])})"
            if left_out
            else ""
        )
        raise WorksError(f"human works: {n} different ones, at least {LEAST} are needed{more}")
