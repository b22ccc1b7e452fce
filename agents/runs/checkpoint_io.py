"""Checkpoints: state as arrays and JSON, in one file from which work resumes bit-identically.

The file is safetensors (no code can be in it) with a SHA-256 over everything in it, and is written
atomically.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from move37.novelty.storage import StorageError, read_state, write_state

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


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, atomically.

    Raises:
        OSError: If it cannot be written; then no part of it is left.
    """
    write_state(path, checkpoint.arrays, checkpoint.facts, FORMAT)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`save_checkpoint` wrote.

    Raises:
        StorageError: If the file is missing, damaged, or no checkpoint.
    """
    return Checkpoint(*read_state(path, FORMAT))


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
