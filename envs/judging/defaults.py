"""Judges and reward of a world that brings none of its own.

They know of a world how its works look and what its rules say. The judge that never gives reward
and the reward's critic are of two families, learn from different works, and see the same images.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.judging.copying import CopiedPassages
from move37.envs.judging.critics import LearningCritic, as_they_are, judge
from move37.envs.judging.damage import worse_works
from move37.envs.judging.evaluator import Evaluator
from move37.envs.judging.forest import Forest
from move37.envs.judging.pca import Features, PrincipalComponents
from move37.envs.judging.rule_scores import reached
from move37.novelty.storage import load_weights

if TYPE_CHECKING:
    from move37.envs.base.world import World

COMPONENTS = 32
FOREST = "judge.npz"
CRITIC = "critic"
USUAL = 0.95
"""Quantile of what human works have in common with other human works: no more counts as copied."""


class DefaultEvaluator(Evaluator):
    """Trees on images as the held-out judge, the world's rules, and copied passages of moves.

    A work may have as much in common with a human work as held-out human works have (the 95th
    percentile).

    Args:
        world: Says how works look and what its rules say.
        human: The works that novelty and copying are measured against.
        held_out: Human works that nothing was fitted to.
        forest: The held-out judge.
        descriptor: A saved one; fitted to ``human`` if None.
    """

    def __init__(
        self,
        world: World,
        human: Works,
        held_out: Works,
        forest: Forest,
        descriptor: PrincipalComponents | None = None,
    ) -> None:
        self._world, self.forest = world, forest
        self._copying = CopiedPassages(human)
        # Where there are few moves, human works share long passages by chance.
        self.copied_at_most = float(np.quantile(self._copying(held_out), USUAL))
        descriptor = descriptor or PrincipalComponents.fit(_points(world), human, COMPONENTS)
        super().__init__(human, held_out, descriptor)

    @classmethod
    def fit(
        cls, world: World, human: Works, held_out: Works, judged_from: Works, pools: int
    ) -> DefaultEvaluator:
        """Grow the judge from works that nothing else learns from, and damage done to them."""
        wrong = worse_works(world.simulator_class, judged_from, 7, pools)
        good, bad = (_flat(world.images(w)).astype(np.float32) for w in (judged_from, wrong))
        return cls(world, human, held_out, Forest.fit(good, bad, seed=7))

    @classmethod
    def load(cls, world: World, folder: Path) -> DefaultEvaluator:
        """Read what :meth:`save` wrote."""
        human, held_out = cls.load_human(folder)
        forest = Forest.load(folder / FOREST, _flat(world.images(human[:1])).shape[1])
        descriptor = PrincipalComponents.load(folder / "descriptor.npz", _points(world), human)
        return cls(world, human, held_out, forest, descriptor)

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the trees say of works' images."""
        return self.forest(_flat(self._world.images(works)).astype(np.float32))

    def form(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the world's rules say."""
        return np.asarray(self._world.rule_quality(works)["form"], np.float64)

    def copied(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the longest passage of moves that stands in a human work, as a share."""
        return self._copying(works)

    def save_judge(self, folder: Path) -> None:
        """Write the trees."""
        self.forest.save(folder / FOREST)


class ImageCritic(nn.Module):
    """Two spectrally normalised layers on all points of an image (Miyato et al. 2018).

    Args:
        points: Of an image.
        width: Of the hidden layers.
    """

    def __init__(self, points: int, width: int = 64) -> None:
        super().__init__()
        self.hidden1 = spectral_norm(nn.Linear(points, width))
        self.hidden2 = spectral_norm(nn.Linear(width, width))
        self.out = nn.Linear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) that images (N, H, W) in {0, 1} are of human works."""
        x = images.flatten(1)
        for layer in (self.hidden1, self.hidden2):
            # The factor makes up for what a unit spectral norm takes from the signal.
            x = functional.leaky_relu(layer(x) * 1.4, 0.2)
        logits: Tensor = self.out(x).squeeze(1)
        return logits


def saved_craft(world: World, folder: Path, works: Works) -> NDArray[np.float64]:
    """(N,) float64: what the critic that a run saved says of works."""
    images = world.images(works)
    critic = ImageCritic(_flat(images).shape[1])
    load_weights(folder / f"{CRITIC}.safetensors", critic)
    return judge(critic, images)


class DefaultQuality:
    """Quality = rules x craft x originality, the first two at most as human works have them.

    quality = min(form/f, 1) x min(craft/c, 1) x originality. f is the human median of what the
    rules say, c the human 65th percentile of what the critic says (:class:`LearningCritic`).
    Originality falls from 1 to 0 as the copied share rises from what human works have in common
    with each other (the 95th percentile) to the whole work. Beyond the human level nothing is
    gained: a minimal criterion (Lehman and Stanley 2010), so that novelty decides.

    Args:
        world: Says how works look and what its rules say.
        human: Human works the critic and the copied passages are taken from.
        imitations: Samples of the imitator, among the critic's negatives.
        updates: Gradient steps of the critic's first training.
        seed: Of the critic.
        pools: How many damaged copies of the human works the critic learns from.
    """

    def __init__(
        self, world: World, human: Works, imitations: Works, updates: int, seed: int, pools: int
    ) -> None:
        torch.manual_seed(seed)
        self._world = world
        images = world.images(human)
        wrong = worse_works(world.simulator_class, human, seed + 1, pools)
        self.critic = LearningCritic(
            ImageCritic(_flat(images).shape[1]),
            images,
            (world.images(wrong), world.images(imitations)),
            images,
            updates=updates,
            seed=seed,
            augment=lambda seed: as_they_are,
        )
        self.critics = {CRITIC: self.critic}
        self._copying = CopiedPassages(human)
        every_fifth = np.arange(len(human)) % 5 == 0
        shared = CopiedPassages(human[~every_fifth])(human[every_fifth])
        self.usually_copied = min(float(np.quantile(shared, USUAL)), 0.95)
        self.form_target = float(np.median(world.rule_quality(human)["form"]))

    def __call__(self, works: Works) -> Terms:
        """Terms of R works, each (R,) float64, ``quality`` among them."""
        terms = dict(self._world.rule_quality(works))
        craft, copied = self.critic(self._world.images(works)), self._copying(works)
        too_much = (copied - self.usually_copied) / (1 - self.usually_copied)
        originality = 1 - np.clip(too_much, 0, 1)
        quality = (
            reached(terms["form"], self.form_target)
            * reached(craft, self.critic.target)
            * originality
        )
        return terms | {
            "craft": craft, "copied": copied, "originality": originality, "quality": quality,
        }  # fmt: skip

    def refresh(self, works: Works) -> dict[str, float]:
        """Teach the critic the learner's latest works."""
        return {"critic/loss": self.critic.refresh(self._world.images(works))}


def _points(world: World) -> Features:
    """What the descriptor is made of: the points of works' images."""
    return lambda works: _flat(world.images(works)).astype(np.float64)


def _flat(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))
