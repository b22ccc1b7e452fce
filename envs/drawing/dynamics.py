"""The dynamics of the drawing world, once, batched and compiled; every environment is a view of it.

State is a struct of arrays with one leading axis of N boards. The compiled functions know nothing
of rewards or of Gymnasium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works, check_moves, whole_numbers
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, N_MOVES, POINTS, SIZE

N_RECENT = 6
NO_MOVE = N_MOVES
"""Stands in ``recent`` where there is no earlier move."""
NO_POINT = POINTS
"""Stands in ``pen`` where the pen is lifted."""
GIVEN = 2
"""Value in ``ink`` of a point that the brief drew (1: drawn by the agent)."""


@njit(cache=True, nogil=True)
def draw_segment(ink: NDArray[np.uint8], a: int, b: int, value: int) -> None:
    """Draw the cells of the straight segment between points a and b into ink (576,).

    The same cells come out in either direction. Given ink (value 2) is never overwritten.
    """
    if a > b:
        a, b = b, a
    x, y = a % SIZE, a // SIZE
    dx, dy = b % SIZE - x, b // SIZE - y
    n = max(abs(dx), abs(dy))
    if n == 0:
        if ink[a] < value:
            ink[a] = value
        return
    for i in range(n + 1):
        # Round half up in integers: exact, and free of floating point.
        px = x + (2 * i * dx + n) // (2 * n)
        py = y + (2 * i * dy + n) // (2 * n)
        p = py * SIZE + px
        if ink[p] < value:
            ink[p] = value


@njit(cache=True, nogil=True)
def step_boards(
    actions: NDArray[np.int64],
    ink: NDArray[np.uint8],
    recent: NDArray[np.int16],
    pen: NDArray[np.int16],
    counts: NDArray[np.int64],
) -> None:
    """Play one move on every board, in place. Shapes as in :class:`DrawingSimulator`."""
    for i in range(actions.shape[0]):
        a = actions[i]
        if a == PAD:
            continue
        for j in range(N_RECENT - 1, 0, -1):
            recent[i, j] = recent[i, j - 1]
        recent[i, 0] = a
        if a == LIFT:
            pen[i, 0] = 0
            pen[i, 1] = NO_POINT
            pen[i, 2] = NO_POINT
        elif a < POINTS:
            if pen[i, 0] == 1:
                draw_segment(ink[i], pen[i, 1], a, 1)
            else:
                pen[i, 0] = 1
                pen[i, 2] = a
            pen[i, 1] = a
        pen[i, 3] = MAX_MOVES - counts[i]


@njit(cache=True, nogil=True)
def ink_of(moves: NDArray[np.int16], ink: NDArray[np.uint8], value: int) -> None:
    """Draw whole works: moves (N, T) into ink (N, 576), in place."""
    for i in range(moves.shape[0]):
        down, at = False, 0
        for t in range(moves.shape[1]):
            a = moves[i, t]
            if a < 0 or a == END:
                break
            if a == LIFT:
                down = False
                continue
            if down:
                draw_segment(ink[i], at, a, value)
            down, at = True, a


def images_of(
    moves: NDArray[np.int16], briefs: NDArray[np.int16] | None = None
) -> NDArray[np.uint8]:
    """Images (N, 24, 24) uint8 in {0, 1} of works given as moves (N, T), briefs (N, B) included.

    Raises:
        ValueError: If there is anything else than moves in them.
    """
    check_moves("moves", moves, N_MOVES)
    ink = np.zeros((len(moves), POINTS), np.uint8)
    ink_of(np.ascontiguousarray(moves, np.int16), ink, 1)
    if briefs is not None and briefs.shape[1]:
        check_moves("briefs", briefs, N_MOVES)
        ink_of(np.ascontiguousarray(briefs, np.int16), ink, 1)
    return ink.reshape(-1, SIZE, SIZE)


def pictures_of(works: Works) -> NDArray[np.uint8]:
    """Images (N, 24, 24) uint8 in {0, 1} of works, briefs included.

    Raises:
        ValueError: If works are no drawings.
    """
    if works.images is None:
        return images_of(works.moves, works.briefs)
    if works.images.shape[1:] != (SIZE, SIZE):
        raise ValueError(f"images: expected {SIZE} x {SIZE} points, got {works.images.shape[1:]}")
    return works.images


class DrawingSimulator(Simulator):
    """N boards to draw on.

    Attributes:
        observations: ``ink`` (N, 576) uint8: 0 empty, 1 drawn, 2 given by the brief. ``recent``
            (N, 6) int16: the last six moves, newest first, 578 for none. ``pen`` (N, 4) int16:
            down (0 or 1), where it is, where its stroke began (576 while lifted), moves left.
        moves: (N, 48) int16, padded with -1.
        briefs: (N, B) int16, padded with -1: the moves each board started from.
    """

    n_actions = N_MOVES
    max_moves = MAX_MOVES
    end_move = END
    brief_width: ClassVar[int | None] = None
    world = "drawing"

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self._observed: dict[str, NDArray[Any]] = {
            "ink": np.zeros((n, POINTS), np.uint8),
            "recent": np.full((n, N_RECENT), NO_MOVE, np.int16),
            "pen": np.zeros((n, 4), np.int16),
        }
        self._begin(np.arange(n))

    @property
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board: see the class."""
        return self._observed

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        pen_high = np.array([1, NO_POINT, NO_POINT, MAX_MOVES], np.int16)
        return spaces.Dict(
            {
                "ink": spaces.Box(0, GIVEN, (POINTS,), np.uint8),
                "recent": spaces.Box(0, NO_MOVE, (N_RECENT,), np.int16),
                "pen": spaces.Box(np.zeros(4, np.int16), pen_high, (4,), np.int16),
            }
        )

    def _begin(self, rows: NDArray[np.int64]) -> None:
        start = np.zeros((len(rows), POINTS), np.uint8)
        ink_of(self.briefs[rows], start, GIVEN)
        self._observed["ink"][rows] = start
        self._observed["recent"][rows] = NO_MOVE
        self._observed["pen"][rows] = np.array([0, NO_POINT, NO_POINT, MAX_MOVES], np.int16)

    def _play(self, actions: NDArray[np.int64]) -> None:
        obs = self._observed
        step_boards(actions, obs["ink"], obs["recent"], obs["pen"], self.counts)

    @classmethod
    def parse_brief(cls, brief: Any) -> NDArray[np.int16]:
        """A brief as moves; see :func:`parse_brief`."""
        return parse_brief(brief)


def parse_brief(brief: Any) -> NDArray[np.int16]:
    """Turn a brief into moves: an array of moves, or a list of strokes ((P, 2) of x, y).

    Raises:
        ValueError: If a move or a point lies outside the board, or is no whole number.
    """
    if brief is None or len(brief) == 0:
        return np.zeros(0, np.int16)
    if isinstance(brief, Mapping) or np.ndim(brief[0]) == 0:
        moves = whole_numbers("brief", brief)
        moves = moves[(moves != END) & (moves != PAD)]
        if ((moves < 0) | (moves >= N_MOVES)).any():
            raise ValueError(f"brief: moves must be points 0 to {POINTS - 1} or LIFT ({LIFT})")
        return np.asarray(moves, np.int16)
    parts: list[int] = []
    for i, stroke in enumerate(brief):
        points = whole_numbers("brief", stroke)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"brief: stroke {i} has shape {points.shape}, expected (P, 2)")
        if ((points < 0) | (points >= SIZE)).any():
            raise ValueError(f"brief: stroke {i} leaves the {SIZE} x {SIZE} board")
        parts += ([LIFT] if parts else []) + (points[:, 1] * SIZE + points[:, 0]).tolist()
    return np.array(parts, np.int16)
