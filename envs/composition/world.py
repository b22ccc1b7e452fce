"""The composition world as scripts and agents use it; see :class:`move37.envs.base.world.World`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.corpus import CorpusError
from move37.envs.base.splits import Splits
from move37.envs.base.works import Works, WorksError, write_atomically
from move37.envs.base.world import Evaluator, Export, World
from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
from move37.envs.composition.corpus.melody import read_melody
from move37.envs.composition.corpus.musicxml import ChoraleError
from move37.envs.composition.corpus.sopranos import new_sopranos
from move37.envs.composition.dynamics import CompositionSimulator, FourSimulator, FreeSimulator
from move37.envs.composition.judging.craft import Critic, planes_of
from move37.envs.composition.judging.descriptor import ContourCollapse
from move37.envs.composition.judging.evaluator import CompositionEvaluator, train_judge
from move37.envs.composition.judging.quality import HumanLevelQuality
from move37.envs.composition.modes import BASS, FOUR, FREE, Mode
from move37.envs.composition.network import CompositionNetwork
from move37.envs.composition.rules.explain import explain
from move37.envs.composition.rules.form import form_quality, form_terms
from move37.envs.composition.score import notation, page, render, sound, soundfont
from move37.envs.composition.score.midi import midi
from move37.envs.composition.score.roll import read_rolls
from move37.envs.composition.scores import moves_and_briefs, steps_of
from move37.envs.composition.voices_networks import FourNetwork, FreeNetwork
from move37.envs.composition.works import pictures_of, scores_of_works
from move37.envs.files.folders import file_stems
from move37.envs.files.pictures import USUAL, Look, save_png
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
        for name, score in zip(file_stems(works.names), scores_of_works(works), strict=True):
            write_atomically(folder / f"{name}.{kind}", make(score, name, both))

    return write


def _write_rolls(works: Works, folder: Path, look: Look = USUAL) -> None:
    width = look.size or 1200
    for i, name in enumerate(file_stems(works.names)):
        save_png(folder / f"{name}.png", render.roll(works, i, width, -(-5 * width // 8)))


PRACTISED, ANSWERS = 20_000, 8
"""Sopranos that a learner practises on beside Bach's, and its answers to each of them."""
CAP = 1.1
"""Novelty counts up to this multiple of the human 95th percentile."""


