"""A memory of the latest rows, and how new a row is beside them: what a habit looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.novelty.knn import Table, direct_distances


class RecentBuffer:
    """The last ``memory`` rows that were remembered, in the place of the oldest.

    Args:
        dim: Width of a row.
        memory: How many rows are kept.
    """

    def __init__(self, dim: int, memory: int) -> None:
        self.rows = np.zeros((memory, dim), np.float32)
        self.count = 0
        self._table = Table(dim)  # the same rows, ready for the search

    def __len__(self) -> int:
        """Rows remembered, ``memory`` at most."""
        return min(self.count, len(self.rows))

    def compare(
        self, x: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distances of new rows to those before them.

        Args:
            x: (N, dim) float32.
            k: Neighbours to take the mean of, as far as there are so many.

        Returns:
            nearest: (N,) to the nearest row remembered or before it in ``x``; inf if there is none.
            mean: (N,) mean distance to the k nearest rows remembered; inf if there are none.
        """
        n = len(x)
        nearest, mean = np.full(n, np.inf), np.full(n, np.inf)
        if len(self):
            near = self._table.nearest(x, min(k, len(self)))[0].astype(np.float64)
            nearest, mean = near[:, 0], near.mean(axis=1)
        gaps = direct_distances(x[:, None], x)
        gaps[np.triu_indices(n)] = np.inf
        return np.minimum(nearest, gaps.min(axis=1, initial=np.inf)), mean

    def remember(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """Keep rows (N, dim), N at most ``memory``; returns the slots they took, (N,) int64."""
        memory = len(self.rows)
        if len(x) > memory:
            raise ValueError(f"x: {len(x)} rows do not fit into a memory of {memory}")
        slots: NDArray[np.int64] = (self.count + np.arange(len(x))) % memory
        new = max(0, min(len(x), memory - self.count))
        self._table.extend(x[:new])
        self._table.put(slots[new:], x[new:])
        self.rows[slots] = x
        self.count += len(x)
        return slots

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory."""
        return {"works": self.rows.copy(), "count": np.array(self.count)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the memory has another size.
        """
        self.rows[...] = state["works"]
        self.count = int(state["count"])
        self._table = Table.of(self.rows[: len(self)])
