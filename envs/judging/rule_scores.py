"""Scores for what rules measure, and one number from many scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms

Bounds = tuple[float, float, float, float]
"""Score 0 below, 1 from, 1 to, 0 above; infinite where a rule has no such bound."""


def rule_scores(
    measured: NDArray[np.float64], rules: Sequence[str], bounds: Mapping[str, Bounds]
) -> dict[str, NDArray[np.float64]]:
    """Score each rule between 0 and 1, (N,) float64, linearly between its bounds.

    Args:
        measured: (N, len(rules)): one measure per rule.
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


def rule_terms(scores: Mapping[str, NDArray[np.float64]], floor: float, sharpness: float) -> Terms:
    """Scores of rules as terms of quality: ``form/RULE``, ``form``, and ``quality`` = form.

    Form is their :func:`softened_product`.
    """
    form = softened_product(list(scores.values()), floor, sharpness)
    named = {f"form/{rule}": score for rule, score in scores.items()}
    return named | {"form": form, "quality": form}


def marks_line(rule: str, value: float, words: str, bounds: Bounds, marks: float) -> str:
    """What a rule measured, where it gives full marks, and the marks it gave."""
    _, low, high, _ = bounds
    full = f"{low:g} to {high:g}"
    if math.isinf(low) or math.isinf(high):
        full = f"at most {high:g}" if math.isinf(low) else f"at least {low:g}"
    return f"{rule}: {value:.3g} {words}, full marks for {full}: {marks:.2f}"


def reached(x: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """How far values (N,) reach a human level, (N,) float64 in [0, 1]; a level of 0 is reached."""
    return np.minimum(x / target, 1) if target > 0 else np.ones_like(x)
