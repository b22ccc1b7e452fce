"""A memory of the latest rows, and how far a new row is from them."""

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
        features: (0, F): kind and width of what is kept beside each row; None: nothing.
    """

    def __init__(self, dim: int, memory: int, features: NDArray[Any] | None = None) -> None:
        self.rows = np.zeros((memory, dim), np.float32)
        self.count = 0
        features = np.zeros((0, 0)) if features is None else features
        self._features = np.zeros((memory, *features.shape[1:]), features.dtype)
        self._table = Table(dim)  # the same rows, ready for the search

    def __len__(self) -> int:
        """Rows remembered, ``memory`` at most."""
        return min(self.count, len(self.rows))

    @property
    def features(self) -> NDArray[Any]:
        """(M, F): what was kept beside the rows remembered, in no order."""
        return self._features[: len(self)]

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

    def remember(self, x: NDArray[np.float32], features: NDArray[Any] | None = None) -> None:
        """Keep rows (N, dim), and ``features`` (N, F) beside them."""
        memory = len(self.rows)
        for begin in range(0, len(x), memory):
            part = slice(begin, begin + memory)
            slots = self._remember(x[part])
            if features is not None:
                self._features[slots] = features[part]

    def _remember(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """Keep rows (N, dim), N at most ``memory``; returns the slots they took, (N,) int64."""
        memory = len(self.rows)
        slots: NDArray[np.int64] = (self.count + np.arange(len(x))) % memory
        new = max(0, min(len(x), memory - self.count))
        self._table.extend(x[:new])
        self._table.put(slots[new:], x[new:])
        self.rows[slots] = x
        self.count += len(x)
        return slots

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory."""
        return {
            "works": self.rows.copy(),
            "features": self._features.copy(),
            "count": np.array(self.count),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the memory has another size.
        """
        self.rows[...] = state["works"]
        self._features[...] = state["features"]
        self.count = int(state["count"])
        self._table = Table.of(self.rows[: len(self)])
