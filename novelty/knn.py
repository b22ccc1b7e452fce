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

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

# Torch computes everything here, but is slow to import: only what searches needs it.

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
MOST_LOST = 0.01
"""Rounding to float32 may move a row by so much of the unit of distance, or of the spread."""
QUERIES = 128
"""Queries answered at once."""

Rows = NDArray[np.float32]
"""Descriptors, (N, D)."""
Slots = NDArray[np.int64]


def nearest(
    queries: ArrayLike, entries: ArrayLike, k: int, exclude_self: bool = False
) -> tuple[Rows, Slots]:
    """Find the k nearest entries of each query by Euclidean distance, exactly.

    Args:
        queries: (N, D) finite numbers, used as float32.
        entries: (M, D) finite numbers.
        k: Neighbours per query, at least 1.
        exclude_self: Row i of ``queries`` is not a neighbour of itself, row i of ``entries``.

    Returns:
        distances: (N, k) float32, ascending in each row; inf where there are fewer than k entries.
        indices: (N, k) int64 rows of ``entries``, the lower row first among equal distances;
            -1 where there are fewer than k entries.

    Raises:
        ValueError: If the widths differ, k < 1, or a value is NaN or beyond LARGEST.
    """
    entry_rows = as_rows(entries, None, "entries")
    query_rows = as_rows(queries, entry_rows.shape[1], "queries")
    own = np.arange(len(query_rows)) if exclude_self else None
    return Table.of(entry_rows).nearest(query_rows, k, own)


def as_rows(x: ArrayLike, dim: int | None, name: str) -> Rows:
    """Check an array of rows and return it as float32.

    Args:
        x: (N, D) finite numbers.
        dim: The width D that is expected; None if any will do.
        name: What to call the array in an error.

    Returns:
        (N, D) float32, contiguous; may share memory with ``x``.

    Raises:
        ValueError: If the shape is wrong, or ``x`` is masked or holds anything but real numbers, or
            a row holds NaN or a value beyond LARGEST.
    """
    with np.errstate(over="ignore"):  # too large a number is reported below
        rows: Rows = np.require(numbers(x, name), np.float32, ["C", "W"])
    if rows.ndim != 2 or rows.shape[1] < 1 or (dim is not None and rows.shape[1] != dim):
        raise ValueError(f"{name}: expected shape (N, {dim or 'D'}), got {rows.shape}")
    fine = np.abs(rows) <= LARGEST  # False of NaN
    if not fine.all():
        row = int(np.argmin(fine.all(axis=1)))
        what = "NaN" if np.isnan(rows[row]).any() else f"a value beyond {LARGEST:g}"
        raise ValueError(f"row {row} of {name} has {what}")
    return rows


def numbers(x: ArrayLike, name: str) -> NDArray[Any]:
    """An array of real numbers or booleans as it is, and nothing else.

    Raises:
        ValueError: If ``x`` is ragged, complex, text or objects, or if any of it is masked: NumPy
            would drop the mask, the imaginary parts, or read texts as numbers.
    """
    if any(map(np.ma.is_masked, x if isinstance(x, list | tuple) else [x])):
        raise ValueError(f"{name}: some of it is masked; fill it or leave it out")
    try:
        found = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of numbers ({error})") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers of a type of NumPy, got {found.dtype}")
    return found


