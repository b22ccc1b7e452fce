"""From SVG files to strokes on the board: parse, flatten, scale, simplify, round.

Only outlines are read: paths, lines, polylines, polygons, rectangles, circles and ellipses in
nested groups with transforms. Text, images, stylesheets and paint are ignored. Files are taken
to be untrusted: declarations of entities and of long attribute defaults are refused, nothing
outside the file is looked at, and size, depth, elements, segments and the work on a line are
limited.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray
from svgpathtools import Arc, CubicBezier, Path, QuadraticBezier
from svgpathtools.parser import parse_transform

from move37.envs.drawing.moves import SIZE

MAX_BYTES = 1 << 20
"""Largest SVG file read, in bytes."""
MAX_DEPTH = 64
"""Deepest nesting of elements."""
MAX_ELEMENTS = 20_000
"""Most elements in one file."""
MAX_DEFAULTS = 512
"""Characters of all attribute defaults that a file declares: each element may get them all."""
MAX_TOKENS = 20_000
"""Most path commands and numbers in one file, which bounds its segments."""
MAX_WORK = 10_000_000
"""Most distances computed to simplify one line, which can take the square of its points."""
TOLERANCE = 0.35
"""Ramer-Douglas-Peucker tolerance, in cells of the board."""

_SVG = "http://www.w3.org/2000/svg"
# No two parts of a pattern may match the same run of characters, or a long one that fits nowhere
# would be tried in every way.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LENGTH = re.compile(rf"\s*({_NUMBER.pattern})\s*(?:px\s*)?", re.ASCII)
_TOKEN = re.compile(rf"[A-DF-Za-df-z]|{_NUMBER.pattern}", re.ASCII)
_PATH = re.compile(r"\s*[Mm][MmZzLlHhVvCcSsQqTtAaEe0-9+\-.,\s]*", re.ASCII)
_NOT_DRAWN = frozenset(
    "defs clipPath mask marker pattern symbol filter metadata title desc linearGradient "
    "radialGradient style script text image foreignObject".split()
)
_STEPS = np.linspace(0.0, 1.0, 25)
_TURN = np.exp(1j * np.linspace(0.0, 2.0 * np.pi, 73))

Strokes = list[NDArray[np.int64]]
"""The strokes of a drawing, each (P, 2) of x, y in 0..23."""
Line = NDArray[np.complex128]
"""A polyline, (P,) complex: x + iy in user units."""
Box = tuple[float, float, float, float]
"""x, y, width and height in user units."""


class SvgError(ValueError):
    """An SVG file that is broken, refused or draws nothing."""


@dataclass(frozen=True)
class _State:
    """What an element inherits: (3, 3) matrix to root units, paint, and whether it is drawn."""

    matrix: NDArray[np.float64]
    fill: str = "black"
    stroke: str = "none"
    drawn: bool = True


def read_svg(data: bytes) -> Strokes:
    """Read an SVG file's outlines as strokes on the board.

    A viewBox of 24 x 24 is taken 1:1; any other (or width and height, or else the bounding box of
    what is drawn) is scaled to 1..22, centred, with its aspect ratio kept.

    Args:
        data: The file's bytes.

    Returns:
        Strokes in document order, each (P, 2) int64 of x, y in 0..23 with P >= 2; the pen is
        lifted at each moveto.

    Raises:
        SvgError: If the file is too large or too deep, declares entities, is not well-formed SVG,
            has a broken or empty shape, or draws nothing.
    """
    if len(data) > MAX_BYTES:
        raise SvgError(f"{len(data)} bytes or more, at most {MAX_BYTES} are read")
    reader = _Reader()
    with np.errstate(all="ignore"):  # to_stroke refuses what has overflowed
        try:
            reader.parser.Parse(data, True)
        except SvgError:
            raise
        except (expat.ExpatError, ValueError, LookupError) as error:  # the latter: encodings
            raise SvgError(f"not well-formed XML ({error})") from error
        if not reader.lines:
            raise SvgError("nothing is drawn")
        box = reader.box or bounding_box(reader.lines)
        if box[2] == box[3] == SIZE:
            return [to_stroke(line - complex(box[0], box[1])) for line in reader.lines]
        return [to_stroke(line) for line in fit(reader.lines, box, 1.0, SIZE - 2.0)]


def bounding_box(lines: Sequence[Line]) -> Box:
    """Smallest box around the polylines."""
    points = np.concatenate(lines)
    x, y = float(points.real.min()), float(points.imag.min())
    return x, y, float(points.real.max()) - x, float(points.imag.max()) - y


def fit(lines: Sequence[Line], box: Box, low: float, high: float) -> list[Line]:
    """Scale polylines so that the box's longer side spans low..high, centred, in cells."""
    size = max(box[2], box[3])
    scale = (high - low) / size if size > 0 else 1.0
    centre = complex(box[0] + box[2] / 2, box[1] + box[3] / 2)
    middle = complex(1, 1) * (low + high) / 2
    return [(line - centre) * scale + middle for line in lines]


