"""The learner's policy for Stable-Baselines3: the imitator's network, a frozen copy, a value."""

from __future__ import annotations

import copy
import time
from typing import Any, cast

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

VALUE_RATE = 5.0
"""Factor on the learning rate for the value head, which starts from random weights."""
CRITIC_RATE = 2.0
"""Factor on the learning rate for the value's own network."""


class GroupAdam(torch.optim.Adam):
    """Adam whose parameter groups may have a ``rate_factor`` on the common learning rate.

    Stable-Baselines3 sets one learning rate for all groups before every update.
    """

    def step(self, closure: Any = None) -> Any:
        """One update."""
        rates = [group["lr"] for group in self.param_groups]
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate * group.get("rate_factor", 1.0)
        try:
            return super().step(closure)
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate


class PriorPolicy(ActorCriticPolicy):
    """PPO's policy, started as the imitator, with a frozen copy of the imitator as its prior.

    :meth:`evaluate_actions` returns minus the KL divergence from the prior where Stable-Baselines3
    expects the entropy; :class:`~move37.agents.learner.ppo.KLPenaltyPPO` says what comes of it.

    Args:
        observation_space: Of one board.
        action_space: ``Discrete``.
        lr_schedule: From PPO.
        network: The fitted imitator, (obs) -> (logits, features); copied.
        value_width: Hidden size of the value head, whose loss does not change the features.
        own_value: Whether the value has a network of its own, started as the imitator too, whose
            features its loss does change: it explains several times as much of the variance, and
            costs a second pass.
        **kwargs: Stable-Baselines3's own.

    Attributes:
        value_only: While true, only the value is fitted: the policy gets no gradient.
        seconds_forward: Wall time of all passes in which moves were made.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        network: nn.Module,
        value_width: int = 256,
        own_value: bool = False,
        **kwargs: Any,
    ) -> None:
        self._imitator = [network]  # in a list, so that torch does not register it a second time
        self._value_width, self._own_value = value_width, own_value
        self.value_only = False
        self.seconds_forward = 0.0
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        imitator = self._imitator[0]
        self.network = copy.deepcopy(imitator)
        self.prior = copy.deepcopy(imitator).eval().requires_grad_(False)
        self.critic = copy.deepcopy(imitator) if self._own_value else None
        for network in (self.network, self.prior, *([self.critic] if self.critic else ())):
            network.dropout = cast(Any, 0.0)  # a plain number of the network, not a module
        width = int(cast(int, self.network.n_features))
        self.value = nn.Sequential(
            nn.Linear(width, self._value_width), nn.ReLU(), nn.Linear(self._value_width, 1)
        )
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.parameters())},
            {"params": list(self.value.parameters()), "rate_factor": VALUE_RATE},
        ]
        if self.critic is not None:
            critic = list(self.critic.parameters())
            groups.append({"params": critic, "rate_factor": CRITIC_RATE})
        self.optimizer = GroupAdam(groups, lr=lr_schedule(1), eps=1e-5)

    def forward(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions (N,), values (N, 1) and log-probabilities (N,)."""
        begin = time.perf_counter()
        logits, features = self.network(obs)
        log_p = torch.log_softmax(logits, 1)
        if deterministic:
            actions = log_p.argmax(1)
        else:
            actions = (log_p.exp() / torch.empty_like(log_p).exponential_()).argmax(1)
        out = actions, self._values(obs, features), log_p.gather(1, actions[:, None]).squeeze(1)
        self.seconds_forward += time.perf_counter() - begin
        return out

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self(observation, deterministic)[0]  # type: ignore[no-any-return]

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values (N, 1), log-probabilities (N,), and minus the KL from the imitator (N,)."""
        with torch.set_grad_enabled(not self.value_only):
            logits, features = self.network(obs)
        log_p = torch.log_softmax(logits, 1)
        with torch.no_grad():
            log_prior = torch.log_softmax(self.prior(obs)[0], 1)
        divergence = (log_p.exp() * (log_p - log_prior)).sum(1)
        log_prob = log_p.gather(1, actions.long()[:, None]).squeeze(1)
        return self._values(obs, features), log_prob, -divergence

    def get_distribution(self, obs: Any) -> Distribution:
        """The distribution of moves, for algorithms and users who ask for all of it."""
        return self.action_dist.proba_distribution(self.network(obs)[0])

    def predict_values(self, obs: Any) -> Tensor:
        """Values (N, 1)."""
        return self._values(obs, None if self.critic else self.network(obs)[1])

    def _values(self, obs: Any, features: Tensor | None) -> Tensor:
        """(N, 1), of the own network if there is one, or of the policy's features."""
        if self.critic is not None:
            features = self.critic(obs)[1]
        else:
            assert features is not None
            features = features.detach()
        values: Tensor = self.value(features)
        return values
