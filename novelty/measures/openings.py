"""The Novelty Index: at which move does a work leave all precedent? After Shin et al. (PNAS 2023).

Shin, Kim, van Opheusden & Griffiths, "Superhuman artificial intelligence can improve human
decision-making by increasing novelty", find for each game of Go the first move at which its opening
has no precedent among earlier games. Their second measure, decision quality, needs an evaluator and
alternative moves: see ``move37.agents.measures.decisions``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.statistics import Interval, bootstrap

PAD = -1


def first_novel_moves(moves: ArrayLike, reference: ArrayLike) -> NDArray[np.int64]:
    """Index of the first novel move of each work: how many of its moves have a precedent.

    The opening up to and including move t has a precedent if some work of the reference begins
    with the same moves. In a world with an END move, that counts as a move.

    Args:
        moves: (N, T) integers, padded with -1.
        reference: (M, S) integers, padded with -1.

    Returns:
        (N,) int64: index of the first move without a precedent; the number of moves if there is
        none, as for a copy.

    Raises:
        ValueError: If an array is not two-dimensional.
    """
    return _first_of(_rows(moves, "moves"), _rows(reference, "reference"))


def _first_of(
    works: Sequence[NDArray[np.int64]], known: Sequence[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """:func:`first_novel_moves` of works without padding."""
    openings: set[bytes] = set()
    for row in known:
        data = row.tobytes()
        openings.update(data[:end] for end in range(8, len(data) + 1, 8))
    out = np.zeros(len(works), np.int64)
    for i, row in enumerate(works):
        data = row.tobytes()
        while out[i] < len(row) and data[: 8 * (int(out[i]) + 1)] in openings:
            out[i] += 1
    return out


def novelty_index(
    moves: ArrayLike,
    reference: ArrayLike,
    rng: np.random.Generator,
    size: int,
    horizon: int,
    draws: int = 5,
    inserted: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """How early each work leaves precedent, from 0 (not within the horizon) to 1 (first move).

    ``(horizon - first) / horizon`` with ``first`` from :func:`first_novel_moves`, capped at the
    horizon and averaged over several random references of fixed size: a larger reference holds more
    precedents, whatever the works. A work without a novel move has index 0. (Shin et al. use the
    first 60 moves and all earlier games, a reference that grows.)

    Args:
        moves: (N, T) integers, padded with -1.
        reference: (M, S) earlier works, padded with -1, none of them among ``moves``.
        rng: The only source of chance.
        size: Works in the reference, at most M. Only indices of the same size compare.
        horizon: Number of moves considered, at least 1.
        draws: References drawn; 1 is enough if the size is M.
        inserted: (L, R) works added to every reference: the copy-insertion control.

    Returns:
        (N,) float64.

    Raises:
        ValueError: If an argument is out of range.
    """
    works, known = _rows(moves, "moves"), _rows(reference, "reference")
    if not 1 <= size <= len(known) or horizon < 1 or draws < 1:
        raise ValueError(
            f"expected size in 1..{len(known)}, horizon >= 1 and draws >= 1, "
            f"got {size}, {horizon}, {draws}"
        )
    extra = [] if inserted is None else _rows(inserted, "inserted")
    out = np.zeros(len(works))
    for _ in range(draws):
        chosen = [known[i] for i in rng.permutation(len(known))[:size]]
        first = _first_of(works, [*chosen, *extra])
        # A work whose every move has a precedent has nothing novel in it.
        first = np.where(first == [len(row) for row in works], horizon, first)
        out += (horizon - np.minimum(first, horizon)) / horizon
    return out / draws


@dataclass(frozen=True)
class CopyInsertion:
    """The Novelty Index before and after other works are added to the reference.

    Attributes:
        before: Mean index against the reference, with its bootstrap interval over the works.
        after: Against the reference and the inserted works.
        drop: ``before - after``, works paired. Near 0: the inserted works set no precedents.
    """

    before: Interval
    after: Interval
    drop: Interval


def copy_insertion(
    moves: ArrayLike,
    reference: ArrayLike,
    inserted: ArrayLike,
    rng: np.random.Generator,
    size: int,
    horizon: int,
) -> CopyInsertion:
    """The control of the Novelty Index: would an imitator have made the same novel moves?

    Insert the imitator's works into the reference, and for comparison as many human works or noise.
    Every insertion can only lower the index; how much more an imitator's works lower it says how
    much of the novelty an imitator would also produce.

    Args:
        moves: (N, T) works to measure.
        reference: (M, S) human works.
        inserted: (L, R) works to add.
        rng: The only source of chance.
        size: As in :func:`novelty_index`.
        horizon: Likewise.
    """
    seed = int(rng.integers(2**63))  # both measurements draw the same references
    before, after = (
        novelty_index(moves, reference, np.random.default_rng(seed), size, horizon, inserted=extra)
        for extra in (None, inserted)
    )
    return CopyInsertion(
        bootstrap(_mean, before, rng=rng),
        bootstrap(_mean, after, rng=rng),
        bootstrap(_mean, before - after, rng=rng),
    )


def length_strata(
    lengths: ArrayLike, k: int = 4
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Length strata of human works: edges and weights for :func:`stratified_by_length`.

    Args:
        lengths: (N,) numbers of moves of human works.
        k: Number of strata of about equal size; fewer if lengths are tied.

    Returns:
        edges: (S - 1,) float64 inner edges; stratum s has ``edges[s-1] < length <= edges[s]``.
        weights: (S,) float64, sum 1: the share of human works in each.
    """
    values = np.asarray(lengths, np.float64)
    edges = np.unique(np.quantile(values, np.arange(1, k) / k, method="inverted_cdf"))
    edges = edges[edges < values.max()]
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return edges, counts / len(values)