def check_resolution(x: ArrayLike, rows: Rows, entries: Rows, unit: float, twin: float) -> None:
    """Refuse rows that float32 cannot tell apart though they are apart.

    Args:
        x: (N, D) as it was given.
        rows: (N, D): the same as float32.
        entries: (M, D): what they will be compared with.
        unit: A distance that matters.
        twin: A distance that does not.

    Raises:
        ValueError: If two rows further apart than ``twin`` become one, or rounding moves a row by
            more than 1 % of ``unit`` and of the spread of all.
    """
    given = np.asarray(x)
    if given.dtype in (np.float32, np.float16, np.bool_) or not len(rows):
        return
    exact = given.astype(np.float64)
    lost = np.linalg.norm(exact - rows, axis=1)
    if lost.max() <= twin:
        return
    advice = "take a mean away first, or use larger units"
    _, first, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    apart = np.linalg.norm(exact - exact[first[same.reshape(-1)]], axis=1)
    if apart.max() > twin:
        i = int(apart.argmax())
        raise ValueError(
            f"rows {first[same.reshape(-1)[i]]} and {i} of x are {apart[i]:.3g} apart and the same "
            f"in float32; {advice}"
        )
    if lost.max() > MOST_LOST * unit:
        spread = float(np.concatenate([exact, entries]).std(axis=0).max())
        if lost.max() > MOST_LOST * spread > 0:
            raise ValueError(
                f"row {lost.argmax()} of x is off by {lost.max():.3g} in float32, where everything "
                f"spreads by {spread:.3g}; {advice}"
            )


