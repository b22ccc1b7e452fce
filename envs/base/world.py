"""What a world is to the scripts and the agents, and where worlds are found by name.

A new world is a folder in ``envs/`` (or anybody's package) with a class that has what
:class:`World` asks for, and a line in :data:`ENTRY_POINTS` (or a call of :func:`register_world`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.appraisal import Appraiser
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works
from move37.novelty.archive import NoveltyArchive

Measures = dict[str, NDArray[np.float64]]


class Evaluator(Protocol):
    """The frozen judges of a world; nothing they say was ever a reward.

    Attributes:
        scale: Median leave-one-out distance among the human works: the unit of novelty.
        k_neighbors: Neighbours that novelty is the mean distance to.
    """

    scale: float
    k_neighbors: int

    def describe(self, works: Works) -> NDArray[np.float32]:
        """Descriptors (N, D) of works."""

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the held-out judge says of works, ``heldout_quality`` alone."""

    def measure(self, works: Works) -> Measures:
        """Everything measured of works, each (N,) float64.

        Among the names: ``heldout_quality``, ``form``, ``novelty_human``, ``novelty_self``,
        ``copied``, ``repeats``, ``yield``, ``yield_loose`` and ``moves``.
        """

    def save(self, folder: Path) -> None:
        """Write what :meth:`World.load_evaluator` reads."""


