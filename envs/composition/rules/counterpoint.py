"""The rules of counterpoint as measures of a score, compiled; each notes where it was broken.

Sources: J. J. Fux, Gradus ad Parnassum (1725), and K. Jeppesen, Counterpoint (1931), for
consonance, dissonance, motion and melody; Jaques et al. 2017 (Sequence Tutor), for repetition,
motifs, unique extremes and leaps; the harmonisation practice of the chorales themselves for what
stands on the beats and under fermatas.

Terms: ``d`` is soprano minus bass in semitones. Consonant are 0, 3, 4, 7, 8 and 9 modulo 12. A step
is 1 or 2 semitones, a leap 3 or more. A beat is a quarter, its first eighth is on the beat. An
event is an eighth in which a voice begins a note. A note is resolved by step if the next one is a
step away.

In compiled code ``s`` and ``b`` are the pitches of soprano and bass in each eighth, ``sk`` and
``bk`` which note that is, ``sn`` and ``bn`` the notes, ``ns`` and ``nb`` how many; ``row`` and
``at`` take what is measured and where it was found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.composition.moves import EIGHTHS, FERMATA_ROW, PLACE_ROW
from move37.envs.composition.rules.melody import measure_melody, note
from move37.envs.composition.rules.names import Rule


@njit(cache=True, nogil=True, inline="always")
def _is_consonant(d: int) -> bool:
    c = d % 12
    return c == 0 or c == 3 or c == 4 or c == 7 or c == 8 or c == 9


@njit(cache=True, nogil=True)
def by_step(notes: NDArray[np.int64], k: int) -> bool:
    """Whether note k is reached from the one before it by a step, or is the same."""
    return k > 0 and abs(notes[k, 0] - notes[k - 1, 0]) <= 2


@njit(cache=True, nogil=True)
def may_be_dissonant(t: int, k: int, notes: NDArray[np.int64], count: int) -> bool:
    """Whether note k is a suspension, or a passing or neighbour note, at eighth t.

    That is: it is prepared (it began before) or reached by step, and resolved by step.

    Args:
        t: The eighth.
        k: Of the note that sounds in it.
        notes: (32, 3), the voice's.
        count: How many there are.
    """
    if k + 1 >= count:
        return False
    after = abs(notes[k + 1, 0] - notes[k, 0])
    if after < 1 or after > 2:
        return False
    return notes[k, 1] < t or by_step(notes, k)


@njit(cache=True, nogil=True)
def _vertical(
    s: NDArray[np.int64], b: NDArray[np.int64], sk: NDArray[np.int64], bk: NDArray[np.int64],
    sn: NDArray[np.int64], bn: NDArray[np.int64], ns: int, nb: int, place: NDArray[np.int16],
    row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Intervals on and off the beats: dissonance, spacing, crossing, leading notes."""
    beats = consonant = imperfect = both = 0
    total = 0.0
    run = longest = 0
    last_kind = -1
    for t in range(EIGHTHS):
        if s[t] < 0 or b[t] < 0:
            continue
        d = s[t] - b[t]
        both += 1
        total += d
        if d <= 0:
            note(row, at, Rule.CROSSING, t)
        event = bn[bk[t], 1] == t or sn[sk[t], 1] == t
        fine = _is_consonant(d)
        excused = fine or may_be_dissonant(t, sk[t], sn, ns) or may_be_dissonant(t, bk[t], bn, nb)
        if place[t] % 2 == 0:
            beats += 1
            c = d % 12
            consonant += fine
            imperfect += c == 3 or c == 4 or c == 8 or c == 9
            if not excused:
                note(row, at, Rule.DISSONANCE, t)
            # Thirds of either size are one kind of interval, and so are sixths.
            kind = 3 if c == 4 else (8 if c == 9 else c)
            run = run + 1 if kind == last_kind else 1
            last_kind = kind
            longest = max(longest, run)
            if run > 3:
                at[Rule.SAME_INTERVAL, t] = True
            if c == 0 and s[t] % 12 == 11:
                note(row, at, Rule.LEADING_NOTE, t)
        elif event:
            if not excused:
                note(row, at, Rule.OFFBEAT_DISSONANCE, t)
    row[Rule.CONSONANCE] = consonant / max(beats, 1)
    row[Rule.IMPERFECT] = imperfect / max(beats, 1)
    row[Rule.SPACING] = total / max(both, 1)
    row[Rule.SAME_INTERVAL] = longest


