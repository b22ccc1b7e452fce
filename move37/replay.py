"""List, show, export and check the works of a run.

move37 replay RUN                                   # a table of the best works
move37 replay RUN --best 25 --sheet best.png --html best.html
move37 replay RUN --id 3 7 --svg icons/ --gif drawn.gif
move37 replay RUN --works admitted --newest 100 --sheet newest.png
move37 replay RUN --best 25 --moments moments.png   # which moves would the imitator not make?
move37 replay RUN --verify                          # do the judges give the same values again?
move37 replay WORKS.npz --html works.html           # works that `move37 create` made
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.agents.measures.likelihoods import THRESHOLD, move_likelihoods
from move37.agents.measures.move37 import find_moments, left_the_known
from move37.agents.runs.terminal import Parser, one_line_errors, prog
from move37.envs.base.registry import load_works
from move37.envs.base.works import Works, WorksError
from move37.envs.base.world import World
from move37.envs.files import sheets
from move37.envs.files.pictures import save_png
from move37.novelty.storage import load_weights, read_json
from move37.outputs import Log, add_output_options, check_exports, paths_of, write_files

SHOWN = ("reward", "quality", "novelty_reward", "judged/heldout_quality", "judged/novelty_human")
"""Terms in the table of works."""
OLD_TERMS = {
    "newness": "novelty_reward", "surprise": "clipped_novelty", "variety": "self_diversity",
    "repeat": "duplicate", "habit": "mode_collapse",
}  # fmt: skip
"""What terms are called now that version 0.1 called otherwise."""
FILES = {"fresh": "works.npz", "admitted": "admitted.npz"}
IMITATOR = "imitator.safetensors"


def replay(
    run: Path,
    *,
    which: str = "fresh",
    world: str = "",
    best: int | None = None,
    newest: int | None = None,
    random: int | None = None,
    ids: Sequence[int] | None = None,
    seed: int = 0,
    sheet: Path | None = None,
    moments: Path | None = None,
    html: Path | None = None,
    exports: Iterable[tuple[str, Path]] = (),
    explain: bool = False,
    log: Log = print,
) -> Works:
    """List works of a run, and write files of them.

    Args:
        run: Folder of a finished run, or a file of works, as :func:`move37.create.create` writes.
        which: ``"fresh"``: works of the finished learner; ``"admitted"``: works that were admitted
            to the archive while it learned.
        world: The name of the works' world, if it is neither known by the name in the file nor
            the one that the run was started with.
        best: This many works of highest reward; ten of them if no works are chosen.
        newest: This many of the last works.
        random: This many works at random.
        ids: Works by number.
        seed: Of ``random``.
        sheet: Where to write a contact sheet (PNG).
        moments: Where to write a sheet (PNG) with the improbable moves marked.
        html: Where to write a page that plays the works.
        exports: (kind, path) of other files; the world's ``exports`` say which kinds there are.
        explain: Also list what the rules found in each work.
        log: Takes what is printed.

    Returns:
        The chosen works.

    Raises:
        ValueError: If the run cannot be read, has no such works, or cannot be written so.
        OSError: If a file cannot be written.
    """
    found, works = load_run(run, which, world)
    exports = list(exports)
    check_exports(found, exports)
    rows = choose(works, best, newest, random, ids, seed)
    shown = replace(works[rows], names=tuple(works.names[i] or f"{i:05d}" for i in rows))
    captions = [f"#{i}" for i in rows]
    log_p, labels, marks = None, captions, None
    if moments and run.is_file():
        raise WorksError(f"--moments: {run} is a file of works; the imitator is in a run's folder")
    if moments or (html and shown.images is None and (run / IMITATOR).exists()):
        log_p = imitator_log_p(run, found, shown)
        labels = [f"{c}: {text}" for c, text in zip(captions, first_moves(log_p), strict=True)]
        marks = improbable_moves(log_p)

    # Files first: whoever reads the table may stop reading it.
    write_files(
        found, shown, f"Works of {run.name}", sheet=sheet, html=html, exports=exports,
        captions=captions, labels=labels, marks=marks, log=log,
    )  # fmt: skip
    if moments and log_p is not None and marks is not None:
        save_png(moments, sheets.marked_sheet(found, shown, left_the_known(log_p), marks, labels))
        log(f"wrote {moments}")

    log_table(rows, shown, found.explain(shown) if explain else None, log)
    if moments and log_p is not None:
        log_moments(run, rows, shown, log_p, log)
    return shown


def load_run(run: Path, which: str = "fresh", world: str = "") -> tuple[World, Works]:
    """The world and the works of a run, with the terms that version 0.1 wrote renamed.

    Args:
        run: Folder of the run, or a file of works.
        which: See :func:`replay`.
        world: The name of the works' world; empty: the one that the run was started with.

    Raises:
        ValueError: If they cannot be read, or there is no such world.
    """
    if run.is_file():
        if which != "fresh":
            raise WorksError(f"--works: {run} is a file of works, not the folder of a run")
        return load_works(run, world)
    # A world that is no part of Move37 is found by the name that the run was started with.
    config = run / "config.json"
    name = world or (str(read_json(config).get("world", "")) if config.exists() else "")
    loaded, works = load_works(run / FILES[which], name)
    terms = {OLD_TERMS.get(key, key): values for key, values in works.appraisal.items()}
    return loaded, works.with_appraisal(terms)


def choose(
    works: Works,
    best: int | None,
    newest: int | None,
    random: int | None,
    ids: Sequence[int] | None,
    seed: int,
) -> NDArray[np.int64]:
    """Numbers of the chosen works; for the arguments see :func:`replay`.

    Raises:
        WorksError: If there is no work of a number.
    """
    n = len(works)
    if ids is not None:
        wrong = [i for i in ids if not 0 <= i < n]
        if wrong:
            raise WorksError(f"--id: there is no work {wrong[0]}; works are 0 to {n - 1}")
        return np.array(ids)
    if newest is not None:
        return np.arange(max(0, n - newest), n)[::-1]
    if random is not None:
        return np.random.default_rng(seed).permutation(n)[:random]
    if "reward" not in works.appraisal:
        return np.arange(min(n, best or 10))
    return np.argsort(-works.appraisal["reward"], kind="stable")[: best or 10]


def imitator_log_p(run: Path, world: World, works: Works) -> NDArray[np.float64]:
    """Log-probabilities (N, T) of moves under a run's frozen imitator; nan pads.

    Raises:
        ValueError: If the run has no imitator of this world, or the works are images.
    """
    if works.images is not None:
        raise WorksError("--moments: works that are images have no moves to mark")
    network = world.network()
    load_weights(run / IMITATOR, network)
    return move_likelihoods(network.eval(), world.simulator_class, works).log_p


def improbable_moves(log_p: NDArray[np.float64]) -> list[list[int]]:
    """For each work the indices of its improbable moves."""
    marks: list[list[int]] = [[] for _ in log_p]
    for row, t in find_moments(log_p, np.ones(len(log_p), np.bool_)).tolist():
        marks[row].append(t)
    return marks


def first_moves(log_p: NDArray[np.float64]) -> list[str]:
    """For each work its first improbable move and that move's probability, as text."""
    return [
        "no improbable move"
        if t < 0
        else f"improbable move {t}, p = {short(float(np.exp(row[t])))}"
        for row, t in zip(log_p, left_the_known(log_p).tolist(), strict=True)
    ]


