"""Works cut out of a chorale: windows of 32 eighths from phrase to phrase."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.composition.corpus.musicxml import Chorale
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    LOWEST,
    MODE,
    N_MOVES,
    PHASE,
    REST,
    SOPRANO,
    TONIC,
    shift_of,
)


class Window(NamedTuple):
    """One work.

    Attributes:
        bar: Number of the bar it begins in.
        moves: (32,) int16: its bass.
        brief: (67,) int16: its soprano.
        inner: (2, 32) int16: codes of alto and tenor; -1 where one leaves its compass.
    """

    bar: int
    moves: NDArray[np.int16]
    brief: NDArray[np.int16]
    inner: NDArray[np.int16]


def windows_of(chorale: Chorale) -> list[Window]:
    """Every work of a chorale: 32 eighths that begin it or follow a fermata, and end with one.

    Windows that leave a compass, or within which the printed bar lines do not go on regularly,
    are left out.
    """
    length = len(chorale.place)
    shift = shift_of(chorale.tonic)
    held = np.append(chorale.fermatas, False)
    after = [t for t in range(1, length + 1) if held[t - 1] and (not held[t] or _new(chorale, t))]
    result = []
    for begin in [0, *after]:
        end = begin + EIGHTHS
        if end not in after:
            continue
        window = slice(begin, end)
        place = chorale.place[window]
        if ((place - place[0] - np.arange(EIGHTHS)) % 8).any():
            continue
        given, alto, tenor, moves = (
            _codes(chorale.pitches[v, window] - shift, chorale.onsets[v, window], low)
            for v, low in enumerate(LOWEST.values())
        )
        if moves is None or given is None or (moves >= FIRST_NOTE).sum() < 4:
            continue
        brief = np.zeros(BRIEF, np.int16)
        brief[MODE], brief[PHASE], brief[TONIC] = chorale.minor, place[0], chorale.tonic
        brief[SOPRANO:FERMATA] = given
        brief[FERMATA:] = chorale.fermatas[window]
        nothing = np.full(EIGHTHS, PAD, np.int16)
        inner = np.stack([nothing if codes is None else codes for codes in (alto, tenor)])
        result.append(Window(int(chorale.bars[begin]), moves, brief, inner))
    return result


def _new(chorale: Chorale, t: int) -> bool:
    """Whether the soprano begins a note at eighth ``t``."""
    return t >= len(chorale.place) or bool(chorale.onsets[0, t])


def _codes(
    pitches: NDArray[np.int64], onsets: NDArray[np.bool_], low: int
) -> NDArray[np.int16] | None:
    """HOLD, REST and note codes of one voice; None if it leaves the compass."""
    codes = np.where(pitches < 0, REST, pitches - low + FIRST_NOTE)
    if ((pitches >= 0) & ((codes < FIRST_NOTE) | (codes >= N_MOVES))).any():
        return None
    begins = onsets.copy()
    begins[0] = True
    return np.where(begins, codes, HOLD).astype(np.int16)
