"""The network of the char-RNN: a GRU over moves, read and scored by where they lie if they do.

It is told the last moves only, never the board; see :mod:`move37.agents.makers.char_rnn`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

REACH = 12
"""Moves are scored by their offset from the last one up to 12 in each coordinate."""


@dataclass(frozen=True)
class Shape:
    """What a network is built from, kept beside its weights.

    Attributes:
        n_moves: Moves of the world.
        max_moves: Longest work.
        given: Values of each column of what is known step by step from a brief; empty: briefs are
            moves that were made before the work begins.
        width: Of the recurrent layer.
        embedding: Size of what stands for a move.
        dropout: On embeddings and features, while fitting.
    """

    n_moves: int
    max_moves: int
    given: tuple[int, ...] = ()
    width: int = 256
    embedding: int = 96
    dropout: float = 0.3


class MoveRNN(nn.Module):
    """A GRU over moves.

    Args:
        shape: Sizes.
        coordinates: (A, K) int64 with -1 for moves that have no place; K may be 0.
    """

    offsets: Tensor
    placed: Tensor
    coordinates: Tensor

    def __init__(self, shape: Shape, coordinates: Tensor) -> None:
        super().__init__()
        self.shape = shape
        n, size = shape.n_moves, shape.embedding
        # One more than the moves there are: it stands for no move.
        places = torch.cat([coordinates, torch.full((1, coordinates.shape[1]), -1)])
        placed = (places >= 0).all(1) & (places.shape[1] > 0)
        n_offsets = (2 * REACH + 1) ** places.shape[1]
        self.register_buffer("offsets", _offsets(places, placed), persistent=False)
        self.register_buffer("placed", placed, persistent=False)
        self.register_buffer("coordinates", places + 1, persistent=False)
        self.token = nn.Embedding(n + 1, size)
        self.axes = nn.ModuleList(
            nn.Embedding(int(places[:, k].max()) + 2, size) for k in range(places.shape[1])
        )
        self.steps_made = nn.Embedding(shape.max_moves + 1, size // 4)
        self.move = nn.Embedding(n_offsets + 1, size)
        self.turn = nn.Embedding(n_offsets + 1, size)
        self.home = nn.Embedding(n_offsets + 1, size)
        n_inputs = 4 * size + size // 4
        self.given = nn.ModuleList(nn.Embedding(values, size // 4) for values in shape.given)
        if shape.given:
            self.around = nn.Conv1d(len(shape.given) * size // 4, size, 9, padding=4)
            n_inputs += size
        self.rnn = nn.GRU(n_inputs, shape.width, batch_first=True)
        self.drop = nn.Dropout(shape.dropout)
        self.head = nn.Linear(shape.width, n)
        self.axis_heads = nn.ModuleList(
            nn.Linear(shape.width, axis.num_embeddings, bias=False)
            for axis in self.axes
            if isinstance(axis, nn.Embedding)
        )
        self.relative = nn.Linear(shape.width, n_offsets, bias=False) if len(self.axes) else None
        self._shrink()

    def _shrink(self) -> None:
        """Make embeddings and heads small: moves are about equally probable at first."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Embedding):
                    module.weight.mul_(0.1)
            for head in (self.head, *self.axis_heads, self.relative):
                if isinstance(head, nn.Linear):
                    head.weight.mul_(0.1)
            self.head.bias.zero_()

    def read_given(self, given: Tensor) -> Tensor:
        """What is known of each step and those around it: (N, T, F) int64 to (N, T, E)."""
        columns = [
            table(given[:, :, k].clamp(0, self.shape.given[k] - 1))
            for k, table in enumerate(self.given)
        ]
        out: Tensor = functional.relu(self.around(torch.cat(columns, 2).transpose(1, 2)))
        return out.transpose(1, 2)

    def forward(
        self, trail: Tensor, given: Tensor | None = None, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read T steps.

        Args:
            trail: (N, T, 5) int64, from :func:`trail_of`.
            given: (N, T, E) from :meth:`read_given`, in worlds whose briefs say something of steps.
            state: (1, N, width), zero for None.

        Returns:
            features (N, T, width) and the state after them.
        """
        last, at, before, start, steps = trail.unbind(2)
        token = self.token(last)
        for k, axis in enumerate(self.axes):
            token = token + axis(self.coordinates[last, k])
        made = self.steps_made(steps.clamp(max=self.shape.max_moves))
        move, turn = self.move(self.offsets[before, at]), self.turn(self.offsets[before, start])
        parts = [token, move, turn, self.home(self.offsets[at, start]), made]
        if given is not None:
            parts.append(given)
        features, after = self.rnn(self.drop(torch.cat(parts, 2)), state)
        return self.drop(features), after

    def scores(self, features: Tensor, at: Tensor) -> Tensor:
        """Logits (P, A) from features (P, width) and the last move with a place (P,)."""
        logits: Tensor = self.head(features)
        for k, head in enumerate(self.axis_heads):
            logits = logits + head(features)[:, self.coordinates[:-1, k]]
        if self.relative is not None:
            near = functional.pad(self.relative(features), (0, 1))
            logits = logits + near.gather(1, self.offsets[at, :-1])
        return logits

    def start(self, briefs: Tensor) -> Tensor:
        """The state (1, N, width) in which works begin: after the moves of briefs (N, B)."""
        shape = self.shape
        state = torch.zeros(1, len(briefs), shape.width)
        lengths = (briefs >= 0).sum(1)
        if shape.given or not lengths.any():
            return state
        trail = trail_of(briefs, self.placed)
        for length in sorted(set(lengths[lengths > 0].tolist())):
            same = torch.nonzero(lengths == length).squeeze(1)
            # One step more than moves: the last move is read too.
            state = state.index_copy(1, same, self(trail[same, : length + 1])[1])
        return state

    def log_p(self, moves: Tensor, briefs: Tensor, given: Tensor | None = None) -> Tensor:
        """Log-probability of each move, (N, T), 0 where there is none.

        Args:
            moves: (N, T) int64, padded with -1.
            briefs: (N, B) int64, padded with -1; moves made before, if ``shape.given`` is empty.
            given: (N, at least T, F) int64 of what is known step by step, if it is not.
        """
        trail = trail_of(moves, self.placed)[:, :-1]
        known = None if given is None else self.read_given(given)[:, : moves.shape[1]]
        features, _ = self(trail, known, self.start(briefs))
        made = moves >= 0
        logits = self.scores(features[made], trail[made][:, 1])
        chosen = torch.log_softmax(logits, 1).gather(1, moves[made][:, None]).squeeze(1)
        return torch.zeros(moves.shape).masked_scatter(made, chosen)


def _offsets(places: Tensor, placed: Tensor) -> Tensor:
    """Number of the offset from one move's place to another's, (A, A) int64.

    Args:
        places: (A, K) int64: coordinates of each move.
        placed: (A,) bool: which moves have a place.

    Returns:
        ``(2 REACH + 1) ** K`` where a move has no place or the two are too far apart.
    """
    side, axes = 2 * REACH + 1, places.shape[1]
    step = places[None] - places[:, None]
    near = (step.abs() <= REACH).all(2) & placed[None] & placed[:, None]
    code = torch.zeros(len(places), len(places), dtype=torch.long)
    for axis in range(axes):
        code = code * side + step[:, :, axis] + REACH
    return torch.where(near, code, side**axes)


def trail_of(moves: Tensor, placed: Tensor) -> Tensor:
    """What is told before each move of works (N, T) and after the last one: (N, T + 1, 5) int64.

    The last move; the last one that has a place; the one before that; the first move of the present
    run of moves that have a place; how many moves were made. ``len(placed) - 1`` is no move.
    """
    none, made = len(placed) - 1, moves >= 0
    moves = torch.where(made, moves, none)
    there = placed[moves]

    def latest(event: Tensor, values: Tensor) -> Tensor:
        """The value (N, T + 1) at the latest event (N, T) before each move."""
        before = torch.full((len(moves), 1), none)
        at = (event * torch.arange(1, moves.shape[1] + 1)).cummax(1).values
        return torch.cat([before, torch.cat([before, values], 1).gather(1, at)], 1)

    last, at = latest(made, moves), latest(there, moves)
    before = latest(there, at[:, :-1])
    begins = there & ~placed[last[:, :-1]]
    start = latest(begins | (made & ~there), torch.where(begins, moves, none))
    steps = functional.pad(made.cumsum(1), (1, 0))
    return torch.stack([last, at, before, start, steps], 2)
