"""The networks that write several voices in turn, and know whose turn it is: free, and in four."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.composition.dynamics import BEHIND, N_RECENT, NO_MOVE, WINDOW
from move37.envs.composition.modes import FOUR, FREE
from move37.envs.composition.moves import FIRST_NOTE, N_MOVES, N_SOPRANO, SOPRANO_LOW
from move37.envs.composition.network import (
    DEGREES,
    EMBEDDING,
    N_NOTES,
    N_STEPS,
    OFFSET,
    ScoreNetwork,
)

VOICES = FOUR.voices
LOWER, UPPER = (0, 0, 1, 0, 1, 2), (1, 2, 2, 3, 3, 3)
"""All pairs of bass, tenor, alto and soprano, by their lower and their upper voices."""
PAIRS = len(LOWER)
HEARD = 5
"""Eighths in which the intervals between all voices are seen, the one to write among them."""


class VoicesNetwork(ScoreNetwork):
    """What networks that write several voices in turn have in common.

    Args:
        mode: Whose works they write.
        n_inputs: Numbers that :meth:`hidden` is given, without the progress features.
        width: Size of the hidden layers.
        dropout: Share of the features dropped while training (the imitator only).
    """

    move: nn.Embedding
    degree: nn.Embedding
    step: nn.Embedding
    slots: Tensor
    lows: Tensor
    degree_slots: Tensor
    sound_slots: Tensor

    def finish(self, **tables: Tensor) -> None:
        """Add the tables of several voices; see the base class."""
        n = self.mode.voices
        super().finish(
            slots=torch.arange(n * N_RECENT).view(n, N_RECENT) * (NO_MOVE + 1),
            lows=torch.tensor(self.mode.lowest)[:, None] - FIRST_NOTE,
            degree_slots=torch.arange(n)[:, None] * (DEGREES + 1),
            sound_slots=torch.arange(n) * N_MOVES,
            **tables,
        )

    def own(self, recent: Tensor, sounding: Tensor, now: Tensor) -> Tensor:
        """(N, ...) what the written voices did last.

        Args:
            recent: (N, V, 8) int64: their last moves.
            sounding: (N, V, 8) int64: codes of what sounded in these eighths.
            now: (N, V) int64: what sounds.
        """
        heard = sounding >= FIRST_NOTE
        degree = torch.where(heard, (sounding + self.lows) % 12, DEGREES) + self.degree_slots
        # Steps from each of the last notes to what sounds now.
        steps = now[:, :, None] - sounding + N_NOTES - 1
        steps = torch.where(heard & (now[:, :, None] >= FIRST_NOTE), steps, N_STEPS)
        parts = [self.move(recent + self.slots), self.degree(degree), self.step(steps)]
        return torch.cat(parts, 3).flatten(1)

    def logits(self, x: Tensor, turn: Tensor, mine: Tensor, other: Tensor) -> Tensor:
        """Logits of the moves, (N, 31).

        Args:
            x: (N, width), of the last hidden layer.
            turn: (N,) int64: whose turn it is.
            mine: (N,) int64: the code that sounds in that voice.
            other: (N,) int64: the code that sounds in its partner.
        """
        every = self.head(x).view(len(x), self.mode.voices, -1)
        scores = every.gather(1, turn[:, None, None].expand(-1, 1, every.shape[2])).squeeze(1)
        return self.scored(scores, self.step_of[mine], self.gap_of[turn, other])


class FreeNetwork(VoicesNetwork):
    """Observation of :class:`.dynamics.FreeSimulator` -> logits and features.

    Args:
        dropout: Share of the features dropped while training (the imitator only).
    """

    def __init__(self, dropout: float = 0.0) -> None:
        width, embedding, half = 256, EMBEDDING, EMBEDDING // 2
        n_inputs = N_RECENT * (2 * (embedding + 2 * half) + half) + WINDOW + 3 * embedding
        super().__init__(FREE, n_inputs + 2 * half + 4, width, dropout)
        self.move = nn.Embedding(2 * N_RECENT * (NO_MOVE + 1), embedding)
        self.degree = nn.Embedding(2 * (DEGREES + 1), half)
        self.interval = nn.Embedding(DEGREES + 1, half)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.sounds = nn.Embedding(2 * N_MOVES, embedding)
        self.finish()

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


class FourNetwork(VoicesNetwork):
    """Observation of :class:`.dynamics.FourSimulator` -> logits and features.

    Args:
        dropout: Share of the features dropped while training (the imitator only).
    """

    pair_slots: Tensor

    def __init__(self, dropout: float = 0.0) -> None:
        width, embedding, half = 320, EMBEDDING, EMBEDDING // 2
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
        self.finish(pair_slots=torch.arange(PAIRS)[:, None] * (DEGREES + 1))

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
