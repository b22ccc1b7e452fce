"""What finished works are worth: named terms, and the reward that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works

Terms = dict[str, NDArray[np.float64]]
"""Named terms of R works, each (R,) float64."""
Appraiser = Callable[[Works], Mapping[str, NDArray[np.float64]]]
"""Says what R works are worth: named terms, each (R,) float64, ``reward`` among them."""
Quality = Callable[[Works], Mapping[str, NDArray[np.float64]]]
"""Named terms of R works' quality; ``quality`` in [0, 1] must be among them."""
Novelty = Callable[[Works], Mapping[str, NDArray[np.float64]]]
"""Named terms of R works' novelty; ``novelty_reward`` >= 0 must be among them.

It may also remember the works.
"""


class Appraisal:
    """Reward = quality x novelty of finished works.

    Args:
        quality: Quality of works.
        novelty_reward: Novelty of works, against an archive for instance; None: 1 for every work.
    """

    def __init__(self, quality: Quality, novelty_reward: Novelty | None = None) -> None:
        self.quality = quality
        self.novelty_reward = novelty_reward

    def __call__(self, works: Works) -> Terms:
        """Every term of R works, each (R,) float64, ``reward`` among them."""
        terms = dict(self.quality(works))
        reward = terms["quality"]
        if self.novelty_reward is not None:
            terms |= self.novelty_reward(works)
            reward = reward * terms["novelty_reward"]
        return terms | {"reward": reward}
