"""What makers find of families of drawings that were withheld from all of them.

    python -m benchmarks.rediscovery                   # the families, and how to withhold them
    python -m benchmarks.rediscovery --corpus kanjivg  # the same of kanji
    python -m benchmarks.rediscovery comparison        # what was found, family by family

The families: the aeroplanes, and one cluster of the human works drawn at random; of kanji those
that contain one radical. What was found is measured again from the works that a comparison with
``--withhold`` has made: see :mod:`move37.novelty.measures.rediscovery`.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from move37.agents.compare.comparison_dir import ComparisonDir, term
from move37.agents.compare.evidence import withheld_works
from move37.agents.runs.config import CORPUS
from move37.envs.base.registry import find_world, make_world
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import World
from move37.envs.drawing.corpus.sources import kanjivg
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.files.pictures import save_png
from move37.envs.files.sheets import sheet
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.knn import nearest
from move37.novelty.measures.rediscovery import rediscovered
from move37.novelty.measures.styles import cluster
from move37.novelty.measures.support import human_radius
from move37.novelty.statistics import Interval

from .reporting import place, write

AEROPLANES = ("plane", "plane-*")
MEMBERS = 30
"""Human works in a cluster, on average."""
KANJIVG = "kanjivg"
RADICAL = "門"
"""The gate. Of the parts that 20 to 60 kanji of the corpus contain, its 25 lie the farthest from
the rest: 13 are within the radius of one that remains, of kanji held out 96 %."""


def families(world: World, corpus: str = "") -> dict[str, tuple[str, ...]]:
    """Names of human works, or patterns of names, by family.

    Args:
        world: With all works of the corpus.
        corpus: As it was made with.
    """
    if corpus == KANJIVG:
        return {f"kanji with {RADICAL}": with_radical(world, RADICAL)}
    train = world.train
    x = PrincipalComponents.fit(features_of, train, N_COMPONENTS)(
        join_works([train, world.held_out])
    )
    names = [*train.names, *world.held_out.names]
    rng = np.random.default_rng(0)
    _, labels = cluster(x, len(names) // MEMBERS, rng)
    chosen = rng.integers(labels.max() + 1)
    members = sorted(names[i] for i in np.flatnonzero(labels == chosen))
    return {"aeroplanes": AEROPLANES, "cluster": tuple(members)}


def with_radical(world: World, radical: str) -> tuple[str, ...]:
    """Names of the kanji of a world that contain a radical, or a form of it, wherever it stands.

    KanjiVG marks the parts of a kanji: ``kvg:element`` is the part, ``kvg:original`` what it is a
    form of.
    """
    part = re.compile(f' kvg:(?:element|original)="{re.escape(radical)}"'.encode())
    codes = {label.removesuffix(".svg") for label, data in kanjivg().records if part.search(data)}
    names = (*world.train.names, *world.held_out.names)
    return tuple(sorted(name for name in names if name.rpartition(" ")[2] in codes))


def commands(names: Collection[str], corpus: str = "") -> list[str]:
    """The run and the comparison that withhold works with these names or patterns."""
    of = f"--corpus {shlex.quote(corpus)} " if corpus else ""
    terms = f"{of}--withhold {shlex.quote(','.join(names))}"
    return [
        f"python train.py --run-dir runs/rediscovery {terms}",
        f"python compare.py --out comparison --seeds 1 --run runs/rediscovery {terms}",
    ]


Rows = list[str]
Pairs = list[tuple[Works, str]]
"""Withheld works with their names, each followed by the learner's nearest with its distance."""


