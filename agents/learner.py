"""The learner: Stable-Baselines3 PPO from the imitator's weights, for quality x newness."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from torch import nn

from envs.batch import Step
from envs.sb3 import WorldVecEnv
from envs.works import Works, join_works

from .policy import PriorPolicy


def make_ppo(
    env: WorldVecEnv,
    imitator: nn.Module,
    *,
    n_steps: int = 64,
    batch_size: int = 512,
    n_epochs: int = 1,
    learning_rate: float = 5e-4,
    kl_weight: float = 0.02,
    clip_range: float = 0.2,
    gae_lambda: float = 0.95,
    seed: int = 0,
) -> PPO:
    """PPO with :class:`PriorPolicy`. Undiscounted: works are short and paid at their end.

    The learning rate falls linearly to a tenth over the steps asked of ``learn``.
    """
    return PPO(
        PriorPolicy,
        env,
        learning_rate=lambda remaining: learning_rate * (0.1 + 0.9 * remaining),
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
    model.lr_schedule, model.n_epochs = (lambda _: 2e-4), 5
    try:
        assert model.n_steps is not None and model.env is not None
        model.learn(rollouts * model.n_steps * model.env.num_envs, callback)
    finally:
        policy.value_only = False
        model.lr_schedule, model.n_epochs = rate, epochs


class WorksCallback(BaseCallback):
    """Keeps the learner's latest works, writes the mean of every term and the times to the logger.

    Args:
        world: Id of the world the works belong to.
        every: Rollouts between two calls of ``on_round``.
        on_round: Called with the latest works, oldest first, every term of their appraisal and
            their ``step`` among them, and the number of env steps.
        memory: How many of the latest works are kept.

    Attributes:
        latest: Mean of every term over the works finished in the last rollout.
        seconds: Wall time since the first rollout, in ``total``, ``environment``, ``forward``
            (the policy's passes while works are made) and ``update`` (PPO's updates).
    """

    def __init__(
        self,
        world: str,
        every: int = 1,
        on_round: Callable[[Works, int], None] | None = None,
        memory: int = 2048,
    ) -> None:
        super().__init__()
        self.every, self.on_round, self.memory = every, on_round, memory
        self._world = world
        self._works: list[Works] = []
        self._fresh = 0
        self._rounds = 0
        self._begin = self._mark = 0.0
        self.latest: dict[str, float] = {}
        self.seconds = dict.fromkeys(("total", "environment", "forward", "update"), 0.0)

    def finished(self, step: Step) -> None:
        """Take finished works; give this to ``WorldVecEnv(on_finished=...)``."""
        steps = np.full(len(step.moves), float(self.num_timesteps))
        works = Works(self._world, step.moves, step.briefs, appraisal={**step.terms, "step": steps})
        self._works.append(works)
        self._fresh += len(works)

    def _on_training_start(self) -> None:
        self._begin = time.perf_counter()
        self._mark = 0.0

    def _on_step(self) -> bool:
        return True

    def _parts(self) -> tuple[float, float]:
        env, policy = self.model.env, self.model.policy
        assert isinstance(env, WorldVecEnv) and isinstance(policy, PriorPolicy)
        return env.seconds_environment, policy.seconds_forward

    def _on_rollout_start(self) -> None:
        if self._mark:
            self.seconds["update"] += time.perf_counter() - self._mark
        self._note_divergence()
        self._parts_before = self._parts()

    def _note_divergence(self) -> None:
        """Give what PPO logged as entropy its own name: the policy hands it minus the KL."""
        value = self.logger.name_to_value.pop("train/entropy_loss", None)
        self.logger.name_to_count.pop("train/entropy_loss", None)
        self.logger.name_to_excluded.pop("train/entropy_loss", None)
        if value is not None:
            self.logger.record("train/kl_from_imitator", value)

    def _on_rollout_end(self) -> None:
        for key, before, now in zip(
            ("environment", "forward"), self._parts_before, self._parts(), strict=True
        ):
            self.seconds[key] += now - before
        if self._fresh:
            works = join_works(self._works)
            new = works[len(works) - self._fresh :]
            self.latest = {
                key: float(values.mean()) for key, values in new.appraisal.items() if key != "step"
            }
            self._log(new)
            self._works, self._fresh = [works[-self.memory :]], 0
            self._rounds += 1
            if self.on_round is not None and self._rounds % self.every == 0:
                self.on_round(self._works[0], self.num_timesteps)
        self._mark = time.perf_counter()
        self.seconds["total"] = self._mark - self._begin

    def _log(self, new: Works) -> None:
        for key, value in self.latest.items():
            self.logger.record(key if "/" in key else f"works/{key}", value)
        self.logger.record("works/moves", float(new.lengths.mean()))
        self.logger.record("works/finished", len(new))
        total = time.perf_counter() - self._begin
        for key in ("environment", "forward", "update"):
            self.logger.record(f"time/{key}_share", self.seconds[key] / total)


def learner_limit_share(seconds: dict[str, float]) -> float:
    """Share of the wall time that went into the network's own passes and updates.

    A learner that did nothing else would be faster by one over this.
    """
    return (seconds["forward"] + seconds["update"]) / max(seconds["total"], 1e-9)
