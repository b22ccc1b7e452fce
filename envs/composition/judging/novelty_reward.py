"""Newness of compositions: a manner is what the lines of all own works share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.judging.descriptor import N_CONTOUR, N_FEATURES, features
from move37.envs.composition.modes import Mode
from move37.envs.judging import novelty_reward as novelty_reward


def contours(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float64]:
    """Contours (N, 16 a voice) of the voices of scores that are written, the bass first.

    Their heights are about the mean of the line, in units of two octaves.
    """
    found = features(scores, mode)
    ends = range(N_FEATURES, found.shape[1] + 1, N_FEATURES)
    return np.concatenate([found[:, end - N_CONTOUR : end] for end in ends], axis=1)


class ArchiveNovelty(novelty_reward.ArchiveNovelty):
    """Newness of compositions; see :class:`move37.envs.judging.novelty_reward.ArchiveNovelty`.

    ``mode_collapse`` is how far a work's contour goes where the own works go in the mean,
    (c - h) . d / s^2 within 0 and 1: c is the contour, h the human mean, d the own works' mean
    minus h, s^2 the mean square of human contours about h. It stays 0 while own works differ from
    human ones in different ways, and rises where, say, the line climbs in every work.

    Args:
        mode: In which works are written.
    """

    def __init__(self, *args: Any, mode: Mode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mode = mode
        human = contours(self._sample, mode)
        self._usual = human.mean(axis=0)
        self._spread = float(((human - self._usual) ** 2).sum(axis=1).mean())
        self._lines = np.zeros((len(self._own.rows), human.shape[1]))

    def kept(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The contours of piano rolls (R, 64, 64)."""
        return contours(self._view(images), self._mode)

    def mode_collapse(self, lines: NDArray[np.float64]) -> NDArray[np.float64]:
        """(R,) float64 in [0, 1] of contours (R, 16 a voice)."""
        filled = len(self._own)
        if not filled:
            return np.zeros(len(lines))
        manner = self._lines[:filled].mean(axis=0) - self._usual
        along = (lines - self._usual) @ manner
        # The mean of few works says little: the term fades in with their number.
        faded: NDArray[np.float64] = np.clip(along / self._spread, 0, 1) * min(1, filled / 500)
        return faded

    def remembered(self, slots: NDArray[np.int64], lines: NDArray[np.float64]) -> None:
        """Keep the contours of works in their slots."""
        self._lines[slots] = lines

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory of own works and of their contours; the archive is not in it."""
        return super().state() | {"lines": self._lines.copy()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave; see the base class."""
        super().load_state(state)
        self._lines[...] = state["lines"]
