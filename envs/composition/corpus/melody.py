"""A user's melody, from a MusicXML or MIDI file, as a brief: the soprano that a learner answers.

music21 reads both formats. A brief has room for 32 eighths in 4/4, one note at a time: what cannot
be written so is refused with its bar and beat, what had to be changed is said.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.corpus.musicxml import (
    MAX_BYTES,
    ChoraleError,
    bar_lines,
    find_key,
    parse_musicxml,
)
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    MODE,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_HIGH,
    SOPRANO_LOW,
    TONIC,
    shift_of,
)
from move37.envs.files.folders import read_at_most

XML_SUFFIXES, MIDI_SUFFIXES = (".musicxml", ".xml", ".mxl"), (".mid", ".midi")
MOST_MIDI = 200_000
"""Bytes of a MIDI file; more takes music21 too long."""
MOST_EIGHTHS = 8000
"""A melody begins in the first thousand bars."""
_NEAR = 0.1
"""So many eighths beside one is on it: MIDI files are a tick early or late."""
_LEGATO = 0.5
"""Notes of a MIDI file may overlap the next one by so many eighths."""
_SHORTEST = 24
"""A melody that is too long is cut at the end of a phrase where that leaves so many eighths."""
_METRES = ("4/4", "2/2", "8/8", "")
"""Metres whose bars have 8 eighths; the last is that of a file that names none."""
_WHITE = (0, 2, 4, 5, 7, 9, 11)
_DRUMS = 10
"""The channel of drums, as musicians count."""


class MelodyError(ValueError):
    """A file that holds no melody that fits a brief; the message begins with its path."""


class _Note(NamedTuple):
    """A note, in eighths from the beginning of the file."""

    begin: float
    end: float
    midi: int
    fermata: bool = False


class _Bar(NamedTuple):
    """A bar, in eighths; a MusicXML file's may be shorter than its metre says."""

    begin: float
    size: float
    number: int
    metre: str


class _Part(NamedTuple):
    """One part of a file.

    Attributes:
        name: As the file has it.
        notes: In order of time; those of a chord begin together.
        bars: All bars.
        signature: Of the key: sharps, or minus flats, and the mode or ""; None if there is none.
        exact: Whether notes are as long as written, and not as somebody played them.
    """

    name: str
    notes: list[_Note]
    bars: list[_Bar]
    signature: tuple[int, str] | None
    exact: bool

    def where(self, eighth: float) -> str:
        """Bar and beat, for people."""
        bar = [b for b in self.bars if b.begin <= eighth + _NEAR][-1]
        return f"bar {bar.number}, beat {1 + (eighth - bar.begin) / 2:.3g}"


def read_melody(path: Path) -> tuple[NDArray[np.int16], list[str]]:
    """Read a melody as a brief for the worlds where the soprano is given.

    Of several parts the one named soprano or melody is taken, else the top one; drums never are. A
    melody begins with its first note, in the beat where it stands; after 32 eighths it is cut, at
    the end of a phrase if one is near; what is missing to 32 eighths is silence. It is moved by
    octaves into the soprano's compass. The key is that of the signature, major or minor as the
    notes say; without a signature the notes say it. The last note has a fermata.

    Args:
        path: A file of MusicXML (.musicxml, .xml, or .mxl: compressed) or MIDI (.mid, .midi).

    Returns:
        The brief, (67,) int16, and what to tell the user: a line for the key and for whatever was
        chosen, cut or moved.

    Raises:
        MelodyError: If it cannot be read, or holds what a brief cannot: another metre than 4/4,
            several notes at once, notes that begin between two eighths, a compass too wide.
    """
    try:
        part, said = _top_part(path)
        brief, more = _brief_of(part)
    except (ChoraleError, MelodyError) as error:
        raise MelodyError(f"{path}: {error}") from error
    return brief, [*said, *more]


def _top_part(path: Path) -> tuple[_Part, list[str]]:
    """The part that has the melody, and what is to be said of that."""
    suffix = path.suffix.lower()
    if suffix not in XML_SUFFIXES + MIDI_SUFFIXES:
        kinds = ", ".join(XML_SUFFIXES + MIDI_SUFFIXES)
        raise MelodyError(f"a melody is read from files that end with one of {kinds}")
    try:
        data = read_at_most(path, MAX_BYTES)
    except OSError as error:
        raise MelodyError(f"cannot be read ({error.strerror or error})") from error
    read = _midi_parts if suffix in MIDI_SUFFIXES else _xml_parts
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # music21 warns of what it passes over
            parts = [part for part in read(suffix, data) if part.notes]
    except (ChoraleError, MelodyError):
        raise
    except Exception as error:  # music21 raises nearly anything on a damaged file
        raise MelodyError(f"music21 cannot read it ({error!r})") from error
    if not parts:
        raise MelodyError("it has no notes")
    named = [p for p in parts if re.match("soprano|melody", p.name, re.IGNORECASE)]
    part = named[0] if len(named) == 1 else parts[0]
    if len(parts) == 1:
        return part, []
    return part, [f"taken from {part.name or 'the top part'!r}, one of {len(parts)} parts"]


