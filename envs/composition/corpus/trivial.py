"""Basses that obey some rules without being music: what judges must not fall for.

Each function answers briefs (N, 67) with basses (N, 32).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import (
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HIGH,
    HOLD,
    LOW,
    MODE,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    sounding,
)

Bass = Callable[[NDArray[np.int16], np.random.Generator], NDArray[np.int16]]

MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
MINOR = np.array([0, 2, 3, 5, 7, 8, 10])
TONIC_NOTE = 48


def _fold(pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Octaves of pitches that lie in the compass."""
    pitches = np.where(pitches > HIGH, pitches - 12 * -((HIGH - pitches) // 12), pitches)
    folded: NDArray[np.int64] = np.where(
        pitches < LOW, pitches + 12 * -((pitches - LOW) // 12), pitches
    )
    return folded


def _place(briefs: NDArray[np.int16]) -> NDArray[np.int64]:
    return (briefs[:, PHASE, None].astype(np.int64) + np.arange(EIGHTHS)) % 8


def _soprano(briefs: NDArray[np.int16]) -> NDArray[np.int64]:
    """What sounds in the soprano; a rest counts as the note before it."""
    s = sounding(briefs[:, SOPRANO:FERMATA], SOPRANO_LOW)
    for t in range(1, EIGHTHS):
        s[:, t] = np.where(s[:, t] < 0, s[:, t - 1], s[:, t])
    return np.where(s < 0, 67, s)


def _strike(pitches: NDArray[np.int64], when: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Moves that begin the pitches (N, 32) where ``when`` says so, and hold them else."""
    when = when.copy()
    when[:, 0] = True
    return np.where(when, _fold(pitches) - LOW + FIRST_NOTE, HOLD).astype(np.int16)


def scale_note(briefs: NDArray[np.int16], steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """MIDI numbers (N, T): ``steps`` (N, T) of the works' scales above the C below middle C."""
    scale = np.where(briefs[:, MODE, None] > 0, MINOR, MAJOR)
    notes: NDArray[np.int64] = (
        TONIC_NOTE + 12 * (steps // 7) + np.take_along_axis(scale, steps % 7, axis=1)
    )
    return notes


def _steps_of(briefs: NDArray[np.int16], pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest step of the works' scales to each pitch (N, T)."""
    all_steps = np.broadcast_to(np.arange(-14, 29), (len(briefs), 43))
    notes = scale_note(briefs, all_steps)
    nearest: NDArray[np.int64] = np.abs(pitches[:, :, None] - notes[:, None]).argmin(2) - 14
    return nearest


def empty(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Silence."""
    out = np.full((len(briefs), EIGHTHS), HOLD, np.int16)
    out[:, 0] = REST
    return out


def held_tonic(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """One long tonic."""
    pitches = np.full((len(briefs), EIGHTHS), TONIC_NOTE)
    return _strike(pitches, np.zeros(pitches.shape, np.bool_))


def repeated_note(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """The tonic on every beat."""
    pitches = np.full((len(briefs), EIGHTHS), TONIC_NOTE)
    return _strike(pitches, _place(briefs) % 2 == 0)


def loop(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """I-IV-V-I, a beat each, over and over."""
    pitches = TONIC_NOTE + np.array([0, 5, 7, 0])[_place(briefs) // 2]
    return _strike(pitches, _place(briefs) % 2 == 0)


def ostinato(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Two to four notes of the scale, a beat each, over and over."""
    n = len(briefs)
    pattern = rng.integers(-3, 8, (n, 4))
    length = rng.integers(2, 5, (n, 1))
    steps = np.take_along_axis(pattern, (np.arange(EIGHTHS) // 2)[None] % length, axis=1)
    return _strike(scale_note(briefs, steps), _place(briefs) % 2 == 0)


def parallel(interval: int) -> Bass:
    """The soprano in parallel, ``interval`` steps of the scale lower (7: an octave)."""

    def bass(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
        steps = _steps_of(briefs, _soprano(briefs)) - interval
        return _strike(scale_note(briefs, steps), briefs[:, SOPRANO:FERMATA] >= FIRST_NOTE)

    bass.__name__ = f"parallel_{interval + 1}"
    return bass


def scale_up(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """The scale upwards, a beat a step, an octave and again."""
    steps = np.broadcast_to(np.arange(EIGHTHS) // 2 % 8, (len(briefs), EIGHTHS))
    return _strike(scale_note(briefs, steps), _place(briefs) % 2 == 0)


def scale_up_down(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """The scale up and down, a beat a step."""
    way = np.concatenate([np.arange(8), np.arange(6, 0, -1)])
    steps = np.broadcast_to(way[np.arange(EIGHTHS) // 2 % 14], (len(briefs), EIGHTHS))
    return _strike(scale_note(briefs, steps), _place(briefs) % 2 == 0)


def _greedy(reach: float) -> Bass:
    def bass(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
        """On every beat a note of the scale that is consonant with the soprano, near the last."""
        n = len(briefs)
        soprano, on_beat = _soprano(briefs), _place(briefs) % 2 == 0
        candidates = np.arange(40, 62)
        scale = np.where(briefs[:, MODE, None] > 0, MINOR, MAJOR)
        in_scale = (candidates[None, :, None] % 12 == scale[:, None]).any(2)
        last = np.full(n, TONIC_NOTE)
        pitches = np.zeros((n, EIGHTHS), np.int64)
        for t in range(EIGHTHS):
            gap = soprano[:, t, None] - candidates
            fine = np.isin(gap % 12, (0, 3, 4, 7, 8, 9)) & (gap > 0) & in_scale
            cost = np.abs(candidates - last[:, None]) + 100.0 * (candidates == last[:, None])
            cost = cost - reach * np.log(rng.random(cost.shape)) + 1000.0 * ~fine
            chosen = candidates[cost.argmin(axis=1)]
            last = np.where(on_beat[:, t] | (t == 0), chosen, last)
            pitches[:, t] = last
        return _strike(pitches, on_beat)

    bass.__name__ = f"greedy_{reach:g}"
    return bass


TRIVIAL: tuple[Bass, ...] = (
    empty, held_tonic, repeated_note, loop, ostinato, parallel(9), parallel(5), parallel(2),
    parallel(7), scale_up, scale_up_down, _greedy(0.01), _greedy(4.0),
)  # fmt: skip
"""Every trivial bass; see the functions."""


def trivial_works(briefs: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """A trivial bass, of a kind drawn at random, to each of the briefs (N, 67)."""
    out = np.zeros((len(briefs), EIGHTHS), np.int16)
    kind = rng.integers(0, len(TRIVIAL), len(briefs))
    for i, make in enumerate(TRIVIAL):
        rows = np.flatnonzero(kind == i)
        if len(rows):
            out[rows] = make(briefs[rows], rng)
    return out
