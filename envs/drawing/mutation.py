"""Mutations of drawings for evolution: changes of a point, of a stroke, or of what strokes share.

Joints are kept where that is what the change means: a point that several strokes share moves in all
of them, so that a closed line stays closed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, SIZE, strokes_of

TRIES = 8
"""Attempts at a child that differs from its parent and is not too long."""
MORE = 0.4
"""Probability of one more mutation after each; most children differ in one thing."""
STEPS = (1, 1, 2, 3, -1, -1, -2, -3)
"""Steps along an axis, the small ones likelier."""

Point = tuple[int, int]
"""x and y."""
Stroke = list[Point]
"""Points, at least two."""
Operator = Callable[[list[Stroke], list[Stroke], Random], list[Stroke]]
"""Gives other strokes for those of a work, with those of a donor at hand; changes neither."""


def _step(rng: Random, scale: int = 1) -> Point:
    """A small step that is not 0: along one axis or both."""
    dx, dy, axes = scale * rng.choice(STEPS), scale * rng.choice(STEPS), rng.randrange(3)
    return dx * (axes != 1), dy * (axes != 0)


def _moved(point: Point, step: Point) -> Point:
    """A point after a step that ends at the edge of the board."""
    x, y = point[0] + step[0], point[1] + step[1]
    return min(max(x, 0), SIZE - 1), min(max(y, 0), SIZE - 1)


def _shifted(stroke: Stroke, step: Point) -> Stroke:
    """A stroke shifted as a whole, no farther than the board allows."""
    dx, dy = (
        min(max(by, -min(values)), SIZE - 1 - max(values))
        for by, values in zip(step, zip(*stroke, strict=True), strict=True)
    )
    return [(x + dx, y + dy) for x, y in stroke]


def _mirrored(stroke: Stroke, axis: int, within: list[Stroke]) -> Stroke:
    """A stroke mirrored, left and right (axis 0) or up and down (1), within the box of others."""
    values = [point[axis] for other in within for point in other]
    total = min(values) + max(values)
    if axis == 0:
        return [(total - x, y) for x, y in stroke]
    return [(x, total - y) for x, y in stroke]


def _pick(strokes: list[Stroke], rng: Random) -> tuple[int, int]:
    """A stroke and one of its points."""
    at = rng.randrange(len(strokes))
    return at, rng.randrange(len(strokes[at]))


def _with(strokes: list[Stroke], at: int, *instead: Stroke) -> list[Stroke]:
    """The strokes with others, or none, in the place of one."""
    return [*strokes[:at], *instead, *strokes[at + 1 :]]


def move_point(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Move a point and every point that lies on it."""
    at, i = _pick(strokes, rng)
    old = strokes[at][i]
    new = _moved(old, _step(rng))
    return [[new if point == old else point for point in stroke] for stroke in strokes]