def short(p: float) -> str:
    """A probability to one digit: 3e-6."""
    return np.format_float_scientific(p, precision=0, trim="-", exp_digits=1)


def log_table(
    rows: NDArray[np.int64], works: Works, explained: Sequence[Sequence[str]] | None, log: Log
) -> None:
    """Print number, length and terms of works, and below each of them what the rules found."""
    columns = [key for key in SHOWN if key in works.appraisal]
    names = [key.removeprefix("judged/") for key in columns]
    log("  id  moves  " + "  ".join(names))
    for at, i in enumerate(rows):
        values = "  ".join(
            f"{works.appraisal[key][at]:{len(name)}.3f}"
            for key, name in zip(columns, names, strict=True)
        )
        log(f"{i:4d}  {works.lengths[at]:5d}  {values}")
        for line in explained[at] if explained else ():
            log(f"      {line}")
    missing = [key.removeprefix("judged/") for key in SHOWN if key not in columns]
    if missing:
        log(f"not recorded for these works: {', '.join(missing)}")


def log_moments(
    run: Path, rows: NDArray[np.int64], works: Works, log_p: NDArray[np.float64], log: Log
) -> None:
    """Print the first improbable move of each work, and how many have a Move-37 moment."""
    log(f"\nthe first move with p <= {short(THRESHOLD)} under the imitator; moves count from 0")
    log("  id  move        p  log10 p")
    first = left_the_known(log_p)
    for i, row, t in zip(rows.tolist(), log_p, first.tolist(), strict=True):
        if t < 0:
            log(f"{i:4d}  none")
        else:
            log(f"{i:4d}  {t:4d}  {np.exp(row[t]):7.1e}  {row[t] / np.log(10):7.2f}")
    n = len(works)
    if not n:
        return
    improbable = int((first >= 0).sum())
    log(f"{improbable} of {n} works ({improbable / n:.0%}) have an improbable move")
    if "judged/heldout_quality" in works.appraisal:
        median = human_median(run)
        found = find_moments(log_p, works.appraisal["judged/heldout_quality"] >= median)
        good = len(np.unique(found[:, 0]))
        log(
            f"{good} of {n} works ({good / n:.0%}) have a Move-37 moment: an improbable move, and "
            f"held-out quality of at least the human median, {median:.3f}"
        )


