"""Which works share a tune: Bach set most melodies more than once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.moves import EIGHTHS, FERMATA, SOPRANO, SOPRANO_LOW, sounding

ALIKE = 24
"""Two windows share a tune if their sopranos agree, in any transposition, in so many eighths."""


def find_tunes(briefs: NDArray[np.int16], pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number works by tune, (N,) int64: works of a piece, and of pieces with like sopranos.

    Args:
        briefs: (N, 67).
        pieces: (N,) which piece each work is from.
    """
    n = len(briefs)
    parent = np.arange(n)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    pitches = sounding(briefs[:, SOPRANO:FERMATA], SOPRANO_LOW)
    first = {int(piece): i for i, piece in reversed(list(enumerate(pieces)))}
    for i in range(n):
        parent[root(i)] = root(first[int(pieces[i])])
        for lag in range(-4, 5, 2):
            # Against every later window, either of them shifted by up to two beats.
            a, b = pitches[i, max(0, lag) : EIGHTHS + min(0, lag)], pitches[i + 1 :]
            gap = b[:, max(0, -lag) : EIGHTHS + min(0, -lag)] - a
            same = np.stack([(gap == k).sum(axis=1) for k in range(-12, 13)]).max(axis=0)
            for j in np.flatnonzero(same >= ALIKE):
                parent[root(i)] = root(int(i + 1 + j))
    return np.unique([root(i) for i in range(n)], return_inverse=True)[1].astype(np.int64)
