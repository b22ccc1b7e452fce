"""The options of a comparison: one flat dataclass, whose fields carry their line of --help."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from move37.agents.compare.entries import FIXED, Entry, all_entries, chosen_entries
from move37.agents.runs.config import CORPUS
from move37.envs.base.registry import find_world, known_worlds
from move37.envs.base.world import World


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


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def named_folder(text: str) -> tuple[str, Path]:
    """``NAME=FOLDER``.

    Raises:
        argparse.ArgumentTypeError: If the text is something else.
    """
    name, equals, folder = text.partition("=")
    if not equals or not folder or not name.replace("-", "_").isidentifier():
        raise argparse.ArgumentTypeError(
            f"expected NAME=FOLDER, NAME of letters, digits, - and _: {text!r}"
        )
    return name, Path(folder)


def help_of(
    text: str,
    metavar: str = "",
    flag: str = "",
    parse: Callable[[str], Any] | None = None,
    repeated: bool = False,
) -> dict[str, Any]:
    """What the command line makes of a field.

    Args:
        text: Its line of --help.
        metavar: What stands for the value there.
        flag: Name of the option, if it is not the field's.
        parse: Turns the text of the command line into the value; None: the field's type does.
        repeated: Whether the option may be repeated; ``parse`` then gives one of the values.
    """
    return {
        "help": text + "; may be repeated" * repeated, "metavar": metavar, "flag": flag,
        "parse": parse, "repeated": repeated,
    }  # fmt: skip


def option(default: Any, *args: Any, **more: Any) -> Any:
    """A field with a default, and its option as :func:`help_of` has it."""
    return field(default=default, metadata=help_of(*args, **more))


@dataclass(frozen=True)
class CompareConfig:
    """What is compared.

    Raises:
        ValueError: If an option is out of range, or names what does not exist.
    """

    out: Path = field(metadata=help_of("where works, models and the report are written", "FOLDER"))
    world: str = option(
        "drawing", f"kind of work: {', '.join(sorted(known_worlds()))} (default: drawing)", "NAME"
    )
    corpus: str = option("", CORPUS, "NAME")
    budget: str = option("default", f"{', '.join(SCALES)} (default: default)", "NAME")
    seeds: int = option(None, "how often everything is fitted anew (default: 3; smoke: 1)", "N")
    first_seed: int = option(
        0, "the first of the seeds (default: 0); further ones on another machine, say", "N"
    )
    joined: tuple[Path, ...] = option(
        (), "figures of other seeds: the comparison.json of another comparison", "FILE", "join",
        Path, repeated=True,
    )  # fmt: skip
    works: int = option(None, "fresh works of each maker and seed (default: 1000; smoke: 200)", "N")
    exam: str = option(
        "", "whose briefs makers answer, in a world with several: held_out (there the default), or "
        "sealed, which decides nothing, for a report that is published", "SPLIT",
    )  # fmt: skip
    added: tuple[tuple[str, Path], ...] = option(
        (), "works of any other maker: SVG, PNG or saved works", "NAME=FOLDER", "add",
        named_folder, repeated=True,
    )  # fmt: skip
    only: tuple[str, ...] = option(
        (), "comma-separated makers (default: all); human works are always there", "NAMES",
        parse=names,
    )  # fmt: skip
    makers: tuple[str, ...] = option(
        (), "a maker beside those of --only, by name or as module:function", "MAKER", "maker", str,
        repeated=True,
    )  # fmt: skip
    runs: tuple[Path, ...] = option(
        (), "take imitator and learner from a finished run of train.py; one per seed, in order",
        "RUN", "run", Path, repeated=True,
    )  # fmt: skip
    withhold: tuple[str, ...] = option(
        (), "comma-separated name patterns of human works to take out of the world, and look for",
        "PATTERNS", parse=names,
    )  # fmt: skip
    evidence: bool = option(
        True, "the measures of shift (docs/measures.md): without them it takes half of the time"
    )
    threads: int = option(2, "torch threads of each process (default: 2)", "N")
    jobs: int = option(1, "processes that fit makers and make works at once (default: 1)", "N")
    report: bool = option(False, "make the report again from saved works")
    command: str = ""
    """As it was typed, for the report."""

    def __post_init__(self) -> None:
        """Fill in what the budget decides, and refuse what cannot be."""
        if self.budget not in SCALES:
            raise ValueError(f"--budget: {self.budget!r} is none of {', '.join(SCALES)}")
        for name in ("seeds", "works"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self.scale, name))
        for name in ("seeds", "works", "threads", "jobs"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name}: must be at least 1")
        if self.first_seed < 0:
            raise ValueError("--first-seed: must be at least 0")
        if len(self.runs) > self.seeds:
            raise ValueError(f"--run: {len(self.runs)} runs for {self.seeds} seeds")
        find_world(self.world)
        taken = {*FIXED, *(entry.name for entry in (*all_entries(), *self.entries))}
        for name, _ in self.added:
            if name in taken:
                raise ValueError(f"--add: there is already a maker named {name!r}")
            taken.add(name)

    @property
    def entries(self) -> list[Entry]:
        """The lines that makers make, those of all makers if none is named."""
        return chosen_entries(self.only, self.makers)

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
