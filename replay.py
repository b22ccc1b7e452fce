"""List, show, export and check the works of a run.

python replay.py RUN                                   # a table of the best works
python replay.py RUN --best 25 --sheet best.png --html best.html
python replay.py RUN --id 3 7 --svg icons/ --gif hand.gif
python replay.py RUN --works admitted --newest 100 --sheet newest.png
python replay.py RUN --verify                          # do the judges say the same again?
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

import gymnasium
import numpy as np
from numpy.typing import NDArray

import envs
from envs.drawing.page import html_page
from envs.drawing.render import gif, save_png, sheet, svg
from envs.works import Works, WorksError, write_atomically

SHOWN = ("reward", "quality", "newness", "judged/heldout_quality", "judged/novelty_human")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 1."""
        print(f"replay.py: {message} (see --help)", file=sys.stderr)
        raise SystemExit(1)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
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
    parser.add_argument("--svg", type=Path, metavar="FOLDER", help="write one SVG per work")
    parser.add_argument("--gif", type=Path, metavar="FILE.gif", help="animate the first of them")
    parser.add_argument(
        "--html", type=Path, metavar="FILE.html", help="write a page that plays them"
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
    from safetensors.torch import load_file

    from envs.drawing.craft import HeldOutJudge, PatchCritic, judge
    from envs.drawing.descriptor import Descriptor
    from envs.drawing.dynamics import images_of
    from envs.drawing.judging import Yardstick

    again: dict[str, list[float]] = {}
    env = gymnasium.make("Move37/Drawing-v0").unwrapped
    for row in works.moves:
        env.reset()
        for move in row[row >= 0]:
            info = env.step(move)[4]
        for key in info:
            if key.startswith("form"):
                again.setdefault(key, []).append(info[key])
    columns = {key: np.array(values) for key, values in again.items()}
    network = HeldOutJudge()
    network.load_state_dict(load_file(run / "judge.safetensors"))
    yardstick = Yardstick(
        Works.load(run / "human.npz").moves,
        Works.load(run / "human-held-out.npz").moves,
        network,
        descriptor=Descriptor.load(run / "descriptor.npz"),
    )
    columns |= {f"judged/{k}": v for k, v in yardstick.measure(works.moves).items()}
    critic = PatchCritic()
    critic.load_state_dict(load_file(run / "critic.safetensors"))
    columns["craft"] = judge(critic, images_of(works.moves))
    same = True
    for key, values in sorted(columns.items()):
        differ = int((works.appraisal[key] != values).sum())
        if differ:
            same = False
            gap = float(np.abs(works.appraisal[key] - values).max())
            print(f"{key}: {differ} of {len(works)} works differ, by {gap:.2g} at most")
    if same:
        print(f"all {len(columns)} terms of {len(works)} works are reproduced exactly")
    return same


def main() -> None:
    """Run from the command line."""
    args = parse(sys.argv[1:])
    try:
        name = "works.npz" if args.works == "fresh" else "admitted.npz"
        works = Works.load(args.run / name)
        if args.verify:
            raise SystemExit(0 if verify(args.run, works) else 1)
        rows = choose(works, args)
        shown = works[rows]
        captions = [f"#{i}" for i in rows]
        columns = [key for key in SHOWN if key in works.appraisal]
        print("  id  moves  " + "  ".join(key.removeprefix("judged/") for key in columns))
        for at, i in enumerate(rows):
            values = "  ".join(
                f"{shown.appraisal[k][at]:{len(k.removeprefix('judged/'))}.3f}" for k in columns
            )
            print(f"{i:4d}  {shown.lengths[at]:5d}  {values}")
        if args.sheet:
            save_png(args.sheet, sheet(shown, captions=captions))
        if args.svg:
            for i, moves in zip(rows, shown.moves, strict=True):
                write_atomically(args.svg / f"{i:05d}.svg", svg(moves).encode())
        if args.gif:
            gif(shown.moves[0], args.gif)
        if args.html:
            page = html_page(shown, f"Works of {args.run.name}", captions)
            write_atomically(args.html, page.encode())
        for path in (args.sheet, args.svg, args.gif, args.html):
            if path:
                print(f"wrote {path}")
    except (WorksError, OSError, KeyError) as error:
        print(f"replay.py: {error}", file=sys.stderr)
        raise SystemExit(1) from None


assert envs.__name__ == "envs"  # importing it registers the environments

if __name__ == "__main__":
    main()
