"""MIDI files: a track and a channel for each voice, bars as printed, time as it is heard.

Ticks count written time, so bars, notes and rests are those of the MusicXML. A fermata is a slower
tempo, as :func:`.sound.timing` has it, so the file lasts as long as the WAV and the page.
"""

from __future__ import annotations

from importlib import import_module
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import EIGHTHS
from move37.envs.composition.score.notation import composer_of
from move37.envs.composition.score.sound import timing
from move37.envs.composition.score.staff import Sheet, sheet_of

EIGHTH = 240
"""Ticks."""
_CHURCH_ORGAN = 19
_VELOCITY = 90


def midi(score: NDArray[np.int16], title: str = "", both: bool = False) -> bytes:
    """A MIDI file (format 1) of a score, for an organ; the first track has all but the notes.

    For the arguments see :func:`.notation.musicxml`.
    """
    m21: Any = import_module("music21.midi")
    sheet = sheet_of(score)
    file = m21.MidiFile()
    file.ticksPerQuarterNote = 2 * EIGHTH
    file.tracks = [
        _track(_marks(sheet, title, both, timing(score))),
        *(_track(_voice(sheet, voice)) for voice in range(len(sheet.voices))),
    ]
    data: bytes = file.writestr()
    return data


def _marks(sheet: Sheet, title: str, both: bool, times: NDArray[np.float64]) -> list[Any]:
    """Title, composer, key, metre and tempo, each with its eighth."""
    kinds: Any = import_module("music21.midi").MetaEvents
    events = [
        (0, _meta(kinds.SEQUENCE_TRACK_NAME, title.encode())),
        (0, _meta(kinds.TEXT_EVENT, composer_of(sheet, both).encode())),
        (0, _meta(kinds.KEY_SIGNATURE, bytes([sheet.fifths % 256, sheet.minor]))),
    ]
    pick_up = (8 - sheet.first) % 8
    if pick_up:
        quarters = pick_up % 2 == 0
        beats, power = (pick_up // 2, 2) if quarters else (pick_up, 3)
        events.append((0, _meta(kinds.TIME_SIGNATURE, bytes([beats, power, 24, 8]))))
    events.append((pick_up, _meta(kinds.TIME_SIGNATURE, bytes([4, 2, 24, 8]))))
    tempo = np.round(2e6 * np.diff(times)).astype(int).tolist()  # microseconds of a quarter
    for t, size in enumerate(tempo):
        if t == 0 or size != tempo[t - 1]:
            events.append((t, _meta(kinds.SET_TEMPO, size.to_bytes(3, "big"))))
    return events


def _voice(sheet: Sheet, voice: int) -> list[Any]:
    """Name, instrument and notes of a voice, each with its eighth."""
    m21: Any = import_module("music21.midi")
    organ = m21.MidiEvent(type=m21.ChannelVoiceMessages.PROGRAM_CHANGE, channel=voice + 1)
    organ.data = _CHURCH_ORGAN
    name = sheet.voices[voice].encode()
    events = [(0, _meta(m21.MetaEvents.SEQUENCE_TRACK_NAME, name)), (0, organ)]
    for note in sheet.notes:  # in order of time, so a note ends before the next one begins
        if note.voice == voice and note.midi >= 0:
            for kind, at in (("NOTE_ON", note.begin), ("NOTE_OFF", note.begin + note.size)):
                event = m21.MidiEvent(type=m21.ChannelVoiceMessages[kind], channel=voice + 1)
                event.pitch, event.velocity = note.midi, _VELOCITY
                events.append((at, event))
    return events


def _meta(kind: Any, data: bytes) -> Any:
    event = import_module("music21.midi").MidiEvent(type=kind)
    event.data = data
    return event


def _track(events: list[Any]) -> Any:
    """A track of events with the eighths they stand in; it ends with the piece."""
    m21: Any = import_module("music21.midi")
    track = m21.MidiTrack()
    now = 0
    events.append((EIGHTHS, _meta(m21.MetaEvents.END_OF_TRACK, b"")))
    for at, event in sorted(events, key=itemgetter(0)):  # those of one eighth stay in order
        track.events += [m21.DeltaTime(track, time=(at - now) * EIGHTH), event]
        event.track, now = track, at
    return track
