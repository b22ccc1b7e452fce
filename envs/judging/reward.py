"""The learner's reward: quality x novelty, with a critic and an archive of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraisal, Terms
from move37.envs.base.works import Works
from move37.envs.judging.critics import LearningCritic
from move37.envs.judging.evaluator import Evaluator
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.novelty.archive import NoveltyArchive
from move37.novelty.storage import part, save_weights

PARTS = ("archive", "novelty_reward", "imitator", "learner", "judge")
"""What a run saves, and parts of a reward's state, that are no critics."""


def reward_archive(evaluator: Evaluator, human: Works) -> NoveltyArchive:
    """The archive of a reward: human works pinned, own works admitted if they are new and good.

    Args:
        evaluator: For the descriptor, the unit of novelty, and the novelty to be admitted.
        human: The human works to learn from.
    """
    x = evaluator.describe(human)
    archive = NoveltyArchive(
        x.shape[1],
        evaluator.k_neighbors,
        novelty_threshold=evaluator.thresholds.novelty,
        quality_threshold=0.5,
        scale=evaluator.scale,
    )
    archive.pin(x)
    return archive


class Reward(Protocol):
    """Quality x novelty as a reward, with what it is made of.

    Attributes:
        archive: Human works pinned, and admitted works.
    """

    archive: NoveltyArchive

    def __call__(self, works: Works) -> Mapping[str, NDArray[np.float64]]:
        """Named terms of R works, each (R,) float64, ``reward`` among them."""

    def refresh(self, works: Works) -> Mapping[str, float]:
        """Learn from the learner's latest works; returns figures for the log."""

    def admit(
        self, works: Works, descriptors: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """Offer N works to the archive; returns which were taken, (N,) bool.

        Args:
            works: N works.
            descriptors: (N, D): of the works, where they are known already.
        """

    def save(self, folder: Path) -> None:
        """Write what is needed to appraise again."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that appraising, learning and admitting has changed, as arrays.

        Together with the arguments it was made with it is all there is to know of a reward: weights
        and the optimiser's state, counters, memories, the archive.
        """

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Become the reward that :meth:`state` was taken of, to the bit.

        The reward was made with the same arguments, but perhaps with fewer ``updates``.

        Raises:
            KeyError: If an array is missing.
            ValueError: If an array has another shape.
        """


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
    """An appraiser that learns: see :class:`Reward`.

    Args:
        quality: Quality of works. A run saves each of its critics as ``NAME.safetensors``.
        novelty_reward: Novelty of works, with the archive that works are admitted to.

    Raises:
        ValueError: If the name of a critic cannot be that of a file, or is that of another part.
    """

    quality: LearningQuality
    novelty_reward: ArchiveNovelty

    def __init__(self, quality: LearningQuality, novelty_reward: ArchiveNovelty) -> None:
        super().__init__(quality, novelty_reward)
        for name in quality.critics:
            if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in PARTS:
                raise ValueError(f"critics: {name!r} is no name for a critic")
        self.archive = novelty_reward.archive

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critics the learner's latest works."""
        return self.quality.refresh(works)

    def admit(
        self, works: Works, descriptors: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """Offer works to the archive: see :class:`Reward`.

        Their quality is asked again, since the critics may have learnt since they were appraised.
        """
        if descriptors is None:
            descriptors = self.novelty_reward.describe(works)
        return self.archive.add(descriptors, quality=self.quality(works)["quality"])

    def state(self) -> dict[str, NDArray[Any]]:
        """See :class:`move37.envs.judging.reward.Reward`."""
        parts = {name: critic.state() for name, critic in self.quality.critics.items()}
        parts |= {"novelty_reward": self.novelty_reward.state(), "archive": self.archive.state()}
        return {f"{name}/{key}": v for name, part in parts.items() for key, v in part.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See :class:`move37.envs.judging.reward.Reward`."""
        for name, critic in self.quality.critics.items():
            critic.load_state(part(state, name))
        self.novelty_reward.load_state(part(state, "novelty_reward"))
        self.archive.load_state(part(state, "archive"))

    def save(self, folder: Path) -> None:
        """Write the archive and the critics."""
        self.archive.save(folder / "archive.npz")
        for name, critic in self.quality.critics.items():
            save_weights(folder / f"{name}.safetensors", critic.network)
