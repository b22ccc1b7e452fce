"""What a work is worth: quality x newness, every term by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Terms = dict[str, NDArray[np.float64]]


class Appraiser(Protocol):
    """Says what finished works are worth."""

    def __call__(
        self, moves: NDArray[np.int16], images: NDArray[np.uint8]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Named terms, each (R,) float64, of R works; ``reward`` must be among them.

        Args:
            moves: (R, T) int16, padded with -1.
            images: (R, H, W) uint8, briefs included.
        """


class Quality(Protocol):
    """Named terms of works' quality; ``quality`` in [0, 1] must be among them."""

    def __call__(
        self, moves: NDArray[np.int16], images: NDArray[np.uint8]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Terms, each (R,) float64, of moves (R, T) with images (R, H, W)."""


class Novelty(Protocol):
    """Named terms of works' newness; ``novelty_reward`` >= 0 must be among them."""

    def __call__(
        self, moves: NDArray[np.int16], images: NDArray[np.uint8]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Terms, each (R,) float64; may also remember the works, row by row."""


class Appraisal:
    """Reward = quality x newness of finished works.

    Args:
        quality: Quality of works.
        novelty_reward: Newness against an archive; 1 for every work if None.
    """

    def __init__(self, quality: Quality, novelty_reward: Novelty | None = None) -> None:
        self.quality = quality
        self.novelty_reward = novelty_reward

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Every term, each (R,) float64, ``reward`` among them."""
        terms = dict(self.quality(moves, images))
        reward = terms["quality"]
        if self.novelty_reward is not None:
            terms |= self.novelty_reward(moves, images)
            reward = reward * terms["novelty_reward"]
        return terms | {"reward": reward}
