"""Newness of drawings as a reward: far from everything known, and no repeat of the own works."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from novelty import NoveltyArchive, nearest

from .appraisal import Terms
from .descriptor import Descriptor


class ArchiveNewness:
    """Newness = (min(novelty, cap) / cap) ** 2 x (1 - repeat).

    ``novelty`` is the mean distance to the k nearest works of the archive, in units of the human
    median. ``repeat`` falls from 1 to 0 as the distance to the nearest of the last own works grows
    from ``repeat_below`` to ``repeat_above``; rows of one batch are compared with the rows before.

    Args:
        descriptor: Maps images to the archive's space.
        archive: Human works pinned; own works are added to it by ``admit``.
        cap: Novelty beyond which more is worth nothing.
        memory: How many of the last own works a new one must differ from.
        repeat_below: Distance, in units of the archive's scale, at which a work is a full repeat.
        repeat_above: Distance at which it is none.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        archive: NoveltyArchive,
        cap: float,
        memory: int = 4096,
        repeat_below: float = 0.5,
        repeat_above: float = 0.8,
    ) -> None:
        self.descriptor = descriptor
        self.archive = archive
        self.cap = cap
        self.repeat_below, self.repeat_above = repeat_below, repeat_above
        self._recent = np.zeros((memory, descriptor.dim), np.float32)
        self._count = 0

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms ``novelty``, ``repeat`` and ``newness``, each (R,) float64; remembers the works."""
        x = self.descriptor(images)
        novelty = self.archive.novelty(x)
        distance = np.full(len(x), np.inf)
        filled = min(self._count, len(self._recent))
        if filled:
            distance = nearest(x, self._recent[:filled], 1)[0][:, 0].astype(np.float64)
        for i in range(1, len(x)):
            gaps = np.sqrt(((x[:i] - x[i]) ** 2).sum(axis=1))
            distance[i] = min(distance[i], float(gaps.min()))
        for row in x:
            self._recent[self._count % len(self._recent)] = row
            self._count += 1
        apart = distance / self.archive.scale
        repeat = 1 - np.clip(
            (apart - self.repeat_below) / (self.repeat_above - self.repeat_below), 0, 1
        )
        share = np.minimum(novelty, self.cap) / self.cap
        return {"novelty": novelty, "repeat": repeat, "newness": share**2 * (1 - repeat)}
