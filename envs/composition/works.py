"""Scores and piano rolls of works, whether they are moves or images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.score.roll import read_rolls, rolls_of
from move37.envs.composition.scores import scores_of


def scores_of_works(works: Works) -> NDArray[np.int16]:
    """Scores (N, 5, 32) of works, in four parts (N, 7, 32).

    Raises:
        ValueError: If works are no compositions.
    """
    mode = Mode.of(works)
    if works.images is None:
        return scores_of(works.moves, works.briefs, mode)
    scores = read_rolls(works.images)
    if scores.shape[1] != mode.n_rows:
        raise ValueError(f"images: {works.images.shape[1:]} is no roll of the world {works.world}")
    return scores


def pictures_of(works: Works) -> NDArray[np.uint8]:
    """Piano rolls (N, 64, 64) uint8 in {0, 1} of works, briefs included; in four (N, 128, 64)."""
    return rolls_of(scores_of_works(works)) if works.images is None else works.images
