"""The learner: Stable-Baselines3 PPO from the imitator's weights, for quality x newness."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from torch import nn

from move37.agents.learner.policy import PriorPolicy
from move37.envs.base.batch import NotFiniteError, Step
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works, join_works

LEAST_ENTROPY = 0.05
"""Nats a move; a policy below it always does the same."""
LEAST_SELF_NOVELTY = 0.1
"""In units of the human median; works nearer to each other than this are one work."""


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
    own_value: bool = False,
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
        policy_kwargs={"network": imitator, "own_value": own_value},
        seed=seed,
        device="cpu",
    )


def warm_value(model: PPO, rollouts: int, callback: BaseCallback) -> None:
    """Fit the value head alone on the imitator's own works, before the policy moves.

    Nothing is logged of it: its steps are not among those of the run, and would stand twice.
    """
    policy = model.policy
    assert isinstance(policy, PriorPolicy)
    policy.value_only = True
    rate, epochs = model.lr_schedule, model.n_epochs
    silent = Logger(None, [])
    logger = getattr(model, "_logger", silent)
    model.set_logger(silent)
    model.lr_schedule, model.n_epochs = (lambda _: 2e-4), 5
    try:
        assert model.n_steps is not None and model.env is not None
        model.learn(rollouts * model.n_steps * model.env.num_envs, callback)
    finally:
        policy.value_only = False
        model.lr_schedule, model.n_epochs = rate, epochs
        model.set_logger(logger)


class WorksCallback(BaseCallback):
    """Keeps the learner's latest works, writes the mean of every term and the times to the logger.

    Args:
        world: Id of the world the works belong to.
        every: Rollouts between two calls of ``on_round``.
        on_round: Called with the latest works, oldest first, every term of their appraisal and
            their ``step`` among them, and the number of env steps.
        memory: How many of the latest works are kept.

    Attributes:
        on_rollout: Called before every rollout, after the update, with the number of env steps: the
            one place where the run's state can be saved. It may raise to stop the run.
        latest: Mean of every term over the works finished in the last rollout.
        entropy: Of the policy over the last rollout, in nats a move: the mean of -log p of what it
            did.
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
        self.on_rollout: Callable[[int], None] | None = None
        self.world = world
        self._works: list[Works] = []
        self._fresh = 0
        self._rounds = 0
        self._begin = self._mark = 0.0
        self.latest: dict[str, float] = {}
        self.entropy = float("nan")
        self.seconds = dict.fromkeys(("total", "environment", "forward", "update"), 0.0)

    def finished(self, step: Step) -> None:
        """Take finished works; give this to ``WorldVecEnv(on_finished=...)``."""
        steps = np.full(len(step.works), float(self.num_timesteps))
        works = step.works.with_appraisal({**step.works.appraisal, "step": steps})
        self._works.append(works)
        self._fresh += len(works)

    def kept(self) -> Sequence[Works]:
        """The latest works; in parts, oldest first."""
        return self._works

    def facts(self) -> dict[str, Any]:
        """Everything but the works that :meth:`restore` needs, as JSON can hold it."""
        return {
            "rounds": self._rounds, "fresh": self._fresh, "latest": self.latest,
            "entropy": self.entropy, "seconds": self.seconds,
        }  # fmt: skip

    def restore(self, facts: Mapping[str, Any], works: Sequence[Works], steps: int) -> None:
        """Go on where :meth:`kept` and :meth:`facts` were asked for, after ``steps`` env steps."""
        self._works, self.num_timesteps = list(works), steps
        self._rounds, self._fresh = int(facts["rounds"]), int(facts["fresh"])
        self.latest, self.entropy = dict(facts["latest"]), float(facts["entropy"])
        self.seconds = dict(facts["seconds"])

    def _on_training_start(self) -> None:
        self._begin = time.perf_counter() - self.seconds["total"]
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
        self._check_weights()
        self._plain_numbers()
        if self.on_rollout is not None:
            self.on_rollout(self.num_timesteps)
        self._parts_before = self._parts()

    def _note_divergence(self) -> None:
        """Give what PPO logged as entropy its own name: the policy hands it minus the KL."""
        value = self.logger.name_to_value.pop("train/entropy_loss", None)
        self.logger.name_to_count.pop("train/entropy_loss", None)
        self.logger.name_to_excluded.pop("train/entropy_loss", None)
        if value is not None:
            self.logger.record("train/kl_from_imitator", value)

    def _on_training_end(self) -> None:
        # PPO logs an update with the rollout after it; after the last there is none, and at its own
        # step the same names are written already.
        log = self.logger
        for values in (log.name_to_value, log.name_to_count, log.name_to_excluded):
            values.clear()

    def _check_weights(self) -> None:
        parameters = dict(self.model.policy.named_parameters())
        for name, value in parameters.items():
            if not bool(torch.isfinite(value).all()):
                raise NotFiniteError(f"the weights {name} are not finite after an update", {})

    def _plain_numbers(self) -> None:
        """Make what PPO logged plain floats, which are written the same before and after a stop."""
        for key, logged in self.logger.name_to_value.items():
            if isinstance(logged, np.floating):
                self.logger.name_to_value[key] = float(logged)

    def _check_advantages(self) -> None:
        assert isinstance(self.model, PPO)
        buffer = self.model.rollout_buffer
        columns: dict[str, NDArray[Any]] = {
            name: getattr(buffer, name)
            for name in ("rewards", "values", "log_probs", "advantages", "returns")
        }
        for name, values in columns.items():
            if not np.isfinite(values).all():
                raise NotFiniteError(f"the {name} of a rollout are not finite", columns)
        self.entropy = float(-columns["log_probs"].mean())
        self.logger.record("train/entropy", self.entropy)

    def _on_rollout_end(self) -> None:
        self._check_advantages()
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


def collapse(entropy: float, novelty_self: float) -> dict[str, str]:
    """How a policy has collapsed: what is near zero, and how near; empty if nothing is.

    Args:
        entropy: Nats a move.
        novelty_self: Median novelty of its latest works among themselves, in human units.
    """
    found = {}
    if entropy < LEAST_ENTROPY:
        found["entropy"] = f"the policy's entropy is {entropy:.3f} nats a move"
    if novelty_self < LEAST_SELF_NOVELTY:
        found["novelty_self"] = f"its works are {novelty_self:.3f} from each other"
    return found


def learner_limit_share(seconds: dict[str, float]) -> float:
    """Share of the wall time that went into the network's own passes and updates.

    A learner that did nothing else would be faster by one over this.
    """
    return (seconds["forward"] + seconds["update"]) / max(seconds["total"], 1e-9)
