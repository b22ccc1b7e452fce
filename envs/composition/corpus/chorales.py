"""Bach's chorales as works of the composition world.

The chorales come with the package music21 (as MusicXML) or from a folder of such files. A work is a
window of 32 eighths that begins a piece or follows a fermata, and ends with one: two phrases, most
often. Parsing is done once: the works are cached, keyed by the content they were read from.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from tqdm import tqdm

from move37.envs.base.works import PAD, Works, read_npz, write_npz
from move37.envs.composition.corpus.musicxml import Chorale, ChoraleError, read_chorale
from move37.envs.composition.corpus.tunes import find_tunes
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import (
    ALTO_ROW,
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    LOW,
    LOWEST,
    MODE,
    N_MOVES,
    N_SOPRANO,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    TENOR_ROW,
    TONIC,
    check_briefs,
    check_moves,
    shift_of,
)
from move37.envs.composition.scores import scores_of

PARSER_VERSION = 2
"""Raised whenever the same files would give other works, so that old caches are not used."""

MAX_BYTES = 4_000_000
SPLITS = ("train", "judge", "held_out", "sealed")
_SHARES = (0.6, 0.16, 0.12, 0.12)


class CorpusError(ValueError):
    """A corpus that is unknown, not installed, empty or wrongly asked for."""


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
    skipped: tuple[tuple[str, str], ...]
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
        progress: Whether to show a progress bar on stderr while parsing.

    Raises:
        CorpusError: If the spec is unknown, music21 is not installed, no work is left, or a
            pattern matches no name.
    """
    kind, name, records = _source(spec)
    folder = cache_dir or Path(
        os.environ.get("MOVE37_CACHE") or platformdirs.user_cache_dir("move37")
    )
    digest = hashlib.sha256()
    for label, data in records:
        digest.update(f"{len(data)} {label!r} ".encode() + data)
    cache = folder / f"{kind}-{digest.hexdigest()[:32]}-v{PARSER_VERSION}.npz"
    found = _read_cache(cache)
    if found is None:
        found = _parse(name, records, progress)
        _write_cache(cache, *found)
    works, inner, tunes, skipped = found
    keep = np.ones(len(works), bool)
    for pattern in withhold:
        matches = np.array([fnmatchcase(n, pattern) for n in works.names], bool)
        if not matches.any():
            raise CorpusError(f"{spec}: no work's name matches the withheld pattern {pattern!r}")
        keep &= ~matches
    works, inner, tunes = works[keep], inner[keep], tunes[keep]
    if len(works) == 0:
        reason = f" (first: {skipped[0][0]}: {skipped[0][1]})" if skipped else ""
        raise CorpusError(
            f"{spec}: no works left, {len(skipped)} skipped{reason}, {int((~keep).sum())} withheld"
        )
    digest = hashlib.sha256(works.moves.astype("<i2").tobytes())
    digest.update(works.briefs.astype("<i2").tobytes() + json.dumps(works.names).encode())
    return Corpus(name, works, inner, tunes, skipped, digest.hexdigest())


Records = list[tuple[str, bytes]]
Found = tuple[Works, NDArray[np.int16], NDArray[np.int64], tuple[tuple[str, str], ...]]
"""What stands in a cache: works, inner voices, tunes, and what was left out."""


def _source(spec: str) -> tuple[str, str, Records]:
    if spec == "bach":
        try:
            package = importlib.metadata.distribution("music21")
        except importlib.metadata.PackageNotFoundError:
            raise CorpusError("bach: the package music21 is not installed") from None
        folder = Path(str(package.locate_file("music21/corpus/bach")))
        files = sorted([*folder.glob("*.mxl"), *folder.glob("*.xml")])
        if not files:
            raise CorpusError(f"bach: the package music21 has no chorales in {folder}")
        return "bach", "bach", [(path.name, _bytes_of(path)) for path in files]
    path = Path(spec).expanduser()
    if path.is_dir():
        kinds = ("*.mxl", "*.xml", "*.musicxml")
        found = {p.relative_to(path).as_posix(): p for kind in kinds for p in path.rglob(kind)}
        if not found:
            raise CorpusError(f"{path}: no .mxl, .xml or .musicxml files in this folder")
        return "musicxml", path.resolve().name, [(k, _bytes_of(found[k])) for k in sorted(found)]
    raise CorpusError(
        f"{spec!r} is no known corpus: expected bach, or the path of a folder of MusicXML files"
    )


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from error


def scores_in_four(works: Works, inner: NDArray[np.int16]) -> NDArray[np.int16]:
    """Scores (M, 7, 32) of the works (N) whose inner voices (N, 2, 32) stay in their compass."""
    whole = (inner >= 0).all(axis=(1, 2))
    pairs = scores_of(works.moves[whole], works.briefs[whole], BASS)
    return np.concatenate([pairs, inner[whole]], axis=1)


Window = tuple[int, NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]


