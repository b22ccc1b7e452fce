"""Fits the makers of a comparison, or reads them from its folder: ``makers/SEED/NAME``.

The imitator and the learner of a seed are those of a finished run, where one is given for the seed;
nothing of a run is copied. Otherwise the learner's folder here is such a run.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from move37.agents.compare.config import CompareConfig, check_run
from move37.agents.compare.entries import Entry, Imitator
from move37.agents.learner.imitation import fit_imitator
from move37.agents.learner.train_loop import IMITATOR
from move37.agents.makers.learner import fitting_cost
from move37.agents.makers.learner import load as load_learner
from move37.agents.makers.maker import Maker, TrainContext, budget_for, find_factory
from move37.agents.runs.config import make_config, preset_value
from move37.agents.runs.run_dir import SUMMARY
from move37.envs.base.works import write_atomically
from move37.envs.base.world import Evaluator, Reward, World
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.storage import load_weights, read_json, save_weights

COST = "cost.json"


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
        self._rewards: dict[int, Reward] = {}
        self._networks: dict[int, nn.Module] = {}

    def forget_makers(self) -> None:
        """Free the memory that makers take; they are read from their folders again."""
        self._made.clear()

    def scorer(self, seed: int) -> RewardScorer:
        """The learner's reward of a seed as it was before learning."""
        reward = self.reward(seed)
        return RewardScorer(lambda: reward)

    def maker(self, entry: Entry, seed: int) -> tuple[Maker, dict[str, Any]]:
        """The maker of a line, fitted, with what fitting it cost."""
        key = (entry.key, seed)
        if key not in self._made:
            self._made[key] = self._fit(entry, seed, self._folder(*key))
        maker = self._made[key]
        if entry.temperature is not None:
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
        if entry.maker == "imitator":
            return Imitator(self.network(seed), self._world)
        if entry.maker == "learner" and self._options.run_of(seed) is not None:
            self._check_run(folder)
            return load_learner(folder, self._world, lambda: copy.deepcopy(self.reward(seed)))
        folder.mkdir(parents=True, exist_ok=True)
        context = self._context(entry, seed, folder)
        torch.manual_seed(seed)
        begin, cpu = time.perf_counter(), time.process_time()
        maker = find_factory(entry.maker)(context)
        seconds = {
            "wall_seconds": time.perf_counter() - begin,
            "cpu_seconds": time.process_time() - cpu,
        }
        torch.set_num_threads(self._options.threads)
        if not (folder / COST).exists():  # else it was read from its folder
            write_atomically(folder / COST, json.dumps(seconds).encode())
        return maker

    def _context(self, entry: Entry, seed: int, folder: Path) -> TrainContext:
        """What a maker is fitted with; what is not its own work is done here."""
        world, options = self._world, self._options
        budget = budget_for(world, options.budget)
        if entry.timed:
            cost = self._cost("learner", seed)
            if not cost:
                raise ValueError("the learner, whose time it is held to, has not been made")
            budget = replace(budget, seconds=float(cost["cpu_seconds"]))
        network = self.network(seed)
        self.reward(seed)
        return TrainContext(
            world=world,
            evaluator=self._evaluator,
            imitator=network,
            new_reward=lambda: copy.deepcopy(self.reward(seed)),
            budget=budget,
            seed=seed,
            folder=folder,
            threads=options.threads,
            log=self._log,
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

    def _check_run(self, run: Path) -> None:
        """Refuse a run that was trained on other human works, or is not finished."""
        options = self._options
        check_run(run, self._world, options.scale, options.withhold, options.corpus)

    def network(self, seed: int) -> nn.Module:
        """The imitator of a seed: of the run given for it, from its folder, or fitted now."""
        if seed in self._networks:
            return self._networks[seed]
        self._networks.clear()
        world, folder = self._world, self._folder("imitator", seed)
        if not (folder / IMITATOR).exists():
            state = folder / "imitation.safetensors"
            epochs = preset_value(self._options.budget, "imitation_epochs")
            begin, cpu = time.perf_counter(), time.process_time()
            network = fit_imitator(
                world, seed, epochs, lambda line: self._log(f"imitator, seed {seed}: {line}"), state
            )
            seconds = {
                "wall_seconds": time.perf_counter() - begin,
                "cpu_seconds": time.process_time() - cpu,
            }
            write_atomically(folder / COST, json.dumps(seconds).encode())
            save_weights(folder / IMITATOR, network)
            state.unlink(missing_ok=True)
        network = world.network().eval()
        load_weights(folder / IMITATOR, network)
        self._networks[seed] = network
        return network

    def reward(self, seed: int) -> Reward:
        """The learner's reward of a seed before learning; to be copied, never to be asked."""
        if seed not in self._rewards:
            self._rewards.clear()  # seeds come one after the other
            scale = self._options.scale
            rng = np.random.default_rng((seed, 1))
            imitations = Imitator(self.network(seed), self._world).generate(scale.imitations, rng)
            self._rewards[seed] = self._world.make_reward(
                self._evaluator, imitations, scale.critic_updates, seed, scale.pools
            )
        return self._rewards[seed]
