"""What a comparison should show, written down before the first one; failures are reported first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy import stats

from move37.agents.compare.columns import (
    BEST,
    COLUMNS,
    at_temperatures,
    label,
    split_name,
    written,
)
from move37.agents.compare.results import Summary
from move37.novelty.statistics import Interval

MAKERS = (
    "random", "rnn", "imitator", "gan", "inceptionism", "deep_style", "rl_imitation", "selection",
    "evolution", "evolution_time", "collage", "learner",
)  # fmt: skip
"""The built-in makers, for which the expectations were written."""
FILTERS = ("inceptionism", "deep_style")
RIVALS = ("selection", "evolution", "evolution_time")
NEAR_INPUT = 0.01
"""A filtered work is near its input if at most this share of human works is nearer."""
TREND = 0.8
"""The least rank correlation with temperature that counts as a rise."""


@dataclass(frozen=True)
class Check:
    """An expectation and its outcome.

    Attributes:
        name: Short.
        text: What was expected.
        holds: Whether it is met; None if a maker that it is about was not made.
        detail: The figures.
    """

    name: str
    text: str
    holds: bool | None
    detail: str


def _missing(name: str, text: str, *makers: str) -> Check:
    return Check(name, text, None, f"not made: {', '.join(map(label, makers))}")


def _figure(table: Summary, name: str, key: str) -> str:
    """A maker's figure with its interval, in words."""
    figure = table[name][key]
    kind = COLUMNS[key.removeprefix(BEST)].kind
    text = f"{label(name)}: {written(figure.value, kind)}"
    if not figure.known:
        return text
    return f"{text} ({written(figure.low, kind)} to {written(figure.high, kind)})"


def _overlap(a: Interval, b: Interval) -> str:
    apart = a.low > b.high or b.low > a.high
    return "; the intervals overlap" if a.known and b.known and not apart else ""


def _beats(
    table: Summary, name: str, text: str, better: str, worse: str, key: str, least: bool = False
) -> Check:
    """Whether ``better`` has the higher (or lower) figure."""
    absent = [m for m in (better, worse) if m not in table or key not in table[m]]
    if absent:
        return _missing(name, text, *absent)
    a, b = table[better][key], table[worse][key]
    holds = a.value < b.value if least else a.value > b.value
    detail = f"{_figure(table, better, key)}; {_figure(table, worse, key)}{_overlap(a, b)}"
    return Check(name, text, holds, detail)


def random_is_last(table: Summary) -> list[Check]:
    """Entropy is not creativity."""
    name, text = "random-last", "random works come last on held-out quality"
    others = [n for n in table if split_name(n)[0] in MAKERS and n != "random"]
    if "random" not in table or not others:
        return [_missing(name, text, "random" if "random" not in table else "any other")]
    worst = min(others, key=lambda n: table[n]["heldout_quality"].value)
    return [_beats(table, name, text, "random", worst, "heldout_quality", least=True)]


def temperature_trades(table: Summary) -> list[Check]:
    """A higher temperature is the opposite of coherence."""
    out = []
    names = at_temperatures(table, "rnn")
    for key, title, sign in (("heldout_quality", "quality falls", -1),
                             ("novelty_human", "novelty rises", 1)):  # fmt: skip
        name, text = f"temperature-{key}", f"the char-RNN's {title} with temperature"
        if len(names) < 3:
            out.append(_missing(name, text, "char-RNN at three temperatures"))
            continue
        values = [table[n][key].value for n in names.values()]
        rank = float(stats.spearmanr(list(names), values).statistic)
        detail = (
            f"{', '.join(written(value, 'number') for value in values)} from T = {min(names):.2f} "
            f"to {max(names):.2f}; rank correlation {rank:.2f}"
        )
        out.append(Check(name, text, sign * rank >= TREND, detail))
    return out


def no_temperature_is_enough(table: Summary) -> list[Check]:
    """Sampling from what exists is not creativity, at any temperature."""
    name = "temperature-yield"
    text = "no temperature of the char-RNN or the imitator reaches a third of the learner's yield"
    names = [n for maker in ("rnn", "imitator") for n in at_temperatures(table, maker).values()]
    if "learner" not in table or not names:
        return [_missing(name, text, "learner" if "learner" not in table else "char-RNN, imitator")]
    best = max(names, key=lambda n: table[n]["yield"].value)
    holds = table[best]["yield"].value < table["learner"]["yield"].value / 3
    detail = f"{_figure(table, 'learner', 'yield')}; at best {_figure(table, best, 'yield')}"
    return [Check(name, text, holds, detail)]


def filters_stay_near(table: Summary) -> list[Check]:
    """A filter has no agency: its works are near its inputs."""
    out = []
    for maker in FILTERS:
        name = f"{maker}-input"
        text = f"{label(maker)} stays near its input: in the middle at most {NEAR_INPUT:.0%} of " \
               "the human works are nearer"  # fmt: skip
        if maker not in table or "input_rank" not in table[maker]:
            out.append(_missing(name, text, maker))
        else:
            detail = f"{_figure(table, maker, 'input_rank')} of the human works are nearer"
            holds = table[maker]["input_rank"].value <= NEAR_INPUT
            out.append(Check(name, text, holds, detail))
        out.append(
            _beats(table, f"{maker}-near", f"{label(maker)} adds little: nearer to some human work "
                   "than new human works are", maker, "human", "nearest_human", least=True)
        )  # fmt: skip
    return out


def learner_beats_search(table: Summary) -> list[Check]:
    """Learning pays: further works cost little, and none has to be thrown away."""
    out = []
    for rival in RIVALS:
        for key, text, least in (
            ("yield", "in yield per unselected work", False),
            (BEST + "yield", "in yield after equal selection (best tenth)", False),
            ("seconds_per_1000", "in what 1,000 further works cost", True),
        ):
            kind = "cost" if least else "selected" if key.startswith(BEST) else "yield"
            out.append(
                _beats(table, f"learner-{rival}-{kind}", f"the learner beats {label(rival)} {text}",
                       "learner", rival, key, least)
            )  # fmt: skip
    return out


def learner_beats_outsiders(table: Summary) -> list[Check]:
    """AlphaGo was better than humans, and unlike them."""
    return [
        _beats(table, "learner-outsiders", "the learner's yield is above that of human outsiders",
               "learner", "outsiders", "yield")
    ]  # fmt: skip


EXPECTATIONS: list[Callable[[Summary], list[Check]]] = [
    random_is_last,
    temperature_trades,
    no_temperature_is_enough,
    filters_stay_near,
    learner_beats_search,
    learner_beats_outsiders,
]
"""Further ones are added here; each may give several checks."""


def check_all(table: Summary) -> list[Check]:
    """Every expectation; those that fail first, those that could not be checked last."""
    checks = [check for expectation in EXPECTATIONS for check in expectation(table)]
    rank = {False: 0, True: 1, None: 2}
    return sorted(checks, key=lambda check: rank[check.holds])
