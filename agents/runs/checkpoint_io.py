"""Checkpoints: state as arrays and JSON, in one file from which work resumes bit-identically.

The file is safetensors (no code can be in it) with a SHA-256 over everything in it, and is written
atomically.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from move37.envs.base.works import write_atomically
from move37.novelty.storage import StorageError, one_line, parse_json

Arrays = dict[str, NDArray[Any]]

FORMAT = "move37-checkpoint-2"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a computation needs to resume.

    Attributes:
        arrays: By name.
        facts: Everything else, as JSON can hold it.
    """

    arrays: Arrays
    facts: dict[str, Any]


def digest(arrays: Mapping[str, NDArray[Any]], text: str = "") -> str:
    """SHA-256, in hexadecimal, over names, types, shapes and bytes of arrays, and a text."""
    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, atomically.

    Raises:
        OSError: If it cannot be written; then no part of it is left.
    """
    facts = json.dumps(checkpoint.facts)
    metadata = {"format": FORMAT, "facts": facts, "sha256": digest(checkpoint.arrays, facts)}
    arrays = {name: np.ascontiguousarray(a) for name, a in checkpoint.arrays.items()}
    # ascontiguousarray makes a scalar a row.
    arrays = {name: a.reshape(checkpoint.arrays[name].shape) for name, a in arrays.items()}
    write_atomically(path, to_safetensors(arrays, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`save_checkpoint` wrote.

    Raises:
        StorageError: If the file is missing, damaged, or no checkpoint.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError("unknown format")
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        if digest(arrays, metadata["facts"]) != metadata["sha256"]:
            raise ValueError("the checksum is wrong")
        return Checkpoint(arrays, parse_json(metadata["facts"]))
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (SafetensorError, ValueError, KeyError, OSError, TypeError) as error:
        raise StorageError(f"{path}: damaged or no checkpoint ({one_line(error)})") from error


def load_intact_checkpoint(path: Path, log: Callable[[str], None]) -> Checkpoint | None:
    """A checkpoint, or None if there is none; a damaged one is logged and renamed."""
    if not path.exists():
        return None
    try:
        return load_checkpoint(path)
    except StorageError as error:
        log(f"{error}; it is not used")
        path.replace(path.with_suffix(".damaged"))
        return None
