"""Parallel fifths, octaves and unisons as music21 counts them, which no reward ever saw."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from music21.note import Note
from music21.voiceLeading import VoiceLeadingQuartet
from numpy.typing import NDArray

from move37.envs.composition.moves import (
    ALTO_ROW,
    BASS_ROW,
    LOWEST,
    SOPRANO_ROW,
    TENOR_ROW,
    in_four,
    sounding,
)

G_SHARP = 8


@cache
def is_parallel(upper: tuple[int, int], lower: tuple[int, int]) -> bool:
    """Whether two voices go from one note to the next in parallel fifths, octaves or unisons.

    Args:
        upper: The upper voice's two notes, MIDI numbers.
        lower: The lower voice's.
    """
    # A note made from its number is spelt in one way, and the fifth above G sharp as E flat, which
    # is no fifth: everything is moved until there is none.
    up = next(k for k in range(3) if all((note + k) % 12 != G_SHARP for note in lower))
    notes = [Note(midi=note + up) for note in (*upper, *lower)]
    quartet = VoiceLeadingQuartet(*notes)
    return bool(quartet.parallelFifth() or quartet.parallelOctave() or quartet.parallelUnison())


def count_parallels(scores: NDArray[np.int16]) -> NDArray[np.int64]:
    """(N,) how many there are in scores (N, 5, 32), or (N, 7, 32) between all voices."""
    rows = (
        (SOPRANO_ROW, ALTO_ROW, TENOR_ROW, BASS_ROW) if in_four(scores) else (SOPRANO_ROW, BASS_ROW)
    )
    voices = {row: sounding(scores[:, row], LOWEST[row]) for row in rows}
    out = np.zeros(len(scores), np.int64)
    for above, below in combinations(rows, 2):
        s, b = voices[above], voices[below]
        both = (s[:, :-1] >= 0) & (s[:, 1:] >= 0) & (b[:, :-1] >= 0) & (b[:, 1:] >= 0)
        moving = both & (s[:, 1:] != s[:, :-1]) & (b[:, 1:] != b[:, :-1])
        for i, t in np.argwhere(moving):
            out[i] += is_parallel(
                (int(s[i, t]), int(s[i, t + 1])), (int(b[i, t]), int(b[i, t + 1]))
            )
    return out
