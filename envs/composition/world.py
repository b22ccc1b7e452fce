"""The composition world as scripts and agents use it; see :class:`move37.envs.base.world.World`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.works import Works, WorksError, write_atomically
from move37.envs.base.world import Export
from move37.envs.composition.corpus.chorales import CorpusError, load_corpus
from move37.envs.composition.corpus.musicxml import ChoraleError
from move37.envs.composition.corpus.sopranos import new_sopranos
from move37.envs.composition.dynamics import CompositionSimulator
from move37.envs.composition.judging.craft import Critic, planes_of
from move37.envs.composition.judging.evaluator import Evaluator, summarise, train_judge
from move37.envs.composition.judging.mode_collapse import ContourCollapse
from move37.envs.composition.judging.quality import HumanLevelQuality
from move37.envs.composition.modes import BASS, Mode
from move37.envs.composition.network import CompositionNetwork
from move37.envs.composition.rules.explain import explain
from move37.envs.composition.score import notation, page, render, sound, soundfont
from move37.envs.composition.score.roll import read_rolls
from move37.envs.composition.scores import moves_and_briefs, steps_of
from move37.envs.composition.works import pictures_of, scores_of_works
from move37.envs.files.pictures import save_png
from move37.envs.judging.critics import judge
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.reward import LearningReward, reward_archive
from move37.novelty.storage import load_weights


def _each(kind: str, make: Callable[[NDArray[np.int16], str, bool], bytes]) -> Export:
    """A writer of one file per work into a folder.

    Args:
        kind: How the files' names end.
        make: Makes one of a score (5, 32), its name, and whether its soprano was written too.
    """

    def write(works: Works, folder: Path) -> None:
        both = not Mode.of(works).soprano_is_given
        for i, score in enumerate(scores_of_works(works)):
            name = works.names[i] or f"{i:05d}"
            write_atomically(folder / f"{name}.{kind}", make(score, name, both))

    return write


def _write_rolls(works: Works, folder: Path) -> None:
    for i in range(len(works)):
        name = works.names[i] or f"{i:05d}"
        save_png(folder / f"{name}.png", render.roll(works, i, 1200, 750))


PRACTISED, ANSWERS = 20_000, 8
"""Sopranos that a learner practises on beside Bach's, and its answers to each of them."""
CAP = 1.1
"""Novelty counts up to this multiple of the human 95th percentile."""


def _planes(works: Works) -> NDArray[np.uint8]:
    return planes_of(scores_of_works(works))


