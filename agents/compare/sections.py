"""The sections of a comparison's report; further ones are added to :data:`SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from move37.agents.compare.blocks import (
    Block,
    Cell,
    Grid,
    Line,
    Pair,
    Picture,
    Points,
    Section,
    Text,
)
from move37.agents.compare.columns import (
    BEST,
    COLUMNS,
    COST,
    EVIDENCE,
    NEWNESS,
    QUALITY,
    Column,
    label,
    order_of,
    written,
)
from move37.agents.compare.expectations import Check
from move37.agents.compare.table import Table
from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.novelty.statistics import bootstrap, probability_of_improvement, rank_agreement

JUDGES = (("heldout_quality", "first judge"), ("second_quality", "second judge"))


@dataclass(frozen=True)
class Results:
    """A comparison as read from its folder.

    Attributes:
        out: The folder.
        world: Its world's class, for pictures.
        config: What was asked for, on which machine.
        table: All figures.
        notes: For every maker its seeds, errors, and files left out.
        trials: What the judges say of works whose order is known.
        checks: The expectations.
    """

    out: Path
    world: type[World]
    config: dict[str, Any]
    table: Table
    notes: dict[str, Any]
    trials: dict[str, dict[str, list[float]]]
    checks: list[Check]

    @property
    def added(self) -> list[str]:
        """Names of works brought along."""
        return [name for name, note in self.notes.items() if note.get("added")]

    @property
    def names(self) -> list[str]:
        """Makers in the order of the tables."""
        return order_of(self.table, self.added)

    def works(self, name: str, best: bool = False) -> Works:
        """Works of a maker's first seed here; the best in the order of the maker's own reward."""
        suffix = "-best" if best else ""
        return Works.load(self.out / "works" / f"{name}-{self.here(name)[0]}{suffix}.npz")

    def here(self, name: str) -> list[int]:
        """Seeds of which a maker's works are in the folder; of others only figures were joined."""
        works = self.out / "works"
        return [s for s in self.notes[name]["seeds"] if (works / f"{name}-{s}.npz").exists()]

    @property
    def shown(self) -> list[str]:
        """Makers with works in the folder, in the order of the tables."""
        return [name for name in self.names if self.here(name)]


def expectations(results: Results) -> Section:
    """The first lines: what did not come out as expected, and which makers failed."""
    wrong = [check for check in results.checks if check.holds is False]
    right = [check for check in results.checks if check.holds]
    open_ = len(results.checks) - len(wrong) - len(right)
    blocks: list[Block] = []
    if wrong:
        blocks.append(Text(f"{len(wrong)} of {len(results.checks)} expectations fail.", "lead"))
        blocks.append(Points([(f"{check.text}:", check.detail) for check in wrong]))
    else:
        blocks.append(Text(f"No expectation fails; {len(right)} are met.", "lead"))
    errors = [
        (f"{label(name)}, seed {seed}:", text)
        for name, note in results.notes.items()
        for seed, text in note["errors"].items()
    ]
    if errors:
        blocks += [Text(f"{len(errors)} makers failed.", "lead"), Points(errors)]
    if open_:
        blocks.append(Text(f"{open_} could not be checked.", "note"))
    words = {True: "met", None: "not checked"}
    lines = [
        Line(check.text, [(words[check.holds], ""), (check.detail, "")])
        for check in results.checks
        if check.holds is not False
    ]
    if lines:
        heads = [("", ""), ("what came out", "")]
        blocks.append(Grid(heads, lines, "the other expectations", numbers=False))
    return Section("What was expected, and what came out", blocks)


def plane(results: Results) -> Section:
    """The quality-novelty plane."""
    text = (
        "Held-out quality against novelty, with 95 % intervals; dotted lines stand at the human "
        "median. Lines join the temperatures of the char-RNN and of the imitator."
    )
    picture = Picture(results.out / "plane.svg", results.out, text)
    return Section("The quality-novelty plane", [picture])


def quality(results: Results) -> Section:
    """Quality and yield, unselected and best."""
    return Section("Quality and yield", [Text(HOW_TO_READ), _grid(results, QUALITY)])


def novelty_reward(results: Results) -> Section:
    """Novelty, copying, diversity and description length."""
    note = (
        "Of the best tenth there are fewer, and fewer works lie farther apart: compare its novelty "
        "among its own only with that of other best tenths."
    )
    return Section(
        "Novelty, diversity and description length", [_grid(results, NEWNESS), Text(note, "note")]
    )


