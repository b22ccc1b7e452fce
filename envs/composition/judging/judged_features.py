"""What the held-out judge of compositions looks at: histograms of the whole work."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.composition.judging.descriptor import features
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import EIGHTHS, FERMATA_ROW, LOWEST, PLACE_ROW
from move37.envs.composition.rules.melody import read_voice

_MOTION = 0
_PAIRS = 15
_PLACES = 159
_ENDS = 183
N_EXTRA = 183 + 12
"""Motion of the voices together (5 x 3 classes), successive intervals (12 x 12), beginnings of
notes and their leaps by place in the bar (8 x 3), intervals under fermatas (12)."""


@njit(cache=True, nogil=True)
def _extra(
    scores: NDArray[np.int16], upper: int, upper_low: int, lower: int, lower_low: int,
    out: NDArray[np.float64],
) -> None:  # fmt: skip
    """What two voices do together, into ``out`` (N, 195)."""
    s, b = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    sk, bk = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    sn, bn = np.zeros((EIGHTHS, 3), np.int64), np.zeros((EIGHTHS, 3), np.int64)
    for n in range(scores.shape[0]):
        score, row = scores[n], out[n]
        read_voice(score[upper], upper_low, s, sk, sn)
        read_voice(score[lower], lower_low, b, bk, bn)
        last = -1
        for t in range(EIGHTHS):
            if b[t] < 0 or s[t] < 0:
                continue
            place = score[PLACE_ROW, t]
            if score[FERMATA_ROW, t] > 0:
                row[_ENDS + (s[t] - b[t]) % 12] += 0.25
            begins = bn[bk[t], 1] == t
            if not (begins or sn[sk[t], 1] == t):
                continue
            if begins:
                row[_PLACES + place] += 0.25
                consonant = (s[t] - b[t]) % 12
                if consonant in (1, 2, 5, 6, 10, 11):
                    row[_PLACES + 8 + place] += 0.25
                if bk[t] > 0 and abs(bn[bk[t], 0] - bn[bk[t] - 1, 0]) > 2:
                    row[_PLACES + 16 + place] += 0.25
            if last >= 0:
                ds, db = s[t] - s[last], b[t] - b[last]
                by = 2 if abs(db) > 2 else (1 if db != 0 else 0)
                way = 0 if db == 0 else (1 if ds == 0 else (2 if (ds > 0) == (db > 0) else 3))
                row[_MOTION + 5 * by + (4 if db == 0 and ds == 0 else way)] += 1.0 / 16
                row[_PAIRS + 12 * ((s[last] - b[last]) % 12) + (s[t] - b[t]) % 12] += 1.0 / 16
            last = t


def judged_features(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float32]:
    """Histograms of the descriptor, and of each of ``mode.pairs`` together.

    Args:
        scores: (N, ``mode.n_rows``, 32).
        mode: In which they are written.

    Returns:
        float32, (N, 346) for a bass, (N, 497) for soprano and bass, (N, 1233) in four parts.
    """
    scores = np.ascontiguousarray(scores, np.int16)
    found = [features(scores, mode)]
    for upper, lower in mode.pairs:
        extra = np.zeros((len(scores), N_EXTRA))
        _extra(scores, upper, LOWEST[upper], lower, LOWEST[lower], extra)
        found.append(extra)
    return np.concatenate(found, axis=1).astype(np.float32)
