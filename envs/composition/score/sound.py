"""What a work sounds like: an organ by additive synthesis, nine partials a note, in NumPy.

It sounds the same on every machine; TensorBoard plays it, and ``page.html`` uses the same partials.
WAV files are played with a soundfont where there is one: see :mod:`.soundfont`.
"""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import FERMATA_ROW
from move37.envs.composition.score.staff import sheet_of

RATE = 22050
"""Samples a second."""
TEMPO = 76
"""Quarters a minute."""
PARTIALS = (1.0, 0.62, 0.36, 0.28, 0.12, 0.16, 0.06, 0.08, 0.04)
"""Strength of the first nine partials: a principal with a little of the octave."""
ATTACK, RELEASE = 0.03, 0.12
"""Seconds in which a note fades in and out."""
BREATH = 0.8
"""Seconds that a fermata lasts longer than written."""


def timing(score: NDArray[np.int16]) -> NDArray[np.float64]:
    """When each eighth of a score (5, 32) begins, and when the last one ends, in seconds (33,)."""
    held = score[FERMATA_ROW] > 0
    size = np.full(len(held), 30.0 / TEMPO)
    last = held & ~np.append(held[1:], False)
    size[last] += BREATH
    return np.concatenate([[0.0], np.cumsum(size)])


def samples(score: NDArray[np.int16]) -> NDArray[np.float64]:
    """(S,) float64 in [-1, 1] at 22,050 a second of a score (5, 32), or (7, 32) in four parts."""
    times = timing(score)
    out = np.zeros(int((times[-1] + 0.5) * RATE))
    for note in sheet_of(score).notes:
        if note.midi < 0:
            continue
        begin, end = times[note.begin], times[note.begin + note.size] - 0.02
        at = np.arange(int(begin * RATE), min(int((end + RELEASE) * RATE), len(out)))
        seconds = at / RATE - begin
        pitch = 440.0 * 2 ** ((note.midi - 69) / 12)
        tone = np.zeros(len(at))
        for k, strength in enumerate(PARTIALS, 1):
            if k * pitch < RATE / 2:
                tone += strength * np.sin(2 * np.pi * k * pitch * seconds)
        rise = np.clip(seconds / ATTACK, 0, 1)
        fall = np.clip((end + RELEASE - begin - seconds) / RELEASE, 0, 1)
        out[at] += tone * rise * fall * (1.0 if note.voice == 0 else 1.25)
    return np.asarray(0.9 * out / max(float(np.abs(out).max()), 1e-9), np.float64)


def wav(score: NDArray[np.int16]) -> bytes:
    """A WAV file (16 bits, mono) of a score (5, 32)."""
    data = np.round(samples(score) * 32767).astype("<i2").tobytes()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(data)
    return buffer.getvalue()
