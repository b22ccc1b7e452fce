"""Folders: which files of one are looked at, and what files of works are called in one.

The same for every world and every command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from move37.novelty.storage import printable

NOT_SHOWN = ".", "__MACOSX"
"""How the names of files and folders begin that systems put there, not people."""


def files_in(
    folder: Path, suffixes: Collection[str] = ()
) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """Find the files of a folder and of the folders in it, in order of their names.

    Hidden files and folders and those that macOS adds to archives (``__MACOSX``) are not looked
    at, links to folders are not followed.

    Args:
        folder: Where to look.
        suffixes: Only files with one of these, in lower case; upper case is found too. Empty: all.

    Returns:
        The files by their labels, paths relative to ``folder``; and the folders that cannot be
        listed.
    """
    found: dict[str, Path] = {}
    unlisted: list[tuple[str, str]] = []

    def note(error: OSError) -> None:
        unlisted.append(
            (_label(Path(error.filename), folder), f"cannot be listed ({error.strerror})")
        )

    for where, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith(NOT_SHOWN))
        for name in sorted(names):
            path = Path(where, name)
            if not name.startswith(NOT_SHOWN) and (not suffixes or path.suffix.lower() in suffixes):
                found[_label(path, folder)] = path
    return dict(sorted(found.items())), unlisted


def read_at_most(path: Path, most: int) -> bytes:
    """The bytes of a file, or one more than ``most`` of a larger one.

    Raises:
        OSError: If it cannot be read or is no file (nothing is read from a pipe).
    """
    if path.exists() and not path.is_file():
        raise OSError("not a file")
    with path.open("rb") as file:
        return file.read(most + 1)


def file_stems(names: Sequence[str]) -> list[str]:
    """What the files of works are called, without suffix: all different, on any file system.

    Args:
        names: Of the works; whatever no file may have in its name is replaced. Works without one
            are called by their number.
    """
    stems: dict[str, str] = {}
    for i, name in enumerate(names):
        stem = re.sub(r'[\\/:*?"<>|]', "_", printable(name, 50)).strip(". ") or f"{i:05d}"
        while stem.lower() in stems:
            stem += f"-{i:05d}"
        stems[stem.lower()] = stem
    return list(stems.values())


def _label(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
