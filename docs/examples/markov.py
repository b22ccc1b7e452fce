"""A maker of your own: a Markov chain over the moves of human works."""

import numpy as np

from move37.agents.learner.rollout import rollout
from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import Works


class MarkovChain(Maker):
    """Draws each move by how often it follows the move before it in the human works."""

    def __init__(self, world):
        self.world = world
        n_actions = world.simulator(1).n_actions
        # Row i: what follows move i; the last row: how works begin.
        counts = np.full((n_actions + 1, n_actions), 0.001)
        for moves, length in zip(world.train.moves, world.train.lengths, strict=True):
            np.add.at(counts, (np.append(-1, moves[: length - 1]), moves[:length]), 1)
        self.shares = (counts / counts.sum(axis=1, keepdims=True)).cumsum(axis=1)

    def generate(self, n, rng, brief=None):
        """Make n works; see Maker."""
        simulator = self.world.simulator(max(1, min(n, 256)))
        last = np.zeros(simulator.n, np.int64)

        def choose(observations, rows, t):
            if t == 0:
                last[:] = -1
            drawn = rng.random((len(rows), 1)) * self.shares[last[rows], -1:]
            last[rows] = (self.shares[last[rows], :-1] < drawn).sum(axis=1)
            return last[rows]

        moves, briefs = rollout(simulator, n, choose, brief=brief)
        return Works(self.world.id, moves, briefs)


def make(context: TrainContext) -> MarkovChain:
    """Fit the chain; what takes longer is kept in context.folder with makers.cache.Cache."""
    return MarkovChain(context.world)
