"""Moves that no imitator would make, in works worth having: the Move-37 detector.

The 37th move of AlphaGo's second game against Lee Sedol had, under the network that was trained on
human games, a probability of about one in ten thousand (Silver et al., Nature 2016; the essay that
this project follows). The detector lists moves with such a probability under a frozen imitator in
works of at least median human quality. For each it asks what would have come instead: the imitator
finishes the work from the position before the move, and from the position after it, many times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.measures.rollout import THRESHOLD, Judge, finish_works, move_likelihoods
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works, join_works
from move37.novelty.statistics import Interval, bootstrap, clopper_pearson


def find_moments(
    log_p: NDArray[np.float64], good: NDArray[np.bool_], threshold: float = THRESHOLD
) -> NDArray[np.int64]:
    """The improbable moves of good works.

    Args:
        log_p: (N, T) of :class:`MoveLikelihoods`.
        good: (N,) bool: works that count.
        threshold: Largest probability.

    Returns:
        (M, 2) int64: work and index of the move, work by work in order of moves.
    """
    # nan compares as False: past the end there are no moments.
    found: NDArray[np.int64] = np.argwhere((log_p <= np.log(threshold)) & good[:, None])
    return found


def left_the_known(log_p: NDArray[np.float64], threshold: float = THRESHOLD) -> NDArray[np.int64]:
    """(N,) int64: the first improbable move of each work, where it left the known; -1: never."""
    rare = log_p <= np.log(threshold)
    return np.where(rare.any(axis=1), rare.argmax(axis=1), -1)


@dataclass(frozen=True)
class Moment:
    """One improbable move and what would have come instead.

    Attributes:
        work: Row of the work.
        at: Index of the move, from 0.
        move: The move.
        probability: Under the imitator.
        quality: Of the work.
        without: Mean quality of works that the imitator finished from the position before it.
        with_move: From the position after it.
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
    judge: Judge,
    rng: np.random.Generator,
    completions: int = 32,
    temperature: float = 1.0,
    log_p: NDArray[np.float64] | None = None,
) -> list[Moment]:
    """Ask for each move what the imitator would have made of the work without it and with it.

    Args:
        network: The frozen imitator.
        make_simulator: Makes boards.
        works: The works that ``moments`` speaks of.
        moments: (M, 2) work and index of a move.
        judge: Says what works are worth.
        rng: The only source of chance.
        completions: Works finished from each position.
        temperature: Of the imitator.
        log_p: Of :func:`move_likelihoods` if it is known already.
    """
    if not len(moments):
        return []
    if log_p is None:
        log_p = move_likelihoods(network, make_simulator, works).log_p
    rows, at = moments.T
    quality = judge(works[rows])
    both = []
    for kept in (at, at + 1):
        finished = finish_works(
            network, make_simulator,
            works[np.repeat(rows, completions)], np.repeat(kept, completions),
            rng, temperature,
        )  # fmt: skip
        both.append(finished)
    judged = judge(join_works(both)).reshape(2, len(moments), completions)

    def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(a.mean() - b.mean())

    return [
        Moment(
            work=int(row),
            at=int(t),
            move=int(works.moves[row, t]),
            probability=float(np.exp(log_p[row, t])),
            quality=float(quality[i]),
            without=float(judged[0, i].mean()),
            with_move=float(judged[1, i].mean()),
            gain=bootstrap(difference, judged[1, i], judged[0, i], rng=rng, resamples=500),
            worse=float((judged[0, i] < quality[i]).mean()),
        )
        for i, (row, t) in enumerate(moments)
    ]


@dataclass(frozen=True)
class Move37:
    """Move-37 moments of one maker.

    Attributes:
        works: Works looked at.
        good: Of them at or above the bar.
        share: Share of all works that are good and have a moment, with its exact interval.
        per_work: Moments per work, of good works only, over all works, with bootstrap interval.
        all_per_work: Improbable moves per work, whatever the work was worth.
        expected_per_work: As many as the imitator itself would make at the same positions.
        gain: Mean gain of the moments examined, with bootstrap interval; nan if there were none.
        control_gain: Of as many ordinary moves of the same works: choosing good works makes
            their moves look good, and this is by how much.
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
    judge: Judge,
    bar: float,
    rng: np.random.Generator,
    threshold: float = THRESHOLD,
    completions: int = 32,
    most: int = 40,
    temperature: float = 1.0,
) -> Move37:
    """Find the Move-37 moments of a maker's works, and examine some.

    Controls are this function on other makers' works: the imitator at a high temperature, random
    moves, human works held out.

    Args:
        network: The frozen imitator, in eval mode.
        make_simulator: Makes boards.
        works: Fresh works, at least one.
        judge: Says what works are worth.
        bar: Quality from which a work counts, e.g. the human median.
        rng: The only source of chance.
        threshold: Largest probability of a moment.
        completions: Works finished from each position examined.
        most: Works examined, chosen at random among those with a moment.
        temperature: Of the imitator while it finishes works.
    """
    seen = move_likelihoods(network, make_simulator, works, threshold)
    good = judge(works) >= bar
    moments = find_moments(seen.log_p, good, threshold)
    counts = np.bincount(moments[:, 0], minlength=len(works))
    with_moment = np.flatnonzero(counts)
    some = np.sort(rng.permutation(with_moment)[:most])
    least = np.nanargmin(seen.log_p[some], axis=1) if len(some) else some
    chosen = np.stack([some, least], axis=1)
    ordinary = []
    for row in some:
        (others,) = (seen.log_p[row] > np.log(threshold)).nonzero()
        if len(others):
            ordinary.append((row, rng.choice(others)))
    control = np.array(ordinary, np.int64).reshape(-1, 2)
    both = counterfactuals(
        network, make_simulator, works, np.concatenate([chosen, control]), judge, rng, completions,
        temperature, seen.log_p,
    )  # fmt: skip
    examined, usual = both[: len(chosen)], both[len(chosen) :]
    return Move37(
        works=len(works),
        good=int(good.sum()),
        share=clopper_pearson(len(with_moment), len(works)),
        per_work=bootstrap(_mean, counts, rng=rng),
        all_per_work=float((seen.log_p <= np.log(threshold)).sum() / len(works)),
        expected_per_work=float(np.nansum(seen.expected) / len(works)),
        gain=_mean_of([m.gain.value for m in examined], rng),
        control_gain=_mean_of([m.gain.value for m in usual], rng),
        worse=_mean_of([m.worse for m in examined], rng).value,
        control_worse=_mean_of([m.worse for m in usual], rng).value,
        moments=moments,
        examined=tuple(examined),
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _mean_of(values: list[float], rng: np.random.Generator) -> Interval:
    if not values:
        return Interval(float("nan"), float("nan"), float("nan"))
    return bootstrap(_mean, np.array(values), rng=rng)
