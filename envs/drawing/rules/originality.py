"""What a drawing's strokes tell: how much of them was copied, and how many end in the open.

A stroke of four points or more counts as copied if a human stroke equals it up to shift, mirror
(left-right, top-bottom, both) and direction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.works import check_moves
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.moves import END, LIFT, N_MOVES, SIZE
from move37.envs.drawing.rules.form import KINDS, LINE_END, neighbours

MIN_POINTS = 4
DOT = 2
"""A stroke that reaches no farther than this many points in x and y is a dot, whatever its form."""
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


@njit(cache=True, nogil=True)
def _stroke_key(row: NDArray[np.int16], begin: int, end: int) -> np.uint64:
    """One 64-bit key for the stroke ``row[begin:end]`` and all its shifts, mirrors, its reverse."""
    least = ~np.uint64(0)
    for sx in (1, -1):
        for sy in (1, -1):
            for backward in (False, True):
                key = _BASIS
                for j in range(end - begin - 1):
                    at = end - 1 - j if backward else begin + j
                    to = at - 1 if backward else at + 1
                    dx = sx * (row[to] % SIZE - row[at] % SIZE)
                    dy = sy * (row[to] // SIZE - row[at] // SIZE)
                    # Fowler-Noll-Vo (FNV-1a) over the steps.
                    key = (key ^ np.uint64((dy + SIZE) * 64 + dx + SIZE)) * _PRIME
                    key ^= key >> np.uint64(29)
                least = min(least, key)
    return least


@njit(cache=True, nogil=True)
def _stroke_end(row: NDArray[np.int16], begin: int) -> int:
    """The first position from ``begin`` on that is no point."""
    end = begin
    while end < len(row) and row[end] >= 0 and row[end] != LIFT and row[end] != END:
        end += 1
    return end


@njit(cache=True, nogil=True)
def _keys(moves: NDArray[np.int16], out: NDArray[np.uint64]) -> int:
    count = 0
    for i in range(len(moves)):
        begin = 0
        while begin < moves.shape[1] and moves[i, begin] >= 0 and moves[i, begin] != END:
            end = _stroke_end(moves[i], begin)
            if end - begin >= MIN_POINTS:
                out[count] = _stroke_key(moves[i], begin, end)
                count += 1
            begin = end + 1
    return count


@njit(cache=True, nogil=True)
def _copied(moves: NDArray[np.int16], known: NDArray[np.uint64], out: NDArray[np.float64]) -> None:
    for i in range(len(moves)):
        total = taken = 0.0
        begin = 0
        while begin < moves.shape[1] and moves[i, begin] >= 0 and moves[i, begin] != END:
            end = _stroke_end(moves[i], begin)
            length = 0.0
            for j in range(begin, end - 1):
                dx = moves[i, j + 1] % SIZE - moves[i, j] % SIZE
                dy = moves[i, j + 1] // SIZE - moves[i, j] // SIZE
                length += np.sqrt(dx * dx + dy * dy)
            total += length
            if end - begin >= MIN_POINTS:
                key = _stroke_key(moves[i], begin, end)
                at = np.searchsorted(known, key)
                if at < len(known) and known[at] == key:
                    taken += length
            begin = end + 1
        out[i] = taken / total if total > 0 else 0.0


class Originality:
    """Remembers human strokes.

    Args:
        moves: (M, T) int16: the human works.
    """

    def __init__(self, moves: NDArray[np.int16]) -> None:
        keys = np.zeros(moves.size // MIN_POINTS + 1, np.uint64)
        self._known = np.unique(keys[: _keys(np.ascontiguousarray(moves, np.int16), keys)])

    def copied(self, moves: NDArray[np.int16]) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: the copied share of the drawn length of works (N, T)."""
        out = np.zeros(len(moves))
        _copied(np.ascontiguousarray(moves, np.int16), self._known, out)
        return out


@njit(cache=True, nogil=True)
def _facts(
    moves: NDArray[np.int16], boards: NDArray[np.uint8], counts: NDArray[np.float64],
    closed: NDArray[np.float64],
) -> None:  # fmt: skip
    for i in range(len(moves)):
        ends = shut = 0
        begin = 0
        while begin < moves.shape[1] and moves[i, begin] >= 0 and moves[i, begin] != END:
            end = _stroke_end(moves[i], begin)
            if end - begin > 1:
                counts[i] += 1
                first, last = moves[i, begin], moves[i, end - 1]
                x0, x1, y0, y1 = SIZE, 0, SIZE, 0
                for j in range(begin, end):
                    x, y = moves[i, j] % SIZE, moves[i, j] // SIZE
                    x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
                if max(x1 - x0, y1 - y0) > DOT:
                    for point in (first, last):
                        ends += 1
                        y, x = 1 + point // SIZE, 1 + point % SIZE
                        shut += KINDS[neighbours(boards[i], y, x)] > LINE_END
            begin = end + 1
        closed[i] = shut / ends if ends else 0.0


def stroke_facts(
    moves: NDArray[np.int16], images: NDArray[np.uint8] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Moves, strokes with ink, and share of closed stroke ends of works (N, T), each (N,) float64.

    A stroke's end is closed unless the line ends in the open there: it meets other ink, whoever
    drew it. Drawing to and fro, or a point twice, closes nothing. A dot (within 3 x 3 points)
    has no ends; a work without ends counts as open (0).
    """
    check_moves("moves", moves, N_MOVES)
    moves = np.ascontiguousarray(moves, np.int16)
    counts, closed = np.zeros(len(moves)), np.zeros(len(moves))
    images = images_of(moves) if images is None else images
    _facts(moves, np.pad(images, ((0, 0), (1, 1), (1, 1))), counts, closed)
    lengths = (moves >= 0).sum(axis=1).astype(np.float64)
    return {"moves": lengths, "strokes": counts, "closed_ends": closed}
