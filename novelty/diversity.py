"""How different the rows of one set are from each other."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.knn import Table, as_rows, direct_distances

CHUNK = 128
"""Rows compared with each other at once."""


def vendi_score(
    x: ArrayLike, kernel: Literal["gaussian", "cosine"] = "gaussian", bandwidth: float = 1.0
) -> float:
    """Count the effectively different rows: the Vendi score (Friedman & Dieng, TMLR 2023).

    The exponential of the entropy of the eigenvalues of K / N, where K is the matrix of
    similarities. It is 1 if all rows are the same and N if no two resemble each other.

    Args:
        x: (N, D) finite numbers, N at least 1. Time grows with N^3: 2,000 rows take a second or so.
        kernel: "gaussian", exp(-distance^2 / (2 bandwidth^2)), or "cosine".
        bandwidth: Of the Gaussian kernel, in the units of ``x``; above 0.

    Returns:
        A number between 1 and N.

    Raises:
        ValueError: If ``x`` has no rows or bad ones, the kernel is unknown, the bandwidth is not
            above 0, or a row is zero under the cosine kernel.
    """
    rows = as_rows(x, None, "x").double().cpu().numpy()
    n = len(rows)
    if n == 0:
        raise ValueError("x: expected at least one row")
    if kernel == "gaussian":
        if not bandwidth > 0:
            raise ValueError(f"bandwidth: expected above 0, got {bandwidth}")
        rows = rows - rows.mean(axis=0)
        norms = (rows * rows).sum(axis=1)
        squared = np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0.0)
        similarity = np.exp(-squared / (2 * bandwidth**2))
        np.fill_diagonal(similarity, 1.0)
    elif kernel == "cosine":
        norms = np.sqrt((rows * rows).sum(axis=1))
        if not norms.all():
            raise ValueError(f"row {int(np.argmin(norms))} of x is zero: it has no direction")
        rows = rows / norms[:, None]
        # Both products have the same eigenvalues other than 0; the smaller one is cheaper.
        similarity = rows @ rows.T if n <= rows.shape[1] else rows.T @ rows
    else:
        raise ValueError(f"kernel: expected 'gaussian' or 'cosine', got {kernel!r}")
    shares = np.linalg.eigvalsh(similarity / n)
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
    rows = as_rows(x, None, "x", "cpu")
    repeated = np.zeros(len(rows), np.bool_)
    kept = Table(rows.shape[1])
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        repeated_part = repeated[start : start + CHUNK]  # a view
        repeated_part[:] = kept.nearest(part, 1)[0][:, 0].numpy() <= threshold
        within = direct_distances(part[:, None], part).numpy() <= threshold
        for i in range(len(part)):
            if not repeated_part[i]:
                repeated_part[i + 1 :] |= within[i, i + 1 :]
        kept.extend(part[~repeated_part])
    return repeated
