"""Drawings of Quick, Draw! (https://github.com/googlecreativelab/quickdraw-dataset)."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from move37.envs.drawing.corpus.document import MAX_BYTES
from move37.envs.drawing.corpus.lines import Line, Strokes, SvgError, bounding_box, fit, to_stroke
from move37.envs.drawing.corpus.svg import MAX_TOKENS
from move37.envs.drawing.moves import SIZE
from move37.novelty.storage import one_line

LARGEST = 1e15
"""Largest coordinate read."""


class PointsError(SvgError):
    """Strokes that are lists of points, [[x, y], [x, y], ...], and not of coordinates."""


def read_drawing(data: bytes) -> tuple[str, Strokes]:
    """Read one drawing, scaled from its bounding box to 2..21 with its aspect ratio kept.

    Args:
        data: A line of a .ndjson file, simplified or raw.

    Returns:
        The name ("word key_id") and the strokes, each (P, 2) int64 of x, y. Strokes without points
        are left out.

    Raises:
        PointsError: If a stroke is a list of points.
        SvgError: If it is no drawing otherwise, is too large, or draws nothing.
    """
    if len(data) > MAX_BYTES:
        raise SvgError(f"{len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        drawing = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SvgError(f"not JSON ({one_line(error):.120})") from error
    if not isinstance(drawing, dict):
        raise SvgError(f"expected a JSON object, got {_brief(drawing)}")
    for key, kinds in (("word", str), ("key_id", str | int), ("drawing", list)):
        if not isinstance(drawing.get(key), kinds):
            raise SvgError(f"not a Quick, Draw! drawing: {key!r} is {_brief(drawing.get(key))}")
    lines = [_line(stroke, i) for i, stroke in enumerate(drawing["drawing"], 1)]
    if len({len(stroke) for stroke in drawing["drawing"] if any(stroke)}) > 1:
        raise SvgError("some strokes have times and others have none")
    lines = [line for line in lines if len(line)]
    if sum(map(len, lines)) > MAX_TOKENS:
        raise SvgError(f"more than {MAX_TOKENS} points")
    if not lines:
        raise SvgError("nothing is drawn")
    with np.errstate(all="ignore"):  # to_stroke refuses what has overflowed
        lines = fit(lines, bounding_box(lines), 2.0, SIZE - 3.0)
    return f"{drawing['word']} {drawing['key_id']}", [to_stroke(line) for line in lines]


def _line(stroke: object, i: int) -> Line:
    """The points of a stroke, (P,) complex; P may be 0."""
    expected = "a stroke must be [x, y] or [x, y, times]: lists of as many finite numbers"
    if not isinstance(stroke, list) or not all(isinstance(axis, list) for axis in stroke):
        raise SvgError(f"stroke {i} is {_brief(stroke)}; {expected}")
    if not any(stroke):
        return np.zeros(0, np.complex128)
    if len(stroke) > 3 and all(len(axis) in (2, 3) for axis in stroke):
        raise PointsError(f"stroke {i} seems to be a list of {len(stroke)} points; {expected}")
    sizes = [len(axis) for axis in stroke]
    if len(stroke) not in (2, 3) or len(set(sizes)) > 1:
        raise SvgError(f"stroke {i} has lists of {str(sizes)[1:-1]:.40} values; {expected}")
    for value in (value for axis in stroke for value in axis):
        if type(value) not in (int, float) or not abs(value) <= LARGEST:
            raise SvgError(f"stroke {i} has the value {_brief(value)}; {expected}")
    if len(stroke) == 3 and any(a > b for a, b in pairwise(stroke[2])):
        raise SvgError(f"stroke {i} goes back in time; {expected}")
    return np.array(stroke[0], np.float64) + 1j * np.array(stroke[1], np.float64)


def _brief(value: object) -> str:
    """A value as a message quotes it; no value is longer than the others."""
    return f"{value!r:.40}"
