"""The learner's reward: quality x newness, with a critic and an archive of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from novelty import NoveltyArchive
from novelty.storage import save_weights

from .appraisal import Appraisal, Terms
from .critics import LearningCritic
from .newness import ArchiveNewness
from .works import Works


def reward_archive(
    human: NDArray[np.float32], k_neighbors: int, bar: float, scale: float
) -> NoveltyArchive:
    """The archive of a reward: human works pinned, own works admitted if they are new and good.

    Args:
        human: (M, D) descriptors of the human works to learn from.
        k_neighbors: Neighbours that novelty is the mean distance to.
        bar: Novelty from which a work is admitted, in units of ``scale``.
        scale: Median distance among the human works.
    """
    archive = NoveltyArchive(
        human.shape[1], k_neighbors, novelty_threshold=bar, quality_threshold=0.5, scale=scale
    )
    archive.pin(human)
    return archive


class LearningQuality(Protocol):
    """A quality with a critic that goes on learning."""

    critic: LearningCritic

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Named terms of works, each (R,) float64, ``quality`` among them."""


class LearningReward:
    """An appraiser that learns: see :class:`envs.worlds.Reward`.

    Args:
        quality: Quality of works.
        newness: Newness of works, with the archive that works are admitted to.
        images: What appraisers look at, of works.
        views: What the critic looks at, of works.
    """

    def __init__(
        self,
        quality: LearningQuality,
        newness: ArchiveNewness,
        images: Callable[[Works], NDArray[np.uint8]],
        views: Callable[[Works], NDArray[np.uint8]],
    ) -> None:
        self.quality, self.newness, self.archive = quality, newness, newness.archive
        self._images, self._views = images, views
        self._appraisal = Appraisal(quality, newness)

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Every term, each (R,) float64, ``reward`` among them; remembers the works."""
        return self._appraisal(moves, images)

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critic the learner's latest works."""
        return {"critic/loss": self.quality.critic.refresh(self._views(works))}

    def admit(self, works: Works) -> NDArray[np.bool_]:
        """Offer works to the archive; (N,) bool: which were taken."""
        images = self._images(works)
        quality = self.quality(works.moves, images)["quality"]
        return self.archive.add(self.newness.describe(images), quality=quality)

    def state(self) -> dict[str, NDArray[Any]]:
        """See :class:`envs.worlds.Reward`."""
        parts = {
            "quality": self.quality.critic.state(),
            "newness": self.newness.state(),
            "archive": self.archive.state(),
        }
        return {f"{name}/{key}": v for name, part in parts.items() for key, v in part.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See :class:`envs.worlds.Reward`."""

        def part(name: str) -> dict[str, NDArray[Any]]:
            start = f"{name}/"
            return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}

        self.quality.critic.load_state(part("quality"))
        self.newness.load_state(part("newness"))
        self.archive.load_state(part("archive"))

    def save(self, folder: Path) -> None:
        """Write the archive and the critic."""
        self.archive.save(folder / "archive.npz")
        save_weights(folder / "critic.safetensors", self.quality.critic.network)
