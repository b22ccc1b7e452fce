"""The options of a comparison: one flat dataclass, its scale, and runs that may take part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from move37.agents.compare.entries import FIXED, Entry, all_entries, chosen_entries
from move37.agents.runs.config import preset_value
from move37.envs.base.registry import find_world
from move37.novelty.storage import check_utf8


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
    preset: Scale(
        seeds=seeds,
        works=works,
        human_works=preset_value(preset, "human_works"),
        critic_updates=preset_value(preset, "critic_updates"),
        pools=preset_value(preset, "critic_pools"),
        imitations=2 * preset_value(preset, "eval_works"),
    )
    for preset, seeds, works in (("smoke", 1, 200), ("default", 3, 1000), ("full", 3, 1000))
}


@dataclass(frozen=True)
class CompareConfig:
    """Every option of a comparison. The docstring under each field is its line of ``--help``.

    Raises:
        ValueError: If an option is out of range, or names what does not exist.
    """

    out: Path
    """where works, models and the report are written"""
    world: str = "drawing"
    """kind of work: drawing, drawing-concepts, composition, composition-free, composition-four, or
    module:Class of your own"""
    corpus: str = ""
    """human works (default: the world's; drawing: tabler; also lucide, kanjivg, an SVG folder, an
    .ndjson file)"""
    budget: str = "default"
    """smoke, default or full"""
    seeds: int = 0
    """how often everything is fitted anew; 0: three times, with the budget smoke once"""
    first_seed: int = 0
    """the first of the seeds; further ones may be made on another machine"""
    joined: tuple[Path, ...] = ()
    """figures of other seeds: the comparison.json of another comparison; may be repeated"""
    works: int = 0
    """fresh works of each maker and seed; 0: 1000, with the budget smoke 200"""
    exam: str = ""
    """whose briefs makers answer, in a world with several: held_out (there the default), or sealed,
    which decides nothing, for a report that is published"""
    added: tuple[tuple[str, Path], ...] = ()
    """works of any other maker: SVG, PNG or saved works; may be repeated"""
    only: tuple[str, ...] = ()
    """comma-separated makers (default: all); human works always take part"""
    makers: tuple[str, ...] = ()
    """a maker beside those of --only, by name or as module:function; may be repeated"""
    runs: tuple[Path, ...] = ()
    """take imitator and learner from a finished run of train.py; one per seed, in order"""
    withhold: tuple[str, ...] = ()
    """comma-separated name patterns of human works to take out of the world, and look for"""
    evidence: bool = True
    """whether the measures of shift are taken (docs/measures.md), which is half of the time"""
    threads: int = 2
    """torch threads of each process"""
    jobs: int = 1
    """processes that fit makers and make works at once"""
    report: bool = False
    """make the report again from saved works; make no works"""
    command: str = ""  # as it was typed, for the report

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))
        check_utf8(self.out, "--out")
        if self.budget not in SCALES:
            raise ValueError(f"--budget: {self.budget!r} is none of {', '.join(SCALES)}")
        for name in ("seeds", "works"):
            if getattr(self, name) == 0:
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
