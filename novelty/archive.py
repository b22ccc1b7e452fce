"""The novelty archive: how far is a new work from everything made before?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from move37.novelty.knn import (
    Table,
    as_rows,
    check_resolution,
    direct_distances,
    numbers,
    row_means,
)
from move37.novelty.storage import StorageError, StrPath, parse_json, read_npz, write_npz

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

# pandas and matplotlib are slow to import: only what shows the archive needs them.

FORMAT = "move37-archive-1"
CHUNK = 128
"""Rows of a batch compared with each other at once."""

RESERVED = {
    "allow_pickle", "entries", "file", "ids", "index", "measures", "next", "order", "pinned",
    "quality", "self", "settings", "x",
}  # fmt: skip
"""What a field of a user's own may not be called."""

Rows = NDArray[np.float32]
"""Descriptors, (N, D)."""
Columns = dict[str, NDArray[Any]]
"""Arrays by name, with one row for each entry."""


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
        extra_fields: What else is remembered of each entry: name to (shape, dtype), numbers only.

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
        extra_fields: Mapping[str, tuple[tuple[int, ...], DTypeLike]] | None = None,
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
        self.extra_fields = _checked_fields(extra_fields or {})
        self.clear()

    def clear(self) -> None:
        """Forget every entry, pinned ones too; the settings stay."""
        self._table = Table(self.dim)
        # The running number of each entry; the smallest among the unpinned is the oldest.
        kinds = {"pinned": ((), np.bool_), "ids": ((), np.int64), "order": ((), np.int64)}
        self._columns: Columns = {
            name: np.zeros((0, *shape), dtype)
            for name, (shape, dtype) in (kinds | self.extra_fields).items()
        }
        self._next = 0

    def __repr__(self) -> str:
        """The settings that matter most, and how many entries there are."""
        pinned = int(self.pinned.sum())
        fields = f", fields {', '.join(self.extra_fields)}" if self.extra_fields else ""
        return (
            f"NoveltyArchive(dim={self.dim}, k_neighbors={self.k_neighbors}, "
            f"novelty_threshold={self.novelty_threshold:g}, scale={self.scale:g}: {len(self)} "
            f"entries, {pinned} pinned, {len(self) - pinned} of at most {self.capacity} "
            f"admitted{fields})"
        )

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
        return self._columns["pinned"][: len(self)]

    @property
    def ids(self) -> NDArray[np.int64]:
        """(M,) int64: id of each entry, as given or its running number. A view: do not write."""
        return self._columns["ids"][: len(self)]

    @property
    def field_list(self) -> list[str]:
        """Names of what :meth:`data` gives."""
        return ["index", "ids", "pinned", "measures", *self.extra_fields]

    def data(self, fields: Iterable[str] | None = None) -> Columns:
        """What is known of the M entries, by the names that pyribs has.

        Args:
            fields: Which of :attr:`field_list`; None: all of them.

        Returns:
            Copies, in the order of :attr:`entries`: ``index`` (M,), running numbers in the order in
            which entries came; ``ids`` (M,); ``pinned`` (M,); ``measures`` (M, D), the descriptors;
            and every extra field, (M, ...).

        Raises:
            ValueError: If there is no such field.
        """
        names = self.field_list if fields is None else list(fields)
        unknown = [name for name in names if name not in self.field_list]
        if unknown:
            raise ValueError(f"fields: {unknown[0]!r} is unknown; known: {self.field_list}")
        found = self.state()
        found |= {"index": found["order"], "measures": found["entries"]}
        return {name: found[name] for name in names}

    def to_frame(self, fields: Iterable[str] | None = None) -> DataFrame:
        """What :meth:`data` gives as a table of pandas: one row for each entry.

        A field with several numbers has a column for each: ``measures_0``, ``measures_1``, ...
        """
        import pandas as pd

        columns: Columns = {}
        for name, values in self.data(fields).items():
            if values.ndim == 1:
                columns[name] = values
            else:
                flat = values.reshape(len(values), math.prod(values.shape[1:]))
                columns |= {f"{name}_{i}": flat[:, i] for i in range(flat.shape[1])}
        return pd.DataFrame(columns)

    def plot(self, ax: Axes | None = None, color_by: str | None = None) -> Axes:
        """Draw the entries as points in a plane.

        One descriptor is drawn over the running number, two are drawn as they are, and more are
        projected onto the two directions in which the entries vary most (PCA).

        Args:
            ax: Where to draw; None: a new figure of ``matplotlib.pyplot``.
            color_by: A field with one number for each entry; None: pinned and admitted entries
                differ.

        Returns:
            The axes.

        Raises:
            ValueError: If there is no such field, or it has several numbers.
        """
        from matplotlib import pyplot

        if ax is None:
            ax = pyplot.subplots()[1]
        points, names = self._projected()
        if color_by is None:
            for name, chosen in (("pinned", self.pinned), ("admitted", ~self.pinned)):
                ax.scatter(
                    points[chosen, 0], points[chosen, 1], s=8, label=f"{name} ({chosen.sum()})"
                )
            ax.legend()
        else:
            values = self.data([color_by])[color_by]
            if values.ndim != 1:
                raise ValueError(f"color_by: {color_by!r} has {values.shape[1:]} numbers an entry")
            drawn = ax.scatter(points[:, 0], points[:, 1], s=8, c=values)
            ax.figure.colorbar(drawn, ax=ax, label=color_by)
        ax.set(xlabel=names[0], ylabel=names[1])
        return ax

    def _projected(self) -> tuple[NDArray[np.float64], tuple[str, str]]:
        """The entries as points (M, 2), and what the two numbers are."""
        x = self.entries.astype(np.float64)
        if self.dim == 1:
            return np.column_stack([self.data(["index"])["index"], x]), ("index", "measures_0")
        if self.dim == 2 or len(self) == 0:
            return x[:, :2], ("measures_0", "measures_1")
        x -= x.mean(axis=0)
        variances, directions = np.linalg.eigh(x.T @ x)
        shares = variances / max(float(variances.sum()), np.finfo(float).tiny)
        names = (f"component 1 ({shares[-1]:.0%})", f"component 2 ({shares[-2]:.0%})")
        return x @ directions[:, :-3:-1], names

    def novelty(self, x: ArrayLike) -> NDArray[np.float64]:
        """How new each row is against the archive as it stands.

        Args:
            x: (N, D) finite descriptors.

        Returns:
            (N,) float64, in units of ``scale``.

        Raises:
            ValueError: If ``x`` has another width, a row holds NaN or infinity, anything is
                masked, complex or no number, or float32 cannot tell rows apart.
        """
        return self._novelty(self._distances(self._rows(x)))

    def add(
        self,
        x: ArrayLike,
        quality: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        **fields: ArrayLike,
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
            **fields: (N, ...) of every one of ``extra_fields``.

        Returns:
            (N,) bool: admitted.

        Raises:
            ValueError: If shapes do not match, a row holds NaN or infinity, anything is masked,
                complex or no number, or float32 cannot tell rows apart.
        """
        rows = self._rows(x)
        labels = _labels(ids, len(rows))
        payloads = self._payloads(fields, len(rows))
        good = np.ones(len(rows), np.bool_)
        if quality is not None:
            values = numbers(quality, "quality")
            if values.shape != good.shape:
                raise ValueError(f"quality: expected shape {good.shape}, got {values.shape}")
            good = values >= self.quality_threshold
        admitted = np.zeros(len(rows), np.bool_)
        if good.any():
            admitted[good] = self._admissible(rows[good])
        self._enter(
            rows[admitted],
            None if labels is None else labels[admitted],
            {name: values[admitted] for name, values in payloads.items()},
        )
        return admitted

    def pin(self, x: ArrayLike, ids: ArrayLike | None = None, **fields: ArrayLike) -> None:
        """Add rows for good, whatever their novelty: they never leave and take no capacity.

        Args:
            x: (N, D) finite descriptors.
            ids: (N,) integers to know the entries by; None: running numbers.
            **fields: (N, ...) of every one of ``extra_fields``.

        Raises:
            ValueError: If shapes do not match, a row holds NaN or infinity, anything is masked,
                complex or no number, or float32 cannot tell rows apart.
        """
        rows = self._rows(x)
        labels, payloads = _labels(ids, len(rows)), self._payloads(fields, len(rows))
        self._append(rows, labels, payloads, pinned=True)

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
            own = arrays.keys() - {"entries", "pinned", "ids", "order"}
            kinds = {name: (arrays[name].shape[1:], arrays[name].dtype) for name in sorted(own)}
            archive = cls(**settings, extra_fields=kinds)
            archive.load_state(arrays | {"next": np.array(running)})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ArchiveError(f"{path}: not a novelty archive ({error})") from error
        return archive

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes: what :meth:`load_state` takes."""
        columns = {name: column[: len(self)].copy() for name, column in self._columns.items()}
        return {"entries": self.entries.copy(), **columns, "next": np.array(self._next)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Become the archive that :meth:`state` was taken of; the settings stay as they are.

        Raises:
            KeyError: If an array is missing.
            ValueError: If the arrays are no archive of this width and capacity.
        """
        n = len(state["entries"])
        expected: dict[str, tuple[tuple[int, ...], DTypeLike]] = {
            name: ((n, *column.shape[1:]), column.dtype) for name, column in self._columns.items()
        }
        expected |= {"entries": ((n, self.dim), np.float32), "next": ((), np.int64)}
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
        self.clear()
        self._append(rows, state["ids"], {name: state[name] for name in self.extra_fields})
        self._columns["pinned"][:n], self._columns["order"][:n] = pinned, order
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

    def _rows(self, x: ArrayLike) -> Rows:
        rows = as_rows(x, self.dim, "x")
        check_resolution(x, rows, self.entries, self.scale, self.min_distance * self.scale)
        return rows

    def _payloads(self, fields: Mapping[str, ArrayLike], n: int) -> Columns:
        """Extra fields of n rows, each of the kind that was declared."""
        if fields.keys() != self.extra_fields.keys():
            wrong = sorted(fields.keys() ^ self.extra_fields.keys())[0]
            what = "is missing" if wrong in self.extra_fields else "is no field"
            raise ValueError(f"{wrong}: {what}; extra_fields: {list(self.extra_fields)}")
        payloads: Columns = {}
        for name, (shape, dtype) in self.extra_fields.items():
            values = numbers(fields[name], name)
            if values.shape != (n, *shape) or not np.can_cast(values.dtype, dtype, "same_kind"):
                raise ValueError(
                    f"{name}: expected {np.dtype(dtype)} {(n, *shape)}, got {values.dtype} "
                    f"{values.shape}"
                )
            payloads[name] = values.astype(dtype)
            if values.dtype.kind in "iu" and (payloads[name] != values).any():
                raise ValueError(f"{name}: a number does not fit {np.dtype(dtype)}")
        return payloads

    def _append(
        self,
        rows: Rows,
        labels: NDArray[np.int64] | None,
        payloads: Columns,
        *,
        pinned: bool = False,
    ) -> None:
        """Put rows (n, D) into new slots."""
        first, n = len(self), len(rows)
        self._table.extend(rows)
        short = self._table.capacity - len(self._columns["ids"])
        if short:
            for name, column in self._columns.items():
                more = np.zeros((short, *column.shape[1:]), column.dtype)
                self._columns[name] = np.concatenate([column, more])
        order = np.arange(self._next, self._next + n)
        known = {"order": order, "ids": order if labels is None else labels}
        for name, values in (payloads | known).items():
            self._columns[name][first : first + n] = values
        self._columns["pinned"][first : first + n] = pinned
        self._next += n

    def _enter(self, rows: Rows, labels: NDArray[np.int64] | None, payloads: Columns) -> None:
        """Append rows (n, D) while there is room; the others replace the oldest entries."""
        room = min(self.capacity - int((~self.pinned).sum()), len(rows))
        begun = {name: values[:room] for name, values in payloads.items()}
        self._append(rows[:room], None if labels is None else labels[:room], begun)
        rows, labels = rows[room:], None if labels is None else labels[room:]
        if len(rows) == 0:
            return
        (unpinned,) = (~self.pinned).nonzero()
        ring = unpinned[np.argsort(self._columns["order"][unpinned])]
        # Of more newcomers than places only the last survive, each where its turn puts it.
        last = np.arange(len(rows))[-self.capacity :]
        slots, order = ring[last % self.capacity], self._next + last
        self._table.put(slots, rows[last])
        known = {"order": order, "ids": order if labels is None else labels[last]}
        rest = {name: values[room:][last] for name, values in payloads.items()}
        for name, values in (rest | known).items():
            self._columns[name][slots] = values
        self._next += len(rows)


def _checked_fields(
    fields: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
) -> dict[str, tuple[tuple[int, ...], DTypeLike]]:
    """Fields of a user's own, with the names and types that files can hold."""
    checked: dict[str, tuple[tuple[int, ...], DTypeLike]] = {}
    for name, (shape, dtype) in fields.items():
        if not name.isidentifier() or name in RESERVED:
            raise ValueError(f"extra_fields: {name!r} is no name for a field")
        if np.dtype(dtype).kind not in "biuf":
            raise ValueError(f"extra_fields: {name}: expected numbers, got {np.dtype(dtype)}")
        checked[name] = (tuple(int(size) for size in shape), np.dtype(dtype))
    return checked


def _labels(ids: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    if ids is None:
        return None
    labels = numbers(ids, "ids")
    if labels.shape != (n,) or (n and labels.dtype.kind not in "iu"):
        raise ValueError(f"ids: expected {n} integers, got {labels.dtype} {labels.shape}")
    if n and labels.max() > np.iinfo(np.int64).max:
        raise ValueError(f"ids: {labels.max()} is beyond int64")
    return labels.astype(np.int64)
