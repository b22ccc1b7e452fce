"""Bach's chorales as works of the composition world.

The chorales come with the package music21 (as MusicXML) or from a folder of such files. A work is a
window of 32 eighths that begins a piece or follows a fermata, and ends with one: two phrases, most
often. Parsing is done once: the works are cached, keyed by the content they were read from.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.corpus import (
    CorpusError,
    Parsed,
    Record,
    Skipped,
    installed,
    read_corpus,
    read_files,
)
from move37.envs.base.works import Works, check_moves
from move37.envs.composition.corpus.musicxml import MAX_BYTES, ChoraleError, read_chorale
from move37.envs.composition.corpus.windows import Window, windows_of
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    N_MOVES,
    SOPRANO,
    SOPRANO_LOW,
    TONIC,
    check_briefs,
    sounding,
)
from move37.envs.composition.scores import scores_of
from move37.envs.progress import doing, track

PARSER_VERSION = 2
"""Raised whenever the same files would give other works, so that old caches are not used."""

ALIKE = 24
"""Two windows share a tune if their sopranos agree, in any transposition, in so many eighths."""
SPLITS = ("train", "judge", "held_out", "sealed")
_SHARES = (0.6, 0.16, 0.12, 0.12)


@dataclass(frozen=True)
class Corpus:
    """Human works of the composition world.

    Attributes:
        name: "bach", or the folder's name.
        works: The N works; moves (N, 32), briefs (N, 67), names ("bwv267 bar 5").
        inner: (N, 2, 32) int16: codes of alto and tenor; -1 where one leaves its compass.
        tunes: (N,) int64: works of one number share a tune.
        skipped: (label, reason) of everything that was found but left out.
        fingerprint: sha256 over moves, briefs and names, hexadecimal.
    """

    name: str
    works: Works
    inner: NDArray[np.int16]
    tunes: NDArray[np.int64]
    skipped: Skipped
    fingerprint: str

    def split(self, seed: int = 0) -> dict[str, NDArray[np.int64]]:
        """Rows of the works of each of SPLITS: no tune is in two of them.

        Whole tunes are dealt in random order, each to the split that lacks most of its share (train
        0.6, judge 0.16, held_out 0.12, sealed 0.12 of the works).

        Raises:
            CorpusError: If there are too few tunes to leave none empty.
        """
        labels, sizes = np.unique(self.tunes, return_counts=True)
        order = np.random.default_rng(seed).permutation(len(labels))
        dealt = np.zeros(len(SPLITS))
        side = np.zeros(len(labels), np.int64)
        for tune in order:
            side[tune] = int(np.argmin(dealt / np.array(_SHARES)))
            dealt[side[tune]] += sizes[tune]
        if (dealt == 0).any():
            raise CorpusError(f"split: {len(labels)} tunes are too few for {len(SPLITS)} splits")
        of_work = side[np.searchsorted(labels, self.tunes)]
        return {name: np.flatnonzero(of_work == i) for i, name in enumerate(SPLITS)}


def load_corpus(
    spec: str = "bach",
    withhold: Sequence[str] = (),
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Corpus:
    """Load a human corpus, from the cache where it has been read before.

    Args:
        spec: "bach" (the chorales of the package music21), or the path of a folder of MusicXML
            files (.xml, .musicxml, .mxl; searched recursively) of four-part chorales in 4/4.
        withhold: Shell-style patterns, e.g. "bwv26*"; works whose names match are removed.
        cache_dir: Folder of the cache; default $MOVE37_CACHE, else the user's cache folder.
        progress: Whether to show on stderr how far it has come: a bar, or lines in a log.

    Raises:
        CorpusError: If the spec is unknown, music21 is not installed, no work is left, or a
            pattern matches no name.
    """
    kind, name, records, unread = _source(spec)
    with doing(f"reading {name}", bar=True) if progress else nullcontext():
        (works, skipped, more), fingerprint = read_corpus(
            spec, BASS.world, kind, PARSER_VERSION, records,
            lambda: _parse(name, records, progress), _check, withhold, cache_dir, unread,
        )  # fmt: skip
    return Corpus(name, works, more["inner"], more["tunes"], skipped, fingerprint)


def _check(found: Parsed) -> None:
    works, inner, tunes = found.works, found.more["inner"], found.more["tunes"]
    check_moves("moves", works.moves, N_MOVES)
    check_moves("inner", inner, N_MOVES)
    check_briefs(works.briefs)
    n = len(works)
    shapes = (works.moves.shape, works.briefs.shape, inner.shape, tunes.shape)
    wanted = ((n, EIGHTHS), (n, BRIEF), (n, 2, EIGHTHS), (n,))
    if shapes != wanted or inner.dtype != np.int16 or tunes.dtype != np.int64:
        raise ValueError(f"not works of chorales: {shapes}")


def _source(spec: str) -> tuple[str, str, list[Record], Skipped]:
    """Kind, name and files of a corpus, and which files could not be read."""
    if spec == "bach":
        folder = installed("bach", "music21", "music21/corpus/bach")
        records, unread = read_files(folder, (".mxl", ".xml"), MAX_BYTES)
        records = [record for record in records if "/" not in record[0]]
        if not records:
            raise CorpusError(f"bach: the package music21 has no chorales in {folder}")
        return "bach", "bach", records, unread
    path = Path(spec).expanduser()
    if path.is_dir():
        records, unread = read_files(path, (".mxl", ".xml", ".musicxml"), MAX_BYTES)
        if not records:
            reason = f" ({unread[0][0]}: {unread[0][1]})" if unread else ""
            raise CorpusError(f"{path}: no .mxl, .xml or .musicxml files in this folder{reason}")
        return "musicxml", path.resolve().name, records, unread
    raise CorpusError(
        f"{spec!r} is no known corpus: expected bach, or the path of a folder of MusicXML files"
    )


def scores_in_four(works: Works, inner: NDArray[np.int16]) -> NDArray[np.int16]:
    """Scores (M, 7, 32) of the works (N) whose inner voices (N, 2, 32) stay in their compass."""
    whole = (inner >= 0).all(axis=(1, 2))
    pairs = scores_of(works.moves[whole], works.briefs[whole], BASS)
    return np.concatenate([pairs, inner[whole]], axis=1)


def _parse(name: str, records: Sequence[Record], progress: bool) -> Parsed:
    names: list[str] = []
    windows: list[Window] = []
    pieces: list[int] = []
    skipped: list[tuple[str, str]] = []
    seen: set[bytes] = set()
    chorales = track(records, f"reading {name}", "chorale", silent=not progress)
    for piece, (label, data) in enumerate(chorales):
        try:
            found = windows_of(read_chorale(label, data))
            if not found:
                raise ChoraleError("no window of 32 eighths between fermatas")
        except ChoraleError as error:
            skipped.append((label, str(error)))
            continue
        for window in found:
            # The same piece stands in several collections: equal windows count once.
            key = window.moves.tobytes() + np.delete(window.brief, TONIC).tobytes()
            if key not in seen:
                seen.add(key)
                names.append(f"{PurePosixPath(label).with_suffix('').as_posix()} bar {window.bar}")
                windows.append(window)
                pieces.append(piece)
    n = len(windows)
    moves = np.array([w.moves for w in windows], np.int16).reshape(n, EIGHTHS)
    briefs = np.array([w.brief for w in windows], np.int16).reshape(n, BRIEF)
    inner = np.array([w.inner for w in windows], np.int16).reshape(n, 2, EIGHTHS)
    tunes = find_tunes(briefs, np.array(pieces, np.int64))
    works = Works(BASS.world, moves, briefs, tuple(names))
    return Parsed(works, tuple(skipped), {"inner": inner, "tunes": tunes})


def find_tunes(briefs: NDArray[np.int16], pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number works by tune, (N,) int64: works of a piece, and of pieces with like sopranos.

    Args:
        briefs: (N, 67).
        pieces: (N,) which piece each work is from.
    """
    n = len(briefs)
    parent = np.arange(n)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    pitches = sounding(briefs[:, SOPRANO:FERMATA], SOPRANO_LOW)
    first = {int(piece): i for i, piece in reversed(list(enumerate(pieces)))}
    for i in range(n):
        parent[root(i)] = root(first[int(pieces[i])])
        for lag in range(-4, 5, 2):
            # Against every later window, either of them shifted by up to two beats.
            a, b = pitches[i, max(0, lag) : EIGHTHS + min(0, lag)], pitches[i + 1 :]
            gap = b[:, max(0, -lag) : EIGHTHS + min(0, -lag)] - a
            same = np.stack([(gap == k).sum(axis=1) for k in range(-12, 13)]).max(axis=0)
            for j in np.flatnonzero(same >= ALIKE):
                parent[root(i)] = root(int(i + 1 + j))
    return np.unique([root(i) for i in range(n)], return_inverse=True)[1].astype(np.int64)
