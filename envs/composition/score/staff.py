"""A work in staff notation: bars, beats, note values with ties, notes spelled in the work's key.

Engraved scores, sound and explanations share it. Works are written as if in C; here they are
transposed back to the key of the chorale that the soprano comes from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import (
    ALTO_ROW,
    BASS_ROW,
    EIGHTHS,
    FERMATA_ROW,
    FIRST_NOTE,
    HOLD,
    KEY_ROW,
    LOWEST,
    PLACE_ROW,
    SOPRANO_ROW,
    TENOR_ROW,
    in_four,
    shift_of,
)

VOICES = {SOPRANO_ROW: "Soprano", ALTO_ROW: "Alto", TENOR_ROW: "Tenor", BASS_ROW: "Bass"}
"""Names of the rows of a score, from the top; of two voices these are the first and the last."""
# Fifths above C of each pitch class as it is spelled around a tonic C: major, minor.
_SPELLED = (
    {0: 0, 1: 7, 2: 2, 3: -3, 4: 4, 5: -1, 6: 6, 7: 1, 8: 8, 9: 3, 10: -2, 11: 5},
    {0: 0, 1: -5, 2: 2, 3: -3, 4: 4, 5: -1, 6: 6, 7: 1, 8: -4, 9: 3, 10: -2, 11: 5},
)
_FIFTHS_OF_TONIC = {0: 0, 1: -5, 2: 2, 3: -3, 4: 4, 5: -1, 6: 6, 7: 1, 8: -4, 9: 3, 10: -2, 11: 5}
_FIFTHS_OF_MINOR_TONIC = _FIFTHS_OF_TONIC | {1: 7, 8: 8, 3: 9}
_LETTERS = "FCGDAEB"


@dataclass(frozen=True)
class Note:
    """A note or rest as it sounds.

    Attributes:
        voice: From the top, 0 the soprano.
        midi: MIDI number, -1 for a rest.
        begin: Eighth it begins in.
        size: Eighths it lasts.
        fermata: Whether it has a fermata: it sounds when a held passage ends.
    """

    voice: int
    midi: int
    begin: int
    size: int
    fermata: bool = False


@dataclass(frozen=True)
class Sheet:
    """A work in staff notation.

    Attributes:
        voices: Names of the voices, from the top.
        notes: Every note and rest of all voices, in order of voice and time.
        first: Place in the bar of the first eighth, 0 to 7.
        fifths: Key signature: sharps, or minus flats.
        minor: The mode.
        tonic: Pitch class of the tonic.
    """

    voices: tuple[str, ...]
    notes: tuple[Note, ...]
    first: int
    fifths: int
    minor: bool
    tonic: int

    def is_upper(self, voice: int) -> bool:
        """Whether a voice has the treble clef."""
        return voice < len(self.voices) // 2

    def place_of(self, eighth: int) -> tuple[int, float]:
        """Bar and beat (1 to 4.5) of an eighth; a pick-up is bar 0."""
        at = eighth + self.first
        return at // 8 + (1 if self.first == 0 else 0), at % 8 / 2 + 1

    def spell(self, midi: int) -> tuple[str, int, int]:
        """Letter, alteration (sharps, or minus flats) and octave of a MIDI number."""
        around = _SPELLED[1 if self.minor else 0][(midi - self.tonic) % 12]
        fifths = around + _tonic_fifths(self.tonic, self.minor)
        letter, alter = _LETTERS[(fifths + 1) % 7], (fifths + 1) // 7
        return letter, alter, (midi - alter) // 12 - 1


def _tonic_fifths(tonic: int, minor: bool) -> int:
    """Fifths of the tonic above C, spelled so that the key has six sharps or flats at most."""
    return (_FIFTHS_OF_MINOR_TONIC if minor else _FIFTHS_OF_TONIC)[tonic]


def sheet_of(score: NDArray[np.int16]) -> Sheet:
    """The staff notation of a score (5, 32), or (7, 32) in four parts."""
    tonic, minor = int(score[KEY_ROW, 1]), bool(score[KEY_ROW, 0])
    shift = shift_of(tonic)
    notes = []
    held = score[FERMATA_ROW] > 0
    longer = held & ~np.append(held[1:], False)
    rows = [row for row in VOICES if row in (SOPRANO_ROW, BASS_ROW) or in_four(score[None])]
    for voice, row in enumerate(rows):
        codes, low = score[row].tolist(), LOWEST[row]
        starts = [0, *(t for t in range(1, EIGHTHS) if codes[t] != HOLD)]
        for begin, end in zip(starts, [*starts[1:], EIGHTHS], strict=True):
            code = codes[begin]
            midi = code - FIRST_NOTE + low + shift if code >= FIRST_NOTE else -1
            fermata = bool(longer[begin:end].any()) and midi >= 0
            notes.append(Note(voice, midi, begin, end - begin, fermata))
    fifths = _tonic_fifths(tonic, minor) - (3 if minor else 0)
    voices = tuple(VOICES[row] for row in rows)
    return Sheet(voices, tuple(notes), int(score[PLACE_ROW, 0]), fifths, minor, tonic)


VALUES = (8, 6, 4, 3, 2, 1)
"""Note values in eighths: whole, dotted half, half, dotted quarter, quarter, eighth."""


def written(note: Note, first: int) -> list[tuple[int, int]]:
    """Split a note at bar lines and into note values.

    Args:
        note: The note or rest.
        first: Place in the bar of the work's first eighth, 0 to 7.

    Returns:
        The eighth in which each tied part begins, and how many eighths it lasts.
    """
    parts = []
    at, end = note.begin, note.begin + note.size
    while at < end:
        room = min(8 - (at + first) % 8, end - at)
        size = next(v for v in VALUES if v <= room)
        parts.append((at, size))
        at += size
    return parts
