"""List, show, export and check the works of a run.

python replay.py RUN                                   # a table of the best works
python replay.py RUN --best 25 --sheet best.png --html best.html
python replay.py RUN --id 3 7 --svg icons/ --gif hand.gif
python replay.py RUN --works admitted --newest 100 --sheet newest.png
python replay.py RUN --best 25 --moments moments.png   # where did they leave the known?
python replay.py RUN --verify                          # do the judges say the same again?
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.agents.measures.likelihoods import THRESHOLD, move_likelihoods
from move37.agents.measures.move37 import find_moments, left_the_known
from move37.agents.runs.terminal import Parser
from move37.envs.base.works import Works, WorksError, write_atomically
from move37.envs.base.world import ENTRY_POINTS, World, find_world, judge_again
from move37.envs.files.pictures import save_png
from move37.novelty.storage import load_weights, read_json

SHOWN = ("reward", "quality", "novelty_reward", "judged/heldout_quality", "judged/novelty_human")
IMITATOR = "imitator.safetensors"


def all_exports() -> dict[str, tuple[str, str, list[str]]]:
    """Every kind of file that some world writes: placeholder, help text and the worlds."""
    kinds: dict[str, tuple[str, str, list[str]]] = {}
    for name in ENTRY_POINTS:
        for kind, (metavar, text, _) in find_world(name).exports.items():
            kinds.setdefault(kind, (metavar, text, []))[2].append(name)
    return kinds


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser("replay.py", __doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--works", choices=("fresh", "admitted"), default="fresh",
        help="the fresh works of the finished learner, or those admitted to the archive on the way "
        "(default: fresh)",
    )  # fmt: skip
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--best", type=int, metavar="N", help="the N works of highest reward")
    chosen.add_argument("--newest", type=int, metavar="N", help="the last N works")
    chosen.add_argument("--random", type=int, metavar="N", help="N works at random (--seed)")
    chosen.add_argument("--id", type=int, nargs="+", metavar="ID", help="works by number")
    parser.add_argument("--seed", type=int, default=0, help="of --random (default: 0)")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write a contact sheet")
    parser.add_argument(
        "--moments", type=Path, metavar="FILE.png",
        help="mark the moves that the imitator would hardly make "
        f"(p <= {short(THRESHOLD)}), draw where each work left the known",
    )  # fmt: skip
    for kind, (metavar, text, worlds) in all_exports().items():
        parser.add_argument(
            f"--{kind}", type=Path, metavar=metavar, help=f"{text} ({', '.join(worlds)})"
        )
    parser.add_argument(
        "--html", type=Path, metavar="FILE.html",
        help="write a page that plays them; improbable moves are marked if the run has an "
        "imitator",
    )  # fmt: skip
    parser.add_argument(
        "--explain", action="store_true", help="say what the rules found in each of them"
    )
    parser.add_argument(
        "--verify", action="store_true", help="appraise all fresh works again and compare exactly"
    )
    args = parser.parse_args(arguments)
    for name in ("best", "newest", "random"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name}: must be at least 1")
    return args


def choose(works: Works, args: argparse.Namespace) -> NDArray[np.int64]:
    """Numbers of the chosen works; the best ten if nothing else is asked for.

    Raises:
        WorksError: If a number is out of range or the works carry no reward to rank by.
    """
    n = len(works)
    if args.id is not None:
        wrong = [i for i in args.id if not 0 <= i < n]
        if wrong:
            raise WorksError(f"--id: there is no work {wrong[0]}; works are 0 to {n - 1}")
        return np.array(args.id)
    if args.newest is not None:
        return np.arange(max(0, n - args.newest), n)[::-1]
    if args.random is not None:
        return np.random.default_rng(args.seed).permutation(n)[: args.random]
    if "reward" not in works.appraisal:
        return np.arange(min(n, args.best or 10))
    return np.argsort(-works.appraisal["reward"], kind="stable")[: args.best or 10]


def verify(run: Path, works: Works) -> bool:
    """Play every work again, judge it again, and compare with what the run wrote, bit by bit."""
    columns = judge_again(find_world(works.world), run, works)
    same = True
    for key, values in sorted(columns.items()):
        if key not in works.appraisal:
            same = False
            print(f"{key}: not in the run, which was made by an earlier version")
            continue
        differ = int((works.appraisal[key] != values).sum())
        if differ:
            same = False
            gap = float(np.abs(works.appraisal[key] - values).max())
            print(f"{key}: {differ} of {len(works)} works differ, by {gap:.2g} at most")
    if same:
        print(f"all {len(columns)} terms of {len(works)} works are reproduced exactly")
    return same


def short(p: float) -> str:
    """A probability to one digit: 3e-6."""
    return np.format_float_scientific(p, precision=0, trim="-", exp_digits=1)


def log_p_of(run: Path, world: type[World], works: Works) -> NDArray[np.float64]:
    """Logarithms (N, T) of the probabilities of moves under a run's frozen imitator; nan pads.

    Raises:
        ValueError: If the run has no imitator of this world, or the works are images.
    """
    if works.images is not None:
        raise WorksError("--moments: works that are images have no moves to mark")
    network = world.network()
    load_weights(run / IMITATOR, network)
    return move_likelihoods(network.eval(), world.simulator, works).log_p


def write_files(
    args: argparse.Namespace,
    world: type[World],
    shown: Works,
    captions: list[str],
    log_p: NDArray[np.float64] | None,
) -> None:
    """Write what was asked for.

    Args:
        args: The command line.
        world: Of the works.
        shown: N works.
        captions: N texts.
        log_p: (N, T) of :func:`log_p_of`; None: no moves are marked.

    Raises:
        WorksError: If the world does not write such files.
    """
    marks: list[list[int]] = [[] for _ in captions]
    first, labels, remarks = np.full(len(shown), -1), captions, captions
    if log_p is not None:
        first = left_the_known(log_p)
        for row, t in find_moments(log_p, np.ones(len(shown), np.bool_)).tolist():
            marks[row].append(t)
        left = [
            "never" if t < 0 else f"move {t}, p = {short(float(np.exp(row[t])))}"
            for row, t in zip(log_p, first.tolist(), strict=True)
        ]
        labels = [f"{caption}: {text}" for caption, text in zip(captions, left, strict=True)]
        remarks = [f"{c}; left the known: {text}" for c, text in zip(captions, left, strict=True)]
    jobs = []
    for kind in all_exports():
        path = getattr(args, kind)
        if path and kind not in world.exports:
            raise WorksError(f"--{kind}: the world {world.id} writes {', '.join(world.exports)}")
        if path:
            world.exports[kind][2](shown, path)
            jobs.append(path)
    if args.sheet:
        save_png(args.sheet, world.sheet(shown, captions=captions))
        jobs.append(args.sheet)
    if args.moments:
        save_png(args.moments, world.marked_sheet(shown, first, marks, labels))
        jobs.append(args.moments)
    if args.html:
        page = world.page(shown, f"Works of {args.run.name}", remarks, marks)
        write_atomically(args.html, page.encode())
        jobs.append(args.html)
    for path in jobs:
        print(f"wrote {path}")


def human_median(run: Path) -> float:
    """The median held-out quality of human works, from which a work may have a Move-37 moment.

    Raises:
        ValueError: If the run's summary does not say.
    """
    try:
        return float(read_json(run / "summary.json")["human"]["heldout_quality"])
    except (KeyError, TypeError):
        raise WorksError(f"{run / 'summary.json'}: no held-out quality of human works") from None


def tell_moments(
    run: Path, shown: Works, numbers: NDArray[np.int64], log_p: NDArray[np.float64]
) -> None:
    """Print where works left the known, and how many of them have a Move-37 moment."""
    n = len(shown)
    print(f"\nthe first move with p <= {short(THRESHOLD)} under the imitator; moves count from 0")
    print("  id  move        p  log10 p")
    first = left_the_known(log_p)
    for i, row, t in zip(numbers.tolist(), log_p, first.tolist(), strict=True):
        if t < 0:
            print(f"{i:4d}  never")
        else:
            print(f"{i:4d}  {t:4d}  {np.exp(row[t]):7.1e}  {row[t] / np.log(10):7.2f}")
    if not n:
        return
    left = int((first >= 0).sum())
    print(f"{left} of {n} works ({left / n:.0%}) left the known")
    if "judged/heldout_quality" in shown.appraisal:
        bar = human_median(run)
        moments = find_moments(log_p, shown.appraisal["judged/heldout_quality"] >= bar)
        good = len(np.unique(moments[:, 0]))
        print(
            f"{good} of {n} works ({good / n:.0%}) have a Move-37 moment: they left the known "
            f"and reach the human median of held-out quality, {bar:.3f}"
        )


def show(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    works = Works.load(args.run / ("works.npz" if args.works == "fresh" else "admitted.npz"))
    if args.verify:
        raise SystemExit(0 if verify(args.run, works) else 1)
    world = find_world(works.world)
    rows = choose(works, args)
    names = tuple(works.names[i] or f"{i:05d}" for i in rows)
    shown = replace(works[rows], names=names)
    captions = [f"#{i}" for i in rows]
    log_p = None
    marked = args.html and shown.images is None and (args.run / IMITATOR).exists()
    if args.moments or marked:
        log_p = log_p_of(args.run, world, shown)
    # Before the table, which a reader may cut short.
    write_files(args, world, shown, captions, log_p)
    columns = [key for key in SHOWN if key in works.appraisal]
    print("  id  moves  " + "  ".join(key.removeprefix("judged/") for key in columns))
    explained = world.explain(shown) if args.explain else [[]] * len(rows)
    for at, i in enumerate(rows):
        values = "  ".join(
            f"{shown.appraisal[k][at]:{len(k.removeprefix('judged/'))}.3f}" for k in columns
        )
        print(f"{i:4d}  {shown.lengths[at]:5d}  {values}")
        for line in explained[at]:
            print(f"      {line}")
    if args.moments and log_p is not None:
        tell_moments(args.run, shown, rows, log_p)


def main() -> None:
    """Run from the command line."""
    args = parse(sys.argv[1:])
    try:
        show(args)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, KeyError) as error:
        print(f"replay.py: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
