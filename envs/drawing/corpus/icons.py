"""Human corpora: icons, kanji and doodles as works of the drawing world.

``load_corpus("tabler")`` reads the icons of an installed package; "lucide", "kanjivg" and
"heroicons" likewise; a folder of ``*.svg`` files or a Quick, Draw! ``.ndjson`` file is given by its
path. Each corpus is parsed once: the works are cached, keyed by the content they were read from.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray
from tqdm import tqdm

from move37.envs.base.works import Works, check_moves, pad_moves
from move37.envs.drawing.corpus.sources import CorpusError, Source, find_source
from move37.envs.drawing.corpus.svg import SvgError
from move37.envs.drawing.moves import MAX_MOVES, N_MOVES, moves_of
from move37.novelty.storage import read_state, write_state

PARSER_VERSION = 2
"""Raised whenever the same files would give other works, so that old caches are not used."""
CACHE_FORMAT = "move37-corpus-1"

Skipped = tuple[tuple[str, str], ...]
"""(label, reason) of everything that was left out."""

__all__ = ["Corpus", "CorpusError", "load_corpus"]


@dataclass(frozen=True)
class Corpus:
    """Human works of the drawing world.

    Attributes:
        name: The corpus: "tabler", or a folder's or file's name.
        works: The N works with their names; moves (N, 48) int16, each ending with END.
        skipped: (label, reason) of everything that was found but left out.
        fingerprint: SHA-256 over moves and names, in hexadecimal.
        designer: Who drew the works; empty if unknown.
        licence: SPDX identifier of the works' licence; empty if unknown.
    """

    name: str
    works: Works
    skipped: Skipped
    fingerprint: str
    designer: str = ""
    licence: str = ""


def load_corpus(
    spec: str,
    withhold: Sequence[str] = (),
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Corpus:
    """Load a human corpus, from the cache where it has been read before.

    Args:
        spec: "tabler", "lucide", "kanjivg", "heroicons", the path of a folder of .svg files
            (searched recursively), or the path of a Quick, Draw! .ndjson file (simplified or raw).
        withhold: Shell-style patterns, e.g. "*plane*"; works whose names match are removed.
        cache_dir: Folder of the cache; default $MOVE37_CACHE, else the user's cache folder.
        progress: Whether to show a progress bar on stderr while parsing.

    Returns:
        The corpus. What could not be read or does not fit in 48 moves is named in ``skipped``.

    Raises:
        CorpusError: If the spec is unknown, its package is not installed, no work is left, or a
            pattern matches no name.
    """
    source = find_source(spec)
    cache = _cache_path(source, cache_dir)
    found = _read_cache(cache)
    if found is None:
        found = _parse(source, progress)
        _write_cache(cache, *found)
    works, skipped = found
    keep = np.ones(len(works), bool)
    for pattern in withhold:
        matches = np.array([fnmatchcase(name, pattern) for name in works.names], bool)
        if not matches.any():
            raise CorpusError(f"{spec}: no work's name matches the withheld pattern {pattern!r}")
        keep &= ~matches
    works = works[keep]
    if len(works) == 0:
        reason = f" (first: {skipped[0][0]}: {skipped[0][1]})" if skipped else ""
        withheld = int((~keep).sum())
        raise CorpusError(
            f"{spec}: no works left, {len(skipped)} skipped{reason}, {withheld} withheld"
        )
    fingerprint = hashlib.sha256(works.moves.astype("<i2").tobytes())
    fingerprint.update(json.dumps(works.names).encode())
    return Corpus(
        source.name, works, skipped, fingerprint.hexdigest(), source.designer, source.licence
    )


def _parse(source: Source, progress: bool) -> tuple[Works, Skipped]:
    names: list[str] = []
    rows: list[NDArray[np.int16]] = []
    skipped: list[tuple[str, str]] = []
    bar = tqdm(source.records, desc=f"reading {source.name}", unit="work", disable=not progress)
    for label, data in bar:
        try:
            name, strokes = source.read(label, data)
            moves = moves_of(strokes)
            if len(moves) > MAX_MOVES:
                raise SvgError(f"{len(moves)} moves, at most {MAX_MOVES} fit")
        except SvgError as error:
            skipped.append((label, str(error)))
            continue
        names.append(name)
        rows.append(moves)
    return Works("drawing", pad_moves(rows, MAX_MOVES), names=tuple(names)), tuple(skipped)


def _cache_path(source: Source, folder: Path | None) -> Path:
    """The file for what is parsed from exactly these records."""
    if folder is None:
        folder = Path(os.environ.get("MOVE37_CACHE") or platformdirs.user_cache_dir("move37"))
    digest = hashlib.sha256()
    for label, data in source.records:
        digest.update(f"{len(data)} {label!r} ".encode() + data)
    kind = source.kind or source.name
    return folder / f"{kind}-{digest.hexdigest()[:32]}-v{PARSER_VERSION}.safetensors"


def _write_cache(path: Path, works: Works, skipped: Skipped) -> None:
    facts = {"names": works.names, "skipped": skipped}
    try:
        write_state(path, {"moves": works.moves}, facts, CACHE_FORMAT)
    except OSError as error:
        warnings.warn(f"{path}: the corpus is not cached ({error})", stacklevel=3)


def _read_cache(path: Path) -> tuple[Works, Skipped] | None:
    try:
        if not path.exists():
            return None
        arrays, facts = read_state(path, CACHE_FORMAT)
        moves = arrays["moves"]
        if moves.dtype != np.int16 or moves.shape[1:] != (MAX_MOVES,):
            raise ValueError(f"moves: expected int16 (N, {MAX_MOVES}), got {moves.shape}")
        check_moves("moves", moves, N_MOVES)
        skipped = tuple((str(label), str(reason)) for label, reason in facts["skipped"])
        return Works("drawing", moves, names=tuple(facts["names"])), skipped
    except (ValueError, TypeError, KeyError, OSError) as error:
        warnings.warn(f"damaged cache, reading the corpus anew ({error})", stacklevel=3)
        return None