@njit(cache=True, nogil=True)
def _motion(
    s: NDArray[np.int64], b: NDArray[np.int64], sk: NDArray[np.int64], bk: NDArray[np.int64],
    sn: NDArray[np.int64], bn: NDArray[np.int64], row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Parallel and direct fifths and octaves, and the share of similar motion."""
    last = -1
    moved = similar = 0
    for t in range(EIGHTHS):
        if s[t] < 0 or b[t] < 0 or not (bn[bk[t], 1] == t or sn[sk[t], 1] == t):
            continue
        if last >= 0:
            ds, db = s[t] - s[last], b[t] - b[last]
            if ds != 0 and db != 0:
                moved += 1
                same_way = (ds > 0) == (db > 0)
                similar += same_way
                before, now = (s[last] - b[last]) % 12, (s[t] - b[t]) % 12
                if before == now == 7:
                    note(row, at, Rule.FIFTHS, t)
                elif before == now == 0:
                    note(row, at, Rule.OCTAVES, t)
                elif same_way and abs(ds) > 2 and (now == 7 or now == 0):
                    note(row, at, Rule.DIRECT, t)
        last = t
    row[Rule.SIMILAR] = similar / moved if moved > 0 else 0.5


@njit(cache=True, nogil=True)
def _phrases(
    s: NDArray[np.int64], b: NDArray[np.int64], bk: NDArray[np.int64], bn: NDArray[np.int64],
    fermata: NDArray[np.int16], row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Cadences: the bass arrives with the soprano, consonant, by step, fourth, fifth or octave."""
    ends = good = 0
    t = 0
    while t < EIGHTHS:
        if fermata[t] == 0:
            t += 1
            continue
        begin = t
        while t < EIGHTHS and fermata[t] > 0:
            if t > begin and b[t] >= 0 and bn[bk[t], 1] == t:
                note(row, at, Rule.FERMATA_MOTION, t)
            t += 1
        ends += 1
        k = bk[begin]
        fine = b[begin] >= 0 and s[begin] >= 0 and bn[k, 1] == begin and k > 0
        if fine:
            c, size = (s[begin] - b[begin]) % 12, abs(bn[k, 0] - bn[k - 1, 0])
            fine = (c == 0 or c == 3 or c == 4 or c == 7) and (
                size == 1 or size == 2 or size == 5 or size == 7 or size == 12
            )
        good += fine
        if not fine:
            at[Rule.CADENCE, begin] = True
    row[Rule.CADENCE] = good / ends if ends > 0 else 1.0


@njit(cache=True, nogil=True)
def measure_pair(
    pitch: NDArray[np.int64], of: NDArray[np.int64], notes: NDArray[np.int64],
    counts: NDArray[np.int64], score: NDArray[np.int16], row: NDArray[np.float64],
    at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Measure the first and the last of V voices, soprano and bass, by every rule of RULES.

    Args:
        pitch: (V, 32), the voices as :func:`.melody.read_voice` reads them; so are ``of`` (V, 32),
            ``notes`` (V, 32, 3) and ``counts`` (V,).
        of: Likewise.
        notes: Likewise.
        counts: Likewise.
        score: (5, 32) or (7, 32).
        row: (35 or more,), zeros.
        at: (35 or more, 32).
    """
    s, b, sk, bk, sn, bn = pitch[0], pitch[-1], of[0], of[-1], notes[0], notes[-1]
    _vertical(s, b, sk, bk, sn, bn, counts[0], counts[-1], score[PLACE_ROW], row, at)
    _motion(s, b, sk, bk, sn, bn, row, at)
    _phrases(s, b, bk, bn, score[FERMATA_ROW], row, at)
    measure_melody(bn, counts[-1], b, score, row, at)
