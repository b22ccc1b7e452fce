"""The files that commands write of works: their options, and the writing."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from PIL import ImageColor

from move37.agents.runs.terminal import Parser
from move37.envs.base.registry import find_world, known_worlds
from move37.envs.base.works import Works, WorksError, write_atomically
from move37.envs.base.world import Evaluator, World
from move37.envs.files import sheets
from move37.envs.files.pages import add_nearest
from move37.envs.files.pictures import USUAL, Colour, Look, save_png
from move37.novelty.knn import nearest

AnyPath = str | os.PathLike[str]
"""A path, also as text."""
Log = Callable[[str], None]
"""Takes one line of text."""
COLUMNS = 10
"""Works in a row of a contact sheet."""


def check_files(
    world: World | type[World],
    exports: Iterable[tuple[str, AnyPath]],
    look: Look,
    files: Mapping[str, AnyPath | None],
) -> None:
    """Refuse what a world does not write, before anything is done.

    Args:
        world: Of the works.
        exports: (kind, path) of files.
        look: What none of the files obeys is refused.
        files: The other files by kind: ``sheet``, ``moments``, ``html``; None: not asked for.

    Raises:
        WorksError: If there is anything.
    """
    for kind, target in exports:
        if kind not in world.exports:
            kinds = ", ".join(world.exports) or "no other files"
            raise WorksError(f"--{kind}: the world {world.id} writes {kinds}")
        path, suffix = Path(target), Path(world.exports[kind][0]).suffix
        if suffix and path.suffix.lower() != suffix:
            raise WorksError(f"--{kind}: {str(path)!r} does not end in {suffix}")
        if not suffix and path.suffix[1:].isalpha() and not path.is_dir():
            raise WorksError(f"--{kind}: {str(path)!r} is named like a file; it must be a folder")
    for name, file in files.items():
        suffix = ".html" if name == "html" else ".png"
        if file and Path(file).suffix.lower() != suffix:
            raise WorksError(f"--{name}: {str(file)!r} does not end in {suffix}")
    asked = {*(kind for kind, _ in exports), *(name for name, path in files.items() if path)}
    for item in fields(Look):
        obey = world.looks.get(item.name, ())
        if getattr(look, item.name) != item.default and not asked & set(obey):
            option, known = item.name.replace("_", "-"), ", ".join(f"--{kind}" for kind in obey)
            which = f"needs one of {known}" if obey else "no file obeys it"
            raise WorksError(f"--{option}: in the world {world.id} {which}")


def write_files(
    world: World,
    works: Works,
    title: str,
    *,
    sheet: AnyPath | None = None,
    html: AnyPath | None = None,
    exports: Iterable[tuple[str, AnyPath]] = (),
    look: Look = USUAL,
    captions: Sequence[str],
    labels: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
    judges: Evaluator | None = None,
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
        look: Of pictures; see :attr:`World.looks`.
        captions: N texts below the works on the sheet.
        labels: N texts below the works on the page; None: those of the sheet.
        marks: For each work the indices of moves that are marked on the page.
        judges: Whose human works stand beside works on the page, the nearest in their space.
        log: Takes a line for each file or folder.
    """
    for kind, path in exports:
        looks = any(kind in kinds for kinds in world.looks.values())
        world.exports[kind][2](works, Path(path), *([look] if looks else []))
        log(f"wrote {path}")
    if sheet:
        save_png(sheet, sheets.sheet(world, works, COLUMNS, captions, look=look))
        log(f"wrote {sheet}")
    if html:
        page = world.page(works, title, captions if labels is None else labels, marks)
        if judges is not None:
            human = judges.human
            distances, rows = nearest(judges.describe(works), judges.describe(human), 1)
            far = (distances[:, 0] / judges.scale).tolist()
            page = add_nearest(page, world, human, rows[:, 0].tolist(), far)
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
    look = parser.add_argument_group("look", "of sheets, SVG, PNG and GIF, where the world obeys")
    look.add_argument(
        "--size", type=int, metavar="PIXELS", help="width and height of a work's picture"
    )
    look.add_argument(
        "--line-width", type=float, metavar="POINTS",
        help="in points of the board, which is 24 of them wide (default: 1.6)",
    )  # fmt: skip
    look.add_argument("--ink", type=_colour, metavar="COLOUR", help="of lines: black, #1a5fb4 ...")
    look.add_argument(
        "--paper", type=_colour, metavar="COLOUR", help="behind the lines (default: of SVG, none)"
    )
    look.add_argument("--smooth", action="store_true", help="round the corners")


def file_of(suffix: str) -> Callable[[str], Path]:
    """Reads a path on the command line, and refuses one that does not end in a suffix."""

    def read(text: str) -> Path:
        if Path(text).suffix.lower() != suffix:
            raise ArgumentTypeError(f"{text!r} does not end in {suffix}")
        return Path(text)

    return read


def take_outputs(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a command line as its Python function takes them: ``exports`` and ``look``.

    Raises:
        ValueError: If an option is out of range.
    """
    names = [item.name for item in fields(Look)]
    return {key: value for key, value in options.items() if key not in names} | {
        "exports": [(kind, Path(path)) for kind, path in options["exports"] or ()],
        "look": Look(**{name: options[name] for name in names}),
    }


def _colour(text: str) -> Colour:
    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no colour; try black, or #1a5fb4") from None
    return red, green, blue


def _export(kind: str, path: str) -> tuple[str, str]:
    return kind, path
