"""Selection without learning: samples of the imitator, the best kept by the learner's own reward.

The plainest answer to a budget of works: make as many as the learner made while it learnt, appraise
them all as it was appraised, and show the best. Nothing is learnt, so every further work costs the
same again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import BOARDS, sample_works
from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Reward, World
from move37.envs.judging.reward_scorer import RewardScorer

KEPT = 1000
"""Works that a maker shows; these cost the budget once."""
LEAST_RATIO = 2
"""Fewer samples than this for each work kept would be no selection."""
CHUNK = 512
"""Works that are sampled, appraised and sifted at a time."""


class Selection(Maker):
    """The best samples of an imitator.

    Args:
        imitator: Observations -> (logits, features), in eval mode.
        world: The world it works in.
        new_reward: Makes the learner's reward as it is before any learning.
        ratio: Samples for each work kept, at least 1.
    """

    def __init__(
        self, imitator: nn.Module, world: World, new_reward: Callable[[], Reward], ratio: int
    ) -> None:
        if ratio < 1:
            raise ValueError(f"ratio: expected at least 1, got {ratio}")
        self.ratio = ratio
        self._imitator = imitator
        self._world = world
        self._scorer = RewardScorer(new_reward)

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Sample ``ratio * n`` works at temperature 1 and keep the n of the highest reward.

        What is selected is what this maker makes: its unselected works are the imitator's. The
        works kept stand in the order in which they were sampled, not in that of their reward.
        The reward remembers the samples, so that a sample like an earlier one loses.
        """
        world, reward, total = self._world, self._scorer.reward(), self.ratio * n
        simulator = world.simulator(max(1, min(total, BOARDS)))
        kept = sample_works(self._imitator, simulator, world.id, 0, rng, brief=brief)
        value = np.zeros(0)
        for begin in range(0, total, CHUNK):
            size = min(CHUNK, total - begin)
            part = sample_works(self._imitator, simulator, world.id, size, rng, brief=brief)
            terms = reward(part)
            kept = join_works([kept, part]) if len(kept) else part
            value = np.concatenate([value, np.asarray(terms["reward"], np.float64)])
            best = np.sort(np.argsort(-value, kind="stable")[:n])
            kept, value = kept[best], value[best]
        return kept

    def score(self, works: Works) -> NDArray[np.float64]:
        """The learner's reward before any learning; see :class:`RewardScorer`."""
        return self._scorer.score(works)


def make(context: TrainContext) -> Selection:
    """Select at the learner's budget of works; there is nothing to train or to save."""
    ratio = max(LEAST_RATIO, round(context.budget.works / KEPT))
    return Selection(context.imitator, context.world, context.new_reward, ratio)
