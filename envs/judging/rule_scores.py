"""Marks for what rules measure, and one number from many marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float, float, float]
"""Zero below, full from, full to, zero above; infinite where a rule has no such bound."""


def marks(
    measured: NDArray[np.float64], rules: Sequence[str], bounds: Mapping[str, Bounds]
) -> dict[str, NDArray[np.float64]]:
    """Each rule's marks in [0, 1], (N,) float64, linear between its bounds.

    Args:
        measured: (N, len(rules)): one measure a rule.
        rules: Names of the columns.
        bounds: Of each rule.
    """
    terms = {}
    for column, rule in enumerate(rules):
        zero_below, full_from, full_to, zero_above = bounds[rule]
        x = measured[:, column]
        up = np.ones_like(x)
        if np.isfinite(full_from):
            up = np.clip((x - zero_below) / (full_from - zero_below), 0, 1)
        if np.isfinite(full_to):
            up = np.minimum(up, np.clip((zero_above - x) / (zero_above - full_to), 0, 1))
        terms[rule] = up
    return terms


def softened_product(
    terms: Sequence[NDArray[np.float64]], floor: float, sharpness: float
) -> NDArray[np.float64]:
    """(N,) float64: (product of the terms, each at least ``floor``) ** (1 / ``sharpness``)."""
    logs = np.zeros(len(terms[0]))
    for term in terms:
        logs = logs + np.log(np.maximum(term, floor))
    result: NDArray[np.float64] = np.exp(logs / sharpness)
    return result
