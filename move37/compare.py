"""Compare makers of works: which of them are creative?

move37 compare --out comparison                     # every maker, 3 seeds: hours on 2 cores
move37 compare --budget smoke --out /tmp/comparison # everything, tiny: several minutes
move37 compare --out comparison --run runs/a --run runs/b --run runs/c
move37 compare --out comparison --threads 1 --jobs 8 # on a machine with eight cores
move37 compare --out comparison --only rnn,gan,learner --seeds 5
move37 compare --out comparison --only random,learner --maker mine:make  # a maker of your own
move37 compare --out comparison --add mine=drawings/
move37 compare --out comparison --corpus kanjivg    # other human works
move37 compare --out comparison --world composition --exam sealed
move37 compare --out comparison --report            # the report again, nothing made anew
move37 compare --out more --first-seed 3 --seeds 2 --join comparison/comparison.json

The same command resumes an interrupted comparison. Makers: {makers}.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from move37.agents.compare import workers
from move37.agents.compare.comparison import Comparison
from move37.agents.compare.comparison_dir import ComparisonDir
from move37.agents.compare.config import CompareConfig
from move37.agents.compare.joining import keep_joined
from move37.agents.compare.report.files import write_report
from move37.agents.compare.report.tables import Results
from move37.agents.makers.maker import known_makers
from move37.agents.runs.terminal import Clock, Parser, prog
from move37.envs.progress import doing
from move37.novelty.storage import printable


def compare(config: CompareConfig, log: Callable[[str], None] = print) -> Results:
    """Make and measure the works of every maker, and write the report.

    What is in the folder ``config.out`` already is not made again. If the comparison is interrupted
    (``KeyboardInterrupt``), the report of what was made is written, and the same call resumes it.

    Args:
        config: What is compared.
        log: Takes one line about what happens.

    Returns:
        The results; ``results.rows`` is a table of every maker, seed and measure.

    Raises:
        ValueError: If the folder holds another comparison, or something given is refused.
        OSError: If a file cannot be read or written.
    """
    if not config.report:
        try:
            comparison = Comparison(config, log)
            workers.run(comparison) if config.jobs > 1 else comparison.run()
        except KeyboardInterrupt:
            with suppress(ValueError):  # no works yet
                _report(config, log)
            raise
    return _report(config, log)


def _report(config: CompareConfig, log: Callable[[str], None]) -> Results:
    """Write the report, and log which expectations and makers failed, and where to look."""
    keep_joined(ComparisonDir(config.out), config.joined)
    with doing("writing the report", log):
        results = write_report(config.out)
    for check in results.checks:
        if check.holds is False:
            log(f"not as expected: {check.text}: {check.detail}")
    failed = [name for name, note in results.notes.items() if note["errors"]]
    if failed:
        log(f"makers that failed: {', '.join(failed)} (makers/SEED/NAME/error.txt)")
    log(f"look at {config.out / 'report.html'}; figures: {config.out / 'comparison.json'}")
    return results


def parse(arguments: Sequence[str]) -> CompareConfig:
    """The configuration that a command line asks for.

    A wrong command line is one line on standard error and exit status 1.
    """
    assert __doc__ is not None
    parser = Parser(
        prog("compare"), __doc__.format(makers=", ".join(("imitator", *known_makers())))
    )
    repeated = {"action": "append", "type": Path}
    parser.add_fields(
        CompareConfig,
        out={"type": Path, "required": True, "metavar": "FOLDER"},
        joined=repeated | {"flag": "--join", "metavar": "FILE"},
        added=repeated | {"flag": "--add", "metavar": "NAME=FOLDER", "type": _named_folder},
        only={"type": _names, "metavar": "NAMES"},
        makers=repeated | {"flag": "--maker", "metavar": "MAKER", "type": str},
        runs=repeated | {"flag": "--run", "metavar": "RUN"},
        withhold={"type": _names, "metavar": "PATTERNS"},
        evidence={"action": argparse.BooleanOptionalAction},
        report={"action": "store_true"},
    )
    given = vars(parser.parse_args(arguments))
    given = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    try:
        return CompareConfig(**given, command=shlex.join(["move37", "compare", *arguments]))
    except ValueError as error:
        parser.error(str(error))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not folder or not name.replace("-", "_").isidentifier():
        raise argparse.ArgumentTypeError(
            f"expected NAME=FOLDER, NAME of letters, digits, - and _: {text!r}"
        )
    return name, Path(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; ``arguments`` are by default those of this process."""
    sys.path.append(os.getcwd())  # for --maker and --world of one's own, module:function
    try:
        compare(parse(sys.argv[1:] if arguments is None else arguments), Clock().log)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"{prog('compare')}: {printable(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f"{prog('compare')}: stopped; the same command resumes it", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
