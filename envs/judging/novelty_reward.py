"""Novelty as a reward: far from all that is known, and unlike the learner's own latest works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.novelty.archive import NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty
from move37.novelty.recent import RecentBuffer

Describe = Callable[[Works], NDArray[np.float32]]
"""Descriptors (N, D) of works."""
DUPLICATE = 0.5
"""Distance, in units of the archive's scale, at which a work is a duplicate."""
FADED_IN = 500
"""Own works from which on mode collapse counts in full: the mean of few works says little."""


class ModeCollapse(Protocol):
    """How far a work has what all of the learner's latest works have."""

    def features(self, works: Works) -> NDArray[Any]:
        """What is compared, (R, F) numbers; made once for each work."""

    def __call__(self, features: NDArray[Any], recent: NDArray[Any]) -> NDArray[np.float64]:
        """(R,) float64 in [0, 1] of works with these features (R, F).

        Args:
            features: Of the works.
            recent: (M, F), M at least 1: of the latest works before them.
        """


class ArchiveNovelty:
    """Terms of novelty; their product is the novelty reward.

    novelty_reward = clipped_novelty x self_diversity**2 x (1 - mode_collapse) x (1 - duplicate).

    ``novelty`` is the mean distance to the k nearest works of the archive, in units of the human
    median. ``clipped_novelty`` rises from 0 at ``floor`` to 1 at ``cap``. The other terms compare a
    work with the learner's own latest works, ``memory`` at most:

    - ``self_diversity``: mean distance to the k nearest of them, as a share of what human works
      have among equally many of themselves, at most 1;
    - ``mode_collapse``: how far it has what all of them have; only where a world says how that is
      measured;
    - ``duplicate``: 1 where the nearest of them is DUPLICATE away or less, 0 from
      ``duplicate_above`` on.

    Where works answer briefs, an own work under another brief is no precedent, and what was made
    lately is noise in the reward of what is made now. There the novelty reward may be
    ``clipped_novelty`` alone, with novelty taken against the pinned works of the archive; the other
    terms are logged but do not contribute to the reward.

    Args:
        describe: Maps works to the archive's space.
        archive: Human works pinned; own works are added to it by whoever trains.
        human: M human works, for the scale of self-diversity.
        cap: Novelty beyond which more is worth nothing.
        floor: Novelty that is worth nothing yet; by default the human median.
        exponent: Of ``clipped_novelty``.
        memory: How many of the last own works a new one must differ from.
        duplicate_above: Distance, in units of the archive's scale, at which a work is none.
        own_count: Whether own works count: those in the archive and the last three terms.
        mode_collapse: Made of the ``memory`` human works that give the scale; None: no such term.
    """

    def __init__(
        self,
        describe: Describe,
        archive: NoveltyArchive,
        human: Works,
        cap: float,
        *,
        floor: float = 1.0,
        exponent: float = 1.0,
        memory: int = 2048,
        duplicate_above: float = 0.8,
        own_count: bool = True,
        mode_collapse: Callable[[Works], ModeCollapse] | None = None,
    ) -> None:
        self.describe = describe
        self.archive = archive
        self._own_count = own_count
        self._known = archive
        if not own_count:
            self._known = NoveltyArchive(archive.dim, archive.k_neighbors, scale=archive.scale)
            self._known.pin(archive.entries[archive.pinned])
        self.cap, self.floor, self.exponent = cap, floor, exponent
        self.duplicate_above = duplicate_above
        sample = human[np.random.default_rng(0).permutation(len(human))[:memory]]
        among = leave_one_out_novelty(describe(sample), archive.k_neighbors)
        self.human_diversity = float(np.median(among)) / archive.scale
        self._mode_collapse = None if mode_collapse is None else mode_collapse(sample)
        self._own = RecentBuffer(archive.dim, memory, self._features(sample[:0]))

    def _features(self, works: Works) -> NDArray[Any]:
        if self._mode_collapse is None:
            return np.zeros((len(works), 0))
        return self._mode_collapse.features(works)

    def __call__(self, works: Works) -> Terms:
        """Terms of R works, each (R,) float64, ``novelty_reward`` among them.

        The works are remembered.
        """
        x, features = self.describe(works), self._features(works)
        scale = self.archive.scale
        novelty = self._known.novelty(x)
        clipped_novelty = (
            np.clip((novelty - self.floor) / (self.cap - self.floor), 0, 1) ** self.exponent
        )
        distance, mean = self._own.compare(x, self.archive.k_neighbors)
        # With few works yet to compare with, distances are large anyway.
        self_diversity = np.minimum(mean / scale / self.human_diversity, 1)
        terms = {
            "novelty": novelty,
            "clipped_novelty": clipped_novelty,
            "self_diversity": self_diversity,
        }
        novelty_reward = clipped_novelty * self_diversity**2
        if self._mode_collapse is not None:
            terms["mode_collapse"] = np.zeros(len(works))
            if len(self._own):
                collapsed = self._mode_collapse(features, self._own.features)
                terms["mode_collapse"] = collapsed * min(1, len(self._own) / FADED_IN)
            novelty_reward = novelty_reward * (1 - terms["mode_collapse"])
        self._own.remember(x, features)
        span = self.duplicate_above - DUPLICATE
        duplicate = 1 - np.clip((distance / scale - DUPLICATE) / span, 0, 1)
        novelty_reward = novelty_reward * (1 - duplicate) if self._own_count else clipped_novelty
        return terms | {"duplicate": duplicate, "novelty_reward": novelty_reward}

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the memory of own works; the archive is not in it."""
        return self._own.state()

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the memory has another size.
        """
        self._own.load_state(state)
