"""What a world is: the kind of works that are made, judged and shown.

A new world is a class derived from :class:`World`; ``docs/new-world.md`` writes one from beginning
to end, and :func:`move37.envs.check_world` proves that one conforms.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.appraisal import Appraisal, Terms
from move37.envs.base.gym_views import WorldEnv
from move37.envs.base.network import FlatNetwork
from move37.envs.base.simulator import Simulator
from move37.envs.base.splits import Splits
from move37.envs.base.works import PAD, Works, WorksError, check_moves, join_works
from move37.envs.files.folders import files_in
from move37.envs.files.pages import still_page
from move37.envs.files.pictures import MARK, PALE, Picture, image_tile
from move37.envs.judging.defaults import DefaultEvaluator, DefaultQuality, saved_craft
from move37.envs.judging.evaluator import Evaluator, Measures
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.reward import LearningReward, Reward, reward_archive
from move37.envs.judging.rule_scores import rule_terms

__all__ = ["Evaluator", "Export", "Measures", "Reward", "SecondJudge", "World"]

Export = Callable[..., None]
"""Writes works to a file, or to a folder if the path of its option is one: (works, path), and
(works, path, look) if its kind is in :attr:`World.looks`."""
CAP = 1.1
"""Novelty counts up to this multiple of the human 95th percentile, where a world says nothing."""
FLOOR = 0.5
"""Novelty that is worth nothing yet, where a world says nothing; 1 is the human median."""
RULE_FLOOR = 0.01
"""A rule that is broken counts as this in the geometric mean of the rules."""


class SecondJudge(ABC):
    """A second held-out judge, which shares neither human makers nor architecture with the first.

    Like the first it never gave reward.
    """

    @abstractmethod
    def __call__(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64; more is better."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what :meth:`World.load_second_judge` reads."""


