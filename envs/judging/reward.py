"""The learner's reward: quality x newness, with a critic and an archive of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraisal, Terms
from move37.envs.base.works import Works
from move37.envs.judging.critics import LearningCritic
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.novelty.archive import NoveltyArchive
from move37.novelty.storage import part, save_weights


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
    """A quality with critics."""

    @property
    def critics(self) -> Mapping[str, LearningCritic]:
        """By the names under which a run saves them; ``critic`` says ``craft``."""

    def __call__(self, works: Works) -> Terms:
        """Named terms of R works, each (R,) float64, ``quality`` among them."""

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach critics the learner's latest works; figures for the log."""


class LearningReward(Appraisal):
    """An appraiser that learns: see :class:`move37.envs.base.world.Reward`.

    Args:
        quality: Quality of works.
        novelty_reward: Novelty of works, with the archive that works are admitted to.
    """

    quality: LearningQuality
    novelty_reward: ArchiveNovelty

    def __init__(self, quality: LearningQuality, novelty_reward: ArchiveNovelty) -> None:
        super().__init__(quality, novelty_reward)
        self.archive = novelty_reward.archive

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critics the learner's latest works."""
        return self.quality.refresh(works)

    def admit(
        self, works: Works, descriptors: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """Offer works to the archive.

        Their quality is asked again, since the critics may have learnt since they were appraised.

        Args:
            works: N works.
            descriptors: (N, D): of the works, where they are known already.

        Returns:
            (N,) bool: which were taken.
        """
        if descriptors is None:
            descriptors = self.novelty_reward.describe(works)
        return self.archive.add(descriptors, quality=self.quality(works)["quality"])

    def state(self) -> dict[str, NDArray[Any]]:
        """See :class:`move37.envs.base.world.Reward`."""
        parts = {name: critic.state() for name, critic in self.quality.critics.items()}
        parts |= {"novelty_reward": self.novelty_reward.state(), "archive": self.archive.state()}
        return {f"{name}/{key}": v for name, part in parts.items() for key, v in part.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See :class:`move37.envs.base.world.Reward`."""
        for name, critic in self.quality.critics.items():
            critic.load_state(part(state, name))
        self.novelty_reward.load_state(part(state, "novelty_reward"))
        self.archive.load_state(part(state, "archive"))

    def save(self, folder: Path) -> None:
        """Write the archive and the critics."""
        self.archive.save(folder / "archive.npz")
        for name, critic in self.quality.critics.items():
            save_weights(folder / f"{name}.safetensors", critic.network)
