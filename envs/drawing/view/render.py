"""Pictures of drawings: PNG, contact sheets, SVG and animated GIF, all from the moves alone.

Lines are antialiased exactly: a pixel's tone follows from its distance to the nearest segment, so
caps and joins are round and a thumbnail is as clean as a poster. Point (x, y) of the board lies at
pixel ((x + 0.5) / 24 * size, (y + 0.5) / 24 * size).
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from move37.envs.base.works import Works, write_atomically
from move37.envs.drawing.moves import END, LIFT, SIZE, strokes_of

Picture = NDArray[np.uint8]
Tone = NDArray[np.float32]
Point = tuple[float, float]

STROKE = 1.6
"""Width of a line in points of the board."""
PAPER = (252, 250, 245)
INK = (22, 21, 20)
GIVEN_INK = (126, 149, 178)
PALE_INK = (200, 195, 186)
"""Of what was made before a work left the known."""
MARK = (214, 84, 46)
PEN = (214, 84, 46)
DISC, RIM = 1.25 * STROKE, 1.75 * STROKE
"""Diameters, in points of the board, of the disc that marks a move and of the paper around it."""
GROUND = (231, 227, 218)
"""Colour between the tiles of a sheet."""
TEXT = (58, 55, 50)

GIF_STEP = 1.5
"""Points of the board that the hand moves in one frame of a GIF."""
GIF_FRAME_MS = 40
GIF_HOLD_MS = 1500


def picture(
    moves: NDArray[np.integer],
    size: int = 512,
    *,
    brief: NDArray[np.integer] | None = None,
    upto: int | None = None,
    pen: bool = False,
    marks: Sequence[int] = (),
) -> Picture:
    """Draw one work, black on warm white.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        size: Width and height in pixels.
        brief: (B,) int. Given moves, drawn beneath in grey-blue; -1 pads.
        upto: Draw only the first ``upto`` moves; None: all.
        pen: Show the tip of the pen where it is: a disc while down, a ring while lifted.
        marks: Indices of moves to show in the accent colour: the segment a move drew, or a small
            dot where it only set the pen down.

    Returns:
        (size, size, 3) uint8.

    Raises:
        ValueError: If ``size`` is not positive.
    """
    if size < 1:
        raise ValueError(f"size: expected at least 1 pixel, got {size}")
    moves = np.asarray(moves)[:upto]
    image = np.empty((size, size, 3), np.float32)
    image[:] = PAPER
    if brief is not None and len(brief):
        _blend(image, _tone(_segments(np.asarray(brief)), size, STROKE), GIVEN_INK)
    _blend(image, _tone(_segments(moves), size, STROKE), INK)
    if len(marks):
        _mark(image, moves, marks)
    if pen:
        at, down = _pen_after(moves)
        if at is not None:
            _draw_pen(image, at, down)
    return _rounded(image)


def sheet(
    works: Works,
    columns: int | None = None,
    size: int = 96,
    captions: Sequence[str] | None = None,
    title: str | None = None,
) -> Picture:
    """Lay works out as a contact sheet, row by row.

    Args:
        works: N works.
        columns: Tiles in a row; None: about as many as rows.
        size: Width and height of a tile in pixels.
        captions: N texts to stand below the tiles, shortened to fit; None: no captions.
        title: A line above the tiles.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If ``columns`` is not positive or there are not N captions.
    """
    tiles = [_tile(works, i, size) for i in range(len(works))]
    return _lay_out(tiles, columns, size, captions, title)


def marked_sheet(
    works: Works,
    first: NDArray[np.integer],
    marks: Sequence[Sequence[int]],
    labels: Sequence[str],
    columns: int = 5,
    size: int = 192,
) -> Picture:
    """A contact sheet of where works left the known.

    Args:
        works: N works with moves of their own.
        first: (N,) int. The move with which each left the known, from 0: what was drawn before it
            is pale, what was drawn from it on is dark. -1: never, all of it is pale.
        marks: For each work the indices of moves, from 0, that get a disc in the accent colour:
            where the pen then is.
        labels: N texts below the tiles, shortened to fit.
        columns: Tiles in a row, at most.
        size: Width and height of a tile in pixels.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If ``columns`` is not positive, there are not N of something, or the works are
            images.
    """
    if works.images is not None:
        raise ValueError("works that are images have no moves to mark")
    tiles = [
        _marked_tile(moves, brief, t, some, size)
        for moves, brief, t, some in zip(
            works.moves, works.briefs, first.tolist(), marks, strict=True
        )
    ]
    return _lay_out(tiles, min(columns, max(1, len(works))), size, labels, None)


def _marked_tile(
    moves: NDArray[np.int16],
    brief: NDArray[np.int16],
    first: int,
    marks: Sequence[int],
    size: int,
) -> Picture:
    """One work of :func:`marked_sheet`."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = PAPER
    lines = _segments(moves)
    known = len(lines) if first < 0 else len(_segments(moves[:first]))
    for colour, some in (
        (GIVEN_INK, _segments(brief)), (PALE_INK, lines[:known]), (INK, lines[known:]),
    ):  # fmt: skip
        _blend(image, _tone(some, size, STROKE), colour)
    middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)  # of moves before the pen touched the paper
    places = [_pen_after(moves[: t + 1])[0] or middle for t in marks]
    for colour, width in ((PAPER, RIM), (MARK, DISC)):
        _blend(image, _tone([(at, at) for at in places], size, width), colour)
    return _rounded(image)


