"""The cache of a corpus: an .npz with a checksum, read anew from its sources if it is damaged."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works, read_npz, write_npz
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import EIGHTHS, check_briefs, check_moves


class Found(NamedTuple):
    """What was found in the files of a corpus.

    Attributes:
        works: The N works.
        inner: (N, 2, 32) int16: codes of alto and tenor.
        tunes: (N,) int64: works of one number share a tune.
        skipped: (label, reason) of everything that was left out.
    """

    works: Works
    inner: NDArray[np.int16]
    tunes: NDArray[np.int64]
    skipped: tuple[tuple[str, str], ...]


def _checksum(found: Found, text: bytes) -> bytes:
    parts = (found.works.moves, found.works.briefs, found.inner)
    data = b"".join(x.astype("<i2").tobytes() for x in parts)
    return hashlib.sha256(data + found.tunes.astype("<i8").tobytes() + text).digest()


def write_cache(path: Path, found: Found) -> None:
    """Write what :func:`read_cache` reads; a warning says if that is not possible."""
    works = found.works
    text = json.dumps({"names": works.names, "skipped": found.skipped}).encode()
    arrays: dict[str, NDArray[Any]] = {
        "moves": works.moves,
        "briefs": works.briefs,
        "inner": found.inner,
        "tunes": found.tunes,
        "text": np.frombuffer(text, np.uint8),
        "check": np.frombuffer(_checksum(found, text), np.uint8),
    }
    try:
        write_npz(path, arrays)
    except OSError as error:
        warnings.warn(f"{path}: the corpus is not cached ({error})", stacklevel=3)


def read_cache(path: Path) -> Found | None:
    """What was found when the cache was written; None if there is none, or it is damaged."""
    try:
        if not path.exists():
            return None
        arrays = read_npz(path)
        text = arrays["text"].tobytes()
        meta = json.loads(text)
        names = tuple(str(name) for name in meta["names"])
        works = Works(BASS.world, arrays["moves"], arrays["briefs"], names)
        skipped = tuple((str(label), str(reason)) for label, reason in meta["skipped"])
        found = Found(works, arrays["inner"], arrays["tunes"].astype(np.int64), skipped)
        if _checksum(found, text) != arrays["check"].tobytes():
            raise ValueError("the checksum is wrong")
        check_moves(works.moves)
        check_briefs(works.briefs)
        check_moves(found.inner.reshape(len(works), 2 * EIGHTHS), 2 * EIGHTHS)
        return found
    except Exception as error:  # a flipped bit can make zip, zlib or NumPy raise nearly anything
        warnings.warn(f"{path}: damaged cache, reading the corpus anew ({error})", stacklevel=3)
        return None
