"""From polylines to strokes on the board: clip, scale, simplify, round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from move37.envs.drawing.moves import SIZE

MAX_WORK = 10_000_000
"""Most distances computed to simplify one line, which can take the square of its points."""
TOLERANCE = 0.35
"""Ramer-Douglas-Peucker tolerance, in cells of the board."""

Strokes = list[NDArray[np.int64]]
"""The strokes of a drawing, each (P, 2) of x, y in 0..23."""
Line = NDArray[np.complex128]
"""A polyline, (P,) complex: x + iy in user units."""
Box = tuple[float, float, float, float]
"""x, y, width and height in user units."""


class SvgError(ValueError):
    """A drawing that is broken, refused or draws nothing."""


def bounding_box(lines: Sequence[Line]) -> Box:
    """Smallest box around the polylines."""
    points = np.concatenate(lines)
    x, y = float(points.real.min()), float(points.imag.min())
    return x, y, float(points.real.max()) - x, float(points.imag.max()) - y


def is_flat(line: Line) -> bool:
    """Whether all points are on one straight line, so that there is nothing inside."""
    far = line[np.abs(line - line[0]).argmax()] - line[0]
    across = ((line - line[0]) * far.conjugate()).imag
    return bool((np.abs(across) <= 1e-9 * abs(far) ** 2).all())


def fit(lines: Sequence[Line], box: Box, low: float, high: float) -> list[Line]:
    """Scale polylines so that the box's longer side spans low..high, centred, in cells."""
    size = max(box[2], box[3])
    scale = (high - low) / size if size > 0 else 1.0
    centre = complex(box[0] + box[2] / 2, box[1] + box[3] / 2)
    middle = complex(1, 1) * (low + high) / 2
    return [(line - centre) * scale + middle for line in lines]


def clip(line: Line, box: Box) -> list[Line]:
    """The parts of a polyline inside a box, by Liang and Barsky (1984), in its order.

    A closed line that leaves the box is opened there, not cut where it started.
    """
    x, y, width, height = box
    inside = (line.real >= x) & (line.real <= x + width)
    inside &= (line.imag >= y) & (line.imag <= y + height)
    if inside.all() or len(line) < 2:
        return [line] if inside.all() else []
    begin, delta = line[:-1], np.diff(line)
    enter, leave = np.zeros(len(delta)), np.ones(len(delta))
    for start, step, low, high in (
        (begin.real, delta.real, x, x + width),
        (begin.imag, delta.imag, y, y + height),
    ):
        with np.errstate(all="ignore"):
            ends = np.sort([(low - start) / step, (high - start) / step], axis=0)
        level = np.where((start >= low) & (start <= high), np.inf, -np.inf)
        enter = np.maximum(enter, np.where(step == 0, -level, ends[0]))
        leave = np.minimum(leave, np.where(step == 0, level, ends[1]))
    kept = enter < leave
    joined = kept[1:] & kept[:-1] & (leave[:-1] == 1) & (enter[1:] == 0)
    share_in, share_out = np.where(kept, enter, 0), np.where(kept, leave, 0)
    starts = begin + share_in * delta
    ends = np.where(leave == 1, line[1:], begin + share_out * delta)
    parts = [
        np.concatenate([starts[run[:1]], ends[run]])
        for run in np.split(np.arange(len(delta)), np.flatnonzero(~joined) + 1)
        if kept[run[0]]
    ]
    if len(parts) > 1 and parts[0][0] == line[0] == line[-1] == parts[-1][-1]:
        parts[0] = np.concatenate([parts.pop(), parts[0][1:]])
    return parts


def simplify(line: Line, tolerance: float = TOLERANCE) -> Line:
    """Ramer-Douglas-Peucker: drop points closer than ``tolerance`` to what remains.

    Not skimage.measure.approximate_polygon: its work is not bounded, and where two points of a
    symmetric curve are equally far it picks the other one, so that works would change.

    Raises:
        SvgError: If the line is so intricate that this would take very long.
    """
    work = 0
    keep = np.zeros(len(line), bool)
    keep[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        work += last - first
        if work > MAX_WORK:
            raise SvgError(f"a line of {len(line)} points is too intricate")
        inner = line[first + 1 : last] - line[first]
        chord = line[last] - line[first]
        length2 = abs(chord) ** 2
        along = np.clip((inner * chord.conjugate()).real / length2, 0, 1) if length2 else 0.0
        distance = np.abs(inner - along * chord)
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return line[keep]


def to_stroke(line: Line) -> NDArray[np.int64]:
    """Simplify a polyline given in cells and round it to the board.

    Returns:
        (P, 2) int64 of x, y in 0..23 without successive duplicates. A line that collapses to one
        point, or a closed one no larger than a cell, becomes a dot: its point twice.

    Raises:
        SvgError: If a coordinate is not finite.
    """
    if not np.isfinite(line).all():
        raise SvgError("a coordinate is not finite")
    x, y, width, height = bounding_box([line])
    if abs(line[0] - line[-1]) < 1e-6 and max(width, height) < 1 + 1e-6:
        line = np.array([complex(x + width / 2, y + height / 2)])
    line = simplify(line)
    # Halves go up, not to even, so that equal lengths stay equal on the board.
    points = np.floor(np.stack([line.real, line.imag], axis=1) + 0.5 + 1e-9)
    points = np.clip(points, 0, SIZE - 1).astype(np.int64)
    fresh = np.ones(len(points), bool)
    fresh[1:] = (points[1:] != points[:-1]).any(axis=1)
    points = points[fresh]
    return np.repeat(points, 2, axis=0) if len(points) == 1 else points
