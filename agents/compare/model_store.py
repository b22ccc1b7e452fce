"""Fits the makers of a comparison, or reads them from its folder, and has them make works.

The imitator and the learner of a seed are those of a finished run, where one is given for the seed;
nothing of a run is copied. Otherwise the learner's folder here is such a run.
"""

from __future__ import annotations

import copy
import json
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from move37.agents.compare.config import CompareConfig
from move37.agents.compare.entries import Entry
from move37.agents.learner.imitation import fit_imitator
from move37.agents.learner.train_loop import IMITATOR, LEARNER
from move37.agents.makers.learner import fitting_cost
from move37.agents.makers.learner import load as load_learner
from move37.agents.makers.maker import Maker, NetworkMaker, TrainContext, budget_for, find_factory
from move37.agents.runs.config import FILE, make_config, preset_value
from move37.agents.runs.run_dir import SUMMARY
from move37.envs.base.registry import find_world
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Evaluator, Reward, World
from move37.envs.judging.reward_scorer import RewardScorer
from move37.envs.progress import Phase, doing
from move37.novelty.storage import load_weights, printable, read_json, save_weights

COST = "cost.json"
STOCK_SHARE = 10
"""1 / share of the works compared are made beyond a maker's stock to measure their cost."""


class MakerError(Exception):
    """A maker failed, not the comparison: it is noted, and the other makers go on."""

    @property
    def text(self) -> str:
        """The maker's own error in one line."""
        return printable(f"{type(self.__cause__).__name__}: {self.__cause__}")

    @property
    def traceback(self) -> str:
        """The traceback of the maker's own error."""
        return "".join(traceback.format_exception(self.__cause__))


@contextmanager
def _maker_code() -> Iterator[None]:
    """Whatever is raised within is a :class:`MakerError`; a request to stop passes."""
    try:
        yield
    except Exception as error:
        raise MakerError from error


def check_run(run: Path, world: World, options: CompareConfig) -> None:
    """Refuse a run whose learner may not join a comparison.

    Raises:
        ValueError: If it is not finished, or was trained on other human works than the comparison:
            what is held out here might have been learnt from there.
    """
    for name in (FILE, SUMMARY, IMITATOR, LEARNER):
        if not (run / name).exists():
            raise ValueError(f"{run}: no finished run of train.py ({name} is missing)")
    config, summary = read_json(run / FILE), read_json(run / SUMMARY)
    if ":" in str(config.get("world")):  # module:Class
        config["world"] = find_world(config["world"]).id
    patterns = str(config.get("withhold", "")).split(",")
    config["withhold"] = tuple(p.strip() for p in patterns if p.strip())
    for key, wanted in (
        ("world", world.id), ("corpus", options.corpus), ("withhold", options.withhold),
        ("human_works", options.scale.human_works),
    ):  # fmt: skip
        if config.get(key) != wanted:
            raise ValueError(
                f"{run}: a run with {key} = {config.get(key)!r}; this comparison has {wanted!r}"
            )
    if summary.get("corpus") != world.fingerprint:
        raise ValueError(f"{run}: was trained on another version of the human works")


