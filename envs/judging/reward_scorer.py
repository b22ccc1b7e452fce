"""The learner's reward as it is before any learning, to choose works by."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.base.world import Reward

CHUNK = 512
"""Works that are appraised in one call of the reward."""


class RewardScorer:
    """Hands out the learner's reward as new, as often as it is wanted.

    A reward learns, and it remembers what it appraises. Each copy starts without memory, so that
    the same works in the same order always get the same scores.

    Args:
        new_reward: Makes the reward, critic trained; called once, when it is first needed.
    """

    def __init__(self, new_reward: Callable[[], Reward]) -> None:
        self._new_reward = new_reward
        self._pristine: Reward | None = None

    def reward(self) -> Reward:
        """A reward that has appraised nothing yet."""
        if self._pristine is None:
            self._pristine = self._new_reward()
        return copy.deepcopy(self._pristine)

    def score(self, works: Works) -> NDArray[np.float64]:
        """Reward of works, (N,) float64.

        A work is compared with those that stand before it in ``works``, as the reward does it while
        a learner learns: of two alike the first counts.
        """
        reward = self.reward()
        out = np.zeros(len(works))
        for begin in range(0, len(works), CHUNK):
            rows = slice(begin, begin + CHUNK)
            out[rows] = reward(works[rows])["reward"]
        return out
