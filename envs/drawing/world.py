"""The drawing world as scripts and agents use it; see :class:`move37.envs.base.world.World`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Export
from move37.envs.drawing.corpus.augment import vary
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.corpus.reading import read_folder
from move37.envs.drawing.corpus.trace import from_images
from move37.envs.drawing.dynamics import DrawingSimulator, pictures_of
from move37.envs.drawing.judging.craft import PatchCritic
from move37.envs.drawing.judging.evaluator import Evaluator, summarise, train_judge
from move37.envs.drawing.judging.mode_collapse import InkCollapse
from move37.envs.drawing.judging.quality import HumanLevelQuality
from move37.envs.drawing.judging.second_judge import SecondJudge, trials
from move37.envs.drawing.moves import COORDINATES, assemble, parts_of
from move37.envs.drawing.mutation import mutate
from move37.envs.drawing.network import DrawingNetwork
from move37.envs.drawing.rules.explain import explain
from move37.envs.drawing.view import page, render
from move37.envs.judging.critics import judge
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.reward import LearningReward, reward_archive
from move37.novelty.storage import load_weights


def _write_svgs(works: Works, folder: Path) -> None:
    for i, moves in enumerate(works.moves):
        name = works.names[i] or f"{i:05d}"
        write_atomically(folder / f"{name}.svg", render.svg(moves).encode())


def _write_gif(works: Works, path: Path) -> None:
    render.gif(works.moves[0], path)


CAP = 1.15
"""Novelty counts up to this multiple of the human 95th percentile."""


class DrawingWorld:
    """Human drawings, split, with what is fitted to them.

    Args:
        corpus: What :func:`load_corpus` takes: the works to learn from.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works (for quick runs); 0 keeps all.
        seed: Of the split.

    Attributes:
        train: Human works that everything is fitted to.
        held_out: A tenth of the works, seen by no network; they set the bars.
        judged_from: Half of other designers' works (Lucide): the held-out judge learns from them.
        outsiders: The other half: human works to be measured like anybody's.
        fingerprint: SHA-256 of the corpus.
        left_out: (label, reason) of everything in the corpus that could not be used.
    """

    id = "drawing"
    env_id = "Move37/Drawing-v0"
    corpora = "tabler (default), lucide, kanjivg, heroicons, an SVG folder, an .ndjson file"
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]] = {
        "svg": ("FOLDER", "write one SVG per work", _write_svgs),
        "gif": ("FILE.gif", "animate the drawing hand of the first work", _write_gif),
    }

    simulator = DrawingSimulator
    images = staticmethod(pictures_of)
    from_images = staticmethod(from_images)
    read_folder = staticmethod(read_folder)
    mutate = staticmethod(mutate)
    coordinates = COORDINATES
    parts = staticmethod(parts_of)
    assemble = staticmethod(assemble)
    summarise = staticmethod(summarise)
    tile = staticmethod(render.tile)
    page = staticmethod(page.html_page)
    explain = staticmethod(explain)
    load_evaluator = staticmethod(Evaluator.load)
    load_second_judge = staticmethod(SecondJudge.load)
    exam = staticmethod(DrawingSimulator)

    def __init__(
        self, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
    ) -> None:
        loaded = load_corpus(corpus or "tabler", withhold)
        self.fingerprint, self.left_out = loaded.fingerprint, loaded.skipped
        works = loaded.works
        order = np.random.default_rng(seed).permutation(len(works))[: limit or None]
        cut = max(1, len(order) // 10)
        self.held_out, self.train = works[order[:cut]], works[order[cut:]]
        others = load_corpus("lucide").works
        order = np.random.default_rng(0).permutation(len(others))
        half = len(order) // 2
        self.judged_from, self.outsiders = others[order[:half]], others[order[half:]]

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 578), features (N, ``n_features``))."""
        return DrawingNetwork(dropout=dropout)

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works of one epoch of imitation, some mirrored or shifted."""
        rng = np.random.default_rng((seed, epoch))
        return Works(self.id, vary(self.train.moves, rng, share=0.25))

    def fit_evaluator(self, updates: int, pools: int = 4) -> Evaluator:
        """The frozen judges: the same for every run, whatever its seed."""
        network = train_judge(self.judged_from.moves, 7, updates, pools)
        return Evaluator(self.train, self.held_out, network)

    def second_judge(self, updates: int) -> SecondJudge:
        """A second held-out judge, from designers that nothing else learns from (Heroicons)."""
        return SecondJudge.fit(load_corpus("heroicons").works.moves, updates)

    def trials(self, seed: int = 0) -> dict[str, Works]:
        """Works whose order a judge should find, of designers that no judge learnt from."""
        return trials(self.held_out, seed)

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> LearningReward:
        """The reward of a learner: a critic and an archive of its own."""
        quality = HumanLevelQuality(self.train, imitations, updates, seed, pools)
        human = evaluator.describe(self.train)
        archive = reward_archive(
            human, evaluator.k_neighbors, evaluator.thresholds.novelty, evaluator.scale
        )
        cap = CAP * evaluator.thresholds.novelty
        novelty_reward = ArchiveNovelty(
            evaluator.descriptor, archive, self.train, cap, mode_collapse=InkCollapse
        )
        return LearningReward(quality, novelty_reward)

    @staticmethod
    def craft(folder: Path, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what a run's saved critic says of works."""
        critic = PatchCritic()
        load_weights(folder / "critic.safetensors", critic)
        return judge(critic, pictures_of(works))
