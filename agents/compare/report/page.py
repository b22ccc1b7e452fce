"""Turns a report in Markdown into one HTML page with its pictures inside.

The Markdown is plain, so that it reads well anywhere; the page adds what plain Markdown cannot say:
a list of contents, what a column means, where an interval stands, which rows belong together.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import markdown
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown.extensions.toc import TocExtension
from markdown.treeprocessors import Treeprocessor

from move37.agents.compare.columns import label
from move37.novelty.storage import printable

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip
BEST_TENTH = "best tenth"
"""Name of the rows that belong to the row above."""
_SPECIAL = re.compile(r"[\\`*_\[\]|]")
_INTERVAL = re.compile(r"(?P<value>.+) \((?P<interval>.+ to .+)\)")


def literal(text: str) -> str:
    """Text that is shown as it is, on one line, whatever characters are in it."""
    text = printable(" ".join(escape(text, quote=False).split()))
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


TEMPLATES.filters.update(literal=literal, label=label, printable=printable)


def page(text: str, folder: Path, meanings: Mapping[str, str]) -> str:
    """A report as one HTML page that needs nothing outside it.

    Args:
        text: Markdown whose first line is the title; pictures are named relative to the folder.
        folder: Where the pictures are.
        meanings: By the title of a column what it means, shown when the mouse rests on it.
    """
    toc = TocExtension(toc_depth="2-2")
    converter = markdown.Markdown(extensions=["tables", toc])
    # After the contents (5): the elements are there, the text is not yet unescaped (0).
    converter.treeprocessors.register(_Dress(folder, meanings), "dress", 1)
    title = text.partition("\n")[0].removeprefix("# ")
    body = converter.convert(text)
    contents = converter.toc  # type: ignore[attr-defined]  # the extension sets it
    return TEMPLATES.get_template("page.html").render(title=title, contents=contents, body=body)


class _Dress(Treeprocessor):
    """Gives elements the template's classes, columns their meaning, and pictures their data."""

    def __init__(self, folder: Path, meanings: Mapping[str, str]) -> None:
        super().__init__()
        self._folder, self._meanings = folder, meanings

    def run(self, root: Element) -> None:
        """Change the document in place: a section for each heading of the second level."""
        for paragraph in root.findall("p"):
            only = paragraph[0].tag if len(paragraph) == 1 and not paragraph.text else ""
            kind = {"strong": "lead", "em": "note", "img": "picture"}.get(only)
            if kind and not (paragraph[0].tail or "").strip():
                paragraph.set("class", kind)
        for picture in root.iter("img"):
            path = self._folder / picture.get("src", "")
            kind = "svg+xml" if path.suffix == ".svg" else "png"
            data = base64.b64encode(path.read_bytes()).decode()
            picture.set("src", f"data:image/{kind};base64,{data}")
        section, children = root, list(root)
        root[:] = []
        for child in children:
            if child.tag == "h2":
                section = SubElement(root, "section")
            if child.tag == "table":
                self._table(child)
                SubElement(section, "div", {"class": "wide", "tabindex": "0"}).append(child)
            else:
                section.append(child)

    def _table(self, table: Element) -> None:
        numbers = any("right" in cell.get("style", "") for cell in table.iter("th"))
        pictures = table.find(".//img") is not None
        table.set("class", "pictures" if pictures else "numbers" if numbers else "words")
        for cell in table.iter("th"):
            if meaning := self._meanings.get(cell.text or ""):
                cell.set("title", meaning)
        for row in table.iterfind("tbody/tr"):
            if row[0].find("strong") is not None:
                row.set("class", "strong")
            elif row[0].text == BEST_TENTH:
                row.set("class", "second")
            if not pictures:
                row[0].tag = "th"
                row[0].set("scope", "row")
            for cell in row[1:] if numbers else ():
                if found := _INTERVAL.fullmatch(cell.text or ""):
                    cell.text = found["value"]
                    SubElement(cell, "small").text = found["interval"]
