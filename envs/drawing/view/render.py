"""Pictures of drawings, from the moves alone: PNG, SVG and animated GIF.

Point (x, y) of the board lies at pixel ((x + 0.5) / 24 * size, (y + 0.5) / 24 * size). Pillow draws
the lines larger than they are shown, and makes the picture smaller: that smooths their edges.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from move37.envs.base.works import Works, write_atomically
from move37.envs.drawing.moves import END, LIFT, SIZE, strokes_of
from move37.envs.files.pictures import (
    GIVEN,
    INK,
    MARK,
    PALE,
    PAPER,
    USUAL,
    Colour,
    Look,
    Picture,
    image_tile,
)

Point = tuple[float, float]
Line = list[Point]
"""The way of the pen from one move to the next; two points if it is straight."""
Bend = tuple[Point, Point, Point]
"""Where a line begins to bend, the corner that it would have, and where it has bent."""

STROKE = 1.6
"""Width of a line in points of the board."""
DISC, RIM = 1.25 * STROKE, 1.75 * STROKE
"""Diameters, in points of the board, of the disc that marks a move and of the paper around it."""
PEN, TIP = 1.25 * STROKE, 0.7 * STROKE
"""Diameters, in points of the board, of the pen and of the hole in it while it is lifted."""

BEND = 2.0
"""A rounded corner begins this far from it, in points of the board, or half way to the next."""

GIF_STEP = 1.5
"""Points of the board that the pen moves in one frame of a GIF."""
GIF_FRAME_MS = 40
GIF_HOLD_MS = 1500


class _Canvas:
    """Paper to draw on, some times as large as the picture.

    Args:
        size: Width and height of the picture in pixels.
        look: Its colours and the width of its lines.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, size: int, look: Look) -> None:
        if size < 1:
            raise ValueError(f"size: expected at least 1 pixel, got {size}")
        self._larger = 4 if size <= 256 else 2  # wide lines look smooth with less
        side = size * self._larger
        self._scale = side / SIZE
        self.paper, self.ink = look.paper or PAPER, look.ink or INK
        self.stroke = look.line_width or STROKE
        self.image = Image.new("RGB", (side, side), self.paper)

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
        self.lines([[at, at] for at in points], width, colour)

    def pen(self, at: Point, down: bool) -> None:
        """Draw the pen: a disc while it is down, a ring while it is lifted."""
        self.dots([at], PEN, MARK)
        if not down:
            self.dots([at], TIP, self.paper)

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
    look: Look = USUAL,
) -> Picture:
    """Draw one work, black on warm white if nothing else is said.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        size: Width and height in pixels.
        brief: (B,) int. Given moves, drawn beneath in grey-blue; -1 pads.
        first: What the moves before this index draw is pale.
        marks: Indices of moves that get a disc where the pen is after them.
        pen: Show the pen where it is after the last move.
        look: Colours, width of lines, and whether corners are rounded.

    Returns:
        (size, size, 3) uint8.

    Raises:
        ValueError: If ``size`` is not positive.
    """
    canvas = _Canvas(size, look)
    moves = np.asarray(moves)
    lines = _lines(moves, look.smooth)
    pale = len(_lines(moves[:first]))
    if brief is not None:
        canvas.lines(_lines(np.asarray(brief), look.smooth), canvas.stroke, GIVEN)
    canvas.lines(lines[:pale], canvas.stroke, PALE)
    canvas.lines(lines[pale:], canvas.stroke, canvas.ink)
    middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)  # for moves before the pen touched the paper
    discs = [_pen_after(moves[: t + 1])[0] or middle for t in marks]
    canvas.dots(discs, RIM, canvas.paper)
    canvas.dots(discs, DISC, MARK)
    at, down = _pen_after(moves)
    if pen and at is not None:
        canvas.pen(at, down)
    return np.asarray(canvas.picture())


def tile(
    works: Works,
    i: int,
    size: int,
    first: int | None = None,
    marks: Sequence[int] = (),
    look: Look = USUAL,
) -> Picture:
    """The picture of one work on a sheet; see :meth:`move37.envs.base.world.World.tile`."""
    if works.images is not None:
        return image_tile(works.images[i], size, look)
    brief = works.briefs[i]
    return picture(works.moves[i], size, brief=brief, first=first or 0, marks=marks, look=look)


def svg(
    moves: NDArray[np.integer], brief: NDArray[np.integer] | None = None, look: Look = USUAL
) -> str:
    """Write one work as SVG: one path per stroke that leaves ink, its numbers the board's points.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        brief: (B,) int. Given moves, the first paths, of the class ``brief``; -1 pads.
        look: Width and height, 24 if it does not say; ink, the colour of the text around it if it
            does not; paper, a rectangle behind the paths; width of lines; rounded corners.

    Returns:
        An SVG document, 24 x 24 units, in the proportions of :func:`picture`. A dot is a line of
        no length, which round caps make visible. Strokes of one point (no ink) are left out.
    """
    paths = [f'<path d="{path}"/>' for path in _paths(moves, look.smooth)]
    if brief is not None:
        given = _paths(brief, look.smooth)
        paths = [f'<path class="brief" d="{path}"/>' for path in given] + paths
    if look.paper:
        paper = f'<rect x="-0.4" y="-0.4" width="{SIZE}" height="{SIZE}"'
        paths = [f'{paper} stroke="none" fill="{_hex(look.paper)}"/>', *paths]
    size, ink = look.size or SIZE, _hex(look.ink) if look.ink else "currentColor"
    # Points are the centres of cells, so the board spans -0.5 to 23.5. Less than half a unit off,
    # a reader that moves the viewBox to 0, 0 and rounds still finds the same points.
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg"'
            f' width="{size}" height="{size}"'
            f' viewBox="-0.4 -0.4 {SIZE} {SIZE}" fill="none" stroke="{ink}"'
            f' stroke-width="{look.line_width or STROKE:g}"'
            ' stroke-linecap="round" stroke-linejoin="round">',
            *(f"  {path}" for path in paths),
            "</svg>\n",
        ]
    )


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _paths(moves: NDArray[np.integer], smooth: bool) -> list[str]:
    """What SVG calls the data of a path, for each stroke that leaves ink."""
    return [_path(_bends(stroke, smooth)) for stroke in strokes_of(moves) if len(stroke) > 1]


