"""Boards for drawing named things: those of free drawing, with the exemplar beside."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.simulator import PooledSimulator
from move37.envs.drawing.concept_world.briefs import (
    WIDTH,
    check_briefs,
    exemplar_ink,
    parse_concept_brief,
)
from move37.envs.drawing.concept_world.human import load_human
from move37.envs.drawing.designers.concepts import Concepts
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.moves import POINTS

WORLD = "drawing-concepts"


@cache
def concept_numbers() -> dict[str, int]:
    """Numbers of the concepts of Move37's list by their names."""
    return {name: i for i, name in enumerate(Concepts.read().names)}


class ConceptSimulator(PooledSimulator, DrawingSimulator):
    """N boards to draw named things on.

    Args:
        n: How many.
        pool: (M, 98) int16: briefs to draw from; None: those that learners practise on.
        seed: Of their order.
        group: How often a brief is dealt before the next.

    Attributes:
        observations: As in :class:`.env.ConceptEnv`, each (N, ...).
    """

    brief_width = WIDTH
    world = WORLD

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        self._exemplar = np.zeros((n, POINTS), np.uint8)
        super().__init__(n, pool, seed, group)
        self._observed["exemplar"] = self._exemplar

    def default_pool(self) -> NDArray[np.int16]:
        """Briefs (M, 98) of the concepts that learners practise."""
        return load_human().practice_briefs

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        boxes = dict(super().observation_space().spaces)
        return spaces.Dict({**boxes, "exemplar": spaces.Box(0, 1, (POINTS,), np.uint8)})

    def _check_briefs(self, briefs: NDArray[np.int16]) -> None:
        check_briefs(briefs, len(concept_numbers()))

    @classmethod
    def parse_brief(cls, brief: Any) -> NDArray[np.int16]:
        """See :func:`.briefs.parse_concept_brief`."""
        return parse_concept_brief(brief, concept_numbers())

    def _begin(self, rows: NDArray[np.int64]) -> None:
        super()._begin(rows)
        self._exemplar[rows] = exemplar_ink(self.briefs[rows])
