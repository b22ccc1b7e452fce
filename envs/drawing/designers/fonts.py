"""Icon fonts as human drawings: a glyph is rendered, its lines are found and traced.

A glyph drawn with lines becomes those lines; a filled one becomes its outline.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from move37.envs.drawing.corpus.lines import Strokes, SvgError
from move37.envs.drawing.corpus.trace import skeleton, strokes_on_board

logging.getLogger("fontTools").setLevel(logging.ERROR)  # fonts with odd dates and tables

SIDE = 96
"""Pixels of the longer side of a glyph."""
MARGIN = 4
"""Empty pixels around it: a point of the board."""
FILLED = 11.0
"""A glyph whose lines are wider than this in the middle, in pixels, is mostly filled."""
DISC = 6
"""Radius of the smallest disc that fits in what is filled, in pixels."""
WIDER = 0.85
"""The same as a share of the width of the glyph's lines."""


@dataclass(frozen=True)
class IconFont:
    """An icon font in an installed package.

    Attributes:
        package: The distribution that ships it.
        font: Path of the font file in it.
        glyphs: Path of the file that names the code points: .json, .css or .codepoints; empty: the
            font's own names.
        keep: Pattern of the names that are drawings of their own; others are weights and sizes of
            the same drawing.
    """

    package: str
    font: str
    glyphs: str = ""
    keep: str = ".*"

    def records(self, font: Path, glyphs: Path | None) -> list[tuple[str, bytes]]:
        """Names and code points of the glyphs, each drawing once, under its shortest name."""
        with TTFont(font, lazy=True) as opened:
            drawn: dict[int, str] = opened.getBestCmap()
        points = {n: c for c, n in drawn.items()} if glyphs is None else _code_points(glyphs)
        names: dict[int, str] = {}
        for name, code in sorted(points.items(), key=lambda pair: (len(pair[0]), pair)):
            if code in drawn and re.fullmatch(self.keep, name):
                names.setdefault(code, name)
        return sorted((name, str(code).encode()) for code, name in names.items())


def _code_points(glyphs: Path) -> dict[str, int]:
    text = glyphs.read_text("utf-8")
    if glyphs.suffix == ".json":
        # Numbers, or hexadecimal with or without 0x.
        return {n: c if isinstance(c, int) else int(c, 16) for n, c in json.loads(text).items()}
    pattern = r"(?m)^(\S+) ([0-9a-f]+)$"
    if glyphs.suffix == ".css":
        pattern = r'\.([\w-]+):before\s*\{\s*content:\s*"\\([0-9a-fA-F]+)"'
    return {name: int(code, 16) for name, code in re.findall(pattern, text)}


class GlyphReader:
    """Reads glyphs of one font as strokes.

    Args:
        font: Path of the font file.
    """

    def __init__(self, font: Path) -> None:
        self._font = ImageFont.truetype(str(font), 2 * SIDE)
        self.digest = hashlib.sha256(font.read_bytes()).hexdigest()[:16]

    def __call__(self, label: str, data: bytes) -> tuple[str, Strokes, list[str]]:
        """Name and strokes of the glyph whose code point is ``data``, in decimal; nothing skipped.

        Raises:
            SvgError: If nothing is drawn.
        """
        strokes = strokes_on_board(line_picture(self._ink(chr(int(data)))))
        if not strokes:
            raise SvgError("nothing is drawn")
        return label, strokes, []

    def _ink(self, text: str) -> NDArray[np.bool_]:
        """(SIDE, SIDE): the glyph, as large as fits inside the margin, in the middle."""
        left, top, right, bottom = (round(v) for v in self._font.getbbox(text))
        width, height = right - left, bottom - top
        if width <= 0 or height <= 0:
            raise SvgError("nothing is drawn")
        glyph = Image.new("L", (width, height))
        ImageDraw.Draw(glyph).text((-left, -top), text, font=self._font, fill=255)
        scale = (SIDE - 2 * MARGIN) / max(glyph.size)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        board = Image.new("L", (SIDE, SIDE))
        board.paste(
            glyph.resize(size, Image.Resampling.LANCZOS),
            ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2),
        )
        return np.asarray(board) > 127


def line_picture(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The lines of a picture (H, W), one point wide: where it is filled, the outline.

    Filled is what holds a disc clearly wider than the lines are in the middle; if most of the
    picture is filled, what holds a disc of 13 pixels.
    """
    lines = skeleton(ink)
    if not lines.any():
        return lines
    depth = ndimage.distance_transform_edt(np.pad(ink, 1))[1:-1, 1:-1]
    width = 2 * float(np.median(depth[lines]))
    radius = DISC if width > FILLED else max(DISC, int(np.ceil(WIDER * width)))
    filled = ndimage.binary_opening(np.pad(ink, 1), _disc(radius))[1:-1, 1:-1]
    # Opening rounds corners off: what is near and inked belongs to the same shape.
    filled = ndimage.binary_dilation(filled, _disc(3)) & ink
    inside = ndimage.binary_erosion(np.pad(filled, 1), np.ones((3, 3)))[1:-1, 1:-1]
    return np.asarray((filled & ~inside) | (lines & ~filled), np.bool_)


def _disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc: NDArray[np.bool_] = x * x + y * y <= radius * radius + 1
    return disc