class Reward(Appraiser, Protocol):
    """Quality x newness as a reward, with what it is made of.

    Attributes:
        archive: Human works pinned, and admitted works.
    """

    archive: NoveltyArchive

    def refresh(self, works: Works) -> Mapping[str, float]:
        """Learn from the learner's latest works; returns figures for the log."""

    def admit(self, works: Works) -> NDArray[np.bool_]:
        """Offer works to the archive; returns which were taken, (N,) bool."""

    def save(self, folder: Path) -> None:
        """Write what is needed to appraise again."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that appraising, learning and admitting has changed, as arrays.

        Together with the arguments it was made with it is all there is to know of a reward: weights
        and the optimiser's state, counters, memories, the archive.
        """

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Become the reward that :meth:`state` was taken of, to the bit.

        The reward was made with the same arguments, but perhaps with fewer ``updates``.

        Raises:
            KeyError: If an array is missing.
            ValueError: If an array has another shape.
        """


Export = Callable[[Works, Path], None]
"""Writes works to a file, or to a folder if the path of its option is one."""


class World(Protocol):
    """A kind of work: its dynamics, human works, judges, reward and renderers.

    A world may also have ``mutate``, ``coordinates``, ``parts`` with ``assemble``, and
    ``brief_steps``: evolution, the char-RNN and the collage say in their files what these are, and
    make do without them, but less well; ``practice`` and ``settings``: see :func:`practice_of` and
    :func:`settings_of`.

    What stands first needs no corpus and works on the class itself; the rest needs an instance,
    made with ``(corpus, withhold, limit)``.

    Attributes:
        id: Name, as in ``--world``.
        env_id: Id of its Gymnasium environment.
        corpora: Help text: what ``corpus`` may be.
        exports: For each kind of file, ``"svg"`` say: placeholder, help text and writer.
        train: Human works that everything is fitted to.
        held_out: Human works that no network saw; they set the bars.
        outsiders: Works of other human makers, measured like anybody's; may be empty.
        fingerprint: SHA-256 of the corpus.
        left_out: (label, reason) of everything in the corpus that could not be used.
    """

    id: ClassVar[str]
    env_id: ClassVar[str]
    corpora: ClassVar[str]
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]]

    @staticmethod
    def simulator(n: int) -> Simulator:
        """N boards (or whatever the world's works are made on)."""

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, A), features (N, ``n_features``))."""

    @staticmethod
    def images(works: Works) -> NDArray[np.uint8]:
        """(N, H, W) uint8 in {0, 1}: what the judges look at."""

    @staticmethod
    def from_images(images: NDArray[np.floating]) -> Works:
        """Works of makers of images, (N, H, W) in [0, 1]: thinned, with moves traced from them."""

    @staticmethod
    def read_folder(folder: Path) -> tuple[Works, list[str]]:
        """Works of any other maker from files in a folder, and what was left out and why.

        Raises:
            ValueError: If nothing can be read.
        """

    @staticmethod
    def tile(
        works: Works, i: int, size: int, first: int | None = None, marks: Sequence[int] = ()
    ) -> NDArray[np.uint8]:
        """A picture of one work, (size, size, 3) uint8: what sheets are made of.

        What was made before the move with the index ``first`` is pale, and the moves with the
        indices in ``marks`` are marked; see :class:`move37.envs.files.sheets.Tiled`.
        """

    @staticmethod
    def page(
        works: Works,
        title: str,
        captions: Sequence[str],
        marks: Sequence[Sequence[int]] | None = None,
    ) -> str:
        """One HTML page, nothing outside it, that plays the works.

        ``marks``: for each work the indices of moves, from 0, that are marked when they are made.
        """

    @staticmethod
    def explain(works: Works) -> list[list[str]]:
        """For each work, what the rules found and where, one line each."""

    @classmethod
    def load_evaluator(cls, folder: Path) -> Evaluator:
        """Read the judges that a run saved."""

    @staticmethod
    def craft(folder: Path, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the critic that a run saved says of works, their term ``craft``."""

    @staticmethod
    def summarise(measured: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
        """One number per measure."""

    train: Works
    held_out: Works
    outsiders: Works
    fingerprint: str
    left_out: Sequence[tuple[str, str]]

    def exam(self, n: int) -> Simulator:
        """N boards as makers are examined on them: with briefs that nothing was fitted to."""

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works as one epoch of imitation sees them."""

    def fit_evaluator(self, updates: int, pools: int = 4) -> Evaluator:
        """The frozen judges: the same whatever the seed of a run."""

    def make_reward(
        self, evaluator: Evaluator, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> Reward:
        """The reward of a learner: a critic and an archive of its own."""


@runtime_checkable
class Audible(Protocol):
    """A world whose works can be heard."""

    def sound(self, works: Works) -> tuple[NDArray[np.float32], int]:
        """Works one after the other: samples (S,) float32 in [-1, 1], and how many a second."""


@runtime_checkable
class Splits(Protocol):
    """A world that can examine with the briefs of several splits.

    Attributes:
        evaluation: The split whose briefs ``exam`` lays.
    """

    evaluation: str

    def exam_briefs(self) -> NDArray[np.int16]:
        """The briefs (M, B) of that split.

        Raises:
            ValueError: If there is no such split.
        """


ENTRY_POINTS: dict[str, str] = {
    "drawing": "move37.envs.drawing.world:DrawingWorld",
    "composition": "move37.envs.composition.world:CompositionWorld",
    "composition-four": "move37.envs.composition.four:FourWorld",
    "composition-free": "move37.envs.composition.free:FreeWorld",
}
"""Worlds by name: ``module:class``."""


def register_world(name: str, entry_point: str) -> None:
    """Make a world known by name; ``entry_point`` is ``module:class``."""
    ENTRY_POINTS[name] = entry_point


def find_world(name: str) -> type[World]:
    """The class of a world.

    Raises:
        ValueError: If there is no world of that name.
    """
    if name not in ENTRY_POINTS:
        raise ValueError(f"world {name!r} is none of {', '.join(sorted(ENTRY_POINTS))}")
    module, _, attribute = ENTRY_POINTS[name].partition(":")
    return cast(type[World], getattr(import_module(module), attribute))


def make_world(name: str, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0) -> World:
    """Load a world with its human works.

    Args:
        name: As registered.
        corpus: Which human works; empty for the world's default.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works; 0 keeps all.

    Raises:
        ValueError: If there is no such world or corpus, or nothing is left of it.
    """
    make: Any = find_world(name)
    return cast(World, make(corpus=corpus, withhold=withhold, limit=limit))


def practice_of(world: World, n: int) -> Simulator:
    """N boards that a learner learns on: the world's ``practice(n)``, or else its ``simulator(n)``.

    What is practised on may be more than there is to imitate: briefs made for the purpose.
    """
    practice: Callable[[int], Simulator] = getattr(world, "practice", world.simulator)
    return practice(n)


def examined(world: World, split: str = "") -> World:
    """The same world with the briefs of its exam: ``simulator`` makes ``exam``'s boards.

    Learners go on practising where they did (:func:`practice_of`); human works are what they were.

    Args:
        world: Not changed.
        split: Whose briefs the exam lays, in a world with ``evaluation``; empty for what it names.

    Raises:
        ValueError: If the world has no such split.
    """
    other = copy.copy(world)
    if split:
        if not isinstance(other, Splits):
            raise ValueError(f"exam: {split!r}: the world {world.id} has one exam only")
        other.evaluation = split
        other.exam_briefs()
    vars(other).update(simulator=other.exam, practice=partial(practice_of, world))
    return other


def settings_of(world: World | type[World]) -> dict[str, Any]:
    """The world's ``settings``: options of PPO, by name, that are better here than the defaults."""
    return dict(getattr(world, "settings", {}))


def judge_again(world: type[World], folder: Path, works: Works) -> Measures:
    """Play works again in the environment and judge them with a run's saved judges.

    Args:
        world: Whose works they are.
        folder: Of the run.
        works: As the run saved them.

    Returns:
        Terms that must equal those in ``works.appraisal``, bit by bit: what form says in the
        environment, what the run's critic says, and everything the yardstick measures.
    """
    again: dict[str, list[float]] = {}
    env = gymnasium.make(world.env_id).unwrapped
    for row, brief in zip(works.moves, works.briefs, strict=True):
        env.reset(options={"brief": brief})
        for move in row[row >= 0]:
            info = env.step(move)[4]
        for key in (key for key in info if key.startswith("form")):
            again.setdefault(key, []).append(info[key])
    columns = {key: np.array(values) for key, values in again.items()}
    measured = world.load_evaluator(folder).measure(works)
    columns |= {f"judged/{key}": values for key, values in measured.items()}
    return columns | {"craft": world.craft(folder, works)}