class World(ABC):
    """A kind of work: its moves, human works, rules, judges, reward and pictures.

    What a world must have: :attr:`id`, :attr:`simulator_class`, :meth:`load_splits` and
    :meth:`images_of`. Everything else has a default. Making a world costs nothing: human works are
    read when they are first asked for. A world does not change while it is used.

    Args:
        corpus: Which human works; empty for the world's default.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works (for quick runs); 0 keeps all.
        seed: Of the split of the human works.

    Attributes:
        id: Name, as it stands in files of works.
        simulator_class: Makes boards, of nothing but their number.
        env_id: Id of its Gymnasium environment, if it is registered.
        ppo: Options of PPO that are better in this world than the defaults, by their names in
            :class:`move37.agents.runs.config.Config`.
        exports: For each kind of file, ``"svg"`` say: placeholder, help text and writer.
        looks: For each option of a :class:`~move37.envs.files.pictures.Look` the kinds of files
            that obey it: kinds of ``exports``, ``"sheet"`` and ``"moments"``. If it names others
            than ``size`` for sheets, :meth:`tile` takes ``look``.
        exam_splits: Splits of the human works whose briefs an exam may lay; the first is the usual.
        coordinates: (A, K) int64: where moves lie, -1 for those that have no place; for networks of
            moves. None: nowhere.
        by_concept: Whether works are asked for by the name of what they are to show; a brief from a
            file is then a drawing of it that they are to be unlike.
        split: The split whose briefs boards have; None: as :meth:`simulator` and :meth:`exam` say.
    """

    id: ClassVar[str]
    simulator_class: ClassVar[type[Simulator]]
    env_id: ClassVar[str] = ""
    ppo: ClassVar[Mapping[str, Any]] = {}
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]] = {}
    looks: ClassVar[Mapping[str, tuple[str, ...]]] = {"size": ("sheet", "moments")}
    exam_splits: ClassVar[tuple[str, ...]] = ("held_out",)
    coordinates: ClassVar[NDArray[np.int64] | None] = None
    by_concept: ClassVar[bool] = False

    def __init__(
        self, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
    ) -> None:
        self.corpus, self.withhold, self.limit, self.seed = corpus, tuple(withhold), limit, seed
        self.split: str | None = None

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self  # it does not change: whatever is copied shares it

    # Human works

    @abstractmethod
    def load_splits(self) -> Splits:
        """Read the human works and split them; see :meth:`Splits.of`.

        Raises:
            ValueError: If there is no such corpus, or nothing is left of it.
        """

    @cached_property
    def splits(self) -> Splits:
        """The human works, by what they are for; read once."""
        loaded, n_actions = self.load_splits(), self.simulator_class.n_actions
        groups = ("train", "held_out", "judge", "outsiders")
        known = {name: replace(getattr(loaded, name), n_actions=n_actions) for name in groups}
        return replace(loaded, **known)

    @property
    def train(self) -> Works:
        """Human works that everything is fitted to."""
        return self.splits.train

    @property
    def held_out(self) -> Works:
        """Human works that no network saw; they set the thresholds."""
        return self.splits.held_out

    @property
    def judged_from(self) -> Works:
        """Human works that the held-out judge alone learns from."""
        return self.splits.judge

    @property
    def outsiders(self) -> Works:
        """Works of other human makers, measured like anybody's; may be empty."""
        return self.splits.outsiders

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the human works."""
        return self.splits.fingerprint

    @property
    def left_out(self) -> Sequence[tuple[str, str]]:
        """(label, reason) of everything in the corpus that could not be used."""
        return self.splits.left_out

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works as one epoch of imitation sees them; by default as they are."""
        return self.train

    # Boards

    def boards(self, n: int, split: str) -> Simulator:
        """N boards whose default briefs are those of a split of the human works.

        Only worlds whose works answer briefs need to make a difference.
        """
        return self.simulator_class(n)

    def simulator(self, n: int) -> Simulator:
        """N boards as makers are given them: the briefs are those of the training works."""
        return self.boards(n, self.split or "train")

    def practice(self, n: int) -> Simulator:
        """N boards that a learner learns on; their briefs may be more than there is to imitate."""
        return self.boards(n, "train")

    def exam(self, n: int) -> Simulator:
        """N boards as makers are examined on them, with briefs that nothing was fitted to."""
        return self.boards(n, self.split or self.exam_splits[0])

    def for_exam(self, split: str = "") -> Self:
        """The same world, whose :meth:`simulator` makes boards with the briefs of an exam.

        Learners go on practising where they did; human works are what they were.

        Args:
            split: One of :attr:`exam_splits`; empty for the first.

        Raises:
            ValueError: If the world has no such exam.
        """
        if split and split not in self.exam_splits:
            known = ", ".join(self.exam_splits)
            raise ValueError(f"exam: {split!r}: the world {self.id} has {known}")
        other = copy.copy(self)
        other.split = split or self.exam_splits[0]
        return other

    def brief_steps(self, briefs: NDArray[np.int16]) -> NDArray[np.int64] | None:
        """What briefs (N, B) say of each move, (N, T, K) int64 from 0 on; for networks of moves.

        None: briefs are moves made before, or there are none.
        """
        return None

    def groups(self, works: Works) -> NDArray[np.int64]:
        """What works (N,) are to show, by any numbers: the best of each group are told apart.

        By default all works are of one group.
        """
        return np.zeros(len(works), np.int64)

    def env(self, render_mode: str | None = None, size: int = 512) -> WorldEnv:
        """A Gymnasium environment of one board, whose reward is what the rules say."""
        return WorldEnv(
            self.simulator_class(1),
            Appraisal(self.rule_quality),
            lambda simulator, i, size: self.tile(simulator.works(np.array([i])), 0, size),
            render_mode,
            size,
        )

    # Works

    @abstractmethod
    def images_of(self, moves: NDArray[np.int16], briefs: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Images (N, H, W) uint8 in {0, 1} of works' moves (N, T) and briefs (N, B).

        What the judges look at: works that look alike are alike. Works need not be finished.
        """

    def images(self, works: Works) -> NDArray[np.uint8]:
        """(N, H, W) uint8 in {0, 1}: what the judges look at.

        Raises:
            ValueError: If works are images of another size.
        """
        if works.images is None:
            return self.images_of(works.moves, works.briefs)
        kind, got = self.simulator_class, works.images.shape[1:]
        nothing = np.full((1, kind.max_moves), PAD, np.int16)
        image = self.images_of(nothing, np.full((1, kind.brief_width or 0), PAD, np.int16))[0]
        if got != image.shape:
            height, width = image.shape
            raise ValueError(f"images: expected {height} x {width} points, got {got}")
        return works.images

    def from_images(self, images: NDArray[np.floating]) -> Works:
        """Works of makers of images, (N, H, W) in [0, 1].

        By default they are images without moves; a world that can tell what was done traces them.
        """
        moves = np.full((len(images), self.simulator_class.max_moves), PAD, np.int16)
        return Works(self.id, moves, images=(np.asarray(images) > 0.5).astype(np.uint8))

    def read_folder(self, folder: Path) -> tuple[Works, list[str]]:
        """Works of any other maker from files in a folder, and what was left out and why.

        By default they are files of works, ``*.npz``.

        Raises:
            ValueError: If nothing can be read.
        """
        found: list[Works] = []
        files, unlisted = files_in(folder, (".npz",))
        left_out = [f"{label}: {reason}" for label, reason in unlisted]
        for path in files.values():
            try:
                works = Works.load(path)
                self.check_works(works)
                found.append(works)
            except ValueError as error:
                left_out.append(str(error))
        if not found:
            reasons = "; ".join(left_out) or "there is no .npz file"
            raise WorksError(f"{folder}: no works of the world {self.id} ({reasons})")
        return join_works(found), left_out

    def read_brief(self, path: Path) -> tuple[NDArray[np.int16], list[str]]:
        """A brief (B,) int16 from a user's file, and what to tell the user of it, a line each.

        By default there are none.

        Raises:
            ValueError: If the file holds no brief, or the world reads none.
        """
        raise WorksError(f"{path}: the world {self.id} reads no briefs from files")

    def concept_briefs(
        self,
        name: str,
        n: int,
        rng: np.random.Generator,
        brief: NDArray[np.int16] | None = None,
    ) -> NDArray[np.int16]:
        """Briefs (n, B) that ask for something by its name.

        By default nothing has a name; a world where things have sets ``by_concept`` too.

        Args:
            name: Of what works are to show.
            n: How many.
            rng: Chooses what else is in them.
            brief: One (B,) that says all but the name; None: the world chooses.

        Raises:
            ValueError: If the world knows nothing of this name.
        """
        raise WorksError(f"{name}: the world {self.id} knows nothing by its name")

    def check_works(self, works: Works) -> None:
        """Refuse what cannot be works of this world.

        Raises:
            ValueError: If they are of another world, too long, or anything in them is no move.
        """
        kind = self.simulator_class
        if works.world != self.id:
            raise WorksError(f"works of the world {works.world!r:.40}, not of {self.id}")
        if works.moves.shape[1] > kind.max_moves:
            raise WorksError(
                f"moves: {works.moves.shape[1]} of them; a work has {kind.max_moves} at most"
            )
        check_moves("moves", works.moves, kind.n_actions)
        kind(len(works)).reset(np.arange(len(works)), works.briefs)
        if works.images is not None:
            self.images(works)

    def mutate(
        self, moves: NDArray[np.int16], rng: np.random.Generator, human: NDArray[np.int16]
    ) -> NDArray[np.int16] | None:
        """Works (N, T) changed a little, for evolution; they must be legal.

        Args:
            moves: (N, T) int16, padded with -1, N may be 0: the parents.
            rng: The only source of chance.
            human: (M, U) int16: human works, whose parts may be used.

        Returns:
            (N, V) int16, padded with -1; None: moves are changed without knowing what they mean.
        """
        return None

    def parts(self, works: Works) -> Sequence[NDArray[np.int16]]:
        """The parts of all works, each as moves, for collages; by default none."""
        return []

    def assemble(self, parts: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
        """The moves of the work that consists of these parts of :meth:`parts`."""
        raise NotImplementedError(f"the world {self.id} has parts but no way to assemble them")

    # Pictures, pages, sound

    def tile(
        self,
        works: Works,
        i: int,
        size: int,
        first: int | None = None,
        marks: Sequence[int] = (),
    ) -> Picture:
        """A picture of one work: its image, ink on paper.

        Args:
            works: Works of the world.
            i: Which of them.
            size: Width and height in pixels.
            first: What was made before the move of this index is pale; None: nothing is.
            marks: Indices of moves whose ink is in the colour of marks.

        Returns:
            (size, size, 3) uint8.
        """
        work = works[i : i + 1]
        tile = image_tile(self.images(work)[0], size).copy()
        if work.images is not None or (first is None and not marks):
            return tile
        if first is not None:
            tile[self._ink_until(work, first, size)] = PALE
        for t in marks:
            new = self._ink_until(work, t + 1, size) & ~self._ink_until(work, t, size)
            tile[new] = MARK
        return tile

    def _ink_until(self, work: Works, t: int, size: int) -> NDArray[np.bool_]:
        """(size, size): where the first t moves left ink."""
        moves = work.moves.copy()
        moves[:, t:] = PAD
        dark: NDArray[np.bool_] = (
            image_tile(self.images_of(moves, work.briefs)[0], size)[..., 0] < 128
        )
        return dark

    def page(
        self,
        works: Works,
        title: str,
        captions: Sequence[str] | None = None,
        marks: Sequence[Sequence[int]] | None = None,
    ) -> str:
        """One HTML page, nothing outside it, that shows the works.

        Args:
            works: N works.
            title: Of the page.
            captions: N texts.
            marks: For each work the indices of moves, from 0, that are marked.
        """
        return still_page(self, works, title, captions, marks, self.explain(works))

    def sound(self, works: Works) -> tuple[NDArray[np.float32], int] | None:
        """Works one after the other: samples (S,) float32 in [-1, 1], and how many a second.

        None: works cannot be heard.
        """
        return None

    # Rules and judges

    def rule_scores(self, works: Works) -> Mapping[str, NDArray[np.float64]]:
        """What each rule says of works, (N,) float64 in [0, 1] each, 1 is best; may be empty."""
        return {}

    def rule_quality(self, works: Works) -> Terms:
        """Terms of the rules, each (N,) float64: ``form/RULE``, ``form``, ``quality`` = form.

        By default form is the geometric mean of the rules' scores, 1 where there are no rules.
        """
        scores = self.rule_scores(works)
        if not scores:
            return {name: np.ones(len(works)) for name in ("form", "quality")}
        return rule_terms(scores, RULE_FLOOR, len(scores))

    def explain(self, works: Works) -> list[list[str]]:
        """For each work what the rules found, one line each; by default every score below 1."""
        scores = self.rule_scores(works)
        return [
            [f"{rule}: {score[i]:.2f}" for rule, score in scores.items() if score[i] < 1]
            for i in range(len(works))
        ]

    def fit_evaluator(self, updates: int, pools: int = 4) -> Evaluator:
        """The frozen judges: the same for every run, whatever its seed.

        Args:
            updates: Gradient steps of networks.
            pools: How many damaged copies of the human works they learn from.
        """
        return DefaultEvaluator.fit(self, self.train, self.held_out, self.judged_from, pools)

    def load_evaluator(self, folder: Path) -> Evaluator:
        """Read the judges that a run saved."""
        return DefaultEvaluator.load(self, folder)

    def second_judge(self, updates: int) -> SecondJudge | None:
        """Fit a second held-out judge; None: there is none."""
        return None

    def load_second_judge(self, folder: Path) -> SecondJudge | None:
        """Read the second judge that was saved in a folder; None: there is none."""
        return None

    def trials(self, seed: int = 0) -> Mapping[str, Works]:
        """Works whose order of quality is known: ``human``, damaged copies, ``random``; may be {}.

        No judge saw them, nor works of their makers.
        """
        return {}

    # Learning

    def network(self, dropout: float = 0.0) -> nn.Module:
        """A network, (observations) -> (logits (N, A), features (N, ``n_features``)).

        It has two plain attributes: ``n_features``, and ``dropout``, a float that is set to 0 where
        the network becomes a policy.
        """
        space = self.simulator_class(0).observation_space()
        return FlatNetwork(space, self.simulator_class.n_actions, dropout=dropout)

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> Reward:
        """The reward of a learner: critics and an archive of its own.

        Args:
            evaluator: For the descriptor and the unit of novelty; its judges give no reward.
            imitations: Works of the imitator, which the critic may learn from.
            updates: Gradient steps of the critics' first training.
            seed: Of the critics.
            pools: How many damaged copies of the human works they learn from.
        """
        quality = DefaultQuality(self, self.train, imitations, updates, seed, pools)
        archive = reward_archive(evaluator, self.train)
        cap = CAP * evaluator.thresholds.novelty
        return LearningReward(
            quality, ArchiveNovelty(evaluator.descriptor, archive, self.train, cap, floor=FLOOR)
        )

    def craft(self, folder: Path, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the critic that a run saved says of works, their term ``craft``."""
        return saved_craft(self, folder, works)

    def judge_again(self, folder: Path, works: Works) -> Measures:
        """Play works again and judge them with the judges that a run saved.

        Args:
            folder: Of the run.
            works: As the run saved them.

        Returns:
            Terms that must equal those in ``works.appraisal``, bit by bit: what the rules say of
            works that are played again, what the run's critic says, and everything measured.

        Raises:
            ValueError: If works cannot be played.
        """
        simulator, every = self.simulator_class(len(works)), np.arange(len(works))
        simulator.reset(every, works.briefs)
        for column in works.moves.T:
            simulator.step(column)
        if not simulator.done.all():
            raise WorksError(f"moves: work {simulator.done.argmin()} is not finished")
        played = self.rule_quality(simulator.works(every))
        columns = {key: values for key, values in played.items() if key.startswith("form")}
        measured = self.load_evaluator(folder).measure(works)
        columns |= {f"judged/{key}": values for key, values in measured.items()}
        return columns | {"craft": self.craft(folder, works)}