def _xml_parts(suffix: str, data: bytes) -> Iterator[_Part]:
    """The parts of a MusicXML file; several voices on one staff are parts of their own."""
    for part in parse_musicxml(f"melody{suffix}", data).parts:
        part.toSoundingPitch(inPlace=True)
        bars, metre = [], ""
        for bar in part.getElementsByClass("Measure"):
            metre = bar.timeSignature.ratioString if bar.timeSignature else metre
            bars.append(_Bar(2 * float(bar.offset), 2 * float(bar.highestTime), bar.number, metre))
        signature = _signature(part.flatten().getElementsByClass("KeySignature"))
        for voice in part.voicesToParts().parts:
            yield _Part(str(part.partName or ""), list(_tied(voice)), bars, signature, True)


def _signature(marks: Iterable[Any]) -> tuple[int, str] | None:
    for mark in marks:
        return mark.sharps, getattr(mark, "mode", None) or ""
    return None


def _tied(part: Any) -> Iterator[_Note]:
    """The notes of a part of music21, with those that are tied as one; no grace notes."""
    now: _Note | None = None
    for item in part.flatten().getElementsByClass(("Note", "Chord")):
        begin, size = 2 * float(item.offset), 2 * float(item.quarterLength)
        if size <= 0:
            continue
        held = any("Fermata" in e.classes for e in item.expressions)
        goes_on = item.tie is not None and item.tie.type in ("stop", "continue")
        for pitch in item.pitches:
            if now and goes_on and pitch.midi == now.midi and abs(begin - now.end) < _NEAR:
                now = now._replace(end=begin + size, fermata=now.fermata or held)
                continue
            if now:
                yield now
            now = _Note(begin, begin + size, pitch.midi, held)
    if now:
        yield now


def _midi_parts(_: str, data: bytes) -> Iterator[_Part]:
    """The parts of a MIDI file: a track's notes of one channel, but for drums."""
    if len(data) > MOST_MIDI:
        raise MelodyError(f"more than {MOST_MIDI:,} bytes; keep the melody alone")
    midi = import_module("music21.midi")
    translate = import_module("music21.midi.translate")
    file = midi.MidiFile()
    file.readstr(data)
    if file.ticksPerSecond or not file.ticksPerQuarterNote:
        raise MelodyError("it counts no ticks to a quarter, so it has no bars")
    tick = 2 / file.ticksPerQuarterNote
    tracks = [translate.getTimeForEvents(track) for track in file.tracks]
    marks = [(at * tick, mark) for track in tracks for at, mark in translate.getMetaEvents(track)]
    metres = sorted((at, m.ratioString) for at, m in marks if "TimeSignature" in m.classes)
    bars = list(_bars_of(metres))
    signature = _signature(m for _, m in marks if "KeySignature" in m.classes)
    for track in tracks:
        name, channels = "", dict[int, list[_Note]]()
        for _, event in track:
            if event.type == midi.MetaEvents.SEQUENCE_TRACK_NAME:
                name = event.data.decode("utf-8", "replace").strip()
        for note in translate.getNotesFromEvents(track):
            begin, end = note.onTime * tick, note.offTime * tick
            channels.setdefault(note.event.channel, []).append(_Note(begin, end, note.event.pitch))
        for channel in sorted(channels.keys() - {_DRUMS}):
            yield _Part(name, channels[channel], bars, signature, False)


def _bars_of(metres: list[tuple[float, str]]) -> Iterator[_Bar]:
    """The bars that time signatures, with the eighths where they stand, make."""
    at, number, size, metre = 0.0, 1, 8.0, ""
    while at < MOST_EIGHTHS:
        while metres and metres[0][0] <= at + _NEAR:
            metre = metres.pop(0)[1]
            beats, value = metre.split("/")
            size = max(8 * int(beats) / int(value), 1.0)  # a bar of 255/(2 ** 255) would not end
        end = min([at + size, *(begin for begin, _ in metres[:1])])
        yield _Bar(at, end - at, number, metre)
        at, number = end, number + 1


def _brief_of(part: _Part) -> tuple[NDArray[np.int16], list[str]]:
    """The brief (67,) of a part, and what is to be said of it."""
    start = round(part.notes[0].begin)
    if start > MOST_EIGHTHS:
        raise MelodyError(f"its first note comes after {start // 8:,} bars of silence")
    end, said = _cut(part, start)
    notes = [n._replace(end=min(n.end, end)) for n in part.notes if n.begin < end - _NEAR]
    sung = list(_on_grid(part, notes))
    place = _place(part, start, sung[-1][1])
    pitches, onsets, held = (np.zeros(EIGHTHS, np.int64) for _ in range(3))
    pitches[:] = -1
    for begin, until, note in sung:
        onsets[begin - start], onsets[until - start : until - start + 1] = 1, 1
        pitches[begin - start : until - start] = note.midi
        held[begin - start : until - start] = note.fermata or note is sung[-1][2]
    tonic, minor = _key_of(part, pitches)
    shift = shift_of(tonic)
    octaves = _octaves(pitches[pitches >= 0], shift)
    said.append(f"taken to be in {_key(tonic, minor)}")
    if octaves:
        said.append(f"moved {'up' if octaves > 0 else 'down'} by {12 * abs(octaves)} semitones")
    codes = pitches + 12 * octaves - shift - SOPRANO_LOW + FIRST_NOTE
    brief = np.zeros(BRIEF, np.int16)
    brief[MODE], brief[PHASE], brief[TONIC] = minor, place, tonic
    brief[SOPRANO:FERMATA] = np.where(onsets, np.where(pitches >= 0, codes, REST), HOLD)
    brief[FERMATA:] = held
    return brief, said


