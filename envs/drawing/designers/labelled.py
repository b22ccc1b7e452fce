"""Many hands that drew the same things: drawings with the concept each shows, by designer.

What one designer drew stands on one side alone, and so do forks: Material Design Icons grew out of
Google's, Lucide out of Feather; Fluent and Codicons are one company's, Typicons and microns one
man's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works, join_works
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.designers.concepts import Concepts

TRAINING = (
    "tabler", "phosphor", "boxicons", "ionicons", "lineicons", "rpg", "ligature", "eva",
)  # fmt: skip
"""Designers that imitation and reward learn from."""
JUDGING = (
    "mdi", "material", "lucide", "bootstrap", "fluent", "codicons", "elusive", "iconoir",
)  # fmt: skip
"""Designers that the judges learn from; they never give reward."""
OUTSIDERS = ("fontawesome", "remix", "heroicons", "typicons", "microns")
"""Designers that nothing learns from: for bars and tables."""
INSTALLED = tuple(name for name in TRAINING + JUDGING + OUTSIDERS if name != "iconoir")
"""Designers whose drawings are installed with Move37: what new drawings are compared with."""
NONE = -1
"""Stands for the concept of a drawing that shows none of the list."""


@dataclass(frozen=True)
class Labelled:
    """N drawings and what they show.

    Attributes:
        works: The drawings, named as their designers named them.
        concepts: (N,) int64: the concept's number in the list; -1 for none.
        whole: (N,) bool: whether the drawing shows its concept and nothing else; a calendar with a
            plus is a calendar, but not a whole one.
        designers: (N,) int64: place in ``names``.
        names: Of the designers.
    """

    works: Works
    concepts: NDArray[np.int64]
    whole: NDArray[np.bool_]
    designers: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.works)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Labelled:
        return Labelled(
            self.works[rows], self.concepts[rows], self.whole[rows], self.designers[rows],
            self.names,
        )  # fmt: skip

    def by(self, names: tuple[str, ...]) -> Labelled:
        """The drawings of some of the designers."""
        return self[np.isin(self.designers, [self.names.index(name) for name in names])]


@cache
def installed_drawings() -> Labelled:
    """Drawings of all designers that are installed with Move37, labelled by its own concepts."""
    return load_labelled(INSTALLED, Concepts.read())


def load_labelled(
    names: tuple[str, ...], concepts: Concepts, cache_dir: Path | None = None
) -> Labelled:
    """Drawings of some designers, each drawing once.

    Args:
        names: Of the corpora: see :func:`move37.envs.drawing.corpus.icons.load_corpus`.
        concepts: What drawings are labelled with, by their names.
        cache_dir: Folder of the cache; None for the user's.

    Raises:
        CorpusError: If a corpus is unknown or not installed.
    """
    parts: list[Works] = []
    designers: list[int] = []
    for i, name in enumerate(names):
        works = load_corpus(name, cache_dir=cache_dir).works
        _, first = np.unique(works.moves, axis=0, return_index=True)
        parts.append(works[np.sort(first)])
        designers += [i] * len(first)
    works = join_works(parts)
    exact = np.array([concepts.number(name) for name in works.names], np.int64)
    part = np.array([concepts.part_number(name) for name in works.names], np.int64)
    return Labelled(
        works, np.where(exact >= 0, exact, part), exact >= 0, np.array(designers, np.int64), names
    )
