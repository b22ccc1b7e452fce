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
EVIDENCE: dict[str, tuple[Column, ...]] = {
    "shift": (
        Column("shift/effect", "energy effect", "energy distance to the human works over its "
               "largest value: 0 without a shift, 1 for samples far apart"),
        Column("shift/p_value", "p", "of the permutation test"),
        Column("shift/kernel_effect", "kernel effect", "unbiased MMD squared over its scale: 0 "
               "without a shift, about 0.5 for samples far apart"),
        Column("shift/density", "density", "share of human neighbourhoods that a work lies in, "
               "over that of human works: low for new kinds and for noise"),
        Column("shift/coverage", "coverage", "share of human neighbourhoods that hold a work, over "
               "that of human works: low where modes were dropped"),
    ),
    "support": (
        Column("support/never", "never approached", "share of the best tenth that none of all the "
               "imitator's samples came near", "share"),
        Column("support/never_100", "by 100", "by the first 100 samples", "share"),
        Column("support/never_1000", "by 1,000", "by the first 1,000 samples", "share"),
        Column("support/never_learner", "learner's, never", "share of the learner's best tenth "
               "that none of this maker's own works came near", "share"),
    ),
    "move37": (
        Column("move37/share", "works with a moment", "share of works at or above the human median "
               "of held-out quality in which a move has p <= 0.0001 under the imitator", "share"),
        Column("move37/per_work", "moments a work", "of good works only, over all works"),
        Column("move37/all_per_work", "improbable moves a work", "whatever the work was worth"),
        Column("move37/expected_per_work", "expected", "as many as the imitator itself would make "
               "at the same positions"),
        Column("move37/gain", "gain", "held-out quality of works that the imitator finishes with "
               "the move, minus without it"),
        Column("move37/control_gain", "gain, ordinary", "the same of ordinary moves of the same "
               "works"),
    ),
    "novelty_index": (
        Column("novelty_index/index", "Novelty Index", "how early an opening has no precedent "
               "among human works: 0 never, 1 at once"),
        Column("novelty_index/drop", "drop, imitator's", "when imitator's works are added to the "
               "reference"),
        Column("novelty_index/control_drop", "drop, human", "when as many human works are added"),
    ),
    "decision_quality_index": (
        Column("decision_quality_index/index", "Decision Quality Index", "of the first novel move; "
               "100: the imitator knows nothing better"),
        Column("decision_quality_index/played", "its value", "held-out quality of works that the "
               "imitator finishes from it"),
    ),
    "influence": (
        Column("influence/log_ratio", "log airplane ratio", "natural logarithm of how much more "
               "often an imitator that learnt 500 of the works hits the new region of others"),
        Column("influence/share_after", "share after", "of that imitator's samples in the region",
               "share"),
        Column("influence/share_before", "share before", "of the samples of an imitator of human "
               "works alone", "share"),
        Column("influence/nats_gain", "nats gained", "a move, on works it has not learnt"),
    ),
    "compression_progress": (
        Column("compression_progress/bits", "progress, bits", "a work, under the imitator, each "
               "free to write the work down literally"),
        Column("compression_progress/share", "progress, share", "of the bits before", "share"),
        Column("compression_progress/deflate_bits", "progress, DEFLATE", "the same for DEFLATE"),
    ),
    "rediscovery": (
        Column("rediscovery/found", "found", "share of the withheld works that a work came near",
               "share"),
        Column("rediscovery/expected", "expected", "the same of other unseen human works, equally "
               "far from what was learnt", "share"),
        Column("rediscovery/excess", "excess", "found minus expected"),
    ),
}  # fmt: skip
"""By measure, as in ``docs/measures.md``; figures of one seed come with an interval."""
COLUMNS = {
    column.key: column for group in (QUALITY, NEWNESS, COST, *EVIDENCE.values()) for column in group
}
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


def figure_of_seeds(found: Sequence[Any], rng: np.random.Generator) -> Figure:
    """The inter-quartile mean of what was found with each seed.

    A seed's own interval tells how sure its figure is. Of several seeds every resample draws seeds
    with replacement, and each one's figure from a normal distribution as wide as its interval.

    Args:
        found: A number, or {"value": , "low": , "high": }, of each seed; at least one.
        rng: The only source of chance.
    """
    rows = [
        one if isinstance(one, Mapping) else {"value": one, "low": None, "high": None}
        for one in found
    ]
    values = tuple(float(row["value"]) for row in rows)
    known = all(row["low"] is not None and row["high"] is not None for row in rows)
    if len(rows) == 1:
        low, high = (float(rows[0][end]) if known else None for end in ("low", "high"))
        return Figure(values[0], low, high, values)
    width = np.array([(row["high"] - row["low"]) / 3.92 if known else 0.0 for row in rows])
    chosen = rng.integers(0, len(rows), (len(rows), RESAMPLES))
    drawn = np.array(values)[chosen] + width[chosen] * rng.standard_normal(chosen.shape)
    low, high = np.quantile(stats.trim_mean(drawn, 0.25, axis=0), [0.025, 0.975])
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
    for name, evidence in _evidence(out).items():
        table.setdefault(name, {}).update(
            {key: figure_of_seeds(found, rng) for key, found in evidence.items()}
        )
    return table, notes


def _evidence(out: Path) -> dict[str, dict[str, list[Any]]]:
    """What ``evidence/`` holds: of each maker, by ``measure/figure``, one entry per seed."""
    out_of: dict[str, dict[str, list[Any]]] = {}
    for path in sorted((out / "evidence").glob("*.json"), key=_by_name_and_seed):
        name, _ = path.stem.rsplit("-", 1)
        columns = out_of.setdefault(name, {})
        for measure, figures in json.loads(path.read_text()).items():
            for key, value in figures.items():
                if value is not None and not (isinstance(value, dict) and value["value"] is None):
                    columns.setdefault(f"{measure}/{key}", []).append(value)
    return out_of


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
        fixed = ("human", "outsiders", "noise", "random", "imitator", "rnn", "gan", "inceptionism",
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
    "noise": "noise of human lengths",
    "gan": "GAN", "inceptionism": "Inceptionism", "deep_style": "Deep Style",
    "rl_imitation": "imitation by RL", "evolution_time": "evolution, same CPU time",
}  # fmt: skip


def label(name: str) -> str:
    """A maker's name for readers."""
    for stem, text in (("imitator_t", "imitator"), ("rnn_t", "char-RNN")):
        if name.startswith(stem):
            return f"{text}, T = {name.removeprefix(stem)}"
    return LABELS.get(name, name)
