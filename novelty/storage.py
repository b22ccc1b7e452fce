"""Files that are always whole, and that are read without running or believing anything in them.

Writing goes to a temporary file beside the target, which is flushed to the disk and renamed.
Reading knows three formats, none of which can hold code: ``.npz`` without pickle, safetensors and
JSON. What a file declares of sizes is checked before memory is asked for.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:
    from torch import Tensor, nn, optim

MOST_INFLATED = 256 << 20
"""Bytes that the compressed members of one .npz may have together when they are unpacked."""
MOST_MEMBERS = 1000
"""Arrays in one .npz."""
MOST_EMPTY = 1 << 20
"""Largest dimension of an array without bytes: (10**18, 0) would cost nothing in the file."""
MOST_HEADER = 4096
"""Bytes of an array's header."""
MOST_JSON = 4 << 20
"""Bytes of a JSON file."""

_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|][biuf]\d)', 'fortran_order': (?P<order>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n?"
)

StrPath = str | os.PathLike[str]


class StorageError(ValueError):
    """A file that is missing, damaged, or not what it should be; one line that names it."""


def write_atomically(path: StrPath, data: bytes | memoryview) -> None:
    """Write bytes so that ``path`` is always whole, old or new, whenever the power goes.

    Raises:
        OSError: If it cannot be written; ``path`` is then as it was.
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


def write_npz(path: StrPath, arrays: Mapping[str, NDArray[Any]], compressed: bool = True) -> None:
    """Write arrays to an .npz, atomically."""
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **arrays)  # type: ignore[arg-type]  # no name is allow_pickle
    write_atomically(path, buffer.getbuffer())


def read_npz(path: StrPath, most_inflated: int = MOST_INFLATED) -> dict[str, NDArray[Any]]:
    """Read every array of an .npz without pickle.

    A stored array never takes more memory than the file has bytes, the compressed ones together at
    most ``most_inflated``.

    Args:
        path: The file.
        most_inflated: Bytes; 0 refuses compressed arrays.

    Raises:
        StorageError: If the file is missing, damaged, too large, or holds anything but numbers.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        size = os.path.getsize(path)
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            if len(members) > MOST_MEMBERS:
                raise ValueError(f"{len(members)} arrays, at most {MOST_MEMBERS} are read")
            _check_sizes(members, size, most_inflated)
            for info in members:
                name = info.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError(f"holds {name!r} twice")
                with file.open(info) as member:
                    data = member.read(info.file_size + 1)  # to the end: checks the checksum
                arrays[name] = parse_npy(data)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile,
            OverflowError, MemoryError, SyntaxError, KeyError, TypeError) as error:  # fmt: skip
        raise StorageError(f"{path}: damaged or not an .npz file ({one_line(error)})") from error
    return arrays


def _check_sizes(members: list[zipfile.ZipInfo], size: int, most_inflated: int) -> None:
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


def parse_npy(data: bytes) -> NDArray[Any]:
    """The array in the bytes of an .npy file.

    Raises:
        ValueError: If they are none, or the array does not hold real numbers or booleans.
    """
    if data[:6] != b"\x93NUMPY" or data[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError("unknown version of the .npy format")
    start = 10 if data[6] == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    # Not by NumPy's reader: that hands the header, a Python expression, to Python's parser.
    header = _HEADER.fullmatch(data[start : min(end, start + MOST_HEADER)])
    if header is None or end > len(data):
        raise ValueError("a header that NumPy did not write, or not of plain numbers")
    try:
        dtype = np.dtype(header["dtype"].decode())
    except TypeError as error:
        raise ValueError(str(error)) from error
    shape = tuple(int(n) for n in header["shape"].split(b",") if n.strip())
    left = len(data) - end
    if math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f"{dtype} {shape} does not fit {left} bytes")
    if left == 0 and max(shape) > MOST_EMPTY:
        raise ValueError(f"{shape}: an empty array may have at most {MOST_EMPTY} rows")
    flat = np.frombuffer(data, dtype, offset=end)
    return flat.reshape(shape, order="F" if header["order"] == b"True" else "C").copy()


def save_weights(path: StrPath, module: nn.Module) -> None:
    """Write a module's weights (safetensors), atomically."""
    weights = {key: value.contiguous() for key, value in module.state_dict().items()}
    from safetensors.torch import save as to_safetensors  # torch is slow to import

    write_atomically(path, to_safetensors(weights))


def load_weights(path: StrPath, module: nn.Module, prefix: str = "") -> None:
    """Read weights into a module that has the same names, shapes and types.

    Args:
        path: A safetensors file.
        module: Takes the weights; unchanged if anything is wrong.
        prefix: Only what begins with it is looked at, and read without it.

    Raises:
        StorageError: If the file is missing, damaged, of another architecture, or not finite.
    """
    expected = module.state_dict()
    weights: dict[str, Tensor] = {}
    try:
        with safe_open(path, "pt") as file:
            names = {key.removeprefix(prefix) for key in file.keys() if key.startswith(prefix)}
            for name in sorted(names ^ set(expected)):
                raise ValueError(f"{name!r} is {'unknown' if name in names else 'missing'}")
            for name, value in expected.items():
                # The shape first: nothing is read that would not fit.
                shape = file.get_slice(prefix + name).get_shape()
                if shape != list(value.shape):
                    raise ValueError(f"{name}: expected shape {list(value.shape)}, got {shape}")
                found = file.get_tensor(prefix + name)
                if found.dtype != value.dtype:
                    raise ValueError(f"{name}: expected {value.dtype}, got {found.dtype}")
                if found.is_floating_point() and not bool(found.isfinite().all()):
                    raise ValueError(f"{name}: not finite")
                weights[name] = found
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (SafetensorError, ValueError, OSError, RuntimeError, UnicodeError) as error:
        raise StorageError(f"{path}: not the weights expected ({one_line(error)})") from error
    module.load_state_dict(weights)


def read_json(path: StrPath, most: int = MOST_JSON) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StorageError: If the file is missing, larger than ``most`` bytes, or no JSON object.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise ValueError(f"more than {most} bytes")
        return parse_json(data)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise StorageError(f"{path}: not a JSON object ({one_line(error)})") from error


def parse_json(data: bytes | str) -> dict[str, Any]:
    """A JSON object from its bytes.

    Raises:
        ValueError: If they are none, or nested too deep.
    """
    try:
        found = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, got {type(found).__name__}")
    return found


def one_line(error: BaseException) -> str:
    """What an error says, on one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def part(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``name/``, without it."""
    return {k[len(name) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{name}/")}


def moments_of(optimizer: optim.Optimizer) -> dict[str, NDArray[Any]]:
    """What an optimiser remembers of each parameter, for :func:`load_moments`."""
    return {
        f"{i}/{key}": value.numpy()
        for i, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def load_moments(optimizer: optim.Optimizer, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put back what an optimiser remembers; its settings stay as they are.

    Raises:
        ValueError: If it is that of other parameters.
    """
    from torch import from_numpy

    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        i, key = name.split("/")
        moments.setdefault(int(i), {})[key] = from_numpy(value.copy())
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
