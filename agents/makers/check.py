"""Does a maker keep its contract? :func:`check_maker` tries it out and says what is wrong."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from move37.agents.learner.rollout import sample_works
from move37.agents.makers.maker import BUDGETS, Maker, MakerFactory, TrainContext, find_factory
from move37.envs.base.registry import make_world
from move37.envs.base.works import PAD, Works
from move37.envs.base.world import World

N = 5
"""Works asked for at a time."""
HUMAN_WORKS = 200
"""Human works of the world that is loaded where only its name is given."""


class MakerError(ValueError):
    """A maker breaks its contract; see ``docs/new-maker.md``."""


def check_maker(factory: MakerFactory | str, world: World | str = "drawing") -> None:
    """Fit a maker at the smoke budget and prove that it does what :class:`Maker` asks for.

    Args:
        factory: Makes the maker; or its name, or ``module:function``.
        world: To try it in; of a name a small part is loaded.

    Raises:
        MakerError: If it does not; says what was found and what would be right.
    """
    if isinstance(factory, str):
        factory = find_factory(factory)
    if isinstance(world, str):
        world = make_world(world, limit=HUMAN_WORKS)
    with tempfile.TemporaryDirectory() as folder:
        context = smoke_context(world, Path(folder))
        before = copy.deepcopy(context.imitator.state_dict())
        maker = factory(context)
        if not isinstance(maker, Maker):
            raise MakerError(
                f"the factory returned {type(maker).__name__}; derive the class from "
                "move37.agents.makers.maker.Maker"
            )
        _check_figures(maker)
        works = _check_generate(maker, world)
        _check_briefs(maker, world)
        _check_score(maker, works)
        _check_inputs(maker)
        for key, value in context.imitator.state_dict().items():
            if not torch.equal(value, before[key]):
                raise MakerError("the imitator was changed: copy it before you train it")
        again = factory(context).generate(N, np.random.default_rng(0))
        if not _same(again, works):
            raise MakerError(
                "fitted again with the same seed it makes other works: draw all randomness of the "
                "fitting from context.seed"
            )


def smoke_context(world: World, folder: Path) -> TrainContext:
    """What a maker is fitted with, as cheap as it can be: nothing in it has learnt much.

    Args:
        world: To make works in.
        folder: Where the maker may keep what it has learnt.
    """
    torch.manual_seed(0)
    imitator = world.network().eval()
    evaluator = world.fit_evaluator(updates=1, pools=1)
    imitations = sample_works(imitator, world.simulator(64), world.id, 64, np.random.default_rng(0))
    reward = world.make_reward(evaluator, imitations, updates=1, seed=0, pools=1)
    return TrainContext(
        world=world,
        evaluator=evaluator,
        imitator=imitator,
        new_reward=lambda: copy.deepcopy(reward),
        budget=BUDGETS["smoke"],
        seed=0,
        folder=folder,
        log=lambda _: None,
    )


def _check_figures(maker: Maker) -> None:
    for name in ("env_steps", "stock"):
        value = getattr(maker, name)
        if not isinstance(value, int | np.integer) or value < 0:
            raise MakerError(f"{name}: expected a whole number from 0 on, got {value!r}")


def _check_generate(maker: Maker, world: World) -> Works:
    works = maker.generate(N, np.random.default_rng(0))
    _check_works(works, N, world)
    _check_works(maker.generate(1, np.random.default_rng(0)), 1, world)
    if not _same(maker.generate(N, np.random.default_rng(0)), works):
        raise MakerError(
            "generate: the same rng gave other works: draw all randomness from rng, and change "
            "nothing that later works depend on"
        )
    return works


def _check_works(works: Works, n: int, world: World) -> None:
    if not isinstance(works, Works):
        raise MakerError(f"generate: expected Works, got {type(works).__name__}")
    if len(works) != n or works.world != world.id:
        raise MakerError(
            f"generate: expected {n} works of {world.id!r}, got {len(works)} of {works.world!r}"
        )
    if works.images is not None:
        expected = world.images(world.train[:1]).shape[1:]
        if works.images.shape[1:] != expected or works.images.max(initial=0) > 1:
            raise MakerError(
                f"generate: expected images {expected} of 0 and 1, got {works.images.shape[1:]} up "
                f"to {works.images.max(initial=0)}"
            )
        return
    simulator = world.simulator(n)
    simulator.reset(np.arange(n), works.briefs)
    finished = np.zeros(n, np.bool_)
    for t in range(works.moves.shape[1]):
        try:
            finished |= simulator.step(works.moves[:, t].astype(np.int64))
        except ValueError as error:
            raise MakerError(f"generate: move {t} is not legal: {error}") from error
    if not finished.all():
        i = int(np.flatnonzero(~finished)[0])
        raise MakerError(
            f"generate: work {i} is not finished after its {works.lengths[i]} moves; play works "
            "with move37.agents.learner.rollout.rollout"
        )


def _check_briefs(maker: Maker, world: World) -> None:
    brief = _some_brief(world)
    works = maker.generate(N, np.random.default_rng(1), brief)
    _check_works(works, N, world)
    given = [row[row != PAD].tolist() for row in works.briefs]
    wanted = brief[brief != PAD].tolist()
    if any(row != wanted for row in given):
        raise MakerError(f"generate: works asked to answer {wanted} say that they answer {given}")


def _some_brief(world: World) -> NDArray[np.int16]:
    """A brief that human works answer; where they answer none, the beginning of one."""
    works = world.held_out
    answered = np.flatnonzero((works.briefs != PAD).any(axis=1))
    brief: NDArray[np.int16] = works.moves[works.lengths.argmax(), :2]
    if len(answered):
        brief = works.briefs[answered[0]]
    return brief


def _check_score(maker: Maker, works: Works) -> None:
    score = maker.score(works)
    if score is None:
        return
    if np.shape(score) != (N,) or not np.isfinite(score).all():
        raise MakerError(f"score: expected {N} finite numbers for {N} works, got {score!r}")
    if not np.array_equal(np.asarray(maker.score(works)), score):
        raise MakerError("score: the same works asked twice got other scores")


def _check_inputs(maker: Maker) -> None:
    inputs = maker.inputs(N, np.random.default_rng(0))
    if inputs is not None and (not isinstance(inputs, Works) or len(inputs) != N):
        raise MakerError(f"inputs: expected the {N} works that generate starts from, or None")


def _same(one: Works, two: Works) -> bool:
    if one.images is not None and two.images is not None:
        return np.array_equal(one.images, two.images)
    return np.array_equal(one.moves, two.moves)
