"""Train a learner: imitate human works, then PPO for quality x novelty.

move37 train                       # the default budget: about 8 minutes on 2 cores
move37 train --preset smoke        # everything, tiny: under 2 minutes
move37 train --seed 3 --run-dir runs/mine --withhold '*plane*'
move37 train --imitator runs/mine/imitator.safetensors --kl-weight 0.05 --run-dir runs/near
move37 train --resume runs/mine    # resume an interrupted run; the result is bit-identical
move37 replay runs/mine --best 25 --sheet best.png
tensorboard --logdir runs
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from move37.agents.learner.train_loop import TrainingRun
from move37.agents.runs.config import Config, load_config, make_config
from move37.agents.runs.interrupts import RunInterrupted, silence_writer_threads
from move37.agents.runs.run_dir import in_use, taken
from move37.agents.runs.terminal import Parser, command, module_command, print_summaries, prog
from move37.envs.base.registry import find_world
from move37.novelty.storage import printable


def run(config: Config, resume: bool = False) -> dict[str, Any]:
    """Train a learner.

    Args:
        config: The options; :func:`~move37.agents.runs.config.make_config` makes them of a preset,
            :func:`~move37.agents.runs.config.load_config` reads those of a run to be resumed.
        resume: Whether ``config.run_dir`` must hold a run, which is resumed. Otherwise an
            unfinished run in it is resumed if it has the same options.

    Returns:
        What ``summary.json`` in the run's folder holds; docs/measures.md defines it.

    Raises:
        ValueError: If an option or the folder is refused, or a number became NaN or infinite.
        OSError: If a file cannot be read or written.
        KeyboardInterrupt: If the run was asked to stop; it can be resumed.
    """
    return TrainingRun(config, resume).run()


def train(**options: Any) -> dict[str, Any]:
    """Train a learner: ``train(run_dir="runs/mine", preset="smoke", seed=3)``.

    Args:
        **options: Those of the command, :class:`~move37.agents.runs.config.Config`. ``run_dir``
            has no default: nothing is written into the current folder unasked.

    See :func:`run` for what is returned and raised.
    """
    return run(make_config(**options))


def parse(arguments: Sequence[str]) -> tuple[Config, bool]:
    """The configuration that a command line asks for, and whether its run is to be resumed.

    A wrong command line is one line on standard error and exit status 1.
    """
    parser = Parser(prog("train"), __doc__)
    parser.add_fields(Config)
    parser.add_argument(
        "--resume", type=Path, metavar="RUN", help="resume the run in this folder, with its options"
    )
    options = vars(parser.parse_args(arguments))
    folder = options.pop("resume")
    try:
        if folder is None:
            return make_config(**options), False
        if options:
            raise ValueError("--resume: takes no other option; they are in its config.json")
        return load_config(folder), True
    except ValueError as error:
        parser.error(str(error))


def with_folder(config: Config, log: Callable[[str], None] = print) -> Config:
    """The configuration with the first of runs/NAME, runs/NAME-2 ... where it can begin or go on.

    Args:
        config: Unchanged if it has a folder.
        log: Takes a line about each folder that is passed over.
    """
    if config.run_dir:
        return config
    name = f"runs/{find_world(config.world).id}-{config.preset}-{config.seed}"
    for number in count(1):
        found = replace(config, run_dir=name if number == 1 else f"{name}-{number}")
        reason = in_use(Path(found.run_dir)) or taken(found)
        if not reason:
            break
        log(f"{reason}; taking the next folder")
    return found


def print_result(config: Config, summary: dict[str, Any]) -> None:
    """Print the measures side by side, and what to type next."""
    folder = Path(config.run_dir)
    print("fresh, unselected works (medians; shares of works in %):")
    imitator = summary["imitator"][str(summary["imitator_temperature"])]
    print_summaries({"learner": summary, "imitator": imitator, "human": summary["human"],
                     "outsiders": summary["outsiders"]})  # fmt: skip
    print(f"look at {folder / 'imitator-and-learner.png'} and {folder / 'best.png'}")
    print(f"next: {command('replay', folder, '--best', '25', '--html', 'works.html')}")
    print(f"      {module_command('tensorboard.main', '--logdir', folder.parent)}")


def print_interrupted(config: Config, error: KeyboardInterrupt) -> None:
    """Print what the run had reached, if it was learning, and how to resume it."""
    if isinstance(error, RunInterrupted):
        reached = error.summary
        print(f"stopped after {reached['env_steps']:,} moves; the latest works, unselected:")
        print_summaries({"learner": reached, **{
            name: reached[name] for name in ("imitator", "human", "outsiders")
        }})  # fmt: skip
    resume = command("train", "--resume", config.run_dir)
    print(f"{prog('train')}: stopped; resume with: {resume}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; ``arguments`` are by default those of this process."""
    sys.path.append(os.getcwd())  # for --world of one's own, module:Class
    config, resume = parse(sys.argv[1:] if arguments is None else arguments)
    silence_writer_threads()
    config = with_folder(config)
    try:
        print_result(config, run(config, resume))
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        print(f"{prog('train')}: {printable(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt as error:
        print_interrupted(config, error)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
