"""The world of drawing named things; see :class:`move37.envs.base.world.World`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.splits import Splits
from move37.envs.base.works import Works
from move37.envs.base.world import Evaluator
from move37.envs.drawing.concept_world.boards import WORLD, ConceptSimulator
from move37.envs.drawing.concept_world.briefs import concepts_of, exemplars_of, make_briefs
from move37.envs.drawing.concept_world.evaluator import DESIGNER, ConceptEvaluator
from move37.envs.drawing.concept_world.human import HumanDrawings, join_drawings, load_human
from move37.envs.drawing.concept_world.network import ConceptNetwork
from move37.envs.drawing.concept_world.reward import MeaningReward, Recognised, paid_recognition
from move37.envs.drawing.corpus.reading import read_brief
from move37.envs.drawing.designers.labelled import (
    INSTALLED,
    JUDGING,
    OUTSIDERS,
    Labelled,
    installed_drawings,
)
from move37.envs.drawing.judging.mode_collapse import InkCollapse
from move37.envs.drawing.moves import MAX_MOVES
from move37.envs.drawing.world import DrawingWorld
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.reward import LearningReward, reward_archive

CAP = 1.15
"""Novelty counts up to this multiple of the human 95th percentile."""
ANSWERS = 8
"""Works that answer one brief, one after the other: their mean is each other's baseline."""


class ConceptsWorld(DrawingWorld):
    """Human drawings of named things by the training designers.

    ``held_out`` is one drawing of each practised concept; ``judged_from`` are drawings of these
    concepts that judges learnt from, ``outsiders`` those by designers that nothing learnt from.
    Exams lay the held-out drawings as exemplars, or drawings of concepts that were never practised.
    """

    id = WORLD
    simulator_class = ConceptSimulator
    env_id = "Move37/Drawing-v1"
    by_concept = True
    exam_splits = ("held_out", "withheld", "one_shot")
    ppo: ClassVar[Mapping[str, Any]] = {
        "kl_weight": 0.015, "value_network": "own", "gae_lambda": 0.97,
    }  # fmt: skip

    @cached_property
    def human(self) -> HumanDrawings:
        """The human drawings, by what they are for."""
        return load_human()

    def load_splits(self) -> Splits:
        """The drawings of the training designers, and of outsiders."""
        human = self.human
        train = join_drawings(human)
        if self.limit:
            train = self._some(train, self.limit)
        everybody = installed_drawings()
        practised = np.isin(everybody.concepts, np.unique(human.named.concepts))
        named = everybody[everybody.whole & practised]
        outsiders = _measured(named.by(OUTSIDERS))
        digest = hashlib.sha256()
        for works in (train, human.held_out.works):
            digest.update(np.ascontiguousarray(works.moves, "<i2").tobytes())
        return Splits(
            train=train,
            held_out=_measured(human.held_out),
            judge=_measured(named.by(tuple(n for n in JUDGING if n in INSTALLED))),
            outsiders=self._some(outsiders, self.limit or len(outsiders)),
            fingerprint=digest.hexdigest(),
        )

    def _some(self, works: Works, n: int) -> Works:
        order = np.random.default_rng(self.seed).permutation(len(works))
        return works[np.sort(order[:n])]

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works of one epoch of imitation, each with an exemplar."""
        works = self.human.pairs(np.random.default_rng((seed, epoch)))
        if not self.limit:
            return works
        order = np.random.default_rng((seed, epoch, 1)).permutation(len(works))
        return works[np.sort(order[: self.limit])]

    def boards(self, n: int, split: str) -> ConceptSimulator:
        """N boards with exemplars of a split."""
        human = self.human
        if split == "train":
            return ConceptSimulator(n, human.practice_briefs)
        drawings = {
            "held_out": human.held_out, "withheld": human.withheld, "one_shot": human.one_shot
        }[split]  # fmt: skip
        return ConceptSimulator(n, human.briefs(drawings))

    def practice(self, n: int) -> ConceptSimulator:
        """N boards to learn on: eight answers to every brief."""
        return ConceptSimulator(n, self.human.practice_briefs, group=ANSWERS)

    def groups(self, works: Works) -> NDArray[np.int64]:
        """The concepts of works (N,), by their numbers."""
        return concepts_of(works.briefs)

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 578), features (N, ``n_features``))."""
        return ConceptNetwork(dropout=dropout)

    def concept_briefs(
        self,
        name: str,
        n: int,
        rng: np.random.Generator,
        brief: NDArray[np.int16] | None = None,
    ) -> NDArray[np.int16]:
        """Briefs (n, 98) of a concept, by any of its names, with exemplars of training designers.

        Args:
            name: Of the concept.
            n: How many.
            rng: Chooses the exemplars.
            brief: One (98,) whose exemplar all have; None: human drawings in turn.

        Raises:
            ValueError: If there is no such concept, or nobody drew it and there is no exemplar.
        """
        number = self.human.concepts.find(name)
        if brief is not None:
            return make_briefs(np.full(n, number), np.tile(exemplars_of(brief[None]), (n, 1)))
        drawn = self.human.drawings_of(number)
        if not len(drawn):
            raise ValueError(
                f"{name}: no designer that learners learn from drew it; give a drawing by --unlike"
            )
        rows = np.resize(rng.permutation(len(drawn)), n)
        return make_briefs(np.full(n, number), drawn[rows])

    @staticmethod
    def read_brief(path: Path) -> tuple[NDArray[np.int16], list[str]]:
        """A user's drawing as the exemplar of a brief, whatever it shows."""
        moves, said = read_brief(path)
        if len(moves) > MAX_MOVES:
            raise ValueError(f"{path}: {len(moves)} moves, at most {MAX_MOVES} fit")
        return make_briefs(np.array([-1]), moves[None])[0], said

    @staticmethod
    def load_evaluator(folder: Path) -> ConceptEvaluator:
        """The frozen judges, with the human works that a run saved."""
        return ConceptEvaluator.load(folder)

    def fit_evaluator(self, updates: int, pools: int = 4) -> ConceptEvaluator:
        """The frozen judges: the same for every run, whatever its seed; nothing is fitted."""
        return ConceptEvaluator(self.train, self.held_out)

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> LearningReward:
        """The reward of a learner, with an archive of its own; imitations are not used."""
        quality = Recognised(self.train, self.human.concepts, seed)
        cap = CAP * evaluator.thresholds.novelty
        novelty_reward = ArchiveNovelty(
            evaluator.descriptor, reward_archive(evaluator, self.train), self.train, cap,
            mode_collapse=InkCollapse,
        )  # fmt: skip
        return MeaningReward(quality, novelty_reward, self.human.named)

    @staticmethod
    def craft(folder: Path, works: Works) -> NDArray[np.float64]:
        """(N,) float64: how surely the reward's recognisers see the concept."""
        return paid_recognition(works)


def _measured(drawings: Labelled) -> Works:
    """Human drawings as works that show their concept, with who drew them."""
    briefs = make_briefs(drawings.concepts, drawings.works.moves)
    works = Works(WORLD, drawings.works.moves, briefs, drawings.works.names)
    return works.with_appraisal({DESIGNER: drawings.designers.astype(np.float64)})
