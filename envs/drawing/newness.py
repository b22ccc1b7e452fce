"""Newness of drawings as a reward: far from all that is known, and no habit of the own works."""

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
from .moves import POINTS


class ArchiveNewness:
    """Newness = surprise x variety ** 2 x (1 - habit) x (1 - repeat).

    ``novelty`` is the mean distance to the k nearest works of the archive, in units of the human
    median. ``surprise`` rises from 0 where it is the human median to 1 at ``cap``: who is as new as
    human works usually are to each other gets nothing. The other terms compare a work with the own
    works before it, ``memory`` at most:

    - ``variety``: mean distance to the k nearest of them, as a share of what human works have among
      equally many of themselves, at most 1;
    - ``habit``: how much of the ink lies where the own works usually have ink, 0 up to the
      human 90th percentile, 1 from 1.8 times that on: a stroke that stands in every work costs;
    - ``repeat``: 1 where the nearest of them is ``repeat_below`` away or less, 0 from
      ``repeat_above`` on.

    Args:
        descriptor: Maps images to the archive's space.
        archive: Human works pinned; own works are added to it by whoever trains.
        human: (M, 24, 24) uint8 in {0, 1}: the human works' images, for the scales.
        cap: Novelty beyond which more is worth nothing.
        memory: How many of the last own works a new one must differ from.
        repeat_below: Distance, in units of the archive's scale, at which a work is a full repeat.
        repeat_above: Distance at which it is none.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        archive: NoveltyArchive,
        human: NDArray[np.uint8],
        cap: float,
        memory: int = 2048,
        repeat_below: float = 0.5,
        repeat_above: float = 0.8,
    ) -> None:
        self.descriptor = descriptor
        self.archive = archive
        self.cap = cap
        self.repeat_below, self.repeat_above = repeat_below, repeat_above
        sample = human[np.random.default_rng(0).permutation(len(human))[:memory]]
        among = leave_one_out_novelty(descriptor(sample), archive.k_neighbors)
        self.human_variety = float(np.median(among)) / archive.scale
        ink = sample.reshape(len(sample), POINTS).astype(np.float64)
        usual = (ink @ ink.mean(axis=0)) / np.maximum(ink.sum(axis=1), 1)
        self.human_habit = float(np.quantile(usual, 0.9))
        self._works = np.zeros((memory, descriptor.dim), np.float32)
        self._table = Table(descriptor.dim)  # the same rows, ready for the search
        self._ink = np.zeros((memory, POINTS), np.uint8)
        self._ink_sum = np.zeros(POINTS, np.int64)
        self._count = 0

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory of own works, each with one row a work; the archive is not in it."""
        return {
            "works": self._works.copy(),
            "ink": self._ink.copy(),
            "ink_sum": self._ink_sum.copy(),
            "count": np.array(self._count),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the memory has another size.
        """
        self._works[...] = state["works"]
        self._ink[...] = state["ink"]
        self._ink_sum[...] = state["ink_sum"]
        self._count = int(state["count"])
        self._table = Table(self.descriptor.dim)
        self._table.extend(torch.from_numpy(self._works[: min(self._count, len(self._works))]))

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms of works (R, T), each (R,) float64, ``newness`` among them; remembers the works."""
        x = self.descriptor(images)
        n, memory = len(x), len(self._works)
        scale, k = self.archive.scale, self.archive.k_neighbors
        novelty = self.archive.novelty(x)
        filled = min(self._count, memory)
        variety, habit, distance = np.ones(n), np.zeros(n), np.full(n, np.inf)
        ink = images.reshape(n, POINTS)
        if filled:
            found = self._table.nearest(torch.from_numpy(x), min(k, filled))[0]
            near = found.numpy().astype(np.float64)
            distance = near[:, 0]
            # With few works yet to compare with, distances are large anyway.
            variety = np.minimum(near.mean(axis=1) / scale / self.human_variety, 1)
            usual = (ink @ (self._ink_sum / filled)) / np.maximum(ink.sum(axis=1), 1)
            # The mean image of few works says little: the term fades in with their number.
            habit = np.clip((usual / self.human_habit - 1) / 0.8, 0, 1) * min(1, filled / 500)
        gaps = direct_distances(torch.from_numpy(x)[:, None], torch.from_numpy(x)[None])
        before = torch.full_like(gaps, torch.inf).triu().add_(gaps).amin(dim=1)
        distance = np.minimum(distance, before.numpy())
        self._remember(x, ink)
        span = self.repeat_above - self.repeat_below
        repeat = 1 - np.clip((distance / scale - self.repeat_below) / span, 0, 1)
        surprise = np.clip((novelty - 1) / (self.cap - 1), 0, 1)
        newness = surprise * variety**2 * (1 - habit) * (1 - repeat)
        return {
            "novelty": novelty, "surprise": surprise, "variety": variety, "habit": habit,
            "repeat": repeat, "newness": newness,
        }  # fmt: skip

    def _remember(self, x: NDArray[np.float32], ink: NDArray[np.uint8]) -> None:
        """Keep works (R, D) and their ink (R, 576) in the place of the oldest."""
        memory = len(self._works)
        for begin in range(0, len(x), memory):
            part = slice(begin, begin + memory)
            rows = torch.from_numpy(x[part])
            slots = (self._count + np.arange(len(rows))) % memory
            new = max(0, min(len(rows), memory - self._count))
            self._table.extend(rows[:new])
            self._table.put(torch.from_numpy(slots[new:]), rows[new:])
            self._ink_sum += ink[part].sum(axis=0, dtype=np.int64)
            self._ink_sum -= self._ink[slots].sum(axis=0, dtype=np.int64)
            self._works[slots], self._ink[slots] = x[part], ink[part]
            self._count += len(rows)
