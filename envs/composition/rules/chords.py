"""The rules of four-part harmony: what alto and tenor do to the chords, compiled.

Sources: the harmonisation practice of the chorales themselves, as textbooks teach it (spacing,
order and parallels of the voices, the third in every chord, one leading note), and Fux and Jeppesen
for dissonance, as in :mod:`move37.envs.composition.rules.counterpoint`, whose terms hold here too.

A chord is a triad or a seventh chord with its root and its third; the fifth may be missing. The
melodies of alto and tenor are measured by the rules of one voice, see ``melody``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.composition.moves import EIGHTHS, FERMATA_ROW, PLACE_ROW
from move37.envs.composition.rules.counterpoint import by_step, may_be_dissonant
from move37.envs.composition.rules.melody import note
from move37.envs.composition.rules.names import ChordRule

_KINDS = (
    (0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8),
    (0, 4, 7, 10), (0, 3, 7, 10), (0, 3, 6, 10), (0, 4, 7, 11), (0, 3, 6, 9),
)  # fmt: skip
"""Triads and seventh chords, in semitones above their root; the third stands second."""


def _known_chords() -> NDArray[np.int8]:
    """(4096,) int8, by the set of pitch classes that sound: 2 a triad, 1 a seventh chord, 0 none.

    A triad here is a major or a minor one.
    """
    out = np.zeros(4096, np.int8)
    for kind in _KINDS:
        for root in range(12):
            needed = 1 << root | 1 << (root + kind[1]) % 12
            others = [1 << (root + step) % 12 for step in kind[2:]]
            for some in range(1 << len(others)):
                chord = needed
                for i, other in enumerate(others):
                    if some >> i & 1:
                        chord |= other
                plain = len(kind) == 3 and kind[1] + kind[2] in (10, 11) and kind[2] == 7
                out[chord] = max(out[chord], 2 if plain else 1)
    return out


_KNOWN = _known_chords()


@njit(cache=True, nogil=True)
def _suspended(
    of: NDArray[np.int64], notes: NDArray[np.int64], counts: NDArray[np.int64], t: int
) -> bool:
    """Whether a voice has a suspension, or an accented passing or neighbour note, at eighth t."""
    for v in range(4):
        if of[v, t] >= 0 and may_be_dissonant(t, of[v, t], notes[v], counts[v]):
            return True
    return False


@njit(cache=True, nogil=True)
def _harmony(
    pitch: NDArray[np.int64], of: NDArray[np.int64], notes: NDArray[np.int64],
    counts: NDArray[np.int64], place: NDArray[np.int16], fermata: NDArray[np.int16],
    row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Order and spacing of the voices, and the chords they make."""
    beats = chords = ends = good = 0
    for t in range(EIGHTHS):
        sounding = leading = heard = 0
        event = False
        for v in range(4):
            if pitch[v, t] >= 0:
                heard += 1
                sounding |= 1 << pitch[v, t] % 12
                leading += pitch[v, t] % 12 == 11
                event = event or notes[v, of[v, t], 1] == t
            if v > 0 and pitch[v, t] >= 0 and pitch[v - 1, t] >= 0:
                apart = pitch[v - 1, t] - pitch[v, t]
                if apart < 0:
                    note(row, at, ChordRule.ORDER, t)
                if v < 3 and apart > 12:
                    note(row, at, ChordRule.WIDE, t)
        known = _KNOWN[sounding]
        if fermata[t] > 0 and (t == 0 or fermata[t - 1] == 0):
            ends += 1
            good += known == 2
            if known < 2:
                at[ChordRule.ENDINGS, t] = True
        if place[t] % 2 == 0:
            beats += 1
            chords += known > 0
            if known == 0 and heard > 0 and not _suspended(of, notes, counts, t):
                note(row, at, ChordRule.UNPREPARED, t)
            if leading > 1:
                note(row, at, ChordRule.LEADING_TWICE, t)
        elif event and known == 0:
            for v in range(4):
                k = of[v, t]
                if k >= 0 and notes[v, k, 1] == t and not by_step(notes[v], k):
                    note(row, at, ChordRule.PASSING, t)
                    break
    row[ChordRule.CHORDS] = chords / max(beats, 1)
    row[ChordRule.ENDINGS] = good / ends if ends > 0 else 1.0


@njit(cache=True, nogil=True)
def _motion(
    pitch: NDArray[np.int64], of: NDArray[np.int64], notes: NDArray[np.int64],
    row: NDArray[np.float64], at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Parallels between any two voices but soprano and bass, and all voices going one way."""
    for u in range(4):
        for v in range(u + 1, 4):
            if u == 0 and v == 3:
                continue  # these are measured as counterpoint
            last = -1
            for t in range(EIGHTHS):
                if pitch[u, t] < 0 or pitch[v, t] < 0:
                    continue
                if not (notes[u, of[u, t], 1] == t or notes[v, of[v, t], 1] == t):
                    continue
                if last >= 0 and pitch[u, t] != pitch[u, last] and pitch[v, t] != pitch[v, last]:
                    before = (pitch[u, last] - pitch[v, last]) % 12
                    now = (pitch[u, t] - pitch[v, t]) % 12
                    if before == now == 7:
                        note(row, at, ChordRule.INNER_FIFTHS, t)
                    elif before == now == 0:
                        note(row, at, ChordRule.INNER_OCTAVES, t)
                last = t
    for t in range(1, EIGHTHS):
        ups = downs = 0
        for v in range(4):
            if pitch[v, t] >= 0 and pitch[v, t - 1] >= 0:
                ups += pitch[v, t] > pitch[v, t - 1]
                downs += pitch[v, t] < pitch[v, t - 1]
        if ups == 4 or downs == 4:
            note(row, at, ChordRule.ONE_DIRECTION, t)


@njit(cache=True, nogil=True)
def measure_chords(
    pitch: NDArray[np.int64], of: NDArray[np.int64], notes: NDArray[np.int64],
    counts: NDArray[np.int64], score: NDArray[np.int16], row: NDArray[np.float64],
    at: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Measure four voices together, by every rule of CHORD_RULES.

    Arguments as those of :func:`.counterpoint.measure_pair`; ``row`` and ``at`` begin with the
    column of the first of these rules.
    """
    _harmony(pitch, of, notes, counts, score[PLACE_ROW], score[FERMATA_ROW], row, at)
    _motion(pitch, of, notes, row, at)
