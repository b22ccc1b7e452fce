"""The random maker: every move with the same probability, entropy at its maximum.

Lengths are those of human works, so that nothing but the choice of moves tells them apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.agents.makers.maker import Maker, Workshop
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
        core = self.world.core(max(1, min(n, BOARDS)))
        core.set_brief(brief)
        end_move: int | None = getattr(core, "end_move", None)
        out = np.full((n, core.max_moves), PAD, np.int16)
        briefs: list[NDArray[np.int16]] = []
        for made in range(0, n, core.n):
            core.reset(np.arange(core.n))
            briefs.extend(core.briefs[: n - made].copy())
            lengths = rng.choice(self._lengths, core.n)
            going = np.arange(core.n) < n - made
            t = 0
            while going.any():
                t += 1
                if end_move is None:
                    actions = rng.integers(0, core.n_moves, core.n)
                else:
                    actions = rng.integers(0, core.n_moves - 1, core.n)
                    actions += actions >= end_move
                    actions[t >= lengths] = end_move
                finished = core.step(actions) & going
                ready = np.flatnonzero(finished)
                out[made + ready] = core.moves[ready]
                going &= ~finished
                # Works that are over play on unseen; their count must not run past the end.
                core.counts[~going] = 0
        return Works(self.world.id, out, pad_moves(briefs))


def make(workshop: Workshop) -> Maker:
    """A random maker; nothing is learnt."""
    return RandomMoves(workshop.world)
