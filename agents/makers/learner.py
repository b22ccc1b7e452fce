"""The learner: PPO for quality x novelty, started as the imitator and held near it.

It is trained by a run like any other (:mod:`move37.agents.learner.train_loop`), in the maker's
folder, and read from the folder of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import BOARDS, sample_works
from move37.agents.learner.train_loop import LEARNER, start_or_resume
from move37.agents.makers.maker import Maker, TrainContext
from move37.agents.runs.run_dir import SUMMARY
from move37.envs.base.works import Works
from move37.envs.base.world import Reward, World
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.storage import load_weights, read_json


class Learner(Maker):
    """A trained learner.

    Args:
        network: The learner's policy network, in eval mode: observations -> (logits, features).
        world: The world it works in.
        new_reward: Makes the reward as it was before any learning; None: :meth:`score` cannot be
            asked.
        env_steps: Moves made while it learnt.
    """

    def __init__(
        self,
        network: nn.Module,
        world: World,
        new_reward: Callable[[], Reward] | None = None,
        env_steps: int = 0,
    ) -> None:
        self.network = network
        self.env_steps = env_steps
        self._world = world
        self._scorer = None if new_reward is None else RewardScorer(new_reward)

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Sample n works from the policy at temperature 1; see :class:`Maker`."""
        simulator = self._world.simulator(max(1, min(n, BOARDS)))
        return sample_works(self.network, simulator, self._world.id, n, rng, brief=brief)

    def score(self, works: Works) -> NDArray[np.float64]:
        """The learner's reward, (N,) float64, as it was before the learner changed it.

        What the critic and the archive learnt with this learner is left out, so that the scores of
        several makers compare. The order of the works matters: see
        :meth:`move37.envs.judging.reward_scorer.RewardScorer.score`.

        Raises:
            ValueError: If the learner was loaded without a reward.
        """
        if self._scorer is None:
            raise ValueError("score: this learner was loaded without new_reward")
        return self._scorer.score(works)


def load(run: Path, world: World, new_reward: Callable[[], Reward] | None = None) -> Learner:
    """Read the learner of a finished run.

    Args:
        run: Folder of the run.
        world: The world it was trained in.
        new_reward: For :meth:`Learner.score`.

    Raises:
        StorageError: If a file is missing, damaged, or of another world.
    """
    network = world.network()
    load_weights(run / LEARNER, network, "network.")
    return Learner(network.eval(), world, new_reward, int(read_json(run / SUMMARY)["env_steps"]))


def fitting_cost(run: Path) -> dict[str, float]:
    """``wall_seconds`` and ``cpu_seconds`` of the learning of a finished run."""
    summary = read_json(run / SUMMARY)
    if "learning_cpu_seconds" not in summary:
        # A run of version 0.1. All its threads busy all the time is the most it can have cost.
        wall = summary["env_steps"] / summary["steps_per_second"]
        threads = int(read_json(run / "config.json")["threads"])
        return {"wall_seconds": wall, "cpu_seconds": wall * threads}
    return {
        "wall_seconds": float(summary["learning_wall_seconds"]),
        "cpu_seconds": float(summary["learning_cpu_seconds"]),
    }


def make(context: TrainContext) -> Learner:
    """Train the learner in the maker's folder, or what is left of its run, or read it.

    Raises:
        ValueError: If the context says not how, or the folder holds another run.
    """
    if context.config is None:
        raise ValueError("the learner needs the config of its run")

    def log(line: str) -> None:
        context.log(f"learner: {line}")

    start_or_resume(context.config, context.evaluator, log)
    return load(context.folder, context.world, context.new_reward)
