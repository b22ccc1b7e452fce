"""The memory of what has been made: how far is a new work from everything in it?"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from move37.novelty.knn import Table, as_rows, direct_distances
from move37.novelty.storage import StorageError, parse_json, read_npz, write_npz

FORMAT = "move37-archive-1"
CHUNK = 128
"""Rows of a batch compared with each other at once."""
SMALL_GROUP = 64
"""Groups up to this size are left out by asking for that many neighbours more."""


class ArchiveError(ValueError):
    """A file that is not a whole, valid archive."""


class NoveltyArchive:
    """Entries to be new against: pinned ones (human works) and those admitted since.

    Novelty is the mean Euclidean distance to the k nearest entries, all of them if there are fewer
    than k, divided by ``scale`` (novelty search: Lehman & Stanley 2011). Descriptors
    and distances are float32; a row's novelty does not depend on the rows beside it.

    An empty archive calls everything equally new: ``empty_novelty``. A full archive goes on
    admitting and forgets for each newcomer one entry that is not pinned, see ``eviction``.

    Args:
        dim: Width D of a descriptor.
        k_neighbors: Neighbours in the mean, at least 1.
        novelty_threshold: A row is admitted if its novelty is above this, in units of ``scale``.
        quality_threshold: A row is admitted if its quality is at least this.
        capacity: Entries that are not pinned, at most; at least 1. Pinned ones come on top.
        scale: Distance that counts as novelty 1, in the units of the descriptors; above 0.
        device: Where the neighbours are searched, e.g. "cpu" or "cuda".
        eviction: Who leaves a full archive: "oldest", the entry admitted first (a ring buffer,
            free), or "crowded", the one with the smallest distance to its nearest other entry,
            pinned ones included (of twins the older one). The latter costs a comparison with every
            entry per newcomer, and of all pairs the first time; a newcomer may be next to leave.
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
        device: torch.device | str = "cpu",
        eviction: Literal["oldest", "crowded"] = "oldest",
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
        if eviction not in ("oldest", "crowded"):
            raise ValueError(f"eviction: expected 'oldest' or 'crowded', got {eviction!r}")
        self.dim = int(dim)
        self.k_neighbors = int(k_neighbors)
        self.novelty_threshold = float(novelty_threshold)
        self.quality_threshold = float(quality_threshold)
        self.capacity = int(capacity)
        self.scale = float(scale)
        self.device = torch.device(device)
        self.eviction = eviction
        self.empty_novelty = float(empty_novelty)
        self.min_distance = float(min_distance)
        self._table = Table(self.dim, self.device)
        self._pinned = np.zeros(0, np.bool_)
        self._ids = np.zeros(0, np.int64)
        # Running number of each entry; the smallest among the unpinned is the oldest.
        self._order = np.zeros(0, np.int64)
        self._next = 0
        # Distance to and slot of each entry's nearest other entry; None until "crowded" needs it.
        self._nearest: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Number of entries, pinned ones included."""
        return len(self._table)

    @property
    def entries(self) -> NDArray[np.float32]:
        """(M, D) float32: pinned and admitted descriptors. On the CPU a view: do not write."""
        rows: NDArray[np.float32] = self._table.rows[: len(self)].cpu().numpy()
        return rows

    @property
    def pinned(self) -> NDArray[np.bool_]:
        """(M,) bool: entries that are never evicted. A view: do not write."""
        return self._pinned[: len(self)]

    @property
    def ids(self) -> NDArray[np.int64]:
        """(M,) int64: id of each entry, as given or its running number. A view: do not write."""
        return self._ids[: len(self)]

    def novelty(self, x: ArrayLike | torch.Tensor) -> NDArray[np.float64]:
        """How new each row is against the archive as it stands.

        Args:
            x: (N, D) finite descriptors.

        Returns:
            (N,) float64, in units of ``scale``.

        Raises:
            ValueError: If ``x`` has another width, or a row holds NaN or infinity.
        """
        rows = as_rows(x, self.dim, "x", self.device)
        return self._novelty(self._distances(rows))

    def add(
        self,
        x: ArrayLike | torch.Tensor,
        quality: ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> NDArray[np.bool_]:
        """Admit the rows that are good, new and no twins, one after another.

        A row is compared with the archive as it was before this call and with the rows of this
        batch admitted before it. Only then do the admitted rows enter, and others leave a full
        archive for them (one by one; a batch larger than the capacity loses its first rows too).

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
        rows = as_rows(x, self.dim, "x", self.device)
        labels = _labels(ids, len(rows))
        good = np.ones(len(rows), np.bool_)
        if quality is not None:
            values = np.asarray(quality, np.float64)
            if values.shape != good.shape:
                raise ValueError(f"quality: expected shape {good.shape}, got {values.shape}")
            good = values >= self.quality_threshold
        admitted = np.zeros(len(rows), np.bool_)
        (candidates,) = good.nonzero()
        if len(candidates):
            some = rows[torch.as_tensor(candidates, device=rows.device)]
            admitted[candidates] = self._admissible(some)
        self._enter(rows, admitted, labels)
        return admitted

    def pin(self, x: ArrayLike | torch.Tensor, ids: ArrayLike | None = None) -> None:
        """Add rows for good, without asking: they never leave and take no capacity.

        Args:
            x: (N, D) finite descriptors.
            ids: (N,) integers to know the entries by; None: running numbers.

        Raises:
            ValueError: If shapes do not match, or a row holds NaN or infinity.
        """
        rows = as_rows(x, self.dim, "x", self.device)
        self._append(rows, _labels(ids, len(rows)), pinned=True)

    def calibrate(self, x: ArrayLike | torch.Tensor, groups: ArrayLike | None = None) -> None:
        """Pin rows and make their median novelty to each other the unit: ``scale``.

        Args:
            x: (N, D) finite descriptors, e.g. of the human works.
            groups: (N,) labels as in :func:`leave_one_out_novelty`.

        Raises:
            ValueError: If ``x`` is bad, or so many rows are twins that the median is not above 0.
        """
        scale = float(np.median(leave_one_out_novelty(x, self.k_neighbors, groups)))
        if not 0 < scale < math.inf:
            raise ValueError(f"x: the median distance between rows must be above 0, got {scale}")
        self.scale = scale
        self.pin(x)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to ``path`` (.npz, no pickle); the file is whole or not there.

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
            "eviction": self.eviction,
            "empty_novelty": self.empty_novelty,
            "min_distance": self.min_distance,
            "next": self._next,
        }
        arrays = self.state()
        del arrays["next"]
        arrays["settings"] = np.frombuffer(json.dumps(settings).encode(), np.uint8)
        write_npz(path, arrays, compressed=False)

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
        rows = as_rows(state["entries"], self.dim, "entries", self.device)
        self._table = Table(self.dim, self.device)
        self._pinned, self._ids = np.zeros(0, np.bool_), np.zeros(0, np.int64)
        self._order = np.zeros(0, np.int64)
        self._append(rows, state["ids"].astype(np.int64), pinned=False)
        self._pinned[:n], self._order[:n] = pinned, order
        self._next = running

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Self:
        """Read what :meth:`save` wrote; the archive behaves as if it had never been away.

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
            running = settings.pop("next")
            if type(running) is not int:
                raise ValueError(f"next: expected a whole number, got {running!r}")
            if arrays["entries"].shape[1:] != (settings["dim"],):
                raise ValueError(f"entries: expected width {settings['dim']!r:.20}")
            archive = cls(**settings, device=device)
            archive.load_state(arrays | {"next": np.array(running)})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ArchiveError(f"{path}: not a novelty archive ({error})") from error
        return archive

    def _distances(self, rows: torch.Tensor) -> NDArray[np.float64]:
        """(N, D) to (N, min(k, M)) ascending distances in the units of the descriptors."""
        found, _ = self._table.nearest(rows, self.k_neighbors)
        distances: NDArray[np.float64] = found[:, : len(self)].double().cpu().numpy()
        return distances

    def _novelty(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        if distances.shape[1] == 0:
            return np.full(len(distances), self.empty_novelty)
        return _row_means(distances) / self.scale

    def _admissible(self, rows: torch.Tensor) -> NDArray[np.bool_]:
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
            here = rows[torch.as_tensor(part, device=rows.device)].cpu()
            earlier = batch.nearest(here, k)[0][:, : len(batch)].numpy().astype(np.float64)
            known = np.sort(np.concatenate([distances[part], earlier], axis=1), axis=1)[:, :k]
            within = direct_distances(here[:, None], here).numpy().astype(np.float64)
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

    def _append(
        self, rows: torch.Tensor, labels: NDArray[np.int64] | None, *, pinned: bool
    ) -> None:
        """Put rows (n, D) into new slots."""
        first, n = len(self), len(rows)
        self._table.extend(rows)
        short = len(self._table.rows) - len(self._ids)
        if short:
            self._pinned = np.pad(self._pinned, (0, short))
            self._ids = np.pad(self._ids, (0, short))
            self._order = np.pad(self._order, (0, short))
        slots = slice(first, first + n)
        self._order[slots] = np.arange(self._next, self._next + n)
        self._ids[slots] = self._order[slots] if labels is None else labels
        self._pinned[slots] = pinned
        self._next += n
        self._nearest = None

    def _enter(
        self, rows: torch.Tensor, admitted: NDArray[np.bool_], labels: NDArray[np.int64] | None
    ) -> None:
        """Let the admitted rows in, and others out if need be."""
        chosen = torch.as_tensor(admitted.nonzero()[0], device=rows.device)
        rows = rows[chosen]
        labels = None if labels is None else labels[admitted]
        room = min(self.capacity - int((~self.pinned).sum()), len(rows))
        if room:
            self._append(rows[:room], None if labels is None else labels[:room], pinned=False)
        rows, labels = rows[room:], None if labels is None else labels[room:]
        if len(rows) == 0:
            return
        if self.eviction == "oldest":
            (unpinned,) = (~self.pinned).nonzero()
            ring = unpinned[np.argsort(self._order[unpinned])]
            # Of more newcomers than places only the last survive, each where its turn puts it.
            turns = np.arange(len(rows))
            last = turns[-self.capacity :]
            self._overwrite(
                ring[last % self.capacity],
                rows[torch.as_tensor(last, device=rows.device)],
                None if labels is None else labels[last],
                self._next + last,
            )
            self._next += len(rows)
            self._nearest = None
        else:
            for i in range(len(rows)):
                self._replace_crowded(
                    rows[i : i + 1], None if labels is None else labels[i : i + 1]
                )

    def _overwrite(
        self,
        slots: NDArray[np.int64],
        rows: torch.Tensor,
        labels: NDArray[np.int64] | None,
        order: NDArray[np.int64],
    ) -> None:
        self._table.put(torch.as_tensor(slots, device=self.device), rows)
        self._order[slots] = order
        self._ids[slots] = order if labels is None else labels

    def _replace_crowded(self, row: torch.Tensor, labels: NDArray[np.int64] | None) -> None:
        """Evict the most crowded entry for one row (1, D)."""
        n = len(self)
        every = torch.arange(n, device=self.device)
        if self._nearest is None:
            found = self._table.nearest(self._table.rows[:n], 1, every)
            self._nearest = (
                found[0][:, 0].double().cpu().numpy(),
                found[1][:, 0].cpu().numpy().copy(),
            )
        distance, neighbour = self._nearest
        (unpinned,) = (~self.pinned).nonzero()
        crowded = unpinned[distance[unpinned] == distance[unpinned].min()]
        slot = int(crowded[np.argmin(self._order[crowded])])
        self._overwrite(np.array([slot]), row, labels, np.array([self._next]))
        self._next += 1
        # Those whose nearest was the leaver must look again; to the others the newcomer may be
        # nearer than whom they had.
        (orphans,) = (neighbour == slot).nonzero()
        orphans = np.append(orphans, slot) if slot not in orphans else orphans
        own = torch.as_tensor(orphans, device=self.device)
        again = self._table.nearest(self._table.rows[own], 1, own)
        distance[orphans] = again[0][:, 0].cpu().numpy()
        neighbour[orphans] = again[1][:, 0].cpu().numpy()
        new = direct_distances(row, self._table.rows[:n]).double().cpu().numpy()
        new[slot] = math.inf
        closer = new < distance
        distance[closer], neighbour[closer] = new[closer], slot


def leave_one_out_novelty(
    x: ArrayLike | torch.Tensor, k: int, groups: ArrayLike | None = None
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
    sizes = np.bincount(label, minlength=1)
    small = sizes <= SMALL_GROUP
    extra = int(sizes[small].max(initial=1)) - 1
    out = np.full(n, np.inf)

    table = Table(rows.shape[1], rows.device)
    table.extend(rows)
    (some,) = small[label].nonzero()
    own = torch.as_tensor(some, device=rows.device)
    near, neighbours = table.nearest(rows[own], k + extra, own)
    found, slots = near.double().cpu().numpy(), neighbours.cpu().numpy()
    # Members of the own group go to the end as if infinitely far.
    mine = label[slots] == label[some][:, None]
    out[some] = _row_means(np.sort(np.where(mine | (slots < 0), np.inf, found), axis=1)[:, :k])
    for group in (~small).nonzero()[0]:
        inside = torch.as_tensor(label == group, device=rows.device)
        others = Table(rows.shape[1], rows.device)
        others.extend(rows[~inside])
        out[label == group] = _row_means(others.nearest(rows[inside], k)[0].double().cpu().numpy())
    return out


def _row_means(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, k) to (N,) means of the finite ones, inf if there are none; summed left to right.

    The fixed order makes a row's mean the same whatever rows are beside it.
    """
    count = np.isfinite(distances).sum(axis=1)
    total = np.cumsum(np.where(np.isfinite(distances), distances, 0.0), axis=1)[:, -1]
    means: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    return means


def _labels(ids: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    if ids is None:
        return None
    labels = np.asarray(ids)
    if labels.shape != (n,) or (n and not np.issubdtype(labels.dtype, np.integer)):
        raise ValueError(f"ids: expected {n} integers, got {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)


def novelty_in_groups(x: ArrayLike, k_neighbors: int, size: int = 400) -> NDArray[np.float64]:
    """Novelty of rows among ``size`` of themselves at a time: many rows lie closer than few do.

    So that sets of unequal size compare. The last group is filled up with rows of the one before.

    Args:
        x: (N, D) finite numbers.
        k_neighbors: Neighbours to take the mean of.
        size: Rows in a group; one group if there are fewer.

    Returns:
        (N,) float64, as :func:`leave_one_out_novelty` in each group.
    """
    rows = np.asarray(x)
    out = np.zeros(len(rows))
    for begin in range(0, len(rows), size):
        first = max(0, min(begin, len(rows) - size))
        among = leave_one_out_novelty(rows[first : first + size], k_neighbors)
        out[begin : begin + size] = among[begin - first :]
    return out
