"""How much of a work stands, note for note, in a known one: its longest copied passage.

A passage is copied if a known work has the same one anywhere, in any transposition: the same
pitches relative to its first, silences included, and the same beginnings of notes after its first
eighth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.composition.moves import (
    BASS_ROW,
    EIGHTHS,
    FIRST_NOTE,
    LOW,
    SOPRANO_LOW,
    SOPRANO_ROW,
)
from move37.envs.composition.rules.melody import read_voice

LEAST = 4
"""Passages of fewer eighths are not looked for."""
ALLOWED = 8
"""A passage of more eighths than this is copied."""

_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


@njit(cache=True, nogil=True)
def _keys(score: NDArray[np.int16], with_soprano: bool, out: NDArray[np.uint64]) -> None:
    """Keys (32, 33) of one score: ``out[t, n]`` stands for the passage of n eighths from t on."""
    s, b = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    of, notes = np.zeros(EIGHTHS, np.int64), np.zeros((EIGHTHS, 3), np.int64)
    read_voice(score[SOPRANO_ROW], SOPRANO_LOW, s, of, notes)
    read_voice(score[BASS_ROW], LOW, b, of, notes)
    struck = score >= FIRST_NOTE
    for begin in range(EIGHTHS):
        key = _BASIS
        first = -1
        for t in range(begin, EIGHTHS):
            token = 0
            if b[t] >= 0:
                if first < 0:
                    first = b[t]
                token = 2 * (b[t] - first + 64) + (struck[BASS_ROW, t] if t > begin else 0)
            if with_soprano and s[t] >= 0:
                # The soprano moves with the bass: both are transposed alike.
                above = s[t] - (first if first >= 0 else s[begin])
                token += 512 * (2 * (above + 64) + (struck[SOPRANO_ROW, t] if t > begin else 0))
            # Fowler-Noll-Vo (FNV-1a) over the eighths.
            key = (key ^ np.uint64(token)) * _PRIME
            key ^= key >> np.uint64(29)
            out[begin, t - begin + 1] = key


@njit(cache=True, nogil=True)
def _collect(scores: NDArray[np.int16], with_soprano: bool, out: NDArray[np.uint64]) -> int:
    keys = np.zeros((EIGHTHS, EIGHTHS + 1), np.uint64)
    count = 0
    for i in range(len(scores)):
        _keys(scores[i], with_soprano, keys)
        for begin in range(EIGHTHS):
            for n in range(LEAST, EIGHTHS - begin + 1):
                out[count] = keys[begin, n]
                count += 1
    return count


@njit(cache=True, nogil=True)
def _longest(
    scores: NDArray[np.int16], with_soprano: bool, known: NDArray[np.uint64],
    out: NDArray[np.int64],
) -> None:  # fmt: skip
    keys = np.zeros((EIGHTHS, EIGHTHS + 1), np.uint64)
    for i in range(len(scores)):
        _keys(scores[i], with_soprano, keys)
        best = 0
        for begin in range(EIGHTHS):
            # A passage can only be known if it is without its last eighth.
            n = LEAST
            while begin + n <= EIGHTHS:
                at = np.searchsorted(known, keys[begin, n])
                if at >= len(known) or known[at] != keys[begin, n]:
                    break
                best = max(best, n)
                n += 1
        out[i] = best


class Originality:
    """Remembers works.

    Args:
        scores: (M, 5 or 7, 32) int16: the known works.
        with_soprano: Whether a passage is soprano and bass, or the bass alone.
    """

    def __init__(self, scores: NDArray[np.int16], with_soprano: bool = True) -> None:
        self._with_soprano = with_soprano
        keys = np.zeros(len(scores) * EIGHTHS * EIGHTHS, np.uint64)
        count = _collect(np.ascontiguousarray(scores, np.int16), with_soprano, keys)
        self._known = np.unique(keys[:count])

    def longest(self, scores: NDArray[np.int16]) -> NDArray[np.int64]:
        """(N,) int64: eighths of the longest copied passage of scores (N, 5 or 7, 32).

        0 where it is shorter than LEAST.
        """
        out = np.zeros(len(scores), np.int64)
        scores = np.ascontiguousarray(scores, np.int16)
        _longest(scores, self._with_soprano, self._known, out)
        return out

    def copied(self, scores: NDArray[np.int16]) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: the longest copied passage as a share of the work."""
        return self.longest(scores) / EIGHTHS
