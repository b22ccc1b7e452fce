"""Scores of moves and briefs, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import check_moves
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    FERMATA_ROW,
    FIRST_NOTE,
    HOLD,
    KEY_ROW,
    MODE,
    N_MOVES,
    PAIR_ROWS,
    PHASE,
    PLACE_ROW,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    SOPRANO_ROW,
    TONIC,
    check_briefs,
    sounding,
)


def scores_of(
    moves: NDArray[np.integer], briefs: NDArray[np.integer], mode: Mode
) -> NDArray[np.int16]:
    """Scores (N, 5, 32) int16 of works; (N, 7, 32) in four parts.

    Args:
        moves: (N, T) moves of the written voices in turn, T up to ``mode.n_moves``; what is
            missing or -1 counts as HOLD.
        briefs: (N, 67), or (N, 0): empty.
        mode: In which they are written.

    Raises:
        ValueError: If there are other values than moves and briefs in them.
    """
    if moves.ndim != 2 or moves.shape[1] > mode.n_moves:
        raise ValueError(f"moves: expected shape (N, {mode.n_moves} at most), got {moves.shape}")
    check_moves("moves", moves, N_MOVES)
    n = len(moves)
    if len(briefs) != n:
        raise ValueError(f"briefs: expected {n}, got {len(briefs)}")
    out = np.zeros((n, mode.n_rows, EIGHTHS), np.int16)
    _write_briefs(briefs, out)
    for turn, row in enumerate(mode.written):
        codes = moves[:, turn :: mode.voices]
        out[:, row, : codes.shape[1]] = np.maximum(codes, HOLD)
    return out


def _write_briefs(briefs: NDArray[np.integer], out: NDArray[np.int16]) -> None:
    """Write what briefs (N, 67) or (N, 0) give into scores (N, 5 or more, 32)."""
    check_briefs(briefs)
    if briefs.shape[1] == 0:
        out[:, PLACE_ROW] = np.arange(EIGHTHS) % 8
        return
    given = np.where(briefs[:, :1] >= 0, briefs, 0)
    out[:, SOPRANO_ROW] = given[:, SOPRANO:FERMATA]
    out[:, FERMATA_ROW] = given[:, FERMATA:]
    out[:, PLACE_ROW] = (given[:, PHASE, None] + np.arange(EIGHTHS)) % 8
    out[:, KEY_ROW, 0], out[:, KEY_ROW, 1] = given[:, MODE], given[:, TONIC]


def moves_and_briefs(
    scores: NDArray[np.integer], mode: Mode
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The moves (N, ``mode.n_moves``) and briefs (N, 67) of scores (N, ``mode.n_rows``, 32).

    Where the soprano is written it is in the moves, and the briefs have HOLD in its place.
    """
    briefs = np.zeros((len(scores), BRIEF), np.int16)
    briefs[:, MODE], briefs[:, TONIC] = scores[:, KEY_ROW, 0], scores[:, KEY_ROW, 1]
    briefs[:, PHASE] = scores[:, PLACE_ROW, 0]
    if mode.soprano_is_given:
        briefs[:, SOPRANO:FERMATA] = scores[:, SOPRANO_ROW]
    briefs[:, FERMATA:] = scores[:, FERMATA_ROW]
    voices = scores[:, mode.written].transpose(0, 2, 1)
    return voices.reshape(len(scores), mode.n_moves).astype(np.int16), briefs


def silence_ahead(scores: NDArray[np.int16], made: NDArray[np.integer], mode: Mode) -> None:
    """Let written voices be silent from where they are not written yet, in place.

    Args:
        scores: (N, ``mode.n_rows``, 32), HOLD from there on.
        made: (N,) how many moves of each work were made.
        mode: In which they are written.
    """
    for turn, row in enumerate(mode.written):
        begun = (made + mode.voices - 1 - turn) // mode.voices
        unfinished = np.flatnonzero(begun < EIGHTHS)
        scores[unfinished, row, begun[unfinished]] = REST


def steps_of(briefs: NDArray[np.integer], voices: int = 1) -> NDArray[np.int64]:
    """What briefs say of each move of the works that answer them.

    Args:
        briefs: (N, 67), or (N, 0): nothing is known.
        voices: How many voices take turns in each eighth.

    Returns:
        (N, 32 * voices, 6) from 0 on: the sounding soprano (0 for silence, else MIDI - 55), whether
        it is struck, fermata, place in the bar, mode of the key, and whose turn it is.
    """
    scores = np.zeros((len(briefs), PAIR_ROWS, EIGHTHS), np.int16)
    _write_briefs(briefs, scores)
    codes = scores[:, SOPRANO_ROW]
    out = np.zeros((len(briefs), EIGHTHS, voices, 6), np.int64)
    out[..., 0] = np.maximum(sounding(codes, SOPRANO_LOW) - SOPRANO_LOW + 1, 0)[..., None]
    out[..., 1] = (codes >= FIRST_NOTE)[..., None]
    out[..., 2] = scores[:, FERMATA_ROW, :, None]
    out[..., 3] = scores[:, PLACE_ROW, :, None]
    out[..., 4] = scores[:, KEY_ROW, :1, None]
    out[..., 5] = np.arange(voices)
    return out.reshape(len(briefs), EIGHTHS * voices, 6)
