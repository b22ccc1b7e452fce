"""The network that draws named things: that of free drawing, which also sees the exemplar.

The exemplar is seen three times: as planes beside the ink (all of it, and what of it is not yet
covered), as a patch around the pen, and as a code of 128 numbers that goes into both hidden layers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.drawing.moves import SIZE
from move37.envs.drawing.network import PATCH, DrawingNetwork

CODE = 128
"""Numbers in the code of an exemplar."""
FAST = bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())
"""Whether the processor multiplies bfloat16: then most of the network is computed in it."""


class ConceptNetwork(DrawingNetwork):
    """Observation -> logits of the moves and features.

    Args:
        width: Size of the hidden layers and of the features.
        channels: Of the two convolutions.
        dropout: Share of the features dropped while training (the imitator only).
    """

    def __init__(
        self, width: int = 384, channels: tuple[int, int] = (24, 32), dropout: float = 0.0
    ) -> None:
        super().__init__(width, channels, dropout, planes=5, more=CODE + (2 * PATCH + 1) ** 2)
        self.look1 = nn.Conv2d(1, 24, 5, stride=2, padding=2)
        self.look2 = nn.Conv2d(24, 32, 3, stride=2, padding=1)
        self.code = nn.Linear(32 * 36, CODE)
        self.again = nn.Linear(CODE, width, bias=False)

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``ink`` (N, 576), ``recent`` (N, 6), ``pen`` (N, 4), ``exemplar`` (N, 576); any
                number type.

        Returns:
            logits (N, 578) and features (N, width), float32.
        """
        with torch.autocast(obs["ink"].device.type, torch.bfloat16, enabled=FAST):
            logits, features = self._forward(obs)
        return logits.float(), features.float()

    def _forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        exemplar = (obs["exemplar"] > 0).float()
        n = len(exemplar)
        ink = (obs["ink"] > 0).float()
        near = functional.max_pool2d(ink.view(n, 1, SIZE, SIZE), 3, 1, 1).flatten(1)
        seen = exemplar.view(n, 1, SIZE, SIZE)
        seen = functional.relu(self.look2(functional.relu(self.look1(seen))))
        code = functional.relu(self.code(seen.flatten(1)))
        return self.score(obs, [exemplar, exemplar * (1 - near)], exemplar, code, self.again(code))
