"""Quality as a reward: rules, craft and originality, each saturating at the human level."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.composition.judging.craft import Critic, WholeCritic, hidden, planes_of
from move37.envs.composition.judging.evaluator import negatives_of
from move37.envs.composition.judging.progress_features import progress_features
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import EIGHTHS
from move37.envs.composition.rules.form import form_quality
from move37.envs.composition.rules.originality import ALLOWED, Originality
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.critics import AugmentOf, RankingCritic, Views, as_they_are
from move37.envs.judging.rule_scores import reached

WHOLES = 5
"""Critics of whole works."""
TARGET = 0.65
"""From this rank among human works on more is worth nothing."""


class HumanLevelQuality:
    """Quality = form ** 1.5 x craft x whole x originality, at most human each.

    quality = min(form/f, 1)**1.5 x min(craft/0.65, 1) x min(whole/0.65, 1) x originality. f is the
    human 65th percentile of form; craft and whole are ranks here, the shares of human works that
    the critics like less (0.65 is a margin above the medians, because other judges will ask for
    their own).
    Originality is 1 up to 8 copied eighths and falls to 0 at 16. Beyond the human level nothing is
    gained: a minimal criterion (Lehman and Stanley 2010), so that novelty decides.

    ``craft`` is a critic of passages, ``whole`` stands for critics of whole works, whose errors are
    not the same (Coste et al., "Reward Model Ensembles Help Mitigate Overoptimization", 2024). They
    know damaged human works only and never change: a critic that is told to tell
    imitations or the learner's works from human ones learns to see novelty, too. All learn from
    four fifths of the human works, whole tunes; the other fifth, which they have not seen, says
    what is human.

    Args:
        human: Human works the critics and the copied passages are taken from, with their tunes as
            ``appraisal["tune"]``.
        updates: Gradient steps of each critic's training.
        seed: Of the critics.
        pools: How many damaged copies of the human works the critics learn from.
        root: Which root of the product of craft and whole is taken: with a higher one works far
            below the human level are told apart, too.
    """

    def __init__(
        self, human: Works, updates: int = 1500, seed: int = 0, pools: int = 4, root: int = 1
    ) -> None:
        scores, self._root, self._mode = scores_of_works(human), root, Mode.of(human)
        tunes = human.appraisal.get("tune", np.arange(len(human)).astype(np.float64))
        unseen = np.isin(tunes, np.unique(tunes)[::5])
        damaged = negatives_of(human[~unseen], seed + 100, pools)

        def taught(
            network: nn.Module, works: Views, spoilt: Views, seed: int, augment: AugmentOf
        ) -> RankingCritic:
            return RankingCritic(
                network, works[~unseen], (spoilt,), works[unseen], updates=updates, seed=seed,
                weight_decay=1e-2, target=0.9, augment=augment,
            )  # fmt: skip

        torch.manual_seed(seed)
        planes = planes_of(scores)
        self.critic = taught(Critic(planes.shape[1]), planes, planes_of(damaged), seed, hidden)
        progress, spoilt = (progress_features(x, self._mode) for x in (scores, damaged))
        usual = np.concatenate([progress[~unseen], spoilt])
        self._wholes = []
        for i in range(WHOLES):
            torch.manual_seed(seed + i)
            network = WholeCritic(usual)
            self._wholes.append(
                taught(network, progress, spoilt, seed + i, lambda seed: as_they_are)
            )
        wholes = {f"whole{i}": critic for i, critic in enumerate(self._wholes)}
        self.critics = {"critic": self.critic, **wholes}
        self._originality = Originality(scores)
        self.form_target = float(np.quantile(form_quality(human)["form"], TARGET))

    def __call__(self, works: Works) -> Terms:
        """Terms of R works, each (R,) float64, ``quality`` among them."""
        scores = scores_of_works(works)
        terms = form_quality(works)
        craft, progress = self.critic(planes_of(scores)), progress_features(scores, self._mode)
        whole = np.mean([critic.rank(critic(progress)) for critic in self._wholes], axis=0)
        longest = self._originality.longest(scores)
        originality = 1 - np.clip((longest - ALLOWED) / ALLOWED, 0, 1)
        ranks = np.minimum(self.critic.rank(craft) / TARGET, 1) * np.minimum(whole / TARGET, 1)
        quality = (
            reached(terms["form"], self.form_target) ** 1.5
            * ranks ** (1 / self._root)
            * originality
        )
        return terms | {
            "craft": craft, "whole": whole, "copied": longest / EIGHTHS,
            "originality": originality, "quality": quality,
        }  # fmt: skip

    def refresh(self, works: Works) -> dict[str, float]:
        """Nothing: the critics do not change."""
        return {}
