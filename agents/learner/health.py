"""Whether a learner is healthy: finite numbers, and a policy that has not collapsed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from move37.envs.base.batch import NotFiniteError

MIN_ENTROPY = 0.05
"""Nats a move; a policy below it makes nearly always the same moves."""
MIN_SELF_NOVELTY = 0.1
"""In units of the human median; works closer to each other than this are nearly the same."""


class FiniteCallback(BaseCallback):
    """Stops a run in which a rollout or a weight is not finite; logs the policy's entropy.

    Raises:
        NotFiniteError: From ``learn``, with the arrays of the rollout.
    """

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._check_weights()

    def _on_training_end(self) -> None:
        self._check_weights()

    def _check_weights(self) -> None:
        for name, value in self.model.policy.named_parameters():
            if not bool(torch.isfinite(value).all()):
                raise NotFiniteError(f"the weights {name} are not finite after an update", {})

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, PPO)
        columns: dict[str, NDArray[Any]] = {
            name: getattr(self.model.rollout_buffer, name)
            for name in ("rewards", "values", "log_probs", "advantages", "returns")
        }
        for name, values in columns.items():
            if not np.isfinite(values).all():
                raise NotFiniteError(f"the {name} of a rollout are not finite", columns)
        self.logger.record("train/entropy", rollout_entropy(self.model))


def rollout_entropy(model: PPO) -> float:
    """Entropy of the policy in nats a move: the mean of -log p of the moves of its last rollout."""
    return -float(model.rollout_buffer.log_probs.mean())


def collapse(entropy: float, novelty_self: float) -> dict[str, str]:
    """The ways in which a policy has collapsed, each with its value; empty if it has not.

    Args:
        entropy: Nats a move.
        novelty_self: Median novelty of its latest works among themselves, in human units.
    """
    found = {}
    if entropy < MIN_ENTROPY:
        found["entropy"] = f"the policy's entropy is {entropy:.3f} nats a move"
    if novelty_self < MIN_SELF_NOVELTY:
        found["novelty_self"] = f"the novelty of its works among themselves is {novelty_self:.3f}"
    return found
