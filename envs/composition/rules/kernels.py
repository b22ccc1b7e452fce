"""Runs the compiled rules over scores: what they measure, and where they found it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import EIGHTHS

Kernel = Callable[[NDArray[np.int16], NDArray[np.float64], NDArray[np.uint8]], None]
"""Compiled rules: they read scores (N, R, 32), add to ``out`` (N, K), and mark the eighths at which
they found something in ``where``, (N, K, 32), or (1, K, 32) where nobody wants to know."""


def run_kernel(kernel: Kernel, scores: NDArray[np.int16], n_rules: int) -> NDArray[np.float64]:
    """What K rules measure in scores (N, R, 32): (N, K) float64."""
    out = np.zeros((len(scores), n_rules))
    kernel(np.ascontiguousarray(scores, np.int16), out, np.zeros((1, n_rules, EIGHTHS), np.uint8))
    return out


def run_kernel_where(kernel: Kernel, scores: NDArray[np.int16], n_rules: int) -> NDArray[np.bool_]:
    """Where K rules found something in scores (N, R, 32): (N, K, 32) bool."""
    where = np.zeros((max(len(scores), 1), n_rules, EIGHTHS), np.uint8)
    kernel(np.ascontiguousarray(scores, np.int16), np.zeros((len(scores), n_rules)), where)
    found: NDArray[np.bool_] = where[: len(scores)] > 0
    return found