def cost(results: Results) -> Section:
    """What each maker cost, and what more of its works cost."""
    names = [n for n in results.names if any(c.key in results.table[n] for c in COST)]
    lines = [_line(results, name, COST) for name in names]
    text = (
        "Selection, evolution, imitation by RL and the learner start from the imitator or from its "
        "samples; its cost comes on top of theirs. Wall time of a reused learner is that of its "
        "run; its CPU time is then the most that its threads can have used."
    )
    heads = [(column.title, column.text) for column in COST]
    return Section("Cost", [Grid(heads, lines, "maker"), Text(text, "note")])


def judges(results: Results) -> Section | None:
    """Do two judges that share nothing agree, and can they tell what must be told apart?"""
    names = [n for n in results.shown if "second_quality" in results.table[n]]
    if len(names) < 2 or not results.trials:
        return None
    rng = np.random.default_rng(0)
    a, b = ([results.table[n][key].mean for n in names] for key, _ in JUDGES)
    found = rank_agreement(a, b, rng)
    pooled = [
        np.concatenate([results.works(n).appraisal[key][:200] for n in names]) for key, _ in JUDGES
    ]
    over_works = rank_agreement(pooled[0][::5], pooled[1][::5], rng, resamples=200)
    text = (
        f"Rank agreement of the two judges (Kendall's tau): over the {len(names)} makers "
        f"{found.tau:.2f} ({found.low:.2f} to {found.high:.2f}), over single works of all of them "
        f"{over_works.tau:.2f} ({over_works.low:.2f} to {over_works.high:.2f})."
    )
    kinds = next(iter(results.trials.values()))
    pairs = [("human", kind) for kind in kinds if kind != "human"]
    pairs += [(kind, "random") for kind in kinds if kind not in ("human", "random")]
    lines = []
    for key, title in JUDGES:
        said = {kind: np.array(values) for kind, values in results.trials[key].items()}
        cells: list[Cell] = []
        for better, worse in pairs:
            power = bootstrap(
                probability_of_improvement, said[better], said[worse], rng=rng, resamples=200
            )
            cells.append((f"{power.value:.2f}", f"{power.low:.2f} to {power.high:.2f}"))
        lines.append(Line(title, cells))
    heads = [(f"{better} > {worse}", "") for better, worse in pairs]
    power_text = (
        f"Power on works of designers that neither judge saw ({len(said['human'])} works): the "
        "probability that the better of two works gets the higher mark (area under the ROC curve; "
        "0.5 is chance)."
    )
    return Section("The judges", [Text(text), Text(power_text), Grid(heads, lines, "judge")])


def gallery(results: Results) -> Section:
    """Sheets of every maker's works."""
    pairs: list[Block] = []
    for name in results.shown:
        human = name in ("human", "outsiders", *results.added)
        first = "as they come" if human else "fresh and unselected"
        best = "best by the learner's reward" if human else "best by its own reward"
        left, right = (
            Picture(results.out / "sheets" / f"{name}{suffix}.png", results.out, caption)
            for suffix, caption in (("", first), ("-best", best))
        )
        pairs.append(Pair(label(name), left, right))
    return Section("Works", pairs)


def brought(results: Results) -> Section | None:
    """What was brought along and what of it could not be read."""
    blocks: list[Block] = []
    for name in results.added:
        note = results.notes[name]
        left_out = note["left_out"]
        text = f"{name}: {note['found']} works read, {len(left_out)} left out."
        blocks.append(Text(text))
        blocks.append(Points([("", reason) for reason in left_out[:50]]))
        if len(left_out) > 50:
            blocks.append(Text(f"and {len(left_out) - 50} more", "note"))
    return Section("Works brought along", blocks) if blocks else None


