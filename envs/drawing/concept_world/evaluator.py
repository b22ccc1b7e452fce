"""The frozen judges of drawings of named things, and the meaningful yield that they define."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works, write_atomically
from move37.envs.drawing.concept_world.briefs import concepts_of
from move37.envs.drawing.concept_world.reward import paid_recognition
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.meaning.judges import Strangers
from move37.envs.drawing.rules.form import form_quality
from move37.envs.drawing.rules.originality import Originality, stroke_facts
from move37.envs.judging.evaluator import Evaluator, Measures
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.storage import StorageError, read_json

FAR = 1.0
"""Unlikeness from which on a work is further from human drawings than these usually lie apart."""
SAMPLE = 200
"""The first so many works are asked for idle strokes, and all that meet everything else."""
DESIGNER = "designer"
"""Term of human works: the place of who drew them among the strangers' human drawings."""


class ConceptEvaluator(Evaluator):
    """Measures drawings that are to show a concept; see :class:`Evaluator`.

    A work counts for ``meaningful_yield`` if strangers name it rightly; it is novel (at or above
    the human 95th percentile) and further from every human drawing of its concept than designers'
    drawings of one concept lie apart in the middle; form is at least the human lower quartile; at
    most a third of it is copied; it has no larger share of idle strokes than the human upper
    quartile; and it is no repeat. ``meaningful_yield_95`` asks for the 95th percentile of what
    designers' drawings of one concept lie apart. ``idle_strokes`` is slow to measure, and nan for
    works beyond the first 200 that fail for another reason. ``yield`` is ``meaningful_yield``,
    ``yield_loose`` the same without idle strokes.

    Args:
        human: The works that novelty and copying are measured against.
        held_out: Human drawings of concepts that nothing was fitted to; they set the thresholds.
        descriptor: A saved one; fitted to ``human`` if None.
        idle_at_most: The human upper quartile of the share of idle strokes, if it is known.
    """

    copied_at_most = 1 / 3
    watched = 96
    averaged = (
        *Evaluator.averaged, "meaningful_yield", "meaningful_yield_95", "named", "named_of_20",
        "agreed", "idle_strokes", "recognition_gap", "novel", "far", "closed_ends",
    )  # fmt: skip
    counted = ("moves", "strokes")

    def __init__(
        self,
        human: Works,
        held_out: Works,
        descriptor: PrincipalComponents | None = None,
        idle_at_most: float | None = None,
    ) -> None:
        self.strangers = Strangers.load()
        self.originality = Originality(human.moves)
        descriptor = descriptor or PrincipalComponents.fit(features_of, human, N_COMPONENTS)
        super().__init__(human, held_out, descriptor)
        if idle_at_most is None:
            idle_at_most = float(np.quantile(self._idle(held_out), 0.75))
        self.idle_at_most = idle_at_most

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the probability of the concept that strangers see; 0 of no concept."""
        classes = self.strangers.classes_of(concepts_of(works.briefs))
        said = self.strangers.judges.probability(works.moves, np.maximum(classes, 0))[:, 0]
        return np.where(classes >= 0, said, 0.0)

    def _shown(self, works: Works) -> Measures:
        own = works.appraisal.get(DESIGNER)
        designers = None if own is None else own.astype(np.int64)
        found = self.strangers.measure(works, concepts_of(works.briefs), designers)
        return {key: np.nan_to_num(values, nan=0.0, posinf=np.inf) for key, values in found.items()}

    def _idle(self, works: Works) -> NDArray[np.float64]:
        """Shares of idle strokes (N,)."""
        idle = self.strangers.idle(works, concepts_of(works.briefs))
        return np.array([row.mean() if len(row) else 0.0 for row in idle])

    def form(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the rules of form say."""
        return form_quality(works)["form"]

    def copied(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the copied share of the drawn length."""
        return self.originality.copied(works.moves)

    def facts(self, works: Works) -> Measures:
        """What strangers say, and counts of moves and strokes."""
        shown = self._shown(works)
        return {
            **shown,
            "recognition_gap": paid_recognition(works) - shown["probability"],
            **stroke_facts(works.moves),
        }

    def measure(self, works: Works, descriptors: NDArray[np.float32] | None = None) -> Measures:
        """See :class:`Evaluator`, and the class."""
        out = super().measure(works, descriptors)
        bar = self.thresholds
        out["novel"] = (out["novelty_human"] >= bar.novelty).astype(np.float64)
        out["far"] = (out["unlike"] > FAR).astype(np.float64)
        counts = (
            (out["named"] > 0) & (out["novel"] > 0) & (out["far"] > 0) & (out["repeats"] == 0)
            & (out["form"] >= bar.form) & (out["copied"] <= self.copied_at_most)
        )  # fmt: skip
        asked = np.flatnonzero(counts | (np.arange(len(works)) < SAMPLE))
        out["idle_strokes"] = np.full(len(works), np.nan)
        out["idle_strokes"][asked] = self._idle(works[asked])
        whole = counts & (out["idle_strokes"] <= self.idle_at_most)
        far = self.strangers.unlikeness.far
        out["yield_loose"] = counts.astype(np.float64)
        out["yield"] = out["meaningful_yield"] = whole.astype(np.float64)
        out["meaningful_yield_95"] = (whole & (out["unlike"] > far)).astype(np.float64)
        return out

    def summarise(self, measured: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
        """See :class:`Evaluator`; unlikeness is that of works whose concept somebody drew."""
        found = {**measured, "idle_strokes": measured["idle_strokes"][:SAMPLE]}
        apart = found["unlike"]
        found["unlike"] = apart[np.isfinite(apart)] if np.isfinite(apart).any() else np.zeros(1)
        return super().summarise(found)

    def save_judge(self, folder: Path) -> None:
        """Write the human level of idle strokes; the strangers come with Move37."""
        text = json.dumps({"idle_at_most": self.idle_at_most})
        write_atomically(folder / "judge.json", text.encode())

    @classmethod
    def load(cls, folder: Path) -> ConceptEvaluator:
        """Read what :meth:`save` wrote."""
        human, held_out = cls.load_human(folder)
        descriptor = PrincipalComponents.load(folder / "descriptor.npz", features_of, human)
        found = read_json(folder / "judge.json").get("idle_at_most")
        if not isinstance(found, float) or not 0 <= found <= 1:
            raise StorageError(f"{folder / 'judge.json'}: idle_at_most is {found!r:.40}")
        return cls(human, held_out, descriptor, found)
