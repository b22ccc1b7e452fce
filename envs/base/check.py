"""Proves that a world conforms: every promise is tried, and what is broken is named.

The sections that errors refer to are those of ``docs/new-world.md``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.registry import find_world
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works
from move37.envs.base.world import World
from move37.envs.files.pictures import Look

BOARDS = 5
SAMPLE = 40
"""Human works that are looked at."""
SIZE = 48
MEASURES = (
    "heldout_quality", "form", "novelty_human", "novelty_self", "copied", "repeats", "yield",
    "yield_loose", "moves",
)  # fmt: skip
"""What an evaluator must measure."""

Promise = tuple[object, str]
"""What must hold, and what is said where it does not."""


class WorldError(ValueError):
    """A world breaks its contract."""


def check_world(world: str | type[World], limit: int = 300) -> World:
    """Try everything that a world promises, with few human works and hardly any training.

    Args:
        world: A name, ``module:Class``, or a class.
        limit: Human works that are used.

    Returns:
        The world, with so many human works.

    Raises:
        WorldError: At the first promise that is broken; says what, and in which section of
            ``docs/new-world.md`` it is described.
    """
    kind: Any = world
    with _section(getattr(world, "__name__", str(world)), "The class"):
        if isinstance(kind, str):
            kind = find_world(kind)
        _keep(_class(kind))
        made: World = kind(limit=limit)
    for section, check in CHECKS:
        with _section(kind.__name__, section):
            _keep(check(made))
    return made


@contextmanager
def _section(name: str, section: str) -> Iterator[None]:
    """Say of every failure which world it is of, and where the promise is described."""
    where = f"see {section!r} in docs/new-world.md"
    try:
        yield
    except WorldError as error:
        raise WorldError(f"{name}: {error}; {where}") from error.__cause__
    except Exception as error:  # the world's own code may raise anything
        raise WorldError(f"{name}: {type(error).__name__}: {error}; {where}") from error


def _keep(promises: Iterator[Promise]) -> None:
    for holds, message in promises:
        if not holds:
            raise WorldError(message)


def _array(name: str, value: Any, dtype: Any, *shape: int | str) -> Promise:
    """An array has this type and shape; letters stand for any length."""
    value = np.asarray(value)
    fits = value.dtype == dtype and value.ndim == len(shape)
    fits = fits and all(
        isinstance(n, str) or n == m for n, m in zip(shape, value.shape, strict=True)
    )
    wanted = f"{np.dtype(dtype)} ({', '.join(map(str, shape))})"
    return fits, f"{name}: expected {wanted}, got {value.dtype} {value.shape}"


def _finite(name: str, values: Any) -> Promise:
    return np.isfinite(values).all(), f"{name}: something is not finite"


def _shares(name: str, values: NDArray[np.float64], n: int) -> Iterator[Promise]:
    """Shares of n works, from 0 to 1."""
    yield _array(name, values, np.float64, n)
    yield _finite(name, values)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    yield low >= 0 and high <= 1, f"{name}: expected 0 to 1, got {low:.3g} to {high:.3g}"


def _derived(name: str, kind: Any, base: type) -> Iterator[Promise]:
    fits = isinstance(kind, type) and issubclass(kind, base)
    yield fits, f"{name}{kind!r} is not derived from {base.__name__}"
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    yield not missing, f"{name}{kind.__name__} lacks {', '.join(missing)}"


def _class(kind: Any) -> Iterator[Promise]:
    yield from _derived("", kind, World)
    name = getattr(kind, "id", None)
    fits = isinstance(name, str) and re.fullmatch("[a-z][a-z0-9-]*", name)
    yield fits, f"id: expected lower-case letters, digits and hyphens, got {name!r}"


# Simulator


def _begun(world: World, n: int, briefs: NDArray[np.int16] | None = None) -> Simulator:
    simulator = world.simulator_class(n)
    simulator.reset(np.arange(n), world.train.briefs[:n] if briefs is None else briefs)
    return simulator


def _moves(simulator: Simulator, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random moves; boards that are done wait."""
    moves = rng.integers(0, simulator.n_actions, simulator.n)
    return np.where(simulator.done, PAD, moves)


def _refuses(simulator: Simulator, actions: NDArray[np.int64]) -> bool:
    try:
        simulator.step(actions)
    except ValueError:
        return True
    return False


def _seen(simulator: Simulator) -> dict[str, NDArray[Any]]:
    return {key: np.array(value) for key, value in simulator.observations.items()}


def _same(left: Mapping[str, NDArray[Any]], right: Mapping[str, NDArray[Any]]) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


