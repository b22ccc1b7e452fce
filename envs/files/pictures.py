"""What the pictures of all worlds have in common: colours, tiles of image works, PNG files."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from move37.envs.base.works import write_atomically

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8."""
Colour = tuple[int, int, int]

PAPER: Colour = (252, 250, 245)
INK: Colour = (22, 21, 20)
GIVEN: Colour = (126, 149, 178)
"""Of the brief: what was on the board before the first move."""
PALE: Colour = (200, 195, 186)
"""Of what a work made before its first improbable move."""
MARK: Colour = (214, 84, 46)
"""Of marked moves, and of the pen."""
GROUND: Colour = (231, 227, 218)
"""Between the tiles of a sheet."""
TEXT: Colour = (58, 55, 50)


LARGEST, WIDEST = 8192, 24
"""The largest picture, in pixels, and the widest line, in points of the board."""


@dataclass(frozen=True)
class Look:
    """How pictures look; what is None is as usual.

    Attributes:
        size: Width and height in pixels, of a sheet those of a tile.
        line_width: In points of the board, which is 24 of them wide.
        ink: Colour of lines.
        paper: Colour of what is behind them; an SVG usually has none.
        smooth: Whether corners are rounded.

    Raises:
        ValueError: If a number is out of range.
    """

    size: int | None = None
    line_width: float | None = None
    ink: Colour | None = None
    paper: Colour | None = None
    smooth: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= LARGEST:
            raise ValueError(f"size: expected 1 to {LARGEST} pixels, got {self.size}")
        if self.line_width is not None and not 0 < self.line_width <= WIDEST:
            raise ValueError(
                f"line_width: expected more than 0 and at most {WIDEST}, got {self.line_width:g}"
            )


USUAL = Look()


def image_tile(image: NDArray[np.uint8], size: int, look: Look = USUAL) -> Picture:
    """The picture of a work that is an image.

    Args:
        image: (H, W) uint8 in {0, 1}, 1 is ink.
        size: Width and height of the picture in pixels.
        look: Its colours.

    Returns:
        (size, size, 3) uint8, ink on paper.
    """
    ink, paper = (np.array(c, np.uint8) for c in (look.ink or INK, look.paper or PAPER))
    rgb = np.where(image[:, :, None] > 0, ink, paper)
    return np.asarray(Image.fromarray(rgb).resize((size, size), Image.Resampling.BOX))


def save_png(path: str | os.PathLike[str], image: Picture, colours: int = 0) -> None:
    """Write a picture as PNG, atomically.

    Args:
        path: The file.
        image: (H, W, 3) uint8.
        colours: Reduce it to at most this many colours (up to 256), which makes the file about a
            third as large; 0 keeps all.
    """
    write_atomically(path, png_bytes(image, colours))


def png_bytes(image: Picture, colours: int = 0) -> bytes:
    """A PNG file of a picture; for the arguments see :func:`save_png`."""
    picture = Image.fromarray(image)
    if colours:
        picture = picture.quantize(colours, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