def insert_point(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Put a point beside the middle of a segment, or lengthen the stroke beyond its end."""
    at, i = _pick(strokes, rng)
    stroke = strokes[at]
    (x, y), (to_x, to_y) = stroke[i], stroke[min(i + 1, len(stroke) - 1)]
    point = _moved(((x + to_x) // 2, (y + to_y) // 2), _step(rng, rng.randint(1, 2)))
    return _with(strokes, at, [*stroke[: i + 1], point, *stroke[i + 1 :]])


def delete_point(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Take a point out of a stroke that has more than two."""
    at, i = _pick(strokes, rng)
    stroke = strokes[at]
    return _with(strokes, at, stroke[:i] + stroke[i + 1 :]) if len(stroke) > 2 else strokes


def move_edge(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Shift all points that lie on one horizontal or vertical line, whichever strokes they are in.

    A side of a box moves as one.
    """
    at, i = _pick(strokes, rng)
    axis, by = rng.randrange(2), rng.choice(STEPS)
    line, step = strokes[at][i][axis], (by * (axis == 0), by * (axis == 1))
    return [
        [_moved(point, step) if point[axis] == line else point for point in stroke]
        for stroke in strokes
    ]


def join_end(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Bring an end of a stroke to the nearest point that it does not lie on."""
    at, _ = _pick(strokes, rng)
    stroke, end = list(strokes[at]), rng.choice((0, -1))
    x, y = stroke[end]
    # Its own points only where the stroke is long enough not to collapse.
    others = [s for k, s in enumerate(strokes) if k != at or len(s) > 3]
    points = [point for other in others for point in other if point != (x, y)]
    if points:
        stroke[end] = min(points, key=lambda p: (p[0] - x) ** 2 + (p[1] - y) ** 2)
    return _with(strokes, at, stroke)


def move_stroke(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Shift a stroke, a little or far, or mirror it."""
    at, _ = _pick(strokes, rng)
    if rng.random() < 0.4:
        return _with(strokes, at, _mirrored(strokes[at], rng.randrange(2), [strokes[at]]))
    return _with(strokes, at, _shifted(strokes[at], _step(rng, rng.choice((1, 4)))))


def repeat_stroke(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Draw a stroke again: mirrored about the middle of the work, or shifted."""
    stroke = rng.choice(strokes)
    if rng.random() < 0.5:
        return [*strokes, _mirrored(stroke, rng.randrange(2), strokes)]
    return [*strokes, _shifted(stroke, _step(rng, 2))]


def borrow_stroke(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Add a stroke of the donor, perhaps mirrored and shifted, or put it in the place of one."""
    if not donor:
        return strokes
    lent = rng.choice(donor)
    if rng.random() < 0.5:
        lent = _mirrored(lent, rng.randrange(2), [lent])
    if rng.random() < 0.5:
        lent = _shifted(lent, _step(rng, 2))
    if rng.random() < 0.5:
        return [*strokes, lent]
    return _with(strokes, rng.randrange(len(strokes)), lent)


def delete_stroke(strokes: list[Stroke], donor: list[Stroke], rng: Random) -> list[Stroke]:
    """Take away a stroke, if there is another."""
    return _with(strokes, rng.randrange(len(strokes))) if len(strokes) > 1 else strokes


OPERATORS: dict[Operator, int] = {
    move_point: 6,
    insert_point: 2,
    delete_point: 3,
    move_edge: 3,
    join_end: 8,
    move_stroke: 5,
    repeat_stroke: 2,
    borrow_stroke: 6,
    delete_stroke: 2,
}
"""How often each is drawn, relative to the others."""
_DRAWN = [operator for operator, weight in OPERATORS.items() for _ in range(weight)]


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
    chance = Random(int(rng.integers(1 << 62)))  # for single numbers ten times as fast as NumPy's
    out = np.full((len(moves), MAX_MOVES), PAD, np.int16)
    for row, parent in enumerate(moves):
        # Every other donor is human, however many of each there are.
        pool = human if len(human) and chance.random() < 0.5 else moves
        donor = _decoded(pool[chance.randrange(len(pool))])
        child = _child(parent[parent != PAD], donor, chance)
        out[row, : len(child)] = child
    return out


def _child(moves: NDArray[np.int16], donor: list[Stroke], rng: Random) -> list[int]:
    """The moves of a mutated work."""
    # Where nothing is drawn, begin with what the donor drew.
    parent: list[int] = moves.tolist()
    strokes = _decoded(moves) or donor
    for _ in range(TRIES if strokes else 0):
        changed = rng.choice(_DRAWN)(strokes, donor, rng)
        while rng.random() < MORE:
            changed = rng.choice(_DRAWN)(changed, donor, rng)
        child = _encoded(changed)
        if len(child) <= MAX_MOVES and child != parent:
            return child
    return parent


def _decoded(moves: NDArray[np.int16]) -> list[Stroke]:
    """The strokes of a work (T,) that leave ink."""
    return [[(x, y) for x, y in s.tolist()] for s in strokes_of(moves) if len(s) > 1]


def _encoded(strokes: list[Stroke]) -> list[int]:
    """Strokes as moves; a point twice in a row counts once, unless it is a dot."""
    moves: list[int] = []
    for stroke in strokes:
        points = [y * SIZE + x for x, y in stroke]
        kept = points[:1] + [point for last, point in pairwise(points) if point != last]
        if moves:
            moves.append(LIFT)
        moves.extend(kept if len(kept) > 1 else 2 * kept)
    return [*moves, END]
