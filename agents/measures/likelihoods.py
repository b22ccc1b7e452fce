"""How probable the moves of works are under a frozen imitator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.imitation import positions_of
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works

THRESHOLD = 1e-4
"""Largest probability of a Move-37 moment."""
Scorer = Callable[[Works], NDArray[np.float64]]
"""Says what N works are worth, (N,) float64; of use in a measure only if it never was a reward."""
WORKS_AT_ONCE = 1000
"""Works replayed at once; their positions stay in memory together."""


def moves_alone(works: Works) -> Works:
    """The moves of works and what they answer, without images or an appraisal."""
    return Works(works.world, works.moves, works.briefs)


@dataclass(frozen=True)
class MoveLikelihoods:
    """How probable the moves of works are under an imitator.

    Attributes:
        log_p: (N, T) float64: natural logarithm of each move's probability; nan past the end.
        expected: (N, T) float64: probability, at that position, that the imitator itself makes a
            move of at most :data:`THRESHOLD`; nan past the end.
    """

    log_p: NDArray[np.float64]
    expected: NDArray[np.float64]

    @property
    def bits(self) -> NDArray[np.float64]:
        """(N,) float64: description length of each work under the imitator."""
        total: NDArray[np.float64] = -np.nansum(self.log_p, axis=1) / np.log(2)
        return total


def move_likelihoods(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
) -> MoveLikelihoods:
    """Probabilities of all moves of works under an imitator, at temperature 1.

    Args:
        network: Maps observations to (logits (N, A), features); in eval mode.
        make_simulator: Makes boards.
        works: With moves.
    """
    shape = works.moves.shape
    log_p, expected = np.full(shape, np.nan), np.full(shape, np.nan)
    for first in range(0, len(works), WORKS_AT_ONCE):
        part = works[first : first + WORKS_AT_ONCE]
        if not part.lengths.any():
            continue
        observations, moves = positions_of(make_simulator, part)
        chosen, tail = np.zeros(len(moves)), np.zeros(len(moves))
        for begin in range(0, len(moves), 2048):
            rows = slice(begin, begin + 2048)
            obs = {key: torch.as_tensor(value[rows]) for key, value in observations.items()}
            with torch.no_grad():
                logs = torch.log_softmax(network(obs)[0].double(), 1)
            target = torch.as_tensor(moves[rows])[:, None]
            chosen[rows] = logs.gather(1, target)[:, 0].numpy()
            p = logs.exp()
            tail[rows] = (p * (p <= THRESHOLD)).sum(1).numpy()
        there = part.moves != PAD
        log_p[first : first + len(part)][there] = chosen
        expected[first : first + len(part)][there] = tail
    return MoveLikelihoods(log_p, expected)
