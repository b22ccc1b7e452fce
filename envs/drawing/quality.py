"""Quality as a reward: form x craft x originality, each saturating at the human level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .appraisal import Terms
from .craft import PatchCritic, judge, train_critic
from .dynamics import images_of
from .form import form, form_terms
from .judging import negatives_of
from .originality import Originality, stroke_facts


class HumanLevelQuality:
    """Quality = craft ** 2 x form x closed ends x economy x originality, at most human each.

    quality = min(craft/c, 1)**2 x min(form/f, 1) x min(closed/e, 1) x economy x originality.
    c is the human 65th percentile of craft (a margin above the median, because another judge will
    ask for its own median), f the human median of form, e that of the share of closed stroke ends.
    Economy falls from 1 at the human 60th percentile of the number of moves to 0 at the 99th: the
    same said in fewer moves is better craft. Originality falls from 1 to 0 as the copied share of
    the drawn length rises from 0.15 to 0.45. Beyond the human level nothing is gained: a
    minimal criterion (Lehman and Stanley 2010), so that newness decides.

    Args:
        human: (M, T) int16: human works the critic and the copied strokes are taken from.
        imitations: (S, T) int16: samples of the imitator, among the critic's negatives.
        updates: Gradient steps of the critic's first training.
        seed: Of the critic.
    """

    def __init__(
        self,
        human: NDArray[np.int16],
        imitations: NDArray[np.int16],
        updates: int = 1500,
        seed: int = 0,
        pools: int = 4,
    ) -> None:
        torch.manual_seed(seed)
        self.critic = PatchCritic()
        self._human = images_of(human)
        self._damaged = negatives_of(human, seed + 1, pools)
        self._imitated = images_of(imitations)
        self._own = self._imitated[:0]
        self._originality = Originality(human)
        self._rounds = 0
        self._seed = seed
        train_critic(self.critic, self._human, self._negatives, updates=updates, seed=seed)
        self._optimizer = torch.optim.AdamW(self.critic.parameters(), 3e-4, weight_decay=1e-3)
        self.form_target = float(np.median(form(form_terms(self._human))))
        self.closed_target = float(np.median(stroke_facts(human)["closed_ends"]))
        lengths = (human >= 0).sum(axis=1)
        self.moves_full = float(np.quantile(lengths, 0.6))
        self.moves_zero = float(np.quantile(lengths, 0.99)) + 1
        self.craft_target = self._human_craft()

    def _human_craft(self) -> float:
        return float(np.quantile(judge(self.critic, self._human), 0.65))

    def _negatives(self, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        pools = [self._damaged, self._imitated]
        if len(self._own):
            pools.append(self._own)
        sizes = [n - (len(pools) - 1) * (n // len(pools))] + [n // len(pools)] * (len(pools) - 1)
        return np.concatenate(
            [p[rng.integers(0, len(p), k)] for p, k in zip(pools, sizes, strict=True)]
        )

    def refresh(self, own: NDArray[np.int16], updates: int = 30) -> float:
        """Teach the critic the learner's own latest works ((N, T)) too; returns its mean loss."""
        self._own = images_of(own)
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
        """Terms of works (R, T), each (R,) float64, ``quality`` among them."""
        terms = form_terms(images)
        shaped = form(terms)
        craft = judge(self.critic, images)
        copied = self._originality.copied(moves)
        closed = stroke_facts(moves, images)["closed_ends"]
        lengths = (moves >= 0).sum(axis=1)
        economy = np.clip((self.moves_zero - lengths) / (self.moves_zero - self.moves_full), 0, 1)
        quality = (
            np.minimum(craft / self.craft_target, 1) ** 2
            * np.minimum(shaped / self.form_target, 1)
            * np.minimum(closed / self.closed_target, 1)
            * economy
            * (1 - np.clip((copied - 0.15) / 0.3, 0, 1))
        )
        named = {f"form/{key}": value for key, value in terms.items()}
        return named | {
            "form": shaped, "craft": craft, "closed_ends": closed, "economy": economy,
            "copied": copied, "quality": quality,
        }  # fmt: skip
