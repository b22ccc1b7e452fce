"""Critics: networks that tell human works from others, judged and taught alike in every world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import nn
from torch.nn import functional

from move37.envs.progress import reached
from move37.novelty.storage import load_moments, moments_of, part

CHUNK = 64
"""Works are judged in blocks of this size, padded: a work's craft does not depend on the batch."""

Views = NDArray[Any]
"""(N, ...) numbers: works as a critic sees them."""
Draw = Callable[[int, np.random.Generator], Views]
"""Gives n negatives, fresh at every call."""
Augment = Callable[[Views, np.random.Generator], torch.Tensor]
"""Turns what a critic would see into what it is taught with, float32."""
AugmentOf = Callable[[int], Augment]
"""Makes, of a seed, what is done to the batches of one training."""


def as_they_are(views: Views, rng: np.random.Generator) -> torch.Tensor:
    """No augmentation."""
    return torch.from_numpy(np.ascontiguousarray(views, np.float32))


def mirrored(views: Views, rng: np.random.Generator) -> torch.Tensor:
    """Every other time the images (N, H, W), mirrored left to right."""
    return as_they_are(views[:, :, ::-1] if rng.random() < 0.5 else views, rng)


def judge(network: nn.Module, views: Views) -> NDArray[np.float64]:
    """Probability, (N,) float64, that views (N, ...) are of human works."""
    out = np.zeros(len(views))
    network.eval()
    with torch.no_grad():
        for begin in range(0, len(views), CHUNK):
            part = views[begin : begin + CHUNK]
            block = np.zeros((CHUNK, *views.shape[1:]), np.float32)
            block[: len(part)] = part
            out[begin : begin + len(part)] = torch.sigmoid(
                network(torch.from_numpy(block)).double()
            ).numpy()[: len(part)]
    return out