class Table:
    """Entries in a layout ready for the matrix product; grows, and slots can be overwritten.

    Attributes:
        capacity: C >= ``len(table)``: slots in memory.
    """

    def __init__(self, dim: int) -> None:
        """Make an empty table of width ``dim``."""
        import torch

        # (C, D): the entries as given.
        self._rows = torch.zeros((0, dim))
        # (C / BLOCK, D + 1, BLOCK): centred entries with their squared norm; unused slots have the
        # norm infinity and so are nobody's neighbours.
        self._columns = torch.zeros((0, dim + 1, BLOCK))
        # Distances do not change when the origin moves, rounding errors do: near the data is best.
        self._centre = torch.zeros(dim)
        self._count = 0
        self._products = torch.zeros(0)

    @classmethod
    def of(cls, rows: Rows) -> Table:
        """A table that holds rows (N, D)."""
        table = cls(rows.shape[1])
        table.extend(rows)
        return table

    def __len__(self) -> int:
        """Number of entries."""
        return self._count

    @property
    def capacity(self) -> int:
        """Number of slots in memory."""
        return len(self._rows)

    @property
    def rows(self) -> Rows:
        """(M, D) float32: the entries. A view: do not write."""
        rows: Rows = self._rows[: self._count].numpy()
        return rows

    def extend(self, rows: Rows) -> None:
        """Append entries (n, D), finite."""
        if len(rows) == 0:
            return
        import torch

        if self._count == 0:
            self._centre = torch.from_numpy(rows).double().mean(dim=0).float()
        first, self._count = self._count, self._count + len(rows)
        if self._count > len(self._rows):
            # Grow by at least a half, so that appending one by one costs linear time in all.
            blocks = -(-max(self._count, len(self._rows) * 3 // 2) // BLOCK)
            grown = torch.zeros((blocks * BLOCK, self._rows.shape[1]))
            grown[:first] = self._rows[:first]
            columns = torch.zeros((blocks, self._rows.shape[1] + 1, BLOCK))
            columns[:, -1] = torch.inf
            columns[: len(self._columns)] = self._columns
            self._rows, self._columns = grown, columns
        self.put(np.arange(first, self._count), rows)

    def put(self, slots: Slots, rows: Rows) -> None:
        """Overwrite slots (n,), each once and below ``len(table)``, with rows (n, D)."""
        import torch

        where, new = torch.from_numpy(slots), torch.from_numpy(rows)
        self._rows[where] = new
        centred = new - self._centre
        block, column = where // BLOCK, where % BLOCK
        self._columns[block, :-1, column] = centred
        self._columns[block, -1, column] = (centred * centred).sum(dim=1)

    def nearest(self, queries: Rows, k: int, own: Slots | None = None) -> tuple[Rows, Slots]:
        """Find the k nearest entries of each query.

        Args:
            queries: (N, D) float32, finite.
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
        distances = np.full((len(queries), k), np.inf, np.float32)
        indices = np.full((len(queries), k), -1, np.int64)
        if self._count == 0:
            return distances, indices
        import torch

        for start in range(0, len(queries), QUERIES):
            part = slice(start, start + QUERIES)
            mine = None if own is None else torch.from_numpy(own[part])
            d, i = self._search(torch.from_numpy(queries[part]), k, mine)
            distances[part, : d.shape[1]] = d.numpy()
            indices[part, : i.shape[1]] = i.numpy()
        return distances, indices

    def _search(self, queries: Tensor, k: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """Answer at most QUERIES queries with min(k, all) columns."""
        import torch

        wanted = k + (own is not None) + SPARE
        if wanted >= self._count:
            every = torch.arange(self._count).expand(len(queries), -1)
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
        error = 2 * (queries.shape[1] + 8) * _unit_roundoff() * (2 * norm + kth) ** 2 + 1e-30
        doubtful = ~(kth**2 < scores.amax(dim=1).double() + norm**2 - error)
        if bool(doubtful.any()):
            every = torch.arange(self._count)[None]
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
        import torch

        n = len(centred)
        augmented = torch.cat([-2 * centred, centred.new_ones((n, 1))], dim=1)
        n_blocks = -(-self._count // BLOCK)
        panel = min(PANEL, n_blocks)
        # Kept between calls: fresh memory costs as much as the products themselves.
        if self._products.numel() < panel * n * BLOCK:
            self._products = centred.new_empty(panel * n * BLOCK)
        products = self._products[: panel * n * BLOCK].view(panel, n, BLOCK)
        minima = centred.new_empty((n, panel, GROUPS))
        row = torch.arange(n)[:, None]
        member = torch.arange(0, BLOCK, GROUPS)
        best: list[tuple[Tensor, Tensor]] = []
        for first in range(0, n_blocks, panel):
            size = min(panel, n_blocks - first)
            for b in range(size):
                torch.mm(augmented, self._columns[first + b], out=products[b])
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
        flat = self._rows.index_select(0, slots.reshape(-1))
        distances = _folded_distances(queries[:, None], flat.view(*slots.shape, -1))
        absent = slots >= self._count
        if own is not None:
            absent |= slots == own[:, None]
        return distances.masked_fill(absent, np.inf)


def direct_distances(a: Rows, b: Rows) -> NDArray[np.float32]:
    """Euclidean distances along the last axis, (..., D) to (...), 0 exactly between twins.

    The sum adds halves to each other elementwise: its order depends on D alone, not on the shape
    of the batch. Distances below 1e-18 may read 0.
    """
    import torch

    distances: NDArray[np.float32] = _folded_distances(
        torch.from_numpy(a), torch.from_numpy(b)
    ).numpy()
    return distances


def row_means(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, k) to (N,) means of the finite ones, inf if there are none; summed left to right.

    The fixed order makes a row's mean the same whatever rows are beside it.
    """
    count = np.isfinite(distances).sum(axis=1)
    total = np.cumsum(np.where(np.isfinite(distances), distances, 0.0), axis=1)[:, -1]
    means: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    return means


def _folded_distances(a: Tensor, b: Tensor) -> Tensor:
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
    import torch

    if k >= x.shape[1]:
        return torch.arange(x.shape[1]).expand(len(x), -1)
    values = x.numpy()  # NumPy selects with vector instructions, torch does not
    kth = np.partition(values, k - 1, axis=1)[:, k - 1 : k]
    found = np.flatnonzero(values <= kth)
    if len(found) == len(values) * k:  # no ties: exactly k in each row
        return torch.from_numpy(found.reshape(-1, k) % values.shape[1])
    return torch.from_numpy(np.argpartition(values, k - 1, axis=1)[:, :k])


def _unit_roundoff() -> float:
    """Rounding of one float32 matrix product entry, larger where torch may use fewer bits."""
    import torch

    return 2.0**-23 if torch.get_float32_matmul_precision() == "highest" else 2.0**-7
