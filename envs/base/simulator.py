"""N boards that works are made on, move by move: the dynamics of a world and nothing else.

A world writes a subclass of :class:`Simulator` with three methods: ``observation_space``,
``observations``, and ``_play``; of :class:`PooledSimulator`, if its briefs come from a pool.
Everything else has an implementation here: which works there are, which of them are finished, what
is refused, and how a batch is saved and restored. It knows nothing of rewards or of Gymnasium.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.works import PAD, Works, check_moves

_NO_END = -2
"""Stands for ``end_move`` where there is none."""


@njit(cache=True, nogil=True)
def _record(
    actions: NDArray[np.int64],
    n_actions: int,
    end_move: int,
    moves: NDArray[np.int16],
    counts: NDArray[np.int64],
    done: NDArray[np.bool_],
    finished: NDArray[np.bool_],
) -> int:
    """Write one move of every board behind its last one, in place.

    Returns:
        -1; or the first board that may not make its move, and then nothing is written.
    """
    longest = moves.shape[1]
    for i in range(actions.shape[0]):
        if actions[i] == PAD:
            continue
        possible = 0 <= actions[i] < n_actions and 0 <= counts[i] < longest
        if done[i] or not possible:
            return i
    for i in range(actions.shape[0]):
        finished[i] = False
        if actions[i] != PAD:
            moves[i, counts[i]] = actions[i]
            counts[i] += 1
            finished[i] = actions[i] == end_move or counts[i] == longest
    return -1


class Simulator(ABC):
    """N boards, each with a work in progress.

    A board is `done` before its first :meth:`reset` and once its work is finished. It then refuses
    every move until it is reset. :data:`PAD` in place of a move leaves a board as it is, so that
    boards which are done can wait for the others.

    What a subclass must have: ``n_actions``, ``max_moves``, :meth:`observation_space`,
    :attr:`observations` and :meth:`_play`. What it may have: ``end_move`` or :meth:`_ends`;
    ``brief_width``, :meth:`_check_briefs`, :meth:`_default_briefs`, :meth:`draw_brief` and
    :meth:`parse_brief` if works answer briefs; :meth:`_begin` if boards hold more than their moves.
    A board must depend on its brief and its moves alone: that is how a batch is restored
    (:meth:`load_state`).

    Args:
        n: Number of boards.

    Attributes:
        n_actions: Moves are 0 to ``n_actions - 1``.
        max_moves: T: a work has at most so many moves.
        end_move: The move that finishes a work; None if there is none.
        brief_width: B: the width of a brief; 0: works answer no briefs; None: any width.
        world: Id of the world.
        n: N, the number of boards.
        moves: (N, T) int16: the moves made, padded with -1.
        counts: (N,) int64: how many moves were made.
        briefs: (N, B) int16: what each board answers, padded with -1.
        done: (N,) bool: which boards take no move until they are reset.
    """

    n_actions: ClassVar[int]
    max_moves: ClassVar[int]
    end_move: ClassVar[int | None] = None
    brief_width: ClassVar[int | None] = 0
    world: ClassVar[str] = ""

    def __init__(self, n: int) -> None:
        if n < 0:
            raise ValueError(f"n: expected a number of boards, got {n}")
        self.n = n
        self.moves = np.full((n, self.max_moves), PAD, np.int16)
        self.counts = np.zeros(n, np.int64)
        self.briefs = np.full((n, self.brief_width or 0), PAD, np.int16)
        self.done = np.ones(n, np.bool_)
        self._brief: NDArray[np.int16] | None = None
        self._finished = np.zeros(n, np.bool_)

    # What a world says.

    @abstractmethod
    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""

    @property
    @abstractmethod
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board, each (N, ...); good until the next step or reset."""

    @abstractmethod
    def _play(self, actions: NDArray[np.int64]) -> None:
        """Change the boards by one move each.

        ``moves`` and ``counts`` hold the moves already; all of them were checked.

        Args:
            actions: (N,) int64, C-contiguous; PAD on boards that stay as they are.
        """

    def _ends(self, actions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which works these moves (N,) finish, (N,) bool, for a reason of the world's own.

        Those that end by ``end_move`` or by their last move need not be among them.
        """
        return np.zeros(self.n, np.bool_)

    def _begin(self, rows: NDArray[np.int64]) -> None:  # noqa: B027  # may stay empty
        """Clear what the boards ``rows`` (R,) hold; ``moves`` and ``briefs`` are those of now."""

    def _check_briefs(self, briefs: NDArray[np.int16]) -> None:
        """Refuse briefs (R, B) that are none.

        Raises:
            ValueError: If something in them is out of range. By default: if it is no move.
        """
        check_moves("briefs", briefs, self.n_actions)

    def _default_briefs(self, n: int) -> NDArray[np.int16]:
        """The next n briefs (n, B) that the world lays before its boards; by default empty ones."""
        return np.full((n, self.brief_width or 0), PAD, np.int16)

    def draw_brief(self, rng: np.random.Generator) -> NDArray[np.int16]:
        """A brief (B,) drawn at random, for a board that has a seed of its own.

        By default the next of the default briefs, whatever the seed.
        """
        brief: NDArray[np.int16] = self._default_briefs(1)[0]
        return brief

    @classmethod
    def parse_brief(cls, brief: Any) -> NDArray[np.int16]:
        """A brief (B,) int16 of what a user gives for one; (0,) for None.

        Raises:
            ValueError: If it is none.
        """
        if brief is None or len(brief) == 0:
            return np.zeros(0, np.int16)
        given = np.asarray(brief)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise ValueError(f"brief: expected whole numbers, got {given.dtype} {given.shape}")
        check_moves("brief", given[None], cls.n_actions)
        moves: NDArray[np.int16] = given[given != PAD].astype(np.int16)
        return moves

    # What everybody calls.

    def set_brief(self, brief: NDArray[np.int16] | None) -> None:
        """Give every board that is reset from now on this brief (B,); None: the world's default.

        Raises:
            ValueError: If it is no brief.
        """
        self._brief = None
        if brief is not None and len(brief):
            self._brief = self._checked_briefs(np.asarray(brief)[None], 1)[0]

    def next_briefs(self, n: int) -> NDArray[np.int16]:
        """The briefs (n, B) of the next n boards that are reset without one."""
        return self._default_briefs(n) if self._brief is None else np.tile(self._brief, (n, 1))

    def reset(self, rows: NDArray[np.int64], briefs: NDArray[np.int16] | None = None) -> None:
        """Start the boards ``rows`` (R,) anew.

        Args:
            rows: Indices of boards.
            briefs: (R, B) int16, padded with -1; (R, 0): empty ones. None: :meth:`next_briefs`.

        Raises:
            ValueError: If there is no such board, or something is no brief.
        """
        rows = np.asarray(rows, np.int64)
        if not len(rows):
            return
        if rows.min() < 0 or rows.max() >= self.n:
            raise ValueError(f"rows: boards are 0 to {self.n - 1}, got {rows.min()}..{rows.max()}")
        given = self.next_briefs(len(rows)) if briefs is None else np.asarray(briefs)
        briefs = self._checked_briefs(given, len(rows))
        wider = briefs.shape[1] - self.briefs.shape[1]
        if wider > 0:
            self.briefs = np.pad(self.briefs, ((0, 0), (0, wider)), constant_values=PAD)
        self.briefs[rows] = PAD
        self.briefs[rows, : briefs.shape[1]] = briefs
        self.moves[rows] = PAD
        self.counts[rows] = 0
        self.done[rows] = False
        self._begin(rows)

    def step(self, actions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Play one move on every board.

        Args:
            actions: (N,) whole numbers from 0 to ``n_actions - 1``; PAD (-1): the board waits.

        Returns:
            (N,) bool: which works were finished by this move. The array is used again by the next
            step.

        Raises:
            ValueError: If the shape is wrong, an action is no move, or its board is done. Then no
                board has changed.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.n,):
            raise ValueError(f"actions: expected shape ({self.n},), got {actions.shape}")
        if actions.dtype.kind not in "iu":
            raise ValueError(f"actions: expected whole numbers, got {actions.dtype}")
        actions = np.ascontiguousarray(actions, np.int64)
        end = _NO_END if self.end_move is None else self.end_move
        wrong = _record(
            actions, self.n_actions, end, self.moves, self.counts, self.done, self._finished
        )
        if wrong >= 0:
            self._refuse(wrong, int(actions[wrong]))
        self._play(actions)
        self._finished |= self._ends(actions)
        self.done |= self._finished
        return self._finished

    def _refuse(self, i: int, action: int) -> None:
        if not 0 <= action < self.n_actions:
            last = self.n_actions - 1
            raise ValueError(f"actions: {action} is no move (board {i}); moves are 0 to {last}")
        raise ValueError(
            f"actions: board {i} is done and takes no move ({action}) until it is reset; {PAD} "
            "lets it wait"
        )

    def works(self, rows: NDArray[np.int64]) -> Works:
        """The works on the boards ``rows`` (R,), finished or not."""
        return Works(self.world, self.moves[rows], self.briefs[rows], n_actions=int(self.n_actions))

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes.

        What observations are made of is in it: the brief and the moves of every board. A subclass
        adds whatever else it has, for instance how far its default briefs are dealt.
        """
        brief = np.zeros(0, np.int16) if self._brief is None else self._brief
        state = {"moves": self.moves, "briefs": self.briefs, "done": self.done, "brief": brief}
        return {key: value.copy() for key, value in state.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where :meth:`state` was taken: the moves are played again.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the state is of other boards, or cannot be.
        """
        moves, briefs, done = state["moves"], state["briefs"], state["done"]
        for key, found, shape in (
            ("moves", moves, self.moves.shape), ("done", done, (self.n,)),
            ("briefs", briefs, (self.n, *briefs.shape[1:2])),
        ):  # fmt: skip
            if found.dtype != getattr(self, key).dtype or found.shape != shape:
                raise ValueError(
                    f"{key}: expected {getattr(self, key).dtype} {shape}, got {found.dtype} "
                    f"{found.shape}"
                )
        self.set_brief(state["brief"])
        self.reset(np.arange(self.n), briefs)
        for column in moves.T:
            if (column != PAD).any():
                self.step(column.astype(np.int64))
        if not np.array_equal(self.moves, moves):
            raise ValueError("moves: a move stands after the last one")
        self.done |= done

    def _checked_briefs(self, briefs: NDArray[Any], n: int) -> NDArray[np.int16]:
        """Briefs (n, B) that were checked."""
        width = self.brief_width
        if briefs.ndim == 2 and briefs.shape[1] == 0 and width:
            briefs = np.full((len(briefs), width), PAD, np.int16)
        if briefs.ndim != 2 or len(briefs) != n or width not in (None, briefs.shape[1]):
            wanted = "B" if width is None else width
            raise ValueError(f"briefs: expected shape ({n}, {wanted}), got {briefs.shape}")
        if briefs.dtype.kind not in "iu":
            raise ValueError(f"briefs: expected whole numbers, got {briefs.dtype}")
        if briefs.size:
            self._check_briefs(briefs)
        return np.array(briefs, np.int16, order="C")  # a copy: these may be the boards' own


class PooledSimulator(Simulator):
    """A simulator that deals the briefs of a pool.

    Args:
        n: Number of boards.
        pool: (M, B) int16: briefs to draw from, each once before any comes again, in an order that
            begins anew with every :meth:`set_brief`. None: :meth:`default_pool`.
        seed: Of that order.
        group: How often a brief is dealt before the next: several answers to one brief can be
            compared with each other.
    """

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        super().__init__(n)
        self._pool, self._group = pool, group
        self._seed, self._drawn = seed, 0

    @abstractmethod
    def default_pool(self) -> NDArray[np.int16]:
        """Briefs (M, B) int16 where no others were given."""

    def pool(self) -> NDArray[np.int16]:
        """The briefs to draw from, (M, B)."""
        return self.default_pool() if self._pool is None else self._pool

    def set_brief(self, brief: NDArray[np.int16] | None) -> None:
        """Give every board reset from now on this brief (B,); None: the pool's, from its first."""
        super().set_brief(brief)
        self._drawn = 0

    def _default_briefs(self, n: int) -> NDArray[np.int16]:
        """The next n briefs (n, B) of the pool."""
        pool = self.pool()
        at = np.arange(self._drawn, self._drawn + n) // self._group
        deals, places = at // len(pool), at % len(pool)
        rows = np.zeros(n, np.int64)
        for deal in np.unique(deals):
            order = np.random.default_rng((self._seed, int(deal))).permutation(len(pool))
            rows[deals == deal] = order[places[deals == deal]]
        self._drawn += n
        return pool[rows]

    def draw_brief(self, rng: np.random.Generator) -> NDArray[np.int16]:
        """A brief (B,) of the pool, each as probable as the others."""
        pool = self.pool()
        brief: NDArray[np.int16] = pool[rng.integers(len(pool))]
        return brief

    def state(self) -> dict[str, NDArray[Any]]:
        """As in the base class, and how far the pool is dealt."""
        return super().state() | {"dealt": np.array([self._seed, self._drawn], np.int64)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where :meth:`state` was taken."""
        super().load_state(state)
        self._seed, self._drawn = (int(value) for value in state["dealt"])
