"""Runs of a composition world, examined under the sealed split: tunes that decided nothing.

    python -m benchmarks.sealed runs/composition-default-0 runs/composition-default-1 ...

The imitator at each temperature and the learner of every run answer the sopranos of the sealed
split (the free mode: its frames); the bars are those of the development split, as in training. The
figures are given with 95 % intervals over runs and works. Parallel fifths, octaves and unisons are
counted by the rules and by music21.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from move37.agents.learner.imitation import evaluate, positions_of
from move37.agents.learner.rollout import sample_works
from move37.agents.learner.train_loop import TEMPERATURES
from move37.envs.base.registry import make_world
from move37.envs.base.works import Works
from move37.envs.composition.corpus.augment import damage, damage_one
from move37.envs.composition.moves import EIGHTHS, N_MOVES
from move37.envs.composition.works import scores_of_works
from move37.envs.composition.world import CompositionWorld
from move37.novelty.statistics import Interval, seeds_interval, works_interval
from move37.novelty.storage import load_weights, read_json

from .parallels import count_parallels
from .reporting import place, write

COLUMNS = (
    ("yield", "yield", True), ("yield_with_repeats", "with repeats", True),
    ("yield_loose", "loose", True), ("form", "form", False),
    ("heldout_quality", "judge", False), ("novelty_human", "novelty", False),
    ("copied", "copied", True), ("repeats", "repeats", True),
    ("parallels", "parallels a work", True), ("by_music21", "by music21", True),
    ("below_bach", "Bach judged better", True),
)  # fmt: skip
"""Measure, title, and whether the mean is taken instead of the median."""


@dataclass(frozen=True)
class Found:
    """What was found in one run.

    Attributes:
        judged: Of each maker what the run's judges say of its works, each (N,).
        nats: The imitator's, per move of the sealed split.
        top1: Share of these moves that it thought the most probable.
    """

    judged: dict[str, dict[str, np.ndarray]]
    nats: float
    top1: float


def controls(bach: Works) -> dict[str, Works]:
    """Works whose place in the order is known, as many as there are of Bach's."""
    rng = np.random.default_rng(0)
    made = {"random moves": rng.integers(0, N_MOVES, bach.moves.shape).astype(np.int16)}
    if bach.moves.shape[1] == EIGHTHS:
        made["Bach, damaged"] = damage(bach.moves, rng)
        made["Bach, his notes in another order"] = np.stack(
            [damage_one(row, row, "shuffled", 1.0, rng) for row in bach.moves]
        )
    return {name: Works(bach.world, moves, bach.briefs) for name, moves in made.items()}


def measured(run: Path, n: int) -> Found:
    """Examine a run with n works of each maker.

    Raises:
        ValueError: If the run is not of a composition world, or not finished.
    """
    config = read_json(run / "config.json")
    world = make_world(config["world"])
    if not isinstance(world, CompositionWorld):
        raise ValueError(f"{run}: a run of {world.id!r}, which has no sealed split")
    world = world.for_exam("sealed")
    evaluator = world.load_evaluator(run)

    bach = np.sort(evaluator.judge(world.outsiders))

    def network_of(file: str, prefix: str) -> nn.Module:
        network: nn.Module = world.network()
        load_weights(run / file, network, prefix)
        return network.eval()

    def made(network: nn.Module, stream: int, temperature: float = 1.0) -> Works:
        rng = np.random.default_rng((config["seed"], 2, stream))
        return sample_works(network, world.exam(min(512, n)), world.id, n, rng, temperature)

    def judged(works: Works) -> dict[str, np.ndarray]:
        said = dict(evaluator.measure(works))
        q = said["heldout_quality"]
        worse = np.searchsorted(bach, q, "left") + np.searchsorted(bach, q, "right")
        said["below_bach"] = 1 - worse / (2 * len(bach))
        return said | {"by_music21": count_parallels(scores_of_works(works))}

    found = {"learner": judged(made(network_of("learner.safetensors", "network."), 0))}
    imitator = network_of("imitator.safetensors", "")
    for i, t in enumerate(TEMPERATURES, 1):
        found[f"imitator, T={t:g}"] = judged(made(imitator, i, t))
    for name, works in {"Bach": world.outsiders, **controls(world.outsiders)}.items():
        found[name] = judged(works)
    return Found(found, *evaluate(imitator, *positions_of(world.simulator, world.outsiders)))


def written(key: str, one: Interval) -> str:
    """A figure with its interval."""
    share = key.startswith("yield") or key in ("copied", "repeats", "below_bach")
    scale, unit = (100, " %") if share else (1, "")
    digits = 1 if unit else 2
    text = f"{scale * one.value:.{digits}f}{unit}"
    if not one.known:
        return text
    return f"{text} ({scale * one.low:.{digits}f} to {scale * one.high:.{digits}f})"


def main() -> None:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("benchmarks.sealed", description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--works", type=int, default=2000, help="of each maker (default: 2000)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = [measured(run, args.works) for run in args.runs]
    rng = np.random.default_rng(0)
    lines = [
        "| | " + " | ".join(title for _, title, _ in COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]  # fmt: skip
    for name in found[0].judged:
        cells = []
        for key, _, mean in COLUMNS:
            runs = [works_interval(one.judged[name][key], mean, rng) for one in found]
            cells.append(written(key, seeds_interval(runs, rng)))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    each = ", ".join(f"{100 * one.judged['learner']['yield'].mean():.1f}" for one in found)
    nats, top1 = [one.nats for one in found], [one.top1 for one in found]
    command = "python -m benchmarks.sealed " + " ".join(map(str, args.runs))
    world = read_json(args.runs[0] / "config.json")["world"]
    write(
        f"sealed-{world}",
        f"# The {world} world under the sealed split\n\n`{command}`: {len(found)} runs, "
        f"{args.works} works of each maker and run.\n\n" + "\n".join(lines)
        + f"\n\nThe learner's yield, run by run: {each} %. The imitator: {min(nats):.3f} to "
        f"{max(nats):.3f} nats a move, {min(top1):.3f} to {max(top1):.3f} top-1. Bach judged "
        "better: the probability that the judge prefers a work of Bach's to one of the maker's.\n\n"
        f"{place(1)}\n",
    )  # fmt: skip


if __name__ == "__main__":
    main()
