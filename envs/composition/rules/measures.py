"""What the rules of a mode measure in scores, and where they found it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.modes import Mode
from move37.envs.composition.rules.chords import find_chords, measure_chords
from move37.envs.composition.rules.counterpoint import find, measure
from move37.envs.composition.rules.melody import find_voice, measure_voice


def measure_rules(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float64]:
    """What each rule measures, (N, len(mode.rules)) float64, in scores (N, ``mode.n_rows``, 32)."""
    check_rows(scores, mode)
    found = [measure(scores)]
    if mode.in_four:
        found.append(measure_chords(scores))
    found += [measure_voice(scores, row) for row in mode.upper]
    return np.concatenate(found, axis=1) if len(found) > 1 else found[0]


def find_rules(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.bool_]:
    """Where each rule found something, (N, len(mode.rules), 32); see :func:`measure_rules`."""
    check_rows(scores, mode)
    found = [find(scores)]
    if mode.in_four:
        found.append(find_chords(scores))
    found += [find_voice(scores, row) for row in mode.upper]
    return np.concatenate(found, axis=1)


def check_rows(scores: NDArray[np.int16], mode: Mode) -> None:
    """Refuse scores of another mode.

    Raises:
        ValueError: If they have not the rows of this one.
    """
    if scores.shape[1:] != (mode.n_rows, 32):
        raise ValueError(
            f"scores: expected shape (N, {mode.n_rows}, 32) in the world {mode.world}, "
            f"got {scores.shape}"
        )
