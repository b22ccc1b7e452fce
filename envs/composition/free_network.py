"""The network of the free mode: it writes both voices, and knows whose turn it is.

As in ``network`` a note is scored three times: as a pitch, as an interval from
the note before in its own voice, and as an interval to what sounds in the other voice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from move37.envs.composition.dynamics import N_RECENT, NO_MOVE, WINDOW
from move37.envs.composition.free_dynamics import (
    FOR,
    KEY_MODE,
    KEY_TONIC,
    LEFT,
    N_STATE,
    PLACE,
    SOUNDS,
    TURN,
)
from move37.envs.composition.judging.progress_features import N_PAIR_ACCOUNT
from move37.envs.composition.moves import EIGHTHS, FIRST_NOTE, LOW, N_MOVES, SOPRANO_LOW
from move37.envs.composition.network import N_GAPS, N_NOTES, N_STEPS, OFFSET, ScoreNetwork

DEGREES = 12
"""Silence stands after the twelve pitch classes, and after the twelve intervals."""


def _tables() -> tuple[Tensor, Tensor]:
    """Where the head's intervals stand for each note.

    Returns:
        (31, 29) int64: by what sounds in the voice itself; (2, 31, 29): by what sounds in the other
        voice, for a note of the soprano, and of the bass. The index after the last interval stands
        for none.
    """
    notes, codes = torch.arange(FIRST_NOTE, N_MOVES), torch.arange(N_MOVES)
    steps = notes[None] - codes[:, None] + N_NOTES - 1
    # Both are soprano minus bass.
    under = notes[None] - codes[:, None] + OFFSET + N_NOTES - 1
    over = codes[:, None] - notes[None] + OFFSET + N_NOTES - 1
    gaps = torch.stack([under, over]).clamp(0, N_GAPS - 1)
    steps[:FIRST_NOTE], gaps[:, :FIRST_NOTE] = N_STEPS, N_GAPS
    return steps, gaps


class FreeNetwork(ScoreNetwork):
    """Observation of :class:`FreeSimulator` -> logits and features.

    Args:
        width: Size of the hidden layers.
        embedding: Numbers per move.
        dropout: Share of the features dropped while training (the imitator only).
    """

    slots: Tensor
    step_of: Tensor
    gap_of: Tensor

    def __init__(self, width: int = 256, embedding: int = 12, dropout: float = 0.0) -> None:
        half = embedding // 2
        n_inputs = N_RECENT * (2 * (embedding + 2 * half) + half) + WINDOW + 3 * embedding
        super().__init__(n_inputs + 2 * half + 4, N_PAIR_ACCOUNT, 2, width, dropout)
        self.move = nn.Embedding(2 * N_RECENT * (NO_MOVE + 1), embedding)
        self.degree = nn.Embedding(2 * (DEGREES + 1), half)
        self.interval = nn.Embedding(DEGREES + 1, half)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.sounds = nn.Embedding(2 * N_MOVES, embedding)
        self.place = nn.Embedding(8, embedding)
        self.left = nn.Embedding(EIGHTHS + 1, half)
        self.tonic = nn.Embedding(12, half)
        self.begin_small()
        slots = torch.arange(2 * N_RECENT).view(2, N_RECENT) * (NO_MOVE + 1)
        self.register_buffer("slots", slots, persistent=False)
        steps, gaps = _tables()
        self.register_buffer("step_of", steps, persistent=False)
        self.register_buffer("gap_of", gaps, persistent=False)

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``recent`` and ``sounding`` (N, 2, 8), ``fermatas`` (N, 16), ``state`` (N, 9),
                ``account`` (N, 358); any number type.

        Returns:
            logits (N, 31) and features (N, width + 358), float32: the account stands among them as
            it is, for a value head.
        """
        state, sounding = obs["state"].long(), obs["sounding"].long()
        assert state.shape[1] == N_STATE
        turn, now = state[:, TURN], state[:, SOUNDS : SOUNDS + 2]
        heard = sounding >= FIRST_NOTE
        lows = torch.tensor([[SOPRANO_LOW], [LOW]]) - FIRST_NOTE
        degree = torch.where(heard, (sounding + lows) % 12, DEGREES)
        degree = degree + torch.tensor([[0], [DEGREES + 1]])
        gap = (sounding[:, 0] - sounding[:, 1] + OFFSET) % 12
        gap = torch.where(heard.all(1), gap, DEGREES)
        # Steps from each of the last notes to what sounds now.
        steps = now[:, :, None] - sounding + N_NOTES - 1
        steps = torch.where(heard & (now[:, :, None] >= FIRST_NOTE), steps, N_STEPS)
        own = [self.move(obs["recent"].long() + self.slots), self.degree(degree), self.step(steps)]
        account = obs["account"].float()
        voices = self.sounds(now + torch.tensor([0, N_MOVES])).flatten(1)
        parts = [
            torch.cat(own, 3).flatten(1), self.interval(gap).flatten(1), obs["fermatas"].float(),
            voices, self.place(state[:, PLACE]), self.left(state[:, LEFT]),
            self.tonic(state[:, KEY_TONIC]), state[:, FOR : FOR + 2].float() / 8,
            state[:, [KEY_MODE, TURN]].float(),
        ]  # fmt: skip
        x = self.hidden(parts, account)
        both = self.head(x).view(len(x), 2, -1)
        scores = both.gather(1, turn[:, None, None].expand(-1, 1, both.shape[2])).squeeze(1)
        mine = now.gather(1, turn[:, None]).squeeze(1)
        other = now.gather(1, 1 - turn[:, None]).squeeze(1)
        logits = self.scored(scores, self.step_of[mine], self.gap_of[turn, other])
        return logits, torch.cat([x, account], 1)
