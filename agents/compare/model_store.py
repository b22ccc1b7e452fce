"""Fits the makers of a comparison, or reads them from its folder: ``makers/SEED/NAME``."""

from __future__ import annotations

import copy
import json
import shutil
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
from move37.agents.learner.imitation import imitate, positions_of
from move37.agents.makers.maker import BUDGETS, Maker, TrainContext, budget_for, find_factory
from move37.agents.makers.scoring import RewardScorer
from move37.envs.base.works import write_atomically
from move37.envs.base.world import Evaluator, Reward, World
from move37.novelty.storage import load_weights, save_weights


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
        return RewardScorer(self._world, lambda: reward)

    def maker(self, entry: Entry, seed: int) -> tuple[Maker, dict[str, Any]]:
        """The maker of a line, fitted, with what fitting it cost."""
        key = entry.key
        folder = self._options.out / "makers" / str(seed) / key
        cost = folder / "cost.json"
        if (key, seed) not in self._made:
            self._made[key, seed] = self._fit(entry, seed, folder, cost)
        maker = self._made[key, seed]
        if entry.temperature is not None:
            maker = maker.with_temperature(entry.temperature)
        return maker, json.loads(cost.read_text())

    def _fit(self, entry: Entry, seed: int, folder: Path, cost: Path) -> Maker:
        world, options = self._world, self._options
        if entry.maker == "imitator":
            return Imitator(self.network(seed), world)
        folder.mkdir(parents=True, exist_ok=True)
        reused = options.run_of(seed) if entry.maker == "learner" else None
        if reused is not None and not cost.exists():
            self._take_learner(reused, folder, cost)
        budget = budget_for(world, options.budget)
        if entry.timed:
            budget = replace(budget, seconds=self._learner_seconds(seed))
        # Paid before the clock starts: it is not this maker's work.
        network = self.network(seed)
        self.reward(seed)
        context = TrainContext(
            world=world,
            evaluator=self._evaluator,
            imitator=network,
            new_reward=lambda: copy.deepcopy(self.reward(seed)),
            budget=budget,
            seed=seed,
            folder=folder,
            threads=options.threads,
            log=self._log,
        )
        torch.manual_seed(seed)
        begin, cpu = time.perf_counter(), time.process_time()
        maker = find_factory(entry.maker)(context)
        seconds = {
            "wall_seconds": time.perf_counter() - begin,
            "cpu_seconds": time.process_time() - cpu,
        }
        torch.set_num_threads(options.threads)
        if not cost.exists():  # else it was read from its folder
            write_atomically(cost, json.dumps(seconds).encode())
        return maker

    def _learner_seconds(self, seed: int) -> float:
        """CPU seconds that the learner of this seed took to learn."""
        path = self._options.out / "makers" / str(seed) / "learner" / "cost.json"
        if not path.exists():
            raise ValueError("the learner, whose time it is held to, has not been made")
        return float(json.loads(path.read_text())["cpu_seconds"])

    def _take_learner(self, run: Path, folder: Path, cost: Path) -> None:
        """Copy the learner of a finished run to where its maker looks for it."""
        options = self._options
        summary = check_run(run, self._world, options.scale, options.withhold, options.corpus)
        seconds = summary["env_steps"] / summary["steps_per_second"]
        facts = {"env_steps": summary["env_steps"], "seconds": seconds}
        write_atomically(folder / "learner.json", json.dumps(facts).encode())
        shutil.copyfile(run / "learner.safetensors", folder / "learner.safetensors")
        threads = int(summary["config"]["threads"])
        # train.py notes no CPU time; all its threads busy is the most it can have been.
        spent = {"wall_seconds": seconds, "cpu_seconds": seconds * threads}
        write_atomically(cost, json.dumps(spent).encode())

    def network(self, seed: int) -> nn.Module:
        """The imitator of a seed: of the run given for it, from its folder, or fitted now."""
        if seed in self._networks:
            return self._networks[seed]
        self._networks.clear()
        world, options = self._world, self._options
        folder = self._options.out / "makers" / str(seed) / "imitator"
        path, cost = folder / "imitator.safetensors", folder / "cost.json"
        run = options.run_of(seed)
        if not cost.exists() and run is not None:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / "imitator.safetensors", path)
            write_atomically(cost, b"{}")
        torch.manual_seed(seed)
        network = world.network(dropout=0.3)
        if cost.exists():
            load_weights(path, network)
        else:
            begin, cpu = time.perf_counter(), time.process_time()
            fit = imitate(
                network,
                lambda epoch: positions_of(world.simulator, world.variations(epoch, seed)),
                positions_of(world.simulator, world.held_out),
                epochs=BUDGETS[options.budget].epochs,
                seed=seed,
            )
            spent = {
                "wall_seconds": time.perf_counter() - begin,
                "cpu_seconds": time.process_time() - cpu,
            }
            save_weights(path, network)
            write_atomically(cost, json.dumps(spent).encode())
            self._log(f"imitator, seed {seed}: {fit.nats:.3f} nats per held-out move")
        self._networks[seed] = network.eval()
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
