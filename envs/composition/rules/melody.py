"""The rules that look at one voice alone: melody, rhythm and sameness, compiled.

``bn`` holds the voice's notes, (32, 3): pitch, first eighth, and the eighth after the last; ``row``
and ``at`` take what is measured and where it was found. Terms as in
:mod:`move37.envs.composition.rules.counterpoint`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.composition.moves import (
    EIGHTHS,
    FERMATA_ROW,
    FIRST_NOTE,
    HOLD,
    KEY_ROW,
    PLACE_ROW,
    REST,
)
from move37.envs.composition.rules.names import Rule


@njit(cache=True, nogil=True)
def read_voice(
    codes: NDArray[np.int16], low: int, pitch: NDArray[np.int64], of: NDArray[np.int64],
    notes: NDArray[np.int64],
) -> int:  # fmt: skip
    """Read a voice: pitch and note number of each eighth (-1: silence); notes (pitch, from, to)."""
    count, now = 0, -1
    for t in range(EIGHTHS):
        code = codes[t]
        if code == REST:
            now = -1
        elif code != HOLD:
            now = count
            notes[count, 0], notes[count, 1] = code - FIRST_NOTE + low, t
            count += 1
        of[t] = now
        pitch[t] = notes[now, 0] if now >= 0 else -1
        if now >= 0:
            notes[now, 2] = t + 1
    return count


@njit(cache=True, nogil=True)
def note(row: NDArray[np.float64], at: NDArray[np.bool_], rule: int, t: int) -> None:
    """Count what a rule found in eighth t."""
    row[rule] += 1
    at[rule, t] = True


@njit(cache=True, nogil=True)
def measure_melody(
    bn: NDArray[np.int64], nb: int, b: NDArray[np.int64], score: NDArray[np.int16],
    row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Measure one voice of a score: what :func:`read_voice` says of it, by every rule here.

    Args:
        bn: (32, 3), its notes.
        nb: How many.
        b: (32,), the pitch of each eighth.
        score: (5, 32) or (7, 32).
        row: (35,), zeros.
        at: (35, 32).
    """
    place = score[PLACE_ROW]
    _melody(bn, nb, place, score[FERMATA_ROW], score[KEY_ROW, 0] > 0, row, at)
    _rhythm(bn, nb, b, place, row, at)
    _sameness(bn, nb, row, at)


@njit(cache=True, nogil=True)
def _in_scale(pitch: int, minor: bool) -> bool:
    """Whether a pitch is in C major, or in C minor with sixth and seventh natural or raised."""
    c = pitch % 12
    if c == 0 or c == 2 or c == 5 or c == 7 or c == 9 or c == 11:
        return True
    return (c == 3 or c == 8 or c == 10) if minor else c == 4


@njit(cache=True, nogil=True)
def _faulty_leap(move: int, after: int, last: bool) -> int:
    """The rule of leaps that a move breaks, by the move after it; -1: none."""
    size, recovered = abs(move), after != 0 and (after > 0) != (move > 0)
    if size > 12 or size == 9 or size == 10 or size == 11:
        return Rule.FORBIDDEN_LEAPS
    if size == 6 and not (recovered and abs(after) <= 2):
        return Rule.FORBIDDEN_LEAPS
    return Rule.UNRECOVERED_LEAPS if size == 8 and not last and not recovered else -1


@njit(cache=True, nogil=True)
def _two_leaps(move: int, after: int) -> bool:
    """Whether two leaps in one direction make more than a major sixth, but no octave."""
    size, both = min(abs(move), abs(after)), abs(move + after)
    return size > 2 and (move > 0) == (after > 0) and both > 9 and both != 12