def found_in(folder: Path) -> tuple[Rows, Pairs]:
    """What each maker of a comparison found of each family.

    Returns:
        Rows of a table; and what of the learner's came nearest to each withheld work.

    Raises:
        ValueError: If the comparison withheld something else, or nothing.
    """
    comparison = ComparisonDir(folder)
    config = comparison.config()
    corpus = term(config, "corpus")
    whole = make_world(config["world"], corpus)
    known = families(whole, corpus)
    if set(config["withhold"]) != {name for names in known.values() for name in names}:
        raise ValueError(f"{folder}: withheld something else than the families")
    limit = config["scale"]["human_works"]
    world = make_world(config["world"], corpus, config["withhold"], limit)
    evaluator = world.load_evaluator(comparison.judges)
    human = evaluator.describe(world.train)
    radius, held_out = human_radius(human), evaluator.describe(world.held_out)
    rows: Rows = []
    pairs: Pairs = []
    for family, names in known.items():
        wanted = withheld_works(whole, names)
        goals = evaluator.describe(wanted)
        for saved in comparison.saved("works"):
            name, seed = saved.name, saved.seed
            if "error" in saved.facts or name == "human":
                continue
            works = comparison.load_works(name, seed)
            x = evaluator.describe(works)
            one = rediscovered(x, goals, held_out, human, radius, np.random.default_rng(0))
            cells = (f"{family} ({one.withheld})", name, str(seed), str(len(x)), _share(one.found),
                     _share(one.expected), _share(one.excess), _share(one.hits),
                     _share(one.expected_hits))  # fmt: skip
            rows.append("| " + " | ".join(cells) + " |")
            if name == "learner":
                far, at = (found[:, 0] for found in nearest(goals, x, 1))
                for i in np.argsort(far):
                    pairs += [
                        # The font of captions has no kanji: their code points stand alone.
                        (wanted[i : i + 1], re.sub(r"[^ -~]", "", wanted.names[i]).strip()),
                        (works[at[i : i + 1]], f"{far[i] / radius:.2f}"),
                    ]
    return rows, pairs


def _share(x: Interval) -> str:
    return f"{100 * x.value:.1f} ({100 * x.low:.1f} to {100 * x.high:.1f})"


def show(corpus: str) -> None:
    """Print the families, and the commands that withhold them."""
    world = make_world("drawing", corpus)
    known = families(world, corpus)
    for family, names in known.items():
        print(f"{family} ({len(withheld_works(world, names))}): {', '.join(names)}")
    print(*commands([name for names in known.values() for name in names], corpus), sep="\n")


def measure(folders: Sequence[Path], corpus: str) -> None:
    """Write what was found in comparisons, and what the first one's learner came nearest with.

    Raises:
        ValueError: If one is of another corpus than asked for, or withheld no families.
    """
    configs = [ComparisonDir(folder).config() for folder in folders]
    held = term(configs[0], "corpus")
    for folder, config in zip(folders, configs, strict=True):
        other = term(config, "corpus")
        if other != held or corpus not in ("", held):
            raise ValueError(
                f"{folder}: a comparison with corpus = {other!r}, not {corpus or held!r}"
            )
    found = [found_in(folder) for folder in folders]
    rows, pairs = [row for some, _ in found for row in some], found[0][1]
    name = f"rediscovery-{Path(held).stem}" if held else "rediscovery"
    titles = ("family", "maker", "seed", "works", "found, %", "expected, %", "excess, points",
              "works near the family, %", "near the matched ones, %")  # fmt: skip
    text = (
        "# What was found of withheld families\n\n"
        + "\n".join(f"    {command}" for config in configs for command in config["commands"])
        + "\n\nFound: the share of the withheld works that some work came near. Expected: the same "
        "of human works held out that are as far from what was learnt. With 95 % intervals.\n\n"
        + "\n".join(["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|", *rows])
    )
    if pairs:
        works = join_works([Works(work.world, work.moves, work.briefs) for work, _ in pairs])
        picture = sheet(
            find_world(configs[0]["world"]), works, 8, captions=[said for _, said in pairs]
        )
        save_png(Path(__file__).parent / "results" / f"{name}.png", picture)
        text += (
            f"\n\n![withheld works and the learner's nearest]({name}.png)\n\nEach withheld work, "
            "and the learner's nearest (its distance; up to 1 is near)."
        )
    write(name, f"{text}\n\n{place(1)}\n")


def main() -> None:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("benchmarks.rediscovery", description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path, nargs="*", help="folders of comparisons")
    parser.add_argument("--corpus", default="", metavar="NAME", help=CORPUS)
    args = parser.parse_args()
    try:
        if args.comparison:
            measure(args.comparison, args.corpus)
        else:
            show(args.corpus)
    except (ValueError, OSError) as error:
        raise SystemExit(f"benchmarks.rediscovery: {error}") from None


if __name__ == "__main__":
    main()