def train_critic(
    network: nn.Module,
    human: Views,
    negatives: Draw,
    *,
    updates: int,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-3,
    target: float = 0.95,
    augment: Augment = mirrored,
    seed: int = 0,
    optimizer: torch.optim.Optimizer | None = None,
) -> float:
    """Teach a critic to tell human works from negatives; returns the mean loss of the last tenth.

    Args:
        network: Maps views to logits.
        human: (M, ...).
        negatives: Gives n negatives.
        updates: Gradient steps.
        batch_size: Human works, and negatives, per step.
        learning_rate: AdamW's step size, falling to a tenth.
        weight_decay: AdamW's decoupled decay.
        target: What the critic should say of human works; less than 1, so that it stays modest.
        augment: What is done to a batch.
        seed: Order of the works, and chance for ``augment``.
        optimizer: Goes on with this one instead of a new one, at its own constant rate.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    rng = np.random.default_rng(seed)
    fresh = optimizer is None
    optimizer = optimizer or torch.optim.AdamW(
        network.parameters(), learning_rate, weight_decay=weight_decay
    )
    losses = []
    network.train()
    for update in range(updates):
        if fresh:
            rate = learning_rate * (1 - 0.9 * update / updates)
            for group in optimizer.param_groups:
                group["lr"] = rate
        views = np.concatenate(
            [human[rng.integers(0, len(human), batch_size)], negatives(batch_size, rng)]
        )
        batch = augment(views, rng)
        wanted = torch.cat(
            [torch.full((batch_size,), target), torch.zeros(len(views) - batch_size)]
        )
        loss = functional.binary_cross_entropy_with_logits(network(batch), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        reached(f"critic, update {update + 1:,} of {updates:,}, loss {losses[-1]:.3f}")
    network.eval()
    if not np.isfinite(losses).all():
        raise FloatingPointError("the critic's loss is not finite")
    return float(np.mean(losses[-max(1, updates // 10) :]))


class LearningCritic:
    """A reward's critic: taught once, and again with the learner's own works while that learns.

    Args:
        network: Maps views to logits; taught in place.
        human: Human works it learns from.
        others: Pools of negatives, drawn from alike.
        measured: Human works that say what human craft is.
        updates: Gradient steps of the first training.
        seed: Of all that is drawn.
        weight_decay: AdamW's decoupled decay.
        target: What the critic should say of human works.
        augment: What is done to the batches.

    Attributes:
        target: The human 65th percentile of craft: a margin above the median, because another
            judge will ask for its own median.
    """

    QUANTILE = 0.65
    REFRESH_RATE, REFRESH_UPDATES = 3e-4, 30

    def __init__(
        self,
        network: nn.Module,
        human: Views,
        others: Sequence[Views],
        measured: Views,
        *,
        updates: int,
        seed: int,
        weight_decay: float = 1e-3,
        target: float = 0.95,
        augment: AugmentOf = lambda seed: mirrored,
    ) -> None:
        self.network = network
        self._human, self._others, self._measured = human, list(others), measured
        self._own = human[:0]
        self._seed, self._rounds = seed, 0
        self._how: dict[str, Any] = {"weight_decay": weight_decay, "target": target}
        self._augment = augment
        self._train(updates, seed, None)
        self._optimizer = torch.optim.AdamW(
            network.parameters(), self.REFRESH_RATE, weight_decay=weight_decay
        )
        self.target = self._human_craft()

    def __call__(self, views: Views) -> NDArray[np.float64]:
        """Craft, (N,) float64 in [0, 1], of works (N, ...)."""
        return judge(self.network, views)

    def _train(self, updates: int, seed: int, optimizer: torch.optim.Optimizer | None) -> float:
        return train_critic(
            self.network, self._human, self._negatives, updates=updates, seed=seed,
            augment=self._augment(seed), optimizer=optimizer, **self._how,
        )  # fmt: skip

    def _human_craft(self) -> float:
        return float(np.quantile(judge(self.network, self._measured), self.QUANTILE))

    def _negatives(self, n: int, rng: np.random.Generator) -> Views:
        pools = [*self._others, self._own] if len(self._own) else self._others
        sizes = [n - (len(pools) - 1) * (n // len(pools))] + [n // len(pools)] * (len(pools) - 1)
        return np.concatenate(
            [p[rng.integers(0, len(p), k)] for p, k in zip(pools, sizes, strict=True)]
        )

    def refresh(self, own: Views) -> float:
        """Teach the critic the learner's own latest works too; returns its mean loss."""
        self._own = own
        self._rounds += 1
        loss = self._train(self.REFRESH_UPDATES, self._seed + 1000 + self._rounds, self._optimizer)
        self.target = self._human_craft()
        return loss

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of what learning changes: the critic, its optimiser, counters, own works."""
        state = {f"critic/{k}": v.numpy().copy() for k, v in self.network.state_dict().items()}
        state |= {f"optimizer/{k}": v.copy() for k, v in moments_of(self._optimizer).items()}
        return state | {"own": self._own.copy(), "rounds": np.array(self._rounds)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If a weight has another shape.
        """
        weights = self.network.state_dict()
        for key, value in weights.items():
            if state[f"critic/{key}"].shape != tuple(value.shape):
                raise ValueError(f"critic/{key}: expected shape {tuple(value.shape)}")
            weights[key] = torch.from_numpy(state[f"critic/{key}"].copy())
        self.network.load_state_dict(weights)
        self.network.eval()
        load_moments(self._optimizer, part(state, "optimizer"))
        self._own = state["own"].copy()
        self._rounds = int(state["rounds"])
        self.target = self._human_craft()


class RankingCritic(LearningCritic):
    """A critic that can say how a work stands among human works it has not learnt from.

    A probability says little where it is high: it is near 1 for most human works and for many that
    are worse than nearly all of them. A rank does not saturate before the human works do.
    """

    def rank(self, craft: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: the share of human works with less than this craft (N,).

        By a normal distribution fitted to the logits of the human works.
        """
        center, spread = self._standing
        ranks: NDArray[np.float64] = ndtr((_logit(craft) - center) / spread)
        return ranks

    def _human_craft(self) -> float:
        said = judge(self.network, self._measured)
        logits = _logit(said)
        self._standing = np.array([logits.mean(), max(float(logits.std()), 1e-3)])
        return float(np.quantile(said, self.QUANTILE))


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = p.clip(1e-12, 1 - 1e-12)
    logits: NDArray[np.float64] = np.log(p / (1 - p))
    return logits