@njit(cache=True, nogil=True)
def _melody(
    bn: NDArray[np.int64], nb: int, place: NDArray[np.int16], fermata: NDArray[np.int16],
    minor: bool, row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """The key, steps and leaps, repetition, compass and extremes."""
    high, low = 0, 128
    steps = moves = run = longest = way = 0
    for k in range(nb):
        p, t = bn[k, 0], bn[k, 1]
        high, low = max(high, p), min(low, p)
        before = p - bn[k - 1, 0] if k > 0 else 0
        after = bn[k + 1, 0] - p if k + 1 < nb else 0
        if not _in_scale(p, minor):
            note(row, at, Rule.KEY, t)
            if abs(after) > 2:
                note(row, at, Rule.CHROMATIC_LEAPS, t)
        if k == 0:
            continue
        if before == 0:
            note(row, at, Rule.REPETITION, t)
        else:
            moves += 1
            steps += abs(before) <= 2
            now = 1 if before > 0 else -1
            run = run + 1 if now == way else 1
            way = now
            longest = max(longest, run)
            if run > 5:
                at[Rule.ONE_WAY, t] = True
        if fermata[bn[k - 1, 1]] > 0 and fermata[t] == 0:
            continue  # from the end of a phrase to the beginning of the next is no interval
        if before % 12 == 0 and place[t] % 4 == 0:
            note(row, at, Rule.BARLINE, t)
        fault = _faulty_leap(before, after, k + 1 == nb)
        if fault >= 0:
            note(row, at, fault, t)
        if _two_leaps(before, after):
            note(row, at, Rule.UNRECOVERED_LEAPS, bn[k + 1, 1])
        if place[t] % 2 == 1 and bn[k, 2] - t == 1 and (abs(before) > 2 or abs(after) > 2):
            note(row, at, Rule.OFFBEAT_LEAPS, t)
    row[Rule.COMPASS] = high - low if nb > 0 else 0
    row[Rule.STEPS] = steps / max(moves, 1)
    row[Rule.ONE_WAY] = longest
    row[Rule.REPETITION] /= max(nb - 1, 1)
    tops = bottoms = 0
    for k in range(nb):
        # Repeating a note does not reach it anew.
        if k == 0 or bn[k, 0] != bn[k - 1, 0]:
            tops += bn[k, 0] == high
            bottoms += bn[k, 0] == low
    row[Rule.EXTREMES] = tops + bottoms


@njit(cache=True, nogil=True)
def _rhythm(
    bn: NDArray[np.int64], nb: int, b: NDArray[np.int64], place: NDArray[np.int16],
    row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Durations, pitches, silence, density and beats."""
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
            note(row, at, Rule.SYNCOPATION, t)
        run = run + size if p == last else size
        last = p
        longest = max(longest, run)
        if run > 6:
            at[Rule.PEDAL, t] = True
    heard = weights.sum()
    for t in range(EIGHTHS):
        if b[t] < 0:
            note(row, at, Rule.RESTS, t)
    row[Rule.DENSITY] = nb
    row[Rule.BEATS] = on_beat / 16
    row[Rule.PEDAL] = longest
    row[Rule.HEIGHT] = total / heard if heard > 0 else 0
    entropy = 0.0
    for i in range(6):
        if lengths[i] > 0:
            entropy -= lengths[i] / nb * np.log2(lengths[i] / nb)
    row[Rule.DURATIONS] = entropy
    entropy = 0.0
    for p in range(128):
        if weights[p] > 0:
            entropy -= weights[p] / heard * np.log2(weights[p] / heard)
    row[Rule.PITCHES] = entropy


@njit(cache=True, nogil=True)
def _sameness(
    bn: NDArray[np.int64], nb: int, row: NDArray[np.float64], at: NDArray[np.bool_]
) -> None:
    """Cycles: the largest share of notes equal to the one 2 to 8 before. Copies: the longest run.

    A run of notes is copied if the same intervals and durations, in any transposition, stand
    earlier in the voice without overlap.
    """
    best = 0.0
    for lag in range(2, 9):
        if nb - lag < 4:
            break
        hits = 0
        for k in range(lag, nb):
            hits += bn[k, 0] == bn[k - lag, 0]
        best = max(best, hits / (nb - lag))
    row[Rule.CYCLES] = best
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
                at[Rule.COPIES, bn[k, 1]] = True
    row[Rule.COPIES] = longest
