"""New sopranos to practise on, made of those of Bach's chorales.

A few hundred sopranos are too few: a learner that answers each of them thousands of times learns
its answers by heart, and they are of no use to another soprano. So it practises on more of them:
the first phrases of one with the last ones of another, transposed along the scale, or put in the
other mode.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.corpus.trivial import MAJOR, MINOR
from move37.envs.composition.moves import (
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    MODE,
    PHASE,
    SOPRANO,
    SOPRANO_HIGH,
    SOPRANO_LOW,
)

MOVED = 0.7
"""Share of the sopranos that are transposed along the scale."""
MOST_STEPS = 4
CHANGED = 0.3
"""Share of the sopranos that change their mode."""
LONGEST_LEAP = 12
"""Semitones between the last note before the seam and the first after it."""
_EDGE = 6
"""Eighths before the first and after the last place for a seam."""


def _seams(brief: NDArray[np.int16]) -> list[int]:
    """Eighths in which a phrase begins after a fermata, not too near the ends."""
    soprano, held = brief[SOPRANO:FERMATA], brief[FERMATA:] > 0
    return [
        t
        for t in range(_EDGE, EIGHTHS - _EDGE + 1)
        if held[t - 1] and soprano[t] != HOLD and (not held[t] or soprano[t] >= FIRST_NOTE)
    ]


def _moved(
    codes: NDArray[np.int16], scales: tuple[NDArray[np.int64], NDArray[np.int64]], steps: int
) -> NDArray[np.int16] | None:
    """A soprano's codes (32,) transposed from one scale into another; None outside the compass.

    A note outside its scale stays as far above the scale note below it as it was.
    """
    old, new = scales
    notes = codes >= FIRST_NOTE
    pitches = codes[notes].astype(np.int64) - FIRST_NOTE + SOPRANO_LOW
    degree = np.searchsorted(old, pitches % 12, side="right") - 1
    above = pitches % 12 - old[degree]
    at = 7 * (pitches // 12) + degree + steps
    moved = 12 * (at // 7) + new[at % 7] + above
    if ((moved < SOPRANO_LOW) | (moved > SOPRANO_HIGH)).any():
        return None
    out = codes.copy()
    out[notes] = moved - SOPRANO_LOW + FIRST_NOTE
    return out


def new_sopranos(briefs: NDArray[np.int16], n: int, rng: np.random.Generator) -> NDArray[np.int16]:
    """Briefs (n, 67) with sopranos made of those of briefs (M, 67).

    Joined are two briefs of one mode that begin at the same place in the bar and have a seam in the
    same eighth; where there are none, one brief is taken whole.

    Args:
        briefs: At least one.
        n: How many to make.
        rng: The only source of randomness.
    """
    places: dict[tuple[int, int, int], list[int]] = {}
    for i, brief in enumerate(briefs):
        for t in _seams(brief):
            places.setdefault((int(brief[MODE]), int(brief[PHASE]), t), []).append(i)
    of = {i: [key for key, rows in places.items() if i in rows] for i in range(len(briefs))}
    out = np.zeros((n, briefs.shape[1]), np.int16)
    for k in range(n):
        i = int(rng.integers(len(briefs)))
        brief = briefs[i].copy()
        if of[i]:
            key = of[i][int(rng.integers(len(of[i])))]
            other, t = briefs[places[key][int(rng.integers(len(places[key])))]], key[2]
            sounding = brief[SOPRANO : SOPRANO + t]
            last = sounding[sounding >= FIRST_NOTE][-1:]
            first = other[SOPRANO + t]
            if len(last) and first >= FIRST_NOTE and abs(int(first) - int(last[0])) <= LONGEST_LEAP:
                brief[SOPRANO + t : FERMATA] = other[SOPRANO + t : FERMATA]
                brief[FERMATA + t :] = other[FERMATA + t :]
        mode = int(brief[MODE])
        into = 1 - mode if rng.random() < CHANGED else mode
        steps = int(rng.integers(-MOST_STEPS, MOST_STEPS + 1)) if rng.random() < MOVED else 0
        scales = (MINOR if mode else MAJOR, MINOR if into else MAJOR)
        moved = _moved(brief[SOPRANO:FERMATA], scales, steps)
        if moved is not None:
            brief[SOPRANO:FERMATA], brief[MODE] = moved, into
        out[k] = brief
    return out
