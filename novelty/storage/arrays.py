"""Named arrays in files: .npz for what users keep, safetensors with a checksum for the rest.

NumPy and safetensors do the parsing. What a file declares of sizes is checked before memory is
asked for, and pickled objects are refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from move37.novelty.storage.files import (
    StorageError,
    StrPath,
    one_line,
    parse_json,
    write_atomically,
)

MOST_INFLATED = 256 << 20
"""Bytes that the compressed arrays of one .npz may have together when they are unpacked."""
MOST_MEMBERS = 1000
"""Arrays in one .npz."""
MOST_EMPTY = 1 << 20
"""Largest dimension of an array without bytes: (10**18, 0) would cost nothing in the file."""
MOST_HEADER = 1024
"""Bytes of an array's header; that of an array of numbers has about 128."""


def write_npz(path: StrPath, arrays: Mapping[str, NDArray[Any]], compressed: bool = True) -> None:
    """Write arrays to an .npz, atomically.

    Raises:
        OSError: If it cannot be written; ``path`` is then unchanged.
    """
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **arrays)  # type: ignore[arg-type]  # no name is allow_pickle
    write_atomically(path, buffer.getbuffer())


def read_npz(path: StrPath, most_inflated: int = MOST_INFLATED) -> dict[str, NDArray[Any]]:
    """Read every array of an .npz without pickle and in bounded memory.

    Args:
        path: The file. An uncompressed array takes no more memory than the file has bytes.
        most_inflated: Bytes that compressed arrays may take together; 0 refuses them.

    Raises:
        StorageError: If the file is missing, damaged, too large, or holds anything but numbers.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            _check_sizes(members, os.path.getsize(path), most_inflated)
            for info in members:
                name = info.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError(f"holds {name!r} twice")
                with file.open(info) as member:
                    data = member.read(info.file_size + 1)  # to the end: checks the checksum
                arrays[name] = _read_npy(data)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except Exception as error:  # a broken file can make zip, zlib or NumPy raise nearly anything
        raise StorageError(f"{path}: damaged or not an .npz file ({one_line(error)})") from error
    return arrays


def _check_sizes(members: list[zipfile.ZipInfo], size: int, most_inflated: int) -> None:
    """Refuse an archive whose members would take too much memory; ``size`` is the file's."""
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"{len(members)} arrays, at most {MOST_MEMBERS} are read")
    inflated = 0
    for info in members:
        if info.compress_type == zipfile.ZIP_STORED:
            if info.file_size > size:
                raise ValueError(f"{info.filename}: larger than the file")
        elif info.compress_type == zipfile.ZIP_DEFLATED:
            inflated += info.file_size
            if not most_inflated:
                raise ValueError(f"{info.filename}: compressed")
        else:
            raise ValueError(f"{info.filename}: compressed in an unknown way")
    if inflated > most_inflated:
        raise ValueError(f"{inflated} bytes unpacked, at most {most_inflated} are read")


def _read_npy(data: bytes) -> NDArray[Any]:
    """The array in the bytes of an .npy file; ValueError if its header does not fit the bytes."""
    file = io.BytesIO(data)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers as Python 2 wrote them
            reader = readers[npy.read_magic(file)]
            shape, in_columns, dtype = reader(file, max_header_size=MOST_HEADER)
    except Exception as error:  # NumPy hands the header to Python's parser
        raise ValueError(
            "an array's header is broken, too long or of an unknown version"
        ) from error
    if dtype.kind not in "biuf":
        raise ValueError(f"holds {dtype!r:.40}, expected plain numbers")
    left = len(data) - file.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f"header does not fit {left} bytes: {dtype} {shape}")
    if left == 0 and max(shape) > MOST_EMPTY:
        raise ValueError(f"{shape}: an empty array may have at most {MOST_EMPTY} rows")
    flat = np.frombuffer(data, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if in_columns else "C").copy()


def write_state(
    path: StrPath, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], kind: str
) -> None:
    """Write arrays and facts to a safetensors file with a checksum, atomically.

    Args:
        path: The file.
        arrays: By name.
        facts: Everything else, as JSON can hold it.
        kind: What the file is; :func:`read_state` asks for the same.

    Raises:
        OSError: If it cannot be written; ``path`` is then unchanged.
    """
    text = json.dumps(facts)
    metadata = {"format": kind, "facts": text, "sha256": digest(arrays, text)}
    # Safetensors writes memory as it lies; ascontiguousarray makes a scalar a row.
    plain = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    write_atomically(path, to_safetensors(plain, metadata))


def read_state(path: StrPath, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what :func:`write_state` wrote.

    Returns:
        arrays: By name.
        facts: As they were.

    Raises:
        StorageError: If the file is missing, damaged, or of another kind.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != kind:
                raise ValueError("unknown format")
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        if digest(arrays, metadata["facts"]) != metadata["sha256"]:
            raise ValueError("the checksum is wrong")
        return arrays, parse_json(metadata["facts"])
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (SafetensorError, ValueError, KeyError, OSError, TypeError) as error:
        raise StorageError(f"{path}: damaged or not a {kind} file ({one_line(error)})") from error


def digest(arrays: Mapping[str, NDArray[Any]], text: str = "") -> str:
    """SHA-256, in hexadecimal, over names, types, shapes and bytes of arrays, and a text."""
    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def part(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``name/``, without that prefix."""
    return {k[len(name) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{name}/")}
