"""Newness of drawings: what the own works always have is where their ink lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.drawing.moves import POINTS
from move37.envs.judging import novelty_reward as novelty_reward


class ArchiveNovelty(novelty_reward.ArchiveNovelty):
    """Newness of drawings; see :class:`move37.envs.judging.novelty_reward.ArchiveNovelty`.

    ``mode_collapse`` is how much of the ink lies where the own works usually have ink, 0 up to the
    human 90th percentile, 1 from 1.8 times that on: a stroke that stands in every work costs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ink = self._sample.reshape(len(self._sample), POINTS).astype(np.float64)
        usual = (ink @ ink.mean(axis=0)) / np.maximum(ink.sum(axis=1), 1)
        self.human_collapse = float(np.quantile(usual, 0.9))
        self._ink = np.zeros((len(self._own.rows), POINTS), np.uint8)
        self._ink_sum = np.zeros(POINTS, np.int64)

    def kept(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The ink (R, 576) of images (R, 24, 24)."""
        return images.reshape(len(images), POINTS)

    def mode_collapse(self, ink: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(R,) float64 in [0, 1] of ink (R, 576)."""
        filled = len(self._own)
        usual = (ink @ (self._ink_sum / max(filled, 1))) / np.maximum(ink.sum(axis=1), 1)
        # The mean image of few works says little: the term fades in with their number.
        faded: NDArray[np.float64] = np.clip((usual / self.human_collapse - 1) / 0.8, 0, 1) * min(
            1, filled / 500
        )
        return faded

    def remembered(self, slots: NDArray[np.int64], ink: NDArray[np.uint8]) -> None:
        """Keep the ink (R, 576) of works in their slots."""
        self._ink_sum += ink.sum(axis=0, dtype=np.int64)
        self._ink_sum -= self._ink[slots].sum(axis=0, dtype=np.int64)
        self._ink[slots] = ink

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory of own works and of their ink; the archive is not in it."""
        return super().state() | {"ink": self._ink.copy(), "ink_sum": self._ink_sum.copy()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave; see the base class."""
        super().load_state(state)
        self._ink[...] = state["ink"]
        self._ink_sum[...] = state["ink_sum"]
