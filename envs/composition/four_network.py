"""The network in four parts: it writes bass, tenor and alto, and knows whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.composition.dynamics import BEHIND, N_RECENT, NO_MOVE, WINDOW
from move37.envs.composition.modes import FOUR
from move37.envs.composition.moves import FIRST_NOTE, N_MOVES, N_SOPRANO, SOPRANO_LOW
from move37.envs.composition.network import DEGREES, N_STEPS, VoicesNetwork

VOICES = FOUR.voices
LOWER, UPPER = (0, 0, 1, 0, 1, 2), (1, 2, 2, 3, 3, 3)
"""All pairs of bass, tenor, alto and soprano, by their lower and their upper voices."""
PAIRS = len(LOWER)
HEARD = 5
"""Eighths in which the intervals between all voices are seen, the one to write among them."""


class FourNetwork(VoicesNetwork):
    """Observation of :class:`.dynamics.FourSimulator` -> logits and features.

    Args:
        width: Size of the hidden layers.
        embedding: Numbers per move.
        dropout: Share of the features dropped while training (the imitator only).
    """

    pair_slots: Tensor

    def __init__(self, width: int = 320, embedding: int = 12, dropout: float = 0.0) -> None:
        half = embedding // 2
        n_given = WINDOW * (2 * half + 2)
        n_own = N_RECENT * VOICES * (embedding + 2 * half)
        n_chord = VOICES * (embedding + half) + PAIRS * HEARD * half
        n_inputs = n_given + n_own + n_chord + embedding + 2 * half + VOICES + 1 + VOICES
        super().__init__(FOUR, n_inputs, width, dropout)
        self.above = nn.Embedding(DEGREES + 1, half)
        self.height = nn.Embedding(N_SOPRANO, half)
        self.move = nn.Embedding(VOICES * N_RECENT * (NO_MOVE + 1), embedding)
        self.degree = nn.Embedding(VOICES * (DEGREES + 1), half)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.interval = nn.Embedding(PAIRS * (DEGREES + 1), half)
        self.sounds = nn.Embedding(VOICES * N_MOVES, embedding)
        self.finish(embedding, pair_slots=torch.arange(PAIRS)[:, None] * (DEGREES + 1))

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``soprano``, ``onsets``, ``fermatas`` (N, 16), ``recent`` and ``sounding``
                (N, 3, 8), ``state`` (N, 11), ``progress_features`` (N, 540); any number type.

        Returns:
            logits (N, 31) and features (N, width + 540), float32: the progress features stand among
            them as they are, for a value head.
        """
        state, sounding = obs["state"].long(), obs["sounding"].long()
        soprano = obs["soprano"].long()
        turn, now = state[:, self.columns.turn], state[:, self.columns.sounds]
        sung, top = soprano >= FIRST_NOTE, soprano + (SOPRANO_LOW - FIRST_NOTE)
        flags = torch.stack([obs["onsets"].float(), obs["fermatas"].float()], 2)
        given = [self.above(torch.where(sung, top % 12, DEGREES)), self.height(soprano), flags]
        names = torch.where(now >= FIRST_NOTE, (now + self.lows[:, 0]) % 12, DEGREES)
        chord = [
            self.sounds(now + self.sound_slots),
            self.degree(names + self.degree_slots[:, 0]),
        ]
        between = self._intervals(soprano, sounding, turn)
        progress = obs["progress_features"].float()
        parts = [
            torch.cat(given, 2).flatten(1), self.own(obs["recent"].long(), sounding, now),
            torch.cat(chord, 2).flatten(1), self.interval(between + self.pair_slots).flatten(1),
            *self.frame(state), functional.one_hot(turn, VOICES).float(),
        ]  # fmt: skip
        x = self.hidden(parts, progress)
        mine = now.gather(1, turn[:, None]).squeeze(1)
        other = torch.where(turn == 0, soprano[:, BEHIND], now[:, 0])
        return self.logits(x, turn, mine, other), torch.cat([x, progress], 1)

    def _intervals(self, soprano: Tensor, sounding: Tensor, turn: Tensor) -> Tensor:
        """(N, 6, 5) int64: intervals between all voices, in this eighth and the last ones.

        A voice whose turn is still to come has not sounded in this one.
        """
        later = (turn[:, None] <= torch.arange(VOICES))[:, :, None]
        past = torch.cat([torch.zeros_like(sounding[:, :, :1]), sounding[:, :, :-1]], 2)
        lined = torch.where(later, past, sounding)[:, :, :HEARD]
        sung = soprano[:, BEHIND - HEARD + 1 : BEHIND + 1].flip(1)[:, None]
        codes = torch.cat([lined, sung], 1)
        lows = torch.cat([self.lows, torch.tensor([[SOPRANO_LOW - FIRST_NOTE]])])
        heights, heard = codes + lows, codes >= FIRST_NOTE
        lower, upper = list(LOWER), list(UPPER)
        apart = (heights[:, upper] - heights[:, lower]) % 12
        return torch.where(heard[:, lower] & heard[:, upper], apart, DEGREES)
