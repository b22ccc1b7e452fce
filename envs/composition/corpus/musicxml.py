"""Reads one chorale with music21: four voices on a grid of eighths, bar lines, fermatas, key."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

VOICES = ("Soprano", "Alto", "Tenor", "Bass")

# Krumhansl and Kessler (1982): how well each degree fits a major and a minor key.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_FINAL = 0.3
"""What a final note adds to the correlation of the keys it is the tonic of."""


MAX_BYTES = 4_000_000
"""Of a file, unpacked."""
MOST_ELEMENTS, MOST_BARS, MOST_VOICES = 12_000, 10_000, 32
"""What music21 reads in seconds: notes and bars of all parts, length, voices of a part."""


class ChoraleError(ValueError):
    """A file that is no four-part chorale in 4/4."""


@dataclass(frozen=True)
class Chorale:
    """One chorale on a grid of T eighths.

    Attributes:
        pitches: (4, T) int64 MIDI numbers, soprano to bass, -1 for silence.
        onsets: (4, T) bool: a note (or a rest) begins here.
        fermatas: (T,) bool: a soprano note with a fermata sounds.
        place: (T,) int64: eighths since the bar line, 0 to 7, by the bar lines as printed.
        bars: (T,) int64: the number of the printed bar.
        tonic: Pitch class of the tonic, 0 to 11.
        minor: Whether the third above it is more often minor.
    """

    pitches: NDArray[np.int64]
    onsets: NDArray[np.bool_]
    fermatas: NDArray[np.bool_]
    place: NDArray[np.int64]
    bars: NDArray[np.int64]
    tonic: int
    minor: bool


def read_chorale(label: str, data: bytes) -> Chorale:
    """Read a chorale from the bytes of a MusicXML file (``.xml``, or ``.mxl``: compressed).

    Raises:
        ChoraleError: If it has no four voices of notes, or is not in 4/4 throughout.
    """
    score = parse_musicxml(label, data)
    metres = {str(m.ratioString) for m in score.recurse().getElementsByClass("TimeSignature")}
    if metres != {"4/4"}:
        raise ChoraleError(f"its metre is {', '.join(sorted(metres)) or 'not given'}, not 4/4")
    parts = _four_parts(list(score.parts))
    length = round(2 * float(parts[0].highestTime))
    if length < 2:
        raise ChoraleError("its soprano has no notes")
    measures = parts[0].getElementsByClass("Measure")
    place, bars = bar_lines(
        [(2 * float(m.offset), 2 * float(m.highestTime), m.number) for m in measures], length
    )
    voices = [_voice(part, length, i == 3) for i, part in enumerate(parts)]
    pitches = np.stack([v[0] for v in voices])
    if (pitches < 0).all(axis=1).any():
        raise ChoraleError("a voice has no notes")
    tonic, minor = find_key(pitches)
    onsets = np.stack([v[1] for v in voices])
    return Chorale(pitches, onsets, voices[0][2], place, bars, tonic, minor)


def parse_musicxml(label: str, data: bytes) -> Any:
    """A music21 score of a MusicXML file, compressed where the label ends with ``.mxl``.

    The importer is called directly: music21's cache holds pickles.

    Raises:
        ChoraleError: If it is too large, or music21 cannot read it.
    """
    importer = import_module("music21.musicxml.xmlToM21").MusicXMLImporter()
    try:
        root = ElementTree.fromstring(_unpacked(label, data))
        _check_size(root)
        with contextlib.redirect_stderr(None):
            importer.xmlRootToScore(root, importer.stream)
    except ChoraleError:
        raise
    except Exception as error:  # music21 raises nearly anything on a damaged file
        raise ChoraleError(f"music21 cannot read it ({error!r})") from error
    if not importer.stream.highestTime <= 4 * MOST_BARS:
        raise ChoraleError(f"longer than {MOST_BARS:,} bars")
    return importer.stream


def _unpacked(label: str, data: bytes) -> bytes:
    """The text of a file; of a compressed one, that of its first document."""
    if label.lower().endswith(".mxl") and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            packed = [
                entry
                for entry in file.infolist()
                if entry.filename.endswith((".musicxml", ".xml"))
                and not entry.filename.startswith("META-INF")
            ]
            if not packed:
                raise ChoraleError("no .musicxml or .xml file is packed in it")
            if packed[0].file_size <= MAX_BYTES:
                return file.read(packed[0])
    elif len(data) <= MAX_BYTES:
        return data
    raise ChoraleError(f"more than {MAX_BYTES:,} bytes")


def _check_size(root: Element) -> None:
    """Refuse what music21 would work on for minutes, and drop what is no note.

    It counts up to the numbers of voltas, degrees of chord symbols and beats of a bar, and looks
    for every voice in every bar.
    """
    if root.tag != "score-partwise":
        raise ChoraleError(f"no MusicXML: it begins with <{root.tag:.30}>, not <score-partwise>")
    tags = Counter(element.tag for element in root.iter())
    if tags["measure"] + tags["note"] > MOST_ELEMENTS:
        raise ChoraleError(f"more than {MOST_ELEMENTS:,} notes and bars")
    if len({voice.text for voice in root.iter("voice")}) > MOST_VOICES:
        raise ChoraleError(f"more than {MOST_VOICES} voices")
    for beats in root.iter("beats"):
        if not re.fullmatch(r"\d{1,2}(\s*\+\s*\d{1,2}){0,9}", (beats.text or "").strip()):
            raise ChoraleError(f"{beats.text or '':.12} beats in a bar")
    for measure in root.iter("measure"):
        for element in [*measure.findall("barline"), *measure.findall("harmony")]:
            measure.remove(element)


def _four_parts(parts: list[Any]) -> list[Any]:
    """The parts named Soprano, Alto, Tenor and Bass, or all where there are four."""
    found = []
    for voice in VOICES:
        named = [p for p in parts if re.match(voice, str(p.partName or ""), re.IGNORECASE)]
        found.append(named[0] if len(named) == 1 else None)
    if all(part is not None for part in found):
        return found
    if len(parts) == 4:
        return parts
    raise ChoraleError(f"it has {len(parts)} parts, not a soprano, alto, tenor and bass")


def bar_lines(
    measures: Iterable[tuple[float, float, int]], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place in the bar and number of the bar of each of ``length`` eighths.

    A short bar is the end of one (a pick-up) at the beginning of the piece, or where the bar
    before it is short too and both make one; else it is the beginning of one.

    Args:
        measures: Of each printed bar the beginning and the size, in eighths, and the number.
        length: In eighths.
    """
    place, bars = np.zeros(length, np.int64), np.zeros(length, np.int64)
    before = 0
    for i, (at, long, number) in enumerate(measures):
        begin, size = round(at), round(long)
        first = 0
        if size < 8 and (i == 0 or before + size == 8):
            first = 8 - size
        before = size if first == 0 else 0
        end = min(begin + size, length)
        place[begin:end] = first + np.arange(max(end - begin, 0))
        bars[begin:end] = number
    return place, bars


