"""From SVG files to strokes on the board: what a browser shows of their outlines.

Paths and basic shapes are read, with styles, units, transforms, ``use`` and nested views. Text and
pictures are not. Files are taken to be untrusted: nothing outside the file is looked at, and size,
depth, elements, segments, entities and the work on a line are limited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from move37.envs.drawing.corpus import css, outlines
from move37.envs.drawing.corpus.document import MAX_DEPTH, MAX_ELEMENTS, Document
from move37.envs.drawing.corpus.lines import (
    Box,
    Line,
    Strokes,
    SvgError,
    bounding_box,
    clip,
    fit,
    is_flat,
    to_stroke,
)
from move37.envs.drawing.corpus.painting import GROUND, Mark, moved, shown
from move37.envs.drawing.moves import SIZE

MAX_TOKENS = 20_000
"""Most path commands and numbers in one file, which bounds its segments."""
FEW = 5
"""Most skipped things of one file that are named."""

_GROUPS = frozenset(["svg", "symbol", "g", "a", "switch", "use"])
_SHAPES = frozenset(["path", "line", "polyline", "polygon", "rect", "circle", "ellipse"])
_NOT_READ = frozenset(["text", "image", "foreignObject"])
_ASPECT = re.compile(r"\s*x(Min|Mid|Max)Y(Min|Mid|Max)(?:\s+(meet|slice))?\s*|\s*(none)\b.*")


def read_svg(data: bytes) -> tuple[Strokes, list[str]]:
    """Read an SVG file's outlines as strokes on the board.

    A viewBox of 24 x 24 is taken 1:1; any other (or width and height, or else the bounding box of
    what is drawn) is scaled to 1..22, centred, with its aspect ratio kept. What lies outside it is
    cut off. What cannot be seen is not drawn: outlines without paint, in the colour of what is
    behind them, or completely behind others.

    Args:
        data: The file's bytes.

    Returns:
        Strokes in document order, each (P, 2) int64 of x, y in 0..23 with P >= 2; the pen is
        lifted at each moveto. And what was skipped: ``"path 3 is drawn up to 'foo'"``.

    Raises:
        SvgError: If the file is too large or too deep, declares entities that are long or look
            outside, is not well-formed SVG, or draws nothing.
    """
    with np.errstate(all="ignore"):  # what has overflowed is skipped
        drawing = _Drawing(Document(data))
        marks, box = drawing.root()
        lines = [line for mark in shown(marks, box) for line in mark.lines]
        if not lines:
            why = f" ({drawing.skipped[0]})" if drawing.skipped else ""
            raise SvgError(f"nothing is drawn{why}")
        if box[2] == box[3] == SIZE:
            lines = [line - complex(box[0], box[1]) for line in lines]
        else:
            lines = fit(lines, box, 1.0, SIZE - 2.0)
        more = [f"and {len(drawing.skipped) - FEW} more"] if len(drawing.skipped) > FEW else []
        return [to_stroke(line) for line in lines], drawing.skipped[:FEW] + more


@dataclass(frozen=True)
class _State:
    """What an element has from those around it.

    Attributes:
        style: Inherited properties by name.
        view: Width and height of the view, of which percentages are taken.
        em: Size of the font.
        opacity: Of all groups around it together.
        matched: Parts of selectors that those around it fit.
        open: The elements around it, through ``use`` too.
        cutting: Whether it is part of what cuts others, so that only its shape matters.
    """

    style: Mapping[str, str]
    view: tuple[float, float]
    em: float = 16.0
    opacity: float = 1.0
    matched: css.Matched = css.UNMATCHED
    open: tuple[Element, ...] = ()
    cutting: bool = False

    @property
    def color(self) -> str:
        """What ``currentColor`` is."""
        return self.style.get("color", "black")


class _Drawing:
    """Draws the elements of a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._style = css.Style(
            "".join(texts)
            for element, texts in document.sheets.items()
            if element.get("type", "text/css").strip().lower() in ("", "text/css")
            and element.get("media", "all").strip().lower() in ("", "all", "screen")
        )
        self.skipped: list[str] = self._style.skipped
        self._drawn = self._tokens = 0

    def root(self) -> tuple[list[Mark], Box]:
        """The marks of the whole file, and the box of them that is shown."""
        root = self._document.root
        attributes, _ = self._style.of("svg", root.attrib, css.UNMATCHED, {})
        texts = [attributes.get(name, "") for name in ("width", "height")]
        sizes = [None if "%" in text else css.length(text) for text in texts]
        width, height = (size if size and size > 0 else None for size in sizes)
        view = _view_box(attributes)
        if 0 in sizes or (view and not view[2] * view[3]):
            return [], (0, 0, 0, 0)
        state = _State({}, view[2:] if view else (width or 100.0, height or 100.0))
        marks = self._marks(root, state)
        if view is None:
            if width and height:
                return self._within(marks, (0, 0, width, height))
            lines = [line for mark in marks for line in mark.lines if np.isfinite(line).all()]
            return self._within(marks, bounding_box(lines) if lines else (0, 0, 0, 0))
        if width and height:
            # In units of the viewBox, but stretched as it is, and without what is cut off.
            (x, y, across, down), text = view, attributes.get("preserveAspectRatio", "")
            sx, sy, tx, ty = _placement(text, view, width, height)
            if "slice" in text:
                x, y = max(x, -tx / sx), max(y, -ty / sy)
                across, down = min(across, width / sx), min(down, height / sy)
            sx, sy = sx / max(sx, sy), sy / max(sx, sy)
            view = x * sx, y * sy, across * sx, down * sy
            if sx != sy:
                marks = moved(marks, np.diag([sx, sy, 1.0]))
        return self._within(marks, view)

    def _within(self, marks: list[Mark], box: Box) -> tuple[list[Mark], Box]:
        """The parts of marks inside a box. What has no finite coordinates is skipped."""
        inside = []
        for mark in marks:
            finite = [line for line in mark.lines if np.isfinite(line).all()]
            if len(finite) < len(mark.lines):
                self.skipped.append(f"{mark.label} has coordinates that are not finite")
            parts = [part for line in finite for part in clip(line, box)]
            if parts:
                inside.append(replace(mark, lines=parts))
        return inside, box

    def _count(self, tokens: int) -> None:
        self._tokens += tokens
        if self._tokens > MAX_TOKENS:
            raise SvgError(f"has more than {MAX_TOKENS} path commands and numbers")

    def _marks(
        self, element: Element, outer: _State, used: Mapping[str, str] | None = None
    ) -> list[Mark]:
        """What an element and those in it draw, in the units of what is around it.

        Args:
            element: To draw.
            outer: What it has from those around it.
            used: Attributes of the ``use`` that refers to it.
        """
        tag, label = element.tag, self._document.labels[element]
        drawn = tag in _SHAPES or (tag in _GROUPS and (tag != "symbol" or used is not None))
        if not (drawn or tag in _NOT_READ) or not _applies(element):
            return []
        self._drawn += 1
        if self._drawn > MAX_ELEMENTS:
            raise SvgError(f"draws more than {MAX_ELEMENTS} elements")
        if len(outer.open) > MAX_DEPTH:
            raise SvgError(f"elements are nested more than {MAX_DEPTH} deep")
        attributes, matched = self._style.of(tag, element.attrib, outer.matched, outer.style)
        if attributes.get("display") == "none":
            return []
        state = _inherit(outer, element, attributes, matched)
        if tag in _NOT_READ:
            self.skipped.append(f"{label} is not read")
            return []
        if tag in _SHAPES:
            marks = self._shape(element, attributes, state)
        elif tag == "use":
            marks = self._use(element, attributes, state)
        elif tag in ("svg", "symbol") and outer.open:
            marks = self._view(element, attributes, state, used or {})
        else:
            children = list(element)
            if tag == "switch":
                children = [child for child in children if _applies(child)][:1]
            marks = [mark for child in children for mark in self._marks(child, state)]
        for name, kind in (("clip-path", "clipPath"), ("mask", "mask")):
            url, _ = css.reference(attributes.get(name, ""))
            marks = self._cut(marks, self._referred(url, kind), state)
        return moved(marks, self._matrix(element, attributes))

    def _matrix(self, element: Element, attributes: Mapping[str, str]) -> NDArray[np.float64]:
        """An element's transform; none if it cannot be read."""
        text = attributes.get("transform", "")
        self._count(text.count("("))
        try:
            return outlines.transform(text)
        except ValueError:
            label = self._document.labels[element]
            self.skipped.append(f"{label} has transform={text!r:.40}, which cannot be read")
            return np.eye(3)

    def _referred(self, name: str | None, *kinds: str) -> Element | None:
        """The element of one of these kinds that has this id, if any."""
        found = self._document.ids.get(name) if name else None
        return found if found is not None and found.tag in kinds else None

    def _use(self, element: Element, attributes: Mapping[str, str], state: _State) -> list[Mark]:
        label, name = self._document.labels[element], attributes.get("href", "")
        target = self._document.ids.get(name[1:]) if name[:1] == "#" and name[1:] else None
        if target is None or target in state.open:
            what = "which is not in the file" if target is None else "which contains it"
            self.skipped.append(f"{label} refers to {name!r:.40}, {what}")
            return []
        matrix = np.eye(3)
        matrix[:2, 2] = _number(attributes, "x", state), _number(attributes, "y", state)
        # Rules of style see what is used without what is around it, there and here.
        inner = replace(state, matched=css.UNMATCHED)
        return moved(self._marks(target, inner, attributes), matrix)

    def _view(
        self,
        element: Element,
        attributes: Mapping[str, str],
        state: _State,
        used: Mapping[str, str],
    ) -> list[Mark]:
        """A nested svg, or a symbol that is used."""
        own = attributes if element.tag == "svg" else {}

        def side(name: str, whole: float) -> float:
            given = (_length(source, name, state) for source in (used, own))
            return next((size for size in given if size is not None), whole)

        width, height = side("width", state.view[0]), side("height", state.view[1])
        view = _view_box(attributes)
        if width <= 0 or height <= 0 or (view and not view[2] * view[3]):
            return []
        inner = replace(state, view=view[2:] if view else (width, height))
        marks = [mark for child in element for mark in self._marks(child, inner)]
        if view:
            sx, sy, tx, ty = _placement(
                attributes.get("preserveAspectRatio", ""), view, width, height
            )
            matrix = np.array([[sx, 0, tx], [0, sy, ty], [0, 0, 1]])
            marks = moved(marks, matrix)
        if attributes.get("overflow") not in ("visible", "auto"):
            frame = [outlines.rectangle(0, 0, width, height, 0, 0)]
            cut = [Mark("view", frame, frame, GROUND, None, 0.0, False)]
            marks, _ = self._within(marks, (0, 0, width, height))
            marks = [replace(m, cuts=[*m.cuts, cut]) if m.fill else m for m in marks]
        matrix = np.eye(3)
        if element.tag == "svg":
            matrix[:2, 2] = _number(attributes, "x", state), _number(attributes, "y", state)
        return moved(marks, matrix)

    def _cut(self, marks: list[Mark], by: Element | None, state: _State) -> list[Mark]:
        """Marks with one more thing that cuts them: a clipPath or mask."""
        if by is None or by in state.open or not marks:
            return marks
        attributes, matched = self._style.of(by.tag, by.attrib, css.UNMATCHED, {})
        around = replace(state, style={}, opacity=1.0)
        inner = replace(
            _inherit(around, by, attributes, matched),
            cutting=by.tag == "clipPath" or attributes.get("mask-type") == "alpha",
        )
        units = "clipPathUnits" if by.tag == "clipPath" else "maskContentUnits"
        matrix = self._matrix(by, attributes)
        if by.get(units) == "objectBoundingBox":
            x, y, width, height = bounding_box([line for mark in marks for line in mark.area])
            inner = replace(inner, view=(1.0, 1.0))
            matrix = np.array([[width, 0, x], [0, height, y], [0, 0, 1]]) @ matrix
        cuts = moved([mark for child in by for mark in self._marks(child, inner)], matrix)
        return [replace(mark, cuts=[*mark.cuts, cuts]) for mark in marks]

    def _shape(self, element: Element, attributes: Mapping[str, str], state: _State) -> list[Mark]:
        label, style = self._document.labels[element], state.style
        width = css.length(style.get("stroke-width", "1"), _diagonal(state), state.em) or 0.0
        fill = self._paint("fill", "black", state)
        stroke = self._paint("stroke", "none", state) if width > 0 else None
        if state.cutting:
            fill, stroke = GROUND, None
        if not (fill or stroke) or style.get("visibility", "visible") != "visible":
            return []
        lines = self._outline(element, attributes, state)
        if not lines:
            return []
        # A point has ink only where lines have round or square ends, a straight line no inside.
        butt = style.get("stroke-linecap", "butt") == "butt"
        if stroke:
            kept = [line for line in lines if not (butt and (line == line[0]).all())]
        else:
            kept = [line for line in lines if not is_flat(line)]
        if any(attributes.get(name, "none") != "none" for name in css.MARKERS):
            self.skipped.append(f"{label} has markers, which are not read")
        rule = style.get("clip-rule" if state.cutting else "fill-rule")
        return [Mark(label, kept, lines, fill, stroke, width, rule == "evenodd")] if kept else []

    def _outline(
        self, element: Element, attributes: Mapping[str, str], state: _State
    ) -> list[Line]:
        """A shape's polylines in its own units."""

        def get(name: str) -> float:
            return _number(attributes, name, state)

        def radii(first: str, second: str) -> tuple[float, float]:
            # One that is missing, "auto" or negative is as the other.
            given = [_length(attributes, name, state) for name in (first, second)]
            rx, ry = (radius if radius is not None and radius >= 0 else None for radius in given)
            return (rx if rx is not None else ry or 0), (ry if ry is not None else rx or 0)

        self._count(4)  # a shape takes as long as a short path
        lines: list[Line] = []
        rest, label = "", self._document.labels[element]
        match element.tag:
            case "path":
                text = attributes.get("d", "").strip()
                self._count(outlines.tokens(text))
                found, rest = outlines.commands("" if text == "none" else text)
                lines = outlines.path(found)
            case "line":
                ends = complex(get("x1"), get("y1")), complex(get("x2"), get("y2"))
                lines = [np.array(ends)]
            case "polyline" | "polygon":
                text = attributes.get("points", "")
                self._count(outlines.tokens(text))
                numbers, rest = outlines.numbers(text)
                points = np.array(numbers[: len(numbers) // 2 * 2])
                line = points[0::2] + 1j * points[1::2]
                if len(line) > (element.tag == "polyline"):
                    lines = [np.append(line, line[0]) if element.tag == "polygon" else line]
            case "rect":
                width, height = get("width"), get("height")
                if width > 0 and height > 0:
                    corner = radii("rx", "ry")
                    lines = [outlines.rectangle(get("x"), get("y"), width, height, *corner)]
            case _:
                rx, ry = radii("rx", "ry") if element.tag == "ellipse" else (get("r"), get("r"))
                if rx > 0 and ry > 0:
                    lines = [outlines.ellipse(get("cx"), get("cy"), rx, ry)]
        if rest:
            self.skipped.append(f"{label} is drawn up to {rest!r:.40}, which cannot be read")
        elif not lines:
            self.skipped.append(f"{label} has no points")
        return lines

    def _paint(self, name: str, default: str, state: _State) -> css.Colour | None:
        """The colour of a fill or stroke; None if it is not seen."""
        url, text = css.reference(state.style.get(name, default))
        if self._referred(url, "linearGradient", "radialGradient", "pattern") is not None:
            colour = self._server(url)
        else:
            colour = css.colour(state.color if text.lower() == "currentcolor" else text)
        if colour is None:
            return None
        opacity = colour[3] * state.opacity * css.share(state.style.get(f"{name}-opacity", "1"))
        return (*colour[:3], opacity) if opacity > 0 else None

    def _server(self, url: str | None) -> css.Colour | None:
        """Grey for a gradient or pattern, which is none of its colours; None for an empty one."""
        for _ in range(MAX_DEPTH):
            element = self._document.ids.get(url or "")
            if element is None or len(element):
                return None if element is None else (0.5, 0.5, 0.5, 1.0)
            url = element.get("href", "")[1:]
        return None


def _applies(element: Element) -> bool:
    """Whether an element's conditions hold, for a reader of English who knows no extensions."""
    languages = element.get("systemLanguage", "en").split(",")
    english = any(language.strip().lower().split("-")[0] == "en" for language in languages)
    return english and "requiredExtensions" not in element.attrib


def _inherit(
    outer: _State, element: Element, attributes: Mapping[str, str], matched: css.Matched
) -> _State:
    style = dict(outer.style)
    for name, value in attributes.items():
        if value == "initial":
            style.pop(name, None)
        elif value not in ("inherit", "unset") and (name in css.INHERITED or name[:2] == "--"):
            style[name] = value
    if style.get("color", "").lower() == "currentcolor":
        style["color"] = outer.color
    size = css.length(attributes.get("font-size", ""), outer.em, outer.em)
    return replace(
        outer,
        style=style,
        em=outer.em if size is None else size,
        opacity=outer.opacity * css.share(attributes.get("opacity", "1")),
        matched=matched,
        open=(*outer.open, element),
    )


def _diagonal(state: _State) -> float:
    """What percentages are taken of that are neither across nor down."""
    return float(np.hypot(*state.view) / np.sqrt(2))


def _length(attributes: Mapping[str, str], name: str, state: _State) -> float | None:
    whole = {"x": 0, "width": 0, "y": 1, "height": 1}
    axis = whole.get(name.strip("cr12") or "r")
    percent = _diagonal(state) if axis is None else state.view[axis]
    return css.length(attributes.get(name, ""), percent, state.em)


def _number(attributes: Mapping[str, str], name: str, state: _State) -> float:
    return _length(attributes, name, state) or 0.0


def _view_box(attributes: Mapping[str, str]) -> Box | None:
    """The viewBox; None if there is none, or none that can be read."""
    numbers, rest = outlines.numbers(attributes.get("viewBox", ""))
    if len(numbers) != 4 or rest or min(numbers[2:]) < 0:
        return None
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _placement(
    text: str, box: Box, width: float, height: float
) -> tuple[float, float, float, float]:
    """Scale and offset, each across and down, that bring a viewBox to 0, 0, width, height."""
    match = _ASPECT.fullmatch(text)
    x_align, y_align, how, none = match.groups() if match else ("Mid", "Mid", "meet", None)
    sx, sy = width / box[2], height / box[3]
    if not none:
        sx = sy = max(sx, sy) if how == "slice" else min(sx, sy)
    share = {"Min": 0.0, "Mid": 0.5, "Max": 1.0, None: 0.0}
    tx = (width - sx * box[2]) * share[x_align] - sx * box[0]
    ty = (height - sy * box[3]) * share[y_align] - sy * box[1]
    return sx, sy, tx, ty
