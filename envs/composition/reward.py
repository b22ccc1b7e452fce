"""The learner's reward for compositions: quality x newness, with a critic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as dump

from novelty import NoveltyArchive

from ..works import Works, write_atomically
from .appraisal import Appraisal, Terms
from .judging import Yardstick, pictures_of, scores_of_works
from .newness import ArchiveNewness
from .quality import HumanLevelQuality

CAP = 1.1
"""Novelty counts up to this multiple of the human 95th percentile."""


class CompositionReward:
    """An appraiser that learns: see :class:`envs.worlds.Reward`.

    Args:
        yardstick: For the descriptor and the unit of novelty; its judge is not used.
        human: Human works.
        imitations: Samples of the imitator, among the critic's negatives.
        updates: Gradient steps of the critic's first training.
        seed: Of the critic.
        pools: How many damaged copies of the human works the critic learns from.
    """

    def __init__(
        self,
        yardstick: Yardstick,
        human: Works,
        imitations: Works,
        updates: int,
        seed: int,
        pools: int = 4,
    ) -> None:
        self.quality = HumanLevelQuality(human, imitations, updates, seed, pools)
        self.archive = NoveltyArchive(
            yardstick.descriptor.dim,
            yardstick.k_neighbors,
            novelty_threshold=yardstick.bars.novelty,
            quality_threshold=0.5,
            scale=yardstick.scale,
        )
        scores = scores_of_works(human)
        self.archive.pin(yardstick.descriptor(scores))
        cap = CAP * yardstick.bars.novelty
        self.newness = ArchiveNewness(yardstick.descriptor, self.archive, scores, cap)
        self._appraisal = Appraisal(self.quality, self.newness)

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Every term, each (R,) float64, ``reward`` among them; remembers the works."""
        return self._appraisal(moves, images)

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critic the learner's latest works."""
        return {"critic/loss": self.quality.refresh(works)}

    def admit(self, works: Works) -> NDArray[np.bool_]:
        """Offer works to the archive; (N,) bool: which were taken."""
        quality = self.quality(works.moves, pictures_of(works))["quality"]
        return self.archive.add(self.newness.descriptor(scores_of_works(works)), quality=quality)

    def state(self) -> dict[str, NDArray[Any]]:
        """See :class:`envs.worlds.Reward`."""
        parts = {
            "quality": self.quality.state(),
            "newness": self.newness.state(),
            "archive": self.archive.state(),
        }
        return {f"{name}/{key}": v for name, part in parts.items() for key, v in part.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See :class:`envs.worlds.Reward`."""

        def part(name: str) -> dict[str, NDArray[Any]]:
            start = f"{name}/"
            return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}

        self.quality.load_state(part("quality"))
        self.newness.load_state(part("newness"))
        self.archive.load_state(part("archive"))

    def save(self, folder: Path) -> None:
        """Write the archive and the critic."""
        self.archive.save(folder / "archive.npz")
        weights = {k: v.contiguous() for k, v in self.quality.critic.state_dict().items()}
        write_atomically(folder / "critic.safetensors", dump(weights))