def stratified_by_length(
    values: ArrayLike,
    lengths: ArrayLike,
    edges: Sequence[float] | NDArray[np.float64],
    weights: Sequence[float] | NDArray[np.float64],
    rng: np.random.Generator,
    resamples: int = 1000,
) -> Interval:
    """Mean of a value as if the works were as long as human works (direct standardisation).

    Strata without works are left out; nan if there are none with works.

    Args:
        values: (N,) a value of each work; NaN where unknown.
        lengths: (N,) number of moves of each work.
        edges: Of the strata, from :func:`length_strata`.
        weights: Of the strata.
        rng: The only source of chance.
        resamples: Bootstrap samples of the works, drawn within each stratum.

    Raises:
        ValueError: If shapes do not match.
    """
    figure, length = np.asarray(values, np.float64), np.asarray(lengths, np.float64)
    weight = np.asarray(weights, np.float64)
    if figure.shape != length.shape or len(weight) != len(edges) + 1:
        raise ValueError(
            f"values, lengths: expected the same shape, got {figure.shape}, {length.shape}; "
            f"weights: expected {len(edges) + 1}, got {len(weight)}"
        )
    stratum = np.searchsorted(np.asarray(edges, np.float64), length)
    parts = [figure[(stratum == s) & ~np.isnan(figure)] for s in range(len(weight))]
    there = [s for s, part in enumerate(parts) if len(part)]
    covered = float(weight[there].sum())
    if covered <= 0:
        return Interval(float("nan"), float("nan"), float("nan"))

    def weighted(*some: NDArray[np.float64]) -> float:
        return float(sum(weight[s] * p.mean() for s, p in zip(there, some, strict=True)) / covered)

    return bootstrap(weighted, *(parts[s] for s in there), rng=rng, resamples=resamples)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _rows(moves: ArrayLike, name: str) -> list[NDArray[np.int64]]:
    """Works without their padding."""
    table = np.ascontiguousarray(moves, np.int64)
    if table.ndim != 2:
        raise ValueError(f"{name}: expected shape (N, T), got {table.shape}")
    return [row[: int((row != PAD).sum())] for row in table]
