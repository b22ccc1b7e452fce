"""A world's batch as a Stable-Baselines3 ``VecEnv``. Imported only by those who use SB3."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from move37.envs.base.batch import Step, WorldBatch
from move37.envs.base.gym_views import Board, WorldVectorEnv, seeds_of_boards, start


class WorldVecEnv(VecEnv):
    """N boards of one batch for Stable-Baselines3.

    It obeys SB3's protocol as ``DummyVecEnv`` does with N single environments. Until
    :meth:`seed` is called the boards share the briefs that the simulator deals, one after another;
    from then on each draws its own, as a single environment with its seed does. Seeds and options
    are for the next reset alone.

    Infos of a finished work hold its appraisal, ``episode`` (return ``r``, length ``l``, seconds
    ``t``) as SB3's Monitor writes it, and ``terminal_observation``.

    Args:
        batch: The boards, or a vector environment of ``gymnasium.make_vec``: then each board draws
            its own briefs from the beginning, and renders if the environment does.
        on_finished: Called with the :class:`Step` whenever works are finished, before the next
            move; a cheap way to gather works.
    """

    def __init__(
        self,
        batch: WorldBatch | WorldVectorEnv,
        on_finished: Callable[[Step], None] | None = None,
    ) -> None:
        if isinstance(batch, WorldVectorEnv):
            self.boards, batch = batch.boards, batch.batch
        elif isinstance(batch, WorldBatch):
            self.boards = [Board(batch, i, dealt=True) for i in range(batch.simulator.n)]
        else:
            found = type(batch).__name__
            raise TypeError(f"batch: expected boards of a world, without wrappers, got {found}")
        self.batch = batch
        self.on_finished = on_finished
        self.seconds_environment = 0.0
        super().__init__(batch.simulator.n, batch.observation_space, batch.action_space)
        self._actions = np.zeros(self.num_envs, np.int64)
        self._start = time.perf_counter()

    def reset(self) -> dict[str, NDArray[Any]]:
        """Start every board anew, with the seeds and options given since the last reset.

        Returns:
            Observations, each (N, ...).
        """
        seeds = seeds_of_boards(self._seeds, self.num_envs)
        briefs = [
            board.brief_of(options)
            for board, options in zip(self.boards, self._options, strict=True)
        ]
        start(self.boards, seeds, briefs)
        self._reset_seeds()
        self._reset_options()
        return self.batch.observations()

    def set_options(self, options: Any = None) -> None:
        """Give the next reset options, one dictionary or N: ``brief`` is what a board answers.

        Raises:
            TypeError: If something is no dictionary.
            ValueError: If there are not N, an option is unknown, or something is no brief.
        """
        each = [options] * self.num_envs if isinstance(options, dict | None) else options
        if not isinstance(each, list | tuple) or len(each) != self.num_envs:
            raise ValueError(f"options: expected a dictionary, or {self.num_envs} of them")
        for board, one in zip(self.boards, each, strict=True):
            board.brief_of(one)
        super().set_options([one or {} for one in each])

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the moves ((N,) int64) for :meth:`step_wait`."""
        self._actions = np.asarray(actions)

    def step_wait(self) -> Any:
        """Play the moves; returns observations, rewards (N,), dones (N,) and N infos.

        Raises:
            ValueError: If an action is no move.
            ResetNeeded: Before the first reset.
        """
        begin = time.perf_counter()
        before = self.batch.simulator.counts.copy()
        if self.batch.simulator.done.any():
            raise ResetNeeded("call reset() before step()")
        step = self.batch.step(self._actions, autoreset=False)
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        dones = np.zeros(self.num_envs, np.bool_)
        dones[step.finished] = True
        seconds = round(time.perf_counter() - self._start, 6)
        for row, i in enumerate(step.finished):
            info = infos[i]
            info |= {key: float(v[row]) for key, v in step.works.appraisal.items()}
            info["terminal_observation"] = {
                key: value[row] for key, value in step.final_observations.items()
            }
            length = int(before[i]) + 1
            info["episode"] = {"r": float(step.rewards[i]), "l": length, "t": seconds}
        if len(step.finished):
            start([self.boards[i] for i in step.finished], [None] * len(step.finished))
            if self.on_finished is not None:
                self.on_finished(step)
        observations = self.batch.observations()
        self.seconds_environment += time.perf_counter() - begin
        return observations, step.rewards.copy(), dones, infos

    def close(self) -> None:
        """Nothing to release."""

    def _boards_at(self, indices: Any) -> list[Board]:
        return [self.boards[i] for i in self._get_indices(indices)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of each board asked for."""
        return [getattr(board, attr_name) for board in self._boards_at(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of each board asked for."""
        for board in self._boards_at(indices):
            setattr(board, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each board asked for."""
        return [
            getattr(board, method_name)(*method_args, **method_kwargs)
            for board in self._boards_at(indices)
        ]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No board is wrapped on its own."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of each board, or None without a render mode."""
        return [board.render() for board in self.boards]
