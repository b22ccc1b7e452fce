"""The columns of a comparison: what each means, and one figure with its interval per maker."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.works import Works
from novelty.statistics import interquartile_mean

RESAMPLES = 2000
BEST = "best/"
"""Before the columns of the best tenth."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: In ``comparison.json``.
        title: In the tables.
        text: What it means.
        kind: How it is written: ``share``, ``number``, ``whole`` or ``seconds``.
        mean: Whether a seed's value is the mean over its works, not the median.
    """

    key: str
    title: str
    text: str
    kind: str = "number"
    mean: bool = False


QUALITY = (
    Column("yield", "yield", "share of works that meet all conditions of the world at once, craft "
           "like that of human works and novelty that few human works have among them, and repeat "
           "no earlier one", "share", True),
    Column("yield_loose", "loose yield", "the same with lower bars for craft and novelty", "share",
           True),
    Column("heldout_quality", "held-out quality", "a judge of the craft that never gave reward"),
    Column("second_quality", "second judge", "another, that shares neither human makers nor "
           "architecture with the first"),
    Column("form", "form", "rules of the craft, computed"),
    Column("craft", "craft", "the critic of the learner's reward, as it was before learning"),
)  # fmt: skip
NEWNESS = (
    Column("novelty_human", "novelty, human", "mean distance to the nearest human works; 1 is the "
           "median of human works among themselves"),
    Column("novelty_self", "novelty, self", "the same among the maker's own works"),
    Column("nearest_human", "nearest human", "distance to the one nearest human work"),
    Column("copied", "copied", "how much of the works is copied from human works", "share", True),
    Column("repeats", "repeats", "share of works that repeat an earlier one of the same maker",
           "share", True),
    Column("vendi", "Vendi", "effectively different works among 100", "number", True),
    Column("bits_rnn", "bits, RNN", "description length of a work under the char-RNN", "whole"),
    Column("bits_deflate", "bits, DEFLATE", "description length for a general compressor that has "
           "read the human works", "whole"),
)  # fmt: skip
COST = (
    Column("wall_seconds", "wall time", "of fitting", "seconds"),
    Column("cpu_seconds", "CPU time", "of fitting", "seconds"),
    Column("env_steps", "env steps", "moves made in the world while fitting", "whole"),
    Column(
        "seconds_per_1000", "1,000 more", "wall time of 1,000 more works than it holds", "seconds"
    ),
    Column(
        "cpu_per_1000", "CPU, 1,000 more", "CPU time of 1,000 more works than it holds", "seconds"
    ),
)
COLUMNS = {column.key: column for column in (*QUALITY, *NEWNESS, *COST)}
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
    """

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]

    def plain(self) -> dict[str, Any]:
        """As in ``comparison.json``."""
        return {
            "mean": self.mean, "low": self.low, "high": self.high, "values": list(self.values)
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
        return Figure(values[0], None, None, values)
    again = means_again if mean else medians_again
    drawn = np.stack([again(group, rng) for group in groups])
    seeds = rng.integers(0, len(groups), (len(groups), RESAMPLES))
    resampled = drawn[seeds, rng.integers(0, RESAMPLES, seeds.shape)]
    low, high = np.quantile(stats.trim_mean(resampled, 0.25, axis=0), [0.025, 0.975])
    return Figure(interquartile_mean(values), float(low), float(high), values)


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
    samples: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
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
                    columns.setdefault(prefix + key, []).append(np.asarray(terms, np.float64))
        for key, value in facts.items():
            if key in ("vendi", "best_vendi"):
                if value:
                    columns.setdefault(key.replace("best_", BEST), []).append(np.array(value))
            elif isinstance(value, int | float) and not isinstance(value, bool) and key in COLUMNS:
                columns.setdefault(key, []).append(np.array([float(value)]))
    if not samples:
        errors = [text for note in notes.values() for text in note["errors"].values()]
        raise ValueError(f"{out}: holds no works" + (f" ({errors[0]})" if errors else ""))
    rng = np.random.default_rng(0)
    table: Table = {}
    for name, columns in samples.items():
        table[name] = {
            key: figure(groups, takes_mean(key.removeprefix(BEST)), rng)
            for key, groups in columns.items()
        }
    return table, notes


def takes_mean(key: str) -> bool:
    """Whether a seed's value of a measure is the mean over its works, not the median."""
    return key in SHARES or (key in COLUMNS and COLUMNS[key].mean)


def _by_name_and_seed(path: Path) -> tuple[str, int]:
    name, seed = path.stem.rsplit("-", 1)
    return name, int(seed)


def written(value: float | None, kind: str) -> str:
    """A value as it stands in a table."""
    if value is None or math.isnan(value):
        return "-"
    if kind == "share":
        return f"{100 * value:.1f} %" if value < 0.0995 else f"{100 * value:.0f} %"
    if kind == "whole":
        return f"{value:,.0f}"
    if kind == "seconds":
        if value < 0.05:
            return "< 0.1 s"
        if value >= 5400:
            return f"{value / 3600:.1f} h"
        return f"{value / 60:.1f} min" if value >= 90 else f"{value:.2g} s"
    return f"{value:.2f}" if abs(value) < 9.95 else f"{value:.1f}"


def order_of(table: Mapping[str, Any], added: Sequence[str] = ()) -> list[str]:
    """Names as they stand in tables: humans, what exists, contrasts, the learner, added ones."""

    def rank(name: str) -> tuple[int, str]:
        fixed = ("human", "outsiders", "random", "imitator", "rnn", "gan", "inceptionism",
                 "deep_style", "rl_imitation", "collage", "selection", "evolution",
                 "evolution_time")  # fmt: skip
        stem = name.split("_t")[0] if "_t" in name and name.split("_t")[-1][0].isdigit() else name
        if name in added:
            return (len(fixed) + 2, name)
        if name == "learner":
            return (len(fixed) + 1, name)
        return (fixed.index(stem) if stem in fixed else len(fixed), name)

    return sorted(table, key=rank)


LABELS = {
    "human": "human works, held out", "outsiders": "human outsiders", "random": "random moves",
    "gan": "GAN", "inceptionism": "Inceptionism", "deep_style": "Deep Style",
    "rl_imitation": "imitation by RL", "evolution_time": "evolution, same CPU time",
}  # fmt: skip


def label(name: str) -> str:
    """A maker's name for readers."""
    for stem, text in (("imitator_t", "imitator"), ("rnn_t", "char-RNN")):
        if name.startswith(stem):
            return f"{text}, T = {name.removeprefix(stem)}"
    return LABELS.get(name, name)
