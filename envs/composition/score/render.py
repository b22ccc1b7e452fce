"""Pictures of works as piano rolls, for people; see ``roll.py`` for those that judges look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

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
from move37.envs.files.pictures import GIVEN, INK, MARK, PALE, PAPER, Colour, Picture

VOICE_COLOURS: dict[str, Colour] = {
    "Soprano": GIVEN, "Alto": (161, 98, 62), "Tenor": (84, 120, 84), "Bass": INK,
}  # fmt: skip
EDGE, FERMATA = (220, 215, 204), (243, 236, 220)
"""Of the frame and of lines within a bar; behind notes under a fermata."""
TOP, BOTTOM = SOPRANO_HIGH + 6, LOW - 5
"""MIDI numbers at the edges: works are shown in their own key, at most 6 semitones from where they
are written."""
LARGER = 2
"""How many times larger a picture is drawn than it is shown, for smooth edges."""
DISC = 4 * LARGER
"""Radius of the disc of a mark, in pixels as it is drawn."""


class _Roll:
    """A piano roll of one work, drawn larger than it is shown.

    Args:
        score: (5, 32), or (7, 32) in four parts.
        width: In pixels, as it is shown.
        height: In pixels, as it is shown.
    """

    def __init__(self, score: NDArray[np.int16], width: int, height: int) -> None:
        self._size = (width * LARGER, height * LARGER)
        self._image = Image.new("RGB", self._size, PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._column, self._row = self._size[0] / EIGHTHS, self._size[1] / (TOP - BOTTOM + 1)
        self._score, self._sheet = score, sheet_of(score)

    def _y(self, midi: int) -> float:
        return (TOP - midi) * self._row

    def bars(self) -> None:
        """Draw fermatas, bar lines and lines at every quarter."""
        (_, bottom), column = self._size, self._column
        for t in np.flatnonzero(self._score[FERMATA_ROW]).tolist():
            self._draw.rectangle((t * column, 0, (t + 1) * column, bottom), FERMATA)
        for t, place in enumerate(self._score[PLACE_ROW].tolist()):
            if place % 2 == 0 and t:
                colour, width = (EDGE, 1) if place else (GIVEN, LARGER)
                x = round(t * column / LARGER) * LARGER  # at the edge of a pixel: equally sharp
                self._draw.rectangle((x, 0, x + width - 1, bottom), colour)

    def notes(self, known: int, soprano: bool) -> None:
        """Draw every note.

        Args:
            known: What was written in the eighths before this one is pale.
            soprano: Whether the soprano was written too, and not given.
        """
        gap = max(1.0, self._column * 0.12)
        for note in self._sheet.notes:
            if note.midi < 0:
                continue
            colour, end = VOICE_COLOURS[self._sheet.voices[note.voice]], note.begin + note.size
            cut = note.begin
            if note.voice or soprano:
                cut = min(max(known, note.begin), end)
            top = self._y(note.midi) - 0.35 * self._row
            for begin, until, shade in ((note.begin, cut, PALE), (cut, end, colour)):
                if begin == until:
                    continue
                first, last = begin == note.begin, until == end  # else it goes on: no round end
                left = begin * self._column + (gap / 2 if first else 0)
                right = until * self._column - (gap if last else 1)
                radius = 0.8 * self._row if self._row >= 4 else 0  # Pillow cannot round less
                self._draw.rounded_rectangle(
                    (left, top, max(left, right), top + 1.7 * self._row), radius, shade,
                    corners=(first, last, last, first),
                )  # fmt: skip

    def discs(self, marks: Sequence[int]) -> None:
        """Draw a disc in some eighths, above the bass's note (in a rest: its last note)."""
        bass = len(self._sheet.voices) - 1
        for t in marks:
            before = [
                n.midi for n in self._sheet.notes
                if n.voice == bass and n.begin <= t and n.midi >= 0
            ]  # fmt: skip
            note = self._y(before[-1] if before else (LOW + HIGH) // 2) - 0.35 * self._row
            x, y = (t + 0.5) * self._column, note - DISC - LARGER
            self._draw.ellipse((x - DISC, y - DISC, x + DISC, y + DISC), MARK)

    def picture(self) -> Picture:
        """What is drawn, in a frame and in its size."""
        width, height = self._size
        self._draw.rectangle((0, 0, width - 1, height - 1), outline=EDGE, width=LARGER)
        return np.asarray(self._image.reduce(LARGER))


def roll(
    works: Works,
    i: int,
    width: int,
    height: int,
    first: int | None = None,
    marks: Sequence[int] = (),
) -> Picture:
    """Draw one work as a piano roll.

    Args:
        works: Finished or not: voices are silent from where nothing is written yet.
        i: Which of them.
        width: In pixels.
        height: In pixels.
        first: What was written in the eighths before that of the move of this index is pale; None:
            nothing is.
        marks: Indices of moves whose eighth gets a disc above the bass.

    Returns:
        (height, width, 3) uint8.
    """
    mode = Mode.of(works)
    if works.images is None:
        work = slice(i, i + 1)
        score = scores_of(works.moves[work], works.briefs[work], mode)
        silence_ahead(score, works.lengths[work], mode)
    else:
        score = read_rolls(works.images[i : i + 1])
    drawn = _Roll(score[0], width, height)
    drawn.bars()
    drawn.notes((first or 0) // mode.voices, not mode.soprano_is_given)
    drawn.discs([t // mode.voices for t in marks])
    return drawn.picture()


def tile(
    works: Works, i: int, size: int, first: int | None = None, marks: Sequence[int] = ()
) -> Picture:
    """The picture of one work on a sheet; see :meth:`move37.envs.base.world.World.tile`."""
    return roll(works, i, size, size, first, marks)


def picture(
    moves: NDArray[np.integer], brief: NDArray[np.integer], mode: Mode, size: int = 512
) -> Picture:
    """A piano roll (size, size, 3) uint8 of moves (T,) and brief (67,), as far as it is written."""
    work = Works(mode.world, np.asarray(moves, np.int16)[None], np.asarray(brief, np.int16)[None])
    return tile(work, 0, size)
