"""Moves that are improbable under an imitator, in good works: the Move-37 detector.

The 37th move of AlphaGo's second game against Lee Sedol had, under the network that was trained on
human games, a probability of about one in ten thousand (Silver et al., Nature 2016; the essay that
this project follows). The detector lists moves with such a probability under a frozen imitator, in
works of at least median human quality. Counterfactuals say what each move was worth: the imitator
finishes the work many times from the position before the move, and from the position after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import finish_works
from move37.agents.measures.likelihoods import THRESHOLD, Scorer, move_likelihoods
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works, join_works
from move37.novelty.statistics import Interval, bootstrap, clopper_pearson


def find_moments(log_p: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The improbable moves of good works.

    Args:
        log_p: (N, T) of :class:`MoveLikelihoods`.
        good: (N,) bool: works that count.

    Returns:
        (M, 2) int64: work and index of the move, work by work in order of moves.
    """
    # nan compares as False: past the end there are no moments.
    moments: NDArray[np.int64] = np.argwhere((log_p <= np.log(THRESHOLD)) & good[:, None])
    return moments


def left_the_known(log_p: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) int64: index of the first improbable move of each work; -1: it has none."""
    rare = log_p <= np.log(THRESHOLD)
    return np.where(rare.any(axis=1), rare.argmax(axis=1), -1)


def counterfactuals(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    moments: NDArray[np.int64],
    scorer: Scorer,
    rng: np.random.Generator,
    completions: int = 32,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare what the imitator makes of each work without the move and with it.

    Args:
        network: The frozen imitator.
        make_simulator: Makes boards.
        works: The works that ``moments`` refers to.
        moments: (M, 2) work and index of a move.
        scorer: Says what works are worth; never a reward.
        rng: The only source of chance.
        completions: Works finished from each position.

    Returns:
        gain: (M,) float64: mean quality of the works that were finished with the move, minus that
            of those without it: what the move itself was worth.
        worse: (M,) float64: share of the works finished without the move that are worse than the
            work.
    """
    if not len(moments):
        return np.zeros(0), np.zeros(0)
    rows, at = moments.T
    quality = scorer(works[rows])
    copies, kept = works[np.repeat(rows, completions)], np.repeat(at, completions)
    finished = [finish_works(network, make_simulator, copies, kept + i, rng) for i in (0, 1)]
    # (M, completions) each: without the move, and with it.
    without, with_move = scorer(join_works(finished)).reshape(2, len(moments), completions)
    gain = with_move.mean(axis=1) - without.mean(axis=1)
    return gain, (without < quality[:, None]).mean(axis=1)


@dataclass(frozen=True)
class Move37:
    """Move-37 moments of one maker.

    Attributes:
        good: How many of the works have at least ``min_quality``.
        share: Share of all works that are good and have a moment, with its exact interval.
        per_work: Moments in good works, divided by the number of all works, with bootstrap
            interval.
        all_per_work: Improbable moves per work, whatever its quality.
        expected_per_work: How many the imitator itself would make at the same positions.
        gain: Mean gain of the moments examined, the least probable one of a work each, with
            bootstrap interval; nan if there were none.
        control_gain: The same of one ordinary move of each of these works: good works were chosen,
            so that any of their moves looks good, and this is by how much.
        worse: Mean share of works finished without the move that are worse than the work.
        control_worse: The same of the ordinary moves.
        moments: (M, 2) int64: all moments, work and index of the move.
    """

    good: int
    share: Interval
    per_work: Interval
    all_per_work: float
    expected_per_work: float
    gain: Interval
    control_gain: Interval
    worse: float
    control_worse: float
    moments: NDArray[np.int64]


def detect(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    scorer: Scorer,
    min_quality: float,
    rng: np.random.Generator,
    completions: int = 32,
    most: int = 40,
) -> Move37:
    """Find the Move-37 moments of a maker's works, and examine some.

    Controls are this function on other makers' works: the imitator at a high temperature, random
    moves, human works held out.

    Args:
        network: The frozen imitator, in eval mode.
        make_simulator: Makes boards.
        works: Fresh works, at least one.
        scorer: Says what works are worth; never a reward.
        min_quality: Quality from which a work counts, e.g. the human median.
        rng: The only source of chance.
        completions: Works finished from each position examined.
        most: Works examined, chosen at random among those with a moment.
    """
    likelihoods = move_likelihoods(network, make_simulator, works)
    log_p = likelihoods.log_p
    good = scorer(works) >= min_quality
    moments = find_moments(log_p, good)
    counts = np.bincount(moments[:, 0], minlength=len(works))
    with_moment = np.flatnonzero(counts)
    rows = np.sort(rng.permutation(with_moment)[:most])
    least = np.nanargmin(log_p[rows], axis=1) if len(rows) else rows
    chosen = np.stack([rows, least], axis=1)
    ordinary = _ordinary_moves(log_p, rows, rng)
    gain, worse = counterfactuals(
        network, make_simulator, works, np.concatenate([chosen, ordinary]), scorer, rng,
        completions,
    )  # fmt: skip
    n = len(chosen)
    return Move37(
        good=int(good.sum()),
        share=clopper_pearson(len(with_moment), len(works)),
        per_work=bootstrap(np.mean, counts, rng=rng),
        all_per_work=float((log_p <= np.log(THRESHOLD)).sum() / len(works)),
        expected_per_work=float(np.nansum(likelihoods.expected) / len(works)),
        gain=_mean_of(gain[:n], rng),
        control_gain=_mean_of(gain[n:], rng),
        worse=float(worse[:n].mean()) if n else math.nan,
        control_worse=float(worse[n:].mean()) if len(ordinary) else math.nan,
        moments=moments,
    )


def _ordinary_moves(
    log_p: NDArray[np.float64], rows: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """(M, 2) int64: one random move of each of these works that is not improbable, if it has any.

    Work and index of the move, as :func:`find_moments` gives them.
    """
    moves = []
    for row in rows:
        (others,) = (log_p[row] > np.log(THRESHOLD)).nonzero()
        if len(others):
            moves.append((row, rng.choice(others)))
    return np.array(moves, np.int64).reshape(-1, 2)


def _mean_of(values: NDArray[np.float64], rng: np.random.Generator) -> Interval:
    if not len(values):
        return Interval(math.nan, math.nan, math.nan)
    return bootstrap(np.mean, values, rng=rng)
