"""Proves that a world conforms: every promise is tried, and what is broken is named.

The sections that errors refer to are those of ``docs/new-world.md``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.registry import find_world
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works
from move37.envs.base.world import Evaluator, World

BOARDS = 5
SAMPLE = 40
"""Human works that are looked at."""
SIZE = 48
MEASURES = (
    "heldout_quality", "form", "novelty_human", "novelty_self", "copied", "repeats", "yield",
    "yield_loose", "moves",
)  # fmt: skip
"""What an evaluator must measure."""


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
    kind = _find(world)
    with _section(kind, "The class"):
        made = kind(limit=limit)
    for check in (
        _check_simulator, _check_batches, _check_waiting, _check_state, _check_human_works,
        _check_boards, _check_images, _check_pictures, _check_rules, _check_network, _check_judges,
    ):  # fmt: skip
        check(made)
    return made


def _find(world: str | type[World]) -> type[World]:
    kind = world
    if isinstance(kind, str):
        try:
            kind = find_world(kind)
        except ValueError as error:
            raise WorldError(f"{error}; see 'The class' in docs/new-world.md") from error
    with _section(kind, "The class"):
        derived = isinstance(kind, type) and issubclass(kind, World)
        _expect(derived, f"{kind!r} is not derived from World")
        missing = sorted(getattr(kind, "__abstractmethods__", ()))
        _expect(not missing, f"it lacks {', '.join(missing)}")
        name = getattr(kind, "id", None)
        _expect(
            isinstance(name, str) and re.fullmatch("[a-z][a-z0-9-]*", name) is not None,
            f"id: expected lower-case letters, digits and hyphens, got {name!r}",
        )
    return kind


@contextmanager
def _section(kind: type[World], section: str) -> Iterator[None]:
    """Say of every failure which world it is of, and where the promise is described."""
    where = f"see {section!r} in docs/new-world.md"
    name = getattr(kind, "__name__", repr(kind))
    try:
        yield
    except WorldError as error:
        raise WorldError(f"{name}: {error}; {where}") from error.__cause__
    except Exception as error:  # the world's own code may raise anything
        raise WorldError(f"{name}: {type(error).__name__}: {error}; {where}") from error


def _expect(holds: object, message: str) -> None:
    if not holds:
        raise WorldError(message)


def _refuses(simulator: Simulator, actions: NDArray[np.int64]) -> bool:
    try:
        simulator.step(actions)
    except ValueError:
        return True
    return False


def _begun(world: World, n: int, briefs: NDArray[np.int16] | None = None) -> Simulator:
    simulator = world.simulator_class(n)
    simulator.reset(np.arange(n), world.train.briefs[:n] if briefs is None else briefs)
    return simulator


def _seen(simulator: Simulator) -> dict[str, NDArray[np.generic]]:
    return {key: np.array(value) for key, value in simulator.observations.items()}


def _same(left: dict[str, NDArray[np.generic]], right: dict[str, NDArray[np.generic]]) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


# Simulator


def _check_simulator(world: World) -> None:
    """Constants, the space of observations, and that observations are in it."""
    with _section(type(world), "Simulator"):
        kind = getattr(world, "simulator_class", None)
        _expect(
            isinstance(kind, type) and issubclass(kind, Simulator),
            f"simulator_class: {kind!r} is not derived from Simulator",
        )
        missing = sorted(getattr(kind, "__abstractmethods__", ()))
        _expect(not missing, f"simulator_class: {kind} lacks {', '.join(missing)}")
        for name in ("n_actions", "max_moves"):
            value = getattr(kind, name, None)
            _expect(
                isinstance(value, int | np.integer) and 0 < value < 1 << 15,
                f"{name}: expected a number from 1 to 32767, got {value!r}",
            )
        end = world.simulator_class.end_move
        _expect(
            end is None or 0 <= end < world.simulator_class.n_actions,
            f"end_move: {end!r} is no move",
        )
        of = world.simulator_class.world
        _expect(of == world.id, f"simulator_class.world: expected the id {world.id!r}, got {of!r}")
        simulator = _begun(world, BOARDS)
        space = simulator.observation_space()
        _expect(isinstance(space, spaces.Dict), f"observation_space: expected a Dict, got {space}")
        if world.env_id:
            registered = gymnasium.make(world.env_id).observation_space
            _expect(
                registered == space, f"env_id: {world.env_id} is observed otherwise: {registered}"
            )
        rng = np.random.default_rng(0)
        for _ in range(min(3, simulator.max_moves)):
            _check_observations(simulator, space)
            moves = rng.integers(0, simulator.n_actions, BOARDS)
            simulator.step(np.where(simulator.done, PAD, moves))


def _check_observations(simulator: Simulator, space: spaces.Dict) -> None:
    seen = simulator.observations
    _expect(
        set(seen) == set(space.spaces),
        f"observations: expected {sorted(space.spaces)}, got {sorted(seen)}",
    )
    for key, box in space.spaces.items():
        _expect(isinstance(box, spaces.Box), f"observation_space[{key!r}]: expected a Box")
        value, shape = seen[key], (simulator.n, *(box.shape or ()))
        _expect(
            value.shape == shape and value.dtype == box.dtype,
            f"observations[{key!r}]: expected {box.dtype} {shape}, got {value.dtype} {value.shape}",
        )
        _expect(
            all(box.contains(row) for row in value),
            f"observations[{key!r}]: something is outside of the space {box}",
        )


def _check_batches(world: World) -> None:
    """N boards in one batch are N boards alone, and every work ends."""
    with _section(type(world), "Simulator"):
        together, rng = _begun(world, BOARDS), np.random.default_rng(1)
        briefs = world.train.briefs[:BOARDS]
        alone = [_begun(world, 1, briefs[i : i + 1]) for i in range(BOARDS)]
        for _ in range(together.max_moves):
            moves = rng.integers(0, together.n_actions, BOARDS)
            actions = np.where(together.done, PAD, moves)
            finished = together.step(actions).copy()
            for i, simulator in enumerate(alone):
                said = bool(simulator.step(actions[i : i + 1])[0])
                _expect(said == finished[i], f"step: board {i} ends in a batch only, or alone only")
                for key, value in simulator.observations.items():
                    _expect(
                        np.array_equal(value[0], together.observations[key][i]),
                        f"observations[{key!r}]: a board in a batch is not what it is alone",
                    )
        _expect(
            together.done.all(), f"max_moves: after {together.max_moves} moves a work must be over"
        )


def _check_waiting(world: World) -> None:
    """PAD waits; a board that is done, and whatever is no move, is refused, and nothing changes."""
    with _section(type(world), "Simulator"):
        simulator = _begun(world, BOARDS)
        before = _seen(simulator)
        simulator.step(np.full(BOARDS, PAD))
        _expect(_same(before, _seen(simulator)), "step: PAD must leave a board as it is")
        for move in (-2, simulator.n_actions, 1 << 40):
            actions = np.full(BOARDS, PAD)
            actions[1] = move
            _expect(_refuses(simulator, actions), f"step: {move} is no move and must be refused")
        rng = np.random.default_rng(2)
        for _ in range(simulator.max_moves):
            moves = rng.integers(0, simulator.n_actions, BOARDS)
            simulator.step(np.where(simulator.done, PAD, moves))
        before = _seen(simulator)
        _expect(
            _refuses(simulator, np.zeros(BOARDS, np.int64)),
            "step: a board that is done must refuse every move but PAD",
        )
        _expect(_same(before, _seen(simulator)), "step: a refused move must change nothing")


def _check_state(world: World) -> None:
    """A batch goes on in another from its state."""
    with _section(type(world), "Simulator"):
        one, rng = _begun(world, BOARDS), np.random.default_rng(3)
        for _ in range(max(1, one.max_moves // 2)):
            moves = rng.integers(0, one.n_actions, BOARDS)
            idle = one.done | (rng.random(BOARDS) < 0.2)
            one.step(np.where(idle, PAD, moves))
        other = world.simulator_class(BOARDS)
        other.load_state(one.state())
        for _ in range(one.max_moves):
            _expect(
                _same(_seen(one), _seen(other)),
                "state: a batch does not go on in another from its state (does a board depend on "
                "more than its brief and its moves?)",
            )
            moves = np.where(one.done, PAD, rng.integers(0, one.n_actions, BOARDS))
            for each in (one, other):
                each.reset(np.flatnonzero(each.step(moves)), None)


# Human works and boards


def _check_human_works(world: World) -> None:
    """Human works are valid, finished, and play again to what they were."""
    with _section(type(world), "Human works"):
        splits = {"train": world.train, "held_out": world.held_out, "judge": world.judged_from}
        for name, works in splits.items():
            _expect(isinstance(works, Works), f"{name}: expected Works, got {type(works)}")
            _expect(len(works) > 1, f"{name}: {len(works)} works are too few")
        for name, works in {**splits, "outsiders": world.outsiders}.items():
            if not len(works) or works.images is not None:
                continue
            some = works[:SAMPLE]
            world.check_works(some)
            simulator = _begun(world, len(some), some.briefs)
            for column in some.moves.T:
                simulator.step(np.where(simulator.done, PAD, column))
            dropped = simulator.counts != some.lengths
            _expect(not dropped.any(), f"{name}: work {_first(dropped)} has moves after its end")
            _expect(simulator.done.all(), f"{name}: work {_first(~simulator.done)} is not finished")
        _expect(
            re.fullmatch("[0-9a-f]{64}", world.fingerprint),
            f"fingerprint: expected a SHA-256, got {world.fingerprint!r:.80}",
        )
        one, two = world.variations(1, 0), world.variations(1, 0)
        world.check_works(one)
        _expect(
            np.array_equal(one.moves, two.moves), "variations: the same epoch and seed must agree"
        )


def _first(where: NDArray[np.bool_]) -> int:
    return int(where.argmax())


def _check_boards(world: World) -> None:
    """Boards for makers, learners and exams, with briefs that the simulator takes."""
    with _section(type(world), "Briefs"):
        kinds = {"simulator": world.simulator, "practice": world.practice, "exam": world.exam}
        for split in world.exam_splits:
            kinds[f"for_exam({split!r}).simulator"] = world.for_exam(split).simulator
        for name, make in kinds.items():
            simulator = make(BOARDS)
            _expect(
                isinstance(simulator, world.simulator_class) and simulator.n == BOARDS,
                f"{name}({BOARDS}): expected {BOARDS} boards of {world.simulator_class.__name__}",
            )
            simulator.reset(np.arange(BOARDS))
            simulator.reset(np.arange(BOARDS), simulator.briefs.copy())
        brief = world.simulator_class.parse_brief(None)
        _expect(len(brief) == 0, "parse_brief: None must be an empty brief")


# Images, pictures, rules


def _check_images(world: World) -> None:
    """Images of the right kind, the same alone and in a batch, and of works in progress."""
    with _section(type(world), "Images"):
        works = world.train[:SAMPLE]
        images = world.images(works)
        _expect(
            images.dtype == np.uint8 and images.ndim == 3 and len(images) == len(works),
            f"images: expected uint8 (N, H, W), got {images.dtype} {images.shape}",
        )
        _expect(images.max(initial=0) <= 1, f"images: {images.max()} is neither 0 nor 1")
        _expect(
            images.any(axis=(1, 2)).mean() > 0.5 and len(np.unique(images, axis=0)) > 1,
            "images: human works look empty, or all alike",
        )
        _expect(
            np.array_equal(world.images(works[3:4])[0], images[3]),
            "images: a work alone must look as it does in a batch",
        )
        begun = works.moves.copy()
        begun[:, works.lengths.min() // 2 :] = PAD
        _expect(
            world.images_of(begun, works.briefs).shape == images.shape,
            "images_of: works in progress must have images too",
        )
        made = world.from_images(images[:2].astype(np.float64))
        _expect(isinstance(made, Works) and len(made) == 2, "from_images: expected 2 works")


def _check_pictures(world: World) -> None:
    """Tiles, pages, sound, exports."""
    with _section(type(world), "Pictures and files"):
        works = world.train[:3]
        for first, marks in ((None, ()), (1, (0, 1))):
            tile = world.tile(works, 1, SIZE, first, marks)
            _expect(
                tile.dtype == np.uint8 and tile.shape == (SIZE, SIZE, 3),
                f"tile: expected uint8 {(SIZE, SIZE, 3)}, got {tile.dtype} {tile.shape}",
            )
        page = world.page(works, "Works", [""] * 3, [[]] * 3)
        _expect(isinstance(page, str) and "<html" in page, "page: expected an HTML document")
        heard = world.sound(works)
        if heard is not None:
            samples, rate = heard
            _expect(
                samples.ndim == 1 and np.isfinite(samples).all() and rate > 0
                and np.abs(samples).max(initial=0) <= 1,
                "sound: expected samples in [-1, 1] and how many a second",
            )  # fmt: skip
        for kind, entry in world.exports.items():
            _expect(
                len(entry) == 3 and all(isinstance(text, str) for text in entry[:2])
                and callable(entry[2]),
                f"exports[{kind!r}]: expected (placeholder, help text, writer)",
            )  # fmt: skip


def _check_rules(world: World) -> None:
    """Scores of rules in [0, 1], the same alone and in a batch; lines that explain them."""
    with _section(type(world), "Rules"):
        works = world.train[:SAMPLE]
        terms = {**world.rule_scores(works), **world.rule_quality(works)}
        for name in ("form", "quality"):
            _expect(name in terms, f"rule_quality: {name!r} is not among its terms")
        for name, values in terms.items():
            _check_share(f"rule {name!r}", values, len(works))
        alone = world.rule_quality(works[3:4])
        _expect(
            all(alone[name][0] == terms[name][3] for name in alone),
            "rule_quality: a work alone must be worth what it is in a batch",
        )
        lines = world.explain(works)
        _expect(
            len(lines) == len(works) and all(isinstance(t, str) for line in lines for t in line),
            "explain: expected a list of texts for each work",
        )


def _check_share(name: str, values: NDArray[np.float64], n: int) -> None:
    values = np.asarray(values)
    _expect(
        values.shape == (n,) and values.dtype == np.float64,
        f"{name}: expected float64 ({n},), got {values.dtype} {values.shape}",
    )
    _expect(np.isfinite(values).all(), f"{name}: something is not finite")
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    _expect(low >= 0 and high <= 1, f"{name}: expected 0 to 1, got {low:.3g} to {high:.3g}")


# Learning


def _check_network(world: World) -> None:
    """Shapes, attributes, and that it is deterministic where it does not learn."""
    with _section(type(world), "Network"):
        torch.manual_seed(0)
        network = world.network(dropout=0.1).eval()
        for name, kind in (("n_features", int), ("dropout", float)):
            value = getattr(network, name, None)
            _expect(isinstance(value, kind), f"network.{name}: expected {kind}, got {value!r}")
        simulator = _begun(world, BOARDS)
        obs = {key: torch.as_tensor(value) for key, value in simulator.observations.items()}
        logits, features = network(obs)
        for name, found, width in (
            ("logits", logits, simulator.n_actions),
            ("features", features, network.n_features),
        ):
            _expect(
                tuple(found.shape) == (BOARDS, width) and bool(torch.isfinite(found).all()),
                f"network: expected finite {name} {(BOARDS, width)}, got {tuple(found.shape)}",
            )
        _expect(torch.equal(network(obs)[0], logits), "network: in eval mode it must not change")
        logits.sum().backward()
        _expect(
            any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters()),
            "network: no gradient reaches its weights",
        )


def _check_judges(world: World) -> None:
    """The evaluator and the reward, hardly trained, and what they save."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _section(type(world), "Judges"):
            evaluator = world.fit_evaluator(2, 1)
            evaluator.save(folder)
            measured = evaluator.measure(world.held_out)
            for key in MEASURES:
                _expect(key in measured, f"measure: {key!r} is not among its measures")
            for key, values in measured.items():
                _expect(
                    values.shape == (len(world.held_out),) and np.isfinite(values).all(),
                    f"measure: {key!r} is not finite, or not of shape ({len(world.held_out)},)",
                )
            again = world.load_evaluator(folder).measure(world.held_out)
            _expect(
                all(np.array_equal(again[key], measured[key]) for key in measured),
                "load_evaluator: saved judges say something else",
            )
            x = evaluator.describe(world.train)
            _expect(
                x.dtype == np.float32 and x.ndim == 2 and np.isfinite(x).all(),
                f"describe: expected finite float32 (N, D), got {x.dtype} {x.shape}",
            )
        with _section(type(world), "Reward"):
            _check_reward(world, evaluator, folder)


