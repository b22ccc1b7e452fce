"""The learner: PPO for quality x newness, started as the imitator and held near it.

The same training as ``train.py``'s: the value head is fitted first on the imitator's own works,
then Stable-Baselines3's PPO moves the policy, the critic of the reward is refreshed with the
learner's latest works and the best of them enter the archive of novelty.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import sample_works
from move37.agents.learner.train_loop import train_policy
from move37.agents.makers.maker import Maker, TrainContext
from move37.agents.makers.scoring import RewardScorer
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Reward, World
from move37.novelty.storage import load_weights, read_json, save_weights

FILE = "learner.safetensors"
FACTS = "learner.json"
KL_WEIGHT = 0.02
REFRESH_EVERY = 4
ADMIT = 256
"""The newest works of a round that are offered to the archive."""
BOARDS = 512


class Learner(Maker):
    """A trained learner.

    Args:
        network: The learner's policy network, in eval mode: observations -> (logits, features).
        world: The world it works in.
        new_reward: Makes the reward as it was before any learning; None: :meth:`score` cannot be
            asked.
        env_steps: Moves made while it learnt, those that only fitted the value head included.
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
        self._scorer = None if new_reward is None else RewardScorer(world, new_reward)

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
        :meth:`move37.agents.makers.scoring.RewardScorer.score`.

        Raises:
            ValueError: If the maker was loaded without a reward.
        """
        if self._scorer is None:
            raise ValueError("score: this learner was loaded without new_reward")
        return self._scorer.score(works)


def load(path: Path, world: World, new_reward: Callable[[], Reward] | None = None) -> Learner:
    """Read a learner that :func:`make` or ``train.py`` trained.

    Args:
        path: ``learner.safetensors``, or a checkpoint; the moves it cost are read from
            ``learner.json`` or ``summary.json`` beside it, 0 if neither is there.
        world: The world it was trained in.
        new_reward: For :meth:`Learner.score`.

    Raises:
        StorageError: If the file is missing, damaged, or no learner of this world.
    """
    network = world.network()
    load_weights(path, network, "network.")
    return Learner(network.eval(), world, new_reward, _steps_beside(path))


def _steps_beside(path: Path) -> int:
    for name in (FACTS, "summary.json"):
        facts = path.parent / name
        if facts.exists():
            return int(read_json(facts).get("env_steps", 0))
    return 0


def make(context: TrainContext) -> Learner:
    """Train the learner, or read it from the folder if it is there."""
    world, folder = context.world, context.folder
    if (folder / FILE).exists():
        return load(folder / FILE, world, context.new_reward)
    reward = context.new_reward()

    def on_round(works: Works) -> None:
        reward.refresh(works)
        reward.admit(works[-ADMIT:])

    trained = train_policy(context, "learner", reward, on_round, REFRESH_EVERY, KL_WEIGHT)
    reward.save(folder)
    facts = {"env_steps": trained.env_steps, "seconds": trained.seconds, "seed": context.seed}
    write_atomically(folder / FACTS, json.dumps(facts, indent=2).encode())
    save_weights(folder / FILE, trained.policy)
    return Learner(trained.policy.network, world, context.new_reward, trained.env_steps)
