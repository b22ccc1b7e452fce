"""Variations of drawings: mirrored ones to learn from, damaged ones to learn against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, POINTS, SIZE, moves_of, strokes_of


def vary(
    moves: NDArray[np.int16], rng: np.random.Generator, share: float = 0.5
) -> NDArray[np.int16]:
    """Mirror, turn and shift a share of the works, keeping every stroke and its order.

    Args:
        moves: (N, T) int16, padded with -1.
        rng: The only source of chance.
        share: Share of the works that is varied; the others stay as they are.

    Returns:
        (N, T) int16.
    """
    out = moves.copy()
    points = (moves >= 0) & (moves < POINTS)
    x, y = np.where(points, moves % SIZE, 0), np.where(points, moves // SIZE, 0)
    n = len(moves)
    varied = rng.random(n) < share
    flip_x = varied & (rng.random(n) < 0.5)
    flip_y = varied & (rng.random(n) < 0.15)
    turn = varied & (rng.random(n) < 0.15)
    x = np.where(flip_x[:, None], SIZE - x, x)
    y = np.where(flip_y[:, None], SIZE - y, y)
    x, y = np.where(turn[:, None], y, x), np.where(turn[:, None], x, y)
    # Icons are drawn about the point (12, 12), so that a mirrored 0 would be 24: shift it inside.
    for axis in (x, y):
        low = np.where(points, axis, SIZE).min(axis=1)
        high = np.where(points, axis, -1).max(axis=1)
        shift = np.where(varied, rng.integers(-1, 2, n), 0)
        shift = np.clip(shift, -low, np.maximum(SIZE - 1 - high, -low))
        axis += shift[:, None]
    inside = ((x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)) | ~points
    fits = varied & inside.all(axis=1)
    turned = np.where(points, y * SIZE + x, moves).astype(np.int16)
    out[fits] = turned[fits]
    return out


def damage(moves: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Damage works so that no single point tells, but the craft is gone: wrong joints and spacing.

    Each work suffers one of: points moved by up to 3, strokes moved by up to 4, some points put
    anywhere, points left out, strokes stretched.

    Args:
        moves: (N, T) int16, padded with -1.
        rng: The only source of chance.

    Returns:
        (N, 48) int16.
    """
    out = np.full((len(moves), MAX_MOVES), PAD, np.int16)
    for i, row in enumerate(moves):
        strokes = [s.astype(np.float64) for s in strokes_of(row)]
        kind = int(rng.integers(5))
        strength = rng.uniform(0.2, 0.8)
        for j, stroke in enumerate(strokes):
            hit = rng.random(len(stroke)) < strength
            if kind == 0:
                stroke += hit[:, None] * rng.integers(-3, 4, stroke.shape)
            elif kind == 1:
                stroke += rng.integers(-4, 5, 2)
            elif kind == 2:
                some = hit & (rng.random(len(stroke)) < 0.4)
                stroke[some] = rng.integers(0, SIZE, (int(some.sum()), 2))
            elif kind == 3 and len(stroke) > 2:
                keep = ~hit | (np.arange(len(stroke)) == 0)
                strokes[j] = stroke[keep] if keep.sum() > 1 else stroke[:2]
            else:
                centre = stroke.mean(axis=0)
                strokes[j] = centre + (stroke - centre) * rng.uniform(0.4, 1.7, 2)
        board = [np.clip(np.round(s), 0, SIZE - 1).astype(np.int64) for s in strokes]
        coded = moves_of(board)[:MAX_MOVES]
        out[i, : len(coded)] = coded
    return out


def random_works(
    n: int, lengths: NDArray[np.int64], rng: np.random.Generator, lift: float = 0.15
) -> NDArray[np.int16]:
    """Random moves: points anywhere, LIFT with probability ``lift``, lengths as given.

    Args:
        n: Works to make.
        lengths: Lengths to draw from, (M,) int64, END included.
        rng: The only source of chance.
        lift: Probability of LIFT at each move.

    Returns:
        (n, 48) int16.
    """
    out = rng.integers(0, POINTS, (n, MAX_MOVES)).astype(np.int16)
    out[rng.random((n, MAX_MOVES)) < lift] = LIFT
    ends = rng.choice(lengths, n) - 1
    columns = np.arange(MAX_MOVES)
    out[columns[None] == ends[:, None]] = END
    out[columns[None] > ends[:, None]] = PAD
    return out