class CompositionWorld:
    """Bach's chorales, split by tune, with what is fitted to them.

    Args:
        corpus: What :func:`load_corpus` takes: the works to learn from.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works (for quick runs); 0 keeps all.
        seed: Of the split.

    Attributes:
        train: Human works that everything is fitted to, with ``appraisal["tune"]``.
        held_out: The development split: it sets the bars and chooses the imitator's epoch.
        judged_from: The held-out judge learns from them.
        outsiders: The sealed split: Bach measured like anybody, for the last report only.
        evaluation: Which split's sopranos :meth:`exam` lays before its boards: ``"held_out"``, or
            ``"sealed"`` for the last report.
        inner: Codes of alto and tenor, (N, 2, 32) int16, of each of SPLITS; see
            :class:`move37.envs.composition.corpus.chorales.Corpus`.
        fingerprint: SHA-256 of the corpus.
        left_out: (label, reason) of everything in the corpus that could not be used.
    """

    id = "composition"
    env_id = "Move37/Composition-v0"
    mode: ClassVar[Mode] = BASS
    corpora = "bach (default), a folder of MusicXML files"
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]] = {
        "svg": (
            "FOLDER",
            "write one SVG per work",
            _each("svg", lambda score, name, both: notation.svg(score).encode()),
        ),
        "midi": ("FOLDER", "write one MIDI file per work", _each("mid", notation.midi)),
        "musicxml": (
            "FOLDER",
            "write one MusicXML file per work",
            _each("musicxml", notation.musicxml),
        ),
        "wav": (
            "FOLDER",
            "write one WAV file per work (FluidSynth plays them if it is there)",
            _each("wav", soundfont.wav),
        ),
        "roll": ("FOLDER", "write one piano roll (PNG) per work", _write_rolls),
    }

    settings: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 32, "kl_weight": 0.1, "value_network": "own",
        "env_steps": 6_000_000,
    }  # fmt: skip
    """How PPO learns here, where it is not said otherwise: see :func:`settings_of`."""

    floor: ClassVar[float] = 0.95
    """Novelty that is worth nothing yet."""
    own_count: ClassVar[bool] = False
    """Whether a learner's own works count against newness: see :class:`novelty_reward`."""

    root: ClassVar[int] = 1
    """Of craft and whole, as paid: see :class:`HumanLevelQuality`."""

    simulator: Callable[[int], CompositionSimulator] = CompositionSimulator
    """N boards; their briefs are the sopranos of the training tunes (an instance's own)."""

    images = staticmethod(pictures_of)
    summarise = staticmethod(summarise)
    tile = staticmethod(render.tile)
    page = staticmethod(page.html_page)
    explain = staticmethod(explain)
    load_evaluator = staticmethod(Evaluator.load)

    def __init__(
        self, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
    ) -> None:
        loaded = load_corpus(corpus or "bach", withhold)
        self.fingerprint, self.left_out = loaded.fingerprint, loaded.skipped
        rows = loaded.split(seed)
        if limit:
            share = limit / len(loaded.works)
            rng = np.random.default_rng(seed)
            rows = {
                k: np.sort(rng.permutation(v)[: max(8, round(share * len(v)))])
                for k, v in rows.items()
            }
        parts = {
            k: loaded.works[v].with_appraisal({"tune": loaded.tunes[v].astype(np.float64)})
            for k, v in rows.items()
        }
        self.inner = {k: loaded.inner[v] for k, v in rows.items()}
        self.train, self.held_out = parts["train"], parts["held_out"]
        self.judged_from, self.outsiders = parts["judge"], parts["sealed"]
        self.evaluation = "held_out"
        self.simulator = partial(CompositionSimulator, pool=self.train.briefs)
        self._practice: NDArray[np.int16] | None = None

    def practice(self, n: int) -> CompositionSimulator:
        """N boards to learn on: eight answers each to new sopranos (:mod:`.sopranos`)."""
        return CompositionSimulator(n, self.practice_briefs(), group=ANSWERS)

    def practice_briefs(self) -> NDArray[np.int16]:
        """Briefs (M, 67) of the training tunes' sopranos and of new ones made of them."""
        if self._practice is None:
            briefs, rng = self.train.briefs, np.random.default_rng(71)
            self._practice = np.concatenate([briefs, new_sopranos(briefs, PRACTISED, rng)])
        return self._practice

    def exam(self, n: int) -> CompositionSimulator:
        """N boards whose briefs nothing was fitted to; see ``evaluation``."""
        return CompositionSimulator(n, self.exam_briefs())

    def exam_briefs(self) -> NDArray[np.int16]:
        """The briefs (M, 67) of the split that ``evaluation`` names.

        Raises:
            ValueError: If there is no such split.
        """
        splits = {"held_out": self.held_out, "sealed": self.outsiders, "train": self.train}
        if self.evaluation not in splits:
            raise ValueError(f"evaluation: {self.evaluation!r} is none of {', '.join(splits)}")
        return splits[self.evaluation].briefs

    def brief_steps(self, briefs: NDArray[np.int16]) -> NDArray[np.int64]:
        """What briefs (N, 67) say of each move, (N, T, 6): see :func:`.scores.steps_of`."""
        return steps_of(briefs, self.mode.voices)

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 31), features (N, ``n_features``))."""
        return CompositionNetwork(dropout=dropout)

    @staticmethod
    def from_images(images: NDArray[np.floating]) -> Works:
        """Works of makers of piano rolls (N, 64, 64) in [0, 1]: ink is what is above one half.

        Soprano and bass are read from the roll, so the works have moves and briefs of their own.
        """
        scores = read_rolls((np.asarray(images) > 0.5).astype(np.uint8))
        return Works("composition", *moves_and_briefs(scores, BASS))

    @staticmethod
    def read_folder(folder: Path) -> tuple[Works, list[str]]:
        """Works from a folder of MusicXML files, and what was left out and why.

        Raises:
            ValueError: If nothing can be read.
        """
        try:
            corpus = load_corpus(str(folder), progress=False)
        except (CorpusError, ChoraleError) as error:
            raise WorksError(str(error)) from error
        return corpus.works, [f"{label}: {reason}" for label, reason in corpus.skipped]

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works of one epoch of imitation: as they are, their key is already one."""
        return self.train

    def fit_evaluator(self, updates: int, pools: int = 4) -> Evaluator:
        """The frozen judges: the same for every run, whatever its seed."""
        forest = train_judge(self.judged_from, 7, pools)
        return Evaluator(self.train, self.held_out, forest)

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> LearningReward:
        """The reward of a learner: critics and an archive of its own; imitations are not used."""
        quality = HumanLevelQuality(self.train, updates, seed, pools, self.root)
        human = evaluator.describe(self.train)
        archive = reward_archive(
            human, evaluator.k_neighbors, evaluator.thresholds.novelty, evaluator.scale
        )
        novelty_reward = ArchiveNovelty(
            evaluator.descriptor, archive, self.train, CAP * evaluator.thresholds.novelty,
            floor=self.floor, exponent=1.5, duplicate_above=0.7, own_count=self.own_count,
            mode_collapse=ContourCollapse,
        )  # fmt: skip
        return LearningReward(quality, novelty_reward)

    @staticmethod
    def sound(works: Works) -> tuple[NDArray[np.float32], int]:
        """Works one after the other: samples (S,) float32, 22,050 a second."""
        parts = [sound.samples(score) for score in scores_of_works(works)]
        return np.concatenate([np.zeros(0), *parts]).astype(np.float32), sound.RATE

    @staticmethod
    def craft(folder: Path, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what a run's saved critic says of works."""
        planes = _planes(works)
        critic = Critic(planes.shape[1])
        load_weights(folder / "critic.safetensors", critic)
        return judge(critic, planes)
