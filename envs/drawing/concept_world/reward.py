"""The reward: recognised, well-formed, own, without idle strokes, and new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.drawing.concept_world.briefs import concepts_of
from move37.envs.drawing.designers.concepts import Concepts
from move37.envs.drawing.designers.labelled import Labelled
from move37.envs.drawing.meaning.judges import REWARD, load_recognisers
from move37.envs.drawing.meaning.picture import JITTER
from move37.envs.drawing.meaning.recognisers import Recognisers, stroke_bounds, without
from move37.envs.drawing.meaning.unlike import Unlikeness
from move37.envs.drawing.rules.form import form_quality
from move37.envs.drawing.rules.originality import Originality
from move37.envs.judging.critics import LearningCritic
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.reward import LearningReward
from move37.envs.judging.rule_scores import reached

SURE = 0.65
"""A probability from which on more is worth nothing."""
IDLE_COST = 0.8
"""What is lost by a work all of whose strokes but one are idle."""
BASE = 0.2
"""What a work is worth that is recognised and not new, as a share."""
CLOSE, FAR = 0.6, 1.2
"""Unlikeness to human drawings of the concept that is worth nothing, and all."""


def paid_recognition(works: Works) -> NDArray[np.float64]:
    """How surely the reward's recognisers see each work's concept (N,); 0 if they know it not."""
    recognisers, names = load_recognisers(REWARD), Concepts.read().names
    mine = recognisers.classes_of(names)[concepts_of(works.briefs)]
    said = recognisers.probability(works.moves, np.maximum(mine, 0))[:, 0]
    return np.where(mine >= 0, said, 0.0)


class Recognised:
    """Quality = meaning x form x originality x strokes that matter.

    Meaning rises with the logarithm of the probability of the concept, from 0 at chance to 1 at
    0.65: the geometric mean of what each of the reward's recognisers says, each of a jitter of its
    own. Form counts up to the human median. Originality falls from 1 to 0 as the copied share rises
    from 0.15 to 0.45. A work loses four fifths of the share of its strokes that are idle, by one
    recogniser and one jitter.

    Args:
        human: Human works whose strokes may not be copied; half of them have full marks for form.
        concepts: The list by whose numbers briefs call concepts.
        seed: Of the jitter.
    """

    critics: dict[str, LearningCritic] = {}  # noqa: RUF012  # there are none that learn

    def __init__(self, human: Works, concepts: Concepts, seed: int = 0) -> None:
        together = load_recognisers(REWARD)
        self._each = [Recognisers([network], together.names) for network in together.networks]
        self._classes = together.classes_of(concepts.names)
        self._originality = Originality(human.moves)
        self._form = float(np.median(form_quality(human)["form"]))
        self._seed, self.asked = seed, 0

    def __call__(self, works: Works) -> Terms:
        """Terms of R works, each (R,) float64, ``quality`` among them."""
        return self.with_idle(works)[0]

    def with_idle(self, works: Works) -> tuple[Terms, list[NDArray[np.bool_]]]:
        """Terms of R works, and which strokes of each are idle."""
        classes = self._classes[concepts_of(works.briefs)]
        self.asked += 1
        sure = self._sure(works.moves, np.maximum(classes, 0))
        chance = 1 / len(self._each[0].names)
        meaning = np.log(np.maximum(sure, chance) / chance) / np.log(SURE / chance)
        meaning = np.where(classes >= 0, np.minimum(meaning, 1), 0)
        idle = self._idle(works.moves, classes, meaning)
        shares = np.array([row.mean() if len(row) else 0.0 for row in idle])
        form = form_quality(works)
        copied = self._originality.copied(works.moves)
        originality = 1 - np.clip((copied - 0.15) / 0.3, 0, 1)
        quality = meaning * reached(form["form"], self._form) * originality
        return form | {
            "recognised": sure, "meaning": meaning, "idle_strokes": shares, "copied": copied,
            "originality": originality, "quality": quality * (1 - IDLE_COST * shares),
        }, idle  # fmt: skip

    def _sure(self, moves: NDArray[np.int16], classes: NDArray[np.int64]) -> NDArray[np.float64]:
        """The geometric mean (N,) of what the recognisers say of the concepts."""
        n, total = np.arange(len(moves)), np.zeros(len(moves))
        for k, recogniser in enumerate(self._each):
            rng = np.random.default_rng((self._seed, self.asked, k))
            said = recogniser(moves, JITTER.draw(len(moves), rng))
            total += np.log(np.maximum(said[n, classes].astype(np.float64), 1e-6))
        return np.exp(total / len(self._each))

    def _idle(
        self, moves: NDArray[np.int16], classes: NDArray[np.int64], meaning: NDArray[np.float64]
    ) -> list[NDArray[np.bool_]]:
        """Idle strokes of works that mean something; of others it makes no difference."""
        idle = [np.zeros(len(stroke_bounds(row)), np.bool_) for row in moves]
        asked = np.flatnonzero(meaning > 0)
        if len(asked):
            found = self._each[0].idle_strokes(moves[asked], classes[asked], 1, self.asked)
            for i, row in zip(asked, found, strict=True):
                idle[i] = row
        return idle

    def refresh(self, works: Works) -> dict[str, float]:
        """Nothing: the recognisers do not change."""
        return {}


class MeaningReward(LearningReward):
    """Reward = quality x (0.2 + 0.8 x newness).

    Newness, of what is left of a work without its idle strokes, is the novelty reward against the
    archive x how unlike human drawings of the concept it is: 0 up to 0.6, all from 1.2 on.

    Args:
        quality: See :class:`Recognised`.
        novelty_reward: Novelty of works.
        named: Human drawings of concepts, of the training designers.
    """

    quality: Recognised

    def __init__(
        self, quality: Recognised, novelty_reward: ArchiveNovelty, named: Labelled
    ) -> None:
        super().__init__(quality, novelty_reward)
        self.unlikeness = Unlikeness(named)

    def __call__(self, works: Works) -> Terms:
        """Every term of R works, each (R,) float64, ``reward`` among them."""
        terms, idle = self.quality.with_idle(works)
        bare = [
            without(row, stroke_bounds(row), gone)
            for row, gone in zip(works.moves, idle, strict=True)
        ]
        left = replace(works, moves=np.stack(bare)) if bare else works
        terms |= self.novelty_reward(left)
        apart = self.unlikeness.nearest(left.moves, concepts_of(works.briefs))[0][:, 0]
        far = np.clip((np.minimum(apart, 2 * FAR) - CLOSE) / (FAR - CLOSE), 0, 1)
        newness = terms["novelty_reward"] * far
        reward = terms["quality"] * (BASE + (1 - BASE) * newness)
        return terms | {"unlike": np.minimum(apart, 99.0), "far": far, "reward": reward}

    def state(self) -> dict[str, NDArray[Any]]:
        """See :class:`move37.envs.judging.reward.Reward`."""
        return super().state() | {"asked": np.array(self.quality.asked)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See :class:`move37.envs.judging.reward.Reward`."""
        super().load_state(state)
        self.quality.asked = int(state["asked"])