def simplify(line: Line, tolerance: float = TOLERANCE) -> Line:
    """Ramer-Douglas-Peucker: drop points closer than ``tolerance`` to what remains.

    Not skimage.measure.approximate_polygon: its work is not bounded, and where two points of a
    symmetric curve are equally far it picks the other one, so that works would change.

    Raises:
        SvgError: If the line is so intricate that this would take very long.
    """
    work = 0
    keep = np.zeros(len(line), bool)
    keep[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        work += last - first
        if work > MAX_WORK:
            raise SvgError(f"a line of {len(line)} points is too intricate")
        inner = line[first + 1 : last] - line[first]
        chord = line[last] - line[first]
        length2 = abs(chord) ** 2
        along = np.clip((inner * chord.conjugate()).real / length2, 0, 1) if length2 else 0.0
        distance = np.abs(inner - along * chord)
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return line[keep]


def to_stroke(line: Line) -> NDArray[np.int64]:
    """Simplify a polyline given in cells and round it to the board.

    Returns:
        (P, 2) int64 of x, y in 0..23 without successive duplicates. A line that collapses to one
        point, or a closed one no larger than a cell, becomes a dot: its point twice.

    Raises:
        SvgError: If a coordinate is not finite.
    """
    if not np.isfinite(line).all():
        raise SvgError("a coordinate is not finite")
    x, y, width, height = bounding_box([line])
    if abs(line[0] - line[-1]) < 1e-6 and max(width, height) < 1 + 1e-6:
        line = np.array([complex(x + width / 2, y + height / 2)])
    line = simplify(line)
    # Halves go up, not to even, so that equal lengths stay equal on the board.
    points = np.floor(np.stack([line.real, line.imag], axis=1) + 0.5 + 1e-9)
    points = np.clip(points, 0, SIZE - 1).astype(np.int64)
    fresh = np.ones(len(points), bool)
    fresh[1:] = (points[1:] != points[:-1]).any(axis=1)
    points = points[fresh]
    return np.repeat(points, 2, axis=0) if len(points) == 1 else points


class _Reader:
    """Collects the polylines of one SVG file while expat walks through it."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.box: Box | None = None
        self._states: list[_State] = []
        self._counts: dict[str, int] = {}
        self._elements = self._tokens = self._defaults = 0
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.EntityDeclHandler = self._refuse_entity
        self.parser.AttlistDeclHandler = self._refuse_defaults
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise SvgError(f"declares the entity {name!r:.40}, entity declarations are refused")

    def _refuse_defaults(
        self, element: str, name: str, kind: str, default: str | None, required: int
    ) -> None:
        # Like entities they multiply: one long default, on every element of that name. Short ones
        # are legitimate: KanjiVG's files declare the namespace of their own attributes.
        self._defaults += len(default or "")
        if self._defaults > MAX_DEFAULTS:
            what = f"{name!r:.40} of {element!r:.40}"
            raise SvgError(f"declares long defaults ({what}), they are refused")

    def _end(self, _: str) -> None:
        self._states.pop()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, tag = name.rpartition("}")
        if not self._states and (tag != "svg" or space not in ("", _SVG)):
            raise SvgError(f"the root element is <{tag:.40}>, not <svg>")
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise SvgError(f"has more than {MAX_ELEMENTS} elements")
        if len(self._states) >= MAX_DEPTH:
            raise SvgError(f"elements are nested more than {MAX_DEPTH} deep")
        outer = self._states[-1] if self._states else _State(np.eye(3))
        if space not in ("", _SVG) or tag in _NOT_DRAWN or not outer.drawn:
            self._states.append(_State(outer.matrix, drawn=False))
            return
        self._counts[tag] = self._counts.get(tag, 0) + 1
        where = f"{tag:.40} {self._counts[tag]}"
        try:
            state = self._inherit(outer, tag, attributes)
            self._states.append(state)
            if state.drawn and not state.fill == state.stroke == "none":
                for line in self._shape(tag, attributes):
                    points = np.stack([line.real, line.imag, np.ones(len(line))])
                    x, y, _ = state.matrix @ points
                    self.lines.append(x + 1j * y)
        except SvgError as error:
            raise SvgError(f"{where} {error}") from error
        except (ValueError, ArithmeticError, AssertionError, LookupError) as error:
            # svgpathtools reports broken paths in all of these ways, and quotes them whole.
            raise SvgError(f"{where} cannot be read ({error!r:.120})") from error

    def _inherit(self, outer: _State, tag: str, attributes: Mapping[str, str]) -> _State:
        style = dict(
            (part.partition(":")[0].strip(), part.partition(":")[2].strip())
            for part in attributes.get("style", "").split(";")
        )
        paint = {**attributes, **style}
        self._count(attributes.get("transform", ""))
        matrix = outer.matrix @ parse_transform(attributes.get("transform"), strict=True)
        if tag == "svg":
            box = _view_box(attributes)
            if self._states:
                matrix = matrix @ _placement(attributes, box)
            else:
                self.box = box
        hidden = paint.get("display") == "none" or paint.get("visibility") == "hidden"
        fill, stroke = paint.get("fill", "inherit"), paint.get("stroke", "inherit")
        return _State(
            matrix,
            outer.fill if fill == "inherit" else fill,
            outer.stroke if stroke == "inherit" else stroke,
            not hidden,
        )

    def _shape(self, tag: str, attributes: Mapping[str, str]) -> list[Line]:
        """The element's polylines in its own units; none for a group or an unknown element."""
        number = _Numbers(attributes)
        match tag:
            case "path":
                return self._path(attributes.get("d", ""))
            case "line":
                ends = complex(number["x1"], number["y1"]), complex(number["x2"], number["y2"])
                return [np.array(ends)]
            case "polyline" | "polygon":
                text = attributes.get("points", "")
                self._count(text)
                points = np.array([float(value) for value in _NUMBER.findall(text)])
                if len(points) == 0 or len(points) % 2:
                    raise SvgError("has no points" if len(points) == 0 else "has an odd coordinate")
                line = points[0::2] + 1j * points[1::2]
                return [np.append(line, line[0]) if tag == "polygon" else line]
            case "rect":
                return [_rectangle(number)]
            case "circle" | "ellipse":
                names = ("r", "r") if tag == "circle" else ("rx", "ry")
                rx, ry = _positive(number, names[0]), _positive(number, names[1])
                centre = complex(number["cx"], number["cy"])
                return [centre + rx * _TURN.real + 1j * ry * _TURN.imag]
            case "use":
                raise SvgError("refers to another element, which is not supported")
        return []

    def _count(self, text: str) -> None:
        self._tokens += len(_TOKEN.findall(text))
        if self._tokens > MAX_TOKENS:
            raise SvgError(f"brings the file past {MAX_TOKENS} path commands and numbers")

    def _path(self, text: str) -> list[Line]:
        if not text.strip():
            raise SvgError("has no points")
        if not _PATH.fullmatch(text):
            raise SvgError("has path data that does not start with M or is no path data")
        self._count(text)
        lines: list[Line] = []
        position = 0j
        # Split by hand: svgpathtools forgets a moveto to where the pen already is.
        for part in re.findall(r"[Mm][^Mm]*", text):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # arcs of radius 0 are lines, as SVG says
                segments = Path(part, current_pos=position)._segments
            if segments:
                line = _flatten(segments)
            else:
                x, y = (float(value) for value in _NUMBER.findall(part)[:2])
                line = np.array([complex(x, y) + (position if part[0] == "m" else 0)])
            position = complex(line[-1])
            if segments or "z" in part.lower():
                lines.append(line)
        if not lines:
            raise SvgError("has no points")
        return lines


def _flatten(segments: Sequence[object]) -> Line:
    """Chain of svgpathtools segments to one polyline; curves become up to 72 chords."""
    pieces: list[Line] = [np.array([segments[0].start], np.complex128)]  # type: ignore[attr-defined]
    for segment in segments:
        match segment:
            case CubicBezier():
                p, t = segment.bpoints(), _STEPS[1:]
                u = 1 - t
                piece = u**3 * p[0] + 3 * u * t * (u * p[1] + t * p[2]) + t**3 * p[3]
            case QuadraticBezier():
                p, t = segment.bpoints(), _STEPS[1:]
                piece = (1 - t) ** 2 * p[0] + 2 * t * (1 - t) * p[1] + t**2 * p[2]
            case Arc():
                steps = np.linspace(0, 1, 2 + int(abs(segment.delta) // 5))[1:]
                angle = np.radians(segment.theta + steps * segment.delta)
                radius = segment.radius
                ellipse = radius.real * np.cos(angle) + 1j * radius.imag * np.sin(angle)
                piece = segment.rot_matrix * ellipse + segment.center
                piece[-1] = segment.end
            case _:
                piece = np.array([segment.end], np.complex128)  # type: ignore[attr-defined]
        pieces.append(piece)
    return np.concatenate(pieces)


class _Numbers:
    """An element's attributes as numbers of user units; missing ones are 0."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._attributes = attributes

    def __contains__(self, name: str) -> bool:
        return name in self._attributes

    def __getitem__(self, name: str) -> float:
        text = self._attributes.get(name, "0")
        match = _LENGTH.fullmatch(text)
        if not match:
            raise SvgError(f"has {name}={text!r:.40}, expected a number")
        return float(match[1])


def _positive(number: _Numbers, name: str) -> float:
    if number[name] <= 0:
        raise SvgError(f"has no points ({name} is {number[name]:g})")
    return number[name]


def _rectangle(number: _Numbers) -> Line:
    width, height = _positive(number, "width"), _positive(number, "height")
    x, y = number["x"], number["y"]
    rx = min(number["rx" if "rx" in number else "ry"], width / 2)
    ry = min(number["ry" if "ry" in number else "rx"], height / 2)
    if rx <= 0 or ry <= 0:
        rx = ry = 0.0
    corners = [  # each with the part of the turn that rounds it, clockwise from top right
        (x + width - rx, y + ry, slice(54, 73)),
        (x + width - rx, y + height - ry, slice(0, 19)),
        (x + rx, y + height - ry, slice(18, 37)),
        (x + rx, y + ry, slice(36, 55)),
    ]
    pieces = [
        complex(cx, cy) + rx * _TURN[part].real + 1j * ry * _TURN[part].imag
        for cx, cy, part in corners
    ]
    return np.concatenate([*pieces, pieces[0][:1]])


def _view_box(attributes: Mapping[str, str]) -> Box | None:
    """The viewBox, else 0, 0, width, height where both are plain lengths, else None."""
    if "viewBox" in attributes:
        values = [float(value) for value in _NUMBER.findall(attributes["viewBox"])]
        if len(values) != 4 or not min(values[2:]) > 0 or not np.isfinite(values).all():
            raise SvgError(f"has viewBox={attributes['viewBox']!r:.40}, expected x y width height")
        return values[0], values[1], values[2], values[3]
    lengths = [_LENGTH.fullmatch(attributes.get(name, "")) for name in ("width", "height")]
    sizes = [float(length[1]) for length in lengths if length]
    if len(sizes) == 2 and min(sizes) > 0 and np.isfinite(sizes).all():
        return 0.0, 0.0, sizes[0], sizes[1]
    return None


def _placement(attributes: Mapping[str, str], box: Box | None) -> NDArray[np.float64]:
    """(3, 3) matrix from a nested svg element's units to its parent's: centred, aspect kept."""
    number = _Numbers(attributes)
    x, y, scale = number["x"], number["y"], 1.0
    if box and "viewBox" in attributes and "width" in attributes and "height" in attributes:
        width, height = _positive(number, "width"), _positive(number, "height")
        scale = min(width / box[2], height / box[3])
        x += (width - scale * box[2]) / 2 - scale * box[0]
        y += (height - scale * box[3]) / 2 - scale * box[1]
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])
