"""Mode collapse of drawings: ink that lies where the learner's drawings usually have ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.moves import POINTS


class InkCollapse:
    """How much of a drawing's ink lies where the latest drawings usually have ink.

    0 up to the human 90th percentile, 1 from 1.8 times that on: a stroke that stands in every work
    costs. See :class:`move37.envs.judging.novelty_reward.ModeCollapse`.

    Args:
        human: Human works, which say how much is usual.
    """

    def __init__(self, human: Works) -> None:
        ink = self.features(human)
        self.human = float(np.quantile(_usual(ink, ink.astype(np.float64).mean(axis=0)), 0.9))

    def features(self, works: Works) -> NDArray[np.uint8]:
        """The ink (R, 576) in {0, 1} of works."""
        return pictures_of(works).reshape(-1, POINTS)

    def __call__(
        self, features: NDArray[np.uint8], recent: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """(R,) float64 in [0, 1] of ink (R, 576), where ``recent`` (M, 576) was drawn before."""
        mean = recent.sum(axis=0, dtype=np.int64) / len(recent)
        return np.clip((_usual(features, mean) / self.human - 1) / 0.8, 0, 1)


def _usual(ink: NDArray[np.uint8], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R,) float64: the mean of ``mean`` (576,) over the ink of each work (R, 576)."""
    share: NDArray[np.float64] = (ink @ mean) / np.maximum(ink.sum(axis=1), 1)
    return share
