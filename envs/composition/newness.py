"""Newness of basses as a reward: far from all that is known, and unlike the own works before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from novelty import NoveltyArchive, leave_one_out_novelty
from novelty.knn import Table, direct_distances

from .appraisal import Terms
from .descriptor import Descriptor
from .roll import read_rolls


class ArchiveNewness:
    """Newness = surprise x variety ** 2 x (1 - repeat).

    ``novelty`` is the mean distance to the k nearest works of the archive, in units of the human
    median. ``surprise`` rises from 0 at ``floor`` to 1 at ``cap``. The other terms compare a work
    with the own works before it, ``memory`` at most:

    - ``variety``: mean distance to the k nearest of them, as a share of what human works have among
      equally many of themselves, at most 1;
    - ``repeat``: 1 where the nearest of them is ``repeat_below`` away or less, 0 from
      ``repeat_above`` on.

    Args:
        descriptor: Maps scores to the archive's space.
        archive: Human works pinned; own works are added to it by whoever trains.
        human: (M, 5, 32) int16: the human works' scores, for the scale of variety.
        cap: Novelty beyond which more is worth nothing.
        floor: Novelty that is worth nothing yet.
        memory: How many of the last own works a new one must differ from.
        repeat_below: Distance, in units of the archive's scale, at which a work is a full repeat.
        repeat_above: Distance at which it is none.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        archive: NoveltyArchive,
        human: NDArray[np.int16],
        cap: float,
        floor: float = 0.95,
        memory: int = 2048,
        repeat_below: float = 0.5,
        repeat_above: float = 0.7,
    ) -> None:
        self.descriptor = descriptor
        self.archive = archive
        self.cap, self.floor = cap, floor
        self.repeat_below, self.repeat_above = repeat_below, repeat_above
        sample = human[np.random.default_rng(0).permutation(len(human))[:memory]]
        among = leave_one_out_novelty(descriptor(sample), archive.k_neighbors)
        self.human_variety = float(np.median(among)) / archive.scale
        self._works = np.zeros((memory, descriptor.dim), np.float32)
        self._table = Table(descriptor.dim)  # the same rows, ready for the search
        self._count = 0

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory of own works; the archive is not in it."""
        return {"works": self._works.copy(), "count": np.array(self._count)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the memory has another size.
        """
        self._works[...] = state["works"]
        self._count = int(state["count"])
        self._table = Table(self.descriptor.dim)
        self._table.extend(torch.from_numpy(self._works[: min(self._count, len(self._works))]))

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms of works (R, 32), each (R,) float64, ``newness`` among them; remembers them."""
        x = self.descriptor(read_rolls(images))
        n, memory = len(x), len(self._works)
        scale, k = self.archive.scale, self.archive.k_neighbors
        novelty = self.archive.novelty(x)
        filled = min(self._count, memory)
        variety, distance = np.ones(n), np.full(n, np.inf)
        if filled:
            found = self._table.nearest(torch.from_numpy(x), min(k, filled))[0]
            near = found.numpy().astype(np.float64)
            distance = near[:, 0]
            # With few works yet to compare with, distances are large anyway.
            variety = np.minimum(near.mean(axis=1) / scale / self.human_variety, 1)
        gaps = direct_distances(torch.from_numpy(x)[:, None], torch.from_numpy(x)[None])
        before = torch.full_like(gaps, torch.inf).triu()
        distance = np.minimum(distance, (gaps + before).amin(dim=1).numpy())
        self._remember(x)
        span = self.repeat_above - self.repeat_below
        repeat = 1 - np.clip((distance / scale - self.repeat_below) / span, 0, 1)
        surprise = np.clip((novelty - self.floor) / (self.cap - self.floor), 0, 1) ** 1.5
        newness = surprise * variety**2 * (1 - repeat)
        return {
            "novelty": novelty, "surprise": surprise, "variety": variety, "repeat": repeat,
            "newness": newness,
        }  # fmt: skip

    def _remember(self, x: NDArray[np.float32]) -> None:
        """Keep works (R, D) in the place of the oldest."""
        memory = len(self._works)
        for begin in range(0, len(x), memory):
            rows = torch.from_numpy(x[begin : begin + memory])
            slots = (self._count + np.arange(len(rows))) % memory
            new = max(0, min(len(rows), memory - self._count))
            self._table.extend(rows[:new])
            self._table.put(torch.from_numpy(slots[new:]), rows[new:])
            self._works[slots] = rows.numpy()
            self._count += len(rows)
