"""A world's batch as a Stable-Baselines3 ``VecEnv``. Imported only by those who use SB3."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from move37.envs.base.batch import Step, WorldBatch


class WorldVecEnv(VecEnv):
    """N boards of one batch for Stable-Baselines3.

    Infos of a finished work hold its appraisal, ``episode`` (return ``r``, length ``l``, seconds
    ``t``) as SB3's Monitor writes it, and ``terminal_observation``.

    Args:
        batch: The boards.
        on_finished: Called with the :class:`Step` whenever works are finished, before the next
            move; a cheap way to gather works.
    """

    def __init__(
        self, batch: WorldBatch, on_finished: Callable[[Step], None] | None = None
    ) -> None:
        self.batch = batch
        self.on_finished = on_finished
        self.render_mode = None
        self.seconds_environment = 0.0
        simulator = batch.simulator
        super().__init__(
            simulator.n, simulator.observation_space(), spaces.Discrete(simulator.n_actions)
        )
        self._actions = np.zeros(simulator.n, np.int64)
        self._start = time.perf_counter()

    def reset(self) -> dict[str, NDArray[Any]]:
        """Start every board anew; returns observations, each (N, ...)."""
        self.batch.reset()
        self._reset_seeds()
        self._reset_options()
        return self.batch.observations()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the moves ((N,) int64) for :meth:`step_wait`."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> Any:
        """Play the moves; returns observations, rewards (N,), dones (N,) and N infos."""
        begin = time.perf_counter()
        before = self.batch.simulator.counts.copy()
        step = self.batch.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        dones = np.zeros(self.num_envs, np.bool_)
        dones[step.finished] = True
        seconds = round(time.perf_counter() - self._start, 6)
        for row, i in enumerate(step.finished):
            info: dict[str, Any] = {key: float(v[row]) for key, v in step.works.appraisal.items()}
            info["TimeLimit.truncated"] = False
            info["terminal_observation"] = {
                key: value[row] for key, value in step.final_observations.items()
            }
            length = int(before[i]) + 1
            info["episode"] = {"r": float(step.rewards[i]), "l": length, "t": seconds}
            infos[i] = info
        if len(step.finished) and self.on_finished is not None:
            self.on_finished(step)
        observations = self.batch.observations()
        self.seconds_environment += time.perf_counter() - begin
        return observations, step.rewards.copy(), dones, infos

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The batch's attribute, once per board asked for."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the batch (shared by all boards)."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method once; its result is given for each board asked for."""
        result = getattr(self, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No board is wrapped on its own."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """No images: use the single environment to render."""
        return [None] * self.num_envs
