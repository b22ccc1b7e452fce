"""Scores for other programs and for the eye: MusicXML and an engraved picture.

music21 writes MusicXML (which MuseScore and others open); Verovio, the engraver of the Music
Encoding Initiative, turns the MusicXML into SVG and reports which note sounds when.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import EIGHTHS
from move37.envs.composition.score.sound import TEMPO
from move37.envs.composition.score.staff import Note, Sheet, sheet_of, written

_LAYOUT = {
    "pageWidth": 1800, "adjustPageHeight": True, "adjustPageWidth": False, "scale": 50,
    "footer": "none", "breaks": "auto", "xmlIdSeed": 1, "svgViewBox": True,
    "pageMarginLeft": 40, "pageMarginRight": 40, "pageMarginTop": 40, "pageMarginBottom": 40,
    "svgRemoveXlink": True,
}  # fmt: skip
"""Options of Verovio; with a fixed seed of identifiers the same score gives the same picture."""


def _music21() -> Any:
    """The package, imported late because that takes a second; much of it is not typed."""
    return import_module("music21")


def composer_of(sheet: Sheet, both: bool) -> str:
    """Who wrote a sheet; ``both`` says whether the soprano was written too."""
    own = "alto, tenor and bass" if len(sheet.voices) > 2 else "bass"
    return "Move37" if both else f"{own}: Move37 (the soprano was given)"


def _stream(sheet: Sheet, title: str, tempo_mark: bool = True, both: bool = False) -> Any:
    """A music21 score of a sheet: one part per voice, bars as printed, ties across bar lines."""
    m21 = _music21()
    score = m21.stream.Score()
    score.insert(0, m21.metadata.Metadata(title=title, composer=composer_of(sheet, both)))
    for voice, name in enumerate(sheet.voices):
        part = m21.stream.Part(id=name)
        organ = m21.instrument.PipeOrgan()
        organ.partId, organ.instrumentId, organ.partName = name, f"{name}-organ", name
        organ.partAbbreviation, organ.midiChannel = name[0], voice
        part.insert(0, organ)
        part.append(_bars(sheet, voice, tempo_mark and voice == 0))
        part.makeAccidentals(inPlace=True)
        score.insert(0, part)
    return score


def _bars(sheet: Sheet, voice: int, tempo_mark: bool) -> list[Any]:
    """The bars of one voice as music21 measures, perhaps with a metronome mark."""
    m21 = _music21()
    end = sheet.first + EIGHTHS
    numbers = range(0 if sheet.first else 1, -(-end // 8) + (0 if sheet.first else 1))
    bars = [m21.stream.Measure(number=number) for number in numbers]
    bars[0].append(m21.clef.TrebleClef() if sheet.is_upper(voice) else m21.clef.BassClef())
    signature = m21.key.KeySignature(sheet.fifths)
    bars[0].append(signature.asKey("minor" if sheet.minor else "major"))
    bars[0].append(m21.meter.TimeSignature("4/4"))
    bars[0].paddingLeft = sheet.first / 2
    if sheet.first:
        bars[0].showNumber = m21.stream.enums.ShowNumber.NEVER  # MusicXML: a pick-up, not counted
    if tempo_mark:
        bars[0].insert(0, m21.tempo.MetronomeMark(number=TEMPO))
    for note in sheet.notes:
        if note.voice == voice:
            for at, item in _items(sheet, note):
                bars[(at + sheet.first) // 8].append(item)
    if end % 8:
        bars[-1].paddingRight = 4 - end % 8 / 2
    for bar in bars:
        bar.makeBeams(inPlace=True)
    bars[-1].rightBarline = "final"
    return bars


def _items(sheet: Sheet, note: Note) -> Iterator[tuple[int, Any]]:
    """The tied notes, or the rests, that a note or a rest is written as, with their eighths."""
    m21 = _music21()
    parts = written(note, sheet.first)
    for k, (at, size) in enumerate(parts):
        last = k == len(parts) - 1
        if note.midi < 0:
            item = m21.note.Rest()
        else:
            letter, alter, octave = sheet.spell(note.midi)
            accidental = "#" * alter if alter > 0 else "-" * -alter
            item = m21.note.Note(f"{letter}{accidental}{octave}")
            if len(parts) > 1:
                item.tie = m21.tie.Tie("start" if k == 0 else "stop" if last else "continue")
            if note.fermata and last:
                mark = m21.expressions.Fermata()
                mark.placement = "above" if sheet.is_upper(note.voice) else "below"
                mark.type = "upright" if sheet.is_upper(note.voice) else "inverted"
                item.expressions.append(mark)
        item.quarterLength = Fraction(size, 2)
        yield at, item


def musicxml(
    score: NDArray[np.int16], title: str = "", both: bool = False, tempo_mark: bool = True
) -> bytes:
    """A MusicXML document of a score.

    Args:
        score: (5, 32), or (7, 32) in four parts.
        title: Of the piece.
        both: Whether the soprano was written too, for the name of the composer.
        tempo_mark: Whether there is a metronome mark.
    """
    exporter: Any = import_module("music21.musicxml.m21ToXml").GeneralObjectExporter
    data: bytes = exporter(_stream(sheet_of(score), title, tempo_mark, both)).parse()
    return data


def _engraved(score: NDArray[np.int16], title: str = "") -> Any:
    """A Verovio toolkit with a score in it."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({**_LAYOUT, "header": "auto" if title else "none"})
    # The metronome mark would need a font that the picture does not carry.
    if not toolkit.loadData(musicxml(score, title, tempo_mark=False).decode()):
        raise ValueError("Verovio cannot read the score")
    return toolkit


def svg(score: NDArray[np.int16], title: str = "") -> str:
    """An engraved SVG document of a score (5, 32), or (7, 32) in four parts."""
    return str(_engraved(score, title).renderToSVG(1))


def svg_with_times(score: NDArray[np.int16]) -> tuple[str, dict[str, int]]:
    """An engraved SVG document, and for the id of each of its notes the eighth it begins in."""
    toolkit = _engraved(score)
    picture = str(toolkit.renderToSVG(1))
    times = {
        str(name): round(2 * float(entry["qstamp"]))
        for entry in toolkit.renderToTimemap({"includeMeasures": False})
        for name in entry.get("on", ())
    }
    return picture, times
