"""The sections of a comparison's report; further ones are added to :data:`SECTIONS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from move37.agents.compare.columns import (
    BEST,
    COLUMNS,
    COST,
    EVIDENCE,
    NOVELTY,
    QUALITY,
    Column,
    label,
    order_of,
    written,
)
from move37.agents.compare.comparison_dir import ComparisonDir
from move37.agents.compare.entries import FIXED
from move37.agents.compare.report.expectations import Check
from move37.agents.compare.report.writing import (
    BEST_TENTH,
    bullets,
    code,
    lead,
    literal,
    note,
    section,
    table,
)
from move37.agents.compare.results import HERE, Notes, Summary
from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.novelty.statistics import (
    Interval,
    bootstrap,
    probability_of_improvement,
    rank_agreement,
)

JUDGES = (("heldout_quality", "first judge"), ("second_quality", "second judge"))
FEW = 50
"""Files left out that a report names."""


@dataclass(frozen=True)
class Results:
    """A comparison as read from its folder.

    Attributes:
        folder: Where it is.
        world: Its world, for pictures.
        config: Its terms, the commands and the machines.
        rows: The figure of each maker, seed and measure; see :mod:`.results`.
        summary: The figures over the seeds.
        notes: Of every maker its seeds and errors, and files left out.
        trials: Each judge's scores of works whose order is known.
        checks: The expectations.
    """

    folder: ComparisonDir
    world: World
    config: dict[str, Any]
    rows: pd.DataFrame
    summary: Summary
    notes: Notes
    trials: dict[str, dict[str, list[float]]]
    checks: list[Check]

    @property
    def added(self) -> list[str]:
        """Names of the works of others."""
        return [name for name, found in self.notes.items() if found.get("added")]

    @property
    def names(self) -> list[str]:
        """Makers in the order of the tables."""
        return order_of(self.summary, self.added)

    @property
    def shown(self) -> list[str]:
        """Makers with works in the folder, in the order of the tables; of others are only rows."""
        here = set(self.rows.loc[self.rows["source"] == HERE, "name"])
        return [name for name in self.names if name in here]

    def works(self, name: str, best: bool = False) -> Works:
        """Works of a maker's first seed here; the best in the order of the maker's own reward."""
        rows = self.rows[(self.rows["name"] == name) & (self.rows["source"] == HERE)]
        return self.folder.load_works(name, int(rows["seed"].min()), best)


def expectations(results: Results) -> str:
    """What did not come out as expected, and which makers failed; then what did."""
    wrong = [check for check in results.checks if check.holds is False]
    right = [check for check in results.checks if check.holds]
    unknown = len(results.checks) - len(wrong) - len(right)
    if wrong:
        parts = [
            lead(f"{len(wrong)} of {len(results.checks)} expectations fail."),
            bullets([(f"{literal(check.text)}:", literal(check.detail)) for check in wrong]),
        ]
    else:
        parts = [lead(f"No expectation fails; {len(right)} of {len(results.checks)} are met.")]
    errors = [
        (f"{literal(label(name))}, seed {seed}:", literal(text))
        for name, found in results.notes.items()
        for seed, text in found["errors"].items()
    ]
    if errors:
        parts += [lead(f"{len(errors)} makers failed."), bullets(errors)]
    if unknown:
        parts.append(note(f"{unknown} could not be checked."))
    words = {True: "met", None: "not checked"}
    rows = [
        (literal(check.text), words[check.holds], literal(check.detail))
        for check in results.checks
        if check.holds is not False
    ]
    if rows:
        heads = ("the other expectations" if wrong else "expectation", " ", "what came out")
        parts.append(table(heads, rows, numbers=False))
    return section("What was expected, and what came out", *parts)


def plane(results: Results) -> str:
    """The quality-novelty plane."""
    return section(
        "The quality-novelty plane",
        "![held-out quality against novelty of every maker](plane.svg)\n",
        note(
            "Held-out quality against novelty, with 95 % intervals; dotted lines are at the human "
            "median. Lines connect the temperatures of the char-RNN and of the imitator."
        ),
    )


def quality(results: Results) -> str:
    """Quality and yield, unselected and best."""
    return section(
        "Quality and yield",
        "Two rows for each maker: all its works, fresh and unselected, and in grey the best tenth "
        "by its own reward (the learner's for makers that have none). Small figures are 95 % "
        "intervals.\n",
        _both(results, QUALITY),
    )


def novelty(results: Results) -> str:
    """Novelty, copying, diversity and description length."""
    return section(
        "Novelty, diversity and description length",
        _both(results, NOVELTY),
        note(
            "The best tenth has fewer works, and fewer works are farther apart: compare its "
            "novelty among its own works only with that of other best tenths."
        ),
    )


def cost(results: Results) -> str:
    """What each maker cost, and what more of its works cost."""
    names = [n for n in results.names if any(c.key in results.summary[n] for c in COST)]
    return section(
        "Cost",
        _table(COST, [_row(results, name, COST) for name in names]),
        note(
            "Selection, evolution, imitation by RL and the learner start from the imitator or from "
            "its samples; its cost is added to theirs. The wall time of a learner from a finished "
            "run is that of the run; its CPU time is then the most that its threads can have used."
        ),
    )


def judges(results: Results) -> str:
    """Do two independent judges agree, and can they tell better from worse works?"""
    names = [n for n in results.shown if "second_quality" in results.summary[n]]
    if len(names) < 2 or not results.trials:
        return ""
    rng = np.random.default_rng(0)
    a, b = ([results.summary[n][key].value for n in names] for key, _ in JUDGES)
    over_makers = rank_agreement(a, b, rng)
    pooled = [
        np.concatenate([results.works(n).appraisal[key][:200] for n in names]) for key, _ in JUDGES
    ]
    over_works = rank_agreement(pooled[0][::5], pooled[1][::5], rng, resamples=200)
    kinds = next(iter(results.trials.values()))
    pairs = [("human", kind) for kind in kinds if kind != "human"]
    pairs += [(kind, "random") for kind in kinds if kind not in ("human", "random")]
    rows = []
    for key, title in JUDGES:
        scores = {kind: np.array(values) for kind, values in results.trials[key].items()}
        power = [
            bootstrap(
                probability_of_improvement, scores[better], scores[worse], rng=rng, resamples=200
            )
            for better, worse in pairs
        ]
        rows.append([title, *(_cell(one, "number") for one in power)])
    return section(
        "The judges",
        f"Rank agreement of the two judges (Kendall's tau): over the {len(names)} makers "
        f"{_cell(over_makers, 'number')}, over single works of all of them "
        f"{_cell(over_works, 'number')}.\n",
        f"Power on works of designers that neither judge saw ({len(kinds['human'])} works): the "
        "probability that the better of two works gets the higher score (area under the ROC curve; "
        "0.5 is chance).\n",
        table(["judge", *(f"{better} > {worse}" for better, worse in pairs)], rows),
    )


def gallery(results: Results) -> str:
    """Sheets of every maker's works."""
    parts = []
    for name in results.shown:
        given = name in (*FIXED, *results.added)
        first = "as they come" if given else "fresh and unselected"
        best = "best by the learner's reward" if given else "best by its own reward"
        cells = [
            f"![{literal(label(name))}, {caption}](sheets/{name}{suffix}.png)<br>{caption}"
            for suffix, caption in (("", first), ("-best", best))
        ]
        parts += [f"### {literal(label(name))}\n", table((" ", " "), [cells], numbers=False)]
    return section("Works", *parts)


