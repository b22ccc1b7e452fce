"""Moves that are improbable under an imitator, in good works: the Move-37 detector.

The 37th move of AlphaGo's second game against Lee Sedol had, under the network that was trained on
human games, a probability of about one in ten thousand (Silver et al., Nature 2016; the essay that
this project follows). The detector lists moves with such a probability under a frozen imitator, in
works of at least median human quality. Counterfactuals say what each move was worth: the imitator
finishes the work many times from the position before the move, and from the position after it.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Moment:
    """One improbable move and its counterfactuals.

    Attributes:
        work: Row of the work.
        at: Index of the move, from 0.
        move: The move.
        probability: Under the imitator.
        quality: Of the work.
        without: Mean quality of works that the imitator finished from the position before it.
        with_move: Mean quality of those finished from the position after it.
        gain: ``with_move - without`` with its bootstrap interval: what the move itself was worth.
        worse: Share of the works finished without the move that are worse than the work.
    """

    work: int
    at: int
    move: int
    probability: float
    quality: float
    without: float
    with_move: float
    gain: Interval
    worse: float


def counterfactuals(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    moments: NDArray[np.int64],
    scorer: Scorer,
    rng: np.random.Generator,
    completions: int = 32,
    log_p: NDArray[np.float64] | None = None,
) -> list[Moment]:
    """Compare what the imitator makes of each work without the move and with it.

    Args:
        network: The frozen imitator.
        make_simulator: Makes boards.
        works: The works that ``moments`` refers to.
        moments: (M, 2) work and index of a move.
        scorer: Says what works are worth; never a reward.
        rng: The only source of chance.
        completions: Works finished from each position.
        log_p: Of :func:`move_likelihoods`, if it was computed before.
    """
    if not len(moments):
        return []
    if log_p is None:
        log_p = move_likelihoods(network, make_simulator, works).log_p
    rows, at = moments.T
    quality = scorer(works[rows])
    copies, kept = works[np.repeat(rows, completions)], np.repeat(at, completions)
    finished = [finish_works(network, make_simulator, copies, kept + i, rng) for i in (0, 1)]
    # (2, M, completions): without the move, and with it.
    values = scorer(join_works(finished)).reshape(2, len(moments), completions)

    def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(a.mean() - b.mean())

    return [
        Moment(
            work=int(row),
            at=int(t),
            move=int(works.moves[row, t]),
            probability=float(np.exp(log_p[row, t])),
            quality=float(quality[i]),
            without=float(values[0, i].mean()),
            with_move=float(values[1, i].mean()),
            gain=bootstrap(difference, values[1, i], values[0, i], rng=rng, resamples=500),
            worse=float((values[0, i] < quality[i]).mean()),
        )
        for i, (row, t) in enumerate(moments)
    ]


@dataclass(frozen=True)
class Move37:
    """Move-37 moments of one maker.

    Attributes:
        works: Works looked at.
        good: How many of them have at least ``min_quality``.
        share: Share of all works that are good and have a moment, with its exact interval.
        per_work: Moments in good works, divided by the number of all works, with bootstrap
            interval.
        all_per_work: Improbable moves per work, whatever its quality.
        expected_per_work: How many the imitator itself would make at the same positions.
        gain: Mean gain of the moments examined, with bootstrap interval; nan if there were none.
        control_gain: The same of one ordinary move of each of these works: good works were chosen,
            so that any of their moves looks good, and this is by how much.
        worse: Mean share of works finished without the move that are worse than the work.
        control_worse: The same of the ordinary moves.
        moments: (M, 2) int64: all moments, work and index of the move.
        examined: At most one of each work, its least probable one.
    """

    works: int
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
    examined: tuple[Moment, ...]


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
    both = counterfactuals(
        network, make_simulator, works, np.concatenate([chosen, ordinary]), scorer, rng,
        completions, log_p,
    )  # fmt: skip
    examined, control = both[: len(chosen)], both[len(chosen) :]
    return Move37(
        works=len(works),
        good=int(good.sum()),
        share=clopper_pearson(len(with_moment), len(works)),
        per_work=bootstrap(_mean, counts, rng=rng),
        all_per_work=float((log_p <= np.log(THRESHOLD)).sum() / len(works)),
        expected_per_work=float(np.nansum(likelihoods.expected) / len(works)),
        gain=_mean_of([m.gain.value for m in examined], rng),
        control_gain=_mean_of([m.gain.value for m in control], rng),
        worse=_mean_of([m.worse for m in examined], rng).value,
        control_worse=_mean_of([m.worse for m in control], rng).value,
        moments=moments,
        examined=tuple(examined),
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


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _mean_of(values: list[float], rng: np.random.Generator) -> Interval:
    if not values:
        return Interval(float("nan"), float("nan"), float("nan"))
    return bootstrap(_mean, np.array(values), rng=rng)
