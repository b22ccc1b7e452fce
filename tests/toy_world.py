"""A world small enough to know every answer: rows of up to 8 moves out of 16, and END."""

from types import SimpleNamespace

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from move37.envs.base.simulator import Simulator
from move37.envs.base.splits import Splits
from move37.envs.base.works import PAD, Works, pad_moves
from move37.envs.base.world import World

LETTERS = 16
END = LETTERS
LONGEST = 8


class ToyCore(Simulator):
    n_actions = LETTERS + 1
    max_moves = LONGEST
    end_move = END
    world = "toy"

    @property
    def observations(self):
        return {"moves": np.where(self.moves == PAD, LETTERS + 1, self.moves).astype(np.int64)}

    def observation_space(self):
        return spaces.Dict({"moves": spaces.Box(0, LETTERS + 1, (LONGEST,), np.int64)})

    def _play(self, actions):
        pass


class ToyNetwork(nn.Module):
    def __init__(self, dropout=0.0, width=96):
        super().__init__()
        self.n_features = width
        self.place = nn.Embedding((LETTERS + 2) * LONGEST, 24)
        self.hidden = nn.Linear(24 * LONGEST, width)
        self.head = nn.Linear(width, LETTERS + 1)

    def forward(self, obs):
        slots = torch.arange(LONGEST) * (LETTERS + 2)
        features = self.hidden(self.place(obs["moves"].long() + slots).flatten(1)).relu()
        return self.head(features), features


class Scripted(nn.Module):
    """The same logits (17,) at every position."""

    def __init__(self, probabilities):
        super().__init__()
        self.logits = torch.as_tensor(np.log(np.maximum(probabilities, 1e-300)))

    def forward(self, obs):
        logits = self.logits.expand(len(obs["moves"]), -1)
        return logits, logits


def rows(*words):
    return Works("toy", pad_moves([np.array(word) for word in words]))


def climbing(n, rng, step=1, letters=range(8)):
    """Seven moves, each ``step`` above the last (mod 16), from one of the letters; then END."""
    first = rng.choice(list(letters), n)
    moves = (first[:, None] + step * np.arange(LONGEST - 1)) % LETTERS
    return Works("toy", np.concatenate([moves, np.full((n, 1), END)], axis=1).astype(np.int16))


def describe(works):
    """(N, 128) float32: one-hot letters; two works with k different moves are sqrt(2 k) apart."""
    moves = np.full((len(works), LONGEST), -1)
    moves[:, : works.moves.shape[1]] = works.moves
    one_hot = moves[:, :, None] == np.arange(LETTERS)
    return one_hot.reshape(len(works), -1).astype(np.float32)


class ToyWorld(World):
    id = "toy"
    simulator_class = ToyCore

    def __init__(self, n=40, rng=None):
        super().__init__()
        rng = rng or np.random.default_rng(0)
        train, held_out = climbing(n, rng), climbing(60, rng)
        self.splits = Splits(train, held_out, held_out[:0], climbing(n, rng), "toy")

    def load_splits(self):
        raise AssertionError("they are there")

    def images_of(self, moves, briefs):
        """(N, 16, 8): a point for each move, but for END."""
        out = np.zeros((len(moves), LETTERS, LONGEST), np.uint8)
        row, t = np.nonzero((moves >= 0) & (moves != END))
        out[row, moves[row, t], t] = 1
        return out

    @staticmethod
    def network(dropout=0.0):
        return ToyNetwork(dropout)


evaluator = SimpleNamespace(describe=describe, scale=1.0, k_neighbors=1)
