"""Does a maker keep its contract? :func:`check_maker` tries it out and says what is wrong."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
import torch

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
        _expect(
            isinstance(maker, Maker),
            f"the factory returned {type(maker).__name__}; derive the class from "
            "move37.agents.makers.maker.Maker",
        )
        works = _check_generate(maker, world)
        _check_the_rest(maker, works)
        _expect(
            all(torch.equal(v, before[k]) for k, v in context.imitator.state_dict().items()),
            "the imitator was changed: copy it before you train it",
        )
        _expect(
            _same(factory(context).generate(N, np.random.default_rng(0)), works),
            "fitted again with the same seed it makes other works: draw all randomness of the "
            "fitting from context.seed",
        )


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MakerError(otherwise)


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


def _check_generate(maker: Maker, world: World) -> Works:
    works = maker.generate(N, np.random.default_rng(0))
    _check_works(works, N, world)
    _check_works(maker.generate(1, np.random.default_rng(0)), 1, world)
    _expect(
        _same(maker.generate(N, np.random.default_rng(0)), works),
        "generate: the same rng gave other works: draw all randomness from rng, and change nothing "
        "that later works depend on",
    )
    # A brief that human works answer; where they answer none, the beginning of one.
    brief = world.held_out.moves[world.held_out.lengths.argmax(), :2]
    answered = np.flatnonzero((world.held_out.briefs != PAD).any(axis=1))
    if len(answered):
        brief = world.held_out.briefs[answered[0]]
    answers = maker.generate(N, np.random.default_rng(1), brief)
    _check_works(answers, N, world)
    wanted, given = (
        brief[brief != PAD].tolist(),
        [row[row != PAD].tolist() for row in answers.briefs],
    )
    _expect(
        all(row == wanted for row in given),
        f"generate: works asked to answer {wanted} say that they answer {given}",
    )
    return works


def _check_works(works: Works, n: int, world: World) -> None:
    _expect(isinstance(works, Works), f"generate: expected Works, got {type(works).__name__}")
    _expect(
        len(works) == n and works.world == world.id,
        f"generate: expected {n} works of {world.id!r}, got {len(works)} of {works.world!r}",
    )
    if works.images is not None:
        size, most = works.images.shape[1:], works.images.max(initial=0)
        expected = world.images(world.train[:1]).shape[1:]
        _expect(
            size == expected and int(most) <= 1,
            f"generate: expected images {expected} of 0 and 1, got {size} up to {most}",
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
    i = int(finished.argmin())
    _expect(
        bool(finished[i]),
        f"generate: work {i} is not finished after its {works.lengths[i]} moves; play works with "
        "move37.agents.learner.rollout.rollout",
    )


def _check_the_rest(maker: Maker, works: Works) -> None:
    for name in ("env_steps", "stock"):
        value = getattr(maker, name)
        _expect(
            isinstance(value, int | np.integer) and bool(value >= 0),
            f"{name}: expected a whole number from 0 on, got {value!r}",
        )
    score = maker.score(works)
    if score is not None:
        _expect(
            np.shape(score) == (N,) and bool(np.isfinite(score).all()),
            f"score: expected {N} finite numbers for {N} works, got {score!r}",
        )
        _expect(
            np.array_equal(np.asarray(maker.score(works)), score),
            "score: the same works asked twice got other scores",
        )
    inputs = maker.inputs(N, np.random.default_rng(0))
    _expect(
        inputs is None or (isinstance(inputs, Works) and len(inputs) == N),
        f"inputs: expected the {N} works that generate starts from, or None",
    )


def _same(one: Works, two: Works) -> bool:
    if one.images is not None and two.images is not None:
        return np.array_equal(one.images, two.images)
    return np.array_equal(one.moves, two.moves)
