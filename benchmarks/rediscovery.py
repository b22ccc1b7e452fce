"""What makers find of families of drawings that were withheld from all of them.

    python -m benchmarks.rediscovery             # the families, and how to withhold them
    python -m benchmarks.rediscovery comparison  # what was found, family by family

The families: the aeroplanes, and one cluster of the human works drawn at random. What was found is
measured again from the works that a comparison with ``--withhold`` has made: see
:mod:`novelty.rediscovery`.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import numpy as np

from agents.compare.evidence import withheld_works
from envs.drawing.descriptor import Descriptor
from envs.works import Works, join_works
from envs.worlds import World, make_world
from novelty import human_radius, rediscovered
from novelty.statistics import Interval
from novelty.storage import read_json
from novelty.styles import cluster

from .reporting import place, write

AEROPLANES = ("plane", "plane-*")
MEMBERS = 30
"""Human works in a cluster, on average."""


def families(world: World) -> dict[str, tuple[str, ...]]:
    """Names of human works, or patterns of names, by family."""
    train = world.train
    x = Descriptor.fit(world.images(train))(world.images(join_works([train, world.held_out])))
    names = [*train.names, *world.held_out.names]
    rng = np.random.default_rng(0)
    _, labels = cluster(x, len(names) // MEMBERS, rng)
    chosen = rng.integers(labels.max() + 1)
    members = sorted(names[i] for i in np.flatnonzero(labels == chosen))
    return {"aeroplanes": AEROPLANES, "cluster": tuple(members)}


def found_in(folder: Path) -> list[str]:
    """Rows of a table: what each maker of a comparison found of each family.

    Raises:
        ValueError: If the comparison withheld something else, or nothing.
    """
    config = read_json(folder / "config.json")
    whole = make_world(config["world"])
    known = families(whole)
    if set(config["withhold"]) != {name for names in known.values() for name in names}:
        raise ValueError(f"{folder}: withheld something else than the families")
    world = make_world(config["world"], withhold=config["withhold"])
    yardstick = world.load_yardstick(folder / "judges")
    human = yardstick.describe(world.train)
    radius, held_out = human_radius(human), yardstick.describe(world.held_out)
    rows = []
    for family, names in known.items():
        goals = yardstick.describe(withheld_works(whole, names))
        for path in sorted((folder / "works").glob("*.npz")):
            name, _, seed = path.stem.rpartition("-")
            if seed == "best" or name == "human":
                continue
            x = yardstick.describe(Works.load(path))
            one = rediscovered(x, goals, held_out, human, radius, np.random.default_rng(0))
            cells = (f"{family} ({one.withheld})", name, seed, str(len(x)), _share(one.found),
                     _share(one.expected), _share(one.excess), _share(one.hits),
                     _share(one.expected_hits))  # fmt: skip
            rows.append("| " + " | ".join(cells) + " |")
    return rows


def _share(x: Interval) -> str:
    return f"{100 * x.value:.1f} ({100 * x.low:.1f} to {100 * x.high:.1f})"


def main() -> None:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("benchmarks.rediscovery", description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path, nargs="?", help="folder of a comparison")
    args = parser.parse_args()
    if args.comparison is None:
        known = families(make_world("drawing"))
        for family, names in known.items():
            print(f"{family}: {', '.join(names)}")
        withheld = ",".join(name for names in known.values() for name in names)
        print(f"python compare.py --out comparison --seeds 1 --withhold {shlex.quote(withheld)}")
        return
    try:
        rows = found_in(args.comparison)
    except (ValueError, OSError) as error:
        raise SystemExit(f"benchmarks.rediscovery: {error}") from None
    commands = read_json(args.comparison / "config.json")["commands"]
    titles = ("family", "maker", "seed", "works", "found, %", "expected, %", "excess, points",
              "works near the family, %", "near the matched ones, %")  # fmt: skip
    write(
        "rediscovery",
        "# What was found of withheld families\n\n"
        + "\n".join(f"    {command}" for command in commands)
        + "\n\nFound: the share of the withheld works that some work came near. Expected: the same "
        "of human works held out that are as far from what was learnt. With 95 % intervals.\n\n"
        + "\n".join(["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|", *rows])
        + f"\n\n{place(1)}\n",
    )  # fmt: skip


if __name__ == "__main__":
    main()
