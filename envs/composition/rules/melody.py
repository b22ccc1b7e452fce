"""The rules that look at the bass alone: melody, rhythm and sameness, compiled.

``bn`` holds the bass's notes, (32, 3): pitch, first eighth, and the eighth after the last; ``row``
and ``at`` take what is measured and where it was found. Words as in
:mod:`move37.envs.composition.rules.counterpoint`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.composition.moves import EIGHTHS
from move37.envs.composition.rules.names import (
    BARLINE,
    BEATS,
    CHROMATIC,
    COMPASS,
    COPIES,
    CYCLES,
    DENSITY,
    DURATIONS,
    EXTREMES,
    FORBIDDEN,
    HEIGHT,
    KEY,
    OFFBEAT_LEAPS,
    ONE_WAY,
    PEDAL,
    PITCHES,
    REPETITION,
    RESTS,
    STEPS,
    SYNCOPATION,
    UNRECOVERED,
)


@njit(cache=True, nogil=True)
def melody(
    bn: NDArray[np.int64], nb: int, place: NDArray[np.int16], fermata: NDArray[np.int16],
    minor: bool, row: NDArray[np.float64], at: NDArray[np.uint8],
) -> None:  # fmt: skip
    """The key, steps and leaps, repetition, compass and extremes of the bass."""
    high, low = 0, 128
    steps = moves = run = longest = 0
    way = 0
    for k in range(nb):
        p, t = bn[k, 0], bn[k, 1]
        high, low = max(high, p), min(low, p)
        before = p - bn[k - 1, 0] if k > 0 else 0
        after = bn[k + 1, 0] - p if k + 1 < nb else 0
        # What a phrase ends with and the next begins with is no leap within a melody.
        fresh = k > 0 and fermata[bn[k - 1, 1]] > 0 and fermata[t] == 0
        c = p % 12
        degree = c == 0 or c == 2 or c == 5 or c == 7 or c == 9 or c == 11
        degree = degree or ((c == 3 or c == 8 or c == 10) if minor else c == 4)
        if not degree:
            row[KEY] += 1
            at[KEY, t] = 1
            if k + 1 < nb and abs(after) > 2:
                row[CHROMATIC] += 1
                at[CHROMATIC, t] = 1
        if k == 0:
            continue
        size = abs(before)
        if size == 0:
            row[REPETITION] += 1
            at[REPETITION, t] = 1
        else:
            moves += 1
            steps += size <= 2
            now = 1 if before > 0 else -1
            run = run + 1 if now == way else 1
            way = now
            longest = max(longest, run)
            if run > 5:
                at[ONE_WAY, t] = 1
        if c == bn[k - 1, 0] % 12 and place[t] % 4 == 0 and not fresh:
            row[BARLINE] += 1
            at[BARLINE, t] = 1
        if fresh:
            continue
        recovered = after != 0 and (after > 0) != (before > 0)
        if size == 10 or size == 11 or size > 12 or size == 9:
            row[FORBIDDEN] += 1
            at[FORBIDDEN, t] = 1
        elif size == 6 and not (recovered and abs(after) <= 2):
            row[FORBIDDEN] += 1
            at[FORBIDDEN, t] = 1
        elif size == 8 and k + 1 < nb and not recovered:
            row[UNRECOVERED] += 1
            at[UNRECOVERED, t] = 1
        if k + 1 < nb and size > 2 and abs(after) > 2 and not recovered:
            if size + abs(after) > 9 and size + abs(after) != 12:
                row[UNRECOVERED] += 1
                at[UNRECOVERED, bn[k + 1, 1]] = 1
        if place[t] % 2 == 1 and bn[k, 2] - t == 1 and (size > 2 or abs(after) > 2):
            row[OFFBEAT_LEAPS] += 1
            at[OFFBEAT_LEAPS, t] = 1
    row[COMPASS] = high - low if nb > 0 else 0
    row[STEPS] = steps / max(moves, 1)
    row[ONE_WAY] = longest
    row[REPETITION] /= max(nb - 1, 1)
    tops = bottoms = 0
    for k in range(nb):
        # Repeating a note does not reach it anew.
        if k == 0 or bn[k, 0] != bn[k - 1, 0]:
            tops += bn[k, 0] == high
            bottoms += bn[k, 0] == low
    row[EXTREMES] = tops + bottoms


@njit(cache=True, nogil=True)
def rhythm(
    bn: NDArray[np.int64], nb: int, b: NDArray[np.int64], place: NDArray[np.int16],
    row: NDArray[np.float64], at: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Durations, pitches, silence, density and beats of the bass."""
    lengths = np.zeros(6)
    weights = np.zeros(128)
    on_beat = 0
    total = 0.0
    run, longest, last = 0, 0, -1
    for k in range(nb):
        p, t, size = bn[k, 0], bn[k, 1], bn[k, 2] - bn[k, 1]
        lengths[min(size, 6) - 1] += 1
        weights[p] += size
        total += p * size
        on_beat += place[t] % 2 == 0
        if place[t] % 2 == 1 and size > 1:
            row[SYNCOPATION] += 1
            at[SYNCOPATION, t] = 1
        run = run + size if p == last else size
        last = p
        longest = max(longest, run)
        if run > 6:
            at[PEDAL, t] = 1
    heard = weights.sum()
    for t in range(EIGHTHS):
        if b[t] < 0:
            row[RESTS] += 1
            at[RESTS, t] = 1
    row[DENSITY] = nb
    row[BEATS] = on_beat / 16
    row[PEDAL] = longest
    row[HEIGHT] = total / heard if heard > 0 else 0
    entropy = 0.0
    for i in range(6):
        if lengths[i] > 0:
            entropy -= lengths[i] / nb * np.log2(lengths[i] / nb)
    row[DURATIONS] = entropy
    entropy = 0.0
    for p in range(128):
        if weights[p] > 0:
            entropy -= weights[p] / heard * np.log2(weights[p] / heard)
    row[PITCHES] = entropy


@njit(cache=True, nogil=True)
def sameness(
    bn: NDArray[np.int64], nb: int, row: NDArray[np.float64], at: NDArray[np.uint8]
) -> None:
    """Cycles: the largest share of notes equal to the one 2 to 8 before. Copies: the longest run.

    A run of notes is copied if the same intervals and durations, in any transposition, stand
    earlier in the bass without overlap.
    """
    best = 0.0
    for lag in range(2, 9):
        if nb - lag < 4:
            break
        hits = 0
        for k in range(lag, nb):
            hits += bn[k, 0] == bn[k - lag, 0]
        best = max(best, hits / (nb - lag))
    row[CYCLES] = best
    longest = 0
    for lag in range(2, nb):
        run = 0
        for k in range(lag, nb):
            same = bn[k, 2] - bn[k, 1] == bn[k - lag, 2] - bn[k - lag, 1]
            if run > 0:
                step = bn[k, 0] - bn[k - 1, 0]
                same = same and step == bn[k - lag, 0] - bn[k - lag - 1, 0]
            elif not same:
                continue
            run = min(run + 1, lag) if same else 0
            longest = max(longest, run)
            if run > 3:
                at[COPIES, bn[k, 1]] = 1
    row[COPIES] = longest
