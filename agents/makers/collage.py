"""The collage: parts of human works put together, the cheapest way to be new.

What it makes is copied ink in a new arrangement; it shows why copying has to be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from move37.agents.learner.rollout import BOARDS, Observations, rollout
from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import Works
from move37.envs.base.world import World

FEWEST, MOST = 2, 5
"""Parts of one work, both included."""
TRIES = 1000
"""Draws of parts until some fit in one work."""
Parts = Callable[[Works], Sequence[NDArray[np.int16]]]
Assemble = Callable[[Sequence[NDArray[np.int16]]], NDArray[np.int16]]


class Collage(Maker):
    """Puts parts of human works together, each at its own place.

    A world may say what its works consist of: ``parts(works)`` gives the parts of all works, each
    an array of moves, and ``assemble(parts)`` the moves of the work that consists of these parts.
    In a world without, works are cut at random points in time, and every window of time is filled
    with what some human work has there.

    Args:
        world: Whose human works are cut up.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._parts = list(world.parts(world.train))

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works; see :class:`move37.agents.makers.maker.Maker`."""
        simulator = self.world.simulator(max(1, min(n, BOARDS)))
        end_move = simulator.end_move
        planned = np.zeros((simulator.n, simulator.max_moves), np.int64)

        def choose(_: Observations, rows: NDArray[np.int64], t: int) -> NDArray[np.int64]:
            if t == 0:
                planned[:] = 0
                for row in rows:
                    if self._parts:
                        plan = self._of_parts(simulator.max_moves, rng)
                    else:
                        plan = self._of_windows(simulator.max_moves, end_move, rng)
                    planned[row, : len(plan)] = plan
            moves: NDArray[np.int64] = planned[rows, t]
            return moves

        # Played, so that the world says where each work ends.
        moves, briefs = rollout(simulator, n, choose, brief=brief)
        return Works(self.world.id, moves, briefs)

    def _of_parts(self, max_moves: int, rng: np.random.Generator) -> NDArray[np.int16]:
        """A few parts of any human works, drawn again if they do not fit in one work."""
        for _ in range(TRIES):
            chosen = rng.integers(0, len(self._parts), rng.integers(FEWEST, MOST + 1))
            moves = self.world.assemble([self._parts[i] for i in chosen])
            if len(moves) <= max_moves:
                return moves
        raise ValueError(f"no {FEWEST} parts of human works fit in {max_moves} moves")

    def _of_windows(
        self, max_moves: int, end_move: int | None, rng: np.random.Generator
    ) -> NDArray[np.int16]:
        """Windows of time, each from a human work that lasts as long (or from its beginning)."""
        human, lengths = self.world.train.moves, self.world.train.lengths
        if end_move is None:
            body = max_moves
        else:
            lengths = lengths - 1
            body = max(1, min(int(rng.choice(lengths)), max_moves - 1))
        inner = min(int(rng.integers(FEWEST, MOST + 1)), body) - 1
        longest = int(lengths.max())
        # Past the end of the longest human work time begins anew.
        cuts = np.sort(rng.permutation(np.arange(1, body))[:inner])
        bounds = [0, *cuts.tolist(), body]
        moves: list[int] = []
        for begin, end in pairwise(bounds):
            at = begin
            while at < end:
                first = at % longest
                row = int(rng.choice(np.flatnonzero(lengths > first)))
                stop = min(first + end - at, int(lengths[row]))
                moves.extend(human[row, first:stop].tolist())
                at += stop - first
        return np.array(moves if end_move is None else [*moves, end_move], np.int16)


def make(context: TrainContext) -> Collage:
    """A collage of the world's human works; nothing is learnt."""
    return Collage(context.world)
