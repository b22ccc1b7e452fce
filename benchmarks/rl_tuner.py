"""RL Tuner's table for the sopranos of a run of the free mode, beside the published figures.

    python train.py --world composition-free
    python -m benchmarks.rl_tuner runs/composition-free-default-0

Bach's sopranos (held out), the imitator's and the learner's, by the definitions of
``melody_statistics``. The published figures are those of Jaques et al. (2016, 2017) for their own
melodies of 32 steps in C major, learnt from popular music: they tell how such a tuner
moves a network, not which melodies are better.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from move37.envs.base.registry import find_world
from move37.envs.base.works import Works
from move37.envs.composition.moves import KEY_ROW, SOPRANO_LOW, SOPRANO_ROW
from move37.envs.composition.works import scores_of_works
from move37.novelty.storage import read_json

from .melody_statistics import TITLES, melody_statistics
from .reporting import write

PUBLISHED = ("Note RNN", "Q", "Psi", "G")
"""Columns: the network before tuning, and after it by Q-, Psi- and G-learning."""
FIGURES: dict[str, tuple[float, ...]] = {
    "repeated": (0.633, 0.0, 0.0002, 0.0003),
    "lag1": (-0.16, -0.11, -0.10, 0.55),
    "lag2": (0.14, 0.03, -0.01, 0.31),
    "lag3": (-0.13, 0.03, 0.01, 0.17),
    "not_in_key": (0.001, 0.01, 0.006, 0.287),
    "tonic_start": (0.009, 0.288, 0.287, 0.0),
    "leaps_resolved": (0.772, 0.911, 0.900, 0.522),
    "unique_max": (0.647, 0.564, 0.594, 0.371),
    "unique_min": (0.494, 0.519, 0.583, 0.565),
    "motif": (0.059, 0.757, 0.738, 0.693),
    "repeated_motif": (0.00007, 0.0011, 0.0009, 0.0001),
}
"""Table 1 of the paper of 2016; lag 3 of G, printed as "17", is taken to be .17."""
NUMBERS = ("lag1", "lag2", "lag3", "in_key_intervals")


def figures_of(works: Works) -> dict[str, float]:
    """What RL Tuner counts in the sopranos of works."""
    scores = scores_of_works(works)
    return melody_statistics(scores[:, SOPRANO_ROW], scores[:, KEY_ROW, 0] > 0, SOPRANO_LOW)


def written(key: str, value: float | None) -> str:
    """A figure as it stands in the table."""
    if value is None:
        return "-"
    if key in NUMBERS:
        return f"{value:.2f}"
    return f"{100 * value:.3f} %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def table(run: Path) -> list[str]:
    """Lines of Markdown.

    Raises:
        ValueError: If the run is not of the free mode, or not finished.
    """
    config = read_json(run / "config.json")
    world = find_world("composition-free")
    if config.get("world") != world.id:
        raise ValueError(f"{run}: a run of {config.get('world')!r}, not of {world.id!r}")
    makers = {
        "Bach, held out": Works.load(run / "human-held-out.npz"),
        "imitator": Works.load(run / "imitations.npz"),
        "learner": Works.load(run / "works.npz"),
    }
    found = {name: figures_of(works) for name, works in makers.items()}
    names = [*makers, *PUBLISHED]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for key, title in TITLES.items():
        others = FIGURES.get(key, (None,) * len(PUBLISHED))
        cells = [written(key, value) for value in (*(f[key] for f in found.values()), *others)]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    counts = ", ".join(f"{name} {len(works):,}" for name, works in makers.items())
    return [
        *lines,
        "",
        f"Works: {counts}; the published columns 100,000 melodies each.",
        'These stand in Table 1 of Jaques et al. (2016); lag 3 of G is printed there as "17".',
    ]


def main() -> None:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("benchmarks.rl_tuner", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run of the free mode")
    args = parser.parse_args()
    config = read_json(args.run / "config.json")
    head = (
        f"# RL Tuner's table\n\n`python -m benchmarks.rl_tuner {args.run}`: seed "
        f"{config.get('seed')}, {config.get('env_steps'):,} moves.\n\n"
    )
    write("rl_tuner", head + "\n".join(table(args.run)) + "\n")


if __name__ == "__main__":
    main()
