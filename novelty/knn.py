"""Exact k nearest neighbours: one matrix product, a cheap selection, and a proof of it.

The squared distance of a query q to an entry e is ``|q|^2 + (|e|^2 - 2 q.e)``. The bracket is one
matrix product of augmented vectors, fast but rounded: it serves only to pick a few candidates more
than asked for. The distances of the candidates are then computed again by direct difference,
so that twins are at distance 0 exactly. A bound on the rounding of the product shows
for each query that no other entry can be nearer; the rare query for which it does not (say, more
twins than candidates) is answered by comparing it with every entry. A query's answer therefore
never depends on the other queries beside it.
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

BLOCK = 2048
"""Entries per matrix product: (128 queries, 2048 entries) of float32 stay in a 2 MB cache."""
GROUP = 16
"""Entries of a block that share one minimum, from which the blocks' best entries are found."""
GROUPS = BLOCK // GROUP
PANEL = 16
"""Blocks whose products are kept at once; the best of a panel are carried to the next."""
SPARE = 4
"""Candidates beyond k, so that the rounding bound nearly always holds."""
LARGEST = 1e15
"""Largest magnitude accepted; its square is still far from the end of float32."""
QUERIES = 128
"""Queries answered at once."""


@overload
def nearest(
    queries: Tensor, entries: Tensor, k: int, exclude_self: bool = False
) -> tuple[Tensor, Tensor]: ...


