"""Newness as a reward: far from all that is known, and no habit of the own works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty
from move37.novelty.recent import RecentBuffer


def as_it_is(images: NDArray[np.uint8]) -> NDArray[Any]:
    """Images are what the descriptor takes."""
    return images


class ArchiveNovelty:
    """Terms of novelty; their product is the novelty reward.

    novelty_reward = clipped_novelty x self_diversity**2 x (1 - mode_collapse) x (1 - duplicate).

    ``novelty`` is the mean distance to the k nearest works of the archive, in units of the human
    median. ``clipped_novelty`` rises from 0 at ``floor`` to 1 at ``cap``. The other terms compare a
    work with the agent's own latest works, ``memory`` at most:

    - ``self_diversity``: mean distance to the k nearest of them, as a share of what human works
      have among equally many of themselves, at most 1;
    - ``mode_collapse``: how much of it the own works always have; only where a world says in a
      subclass what that is;
    - ``duplicate``: 1 where the nearest of them is ``duplicate_below`` away or less, 0 from
      ``duplicate_above`` on.

    Where works answer briefs, an own work under another brief is no precedent, and what was made
    lately is noise in the reward of what is made now. There newness may be surprise alone, with
    novelty taken against the pinned works of the archive; the other terms are told, not paid.

    Args:
        descriptor: Maps works to the archive's space.
        archive: Human works pinned; own works are added to it by whoever trains.
        human: The human works as the descriptor takes them, (M, ...), for the scale of variety.
        cap: Novelty beyond which more is worth nothing.
        floor: Novelty that is worth nothing yet; by default the human median.
        exponent: Of ``clipped_novelty``.
        memory: How many of the last own works a new one must differ from.
        duplicate_below: Distance, in units of the archive's scale, at which a work is a duplicate.
        duplicate_above: Distance at which it is none.
        own_count: Whether own works count: those in the archive and the last three terms.
        view: Turns images into what the descriptor takes.
    """

    def __init__(
        self,
        descriptor: PrincipalComponents,
        archive: NoveltyArchive,
        human: NDArray[Any],
        cap: float,
        floor: float = 1.0,
        exponent: float = 1.0,
        memory: int = 2048,
        duplicate_below: float = 0.5,
        duplicate_above: float = 0.8,
        own_count: bool = True,
        view: Callable[[NDArray[np.uint8]], NDArray[Any]] = as_it_is,
    ) -> None:
        self.descriptor = descriptor
        self.archive = archive
        self._own_count = own_count
        self._known = archive
        if not own_count:
            self._known = NoveltyArchive(archive.dim, archive.k_neighbors, scale=archive.scale)
            self._known.pin(archive.entries[archive.pinned])
        self.cap, self.floor, self.exponent = cap, floor, exponent
        self.duplicate_below, self.duplicate_above = duplicate_below, duplicate_above
        self._view = view
        self._own = RecentBuffer(descriptor.dim, memory)
        self._sample = human[np.random.default_rng(0).permutation(len(human))[:memory]]
        among = leave_one_out_novelty(descriptor(self._sample), archive.k_neighbors)
        self.human_diversity = float(np.median(among)) / archive.scale

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Descriptors (R, D) of works' images (R, H, W)."""
        return self.descriptor(self._view(images))

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms of works (R, T), each (R,) float64, ``novelty_reward`` among them.

        The works are remembered.
        """
        x = self.describe(images)
        scale = self.archive.scale
        novelty = self._known.novelty(x)
        distance, mean = self._own.compare(x, self.archive.k_neighbors)
        # With few works yet to compare with, distances are large anyway.
        self_diversity = np.minimum(mean / scale / self.human_diversity, 1)
        kept = self.kept(images)
        mode_collapse = self.mode_collapse(kept)
        memory = len(self._own.rows)
        for begin in range(0, len(x), memory):
            part = slice(begin, begin + memory)
            self.remembered(self._own.remember(x[part]), kept[part])
        span = self.duplicate_above - self.duplicate_below
        duplicate = 1 - np.clip((distance / scale - self.duplicate_below) / span, 0, 1)
        clipped_novelty = (
            np.clip((novelty - self.floor) / (self.cap - self.floor), 0, 1) ** self.exponent
        )
        novelty_reward = clipped_novelty * self_diversity**2
        terms = {
            "novelty": novelty,
            "clipped_novelty": clipped_novelty,
            "self_diversity": self_diversity,
        }
        if mode_collapse is not None:
            novelty_reward = novelty_reward * (1 - mode_collapse)
            terms["mode_collapse"] = mode_collapse
        novelty_reward = novelty_reward * (1 - duplicate) if self._own_count else clipped_novelty
        return terms | {"duplicate": duplicate, "novelty_reward": novelty_reward}

    def kept(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """What of works (R, H, W) a habit is seen by, (R, ...); made once for each of them."""
        return images

    def mode_collapse(self, kept: NDArray[Any]) -> NDArray[np.float64] | None:
        """(R,) float64 in [0, 1]: how much of works is what the own works before always have.

        None if the world has no such measure.
        """
        return None

    def remembered(self, slots: NDArray[np.int64], kept: NDArray[Any]) -> None:
        """Told where in the memory works now stand, and what :meth:`kept` gave of them."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory of own works; the archive is not in it."""
        return self._own.state()

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the memory has another size.
        """
        self._own.load_state(state)
