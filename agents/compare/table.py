"""The figures of a comparison, from its saved works and evidence: one per maker and column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from move37.agents.compare.columns import BEST, COLUMNS
from move37.envs.base.works import Works
from move37.novelty.statistics import interquartile_mean

RESAMPLES = 2000
SHARES = {"closed_ends"}
"""Measures beside the columns of which the mean is taken."""


@dataclass(frozen=True)
class Figure:
    """A column of one maker.

    Attributes:
        mean: Inter-quartile mean over the seeds.
        low: Lower end of the 95 % bootstrap interval; None where nothing tells how sure it is.
        high: Upper end.
        values: One value per seed.
        intervals: Each seed's own 95 % interval, that of its works alone; None where it is unknown.
        seeds: Which they are; not every column is there for every seed.
    """

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]
    intervals: tuple[tuple[float, float] | None, ...] = ()
    seeds: tuple[int, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As in ``comparison.json``."""
        return {
            "mean": self.mean, "low": self.low, "high": self.high, "values": list(self.values),
            "intervals": [None if ends is None else list(ends) for ends in self.intervals],
            "seeds": list(self.seeds),
        }  # fmt: skip


Table = dict[str, dict[str, Figure]]
"""Makers by name, each with its columns."""


def figure(groups: Sequence[NDArray[np.float64]], mean: bool, rng: np.random.Generator) -> Figure:
    """The inter-quartile mean over seeds, with an interval that knows of seeds and of works.

    Every resample draws seeds with replacement, and works with replacement within each seed drawn
    (the two-stage bootstrap: Davison & Hinkley, "Bootstrap Methods and their Application", 1997,
    section 3.8). Human works, which have no seeds, get the interval of the works alone.

    Args:
        groups: One array of works' values, (N,), per seed; at least one, none empty.
        mean: Whether a seed's value is the mean over its works, not the median.
        rng: The only source of chance.
    """
    values = tuple(float(group.mean() if mean else np.median(group)) for group in groups)
    if len(groups) == 1 and len(groups[0]) == 1:
        return Figure(values[0], None, None, values, (None,))
    again = means_again if mean else medians_again
    drawn = np.stack([again(group, rng) for group in groups])
    seeds = rng.integers(0, len(groups), (len(groups), RESAMPLES))
    resampled = drawn[seeds, rng.integers(0, RESAMPLES, seeds.shape)]
    low, high = np.quantile(stats.trim_mean(resampled, 0.25, axis=0), [0.025, 0.975])
    ends = np.quantile(drawn, [0.025, 0.975], axis=1)
    alone = tuple((float(a), float(b)) for a, b in ends.T)
    return Figure(interquartile_mean(values), float(low), float(high), values, alone)


def figure_of_seeds(found: Sequence[Any], rng: np.random.Generator) -> Figure:
    """The inter-quartile mean of what was found with each seed.

    A seed's own interval tells how sure its figure is. Of several seeds every resample draws seeds
    with replacement, and each one's figure from a normal distribution whose halves are as wide as
    those of its interval, so that a share stays within 0 and 1; without one it is taken as it is.

    Args:
        found: A number, or {"value": , "low": , "high": }, of each seed; at least one.
        rng: The only source of chance.
    """
    rows = [
        one if isinstance(one, Mapping) else {"value": one, "low": None, "high": None}
        for one in found
    ]
    values = tuple(float(row["value"]) for row in rows)
    known = [row["low"] is not None and row["high"] is not None for row in rows]
    alone = tuple(
        (float(row["low"]), float(row["high"])) if there else None
        for row, there in zip(rows, known, strict=True)
    )
    if len(rows) == 1:
        low, high = alone[0] or (None, None)
        return Figure(values[0], low, high, values, alone)
    pairs = [ends or (value, value) for value, ends in zip(values, alone, strict=True)]
    below, above = np.abs(np.array(pairs).T - values) / 1.96
    chosen = rng.integers(0, len(rows), (len(rows), RESAMPLES))
    z = rng.standard_normal(chosen.shape)
    drawn = np.array(values)[chosen] + z * np.where(z < 0, below[chosen], above[chosen])
    low, high = np.quantile(stats.trim_mean(drawn, 0.25, axis=0), [0.025, 0.975])
    return Figure(interquartile_mean(values), float(low), float(high), values, alone)


