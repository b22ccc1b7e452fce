"""Drawings of Quick, Draw! (https://github.com/googlecreativelab/quickdraw-dataset)."""

from __future__ import annotations

import json

import numpy as np

from move37.envs.drawing.corpus.lines import Strokes, SvgError, bounding_box, fit, to_stroke
from move37.envs.drawing.corpus.svg import MAX_BYTES, MAX_TOKENS
from move37.envs.drawing.moves import SIZE


def read_drawing(data: bytes) -> tuple[str, Strokes]:
    """Read one drawing, scaled from its bounding box to 2..21 with its aspect ratio kept.

    Args:
        data: A line of a .ndjson file, simplified or raw.

    Returns:
        The name ("word key_id") and the strokes, each (P, 2) int64 of x, y.

    Raises:
        SvgError: If it is no drawing, is too large, or draws nothing.
    """
    if len(data) > MAX_BYTES:
        raise SvgError(f"{len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        drawing = json.loads(data)
        name = f"{drawing['word']} {drawing['key_id']}"
        lines = []
        for i, stroke in enumerate(drawing["drawing"], 1):
            x, y = np.asarray(stroke[0], np.float64), np.asarray(stroke[1], np.float64)
            if x.ndim != 1 or x.shape != y.shape or len(x) == 0 or not np.isfinite([x, y]).all():
                raise SvgError(f"stroke {i} has no points or x and y that do not match")
            lines.append(x + 1j * y)
    except SvgError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise SvgError(f"not a Quick, Draw! drawing ({error!r:.120})") from error
    if sum(map(len, lines)) > MAX_TOKENS:
        raise SvgError(f"more than {MAX_TOKENS} points")
    if not lines:
        raise SvgError("nothing is drawn")
    with np.errstate(all="ignore"):  # to_stroke refuses what has overflowed
        lines = fit(lines, bounding_box(lines), 2.0, SIZE - 3.0)
    return name, [to_stroke(line) for line in lines]
