"""Make drawings with more than 48 moves simpler until they fit, as long as they stay themselves.

Every line becomes the polyline with the fewest points that stays within a tolerance of it, and a
stroke that lies along others goes. The tolerance grows as far as it has to, up to ``FURTHEST``:
nothing that was drawn is then further than that from what remains. A drawing that does not fit
even so is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from move37.envs.drawing.corpus.lines import Strokes, SvgError
from move37.envs.drawing.corpus.trace import corners_of
from move37.envs.drawing.moves import MAX_MOVES, moves_of

FURTHEST = 1.5
"""Furthest that anything drawn may lie from what remains of it, in points of the board."""
ALONG = 1.0
"""Furthest that a stroke may lie from others to be left out: they touch it all along."""
TOLERANCES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, FURTHEST)
MOST_POINTS = 1000
"""Drawings with more points than this are not tried: time grows with their cube."""
_FEWEST = 1e6


def fitting_moves(strokes: Strokes) -> NDArray[np.int16]:
    """The moves of strokes, simplified if they are more than 48.

    Args:
        strokes: Each (P, 2) int64 of x, y in 0..23.

    Returns:
        (T,) int16 with T <= 48, END included.

    Raises:
        SvgError: If they do not fit in 48 moves, however simplified.
    """
    moves = moves_of(strokes)
    if len(moves) <= MAX_MOVES:
        return moves
    if sum(map(len, strokes)) <= MOST_POINTS:
        at = bisect_left(
            TOLERANCES, True, key=lambda t: _cost(_simplified(strokes, t)) <= MAX_MOVES
        )
        if at < len(TOLERANCES):
            return moves_of(_simplified(strokes, TOLERANCES[at]))
    raise SvgError(
        f"{len(moves)} moves, at most {MAX_MOVES} fit, and {FURTHEST} points off are not enough"
    )


def _cost(strokes: Sequence[NDArray[np.int64]]) -> int:
    """Moves: the points of each stroke, and the LIFT or END behind it."""
    return sum(len(stroke) + 1 for stroke in strokes)


def _simplified(strokes: Strokes, tolerance: float) -> Strokes:
    kept = {i: s[corners_of(s, tolerance + 1e-9, _FEWEST)] for i, s in enumerate(strokes)}
    # The shortest first: they are what is least missed.
    for i in sorted(kept, key=lambda i: (_length(strokes[i]), i)):
        if _cost(list(kept.values())) <= MAX_MOVES:
            break
        others = [stroke for j, stroke in kept.items() if j != i]
        if others and _distance(strokes[i], others) <= min(tolerance, ALONG):
            del kept[i]
    return list(kept.values())


def _length(stroke: NDArray[np.int64]) -> float:
    return float(np.hypot(*np.diff(stroke, axis=0).T).sum())


def _distance(stroke: NDArray[np.int64], others: Strokes) -> float:
    """The largest distance of a point along a stroke from the nearest of other strokes."""
    steps = np.linspace(0, 1, 9)[:, None]
    points = np.concatenate([a + (b - a) * steps for a, b in pairwise(stroke)])
    starts = np.concatenate([other[:-1] for other in others])
    chords = np.concatenate([np.diff(other, axis=0) for other in others])
    squares = np.maximum((chords**2).sum(axis=1), 1)
    apart = points[:, None] - starts
    along = np.clip((apart * chords).sum(axis=2) / squares, 0, 1)[:, :, None]
    return float(np.linalg.norm(apart - along * chords, axis=2).min(axis=1).max())
