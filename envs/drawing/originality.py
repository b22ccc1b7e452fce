"""Copied ink: how much of a work's drawn length was taken from human strokes.

A stroke of four points or more counts as copied if a human stroke equals it up to shift, mirror
(left-right, top-bottom, both) and direction.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .dynamics import draw_segment
from .moves import POINTS, SIZE, strokes_of

MIN_POINTS = 4


def _key(stroke: NDArray[np.int64]) -> bytes:
    """One key for a stroke and all its shifts, mirrors and its reverse."""
    steps = np.diff(stroke, axis=0)
    forms: list[bytes] = []
    for sx in (1, -1):
        for sy in (1, -1):
            mirrored = steps * np.array([sx, sy])
            forms.append(mirrored.astype(np.int8).tobytes())
            forms.append((-mirrored[::-1]).astype(np.int8).tobytes())
    return min(forms)


class Originality:
    """Remembers human strokes.

    Args:
        moves: (M, T) int16: the human works.
    """

    def __init__(self, moves: NDArray[np.int16]) -> None:
        self._known = {
            _key(stroke) for row in moves for stroke in strokes_of(row) if len(stroke) >= MIN_POINTS
        }

    def copied(self, moves: NDArray[np.int16]) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: the copied share of the drawn length of works (N, T)."""
        out = np.zeros(len(moves))
        for i, row in enumerate(moves):
            total = taken = 0.0
            for stroke in strokes_of(row):
                length = float(np.sqrt((np.diff(stroke, axis=0) ** 2).sum(axis=1)).sum())
                total += length
                if len(stroke) >= MIN_POINTS and _key(stroke) in self._known:
                    taken += length
            out[i] = taken / total if total else 0.0
        return out


def stroke_facts(moves: NDArray[np.int16]) -> dict[str, NDArray[np.float64]]:
    """Moves, strokes with ink, and share of closed stroke ends of works (N, T), each (N,) float64.

    An end is closed if it lies on a point of another stroke's line or of its own stroke's line
    other than the segment it ends. A dot has no ends; a work without ends counts as open (0).
    """
    lengths = (moves >= 0).sum(axis=1).astype(np.float64)
    counts, closed = np.zeros(len(moves)), np.zeros(len(moves))
    for i, row in enumerate(moves):
        strokes = [s for s in strokes_of(row) if len(s) > 1]
        counts[i] = len(strokes)
        segments: list[tuple[int, NDArray[np.uint8]]] = []
        ends: list[tuple[int, int]] = []
        for stroke in strokes:
            codes = (stroke[:, 1] * SIZE + stroke[:, 0]).tolist()
            first = len(segments)
            for a, b in pairwise(codes):
                ink = np.zeros(POINTS, np.uint8)
                draw_segment(ink, a, b, 1)
                segments.append((a, ink))
            if len(set(codes)) > 1:
                ends += [(codes[0], first), (codes[-1], len(segments) - 1)]
        if not ends:
            continue
        total = np.sum([ink for _, ink in segments], axis=0)
        closed[i] = np.mean([total[point] - segments[own][1][point] > 0 for point, own in ends])
    return {"moves": lengths, "strokes": counts, "closed_ends": closed}
