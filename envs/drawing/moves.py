"""The language of the drawing world: a move is a point of the board, LIFT, or END.

The board has 24 x 24 points as Go has 19 x 19; point ``y * 24 + x`` with (0, 0) top left. The pen
starts lifted. A point sets a lifted pen down there; with the pen down it draws a straight segment
from where the pen is (to the same point: a dot). LIFT lifts the pen, END finishes the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works

SIZE = 24
POINTS = SIZE * SIZE
LIFT = POINTS
END = POINTS + 1
N_MOVES = POINTS + 2
COORDINATES = np.array([(p % SIZE, p // SIZE) for p in range(POINTS)] + [(-1, -1)] * 2)
"""(578, 2) int64: x and y of each move, -1 for those that are no point."""
MAX_MOVES = 48


def strokes_of(moves: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Split one work's moves into strokes, each (P, 2) int64 of (x, y); P = 1 leaves no ink."""
    strokes: list[list[tuple[int, int]]] = []
    down = False
    for move in moves.tolist():
        if move < 0 or move == END:
            break
        if move == LIFT:
            down = False
            continue
        if not down:
            strokes.append([])
            down = True
        strokes[-1].append((move % SIZE, move // SIZE))
    return [np.array(stroke, np.int64) for stroke in strokes]


def moves_of(strokes: Sequence[NDArray[np.integer]]) -> NDArray[np.int16]:
    """Encode strokes ((P, 2) of x, y in 0..23) as moves: points, LIFT between strokes, END last."""
    moves: list[int] = []
    for stroke in strokes:
        if moves:
            moves.append(LIFT)
        moves.extend((stroke[:, 1] * SIZE + stroke[:, 0]).tolist())
    return np.array([*moves, END], np.int16)


def parts_of(works: Works) -> list[NDArray[np.int16]]:
    """The strokes of all works, each as moves."""
    return [moves_of([stroke])[:-1] for row in works.moves for stroke in strokes_of(row)]


def assemble(parts: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
    """The moves of the work that consists of these strokes."""
    return moves_of([np.stack([part % SIZE, part // SIZE], 1) for part in parts])
