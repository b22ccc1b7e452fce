"""A network for any world: a perceptron on the flattened observation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

MOST_KINDS = 64
"""Whole numbers with at most so many values are shown one-hot, others by their size."""


class FlatNetwork(nn.Module):
    """Two hidden layers on everything that is observed, (obs) -> (logits (N, A), features (N, F)).

    Whole numbers from a small range are kinds of things and shown one-hot; other numbers are
    brought to the range from 0 to 1, where they have one.

    Args:
        space: What is observed of one board: arrays by name.
        n_actions: A.
        dropout: Share of each hidden layer that is dropped while it learns; 0 for a policy.
    """

    def __init__(self, space: spaces.Dict, n_actions: int, dropout: float = 0.0) -> None:
        super().__init__()
        width = 128
        self.n_features, self.dropout = width, dropout
        self._ranges: dict[str, tuple[float, float, int]] = {}
        inputs = 0
        for key, box in space.spaces.items():
            if not isinstance(box, spaces.Box):
                raise TypeError(f"observation_space[{key!r}]: expected a Box, got {box}")
            low, high = float(box.low.min()), float(box.high.max())
            kinds = 0
            if np.issubdtype(box.dtype, np.integer) and high - low < MOST_KINDS:
                kinds = int(high - low) + 1
            self._ranges[key] = (low, high, kinds)
            inputs += int(np.prod(box.shape)) * max(kinds, 1)
        self.hidden1, self.hidden2 = nn.Linear(inputs, width), nn.Linear(width, width)
        self.head = nn.Linear(width, n_actions)

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (N, A) and features (N, F) of observations, each (N, ...)."""
        x = torch.cat([self._shown(key, obs[key]) for key in self._ranges], 1)
        for layer in (self.hidden1, self.hidden2):
            x = functional.dropout(functional.relu(layer(x)), self.dropout, self.training)
        return self.head(x), x

    def _shown(self, key: str, values: Tensor) -> Tensor:
        low, high, kinds = self._ranges[key]
        if kinds:
            # Stable-Baselines3 hands whole numbers on as fractions.
            codes = (values.round().long() - int(low)).clamp(0, kinds - 1)
            return functional.one_hot(codes, kinds).flatten(1).float()
        values = values.float().flatten(1)
        if np.isfinite(low) and np.isfinite(high) and high > low:
            return (values - low) / (high - low)
        return values
