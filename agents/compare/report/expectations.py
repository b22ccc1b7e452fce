"""What a comparison should show, written down before the first one; failures are reported first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy import stats

from move37.agents.compare.columns import (
    BEST,
    COLUMNS,
    ORDER,
    at_temperatures,
    label,
    split_name,
    written,
)
from move37.agents.compare.entries import FIXED
from move37.agents.compare.results import Summary
from move37.novelty.statistics import Interval

MAKERS = {*ORDER, "learner"} - {*FIXED}
"""The built-in makers, for which the expectations were written."""
FILTERS = ("inceptionism", "deep_style")
RIVALS = ("selection", "evolution", "evolution_time")
NEAR_INPUT = 0.01
"""A filtered work is near its input if at most this share of human works is nearer."""
TREND = 0.8
"""The least rank correlation with temperature that counts as a rise."""
UNASKED = ("smoke",)
"""Budgets at which no maker has learnt enough to be judged."""


@dataclass(frozen=True)
class Check:
    """An expectation and its outcome.

    Attributes:
        name: Short.
        text: What was expected.
        holds: Whether it is met; None if it was not asked, or a maker that it is about not made.
        detail: The figures.
        asked: Whether the budget of the comparison is enough for it.
    """

    name: str
    text: str
    holds: bool | None
    detail: str
    asked: bool = True

    @property
    def outcome(self) -> str:
        """In words."""
        if not self.asked:
            return "not asked at this budget"
        return {True: "met", False: "failed", None: "not checked"}[self.holds]


Outcome = tuple[bool, str]
"""Whether an expectation is met, and the figures."""


class _NotMadeError(Exception):
    """A maker that an expectation is about has no such figure."""


def _figure(table: Summary, name: str, key: str) -> Interval:
    if key not in table.get(name, {}):
        raise _NotMadeError(label(name))
    return table[name][key]


def _words(table: Summary, name: str, key: str) -> str:
    """A maker's figure with its interval, in words."""
    figure, kind = _figure(table, name, key), COLUMNS[key.removeprefix(BEST)].kind
    text = f"{label(name)}: {written(figure.value, kind)}"
    if not figure.known:
        return text
    return f"{text} ({written(figure.low, kind)} to {written(figure.high, kind)})"


def _beats(table: Summary, better: str, worse: str, key: str, least: bool = False) -> Outcome:
    """Whether ``better`` has the higher (or lower) figure."""
    a, b = _figure(table, better, key), _figure(table, worse, key)
    holds = a.value < b.value if least else a.value > b.value
    apart = a.low > b.high or b.low > a.high
    overlap = "; the intervals overlap" if a.known and b.known and not apart else ""
    return holds, f"{_words(table, better, key)}; {_words(table, worse, key)}{overlap}"


def _is_last(table: Summary, name: str, key: str) -> Outcome:
    others = [n for n in table if split_name(n)[0] in MAKERS and n != name]
    if not others:
        raise _NotMadeError("any other")
    worst = min(others, key=lambda n: _figure(table, n, key).value)
    return _beats(table, name, worst, key, least=True)


def _follows_temperature(table: Summary, key: str, sign: int) -> Outcome:
    names = at_temperatures(table, "rnn")
    if len(names) < 3:
        raise _NotMadeError("char-RNN at three temperatures")
    values = [_figure(table, name, key).value for name in names.values()]
    rank = float(stats.spearmanr(list(names), values).statistic)
    return sign * rank >= TREND, (
        f"{', '.join(written(value, 'number') for value in values)} from T = {min(names):.2f} to "
        f"{max(names):.2f}; rank correlation {rank:.2f}"
    )


def _no_temperature_is_enough(table: Summary) -> Outcome:
    names = [n for maker in ("rnn", "imitator") for n in at_temperatures(table, maker).values()]
    if not names:
        raise _NotMadeError("char-RNN, imitator")
    wanted = _figure(table, "learner", "yield").value / 3
    best = max(names, key=lambda n: _figure(table, n, "yield").value)
    detail = f"{_words(table, 'learner', 'yield')}; at best {_words(table, best, 'yield')}"
    return table[best]["yield"].value < wanted, detail


def _stays_near(table: Summary, name: str) -> Outcome:
    detail = f"{_words(table, name, 'input_rank')} of the human works are nearer"
    return table[name]["input_rank"].value <= NEAR_INPUT, detail


def _state(expect: Callable[..., None]) -> None:
    """State each expectation: its name, its text, and the function and arguments that judge it."""
    # Entropy is not creativity.
    text = "random works come last on held-out quality"
    expect("random-last", text, _is_last, "random", "heldout_quality")
    # A higher temperature is the opposite of coherence.
    for key, title, sign in (("heldout_quality", "quality falls", -1),
                             ("novelty_human", "novelty rises", 1)):  # fmt: skip
        text = f"the char-RNN's {title} with temperature"
        expect(f"temperature-{key}", text, _follows_temperature, key, sign)
    # Sampling from what exists is not creativity, at any temperature.
    text = "no temperature of the char-RNN or the imitator reaches a third of the learner's yield"
    expect("temperature-yield", text, _no_temperature_is_enough)
    # A filter has no agency: its works are near its inputs.
    for maker in FILTERS:
        near = f"in the middle at most {NEAR_INPUT:.0%} of the human works are nearer"
        expect(f"{maker}-input", f"{label(maker)} stays near its input: {near}", _stays_near, maker)
        text = f"{label(maker)} adds little: nearer to some human work than new human works are"
        expect(f"{maker}-near", text, _beats, maker, "human", "nearest_human", True)
    # Learning pays: further works cost little, and none has to be thrown away.
    for rival in RIVALS:
        for kind, key, text in (
            ("yield", "yield", "in yield per unselected work"),
            ("selected", BEST + "yield", "in yield after equal selection (best tenth)"),
            ("cost", "seconds_per_1000", "in what 1,000 further works cost"),
        ):
            text = f"the learner beats {label(rival)} {text}"
            expect(f"learner-{rival}-{kind}", text, _beats, "learner", rival, key, kind == "cost")
    # AlphaGo was better than humans, and unlike them.
    text = "the learner's yield is above that of human outsiders"
    expect("learner-outsiders", text, _beats, "learner", "outsiders", "yield")


def check_all(table: Summary, budget: str) -> list[Check]:
    """Every expectation; those that fail first, those that could not be checked last.

    Args:
        table: The figures.
        budget: Of the comparison; with one of :data:`UNASKED` nothing is met or failed.
    """
    checks, asked = [], budget not in UNASKED

    def expect(name: str, text: str, judge: Callable[..., Outcome], *about: object) -> None:
        try:
            holds, detail = judge(table, *about)
            checks.append(Check(name, text, holds if asked else None, detail, asked))
        except _NotMadeError as error:
            checks.append(Check(name, text, None, f"not made: {error}"))

    _state(expect)
    rank = {False: 0, True: 1, None: 2}
    return sorted(checks, key=lambda check: rank[check.holds])
