"""The network of the free mode: it writes soprano and bass, and knows whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from move37.envs.composition.dynamics import N_RECENT, NO_MOVE, WINDOW
from move37.envs.composition.modes import FREE
from move37.envs.composition.moves import FIRST_NOTE, N_MOVES
from move37.envs.composition.network import DEGREES, N_STEPS, OFFSET, VoicesNetwork


class FreeNetwork(VoicesNetwork):
    """Observation of :class:`.dynamics.FreeSimulator` -> logits and features.

    Args:
        width: Size of the hidden layers.
        embedding: Numbers per move.
        dropout: Share of the features dropped while training (the imitator only).
    """

    def __init__(self, width: int = 256, embedding: int = 12, dropout: float = 0.0) -> None:
        half = embedding // 2
        n_inputs = N_RECENT * (2 * (embedding + 2 * half) + half) + WINDOW + 3 * embedding
        super().__init__(FREE, n_inputs + 2 * half + 4, width, dropout)
        self.move = nn.Embedding(2 * N_RECENT * (NO_MOVE + 1), embedding)
        self.degree = nn.Embedding(2 * (DEGREES + 1), half)
        self.interval = nn.Embedding(DEGREES + 1, half)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.sounds = nn.Embedding(2 * N_MOVES, embedding)
        self.finish(embedding)

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``recent`` and ``sounding`` (N, 2, 8), ``fermatas`` (N, 16), ``state`` (N, 9),
                ``progress_features`` (N, 358); any number type.

        Returns:
            logits (N, 31) and features (N, width + 358), float32: the progress features stand among
            them as they are, for a value head.
        """
        state, sounding = obs["state"].long(), obs["sounding"].long()
        turn, now = state[:, self.columns.turn], state[:, self.columns.sounds]
        gap = (sounding[:, 0] - sounding[:, 1] + OFFSET) % 12
        gap = torch.where((sounding >= FIRST_NOTE).all(1), gap, DEGREES)
        progress = obs["progress_features"].float()
        parts = [
            self.own(obs["recent"].long(), sounding, now), self.interval(gap).flatten(1),
            obs["fermatas"].float(), self.sounds(now + self.sound_slots).flatten(1),
            *self.frame(state), turn[:, None].float(),
        ]  # fmt: skip
        x = self.hidden(parts, progress)
        mine, other = (now.gather(1, who[:, None]).squeeze(1) for who in (turn, 1 - turn))
        return self.logits(x, turn, mine, other), torch.cat([x, progress], 1)
