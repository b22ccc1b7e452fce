"""What RL Tuner counts in melodies: the figures of its table, for melodies of this world.

After Jaques, Gu, Turner and Eck, "Tuning Recurrent Neural Networks with Reinforcement Learning"
(2016), and Jaques et al., "Sequence Tutor" (ICML 2017), whose melodies have 32 steps too. A step is
an eighth here: HOLD is their "no event", REST their "note off". Their key is C major; here it is
the scale of the work's mode. One thing is counted otherwise: their program meant to count fifths
and thirds within the key, but an expression that is always the fifth's number lost the thirds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.corpus.trivial import MAJOR, MINOR
from move37.envs.composition.moves import FIRST_NOTE, HOLD, REST

BAR = 8
"""Steps in which a motif has at least three different notes."""
LEAP = 7
"""Semitones from which an interval is a leap: a fifth."""
BETWEEN = 6
"""A leap back that comes after no more steps than this does not resolve a leap."""
MOST_STRUCK, MOST_HELD, MOST_RESTS = 4, 6, 1
"""Earlier equal notes in a row that are not yet too many: struck, and with holds or rests between;
and earlier rests."""

TITLES = {
    "repeated": "notes excessively repeated",
    "lag1": "mean autocorrelation, lag 1",
    "lag2": "mean autocorrelation, lag 2",
    "lag3": "mean autocorrelation, lag 3",
    "not_in_key": "notes not in key",
    "tonic_start": "compositions starting with the tonic",
    "leaps_resolved": "leaps resolved",
    "unique_max": "compositions with a unique highest note",
    "unique_min": "compositions with a unique lowest note",
    "motif": "notes in a motif",
    "repeated_motif": "notes in a repeated motif",
    "in_key_intervals": "fifths and thirds on the tonic triad a composition",
}


def autocorrelation(line: NDArray[np.integer], lag: int) -> float:
    """Of a sequence (T,) with itself ``lag`` steps later; nan if it never changes."""
    x = np.asarray(line, np.float64) - np.mean(line)
    power = float((x**2).sum())
    return float((x[lag:] * x[:-lag]).sum()) / power if power else float("nan")


def _too_often(line: list[int], t: int) -> bool:
    """Whether step t repeats what it is too often."""
    count, between = 0, False
    for code in reversed(line[:t]):
        if code == line[t]:
            count += 1
        elif code in (HOLD, REST):
            between = True
        else:
            break
    if line[t] == REST and count > MOST_RESTS:
        return True
    return count > (MOST_HELD if between else MOST_STRUCK)


def _has_motif(bar: list[int]) -> bool:
    return len({code for code in bar if code >= FIRST_NOTE}) >= 3


def _leaps(line: list[int], preferred: set[tuple[int, int]], low: int) -> tuple[int, int, int]:
    """Leaps resolved, leaps doubled, and intervals within the tonic triad."""
    resolved = doubled = inside = 0
    direction, origin, since, last = 0, 0, 0, -1
    for code in line:
        if code < FIRST_NOTE or last < 0:
            since += code < FIRST_NOTE
            last = code if code >= FIRST_NOTE else last
            continue
        size = abs(code - last)
        root = (min(code, last) - FIRST_NOTE + low) % 12
        inside += (root, size) in preferred
        if size >= LEAP:
            now = 1 if code > last else -1
            if direction == 0:
                direction, origin = now, last
            elif direction == now:
                doubled += 1
            else:
                resolved += since > BETWEEN
                direction = 0
            since = 0
        else:
            since += 1
            if direction and (origin - code) * direction >= 0:
                resolved += 1
                direction = 0
        last = code
    return resolved, doubled, inside


def melody_statistics(
    melodies: NDArray[np.integer], minor: NDArray[np.bool_], low: int
) -> dict[str, float]:
    """The figures of TITLES for melodies.

    Args:
        melodies: (N, T) codes: HOLD, REST, or notes.
        minor: (N,) whether each is in minor; the tonic is C.
        low: The MIDI number of the lowest note, code 2.

    Returns:
        Shares of steps, of leaps or of melodies in [0, 1], correlations, and a mean count.

    Raises:
        ValueError: If there are no melodies, or their shapes do not fit.
    """
    if melodies.ndim != 2 or not len(melodies) or minor.shape != (len(melodies),):
        raise ValueError(f"melodies: got shapes {melodies.shape} and {minor.shape}")
    n, steps = melodies.shape
    count = dict.fromkeys(TITLES, 0.0)
    lags: dict[int, list[float]] = {1: [], 2: [], 3: []}
    leaps = 0
    for row, is_minor in zip(melodies, minor.tolist(), strict=True):
        line = [max(int(code), HOLD) for code in row]
        notes = [code for code in line if code >= FIRST_NOTE]
        scale = set((MINOR if is_minor else MAJOR).tolist())
        third = 3 if is_minor else 4
        triad = {(0, third), (third, 7 - third), (0, 7)}
        count["not_in_key"] += sum((c - FIRST_NOTE + low) % 12 not in scale for c in notes)
        first = (line[0] - FIRST_NOTE + low) % 12 if line[0] >= FIRST_NOTE else -1
        count["tonic_start"] += first == 0
        count["unique_max"] += bool(notes) and notes.count(max(notes)) == 1
        count["unique_min"] += bool(notes) and notes.count(min(notes)) == 1
        for t in range(steps):
            count["repeated"] += _too_often(line, t)
            bar = line[t + 1 - BAR : t + 1] if t + 1 >= BAR else []
            if _has_motif(bar):
                count["motif"] += 1
                earlier = range(t + 2 - 2 * BAR)
                count["repeated_motif"] += any(line[i : i + BAR] == bar for i in earlier)
        resolved, doubled, inside = _leaps(line, triad, low)
        count["leaps_resolved"] += resolved
        leaps += resolved + doubled
        count["in_key_intervals"] += inside
        for lag, found in lags.items():
            found.append(autocorrelation(np.array(line), lag))
    out = {key: value / n for key, value in count.items()}
    for key in ("repeated", "not_in_key", "motif", "repeated_motif"):
        out[key] /= steps
    out["leaps_resolved"] = count["leaps_resolved"] / leaps if leaps else float("nan")
    for lag, found in lags.items():
        known = [value for value in found if np.isfinite(value)]
        out[f"lag{lag}"] = float(np.mean(known)) if known else float("nan")
    return out
