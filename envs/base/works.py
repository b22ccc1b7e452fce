"""Finished works: the moves are the work, everything else is derived from them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.novelty import storage
from move37.novelty.storage import write_atomically, write_npz

__all__ = [
    "PAD",
    "Works",
    "WorksError",
    "check_moves",
    "join_works",
    "pad_moves",
    "read_npz",
    "whole_numbers",
    "write_atomically",
    "write_npz",
]

PAD = -1
"""Value that fills a row of moves after its last move."""
FORMAT = "move37-works-1"
MOST_ACTIONS = 1 << 15
"""As many moves as int16 can tell apart."""


class WorksError(ValueError):
    """A file or array of works that cannot be read."""


@dataclass(frozen=True, repr=False)
class Works:
    """N finished works of one world.

    Attributes:
        world: Id of the world, e.g. ``"drawing"``.
        moves: (N, T) int16. The moves of each work, padded with -1 after the last one.
        briefs: (N, B) int16. The given moves each work answers, padded with -1; B may be 0.
        names: N names (an icon's name, or empty strings).
        appraisal: Named terms, each (N,) float64. May be empty. ``step`` and ``seed`` among them
            say when and in which run a work was made.
        images: (N, H, W) uint8 in {0, 1}: of works that are images and have no moves of their own
            (``moves`` are then traced, to tell copied strokes); None: the moves are the work.
        n_actions: Moves are 0 to ``n_actions - 1``; 0: not known. It stands in saved files.

    Raises:
        WorksError: If the shapes do not belong together.
    """

    world: str
    moves: NDArray[np.int16]
    briefs: NDArray[np.int16] = field(default_factory=lambda: np.zeros((0, 0), np.int16))
    names: tuple[str, ...] = ()
    appraisal: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    images: NDArray[np.uint8] | None = None
    n_actions: int = 0

    def __post_init__(self) -> None:
        moves = np.ascontiguousarray(self.moves, dtype=np.int16)
        if moves.ndim != 2:
            raise WorksError(f"moves: expected shape (N, T), got {moves.shape}")
        n = len(moves)
        object.__setattr__(self, "moves", moves)
        if self.briefs.size == 0:
            object.__setattr__(self, "briefs", np.full((n, 0), PAD, np.int16))
        if len(self.briefs) != n or self.briefs.ndim != 2:
            raise WorksError(f"briefs: expected shape ({n}, B), got {self.briefs.shape}")
        if not self.names:
            object.__setattr__(self, "names", ("",) * n)
        if len(self.names) != n:
            raise WorksError(f"names: expected {n}, got {len(self.names)}")
        if self.images is not None and (len(self.images) != n or self.images.ndim != 3):
            raise WorksError(f"images: expected shape ({n}, H, W), got {self.images.shape}")
        for key, values in self.appraisal.items():
            if np.shape(values) != (n,):
                raise WorksError(f"appraisal[{key!r}]: expected ({n},), got {np.shape(values)}")

    def __len__(self) -> int:
        return len(self.moves)

    def __getitem__(self, rows: int | slice | NDArray[np.int64] | NDArray[np.bool_]) -> Works:
        index = np.atleast_1d(np.arange(len(self))[rows])  # a number: the one work alone
        return Works(
            self.world,
            self.moves[index],
            self.briefs[index],
            tuple(self.names[i] for i in index),
            {key: np.asarray(values)[index] for key, values in self.appraisal.items()},
            None if self.images is None else self.images[index],
            self.n_actions,
        )

    def __repr__(self) -> str:
        terms = ", ".join(sorted(self.appraisal)) or "no terms"
        return f"<{len(self)} works of the world {self.world}: {terms}>"

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: a sheet of the works; None if their world is not known."""
        # Worlds know works, not works worlds: one is looked for only when somebody looks.
        shown: bytes | None = import_module("move37.envs.files.sheets").notebook_png(self)
        return shown

    def with_appraisal(self, appraisal: Mapping[str, NDArray[np.float64]]) -> Works:
        """The same works with these terms."""
        return replace(self, appraisal=dict(appraisal))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) int64: the number of moves of each work."""
        lengths: NDArray[np.int64] = (self.moves != PAD).sum(axis=1)
        return lengths

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``path`` (.npz, no pickle), atomically."""
        meta: dict[str, Any] = {"format": FORMAT, "world": self.world, "names": list(self.names)}
        if self.n_actions:
            meta["n_actions"] = self.n_actions
        arrays: dict[str, NDArray[Any]] = {
            f"appraisal/{key}": np.asarray(v, np.float64) for key, v in self.appraisal.items()
        }
        arrays["moves"], arrays["briefs"] = self.moves, np.asarray(self.briefs, np.int16)
        if self.images is not None:
            arrays["images"] = np.asarray(self.images, np.uint8)
        arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        write_npz(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Works:
        """Read what :meth:`save` wrote, without knowing the works' world.

        See :func:`move37.envs.base.registry.load_works` for a check against it. Files of version
        0.1 do not say how many moves there are.

        Raises:
            WorksError: If the file is missing, damaged or not a file of works.
        """
        arrays = read_npz(path)
        try:
            meta = storage.parse_json(arrays["meta"].tobytes())
            if meta["format"] != FORMAT:
                raise WorksError(f"{path}: not a file of works (format {meta['format']!r:.40})")
            world, moves, briefs = str(meta["world"]), arrays["moves"], arrays["briefs"]
            n_actions = meta.get("n_actions", 0)
            if type(n_actions) is not int or not 0 <= n_actions <= MOST_ACTIONS:
                raise ValueError(f"n_actions: {n_actions!r:.40} is no number of moves")
            _check_rows("moves", moves, n_actions or MOST_ACTIONS)
            _check_rows("briefs", briefs, n_actions or MOST_ACTIONS)
            images = arrays.get("images")
            if images is not None and (images.dtype != np.uint8 or images.max(initial=0) > 1):
                raise ValueError("images: expected uint8 in {0, 1}")
            appraisal = {k[10:]: v for k, v in arrays.items() if k.startswith("appraisal/")}
            for key, values in appraisal.items():
                if values.dtype != np.float64:
                    raise ValueError(f"appraisal[{key!r}]: expected float64, got {values.dtype}")
            names = tuple(str(name) for name in meta["names"])
            return cls(world, moves, briefs, names, appraisal, images, n_actions)
        except (KeyError, TypeError, ValueError) as error:
            message = storage.one_line(error)
            raise WorksError(f"{path}: not a file of works ({message})") from error


def check_moves(name: str, moves: NDArray[Any], n_actions: int) -> None:
    """Refuse what is neither a move nor padding: compiled code writes where a move points to.

    Args:
        name: Of the array, for the error.
        moves: Whole numbers of any shape.
        n_actions: Moves are 0 to ``n_actions - 1``.

    Raises:
        ValueError: If there is anything else in it than -1 to ``n_actions - 1``.
    """
    if moves.size and not PAD <= moves.min() <= moves.max() < n_actions:
        bad = moves[(moves < PAD) | (moves >= n_actions)][0]
        raise ValueError(f"{name}: {bad} is no move; moves are 0 to {n_actions - 1}")


def whole_numbers(name: str, numbers: Any) -> NDArray[np.int64]:
    """Numbers that a user gives as integers, 4.0 as 4; ValueError if one is no whole number."""
    given = np.asarray(numbers) if not np.ma.is_masked(numbers) else np.array(None)
    if (
        given.dtype.kind not in "iuf"
        or (given != np.round(given)).any()
        or (np.abs(given) > np.iinfo(np.int32).max).any()
    ):
        raise ValueError(f"{name}: expected whole numbers, got {numbers!r:.80}")
    return given.astype(np.int64)


def _check_rows(name: str, moves: NDArray[Any], n_actions: int) -> None:
    """Refuse what is no array of moves, each row padded behind its last one."""
    if moves.dtype != np.int16 or moves.ndim != 2:
        raise ValueError(f"{name}: expected int16 of shape (N, T), got {moves.dtype} {moves.shape}")
    check_moves(name, moves, n_actions)
    if ((moves[:, :-1] == PAD) & (moves[:, 1:] != PAD)).any():
        raise ValueError(f"{name}: a move stands after the last one")


def join_works(parts: Sequence[Works]) -> Works:
    """Stack works of one world; terms are kept that all parts have.

    Raises:
        WorksError: If there are none, or they are of several worlds.
    """
    worlds = {part.world for part in parts}
    if len(worlds) != 1:
        raise WorksError(f"works of one world can be joined, got {sorted(worlds)}")
    if any((part.images is None) != (parts[0].images is None) for part in parts):
        raise WorksError("image works and works with moves cannot be joined")
    shared = set.intersection(*(set(part.appraisal) for part in parts))
    images = [part.images for part in parts if part.images is not None]
    return Works(
        parts[0].world,
        pad_moves([row for part in parts for row in part.moves]),
        pad_moves([row for part in parts for row in part.briefs]),
        tuple(name for part in parts for name in part.names),
        {key: np.concatenate([part.appraisal[key] for part in parts]) for key in sorted(shared)},
        np.concatenate(images) if images else None,
        max(part.n_actions for part in parts),
    )


def pad_moves(rows: Sequence[NDArray[np.integer]], width: int | None = None) -> NDArray[np.int16]:
    """Stack move lists of unequal length to (N, T) int16, padded with -1."""
    width = max((len(row) for row in rows), default=0) if width is None else width
    out = np.full((len(rows), width), PAD, np.int16)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def read_npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read every array of an .npz without pickle, in bounded memory.

    Raises:
        WorksError: If the file is missing, damaged, too large, or holds pickled objects.
    """
    try:
        return storage.read_npz(path)
    except storage.StorageError as error:
        raise WorksError(str(error)) from error