def _cut(part: _Part, start: int) -> tuple[int, list[str]]:
    """The eighth that a melody from ``start`` on is cut at, and what is to be said of it."""
    end, last = start + EIGHTHS, part.notes[-1].end
    if last <= end + _NEAR:
        missing = end - _last(last)
        return end, [f"{missing} eighths of silence follow, to make it {EIGHTHS}"] * (missing > 0)
    for note, then in pairwise(part.notes):
        closes = note.fermata or then.begin - note.end > 1 - _NEAR
        if closes and start + _SHORTEST <= _last(note.end) <= start + EIGHTHS:
            end = _last(note.end)
    return end, [f"cut after {end - start} eighths, at {part.where(end)}: more do not fit a brief"]


def _last(end: float) -> int:
    """The eighth in which a note has ended: what is played is shorter than it is meant."""
    return math.ceil(end - _NEAR)


def _on_grid(part: _Part, notes: list[_Note]) -> Iterator[tuple[int, int, _Note]]:
    """Notes with the eighths in which they begin and end.

    Raises:
        MelodyError: If notes sound at once, or between eighths.
    """
    for note, then in zip(notes, [*notes[1:], None], strict=True):
        begin, end = round(note.begin), note.end
        if then:
            overlap = end - then.begin
            together = then.begin - note.begin < _NEAR
            if together or overlap > (_NEAR if part.exact else _LEGATO):
                raise MelodyError(
                    f"{part.where(then.begin)}: {_name(note.midi)} and {_name(then.midi)} sound "
                    "at once; a melody has one note at a time"
                )
            end = min(end, then.begin)
        for at in (note.begin, end)[: 1 + part.exact]:
            if abs(at - round(at)) > _NEAR:
                raise MelodyError(
                    f"{part.where(at)}: a note begins or ends between two eighths; triplets and "
                    "notes shorter than an eighth cannot be written here"
                )
        yield begin, max(begin + 1, _last(end)), note


def _place(part: _Part, start: int, end: int) -> int:
    """The place in the bar of eighth ``start`` of a melody that ends with eighth ``end``.

    Raises:
        MelodyError: If the bars between them have not 8 eighths each.
    """
    place, numbers = bar_lines([bar[:3] for bar in part.bars], end)
    for bar in part.bars[1:]:  # the first one may be a pick-up
        if start < bar.begin + bar.size and bar.begin < end and bar.metre not in _METRES:
            raise MelodyError(f"bar {bar.number}: its metre is {bar.metre}, not 4/4")
    odd = np.flatnonzero((place[start:] - place[start] - np.arange(end - start)) % 8)
    if len(odd):
        number = numbers[start + odd[0] - 1]
        raise MelodyError(f"bar {number} is no whole bar of 4/4; only the first one may be short")
    return int(place[start])


def _key_of(part: _Part, pitches: NDArray[np.int64]) -> tuple[int, bool]:
    """Tonic of a melody, and whether it is in minor.

    A signature without accidentals, where notes have some, is no signature: programs write it when
    nobody has said anything.
    """
    fifths, mode = part.signature or (0, "")
    white = np.isin(pitches[pitches >= 0] % 12, _WHITE).all()
    return find_key(
        pitches[None], *((fifths, mode) if fifths or (part.signature and white) else ())
    )


def _octaves(pitches: NDArray[np.int64], shift: int) -> int:
    """By how many octaves to move a melody into the soprano's compass, where works have a shift.

    Raises:
        MelodyError: If it fits nowhere.
    """
    low, high = SOPRANO_LOW + shift, SOPRANO_HIGH + shift
    for octaves in sorted(range(-9, 10), key=abs):
        if low <= pitches.min() + 12 * octaves and pitches.max() + 12 * octaves <= high:
            return octaves
    raise MelodyError(
        f"it spans {_name(int(pitches.min()))} to {_name(int(pitches.max()))}, and in no octave "
        f"fits the soprano, in this key {_name(low)} to {_name(high)}"
    )


def _name(midi: int) -> str:
    pitch = import_module("music21.pitch").Pitch(midi=midi)
    return str(pitch.nameWithOctave).replace("-", "b")


def _key(tonic: int, minor: bool) -> str:
    """The name of a key; of two ways to write it, that with fewer sharps or flats."""
    sharps = (7 * (tonic + 3 * minor) + 5) % 12 - 5
    signature = import_module("music21.key").KeySignature(sharps)
    mode = "minor" if minor else "major"
    return f"{signature.asKey(mode).tonic.name.replace('-', 'b')} {mode}"
