"""Who takes part in a comparison, on what terms, and on which machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import BOARDS, sample_works
from move37.agents.makers.maker import MAKERS, Maker
from move37.envs.base.works import Works
from move37.envs.base.world import World

TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)
EXAMINED = (1.0, 1.5)
"""Temperatures at which evidence of shift is taken: as fitted, and a high one as a control."""


@dataclass(frozen=True)
class Scale:
    """What a budget means for a comparison, beside what :data:`BUDGETS` gives each maker.

    Attributes:
        seeds: How often everything is fitted anew.
        works: Fresh works of each maker and seed.
        human_works: Use only this many human works; 0: all.
        critic_updates: Gradient steps of each judge's and critic's training.
        pools: Damaged copies of the human works that judges and critics learn from.
        imitations: Imitator's samples among the negatives of the reward's critic.
    """

    seeds: int = 3
    works: int = 1000
    human_works: int = 0
    critic_updates: int = 1200
    pools: int = 4
    imitations: int = 4000


SCALES = {
    "smoke": Scale(1, 200, 600, 60, 1, 400),
    "default": Scale(),
    "full": Scale(critic_updates=4000),
}


@dataclass(frozen=True)
class CompareConfig:
    """What is compared.

    Attributes:
        out: Where everything is written.
        world: Id of the world.
        budget: A name in :data:`SCALES`.
        seeds: How often everything is fitted anew.
        first_seed: The first of the seeds.
        works: Fresh works of each maker and seed.
        only: Names of makers; empty for all.
        added: (name, folder) of works of other makers.
        runs: Finished runs of ``train.py``: their imitator and learner are used, one per seed.
        threads: torch threads of each process.
        withhold: Name patterns of human works that are taken out of the world.
        evidence: Whether the measures of shift are taken.
        jobs: Processes that fit makers and make works at once.
        command: As it was typed, for the report.
        joined: Figures (``comparison.json``) of other seeds, made elsewhere.
        corpus: Which human works; empty for the world's default.
        exam: Which split's briefs makers answer, in a world with several; empty for its first.
    """

    out: Path
    world: str = "drawing"
    budget: str = "default"
    seeds: int = 3
    first_seed: int = 0
    works: int = 1000
    only: tuple[str, ...] = ()
    added: tuple[tuple[str, Path], ...] = ()
    runs: tuple[Path, ...] = ()
    threads: int = 2
    withhold: tuple[str, ...] = ()
    evidence: bool = False
    jobs: int = 1
    command: str = ""
    joined: tuple[Path, ...] = ()
    corpus: str = ""
    exam: str = ""

    @property
    def scale(self) -> Scale:
        """What the budget means."""
        return SCALES[self.budget]

    @property
    def all_seeds(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def run_of(self, seed: int) -> Path | None:
        """The finished run that imitator and learner of a seed are taken from, if one is given."""
        at = seed - self.first_seed
        return self.runs[at] if 0 <= at < len(self.runs) else None


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        name: In the table and the files.
        recipe: In :data:`MAKERS`, or ``imitator``.
        temperature: At which it is sampled; None if it has none.
        timed: Whether it is held to the CPU time of the learner instead of its number of works.
    """

    name: str
    recipe: str
    temperature: float | None = None
    timed: bool = False


def all_entries() -> list[Entry]:
    """Every line, in the order in which they are made."""
    out = [Entry(f"imitator_t{t:.2f}", "imitator", t) for t in TEMPERATURES]
    for recipe in MAKERS:
        if recipe == "rnn":
            out += [Entry(f"rnn_t{t:.2f}", recipe, t) for t in TEMPERATURES]
        else:
            out.append(Entry(recipe, recipe))
    if "evolution" in MAKERS and "learner" in MAKERS:
        out.append(Entry("evolution_time", "evolution", timed=True))
    return out


def chosen_entries(only: tuple[str, ...]) -> list[Entry]:
    """The lines with these names, or of these recipes.

    Raises:
        ValueError: If a name is unknown.
    """
    entries = all_entries()
    known = {e.name for e in entries} | {e.recipe for e in entries}
    for name in only:
        if name not in known:
            raise ValueError(f"{name!r} is none of {', '.join(dict.fromkeys(known_names()))}")
    return [e for e in entries if not only or e.name in only or e.recipe in only]


def known_names() -> list[str]:
    """Names of recipes and of single lines."""
    return ["imitator", *MAKERS, *(e.name for e in all_entries())]


class Imitator(Maker):
    """The network that the learner starts from, as a maker: samples of what exists.

    Args:
        network: Fitted, in eval mode.
        world: The world it works in.
        temperature: Divides the logits.
    """

    def __init__(self, network: nn.Module, world: World, temperature: float = 1.0) -> None:
        self.network, self.world, self.temperature = network, world, temperature

    def with_temperature(self, temperature: float) -> Imitator:
        """The same network at another temperature."""
        return Imitator(self.network, self.world, temperature)

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Sample n works; see :class:`move37.agents.makers.maker.Maker`."""
        simulator = self.world.simulator(max(1, min(n, BOARDS)))
        return sample_works(
            self.network, simulator, self.world.id, n, rng, self.temperature, brief=brief
        )


def check_run(
    run: Path, world: World, scale: Scale, withhold: tuple[str, ...] = (), corpus: str = ""
) -> dict[str, Any]:
    """The summary of a run whose learner may join a comparison.

    Raises:
        ValueError: If it is not finished, or was trained on other human works than the comparison:
            what is held out here might have been learnt from there.
    """
    for name in ("config.json", "summary.json", "imitator.safetensors", "learner.safetensors"):
        if not (run / name).exists():
            raise ValueError(f"{run}: no finished run of train.py ({name} is missing)")
    config = json.loads((run / "config.json").read_text())
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text())
    for key, wanted in (
        ("world", world.id), ("corpus", corpus), ("human_works", scale.human_works)
    ):  # fmt: skip
        if config.get(key) != wanted:
            raise ValueError(
                f"{run}: a run with {key} = {config.get(key)!r}; this comparison has {wanted!r}"
            )
    patterns = tuple(p.strip() for p in str(config.get("withhold", "")).split(",") if p.strip())
    if patterns != tuple(withhold):
        raise ValueError(
            f"{run}: a run that withheld {patterns!r}; this comparison withholds {withhold!r}"
        )
    if summary.get("corpus") != world.fingerprint:
        raise ValueError(f"{run}: was trained on another version of the human works")
    return summary | {"config": config}


def machine() -> dict[str, str]:
    """What the times of a comparison were taken on."""
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        for line in cpus.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return {"CPU": name, "cores": str(os.cpu_count()), "system": platform.system()}


def versions() -> dict[str, str]:
    """Versions of what decides figures."""
    out = {"Python": platform.python_version()}
    for package in ("move37", "numpy", "torch", "stable-baselines3", "ribs", "scikit-learn"):
        try:
            out[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out