def works_of_others(results: Results) -> str:
    """The works of others, and what of them could not be read."""
    parts = []
    for name in results.added:
        found = results.notes[name]
        left_out = found["left_out"]
        parts.append(f"{literal(name)}: {found['found']} works read, {len(left_out)} left out.\n")
        parts.append(bullets([("", literal(reason)) for reason in left_out[:FEW]]))
        if len(left_out) > FEW:
            parts.append(note(f"and {len(left_out) - FEW} more"))
    return section("Works of others", *parts) if parts else ""


def method(results: Results) -> str:
    """How it was made, and what the columns mean."""
    config = results.config
    places = []
    for place in config["places"]:
        machine, versions = (
            ", ".join(f"{key} {value}" for key, value in place[what].items())
            for what in ("machine", "versions")
        )
        places.append(literal(f"Machine: {machine}. Versions: {versions}."))
    apart = [COLUMNS[key].title for key in config.get("kept_apart", ())]
    if apart:
        places.append(
            "Seeds that were measured elsewhere are joined, except for the columns "
            f"{', '.join(apart)}: there the same training on another machine gave another network."
        )
    return section(
        "How it was made",
        code("\n".join(config["commands"])),
        " ".join(places) + "\n",
        "A figure is the inter-quartile mean over the seeds of each seed's median (of shares: "
        "mean) over its works; intervals are 95 % two-stage bootstrap intervals over seeds and "
        "works. Human works have no seeds. With few seeds such intervals are too narrow.\n",
        bullets([(f"{c.title}:", c.text) for c in (*QUALITY, *NOVELTY, *COST)]),
    )


