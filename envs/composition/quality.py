"""Quality as a reward: rules, craft and originality, each saturating at the human level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..works import Works
from .appraisal import Terms
from .craft import Critic, judge, planes_of, train_critic
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
        self.critic = Critic()
        scores = scores_of_works(human)
        tunes = human.appraisal.get("tune", np.arange(len(human)).astype(np.float64))
        unseen = np.isin(tunes, np.unique(tunes)[::5])
        self._human, self._unseen = planes_of(scores[~unseen]), planes_of(scores[unseen])
        self._damaged = planes_of(negatives_of(human[~unseen], seed + 100, pools))
        self._imitated = planes_of(scores_of_works(imitations))
        self._own = self._human[:0]
        self._seed = seed
        self._rounds = 0
        self._originality = Originality(scores)
        train_critic(self.critic, self._human, self._negatives, updates=updates, seed=seed)
        self._optimizer = torch.optim.AdamW(self.critic.parameters(), 3e-4, weight_decay=1e-2)
        self.form_target = float(np.quantile(form(form_terms(scores)), 0.65))
        self.craft_target = self._human_craft()

    def _human_craft(self) -> float:
        return float(np.quantile(judge(self.critic, self._unseen), 0.65))

    def _negatives(self, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        pools = [self._damaged, self._imitated]
        if len(self._own):
            pools.append(self._own)
        sizes = [n - (len(pools) - 1) * (n // len(pools))] + [n // len(pools)] * (len(pools) - 1)
        return np.concatenate(
            [p[rng.integers(0, len(p), k)] for p, k in zip(pools, sizes, strict=True)]
        )

    def refresh(self, own: Works, updates: int = 30) -> float:
        """Teach the critic the learner's own latest works too; returns its mean loss."""
        self._own = planes_of(scores_of_works(own))
        self._rounds += 1
        loss = train_critic(
            self.critic,
            self._human,
            self._negatives,
            updates=updates,
            seed=self._seed + 1000 + self._rounds,
            optimizer=self._optimizer,
        )
        self.craft_target = self._human_craft()
        return loss

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of what learning changes: the critic, its optimiser, counters, own works."""
        state = {f"critic/{k}": v.numpy().copy() for k, v in self.critic.state_dict().items()}
        for i, values in self._optimizer.state_dict()["state"].items():
            state |= {f"optimizer/{i}/{k}": v.numpy().copy() for k, v in values.items()}
        return state | {
            "own": self._own.copy(),
            "rounds": np.array(self._rounds),
            "craft_target": np.array(self.craft_target),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If a weight has another shape.
        """
        weights = self.critic.state_dict()
        for key, value in weights.items():
            if state[f"critic/{key}"].shape != tuple(value.shape):
                raise ValueError(f"critic/{key}: expected shape {tuple(value.shape)}")
            weights[key] = torch.from_numpy(state[f"critic/{key}"].copy())
        self.critic.load_state_dict(weights)
        self.critic.eval()
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name in (name for name in state if name.startswith("optimizer/")):
            _, i, key = name.split("/")
            moments.setdefault(int(i), {})[key] = torch.from_numpy(state[name].copy())
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self._own = state["own"].copy()
        self._rounds = int(state["rounds"])
        self.craft_target = float(state["craft_target"])

    def __call__(self, moves: NDArray[np.int16], images: NDArray[np.uint8]) -> Terms:
        """Terms of works (R, 32), each (R,) float64, ``quality`` among them."""
        scores = read_rolls(images)
        terms = form_terms(scores)
        shaped = form(terms)
        craft = judge(self.critic, planes_of(scores))
        longest = self._originality.longest(scores)
        originality = 1 - np.clip((longest - ALLOWED) / ALLOWED, 0, 1)
        quality = (
            np.minimum(shaped / self.form_target, 1) ** 1.5
            * np.minimum(craft / self.craft_target, 1)
            * originality
        )
        named = {f"form/{key}": value for key, value in terms.items()}
        return named | {
            "form": shaped, "craft": craft, "copied": longest / EIGHTHS,
            "originality": originality, "quality": quality,
        }  # fmt: skip
