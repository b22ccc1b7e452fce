"""The learner: Stable-Baselines3 PPO from the imitator's weights, for quality x newness."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from torch import nn

from envs.batch import Step
from envs.sb3 import WorldVecEnv

from .policy import PriorPolicy


def make_ppo(
    env: WorldVecEnv,
    imitator: nn.Module,
    *,
    n_steps: int = 64,
    batch_size: int = 2048,
    n_epochs: int = 3,
    learning_rate: float = 3e-4,
    kl_weight: float = 0.02,
    clip_range: float = 0.2,
    gae_lambda: float = 0.95,
    seed: int = 0,
) -> PPO:
    """PPO with :class:`PriorPolicy`. Undiscounted: works are short and paid at their end."""
    return PPO(
        PriorPolicy,
        env,
        learning_rate=learning_rate,
        n_steps=n_steps,
        batch_size=batch_size,
        n_epochs=n_epochs,
        gamma=1.0,
        gae_lambda=gae_lambda,
        clip_range=clip_range,
        ent_coef=kl_weight,
        vf_coef=0.5,
        max_grad_norm=0.5,
        policy_kwargs={"network": imitator},
        seed=seed,
        device="cpu",
    )


def warm_value(model: PPO, rollouts: int, callback: BaseCallback) -> None:
    """Fit the value head alone on the imitator's own works, before the policy moves."""
    policy = model.policy
    assert isinstance(policy, PriorPolicy)
    policy.value_only = True
    rate, epochs = model.lr_schedule, model.n_epochs
    model.lr_schedule, model.n_epochs = (lambda _: 1e-3), 5
    try:
        assert model.n_steps is not None and model.env is not None
        model.learn(rollouts * model.n_steps * model.env.num_envs, callback)
    finally:
        policy.value_only = False
        model.lr_schedule, model.n_epochs = rate, epochs


class WorksCallback(BaseCallback):
    """Keeps the learner's latest works and writes the mean of every term to the logger.

    Args:
        every: Rollouts between two calls of ``on_round``.
        on_round: Called with the latest works ((N, T) int16) and the number of env steps.
        memory: How many of the latest works are kept.
    """

    def __init__(
        self,
        every: int = 1,
        on_round: Callable[[NDArray[np.int16], int], None] | None = None,
        memory: int = 2048,
    ) -> None:
        super().__init__()
        self.every, self.on_round, self.memory = every, on_round, memory
        self._moves: list[NDArray[np.int16]] = []
        self._terms: list[dict[str, NDArray[np.float64]]] = []
        self._rounds = 0
        self._begin = time.perf_counter()
        self.latest: dict[str, float] = {}

    def finished(self, step: Step) -> None:
        """Take finished works; give this to ``WorldVecEnv(on_finished=...)``."""
        self._moves.append(step.moves)
        self._terms.append(dict(step.terms))

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._rollout_begin = time.perf_counter()
        env = self.model.env
        assert isinstance(env, WorldVecEnv)
        self._environment_begin = env.seconds_environment

    def _on_rollout_end(self) -> None:
        if not self._terms:
            return
        now = time.perf_counter()
        env: Any = self.model.env
        self.latest = {
            key: float(np.mean(np.concatenate([terms[key] for terms in self._terms])))
            for key in self._terms[0]
        }
        for key, value in self.latest.items():
            name = key if "/" in key else f"works/{key}"
            self.logger.record(name, value)
        lengths = np.concatenate([(m >= 0).sum(axis=1) for m in self._moves])
        self.logger.record("works/moves", float(lengths.mean()))
        self.logger.record(
            "time/environment_share",
            (env.seconds_environment - self._environment_begin) / (now - self._begin),
        )
        self._begin = now
        self._terms = []
        moves = np.concatenate(self._moves)[-self.memory :]
        self._moves = [moves]
        self._rounds += 1
        if self.on_round is not None and self._rounds % self.every == 0:
            self.on_round(moves, self.num_timesteps)
