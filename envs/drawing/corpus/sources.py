"""Where human drawings come from: installed icon packages, a folder of SVG, a Quick, Draw! file.

To add a package, write one function that returns a :class:`Source`, and list it in ``PACKAGES``; an
icon font is a line in ``FONTS``.
"""

from __future__ import annotations

import re
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from move37.envs.base.corpus import CorpusError, Record, Skipped, installed, read_files
from move37.envs.drawing.corpus.document import MAX_BYTES
from move37.envs.drawing.corpus.lines import Strokes
from move37.envs.drawing.corpus.quickdraw import PointsError, read_drawing
from move37.envs.drawing.corpus.svg import read_svg
from move37.envs.drawing.designers.fonts import GlyphReader, IconFont

MAX_NDJSON = 1 << 30
"""Largest .ndjson file read, in bytes."""

Reading = tuple[str, Strokes, list[str]]
"""A work's name, its strokes, and what of it was skipped."""


def read_icon(label: str, data: bytes) -> Reading:
    """Read an icon; its name is its file's."""
    return PurePosixPath(label).stem, *read_svg(data)


@dataclass(frozen=True)
class Source:
    """The works of one corpus, not yet parsed.

    Attributes:
        name: Of the corpus.
        records: The works as they were found, in a fixed order.
        read: From a record to the work; SvgError if it cannot be read.
        kind: What the file in the cache is called by.
        designer: Who drew the works; empty if unknown.
        licence: SPDX identifier of the works' licence; empty if unknown.
        unread: (label, reason) of files that could not be read.
        shorten: Whether drawings of too many moves are simplified until they fit. Packages are left
            as they are, so that results with them stay comparable.
    """

    name: str
    records: list[Record]
    read: Callable[[str, bytes], Reading] = read_icon
    kind: str = ""
    designer: str = ""
    licence: str = ""
    unread: Skipped = ()
    shorten: bool = False


def find_source(spec: str) -> Source:
    """The source that :func:`load_corpus` calls by this name or path.

    Raises:
        CorpusError: If there is none, or it cannot be read.
    """
    if spec in PACKAGES:
        return PACKAGES[spec]()
    path = Path(spec).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file() and path.suffix.lower() == ".ndjson":
        return _quickdraw(path)
    raise CorpusError(
        f"{spec!r} is no known corpus: expected {', '.join(PACKAGES)}, the path of a folder of "
        ".svg files, or the path of a Quick, Draw! .ndjson file"
    )


# Packages


def tabler() -> Source:
    """Tabler Icons, outlined."""
    records = zipped("tabler", "tablericons2", "tablericons/tablericons.zip", "outline/*.svg")
    return Source("tabler", records, designer="Paweł Kuna", licence="MIT")


def lucide() -> Source:
    """Lucide Icons, from the package's database."""
    path = installed("lucide", "python-lucide", "lucide/data/lucide-icons.db")
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        rows = database.execute("select name, svg from icons order by name").fetchall()
    except sqlite3.Error as error:
        raise CorpusError(f"lucide: {path} cannot be read ({error})") from error
    finally:
        database.close()
    records = [(f"{name}.svg", str(svg).encode()) for name, svg in rows]
    return Source("lucide", records, designer="Lucide contributors", licence="ISC")


def kanjivg() -> Source:
    """KanjiVG: Chinese characters in the order of their strokes; names begin with the character."""
    folder = installed("kanjivg", "kanjivg", "kanji")
    found, unread = read_files(folder, (".svg",), MAX_BYTES)
    # Variants of a character have a suffix: 04e8c-Kaisho.svg.
    records = [r for r in found if re.fullmatch(r"[0-9a-f]{5}\.svg", r[0])]

    def read(label: str, data: bytes) -> Reading:
        code = PurePosixPath(label).stem
        strokes, _ = read_svg(data)  # what is skipped are the numbers of the strokes
        return f"{chr(int(code, 16))} {code}", strokes, []

    return Source(
        "kanjivg", records, read, designer="Ulrich Apel", licence="CC-BY-SA-3.0", unread=unread
    )


def heroicons() -> Source:
    """Heroicons, outlined."""
    records = zipped("heroicons", "heroicons", "heroicons/heroicons.zip", "outline/*.svg")
    return Source("heroicons", records, designer="Tailwind Labs", licence="MIT")


def iconoir() -> Source:
    """Iconoir, outlined; its package is installed by who wants to make the recognisers again."""
    folder = installed("iconoir", "flet-iconoir", "flet_iconoir/icons/regular")
    records, unread = read_files(folder, (".svg",), MAX_BYTES)
    return Source("iconoir", records, designer="Luca Burgio", licence="MIT", unread=unread)


def _in_iconipy(font: str, glyphs: str = "", keep: str = ".*") -> IconFont:
    folder = "iconipy/assets"
    return IconFont("iconipy", f"{folder}/{font}", glyphs and f"{folder}/{glyphs}", keep)


def _in_qtawesome(name: str, version: str, keep: str = ".*") -> IconFont:
    folder = "qtawesome/fonts"
    font, glyphs = f"{folder}/{name}-{version}.ttf", f"{folder}/{name}-charmap-{version}.json"
    return IconFont("qtawesome", font, glyphs, keep)


def _in_tkinter_icons(pack: str, font: str, glyphs: str = "", keep: str = ".*") -> IconFont:
    folder = f"tkinter_icons_{pack}"
    glyphs = glyphs and f"{folder}/{glyphs}"
    return IconFont(f"tkinter-icons-{pack}", f"{folder}/{font}", glyphs, keep)


