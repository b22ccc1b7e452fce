"""Mode collapse of compositions: lines that go where the lines of all own works go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.judging.descriptor import N_CONTOUR, N_FEATURES, features
from move37.envs.composition.modes import Mode
from move37.envs.composition.works import scores_of_works


def contours(works: Works) -> NDArray[np.float64]:
    """Contours (N, 16 a voice) of the written voices of works, the bass first.

    Their heights are about the mean of the line, in units of two octaves.
    """
    found = features(scores_of_works(works), Mode.of(works))
    ends = range(N_FEATURES, found.shape[1] + 1, N_FEATURES)
    return np.concatenate([found[:, end - N_CONTOUR : end] for end in ends], axis=1)


class ContourCollapse:
    """How far a work's contour goes where the latest works go in the mean.

    (c - h) . d / s^2 within 0 and 1: c is the contour, h the human mean, d the own works' mean
    minus h, s^2 the mean square of human contours about h. It stays 0 while own works differ from
    human ones in different ways, and rises where, say, the line climbs in every work. See
    :class:`move37.envs.judging.novelty_reward.ModeCollapse`.

    Args:
        human: Human works, which say what is usual.
    """

    def __init__(self, human: Works) -> None:
        lines = self.features(human)
        self._usual = lines.mean(axis=0)
        self._spread = float(((lines - self._usual) ** 2).sum(axis=1).mean())

    def features(self, works: Works) -> NDArray[np.float64]:
        """The contours of works, (R, 16 a voice)."""
        return contours(works)

    def __call__(
        self, features: NDArray[np.float64], recent: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(R,) float64 in [0, 1] of contours (R, F), where ``recent`` (M, F) came before."""
        direction = recent.mean(axis=0) - self._usual
        along: NDArray[np.float64] = (features - self._usual) @ direction
        return np.clip(along / self._spread, 0, 1)
