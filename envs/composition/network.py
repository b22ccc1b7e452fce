"""The network that reads a score and proposes what the bass does next.

Embeddings of what sounds in the soprano, of its intervals above the bass, of the own last moves and
of the place, with the account of the bass so far, then two hidden layers: small, because the cost
of training is the network. The head scores a note three times: as a pitch, as an interval from the
bass note before, and as an interval under the soprano. "A third under the soprano" is the same idea
everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.composition.dynamics import BEHIND, N_RECENT, NO_MOVE, WINDOW
from move37.envs.composition.judging.progress_features import N_ACCOUNT
from move37.envs.composition.moves import (
    EIGHTHS,
    FIRST_NOTE,
    LOW,
    N_MOVES,
    N_SOPRANO,
    SOPRANO_LOW,
)

OFFSET = SOPRANO_LOW - LOW
"""Soprano minus bass, in semitones, is the difference of their codes plus this."""
N_NOTES = N_MOVES - FIRST_NOTE
N_STEPS = 2 * N_NOTES - 1
N_GAPS = OFFSET + N_SOPRANO + N_NOTES
N_MELODIC = 2 * N_SOPRANO + 1
ACCOUNT_WIDTH = 64


def _tables() -> tuple[Tensor, Tensor]:
    """Where the head's intervals stand for each note.

    Returns:
        (31, 29) int64: by what sounds in the bass (0, 1: nothing); (32, 29): in the soprano. The
        index after the last interval stands for none.
    """
    notes = torch.arange(FIRST_NOTE, N_MOVES)
    codes = torch.arange(N_MOVES)
    steps = notes[None] - codes[:, None] + N_NOTES - 1
    steps[:FIRST_NOTE] = N_STEPS
    codes = torch.arange(N_SOPRANO)
    gaps = codes[:, None] - notes[None] + OFFSET + N_NOTES - 1
    gaps = gaps.clamp(0, N_GAPS - 1)
    gaps[:FIRST_NOTE] = N_GAPS
    return steps, gaps


class ScoreNetwork(nn.Module):
    """What networks that write notes have in common: the hidden layers and the threefold head.

    Args:
        n_inputs: Numbers that :meth:`hidden` is given, without the account's.
        n_account: Size of the account.
        n_turns: How many voices have scores of their own.
        width: Size of the hidden layers.
        dropout: Share of the features dropped while training (the imitator only).
    """

    def __init__(
        self, n_inputs: int, n_account: int, n_turns: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.n_features = width + n_account
        self.dropout = dropout
        self.account = nn.Linear(n_account, ACCOUNT_WIDTH)
        self.hidden1 = nn.Linear(n_inputs + ACCOUNT_WIDTH, width)
        self.hidden2 = nn.Linear(width, width)
        self.head = nn.Linear(width, n_turns * (N_MOVES + N_STEPS + N_GAPS))

    def begin_small(self) -> None:
        """Scale down what the parameters begin with; to be called when all are there."""
        with torch.no_grad():
            for module in self.children():
                if isinstance(module, nn.Embedding):
                    module.weight.mul_(0.5)
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()

    def hidden(self, parts: list[Tensor], account: Tensor) -> Tensor:
        """(N, width) of parts (N, ...) of the input and the account (N, ``n_account``)."""
        known = functional.dropout(account, self.dropout, self.training)
        inputs = torch.cat([*parts, functional.relu(self.account(known))], 1)
        x = functional.dropout(inputs, self.dropout / 2, self.training)
        for layer in (self.hidden1, self.hidden2):
            x = functional.dropout(functional.relu(layer(x)), self.dropout, self.training)
        return x

    @staticmethod
    def scored(scores: Tensor, steps: Tensor, gaps: Tensor) -> Tensor:
        """Logits of the moves, (N, 31).

        Args:
            scores: (N, 31 + N_STEPS + N_GAPS), of moves and of intervals.
            steps: (N, 29) int64: which interval in its own voice each note is.
            gaps: (N, 29) int64: which interval to the other voice.
        """
        moves = scores[:, :N_MOVES]
        by_step = functional.pad(scores[:, N_MOVES : N_MOVES + N_STEPS], (0, 1))
        by_gap = functional.pad(scores[:, N_MOVES + N_STEPS :], (0, 1))
        notes = by_step.gather(1, steps) + by_gap.gather(1, gaps)
        return moves + functional.pad(notes, (FIRST_NOTE, 0))


class CompositionNetwork(ScoreNetwork):
    """Observation -> logits of the moves and features.

    Args:
        width: Size of the hidden layers.
        embedding: Numbers per soprano note and per own move.
        dropout: Share of the features dropped while training (the imitator only).
    """

    recent_slots: Tensor
    step_of: Tensor
    gap_of: Tensor

    def __init__(self, width: int = 256, embedding: int = 12, dropout: float = 0.0) -> None:
        half = embedding // 2
        per_slot = embedding + 2 * half + 2
        n_inputs = WINDOW * per_slot + N_RECENT * (embedding + half) + 2 * embedding + 3 * half + 2
        super().__init__(n_inputs, N_ACCOUNT, 1, width, dropout)
        self.degree = nn.Embedding(13, embedding)
        self.height = nn.Embedding(N_SOPRANO, half)
        self.interval = nn.Embedding(13, half)
        self.melodic = nn.Embedding(N_MELODIC, half)
        self.move = nn.Embedding((NO_MOVE + 1) * N_RECENT, embedding)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.bass = nn.Embedding(N_MOVES, embedding)
        self.place = nn.Embedding(8, embedding)
        self.left = nn.Embedding(EIGHTHS + 1, half)
        self.tonic = nn.Embedding(12, half)
        self.begin_small()
        slots = torch.arange(N_RECENT) * (NO_MOVE + 1)
        self.register_buffer("recent_slots", slots, persistent=False)
        steps, gaps = _tables()
        self.register_buffer("step_of", steps, persistent=False)
        self.register_buffer("gap_of", gaps, persistent=False)

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``soprano``, ``onsets``, ``fermatas`` (N, 16), ``recent`` (N, 8), ``state``
                (N, 6), ``account`` (N, 186); any number type.

        Returns:
            logits (N, 31) and features (N, width + 186), float32: the account stands among them as
            it is, for a value head.
        """
        soprano, state = obs["soprano"].long(), obs["state"].long()
        recent = obs["recent"].long()
        bass, above = state[:, 0], soprano[:, BEHIND]
        sounds, low = soprano >= FIRST_NOTE, bass[:, None]
        degree = torch.where(sounds, (soprano - FIRST_NOTE + SOPRANO_LOW) % 12, 12)
        gap = torch.where(sounds & (low >= FIRST_NOTE), (soprano - low + OFFSET) % 12, 12)
        line = soprano - above[:, None] + N_SOPRANO
        line = torch.where(sounds & (above[:, None] >= FIRST_NOTE), line, N_MELODIC - 1)
        flags = torch.stack([obs["onsets"].float(), obs["fermatas"].float()], 2)
        given = torch.cat([self.degree(degree), self.interval(gap), self.melodic(line), flags], 2)
        is_note = (recent >= FIRST_NOTE) & (recent < NO_MOVE) & (low >= FIRST_NOTE)
        steps = torch.where(is_note, recent - low + N_NOTES - 1, N_STEPS)
        own = torch.cat([self.move(recent + self.recent_slots), self.step(steps)], 2)
        account = obs["account"].float()
        parts = [
            given.flatten(1), own.flatten(1), self.height(above), self.bass(bass),
            self.place(state[:, 2]), self.left(state[:, 3]), self.tonic(state[:, 5]),
            state[:, 1:2].float() / 8, state[:, 4:5].float(),
        ]  # fmt: skip
        x = self.hidden(parts, account)
        logits = self.scored(self.head(x), self.step_of[bass], self.gap_of[above])
        return logits, torch.cat([x, account], 1)