_OUTLINED = "material_icons_outlined_regular/MaterialIconsOutlined-Regular"
FONTS: dict[str, tuple[str, str, IconFont]] = {
    "bootstrap": ("The Bootstrap Authors", "MIT", _in_tkinter_icons("bs", "assets/bootstrap.ttf")),
    "boxicons": (
        "Aniket Suvarna", "MIT",
        _in_iconipy("boxicons/boxicons.ttf", "boxicons/boxicons.css", "bxs?-.*"),
    ),
    "codicons": ("Microsoft (Codicons)", "CC-BY-4.0", _in_qtawesome("codicon", "0.0.36")),
    "elusive": ("Team Redux", "OFL-1.1", _in_qtawesome("elusiveicons-webfont", "2.0")),
    "eva": (
        "Akveo", "MIT",
        _in_tkinter_icons("eva", "fonts/eva-icons.ttf", "glyphmap.json", "(?!eva-).*"),
    ),
    "fluent": (
        "Microsoft (Fluent)", "MIT",
        _in_tkinter_icons(
            "fluent", "fonts/FluentSystemIcons-Regular.ttf", "glyphmap-regular.json",
            ".*-24-regular",
        ),
    ),
    "fontawesome": (
        "Fonticons", "CC-BY-4.0", _in_qtawesome("fontawesome6-solid-webfont", "6.7.2"),
    ),
    "ionicons": (
        "Ionic", "MIT", _in_tkinter_icons("ion", "fonts/ionicons.ttf", "glyphmap.json"),
    ),
    "ligature": (
        "Kazuyuki Motoyama", "OFL-1.1", _in_iconipy("ligature_symbols/LigatureSymbols-2.11.ttf"),
    ),
    "lineicons": (
        "Lineicons", "MIT",
        _in_iconipy("lineicons/lineicons.ttf", "lineicons/unicodesMap.json"),
    ),
    "material": (
        "Google", "Apache-2.0", _in_iconipy(f"{_OUTLINED}.otf", f"{_OUTLINED}.codepoints"),
    ),
    "mdi": (
        "Pictogrammers", "Apache-2.0", _in_qtawesome("materialdesignicons6-webfont", "6.9.96"),
    ),
    "microns": (
        "Stephen Hutchings (microns)", "CC-BY-SA-4.0",
        _in_iconipy("microns/microns.ttf", "microns/microns.css"),
    ),
    "phosphor": (
        "Tobias Fried and Helena Zhang", "MIT",
        _in_qtawesome("phosphor", "1.3.0", "(?!.*-(?:bold|thin|light|duotone)$).*"),
    ),
    "remix": ("Remix Design", "Apache-2.0", _in_qtawesome("remixicon", "2.5.0")),
    "rpg": (
        "Daniela Howe and Ivan Montiel (RPG Awesome)", "CC-BY-3.0",
        _in_tkinter_icons(
            "rpga", "fonts/rpgawesome-webfont.ttf", "glyphmap.json", "(?!ra-).*"
        ),
    ),
    "typicons": (
        "Stephen Hutchings (Typicons)", "CC-BY-SA-4.0", _in_iconipy("typicons/typicons.ttf"),
    ),
}  # fmt: skip
"""Icon fonts: designer, SPDX identifier of the drawings' licence, and where they are."""


def font(name: str) -> Source:
    """An icon font of ``FONTS``."""
    designer, licence, icons = FONTS[name]
    path = installed(name, icons.package, icons.font)
    glyphs = installed(name, icons.package, icons.glyphs) if icons.glyphs else None
    reader = GlyphReader(path)
    records = icons.records(path, glyphs)
    return Source(name, records, reader, f"{name}-{reader.digest}", designer, licence)


PACKAGES: dict[str, Callable[[], Source]] = {
    "tabler": tabler,
    "lucide": lucide,
    "kanjivg": kanjivg,
    "heroicons": heroicons,
    "iconoir": iconoir,
    **{name: partial(font, name) for name in FONTS},
}
"""The corpora that come with an installed package, by name."""


# Files of the user


def _folder(path: Path) -> Source:
    records, unread = read_files(path, (".svg",), MAX_BYTES)
    if not records:
        reason = f" ({unread[0][0]}: {unread[0][1]})" if unread else ""
        raise CorpusError(f"{path}: no .svg files in this folder{reason}")

    def read(label: str, data: bytes) -> Reading:
        return str(PurePosixPath(label).with_suffix("")), *read_svg(data)

    return Source(path.resolve().name, records, read, kind="svg", unread=unread, shorten=True)


def _quickdraw(path: Path) -> Source:
    if path.stat().st_size > MAX_NDJSON:
        raise CorpusError(f"{path}: more than {MAX_NDJSON} bytes; give a part of it")
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        raise CorpusError(f"{path}: compressed by gzip; unpack it first")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CorpusError(f"{path}: UTF-16 text; expected UTF-8, one JSON object a line")
    records = [(f"line {i}", line) for i, line in enumerate(data.splitlines(), 1) if line.strip()]

    def read(label: str, data: bytes) -> Reading:
        try:
            return *read_drawing(data), []
        except PointsError as error:
            # Other lines of such a file may look right, with x and y mixed up.
            raise CorpusError(f"{path}: {label}: {error}") from error

    return Source(
        path.stem,
        records,
        read,
        kind="quickdraw",
        designer="players of Quick, Draw!",
        licence="CC-BY-4.0",
        shorten=True,
    )


# For the functions above


def zipped(corpus: str, package: str, path: str, pattern: str) -> list[Record]:
    """The files whose names match a pattern in a .zip of an installed package, sorted."""
    with zipfile.ZipFile(installed(corpus, package, path)) as file:
        names = sorted(n for n in file.namelist() if fnmatchcase(n, pattern))
        return [(name, file.read(name)) for name in names]