def _voice(
    part: Any, length: int, lowest: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Pitch, onset and fermata of each eighth: what sounds at its beginning."""
    pitches = np.full(length, -1, np.int64)
    onsets, fermatas = np.zeros(length, np.bool_), np.zeros(length, np.bool_)
    ends, last = 0.0, -1
    owner, number = np.full(length, -1, np.int64), 0
    for note in part.flatten().notesAndRests:
        begin, size = 2 * float(note.offset), 2 * float(note.quarterLength)
        if size <= 0:
            continue  # a grace note
        pitch = -1
        if not note.isRest:
            midi = [p.midi for p in note.pitches]
            pitch = int(min(midi) if lowest else max(midi))
        tied = note.tie is not None and note.tie.type in ("stop", "continue")
        if not (tied and pitch == last and begin <= ends + 1e-6) and not (pitch == last == -1):
            number += 1
        first, stop = int(np.ceil(begin - 1e-6)), int(np.ceil(begin + size - 1e-6))
        pitches[first:stop], owner[first:stop] = pitch, number
        if any("Fermata" in e.classes for e in note.expressions):
            fermatas[first:stop] = True
        ends, last = begin + size, pitch
    onsets[0] = True
    onsets[1:] = owner[1:] != owner[:-1]
    return pitches, onsets, fermatas


def find_key(
    pitches: NDArray[np.int64], fifths: int | None = None, mode: str = ""
) -> tuple[int, bool]:
    """Tonic and mode of voices (V, T), the last one the bass.

    In chorales neither key signature nor file tells them reliably: the key is the one that the
    durations of all pitch classes (Krumhansl's profiles) and the final bass note together speak
    for; the mode then the commoner third above the tonic.

    Args:
        pitches: MIDI numbers, -1 for silence.
        fifths: A key signature (sharps, or minus flats): the key is one of its two.
        mode: The one that the file says beside it, which speaks for it as a final note does.
    """
    heard = pitches[pitches >= 0]
    weights = np.bincount(heard % 12, minlength=12).astype(np.float64)
    final = pitches[-1][pitches[-1] >= 0][-1] % 12
    best, tonic, profiled = -np.inf, 0, False
    for minor, said, profile in ((False, "major", _MAJOR), (True, "minor", _MINOR)):
        given = [] if fifths is None else [(7 * fifths + 9 * minor) % 12]
        for root in given or range(12):
            fit = float(np.corrcoef(np.roll(weights, -root), profile)[0, 1])
            fit += _FINAL * (int(root == final) + int(mode == said))
            if fit > best:
                best, tonic, profiled = fit, root, minor
    if fifths is not None:
        return tonic, profiled
    return tonic, bool(weights[(tonic + 3) % 12] > weights[(tonic + 4) % 12])
