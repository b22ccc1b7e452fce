"""Quality as a reward: rules, craft and originality, each saturating at the human level."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..appraisal import Terms
from ..critics import LearningCritic, as_they_are
from ..works import Works
from .account import account_of
from .craft import Critic, WholeCritic, hidden, planes_of
from .form import form, form_terms
from .judging import negatives_of, scores_of_works
from .moves import EIGHTHS
from .originality import ALLOWED, Originality
from .roll import read_rolls


class HumanLevelQuality:
    """Quality = form ** 1.5 x craft x whole x originality, at most human each.

    quality = min(form/f, 1)**1.5 x min(craft/c, 1) x min(whole/w, 1) x originality. f, c and w are
    the human 65th percentiles of form and of what the critics say (a margin above the medians,
    because other judges will ask for their own). Originality is 1 up to 8 copied eighths and falls
    to 0 at 16. Beyond the human level nothing is gained: a minimal criterion (Lehman and Stanley
    2010), so that newness decides.

    ``craft`` is a critic of passages that goes on learning from the learner's own works, ``whole``
    one of whole works that knows damaged human works only and never changes: whoever is told to
    tell own works from human ones learns to see newness, too. Both learn from four fifths of the
    human works, whole tunes; the other fifth, which they have not seen, says what is human.

    Args:
        human: Human works the critic and the copied passages are taken from, with their tunes as
            ``appraisal["tune"]``.
        imitations: Samples of the imitator, among the critic's negatives.
        updates: Gradient steps of the critic's first training.
        seed: Of the critic.
        pools: How many damaged copies of the human works the critic learns from.
    """

    def __init__(
        self, human: Works, imitations: Works, updates: int = 1500, seed: int = 0, pools: int = 4
    ) -> None:
        torch.manual_seed(seed)
        network = Critic()
        scores = scores_of_works(human)
        tunes = human.appraisal.get("tune", np.arange(len(human)).astype(np.float64))
        unseen = np.isin(tunes, np.unique(tunes)[::5])
        damaged = negatives_of(human[~unseen], seed + 100, pools)
        self.critic = LearningCritic(
            network,
            planes_of(scores[~unseen]),
            (planes_of(damaged), planes_of(scores_of_works(imitations))),
            planes_of(scores[unseen]),
            updates=updates,
            seed=seed,
            weight_decay=1e-2,
            target=0.9,
            augment=hidden,
        )
        accounts, spoilt = account_of(scores), account_of(damaged)
        self.whole = LearningCritic(
            WholeCritic(np.concatenate([accounts[~unseen], spoilt])),
            accounts[~unseen],
            (spoilt,),
            accounts[unseen],
            updates=updates,
            seed=seed,
            weight_decay=1e-2,
            target=0.9,
            augment=lambda seed: as_they_are,
        )
        self.critics = {"critic": self.critic, "whole": self.whole}
        self._originality = Originality(scores)
        self.form_target = float(np.quantile(form(form_terms(scores)), 0.65))

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms of works (R, 32), each (R,) float64, ``quality`` among them."""
        scores = read_rolls(images)
        terms = form_terms(scores)
        shaped = form(terms)
        craft = self.critic(planes_of(scores))
        whole = self.whole(account_of(scores))
        longest = self._originality.longest(scores)
        originality = 1 - np.clip((longest - ALLOWED) / ALLOWED, 0, 1)
        quality = (
            np.minimum(shaped / self.form_target, 1) ** 1.5
            * np.minimum(craft / self.critic.target, 1)
            * np.minimum(whole / self.whole.target, 1)
            * originality
        )
        named = {f"form/{key}": value for key, value in terms.items()}
        return named | {
            "form": shaped, "craft": craft, "whole": whole, "copied": longest / EIGHTHS,
            "originality": originality, "quality": quality,
        }  # fmt: skip

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critic of passages the learner's latest works."""
        return {"critic/loss": self.critic.refresh(planes_of(scores_of_works(works)))}
