"""Works that are worse than human ones, in any world: damaged, or made of random moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works, join_works

MOST_REDRAWN = 0.5
"""Largest share of the moves of a damaged work that are drawn anew."""

MakeSimulator = Callable[[int], Simulator]


def play_moves(
    make_simulator: MakeSimulator, moves: NDArray[np.int16], briefs: NDArray[np.int16]
) -> Works:
    """Play lists of moves, so that they become works; what follows a work's end is dropped.

    Args:
        make_simulator: Makes boards.
        moves: (N, T), padded with -1.
        briefs: (N, B): what the works answer.
    """
    simulator, every = make_simulator(len(moves)), np.arange(len(moves))
    simulator.reset(every, briefs)
    for column in moves.T:
        simulator.step(np.where(simulator.done, PAD, column))
    return simulator.works(every)


def worse_works(make_simulator: MakeSimulator, human: Works, seed: int, pools: int = 4) -> Works:
    """Damaged copies of human works and, one in five, random moves of the same lengths.

    Damage draws up to half of the moves anew from all human moves, or puts the moves of a passage
    in another order. A move that ends a work stays where it is.

    Args:
        make_simulator: Makes boards.
        human: M works.
        seed: Of the damage.
        pools: Damaged copies of each work.
    """
    rng = np.random.default_rng(seed)
    kind = make_simulator(0)
    fixed = PAD if kind.end_move is None else kind.end_move
    vocabulary = human.moves[(human.moves != PAD) & (human.moves != fixed)]
    damaged = np.tile(human.moves, (pools, 1))
    for row in damaged:
        free = np.flatnonzero((row != PAD) & (row != fixed))
        row[free] = _damage(row[free], vocabulary, rng)
    chosen = rng.integers(0, len(human), max(1, len(damaged) // 4))
    noise = human.moves[chosen]
    free = (noise != PAD) & (noise != fixed)
    allowed = np.setdiff1d(np.arange(kind.n_actions), [fixed])
    noise[free] = rng.choice(allowed, int(free.sum()))
    briefs = np.tile(human.briefs, (pools, 1))
    return join_works(
        [
            play_moves(make_simulator, damaged, briefs),
            play_moves(make_simulator, noise, human.briefs[chosen]),
        ]
    )


def _damage(
    moves: NDArray[np.int16], vocabulary: NDArray[np.int16], rng: np.random.Generator
) -> NDArray[np.int16]:
    """The moves (L,) of one work after damage."""
    moves = moves.copy()
    if len(moves) > 2 and rng.random() < 0.5:
        size = int(rng.integers(2, len(moves) + 1))
        begin = int(rng.integers(0, len(moves) - size + 1))
        moves[begin : begin + size] = rng.permutation(moves[begin : begin + size])
    else:
        hit = rng.random(len(moves)) < rng.uniform(0.1, MOST_REDRAWN)
        moves[hit] = rng.choice(vocabulary, int(hit.sum()))
    return moves