@overload
def nearest(
    queries: NDArray[Any], entries: NDArray[Any], k: int, exclude_self: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...


def nearest(
    queries: Tensor | NDArray[Any],
    entries: Tensor | NDArray[Any],
    k: int,
    exclude_self: bool = False,
) -> tuple[Tensor, Tensor] | tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the k nearest entries of each query by Euclidean distance, exactly.

    Args:
        queries: (N, D) numbers, used as float32. A tensor on any device, or a numpy array.
        entries: (M, D) like ``queries``, on the same device.
        k: Neighbours per query, at least 1.
        exclude_self: Row i of ``queries`` is not a neighbour of itself, row i of ``entries``.

    Returns:
        distances: (N, k) float32, ascending in each row; inf where there are fewer than k entries.
        indices: (N, k) int64 rows of ``entries``, the lower row first among equal distances;
            -1 where there are fewer than k entries.
        Tensors if ``queries`` is one, numpy arrays otherwise.

    Raises:
        ValueError: If the widths differ, k < 1, or a value is NaN or beyond LARGEST.
    """
    entry_rows = as_rows(entries, None, "entries")
    query_rows = as_rows(queries, entry_rows.shape[1], "queries")
    table = Table(entry_rows.shape[1], entry_rows.device)
    table.extend(entry_rows)
    own = torch.arange(len(query_rows), device=query_rows.device) if exclude_self else None
    distances, indices = table.nearest(query_rows, k, own)
    if isinstance(queries, Tensor):
        return distances, indices
    return distances.cpu().numpy(), indices.cpu().numpy()


def as_rows(
    x: Tensor | ArrayLike, dim: int | None, name: str, device: torch.device | str | None = None
) -> Tensor:
    """Check an array of rows and return it as float32.

    Args:
        x: (N, D) finite numbers.
        dim: The width D that is expected; None if any will do.
        name: What to call the array in an error.
        device: Where to put it; None leaves a tensor where it is.

    Returns:
        (N, D) float32 tensor; may share memory with ``x``.

    Raises:
        ValueError: If the shape is wrong, or a row holds NaN or a value beyond LARGEST.
    """
    if isinstance(x, Tensor):
        rows = x
    else:
        with np.errstate(over="ignore"):  # too large a number is reported below
            rows = torch.from_numpy(np.require(x, np.float32, ["C", "W"]))
    if rows.ndim != 2 or rows.shape[1] < 1 or (dim is not None and rows.shape[1] != dim):
        raise ValueError(f"{name}: expected shape (N, {dim or 'D'}), got {tuple(rows.shape)}")
    rows = rows.detach().to(device=device or rows.device, dtype=torch.float32)
    # One pass over the numbers; False also if the largest is NaN.
    if rows.numel() and not bool(rows.abs().amax() <= LARGEST):
        row = int((~(rows.abs() <= LARGEST).all(dim=1)).nonzero()[0])
        what = "NaN" if bool(rows[row].isnan().any()) else f"a value beyond {LARGEST:g}"
        raise ValueError(f"row {row} of {name} has {what}")
    return rows


class Table:
    """Entries in a layout ready for the matrix product; grows, and slots can be overwritten.

    Attributes:
        rows: (C, D) float32, C >= ``len(table)``; the entries as given.
        columns: (C / BLOCK, D + 1, BLOCK) float32: centred entries with their squared norm;
            unused slots have the norm infinity and so are nobody's neighbours.
    """

    def __init__(self, dim: int, device: torch.device | str = "cpu") -> None:
        """Make an empty table of width ``dim`` on ``device``."""
        self.rows = torch.zeros((0, dim), device=device)
        self.columns = torch.zeros((0, dim + 1, BLOCK), device=device)
        # Distances do not change when the origin moves, rounding errors do: near the data is best.
        self._centre = torch.zeros(dim, device=device)
        self._count = 0
        self._products = torch.zeros(0, device=device)

    def __len__(self) -> int:
        """Number of entries."""
        return self._count

    def extend(self, rows: Tensor) -> None:
        """Append entries (n, D) float32, finite."""
        if len(rows) == 0:
            return
        if self._count == 0:
            self._centre = rows.double().mean(dim=0).float()
        first, self._count = self._count, self._count + len(rows)
        if self._count > len(self.rows):
            # Grow by at least a half, so that appending one by one costs linear time in all.
            blocks = -(-max(self._count, len(self.rows) * 3 // 2) // BLOCK)
            grown = self.rows.new_zeros((blocks * BLOCK, self.rows.shape[1]))
            grown[:first] = self.rows[:first]
            columns = self.rows.new_zeros((blocks, self.rows.shape[1] + 1, BLOCK))
            columns[:, -1] = torch.inf
            columns[: len(self.columns)] = self.columns
            self.rows, self.columns = grown, columns
        self.put(torch.arange(first, self._count, device=rows.device), rows)

    def put(self, slots: Tensor, rows: Tensor) -> None:
        """Overwrite slots (n,) int64, each once and below ``len(table)``, with rows (n, D)."""
        self.rows[slots] = rows
        centred = rows - self._centre
        block, column = slots // BLOCK, slots % BLOCK
        self.columns[block, :-1, column] = centred
        self.columns[block, -1, column] = (centred * centred).sum(dim=1)

    def nearest(self, queries: Tensor, k: int, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the k nearest entries of each query.

        Args:
            queries: (N, D) float32, finite, on the table's device.
            k: At least 1.
            own: (N,) int64: a slot that is no neighbour of that query, or None.

        Returns:
            distances: (N, k) float32, ascending, inf where there are fewer than k entries.
            indices: (N, k) int64, -1 where there are fewer than k entries.

        Raises:
            ValueError: If k < 1.
        """
        if k < 1:
            raise ValueError(f"k: expected at least 1, got {k}")
        distances = queries.new_full((len(queries), k), torch.inf)
        indices = torch.full((len(queries), k), -1, dtype=torch.int64, device=queries.device)
        if self._count == 0:
            return distances, indices
        for start in range(0, len(queries), QUERIES):
            part = slice(start, start + QUERIES)
            d, i = self._search(queries[part], k, None if own is None else own[part])
            distances[part, : d.shape[1]] = d
            indices[part, : i.shape[1]] = i
        return distances, indices

    def _search(self, queries: Tensor, k: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """Answer at most QUERIES queries with min(k, all) columns."""
        wanted = k + (own is not None) + SPARE
        if wanted >= self._count:
            every = torch.arange(self._count, device=queries.device).expand(len(queries), -1)
            distances, order = self._distances(queries, every, own).sort(dim=1, stable=True)
            return distances[:, :k], order[:, :k].masked_fill(distances[:, :k].isinf(), -1)
        centred = queries - self._centre
        scores, candidates = self._candidates(centred, wanted)
        # Slots in ascending order, so that a stable sort by distance puts the lower slot first.
        candidates = candidates.sort(dim=1).values
        distances, order = self._distances(queries, candidates, own).sort(dim=1, stable=True)
        distances = distances[:, :k]
        indices = candidates.gather(1, order)[:, :k]
        # An entry that beats the k-th candidate has a norm of at most |q| + its distance, so the
        # rounding errors of its score and distance are at most `error`, and all scores left out are
        # at least the worst candidate's: if that is far enough away, no such entry exists.
        norm = centred.double().square().sum(dim=1).sqrt()
        kth = distances[:, -1].double()
        error = 2 * (queries.shape[1] + 8) * _unit_roundoff(queries) * (2 * norm + kth) ** 2 + 1e-30
        doubtful = ~(kth**2 < scores.amax(dim=1).double() + norm**2 - error)
        if bool(doubtful.any()):
            every = torch.arange(self._count, device=queries.device)[None]
            for row in doubtful.nonzero().flatten().tolist():
                mine = None if own is None else own[row : row + 1]
                exact = self._distances(queries[row : row + 1], every, mine)[0]
                near, slots = exact.sort(stable=True)
                distances[row], indices[row] = near[:k], slots[:k]
        return distances, indices.masked_fill(distances.isinf(), -1)

    def _candidates(self, centred: Tensor, wanted: int) -> tuple[Tensor, Tensor]:
        """Pick the ``wanted < len(self)`` entries with the smallest rounded ``|e|^2 - 2 q.e``.

        Returns:
            scores: (N, wanted) float32 and slots: (N, wanted) int64, in no order.
        """
        n = len(centred)
        augmented = torch.cat([-2 * centred, centred.new_ones((n, 1))], dim=1)
        n_blocks = -(-self._count // BLOCK)
        suite = min(PANEL, n_blocks)
        # Kept between calls: fresh memory costs as much as the products themselves.
        if self._products.numel() < suite * n * BLOCK:
            self._products = centred.new_empty(suite * n * BLOCK)
        products = self._products[: suite * n * BLOCK].view(suite, n, BLOCK)
        minima = centred.new_empty((n, suite, GROUPS))
        row = torch.arange(n, device=centred.device)[:, None]
        member = torch.arange(0, BLOCK, GROUPS, device=centred.device)
        best: list[tuple[Tensor, Tensor]] = []
        for first in range(0, n_blocks, suite):
            size = min(suite, n_blocks - first)
            for b in range(size):
                torch.mm(augmented, self.columns[first + b], out=products[b])
                # A group is every GROUPS-th entry, so that the minimum runs along the vectors.
                torch.amin(products[b].view(n, GROUP, GROUPS), dim=1, out=minima[:, b])
            # The `wanted` best entries lie in the `wanted` groups with the smallest minima.
            group = _smallest(minima[:, :size].reshape(n, size * GROUPS), wanted)
            block, column = group // GROUPS, group % GROUPS
            where = ((block * n + row) * BLOCK + column)[:, :, None] + member
            scores = products.view(-1).index_select(0, where.reshape(-1)).view(n, -1)
            pick = _smallest(scores, wanted)
            start = (first + block) * BLOCK + column
            slots = start.gather(1, pick // GROUP) + member[pick % GROUP]
            best.append((scores.gather(1, pick), slots))
        if len(best) == 1:
            return best[0]
        scores = torch.cat([s for s, _ in best], dim=1)
        slots = torch.cat([s for _, s in best], dim=1)
        pick = _smallest(scores, wanted)
        return scores.gather(1, pick), slots.gather(1, pick)

    def _distances(self, queries: Tensor, slots: Tensor, own: Tensor | None) -> Tensor:
        """(N, c) float32 distances of queries (N, D) to slots (N, c); inf to ``own`` and unused."""
        flat = self.rows.index_select(0, slots.reshape(-1))
        distances = direct_distances(queries[:, None], flat.view(*slots.shape, -1))
        absent = slots >= self._count
        if own is not None:
            absent |= slots == own[:, None]
        return distances.masked_fill(absent, torch.inf)


def direct_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances along the last axis, (..., D) to (...), 0 exactly between twins.

    The sum adds halves to each other elementwise: its order depends on D alone, not on the shape of
    the batch or the device. Distances below 1e-18 may read 0.
    """
    x = (a - b).square_()
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        folded = x[..., :half] + x[..., half : 2 * half]
        if x.shape[-1] % 2:
            folded[..., 0] += x[..., -1]
        x = folded
    return x[..., 0].sqrt()


def _smallest(x: Tensor, k: int) -> Tensor:
    """Columns (N, min(k, C)) int64 of the k smallest values of each row of (N, C), in no order."""
    if k >= x.shape[1]:
        return torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    if x.device.type == "cpu":  # numpy selects with vector instructions, torch does not
        values = x.numpy()
        kth = np.partition(values, k - 1, axis=1)[:, k - 1 : k]
        found = np.flatnonzero(values <= kth)
        if len(found) == len(values) * k:  # no ties: exactly k in each row
            return torch.from_numpy(found.reshape(-1, k) % values.shape[1])
        return torch.from_numpy(np.argpartition(values, k - 1, axis=1)[:, :k])
    return x.topk(k, dim=1, largest=False, sorted=False).indices


def _unit_roundoff(x: Tensor) -> float:
    """Rounding of one float32 matrix product entry, larger where torch may use fewer bits."""
    exact = torch.get_float32_matmul_precision() == "highest" and not (
        x.is_cuda and torch.backends.cuda.matmul.allow_tf32
    )
    return 2.0**-23 if exact else 2.0**-7
