"""Negative examples for judges and critics: damaged and random basses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import EIGHTHS, FIRST_NOTE, HOLD, N_MOVES, REST

KINDS = (
    "altered", "shuffled", "shifted", "transposed", "exchanged", "reversed", "merged", "split",
    "spliced",
)  # fmt: skip


def reverse(row: NDArray[np.int16]) -> NDArray[np.int16]:
    """The notes of one bass (32,), with their durations, from the last to the first."""
    starts = np.flatnonzero(row != HOLD)
    starts = starts if len(starts) and starts[0] == 0 else np.concatenate([[0], starts])
    ends = np.append(starts[1:], len(row))
    out = np.full_like(row, HOLD)
    for begin, end in zip(starts, ends, strict=True):
        out[len(row) - end] = row[begin] if row[begin] != HOLD else REST
    return out


def damage_one(
    row: NDArray[np.int16], other: NDArray[np.int16], kind: str, strength: float,
    rng: np.random.Generator,
) -> NDArray[np.int16]:  # fmt: skip
    """Damage one bass (32,) in one way; ``other`` is another work's bass.

    Args:
        row: The bass.
        other: Another work's.
        kind: One of KINDS: notes moved by up to a fourth, notes in another order, everything some
            eighths later, transposed, the other's bass, backwards, notes left out, long notes
            struck again, or the other's bass from somewhere on.
        strength: In (0, 1]: how many of the notes.
        rng: The only source of randomness.
    """
    out = row.copy()
    notes = np.flatnonzero(row >= FIRST_NOTE)
    chosen = notes[rng.random(len(notes)) < strength]
    if kind == "altered":
        step = rng.integers(1, 6, len(chosen)) * rng.choice([-1, 1], len(chosen))
        out[chosen] = np.clip(row[chosen] + step, FIRST_NOTE, N_MOVES - 1)
    elif kind == "shuffled":
        out[chosen] = rng.permutation(row[chosen])
    elif kind == "shifted":
        k = int(rng.integers(1, 8))
        out = np.roll(row, k)
        out[0] = out[0] if out[0] != HOLD else row[0]
    elif kind == "transposed":
        k = int(rng.integers(1, 8)) * int(rng.choice([-1, 1]))
        if ((row[notes] + k < FIRST_NOTE) | (row[notes] + k >= N_MOVES)).any():
            k = -k
        out[notes] = np.clip(row[notes] + k, FIRST_NOTE, N_MOVES - 1)
    elif kind == "exchanged":
        out = other.copy()
    elif kind == "reversed":
        out = reverse(row)
    elif kind == "merged":
        out[chosen[chosen > 0]] = HOLD
    elif kind == "split":
        held = np.flatnonzero(row == HOLD)
        held = held[rng.random(len(held)) < strength]
        sounds = np.maximum.accumulate(np.where(row != HOLD, np.arange(len(row)), 0))
        out[held] = row[sounds[held]]
    else:
        cut = int(rng.integers(4, EIGHTHS - 4))
        out[cut:] = other[cut:]
    return out


def damage(moves: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Damage every bass in one of the ways of KINDS, half of them by altering a few notes.

    Args:
        moves: (N, 32) int16.
        rng: The only source of randomness.

    Returns:
        (N, 32) int16; the briefs stay as they are.
    """
    out = np.zeros((len(moves), EIGHTHS), np.int16)
    for i, row in enumerate(moves):
        other = moves[int(rng.integers(len(moves)))]
        kind = KINDS[0] if rng.random() < 0.4 else KINDS[int(rng.integers(len(KINDS)))]
        strength = float(rng.uniform(0.1, 0.6))
        for _ in range(20):
            out[i] = damage_one(row, other, kind, strength, rng)
            if (out[i] != row).any():
                break
    return out


def random_works(
    n: int, rng: np.random.Generator, rhythms: NDArray[np.int16] | None = None
) -> NDArray[np.int16]:
    """Random basses (n, 32): any moves, or random notes in the rhythm of ``rhythms`` (M, 32)."""
    if rhythms is None:
        return rng.integers(0, N_MOVES, (n, EIGHTHS)).astype(np.int16)
    taken = rhythms[rng.integers(0, len(rhythms), n)]
    notes = rng.integers(FIRST_NOTE, N_MOVES, (n, EIGHTHS))
    return np.where(taken >= FIRST_NOTE, notes, taken).astype(np.int16)
