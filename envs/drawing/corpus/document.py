"""The elements of an SVG file, read without being misled by it."""

from __future__ import annotations

from xml.etree.ElementTree import Element
from xml.parsers import expat

from move37.envs.drawing.corpus.lines import SvgError

MAX_BYTES = 1 << 20
"""Largest SVG file read, in bytes."""
MAX_DEPTH = 64
"""Deepest nesting of elements, those that ``use`` refers to included."""
MAX_ELEMENTS = 20_000
"""Most elements in one file, and most drawn, those that ``use`` refers to included."""
MAX_DEFAULTS = 512
"""Characters of all attribute defaults that a file declares: each element may get them all."""

_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "http://www.w3.org/1999/xlink}href"


class Document:
    """The elements of a file, without namespaces.

    Attributes:
        root: The outermost one.
        labels: How to call each in a message, by element, in the order of the file.
        ids: Elements by their id.
        sheets: The texts of style elements.

    Args:
        data: The file's bytes.

    Raises:
        SvgError: If the file is too large, too deep, no SVG, or would grow by its declarations.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise SvgError(f"{len(data)} bytes or more, at most {MAX_BYTES} are read")
        self.root = Element("svg")
        self.labels: dict[Element, str] = {}
        self.ids: dict[str, Element] = {}
        self.sheets: dict[Element, list[str]] = {}
        self._open: list[Element] = []
        self._counts: dict[str, int] = {}
        self._defaults = self._entities = 0
        self._ampersands = data.count(b"&")
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.EntityDeclHandler = self._entity
        parser.AttlistDeclHandler = self._default
        parser.StartElementHandler = self._start
        parser.EndElementHandler = lambda _: self._open.pop()
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(data, True)
        except SvgError:
            raise
        except (expat.ExpatError, ValueError, LookupError) as error:  # the latter: encodings
            raise SvgError(f"not well-formed XML ({error})") from error

    def _entity(self, name: str, parameter: bool, value: str | None, *_: object) -> None:
        # Those of editors stand for a namespace. They may not refer to each other or to a file.
        self._entities += len(value or "")
        if value is None or parameter or "&" in value or "%" in value:
            raise SvgError(f"declares the entity {name!r:.40} by others or by a file: refused")
        if self._ampersands * self._entities > MAX_BYTES:
            raise SvgError(f"declares the long entity {name!r:.40}, it is refused")

    def _default(
        self, element: str, name: str, kind: str, default: str | None, required: int
    ) -> None:
        # Like entities they multiply: one long default, on every element of that name. Short ones
        # are legitimate: KanjiVG's files declare the namespace of their own attributes.
        self._defaults += len(default or "")
        if self._defaults > MAX_DEFAULTS:
            what = f"{name!r:.40} of {element!r:.40}"
            raise SvgError(f"declares long defaults ({what}), they are refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, tag = name.rpartition("}")
        if space not in ("", _SVG):
            tag = f"{space}:{tag}"
        if not self._open and tag != "svg":
            raise SvgError(f"the root element is <{name.rpartition('}')[2]:.40}>, not <svg>")
        if len(self._open) >= MAX_DEPTH:
            raise SvgError(f"elements are nested more than {MAX_DEPTH} deep")
        if len(self.labels) >= MAX_ELEMENTS:
            raise SvgError(f"has more than {MAX_ELEMENTS} elements")
        if _XLINK_HREF in attributes:
            attributes.setdefault("href", attributes[_XLINK_HREF])
        element = Element(tag, attributes)
        if self._open:
            self._open[-1].append(element)
        else:
            self.root = element
        self._open.append(element)
        self._counts[tag] = self._counts.get(tag, 0) + 1
        self.labels[element] = f"{tag:.40} {self._counts[tag]}"
        if "id" in attributes:
            self.ids.setdefault(attributes["id"], element)

    def _text(self, text: str) -> None:
        if self._open[-1].tag == "style":
            self.sheets.setdefault(self._open[-1], []).append(text)
