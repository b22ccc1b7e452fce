"""Scores: MusicXML, MIDI and an engraved picture of two staves.

music21 writes MusicXML (which MuseScore and others open) and MIDI; Verovio, the engraver of the
Music Encoding Initiative, turns the MusicXML into SVG and says which note sounds when.
"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.score.staff import Sheet, sheet_of, written

TEMPO = 76
"""Quarters a minute."""
_BREATH = 2
"""A fermata lasts so many quarters longer than written, where it is played."""


def _music21() -> Any:
    """The package, imported late because that takes a second; much of it is not typed."""
    return import_module("music21")


def _stream(sheet: Sheet, title: str, tempo_mark: bool = True, both: bool = False) -> Any:
    """A music21 score of a sheet: one part per voice, bars as printed, ties across bar lines."""
    m21 = _music21()
    score = m21.stream.Score()
    own = "alto, tenor and bass" if len(sheet.voices) > 2 else "bass"
    composer = "Move37" if both else f"{own}: Move37 (the soprano was given)"
    score.insert(0, m21.metadata.Metadata(title=title, composer=composer))
    n_bars = -(-(sheet.first + 32) // 8)
    lower = len(sheet.voices) // 2
    for voice, name in enumerate(sheet.voices):
        part = m21.stream.Part(id=name)
        part.partName = name
        bars = []
        for i in range(n_bars):
            number = i if sheet.first else i + 1
            bar = m21.stream.Measure(number=number)
            if i == 0:
                bar.append(m21.clef.TrebleClef() if voice < lower else m21.clef.BassClef())
                bar.append(m21.key.KeySignature(sheet.fifths))
                bar.append(m21.meter.TimeSignature("4/4"))
                bar.paddingLeft = sheet.first / 2
                if voice == 0 and tempo_mark:
                    bar.insert(0, m21.tempo.MetronomeMark(number=TEMPO))
            bars.append(bar)
        for sound in (n for n in sheet.notes if n.voice == voice):
            parts = written(sound, sheet.first)
            for k, (at, size) in enumerate(parts):
                if sound.midi < 0:
                    item: Any = m21.note.Rest()
                else:
                    letter, alter, octave = sheet.spell(sound.midi)
                    accidental = "#" * alter if alter > 0 else "-" * -alter
                    item = m21.note.Note(f"{letter}{accidental}{octave}")
                    if len(parts) > 1:
                        kind = "start" if k == 0 else "stop" if k == len(parts) - 1 else "continue"
                        item.tie = m21.tie.Tie(kind)
                    if sound.fermata and k == len(parts) - 1:
                        mark = m21.expressions.Fermata()
                        mark.placement = "above" if voice < lower else "below"
                        mark.type = "upright" if voice < lower else "inverted"
                        item.expressions.append(mark)
                item.quarterLength = Fraction(size, 2)
                bars[(at + sheet.first) // 8].append(item)
        last = bars[-1]
        if (sheet.first + 32) % 8:
            last.paddingRight = 4 - (sheet.first + 32) % 8 / 2
        for bar in bars:
            bar.makeBeams(inPlace=True)
        last.rightBarline = "final"
        part.append(bars)
        part.makeAccidentals(inPlace=True)
        score.insert(0, part)
    return score


def musicxml(
    score: NDArray[np.int16], title: str = "", both: bool = False, tempo_mark: bool = True
) -> bytes:
    """A MusicXML document of a score (5, 32), or (7, 32) in four parts.

    Args:
        score: As it is written.
        title: Of the piece.
        both: Whether the soprano was written too, for the name of the composer.
        tempo_mark: Whether there is a metronome mark.
    """
    exporter: Any = import_module("music21.musicxml.m21ToXml").GeneralObjectExporter
    sheet = sheet_of(score)
    data: bytes = exporter(_stream(sheet, title, tempo_mark, both)).parse()
    return data


def midi(score: NDArray[np.int16], title: str = "", both: bool = False) -> bytes:
    """A MIDI file of a score (5, 32); notes under a fermata last longer in both voices.

    For the other arguments see :func:`musicxml`.
    """
    m21 = _music21()
    whole = _stream(sheet_of(score), title, both=both)
    flat = whole.stripTies()
    extra = {
        float(n.getOffsetInHierarchy(flat) + n.quarterLength)
        for n in flat.recurse().getElementsByClass(m21.note.Note)
        if any("Fermata" in e.classes for e in n.expressions)
    }
    played = m21.stream.Score()
    for part in flat.parts:
        line = m21.stream.Part(id=part.id)
        line.insert(0, m21.instrument.PipeOrgan())
        for item in part.flatten().notesAndRests:
            begin = float(item.offset)
            end = begin + float(item.quarterLength)
            later = _BREATH * sum(e <= begin for e in extra)
            size = end - begin + _BREATH * sum(begin < e <= end for e in extra)
            copy = m21.note.Note(item.pitch) if item.isNote else m21.note.Rest()
            copy.quarterLength = size
            line.insert(begin + later, copy)
        played.insert(0, line)
    played.insert(0, m21.tempo.MetronomeMark(number=TEMPO))
    data: bytes = m21.midi.translate.streamToMidiFile(played).writestr()
    return data


def _toolkit(score: NDArray[np.int16], title: str) -> Any:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "pageWidth": 1800, "adjustPageHeight": True, "adjustPageWidth": False, "scale": 50,
            "header": "none" if not title else "auto", "footer": "none", "breaks": "auto",
            "xmlIdSeed": 1, "svgViewBox": True, "pageMarginLeft": 40, "pageMarginRight": 40,
            "pageMarginTop": 40, "pageMarginBottom": 40, "svgRemoveXlink": True,
        }
    )  # fmt: skip
    # The metronome mark would need a font that the picture does not carry.
    if not toolkit.loadData(musicxml(score, title, tempo_mark=False).decode()):
        raise ValueError("Verovio cannot read the score")
    return toolkit


def svg(score: NDArray[np.int16], title: str = "") -> str:
    """An engraved SVG document of a score (5, 32)."""
    return str(_toolkit(score, title).renderToSVG(1))


def svg_with_times(score: NDArray[np.int16]) -> tuple[str, dict[str, int]]:
    """An engraved SVG, and for the id of each of its notes the eighth it begins in."""
    toolkit = _toolkit(score, "")
    picture = str(toolkit.renderToSVG(1))
    times: dict[str, int] = {}
    for entry in toolkit.renderToTimemap({"includeMeasures": False}):
        for name in entry.get("on", ()):
            times[str(name)] = round(2 * float(entry["qstamp"]))
    return picture, times
