"""Compare makers of works: which of them are creative?

python compare.py --out comparison                     # every maker, 3 seeds: hours on 2 cores
python compare.py --budget smoke --out /tmp/comparison # everything, tiny: some minutes
python compare.py --out comparison --run runs/a --run runs/b --run runs/c
python compare.py --out comparison --threads 1 --jobs 8 # on a machine with eight cores
python compare.py --out comparison --only rnn,gan,learner --seeds 5
python compare.py --out comparison --add mine=drawings/
python compare.py --out comparison --corpus kanjivg    # other human works
python compare.py --out comparison --world composition --exam sealed
python compare.py --out comparison --report            # the report again, nothing made anew
python compare.py --out more --first-seed 3 --seeds 2 --join comparison/comparison.json

The same command goes on where it was stopped. Makers: {makers}.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from move37.agents.compare.comparison import Comparison
from move37.agents.compare.config import SCALES, CompareConfig, chosen_entries
from move37.agents.compare.joining import keep_joined
from move37.agents.compare.report import write_report
from move37.agents.compare.sections import Results
from move37.agents.compare.workers import run
from move37.agents.makers.maker import MAKERS
from move37.agents.runs.config import CORPUS
from move37.agents.runs.terminal import Clock, Parser
from move37.envs.base.world import ENTRY_POINTS, find_world


def parse(arguments: list[str]) -> tuple[CompareConfig, bool]:
    """Turn the command line into options, and whether only the report is asked for."""
    assert __doc__ is not None
    parser = Parser("compare.py", __doc__.format(makers=", ".join(("imitator", *MAKERS))))
    lines: list[tuple[str, dict[str, Any], str]] = [
        ("--out", {"type": Path, "required": True, "metavar": "FOLDER"},
         "where works, models and the report are written"),
        ("--world", {"default": "drawing", "metavar": "NAME"},
         f"kind of work: {', '.join(sorted(ENTRY_POINTS))} (default: drawing)"),
        ("--corpus", {"default": "", "metavar": "NAME"}, CORPUS),
        ("--budget", {"default": "default", "metavar": "NAME"},
         f"{', '.join(SCALES)} (default: default)"),
        ("--seeds", {"type": int, "metavar": "N"},
         "how often everything is fitted anew (default: 3; smoke: 1)"),
        ("--first-seed", {"type": int, "default": 0, "metavar": "N"},
         "the first of the seeds (default: 0); further ones on another machine, say"),
        ("--join", {"action": "append", "default": [], "type": Path, "metavar": "FILE"},
         "figures of other seeds: the comparison.json of another comparison; may be repeated"),
        ("--works", {"type": int, "metavar": "N"},
         "fresh works of each maker and seed (default: 1000; smoke: 200)"),
        ("--exam", {"default": "", "metavar": "SPLIT"},
         "whose briefs makers answer, in a world with several: held_out (there the default), or "
         "sealed, which decides nothing, for a report that is published"),
        ("--add", {"action": "append", "default": [], "metavar": "NAME=FOLDER"},
         "works of any other maker: SVG, PNG or saved works; may be repeated"),
        ("--only", {"default": "", "metavar": "NAMES"},
         "comma-separated makers; human works are always there"),
        ("--run", {"action": "append", "default": [], "type": Path, "metavar": "RUN"},
         "take imitator and learner from a finished run of train.py; one per seed, in order"),
        ("--withhold", {"default": "", "metavar": "PATTERNS"},
         "comma-separated name patterns of human works to take out of the world, and look for"),
        ("--no-evidence", {"action": "store_true"},
         "leave out the measures of shift (docs/measures.md): half of the time"),
        ("--threads", {"type": int, "default": 2, "metavar": "N"},
         "torch threads of each process (default: 2)"),
        ("--jobs", {"type": int, "default": 1, "metavar": "N"},
         "processes that fit makers and make works at once (default: 1)"),
        ("--report", {"action": "store_true"}, "make the report again from saved works"),
    ]  # fmt: skip
    for flag, how, text in lines:
        parser.add_argument(flag, help=text, **how)
    args = parser.parse_args(arguments)
    if args.budget not in SCALES:
        parser.error(f"--budget: {args.budget!r} is none of {', '.join(SCALES)}")
    scale = SCALES[args.budget]
    seeds = scale.seeds if args.seeds is None else args.seeds
    works = scale.works if args.works is None else args.works
    for name, value in (
        ("seeds", seeds), ("works", works), ("threads", args.threads), ("jobs", args.jobs)
    ):  # fmt: skip
        if value < 1:
            parser.error(f"--{name}: must be at least 1")
    if args.first_seed < 0:
        parser.error("--first-seed: must be at least 0")
    if len(args.run) > seeds:
        parser.error(f"--run: {len(args.run)} runs for {seeds} seeds")
    only, withhold = (
        tuple(part.strip() for part in text.split(",") if part.strip())
        for text in (args.only, args.withhold)
    )
    try:
        find_world(args.world)
        chosen_entries(only)
    except ValueError as error:
        parser.error(str(error))
    added: dict[str, Path] = {}
    for text in args.add:
        name, equals, folder = text.partition("=")
        if not equals or not folder or not name.replace("-", "_").isidentifier():
            parser.error(f"--add: expected NAME=FOLDER, NAME of letters, digits, - and _: {text!r}")
        if name in {"human", "outsiders", *added, *(e.name for e in chosen_entries(()))}:
            parser.error(f"--add: there is already a maker named {name!r}")
        added[name] = Path(folder)
    command = shlex.join(["python", "compare.py", *arguments])
    return CompareConfig(
        out=args.out, world=args.world, budget=args.budget, seeds=seeds, works=works, only=only,
        added=tuple(added.items()), runs=tuple(args.run), withhold=withhold,
        evidence=not args.no_evidence, threads=args.threads, jobs=args.jobs,
        command=command, first_seed=args.first_seed, joined=tuple(args.join), corpus=args.corpus,
        exam=args.exam,
    ), args.report  # fmt: skip


def say_what_came_out(results: Results) -> None:
    """Print what failed, and where to look."""
    for check in results.checks:
        if check.holds is False:
            print(f"not as expected: {check.text}: {check.detail}")
    failed = [name for name, note in results.notes.items() if note["errors"]]
    if failed:
        print(f"makers that failed: {', '.join(failed)}")
    print(f"look at {results.out / 'report.html'}; figures: {results.out / 'comparison.json'}")


def main() -> None:
    """Run from the command line."""
    options, only_report = parse(sys.argv[1:])
    stopped = False
    try:
        if not only_report:
            try:
                comparison = Comparison(options, Clock().log)
                run(comparison) if options.jobs > 1 else comparison.run()
            except KeyboardInterrupt:
                stopped = True
                print("compare.py: stopped; the same command goes on", file=sys.stderr)
        keep_joined(options.out, options.joined)
        say_what_came_out(write_report(options.out))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        raise SystemExit(130 if stopped else 1) from None
    except KeyboardInterrupt:
        print("compare.py: stopped", file=sys.stderr)
        raise SystemExit(130) from None
    if stopped:
        raise SystemExit(130)


if __name__ == "__main__":
    main()
