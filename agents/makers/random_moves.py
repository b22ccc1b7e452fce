"""The random maker: every move with the same probability, entropy at its maximum.

Lengths are those of human works, so that nothing but the choice of moves tells them apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import PAD, Works, pad_moves
from move37.envs.base.world import World

BOARDS = 512
"""Works made at the same time."""


class RandomMoves:
    """Plays moves drawn uniformly from all that a world has.

    In a world with a move that ends a work (its core's ``end_move``) every work gets the length of
    a human work drawn at random: moves other than that one, then that one. In a world without,
    works go on until the core says that they are finished.

    Args:
        world: Where works are made, and whose human works give the lengths.
    """

    env_steps = 0

    def __init__(self, world: World) -> None:
        self.world = world
        self._lengths = world.train.lengths

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works; see :class:`move37.agents.makers.maker.Maker`."""
        simulator = self.world.simulator(max(1, min(n, BOARDS)))
        simulator.set_brief(brief)
        end_move: int | None = getattr(simulator, "end_move", None)
        out = np.full((n, simulator.max_moves), PAD, np.int16)
        briefs: list[NDArray[np.int16]] = []
        for made in range(0, n, simulator.n):
            simulator.reset(np.arange(simulator.n))
            briefs.extend(simulator.briefs[: n - made].copy())
            lengths = rng.choice(self._lengths, simulator.n)
            going = np.arange(simulator.n) < n - made
            t = 0
            while going.any():
                t += 1
                if end_move is None:
                    actions = rng.integers(0, simulator.n_actions, simulator.n)
                else:
                    actions = rng.integers(0, simulator.n_actions - 1, simulator.n)
                    actions += actions >= end_move
                    actions[t >= lengths] = end_move
                finished = simulator.step(np.where(going, actions, PAD))
                ready = np.flatnonzero(finished)
                out[made + ready] = simulator.moves[ready]
                going &= ~finished
        return Works(self.world.id, out, pad_moves(briefs))


def make(context: TrainContext) -> Maker:
    """A random maker; nothing is learnt."""
    return RandomMoves(context.world)
