"""The loop that plays boards to their end, and the two most common ways to choose moves in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works, pad_moves
from move37.envs.progress import reached

Observations = dict[str, NDArray[Any]]
Choose = Callable[[Observations, NDArray[np.int64], int], NDArray[np.int64]]
"""``choose(observations, rows, t)`` gives the next move, (R,) int64, of each board that goes on.

``rows``, (R,) int64, are these boards' numbers among the simulator's, ``observations`` what is seen
of them, each (R, ...), and ``t`` is how many moves each has made. With ``t == 0`` new works begin.
"""

BOARDS = 512
"""Works played at the same time where nothing else is said."""


def rollout(
    simulator: Simulator,
    n: int,
    choose: Choose,
    *,
    brief: NDArray[np.int16] | None = None,
    prefix: Works | None = None,
    cuts: NDArray[np.integer] | None = None,
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Play n works to their end, as many at a time as the simulator has boards.

    Works stand in the order of the boards: taking those finished first would favour short ones.

    Args:
        simulator: Boards to play on; any number of them.
        n: Works to make.
        choose: Says which moves to make; the only source of chance, where there is any.
        brief: What every work answers; None for what the world gives its boards.
        prefix: N works: those made here begin with their moves and answer their briefs.
        cuts: (N,) moves of each that are kept; None: all of them.

    Returns:
        Moves (n, T) int16 and briefs (n, B) int16, both padded with -1.

    Raises:
        ValueError: If the number of works in ``prefix`` is not n.
    """
    if prefix is not None and len(prefix) != n:
        raise ValueError(f"prefix: expected {n} works, got {len(prefix)}")
    kept = np.zeros(n, np.int64)
    if prefix is not None:
        kept = np.asarray(prefix.lengths if cuts is None else cuts, np.int64)
    else:
        simulator.set_brief(brief)
    moves = np.full((n, simulator.max_moves), PAD, np.int16)
    briefs: list[NDArray[np.int16]] = []
    for first in range(0, n, simulator.n):
        reached(f"{first:,} of {n:,} works")
        boards = np.arange(min(simulator.n, n - first))
        if prefix is None:
            # Every board, so that which briefs are dealt does not depend on n.
            simulator.reset(np.arange(simulator.n))
        else:
            simulator.reset(boards, prefix.briefs[first + boards])
        briefs.extend(simulator.briefs[boards].copy())
        going = np.arange(simulator.n) < len(boards)
        for t in range(simulator.max_moves):
            actions = np.full(simulator.n, PAD, np.int64)
            live = np.flatnonzero(going)
            held = t < kept[first + live]
            given, rows = live[held], live[~held]
            if prefix is not None and len(given):
                actions[given] = prefix.moves[first + given, t]
            if len(rows):
                seen = {key: value[rows] for key, value in simulator.observations.items()}
                actions[rows] = choose(seen, rows, t)
            finished = np.flatnonzero(simulator.step(actions))
            moves[first + finished] = simulator.moves[finished]
            going[finished] = False
            if not going.any():
                break
    return moves, pad_moves(briefs)


def draw_moves(
    logits: Tensor, rng: np.random.Generator, temperature: float = 1.0
) -> NDArray[np.int64]:
    """Draw a move, (R,) int64, for each row of logits (R, A), which ``temperature`` divides."""
    shares = torch.softmax(logits.double() / temperature, 1).cumsum(1).numpy()
    drawn = rng.random((len(shares), 1)) * shares[:, -1:]
    moves: NDArray[np.int64] = np.minimum((shares < drawn).sum(axis=1), shares.shape[1] - 1)
    return moves


def network_chooser(network: nn.Module, rng: np.random.Generator, temperature: float) -> Choose:
    """Moves drawn from what a network gives: observations -> (logits (R, A), features)."""

    def choose(observations: Observations, rows: NDArray[np.int64], t: int) -> NDArray[np.int64]:
        seen = {key: torch.as_tensor(value) for key, value in observations.items()}
        with torch.no_grad():
            logits = network(seen)[0]
        return draw_moves(logits, rng, temperature)

    return choose


def sample_works(
    network: nn.Module,
    simulator: Simulator,
    world: str,
    n: int,
    rng: np.random.Generator,
    temperature: float = 1.0,
    brief: NDArray[np.int16] | None = None,
) -> Works:
    """Let a network make n works; (n, T) moves.

    Args:
        network: Maps observations to (logits, features).
        simulator: Boards to work on; any number of them.
        world: Id of the world.
        n: Works to make.
        rng: The only source of chance.
        temperature: Divides the logits; lower is more certain.
        brief: What every work answers; None for the world's default.
    """
    # Whole rounds, so that the first works are the same however many are asked for.
    played = -(-n // simulator.n) * simulator.n
    choose = network_chooser(network, rng, temperature)
    moves, briefs = rollout(simulator, played, choose, brief=brief)
    return Works(world, moves[:n], briefs[:n], n_actions=simulator.n_actions)


def finish_works(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    cuts: NDArray[np.integer],
    rng: np.random.Generator,
    temperature: float = 1.0,
    boards: int = BOARDS,
) -> Works:
    """Let a network finish works from somewhere in them.

    Args:
        network: Maps observations to (logits, features); in eval mode.
        make_simulator: Makes boards.
        works: N works, repeated as often as each is to be finished.
        cuts: (N,) moves of each that are kept, from 0 to all of them.
        rng: The only source of chance.
        temperature: Divides the logits.
        boards: Works finished at once.

    Returns:
        N works that begin with the moves kept.

    Raises:
        ValueError: If a cut is beyond the end of its work.
    """
    if np.shape(cuts) != (len(works),) or (cuts < 0).any() or (cuts > works.lengths).any():
        raise ValueError("cuts: expected one for each work, from 0 to its number of moves")
    simulator = make_simulator(max(1, min(boards, len(works))))
    choose = network_chooser(network, rng, temperature)
    moves, _ = rollout(simulator, len(works), choose, prefix=works, cuts=cuts)
    return Works(works.world, moves, works.briefs, n_actions=simulator.n_actions)
