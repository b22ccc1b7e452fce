"""Pictures of drawings, from the moves alone: PNG, SVG and animated GIF.

Point (x, y) of the board lies at pixel ((x + 0.5) / 24 * size, (y + 0.5) / 24 * size). Pillow draws
the lines larger than they are shown, and makes the picture smaller: that smooths their edges.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from move37.envs.base.works import Works, write_atomically
from move37.envs.drawing.moves import END, LIFT, SIZE, strokes_of
from move37.envs.files.pictures import GIVEN, INK, MARK, PALE, PAPER, Colour, Picture, image_tile

Point = tuple[float, float]
Line = tuple[Point, Point]

STROKE = 1.6
"""Width of a line in points of the board."""
DISC, RIM = 1.25 * STROKE, 1.75 * STROKE
"""Diameters, in points of the board, of the disc that marks a move and of the paper around it."""
PEN, TIP = 1.25 * STROKE, 0.7 * STROKE
"""Diameters, in points of the board, of the pen and of the hole in it while it is lifted."""

GIF_STEP = 1.5
"""Points of the board that the pen moves in one frame of a GIF."""
GIF_FRAME_MS = 40
GIF_HOLD_MS = 1500


class _Canvas:
    """Paper to draw on, some times as large as the picture.

    Args:
        size: Width and height of the picture in pixels.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: expected at least 1 pixel, got {size}")
        self._larger = 4 if size <= 256 else 2  # wide lines look smooth with less
        side = size * self._larger
        self._scale = side / SIZE
        self.image = Image.new("RGB", (side, side), PAPER)

    def lines(self, lines: Sequence[Line], width: float, colour: Colour) -> None:
        """Draw lines with round ends; a line of no length is a dot."""
        draw = ImageDraw.Draw(self.image)
        # Pillow draws from pixel to pixel: with a middle one, lines are as wide as their ends.
        radius = round((max(width * self._scale, self._larger) - 1) / 2)
        for ends in lines:
            at = [tuple(round((u + 0.5) * self._scale - 0.5) for u in point) for point in ends]
            draw.line(at, colour, 2 * radius + 1)
            for x, y in at:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)

    def dots(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw discs of a diameter."""
        self.lines([(at, at) for at in points], width, colour)

    def pen(self, at: Point, down: bool) -> None:
        """Draw the pen: a disc while it is down, a ring while it is lifted."""
        self.dots([at], PEN, MARK)
        if not down:
            self.dots([at], TIP, PAPER)

    def picture(self) -> Image.Image:
        """What is drawn, in its size."""
        return self.image.reduce(self._larger)


def picture(
    moves: NDArray[np.integer],
    size: int = 512,
    *,
    brief: NDArray[np.integer] | None = None,
    first: int = 0,
    marks: Sequence[int] = (),
    pen: bool = False,
) -> Picture:
    """Draw one work, black on warm white.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        size: Width and height in pixels.
        brief: (B,) int. Given moves, drawn beneath in grey-blue; -1 pads.
        first: What the moves before this index draw is pale.
        marks: Indices of moves that get a disc where the pen is after them.
        pen: Show the pen where it is after the last move.

    Returns:
        (size, size, 3) uint8.

    Raises:
        ValueError: If ``size`` is not positive.
    """
    canvas = _Canvas(size)
    moves = np.asarray(moves)
    lines = _lines(moves)
    pale = len(_lines(moves[:first]))
    if brief is not None:
        canvas.lines(_lines(np.asarray(brief)), STROKE, GIVEN)
    canvas.lines(lines[:pale], STROKE, PALE)
    canvas.lines(lines[pale:], STROKE, INK)
    middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)  # for moves before the pen touched the paper
    discs = [_pen_after(moves[: t + 1])[0] or middle for t in marks]
    canvas.dots(discs, RIM, PAPER)
    canvas.dots(discs, DISC, MARK)
    at, down = _pen_after(moves)
    if pen and at is not None:
        canvas.pen(at, down)
    return np.asarray(canvas.picture())


def tile(
    works: Works, i: int, size: int, first: int | None = None, marks: Sequence[int] = ()
) -> Picture:
    """The picture of one work on a sheet; see :meth:`move37.envs.base.world.World.tile`."""
    if works.images is not None:
        return image_tile(works.images[i], size)
    return picture(works.moves[i], size, brief=works.briefs[i], first=first or 0, marks=marks)


def svg(moves: NDArray[np.integer], brief: NDArray[np.integer] | None = None) -> str:
    """Write one work as SVG: one path per stroke that leaves ink, its numbers the board's points.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        brief: (B,) int. Given moves, the first paths, of the class ``brief``; -1 pads.

    Returns:
        An SVG document, 24 x 24 units, in the proportions of :func:`picture`. A dot is a line of
        no length, which round caps make visible. Strokes of one point (no ink) are left out.
    """
    paths = [f'<path d="{path}"/>' for path in _paths(moves)]
    if brief is not None:
        paths = [f'<path class="brief" d="{path}"/>' for path in _paths(brief)] + paths
    # Points are the centres of cells, so the board spans -0.5 to 23.5. Less than half a unit off,
    # a reader that moves the viewBox to 0, 0 and rounds still finds the same points.
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"'
            f' viewBox="-0.4 -0.4 {SIZE} {SIZE}" fill="none" stroke="currentColor"'
            f' stroke-width="{STROKE}" stroke-linecap="round" stroke-linejoin="round">',
            *(f"  {path}" for path in paths),
            "</svg>\n",
        ]
    )


def _paths(moves: NDArray[np.integer]) -> list[str]:
    """What SVG calls the data of a path, for each stroke that leaves ink."""
    return [
        "M" + "L".join(f"{x} {y}" for x, y in stroke.tolist())
        for stroke in strokes_of(moves)
        if len(stroke) > 1
    ]


def gif(
    moves: NDArray[np.integer],
    path: str | os.PathLike[str],
    size: int = 256,
    brief: NDArray[np.integer] | None = None,
) -> None:
    """Write an animated GIF of the pen drawing one work, atomically.

    The pen moves at an even pace, on the paper and through the air; the finished work is held for
    1.5 s, then the film starts again.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        path: Where to write.
        size: Width and height in pixels.
        brief: (B,) int. Given moves, on the paper from the beginning; -1 pads.
    """
    # One palette for all frames, from pictures with every pair of colours that can touch.
    samples = [picture(moves[:end], size, brief=brief, pen=True) for end in (1, len(moves))]
    palette = Image.fromarray(np.concatenate(samples)).quantize(64)
    frames = [
        frame.quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in _frames(moves, size, brief)
    ]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[GIF_FRAME_MS] * (len(frames) - 1) + [GIF_HOLD_MS],
        loop=0,
    )
    write_atomically(path, buffer.getvalue())


def _frames(
    moves: NDArray[np.integer], size: int, brief: NDArray[np.integer] | None
) -> Iterator[Image.Image]:
    """Frames of the pen drawing; the last is the finished work."""
    drawn = _Canvas(size)
    if brief is not None:
        drawn.lines(_lines(np.asarray(brief)), STROKE, GIVEN)
    paper = drawn.image
    before: Point | None = None
    for stroke in strokes_of(moves):
        for i, (x, y) in enumerate(stroke.tolist()):
            start = (x, y) if before is None else before
            steps = max(1, math.ceil(math.dist(start, (x, y)) / GIF_STEP))
            for step in range(1, steps + 1):
                share = step / steps
                now = (start[0] + (x - start[0]) * share, start[1] + (y - start[1]) * share)
                if i > 0:
                    drawn.lines([(start, now)], STROKE, INK)
                drawn.image = paper.copy()
                drawn.pen(now, down=i > 0 or step == steps)
                yield drawn.picture()
                drawn.image = paper
            before = (x, y)
    yield drawn.picture()


def _lines(moves: NDArray[np.integer]) -> list[Line]:
    """The straight lines that moves (T,) draw, each from (x, y) to (x, y)."""
    return [
        (tuple(a), tuple(b))
        for stroke in strokes_of(moves)
        for a, b in zip(stroke[:-1].tolist(), stroke[1:].tolist(), strict=True)
    ]


def _pen_after(moves: NDArray[np.integer]) -> tuple[Point | None, bool]:
    """Where the pen last touched the paper (None: nowhere yet), and if it is down."""
    at: Point | None = None
    down = False
    for move in moves.tolist():
        if move < 0 or move == END:
            break
        down = move != LIFT
        if down:
            at = (move % SIZE, move // SIZE)
    return at, down
