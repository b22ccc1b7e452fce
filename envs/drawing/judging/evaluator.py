"""The frozen yardstick for drawings: what no reward ever saw, and the yield it defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.drawing.corpus.augment import damage, random_works
from move37.envs.drawing.dynamics import images_of, pictures_of
from move37.envs.drawing.judging.craft import HeldOutJudge
from move37.envs.drawing.judging.descriptor import Descriptor
from move37.envs.drawing.rules.form import form, form_terms
from move37.envs.drawing.rules.originality import Originality, stroke_facts
from move37.envs.judging.critics import judge, train_critic
from move37.novelty.archive import NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty, novelty_in_groups, repeats
from move37.novelty.storage import load_weights, save_weights

COPIED_AT_MOST = 1 / 3
REPEAT_BELOW = 0.5


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


@dataclass(frozen=True)
class Thresholds:
    """The four conditions of the yield, from human works.

    Attributes:
        heldout: Human median of the held-out judge; ``heldout_loose`` the lower quartile.
        form: Human lower quartile of form.
        novelty: 95th percentile of human works' novelty to each other; ``novelty_loose`` the 75th.
    """

    heldout: float
    heldout_loose: float
    form: float
    novelty: float
    novelty_loose: float


class Evaluator:
    """Measures works against human ones.

    Args:
        human: The works that novelty and copying are measured against.
        held_out: Human works that no network was fitted to; they set the thresholds.
        network: The held-out judge.
        k_neighbors: For novelty.
        descriptor: A saved one; fitted to ``human`` if None. The fit is a singular value
            decomposition, whose last bits depend on the machine and its load: judging works
            again exactly needs the saved one.
    """

    def __init__(
        self,
        human: Works,
        held_out: Works,
        network: HeldOutJudge,
        k_neighbors: int = 15,
        descriptor: Descriptor | None = None,
    ) -> None:
        self.human, self.held_out = human, held_out
        self.network = network
        self.descriptor = Descriptor.fit(human) if descriptor is None else descriptor
        self.k_neighbors = k_neighbors
        x = self.descriptor(human)
        among = leave_one_out_novelty(x, k_neighbors)
        self.scale = float(np.median(among))
        self.archive = NoveltyArchive(self.descriptor.dim, k_neighbors, scale=self.scale)
        self.archive.pin(x)
        self.originality = Originality(human.moves)
        held_images = pictures_of(held_out)
        judged = judge(network, held_images)
        shaped = form(form_terms(held_images))
        self.thresholds = Thresholds(
            heldout=float(np.median(judged)),
            heldout_loose=float(np.quantile(judged, 0.25)),
            form=float(np.quantile(shaped, 0.25)),
            novelty=float(np.quantile(among, 0.95) / self.scale),
            novelty_loose=float(np.quantile(among, 0.75) / self.scale),
        )

    def describe(self, works: Works) -> NDArray[np.float32]:
        """Descriptors (N, D) of works."""
        return self.descriptor(works)

    def save(self, folder: Path) -> None:
        """Write what :meth:`load` reads."""
        self.descriptor.save(folder / "descriptor.npz")
        self.human.save(folder / "human.npz")
        self.held_out.save(folder / "human-held-out.npz")
        save_weights(folder / "judge.safetensors", self.network)

    @classmethod
    def load(cls, folder: Path) -> Evaluator:
        """Read what :meth:`save` wrote."""
        network = HeldOutJudge()
        load_weights(folder / "judge.safetensors", network)
        return cls(
            Works.load(folder / "human.npz"),
            Works.load(folder / "human-held-out.npz"),
            network,
            descriptor=Descriptor.load(folder / "descriptor.npz"),
        )

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the held-out judge says of works."""
        return judge(self.network, pictures_of(works))

    def measure(self, works: Works) -> dict[str, NDArray[np.float64]]:
        """Everything measured of works, each (N,) float64.

        ``repeats`` is 1 where a work lies nearer to an earlier one of these than half the human
        median distance. ``yield`` and ``yield_loose`` are 1 where all four conditions hold and
        the work is no repeat.
        """
        moves, images = works.moves, pictures_of(works)
        x = self.descriptor(works)
        thresholds = self.thresholds
        heldout = judge(self.network, images)
        shaped = form(form_terms(images))
        novelty = self.archive.novelty(x)
        copied = self.originality.copied(moves)
        again = repeats(x, REPEAT_BELOW * self.scale)
        own = novelty_in_groups(x, self.k_neighbors) / self.scale
        both = (shaped >= thresholds.form) & (copied <= COPIED_AT_MOST) & ~again
        strict = both & (heldout >= thresholds.heldout) & (novelty >= thresholds.novelty)
        loose = both & (heldout >= thresholds.heldout_loose) & (novelty >= thresholds.novelty_loose)
        return {
            "heldout_quality": heldout,
            "form": shaped,
            "novelty_human": novelty,
            "novelty_self": own,
            "copied": copied,
            "repeats": again.astype(np.float64),
            "yield": strict.astype(np.float64),
            "yield_loose": loose.astype(np.float64),
            **stroke_facts(moves, images),
        }


def summarise(measured: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """One number per measure: means of shares and of copied ink, else medians."""
    out = {}
    for key, values in measured.items():
        if key in ("yield", "yield_loose", "repeats", "closed_ends", "copied"):
            out[key] = float(np.mean(values))
        elif key in ("moves", "strokes"):
            out[f"{key}_median"] = float(np.median(values))
        else:
            out[key] = float(np.median(values))
    return out
