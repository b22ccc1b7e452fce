"""What style sheets, style attributes and presentation attributes say about an SVG element.

Selectors are those of drawings: elements, classes and ids, below or directly below another. They
are matched in the order of the tree, by one look at each part of each selector, so that no style
sheet can take long. (cssselect2 knows all selectors, but compiles them to Python code, and nested
ones take exponential time.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import tinycss2
import tinycss2.color4

from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.outlines import LARGEST, NUMBER

MAX_STYLE = 1 << 16
"""Characters of all style sheets and of style attributes with brackets or quotes in one file,
without the fonts in them."""
MAX_MATCHES = 300_000
"""Most comparisons of an element with a part of a selector in one file."""

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity in 0..1."""
Declaration = tuple[str, str, bool]
"""Name, value, and whether it is !important."""

UNITS = {
    "": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6,
    "pt": 96 / 72, "pc": 16.0, "rem": 16.0,
}  # fmt: skip
"""Pixels of a unit."""
MARKERS = ("marker", "marker-start", "marker-mid", "marker-end")
_LENGTH = re.compile(rf"\s*+({NUMBER})\s*+(%|[a-z]*+)\s*+", re.ASCII | re.IGNORECASE)
_URL = re.compile(r"\s*+url\(\s*+[\"']?(?:#([^\"')]*+))?[^)]*+\)\s*+(.*+)", re.S | re.I)
_VAR = re.compile(r"var\(\s*+(--[\w-]++)\s*+(?:,([^()]*+))?\)", re.I)
_COMPOUND = re.compile(r"(\*|[^\W\d][\w-]*+)?((?:[.#][\w-]++)*+)")
_DATA = re.compile(r"url\(\s*+[\"']?data:[^()\"']*+[\"']?\s*+\)", re.I)
_NESTED = re.compile(r"[\"'()\[\]{}\\/*!@]|--")
_STEP = re.compile(r"\s*+(>?)\s*+([^\s>]++)")


def length(text: str, percent: float = 0.0, em: float = 16.0) -> float | None:
    """A length in user units; None if it is none.

    Args:
        text: The length.
        percent: What 100 % are.
        em: The size of the font.
    """
    match = _LENGTH.fullmatch(text)
    scale = UNITS | {"%": percent / 100, "em": em, "ex": em / 2}
    if not match or match[2].lower() not in scale or abs(float(match[1])) > LARGEST:
        return None
    return float(match[1]) * scale[match[2].lower()]


@lru_cache(4096)
def colour(text: str) -> Colour | None:
    """A colour; None if it is none, and for ``currentColor``."""
    found = tinycss2.color4.parse_color(text)
    if found is None or isinstance(found, str):
        return None
    try:
        found = found.to("srgb")
    except NotImplementedError:  # lab and its kin: all that matters is that it is a colour
        return 0.5, 0.5, 0.5, float(found.alpha)
    red, green, blue = (min(max(float(value), 0.0), 1.0) for value in found.coordinates)
    return red, green, blue, float(found.alpha)


def share(text: str) -> float:
    """An opacity in 0..1, of a number or a percentage."""
    found = length(text, 1.0)
    return 1.0 if found is None else min(max(found, 0.0), 1.0)


def reference(text: str) -> tuple[str | None, str]:
    """The id in ``url(#id)``, and what follows as its fallback; None if it is no such thing."""
    match = _URL.fullmatch(text)
    return (match[1] or "", match[2]) if match else (None, text)


def _is_colour(text: str) -> bool:
    return text.lower() == "currentcolor" or colour(text) is not None


def _is_paint(text: str) -> bool:
    url, rest = reference(text)
    keywords = ("none", "context-fill", "context-stroke")
    return (url is not None and not rest) or rest.lower() in keywords or _is_colour(rest)


def _is_size(text: str) -> bool:
    size = length(text)
    return size is not None and size >= 0


def _is_length(text: str) -> bool:
    return text == "auto" or length(text) is not None


_VALID = (
    dict.fromkeys(["fill", "stroke"], _is_paint)
    | dict.fromkeys(["color"], _is_colour)
    | dict.fromkeys(["stroke-width", "font-size"], _is_size)
    | dict.fromkeys(["opacity", "fill-opacity", "stroke-opacity"], _is_length)
    | dict.fromkeys(["x", "y", "cx", "cy", "r", "rx", "ry", "width", "height"], _is_length)
    | dict.fromkeys(["display", "visibility", "overflow", "transform", "mask-type"], bool)
    | dict.fromkeys(["fill-rule", "clip-rule", "stroke-linecap", "clip-path", "mask"], bool)
    | dict.fromkeys(MARKERS, bool)
)
"""The properties that are read, each with a test of its values: a wrong one does not count."""
INHERITED = frozenset(
    "color fill stroke fill-opacity stroke-opacity stroke-width stroke-linecap visibility "
    "fill-rule clip-rule".split()
)


@dataclass(frozen=True)
class _Part:
    """One element of a selector, as ``g`` and ``.a`` in ``g > .a``."""

    tag: str
    names: frozenset[str]  # ids and classes with their # and .
    first: bool
    child: bool  # directly below the part before, not anywhere below it
    weight: tuple[int, ...]  # specificity of the whole selector if this is its last part
    declarations: list[Declaration]


@dataclass(frozen=True)
class Matched:
    """The parts of selectors that an element fits, and that it or an element above it fits."""

    own: frozenset[int] = frozenset()
    above: frozenset[int] = frozenset()


UNMATCHED = Matched()


