"""The figures of a comparison as tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from move37.agents.compare.columns import BEST, Column, label, order_of, written
from move37.agents.compare.comparison_dir import ComparisonDir
from move37.agents.compare.report.expectations import Check
from move37.agents.compare.report.page import BEST_TENTH, literal
from move37.agents.compare.results import HERE, Notes, Summary
from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.novelty.statistics import (
    Interval,
    bootstrap,
    probability_of_improvement,
    rank_agreement,
)

JUDGES = {"heldout_quality": "first judge", "second_quality": "second judge"}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """A table; numbers stand at the right, but for the first column."""
    rules = ["---", *["---:" if numbers else "---"] * (len(heads) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, rules, *rows))


def cell(figure: Interval | None, kind: str = "number") -> str:
    """A figure with its interval in parentheses."""
    if figure is None:
        return written(math.nan, kind)
    if not figure.known:
        return written(figure.value, kind)
    low, high = (written(v, kind).removesuffix(" %") for v in (figure.low, figure.high))
    return f"{written(figure.value, kind)} ({low} to {high})"


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

    def table(self, known: Sequence[Column], with_best: bool = False) -> str:
        """A row for each maker with figures in some of these columns; empty if none has any.

        Args:
            known: Columns; those without a figure are left out.
            with_best: Whether each maker's row is followed by one of its best tenth.
        """
        names = [n for n in self.names if any(c.key in self.summary[n] for c in known)]
        columns = [c for c in known if any(c.key in self.summary[n] for n in names)]
        rows = []
        for name in names:
            title = literal(label(name))
            titles = {"": f"**{title}**" if name == "learner" else title, BEST: BEST_TENTH}
            for part in ("", BEST) if with_best else ("",):
                cells = (cell(self.summary[name].get(part + c.key), c.kind) for c in columns)
                rows.append([titles[part], *cells])
        return table(["maker", *(c.title for c in columns)], rows) if names else ""

    @cached_property
    def judged(self) -> dict[str, Any] | None:
        """Do two independent judges agree, and can they tell better from worse works?

        ``makers`` and ``works``: rank agreement over makers and over single works; ``power``: a
        table of the probability that the better of two works gets the higher score, of ``n`` works
        of humans. None where there is one judge, or one maker.
        """
        names = [n for n in self.shown if "second_quality" in self.summary[n]]
        if len(names) < 2 or not self.trials:
            return None
        rng = np.random.default_rng(0)
        one, two = ([self.summary[n][key].value for n in names] for key in JUDGES)
        over_makers = rank_agreement(one, two, rng)
        first, second = (
            np.concatenate([self.works(n).appraisal[key][:200] for n in names])[::5]
            for key in JUDGES
        )
        over_works = rank_agreement(first, second, rng, resamples=200)
        kinds = next(iter(self.trials.values()))
        pairs = [("human", kind) for kind in kinds if kind != "human"]
        pairs += [(kind, "random") for kind in kinds if kind not in ("human", "random")]
        rows = []
        for key, title in JUDGES.items():
            scores = {kind: np.array(values) for kind, values in self.trials[key].items()}
            power = [
                bootstrap(probability_of_improvement, scores[a], scores[b], rng=rng, resamples=200)
                for a, b in pairs
            ]
            rows.append([title, *map(cell, power)])
        heads = ["judge", *(f"{better} > {worse}" for better, worse in pairs)]
        return {
            "names": names, "makers": cell(over_makers), "works": cell(over_works),
            "n": len(kinds["human"]), "power": table(heads, rows),
        }  # fmt: skip
