"""How different the rows of one set are from each other: novelty, repeats, the Vendi score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.knn import Table, as_rows, direct_distances, row_means

CHUNK = 128
"""Rows compared with each other at once."""
GROUP = 400
"""Rows whose novelty is measured among themselves."""


def leave_one_out_novelty(
    x: ArrayLike, k: int, groups: ArrayLike | None = None
) -> NDArray[np.float64]:
    """How far each row is from the others: mean distance to its k nearest.

    Args:
        x: (N, D) finite descriptors.
        k: Neighbours in the mean, at least 1; all there are if there are fewer.
        groups: (N,) labels: the rows of a row's own group are left out too, e.g. the variants of
            one work. None: every row is on its own.

    Returns:
        (N,) float64, in the units of ``x``; inf for a row with no other to compare with.

    Raises:
        ValueError: If shapes do not match, k < 1, or a row holds NaN or infinity.
    """
    rows = as_rows(x, None, "x")
    n = len(rows)
    label = np.arange(n)
    if groups is not None:
        values = np.asarray(groups)
        if values.shape != (n,):
            raise ValueError(f"groups: expected shape ({n},), got {values.shape}")
        label = np.unique(values, return_inverse=True)[1]
    # A row's own group is left out by asking for so many neighbours more.
    extra = int(np.bincount(label).max(initial=1)) - 1
    near, slots = Table.of(rows).nearest(rows, k + extra, np.arange(n))
    # Members of the own group go to the end as if infinitely far.
    mine = label[slots] == label[:, None]
    found = np.where(mine | (slots < 0), np.inf, near.astype(np.float64))
    return row_means(np.sort(found, axis=1)[:, :k])


def novelty_in_groups(x: ArrayLike, k_neighbors: int) -> NDArray[np.float64]:
    """Novelty of rows among GROUP of themselves at a time, so that sets of any size compare.

    The more rows there are, the closer they lie. The last group is filled up with rows of the one
    before.

    Args:
        x: (N, D) finite numbers.
        k_neighbors: Neighbours in the mean.

    Returns:
        (N,) float64, as :func:`leave_one_out_novelty` in each group.
    """
    rows = np.asarray(x)
    out = np.zeros(len(rows))
    for begin in range(0, len(rows), GROUP):
        first = max(0, min(begin, len(rows) - GROUP))
        among = leave_one_out_novelty(rows[first : first + GROUP], k_neighbors)
        out[begin : begin + GROUP] = among[begin - first :]
    return out


def vendi_score(x: ArrayLike, bandwidth: float = 1.0) -> float:
    """Count the effectively different rows: the Vendi score (Friedman & Dieng, TMLR 2023).

    The exponential of the entropy of the eigenvalues of K / N, where K is the matrix of
    similarities ``exp(-distance^2 / (2 bandwidth^2))``. It is 1 if all rows are the same and N if
    no two resemble each other.

    Args:
        x: (N, D) finite numbers, N at least 1. Time grows with N^3: 2,000 rows take a second or so.
        bandwidth: Of the Gaussian kernel, in the units of ``x``; above 0.

    Returns:
        A number between 1 and N.

    Raises:
        ValueError: If ``x`` has no rows or bad ones, or the bandwidth is not above 0.
    """
    rows = as_rows(x, None, "x").astype(np.float64)
    if len(rows) == 0:
        raise ValueError("x: expected at least one row")
    if not bandwidth > 0:
        raise ValueError(f"bandwidth: expected above 0, got {bandwidth}")
    rows = rows - rows.mean(axis=0)
    norms = (rows * rows).sum(axis=1)
    squared = np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0.0)
    similarity = np.exp(-squared / (2 * bandwidth**2))
    np.fill_diagonal(similarity, 1.0)
    shares = np.linalg.eigvalsh(similarity / len(rows))
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def repeats(x: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Mark the rows that come too close to an earlier one.

    Row i is a repeat if it lies within ``threshold`` (or exactly at it) of an earlier row that is
    not itself a repeat. So the rows left over are all further apart than ``threshold``.

    Args:
        x: (N, D) finite numbers, in the order in which they count.
        threshold: Euclidean distance, in the units of ``x``, at least 0.

    Returns:
        (N,) bool.

    Raises:
        ValueError: If ``x`` is not (N, D) or not finite, or the threshold is negative or NaN.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold: expected at least 0, got {threshold}")
    rows = as_rows(x, None, "x")
    repeated = np.zeros(len(rows), np.bool_)
    kept = Table(rows.shape[1])
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        repeated_part = repeated[start : start + CHUNK]  # a view
        repeated_part[:] = kept.nearest(part, 1)[0][:, 0] <= threshold
        within = direct_distances(part[:, None], part) <= threshold
        for i in range(len(part)):
            if not repeated_part[i]:
                repeated_part[i + 1 :] |= within[i, i + 1 :]
        kept.extend(part[~repeated_part])
    return repeated