def _constants(world: World) -> Iterator[Promise]:
    """What a simulator says of itself."""
    kind = getattr(world, "simulator_class", None)
    yield from _derived("simulator_class: ", kind, Simulator)
    kind = world.simulator_class
    for name in ("n_actions", "max_moves"):
        value = getattr(kind, name, None)
        fits = isinstance(value, int | np.integer) and 0 < value < 1 << 15
        yield fits, f"{name}: expected a number from 1 to 32767, got {value!r}"
    end, of = kind.end_move, kind.world
    yield end is None or 0 <= end < kind.n_actions, f"end_move: {end!r} is no move"
    yield of == world.id, f"simulator_class.world: expected the id {world.id!r}, got {of!r}"


def _observations(world: World) -> Iterator[Promise]:
    """The space of observations, and that observations are in it."""
    simulator, rng = _begun(world, BOARDS), np.random.default_rng(0)
    space = simulator.observation_space()
    if world.env_id:
        other = gymnasium.make(world.env_id).observation_space
        yield other == space, f"env_id: {world.env_id} is observed otherwise: {other}"
    for _ in range(min(3, simulator.max_moves)):
        seen, known = simulator.observations, sorted(space.spaces)
        yield sorted(seen) == known, f"observations: expected {known}, got {sorted(seen)}"
        for key, box in space.spaces.items():
            yield isinstance(box, spaces.Box), f"observation_space[{key!r}]: expected a Box"
            name = f"observations[{key!r}]"
            yield _array(name, seen[key], box.dtype, BOARDS, *(box.shape or ()))
            inside = all(box.contains(row) for row in seen[key])
            yield inside, f"{name}: something is outside of the space {box}"
        simulator.step(_moves(simulator, rng))


def _batches(world: World) -> Iterator[Promise]:
    """N boards in one batch are N boards alone, and every work ends."""
    together, rng = _begun(world, BOARDS), np.random.default_rng(1)
    briefs = world.train.briefs[:BOARDS]
    alone = [_begun(world, 1, briefs[i : i + 1]) for i in range(BOARDS)]
    for _ in range(together.max_moves):
        actions = _moves(together, rng)
        finished = together.step(actions).copy()
        for i, simulator in enumerate(alone):
            said = bool(simulator.step(actions[i : i + 1])[0])
            yield said == finished[i], f"step: board {i} ends in a batch only, or alone only"
            for key, value in simulator.observations.items():
                fits = np.array_equal(value[0], together.observations[key][i])
                yield fits, f"observations[{key!r}]: a board in a batch is not what it is alone"
    longest = together.max_moves
    yield together.done.all(), f"max_moves: after {longest} moves a work must be over"


def _waiting(world: World) -> Iterator[Promise]:
    """PAD waits; a board that is done, and whatever is no move, is refused, and nothing changes."""
    simulator, rng = _begun(world, BOARDS), np.random.default_rng(2)
    before = _seen(simulator)
    simulator.step(np.full(BOARDS, PAD))
    yield _same(before, _seen(simulator)), "step: PAD must leave a board as it is"
    for move in (-2, simulator.n_actions, 1 << 40):
        actions = np.full(BOARDS, PAD)
        actions[1] = move
        yield _refuses(simulator, actions), f"step: {move} is no move and must be refused"
    for _ in range(simulator.max_moves):
        simulator.step(_moves(simulator, rng))
    before = _seen(simulator)
    refused = _refuses(simulator, np.zeros(BOARDS, np.int64))
    yield refused, "step: a board that is done must refuse every move but PAD"
    yield _same(before, _seen(simulator)), "step: a refused move must change nothing"


