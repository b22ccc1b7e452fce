"""Scores as pictures and back: a piano roll of 64 x 64 points that holds everything.

An eighth is two columns wide. A note is a bar; where one begins, the left column stays empty. Rows
0 to 28 are the soprano (C6 to G sharp 3), 29 to 57 the bass (E4 to C2); then a row inked in the
first eighth of each bar, one where fermatas stand, one for the minor mode, and one whose ink counts
the tonic.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .moves import (
    BASS_ROW,
    EIGHTHS,
    FERMATA_ROW,
    FIRST_NOTE,
    HOLD,
    KEY_ROW,
    N_MOVES,
    N_SOPRANO,
    PLACE_ROW,
    REST,
    SOPRANO_ROW,
)

SIDE = 64
BASS_TOP = N_SOPRANO - FIRST_NOTE
BAR_LINE = BASS_TOP + N_MOVES - FIRST_NOTE
FERMATA_LINE = BAR_LINE + 1
MINOR_LINE = BAR_LINE + 2
TONIC_LINE = BAR_LINE + 3


@njit(cache=True, nogil=True)
def _draw(scores: NDArray[np.int16], out: NDArray[np.uint8]) -> None:
    for n in range(scores.shape[0]):
        for voice in range(2):
            top = 0 if voice == 0 else BASS_TOP
            size = N_SOPRANO if voice == 0 else N_MOVES
            now = REST
            for t in range(EIGHTHS):
                code = scores[n, SOPRANO_ROW if voice == 0 else BASS_ROW, t]
                if code != HOLD:
                    now = code
                if now >= FIRST_NOTE:
                    row = top + size - 1 - now
                    out[n, row, 2 * t + 1] = 1
                    if code == HOLD:
                        out[n, row, 2 * t] = 1
        for t in range(EIGHTHS):
            if scores[n, PLACE_ROW, t] == 0:
                out[n, BAR_LINE, 2 * t : 2 * t + 2] = 1
            if scores[n, FERMATA_ROW, t] > 0:
                out[n, FERMATA_LINE, 2 * t : 2 * t + 2] = 1
        if scores[n, KEY_ROW, 0] > 0:
            out[n, MINOR_LINE] = 1
        out[n, TONIC_LINE, : scores[n, KEY_ROW, 1]] = 1


@njit(cache=True, nogil=True)
def _read(images: NDArray[np.uint8], out: NDArray[np.int16]) -> None:
    for n in range(images.shape[0]):
        for voice in range(2):
            top = 0 if voice == 0 else BASS_TOP
            size = N_SOPRANO if voice == 0 else N_MOVES
            before = REST
            for t in range(EIGHTHS):
                now, held = REST, False
                for row in range(size - FIRST_NOTE):
                    if images[n, top + row, 2 * t + 1]:
                        now = size - 1 - row
                        held = images[n, top + row, 2 * t] > 0
                        break
                same = now == before and (held or now == REST) and t > 0
                out[n, SOPRANO_ROW if voice == 0 else BASS_ROW, t] = HOLD if same else now
                before = now
        first = 0
        while first < 7 and images[n, BAR_LINE, 2 * first + 1] == 0:
            first += 1
        tonic = 0
        for t in range(EIGHTHS):
            out[n, PLACE_ROW, t] = (8 - first + t) % 8
            out[n, FERMATA_ROW, t] = 1 if images[n, FERMATA_LINE, 2 * t + 1] else 0
        while tonic < 11 and images[n, TONIC_LINE, tonic]:
            tonic += 1
        out[n, KEY_ROW, 0] = 1 if images[n, MINOR_LINE].sum() > SIDE // 2 else 0
        out[n, KEY_ROW, 1] = tonic


def rolls_of(scores: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Piano rolls (N, 64, 64) uint8 in {0, 1} of scores (N, 5, 32)."""
    out = np.zeros((len(scores), SIDE, SIDE), np.uint8)
    _draw(np.ascontiguousarray(scores, np.int16), out)
    return out


def read_rolls(images: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Scores (N, 5, 32) of piano rolls (N, 64, 64) in {0, 1}; of several notes at once the highest.

    A rest that goes on reads as HOLD, and a work begins with a note or REST.
    """
    out = np.zeros((len(images), 5, EIGHTHS), np.int16)
    _read(np.ascontiguousarray(images, np.uint8), out)
    return out
