"""Human works as they are read from files: parsed once, cached, and withheld by name."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import warnings
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import cached_file
from move37.envs.base.works import Works
from move37.envs.files.folders import files_in, read_at_most
from move37.novelty.storage import read_state, write_state

CACHE_FORMAT = "move37-corpus-1"

Record = tuple[str, bytes]
"""A label that says where works were found, and their bytes."""
Skipped = tuple[tuple[str, str], ...]
"""(label, reason) of everything that was left out."""


class CorpusError(ValueError):
    """A corpus that is unknown, not installed, empty or wrongly asked for."""


class Parsed(NamedTuple):
    """What was found in the records of a corpus.

    Attributes:
        works: The N works with their names.
        skipped: (label, reason) of everything that was found but left out.
        more: Further arrays, (N, ...) each.
    """

    works: Works
    skipped: Skipped
    more: dict[str, NDArray[Any]] = {}  # noqa: RUF012  # never changed


def read_corpus(
    spec: str,
    world: str,
    kind: str,
    version: int,
    records: Sequence[Record],
    parse: Callable[[], Parsed],
    check: Callable[[Parsed], None],
    withhold: Sequence[str] = (),
    cache_dir: Path | None = None,
    unread: Skipped = (),
) -> tuple[Parsed, str]:
    """Parse a corpus, or read it from the cache, which is keyed by the content of the records.

    Args:
        spec: As the corpus was asked for, for the errors.
        world: Id of the works' world.
        kind: What the file in the cache is called by.
        version: Of the parser: another when the same files would give other works.
        records: What the works are parsed from.
        parse: Parses them.
        check: Raises ValueError for what cannot have been parsed: a cache may be forged.
        withhold: Shell-style patterns; works whose names match are removed.
        cache_dir: Folder of the cache; default $MOVE37_CACHE, else the user's cache folder.
        unread: What else was left out, before there were records.

    Returns:
        What is left, and its fingerprint: SHA-256 over moves, briefs and names, in hexadecimal.

    Raises:
        CorpusError: If no work is left, or a pattern matches no name.
    """
    digest = hashlib.sha256()
    for label, data in records:
        digest.update(f"{len(data)} {label!r} ".encode() + data)
    cache = cached_file(f"{kind}-{digest.hexdigest()[:32]}-v{version}.safetensors", cache_dir)
    found = _read_cache(cache, world, check)
    if found is None:
        found = parse()
        _write_cache(cache, found)
    works, skipped, more = found
    skipped += unread
    keep = np.ones(len(works), np.bool_)
    for pattern in withhold:
        matches = np.array([fnmatchcase(name, pattern) for name in works.names], np.bool_)
        if not matches.any():
            raise CorpusError(f"{spec}: no work's name matches the withheld pattern {pattern!r}")
        keep &= ~matches
    if not keep.any():
        reason = f" (first: {skipped[0][0]}: {skipped[0][1]})" if skipped else ""
        withheld = int((~keep).sum())
        raise CorpusError(
            f"{spec}: no works left, {len(skipped)} skipped{reason}, {withheld} withheld"
        )
    works = works[keep]
    fingerprint = hashlib.sha256(works.moves.astype("<i2").tobytes())
    fingerprint.update(works.briefs.astype("<i2").tobytes() + json.dumps(works.names).encode())
    left = Parsed(works, skipped, {key: values[keep] for key, values in more.items()})
    return left, fingerprint.hexdigest()


def _write_cache(path: Path, found: Parsed) -> None:
    works = found.works
    arrays = {"moves": works.moves, **found.more}
    if works.briefs.size:
        arrays["briefs"] = works.briefs
    facts = {"names": works.names, "skipped": found.skipped}
    try:
        write_state(path, arrays, facts, CACHE_FORMAT)
    except OSError as error:
        warnings.warn(f"{path}: the corpus is not cached ({error})", stacklevel=3)


def _read_cache(path: Path, world: str, check: Callable[[Parsed], None]) -> Parsed | None:
    try:
        if not path.exists():
            return None
        more, facts = read_state(path, CACHE_FORMAT)
        moves, briefs = more.pop("moves"), more.pop("briefs", np.zeros((0, 0), np.int16))
        if moves.dtype != np.int16 or briefs.dtype != np.int16:
            raise ValueError(f"moves, briefs: expected int16, got {moves.dtype}, {briefs.dtype}")
        works = Works(world, moves, briefs, tuple(facts["names"]))
        skipped = tuple((str(label), str(reason)) for label, reason in facts["skipped"])
        found = Parsed(works, skipped, more)
        check(found)
        return found
    except (ValueError, TypeError, KeyError, OSError) as error:
        warnings.warn(f"damaged cache, reading the corpus anew ({error})", stacklevel=3)
        return None


# For those who find the records


def installed(corpus: str, package: str, path: str) -> Path:
    """The path of a file or folder of an installed package."""
    try:
        found = Path(str(importlib.metadata.distribution(package).locate_file(path)))
    except importlib.metadata.PackageNotFoundError:
        raise CorpusError(f"{corpus}: the package {package} is not installed") from None
    if not found.exists():
        raise CorpusError(f"{corpus}: the package {package} has no {path}")
    return found


def read_files(folder: Path, suffixes: Collection[str], most: int) -> tuple[list[Record], Skipped]:
    """Read the files that :func:`files_in` finds, each no further than a limit.

    Args:
        folder: Where to look.
        suffixes: In lower case.
        most: Bytes; of a larger file one more is read, so that it can be told.

    Returns:
        (label, bytes) of each file, and what cannot be read.
    """
    found, unread = files_in(folder, suffixes)
    records: list[Record] = []
    for label, path in found.items():
        try:
            records.append((label, read_at_most(path, most)))
        except OSError as error:
            unread.append((label, f"cannot be read ({error.strerror or error})"))
    return records, tuple(unread)
