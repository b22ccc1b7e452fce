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

In four parts the soprano is given, and a work has 96 moves, for each eighth one of the bass, one of
the tenor (MIDI 45 to 73) and one of the alto (50 to 78).
"""

from __future__ import annotations

from collections.abc import Sequence

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
MAX_MOVES = EIGHTHS
FREE_MOVES = 2 * EIGHTHS
FOUR_MOVES = 3 * EIGHTHS
SOPRANO_LOW, SOPRANO_HIGH = 56, 84
"""The compass of the given soprano, MIDI numbers G sharp 3 to C6."""
N_SOPRANO = FIRST_NOTE + SOPRANO_HIGH - SOPRANO_LOW + 1
ALTO_LOW, TENOR_LOW = 50, 45
"""The lowest notes of the inner voices, MIDI numbers D3 and A2; they have as many as the bass."""

MODE, PHASE, TONIC, SOPRANO = 0, 1, 2, 3
"""Where things stand in a brief; the soprano takes 32 places."""
FERMATA = SOPRANO + EIGHTHS
BRIEF = FERMATA + EIGHTHS
"""Length of a brief."""

SOPRANO_ROW, BASS_ROW, PLACE_ROW, FERMATA_ROW, KEY_ROW, ALTO_ROW, TENOR_ROW = range(7)
"""Rows of a score: codes of the two voices, place in the bar, fermatas; mode and tonic.

In four parts there are two more, the codes of alto and tenor.
"""
PAIR_ROWS, FOUR_ROWS = 5, 7
LOWEST = {SOPRANO_ROW: SOPRANO_LOW, ALTO_ROW: ALTO_LOW, TENOR_ROW: TENOR_LOW, BASS_ROW: LOW}
"""The MIDI number of code 2 in each voice, from the top."""
WRITTEN = {
    MAX_MOVES: (BASS_ROW,),
    FREE_MOVES: (SOPRANO_ROW, BASS_ROW),
    FOUR_MOVES: (BASS_ROW, TENOR_ROW, ALTO_ROW),
}
"""By the number of moves: the rows that are written, in turn in each eighth."""


def shift_of(tonic: int) -> int:
    """Semitones, -5 to 6, from a work as it is written (tonic C) to how it is shown."""
    return (tonic + 5) % 12 - 5


def check(moves: NDArray[np.integer], briefs: NDArray[np.integer]) -> None:
    """Compiled code writes where a code points to, without looking.

    Args:
        moves: (N, T <= 32), or (N, 64) in the free mode, (N, 96) in four parts.
        briefs: (N, 67), or (N, 0): none.

    Raises:
        ValueError: If there is anything else in them than what this module says.
    """
    if moves.ndim != 2 or not (moves.shape[1] <= EIGHTHS or moves.shape[1] in WRITTEN):
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

    Moves (N, 64) are those of both voices: see :func:`writes_both`. Moves (N, 96) are those of
    bass, tenor and alto, and the scores are (N, 7, 32).

    The rows are the soprano's codes, the bass's codes, the place in the bar, fermata flags, and
    the key: the mode in its first, the tonic in its second place; then alto and tenor.

    Raises:
        ValueError: If there is anything else than moves and briefs in them.
    """
    check(moves, briefs)
    n = len(moves)
    rows = rows_written(moves)
    out = np.zeros((n, FOUR_ROWS if ALTO_ROW in rows else PAIR_ROWS, EIGHTHS), np.int16)
    briefs = np.asarray(briefs, np.int16)
    if briefs.shape[1] == BRIEF:
        given = np.where(briefs[:, :1] >= 0, briefs, 0)
        out[:, SOPRANO_ROW] = given[:, SOPRANO:FERMATA]
        out[:, FERMATA_ROW] = given[:, FERMATA:]
        out[:, PLACE_ROW] = (given[:, PHASE, None] + np.arange(EIGHTHS)) % 8
        out[:, KEY_ROW, 0], out[:, KEY_ROW, 1] = given[:, MODE], given[:, TONIC]
    else:
        out[:, PLACE_ROW] = np.arange(EIGHTHS) % 8
    for turn, row in enumerate(rows):
        codes = moves[:, turn :: len(rows)]
        out[:, row, : codes.shape[1]] = np.maximum(codes, HOLD)
    return out