class CompositionWorld(World):
    """Bach's chorales, split by tune: a bass is written to a given soprano.

    Human works have their tune in ``appraisal["tune"]``. The development split is held out,
    ``outsiders`` is the sealed split: Bach measured like anybody, for the last report only. An exam
    may lay the sopranos of either, or of the training tunes.
    """

    id = "composition"
    simulator_class: ClassVar[type[CompositionSimulator]] = CompositionSimulator
    env_id = "Move37/Composition-v0"
    mode: ClassVar[Mode] = BASS
    exam_splits = ("held_out", "sealed", "train")
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]] = {
        "svg": (
            "FOLDER",
            "write one SVG per work",
            _each("svg", lambda score, name, both: notation.svg(score).encode()),
        ),
        "midi": ("FOLDER", "write one MIDI file per work", _each("mid", midi)),
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

    looks: ClassVar[Mapping[str, tuple[str, ...]]] = {"size": ("sheet", "moments", "roll")}

    ppo: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 32, "kl_weight": 0.1, "value_network": "own",
        "env_steps": 6_000_000,
    }  # fmt: skip
    floor: ClassVar[float] = 0.95
    """Novelty that is worth nothing yet."""
    own_count: ClassVar[bool] = False
    """Whether a learner's own works count against novelty: see :class:`ArchiveNovelty`."""
    root: ClassVar[int] = 1
    """Of craft and whole, as paid: see :class:`HumanLevelQuality`."""
    make_network: ClassVar[Callable[..., nn.Module]] = CompositionNetwork

    images = staticmethod(pictures_of)
    tile = staticmethod(render.tile)
    page = staticmethod(page.html_page)
    rule_quality = staticmethod(form_quality)
    explain = staticmethod(explain)
    load_evaluator = staticmethod(CompositionEvaluator.load)

    def load_splits(self) -> Splits:
        """Read the chorales, split them by tune, and write them in the world's mode."""
        loaded = load_corpus(self.corpus or "bach", self.withhold)
        rows = loaded.split(self.seed)
        if self.limit:
            share = self.limit / len(loaded.works)
            rng = np.random.default_rng(self.seed)
            rows = {
                name: np.sort(rng.permutation(at)[: max(8, round(share * len(at)))])
                for name, at in rows.items()
            }
        works = loaded.works.with_appraisal({"tune": loaded.tunes.astype(np.float64)})
        parts = {name: self.written(works[at], loaded.inner[at]) for name, at in rows.items()}
        fingerprint = loaded.fingerprint
        if self.mode.in_four:  # of the inner voices too
            digest = hashlib.sha256(fingerprint.encode())
            for name in ("train", "held_out", "judge", "sealed"):
                digest.update(parts[name].moves.astype("<i2").tobytes())
            fingerprint = digest.hexdigest()
        return Splits(
            train=parts["train"],
            held_out=parts["held_out"],
            judge=parts["judge"],
            outsiders=parts["sealed"],
            fingerprint=fingerprint,
            left_out=loaded.skipped,
        )

    @classmethod
    def written(cls, works: Works, inner: NDArray[np.int16]) -> Works:
        """Works of two voices in the world's mode.

        Args:
            works: N of them; in four parts those are left out whose alto or tenor leaves its
                compass.
            inner: (N, 2, 32): codes of alto and tenor, -1 where one leaves its compass.
        """
        if cls.mode == BASS:
            return works
        scores = scores_of_works(works)
        if cls.mode.in_four:
            whole = np.array((inner >= 0).all(axis=(1, 2)), np.bool_)
            works, scores = works[whole], scores_in_four(works, inner)
        moves, briefs = moves_and_briefs(scores, cls.mode)
        return Works(cls.id, moves, briefs, works.names, works.appraisal)

    def boards(self, n: int, split: str) -> CompositionSimulator:
        """N boards with the briefs of a split."""
        splits = {"train": self.train, "held_out": self.held_out, "sealed": self.outsiders}
        return self.simulator_class(n, splits[split].briefs)

    def practice(self, n: int) -> CompositionSimulator:
        """N boards to learn on: eight answers each to every brief."""
        return self.simulator_class(n, self.practice_briefs, group=ANSWERS)

    @cached_property
    def practice_briefs(self) -> NDArray[np.int16]:
        """Briefs (M, 67) of the training tunes and, with a soprano, of new ones made of them."""
        briefs = self.train.briefs
        if not self.mode.soprano_is_given:
            return briefs
        new = new_sopranos(briefs, PRACTISED, np.random.default_rng(71))
        return np.concatenate([briefs, new])

    def brief_steps(self, briefs: NDArray[np.int16]) -> NDArray[np.int64]:
        """What briefs (N, 67) say of each move, (N, T, 6): see :func:`.scores.steps_of`."""
        return steps_of(briefs, self.mode.voices)

    def images_of(self, moves: NDArray[np.int16], briefs: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Piano rolls (N, 64, 64), in four parts (N, 128, 64), of moves and briefs (N, 67)."""
        return pictures_of(Works(self.id, moves, briefs))

    @classmethod
    def from_images(cls, images: NDArray[np.floating]) -> Works:
        """Works of makers of piano rolls in [0, 1]: ink is what is above one half.

        All voices are read from the roll, so the works have moves and briefs of their own.
        """
        scores = read_rolls((np.asarray(images) > 0.5).astype(np.uint8))
        return Works(cls.id, *moves_and_briefs(scores, cls.mode))

    @classmethod
    def read_folder(cls, folder: Path) -> tuple[Works, list[str]]:
        """Works from a folder of MusicXML files, and what was left out and why.

        Raises:
            ValueError: If nothing can be read.
        """
        try:
            corpus = load_corpus(str(folder), progress=False)
        except (CorpusError, ChoraleError) as error:
            raise WorksError(str(error)) from error
        left_out = [f"{label}: {reason}" for label, reason in corpus.skipped]
        works = cls.written(corpus.works, corpus.inner)
        known = set(works.names)
        lost = [name for name in corpus.works.names if name not in known]
        return works, [*left_out, *(f"{name}: alto or tenor leaves its compass" for name in lost)]

    @classmethod
    def read_brief(cls, path: Path) -> tuple[NDArray[np.int16], list[str]]:
        """The melody of a file, which is the soprano that is answered; see :func:`read_melody`.

        Raises:
            ValueError: If the file holds none that fits, or the world writes sopranos itself.
        """
        if not cls.mode.soprano_is_given:
            raise WorksError(f"{path}: the world {cls.id} writes the soprano, so none can be given")
        return read_melody(path)

    def rule_scores(self, works: Works) -> Mapping[str, NDArray[np.float64]]:
        """What each rule of counterpoint says of works."""
        return form_terms(scores_of_works(works), self.mode)

    @classmethod
    def network(cls, dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 31), features (N, ``n_features``))."""
        return cls.make_network(dropout=dropout)

    def fit_evaluator(self, updates: int, pools: int = 4) -> CompositionEvaluator:
        """The frozen judges: the same for every run, whatever its seed."""
        forest = train_judge(self.judged_from, 7, pools)
        return CompositionEvaluator(self.train, self.held_out, forest)

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> LearningReward:
        """The reward of a learner: critics and an archive of its own; imitations are not used."""
        quality = HumanLevelQuality(self.train, updates, seed, pools, self.root)
        novelty_reward = ArchiveNovelty(
            evaluator.descriptor, reward_archive(evaluator, self.train), self.train,
            CAP * evaluator.thresholds.novelty, floor=self.floor, exponent=1.5, duplicate_above=0.7,
            own_count=self.own_count, mode_collapse=ContourCollapse,
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
        planes = planes_of(scores_of_works(works))
        critic = Critic(planes.shape[1])
        load_weights(folder / "critic.safetensors", critic)
        return judge(critic, planes)


class FreeWorld(CompositionWorld):
    """Bach's chorales, soprano and bass, both of them written: nothing but the frame is given."""

    id = "composition-free"
    simulator_class = FreeSimulator
    env_id = "Move37/CompositionFree-v0"
    mode = FREE
    # Works are twice as long, and few of the imitator's are both good and new: the learner is paid
    # for less novelty, or its way is lost in noise.
    ppo: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 64, "kl_weight": 0.02, "value_network": "own",
        "env_steps": 4_000_000,
    }  # fmt: skip
    floor = 0.8
    own_count = True  # nothing is given that would keep works apart
    make_network = FreeNetwork


class FourWorld(CompositionWorld):
    """Bach's chorales in four parts: bass, tenor and alto are written to a given soprano."""

    id = "composition-four"
    simulator_class = FourSimulator
    env_id = "Move37/CompositionFour-v0"
    mode = FOUR
    ppo: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 96, "kl_weight": 0.1, "value_network": "own",
        "env_steps": 4_000_000,
    }  # fmt: skip
    floor = 0.8
    root = 3  # the imitator's works are far below Bach's: none would be paid else
    make_network = FourNetwork
