"""One batch of boards with its appraisal: what every environment view is made of.

A world gives a core (its compiled dynamics); whoever builds an environment may give an appraiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


class Simulator(Protocol):
    """The batched dynamics of a world; see ``move37.envs.drawing.dynamics.DrawingSimulator``."""

    n: int
    n_moves: int
    max_moves: int
    moves: NDArray[np.int16]
    counts: NDArray[np.int64]
    briefs: NDArray[np.int16]

    @property
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board, each (N, ...); good until the next step."""

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""

    def set_brief(self, brief: NDArray[np.int16] | None) -> None:
        """Give every board reset from now on this brief; None: the world's default."""

    def reset(self, rows: NDArray[np.int64], briefs: NDArray[np.int16] | None = None) -> None:
        """Start the boards ``rows`` anew, from ``briefs`` (R, B) if given."""

    def step(self, actions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Play one move on every board; return which works are finished."""

    def images(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(R, H, W) uint8: what is seen or heard of the works, briefs included."""

    def state(self) -> dict[str, NDArray[Any]]:
        """What else changes, beside the attributes above; empty if there is nothing."""

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave; the attributes above are set by the caller."""


class NotFiniteError(ValueError):
    """A number that is NaN or infinite where work would go on with it.

    Attributes:
        arrays: What it came from, to be looked at.
    """

    def __init__(self, message: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(message)
        self.arrays = dict(arrays)


class Appraiser(Protocol):
    """Says what finished works are worth."""

    def __call__(
        self, moves: NDArray[np.int16], images: NDArray[np.uint8]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Named terms, each (R,) float64, of R works; ``reward`` must be among them.

        Args:
            moves: (R, T) int16, padded with -1.
            images: (R, H, W) uint8, briefs included.
        """


@dataclass(frozen=True)
class Step:
    """What one move on every board brought.

    Attributes:
        rewards: (N,) float32.
        finished: (R,) int64: the boards whose work is finished (and already started anew).
        terms: the appraisal of the finished works, each (R,) float64.
        final_observations: the last observation of the finished works, each (R, ...).
        moves: (R, T) int16: the finished works.
        briefs: (R, B) int16: what they answer.
    """

    rewards: NDArray[np.float32]
    finished: NDArray[np.int64]
    terms: Mapping[str, NDArray[np.float64]]
    final_observations: Mapping[str, NDArray[Any]]
    moves: NDArray[np.int16]
    briefs: NDArray[np.int16]


class WorldBatch:
    """A core and an appraiser: steps N boards, appraises finished works, starts them anew."""

    def __init__(self, simulator: Simulator, appraiser: Appraiser) -> None:
        self.simulator = simulator
        self.appraiser = appraiser

    def observations(self) -> dict[str, NDArray[Any]]:
        """Copies of the observations, each (N, ...)."""
        return {key: value.copy() for key, value in self.simulator.observations.items()}

    def reset(self, brief: NDArray[np.int16] | None = None) -> None:
        """Start every board anew, from ``brief`` if given, else from the world's default."""
        self.simulator.set_brief(brief)
        self.simulator.reset(np.arange(self.simulator.n))

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that the boards are; the appraiser has a state of its own."""
        simulator = self.simulator
        state = {f"observations/{key}": value for key, value in simulator.observations.items()}
        state |= {"moves": simulator.moves, "counts": simulator.counts, "briefs": simulator.briefs}
        state |= {f"core/{key}": value for key, value in simulator.state().items()}
        return {key: value.copy() for key, value in state.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where :meth:`state` was taken.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the state is of another core, or of another number of boards.
        """
        simulator = self.simulator
        now = self.state()
        for key in [key for key in now if not key.startswith("core/")]:
            # The width of the briefs is that of the longest so far.
            shape = now[key].shape[: 1 if key == "briefs" else None]
            found = state[key]
            if found.dtype != now[key].dtype or found.shape[: len(shape)] != shape:
                raise ValueError(
                    f"{key}: expected {now[key].dtype} {shape}, got {found.dtype} {found.shape}"
                )
        for key, value in simulator.observations.items():
            value[...] = state[f"observations/{key}"]
        simulator.moves[...], simulator.counts[...] = state["moves"], state["counts"]
        simulator.briefs = state["briefs"].copy()
        simulator.load_state({k[5:]: v for k, v in state.items() if k.startswith("core/")})

    def step(self, actions: NDArray[np.int64], autoreset: bool = True) -> Step:
        """Play one move ((N,) int64) on every board.

        Raises:
            ValueError: If an action is no move.
            NotFiniteError: If the appraiser gives a reward that is not finite.
        """
        simulator = self.simulator
        finished = np.flatnonzero(simulator.step(actions))
        rewards = np.zeros(simulator.n, np.float32)
        if not len(finished):
            return Step(rewards, finished, {}, {}, simulator.moves[:0], simulator.briefs[:0])
        moves, briefs = simulator.moves[finished], simulator.briefs[finished]
        terms = self.appraiser(moves, simulator.images(finished))
        if not np.isfinite(terms["reward"]).all():
            bad = int(np.flatnonzero(~np.isfinite(terms["reward"]))[0])
            values = {key: float(value[bad]) for key, value in terms.items()}
            message = f"the appraiser gave a reward that is not finite: {values}"
            raise NotFiniteError(message, {**terms, "moves": moves, "briefs": briefs})
        rewards[finished] = terms["reward"]
        final = {key: value[finished] for key, value in simulator.observations.items()}
        if autoreset:
            simulator.reset(finished)
        return Step(rewards, finished, terms, final, moves, briefs)
