"""Styles over time: clusters of human works, and new clusters ("kinds") as they appear.

Human styles are the clusters that k-means finds (Lloyd 1982, k-means++ seeds: Arthur &
Vassilvitskii 2007). A work belongs to the style of its nearest human work if that is close enough.
Otherwise it is new: it joins the nearest kind if it is no further from that kind's mean than two
human works of one style are from each other; if not, it starts a new kind (the leader algorithm:
Hartigan, "Clustering Algorithms", 1975). The shares of both over time make a stacked area plot.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.vq import kmeans2

from move37.novelty.knn import Table, as_rows
from move37.novelty.measures.support import human_radius

STRAY = -1
"""Label of a work that fits no style and no kind when there are MOST_KINDS already."""

RESTARTS, ITERATIONS = 5, 30
"""Of k-means: the start with the smallest sum of squares is kept."""
MOST_KINDS = 100
"""New kinds at most."""


def cluster(
    x: ArrayLike, k: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """k-means with k-means++ seeds; the best of several starts.

    Args:
        x: (N, D) finite numbers.
        k: Clusters, at most N; fewer come out if rows are twins or a cluster runs empty.
        rng: The only source of chance.

    Returns:
        centres (K, D) float64, those with the most rows first, and labels (N,) int64.

    Raises:
        ValueError: If k is not in 1..N, or a row is bad.
    """
    rows = as_rows(x, None, "x").astype(np.float64)
    if not 1 <= k <= len(rows):
        raise ValueError(f"k: expected 1 to {len(rows)} clusters, got {k}")
    k = min(k, len(np.unique(rows, axis=0)))
    best, least = (rows[:1], np.zeros(len(rows), np.int64)), np.inf
    for _ in range(RESTARTS):
        with warnings.catch_warnings(action="ignore"):  # of clusters that run empty
            centres, found = kmeans2(rows, _seeds(rows, k, rng), ITERATIONS, minit="matrix")
        labels = found.astype(np.int64)
        error = float(((rows - centres[labels]) ** 2).sum())
        if error < least:
            best, least = (centres, labels), error
    centres, labels = best
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]
    place = np.zeros(len(centres), np.int64)
    place[order] = np.arange(len(order))
    return centres[order], place[labels]


def _seeds(rows: NDArray[np.float64], k: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(k, D) rows, each drawn with a chance that grows with its distance^2 to those before."""
    chosen = [int(rng.integers(len(rows)))]
    squared = np.full(len(rows), np.inf)
    while len(chosen) < k:
        squared = np.minimum(squared, ((rows - rows[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(rng.choice(len(rows), p=squared / squared.sum())))
    return rows[chosen]


def _spread(
    rows: NDArray[np.float64], labels: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """95th percentile of the distances between two rows of one cluster; each is in two pairs."""
    distances = [np.zeros(1)]
    for label in range(int(labels.max()) + 1):
        own = rows[rng.permutation(np.flatnonzero(labels == label))]
        if len(own) > 1:
            distances.append(np.sqrt(((own - np.roll(own, 1, axis=0)) ** 2).sum(axis=1)))
    return float(np.quantile(np.concatenate(distances), 0.95))


class Styles:
    """Assigns works to human styles and new kinds; kinds appear as works are added.

    A label below ``n_human`` is a human style; ``n_human + i`` is the i-th new kind in order of
    appearance; ``STRAY`` is a new work that is close to no kind once there are MOST_KINDS. The
    mean of a kind follows its members, so kinds depend on the order of the works.

    Args:
        human: (N, D) finite descriptors, N at least 2.
        k: Human styles.
        rng: The only source of chance (k-means).

    Attributes:
        centres: (K, D) float64: means of the human styles, the largest first.
        n_human: K.
        human_labels: (N,) int64: styles of the human works.
        kinds: (F, D) float64: means of the new kinds.
        sizes: (F,) int64: works in each.
        radius: Distance up to which a work belongs to a human work's style: the 95th percentile of
            the distances of human works to their nearest other.
        spread: Distance up to which a work belongs to a kind, from its mean: the 95th percentile of
            the distances between two human works of one style.

    Raises:
        ValueError: If ``human`` has fewer than two rows or bad ones.
    """

    def __init__(self, human: ArrayLike, k: int, rng: np.random.Generator) -> None:
        rows = as_rows(human, None, "human")
        self.radius = human_radius(rows)
        self.centres, self.human_labels = cluster(rows, k, rng)
        self.n_human = len(self.centres)
        self.spread = _spread(rows.astype(np.float64), self.human_labels, rng)
        self.kinds = np.zeros((0, rows.shape[1]))
        self.sizes = np.zeros(0, np.int64)
        self._human = Table.of(rows)

    def add(self, x: ArrayLike) -> NDArray[np.int64]:
        """Assign works, in the order in which they were made; new kinds are kept.

        Args:
            x: (N, D) finite descriptors.

        Returns:
            (N,) int64 labels.

        Raises:
            ValueError: If a row is bad or of another width.
        """
        rows = as_rows(x, self.centres.shape[1], "x")
        distances, indices = self._human.nearest(rows, 1)
        labels: NDArray[np.int64] = self.human_labels[indices[:, 0]]
        for i in np.flatnonzero(distances[:, 0] > self.radius):
            labels[i] = self._assign_new(rows[i].astype(np.float64))
        return labels

    def _assign_new(self, row: NDArray[np.float64]) -> int:
        """The label of one new work (D,); the mean of its kind moves towards it."""
        if len(self.kinds):
            squared = ((self.kinds - row) ** 2).sum(axis=1)
            kind = int(squared.argmin())
            if squared[kind] <= self.spread**2:
                self.sizes[kind] += 1
                self.kinds[kind] += (row - self.kinds[kind]) / self.sizes[kind]
                return self.n_human + kind
        if len(self.kinds) >= MOST_KINDS:
            return STRAY
        self.kinds = np.concatenate([self.kinds, row[None]])
        self.sizes = np.append(self.sizes, 1)
        return self.n_human + len(self.kinds) - 1


def style_shares(
    labels: ArrayLike, times: ArrayLike, edges: ArrayLike, n_human: int, most: int = 12
) -> tuple[NDArray[np.float64], list[int | str]]:
    """Shares of the styles over time, ready to be stacked.

    Args:
        labels: (N,) integers of :meth:`Styles.add`.
        times: (N,) numbers: when each work was made, e.g. environment steps.
        edges: (B + 1,) ascending: bin b is ``edges[b] <= time < edges[b + 1]``; the last is closed.
        n_human: Human styles; each has a row of its own.
        most: New kinds with a row of their own: the largest, in order of appearance; all others
            and strays share the row "other new".

    Returns:
        shares: (S, B) float64; columns sum to 1, or are nan where a bin is empty.
        labels: S labels of the rows, human styles first; the last is "other new".

    Raises:
        ValueError: If shapes do not match, or the edges are not ascending.
    """
    label, time = np.asarray(labels, np.int64), np.asarray(times, np.float64)
    edge = np.asarray(edges, np.float64)
    if label.shape != time.shape or label.ndim != 1:
        raise ValueError(f"labels, times: expected the same (N,), got {label.shape}, {time.shape}")
    if edge.ndim != 1 or len(edge) < 2 or not (np.diff(edge) > 0).all():
        raise ValueError("edges: expected at least two ascending numbers")
    shown = np.concatenate([np.arange(n_human), _largest_kinds(label, n_human, most)])
    row = np.full(max(int(label.max(initial=0)), n_human) + 2, len(shown))  # [-1] is STRAY's
    row[shown] = np.arange(len(shown))
    counts, _, _ = np.histogram2d(row[label], time, (np.arange(len(shown) + 2), edge))
    totals = counts.sum(axis=0)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    return shares, [*shown.tolist(), "other new"]


def _largest_kinds(label: NDArray[np.int64], n_human: int, most: int) -> NDArray[np.int64]:
    """Labels of the ``most`` new kinds with the most works, ascending."""
    sizes = np.bincount(label[label >= n_human] - n_human, minlength=1)
    largest = np.argsort(-sizes, kind="stable")[:most]
    return np.asarray(np.sort(largest[sizes[largest] > 0]) + n_human, np.int64)
