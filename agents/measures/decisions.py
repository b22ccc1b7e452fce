"""How good are a work's decisions? The Decision Quality Index, after Shin et al. (PNAS 2023).

Shin et al. compare the win rate after a human move with the win rate after the best move that an
engine knows. Works have no winner, so a move's value is the mean quality of the works that an
imitator finishes from the position after it, under an evaluator that never was a reward. The best
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
from move37.agents.measures.rollout import Judge, finish_works
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works


@dataclass(frozen=True)
class Decisions:
    """Decisions and what they were worth.

    Attributes:
        work: (M,) int64: row of the work.
        at: (M,) int64: index of the move.
        played: (M,) float64: value of the move that was made.
        best: (M,) float64: value of the best counterfactual, the move made among them.
        index: (M,) float64: ``100 (1 - (best - played))``; 100: nothing better was known.
    """

    work: NDArray[np.int64]
    at: NDArray[np.int64]
    played: NDArray[np.float64]
    best: NDArray[np.float64]
    index: NDArray[np.float64]


def decision_quality(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    at: NDArray[np.integer],
    judge: Judge,
    rng: np.random.Generator,
    candidates: int = 6,
    completions: int = 32,
    temperature: float = 1.0,
) -> Decisions:
    """Value one decision of each work against the best counterfactual.

    The best of several noisy means is too good to be true. So half of the completions choose the
    best move and the other half value it: the gap is unbiased for the move chosen, and a single
    index may come out a little above 100.

    Args:
        network: The frozen imitator, in eval mode: proposes the counterfactuals and finishes works.
        make_simulator: Makes boards.
        works: N works.
        at: (N,) index of the decision in each; works where it is negative or past the end are
            left out. See ``novelty.first_novel_moves`` and :func:`random_decisions`.
        judge: Says what works are worth, in [0, 1].
        rng: The only source of chance.
        candidates: Most probable other moves that are tried.
        completions: Works finished after each move, an even number of at least 2.
        temperature: Of the imitator while it finishes works.

    Raises:
        ValueError: If the shapes do not match, or candidates or completions are out of range.
    """
    if np.shape(at) != (len(works),):
        raise ValueError(f"at: expected shape ({len(works)},), got {np.shape(at)}")
    if candidates < 1 or completions < 2 or completions % 2:
        raise ValueError(
            "expected candidates >= 1 and an even number of completions >= 2, "
            f"got {candidates} and {completions}"
        )
    lengths = works.lengths
    rows = np.flatnonzero((at >= 0) & (at < lengths))
    where = np.asarray(at, np.int64)[rows]
    if not len(rows):
        none = np.zeros(0)
        return Decisions(rows, where, none, none, none)
    some = works[rows]
    played = some.moves[np.arange(len(rows)), where].astype(np.int64)
    tried = np.concatenate(
        [played[:, None], _proposals(network, make_simulator, some, where, played, candidates)],
        axis=1,
    )
    width = tried.shape[1]
    index = np.repeat(np.arange(len(rows)), width * completions)
    changed = some[index]
    moves = changed.moves.copy()
    cut = where[index]
    moves[np.arange(len(moves)), cut] = np.repeat(tried.ravel(), completions)
    changed = Works(works.world, moves, changed.briefs)
    finished = finish_works(network, make_simulator, changed, cut + 1, rng, temperature)
    value = judge(finished).reshape(len(rows), width, 2, completions // 2).mean(axis=3)
    chosen = value[:, :, 0].argmax(axis=1)
    own, best = value[:, 0, 1], value[np.arange(len(rows)), chosen, 1]
    return Decisions(rows, where, own, best, 100 * (1 - (best - own)))


def random_decisions(works: Works, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) int64: a move of each work, drawn uniformly; -1 where a work has none."""
    lengths = works.lengths
    return np.where(lengths > 0, (rng.random(len(works)) * lengths).astype(np.int64), -1)


def _proposals(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    at: NDArray[np.int64],
    played: NDArray[np.int64],
    candidates: int,
) -> NDArray[np.int64]:
    """(N, C) int64: the imitator's most probable moves at the decisions, without the one made."""
    observations, _ = positions_of(make_simulator, works)
    lengths = works.lengths
    rows = np.cumsum(lengths) - lengths + at
    out = []
    for begin in range(0, len(rows), 2048):
        part = rows[begin : begin + 2048]
        obs = {key: torch.as_tensor(value[part]) for key, value in observations.items()}
        with torch.no_grad():
            logits = network(obs)[0].clone()
        logits[torch.arange(len(part)), torch.as_tensor(played[begin : begin + 2048])] = -torch.inf
        out.append(logits.topk(min(candidates, logits.shape[1] - 1), dim=1).indices.numpy())
    return np.concatenate(out)
