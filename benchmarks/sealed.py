"""Runs of a composition world, examined under the sealed split: tunes that decided nothing.

    python -m benchmarks.sealed runs/composition-default-0 runs/composition-default-1 ...

The imitator at each temperature and the learner of every run answer the sopranos of the sealed
split (the free mode: its frames); the bars are those of the development split, as in training. The
figures are given with 95 % intervals over runs and works. Parallel fifths, octaves and unisons are
counted by the rules and by music21.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.compare.table import Figure, figure
from agents.imitation import sample_works
from envs.composition.judging import scores_of_works
from envs.composition.world import CompositionWorld
from envs.works import Works
from envs.worlds import make_world
from novelty.storage import load_weights, read_json
from train import TEMPERATURES

from .parallels import count_parallels
from .reporting import place, write

COLUMNS = (
    ("yield", "yield", True), ("yield_with_repeats", "with repeats", True),
    ("yield_loose", "loose", True), ("form", "form", False),
    ("heldout_quality", "judge", False), ("novelty_human", "novelty", False),
    ("copied", "copied", True), ("repeats", "repeats", True),
    ("parallels", "parallels a work", True), ("by_music21", "by music21", True),
)  # fmt: skip
"""Measure, title, and whether the mean is taken instead of the median."""


def measured(run: Path, n: int) -> dict[str, dict[str, np.ndarray]]:
    """What the run's judges say of n works of each maker under the sealed split.

    Raises:
        ValueError: If the run is not of a composition world, or not finished.
    """
    config = read_json(run / "config.json")
    world = make_world(config["world"])
    if not isinstance(world, CompositionWorld):
        raise ValueError(f"{run}: a run of {world.id!r}, which has no sealed split")
    world.evaluation = "sealed"
    yardstick = world.load_yardstick(run)

    def made(file: str, prefix: str, stream: int, temperature: float = 1.0) -> Works:
        network: nn.Module = world.network()
        load_weights(run / file, network, prefix)
        rng = np.random.default_rng((config["seed"], 2, stream))
        core = world.exam(min(512, n))
        return sample_works(network.eval(), core, world.id, n, rng, temperature)

    def judged(works: Works) -> dict[str, np.ndarray]:
        return {**yardstick.measure(works), "by_music21": count_parallels(scores_of_works(works))}

    found = {"learner": judged(made("learner.safetensors", "network.", 0))}
    for i, t in enumerate(TEMPERATURES, 1):
        found[f"imitator, T={t:g}"] = judged(made("imitator.safetensors", "", i, t))
    found["Bach"] = judged(world.outsiders)
    return found


def written(key: str, one: Figure) -> str:
    """A figure with its interval."""
    share = key.startswith("yield") or key in ("copied", "repeats")
    scale, unit = (100, " %") if share else (1, "")
    digits = 1 if unit else 2
    text = f"{scale * one.mean:.{digits}f}{unit}"
    if one.low is None or one.high is None:
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
    for name in found[0]:
        cells = [
            written(key, figure([one[name][key] for one in found], mean, rng))
            for key, _, mean in COLUMNS
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    each = ", ".join(f"{100 * one['learner']['yield'].mean():.1f}" for one in found)
    command = "python -m benchmarks.sealed " + " ".join(map(str, args.runs))
    world = read_json(args.runs[0] / "config.json")["world"]
    write(
        f"sealed-{world}",
        f"# The {world} world under the sealed split\n\n`{command}`: {len(found)} runs, "
        f"{args.works} works of each maker and run.\n\n" + "\n".join(lines)
        + f"\n\nThe learner's yield, run by run: {each} %.\n\n{place(1)}\n",
    )  # fmt: skip


if __name__ == "__main__":
    main()
