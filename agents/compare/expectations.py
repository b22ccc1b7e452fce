"""What the comparison should show, written down before it was made; failures are reported first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy import stats

from move37.agents.compare.columns import BEST, COLUMNS, label, written
from move37.agents.compare.table import Figure, Table

CONTRASTS = ("random", "rnn", "imitator", "gan", "inceptionism", "deep_style", "rl_imitation",
             "selection", "evolution", "collage", "learner")  # fmt: skip
"""Makers of the essay, by the beginning of their names: those that are no humans and not added."""
FILTERS = ("inceptionism", "deep_style")
RIVALS = ("selection", "evolution", "evolution_time")
NEAR_INPUT = 0.01
"""A filtered work is near its input if no more human works than so many are nearer."""
TREND = 0.8
"""A rank correlation with temperature of at least so much is a rise."""


@dataclass(frozen=True)
class Check:
    """An expectation, and what came out.

    Attributes:
        name: Short.
        text: What was expected.
        holds: Whether it came out so; None if a maker that it takes was not made.
        detail: The figures.
    """

    name: str
    text: str
    holds: bool | None
    detail: str


def _missing(name: str, text: str, *makers: str) -> Check:
    return Check(name, text, None, f"not made: {', '.join(makers)}")


def _said(table: Table, name: str, key: str) -> str:
    figure = table[name][key]
    kind = COLUMNS[key.removeprefix(BEST)].kind
    text = f"{label(name)}: {written(figure.mean, kind)}"
    if figure.low is None:
        return text
    return f"{text} ({written(figure.low, kind)} to {written(figure.high, kind)})"


def _apart(a: Figure, b: Figure) -> str:
    if None in (a.low, a.high, b.low, b.high):
        return ""
    assert a.low is not None and a.high is not None and b.low is not None and b.high is not None
    return "" if a.low > b.high or b.low > a.high else "; the intervals overlap"


def _beats(
    table: Table, name: str, text: str, better: str, worse: str, key: str, least: bool = False
) -> Check:
    """Whether ``better`` has the higher (or lower) figure."""
    absent = [m for m in (better, worse) if m not in table or key not in table[m]]
    if absent:
        return _missing(name, text, *absent)
    a, b = table[better][key], table[worse][key]
    holds = a.mean < b.mean if least else a.mean > b.mean
    detail = f"{_said(table, better, key)}; {_said(table, worse, key)}{_apart(a, b)}"
    return Check(name, text, holds, detail)


def random_is_last(table: Table) -> list[Check]:
    """Entropy is not creativity."""
    name, text = "random-last", "random works come last on held-out quality"
    others = [n for n in table if n.startswith(CONTRASTS) and n != "random"]
    if "random" not in table or not others:
        return [_missing(name, text, "random" if "random" not in table else "any other")]
    worst = min(others, key=lambda n: table[n]["heldout_quality"].mean)
    return [_beats(table, name, text, "random", worst, "heldout_quality", least=True)]


def temperature_trades(table: Table) -> list[Check]:
    """A higher temperature is the opposite of coherence."""
    out = []
    names = sorted(n for n in table if n.startswith("rnn_t"))
    for key, title, sign in (("heldout_quality", "quality falls", -1),
                             ("novelty_human", "novelty rises", 1)):  # fmt: skip
        name, text = f"temperature-{key}", f"the char-RNN's {title} with temperature"
        if len(names) < 3:
            out.append(_missing(name, text, "char-RNN at three temperatures"))
            continue
        means = [table[n][key].mean for n in names]
        found = float(stats.spearmanr(range(len(means)), means).statistic)
        values = ", ".join(written(m, "number") for m in means)
        detail = (
            f"{values} from T = {names[0][5:]} to {names[-1][5:]}; rank correlation {found:.2f}"
        )
        out.append(Check(name, text, sign * found >= TREND, detail))
    return out


def no_temperature_is_enough(table: Table) -> list[Check]:
    """Sampling from what exists is not creativity, at any temperature."""
    name = "temperature-yield"
    text = "no temperature of the char-RNN or the imitator reaches a third of the learner's yield"
    names = [n for n in table if n.startswith(("rnn_t", "imitator_t"))]
    if "learner" not in table or not names:
        return [_missing(name, text, "learner" if "learner" not in table else "char-RNN, imitator")]
    best = max(names, key=lambda n: table[n]["yield"].mean)
    holds = table[best]["yield"].mean < table["learner"]["yield"].mean / 3
    detail = f"{_said(table, 'learner', 'yield')}; at best {_said(table, best, 'yield')}"
    return [Check(name, text, holds, detail)]


def filters_stay_near(table: Table) -> list[Check]:
    """A filter has no agency: what it gives lies near what it was given."""
    out = []
    for maker in FILTERS:
        name = f"{maker}-input"
        text = f"{label(maker)} stays near its input: in the middle at most {NEAR_INPUT:.0%} of " \
               "the human works are nearer"  # fmt: skip
        if maker not in table or "input_rank" not in table[maker]:
            out.append(_missing(name, text, maker))
        else:
            detail = f"{_said(table, maker, 'input_rank')} of the human works are nearer"
            holds = table[maker]["input_rank"].mean <= NEAR_INPUT
            out.append(Check(name, text, holds, detail))
        out.append(
            _beats(table, f"{maker}-near", f"{label(maker)} adds little: nearer to some human work "
                   "than new human works are", maker, "human", "nearest_human", least=True)
        )  # fmt: skip
    return out


def learner_beats_search(table: Table) -> list[Check]:
    """Learning pays: the next work costs nothing, and no work has to be thrown away."""
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


def learner_beats_outsiders(table: Table) -> list[Check]:
    """What AlphaGo did: better than other humans, and unlike the first ones."""
    return [
        _beats(table, "learner-outsiders", "the learner's yield is above that of human outsiders",
               "learner", "outsiders", "yield")
    ]  # fmt: skip


EXPECTATIONS: list[Callable[[Table], list[Check]]] = [
    random_is_last,
    temperature_trades,
    no_temperature_is_enough,
    filters_stay_near,
    learner_beats_search,
    learner_beats_outsiders,
]
"""Further ones are added here; each may give several checks."""


def check_all(table: Table) -> list[Check]:
    """Every expectation; those that fail first, those that could not be checked last."""
    checks = [check for expectation in EXPECTATIONS for check in expectation(table)]
    rank = {False: 0, True: 1, None: 2}
    return sorted(checks, key=lambda check: rank[check.holds])
