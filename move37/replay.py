"""List, show, export and check works: of a run, even while it learns, of a comparison, of a file.

move37 replay RUN                                   # a table of the best works
move37 replay RUN --best 25 --sheet best.png --html best.html
move37 replay RUN --moments                         # works with a Move-37 moment, best first
move37 replay RUN --best 25 --moments moments.png   # and which moves would the imitator not make?
move37 replay RUN --where "novelty_human > 1.5 and form >= 0.8" --sort quality
move37 replay RUN --id 3 7 --svg icons/ --gif drawn.gif
move37 replay RUN --works admitted --newest 100 --sheet newest.png
move37 replay RUN --verify                          # do the judges give the same values again?
move37 replay COMPARISON --works learner-0 --best 25 --sheet learner.png
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
from move37.agents.runs.run_dir import SUMMARY
from move37.agents.runs.terminal import Parser, one_line_errors, prog
from move37.choosing import (
    Condition,
    Source,
    choose,
    holds,
    load_source,
    parse_where,
    score_of,
    terms_of,
)
from move37.envs.base.works import Works, WorksError
from move37.envs.base.world import Evaluator
from move37.envs.files import sheets
from move37.envs.files.pictures import USUAL, Look, save_png
from move37.novelty.storage import load_weights, read_json
from move37.outputs import (
    AnyPath,
    Log,
    add_output_options,
    check_files,
    file_of,
    take_outputs,
    write_files,
)

SHOWN = ("reward", "quality", "novelty_reward", "heldout_quality", "novelty_human")
"""Terms in the table of works."""


def replay(
    run: AnyPath,
    *,
    which: str = "fresh",
    world: str = "",
    best: int | None = None,
    newest: int | None = None,
    random: int | None = None,
    ids: Sequence[int] | None = None,
    seed: int = 0,
    where: str = "",
    sort: str | None = None,
    ascending: bool = False,
    sheet: AnyPath | None = None,
    moments: AnyPath | bool | None = None,
    html: AnyPath | None = None,
    exports: Iterable[tuple[str, AnyPath]] = (),
    look: Look = USUAL,
    explain: bool = False,
    log: Log = print,
) -> Works:
    """List works of a run, a comparison or a file, and write files of them.

    Args:
        run: Folder of a run; of one that is not finished the newest works of its newest checkpoint
            are shown. A checkpoint of a run. Folder of a comparison, or a file in its ``works``. A
            file of works, as :func:`move37.create.create` writes.
        which: Of a run ``"fresh"``: works of the finished learner, or ``"admitted"``: works that
            were admitted to the archive while it learned. Of a comparison NAME-SEED.
        world: The name of the works' world, if it is neither known by the name in the file nor
            the one that the run was started with.
        best: This many of the first works in the order of ``sort``; ten of them if no works are
            chosen.
        newest: This many of the last works.
        random: This many works at random.
        ids: Works by number.
        seed: Of ``random``.
        where: Only works for which this holds: NAME OP NUMBER, several joined by ``and``.
        sort: Name of the term that works are sorted by; None: the reward, or as they were chosen.
        ascending: Whether the lowest come first.
        sheet: Where to write a contact sheet (PNG).
        moments: Whether to show only works that have a Move-37 moment, but for those of ``ids``;
            a path: also where to write a sheet (PNG) with the improbable moves marked.
        html: Where to write a page that plays the works.
        exports: (kind, path) of other files; the world's ``exports`` say which kinds there are.
        look: Size, colours and so on of pictures, where the world's ``looks`` say that they obey.
        explain: Also list what the rules found in each work.
        log: Takes what is printed.

    Returns:
        The chosen works.

    Raises:
        ValueError: If the run cannot be read, has no such works, or cannot be written so.
        OSError: If a file cannot be written.
    """
    conditions = parse_where(where) if where else []
    source = load_source(run, which, world, log)
    found, works, exports = source.world, source.works, list(exports)
    marked = None if moments is None or isinstance(moments, bool) else Path(moments)
    check_files(found, exports, look, {"sheet": sheet, "moments": marked, "html": html})
    rows = np.arange(len(works)) if ids is None else _numbers(ids, len(works))
    rows = _where(works, rows, conditions, log)
    if moments and len(rows):
        rows = rows[_has_moment(source, works[rows], log) | (ids is not None)]
    rows = choose(
        works, rows, sort=sort, ascending=ascending, best=best, newest=newest, random=random,
        ids=ids, seed=seed,
    )  # fmt: skip
    shown = replace(works[rows], names=tuple(works.names[i] or f"{i:05d}" for i in rows))
    if not len(rows):
        log("no works to show")
        return shown
    captions = [f"#{i}" for i in rows]
    log_p, labels, marks = None, captions, None
    if moments or (html and shown.images is None and source.imitator and source.imitator.exists()):
        log_p = imitator_log_p(source, shown)
        labels = [f"{c}: {text}" for c, text in zip(captions, first_moves(log_p), strict=True)]
        marks = improbable_moves(log_p)

    # Files first: whoever reads the table may stop reading it.
    write_files(
        found, shown, f"Works of {source.name}", sheet=sheet, html=html, exports=exports, look=look,
        captions=captions, labels=labels, marks=marks,
        judges=_judges(source, log) if html else None, log=log,
    )  # fmt: skip
    if marked is not None and log_p is not None and marks is not None:
        first = left_the_known(log_p)
        save_png(marked, sheets.marked_sheet(found, shown, first, marks, labels, look=look))
        log(f"wrote {marked}")

    order = sort or score_of(shown)
    asked = [*([order] if order else []), *(name for name, _, _ in conditions)]
    log_table(rows, shown, asked, found.explain(shown) if explain else None, log)
    if moments and log_p is not None:
        log_moments(rows, log_p, log)
    return shown


def _where(
    works: Works, rows: NDArray[np.int64], conditions: Sequence[Condition], log: Log
) -> NDArray[np.int64]:
    """Those of the rows for whose works all conditions hold."""
    if not conditions:
        return rows
    kept = rows[holds(works, conditions)[rows]]
    asked = " and ".join(f"{name} {sign} {number:g}" for name, sign, number in conditions)
    log(f"{len(kept)} of {len(rows)} works: {asked}")
    return kept


def _judges(source: Source, log: Log) -> Evaluator | None:
    """The judges that measured the works, if there are any that can be read."""
    if source.judges is None:
        return None
    try:
        return source.world.load_evaluator(source.judges)
    except (ValueError, OSError) as error:
        log(f"no human works beside these: {error}")
        return None


def _numbers(ids: Sequence[int], n: int) -> NDArray[np.int64]:
    wrong = [i for i in ids if not 0 <= i < n]
    if wrong:
        raise WorksError(f"--id: there is no work {wrong[0]}; works are 0 to {n - 1}")
    return np.array(ids, np.int64)


def imitator_log_p(source: Source, works: Works) -> NDArray[np.float64]:
    """Log-probabilities (N, T) of moves under the frozen imitator of a source; nan pads.

    Raises:
        ValueError: If there is no imitator of this world, or the works are images.
    """
    if source.imitator is None:
        raise WorksError(f"--moments: {source.name} is a file of works; the imitator is in a run's "
                         "folder")  # fmt: skip
    if works.images is not None:
        raise WorksError("--moments: works that are images have no moves to mark")
    network = source.world.network()
    load_weights(source.imitator, network)
    return move_likelihoods(network.eval(), source.world.simulator_class, works).log_p


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
    rows: NDArray[np.int64],
    works: Works,
    asked: Sequence[str],
    explained: Sequence[Sequence[str]] | None,
    log: Log,
) -> None:
    """Print number, length and terms of works, and below each of them what the rules found."""
    terms = terms_of(works)
    columns = [key for key in dict.fromkeys((*SHOWN, *asked)) if key in terms and key != "moves"]
    log("  id  moves  " + "  ".join(columns))
    for at, i in enumerate(rows):
        values = "  ".join(f"{terms[key][at]:{len(key)}.3f}" for key in columns)
        log(f"{i:4d}  {works.lengths[at]:5d}  {values}")
        for line in explained[at] if explained else ():
            log(f"      {line}")
    missing = [key for key in SHOWN if key not in columns]
    if missing:
        log(f"not recorded for these works: {', '.join(missing)}")


def log_moments(rows: NDArray[np.int64], log_p: NDArray[np.float64], log: Log) -> None:
    """Print the first improbable move of each work."""
    log(f"\nthe first move with p <= {short(THRESHOLD)} under the imitator; moves count from 0")
    log("  id  move        p  log10 p")
    for i, row, t in zip(rows.tolist(), log_p, left_the_known(log_p).tolist(), strict=True):
        if t < 0:
            log(f"{i:4d}  none")
        else:
            log(f"{i:4d}  {t:4d}  {np.exp(row[t]):7.1e}  {row[t] / np.log(10):7.2f}")


def _has_moment(source: Source, works: Works, log: Log) -> NDArray[np.bool_]:
    """(N,) bool: works that have a Move-37 moment; prints how many have.

    Of works that no judge measured: those that have an improbable move.
    """
    log_p, n = imitator_log_p(source, works), len(works)
    has: NDArray[np.bool_] = left_the_known(log_p) >= 0
    log(f"{has.sum()} of {n} works ({has.mean():.0%}) have an improbable move")
    quality = terms_of(works).get("heldout_quality")
    if quality is None:
        return has
    median = human_median(source)
    has = np.isin(np.arange(n), find_moments(log_p, quality >= median)[:, 0])
    log(
        f"{has.sum()} of {n} works ({has.mean():.0%}) have a Move-37 moment: an improbable move, "
        f"and held-out quality of at least the human median, {median:.3f}"
    )
    return has


def human_median(source: Source) -> float:
    """The median held-out quality of human works, which a work with a Move-37 moment reaches.

    Raises:
        ValueError: If neither the summary of the run nor the judges are there to say it.
    """
    assert source.judges is not None
    summary = source.judges / SUMMARY
    if source.kind == "run" and summary.exists():
        try:
            return float(read_json(summary)["human"]["heldout_quality"])
        except (KeyError, TypeError):
            raise WorksError(f"{summary}: no held-out quality of human works") from None
    return source.world.load_evaluator(source.judges).thresholds.heldout


def verify(run: AnyPath, which: str = "fresh", world: str = "", log: Log = print) -> bool:
    """Play every work again, judge it again, and compare with what was written, bit by bit.

    Args:
        run: Folder of a finished run; or of a comparison, or a file in its ``works``, of which
            only what the judges say is compared.
        which: See :func:`replay`.
        world: See :func:`replay`.
        log: Takes what is printed.

    Returns:
        Whether everything is the same.

    Raises:
        ValueError: If the works or the judges cannot be read.
    """
    source = load_source(run, which, world, lambda line: None)
    works = source.works
    if source.judges is None or source.kind not in ("run", "comparison"):
        raise WorksError(f"--verify: {run}: what judges wrote of works is in the folder of a "
                         "finished run or of a comparison")  # fmt: skip
    if source.kind == "run":
        columns = source.world.judge_again(source.judges, works)
    else:
        columns = source.world.load_evaluator(source.judges).measure(works)
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
        "run", type=Path, metavar="RUN",
        help="folder of a run, finished or not, or of a comparison; a checkpoint, or a file of "
        "works",
    )  # fmt: skip
    parser.add_argument(
        "--works", dest="which", default="fresh", metavar="WHICH",
        help="of a run: fresh, works of the learner, or admitted, works that were admitted to the "
        "archive while it learned; of a comparison: NAME-SEED (default: fresh, the learner's)",
    )  # fmt: skip
    parser.add_argument(
        "--world", default="", metavar="MODULE:CLASS",
        help="the works' own world, for a file of works of a world that has no registered name",
    )  # fmt: skip
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--best", type=int, metavar="N", help="the first N works in the order of --sort"
    )
    chosen.add_argument("--newest", type=int, metavar="N", help="the last N works")
    chosen.add_argument("--random", type=int, metavar="N", help="N works at random (--seed)")
    chosen.add_argument(
        "--id", dest="ids", type=int, nargs="+", metavar="ID", help="works by number"
    )
    parser.add_argument("--seed", type=int, default=0, help="of --random (default: 0)")
    parser.add_argument(
        "--where", default="", metavar="CONDITIONS",
        help="only works for which this holds: NAME OP NUMBER, several joined by `and`, for "
        "instance 'novelty_human > 1.5 and form >= 0.8'",
    )  # fmt: skip
    parser.add_argument(
        "--sort", metavar="TERM", help="sort works by a term, the highest first (default: reward)"
    )
    parser.add_argument("--ascending", action="store_true", help="sort the lowest first")
    parser.add_argument(
        "--moments", type=file_of(".png"), nargs="?", const=True, metavar="FILE.png",
        help=f"show works with a Move-37 moment: a move of p <= {short(THRESHOLD)} under the "
        "imitator, and held-out quality of the human median; to a file: a sheet with these moves "
        "marked (all works of --id are shown)",
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
        verified = options.pop("verify")
        replay(**take_outputs(options))
        if verified and not verify(options["run"], options["which"], options["world"]):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
