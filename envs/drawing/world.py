"""The drawing world as scripts and agents use it; see :class:`move37.envs.base.world.World`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.splits import Splits, check_enough
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Evaluator, Export, World
from move37.envs.drawing.corpus.augment import vary
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.corpus.reading import read_brief, read_folder
from move37.envs.drawing.corpus.trace import from_images
from move37.envs.drawing.dynamics import DrawingSimulator, images_of, pictures_of
from move37.envs.drawing.judging.craft import PatchCritic
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.judging.evaluator import DrawingEvaluator, train_judge
from move37.envs.drawing.judging.mode_collapse import InkCollapse
from move37.envs.drawing.judging.quality import HumanLevelQuality
from move37.envs.drawing.judging.second_judge import LocalPatternJudge, trials
from move37.envs.drawing.moves import COORDINATES, assemble, parts_of
from move37.envs.drawing.mutation import mutate
from move37.envs.drawing.network import DrawingNetwork
from move37.envs.drawing.rules.explain import explain
from move37.envs.drawing.rules.form import form_quality, form_terms
from move37.envs.drawing.view import page, render
from move37.envs.files.folders import file_stems
from move37.envs.files.pictures import USUAL, Look, save_png
from move37.envs.judging.critics import judge
from move37.envs.judging.evaluator import human_novelty
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.pca import PrincipalComponents
from move37.envs.judging.reward import LearningReward, reward_archive
from move37.novelty.storage import load_weights


def _write_svgs(works: Works, folder: Path, look: Look = USUAL) -> None:
    stems = file_stems(works.names)
    for name, moves, brief in zip(stems, works.moves, works.briefs, strict=True):
        write_atomically(folder / f"{name}.svg", render.svg(moves, brief, look).encode())


def _write_pngs(works: Works, folder: Path, look: Look = USUAL) -> None:
    for i, name in enumerate(file_stems(works.names)):
        picture = render.tile(works, i, look.size or PNG_SIZE, look=look)
        save_png(folder / f"{name}.png", picture)


def _write_gif(works: Works, path: Path, look: Look = USUAL) -> None:
    render.gif(works.moves[0], path, brief=works.briefs[0], look=look)


PNG_SIZE = 512
"""Width and height of a drawing's own picture, in pixels."""


CAP = 1.15
"""Novelty counts up to this multiple of the human 95th percentile."""


class DrawingWorld(World):
    """Human drawings: by default Tabler's icons, with Lucide's for the held-out judge.

    ``judged_from`` is half of Lucide, ``outsiders`` the other half: human works to be measured like
    anybody's. A tenth of the corpus is held out.
    """

    id = "drawing"
    simulator_class = DrawingSimulator
    env_id = "Move37/DrawingFree-v0"
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]] = {
        "svg": ("FOLDER", "write one SVG per work", _write_svgs),
        "png": ("FOLDER", "write one PNG per work", _write_pngs),
        "gif": ("FILE.gif", "animate the drawing hand of the first work", _write_gif),
    }
    looks: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("size", "line_width", "ink", "paper", "smooth"), ("sheet", "moments", "svg", "png", "gif")
    )
    coordinates = COORDINATES

    images_of = staticmethod(images_of)
    images = staticmethod(pictures_of)
    from_images = staticmethod(from_images)
    read_folder = staticmethod(read_folder)
    read_brief = staticmethod(read_brief)
    mutate = staticmethod(mutate)
    parts = staticmethod(parts_of)
    assemble = staticmethod(assemble)
    tile = staticmethod(render.tile)
    page = staticmethod(page.html_page)
    rule_quality = staticmethod(form_quality)
    explain = staticmethod(explain)
    load_second_judge = staticmethod(LocalPatternJudge.load)

    def load_splits(self) -> Splits:
        """Read the corpora that :func:`load_corpus` knows."""
        loaded = load_corpus(self.corpus or "tabler", self.withhold)
        works = loaded.works
        order = np.random.default_rng(self.seed).permutation(len(works))[: self.limit or None]
        check_enough(works[order], loaded.skipped)
        others = load_corpus("lucide").works
        cut = max(1, len(order) // 10)
        other_order = np.random.default_rng(0).permutation(len(others))
        half = len(other_order) // 2
        return Splits(
            train=works[order[cut:]],
            held_out=works[order[:cut]],
            judge=others[other_order[:half]],
            outsiders=others[other_order[half:]],
            fingerprint=loaded.fingerprint,
            left_out=loaded.skipped,
        )

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works of one epoch of imitation, some mirrored or shifted."""
        rng = np.random.default_rng((seed, epoch))
        return Works(self.id, vary(self.train.moves, rng, share=0.25))

    def rule_scores(self, works: Works) -> Mapping[str, NDArray[np.float64]]:
        """What each rule of form says of works."""
        return form_terms(pictures_of(works))

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 578), features (N, ``n_features``))."""
        return DrawingNetwork(dropout=dropout)

    @staticmethod
    def load_evaluator(folder: Path) -> Evaluator:
        """The frozen judges that a run saved."""
        return DrawingEvaluator.load(folder)

    def fit_evaluator(self, updates: int, pools: int = 4) -> Evaluator:
        """The frozen judges: the same for every run, whatever its seed."""
        descriptor = PrincipalComponents.fit(features_of, self.train, N_COMPONENTS)
        # Works too much alike are refused now, not after the judge is trained.
        human_novelty(descriptor(self.train), DrawingEvaluator.k_neighbors)
        network = train_judge(self.judged_from.moves, 7, updates, pools)
        return DrawingEvaluator(self.train, self.held_out, network, descriptor)

    def second_judge(self, updates: int) -> LocalPatternJudge:
        """A second held-out judge, from designers that nothing else learns from (Heroicons)."""
        return LocalPatternJudge.fit(load_corpus("heroicons").works.moves, updates)

    def trials(self, seed: int = 0) -> dict[str, Works]:
        """Works whose order a judge should find, of designers that no judge learnt from."""
        return trials(self.held_out, seed)

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> LearningReward:
        """The reward of a learner: a critic and an archive of its own."""
        quality = HumanLevelQuality(self.train, imitations, updates, seed, pools)
        archive = reward_archive(evaluator, self.train)
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
