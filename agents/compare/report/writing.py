"""Writes a report as Markdown, and turns the Markdown into one HTML page with its pictures inside.

The Markdown is plain, so that it reads well anywhere; the page adds what plain Markdown cannot say:
what a column means, where an interval stands, which rows belong together.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import markdown
from markdown.treeprocessors import Treeprocessor

TEMPLATE = Path(__file__).with_name("page.html")
BEST_TENTH = "best tenth"
"""Name of the rows that belong to the row above."""
_SPECIAL = re.compile(r"[\\`*_\[\]|]")
_INTERVAL = re.compile(r"(?P<value>.+) \((?P<interval>.+ to .+)\)")


def literal(text: str) -> str:
    """Text that is shown as it is, on one line, whatever characters are in it."""
    text = " ".join(escape(text, quote=False).split())
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


def lead(text: str) -> str:
    """A paragraph in bold."""
    return f"**{text}**\n"


def note(text: str) -> str:
    """A paragraph in small."""
    return f"*{text}*\n"


def code(text: str) -> str:
    """Lines of code."""
    return "".join(f"    {line}\n" for line in text.splitlines())


def bullets(items: Sequence[tuple[str, str]]) -> str:
    """A list of (head, text); the head may be empty."""
    return "".join(f"- {f'**{head}** ' if head else ''}{text}\n" for head, text in items)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """A table; numbers stand at the right, but for the first column."""
    rules = ["---", *["---:" if numbers else "---"] * (len(heads) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, rules, *rows))


def section(title: str, *parts: str) -> str:
    """A heading with what stands below it; empty parts are left out."""
    return "\n".join([f"## {title}\n", *(part for part in parts if part)])


def page(text: str, folder: Path, meanings: Mapping[str, str]) -> str:
    """A report as one HTML page that needs nothing outside it.

    Args:
        text: Markdown whose first line is the title; pictures are named relative to the folder.
        folder: Where the pictures are.
        meanings: By the title of a column what it means, shown when the mouse rests on it.
    """
    converter = markdown.Markdown(extensions=["tables"])
    # After the inline patterns (20): the elements are there, the text is not yet unescaped (0).
    converter.treeprocessors.register(_Dress(folder, meanings), "dress", 1)
    title = text.partition("\n")[0].removeprefix("# ")
    out = TEMPLATE.read_text()
    for key, value in (("title", escape(title)), ("body", converter.convert(text))):
        out = out.replace("{{" + key + "}}", value)
    return out


class _Dress(Treeprocessor):
    """Gives elements the template's classes, columns their meaning, and pictures their data."""

    def __init__(self, folder: Path, meanings: Mapping[str, str]) -> None:
        super().__init__()
        self._folder, self._meanings = folder, meanings

    def run(self, root: Element) -> None:
        """Change the document in place."""
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
        for i, child in enumerate(root):
            if child.tag == "table":
                self._table(child)
                root[i] = Element("div", {"class": "wide"})
                root[i].append(child)
                root[i].tail = "\n"

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
