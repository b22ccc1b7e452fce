"""Human corpora: icons, kanji and doodles as works of the drawing world.

``load_corpus("tabler")`` reads the icons of an installed package; "lucide", "kanjivg" and
"heroicons" likewise; a folder of ``*.svg`` files or a Quick, Draw! ``.ndjson`` file is given by its
path. Each corpus is parsed once: the works are cached, keyed by the content they were read from.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.corpus import CorpusError, Parsed, Skipped, read_corpus
from move37.envs.base.works import Works, check_moves, pad_moves
from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.shorten import fitting_moves
from move37.envs.drawing.corpus.sources import Source, find_source
from move37.envs.drawing.moves import MAX_MOVES, N_MOVES, moves_of
from move37.envs.progress import doing, track
from move37.novelty.storage import printable

PARSER_VERSION = 3
"""Raised whenever the same files would give other works, so that old caches are not used."""

__all__ = ["Corpus", "CorpusError", "load_corpus"]


@dataclass(frozen=True)
class Corpus:
    """Human works of the drawing world.

    Attributes:
        name: The corpus: "tabler", or a folder's or file's name.
        works: The N works with their names; moves (N, 48) int16, each ending with END.
        skipped: (label, reason) of everything that was found but left out, parts of works too.
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
            Drawings of folders and of .ndjson files that have more than 48 moves are simplified
            until they fit; see :mod:`move37.envs.drawing.corpus.shorten`.
        withhold: Shell-style patterns, e.g. "*plane*"; works whose names match are removed.
        cache_dir: Folder of the cache; default $MOVE37_CACHE, else the user's cache folder.
        progress: Whether to show on stderr how far it has come: a bar, or lines in a log.

    Returns:
        The corpus. What could not be read or does not fit in 48 moves is named in ``skipped``.

    Raises:
        CorpusError: If the spec is unknown, its package is not installed, no work is left, or a
            pattern matches no name.
    """
    source = find_source(spec)
    what = f"reading {printable(source.name, 60)}"
    with doing(what, bar=True) if progress else nullcontext():
        (works, skipped, _), fingerprint = read_corpus(
            spec, "drawing", source.kind or source.name, PARSER_VERSION, source.records,
            lambda: _parse(source, progress), _check, withhold, cache_dir, source.unread,
        )  # fmt: skip
    return Corpus(source.name, works, skipped, fingerprint, source.designer, source.licence)


def _check(found: Parsed) -> None:
    moves = found.works.moves
    if moves.shape[1:] != (MAX_MOVES,):
        raise ValueError(f"moves: expected (N, {MAX_MOVES}), got {moves.shape}")
    check_moves("moves", moves, N_MOVES)


def _parse(source: Source, progress: bool) -> Parsed:
    names: list[str] = []
    rows: list[NDArray[np.int16]] = []
    skipped: list[tuple[str, str]] = []
    what = f"reading {printable(source.name, 60)}"
    for label, data in track(source.records, what, "work", silent=not progress):
        try:
            name, strokes, parts = source.read(label, data)
            moves = fitting_moves(strokes) if source.shorten else moves_of(strokes)
            if len(moves) > MAX_MOVES:
                raise SvgError(f"{len(moves)} moves, at most {MAX_MOVES} fit")
        except SvgError as error:
            skipped.append((label, str(error)))
            continue
        skipped += [(label, part) for part in parts]
        names.append(name)
        rows.append(moves)
    works = Works("drawing", pad_moves(rows, MAX_MOVES), names=tuple(names))
    return Parsed(works, tuple(skipped))
