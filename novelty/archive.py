"""The novelty archive: how far is a new work from everything made before?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.knn import Table, as_rows, direct_distances, row_means
from move37.novelty.storage import StorageError, StrPath, parse_json, read_npz, write_npz

FORMAT = "move37-archive-1"
CHUNK = 128
"""Rows of a batch compared with each other at once."""

Rows = NDArray[np.float32]
"""Descriptors, (N, D)."""


class ArchiveError(ValueError):
    """A file that is not a whole, valid archive."""


class NoveltyArchive:
    """Entries that new works are compared with: pinned ones (human works) and admitted ones.

    Novelty is the mean Euclidean distance to the k nearest entries, all of them if there are fewer
    than k, divided by ``scale`` (novelty search: Lehman & Stanley 2011). Descriptors and distances
    are float32; a row's novelty does not depend on the rows beside it.

    An empty archive gives everything the same novelty, ``empty_novelty``. A full archive keeps
    admitting: each newcomer replaces the oldest entry that is not pinned.

    Args:
        dim: Width D of a descriptor.
        k_neighbors: Neighbours in the mean, at least 1.
        novelty_threshold: A row is admitted if its novelty is above this, in units of ``scale``.
        quality_threshold: A row is admitted if its quality is at least this.
        capacity: Entries that are not pinned, at most; at least 1. Pinned ones come on top.
        scale: Distance that counts as novelty 1, in the units of the descriptors; above 0.
        empty_novelty: Novelty of everything while the archive is empty.
        min_distance: A row is admitted only if its nearest entry is further than this, in units of
            ``scale``: twins do not enter twice, whatever the threshold.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        dim: int,
        k_neighbors: int = 15,
        novelty_threshold: float = 0.0,
        quality_threshold: float = -math.inf,
        capacity: int = 100_000,
        scale: float = 1.0,
        empty_novelty: float = 1.0,
        min_distance: float = 1e-6,
    ) -> None:
        """Make an empty archive."""
        for name, value in (("dim", dim), ("k_neighbors", k_neighbors), ("capacity", capacity)):
            if isinstance(value, bool) or int(value) != value or value < 1:
                raise ValueError(f"{name}: expected a whole number of at least 1, got {value}")
        if not (0 < scale < math.inf):
            raise ValueError(f"scale: expected a finite number above 0, got {scale}")
        for name, threshold in (
            ("novelty_threshold", novelty_threshold),
            ("quality_threshold", quality_threshold),
            ("empty_novelty", empty_novelty),
        ):
            if math.isnan(threshold):
                raise ValueError(f"{name}: expected a number, got NaN")
        if not min_distance >= 0:
            raise ValueError(f"min_distance: expected at least 0, got {min_distance}")
        self.dim = int(dim)
        self.k_neighbors = int(k_neighbors)
        self.novelty_threshold = float(novelty_threshold)
        self.quality_threshold = float(quality_threshold)
        self.capacity = int(capacity)
        self.scale = float(scale)
        self.empty_novelty = float(empty_novelty)
        self.min_distance = float(min_distance)
        self._clear()

    def _clear(self) -> None:
        self._table = Table(self.dim)
        self._pinned = np.zeros(0, np.bool_)
        self._ids = np.zeros(0, np.int64)
        # Running number of each entry; the smallest among the unpinned is the oldest.
        self._order = np.zeros(0, np.int64)
        self._next = 0

    def __len__(self) -> int:
        """Number of entries, pinned ones included."""
        return len(self._table)

    @property
    def entries(self) -> Rows:
        """(M, D) float32: pinned and admitted descriptors. A view: do not write."""
        return self._table.rows

    @property
    def pinned(self) -> NDArray[np.bool_]:
        """(M,) bool: entries that are never evicted. A view: do not write."""
        return self._pinned[: len(self)]

    @property
    def ids(self) -> NDArray[np.int64]:
        """(M,) int64: id of each entry, as given or its running number. A view: do not write."""
        return self._ids[: len(self)]

    def novelty(self, x: ArrayLike) -> NDArray[np.float64]:
        """How new each row is against the archive as it stands.

        Args:
            x: (N, D) finite descriptors.

        Returns:
            (N,) float64, in units of ``scale``.

        Raises:
            ValueError: If ``x`` has another width, or a row holds NaN or infinity.
        """
        return self._novelty(self._distances(as_rows(x, self.dim, "x")))

    def add(
        self, x: ArrayLike, quality: ArrayLike | None = None, ids: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Admit the rows that are good, new and no twins, one after another.

        A row is compared with the archive as it was before this call and with the rows of this
        batch admitted before it. Only then do the admitted rows enter, and evict the oldest entries
        of a full archive (one by one; a batch larger than the capacity loses its first rows too).

        Args:
            x: (N, D) finite descriptors.
            quality: (N,) numbers for ``quality_threshold``; None: all are good enough. A row whose
                quality is NaN is refused.
            ids: (N,) integers to know the entries by; None: each gets its running number, counting
                every entry that ever came in.

        Returns:
            (N,) bool: admitted.

        Raises:
            ValueError: If shapes do not match, or a row holds NaN or infinity.
        """
        rows = as_rows(x, self.dim, "x")
        labels = _labels(ids, len(rows))
        good = np.ones(len(rows), np.bool_)
        if quality is not None:
            values = np.asarray(quality, np.float64)
            if values.shape != good.shape:
                raise ValueError(f"quality: expected shape {good.shape}, got {values.shape}")
            good = values >= self.quality_threshold
        admitted = np.zeros(len(rows), np.bool_)
        if good.any():
            admitted[good] = self._admissible(rows[good])
        self._enter(rows[admitted], None if labels is None else labels[admitted])
        return admitted

    def pin(self, x: ArrayLike, ids: ArrayLike | None = None) -> None:
        """Add rows for good, whatever their novelty: they never leave and take no capacity.

        Args:
            x: (N, D) finite descriptors.
            ids: (N,) integers to know the entries by; None: running numbers.

        Raises:
            ValueError: If shapes do not match, or a row holds NaN or infinity.
        """
        rows = as_rows(x, self.dim, "x")
        self._append(rows, _labels(ids, len(rows)), pinned=True)

    def save(self, path: StrPath) -> None:
        """Write everything to ``path`` (.npz, no pickle), atomically.

        Raises:
            OSError: If it cannot be written.
        """
        settings = {
            "format": FORMAT,
            "dim": self.dim,
            "k_neighbors": self.k_neighbors,
            "novelty_threshold": self.novelty_threshold,
            "quality_threshold": self.quality_threshold,
            "capacity": self.capacity,
            "scale": self.scale,
            "empty_novelty": self.empty_novelty,
            "min_distance": self.min_distance,
            "next": self._next,
        }
        arrays = self.state()
        del arrays["next"]
        arrays["settings"] = np.frombuffer(json.dumps(settings).encode(), np.uint8)
        write_npz(path, arrays, compressed=False)

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """Read what :meth:`save` wrote; the archive behaves as the saved one would.

        Raises:
            ArchiveError: If the file is missing, damaged, or not an archive.
        """
        try:
            arrays = read_npz(path, most_inflated=0)
        except StorageError as error:
            raise ArchiveError(str(error)) from error
        try:
            settings = parse_json(arrays.pop("settings").tobytes())
            if settings.pop("format") != FORMAT:
                raise ValueError("unknown format")
            # Version 0.1 had a second way to evict.
            if settings.pop("eviction", "oldest") != "oldest":
                raise ValueError("eviction: only 'oldest' is supported")
            running = settings.pop("next")
            if type(running) is not int:
                raise ValueError(f"next: expected a whole number, got {running!r}")
            if arrays["entries"].shape[1:] != (settings["dim"],):
                raise ValueError(f"entries: expected width {settings['dim']!r:.20}")
            archive = cls(**settings)
            archive.load_state(arrays | {"next": np.array(running)})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ArchiveError(f"{path}: not a novelty archive ({error})") from error
        return archive

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes: what :meth:`load_state` takes."""
        return {
            "entries": self.entries.copy(),
            "pinned": self.pinned.copy(),
            "ids": self.ids.copy(),
            "order": self._order[: len(self)].copy(),
            "next": np.array(self._next),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Become the archive that :meth:`state` was taken of; the settings stay as they are.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the arrays are no archive of this width and capacity.
        """
        n = len(state["entries"])
        expected = {
            "entries": ((n, self.dim), np.float32),
            "pinned": ((n,), np.bool_),
            "ids": ((n,), np.int64),
            "order": ((n,), np.int64),
            "next": ((), np.int64),
        }
        for name, (shape, dtype) in expected.items():
            if state[name].shape != shape or state[name].dtype != dtype:
                raise ValueError(
                    f"{name}: expected {np.dtype(dtype)} {shape}, "
                    f"got {state[name].dtype} {state[name].shape}"
                )
        order, pinned, running = state["order"], state["pinned"], int(state["next"])
        if len(np.unique(order)) != n:
            raise ValueError("order: expected different running numbers")
        if n and not (0 <= order.min() and order.max() < running):
            raise ValueError(f"order: expected numbers from 0 to below {running}")
        if (~pinned).sum() > self.capacity:
            raise ValueError(f"pinned: more than {self.capacity} entries are not")
        rows = as_rows(state["entries"], self.dim, "entries")
        self._clear()
        self._append(rows, state["ids"], pinned=False)
        self._pinned[:n], self._order[:n] = pinned, order
        self._next = running

    def _distances(self, rows: Rows) -> NDArray[np.float64]:
        """(N, D) to (N, min(k, M)) ascending distances in the units of the descriptors."""
        return self._table.nearest(rows, self.k_neighbors)[0][:, : len(self)].astype(np.float64)

    def _novelty(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        if distances.shape[1] == 0:
            return np.full(len(distances), self.empty_novelty)
        return row_means(distances) / self.scale

    def _admissible(self, rows: Rows) -> NDArray[np.bool_]:
        """Greedy choice in row order, see :meth:`add`; rows (N, D) to (N,) bool."""
        k, twin = self.k_neighbors, self.min_distance * self.scale
        distances = self._distances(rows)
        admitted = np.zeros(len(rows), np.bool_)
        hopeful = np.ones(len(rows), np.bool_)
        if distances.shape[1]:
            hopeful = distances[:, 0] > twin
        if distances.shape[1] == k:
            # With k neighbours at hand, one more can only bring the mean down.
            hopeful &= self._novelty(distances) > self.novelty_threshold
        (todo,) = hopeful.nonzero()
        batch = Table(self.dim)
        for start in range(0, len(todo), CHUNK):
            part = todo[start : start + CHUNK]
            here = rows[part]
            earlier = batch.nearest(here, k)[0][:, : len(batch)].astype(np.float64)
            known = np.sort(np.concatenate([distances[part], earlier], axis=1), axis=1)[:, :k]
            within = direct_distances(here[:, None], here).astype(np.float64)
            taken: list[int] = []
            for i, row in enumerate(part):
                near = known[i : i + 1]
                if taken:
                    near = np.sort(np.append(near, within[i, taken]))[None, :k]
                if near.shape[1] and near[0, 0] <= twin:
                    continue
                if self._novelty(near)[0] > self.novelty_threshold:
                    taken.append(i)
                    admitted[row] = True
            batch.extend(here[taken])
        return admitted

    def _append(self, rows: Rows, labels: NDArray[np.int64] | None, *, pinned: bool) -> None:
        """Put rows (n, D) into new slots."""
        first, n = len(self), len(rows)
        self._table.extend(rows)
        short = self._table.capacity - len(self._ids)
        if short:
            self._pinned = np.pad(self._pinned, (0, short))
            self._ids = np.pad(self._ids, (0, short))
            self._order = np.pad(self._order, (0, short))
        slots = slice(first, first + n)
        self._order[slots] = np.arange(self._next, self._next + n)
        self._ids[slots] = self._order[slots] if labels is None else labels
        self._pinned[slots] = pinned
        self._next += n

    def _enter(self, rows: Rows, labels: NDArray[np.int64] | None) -> None:
        """Append rows (n, D) while there is room; the others replace the oldest entries."""
        room = min(self.capacity - int((~self.pinned).sum()), len(rows))
        self._append(rows[:room], None if labels is None else labels[:room], pinned=False)
        rows, labels = rows[room:], None if labels is None else labels[room:]
        if len(rows) == 0:
            return
        (unpinned,) = (~self.pinned).nonzero()
        ring = unpinned[np.argsort(self._order[unpinned])]
        # Of more newcomers than places only the last survive, each where its turn puts it.
        last = np.arange(len(rows))[-self.capacity :]
        slots, order = ring[last % self.capacity], self._next + last
        self._table.put(slots, rows[last])
        self._order[slots] = order
        self._ids[slots] = order if labels is None else labels[last]
        self._next += len(rows)


def _labels(ids: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    if ids is None:
        return None
    labels = np.asarray(ids)
    if labels.shape != (n,) or (n and not np.issubdtype(labels.dtype, np.integer)):
        raise ValueError(f"ids: expected {n} integers, got {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)