def _lay_out(
    tiles: Sequence[Picture],
    columns: int | None,
    size: int,
    captions: Sequence[str] | None,
    title: str | None,
) -> Picture:
    """Square tiles row by row, (H, W, 3) uint8; see :func:`sheet`."""
    n = len(tiles)
    if captions is not None and len(captions) != n:
        raise ValueError(f"captions: expected {n}, got {len(captions)}")
    if columns is None:
        columns = max(1, math.ceil(math.sqrt(n)))
    elif columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    rows = max(1, math.ceil(n / columns))
    gutter = max(1, round(size / 32))
    font = ImageFont.load_default(size=min(14, max(9, round(size / 8))))
    foot = 0 if captions is None else math.ceil(_line_height(font)) + 1
    title_font = ImageFont.load_default(size=max(13, min(22, round(size / 5))))
    head = 0 if title is None else math.ceil(_line_height(title_font)) + 2 * gutter
    width = columns * (size + gutter) + gutter
    height = head + rows * (size + foot + gutter) + gutter

    canvas = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(canvas)
    if title is not None:
        _write(draw, (gutter + 1, gutter), title, title_font, width - 2 * gutter - 2)
    for i, tile in enumerate(tiles):
        left = gutter + i % columns * (size + gutter)
        top = head + gutter + i // columns * (size + foot + gutter)
        canvas.paste(Image.fromarray(tile), (left, top))
        if captions is not None:
            _write(draw, (left + 1, top + size), captions[i], font, size - 2)
    return np.array(canvas)


def thumbnails(works: Works, size: int = 48) -> Picture:
    """Small pictures of works, (N, size, size, 3) uint8."""
    out = np.zeros((len(works), size, size, 3), np.uint8)
    for i in range(len(works)):
        out[i] = _tile(works, i, size)
    return out


def _tile(works: Works, i: int, size: int) -> Picture:
    """The picture of work ``i``: its strokes, or its image if it is an image work."""
    if works.images is None:
        return picture(works.moves[i], size, brief=works.briefs[i])
    tone = Image.fromarray(works.images[i] * np.uint8(255)).resize(
        (size, size), Image.Resampling.BOX
    )
    share = np.asarray(tone, np.float32)[:, :, None] / 255
    blend = (1 - share) * np.array(PAPER, np.float32) + share * np.array(INK, np.float32)
    return _rounded(blend.astype(np.float32))


