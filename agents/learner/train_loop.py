"""A policy trained by PPO from the imitator within a budget, whatever its reward is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from move37.agents.learner.policy import PriorPolicy
from move37.agents.learner.ppo import WorksCallback, make_ppo, warm_value
from move37.agents.makers.maker import TrainContext
from move37.envs.base.appraisal import Appraiser
from move37.envs.base.batch import WorldBatch
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works
from move37.envs.base.world import practice_of, settings_of

SETTINGS: dict[str, Any] = {
    "n_envs": 256, "n_steps": 64, "n_epochs": 1, "gae_lambda": 0.95, "value_network": "shared",
}  # fmt: skip
"""Of PPO, where a world has none of its own."""
BATCH_SIZE = 512
LEARNING_RATE = 5e-4
WARM_ROLLOUTS = 3
LEAST_ROLLOUTS = 6
"""A budget pays for at least so many rollouts; where it is tiny, boards are fewer."""
LINES = 8
"""Lines about the progress of a run."""


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes:
        policy: The trained policy, its network in eval mode.
        env_steps: Moves made, those that only fitted the value head included.
        seconds: Wall time.
    """

    policy: PriorPolicy
    env_steps: int
    seconds: float


def boards_for(env_steps: int, most: int, n_steps: int) -> int:
    """How many boards to play at once, so that a budget of moves pays for a few rollouts."""
    n = most
    while n > BATCH_SIZE // n_steps and n * n_steps * LEAST_ROLLOUTS > env_steps:
        n //= 2
    return n


def train_policy(
    context: TrainContext,
    name: str,
    appraiser: Appraiser,
    on_round: Callable[[Works], object],
    every: int,
    kl_weight: float,
) -> Trained:
    """Fit the value head to the imitator's works, then let PPO move the policy.

    Args:
        context: World, imitator, budget and seed.
        name: Of the maker, for what is said.
        appraiser: Gives the reward, and ``quality``.
        on_round: Takes the latest works, 2,048 at most, oldest first; may change the appraiser.
        every: Rollouts between two calls of ``on_round``, the warming ones among them.
        kl_weight: Of the KL divergence from the imitator, in nats.
    """
    torch.set_num_threads(context.threads)
    begin, world, total = time.perf_counter(), context.world, context.budget.env_steps
    next_line = 0

    def heard(works: Works, steps: int) -> None:
        nonlocal next_line
        on_round(works)
        if steps >= next_line:
            next_line = steps + total // LINES
            latest = callback.latest
            context.log(
                f"{name}: {steps} of {total} moves, reward {latest['reward']:.3f}, "
                f"quality {latest['quality']:.3f}"
            )

    callback = WorksCallback(world.id, every, heard)
    settings = SETTINGS | settings_of(world)
    n_steps = int(settings["n_steps"])
    boards = boards_for(total, int(settings["n_envs"]), n_steps)
    batch = WorldBatch(practice_of(world, boards), appraiser)
    model = make_ppo(
        WorldVecEnv(batch, callback.finished), context.imitator, n_steps=n_steps,
        batch_size=BATCH_SIZE, n_epochs=int(settings["n_epochs"]), learning_rate=LEARNING_RATE,
        kl_weight=settings.get("kl_weight", kl_weight), gae_lambda=settings["gae_lambda"],
        own_value=settings["value_network"] == "own", seed=context.seed,
    )  # fmt: skip
    warm_value(model, WARM_ROLLOUTS, callback)
    steps, next_line = model.num_timesteps, 0
    model.learn(total, callback)
    policy = model.policy
    assert isinstance(policy, PriorPolicy)
    policy.network.eval()
    return Trained(policy, steps + model.num_timesteps, time.perf_counter() - begin)