def means_again(x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means of bootstrap samples of x (N,), (RESAMPLES,) float64."""
    n = len(x)
    means: NDArray[np.float64]
    if ((x == 0) | (x == 1)).all():
        means = rng.binomial(n, x.mean(), RESAMPLES) / n
    else:
        means = x[rng.integers(0, n, (RESAMPLES, n))].mean(axis=1)
    return means


def medians_again(x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Medians of bootstrap samples of x (N,), (RESAMPLES,) float64, without drawing the samples.

    A bootstrap sample is x sorted, at N uniform positions; the k-th smallest of N uniform numbers
    has a Beta(k, N - k + 1) distribution, and the next one is the least of those left above it.
    """
    n, ordered = len(x), np.sort(x)
    k = (n + 1) // 2
    at = rng.beta(k, n - k + 1, RESAMPLES)
    medians: NDArray[np.float64] = ordered[np.minimum((at * n).astype(int), n - 1)]
    if n % 2 == 0:
        above = at + (1 - at) * rng.beta(1, n - k, RESAMPLES)
        medians = (medians + ordered[np.minimum((above * n).astype(int), n - 1)]) / 2
    return medians


def read_table(out: Path) -> tuple[Table, dict[str, Any]]:
    """All figures of a comparison from its saved works, and what is known of each maker.

    Args:
        out: Its folder.

    Returns:
        The table, and for every maker {"seeds": [...], "errors": {seed: text}, ...}.

    Raises:
        ValueError: If there are no works.
    """
    samples: dict[str, dict[str, dict[int, NDArray[np.float64]]]] = {}
    notes: dict[str, Any] = {}
    for path in sorted((out / "works").glob("*.json"), key=_by_name_and_seed):
        name, seed = path.stem.rsplit("-", 1)
        facts = json.loads(path.read_text())
        note = notes.setdefault(name, {"seeds": [], "errors": {}})
        if "error" in facts:
            note["errors"][seed] = facts["error"]
            continue
        note["seeds"].append(int(seed))
        note |= {key: facts[key] for key in ("added", "found", "left_out") if key in facts}
        columns = samples.setdefault(name, {})
        for prefix, suffix in (("", ""), (BEST, "-best")):
            works = Works.load(path.with_name(f"{path.stem}{suffix}.npz"))
            for key, terms in works.appraisal.items():
                # A work alone has no distance to others of its maker: nothing is said then.
                if np.isfinite(terms).all():
                    columns.setdefault(prefix + key, {})[int(seed)] = np.asarray(terms, np.float64)
        for key, value in facts.items():
            if key in ("vendi", "best_vendi"):
                if value:
                    columns.setdefault(key.replace("best_", BEST), {})[int(seed)] = np.array(value)
            elif isinstance(value, int | float) and not isinstance(value, bool) and key in COLUMNS:
                columns.setdefault(key, {})[int(seed)] = np.array([float(value)])
    if not samples:
        errors = [text for note in notes.values() for text in note["errors"].values()]
        raise ValueError(f"{out}: holds no works" + (f" ({errors[0]})" if errors else ""))
    rng = np.random.default_rng(0)
    table: Table = {}
    for name, columns in samples.items():
        table[name] = {
            key: replace(
                figure(list(groups.values()), takes_mean(key.removeprefix(BEST)), rng),
                seeds=tuple(groups),
            )
            for key, groups in columns.items()
        }
    for name, evidence in _evidence(out).items():
        table.setdefault(name, {}).update(
            {
                key: replace(figure_of_seeds(list(found.values()), rng), seeds=tuple(found))
                for key, found in evidence.items()
            }
        )
    return table, notes


def _evidence(out: Path) -> dict[str, dict[str, dict[int, Any]]]:
    """What ``evidence/`` holds: of each maker, by ``measure/figure``, what was found by seed."""
    out_of: dict[str, dict[str, dict[int, Any]]] = {}
    for path in sorted((out / "evidence").glob("*.json"), key=_by_name_and_seed):
        name, seed = path.stem.rsplit("-", 1)
        columns = out_of.setdefault(name, {})
        for measure, figures in json.loads(path.read_text()).items():
            for key, value in figures.items():
                if value is not None and not (isinstance(value, dict) and value["value"] is None):
                    columns.setdefault(f"{measure}/{key}", {})[int(seed)] = value
    return out_of


def takes_mean(key: str) -> bool:
    """Whether a seed's value of a measure is the mean over its works, not the median."""
    return key in SHARES or (key in COLUMNS and COLUMNS[key].mean)


def _by_name_and_seed(path: Path) -> tuple[str, int]:
    name, seed = path.stem.rsplit("-", 1)
    return name, int(seed)
