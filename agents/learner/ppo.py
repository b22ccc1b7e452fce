"""Stable-Baselines3's PPO with a KL penalty, started from the imitator's weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from move37.agents.learner.policy import PriorPolicy
from move37.agents.runs.config import Config

WARM_LEARNING_RATE = 2e-4
WARM_EPOCHS = 5


class KLPenaltyPPO(PPO):
    """PPO whose loss holds a KL penalty where Stable-Baselines3's holds an entropy bonus.

    SB3's loss is ``policy_loss + ent_coef * entropy_loss + vf_coef * value_loss``. Its
    ``entropy_loss`` is minus the mean of the third value that the policy's ``evaluate_actions``
    returns. :class:`PriorPolicy` returns there minus the KL divergence from the frozen imitator.
    So ``entropy_loss`` is the mean KL divergence, and its coefficient is the penalty's weight. The
    rest of the arithmetic is SB3's own, to the bit.

    Args:
        policy: :class:`PriorPolicy`, or another that returns such a third value.
        env: SB3's.
        kl_weight: Weight of the mean KL divergence, in nats, in the loss; SB3's ``ent_coef``.
        **kwargs: SB3's.

    Attributes:
        seconds_update: Wall time of all updates so far.
    """

    def __init__(
        self, policy: type[PriorPolicy], env: VecEnv, *, kl_weight: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(policy, env, ent_coef=kl_weight, **kwargs)
        self.seconds_update = 0.0

    def train(self) -> None:
        """Update the policy from the rollout; logs ``train/kl_from_imitator``, in nats a move."""
        begin = time.perf_counter()
        super().train()
        log = self.logger
        log.record("train/kl_from_imitator", log.name_to_value.pop("train/entropy_loss"))
        del log.name_to_excluded["train/entropy_loss"]
        # Plain floats are written the same before and after a checkpoint.
        for key, value in log.name_to_value.items():
            if isinstance(value, np.floating):
                log.name_to_value[key] = float(value)
        self.seconds_update += time.perf_counter() - begin


def make_ppo(env: VecEnv, imitator: nn.Module, config: Config) -> KLPenaltyPPO:
    """PPO with :class:`PriorPolicy`, on the CPU.

    The learning rate falls linearly to a tenth over the steps asked of ``learn``. Returns are not
    discounted: works are short, and rewarded when they are finished.

    Args:
        env: Boards with a reward.
        imitator: The fitted imitator, observations -> (logits, features); copied.
        config: PPO's options and the seed.
    """
    # SB3 would seed the boards too, and each would then draw its own briefs.
    set_random_seed(config.seed)
    return KLPenaltyPPO(
        PriorPolicy,
        env,
        learning_rate=lambda remaining: config.learning_rate * (0.1 + 0.9 * remaining),
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=1.0,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        vf_coef=config.vf_coef,
        max_grad_norm=config.max_grad_norm,
        kl_weight=config.kl_weight,
        policy_kwargs={"network": imitator, "own_value": config.value_network == "own"},
        device="cpu",
    )


def warm_value(model: PPO, rollouts: int, callbacks: Sequence[BaseCallback]) -> None:
    """Fit the value function alone, on the imitator's own works, before the policy changes.

    Nothing of it is logged: its steps are not counted among those of the run.
    """
    policy = model.policy
    assert isinstance(policy, PriorPolicy)
    assert model.n_steps is not None and model.env is not None
    policy.value_only = True
    schedule, epochs = model.lr_schedule, model.n_epochs
    silent = Logger(None, [])
    logger = getattr(model, "_logger", silent)
    model.set_logger(silent)
    model.lr_schedule, model.n_epochs = (lambda _: WARM_LEARNING_RATE), WARM_EPOCHS
    try:
        model.learn(rollouts * model.n_steps * model.env.num_envs, list(callbacks))
    finally:
        policy.value_only = False
        model.lr_schedule, model.n_epochs = schedule, epochs
        model.set_logger(logger)
