"""The results of a comparison as one table: a row for each maker, seed and measure.

``value`` is a seed's figure: the median over its works (of shares: the mean); ``low`` and ``high``
the ends of its own 95 % bootstrap interval, nan where it is unknown. ``source`` is ``here``, or the
file of figures that were made elsewhere. The summary of the rows of one maker and measure is their
inter-quartile mean with a 95 % bootstrap interval over the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from move37.agents.compare.columns import BEST, COLUMNS, EVIDENCE, split_name, takes_mean
from move37.agents.compare.comparison_dir import ComparisonDir, Saved
from move37.novelty.statistics import Interval, seeds_interval, works_interval

COLUMNS_OF_ROWS = (
    "name", "maker", "temperature", "seed", "measure", "value", "low", "high", "source",
)  # fmt: skip
HERE = "here"

Row = tuple[str, str, float | None, int, str, float, float, float, str]
Summary = dict[str, dict[str, Interval]]
"""Makers by name, each with its measures."""
Notes = dict[str, dict[str, Any]]
"""Of each maker by name its seeds, its errors by seed, and of works of others what was left out."""


def row_of(name: str, seed: int, measure: str, figure: Interval, source: str) -> Row:
    """A row of the table."""
    maker, temperature = split_name(name)
    ends = (figure.value, figure.low, figure.high)
    return (name, maker, temperature, seed, measure, *ends, source)


def table_of(rows: list[Row]) -> pd.DataFrame:
    """The table of rows."""
    return pd.DataFrame(rows, columns=list(COLUMNS_OF_ROWS))


def read_rows(folder: ComparisonDir) -> tuple[pd.DataFrame, Notes]:
    """All figures of a comparison from its saved works and evidence.

    Raises:
        ValueError: If there are no works.
    """
    rows: list[Row] = []
    notes: Notes = {}
    for saved in folder.saved("works"):
        note = notes.setdefault(saved.name, {"seeds": [], "errors": {}})
        if "error" in saved.facts:
            note["errors"][str(saved.seed)] = saved.facts["error"]
            continue
        note["seeds"].append(saved.seed)
        note |= {k: saved.facts[k] for k in ("added", "found", "left_out") if k in saved.facts}
        for measure, figure in _figures(folder, saved):
            rows.append(row_of(saved.name, saved.seed, measure, figure, HERE))
    if not rows:
        errors = [text for note in notes.values() for text in note["errors"].values()]
        raise ValueError(f"{folder.path}: holds no works" + (f" ({errors[0]})" if errors else ""))
    for saved in folder.saved("evidence"):
        for family, figures in saved.facts.items():
            for key, value in figures.items():
                figure = number(value)
                if not math.isnan(figure.value):
                    rows.append(row_of(saved.name, saved.seed, f"{family}/{key}", figure, HERE))
    return table_of(rows), notes


def _figures(folder: ComparisonDir, saved: Saved) -> Iterator[tuple[str, Interval]]:
    """The measures of saved works and of their best tenth, the diversity of groups, and costs."""
    facts = saved.facts
    for best, vendi in (("", "vendi"), (BEST, "best_vendi")):
        for key, values in folder.load_works(saved.name, saved.seed, bool(best)).appraisal.items():
            # A single work has no distance to others of its maker: then there is no figure.
            if np.isfinite(values).all():
                yield best + key, works_interval(values, takes_mean(key), np.random.default_rng(0))
        if facts.get(vendi):
            yield best + "vendi", works_interval(facts[vendi], True, np.random.default_rng(0))
    for key, value in facts.items():
        if key in COLUMNS and key != "vendi" and isinstance(value, int | float):
            yield key, number(value)


def number(value: Any) -> Interval:
    """A figure as JSON has it, a number or an object with an interval; null is nan."""
    parts = value if isinstance(value, Mapping) else {"value": value, "low": None, "high": None}
    ends = [parts[key] for key in ("value", "low", "high")]
    return Interval(*(math.nan if end is None else float(end) for end in ends))


def summarise(rows: pd.DataFrame) -> Summary:
    """The inter-quartile mean over seeds of each maker and measure, with its 95 % interval."""
    summary: Summary = {}
    for name, measure, group in _groups(rows):
        found = seeds_interval(intervals_of(group), np.random.default_rng(0))
        summary.setdefault(name, {})[measure] = found
    return summary


def _groups(rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The rows of each maker and measure."""
    for (name, measure), group in rows.groupby(["name", "measure"]):
        yield str(name), str(measure), group


def intervals_of(rows: pd.DataFrame) -> list[Interval]:
    """The figures of rows."""
    ends = rows[["value", "low", "high"]].to_numpy(np.float64)
    return [Interval(*row) for row in ends.tolist()]


def nested(rows: pd.DataFrame, summary: Summary) -> dict[str, dict[str, Any]]:
    """The figures as in ``comparison.json``: by maker and measure, those of shift by figure too."""
    out: dict[str, dict[str, Any]] = {}
    for name, measure, group in _groups(rows):
        mean = summary[name][measure]
        figure = {
            "mean": mean.value, "low": _null(mean.low), "high": _null(mean.high),
            "values": group["value"].tolist(),
            "intervals": [[i.low, i.high] if i.known else None for i in intervals_of(group)],
            "seeds": group["seed"].tolist(),
        }  # fmt: skip
        columns = out.setdefault(name, {})
        family, _, key = measure.partition("/")
        if family in EVIDENCE:
            columns = columns.setdefault(family, {})
        columns[key if family in EVIDENCE else measure] = figure
    return out


def flattened(data: Mapping[str, Any], source: str) -> pd.DataFrame:
    """The rows of a ``comparison.json``: what :func:`nested` was given, to the last digit.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, IndexError: If it is none.
    """
    rows: list[Row] = []
    for name, columns in data["makers"].items():
        seeds = data["meta"]["notes"][name]["seeds"]
        for key, held in columns.items():
            inner = {f"{key}/{k}": v for k, v in held.items()} if key in EVIDENCE else {key: held}
            for measure, figure in inner.items():
                # Older files name neither a column's seeds, which are the first, nor intervals.
                at = figure.get("seeds") or seeds[: len(figure["values"])]
                intervals = figure.get("intervals") or [None] * len(figure["values"])
                if len(intervals) == 1 and intervals[0] is None:
                    intervals = [(figure["low"], figure["high"])]
                for seed, value, ends in zip(at, figure["values"], intervals, strict=True):
                    if type(seed) is not int or not math.isfinite(value):
                        raise ValueError(f"{measure} of {name}: {value!r} of seed {seed!r}")
                    low, high = ends or (None, None)
                    one = number({"value": value, "low": low, "high": high})
                    rows.append(row_of(name, seed, measure, one, source))
    return table_of(rows)


def _null(x: float) -> float | None:
    return None if math.isnan(x) else x