class ModelStore:
    """Fits makers, each once; imitators and rewards of the latest seed are kept.

    Args:
        options: What is compared.
        world: Whose works are made.
        evaluator: The frozen judges, for descriptors.
        log: Takes one line about what happens.
    """

    def __init__(
        self, options: CompareConfig, world: World, evaluator: Evaluator, log: Callable[[str], None]
    ) -> None:
        self._options, self._world, self._evaluator, self._log = options, world, evaluator, log
        self._made: dict[tuple[str, int], Maker] = {}
        # Seeds come one after the other.
        self.network, self.reward = lru_cache(1)(self._network), lru_cache(1)(self._reward)

    def forget_makers(self) -> None:
        """Free the memory that makers take; they are read from their folders again."""
        self._made.clear()

    def scorer(self, seed: int) -> RewardScorer:
        """The learner's reward of a seed as it was before learning."""
        reward = self.reward(seed)
        return RewardScorer(lambda: reward)

    def works(
        self, entry: Entry, seed: int, n: int
    ) -> tuple[Works, NDArray[np.float64], dict[str, Any], Works | None]:
        """N works of a maker, which is fitted unless it is fitted already.

        Returns:
            Fresh and unselected works; (N,) the reward by which the best are chosen, the maker's
            own or else the learner's as it was before learning; what fitting and making cost; the
            works that a filter made its own from, None for other makers.

        Raises:
            MakerError: If the maker fails, or does not make n works.
        """
        maker, facts = self.maker(entry, seed)
        chance = seed, zlib.crc32(entry.name.encode())
        with _maker_code():
            works, cost = _timed(maker, n, np.random.default_rng(chance))
            if not isinstance(works, Works) or len(works) != n:
                made = len(works) if isinstance(works, Works) else type(works).__name__
                raise ValueError(f"generate({n}) made {made} instead of {n} works")
            # A filter's inputs are those that it draws from a generator in the same state.
            inputs = maker.inputs(n, np.random.default_rng(chance))
            score = maker.score(works)
            if score is not None and np.shape(score) != (n,):
                raise ValueError(f"score: expected shape ({n},), got {np.shape(score)}")
            facts = facts | cost | {"env_steps": maker.env_steps}
        if score is None:
            score = self.scorer(seed).score(works)
        return works, np.asarray(score, np.float64), facts, inputs

    def maker(self, entry: Entry, seed: int) -> tuple[Maker, dict[str, Any]]:
        """The maker of a line, fitted, with what fitting it cost.

        Raises:
            MakerError: If the maker fails.
        """
        key = (entry.key, seed)
        if key not in self._made:
            self._made[key] = self._fit(entry, seed, self._folder(*key))
        maker = self._made[key]
        if entry.temperature is not None:
            with _maker_code():
                maker = maker.with_temperature(entry.temperature)
        return maker, self._cost(*key)

    def _folder(self, key: str, seed: int) -> Path:
        """Where a maker keeps what it has learnt: its own folder, or a run that is given for it."""
        run = self._options.run_of(seed) if key in ("imitator", "learner") else None
        return run or self._options.out / "makers" / str(seed) / key

    def _cost(self, key: str, seed: int) -> dict[str, Any]:
        """``wall_seconds`` and ``cpu_seconds`` that fitting took; empty if that is not known."""
        folder = self._folder(key, seed)
        if key != "imitator" and (folder / SUMMARY).exists():
            return fitting_cost(folder)
        path = folder / COST
        return read_json(path) if path.exists() else {}

    def _fit(self, entry: Entry, seed: int, folder: Path) -> Maker:
        # What every maker starts from is the comparison's: an error there is not the maker's.
        network = self.network(seed)
        if entry.maker == "imitator":
            return NetworkMaker(network, self._world)
        if entry.maker == "learner" and self._options.run_of(seed) is not None:
            return load_learner(folder, self._world, lambda: copy.deepcopy(self.reward(seed)))
        self.reward(seed)
        folder.mkdir(parents=True, exist_ok=True)
        with _maker_code():
            with doing(f"{entry.key}, seed {seed}: fitting", self._log) as phase:
                context = self._context(entry, seed, folder, phase)
                torch.manual_seed(seed)
                seconds = _stopwatch()
                maker = find_factory(entry.maker)(context)
        torch.set_num_threads(self._options.threads)
        if not (folder / COST).exists():  # else it was read from its folder
            write_atomically(folder / COST, json.dumps(seconds()).encode())
        return maker

    def _context(self, entry: Entry, seed: int, folder: Path, phase: Phase) -> TrainContext:
        """What a maker is fitted with; its latest line says how far the phase is."""

        def log(line: str) -> None:
            self._log(f"seed {seed}: {line}")
            phase.reached = line

        options = self._options
        budget = budget_for(self._world, options.budget)
        if entry.timed:
            cost = self._cost("learner", seed)
            if not cost:
                raise ValueError("the learner, whose time it is held to, has not been made")
            budget = replace(budget, seconds=float(cost["cpu_seconds"]))
        return TrainContext(
            world=self._world,
            evaluator=self._evaluator,
            imitator=self.network(seed),
            new_reward=lambda: copy.deepcopy(self.reward(seed)),
            budget=budget,
            seed=seed,
            folder=folder,
            threads=options.threads,
            log=log,
            config=make_config(
                options.budget,
                options.world,
                seed=seed,
                run_dir=str(folder),
                corpus=options.corpus,
                withhold=",".join(options.withhold),
                imitator=str(self._folder("imitator", seed) / IMITATOR),
                threads=options.threads,
            ),
        )

    def _network(self, seed: int) -> nn.Module:
        """The imitator of a seed: of the run given for it, from its folder, or fitted now."""
        world, folder = self._world, self._folder("imitator", seed)
        if not (folder / IMITATOR).exists():
            state = folder / "imitation.safetensors"
            epochs = preset_value(self._options.budget, "imitation_epochs")
            seconds = _stopwatch()
            name = f"imitator, seed {seed}"
            with doing(f"{name}: fitting", self._log):
                network = fit_imitator(
                    world, seed, epochs, lambda line: self._log(f"{name}: {line}"), state
                )
            write_atomically(folder / COST, json.dumps(seconds()).encode())
            save_weights(folder / IMITATOR, network)
            state.unlink(missing_ok=True)
        network = world.network().eval()
        load_weights(folder / IMITATOR, network)
        return network

    def _reward(self, seed: int) -> Reward:
        """The learner's reward of a seed before learning; to be copied, never to be asked."""
        scale = self._options.scale
        imitator = NetworkMaker(self.network(seed), self._world)
        with doing(f"reward, seed {seed}: fitting its critic", self._log):
            imitations = imitator.generate(scale.imitations, np.random.default_rng((seed, 1)))
            return self._world.make_reward(
                self._evaluator, imitations, scale.critic_updates, seed, scale.pools
            )


def _stopwatch() -> Callable[[], dict[str, float]]:
    """Starts now; what it returns says how many seconds have passed since."""
    wall, cpu = time.perf_counter(), time.process_time()
    return lambda: {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }


def _timed(maker: Maker, n: int, rng: np.random.Generator) -> tuple[Works, dict[str, float]]:
    """N works, and the wall and CPU seconds that 1,000 more of them cost."""
    seconds, asked = _stopwatch(), n
    works = maker.generate(n, rng)
    if maker.stock:
        # Its stock was paid for while it was fitted: measured is what further works cost.
        seconds, asked = _stopwatch(), max(1, n // STOCK_SHARE)
        maker.generate(maker.stock + asked, rng)
    wall, cpu = (1000 * value / asked for value in seconds().values())
    return works, {"seconds_per_1000": wall, "cpu_per_1000": cpu}
