"""An account of the bass so far: what each rule and the descriptor find in it.

What a work will be worth depends on all of it, and the last eight moves do not tell: without this a
value function cannot know that the work is already spoilt, or already new.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .counterpoint import measure_into
from .descriptor import N_FEATURES, features_into
from .form import CALIBRATION
from .rules import RULES

N_ACCOUNT = len(RULES) + N_FEATURES
MOST = 4.0
"""Largest absolute value in an account."""


def _units() -> NDArray[np.float64]:
    """(35,) float64: for each rule, the largest finite number of its calibration, at least 1."""
    return np.array([max(1.0, *(x for x in CALIBRATION[rule] if np.isfinite(x))) for rule in RULES])


UNITS = _units()


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
    scores: NDArray[np.int16], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The account of scores (N, 5, 32), (N, 186) float32 in [-4, 4].

    First the 35 rules' measures, in units of the largest number of their calibration, then the 151
    raw features of the descriptor.

    Args:
        scores: C-contiguous int16; eighths to come are rests.
        out: Where to write it.
    """
    n = len(scores)
    out = np.zeros((n, N_ACCOUNT), np.float32) if out is None else out
    rules, found = np.zeros((n, len(RULES))), np.zeros((n, N_FEATURES))
    measure_into(scores, rules)
    features_into(scores, found)
    _join(rules, found, UNITS, out)
    return out
