"""How unlike a drawing is to every human drawing of the same thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.drawing.designers.labelled import Labelled
from move37.envs.drawing.judging.descriptor import features
from move37.envs.drawing.meaning.picture import PIXELS, pictures
from move37.envs.drawing.moves import SIZE

Moves = NDArray[np.int16]


def look(moves: Moves, mirrored: bool = False) -> NDArray[np.float64]:
    """What a viewer tells drawings apart by, wherever and however large they stand.

    Gradient histograms and a blurred image, as in the descriptor, of the drawing cropped to what is
    drawn.

    Args:
        moves: (N, T) int16, -1 after the end.
        mirrored: Whether left and right are exchanged.

    Returns:
        (N, 288) float64.
    """
    seen = pictures(moves).reshape(len(moves), SIZE, PIXELS // SIZE, SIZE, PIXELS // SIZE)
    inked = (seen.max(axis=(2, 4)) > 127).astype(np.uint8)
    return features(inked[:, :, ::-1] if mirrored else inked)


class Unlikeness:
    """Distance to the nearest human drawing of the same concept, a mirrored one included.

    The unit is how far designers' drawings of one concept lie apart in the middle: the median over
    human drawings of the distance to the nearest one of the same concept by another designer.

    Args:
        human: Drawings of many designers; those that show a concept and nothing else count.

    Attributes:
        human: The drawings that count.
        unit: In distances between features.
        far: The 95th percentile of the same distances, in units.

    Raises:
        ValueError: If no concept was drawn by two designers.
    """

    def __init__(self, human: Labelled) -> None:
        self.human = human[human.whole]
        self._looks = look(self.human.works.moves)
        own = self.human
        apart, _ = self._nearest(own.works.moves, own.concepts, 1, own.designers)
        known = apart[np.isfinite(apart)]
        if not len(known):
            raise ValueError("human drawings: no concept was drawn by two designers")
        self.unit = float(np.median(known))
        self.far = float(np.quantile(known, 0.95)) / self.unit

    def nearest(
        self,
        moves: Moves,
        concepts: NDArray[np.int64],
        k: int = 1,
        designers: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The nearest human drawings of the same concept.

        Args:
            moves: (N, T) int16.
            concepts: (N,) int64: what each is to show, by its number; -1: whatever it may be.
            k: How many.
            designers: (N,) int64: whose drawings do not count, for human ones; None: all count.

        Returns:
            Distances (N, k) float64 in units, rising; inf where there are fewer. Rows (N, k) int64
            in ``human``; -1 where there are fewer.
        """
        distances, rows = self._nearest(moves, concepts, k, designers)
        return distances / self.unit, rows

    def _nearest(
        self,
        moves: Moves,
        concepts: NDArray[np.int64],
        k: int,
        designers: NDArray[np.int64] | None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        n = len(moves)
        distances, rows = np.full((n, k), np.inf), np.full((n, k), -1, np.int64)
        both = [look(moves), look(moves, mirrored=True)]
        for concept in np.unique(concepts):
            mine = np.flatnonzero(concepts == concept)
            theirs = np.flatnonzero((self.human.concepts == concept) | (concept < 0))
            for i in mine:
                apart = np.min(
                    [np.linalg.norm(self._looks[theirs] - side[i], axis=1) for side in both], axis=0
                )
                if designers is not None:
                    apart[self.human.designers[theirs] == designers[i]] = np.inf
                order = np.argsort(apart, kind="stable")[:k]
                order = order[np.isfinite(apart[order])]
                distances[i, : len(order)] = apart[order]
                rows[i, : len(order)] = theirs[order]
        return distances, rows
