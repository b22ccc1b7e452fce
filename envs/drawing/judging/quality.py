"""Quality as a reward: form x craft x originality, each saturating at the human level."""

from __future__ import annotations

import numpy as np
import torch

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.judging.craft import PatchCritic
from move37.envs.drawing.judging.evaluator import negatives_of
from move37.envs.drawing.rules.form import form_quality
from move37.envs.drawing.rules.originality import Originality, stroke_facts
from move37.envs.judging.critics import LearningCritic
from move37.envs.judging.rule_scores import reached


class HumanLevelQuality:
    """Quality = craft ** 2 x form x closed ends x economy x originality, at most human each.

    quality = min(craft/c, 1)**2 x min(form/f, 1) x min(closed/e, 1) x economy x originality.
    c is the human 65th percentile of craft (a margin above the median, because another judge will
    ask for its own median), f the human median of form, e that of the share of closed stroke ends;
    a level of 0 is reached by all. Economy falls from 1 at the human 60th percentile of the number
    of moves to 0 at the 99th: the same said in fewer moves is better craft. Originality falls from
    1 to 0 as the copied share of the drawn length rises from 0.15 to 0.45. Beyond the human level
    nothing is gained: a minimal criterion (Lehman and Stanley 2010), so that novelty decides.

    Args:
        human: Human works the critic and the copied strokes are taken from.
        imitations: Samples of the imitator, among the critic's negatives.
        updates: Gradient steps of the critic's first training.
        seed: Of the critic.
    """

    def __init__(
        self, human: Works, imitations: Works, updates: int = 1500, seed: int = 0, pools: int = 4
    ) -> None:
        torch.manual_seed(seed)
        network = PatchCritic()
        images = pictures_of(human)
        self.critic = LearningCritic(
            network,
            images,
            (negatives_of(human.moves, seed + 1, pools), pictures_of(imitations)),
            images,
            updates=updates,
            seed=seed,
        )
        self.critics = {"critic": self.critic}
        self._originality = Originality(human.moves)
        self.form_target = float(np.median(form_quality(human)["form"]))
        self.closed_target = float(np.median(stroke_facts(human.moves)["closed_ends"]))
        self.moves_full = float(np.quantile(human.lengths, 0.6))
        self.moves_zero = float(np.quantile(human.lengths, 0.99)) + 1

    def __call__(self, works: Works) -> Terms:
        """Terms of R works, each (R,) float64, ``quality`` among them."""
        moves, images = works.moves, pictures_of(works)
        terms = form_quality(works)
        craft = self.critic(images)
        copied = self._originality.copied(moves)
        closed = stroke_facts(moves, images)["closed_ends"]
        economy = np.clip(
            (self.moves_zero - works.lengths) / (self.moves_zero - self.moves_full), 0, 1
        )
        quality = (
            reached(craft, self.critic.target) ** 2
            * reached(terms["form"], self.form_target)
            * reached(closed, self.closed_target)
            * economy
            * (1 - np.clip((copied - 0.15) / 0.3, 0, 1))
        )
        return terms | {
            "craft": craft, "closed_ends": closed, "economy": economy, "copied": copied,
            "quality": quality,
        }  # fmt: skip

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critic the learner's latest works."""
        return {"critic/loss": self.critic.refresh(pictures_of(works))}
