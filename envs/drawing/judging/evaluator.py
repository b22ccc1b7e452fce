"""The frozen evaluator of drawings: what no reward ever saw, and the yield it defines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.drawing.corpus.augment import damage, random_works
from move37.envs.drawing.dynamics import images_of, pictures_of
from move37.envs.drawing.judging.craft import HeldOutJudge
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.rules.form import form_quality
from move37.envs.drawing.rules.originality import Originality, stroke_facts
from move37.envs.judging.critics import judge, train_critic
from move37.envs.judging.evaluator import Evaluator
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.storage import load_weights, save_weights


def negatives_of(moves: NDArray[np.int16], seed: int, pools: int = 4) -> NDArray[np.uint8]:
    """Images of damaged works and, one in five, of random moves of the same lengths."""
    rng = np.random.default_rng(seed)
    damaged = [images_of(damage(moves, rng)) for _ in range(pools)]
    n = len(moves) * pools // 4
    noise = images_of(random_works(n, (moves >= 0).sum(axis=1), rng))
    return np.concatenate([*damaged, noise])


def train_judge(
    moves: NDArray[np.int16], seed: int, updates: int = 1500, pools: int = 4
) -> HeldOutJudge:
    """Train the held-out judge on other designers' works ((M, T)) and damage done to them."""
    torch.manual_seed(seed)
    network = HeldOutJudge()
    wrong = negatives_of(moves, seed, pools)
    train_critic(
        network,
        images_of(moves),
        lambda n, rng: wrong[rng.integers(0, len(wrong), n)],
        updates=updates,
        seed=seed,
    )
    return network


class DrawingEvaluator(Evaluator):
    """Measures drawings against human ones; see :class:`move37.envs.judging.evaluator.Evaluator`.

    Args:
        human: The works that novelty and copying are measured against.
        held_out: Human works that no network was fitted to; they set the thresholds.
        network: The held-out judge.
        descriptor: A saved one; fitted to ``human`` if None.
    """

    copied_at_most = 1 / 3
    averaged = (*Evaluator.averaged, "closed_ends")
    counted = ("moves", "strokes")

    def __init__(
        self,
        human: Works,
        held_out: Works,
        network: HeldOutJudge,
        descriptor: PrincipalComponents | None = None,
    ) -> None:
        self.network = network
        self.originality = Originality(human.moves)
        descriptor = descriptor or PrincipalComponents.fit(features_of, human, N_COMPONENTS)
        super().__init__(human, held_out, descriptor)

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the held-out judge says of works."""
        return judge(self.network, pictures_of(works))

    def form(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the rules of form say."""
        return form_quality(works)["form"]

    def copied(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the copied share of the drawn length."""
        return self.originality.copied(works.moves)

    def facts(self, works: Works) -> dict[str, NDArray[np.float64]]:
        """Numbers of moves and strokes, and the share of closed stroke ends."""
        return stroke_facts(works.moves, pictures_of(works))

    def save_judge(self, folder: Path) -> None:
        """Write the network."""
        save_weights(folder / "judge.safetensors", self.network)

    @classmethod
    def load(cls, folder: Path) -> DrawingEvaluator:
        """Read what :meth:`save` wrote."""
        network = HeldOutJudge()
        load_weights(folder / "judge.safetensors", network)
        human, held_out = cls.load_human(folder)
        descriptor = PrincipalComponents.load(folder / "descriptor.npz", features_of, human)
        return cls(human, held_out, network, descriptor)
