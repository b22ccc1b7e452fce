"""Strangers: what networks that never gave reward say a drawing shows, and how new it is as that.

They learnt from other designers than any learner and any reward; see ``docs/data.md``.
"""

from __future__ import annotations

from functools import cache, cached_property
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.drawing.designers.concepts import Concepts
from move37.envs.drawing.designers.labelled import Labelled, installed_drawings
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.meaning.lists import choices_of, read_draws
from move37.envs.drawing.meaning.recognisers import Recognisers, stroke_bounds
from move37.envs.drawing.meaning.unlike import Unlikeness
from move37.envs.drawing.rules.form import form_quality
from move37.envs.drawing.rules.originality import Originality
from move37.envs.judging.evaluator import Measures, human_novelty
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import NoveltyArchive

K_NEIGHBORS = 15
REWARD = ("reward-1", "reward-2")
JUDGES = ("judge-1", "judge-2")


@cache
def load_recognisers(names: tuple[str, ...]) -> Recognisers:
    """The recognisers of these names that come with Move37."""
    folder = resources.files("move37.envs.drawing.meaning") / "weights"
    return Recognisers.load([Path(str(folder / f"{name}.safetensors")) for name in names])


class Strangers:
    """Judges of meaning, and the human drawings that works are compared with.

    Args:
        judges: Networks that never gave reward.
        concepts: The list by whose numbers concepts are called.
        human: Drawings of many designers.

    Attributes:
        judges: The networks.
        concepts: The list.
        human: The drawings.
    """

    def __init__(self, judges: Recognisers, concepts: Concepts, human: Labelled) -> None:
        self.judges, self.concepts, self.human = judges, concepts, human
        self._classes = judges.classes_of(concepts.names)
        self._draws = read_draws()

    @classmethod
    def load(cls) -> Strangers:
        """Those that come with Move37, with all drawings that are installed with it."""
        return cls(load_recognisers(JUDGES), Concepts.read(), installed_drawings())

    @cached_property
    def unlikeness(self) -> Unlikeness:
        """Distances to human drawings of the same concept."""
        return Unlikeness(self.human)

    @cached_property
    def _archive(self) -> tuple[PrincipalComponents, NoveltyArchive, float]:
        works = self.human.works
        descriptor = PrincipalComponents.fit(features_of, works, N_COMPONENTS)
        x = descriptor(works)
        among = human_novelty(x, K_NEIGHBORS)
        scale = float(np.median(among))
        archive = NoveltyArchive(descriptor.dim, K_NEIGHBORS, scale=scale)
        archive.pin(x)
        return descriptor, archive, float(np.quantile(among, 0.95)) / scale

    @property
    def novel_from(self) -> float:
        """95th percentile of human drawings' novelty among each other."""
        return self._archive[2]

    @cached_property
    def _originality(self) -> Originality:
        return Originality(self.human.works.moves)

    def classes_of(self, concepts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The judges' classes (N,) of concepts by their numbers (N,); -1 if they know it not."""
        return np.asarray(self._classes[concepts], np.int64)

    def name(self, moves: NDArray[np.int16]) -> NDArray[np.float32]:
        """Probabilities (N, C + 1) of the judges' concepts and of "nothing"."""
        return self.judges(moves)

    def idle(self, works: Works, concepts: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
        """For each drawing, which of its strokes (S,) nobody needs to see that it is its concept.

        None is, where the judges do not know the concept; see :meth:`Recognisers.idle_strokes`.
        """
        classes = self.classes_of(concepts)
        found = [np.zeros(len(stroke_bounds(row)), np.bool_) for row in works.moves]
        known = np.flatnonzero(classes >= 0)
        said = self.judges.idle_strokes(works.moves[known], classes[known])
        for i, idle in zip(known, said, strict=True):
            found[i] = idle
        return found

    def measure(
        self,
        works: Works,
        concepts: NDArray[np.int64],
        designers: NDArray[np.int64] | None = None,
    ) -> Measures:
        """What is said of drawings that are to show something.

        ``named`` is 1 where the judges' first choice among all they know, "nothing" included, is
        the concept; ``named_of_20`` where it is so among 20 (:func:`choices_of`); ``probability``
        is that of the concept. All three are nan where the judges do not know it. ``agreed`` is 1
        where the judges' first choices are one. ``unlike`` is the distance to the nearest human
        drawing of the concept, see :class:`Unlikeness`; inf where nobody drew it.

        Args:
            works: N drawings.
            concepts: (N,) int64: by their numbers.
            designers: (N,) int64: places in ``human.names``, whose own drawings are taken out of
                what ``unlike`` compares with; None: nobody's.
        """
        each = self.judges.each(works.moves)
        said, n = each.mean(axis=0), np.arange(len(works))
        classes = self.classes_of(concepts)
        out = {
            "probability": said[n, classes].astype(np.float64),
            "named": (said.argmax(axis=1) == classes).astype(np.float64),
            "named_of_20": self._named_of_20(said, classes).astype(np.float64),
        }
        for values in out.values():
            values[classes < 0] = np.nan
        firsts = each.argmax(axis=2)
        out["agreed"] = (firsts == firsts[0]).all(axis=0).astype(np.float64)
        apart, _ = self.unlikeness.nearest(works.moves, concepts, 1, designers)
        out["unlike"] = np.where(concepts >= 0, apart[:, 0], np.inf)
        return out

    def _named_of_20(
        self, said: NDArray[np.float32], classes: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        out = np.zeros(len(said), np.bool_)
        for i in np.flatnonzero(classes >= 0).tolist():
            names = choices_of(self.judges.names[classes[i]], i, self._draws)
            out[i] = said[i, [self.judges.class_of(name) for name in names]].argmax() == 0
        return out

    def compare(self, works: Works) -> Measures:
        """Novelty among all human drawings, form, and the copied share, whatever works show."""
        descriptor, archive, _ = self._archive
        return {
            "novelty_human": archive.novelty(descriptor(works)),
            "form": form_quality(works)["form"],
            "copied": self._originality.copied(works.moves),
        }
