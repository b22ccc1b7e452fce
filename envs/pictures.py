"""Pictures to files."""

from __future__ import annotations

import io
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .works import write_atomically


def save_png(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """Write an image ((H, W, 3) uint8) as PNG, atomically."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())