def windows_of(chorale: Chorale) -> list[Window]:
    """Every work of a chorale: its first bar, moves (32,), brief (67,) and inner voices (2, 32).

    Windows that leave a compass, or within which the printed bar lines do not go on regularly,
    are left out.
    """
    length = len(chorale.place)
    shift = shift_of(chorale.tonic)
    soprano, bass = chorale.pitches[0], chorale.pitches[3]
    held = np.append(chorale.fermatas, False)
    after = [t for t in range(1, length + 1) if held[t - 1] and (not held[t] or _new(chorale, t))]
    result = []
    for begin in [0, *after]:
        end = begin + EIGHTHS
        if end not in after:
            continue
        window = slice(begin, end)
        place = chorale.place[window]
        if ((place - place[0] - np.arange(EIGHTHS)) % 8).any():
            continue
        moves = _codes(bass[window] - shift, chorale.onsets[3, window], LOW, N_MOVES)
        given = _codes(soprano[window] - shift, chorale.onsets[0, window], SOPRANO_LOW, N_SOPRANO)
        if moves is None or given is None or (moves >= FIRST_NOTE).sum() < 4:
            continue
        brief = np.zeros(BRIEF, np.int16)
        brief[MODE], brief[PHASE], brief[TONIC] = chorale.minor, place[0], chorale.tonic
        brief[SOPRANO:FERMATA] = given
        brief[FERMATA:] = chorale.fermatas[window]
        inner = np.full((2, EIGHTHS), PAD, np.int16)
        for k, row in enumerate((ALTO_ROW, TENOR_ROW)):
            codes = _codes(
                chorale.pitches[1 + k, window] - shift, chorale.onsets[1 + k, window],
                LOWEST[row], N_MOVES,
            )  # fmt: skip
            if codes is not None:
                inner[k] = codes
        result.append((int(chorale.bars[begin]), moves, brief, inner))
    return result


def _new(chorale: Chorale, t: int) -> bool:
    """Whether the soprano begins a note at eighth ``t``."""
    return t >= len(chorale.place) or bool(chorale.onsets[0, t])


def _codes(
    pitches: NDArray[np.int64], onsets: NDArray[np.bool_], low: int, n_codes: int
) -> NDArray[np.int16] | None:
    """HOLD, REST and note codes of one voice; None if it leaves the compass."""
    codes = np.where(pitches < 0, REST, pitches - low + FIRST_NOTE)
    if ((pitches >= 0) & ((codes < FIRST_NOTE) | (codes >= n_codes))).any():
        return None
    begins = onsets.copy()
    begins[0] = True
    return np.where(begins, codes, HOLD).astype(np.int16)


def _parse(name: str, records: Records, progress: bool) -> Found:
    names: list[str] = []
    rows: list[NDArray[np.int16]] = []
    briefs: list[NDArray[np.int16]] = []
    inner: list[NDArray[np.int16]] = []
    pieces: list[int] = []
    skipped: list[tuple[str, str]] = []
    seen: set[bytes] = set()
    bar = tqdm(records, desc=f"reading {name}", unit="chorale", disable=not progress)
    for piece, (label, data) in enumerate(bar):
        try:
            if len(data) > MAX_BYTES:
                raise ChoraleError(f"more than {MAX_BYTES} bytes")
            found = windows_of(read_chorale(label, data))
            if not found:
                raise ChoraleError("no window of 32 eighths between fermatas")
        except ChoraleError as error:
            skipped.append((label, str(error)))
            continue
        for first_bar, moves, brief, voices in found:
            # The same piece stands in several collections: equal windows count once.
            key = moves.tobytes() + np.delete(brief, TONIC).tobytes()
            if key in seen:
                continue
            seen.add(key)
            stem = PurePosixPath(label).with_suffix("").as_posix()
            names.append(f"{stem} bar {first_bar}")
            rows.append(moves)
            briefs.append(brief)
            inner.append(voices)
            pieces.append(piece)
    moves_, briefs_ = np.array(rows, np.int16), np.array(briefs, np.int16)
    if not rows:
        moves_, briefs_ = np.zeros((0, EIGHTHS), np.int16), np.zeros((0, BRIEF), np.int16)
    inner_ = np.array(inner, np.int16).reshape(len(rows), 2, EIGHTHS)
    works = Works("composition", moves_, briefs_, tuple(names))
    return works, inner_, find_tunes(briefs_, np.array(pieces, np.int64)), tuple(skipped)


def _checksum(
    works: Works, inner: NDArray[np.int16], tunes: NDArray[np.int64], text: bytes
) -> bytes:
    data = b"".join(x.astype("<i2").tobytes() for x in (works.moves, works.briefs, inner))
    return hashlib.sha256(data + tunes.astype("<i8").tobytes() + text).digest()


def _write_cache(
    path: Path, works: Works, inner: NDArray[np.int16], tunes: NDArray[np.int64],
    skipped: tuple[tuple[str, str], ...],
) -> None:  # fmt: skip
    text = json.dumps({"names": works.names, "skipped": skipped}).encode()
    arrays: dict[str, NDArray[Any]] = {
        "moves": works.moves,
        "briefs": works.briefs,
        "inner": inner,
        "tunes": tunes,
        "text": np.frombuffer(text, np.uint8),
        "check": np.frombuffer(_checksum(works, inner, tunes, text), np.uint8),
    }
    try:
        write_npz(path, arrays)
    except OSError as error:
        warnings.warn(f"{path}: the corpus is not cached ({error})", stacklevel=3)


def _read_cache(path: Path) -> Found | None:
    try:
        if not path.exists():
            return None
        arrays = read_npz(path)
        text = arrays["text"].tobytes()
        meta = json.loads(text)
        names = tuple(str(name) for name in meta["names"])
        works = Works("composition", arrays["moves"], arrays["briefs"], names)
        tunes = arrays["tunes"].astype(np.int64)
        inner = arrays["inner"]
        if _checksum(works, inner, tunes, text) != arrays["check"].tobytes():
            raise ValueError("the checksum is wrong")
        check_moves(works.moves)
        check_briefs(works.briefs)
        if (
            inner.shape != (len(works), 2, EIGHTHS)
            or not PAD <= inner.min(initial=0) <= (inner.max(initial=0)) < N_MOVES
        ):
            raise ValueError("the inner voices are no codes")
        skipped = tuple((str(label), str(reason)) for label, reason in meta["skipped"])
        return works, inner, tunes, skipped
    except Exception as error:  # a flipped bit can make zip, zlib or NumPy raise nearly anything
        warnings.warn(f"{path}: damaged cache, reading the corpus anew ({error})", stacklevel=3)
        return None
