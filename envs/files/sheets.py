"""Sheets of works, the same for every world: they are made of the world's ``tile``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from move37.envs.base.registry import find_world
from move37.envs.base.works import Works
from move37.envs.files.pictures import GROUND, TEXT, USUAL, Look, Picture, png_bytes
from move37.novelty.storage import printable

if TYPE_CHECKING:  # a world makes its pages and sheets with this file
    from move37.envs.base.world import World

TILE, MARKED_TILE = 144, 216
"""Width and height of a tile in pixels, without and with marks."""
MOST = 64
"""Works that a notebook shows at most."""
GAP = 6
"""Pixels between tiles."""
CAPTION, TITLE = 12, 17
"""Sizes of letters in pixels."""


def sheet(
    world: World,
    works: Works,
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    *,
    size: int = TILE,
    title: str | None = None,
    look: Look = USUAL,
) -> Picture:
    """Lay works out row by row.

    Args:
        world: The works' world, or its class.
        works: N works.
        columns: Tiles in a row, at most; None: about as many as rows.
        captions: N texts below the tiles, shortened to fit; None: no captions.
        size: Width and height of a tile in pixels.
        title: A line above the tiles.
        look: Of the tiles, in what the world's ``looks`` names for ``sheet``.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If ``columns`` is not positive, or there are not N captions.
    """
    size, more = look.size or size, _more(look)
    tiles = [world.tile(works, i, size, **more) for i in range(len(works))]
    return _lay_out(tiles, size, columns, captions, title)


def marked_sheet(
    world: World,
    works: Works,
    first: NDArray[np.integer],
    marks: Sequence[Sequence[int]],
    labels: Sequence[str],
    columns: int = 5,
    *,
    size: int = MARKED_TILE,
    look: Look = USUAL,
) -> Picture:
    """A sheet that shows where each work made its first improbable move.

    Args:
        world: The works' world, or its class.
        works: N works with moves of their own.
        first: (N,) int. Index of that move: what was made before it is pale, what was made from it
            on is dark. -1: there is none, the whole work is pale.
        marks: For each work the indices of the moves that are marked.
        labels: N texts below the tiles, shortened to fit.
        columns: Tiles in a row, at most.
        size: Width and height of a tile in pixels.
        look: See :func:`sheet`.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If ``columns`` is not positive, there are not N of something, or the works are
            images.
    """
    if works.images is not None:
        raise ValueError("works that are images have no moves to mark")
    if not len(works) == len(first) == len(marks):
        raise ValueError(
            f"first, marks: expected {len(works)} each, got {len(first)} and {len(marks)}"
        )
    end, size, more = works.moves.shape[1], look.size or size, _more(look)
    tiles = [
        world.tile(works, i, size, end if at < 0 else at, marks[i], **more)
        for i, at in enumerate(first.tolist())
    ]
    return _lay_out(tiles, size, columns, labels, None)


def notebook_png(works: Works) -> bytes | None:
    """A PNG file of works as a notebook shows them: a large tile of one, a sheet of several.

    Returns:
        None if there are no works, or their world is not known by the name that they bear.
    """
    n = len(works)
    try:
        world = find_world(works.world)()
    except ValueError:
        return None
    if not n:
        return None
    if n == 1:
        return png_bytes(world.tile(works, 0, 2 * TILE))
    columns, title = MOST // 8, f"the first {MOST} of {n} works" if n > MOST else None
    return png_bytes(sheet(world, works[:MOST], columns, works.names[:MOST], title=title), 64)


def side_by_side(
    world: World,
    left: Works,
    right: Works,
    titles: tuple[str, str],
    columns: int = 6,
    *,
    size: int = TILE,
) -> Picture:
    """Two sheets beside each other, e.g. of an imitator's and a learner's works.

    Args:
        world: The works' world, or its class.
        left: Works of the left sheet.
        right: Works of the right sheet.
        titles: The line above each sheet.
        columns: Tiles in a row of each sheet, at most.
        size: Width and height of a tile in pixels.

    Returns:
        (H, W, 3) uint8.
    """
    halves = [
        Image.fromarray(sheet(world, works, columns, size=size, title=title))
        for works, title in zip((left, right), titles, strict=True)
    ]
    begin = halves[0].width + 4 * GAP
    both = Image.new("RGB", (begin + halves[1].width, max(h.height for h in halves)), GROUND)
    both.paste(halves[0], (0, 0))
    both.paste(halves[1], (begin, 0))
    return np.asarray(both)


def thumbnails(world: World, works: Works, size: int = 48) -> NDArray[np.uint8]:
    """Small pictures of N works, (N, size, size, 3) uint8."""
    out = np.zeros((len(works), size, size, 3), np.uint8)
    for i in range(len(works)):
        out[i] = world.tile(works, i, size)
    return out


def _more(look: Look) -> dict[str, Any]:
    """A look as an argument for a world's tile, which need not know looks to be shown as usual."""
    return {} if replace(look, size=None) == USUAL else {"look": look}


def _lay_out(
    tiles: Sequence[Picture],
    size: int,
    columns: int | None,
    captions: Sequence[str] | None,
    title: str | None,
) -> Picture:
    """Square tiles row by row; for the arguments see :func:`sheet`."""
    n = len(tiles)
    if captions is not None and len(captions) != n:
        raise ValueError(f"captions: expected {n}, got {len(captions)}")
    if columns is not None and columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    columns = max(1, min(columns or math.ceil(math.sqrt(n)), n))
    rows = max(1, math.ceil(n / columns))
    head = 0 if title is None else TITLE + 2 * GAP
    step = size + GAP + (0 if captions is None else CAPTION + GAP)

    width = GAP + columns * (size + GAP)
    canvas = Image.new("RGB", (width, head + GAP + rows * step), GROUND)
    draw = ImageDraw.Draw(canvas)
    if title is not None:
        _write(draw, (GAP + 1, GAP), title, TITLE, width - 2 * GAP - 2)
    for i, tile in enumerate(tiles):
        left = GAP + i % columns * (size + GAP)
        top = head + GAP + i // columns * step
        canvas.paste(Image.fromarray(tile), (left, top))
        if captions is not None:
            _write(draw, (left + 1, top + size + 1), captions[i], CAPTION, size - 2)
    return np.asarray(canvas)


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, width: int
) -> None:
    """Write one line of text, shortened with dots to a width in pixels."""
    font = ImageFont.load_default(size)
    line = printable(" ".join(text.split()))
    if font.getlength(line) > width:
        while line and font.getlength(line + "...") > width:
            line = line[:-1]
        line = line.rstrip() + "..."
    draw.text(at, line, TEXT, font)
