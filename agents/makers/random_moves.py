"""The random maker: every move with the same probability, entropy at its maximum.

Lengths are those of human works, so that nothing but the choice of moves tells them apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.agents.learner.rollout import BOARDS, Observations, rollout
from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import Works
from move37.envs.base.world import World


class RandomMoves(Maker):
    """Plays moves drawn uniformly from all that a world has.

    In a world with a move that ends a work (its simulator's ``end_move``) every work gets the
    length of a human work drawn at random: moves other than that one, then that one. In a world
    without, works go on until the simulator says that they are finished.

    Args:
        world: Where works are made, and whose human works give the lengths.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._lengths = world.train.lengths

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works; see :class:`move37.agents.makers.maker.Maker`."""
        simulator = self.world.simulator(max(1, min(n, BOARDS)))
        end_move = simulator.end_move
        lengths = np.zeros(simulator.n, np.int64)

        def choose(_: Observations, rows: NDArray[np.int64], t: int) -> NDArray[np.int64]:
            if t == 0:
                lengths[:] = rng.choice(self._lengths, simulator.n)
            if end_move is None:
                return rng.integers(0, simulator.n_actions, simulator.n)[rows]
            moves = rng.integers(0, simulator.n_actions - 1, simulator.n)
            moves += moves >= end_move
            moves[t + 1 >= lengths] = end_move
            return moves[rows]

        moves, briefs = rollout(simulator, n, choose, brief=brief)
        return Works(self.world.id, moves, briefs)


def make(context: TrainContext) -> RandomMoves:
    """A random maker; nothing is learnt."""
    return RandomMoves(context.world)
