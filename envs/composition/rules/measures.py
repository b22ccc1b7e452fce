"""What the rules of a mode measure in scores, and where they found it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import EIGHTHS, LOWEST
from move37.envs.composition.rules.chords import measure_chords
from move37.envs.composition.rules.counterpoint import measure_pair
from move37.envs.composition.rules.melody import measure_melody, read_voice
from move37.envs.composition.rules.names import CHORD_RULES, MELODIC, RULES

_COLUMNS = np.array(MELODIC)
_PAIR, _CHORDS = len(RULES), len(CHORD_RULES)


def measure_rules(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float64]:
    """What each rule measures, (N, len(mode.rules)) float64, in scores (N, ``mode.n_rows``, 32)."""
    # Where something was found is written, for all scores alike, to where nobody looks.
    return _run(scores, mode, 1)[0]


def find_rules(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.bool_]:
    """Where each rule found something, (N, len(mode.rules), 32); see :func:`measure_rules`."""
    return _run(scores, mode, len(scores))[1]


def _run(
    scores: NDArray[np.int16], mode: Mode, places: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if scores.shape[1:] != (mode.n_rows, EIGHTHS):
        raise ValueError(
            f"scores: expected shape (N, {mode.n_rows}, 32) in the world {mode.world}, "
            f"got {scores.shape}"
        )
    rows = [row for row in LOWEST if row < mode.n_rows]
    lows, alone = [LOWEST[row] for row in rows], [rows.index(row) for row in mode.upper]
    out = np.zeros((len(scores), len(mode.rules)))
    where = np.zeros((places, len(mode.rules), EIGHTHS), np.bool_)
    _measure(
        np.ascontiguousarray(scores, np.int16), np.array(rows), np.array(lows),
        np.array(alone, np.int64), mode.in_four, out, where,
    )  # fmt: skip
    return out, where


@njit(cache=True, nogil=True)
def _measure(
    scores: NDArray[np.int16], rows: NDArray[np.int64], lows: NDArray[np.int64],
    alone: NDArray[np.int64], in_four: bool, out: NDArray[np.float64], where: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Measure scores by the rules of two voices, of four, and of each voice ``alone``."""
    voices = len(rows)
    pitch, of = np.zeros((voices, EIGHTHS), np.int64), np.zeros((voices, EIGHTHS), np.int64)
    notes, counts = np.zeros((voices, EIGHTHS, 3), np.int64), np.zeros(voices, np.int64)
    for n in range(len(scores)):
        score, row, at = scores[n], out[n], where[min(n, len(where) - 1)]
        for v in range(voices):
            counts[v] = read_voice(score[rows[v]], lows[v], pitch[v], of[v], notes[v])
        measure_pair(pitch, of, notes, counts, score, row, at)
        begin = _PAIR
        if in_four:
            measure_chords(pitch, of, notes, counts, score, row[begin:], at[begin:])
            begin += _CHORDS
        for v in alone:
            melody, found = np.zeros(_PAIR), np.zeros((_PAIR, EIGHTHS), np.bool_)
            measure_melody(notes[v], counts[v], pitch[v], score, melody, found)
            for k in range(len(_COLUMNS)):
                row[begin + k], at[begin + k] = melody[_COLUMNS[k]], found[_COLUMNS[k]]
            begin += len(_COLUMNS)
