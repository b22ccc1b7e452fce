"""Progress features: what each rule and the descriptor find in a work so far.

What a work will be worth depends on all of it, and its last eight moves do not tell: without these
features a value function cannot know that a work is already spoilt, or already new.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.composition.judging.descriptor import features, n_features
from move37.envs.composition.modes import Mode
from move37.envs.composition.rules.form import measure_rules

MOST = 4.0
"""Largest absolute value of a progress feature."""


def n_progress(mode: Mode) -> int:
    """How many progress features a work of a mode has."""
    return len(mode.rules) + n_features(mode)


@cache
def units(mode: Mode) -> NDArray[np.float64]:
    """(R,) float64: for each rule, the largest finite number of its bounds, at least 1."""
    return np.array([max(1.0, *filter(np.isfinite, b)) for b in mode.calibration.values()])


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


def progress_features(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float32]:
    """The progress features of scores, (N, :func:`n_progress`) float32 in [-4, 4].

    First what the rules measure, in units of the largest number of their bounds, then the raw
    features of the descriptor: 35 and 151 for a bass, 56 and 302 for soprano and bass, 87 and 453
    in four parts.

    Args:
        scores: (N, ``mode.n_rows``, 32); eighths to come are rests.
        mode: In which they are written.
    """
    out = np.zeros((len(scores), n_progress(mode)), np.float32)
    _join(measure_rules(scores, mode), features(scores, mode), units(mode), out)
    return out