def _path(bends: Sequence[Bend]) -> str:
    out = f"M{_xy(bends[0][2])}"
    for (_, _, before), (begin, corner, end) in pairwise(bends):
        bent = begin != end
        if not (bent and begin == before):
            out += f"L{_xy(begin)}"
        if bent:
            out += f"Q{_xy(corner)} {_xy(end)}"
    return out


def _xy(point: Point) -> str:
    return f"{round(point[0], 2):g} {round(point[1], 2):g}"


def _bends(stroke: NDArray[np.integer], smooth: bool) -> list[Bend]:
    """How the pen comes to, passes and leaves each point (x, y) of a stroke (N, 2).

    Ends of the stroke do not bend, unless it comes back to where it began.
    """
    points: list[Point] = [(x, y) for x, y in stroke.tolist()]
    if not smooth:
        return [(point, point, point) for point in points]
    closed = len(points) > 3 and points[0] == points[-1]
    before = [points[-2] if closed else points[0], *points[:-1]]
    after = [*points[1:], points[1] if closed else points[-1]]
    return [
        (_towards(point, a), point, _towards(point, b))
        if closed or 0 < i < len(points) - 1
        else (point, point, point)
        for i, (a, point, b) in enumerate(zip(before, points, after, strict=True))
    ]


def _towards(point: Point, other: Point) -> Point:
    """Where a bend around a point meets the straight line to another."""
    length = math.dist(point, other)
    share = min(0.5, BEND / length) if length else 0.0
    return (point[0] + (other[0] - point[0]) * share, point[1] + (other[1] - point[1]) * share)


def _legs(stroke: NDArray[np.integer], smooth: bool) -> list[Line]:
    """The way of the pen from each point of a stroke to the next: the curves of :func:`_path`.

    One way ends, and the next begins, in the middle of the bend around their point.
    """
    bends = _bends(stroke, smooth)
    return [
        [*_curve(one, BENT), *_curve(other, BENDING)] if smooth else [one[1], other[1]]
        for one, other in pairwise(bends)
    ]


BENDING = np.linspace(0.0, 0.5, 5)
BENT = 0.5 + BENDING


def _curve(bend: Bend, shares: NDArray[np.float64]) -> list[Point]:
    """Points of the quadratic Bezier curve around a corner."""
    begin, corner, end = np.array(bend, np.float64)[:, None, :]
    t = shares[:, None]
    points = (1 - t) ** 2 * begin + 2 * t * (1 - t) * corner + t**2 * end
    return [(x, y) for x, y in points.tolist()]


def gif(
    moves: NDArray[np.integer],
    path: str | os.PathLike[str],
    size: int = 256,
    brief: NDArray[np.integer] | None = None,
    look: Look = USUAL,
) -> None:
    """Write an animated GIF of the pen drawing one work, atomically.

    The pen moves at an even pace, on the paper and through the air; the finished work is held for
    1.5 s, then the film starts again.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        path: Where to write.
        size: Width and height in pixels.
        brief: (B,) int. Given moves, on the paper from the beginning; -1 pads.
        look: Colours, width of lines, whether corners are rounded, and perhaps another size.
    """
    size = look.size or size
    # One palette for all frames, from pictures with every pair of colours that can touch.
    samples = [
        picture(moves[:end], size, brief=brief, pen=True, look=look) for end in (1, len(moves))
    ]
    palette = Image.fromarray(np.concatenate(samples)).quantize(64)
    frames = [
        frame.quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in _frames(moves, size, brief, look)
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
    moves: NDArray[np.integer], size: int, brief: NDArray[np.integer] | None, look: Look
) -> Iterator[Image.Image]:
    """Frames of the pen drawing; the last is the finished work."""
    drawn = _Canvas(size, look)
    if brief is not None:
        drawn.lines(_lines(np.asarray(brief), look.smooth), drawn.stroke, GIVEN)
    paper = drawn.image
    before: Point | None = None
    for stroke in strokes_of(moves):
        legs = _legs(stroke, look.smooth)
        begin: Point = legs[0][0] if legs else (float(stroke[0, 0]), float(stroke[0, 1]))
        for i, leg in enumerate([[before or begin, begin], *legs]):
            far = np.cumsum([0.0, *(math.dist(a, b) for a, b in pairwise(leg))])
            steps = max(1, math.ceil(far[-1] / GIF_STEP))
            last = leg[0]
            for step in range(1, steps + 1):
                at = step / steps * far[-1]
                x, y = (float(np.interp(at, far, axis)) for axis in zip(*leg, strict=True))
                if i > 0:  # a step is so short that it can be straight
                    drawn.lines([[last, (x, y)]], drawn.stroke, drawn.ink)
                drawn.image = paper.copy()
                drawn.pen((x, y), down=i > 0 or step == steps)
                yield drawn.picture()
                drawn.image, last = paper, (x, y)
            before = leg[-1]
    yield drawn.picture()


def _lines(moves: NDArray[np.integer], smooth: bool = False) -> list[Line]:
    """The lines that moves (T,) draw, one for each move."""
    return [leg for stroke in strokes_of(moves) for leg in _legs(stroke, smooth)]


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