def _state(world: World) -> Iterator[Promise]:
    """A batch goes on in another from its state."""
    one, rng = _begun(world, BOARDS), np.random.default_rng(3)
    for _ in range(max(1, one.max_moves // 2)):
        one.step(np.where(rng.random(BOARDS) < 0.2, PAD, _moves(one, rng)))
    other = world.simulator_class(BOARDS)
    other.load_state(one.state())
    for _ in range(one.max_moves):
        yield (
            _same(_seen(one), _seen(other)),
            "state: a batch does not go on in another from its state (does a board depend on "
            "more than its brief and its moves?)",
        )
        moves = _moves(one, rng)
        for each in (one, other):
            each.reset(np.flatnonzero(each.step(moves)), None)


# Human works and boards


def _loaded(world: World) -> Iterator[Promise]:
    """Human works can be read; most checks need them."""
    yield isinstance(world.train, Works), f"train: expected Works, got {world.train!r:.80}"


def _human_works(world: World) -> Iterator[Promise]:
    """Human works are valid, finished, and play again to what they were."""
    splits = {"train": world.train, "held_out": world.held_out, "judge": world.judged_from}
    for name, works in splits.items():
        yield len(works) > 1, f"{name}: {len(works)} works are too few"
    for name, works in {**splits, "outsiders": world.outsiders}.items():
        if not len(works) or works.images is not None:
            continue
        some = works[:SAMPLE]
        world.check_works(some)
        simulator = _begun(world, len(some), some.briefs)
        for column in some.moves.T:
            simulator.step(np.where(simulator.done, PAD, column))
        dropped, open_ = simulator.counts != some.lengths, ~simulator.done
        yield not dropped.any(), f"{name}: work {dropped.argmax()} has moves after its end"
        yield not open_.any(), f"{name}: work {open_.argmax()} is not finished"
    digest = world.fingerprint
    yield (
        re.fullmatch("[0-9a-f]{64}", digest),
        f"fingerprint: expected a SHA-256, got {digest!r:.80}",
    )
    one, two = world.variations(1, 0), world.variations(1, 0)
    world.check_works(one)
    same = np.array_equal(one.moves, two.moves)
    yield same, "variations: the same epoch and seed must agree"


def _boards(world: World) -> Iterator[Promise]:
    """Boards for makers, learners and exams, with briefs that the simulator takes."""
    kinds = {"simulator": world.simulator, "practice": world.practice, "exam": world.exam}
    for split in world.exam_splits:
        kinds[f"for_exam({split!r}).simulator"] = world.for_exam(split).simulator
    for name, make in kinds.items():
        simulator = make(BOARDS)
        fits = isinstance(simulator, world.simulator_class) and simulator.n == BOARDS
        yield fits, f"{name}({BOARDS}): expected so many boards of simulator_class"
        simulator.reset(np.arange(BOARDS))
        simulator.reset(np.arange(BOARDS), simulator.briefs.copy())
    drawn, again = (world.simulator(1).draw_brief(np.random.default_rng(0)) for _ in range(2))
    yield np.array_equal(drawn, again), "draw_brief: the same seed must draw the same brief"
    simulator.reset(np.arange(1), drawn[None])
    yield (
        not len(world.simulator_class.parse_brief(None)),
        "parse_brief: None must be an empty brief",
    )


# Images, pictures, rules


def _images(world: World) -> Iterator[Promise]:
    """Images of the right kind, the same alone and in a batch, and of works in progress."""
    works = world.train[:SAMPLE]
    images = world.images(works)
    yield _array("images", images, np.uint8, "N", "H", "W")
    yield len(images) == len(works), f"images: {len(images)} of {len(works)} works"
    yield images.max(initial=0) <= 1, f"images: {images.max()} is neither 0 nor 1"
    differ = images.any(axis=(1, 2)).mean() > 0.5 and len(np.unique(images, axis=0)) > 1
    yield differ, "images: human works look empty, or all alike"
    same = np.array_equal(world.images(works[3:4])[0], images[3])
    yield same, "images: a work alone must look as it does in a batch"
    begun = works.moves.copy()
    begun[:, works.lengths.min() // 2 :] = PAD
    yield _array(
        "images_of: of works in progress",
        world.images_of(begun, works.briefs),
        np.uint8,
        *images.shape,
    )
    made = world.from_images(images[:2].astype(np.float64))
    yield isinstance(made, Works) and len(made) == 2, "from_images: expected 2 works"


def _pictures(world: World) -> Iterator[Promise]:
    """Tiles, pages, sound, exports."""
    works = world.train[:3]
    for first, marks in ((None, ()), (1, (0, 1))):
        yield _array("tile", world.tile(works, 1, SIZE, first, marks), np.uint8, SIZE, SIZE, 3)
    page = world.page(works, "Works", [""] * 3, [[]] * 3)
    yield isinstance(page, str) and "<html" in page, "page: expected an HTML document"
    samples, rate = world.sound(works) or (np.zeros(0), 1)
    fits = samples.ndim == 1 and np.isfinite(samples).all() and np.abs(samples).max(initial=0) <= 1
    yield fits and rate > 0, "sound: expected samples in [-1, 1] and how many a second"
    for kind, entry in world.exports.items():
        fits = len(entry) == 3 and isinstance(entry[1], str) and callable(entry[2])
        yield fits, f"exports[{kind!r}]: expected (placeholder, help text, writer)"
    known = [item.name for item in fields(Look)]
    for option in world.looks:
        yield option in known, f"looks: {option!r} is none of {', '.join(known)}"


def _rules(world: World) -> Iterator[Promise]:
    """Scores of rules in [0, 1], the same alone and in a batch; lines that explain them."""
    works = world.train[:SAMPLE]
    terms = {**world.rule_scores(works), **world.rule_quality(works)}
    for name in ("form", "quality"):
        yield name in terms, f"rule_quality: {name!r} is not among its terms"
    for name, values in terms.items():
        yield from _shares(f"rule {name!r}", values, len(works))
    alone = world.rule_quality(works[3:4])
    same = all(alone[name][0] == terms[name][3] for name in alone)
    yield same, "rule_quality: a work alone must be worth what it is in a batch"
    lines = world.explain(works)
    fits = all(isinstance(text, str) for line in lines for text in line)
    yield fits and len(lines) == len(works), "explain: expected a list of texts for each work"


# Learning


def _network(world: World) -> Iterator[Promise]:
    """Shapes, attributes, and that it is deterministic where it does not learn."""
    torch.manual_seed(0)
    network = world.network(dropout=0.1).eval()
    for name, kind in (("n_features", int), ("dropout", float)):
        value = getattr(network, name, None)
        yield isinstance(value, kind), f"network.{name}: expected {kind}, got {value!r}"
    simulator = _begun(world, BOARDS)
    obs = {key: torch.as_tensor(value) for key, value in simulator.observations.items()}
    logits, features = network(obs)
    for name, found, width in (
        ("logits", logits, simulator.n_actions), ("features", features, network.n_features)
    ):  # fmt: skip
        fits = tuple(found.shape) == (BOARDS, width) and bool(torch.isfinite(found).all())
        wanted = f"expected finite {name} {(BOARDS, width)}"
        yield fits, f"network: {wanted}, got {tuple(found.shape)}"
    yield torch.equal(network(obs)[0], logits), "network: in eval mode it must not change"
    logits.sum().backward()
    learns = any(p.grad is not None and bool(p.grad.any()) for p in network.parameters())
    yield learns, "network: no gradient reaches its weights"


def _judges(world: World) -> Iterator[Promise]:
    """The evaluator, hardly trained, and what it saves."""
    evaluator, works = world.fit_evaluator(2, 1), world.held_out
    measured = evaluator.measure(works)
    for key in MEASURES:
        yield key in measured, f"measure: {key!r} is not among its measures"
    for key, values in measured.items():
        yield _array(f"measure: {key!r}", values, np.float64, len(works))
        yield _finite(f"measure: {key!r}", values)
    with tempfile.TemporaryDirectory() as folder:
        evaluator.save(Path(folder))
        again = world.load_evaluator(Path(folder)).measure(works)
    yield _same(again, measured), "load_evaluator: saved judges say something else"
    x = evaluator.describe(world.train)
    yield _array("describe", x, np.float32, "N", "D")
    yield _finite("describe", x)


def _reward(world: World) -> Iterator[Promise]:
    """The reward, hardly trained, what it saves, and that it goes on in another."""
    evaluator, works = world.fit_evaluator(2, 1), world.held_out[:SAMPLE]
    reward = world.make_reward(evaluator, world.train, 2, 0, 1)
    terms = dict(reward(works))
    for key in ("quality", "reward"):
        yield key in terms, f"{key!r} is not among its terms"
        yield from _shares(key, terms[key], len(works))
    for key, values in terms.items():
        yield np.shape(values) == (len(works),), f"term {key!r}: expected shape ({len(works)},)"
        yield _finite(f"term {key!r}", values)
    if "craft" in terms:
        with tempfile.TemporaryDirectory() as folder:
            reward.save(Path(folder))
            same = np.array_equal(world.craft(Path(folder), works), terms["craft"])
        yield same, "craft: the saved critic does not say what the reward's term 'craft' says"
    figures = reward.refresh(works)
    yield _finite("refresh", list(figures.values()))
    yield _array("admit", reward.admit(works, evaluator.describe(works)), np.bool_, len(works))
    other = world.make_reward(evaluator, world.train, 1, 0, 1)
    other.load_state(reward.state())
    same = _same(reward(works), other(works))
    yield same, "state: a reward does not go on in another from its state"


CHECKS: tuple[tuple[str, Callable[[World], Iterator[Promise]]], ...] = (
    ("Simulator", _constants), ("Human works", _loaded), ("Simulator", _observations),
    ("Simulator", _batches), ("Simulator", _waiting), ("Simulator", _state),
    ("Human works", _human_works), ("Briefs", _boards), ("Images", _images),
    ("Pictures and files", _pictures), ("Rules", _rules), ("Network", _network),
    ("Judges", _judges), ("Reward", _reward),
)  # fmt: skip
"""Sections of the page, and what is tried of them, in order."""
