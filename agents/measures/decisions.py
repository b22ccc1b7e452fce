"""How good are a work's decisions? The Decision Quality Index, after Shin et al. (PNAS 2023).

Shin et al. compare the win rate after a human move with the win rate after the best move that an
engine knows. Works have no winner, so a move's value is the mean quality of the works that an
imitator finishes from the position after it, under an evaluator that never gave reward. The best
counterfactual is the best of the moves that the imitator finds most probable there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.imitation import positions_of
from move37.agents.learner.rollout import finish_works
from move37.agents.measures.likelihoods import Scorer
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works

CANDIDATES = 6
"""Most probable other moves that are tried."""
CHUNK = 2048
"""Positions that the imitator sees in one pass."""


@dataclass(frozen=True)
class Decisions:
    """M decisions and what they were worth.

    Attributes:
        work: (M,) int64: row of the work.
        played: (M,) float64: value of the move that was made.
        best: (M,) float64: value of the best counterfactual, the move made among them.
        index: (M,) float64: ``100 (1 - (best - played))``; 100: nothing better was known.
    """

    work: NDArray[np.int64]
    played: NDArray[np.float64]
    best: NDArray[np.float64]
    index: NDArray[np.float64]


def decision_quality(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    at: NDArray[np.integer],
    scorer: Scorer,
    rng: np.random.Generator,
    completions: int = 32,
) -> Decisions:
    """Value one decision of each work against the best counterfactual.

    The maximum of several noisy means is biased upwards. So half of the completions choose the best
    move and the other half value it: the gap is unbiased for the move chosen, and a single index
    may come out a little above 100.

    Args:
        network: The frozen imitator, in eval mode: proposes the counterfactuals and finishes works.
        make_simulator: Makes boards.
        works: N works.
        at: (N,) index of the decision in each; works where it is negative or past the end are
            left out; as :func:`move37.novelty.measures.openings.first_novel_moves` gives them.
        scorer: Says what works are worth, in [0, 1].
        rng: The only source of chance.
        completions: Works finished after each move, an even number of at least 2.

    Raises:
        ValueError: If the shapes do not match, or the number of completions is odd.
    """
    if np.shape(at) != (len(works),):
        raise ValueError(f"at: expected shape ({len(works)},), got {np.shape(at)}")
    if completions < 2 or completions % 2:
        raise ValueError(f"completions: expected an even number of at least 2, got {completions}")
    rows = np.flatnonzero((at >= 0) & (at < works.lengths))
    where = np.asarray(at, np.int64)[rows]
    if not len(rows):
        none = np.zeros(0)
        return Decisions(rows, none, none, none)
    decided = works[rows]
    played = decided.moves[np.arange(len(rows)), where].astype(np.int64)
    proposed = _proposals(network, make_simulator, decided, where, played)
    tried = np.concatenate([played[:, None], proposed], axis=1)
    # One copy of a work for each completion of each move tried at its decision.
    copies = decided[np.repeat(np.arange(len(rows)), tried.shape[1] * completions)]
    moves, cuts = copies.moves.copy(), np.repeat(where, tried.shape[1] * completions)
    moves[np.arange(len(moves)), cuts] = np.repeat(tried.ravel(), completions)
    copies = Works(works.world, moves, copies.briefs)
    finished = finish_works(network, make_simulator, copies, cuts + 1, rng)
    halves = scorer(finished).reshape(*tried.shape, 2, completions // 2).mean(axis=3)
    chosen = halves[:, :, 0].argmax(axis=1)
    own, best = halves[:, 0, 1], halves[np.arange(len(rows)), chosen, 1]
    return Decisions(rows, own, best, 100 * (1 - (best - own)))


def _proposals(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    at: NDArray[np.int64],
    played: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(N, C) int64: the imitator's most probable moves at the decisions, without the one made."""
    observations, _ = positions_of(make_simulator, works)
    lengths = works.lengths
    rows = np.cumsum(lengths) - lengths + at
    out = []
    for begin in range(0, len(rows), CHUNK):
        part = rows[begin : begin + CHUNK]
        seen = {key: torch.as_tensor(value[part]) for key, value in observations.items()}
        with torch.no_grad():
            logits = network(seen)[0].clone()
        logits[torch.arange(len(part)), torch.as_tensor(played[begin : begin + CHUNK])] = -torch.inf
        out.append(logits.topk(min(CANDIDATES, logits.shape[1] - 1), dim=1).indices.numpy())
    return np.concatenate(out)