class Style:
    """The style sheets of one file."""

    def __init__(self, sheets: Iterable[str]) -> None:
        self._parts: list[_Part] = []
        self._keys: dict[str, list[int]] = {}
        self._read = self._compared = 0
        self._inlines: dict[str, list[Declaration]] = {"": []}
        self.skipped: list[str] = []
        for sheet in sheets:
            self._add(tinycss2.parse_stylesheet(self._bounded(sheet), True, True))
        for i, part in enumerate(self._parts):  # by what an element must be or have
            self._keys.setdefault(next(iter(part.names), part.tag), []).append(i)

    def _bounded(self, text: str) -> str:
        text = _DATA.sub("none", text)
        self._read += len(text)
        if self._read > MAX_STYLE:
            raise SvgError(f"has more than {MAX_STYLE} characters of style")
        return text

    def _inline(self, text: str) -> list[Declaration]:
        if text not in self._inlines:
            plain = not _NESTED.search(text)
            self._inlines[text] = _plain(text) if plain else _declarations(self._bounded(text))
        return self._inlines[text]

    def _add(self, rules: list[tinycss2.ast.Node]) -> None:
        for rule in rules:
            if rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content:
                if tinycss2.serialize(rule.prelude).strip().lower() in ("", "all", "screen"):
                    self._add(tinycss2.parse_rule_list(rule.content, True, True))
            elif rule.type == "qualified-rule":
                declarations = _declarations(rule.content)
                for selector in _text(rule.prelude).split(","):
                    self._parts += self._selector(selector.strip(), declarations)

    def _selector(self, selector: str, declarations: list[Declaration]) -> list[_Part]:
        steps = _STEP.findall(selector)
        parts: list[_Part] = []
        weight = (0, 0, 0)
        for i, (child, compound) in enumerate(steps):
            match = _COMPOUND.fullmatch(compound)
            if not match:
                self.skipped.append(f"the selector {selector!r:.40} is not read")
                return []
            names = frozenset(re.findall(r"[.#][\w-]+", match[2]))
            tag = "" if match[1] in (None, "*") else match[1]
            ids = sum(name[0] == "#" for name in names)
            weight = weight[0] + ids, weight[1] + len(names) - ids, weight[2] + bool(tag)
            last = weight if i == len(steps) - 1 else ()
            parts.append(_Part(tag, names, i == 0, bool(child), last, declarations))
        return parts

    def of(
        self, tag: str, attributes: Mapping[str, str], outer: Matched, inherited: Mapping[str, str]
    ) -> tuple[dict[str, str], Matched]:
        """An element's attributes with its properties as the cascade gives them.

        Args:
            tag: Of the element.
            attributes: Of the element.
            outer: Of the element around it.
            inherited: Properties of the element around it, for variables.

        Returns:
            Attributes and properties by name, and what to give as ``outer`` of elements inside.
        """
        names = {f".{name}" for name in attributes.get("class", "").split()}
        names.add(f"#{attributes.get('id', '')}")
        found = [i for key in ("", tag, *names) for i in self._keys.get(key, [])]
        self._compared += len(found)
        if self._compared > MAX_MATCHES:
            raise SvgError("has a style sheet that is too long for its elements")
        own = []
        rules: list[_Part] = []
        for i in sorted(found):
            part = self._parts[i]
            before = outer.own if part.child else outer.above
            if part.tag in ("", tag) and part.names <= names and (part.first or i - 1 in before):
                own.append(i)
                if part.weight:
                    rules.append(part)
        rules.sort(key=lambda part: part.weight)
        declared = [*chain.from_iterable(part.declarations for part in rules)]
        declared += self._inline(attributes.get("style", ""))
        style = {name: value for name, value in attributes.items() if name not in _VALID}
        style |= {name: value for name, value, _ in declared if name.startswith("--")}
        for name, value in chain(
            ((name, value.strip()) for name, value in attributes.items()),
            ((name, value) for name, value, important in declared if not important),
            ((name, value) for name, value, important in declared if important),
        ):
            test = _VALID.get(name)
            value = _substitute(value, {**inherited, **style}) if "var(" in value else value
            if test and value in ("inherit", "initial", "unset") and name not in INHERITED:
                style.pop(name, None)
            elif test and (value in ("inherit", "initial", "unset") or test(value)):
                style[name] = value
        return style, Matched(frozenset(own), outer.above.union(own))


def _text(tokens: list[tinycss2.ast.Node]) -> str:
    try:
        return str(tinycss2.serialize(tokens)).strip()
    except RecursionError:
        return ""


def _plain(text: str) -> list[Declaration]:
    """The declarations of a style attribute without brackets and quotes, as most are."""
    pairs = (part.partition(":") for part in text.split(";"))
    return [
        (name.strip().lower(), value.strip(), False) for name, _, value in pairs if value.strip()
    ]


def _declarations(content: str | list[tinycss2.ast.Node]) -> list[Declaration]:
    declarations = []
    for node in tinycss2.parse_blocks_contents(content, True, True):
        if node.type == "declaration":
            name = node.name if node.name.startswith("--") else node.lower_name
            value = _text(node.value)
            if name == "transform":  # as the attribute has it, in pixels and degrees
                value = re.sub(r"(?<=[\d.])(px|deg)\b", "", value)
            declarations.append((name, value, node.important))
    return declarations


def _substitute(value: str, variables: Mapping[str, str]) -> str:
    """The value with its variables filled in; empty if one is missing."""
    for match in _VAR.finditer(value):
        filling = variables.get(match[1], match[2])
        if filling is None or len(value) > 1000:
            return ""
        value = value.replace(match[0], filling.strip())
    return value
