"""A simulator with an appraiser: what every environment view is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraiser
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works


class NotFiniteError(ValueError):
    """A number that is NaN or infinite where work would go on with it.

    Attributes:
        arrays: What it came from, to be looked at.
    """

    def __init__(self, message: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(message)
        self.arrays = dict(arrays)


@dataclass(frozen=True)
class Step:
    """What one move on every board brought.

    Attributes:
        rewards: (N,) float32.
        finished: (R,) int64: the boards whose work is finished.
        works: the R finished works, with every term of their appraisal.
        final_observations: the last observation of the finished works, each (R, ...).
    """

    rewards: NDArray[np.float32]
    finished: NDArray[np.int64]
    works: Works
    final_observations: Mapping[str, NDArray[Any]]


class WorldBatch:
    """Steps N boards, appraises finished works, starts their boards anew.

    Attributes:
        simulator: The boards.
        appraiser: Appraises finished works.
        observation_space: Of one board.
        action_space: Of one board.
    """

    def __init__(self, simulator: Simulator, appraiser: Appraiser) -> None:
        self.simulator = simulator
        self.appraiser = appraiser
        self.observation_space = simulator.observation_space()
        self.action_space = spaces.Discrete(simulator.n_actions)

    def observations(self) -> dict[str, NDArray[Any]]:
        """Copies of the observations, each (N, ...)."""
        return {key: value.copy() for key, value in self.simulator.observations.items()}

    def reset(self, briefs: NDArray[np.int16] | None = None) -> None:
        """Start every board anew, from briefs (N, B) if given, else from the world's next ones."""
        self.simulator.reset(np.arange(self.simulator.n), briefs)

    def step(
        self,
        actions: NDArray[np.int64],
        autoreset: bool = True,
        rows: NDArray[np.int64] | None = None,
    ) -> Step:
        """Play one move on every board.

        Args:
            actions: (N,) int64; (R,) if there are rows.
            autoreset: Whether boards whose work is finished start anew, from the world's next
                briefs.
            rows: (R,) int64: the boards that move; the others wait. None: all of them.

        Raises:
            ValueError: If an action is no move.
            NotFiniteError: If the appraiser gives a reward that is not finite.
        """
        simulator = self.simulator
        actions = np.asarray(actions)
        if (actions == PAD).any():
            last = simulator.n_actions - 1
            raise ValueError(f"actions: {PAD} is no move; moves are 0 to {last}")
        if rows is not None:
            if actions.shape != rows.shape:
                raise ValueError(f"actions: expected shape {rows.shape}, got {actions.shape}")
            moving = np.full(simulator.n, PAD, np.result_type(actions, np.int64))
            moving[rows] = actions
            actions = moving
        finished = np.flatnonzero(simulator.step(actions))
        rewards = np.zeros(simulator.n, np.float32)
        works = simulator.works(finished)
        if not len(finished):
            return Step(rewards, finished, works, {})
        terms = self.appraiser(works)
        if not np.isfinite(terms["reward"]).all():
            bad = int(np.flatnonzero(~np.isfinite(terms["reward"]))[0])
            values = {key: float(value[bad]) for key, value in terms.items()}
            message = f"the appraiser gave a reward that is not finite: {values}"
            raise NotFiniteError(message, {**terms, "moves": works.moves, "briefs": works.briefs})
        rewards[finished] = terms["reward"]
        final = {key: value[finished] for key, value in simulator.observations.items()}
        if autoreset:
            simulator.reset(finished)
        return Step(rewards, finished, works.with_appraisal(terms), final)
