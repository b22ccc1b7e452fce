"""Atomic writing, JSON of bounded size, and the error that every reader raises."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_JSON = 4 << 20
"""Largest JSON file read, in bytes."""

NO_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of file systems that cannot flush (some network and shared folders): what is written there
survives this program, but perhaps no power failure."""

StrPath = str | os.PathLike[str]


class StorageError(ValueError):
    """A file that is missing, damaged, or not what it should be; one line that names it."""


def write_atomically(path: StrPath, data: bytes | memoryview) -> None:
    """Write a file so that ``path`` always holds all of the old or all of the new content.

    The data goes to a temporary file beside ``path``, which is flushed to the disk and renamed. The
    file keeps the mode that it had; a new one has the mode of any new file (umask).

    Raises:
        OSError: If it cannot be written; names ``path``, which is then unchanged.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            _flush(file.fileno())
        with suppress(OSError):  # there is no file yet, or the file system knows no modes
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk names no file, and other errors name the temporary one.
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _flush(descriptor: int) -> None:
    """Write a file or folder to the disk, where its file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FLUSH:
            raise


def _flush_folder(folder: Path) -> None:
    """Write a folder to the disk: a new name is there only once its folder is."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it may be written but not read; Windows opens no folders at all
        return
    try:
        _flush(descriptor)
    finally:
        os.close(descriptor)


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
    return printable(" ".join(str(error).split()) or type(error).__name__, 300)


def printable(text: object, most: int = 0) -> str:
    r"""A name, path or message that any table, page, file and terminal can hold, on one line.

    Tabs, line ends and whatever else does not print are escaped as in Python: ``\t``, ``\u202e``;
    bytes of a file name that are not UTF-8 as ``\xe7``.

    Args:
        text: Anything; taken as ``str(text)``.
        most: Longer ones lose their middle, at least 5; 0 keeps all.
    """
    shown = str(text)
    if most and len(shown) > most:
        half = (most - 3) // 2
        shown = f"{shown[: most - 3 - half]}...{shown[-half:]}"
    if shown.isprintable():
        return shown
    return "".join(map(_escaped, shown))


def check_utf8(path: StrPath, name: str) -> None:
    """Refuse a folder to write to that safetensors and TensorBoard could not open.

    Args:
        path: The folder.
        name: What to call it in the error.

    Raises:
        ValueError: If the path is not UTF-8.
    """
    if str(path) != str(path).encode(errors="replace").decode():
        raise ValueError(f"{name}: {printable(path)} is not UTF-8; choose another name")


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # how Python stands for a byte it could not decode
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
