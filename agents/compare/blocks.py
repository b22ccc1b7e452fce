"""What a report is made of; every block writes itself as Markdown and as HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Protocol


class Block(Protocol):
    """A part of a report."""

    def markdown(self) -> str:
        """As Markdown."""

    def html(self) -> str:
        """As HTML that needs nothing outside it."""


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text.

    Attributes:
        text: Without markup.
        kind: ``plain``, ``lead`` (the first lines), ``note`` (small) or ``code``.
    """

    text: str
    kind: str = "plain"

    def markdown(self) -> str:
        """As Markdown."""
        if self.kind == "code":
            return "".join(f"    {line}\n" for line in self.text.splitlines())
        return f"**{self.text}**\n" if self.kind == "lead" else f"{self.text}\n"

    def html(self) -> str:
        """As HTML."""
        if self.kind == "code":
            return f"<pre>{escape(self.text)}</pre>"
        return f'<p class="{self.kind}">{escape(self.text)}</p>'


@dataclass(frozen=True)
class Points:
    """A list.

    Attributes:
        items: (head, text) of each.
    """

    items: Sequence[tuple[str, str]]

    def markdown(self) -> str:
        """As Markdown."""
        return "".join(f"- {f'**{head}**: ' if head else ''}{text}\n" for head, text in self.items)

    def html(self) -> str:
        """As HTML."""
        lines = [
            f"<li>{f'<b>{escape(head)}</b> ' if head else ''}{escape(text)}</li>"
            for head, text in self.items
        ]
        return f"<ul>{''.join(lines)}</ul>"


Cell = tuple[str, str]
"""What stands in a cell, and in small what goes with it (an interval)."""


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        name: Its first column.
        cells: The others.
        kind: ``""``, ``second`` (belongs to the row above) or ``strong``.
    """

    name: str
    cells: Sequence[Cell]
    kind: str = ""


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        heads: (title, what it means) of each column after the first.
        lines: Rows.
        first: Title of the first column.
        numbers: Whether cells are numbers, set at the right.
    """

    heads: Sequence[tuple[str, str]]
    lines: Sequence[Line] = field(default_factory=list)
    first: str = ""
    numbers: bool = True

    def markdown(self) -> str:
        """As Markdown; intervals stand in parentheses."""

        def safe(text: str) -> str:
            return text.replace("|", "\\|").replace("\n", " ")

        rule = "---:" if self.numbers else "---"
        rows = [
            f"| {safe(self.first)} | " + " | ".join(safe(title) for title, _ in self.heads) + " |",
            "|---|" + f"{rule}|" * len(self.heads),
        ]
        for line in self.lines:
            cells = [safe(f"{value} ({small})" if small else value) for value, small in line.cells]
            name = safe(line.name)
            name = f"**{name}**" if line.kind == "strong" else name
            rows.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(rows) + "\n"

    def html(self) -> str:
        """As HTML; intervals stand below in small."""
        heads = "".join(
            f'<th scope="col" title="{escape(text)}">{escape(title)}</th>'
            for title, text in self.heads
        )
        rows = []
        for line in self.lines:
            cells = "".join(
                f"<td>{escape(value)}{f'<small>{escape(small)}</small>' if small else ''}</td>"
                for value, small in line.cells
            )
            rows.append(
                f'<tr class="{line.kind}"><th scope="row">{escape(line.name)}</th>{cells}</tr>'
            )
        kind = "numbers" if self.numbers else "words"
        return (
            f'<div class="wide"><table class="{kind}"><thead><tr><th>{escape(self.first)}</th>'
            f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )


@dataclass(frozen=True)
class Picture:
    """A picture in a file beside the report.

    Attributes:
        path: The file, ``.png`` or ``.svg``.
        folder: The report's; Markdown names the file relative to it, HTML contains it.
        caption: Below it.
    """

    path: Path
    folder: Path
    caption: str

    def markdown(self) -> str:
        """As Markdown."""
        at = self.path.relative_to(self.folder).as_posix()
        return f"![{self.caption}]({at})\n\n{self.caption}\n"

    def html(self) -> str:
        """As HTML."""
        kind = "svg+xml" if self.path.suffix == ".svg" else "png"
        data = base64.b64encode(self.path.read_bytes()).decode()
        return (
            f'<figure><img src="data:image/{kind};base64,{data}" alt="{escape(self.caption)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True)
class Pair:
    """Two pictures beside each other, below a name."""

    name: str
    left: Picture
    right: Picture

    def markdown(self) -> str:
        """As Markdown."""
        left, right = (
            f"![{p.caption}]({p.path.relative_to(p.folder).as_posix()})"
            for p in (self.left, self.right)
        )
        return (
            f"### {self.name}\n\n| {self.left.caption} | {self.right.caption} |\n|---|---|\n"
            f"| {left} | {right} |\n"
        )

    def html(self) -> str:
        """As HTML."""
        return (
            f"<h3>{escape(self.name)}</h3>"
            f'<div class="pair">{self.left.html()}{self.right.html()}</div>'
        )


@dataclass(frozen=True)
class Section:
    """A heading with blocks below it."""

    title: str
    blocks: Sequence[Block]

    def markdown(self) -> str:
        """As Markdown."""
        return f"## {self.title}\n\n" + "\n".join(block.markdown() for block in self.blocks)

    def html(self) -> str:
        """As HTML."""
        body = "\n".join(block.html() for block in self.blocks)
        return f"<section><h2>{escape(self.title)}</h2>\n{body}</section>"