def rows_written(moves: NDArray[np.integer]) -> tuple[int, ...]:
    """The rows of a score that moves (N, T) write, in turn in each eighth."""
    return WRITTEN.get(moves.shape[1], WRITTEN[MAX_MOVES])


def steps_of(briefs: NDArray[np.integer], voices: int = 1) -> NDArray[np.int64]:
    """What briefs say of each move of the works that answer them.

    Args:
        briefs: (N, 67), or (N, 0): nothing is known.
        voices: How many voices take turns in each eighth.

    Returns:
        (N, 32 * voices, 6) from 0 on: the sounding soprano (0 for silence, else MIDI - 55), whether
        it is struck, fermata, place in the bar, mode, and whose turn it is.
    """
    scores = scores_of(np.zeros((len(briefs), 0), np.int16), briefs)
    codes = scores[:, SOPRANO_ROW]
    out = np.zeros((len(briefs), EIGHTHS, voices, 6), np.int64)
    out[..., 0] = np.maximum(sounding(codes, SOPRANO_LOW) - SOPRANO_LOW + 1, 0)[..., None]
    out[..., 1] = (codes >= FIRST_NOTE)[..., None]
    out[..., 2] = scores[:, FERMATA_ROW, :, None]
    out[..., 3] = scores[:, PLACE_ROW, :, None]
    out[..., 4] = scores[:, KEY_ROW, :1, None]
    out[..., 5] = np.arange(voices)
    return out.reshape(len(briefs), EIGHTHS * voices, 6)


def in_four(scores: NDArray[np.integer]) -> bool:
    """Whether scores (N, 5, 32) or (N, 7, 32) have an alto and a tenor."""
    return bool(scores.shape[1] == FOUR_ROWS)


def writes_both(moves: NDArray[np.integer]) -> bool:
    """Whether moves (N, T) are those of both voices in turn, the soprano's first."""
    return bool(moves.shape[1] == FREE_MOVES)


def silence_ahead(
    scores: NDArray[np.int16], made: NDArray[np.integer], rows: Sequence[int]
) -> None:
    """Let voices be silent from what is not written yet, in place.

    Args:
        scores: (N, 5, 32) or (N, 7, 32), HOLD from there on.
        made: (N,) how many moves of each were made.
        rows: The rows that are written, as :func:`rows_written` says.
    """
    for turn, row in enumerate(rows):
        begun = (made + len(rows) - 1 - turn) // len(rows)
        open_ = np.flatnonzero(begun < EIGHTHS)
        scores[open_, row, begun[open_]] = REST


def moves_and_briefs(
    scores: NDArray[np.integer], both: bool = False
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The moves and briefs (N, 67) of scores.

    Args:
        scores: (N, 5, 32), or (N, 7, 32) in four parts.
        both: Whether the soprano is written too; not in four parts.

    Returns:
        Moves (N, 32), (N, 64) of both voices, or (N, 96) in four parts; and briefs (N, 67).
    """
    briefs = np.zeros((len(scores), BRIEF), np.int16)
    briefs[:, MODE], briefs[:, TONIC] = scores[:, KEY_ROW, 0], scores[:, KEY_ROW, 1]
    briefs[:, PHASE] = scores[:, PLACE_ROW, 0]
    briefs[:, SOPRANO:FERMATA] = HOLD if both else scores[:, SOPRANO_ROW]
    briefs[:, FERMATA:] = scores[:, FERMATA_ROW]
    rows = WRITTEN[FOUR_MOVES if in_four(scores) else FREE_MOVES if both else MAX_MOVES]
    voices = scores[:, rows].transpose(0, 2, 1)
    return voices.reshape(len(scores), len(rows) * EIGHTHS).astype(np.int16), briefs
