"""Pictures to files."""

from __future__ import annotations

import io
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from move37.envs.base.works import write_atomically


def save_png(path: str | os.PathLike[str], image: NDArray[np.uint8], colours: int = 0) -> None:
    """Write an image ((H, W, 3) uint8) as PNG, atomically.

    Args:
        path: The file.
        image: What is written.
        colours: At most so many of them, 256 at most: a third of the size; 0 keeps all.
    """
    picture = Image.fromarray(image)
    if colours:
        picture = picture.quantize(colours, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())