def sheets_side_by_side(
    left: Works,
    right: Works,
    titles: tuple[str, str],
    columns: int | None = None,
    size: int = 96,
) -> Picture:
    """Two contact sheets beside each other, e.g. an imitator's works and a learner's.

    Args:
        left: Works of the left sheet.
        right: Works of the right sheet.
        titles: The line above each sheet.
        columns: Tiles in a row of each sheet; None: about as many as rows.
        size: Width and height of a tile in pixels.

    Returns:
        (H, W, 3) uint8.
    """
    if columns is None:
        columns = max(1, math.ceil(math.sqrt(max(len(left), len(right)))))
    halves = [
        sheet(works, columns, size, title=title)
        for works, title in zip((left, right), titles, strict=True)
    ]
    gap = max(8, size // 4)
    out = np.empty(
        (max(len(h) for h in halves), sum(h.shape[1] for h in halves) + gap, 3), np.uint8
    )
    out[:] = GROUND
    out[: len(halves[0]), : halves[0].shape[1]] = halves[0]
    out[: len(halves[1]), halves[0].shape[1] + gap :] = halves[1]
    return out


def svg(moves: NDArray[np.integer]) -> str:
    """Write one work as SVG: one path per stroke that leaves ink, its numbers the board's points.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.

    Returns:
        An SVG document, 24 x 24 units, in the proportions of :func:`picture`. A dot is a line of
        no length, which round caps make visible. Strokes of one point (no ink) are left out.
    """
    paths = [
        "M" + "L".join(f"{x} {y}" for x, y in stroke.tolist())
        for stroke in strokes_of(moves)
        if len(stroke) > 1
    ]
    # Points are the centres of cells, so the board spans -0.5 to 23.5. Less than half a unit off,
    # a reader that moves the viewBox to 0, 0 and rounds still finds the same points.
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"'
            f' viewBox="-0.4 -0.4 {SIZE} {SIZE}" fill="none" stroke="currentColor"'
            f' stroke-width="{STROKE}" stroke-linecap="round" stroke-linejoin="round">',
            *(f'  <path d="{path}"/>' for path in paths),
            "</svg>\n",
        ]
    )


def gif(moves: NDArray[np.integer], path: str | os.PathLike[str], size: int = 256) -> None:
    """Write an animated GIF of the hand drawing one work, atomically.

    The hand moves at an even pace, on the paper and through the air; the finished work is held
    for 1.5 s, then it starts again.

    Args:
        moves: (T,) int. The moves; -1 or END ends them.
        path: Where to write.
        size: Width and height in pixels.
    """
    palette = _palette()
    frames = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in _frames(moves, size)
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


def _frames(moves: NDArray[np.integer], size: int) -> Iterator[Picture]:
    """Frames (size, size, 3) uint8 of the hand drawing; the last is the finished work."""
    tone = np.zeros((size, size), np.float32)

    def frame(at: Point | None, down: bool) -> Picture:
        image = np.empty((size, size, 3), np.float32)
        image[:] = PAPER
        _blend(image, tone, INK)
        if at is not None:
            _draw_pen(image, at, down)
        return _rounded(image)

    at: Point | None = None
    for stroke in strokes_of(moves):
        for i, (x, y) in enumerate(stroke.tolist()):
            start = (x, y) if at is None else at
            distance = math.dist(start, (x, y))
            steps = max(1, math.ceil(distance / GIF_STEP))
            for step in range(1, steps + 1):
                share = step / steps
                now = (start[0] + (x - start[0]) * share, start[1] + (y - start[1]) * share)
                if i > 0:
                    # From the segment's start, so that the last step is the exact segment.
                    np.maximum(tone, _tone([(start, now)], size, STROKE), out=tone)
                yield frame(now, down=i > 0 or step == steps)
            at = (x, y)
    yield frame(None, False)


def _palette() -> Image.Image:
    """The colours a GIF frame can hold: paper, ink, pen, and the blends between them."""
    colours: list[int] = []
    for low, high, levels in ((PAPER, INK, 24), (PAPER, PEN, 12), (INK, PEN, 12)):
        for share in np.linspace(0, 1, levels):
            colours += [round(a + (b - a) * float(share)) for a, b in zip(low, high, strict=True)]
    image = Image.new("P", (1, 1))
    image.putpalette(colours)
    return image


