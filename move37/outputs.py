"""The files that commands write of works: their options, and the writing."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from move37.agents.runs.terminal import Parser
from move37.envs.base.registry import find_world, known_worlds
from move37.envs.base.works import Works, WorksError, write_atomically
from move37.envs.base.world import World
from move37.envs.files import sheets
from move37.envs.files.pictures import save_png

Log = Callable[[str], None]
"""Takes one line of text."""
COLUMNS = 10
"""Works in a row of a contact sheet."""


def check_exports(world: World | type[World], exports: Iterable[tuple[str, Path]]) -> None:
    """Refuse kinds of files that a world does not write, before anything is done.

    Raises:
        WorksError: If there is one.
    """
    for kind, _ in exports:
        if kind not in world.exports:
            kinds = ", ".join(world.exports) or "no other files"
            raise WorksError(f"--{kind}: the world {world.id} writes {kinds}")


def write_files(
    world: World,
    works: Works,
    title: str,
    *,
    sheet: Path | None = None,
    html: Path | None = None,
    exports: Iterable[tuple[str, Path]] = (),
    captions: Sequence[str],
    labels: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
    log: Log,
) -> None:
    """Write what is asked for of works; files that are there are replaced.

    Args:
        world: Of the works.
        works: N works.
        title: Of the page.
        sheet: Where to write a contact sheet (PNG).
        html: Where to write a page that plays the works.
        exports: (kind, path) of other files, each a kind of the world's.
        captions: N texts below the works on the sheet.
        labels: N texts below the works on the page; None: those of the sheet.
        marks: For each work the indices of moves that are marked on the page.
        log: Takes a line for each file or folder.
    """
    for kind, path in exports:
        world.exports[kind][2](works, path)
        log(f"wrote {path}")
    if sheet:
        save_png(sheet, sheets.sheet(world, works, COLUMNS, captions))
        log(f"wrote {sheet}")
    if html:
        page = world.page(works, title, captions if labels is None else labels, marks)
        write_atomically(html, page.encode())
        log(f"wrote {html}")


def add_output_options(parser: Parser, html: str) -> None:
    """Add options for every kind of file that some world writes, and one for any kind.

    Args:
        parser: Of a command.
        html: What to say of ``--html``.
    """
    parser.add_argument(
        "--sheet", type=file_of(".png"), metavar="FILE.png", help="write a contact sheet"
    )
    parser.add_argument("--html", type=file_of(".html"), metavar="FILE.html", help=html)
    kinds: dict[str, tuple[str, str, list[str]]] = {}
    for name in known_worlds():
        for kind, (metavar, text, _) in find_world(name).exports.items():
            kinds.setdefault(kind, (metavar, text, []))[2].append(name)
    for kind, (metavar, text, worlds) in kinds.items():
        parser.add_argument(
            f"--{kind}", dest="exports", action="append", metavar=metavar,
            type=partial(_export, kind), help=f"{text} ({', '.join(worlds)})",
        )  # fmt: skip
    parser.add_argument(
        "--export", dest="exports", action="append", nargs=2, metavar=("KIND", "PATH"),
        help="write files of a kind that only the works' own world has",
    )  # fmt: skip


def file_of(suffix: str) -> Callable[[str], Path]:
    """Reads a path on the command line, and refuses one that does not end in a suffix."""

    def read(text: str) -> Path:
        if Path(text).suffix.lower() != suffix:
            raise ArgumentTypeError(f"{text!r} does not end in {suffix}")
        return Path(text)

    return read


def paths_of(exports: Iterable[tuple[str, str]] | None) -> list[tuple[str, Path]]:
    """(kind, path) of the other files that a command line asks for."""
    return [(kind, Path(path)) for kind, path in exports or ()]


def _export(kind: str, path: str) -> tuple[str, str]:
    return kind, path
