"""What every fit of a network by passes over data has in common."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class OneCycle:
    """AdamW whose rate rises to a peak and falls to zero (Smith and Topin 2018).

    Args:
        network: To be fitted.
        learning_rate: The peak.
        weight_decay: AdamW's decoupled decay.
        total_steps: Updates over which the rate rises and falls.
        rise: Share of them in which it rises.
        clip: Largest norm of the gradient; 0: any.
    """

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float,
        weight_decay: float,
        total_steps: int,
        rise: float = 0.1,
        clip: float = 0.0,
    ) -> None:
        self._network, self._clip = network, clip
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=learning_rate, weight_decay=weight_decay
        )
        if rise * total_steps == 1:
            total_steps += 1  # torch would divide by the length of the rise less one update
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, learning_rate, total_steps=total_steps, pct_start=rise
        )

    def step(self, loss: Tensor) -> None:
        """Make one update that lowers the loss."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self._clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self.optimizer.step()
        self.schedule.step()


class BestWeights:
    """The weights of a network when its loss on works held out was lowest.

    Args:
        network: Looked at now, and whenever a loss is offered.

    Attributes:
        loss: The lowest so far.
    """

    def __init__(self, network: nn.Module) -> None:
        self.loss = math.inf
        self._network = network
        self._keep()

    def _keep(self) -> None:
        self._weights = {k: v.clone() for k, v in self._network.state_dict().items()}

    def offer(self, loss: float) -> None:
        """Keep the weights as they are now if the loss is the lowest so far."""
        if loss < self.loss:
            self.loss = loss
            self._keep()

    def restore(self) -> None:
        """Give the network the best weights back."""
        self._network.load_state_dict(self._weights)
