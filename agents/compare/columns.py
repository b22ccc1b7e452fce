"""The columns and rows of a comparison's tables: meaning, format, names and order."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

BEST = "best/"
"""Before the measures of the best tenth."""
SHARES = {"closed_ends"}
"""Measures without a column of which the mean is taken."""


@dataclass(frozen=True)
class Column:
    """A measure as a column of a table.

    Attributes:
        key: Name of the measure.
        title: In the tables.
        text: What it means.
        kind: Its format: ``share``, ``number``, ``whole`` or ``seconds``.
        mean: Whether a seed's value is the mean over its works, not the median.
    """

    key: str
    title: str
    text: str
    kind: str = "number"
    mean: bool = False


QUALITY = (
    Column("yield", "yield", "share of works that meet all conditions of the world at once "
           "(quality like that of human works, novelty that few human works have among "
           "themselves), and repeat no earlier one", "share", True),
    Column("yield_loose", "loose yield", "the same with lower thresholds for quality and novelty",
           "share", True),
    Column("yield_with_repeats", "yield, repeats too", "where works answer briefs: the yield "
           "with repeats", "share", True),
    Column("heldout_quality", "held-out quality", "a judge of quality that never gave reward"),
    Column("second_quality", "second judge", "another one, that shares neither training "
           "data nor architecture with the first"),
    Column("form", "form", "rules of the craft, computed without learning"),
    Column("craft", "craft", "the critic of the learner's reward, as it was before learning"),
)  # fmt: skip
NOVELTY = (
    Column("novelty_human", "novelty, human", "mean distance to the nearest human works; 1 is the "
           "median of human works among themselves"),
    Column("novelty_self", "novelty, self", "the same among the maker's own works"),
    Column("nearest_human", "nearest human", "distance to the one nearest human work"),
    Column("from_input", "from its input", "of filters: distance to the human work that a work was "
           "made from"),
    Column("input_rank", "nearer than it", "of filters: share of all human works to learn from "
           "that are nearer to a work than the one it was made from", "share"),
    Column("copied", "copied", "how much of the works is copied from human works", "share", True),
    Column("repeats", "repeats", "share of works that repeat an earlier one of the same maker",
           "share", True),
    Column("vendi", "Vendi", "effectively different works among 100", "number", True),
    Column("bits_rnn", "bits, RNN", "description length of a work under the char-RNN", "whole"),
    Column("bits_deflate", "bits, DEFLATE", "description length for a general compressor with the "
           "human works as its dictionary", "whole"),
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
        Column("support/never_100", "by 100", "not by the first 100 samples", "share"),
        Column("support/never_1000", "by 1,000", "not by the first 1,000 samples", "share"),
        Column("support/never_10000", "by 10,000", "not by the first 10,000 samples", "share"),
        Column("support/never_learner", "learner's, never", "share of the learner's best tenth "
               "that none of this maker's own works came near", "share"),
    ),
    "move37": (
        Column("move37/share", "works with a moment", "share of works at or above the human median "
               "of held-out quality in which a move has p <= 0.0001 under the imitator", "share"),
        Column("move37/per_work", "moments a work", "of good works only, over all works"),
        Column("move37/all_per_work", "improbable moves a work", "whatever the work was worth"),
        Column("move37/expected_per_work", "expected a work", "as many as the imitator itself "
               "would make at the same positions"),
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
    column.key: column for group in (QUALITY, NOVELTY, COST, *EVIDENCE.values()) for column in group
}


def takes_mean(measure: str) -> bool:
    """Whether a seed's value of a measure is the mean over its works, not the median."""
    return measure in SHARES or (measure in COLUMNS and COLUMNS[measure].mean)


def is_evidence(measure: str) -> bool:
    """Whether a measure is one of shift, ``NAME/FIGURE``."""
    return measure.partition("/")[0] in EVIDENCE


def written(value: float, kind: str) -> str:
    """A value as it stands in a table; a dash if it is nan."""
    if math.isnan(value):
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


_TEMPERED = re.compile(r"(?P<maker>.+)_t(?P<temperature>\d+\.\d+)")


def split_name(name: str) -> tuple[str, float | None]:
    """Maker and temperature of a line: ``rnn_t0.50`` is ("rnn", 0.5), ``gan`` ("gan", None)."""
    found = _TEMPERED.fullmatch(name)
    return (found["maker"], float(found["temperature"])) if found else (name, None)


def at_temperatures(names: Iterable[str], maker: str) -> dict[float, str]:
    """The lines of a maker at its temperatures, rising."""
    parts = ((*split_name(name), name) for name in names)
    return dict(sorted((t, name) for stem, t, name in parts if stem == maker and t is not None))


ORDER = (
    "human", "outsiders", "noise", "random", "imitator", "rnn", "gan", "inceptionism", "deep_style",
    "rl_imitation", "collage", "selection", "evolution", "evolution_time",
)  # fmt: skip
"""Makers as they stand in tables; then further ones, the learner, and works of others."""


def order_of(names: Iterable[str], added: Collection[str] = ()) -> list[str]:
    """Names as they stand in tables; ``added`` are those of works of others."""

    def rank(name: str) -> tuple[int, str]:
        if name in added:
            return (len(ORDER) + 2, name)
        maker, _ = split_name(name)
        if maker == "learner":
            return (len(ORDER) + 1, name)
        return (ORDER.index(maker) if maker in ORDER else len(ORDER), name)

    return sorted(names, key=rank)


LABELS = {
    "human": "human works, held out", "outsiders": "human outsiders", "random": "random moves",
    "noise": "noise of human lengths", "rnn": "char-RNN",
    "gan": "GAN", "inceptionism": "Inceptionism", "deep_style": "Deep Style",
    "rl_imitation": "imitation by RL", "evolution_time": "evolution, same CPU time",
}  # fmt: skip


def label(name: str) -> str:
    """A line's name for readers."""
    maker, temperature = split_name(name)
    text = LABELS.get(maker, maker)
    return text if temperature is None else f"{text}, T = {temperature:.2f}"