def _shift_section(title: str, text: str, *measures: str) -> Callable[[Results], str]:
    """A section of measures of shift, of the makers for which there are any."""

    def make(results: Results) -> str:
        columns = [column for measure in measures for column in EVIDENCE[measure]]
        names = [n for n in results.names if any(c.key in results.summary[n] for c in columns)]
        if not names:
            return ""
        there = _present(results, columns, names)
        rows = [_row(results, name, there) for name in names]
        return section(title, f"{text}\n", _table(there, rows))

    return make


SECTIONS: list[Callable[[Results], str]] = [
    expectations,
    plane,
    quality,
    novelty,
    cost,
    judges,
    _shift_section(
        "Shift: do the works lie elsewhere?",
        "Against the human works to learn from. Human works held out are the control without a "
        "shift; noise shifts most, so a shift alone proves nothing.",
        "shift",
    ),
    _shift_section(
        "Support: could sampling have found them?",
        "Share of the best tenth that none of the imitator's samples (at its best temperature) "
        "came near, within the distance of human works to each other. There are such works among "
        "the human works held out too: only what exceeds their share says anything.",
        "support",
    ),
    _shift_section(
        "Moves that no imitator would make",
        "Under the frozen imitator of the seed. A move that made the work has a gain above that of "
        "ordinary moves of the same works.",
        "move37",
    ),
    _shift_section(
        "Novelty and quality of decisions",
        "After Shin et al. (PNAS 2023), within strata of human lengths.",
        "novelty_index",
        "decision_quality_index",
    ),
    _shift_section(
        "Influence: does a culture that has seen them go on?",
        "An imitator trained again from scratch on the human works and works of the maker, "
        "measured on other works of the maker. Works of other humans (outsiders) and noise are the "
        "controls of the same size.",
        "influence",
        "compression_progress",
    ),
    _shift_section(
        "Rediscovery of withheld works",
        "Human works that were taken out of the world before anything was fitted.",
        "rediscovery",
    ),
    gallery,
    works_of_others,
    method,
]
"""The report, from top to bottom, as Markdown; a section that has nothing to say is empty."""


def _cell(figure: Interval | None, kind: str) -> str:
    """A figure with its interval in parentheses."""
    if figure is None:
        return written(math.nan, kind)
    if not figure.known:
        return written(figure.value, kind)
    low, high = (written(v, kind).removesuffix(" %") for v in (figure.low, figure.high))
    return f"{written(figure.value, kind)} ({low} to {high})"


def _row(results: Results, name: str, columns: Sequence[Column], best: bool = False) -> list[str]:
    """A maker's row; the learner stands out."""
    title = BEST_TENTH if best else literal(label(name))
    if name == "learner" and not best:
        title = f"**{title}**"
    figures = results.summary[name]
    return [title, *(_cell(figures.get(BEST * best + c.key), c.kind) for c in columns)]


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    return table(["maker", *(column.title for column in columns)], rows)


def _both(results: Results, known: Sequence[Column]) -> str:
    """A table with two rows for each maker: all works and the best tenth."""
    columns = _present(results, known, results.names)
    rows = [_row(results, name, columns, best) for name in results.names for best in (False, True)]
    return _table(columns, rows)


def _present(results: Results, columns: Sequence[Column], names: Collection[str]) -> list[Column]:
    """The columns for which a maker has a figure."""
    return [c for c in columns if any(c.key in results.summary[name] for name in names)]
