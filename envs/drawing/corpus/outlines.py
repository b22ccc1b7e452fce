"""The outlines of SVG's path data and basic shapes as polylines, as far as they have no error."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from svgpathtools import Arc
from svgpathtools.parser import parse_transform

from move37.envs.drawing.corpus.lines import Line

_SPACE = r"[ \t\n\f\r]*+"
_COMMA = rf"{_SPACE}(?:,{_SPACE})?"
NUMBER = r"(?>[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)"
"""A number of SVG. It gives nothing back once matched, so that long ones are tried only once."""


def _pattern(numbers: str) -> re.Pattern[str]:
    return re.compile(_COMMA.join(f"({number})" for number in numbers.split()), re.ASCII)


_ARGUMENTS = {
    "M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0,
}  # fmt: skip
_PATTERNS = {command: _pattern(f"{NUMBER} " * count) for command, count in _ARGUMENTS.items()}
_PATTERNS["A"] = _pattern(f"{NUMBER} {NUMBER} {NUMBER} [01] [01] {NUMBER} {NUMBER}")
_COMMAND = re.compile(rf"{_COMMA}([MLHVCSQTAZ]){_SPACE}", re.ASCII | re.IGNORECASE)
_TRANSFORM = re.compile(rf"{_SPACE}(?:[A-Za-z]++{_SPACE}\([^()]*+\){_COMMA})*+|none")
_SEPARATOR = re.compile(_COMMA)
_TOKEN = re.compile(rf"[A-Za-z]|{NUMBER}", re.ASCII)
_ITEM = re.compile(rf"{_SPACE}({NUMBER}){_COMMA}", re.ASCII)
LARGEST = float(np.finfo(np.float32).max)
"""A larger number is an error, as it is in browsers."""
_STEPS = np.linspace(0.0, 1.0, 25)[1:]
_TURN = np.exp(1j * np.linspace(0.0, 2.0 * np.pi, 73))

Command = tuple[str, list[float]]


def tokens(text: str) -> int:
    """How many commands and numbers a text has at the most."""
    return len(_TOKEN.findall(text))


def numbers(text: str) -> tuple[list[float], str]:
    """The numbers of a list up to its first error, and what is left from there."""
    found: list[float] = []
    end = 0
    while (match := _ITEM.match(text, end)) and abs(float(match[1])) <= LARGEST:
        found.append(float(match[1]))
        end = match.end()
    return found, text[end:].strip()


def commands(text: str) -> tuple[list[Command], str]:
    """The commands of path data up to its first error, and what is left from there."""
    found: list[Command] = []
    letter, at = "", 0
    while True:
        begin = _COMMAND.match(text, at)
        if begin:
            letter, start = begin[1], begin.end()
        elif letter not in ("", "Z", "z") and (separator := _SEPARATOR.match(text, at)):
            start = separator.end()  # the command before, with further arguments
        else:
            break
        arguments = _PATTERNS[letter.upper()].match(text, start)
        if not arguments or not (found or letter in "Mm"):
            break
        values = [float(value) for value in arguments.groups()]
        if any(abs(value) > LARGEST for value in values):
            break
        found.append((letter, values))
        letter, at = {"M": "L", "m": "l"}.get(letter, letter), arguments.end()
    return found, text[at:].strip()


def transform(text: str) -> NDArray[np.float64]:
    """The (3, 3) matrix of a list of transforms; ValueError if it has any error."""
    if not _TRANSFORM.fullmatch(text):
        raise ValueError
    return np.asarray(parse_transform(text, strict=True))


def path(found: list[Command]) -> list[Line]:
    """Polylines of path commands, one for each moveto that is followed by anything."""
    lines: list[list[Line]] = []
    now = start = control = 0j
    last = ""
    for letter, values in found:
        command = letter.upper()
        base = now if letter.islower() else 0j
        pairs = values[5:] if command == "A" else values
        points = [base + complex(x, y) for x, y in zip(pairs[::2], pairs[1::2], strict=False)]
        piece: list[complex] | Line = []
        match command:
            case "M":
                start = points[0]
                lines.append([np.array([start])])
            case "L":
                piece = points
            case "H":
                piece = [complex(values[0] + base.real, now.imag)]
            case "V":
                piece = [complex(now.real, values[0] + base.imag)]
            case "C" | "S" | "Q" | "T":
                if command in "ST":
                    points.insert(0, now + now - control if last in _SMOOTH[command] else now)
                control = points[-2]
                piece = _bezier(now, *points)
            case "A":
                piece = _arc(now, values, points[0])
            case "Z":
                # A closed line ends where it began; a point keeps its end, as what was drawn.
                piece = [start] if now != start or last == "M" else []
        if len(piece):
            lines[-1].append(np.asarray(piece, np.complex128))
        now, last = complex(lines[-1][-1][-1]), command
    return [np.concatenate(line) for line in lines if len(line) > 1]


_SMOOTH = {"S": "CS", "T": "QT"}


def _bezier(*p: complex) -> Line:
    t = _STEPS
    u = 1 - t
    if len(p) == 3:
        return np.asarray(u**2 * p[0] + 2 * t * u * p[1] + t**2 * p[2])
    return np.asarray(u**3 * p[0] + 3 * u * t * (u * p[1] + t * p[2]) + t**3 * p[3])


def _arc(now: complex, values: list[float], end: complex) -> list[complex] | Line:
    """An elliptical arc; a straight line where it has no radius, nothing where it has no length."""
    if now == end:
        return []
    try:
        arc = Arc(now, complex(*values[:2]), values[2], values[3], values[4], end)
    except (AssertionError, ArithmeticError, ValueError):  # no radius, or one out of all range
        return [end]
    steps = np.linspace(0, 1, 2 + int(abs(arc.delta) // 5))[1:]
    angle = np.radians(arc.theta + steps * arc.delta)
    ellipse = arc.radius.real * np.cos(angle) + 1j * arc.radius.imag * np.sin(angle)
    piece = np.asarray(arc.rot_matrix * ellipse + arc.center)
    piece[-1] = end
    return piece


def ellipse(cx: float, cy: float, rx: float, ry: float) -> Line:
    """An ellipse, clockwise from its right, as SVG says."""
    return np.asarray(complex(cx, cy) + rx * _TURN.real + 1j * ry * _TURN.imag)


def rectangle(x: float, y: float, width: float, height: float, rx: float, ry: float) -> Line:
    """A rectangle with rounded corners, clockwise from its top right."""
    rx, ry = min(rx, width / 2), min(ry, height / 2)
    if rx <= 0 or ry <= 0:
        rx = ry = 0.0
    corners = [  # each with the part of the turn that rounds it
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
