"""Gymnasium views of a world's batch: one board (`WorldEnv`) or N (`WorldVectorEnv`)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraiser
from move37.envs.base.batch import WorldBatch
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import pad_moves

Observation = dict[str, NDArray[Any]]
Render = Callable[[Simulator, int, int], NDArray[np.uint8]]
Brief = NDArray[np.int16]


def checked_options(options: Mapping[str, Any] | None, *known: str) -> Mapping[str, Any]:
    """The options of a reset; {} for None.

    Raises:
        TypeError: If they are no dictionary.
        ValueError: If one of them has an unknown name.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dictionary, got {type(options).__name__}")
    unknown = [repr(name) for name in options if name not in known]
    if unknown:
        raise ValueError(f"options: {', '.join(unknown)} is unknown; known: {', '.join(known)}")
    return options


def checked_seed(seed: Any) -> int | None:
    """A seed as Python's number, whatever kind of whole number it is; None stays None.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is below 0.
    """
    if seed is None:
        return None
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed: expected a whole number or None, got {seed!r:.80}") from None
    if number < 0:
        raise ValueError(f"seed: expected at least 0, got {number}")
    return number


def seeds_of_boards(seed: Any, n: int) -> list[int | None]:
    """The seed of each of n boards: ``seed`` + i of a number, else those of a sequence.

    Raises:
        TypeError: If something is neither a whole number nor None.
        ValueError: If a sequence has another length, or a seed is below 0.
    """
    if seed is None:
        return [None] * n
    several = isinstance(seed, Sequence) and not isinstance(seed, str)
    if several or (isinstance(seed, np.ndarray) and seed.ndim):
        if len(seed) != n:
            raise ValueError(f"seed: expected {n} seeds, one for each board, got {len(seed)}")
        return [checked_seed(one) for one in seed]
    first = cast(int, checked_seed(seed))
    return [first + i for i in range(n)]


