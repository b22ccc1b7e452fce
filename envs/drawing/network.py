"""The network that reads the drawing board and proposes moves.

Two strided convolutions see the whole board, a patch of ink around the pen sees its surroundings,
embeddings see the last six moves, where they were and how far from the pen. The head scores points
twice, by where they are and by where they are from the pen: "three to the right" is the same idea
everywhere on the board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.drawing.dynamics import N_RECENT, NO_MOVE
from move37.envs.drawing.moves import N_MOVES, POINTS, SIZE

REACH = 12
"""The head scores steps of up to 12 points in each direction by their offset from the pen."""
PATCH = 4
"""The ink patch around the pen is 9 x 9."""


def _offset_table() -> Tensor:
    """(577, 576) int64: for each pen point (576: lifted) the offset class of each target point."""
    side = 2 * REACH + 1
    outside = side * side
    ys, xs = torch.arange(POINTS) // SIZE, torch.arange(POINTS) % SIZE
    dy, dx = ys[None] - ys[:, None], xs[None] - xs[:, None]
    near = (dy.abs() <= REACH) & (dx.abs() <= REACH)
    table = torch.where(near, (dy + REACH) * side + dx + REACH, outside)
    return torch.cat([table, torch.full((1, POINTS), outside)])


class DrawingNetwork(nn.Module):
    """Observation -> logits of the moves and features.

    Args:
        width: Size of the hidden layers and of the features.
        channels: Of the two convolutions.
        dropout: Share of the features dropped while training (the imitator only).
        planes: What a subclass gives :meth:`score` to see, and the three of this class.
        more: Numbers that it gives :meth:`score` besides.
    """

    offsets: Tensor
    patches: Tensor

    def __init__(
        self,
        width: int = 320,
        channels: tuple[int, int] = (24, 32),
        dropout: float = 0.0,
        planes: int = 3,
        more: int = 0,
    ) -> None:
        super().__init__()
        self.n_features = width
        self.dropout = dropout
        embedding = 48
        self.conv1 = nn.Conv2d(planes, channels[0], 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(*channels, 3, stride=2, padding=1)
        self.place = nn.Embedding((N_MOVES + 1) * N_RECENT, embedding)
        self.delta = nn.Embedding(47 * 47 + 1, embedding)
        self.slot = nn.Parameter(torch.ones(N_RECENT, 1))
        local = (2 * PATCH + 1) ** 2
        n_inputs = channels[1] * 36 + 2 * N_RECENT * embedding + local + 4 + more
        self.hidden1 = nn.Linear(n_inputs, width)
        self.hidden2 = nn.Linear(width, width)
        side = 2 * REACH + 1
        self.head = nn.Linear(width, N_MOVES + side * side)
        with torch.no_grad():
            self.place.weight.mul_(0.1)
            self.delta.weight.mul_(0.1)
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()
        self.register_buffer("offsets", _offset_table(), persistent=False)
        ys, xs = torch.arange(POINTS + 1) // SIZE, torch.arange(POINTS + 1) % SIZE
        around = torch.arange(-PATCH, PATCH + 1)
        py = (ys[:, None, None] + around[None, :, None] + PATCH).expand(-1, 9, 9)
        px = (xs[:, None, None] + around[None, None, :] + PATCH).expand(-1, 9, 9)
        padded = SIZE + 2 * PATCH
        self.register_buffer("patches", (py * padded + px).reshape(-1, 81).clamp(max=padded**2 - 1),
                             persistent=False)  # fmt: skip

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``ink`` (N, 576), ``recent`` (N, 6), ``pen`` (N, 4); any number type.

        Returns:
            logits (N, 578) and features (N, width), float32.
        """
        return self.score(obs)

    def score(
        self,
        obs: Mapping[str, Tensor],
        planes: Sequence[Tensor] = (),
        around: Tensor | None = None,
        code: Tensor | None = None,
        hint: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Score the moves with more to see.

        Args:
            obs: As in :meth:`forward`.
            planes: Each (N, 576).
            around: (N, 576), of which a patch around the pen is seen.
            code: (N, C), which the first hidden layer sees.
            hint: (N, width), added to what the second hidden layer sees.
        """
        ink = (obs["ink"] > 0).float()
        recent = obs["recent"].long()
        pen = obs["pen"].long()
        n = len(ink)
        at, start = pen[:, 1], pen[:, 2]
        pens = torch.zeros(n, 2, POINTS + 1, device=ink.device)
        pens.scatter_(2, torch.stack([at, start], 1).unsqueeze(2), 1.0)
        seen_planes = [ink.unsqueeze(1), pens[:, :, :POINTS], *(p.unsqueeze(1) for p in planes)]
        board = torch.cat(seen_planes, 1).view(n, -1, SIZE, SIZE)
        seen = functional.relu(self.conv2(functional.relu(self.conv1(board)))).flatten(1)
        down = pen[:, :1].float()
        local = self._around(ink, at, 0.5) * down
        slots = torch.arange(N_RECENT, device=ink.device) * (N_MOVES + 1)
        places = self.place(recent + slots)
        is_point = (recent < POINTS) & (at < POINTS).unsqueeze(1)
        dy = recent // SIZE - (at // SIZE).unsqueeze(1)
        dx = recent % SIZE - (at % SIZE).unsqueeze(1)
        offset = torch.where(is_point, (dy + 23) * 47 + dx + 23, 47 * 47)
        steps = self.delta(offset) * self.slot
        left = pen[:, 3:].float() / 48
        closed = (at == start).float().unsqueeze(1) * down
        used = (board[:, 0].flatten(1).sum(1, keepdim=True)) / 100
        parts = [seen, places.flatten(1), steps.flatten(1), local, down, left, closed, used]
        parts += [] if around is None else [self._around(around, at, 0.0) * down]
        parts += [] if code is None else [code]
        x = functional.relu(self.hidden1(torch.cat(parts, 1)))
        x = functional.dropout(x, self.dropout, self.training)
        x = self.hidden2(x)
        x = functional.relu(x if hint is None else x + hint)
        features = functional.dropout(x, self.dropout, self.training)
        scores = self.head(features)
        moves, relative = scores[:, :N_MOVES], scores[:, N_MOVES:]
        relative = functional.pad(relative, (0, 1)).gather(1, self.offsets[at])
        return moves + functional.pad(relative, (0, N_MOVES - POINTS)), features

    def _around(self, plane: Tensor, at: Tensor, outside: float) -> Tensor:
        """The patch (N, 81) around the pen of a plane (N, 576)."""
        square = plane.view(-1, SIZE, SIZE)
        padded = functional.pad(square, (PATCH,) * 4, value=outside).flatten(1)
        return padded.gather(1, self.patches[at])


assert NO_MOVE == N_MOVES