def human_median(run: Path) -> float:
    """The median held-out quality of human works, which a work with a Move-37 moment reaches.

    Raises:
        ValueError: If the run's summary does not have it.
    """
    try:
        return float(read_json(run / "summary.json")["human"]["heldout_quality"])
    except (KeyError, TypeError):
        raise WorksError(f"{run / 'summary.json'}: no held-out quality of human works") from None


def verify(run: Path, which: str = "fresh", log: Log = print) -> bool:
    """Play every work again, judge it again, and compare with what the run wrote, bit by bit.

    Args:
        run: Folder of a run.
        which: See :func:`replay`.
        log: Takes what is printed.

    Returns:
        Whether everything is the same.

    Raises:
        ValueError: If the run cannot be read.
    """
    if run.is_file():
        raise WorksError(f"--verify: {run} is a file of works; the judges are in a run's folder")
    world, works = load_run(run, which)
    columns = world.judge_again(run, works)
    same = True
    for key, values in sorted(columns.items()):
        if key not in works.appraisal:
            same = False
            log(f"{key}: not in the run, which was made by an earlier version")
            continue
        differ = int((works.appraisal[key] != values).sum())
        if differ:
            same = False
            gap = float(np.abs(works.appraisal[key] - values).max())
            log(f"{key}: {differ} of {len(works)} works differ, by {gap:.2g} at most")
    if same:
        log(f"all {len(columns)} terms of {len(works)} works are reproduced exactly")
    return same


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; the names are those of the arguments of :func:`replay`."""
    parser = Parser(prog("replay"), __doc__)
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="folder of a finished run, or a file of works"
    )
    parser.add_argument(
        "--works", dest="which", choices=tuple(FILES), default="fresh",
        help="works of the finished learner, or works that were admitted to the archive while it "
        "learned (default: fresh)",
    )  # fmt: skip
    parser.add_argument(
        "--world", default="", metavar="MODULE:CLASS",
        help="the works' own world, for a file of works of a world that has no registered name",
    )  # fmt: skip
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--best", type=int, metavar="N", help="the N works of highest reward")
    chosen.add_argument("--newest", type=int, metavar="N", help="the last N works")
    chosen.add_argument("--random", type=int, metavar="N", help="N works at random (--seed)")
    chosen.add_argument(
        "--id", dest="ids", type=int, nargs="+", metavar="ID", help="works by number"
    )
    parser.add_argument("--seed", type=int, default=0, help="of --random (default: 0)")
    parser.add_argument(
        "--moments", type=Path, metavar="FILE.png",
        help=f"write a sheet with the moves marked that have p <= {short(THRESHOLD)} under the "
        "imitator",
    )  # fmt: skip
    add_output_options(
        parser, "write a page that plays the works; improbable moves are marked if the run has an "
        "imitator",
    )  # fmt: skip
    parser.add_argument(
        "--explain", action="store_true", help="list what the rules found in each work"
    )
    parser.add_argument(
        "--verify", action="store_true", help="judge all works again and compare exactly"
    )
    args = parser.parse_args(arguments)
    for name in ("best", "newest", "random"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name}: must be at least 1")
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; ``arguments`` are by default those of this process."""
    sys.path.append(os.getcwd())  # for a world of one's own, module:Class
    options = vars(parse(sys.argv[1:] if arguments is None else arguments))
    with one_line_errors("replay"):
        if options.pop("verify"):
            raise SystemExit(0 if verify(options["run"], options["which"]) else 1)
        options["exports"] = paths_of(options["exports"])
        replay(**options)


if __name__ == "__main__":
    main()
