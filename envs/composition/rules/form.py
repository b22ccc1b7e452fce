"""Form: the rules of counterpoint as terms in [0, 1], calibrated on Bach's chorales.

Every rule measures one number on a score; its term has full marks where most of Bach's works lie
(:mod:`move37.envs.composition.rules.calibration`). Form is the softened product of all terms, so
that excelling in one rule does not make up for failing in another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.caches import njit
from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import EIGHTHS, LOWEST
from move37.envs.composition.rules.chords import measure_chords
from move37.envs.composition.rules.counterpoint import measure_pair
from move37.envs.composition.rules.melody import measure_melody, read_voice
from move37.envs.composition.rules.names import CHORD_RULES, MELODIC, RULES
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.rule_scores import rule_scores, rule_terms

FLOOR = 0.005
"""Form is (product of the terms, each at least FLOOR) ** (1 / ``mode.sharpness``). With two voices
one failed rule multiplies it by 0.52, and half marks in one rule by 0.92; in four parts, with two
and a half times as many rules, the root is higher."""


def form_terms(scores: NDArray[np.int16], mode: Mode) -> dict[str, NDArray[np.float64]]:
    """Each rule's term in [0, 1], (N,) float64, for scores (N, ``mode.n_rows``, 32)."""
    return rule_scores(measure_rules(scores, mode), mode.rules, mode.calibration)


def form_quality(works: Works) -> Terms:
    """Rule-based quality: every rule's term as ``form/...``, ``form``, and ``quality`` = form."""
    mode = Mode.of(works)
    return rule_terms(form_terms(scores_of_works(works), mode), FLOOR, mode.sharpness)


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
    voices, places = len(rows), len(where) == len(scores)
    pitch, of = np.zeros((voices, EIGHTHS), np.int64), np.zeros((voices, EIGHTHS), np.int64)
    notes, counts = np.zeros((voices, EIGHTHS, 3), np.int64), np.zeros(voices, np.int64)
    melody, found = np.zeros(_PAIR), np.zeros((_PAIR, EIGHTHS), np.bool_)
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
            melody[:] = 0
            measure_melody(notes[v], counts[v], pitch[v], score, melody, found)
            for k in range(len(_COLUMNS)):
                row[begin + k] = melody[_COLUMNS[k]]
            if places:
                at[begin : begin + len(_COLUMNS)] = found[_COLUMNS]
                found[:] = False
            begin += len(_COLUMNS)
