"""How much of a work is copied: the longest passage of moves that stands in a human work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works


class CopiedPassages:
    """Remembers the passages of human works.

    Args:
        human: The human works.
    """

    def __init__(self, human: Works) -> None:
        self._human = _rows(human)
        self._known: dict[int, set[tuple[int, ...]]] = {}

    def __call__(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: the longest copied passage as a share of the work's moves."""
        longest = [self._longest(row) / max(len(row), 1) for row in _rows(works)]
        return np.array(longest, np.float64)

    def _longest(self, row: tuple[int, ...]) -> int:
        """Moves in the longest passage of ``row`` that is known, found by bisection."""
        low, high = 0, len(row)
        while low < high:
            size = (low + high + 1) // 2
            if any(passage in self._passages(size) for passage in _windows(row, size)):
                low = size
            else:
                high = size - 1
        return low

    def _passages(self, size: int) -> set[tuple[int, ...]]:
        if size not in self._known:
            self._known[size] = {p for row in self._human for p in _windows(row, size)}
        return self._known[size]


def _rows(works: Works) -> list[tuple[int, ...]]:
    return [
        tuple(row[:length])
        for row, length in zip(works.moves.tolist(), works.lengths.tolist(), strict=True)
    ]


def _windows(row: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    return [row[begin : begin + size] for begin in range(len(row) - size + 1)]
