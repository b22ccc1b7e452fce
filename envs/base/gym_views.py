"""Gymnasium views of a world's batch: one board (`WorldEnv`) or N (`WorldVectorEnv`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraiser
from move37.envs.base.batch import WorldBatch
from move37.envs.base.simulator import Simulator

Observation = dict[str, NDArray[Any]]
Render = Callable[[Simulator, int, int], NDArray[np.uint8]]


class WorldEnv(gymnasium.Env[Observation, np.int64]):
    """One board. Concrete worlds subclass it to say what simulator and pictures they use."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012

    def __init__(
        self,
        simulator: Simulator,
        appraiser: Appraiser,
        render: Render,
        render_mode: str | None = None,
        render_size: int = 512,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode: {render_mode!r} is unknown; use 'rgb_array' or None")
        self.batch = WorldBatch(simulator, appraiser)
        self.observation_space = cast(spaces.Space[Observation], simulator.observation_space())
        self.action_space = spaces.Discrete(simulator.n_actions)
        self.render_mode = render_mode
        self._size = render_size
        self._render = render
        self._finished = True

    def _observation(self) -> Observation:
        return {key: value[0].copy() for key, value in self.batch.simulator.observations.items()}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a work, from ``options["brief"]`` if given (moves, or strokes (P, 2) of x, y)."""
        super().reset(seed=seed)
        brief = (options or {}).get("brief")
        self.batch.reset(self.batch.simulator.parse_brief(brief))
        self._finished = False
        return self._observation(), {}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one move; the reward and the appraisal (in info) come when the work is finished.

        Raises:
            ValueError: If the action is no move.
            RuntimeError: If the work is finished; call reset first.
        """
        if self._finished:
            raise RuntimeError("the work is finished: call reset() before step()")
        result = self.batch.step(np.array([action], np.int64), autoreset=False)
        self._finished = bool(len(result.finished))
        info = {key: float(value[0]) for key, value in result.works.appraisal.items()}
        return self._observation(), float(result.rewards[0]), self._finished, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """(size, size, 3) uint8, or None without a render mode."""
        if self.render_mode is None:
            return None
        return self._render(self.batch.simulator, 0, self._size)


class WorldVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """N boards in one batch, with same-step autoreset.

    A finished work's last observation and appraisal are in ``infos["final_obs"]`` and
    ``infos["final_info"]``, as in Gymnasium's own vector environments.
    """

    metadata = {  # noqa: RUF012  # as in the base class
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        simulator: Simulator,
        appraiser: Appraiser,
        render: Render,
        render_mode: str | None = None,
        render_size: int = 256,
    ) -> None:
        self.batch = WorldBatch(simulator, appraiser)
        self.num_envs = simulator.n
        self.single_observation_space = simulator.observation_space()
        self.single_action_space = spaces.Discrete(simulator.n_actions)
        self.observation_space = batch_space(self.single_observation_space, simulator.n)
        self.action_space = batch_space(self.single_action_space, simulator.n)
        self.render_mode = render_mode
        self._size = render_size
        self._render = render

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start every board anew, all from ``options["brief"]`` if given."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        brief = (options or {}).get("brief")
        self.batch.reset(self.batch.simulator.parse_brief(brief))
        return self.batch.observations(), {}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one move ((N,) int64) on every board."""
        n = self.num_envs
        result = self.batch.step(np.asarray(actions, np.int64))
        terminated = np.zeros(n, np.bool_)
        terminated[result.finished] = True
        infos: dict[str, Any] = {}
        if len(result.finished):
            final_obs = np.full(n, None, object)
            for row, i in enumerate(result.finished):
                final_obs[i] = {k: v[row] for k, v in result.final_observations.items()}
            final_info: dict[str, Any] = {}
            for key, values in result.works.appraisal.items():
                column = np.zeros(n, np.float64)
                column[result.finished] = values
                final_info[key], final_info[f"_{key}"] = column, terminated.copy()
            infos = {"final_obs": final_obs, "_final_obs": terminated.copy()}
            infos |= {"final_info": final_info, "_final_info": terminated.copy()}
        rewards = result.rewards.astype(np.float64)
        return self.batch.observations(), rewards, terminated, np.zeros(n, np.bool_), infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """N pictures (size, size, 3) uint8, or None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(
            self._render(self.batch.simulator, i, self._size) for i in range(self.num_envs)
        )
