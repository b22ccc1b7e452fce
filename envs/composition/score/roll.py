"""Scores as images and back: piano rolls of 64 x 64 points, without loss.

An eighth is two columns wide. A note is a bar; where one begins, the left column stays empty. Rows
0 to 28 are the soprano (C6 to G sharp 3), 29 to 57 the bass (E4 to C2); then a row inked in the
first eighth of each bar, one where fermatas stand, one for the minor mode, and one whose ink counts
the tonic.

In four parts a roll is 128 x 64 points: alto and tenor stand between soprano and bass, 29 rows
each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.composition.moves import (
    ALTO_ROW,
    BASS_ROW,
    EIGHTHS,
    FERMATA_ROW,
    FIRST_NOTE,
    FOUR_ROWS,
    HOLD,
    KEY_ROW,
    N_MOVES,
    N_SOPRANO,
    PAIR_ROWS,
    PLACE_ROW,
    REST,
    SOPRANO_ROW,
    TENOR_ROW,
    in_four,
)

SIDE = 64
VOICE = N_MOVES - FIRST_NOTE
"""Rows of one voice."""
_PAIR = np.array([SOPRANO_ROW, BASS_ROW])
_FOUR = np.array([SOPRANO_ROW, ALTO_ROW, TENOR_ROW, BASS_ROW])

# Every voice has equally many codes.
assert N_SOPRANO == N_MOVES


@njit(cache=True, nogil=True)
def _draw(scores: NDArray[np.int16], voices: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    lines = len(voices) * VOICE
    for n in range(scores.shape[0]):
        for k in range(len(voices)):
            now = REST
            for t in range(EIGHTHS):
                code = scores[n, voices[k], t]
                if code != HOLD:
                    now = code
                if now >= FIRST_NOTE:
                    row = k * VOICE + N_MOVES - 1 - now
                    out[n, row, 2 * t + 1] = 1
                    if code == HOLD:
                        out[n, row, 2 * t] = 1
        for t in range(EIGHTHS):
            if scores[n, PLACE_ROW, t] == 0:
                out[n, lines, 2 * t : 2 * t + 2] = 1
            if scores[n, FERMATA_ROW, t] > 0:
                out[n, lines + 1, 2 * t : 2 * t + 2] = 1
        if scores[n, KEY_ROW, 0] > 0:
            out[n, lines + 2] = 1
        out[n, lines + 3, : scores[n, KEY_ROW, 1]] = 1


@njit(cache=True, nogil=True)
def _read(images: NDArray[np.uint8], voices: NDArray[np.int64], out: NDArray[np.int16]) -> None:
    lines = len(voices) * VOICE
    for n in range(images.shape[0]):
        for k in range(len(voices)):
            before = REST
            for t in range(EIGHTHS):
                now, held = REST, False
                for row in range(VOICE):
                    if images[n, k * VOICE + row, 2 * t + 1]:
                        now = N_MOVES - 1 - row
                        held = images[n, k * VOICE + row, 2 * t] > 0
                        break
                same = now == before and (held or now == REST) and t > 0
                out[n, voices[k], t] = HOLD if same else now
                before = now
        first = 0
        while first < 7 and images[n, lines, 2 * first + 1] == 0:
            first += 1
        tonic = 0
        for t in range(EIGHTHS):
            out[n, PLACE_ROW, t] = (8 - first + t) % 8
            out[n, FERMATA_ROW, t] = 1 if images[n, lines + 1, 2 * t + 1] else 0
        while tonic < 11 and images[n, lines + 3, tonic]:
            tonic += 1
        out[n, KEY_ROW, 0] = 1 if images[n, lines + 2].sum() > SIDE // 2 else 0
        out[n, KEY_ROW, 1] = tonic


def rolls_of(scores: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Piano rolls (N, 64, 64) uint8 in {0, 1} of scores (N, 5, 32); (N, 128, 64) of (N, 7, 32)."""
    four = in_four(scores)
    out = np.zeros((len(scores), 2 * SIDE if four else SIDE, SIDE), np.uint8)
    _draw(np.ascontiguousarray(scores, np.int16), _FOUR if four else _PAIR, out)
    return out


def read_rolls(images: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Scores of piano rolls in {0, 1}; of several notes of a voice at once the highest.

    A rest that goes on reads as HOLD, and a work begins with a note or REST.

    Args:
        images: (N, 64, 64), or (N, 128, 64) in four parts.

    Returns:
        (N, 5, 32), or (N, 7, 32) in four parts.

    Raises:
        ValueError: If the images have another size.
    """
    if images.shape[1:] not in ((SIDE, SIDE), (2 * SIDE, SIDE)):
        raise ValueError(f"images: a piano roll has 64 or 128 x 64 points, got {images.shape[1:]}")
    four = images.shape[1] == 2 * SIDE
    out = np.zeros((len(images), FOUR_ROWS if four else PAIR_ROWS, EIGHTHS), np.int16)
    _read(np.ascontiguousarray(images, np.uint8), _FOUR if four else _PAIR, out)
    return out
