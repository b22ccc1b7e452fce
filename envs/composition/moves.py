"""The language of the composition world: what a move, a brief and a score are.

Time goes in eighths, 32 of them to a work. A move says what the bass does in the next eighth: HOLD
(go on with the note or the rest), REST, or start a note, MIDI 36 to 64 as moves 2 to 30.

A brief is the given soprano with what is known about it, (67,) int16: mode (0 major, 1 minor), the
place in the bar of the first eighth (0 to 7), the tonic of the original (pitch class 0 to 11; every
work is written as if it were C, and shifted back by :func:`shift_of` when shown), then 32 soprano
codes (HOLD, REST, MIDI 56 to 84 as 2 to 30), then 32 flags: 1 where a note with a fermata sounds.
A row of -1 is an empty brief.

In the free mode nothing is given but the frame: the soprano of a brief is 32 times HOLD, and a work
has 64 moves, for each eighth one of the soprano and then one of the bass, coded alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..works import PAD

EIGHTHS = 32
HOLD = 0
REST = 1
FIRST_NOTE = 2
LOW, HIGH = 36, 64
"""The compass of the bass, MIDI numbers C2 to E4."""
N_MOVES = FIRST_NOTE + HIGH - LOW + 1
MAX_MOVES = EIGHTHS
FREE_MOVES = 2 * EIGHTHS
SOPRANO_LOW, SOPRANO_HIGH = 56, 84
"""The compass of the given soprano, MIDI numbers G sharp 3 to C6."""
N_SOPRANO = FIRST_NOTE + SOPRANO_HIGH - SOPRANO_LOW + 1

MODE, PHASE, TONIC, SOPRANO = 0, 1, 2, 3
"""Where things stand in a brief; the soprano takes 32 places."""
FERMATA = SOPRANO + EIGHTHS
BRIEF = FERMATA + EIGHTHS
"""Length of a brief."""

SOPRANO_ROW, BASS_ROW, PLACE_ROW, FERMATA_ROW, KEY_ROW = range(5)
"""Rows of a score: codes of the two voices, place in the bar, fermatas; mode and tonic."""


def shift_of(tonic: int) -> int:
    """Semitones, -5 to 6, from a work as it is written (tonic C) to how it is shown."""
    return (tonic + 5) % 12 - 5


def check(moves: NDArray[np.integer], briefs: NDArray[np.integer]) -> None:
    """Compiled code writes where a code points to, without looking.

    Args:
        moves: (N, T <= 32), or (N, 64) in the free mode.
        briefs: (N, 67), or (N, 0): none.

    Raises:
        ValueError: If there is anything else in them than what this module says.
    """
    if moves.ndim != 2 or not (moves.shape[1] <= EIGHTHS or moves.shape[1] == FREE_MOVES):
        raise ValueError(f"moves: expected shape (N, {EIGHTHS} at most), got {moves.shape}")
    if moves.size and not (moves.min() >= PAD and moves.max() < N_MOVES):
        bad = moves[(moves < PAD) | (moves >= N_MOVES)][0]
        raise ValueError(f"moves: {bad} is no move; moves are 0 to {N_MOVES - 1}")
    if briefs.shape not in ((len(moves), BRIEF), (len(moves), 0)):
        raise ValueError(f"briefs: expected shape ({len(moves)}, {BRIEF}), got {briefs.shape}")
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


def scores_of(moves: NDArray[np.integer], briefs: NDArray[np.integer]) -> NDArray[np.int16]:
    """Scores (N, 5, 32) int16 of basses (N, T <= 32) that answer briefs (N, 67).

    Moves (N, 64) are those of both voices: see :func:`writes_both`.

    The rows are the soprano's codes, the bass's codes, the place in the bar, fermata flags, and
    the key: the mode in its first, the tonic in its second place.

    Raises:
        ValueError: If there is anything else than moves and briefs in them.
    """
    check(moves, briefs)
    n = len(moves)
    out = np.zeros((n, 5, EIGHTHS), np.int16)
    briefs = np.asarray(briefs, np.int16)
    if briefs.shape[1] == BRIEF:
        given = np.where(briefs[:, :1] >= 0, briefs, 0)
        out[:, SOPRANO_ROW] = given[:, SOPRANO:FERMATA]
        out[:, FERMATA_ROW] = given[:, FERMATA:]
        out[:, PLACE_ROW] = (given[:, PHASE, None] + np.arange(EIGHTHS)) % 8
        out[:, KEY_ROW, 0], out[:, KEY_ROW, 1] = given[:, MODE], given[:, TONIC]
    else:
        out[:, PLACE_ROW] = np.arange(EIGHTHS) % 8
    if writes_both(moves):
        out[:, SOPRANO_ROW] = np.maximum(moves[:, ::2], HOLD)
        moves = moves[:, 1::2]
    out[:, BASS_ROW, : moves.shape[1]] = np.maximum(moves, HOLD)
    return out


def writes_both(moves: NDArray[np.integer]) -> bool:
    """Whether moves (N, T) are those of both voices in turn, the soprano's first."""
    return bool(moves.shape[1] == FREE_MOVES)


def silence_ahead(scores: NDArray[np.int16], made: NDArray[np.integer], both: bool = False) -> None:
    """Let voices be silent from what is not written yet, in place.

    Args:
        scores: (N, 5, 32), HOLD from there on.
        made: (N,) how many moves of each were made.
        both: Whether they were both voices' in turn.
    """
    voices = (SOPRANO_ROW, BASS_ROW) if both else (BASS_ROW,)
    for k, row in enumerate(voices):
        begun = (made + len(voices) - 1 - k) // len(voices)
        open_ = np.flatnonzero(begun < EIGHTHS)
        scores[open_, row, begun[open_]] = REST


def moves_and_briefs(
    scores: NDArray[np.integer], both: bool = False
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The moves (N, 32) and briefs (N, 67) of scores (N, 5, 32); moves (N, 64) of both voices."""
    briefs = np.zeros((len(scores), BRIEF), np.int16)
    briefs[:, MODE], briefs[:, TONIC] = scores[:, KEY_ROW, 0], scores[:, KEY_ROW, 1]
    briefs[:, PHASE] = scores[:, PLACE_ROW, 0]
    briefs[:, SOPRANO:FERMATA] = scores[:, SOPRANO_ROW]
    briefs[:, FERMATA:] = scores[:, FERMATA_ROW]
    if both:
        briefs[:, SOPRANO:FERMATA] = HOLD
        voices = scores[:, [SOPRANO_ROW, BASS_ROW]].transpose(0, 2, 1)
        return voices.reshape(len(scores), FREE_MOVES).astype(np.int16), briefs
    return scores[:, BASS_ROW].astype(np.int16), briefs
