"""Quality as a reward: rules, craft and originality, each saturating at the human level."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..appraisal import Terms
from ..critics import LearningCritic
from ..works import Works
from .craft import Critic, hidden, planes_of
from .form import form, form_terms
from .judging import negatives_of, scores_of_works
from .moves import EIGHTHS
from .originality import ALLOWED, Originality
from .roll import read_rolls


class HumanLevelQuality:
    """Quality = form ** 1.5 x craft x originality, at most human each.

    quality = min(form/f, 1)**1.5 x min(craft/c, 1) x originality. f and c are the human 65th
    percentiles of form and craft (a margin above the medians, because other judges will ask for
    their own). Originality is 1 up to 8 copied eighths and falls to 0 at 16. Beyond the human
    level nothing is gained: a minimal criterion (Lehman and Stanley 2010), so that newness decides.

    The critic learns from four fifths of the human works, whole tunes; the other fifth, which it
    has not seen, says what human craft is.

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
        damaged = planes_of(negatives_of(human[~unseen], seed + 100, pools))
        self.critic = LearningCritic(
            network,
            planes_of(scores[~unseen]),
            (damaged, planes_of(scores_of_works(imitations))),
            planes_of(scores[unseen]),
            updates=updates,
            seed=seed,
            weight_decay=1e-2,
            target=0.9,
            augment=hidden,
        )
        self._originality = Originality(scores)
        self.form_target = float(np.quantile(form(form_terms(scores)), 0.65))

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms of works (R, 32), each (R,) float64, ``quality`` among them."""
        scores = read_rolls(images)
        terms = form_terms(scores)
        shaped = form(terms)
        craft = self.critic(planes_of(scores))
        longest = self._originality.longest(scores)
        originality = 1 - np.clip((longest - ALLOWED) / ALLOWED, 0, 1)
        quality = (
            np.minimum(shaped / self.form_target, 1) ** 1.5
            * np.minimum(craft / self.critic.target, 1)
            * originality
        )
        named = {f"form/{key}": value for key, value in terms.items()}
        return named | {
            "form": shaped, "craft": craft, "copied": longest / EIGHTHS,
            "originality": originality, "quality": quality,
        }  # fmt: skip
