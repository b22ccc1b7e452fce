"""Mutations of drawings for evolution: changes of a point, of a stroke, or of what they share.

Joints are kept where that is what the change means: a point that several strokes share moves in all
of them, so that a closed line stays closed. Compiled; a work at a time, rows independent of each
other but for the strokes that they take from one another.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, POINTS, SIZE

WEIGHTS = np.array([5, 1, 2, 3, 3, 2, 2, 3, 3, 2, 6, 2, 1, 3], np.float64)
"""How often each kind of mutation is drawn, relative to each other; see :func:`_apply`."""
TRIES = 8
"""A work that a mutation leaves as it was, or makes too long, gets so many more attempts."""
MORE = 0.4
"""Probability of one more mutation after each; most children differ in one thing."""
_ROOM = 3 * MAX_MOVES
"""Points that a work may have while it is being changed."""


@njit(cache=True, nogil=True)
def _decode(
    row: NDArray[np.int16], px: NDArray[np.int64], py: NDArray[np.int64], ends: NDArray[np.int64]
) -> int:
    """Strokes of two points or more: their points into px, py, the end of each into ends."""
    strokes, begin, at = 0, 0, 0
    for t in range(len(row) + 1):
        move = row[t] if t < len(row) else PAD
        if 0 <= move < POINTS:
            px[at], py[at] = move % SIZE, move // SIZE
            at += 1
            continue
        if at - begin >= 2:
            ends[strokes] = at
            strokes += 1
            begin = at
        else:
            at = begin
        if move < 0 or move == END:
            break
    return strokes


@njit(cache=True, nogil=True)
def _encode(
    px: NDArray[np.int64],
    py: NDArray[np.int64],
    ends: NDArray[np.int64],
    strokes: int,
    out: NDArray[np.int16],
) -> bool:
    """Write strokes as moves; False if there are none or they do not fit."""
    out[:] = PAD
    at, begin = 0, 0
    for s in range(strokes):
        kept = 0
        for i in range(begin, ends[s]):
            # A point twice in a row adds a move and no ink, unless it is the whole stroke: a dot.
            if i > begin and px[i] == px[i - 1] and py[i] == py[i - 1]:
                if not (i == ends[s] - 1 and kept == 1):
                    continue
            elif i == begin and at > 0:
                if at >= MAX_MOVES:
                    return False
                out[at] = LIFT
                at += 1
            if at >= MAX_MOVES:
                return False
            out[at] = py[i] * SIZE + px[i]
            at += 1
            kept += 1
        begin = ends[s]
    if at == 0 or at >= MAX_MOVES:
        return False
    out[at] = END
    return True


@njit(cache=True, nogil=True)
def _remove(
    px: NDArray[np.int64], py: NDArray[np.int64], ends: NDArray[np.int64], strokes: int,
    first: int, last: int, s: int,
) -> int:  # fmt: skip
    """Take the points first..last - 1 out of stroke s (all of them: the stroke itself)."""
    total, gone = ends[strokes - 1], last - first
    for i in range(last, total):
        px[i - gone], py[i - gone] = px[i], py[i]
    for k in range(s, strokes):
        ends[k] -= gone
    if ends[s] == (ends[s - 1] if s else 0):
        for k in range(s, strokes - 1):
            ends[k] = ends[k + 1]
        return strokes - 1
    return strokes


@njit(cache=True, nogil=True)
def _insert(
    px: NDArray[np.int64], py: NDArray[np.int64], ends: NDArray[np.int64], strokes: int,
    at: int, s: int, x: int, y: int,
) -> bool:  # fmt: skip
    """Put a point into stroke s at position ``at``; False if there is no room."""
    total = ends[strokes - 1]
    if total >= _ROOM:
        return False
    for i in range(total, at, -1):
        px[i], py[i] = px[i - 1], py[i - 1]
    px[at], py[at] = x, y
    for k in range(s, strokes):
        ends[k] += 1
    return True


@njit(cache=True, nogil=True)
def _place(
    px: NDArray[np.int64], py: NDArray[np.int64], begin: int, end: int, dx: int, dy: int,
) -> None:  # fmt: skip
    """Shift points begin..end - 1, no farther than the board allows."""
    x0, x1, y0, y1 = SIZE, -1, SIZE, -1
    for i in range(begin, end):
        x0, x1, y0, y1 = min(x0, px[i]), max(x1, px[i]), min(y0, py[i]), max(y1, py[i])
    dx, dy = max(-x0, min(dx, SIZE - 1 - x1)), max(-y0, min(dy, SIZE - 1 - y1))
    for i in range(begin, end):
        px[i] += dx
        py[i] += dy


@njit(cache=True, nogil=True)
def _mirror(
    px: NDArray[np.int64], py: NDArray[np.int64], begin: int, end: int, kind: int,
) -> None:  # fmt: skip
    """Mirror points within their own box: 0 left-right, 1 top-bottom, 2 turn x and y over."""
    x0, x1, y0, y1 = SIZE, -1, SIZE, -1
    for i in range(begin, end):
        x0, x1, y0, y1 = min(x0, px[i]), max(x1, px[i]), min(y0, py[i]), max(y1, py[i])
    for i in range(begin, end):
        if kind == 0:
            px[i] = x0 + x1 - px[i]
        elif kind == 1:
            py[i] = y0 + y1 - py[i]
        else:
            x, y = px[i], py[i]
            px[i], py[i] = min(SIZE - 1, x0 + y - y0), min(SIZE - 1, y0 + x - x0)


@njit(cache=True, nogil=True)
def _append(
    px: NDArray[np.int64], py: NDArray[np.int64], ends: NDArray[np.int64], strokes: int,
    qx: NDArray[np.int64], qy: NDArray[np.int64], begin: int, end: int,
) -> bool:  # fmt: skip
    """Add the points begin..end - 1 of q as a new last stroke; False if there is no room."""
    total = ends[strokes - 1] if strokes else 0
    if total + end - begin > _ROOM or strokes >= len(ends):
        return False
    for i in range(begin, end):
        px[total + i - begin], py[total + i - begin] = qx[i], qy[i]
    ends[strokes] = total + end - begin
    return True


@njit(cache=True, nogil=True)
def _step(rng: np.random.Generator) -> int:
    """A small step that is not 0: 1, 2 or 3 either way, the smaller the likelier."""
    size = 1
    while size < 3 and rng.random() < 0.5:
        size += 1
    return size if rng.random() < 0.5 else -size


@njit(cache=True, nogil=True)
def _apply(
    kind: int, px: NDArray[np.int64], py: NDArray[np.int64], ends: NDArray[np.int64],
    strokes: int, qx: NDArray[np.int64], qy: NDArray[np.int64], qends: NDArray[np.int64],
    donated: int, rng: np.random.Generator,
) -> int:  # fmt: skip
    """Do one mutation of a work p with a donor q at hand; returns the number of strokes.

    Kinds: 0 move a point and whatever meets it there, 1 replace a point by any other, 2 insert a
    point, 3 delete a point, 4 shift a stroke, 5 mirror a stroke, 6 repeat a stroke mirrored or
    shifted, 7 add a stroke of the donor, 8 put one in the place of a stroke, 9 delete a stroke,
    10 bring an open end to the nearest other point, 11 close a stroke, 12 stretch a stroke,
    13 shift a stroke's edge: all its points on one line.
    """
    s = int(rng.integers(0, strokes))
    begin, end = (ends[s - 1] if s else 0), ends[s]
    i = int(rng.integers(begin, end))
    total = ends[strokes - 1]
    if kind == 0:
        x, y = px[i], py[i]
        dx = _step(rng) if rng.random() < 0.6 else 0
        dy = _step(rng) if dx == 0 or rng.random() < 0.2 else 0
        for j in range(total):
            if px[j] == x and py[j] == y:
                px[j] = max(0, min(SIZE - 1, x + dx))
                py[j] = max(0, min(SIZE - 1, y + dy))
    elif kind == 1:
        px[i], py[i] = int(rng.integers(0, SIZE)), int(rng.integers(0, SIZE))
    elif kind == 2:
        if i == end - 1 and rng.random() < 0.5:
            x, y = px[i], py[i]
        else:
            i = min(i, end - 2)
            x, y = (px[i] + px[i + 1]) // 2, (py[i] + py[i + 1]) // 2
        if rng.random() < 0.5:
            x += _step(rng) * int(rng.integers(1, 3))
        else:
            y += _step(rng) * int(rng.integers(1, 3))
        x, y = max(0, min(SIZE - 1, x)), max(0, min(SIZE - 1, y))
        _insert(px, py, ends, strokes, i + 1, s, x, y)
    elif kind == 3:
        if end - begin > 2:
            strokes = _remove(px, py, ends, strokes, i, i + 1, s)
    elif kind == 4:
        far = 1 if rng.random() < 0.5 else 4
        dx = far * _step(rng) if rng.random() < 0.7 else 0
        dy = far * _step(rng) if dx == 0 or rng.random() < 0.4 else 0
        _place(px, py, begin, end, dx, dy)
    elif kind == 5:
        _mirror(px, py, begin, end, int(rng.integers(0, 3)))
    elif kind == 6:
        if _append(px, py, ends, strokes, px, py, begin, end):
            strokes += 1
            if rng.random() < 0.5:
                # About the middle of the whole work, so that it becomes more symmetric.
                low, high = SIZE, -1
                across = rng.random() < 0.6
                for j in range(total):
                    low = min(low, px[j] if across else py[j])
                    high = max(high, px[j] if across else py[j])
                for j in range(total, ends[strokes - 1]):
                    if across:
                        px[j] = low + high - px[j]
                    else:
                        py[j] = low + high - py[j]
            else:
                dx = 2 * _step(rng) if rng.random() < 0.5 else 0
                dy = 2 * _step(rng) if dx == 0 else 0
                _place(px, py, total, ends[strokes - 1], dx, dy)
    elif kind == 7 or kind == 8:
        if donated:
            if kind == 8 and strokes > 1:
                strokes = _remove(px, py, ends, strokes, begin, end, s)
            d = int(rng.integers(0, donated))
            first = qends[d - 1] if d else 0
            total = ends[strokes - 1]
            if _append(px, py, ends, strokes, qx, qy, first, qends[d]):
                strokes += 1
                if rng.random() < 0.5:
                    _mirror(px, py, total, ends[strokes - 1], int(rng.integers(0, 3)))
                if rng.random() < 0.5:
                    _place(px, py, total, ends[strokes - 1], 2 * _step(rng), 2 * _step(rng))
    elif kind == 9:
        if strokes > 1:
            strokes = _remove(px, py, ends, strokes, begin, end, s)
    elif kind == 10:
        i = begin if rng.random() < 0.5 else end - 1
        near, best = -1, SIZE * SIZE
        for j in range(total):
            gap = (px[j] - px[i]) ** 2 + (py[j] - py[i]) ** 2
            if 0 < gap < best and (j < begin or j >= end or end - begin > 3):
                near, best = j, gap
        if near >= 0:
            px[i], py[i] = px[near], py[near]
    elif kind == 11:
        if end - begin > 2:
            _insert(px, py, ends, strokes, end, s, px[begin], py[begin])
    elif kind == 12:
        x, y, across = px[begin], py[begin], rng.random() < 0.5
        factor = 0.6 + 0.8 * rng.random()
        for j in range(begin, end):
            if across:
                px[j] = max(0, min(SIZE - 1, int(np.rint(x + (px[j] - x) * factor))))
            else:
                py[j] = max(0, min(SIZE - 1, int(np.rint(y + (py[j] - y) * factor))))
    else:
        across, by = rng.random() < 0.5, _step(rng)
        line = px[i] if across else py[i]
        for j in range(total):
            if across and px[j] == line:
                px[j] = max(0, min(SIZE - 1, line + by))
            elif not across and py[j] == line:
                py[j] = max(0, min(SIZE - 1, line + by))
    return strokes


@njit(cache=True, nogil=True)
def _mutate(
    moves: NDArray[np.int16], donors: NDArray[np.int16], shares: NDArray[np.float64],
    rng: np.random.Generator, out: NDArray[np.int16],
) -> None:  # fmt: skip
    px, py = np.zeros(_ROOM, np.int64), np.zeros(_ROOM, np.int64)
    qx, qy = np.zeros(_ROOM, np.int64), np.zeros(_ROOM, np.int64)
    ends, qends = np.zeros(_ROOM, np.int64), np.zeros(_ROOM, np.int64)
    for n in range(len(moves)):
        donated = _decode(donors[n], qx, qy, qends)
        for _ in range(TRIES):
            strokes = _decode(moves[n], px, py, ends)
            if strokes == 0:
                # Nothing is drawn: begin with what the donor drew.
                strokes = _decode(donors[n], px, py, ends)
                if strokes == 0:
                    break
            while True:
                kind = int(np.searchsorted(shares, rng.random()))
                strokes = _apply(kind, px, py, ends, strokes, qx, qy, qends, donated, rng)
                if rng.random() >= MORE:
                    break
            done = _encode(px, py, ends, strokes, out[n])
            if done:
                for t in range(MAX_MOVES):
                    before = moves[n, t] if t < moves.shape[1] else PAD
                    if out[n, t] != before:
                        break
                else:
                    done = False
            if done:
                break
        else:
            out[n] = PAD
        if out[n, 0] == PAD:
            width = min(MAX_MOVES, moves.shape[1])
            out[n, :width] = moves[n, :width]


def mutate(
    moves: NDArray[np.int16], rng: np.random.Generator, human: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Change each work a little; strokes may come from a human work or another of these works.

    Args:
        moves: (N, T) int16, padded with -1: the parents.
        rng: The only source of chance.
        human: (M, T) int16, padded with -1; M may be 0.

    Returns:
        (N, 48) int16, padded with -1: works of at least one stroke that end with END; the rare one
        that no attempt could change is its parent as it was.
    """
    n, width = len(moves), max(moves.shape[1], human.shape[1])
    pool = np.full((n + len(human), width), PAD, np.int16)
    pool[:n, : moves.shape[1]] = moves
    pool[n:, : human.shape[1]] = human
    donors = rng.integers(0, max(n, 1), n)
    if len(human):
        # Every other donor is human, however many of each there are.
        donors = np.where(rng.random(n) < 0.5, donors, n + rng.integers(0, len(human), n))
    out = np.full((n, MAX_MOVES), PAD, np.int16)
    shares = np.cumsum(WEIGHTS) / WEIGHTS.sum()
    _mutate(np.ascontiguousarray(moves, np.int16), pool[donors], shares, rng, out)
    return out
