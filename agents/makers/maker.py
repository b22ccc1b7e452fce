"""Whatever makes works: the base class, what a maker is fitted with, and makers by name.

A maker is a file with a class derived from :class:`Maker` and a function that takes a
:class:`TrainContext` and returns one. It is known by a line in :data:`MAKERS`, by an entry point
of another package, or as ``module:function``; see ``docs/new-maker.md``. Makers never import each
other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import BOARDS, sample_works
from move37.agents.runs.config import Config, preset_value
from move37.envs.base.places import find_place, known_places
from move37.envs.base.works import PAD, Works
from move37.envs.base.world import Evaluator, Reward, World


class Maker(ABC):
    """Makes works. Only :meth:`generate` has to be written; the rest is what a maker may also have.

    Attributes:
        env_steps: Moves made in the world to become what it is; 0 for those that make none.
        stock: Works it holds that were paid for while it was fitted; only further ones cost
            anything.
    """

    env_steps: int = 0
    stock: int = 0

    @abstractmethod
    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works, fresh and unselected.

        Args:
            n: How many.
            rng: The only source of chance.
            brief: (B,) int16: what every work answers; None for the world's default.
        """

    def score(self, works: Works) -> NDArray[np.float64] | None:
        """(N,) float64, more is better: its own reward; None if it has none."""
        return None

    def log_likelihood(self, works: Works) -> NDArray[np.float64] | None:
        """(N, T) float64, nats: log-probability of every move of works, 0 after the last.

        None if it gives none. The char-RNN's measures description lengths in comparisons.
        """
        return None

    def inputs(self, n: int, rng: np.random.Generator) -> Works | None:
        """What ``generate(n, rng)`` makes its works from, for a generator in that state.

        None if it makes them from nothing; only filters make each work from a given one.
        """
        return None

    def with_temperature(self, temperature: float) -> Maker:
        """The same maker, sampled at another temperature.

        Raises:
            TypeError: If it is not sampled at a temperature.
        """
        raise TypeError(f"{type(self).__name__} is not sampled at a temperature")


class NetworkMaker(Maker):
    """Samples works from a policy network.

    Args:
        network: Observations -> (logits, features), in eval mode.
        world: The world it works in.
        score: The maker's own reward, (N,) float64 of N works; None if it has none.
        env_steps: Moves made while the network learnt from them.
        temperature: Divides the logits.
    """

    def __init__(
        self,
        network: nn.Module,
        world: World,
        score: Callable[[Works], NDArray[np.float64]] | None = None,
        env_steps: int = 0,
        temperature: float = 1.0,
    ) -> None:
        self.network, self.env_steps = network, env_steps
        self._world, self._score, self._temperature = world, score, temperature

    def with_temperature(self, temperature: float) -> NetworkMaker:
        """The same network at another temperature."""
        return NetworkMaker(self.network, self._world, self._score, self.env_steps, temperature)

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Sample n works; see :class:`Maker`."""
        boards = self._world.simulator(max(1, min(n, BOARDS)))
        return sample_works(
            self.network, boards, self._world.id, n, rng, self._temperature, brief=brief
        )

    def score(self, works: Works) -> NDArray[np.float64] | None:
        """See :class:`Maker`."""
        return None if self._score is None else self._score(works)


@dataclass(frozen=True)
class Budget:
    """What a maker may spend.

    Attributes:
        works: Works that a searching maker may make and appraise: as many as the learner made.
        env_steps: Moves that a reinforcement learner may make.
        epochs: Passes over the human works of those fitted by epochs.
        updates: Gradient steps of those fitted by updates (GAN, the filters' network).
        seconds: CPU seconds for a search that is held to the learner's time; 0: no limit.
    """

    works: int
    env_steps: int
    epochs: int
    updates: int
    seconds: float = 0.0


BUDGETS = {
    preset: Budget(
        works=works,
        env_steps=preset_value(preset, "env_steps"),
        epochs=preset_value(preset, "imitation_epochs"),
        updates=updates,
    )
    for preset, works, updates in (
        ("smoke", 600, 40), ("default", 60_000, 4000), ("full", 800_000, 12_000)
    )
}  # fmt: skip
"""By the preset of a learner's run: makers may spend what the learner spends."""


def budget_for(world: World, preset: str) -> Budget:
    """What a maker may spend in a world.

    Args:
        world: May set ``env_steps`` of its own (``ppo``): so many moves are
            that number over the mean length of its human works, in works.
        preset: In :data:`BUDGETS`.
    """
    budget, own = BUDGETS[preset], world.ppo.get("env_steps")
    if preset != "default" or own is None:
        return budget
    works = round(own / float(world.train.lengths.mean()))
    return replace(budget, env_steps=int(own), works=works)


@dataclass(frozen=True)
class TrainContext:
    """What a maker is fitted with.

    Attributes:
        world: Human works, dynamics, pictures.
        evaluator: For descriptors and the unit of novelty; its judges are never a reward.
        imitator: A network fitted to the human works, in eval mode, not to be changed (copy it).
        new_reward: Makes the learner's reward as it is before any learning; each has an archive
            and a critic of its own.
        budget: What may be spent.
        seed: Of everything the maker does while it is fitted.
        folder: Where the maker keeps what it has learnt (no pickle); exists.
        threads: torch threads.
        log: Takes one line about what happens.
        config: Of the run of a learner in this world, with this budget, seed and imitator, in
            ``folder``; None where no maker is a learner.
    """

    world: World
    evaluator: Evaluator
    imitator: nn.Module
    new_reward: Callable[[], Reward]
    budget: Budget
    seed: int
    folder: Path
    threads: int = 2
    log: Callable[[str], None] = print
    config: Config | None = None


def images_of_briefs(world: World, briefs: NDArray[np.int16]) -> NDArray[np.uint8]:
    """What is seen before the first move: (N, H, W) uint8 for briefs (N, B)."""
    nothing = np.full((len(briefs), world.simulator(1).max_moves), PAD, np.int16)
    return world.images(Works(world.id, nothing, briefs))


MakerFactory = Callable[[TrainContext], Maker]

MAKERS: dict[str, str] = {
    "random": "move37.agents.makers.random_moves:make",
    "rnn": "move37.agents.makers.char_rnn:make",
    "gan": "move37.agents.makers.gan:make",
    "inceptionism": "move37.agents.makers.inceptionism:make",
    "deep_style": "move37.agents.makers.deep_style:make",
    "rl_imitation": "move37.agents.makers.rl_imitation:make",
    "selection": "move37.agents.makers.selection:make",
    "evolution": "move37.agents.makers.evolution:make",
    "collage": "move37.agents.makers.collage:make",
    "learner": "move37.agents.makers.learner:make",
}
"""The makers of this package by name: ``module:function``."""

ENTRY_POINTS = "move37.makers"
"""The group of Python entry points by which other packages bring makers."""


def known_makers() -> dict[str, str]:
    """Every maker by name, ``module:function`` each: this package's, then those of others."""
    return known_places(MAKERS, ENTRY_POINTS)


def find_factory(name: str) -> MakerFactory:
    """The function that makes a maker.

    Args:
        name: One of :func:`known_makers`, or ``module:function``.

    Raises:
        ValueError: If there is no maker of that name, or no such function.
    """
    factory = find_place("maker", name, known_makers(), "module:function")
    if not callable(factory):
        raise ValueError(f"maker {name!r} is no function")
    return cast(MakerFactory, factory)