def _segments(moves: NDArray[np.integer]) -> list[tuple[Point, Point]]:
    """The straight lines that moves (T,) draw, each from (x, y) to (x, y)."""
    return [
        (tuple(a), tuple(b))
        for stroke in strokes_of(moves)
        for a, b in zip(stroke[:-1].tolist(), stroke[1:].tolist(), strict=True)
    ]


def _tone(segments: Sequence[tuple[Point, Point]], size: int, width: float) -> Tone:
    """How much of each pixel lines of a width (in points of the board) cover: (size, size)."""
    tone = np.zeros((size, size), np.float32)
    scale = size / SIZE
    radius = max(width * scale / 2, 0.5)
    for (ax, ay), (bx, by) in segments:
        # Pixel i covers i to i + 1: its centre lies at i in these coordinates.
        x0, y0 = (ax + 0.5) * scale - 0.5, (ay + 0.5) * scale - 0.5
        x1, y1 = (bx + 0.5) * scale - 0.5, (by + 0.5) * scale - 0.5
        left, right = _span(x0, x1, radius, size)
        top, bottom = _span(y0, y1, radius, size)
        px = np.arange(left, right, dtype=np.float32)[None, :] - x0
        py = np.arange(top, bottom, dtype=np.float32)[:, None] - y0
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy
        share = np.clip((px * dx + py * dy) / square, 0, 1) if square else np.float32(0)
        distance = np.hypot(px - share * dx, py - share * dy)
        part = tone[top:bottom, left:right]
        np.maximum(part, np.clip(radius + 0.5 - distance, 0, 1), out=part)
    return tone


def _span(a: float, b: float, radius: float, size: int) -> tuple[int, int]:
    """The pixels that a line from a to b can touch along one axis, as a range."""
    low, high = min(a, b) - radius - 1, max(a, b) + radius + 2
    return max(0, math.floor(low)), min(size, math.ceil(high))


def _blend(image: NDArray[np.float32], tone: Tone, colour: tuple[int, int, int]) -> None:
    """Lay a colour over image (S, S, 3), in place, as densely as tone (S, S) says."""
    image += tone[:, :, None] * (np.array(colour, np.float32) - image)


def _rounded(image: NDArray[np.float32]) -> Picture:
    return np.rint(image).astype(np.uint8)


def _mark(image: NDArray[np.float32], moves: NDArray[np.integer], marks: Sequence[int]) -> None:
    """Show the moves with these indices in the accent colour, in place."""
    lines: list[tuple[Point, Point]] = []
    dots: list[tuple[Point, Point]] = []
    wanted, at = set(marks), None
    for t, move in enumerate(moves.tolist()):
        if move < 0 or move == END:
            break
        if move == LIFT:
            at = None
            continue
        here = (move % SIZE, move // SIZE)
        if t in wanted:
            (dots if at is None else lines).append((here if at is None else at, here))
        at = here
    size = len(image)
    _blend(image, _tone(lines, size, STROKE), MARK)
    _blend(image, _tone(dots, size, 0.6 * STROKE), MARK)


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


def _draw_pen(image: NDArray[np.float32], at: Point, down: bool) -> None:
    """Draw the tip of the pen, in place: a disc while down, a ring while lifted."""
    size = len(image)
    rim = _tone([(at, at)], size, 1.25 * STROKE)
    simulator = _tone([(at, at)], size, 0.7 * STROKE)
    _blend(image, rim, PEN)
    if not down:
        _blend(image, simulator, PAPER)


def _line_height(font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> float:
    _, top, _, bottom = font.getbbox("Agj|")
    return bottom + max(0, top) * 0.5


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    width: int,
) -> None:
    """Write one line of text, shortened with dots to a width in pixels."""
    line = " ".join(text.split())
    if font.getlength(line) > width:
        while line and font.getlength(line + "...") > width:
            line = line[:-1]
        line = line.rstrip() + "..."
    draw.text(at, line, TEXT, font)
