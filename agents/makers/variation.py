"""Mutations of works of any world, for evolution in worlds that bring none of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.base.world import World


def play(world: World, moves: NDArray[np.int16], briefs: NDArray[np.int16]) -> NDArray[np.int16]:
    """Play move lists in the world until every work is finished, so that they are legal works.

    Args:
        world: Gives the dynamics.
        moves: (N, T) int16, padded with -1; a list that ends before its work does goes on with its
            last move.
        briefs: (N, B) int16, padded with -1.

    Returns:
        (N, max_moves) int16, padded with -1.
    """
    simulator = world.simulator(max(1, len(moves)))
    out = np.full((len(moves), simulator.max_moves), PAD, np.int16)
    if not len(moves):
        return out
    simulator.reset(np.arange(simulator.n), briefs if briefs.shape[1] else None)
    going = np.ones(simulator.n, np.bool_)
    last = np.zeros(simulator.n, np.int64)
    for t in range(simulator.max_moves):
        column = moves[:, t].astype(np.int64) if t < moves.shape[1] else np.full(simulator.n, PAD)
        last = np.where(column == PAD, last, column)
        finished = simulator.step(np.where(going, last, PAD))
        out[finished] = simulator.moves[finished]
        going &= ~finished
        if not going.any():
            break
    return out


def mutate(
    moves: NDArray[np.int16], rng: np.random.Generator, human: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Change each work a little: replace, insert, delete, swap a move; splice two works.

    New moves are drawn from the human works. The last move of a work stays the last. The results
    need not be legal: :func:`play` them.

    Args:
        moves: (N, T) int16, padded with -1: the parents.
        rng: The only source of chance.
        human: (M, U) int16, padded with -1, M at least 1: for new moves and splicing.

    Returns:
        (N, T + 1) int16, padded with -1.
    """
    n, width = len(moves), max(moves.shape[1], human.shape[1]) + 1
    rows, columns = np.arange(n), np.arange(width)[None]
    padded = np.full((n, width), PAD, np.int16)
    padded[:, : moves.shape[1]] = moves
    donors = np.full((n, width), PAD, np.int16)
    donors[:, : human.shape[1]] = human[rng.integers(0, len(human), n)]
    others = rng.random(n) < 0.5
    donors[others] = padded[rng.integers(0, max(n, 1), n)][others]
    lengths, lent = (padded != PAD).sum(axis=1), (donors != PAD).sum(axis=1)

    def place(length: NDArray[np.int64]) -> NDArray[np.int64]:
        """A position before the last move."""
        return (rng.random(n) * np.maximum(length - 1, 1)).astype(np.int64)

    at, to = place(lengths), place(lengths)
    kind = rng.integers(0, 5, n)[:, None]
    shift = ((kind == 2) & (columns >= at[:, None])).astype(np.int64)
    shift -= (kind == 1) & (columns > at[:, None])
    shift[lengths < 2] = 0
    out = padded[rows[:, None], np.clip(columns + shift, 0, width - 1)]
    value = donors[rows, place(lent)]
    new = (kind[:, 0] <= 1) & (value != PAD)
    out[rows[new], at[new]] = value[new]
    swap = rows[kind[:, 0] == 3]
    out[swap, at[swap]], out[swap, to[swap]] = padded[swap, to[swap]], padded[swap, at[swap]]
    splice = (kind == 4) & (columns >= at[:, None]) & (lent > at)[:, None]
    return np.where(splice, donors, out)
