"""The lines of a comparison: makers by name, at each temperature they are sampled at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from move37.agents.makers.maker import find_factory, known_makers

TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)
SHIFT_TEMPERATURES = (1.0, 1.5)
"""Temperatures at which the shift is measured: as fitted, and a high one as a control."""
FIXED = ("human", "outsiders", "noise")
"""Works that are measured but not made by a maker."""


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        name: In the table and the files.
        maker: One of :func:`known_makers`, ``module:function``, or ``imitator``.
        temperature: At which it is sampled; None if it has none.
        timed: Whether its budget is the learner's CPU time instead of its number of works.
    """

    name: str
    maker: str
    temperature: float | None = None
    timed: bool = False

    @property
    def key(self) -> str:
        """Name of what is fitted: the lines of one maker at several temperatures share it."""
        return self.name if self.temperature is None else self.maker


def all_entries() -> list[Entry]:
    """Every line of the known makers, in the order in which they are made."""
    makers = known_makers()
    out = [entry for maker in ("imitator", *makers) for entry in _entries_of(maker)]
    if "evolution" in makers and "learner" in makers:
        out.append(Entry("evolution_time", "evolution", timed=True))
    return out


def _entries_of(maker: str) -> list[Entry]:
    if maker in ("imitator", "rnn"):
        return [Entry(f"{maker}_t{t:.2f}", maker, t) for t in TEMPERATURES]
    return [Entry(maker, maker)]


def chosen_entries(only: Sequence[str], others: Sequence[str] = ()) -> list[Entry]:
    """The lines of a comparison.

    Args:
        only: Names of known makers or of single lines.
        others: Further makers, each a name as in ``only`` or ``module:function``. If both are
            empty, all known makers take part.

    Raises:
        ValueError: If a name is unknown, or stands for two makers.
    """
    entries = all_entries()
    known = dict.fromkeys([*(e.maker for e in entries), *(e.name for e in entries)])
    names = {*only, *(name for name in others if ":" not in name)}
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is none of {', '.join(known)}, and no module:function")
    if only or others:
        entries = [e for e in entries if e.name in names or e.maker in names]
    for entry_point in dict.fromkeys(name for name in others if ":" in name):
        find_factory(entry_point)
        name = short_name(entry_point)
        if name in known or name in FIXED or any(name == e.name for e in entries):
            raise ValueError(f"{entry_point}: there is already a maker named {name!r}")
        entries.append(Entry(name, entry_point))
    return entries


def short_name(entry_point: str) -> str:
    """The name of a maker given as ``module:function``: its function, or its file if that is make.

    ``package.markov:make`` is ``markov``, ``package.markov:second_order`` is ``second_order``.
    """
    module, _, function = entry_point.partition(":")
    return module.rpartition(".")[2] if function == "make" else function
