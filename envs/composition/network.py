"""The networks that read a score and propose the next move: what all modes share, and the bass's.

Embeddings of what sounds, of its intervals, of the last moves and of the place, with the progress
features of the work so far, then two hidden layers: small, because the cost of training is the
network. The head scores a note three times: as a pitch, as an interval from the note before in its
own voice, and as an interval to another voice, its partner. "A third under the soprano" is the same
idea everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.composition.dynamics import BEHIND, N_RECENT, NO_MOVE, WINDOW, state_columns
from move37.envs.composition.judging.progress_features import n_progress
from move37.envs.composition.modes import BASS, Mode, partner
from move37.envs.composition.moves import (
    EIGHTHS,
    FIRST_NOTE,
    LOW,
    LOWEST,
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
PROGRESS_WIDTH = 64
EMBEDDING = 12
"""Numbers per note and move."""
DEGREES = 12
"""Silence stands after the twelve pitch classes, and after the twelve intervals."""


def interval_tables(mode: Mode) -> tuple[Tensor, Tensor]:
    """Where the head's intervals stand for each note.

    Returns:
        (31, 29) int64: by what sounds in the voice itself; (V, 31, 29): by turn, and by what sounds
        in its partner. The index after the last interval stands for none.
    """
    notes, codes = torch.arange(FIRST_NOTE, N_MOVES), torch.arange(N_MOVES)
    steps = notes[None] - codes[:, None] + N_NOTES - 1
    gaps = []
    for row in mode.written:
        # Upper minus lower voice, in semitones, each from the smallest there can be.
        apart = LOWEST[row] - LOWEST[partner(row)]
        over = notes[None] - codes[:, None] + apart
        gaps.append((over if apart > 0 else -over) + N_NOTES - 1)
    steps[:FIRST_NOTE] = N_STEPS
    gap = torch.stack(gaps).clamp(0, N_GAPS - 1)
    gap[:, :FIRST_NOTE] = N_GAPS
    return steps, gap


class ScoreNetwork(nn.Module):
    """What networks that write notes have in common: the hidden layers and the threefold head.

    A subclass makes its embeddings, then calls :meth:`finish`.

    Args:
        mode: Whose works they write.
        n_inputs: Numbers that :meth:`hidden` is given, without the progress features.
        width: Size of the hidden layers.
        dropout: Share of the features dropped while training (the imitator only).
    """

    step_of: Tensor
    gap_of: Tensor

    def __init__(self, mode: Mode, n_inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        n_known = n_progress(mode)
        self.mode = mode
        self.columns = state_columns(mode)
        self.n_features = width + n_known
        self.dropout = dropout
        # Saved weights know the progress features by this name.
        self.account = nn.Linear(n_known, PROGRESS_WIDTH)
        self.hidden1 = nn.Linear(n_inputs + PROGRESS_WIDTH, width)
        self.hidden2 = nn.Linear(width, width)
        self.head = nn.Linear(width, mode.voices * (N_MOVES + N_STEPS + N_GAPS))

    def finish(self, **tables: Tensor) -> None:
        """Add the embeddings of the place, and scale down what the parameters begin with.

        Args:
            tables: Kept as buffers that are not saved.
        """
        self.place = nn.Embedding(8, EMBEDDING)
        self.left = nn.Embedding(EIGHTHS + 1, EMBEDDING // 2)
        self.tonic = nn.Embedding(12, EMBEDDING // 2)
        with torch.no_grad():
            for module in self.children():
                if isinstance(module, nn.Embedding):
                    module.weight.mul_(0.5)
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()
        tables["step_of"], tables["gap_of"] = interval_tables(self.mode)
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def hidden(self, parts: list[Tensor], progress: Tensor) -> Tensor:
        """(N, width) of parts (N, ...) of the input and the progress features (N, F)."""
        known = functional.dropout(progress, self.dropout, self.training)
        inputs = torch.cat([*parts, functional.relu(self.account(known))], 1)
        x = functional.dropout(inputs, self.dropout / 2, self.training)
        for layer in (self.hidden1, self.hidden2):
            x = functional.dropout(functional.relu(layer(x)), self.dropout, self.training)
        return x

    def frame(self, state: Tensor) -> list[Tensor]:
        """Parts (N, ...) of the input: the place, what is left, the key, how long notes last.

        Args:
            state: (N, S) int64, as observed.
        """
        at = self.columns
        return [
            self.place(state[:, at.place]), self.left(state[:, at.left]),
            self.tonic(state[:, at.tonic]), state[:, at.held].float() / 8,
            state[:, [at.key_mode]].float(),
        ]  # fmt: skip

    @staticmethod
    def scored(scores: Tensor, steps: Tensor, gaps: Tensor) -> Tensor:
        """Logits of the moves, (N, 31).

        Args:
            scores: (N, 31 + N_STEPS + N_GAPS), of moves and of intervals.
            steps: (N, 29) int64: which interval in its own voice each note is.
            gaps: (N, 29) int64: which interval to the partner.
        """
        moves = scores[:, :N_MOVES]
        by_step = functional.pad(scores[:, N_MOVES : N_MOVES + N_STEPS], (0, 1))
        by_gap = functional.pad(scores[:, N_MOVES + N_STEPS :], (0, 1))
        notes = by_step.gather(1, steps) + by_gap.gather(1, gaps)
        return moves + functional.pad(notes, (FIRST_NOTE, 0))


class CompositionNetwork(ScoreNetwork):
    """Observation of :class:`.dynamics.CompositionSimulator` -> logits and features.

    Args:
        dropout: Share of the features dropped while training (the imitator only).
    """

    recent_slots: Tensor

    def __init__(self, dropout: float = 0.0) -> None:
        width, embedding, half = 256, EMBEDDING, EMBEDDING // 2
        per_slot = embedding + 2 * half + 2
        n_inputs = WINDOW * per_slot + N_RECENT * (embedding + half) + 2 * embedding + 3 * half + 2
        super().__init__(BASS, n_inputs, width, dropout)
        self.degree = nn.Embedding(DEGREES + 1, embedding)
        self.height = nn.Embedding(N_SOPRANO, half)
        self.interval = nn.Embedding(DEGREES + 1, half)
        self.melodic = nn.Embedding(N_MELODIC, half)
        self.move = nn.Embedding((NO_MOVE + 1) * N_RECENT, embedding)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.bass = nn.Embedding(N_MOVES, embedding)
        self.finish(recent_slots=torch.arange(N_RECENT) * (NO_MOVE + 1))

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``soprano``, ``onsets``, ``fermatas`` (N, 16), ``recent`` (N, 8), ``state``
                (N, 6), ``progress_features`` (N, 186); any number type.

        Returns:
            logits (N, 31) and features (N, width + 186), float32: the progress features stand among
            them as they are, for a value head.
        """
        soprano, state = obs["soprano"].long(), obs["state"].long()
        recent = obs["recent"].long()
        bass, above = state[:, 0], soprano[:, BEHIND]
        sounds, low = soprano >= FIRST_NOTE, bass[:, None]
        degree = torch.where(sounds, (soprano - FIRST_NOTE + SOPRANO_LOW) % 12, DEGREES)
        gap = torch.where(sounds & (low >= FIRST_NOTE), (soprano - low + OFFSET) % 12, DEGREES)
        line = soprano - above[:, None] + N_SOPRANO
        line = torch.where(sounds & (above[:, None] >= FIRST_NOTE), line, N_MELODIC - 1)
        flags = torch.stack([obs["onsets"].float(), obs["fermatas"].float()], 2)
        given = torch.cat([self.degree(degree), self.interval(gap), self.melodic(line), flags], 2)
        is_note = (recent >= FIRST_NOTE) & (recent < NO_MOVE) & (low >= FIRST_NOTE)
        steps = torch.where(is_note, recent - low + N_NOTES - 1, N_STEPS)
        own = torch.cat([self.move(recent + self.recent_slots), self.step(steps)], 2)
        progress = obs["progress_features"].float()
        parts = [
            given.flatten(1), own.flatten(1), self.height(above), self.bass(bass),
            *self.frame(state),
        ]  # fmt: skip
        x = self.hidden(parts, progress)
        logits = self.scored(self.head(x), self.step_of[bass], self.gap_of[0, above])
        return logits, torch.cat([x, progress], 1)