def _check_reward(world: World, evaluator: Evaluator, folder: Path) -> None:
    works = world.held_out[:SAMPLE]
    reward = world.make_reward(evaluator, world.train, 2, 0, 1)
    terms = dict(reward(works))
    for key in ("quality", "reward"):
        _expect(key in terms, f"{key!r} is not among its terms")
        _check_share(key, terms[key], len(works))
    for key, values in terms.items():
        _expect(
            np.shape(values) == (len(works),) and np.isfinite(values).all(),
            f"term {key!r}: expected finite numbers of shape ({len(works)},)",
        )
    reward.save(folder)
    if "craft" in terms:
        _expect(
            np.array_equal(world.craft(folder, works), terms["craft"]),
            "craft: the saved critic does not say what the reward's term 'craft' says",
        )
    figures = reward.refresh(works)
    _expect(all(np.isfinite(v) for v in figures.values()), "refresh: a figure is not finite")
    admitted = reward.admit(works, evaluator.describe(works))
    _expect(
        admitted.shape == (len(works),) and admitted.dtype == np.bool_,
        f"admit: expected bool ({len(works)},), got {admitted.dtype} {admitted.shape}",
    )
    other = world.make_reward(evaluator, world.train, 1, 0, 1)
    other.load_state(reward.state())
    left, right = reward(works), other(works)
    _expect(
        all(np.array_equal(left[key], right[key]) for key in left),
        "state: a reward does not go on in another from its state",
    )
