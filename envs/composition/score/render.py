"""Pictures of works: piano rolls, contact sheets and thumbnails. Needs Pillow, no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import (
    EIGHTHS,
    FERMATA_ROW,
    HIGH,
    LOW,
    PLACE_ROW,
    SOPRANO_HIGH,
)
from move37.envs.composition.score.roll import read_rolls
from move37.envs.composition.score.staff import sheet_of
from move37.envs.composition.scores import scores_of, silence_ahead

Picture = NDArray[np.uint8]

PAPER, EDGE, TEXT = (252, 250, 245), (220, 215, 204), (43, 41, 38)
GIVEN, OWN, HELD, BEAT = (126, 149, 178), (22, 21, 20), (243, 236, 220), (236, 232, 222)
INKS = {"Soprano": GIVEN, "Alto": (161, 98, 62), "Tenor": (84, 120, 84), "Bass": OWN}
PALE, MARK = (200, 195, 186), (214, 84, 46)
"""Of what was made before a work left the known, and of marks."""
TOP, BOTTOM = SOPRANO_HIGH + 6, LOW - 5
"""MIDI numbers at the edges of a picture; works are shown up to 6 semitones from where they are."""


def _roll(
    score: NDArray[np.int16], width: int, height: int, known: int = 0, marks: Sequence[int] = (),
    both: bool = False,
) -> Image.Image:  # fmt: skip
    """One score (5, 32) as a piano roll.

    Args:
        score: As it is written; (7, 32) in four parts.
        width: In pixels.
        height: In pixels.
        known: Eighths from the beginning in which what was written is pale.
        marks: Eighths with a disc above the bass.
        both: Whether the soprano was written too.
    """
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
    sheet = sheet_of(score)
    notes = sheet.notes
    for note in notes:
        if note.midi < 0:
            continue
        y = (TOP - note.midi) * row
        gap = max(1.0, column * 0.12)
        end = note.begin + note.size
        ink = INKS[sheet.voices[note.voice]]
        inks = [(note.begin, ink)]
        if (note.voice or both) and note.begin < known:
            inks = [(note.begin, PALE), *([(known, ink)] if known < end else [])]
        for begin, shade in inks:
            box = (begin * column + gap / 2, y - row * 0.35, end * column - gap, y + row * 1.35)
            pen.rounded_rectangle(box, row * 0.8, fill=shade)
    for t in marks:
        # Above the note that sounds, in a rest above the one before it.
        bass = len(sheet.voices) - 1
        before = [n.midi for n in notes if n.voice == bass and n.begin <= t and n.midi >= 0]
        y = (TOP - (before[-1] if before else (LOW + HIGH) // 2)) * row
        radius = min(0.42 * column, 4.0 * scale)
        x, y = (t + 0.5) * column, y - row * 0.35 - radius - scale
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), MARK)
    pen.rectangle((0, 0, width * scale - 1, height * scale - 1), outline=EDGE, width=scale)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _scores(works: Works) -> NDArray[np.int16]:
    if works.images is None:
        return scores_of(works.moves, works.briefs, Mode.of(works))
    return read_rolls(works.images)


def picture(
    moves: NDArray[np.integer], brief: NDArray[np.integer], mode: Mode, size: int = 512
) -> Picture:
    """A piano roll (size, size, 3) uint8 of moves (T,) and brief (67,), so far as it is written."""
    score = scores_of(np.asarray(moves)[None], np.asarray(brief)[None], mode)
    made = int((np.asarray(moves) >= 0).sum())
    silence_ahead(score, np.array([made]), mode)
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
    tiles = [_roll(score, size, size * 5 // 8) for score in _scores(works)]
    return _lay_out(tiles, columns, captions, size, title)


def marked_sheet(
    works: Works,
    first: NDArray[np.integer],
    marks: Sequence[Sequence[int]],
    labels: Sequence[str],
    columns: int = 5,
    size: int = 256,
) -> Picture:
    """A contact sheet of where works left the known.

    Args:
        works: N works with moves of their own, at least one.
        first: (N,) int. The move with which each left the known, from 0: what was written
            before its eighth is pale, from it on it is dark. -1: never, all of it is pale.
        marks: For each work the moves, from 0, whose eighth gets a disc above the bass.
        labels: N texts under the tiles.
        columns: Tiles in a row, at most.
        size: Width of a tile in pixels; it is five eighths as high.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If there are no works, not N of something, or the works are images.
    """
    if not len(works):
        raise ValueError("a sheet needs at least one work")
    if works.images is not None:
        raise ValueError("works that are images have no moves to mark")
    if len(labels) != len(works):
        raise ValueError(f"labels: expected {len(works)}, got {len(labels)}")
    mode = Mode.of(works)
    both, voices = not mode.soprano_is_given, mode.voices
    tiles = [
        _roll(
            score, size, size * 5 // 8, t // voices if t >= 0 else EIGHTHS,
            [mark // voices for mark in some], both,
        )
        for score, t, some in zip(_scores(works), first.tolist(), marks, strict=True)
    ]  # fmt: skip
    return _lay_out(tiles, columns, labels, size, None)


def _lay_out(
    tiles: Sequence[Image.Image],
    columns: int,
    captions: Sequence[str] | None,
    size: int,
    title: str | None,
) -> Picture:
    """Tiles row by row, (H, W, 3) uint8; see :func:`sheet`."""
    columns = max(1, min(columns, len(tiles)))
    gap, line, high = 10, 18, size * 5 // 8
    top = gap + (28 if title else 0)
    step = high + gap + (line if captions else 0)
    rows = -(-len(tiles) // columns)
    width = gap + columns * (size + gap)
    image = Image.new("RGB", (width, top + rows * step), (241, 238, 231))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    if title:
        pen.text((gap, gap), title, TEXT, ImageFont.load_default(16))
    for i, tile in enumerate(tiles):
        x, y = gap + i % columns * (size + gap), top + i // columns * step
        image.paste(tile, (x, y))
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
