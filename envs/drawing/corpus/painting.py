"""Which outlines of a drawing can be seen: what it looks like, painted in small.

Marks are painted one after the other, each with its colours, on a white page. A mark owns the
points that it changed and that none after it changed again, other than by a tint. Its line is seen
where points that it owns differ from the points beside them, unless those belong to a mark above
it, whose line that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from move37.envs.drawing.corpus.css import Colour
from move37.envs.drawing.corpus.lines import Box, Line, clip, is_flat

GROUND: Colour = (1.0, 1.0, 1.0, 1.0)
"""The colour of the page."""
POINTS = 96
"""Points along the longer side of the painting: four for each cell of the board."""
REACH = 1.5
"""How far from a line its edge may be seen, in points."""

Mask = NDArray[np.bool_]
"""Points of the painting, (H, W) bool."""


@dataclass(frozen=True)
class Mark:
    """A shape of a drawing.

    Attributes:
        label: How to call it in a message.
        lines: Its outline, as far as it is drawn.
        area: Its whole outline, which bounds what is filled.
        fill: The colour inside; None if there is none.
        stroke: The colour of the outline; None if there is none.
        width: Of the outline, in the same units as the lines.
        evenodd: Whether holes are by the rule "evenodd", not "nonzero".
        cuts: Clip paths and masks around it, each as the marks that show it.
    """

    label: str
    lines: list[Line]
    area: list[Line]
    fill: Colour | None
    stroke: Colour | None
    width: float
    evenodd: bool
    cuts: list[list[Mark]] = field(default_factory=list)


def moved(marks: Sequence[Mark], matrix: NDArray[np.float64]) -> list[Mark]:
    """Marks in other units, by a (3, 3) matrix. What cuts several of them still is one thing."""
    if (matrix == np.eye(3)).all():
        return list(marks)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    cuts = {id(cut): cut for mark in marks for cut in mark.cuts}
    moved_cuts = {key: moved(cut, matrix) for key, cut in cuts.items()}
    return [
        replace(
            mark,
            lines=[_moved(line, matrix) for line in mark.lines],
            area=[_moved(line, matrix) for line in mark.area],
            width=mark.width * scale,
            cuts=[moved_cuts[id(cut)] for cut in mark.cuts],
        )
        for mark in marks
    ]


def _moved(line: Line, matrix: NDArray[np.float64]) -> Line:
    x, y, _ = matrix @ np.stack([line.real, line.imag, np.ones(len(line))])
    return np.asarray(x + 1j * y)


def shown(marks: Sequence[Mark], box: Box) -> list[Mark]:
    """Marks with those of their lines that can be seen in a box.

    Lines of one colour on the page are all taken to be seen: which is above the other is the same.
    """
    colours = {mark.stroke for mark in marks}
    if len(colours) < 2 and not (
        GROUND in colours or any(mark.fill or mark.cuts for mark in marks)
    ):
        return list(marks)
    canvas = _Canvas(box)
    cut = [replace(mark, lines=canvas.cut(mark)) for mark in marks]
    for i, mark in enumerate(cut, 1):
        canvas.paint(mark, i)
    edges = canvas.edges()
    found = []
    for i in np.unique(edges[edges > 0]):
        mark = cut[i - 1]
        own = (edges == i).any(axis=0)
        lines = [line for line in mark.lines if canvas.on(own, mark, line)]
        found.append(replace(mark, lines=[canvas.closed(own, mark, line) for line in lines]))
    return found


class _Canvas:
    """The page, painted in small."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._corner = complex(box[0], box[1])
        self._scale = (POINTS - 1) / max(*box[2:], 1e-99)
        self._shape = round(box[3] * self._scale) + 1, round(box[2] * self._scale) + 1
        self._picture = np.full(self._shape, 0xFFFFFF, np.int32)
        self._windows: dict[int, Mask] = {}
        self._owners = np.zeros((2, *self._shape), np.int32)  # of opaque paint and of tints on it

    def _points(self, line: Line) -> list[float]:
        scaled = np.nan_to_num((line - self._corner) * self._scale)
        pairs = np.stack([scaled.real, scaled.imag], axis=1)
        return np.clip(pairs, -1e4, 1e4).ravel().tolist()

    def _line(self, line: Line, width: float) -> Mask:
        image = Image.new("1", self._shape[::-1])
        ImageDraw.Draw(image).line(self._points(line), 1, max(1, round(min(width, 2.0 * POINTS))))
        return np.asarray(image)

    def _inside(self, mark: Mark) -> Mask:
        """What a mark fills: by the turns of its outline around each point."""
        turns = np.zeros(self._shape, np.int32)
        for line in mark.area:
            image = Image.new("1", self._shape[::-1])
            ImageDraw.Draw(image).polygon(self._points(line), 1)
            area = (line.real * np.roll(line, -1).imag - line.imag * np.roll(line, -1).real).sum()
            turns += np.asarray(image) * (1 if mark.evenodd or area > 0 else -1)
        return np.asarray(turns % 2 == 1 if mark.evenodd else turns != 0)

    def _layers(self, mark: Mark) -> Iterator[tuple[Mask, Colour]]:
        window = self._window(mark)
        if mark.fill:
            yield self._inside(mark) & window, mark.fill
        if mark.stroke:
            for line in mark.lines:
                yield self._line(line, mark.width * self._scale) & window, mark.stroke

    def _window(self, mark: Mark) -> Mask:
        """Where the clip paths and masks of a mark show it."""
        window = np.ones(self._shape, bool)
        for cut in mark.cuts:
            if id(cut) not in self._windows:
                light = np.zeros(self._shape)
                for part in cut:
                    for where, colour in self._layers(part):
                        light[where] += (np.mean(colour[:3]) - light[where]) * colour[3]
                self._windows[id(cut)] = light >= 0.1
            window &= self._windows[id(cut)]
        return window

    def paint(self, mark: Mark, owner: int) -> None:
        """Paint a mark; it owns what that changes."""
        for where, (*colour, opacity) in self._layers(mark):
            after = np.zeros(self._shape, np.int32)
            for shift, channel in zip((16, 8, 0), colour, strict=True):
                before = self._picture >> shift & 255
                after |= np.rint(before + (255 * channel - before) * opacity).astype(int) << shift
            level = 0 if opacity == 1 else 1
            if level == 0:
                self._owners[1][where] = 0
            self._owners[level][where & (after != self._picture)] = owner
            np.copyto(self._picture, after, where=where)

    def cut(self, mark: Mark) -> list[Line]:
        """The lines of a mark as its clip paths and masks show them, and theirs where it ends."""
        if not mark.cuts:
            return mark.lines
        window = self._window(mark)
        parts = [part for line in mark.lines for part in self._seen(line, window)]
        if mark.fill:
            inside = self._inside(mark) & window
            bounds = [line for cut in mark.cuts for part in cut for line in part.area]
            inner = [part for line in bounds for part in clip(line, self._box)]
            parts += [part for line in inner for part in self._seen(line, inside)]
        return parts

    def _seen(self, line: Line, window: Mask) -> list[Line]:
        """The parts of a line in a window."""
        counts = np.ceil(np.abs(np.diff(line)) * self._scale).astype(int) + 1
        at = np.repeat(np.arange(len(counts)), counts)
        share = (np.arange(len(at)) - (np.cumsum(counts) - counts)[at]) / counts[at]
        dense = np.append(line[at] + share * np.diff(line)[at], line[-1])
        x, y = np.rint(np.reshape(self._points(dense), (-1, 2))).astype(int).T
        seen = window[np.clip(y, 0, window.shape[0] - 1), np.clip(x, 0, window.shape[1] - 1)]
        runs = np.split(dense, np.flatnonzero(np.diff(seen)) + 1)[not seen[0] :: 2]
        return [line] if seen.all() else [run for run in runs if len(run) > 1]

    def edges(self) -> NDArray[np.int32]:
        """The owners of points that differ from one beside them that is not above; else 0."""
        edges = np.zeros_like(self._owners)
        for here, there in (
            (np.s_[1:], np.s_[:-1]),
            (np.s_[:-1], np.s_[1:]),
            (np.s_[:, 1:], np.s_[:, :-1]),
            (np.s_[:, :-1], np.s_[:, 1:]),
        ):
            differs = self._picture[here] != self._picture[there]
            for level in (0, 1):
                own = self._owners[level][here]
                edge = differs & (self._owners[0][there] <= own)
                if level == 1:  # what a tint lies on may differ inside it
                    edge &= self._owners[1][there] != own
                edges[level][here] = np.where(edge, own, edges[level][here])
        return edges

    def on(self, edges: Mask, mark: Mark, line: Line) -> bool:
        """Whether a line of a mark is at one of its edges."""
        wide = mark.width * self._scale if mark.stroke else 0.0
        return bool((self._line(line, wide + 2 * REACH) & edges).any())

    def closed(self, edges: Mask, mark: Mark, line: Line) -> Line:
        """The line, closed if what it fills has most of an edge there."""
        if not mark.fill or line[0] == line[-1] or is_flat(line):
            return line
        near = ndimage.binary_dilation(edges, np.ones((3, 3)))
        seen = near[self._line(line[[-1, 0]], 1.0)].mean() > 0.5
        return np.append(line, line[0]) if seen else line
