"""Which concepts are known to whom, and which stand beside each other when one of 20 is asked for.

Frozen: made once by ``python -m benchmarks.recognisers lists``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources

import numpy as np

from move37.envs.drawing.designers.concepts import Concepts
from move37.envs.drawing.designers.labelled import Labelled

ROLES = ("practised", "withheld", "one-shot")
"""Practised: learnt by learners, reward and judges. Withheld: learnt by the judges alone. One-shot:
learnt by nobody."""
KEPT_OUT = 20
"""Concepts that are withheld, and as many that are for one-shot."""
HANDS = {"training": 2, "judging": 3}
"""Designers of each side that must have drawn a concept: judges that saw fewer judge badly."""
CHOICES = 20
DRAWS = 64
"""How often 20 concepts were drawn; work i is asked with draw i modulo 64."""
SEED = 1997


def read_lists() -> dict[str, tuple[str, ...]]:
    """The frozen lists: concepts by their role."""
    return {role: tuple(names) for role, names in _lines("known.txt")}


def read_draws() -> tuple[tuple[str, ...], ...]:
    """The frozen draws of 20 concepts that judges know; see :func:`choices_of`."""
    return tuple(tuple(names) for _, names in _lines("draws.txt"))


def choices_of(concept: str, i: int, draws: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The 20 concepts among which a judge chooses for work number i: its own and 19 of a draw."""
    others = (name for name in draws[i % len(draws)] if name != concept)
    return (concept, *[name for name, _ in zip(others, range(CHOICES - 1), strict=False)])


def concept_lines() -> list[str]:
    """A line for each concept: its name, who knows it, and other names it is found by."""
    concepts = Concepts.read()
    roles = {name: role for role, names in read_lists().items() for name in names}
    width = max(map(len, concepts.names))
    return [
        f"{name:{width}}  {roles.get(name, '-'):9}  {', '.join(others)}".rstrip()
        for name, others in zip(concepts.names, concepts.others, strict=True)
    ]


def _lines(name: str) -> Iterable[tuple[str, list[str]]]:
    file = resources.files("move37.envs.drawing.meaning") / name
    for line in file.read_text("utf-8").splitlines():
        head, _, names = line.partition(": ")
        yield head, names.split(", ")


def choose_lists(
    concepts: Concepts, training: Labelled, judging: Labelled
) -> Mapping[str, tuple[str, ...]]:
    """Give each concept that enough designers of both sides drew its role, by chance."""
    known = [
        name
        for i, name in enumerate(concepts.names)
        if _hands(training, i) >= HANDS["training"] and _hands(judging, i) >= HANDS["judging"]
    ]
    order = np.random.default_rng(SEED).permutation(len(known))
    cuts = {"one-shot": order[:KEPT_OUT], "withheld": order[KEPT_OUT : 2 * KEPT_OUT]}
    cuts["practised"] = order[2 * KEPT_OUT :]
    return {role: tuple(known[i] for i in sorted(cuts[role])) for role in ROLES}


def choose_draws(known: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Draw 20 of the concepts that judges know, 64 times."""
    rng = np.random.default_rng(SEED)
    rows = (rng.permutation(len(known))[:CHOICES] for _ in range(DRAWS))
    return {str(i): tuple(known[j] for j in row) for i, row in enumerate(rows)}


def _hands(side: Labelled, concept: int) -> int:
    return len(set(side.designers[(side.concepts == concept) & side.whole].tolist()))


def text_of(lists: Mapping[str, Iterable[str]]) -> str:
    """The file of lists."""
    return "".join(f"{head}: {', '.join(names)}\n" for head, names in lists.items())
