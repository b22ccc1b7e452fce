"""Atomic writing, JSON of bounded size, and the error that every reader raises."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

MOST_JSON = 4 << 20
"""Largest JSON file read, in bytes."""

StrPath = str | os.PathLike[str]


class StorageError(ValueError):
    """A file that is missing, damaged, or not what it should be; one line that names it."""


def write_atomically(path: StrPath, data: bytes | memoryview) -> None:
    """Write a file so that ``path`` always holds all of the old or all of the new content.

    The data goes to a temporary file beside ``path``, which is flushed to the disk and renamed.

    Raises:
        OSError: If it cannot be written; ``path`` is then unchanged.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    # The new name is on the disk only once the folder is.
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: StrPath) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StorageError: If the file is missing, larger than ``MOST_JSON``, or no JSON object.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_JSON + 1)
        if len(data) > MOST_JSON:
            raise ValueError(f"more than {MOST_JSON} bytes")
        return parse_json(data)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise StorageError(f"{path}: not a JSON object ({one_line(error)})") from error


def parse_json(data: bytes | str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ValueError: If the data is no JSON object, or nested too deep.
    """
    try:
        found = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, got {type(found).__name__}")
    return found


def one_line(error: BaseException) -> str:
    """The message of an error on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