def method(results: Results) -> Section:
    """How it was made, and what the columns mean."""
    config = results.config
    places = []
    for place in config["places"]:
        machine, versions = (
            ", ".join(f"{key} {value}" for key, value in place[what].items())
            for what in ("machine", "versions")
        )
        places.append(f"Machine: {machine}. Versions: {versions}.")
    columns = [(f"{c.title}:", c.text) for c in (*QUALITY, *NEWNESS, *COST)]
    apart = [COLUMNS[key].title for key in config.get("kept_apart", ())]
    joined = (
        f" Seeds that were measured elsewhere are joined, but for the columns {', '.join(apart)}: "
        "there the same training on another machine gave another judge."
        if apart
        else ""
    )
    return Section(
        "How it was made",
        [
            Text("\n".join(config["commands"]), "code"),
            Text(" ".join(places) + joined),
            Text(
                "A figure is the inter-quartile mean over the seeds of each seed's median (of "
                "shares: mean) over its works; intervals are 95 % two-stage bootstrap intervals "
                "over seeds and works. Human works have no seeds. With few seeds such intervals "
                "are too narrow."
            ),
            Points(columns),
        ],
    )


def _evidence(title: str, text: str, *measures: str) -> Callable[[Results], Section | None]:
    """A section of measures of shift: the makers for which there are any."""

    def section(results: Results) -> Section | None:
        columns = [column for measure in measures for column in EVIDENCE[measure]]
        names = [n for n in results.names if any(c.key in results.table[n] for c in columns)]
        if not names:
            return None
        there = [c for c in columns if any(c.key in results.table[n] for n in names)]
        lines = [_line(results, name, there) for name in names]
        grid = Grid([(c.title, c.text) for c in there], lines, "maker")
        return Section(title, [Text(text), grid])

    section.__doc__ = title
    return section


shift = _evidence(
    "Shift: do the works lie elsewhere?",
    "Against the human works to learn from. Human works held out show what no shift looks like; "
    "noise shifts most, so a shift alone proves nothing.",
    "shift",
)
support = _evidence(
    "Support: could sampling have found them?",
    "How many of the best tenth none of the imitator's samples (at its best temperature) came "
    "near, within the distance of human works to each other. Human works held out have such works "
    "too: only what goes beyond theirs says anything.",
    "support",
)
moments = _evidence(
    "Moves that no imitator would make",
    "Under the frozen imitator of the seed. A move that made the work has a gain above that of "
    "ordinary moves of the same works.",
    "move37",
)
decisions = _evidence(
    "Novelty and quality of decisions",
    "After Shin et al. (PNAS 2023), within strata of human lengths.",
    "novelty_index",
    "decision_quality_index",
)
influence = _evidence(
    "Influence: does a culture that has seen them go on?",
    "An imitator trained again from scratch on the human works and works of the maker, measured on "
    "other works of the maker. Works of other humans (outsiders) and noise are the controls of the "
    "same size.",
    "influence",
    "compression_progress",
)
rediscovered = _evidence(
    "Rediscovery of withheld works",
    "Human works that were taken out of the world before anything was fitted.",
    "rediscovery",
)


SECTIONS: list[Callable[[Results], Section | None]] = [
    expectations,
    plane,
    quality,
    novelty_reward,
    cost,
    judges,
    shift,
    support,
    moments,
    decisions,
    influence,
    rediscovered,
    gallery,
    brought,
    method,
]
"""The report, from top to bottom; a section that has nothing to say is None."""

HOW_TO_READ = (
    "Each maker twice: all its works, fresh and unselected, and below in grey the best tenth by "
    "its own reward (the learner's for makers that have none). Small figures are 95 % intervals."
)


def _cells(results: Results, name: str, columns: Sequence[Column], prefix: str) -> list[Cell]:
    cells: list[Cell] = []
    for column in columns:
        found = results.table[name].get(prefix + column.key)
        if found is None:
            cells.append((written(None, column.kind), ""))
            continue
        interval = ""
        if found.low is not None and found.high is not None:
            low, high = (
                written(v, column.kind).removesuffix(" %") for v in (found.low, found.high)
            )
            interval = f"{low} to {high}"
        cells.append((written(found.mean, column.kind), interval))
    return cells


def _line(results: Results, name: str, columns: Sequence[Column], prefix: str = "") -> Line:
    kind = "second" if prefix else "strong" if name == "learner" else ""
    title = "best tenth" if prefix else label(name)
    return Line(title, _cells(results, name, columns, prefix), kind)


def _grid(results: Results, known: Sequence[Column]) -> Grid:
    columns = [c for c in known if any(c.key in results.table[name] for name in results.names)]
    lines = [
        _line(results, name, columns, prefix) for name in results.names for prefix in ("", BEST)
    ]
    return Grid([(column.title, column.text) for column in columns], lines, "maker")
