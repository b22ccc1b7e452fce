"""Pictures of works: piano rolls, contact sheets and thumbnails. Needs Pillow, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..works import Works
from .moves import EIGHTHS, FERMATA_ROW, HIGH, LOW, PLACE_ROW, SOPRANO_HIGH, scores_of
from .roll import read_rolls
from .staff import sheet_of

Picture = NDArray[np.uint8]

PAPER, EDGE, TEXT = (252, 250, 245), (220, 215, 204), (43, 41, 38)
GIVEN, OWN, HELD, BEAT = (126, 149, 178), (22, 21, 20), (243, 236, 220), (236, 232, 222)
TOP, BOTTOM = SOPRANO_HIGH + 6, LOW - 5
"""MIDI numbers at the edges of a picture; works are shown up to 6 semitones from where they are."""


def _roll(score: NDArray[np.int16], width: int, height: int) -> Image.Image:
    """One score (5, 32) as a piano roll."""
    scale = 2
    image = Image.new("RGB", (width * scale, height * scale), PAPER)
    pen = ImageDraw.Draw(image)
    column, row = width * scale / EIGHTHS, height * scale / (TOP - BOTTOM + 1)
    for t in range(EIGHTHS):
        if score[FERMATA_ROW, t]:
            pen.rectangle((t * column, 0, (t + 1) * column, height * scale), fill=HELD)
    for t in range(EIGHTHS):
        place = int(score[PLACE_ROW, t])
        if place % 2 == 0 and t:
            line = scale if place == 0 else 1
            pen.line((t * column, 0, t * column, height * scale), EDGE if place else GIVEN, line)
    for note in sheet_of(score).notes:
        if note.midi < 0:
            continue
        y = (TOP - note.midi) * row
        gap = max(1.0, column * 0.12)
        box = (note.begin * column + gap / 2, y - row * 0.35,
               (note.begin + note.size) * column - gap, y + row * 1.35)  # fmt: skip
        pen.rounded_rectangle(box, row * 0.8, fill=OWN if note.voice else GIVEN)
    pen.rectangle((0, 0, width * scale - 1, height * scale - 1), outline=EDGE, width=scale)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _scores(works: Works) -> NDArray[np.int16]:
    if works.images is None:
        return scores_of(works.moves, works.briefs)
    return read_rolls(works.images)


def picture(moves: NDArray[np.integer], brief: NDArray[np.integer], size: int = 512) -> Picture:
    """A piano roll (size, size, 3) uint8 of moves (T,) and brief (67,), so far as it is written."""
    score = scores_of(np.asarray(moves)[None], np.asarray(brief)[None])
    made = int((np.asarray(moves) >= 0).sum())
    if made < EIGHTHS:
        score[0, 1, made:] = 0
        if made < len(score[0, 1]):
            score[0, 1, made] = 1  # nothing sounds beyond what is written
    return np.asarray(_roll(score[0], size, size), np.uint8)


def sheet(
    works: Works,
    columns: int = 10,
    captions: Sequence[str] | None = None,
    size: int = 176,
    title: str | None = None,
) -> Picture:
    """A contact sheet of piano rolls.

    Args:
        works: N works, at least one.
        columns: Tiles in a row, at most.
        captions: N texts under the tiles, or None.
        size: Width of a tile in pixels; it is five eighths as high.
        title: A line above, or None.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If there are no works, or not N captions.
    """
    if not len(works):
        raise ValueError("a sheet needs at least one work")
    if captions is not None and len(captions) != len(works):
        raise ValueError(f"captions: expected {len(works)}, got {len(captions)}")
    columns = max(1, min(columns, len(works)))
    gap, line, high = 10, 18, size * 5 // 8
    top = gap + (28 if title else 0)
    tile = high + gap + (line if captions else 0)
    rows = -(-len(works) // columns)
    width = gap + columns * (size + gap)
    image = Image.new("RGB", (width, top + rows * tile), (241, 238, 231))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    if title:
        pen.text((gap, gap), title, TEXT, ImageFont.load_default(16))
    for i, score in enumerate(_scores(works)):
        x, y = gap + i % columns * (size + gap), top + i // columns * tile
        image.paste(_roll(score, size, high), (x, y))
        if captions:
            pen.text((x + 2, y + high + 2), captions[i], TEXT, font)
    return np.asarray(image, np.uint8)


def sheets_side_by_side(
    left: Works, right: Works, titles: tuple[str, str], columns: int = 6
) -> Picture:
    """Two contact sheets with titles beside each other, (H, W, 3) uint8."""
    pair = [
        sheet(works, columns, title=title)
        for works, title in zip((left, right), titles, strict=True)
    ]
    height = max(part.shape[0] for part in pair)
    ground = np.array((241, 238, 231), np.uint8)
    padded = []
    for part in pair:
        whole = np.broadcast_to(ground, (height, part.shape[1], 3)).copy()
        whole[: part.shape[0]] = part
        padded.append(whole)
    space = np.broadcast_to(ground, (height, 24, 3))
    return np.concatenate([padded[0], space, padded[1]], axis=1)


def thumbnails(works: Works, size: int = 48) -> Picture:
    """(N, size, size, 3) uint8 small piano rolls."""
    out = np.zeros((len(works), size, size, 3), np.uint8)
    for i, score in enumerate(_scores(works)):
        out[i] = np.asarray(_roll(score, size, size), np.uint8)
    return out


assert HIGH < TOP
