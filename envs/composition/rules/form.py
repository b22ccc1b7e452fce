"""Form: the rules of counterpoint as terms in [0, 1], calibrated on Bach's chorales.

Every rule measures one number on a score; its term has full marks where most of Bach's works lie
(:mod:`move37.envs.composition.rules.calibration`). Form is the softened product of all terms, so
that excelling in one rule does not make up for failing in another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.rules.measures import measure_rules
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.rule_scores import rule_scores, softened_product

FLOOR = 0.005
"""Form is (product of the terms, each at least FLOOR) ** (1 / ``mode.sharpness``). With two voices
one failed rule multiplies it by 0.52, and half marks in one rule by 0.92; in four parts, with two
and a half times as many rules, the root is higher."""


def form_terms(scores: NDArray[np.int16], mode: Mode) -> dict[str, NDArray[np.float64]]:
    """Each rule's term in [0, 1], (N,) float64, for scores (N, ``mode.n_rows``, 32)."""
    return rule_scores(measure_rules(scores, mode), mode.rules, mode.calibration)


def form(terms: Mapping[str, NDArray[np.float64]], mode: Mode) -> NDArray[np.float64]:
    """(N,) float64 in [0, 1]: the product of the rules' terms, softened as FLOOR says."""
    return softened_product([terms[rule] for rule in mode.rules], FLOOR, mode.sharpness)


def form_quality(works: Works) -> Terms:
    """Rule-based quality: every rule's term as ``form/...``, ``form``, and ``quality`` = form."""
    mode = Mode.of(works)
    terms = form_terms(scores_of_works(works), mode)
    value = form(terms, mode)
    return {f"form/{key}": v for key, v in terms.items()} | {"form": value, "quality": value}
