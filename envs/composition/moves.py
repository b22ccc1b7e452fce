"""The language of the composition world: what a move, a brief and a score are.

Time is counted in eighths, 32 of them to a work. A move says what one voice does in one eighth:
HOLD (keep the note or the rest), REST, or start a note. In the bass, moves 2 to 30 are MIDI 36 to
64; every other voice has a compass of the same size, see LOWEST. Which voices are written, and in
which turn, is said by a :class:`move37.envs.composition.modes.Mode`.

A brief is the given soprano with what is known about it, (67,) int16: the mode of its key (0 major,
1 minor), the place in the bar of the first eighth (0 to 7), the tonic of the original (pitch class
0 to 11; every work is written in C, and transposed back by :func:`shift_of` when shown), then 32
soprano codes (HOLD, REST, or MIDI 56 to 84 as 2 to 30), then 32 flags: 1 where a note with a
fermata sounds. A row of -1 is an empty brief.

A score is (5, 32) int16: the codes of soprano and bass, the place in the bar, the fermata flags,
and the key (its mode in the first, its tonic in the second place). In four parts it is (7, 32):
alto and tenor follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD

EIGHTHS = 32
HOLD = 0
REST = 1
FIRST_NOTE = 2
LOW, HIGH = 36, 64
"""The compass of the bass, MIDI numbers C2 to E4."""
N_MOVES = FIRST_NOTE + HIGH - LOW + 1
SOPRANO_LOW, SOPRANO_HIGH = 56, 84
"""The compass of the soprano, MIDI numbers G sharp 3 to C6."""
N_SOPRANO = FIRST_NOTE + SOPRANO_HIGH - SOPRANO_LOW + 1
ALTO_LOW, TENOR_LOW = 50, 45
"""The lowest notes of the inner voices, MIDI numbers D3 and A2."""

# All voices have equally many codes, so that one space of actions holds them.
assert N_SOPRANO == N_MOVES

MODE, PHASE, TONIC, SOPRANO = 0, 1, 2, 3
"""Places in a brief; the soprano takes 32 of them."""
FERMATA = SOPRANO + EIGHTHS
BRIEF = FERMATA + EIGHTHS
"""Length of a brief."""

SOPRANO_ROW, BASS_ROW, PLACE_ROW, FERMATA_ROW, KEY_ROW, ALTO_ROW, TENOR_ROW = range(7)
"""Rows of a score; only scores in four parts have the last two."""
PAIR_ROWS, FOUR_ROWS = 5, 7
"""How many rows scores of two voices and of four have."""
LOWEST = {SOPRANO_ROW: SOPRANO_LOW, ALTO_ROW: ALTO_LOW, TENOR_ROW: TENOR_LOW, BASS_ROW: LOW}
"""The MIDI number of code 2 in each voice, from the top."""


def shift_of(tonic: int) -> int:
    """Semitones, -5 to 6, from a work as it is written (tonic C) to how it is shown."""
    return (tonic + 5) % 12 - 5


def in_four(scores: NDArray[np.integer]) -> bool:
    """Whether scores (N, 5, 32) or (N, 7, 32) have an alto and a tenor."""
    return bool(scores.shape[1] == FOUR_ROWS)


def check_briefs(briefs: NDArray[np.integer]) -> None:
    """Refuse what is no brief; see :func:`move37.envs.base.works.check_moves`.

    Args:
        briefs: (N, 67), or (N, 0): none.

    Raises:
        ValueError: If a value or the shape is wrong.
    """
    if briefs.ndim != 2 or briefs.shape[1] not in (BRIEF, 0):
        raise ValueError(f"briefs: expected shape (N, {BRIEF}), got {briefs.shape}")
    if not briefs.size:
        return
    for what, values, high in (
        ("the mode", briefs[:, MODE], 1),
        ("the place in the bar", briefs[:, PHASE], 7),
        ("the tonic", briefs[:, TONIC], 11),
        ("a soprano code", briefs[:, SOPRANO:FERMATA], N_SOPRANO - 1),
        ("a fermata flag", briefs[:, FERMATA:], 1),
    ):
        if ((values < PAD) | (values > high)).any():
            bad = values[(values < PAD) | (values > high)][0]
            raise ValueError(f"briefs: {what} must be 0 to {high}, got {bad}")


def sounding(codes: NDArray[np.integer], low: int) -> NDArray[np.int64]:
    """MIDI numbers (N, 32) that sound in each eighth, -1 for silence, of codes (N, 32).

    Args:
        codes: HOLD, REST or notes; whatever is below 0 counts as HOLD.
        low: The MIDI number of the lowest note, code 2.
    """
    out = np.full(codes.shape, -1, np.int64)
    now = np.full(len(codes), -1, np.int64)
    for t in range(codes.shape[1]):
        code = codes[:, t].astype(np.int64)
        now = np.where(code == REST, -1, np.where(code >= FIRST_NOTE, code - FIRST_NOTE + low, now))
        out[:, t] = now
    return out
