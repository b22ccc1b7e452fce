"""What is kept between runs, and where: parsed human works, and compiled code.

Parsed works lie in the user's cache folder, compiled code where Numba puts it: beside the code, or
in its own folder of the user. Where none of these can be written, a temporary folder is used, and
one warning says so.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import platformdirs

Function = TypeVar("Function", bound=Callable[..., Any])

NAME = re.compile(r".+-[0-9a-f]{32}-v\d+\.(npz|safetensors)")
"""Names of the files that corpora are kept in; whatever else lies in the folder is not ours."""
TEMPORARY = "MOVE37_TEMPORARY_CACHE"
"""Tells processes that this one starts of its temporary folder."""


def cache_folder() -> Path:
    """The folder of parsed works: ``$MOVE37_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("MOVE37_CACHE") or platformdirs.user_cache_dir("move37"))


def cached_file(name: str, folder: Path | None = None) -> Path:
    """Where a cached file is, or can be written.

    Args:
        name: Of the file.
        folder: Of the cache; None: :func:`cache_folder`.
    """
    folder = folder or cache_folder()
    if os.path.exists(folder / name) or _can_be_written(folder):
        return folder / name
    return (_temporary_folder() or folder) / name


def cached_files() -> dict[Path, list[Path]]:
    """What is kept: parsed works in the cache folder, and compiled code in that of the program."""
    parsed = [path for path in cache_folder().glob("*") if NAME.fullmatch(path.name)]
    program = Path(__file__).parents[1]
    return {cache_folder(): parsed, program: list(program.rglob("__pycache__/*.nb[ic]"))}


def njit(**options: Any) -> Callable[[Function], Function]:
    """:func:`numba.njit` that also works where no compiled code can be kept.

    Args:
        **options: As Numba takes them; ``cache=True`` among them.
    """
    settings: Any = numba.config  # which makes its attributes when it is imported

    def compiled(function: Function) -> Function:
        made: Function
        try:
            made = numba.njit(**options)(function)
            return made
        except RuntimeError:  # Numba found no folder that can be written
            folder = _temporary_folder()
        given, settings.CACHE_DIR = settings.CACHE_DIR, str(folder or "")
        try:
            made = numba.njit(**{**options, "cache": folder is not None})(function)
            return made
        finally:
            settings.CACHE_DIR = given

    return compiled


def _can_be_written(folder: Path) -> bool:
    if folder.parts[:1] == ("~",):  # there is no home
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@cache
def _temporary_folder() -> Path | None:
    """A folder for as long as this program runs; None if there is no place for one."""
    if given := os.environ.get(TEMPORARY):
        return Path(given)
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix="move37-")
    except OSError:
        place = "not kept"
    else:
        os.environ[TEMPORARY] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        place = f"kept in {folder} until this program ends"
    warnings.warn(
        f"no cache can be written (read-only, or no home): compiled code and parsed works are "
        f"{place}; MOVE37_CACHE and NUMBA_CACHE_DIR name other folders",
        stacklevel=3,
    )
    return Path(folder) if folder else None
