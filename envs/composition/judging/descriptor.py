"""What a work is described by, what the held-out judge looks at, and what tells mode collapse.

The descriptor is what a listener would tell basses apart by.

Histograms of melodic intervals, of pairs of them, of degrees, of intervals to the soprano on the
beats, of durations and of rhythms of half bars, each normalised, with a contour of 16 points,
reduced to 32 numbers by principal components of the human works. Computed work by work in float64,
so that a work's descriptor does not depend on what else is in the batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode, partner
from move37.envs.composition.moves import BASS_ROW, EIGHTHS, FERMATA_ROW, KEY_ROW, LOWEST, PLACE_ROW
from move37.envs.composition.rules.melody import read_voice
from move37.envs.composition.works import scores_of_works

PARTS = (("intervals", 27), ("pairs", 49), ("degrees", 24), ("beats", 13), ("durations", 6),
         ("rhythms", 16), ("contour", 16))  # fmt: skip
"""Names and sizes of the groups of raw features, in order; degrees of major, then of minor."""
N_FEATURES = sum(size for _, size in PARTS)
N_CONTOUR = 16
_PAIRS, _DEGREES, _BEATS, _DURATIONS, _RHYTHMS, _CONTOUR = 27, 76, 100, 113, 119, 135


@njit(cache=True, nogil=True)
def _class(step: int) -> int:
    """Melodic steps in seven classes: down leap, third, second; same; up second, third, leap."""
    size = abs(step)
    c = 0 if size == 0 else (1 if size <= 2 else (2 if size <= 4 else 3))
    return 3 + c if step > 0 else 3 - c


@njit(cache=True, nogil=True)
def _features(
    scores: NDArray[np.int16], voice: int, low: int, other: int, other_low: int, first: int,
    out: NDArray[np.float64],
) -> None:  # fmt: skip
    """Write the features of a voice, heard with another, into columns from ``first`` on."""
    s, b = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    sk, bk = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    sn, bn = np.zeros((EIGHTHS, 3), np.int64), np.zeros((EIGHTHS, 3), np.int64)
    for n in range(scores.shape[0]):
        score, row = scores[n], out[n, first : first + N_FEATURES]
        row[:] = 0.0
        # ``b`` is the voice that is described, ``s`` the other one.
        read_voice(score[other], other_low, s, sk, sn)
        nb = read_voice(score[voice], low, b, bk, bn)
        for k in range(nb):
            size = bn[k, 2] - bn[k, 1]
            row[_DURATIONS + min(size, 6) - 1] += 1.0 / nb
            if k > 0:
                step = bn[k, 0] - bn[k - 1, 0]
                row[13 + max(-13, min(13, step))] += 1.0 / (nb - 1)
                if k > 1:
                    before = bn[k - 1, 0] - bn[k - 2, 0]
                    row[_PAIRS + 7 * _class(before) + _class(step)] += 1.0 / (nb - 2)
        beats = 0
        mode = 12 if score[KEY_ROW, 0] > 0 else 0
        total = 0.0
        for t in range(EIGHTHS):
            if b[t] >= 0:
                row[_DEGREES + mode + b[t] % 12] += 1.0 / EIGHTHS
            if score[PLACE_ROW, t] % 2 == 0:
                beats += 1
                both = b[t] >= 0 and s[t] >= 0
                row[_BEATS + ((s[t] - b[t]) % 12 if both else 12)] += 1.0 / 16
        for half in range(8):
            code = 0
            for j in range(4):
                t = 4 * half + j
                code = 2 * code + (1 if b[t] >= 0 and bn[bk[t], 1] == t else 0)
            row[_RHYTHMS + code] += 1.0 / 8
        # Histograms as square roots (Hellinger): a rare thing counts more than its share.
        for i in range(_CONTOUR):
            row[i] = np.sqrt(row[i])
        # A rest goes on at the height of the note before it, one at the beginning at the first's:
        # silence is no leap.
        last = float(bn[0, 0]) if nb > 0 else 0.0
        for i in range(16):
            if b[2 * i] >= 0:
                last = b[2 * i]
            row[_CONTOUR + i] = last
            total += last
        for i in range(16):
            row[_CONTOUR + i] = (row[_CONTOUR + i] - total / 16) / 24


def n_features(mode: Mode) -> int:
    """How many raw features a work of a mode has: 151 for each voice that is written."""
    return mode.voices * N_FEATURES


def features(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float64]:
    """Raw features (N, :func:`n_features`) float64 of scores: of the bass, then of other voices.

    Each voice is heard with its :func:`.modes.partner`.

    Args:
        scores: (N, ``mode.n_rows``, 32).
        mode: In which they are written.
    """
    scores = np.ascontiguousarray(scores, np.int16)
    out = np.zeros((len(scores), n_features(mode)))
    for k, voice in enumerate((BASS_ROW, *mode.upper)):
        other = partner(voice)
        _features(scores, voice, LOWEST[voice], other, LOWEST[other], k * N_FEATURES, out)
    return out


def features_of(works: Works) -> NDArray[np.float64]:
    """Raw features of works, float64; see :func:`features`."""
    return features(scores_of_works(works), Mode.of(works))


# What the held-out judge looks at

_MOTION, _SUCCESSIONS, _PLACES, _ENDS = 0, 15, 159, 183
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
                row[_SUCCESSIONS + 12 * ((s[last] - b[last]) % 12) + (s[t] - b[t]) % 12] += 1.0 / 16
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


def contours(works: Works) -> NDArray[np.float64]:
    """Contours (N, 16 a voice) of the written voices of works, the bass first.

    Their heights are about the mean of the line, in units of two octaves.
    """
    found = features(scores_of_works(works), Mode.of(works))
    ends = range(N_FEATURES, found.shape[1] + 1, N_FEATURES)
    return np.concatenate([found[:, end - N_CONTOUR : end] for end in ends], axis=1)


class ContourCollapse:
    """How far a work's contour goes where the latest works go in the mean.

    (c - h) . d / s^2 within 0 and 1: c is the contour, h the human mean, d the own works' mean
    minus h, s^2 the mean square of human contours about h. It stays 0 while own works differ from
    human ones in different ways, and rises where, say, the line climbs in every work. See
    :class:`move37.envs.judging.novelty_reward.ModeCollapse`.

    Args:
        human: Human works, which say what is usual.
    """

    def __init__(self, human: Works) -> None:
        lines = self.features(human)
        self._usual = lines.mean(axis=0)
        self._spread = float(((lines - self._usual) ** 2).sum(axis=1).mean())

    def features(self, works: Works) -> NDArray[np.float64]:
        """The contours of works, (R, 16 a voice)."""
        return contours(works)

    def __call__(
        self, features: NDArray[np.float64], recent: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(R,) float64 in [0, 1] of contours (R, F), where ``recent`` (M, F) came before."""
        direction = recent.mean(axis=0) - self._usual
        along: NDArray[np.float64] = (features - self._usual) @ direction
        return np.clip(along / self._spread, 0, 1)
