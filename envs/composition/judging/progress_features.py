"""An account of the bass so far: what each rule and the descriptor find in it.

What a work will be worth depends on all of it, and the last eight moves do not tell: without this a
value function cannot know that the work is already spoilt, or already new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.composition.judging.descriptor import N_FEATURES, features_into
from move37.envs.composition.moves import SOPRANO_ROW, in_four
from move37.envs.composition.rules.chords import measure_four
from move37.envs.composition.rules.counterpoint import measure_into, measure_voice
from move37.envs.composition.rules.form import CALIBRATION, FOUR_CALIBRATION, SOPRANO_CALIBRATION
from move37.envs.composition.rules.names import FOUR_RULES, RULES, SOPRANO_RULES

N_ACCOUNT = len(RULES) + N_FEATURES
N_PAIR_ACCOUNT = len(RULES) + len(SOPRANO_RULES) + 2 * N_FEATURES
N_FOUR_ACCOUNT = len(RULES) + len(FOUR_RULES) + 3 * N_FEATURES
MOST = 4.0
"""Largest absolute value in an account."""


def _units(calibration: Mapping[str, Sequence[float]]) -> NDArray[np.float64]:
    """For each rule, the largest finite number of its calibration, at least 1; float64."""
    return np.array([max(1.0, *filter(np.isfinite, bounds)) for bounds in calibration.values()])


UNITS = _units({rule: CALIBRATION[rule] for rule in RULES})
PAIR_UNITS = _units(
    {rule: (CALIBRATION | SOPRANO_CALIBRATION)[rule] for rule in (*RULES, *SOPRANO_RULES)}
)
FOUR_UNITS = _units(
    {rule: (CALIBRATION | FOUR_CALIBRATION)[rule] for rule in (*RULES, *FOUR_RULES)}
)


@njit(cache=True, nogil=True)
def _join(
    rules: NDArray[np.float64], features: NDArray[np.float64], units: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:  # fmt: skip
    n = rules.shape[1]
    for i in range(out.shape[0]):
        for j in range(n):
            out[i, j] = min(max(rules[i, j] / units[j], -MOST), MOST)
        for j in range(features.shape[1]):
            out[i, n + j] = min(max(features[i, j], -MOST), MOST)


def account_of(
    scores: NDArray[np.int16], out: NDArray[np.float32] | None = None, both: bool = False
) -> NDArray[np.float32]:
    """The account of scores (N, 5, 32), (N, 186) float32 in [-4, 4]; of both voices (N, 358).

    First the 35 rules' measures, in units of the largest number of their calibration, then the 151
    raw features of the descriptor. Of both voices: the 35 and 21 rules, then 302 features. In four
    parts, of scores (N, 7, 32), it is (N, 540): the 35 and 52 rules, then 453 features.

    Args:
        scores: C-contiguous int16; eighths to come are rests.
        out: Where to write it.
        both: Whether the soprano is written too.
    """
    n, four = len(scores), in_four(scores)
    if out is None:
        size = N_FOUR_ACCOUNT if four else N_PAIR_ACCOUNT if both else N_ACCOUNT
        out = np.zeros((n, size), np.float32)
    voices = 3 if four else 1 + both
    rules, found = np.zeros((n, len(RULES))), np.zeros((n, voices * N_FEATURES))
    measure_into(scores, rules)
    features_into(scores, found)
    if four:
        _join(np.concatenate([rules, measure_four(scores)], axis=1), found, FOUR_UNITS, out)
    elif both:
        measured = measure_voice(scores, SOPRANO_ROW)
        _join(np.concatenate([rules, measured], axis=1), found, PAIR_UNITS, out)
    else:
        _join(rules, found, UNITS, out)
    return out