def checked_mask(mask: Any, n: int) -> NDArray[np.bool_]:
    """Which of n boards ``options["reset_mask"]`` resets, by the rule of Gymnasium.

    Raises:
        TypeError: If it is no array of bool.
        ValueError: If its shape is wrong, or it has no True.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"options['reset_mask']: expected an array of bool, got {found}")
    if mask.shape != (n,):
        raise ValueError(f"options['reset_mask']: expected shape ({n},), got {mask.shape}")
    if not mask.any():
        raise ValueError("options['reset_mask']: expected at least one True")
    return mask


class Board(gymnasium.Env[Observation, np.int64]):
    """One board of a batch as an environment of its own.

    Args:
        batch: Of one board or more.
        row: Which of them.
        render: Makes pictures; None: there are none.
        render_mode: ``"rgb_array"`` or None.
        render_size: Pixels.
        dealt: Whether the simulator deals the briefs, until a seed is given to this board. Else it
            draws them with ``np_random`` from the beginning.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012

    def __init__(
        self,
        batch: WorldBatch,
        row: int = 0,
        render: Render | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
        dealt: bool = False,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode: {render_mode!r} is unknown; use 'rgb_array' or None")
        self.batch = batch
        self.row = row
        self.observation_space = cast(spaces.Space[Observation], batch.observation_space)
        self.action_space = batch.action_space
        self.render_mode = render_mode
        self._size = render_size
        self._render = render
        self._dealt = dealt

    def _observation(self) -> Observation:
        seen = self.batch.simulator.observations
        return {key: value[self.row].copy() for key, value in seen.items()}

    def brief_of(self, options: Mapping[str, Any] | None) -> Brief:
        """The brief (B,) in the options of a reset; (0,) if there is none.

        Raises:
            TypeError: If the options are no dictionary.
            ValueError: If one of them is unknown, or it is no brief.
        """
        brief = checked_options(options, "brief").get("brief")
        if brief is not None and not hasattr(brief, "__len__"):
            raise TypeError(f"options['brief']: expected moves, got {type(brief).__name__}")
        return self.batch.simulator.parse_brief(brief)

    def answered(self, seed: int | None, given: Brief) -> Brief | None:
        """Take a seed, if there is one, and say what the next work answers.

        Returns:
            ``given`` (B,) if it is not empty, else what is drawn; None if that is dealt.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._dealt = False
        if len(given):
            return given
        return None if self._dealt else self.batch.simulator.draw_brief(self.np_random)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a work.

        Args:
            seed: A whole number from 0; with it a world that has many briefs draws one.
            options: ``brief``: moves, or whatever else the world takes for a brief.

        Raises:
            TypeError: If a seed or the options are of another kind.
            ValueError: If an option is unknown, or it is no brief.
        """
        start([self], [checked_seed(seed)], [self.brief_of(options)])
        return self._observation(), {}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one move; the reward and the appraisal (in info) come when the work is finished.

        Raises:
            ValueError: If the action is no move.
            RuntimeError: If the work is finished; call reset first.
        """
        if self.batch.simulator.done[self.row]:
            raise RuntimeError("the work is finished: call reset() before step()")
        rows = np.array([self.row])
        result = self.batch.step(np.asarray([action]), autoreset=False, rows=rows)
        info = {key: float(value[0]) for key, value in result.works.appraisal.items()}
        reward = float(result.rewards[self.row])
        return self._observation(), reward, bool(len(result.finished)), False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which moves are legal, (n_actions,), as MaskablePPO asks for it: always every one."""
        return np.ones(self.batch.simulator.n_actions, np.bool_)

    def render(self) -> NDArray[np.uint8] | None:
        """(size, size, 3) uint8, or None without a render mode."""
        if self.render_mode is None or self._render is None:
            return None
        return self._render(self.batch.simulator, self.row, self._size)


def start(
    boards: Sequence[Board], seeds: Sequence[int | None], briefs: Sequence[Brief] | None = None
) -> None:
    """Start boards of one batch anew.

    Args:
        boards: R boards.
        seeds: Of each; None: it goes on drawing where it was.
        briefs: What each answers; an empty one, or None: what is drawn or dealt.
    """
    simulator = boards[0].batch.simulator
    given = [np.zeros(0, np.int16)] * len(boards) if briefs is None else briefs
    laid = [
        board.answered(seed, brief) for board, seed, brief in zip(boards, seeds, given, strict=True)
    ]
    dealt = iter(simulator.next_briefs(sum(brief is None for brief in laid)))
    rows = np.array([board.row for board in boards])
    simulator.reset(rows, pad_moves([next(dealt) if one is None else one for one in laid]))


class WorldEnv(Board):
    """One board. Concrete worlds subclass it to say what simulator and pictures they use."""

    def __init__(
        self,
        simulator: Simulator,
        appraiser: Appraiser,
        render: Render,
        render_mode: str | None = None,
        render_size: int = 512,
    ) -> None:
        super().__init__(WorldBatch(simulator, appraiser), 0, render, render_mode, render_size)


class WorldVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """N boards in one batch, with same-step autoreset.

    It is what ``SyncVectorEnv`` makes of N single environments, number by number: seeds, briefs,
    observations, rewards and infos. A finished work's last observation and appraisal are in
    ``infos["final_obs"]`` and ``infos["final_info"]``.

    Attributes:
        boards: The N boards, each a ``gymnasium.Env``.
    """

    metadata = Board.metadata | {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        simulator: Simulator,
        appraiser: Appraiser,
        render: Render,
        render_mode: str | None = None,
        render_size: int = 256,
    ) -> None:
        n = simulator.n
        if n < 1:
            raise ValueError(f"num_envs: expected at least 1, got {n}")
        self.batch = WorldBatch(simulator, appraiser)
        self.boards = [Board(self.batch, i, render, render_mode, render_size) for i in range(n)]
        self.num_envs = n
        self.single_observation_space = self.boards[0].observation_space
        self.single_action_space = self.boards[0].action_space
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self.render_mode = render_mode

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("the environment is closed")

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start boards anew.

        Args:
            seed: Board i gets the i-th of N seeds, or ``seed`` + i.
            options: ``brief``: what every board answers, as in the single environment. ``briefs``:
                N of them; None for what the world lays before a board. ``reset_mask``: (N,) bool:
                the boards that are reset; the others, and their seeds, stay as they are.

        Raises:
            TypeError: If a seed, the options or the mask are of another kind.
            ValueError: If an option is unknown, something is no brief, or a length is wrong.
            ClosedEnvironmentError: After :meth:`close`.
        """
        self._check_open()
        n = self.num_envs
        seeds = seeds_of_boards(seed, n)
        options = dict(checked_options(options, "brief", "briefs", "reset_mask"))
        mask = checked_mask(options.pop("reset_mask", np.ones(n, np.bool_)), n)
        given = options.get("briefs", [options.get("brief")] * n)
        if "brief" in options and "briefs" in options:
            raise ValueError("options: expected 'brief' or 'briefs', got both")
        if not isinstance(given, Sequence | np.ndarray) or len(given) != n:
            raise ValueError(f"options['briefs']: expected {n} briefs, one for each board")
        briefs = [self.boards[0].brief_of({"brief": brief}) for brief in given]
        rows = np.flatnonzero(mask)
        start([self.boards[i] for i in rows], [seeds[i] for i in rows], [briefs[i] for i in rows])
        return self.batch.observations(), {}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one move ((N,) int64) on every board.

        Raises:
            ValueError: If an action is no move.
            ResetNeeded: Before the first reset.
            ClosedEnvironmentError: After :meth:`close`.
        """
        self._check_open()
        n = self.num_envs
        if self.batch.simulator.done.any():
            raise ResetNeeded("call reset() before step()")
        result = self.batch.step(actions, autoreset=False)
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
            start([self.boards[i] for i in result.finished], [None] * len(result.finished))
        rewards = result.rewards.astype(np.float64)
        return self.batch.observations(), rewards, terminated, np.zeros(n, np.bool_), infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """N pictures (size, size, 3) uint8, or None without a render mode."""
        if self.render_mode is None:
            return None
        return cast(tuple[NDArray[np.uint8], ...], self.call("render"))

    @property  # type: ignore[misc]  # as in SyncVectorEnv, nobody sets it
    def np_random(self) -> Any:
        """The N generators of the boards."""
        return self.get_attr("np_random")

    @property
    def np_random_seed(self) -> Any:
        """The N seeds of the boards."""
        return self.get_attr("np_random_seed")

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every board; N results. An attribute is given as it is."""
        found = [getattr(board, name) for board in self.boards]
        return tuple(one(*args, **kwargs) if callable(one) else one for one in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of every board."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every board: N values in a list or tuple, or one for all of them.

        Raises:
            ValueError: If the number of values is wrong.
        """
        each = values if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(f"values: expected {self.num_envs}, got {len(each)}")
        for board, value in zip(self.boards, each, strict=True):
            setattr(board, name, value)
