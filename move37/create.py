"""Let the learner of a run make new works.

move37 create --run RUN                             # 16 works: a sheet, SVGs and a file of works
move37 create --run RUN --n 100 --seed 7 --temperature 0.8 --sheet new.png --html new.html
move37 create --run RUN --brief mine.svg --svg icons/ --works icons.npz
move37 create airplane --run runs/drawing-concepts-default-0     # what has a name
move37 create airplane --run RUN --unlike mine.svg               # and not like mine
move37 create --run runs/composition-default-0 --brief melody.musicxml --midi answers/
move37 replay icons.npz --id 3 --gif drawn.gif      # look at them again

The works are fresh and unselected; the same seed gives the same works. RUN may still be learning.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.agents.learner.loading import SavedLearner, load_learner, load_reward, read_learner
from move37.agents.learner.rollout import finish_works
from move37.agents.runs.run_dir import SUMMARY
from move37.agents.runs.terminal import Parser, command, one_line_errors, print_summaries, prog
from move37.choosing import judged
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works
from move37.envs.base.world import Evaluator, World
from move37.envs.drawing.meaning.lists import concept_lines
from move37.envs.files.pictures import USUAL, Look
from move37.novelty.diversity import GROUP
from move37.novelty.storage import read_json
from move37.outputs import (
    AnyPath,
    Log,
    add_output_options,
    check_files,
    file_of,
    take_outputs,
    write_files,
)

__all__ = ["create", "load_learner", "load_reward"]

MOST = 1 << 20
"""Largest number of works."""
COLDEST, HOTTEST = 0.01, 100.0
"""Temperatures between the surest move and any move."""


def create(
    run: AnyPath,
    *,
    concept: str | None = None,
    unlike: Any = None,
    n: int = 16,
    seed: int = 0,
    temperature: float = 1.0,
    brief: Any = None,
    works: AnyPath | None = None,
    sheet: AnyPath | None = None,
    html: AnyPath | None = None,
    exports: Iterable[tuple[str, AnyPath]] = (),
    look: Look = USUAL,
    folder: AnyPath | None = None,
    log: Log = print,
) -> Works:
    """Let the learner of a run make works, fresh and unselected.

    Args:
        run: Folder of a run, finished or still learning; of the latter the newest checkpoint works.
        concept: What works are to show, by a name; in worlds whose works are asked for by name.
        unlike: A drawing of it that works are to be unlike, as ``brief``; in these worlds too.
        n: Works to make, 1 to 1,048,576.
        seed: Of all chance, also of which briefs of the world's are answered; at least 0.
        temperature: Divides the logits; 1 is what the learner learnt, lower is more certain.
        brief: What every work answers: a file (see the world's ``read_brief``), or what the
            world's environment takes as ``options={"brief": ...}``. None: the briefs that the run
            was examined with, where its world has any.
        works: Where to write the works (.npz), for :func:`move37.replay.replay`.
        sheet: Where to write a contact sheet (PNG).
        html: Where to write a page that plays the works.
        exports: (kind, path) of other files; the world's ``exports`` say which kinds there are.
        look: Size, colours and so on of pictures, where the world's ``looks`` say that they obey.
        folder: Gets ``sheet.png``, ``works.npz``, and SVGs where the world writes them.
        log: Takes what is printed.

    Returns:
        The works. What the run's judges and its reward say of them is in their ``appraisal``.

    Raises:
        ValueError: If the run or the brief cannot be read, an option is out of range, or the world
            does not write such files.
        OSError: If a file cannot be written.
    """
    _check_range("n", n, 1, MOST)
    _check_range("seed", seed, 0, float("inf"))
    _check_range("temperature", temperature, COLDEST, HOTTEST)
    learner = read_learner(run, log)
    world, exports = learner.world, list(exports)
    if folder is not None:
        folder = Path(folder)
        sheet, works = folder / "sheet.png", folder / "works.npz"
        exports += [("svg", folder / "svg")] if "svg" in world.exports else []
    check_files(world, exports, look, {"sheet": sheet, "html": html})
    rng, boards = np.random.default_rng(seed), world.exam(1)
    given = _given(world, concept, unlike, brief)
    read = None if given is None else _read_brief(world, boards, given, log)
    if concept is not None:
        briefs = world.concept_briefs(concept, n, rng, read)
    elif read is not None:
        briefs = np.tile(read, (n, 1))
    else:
        briefs = np.stack([boards.draw_brief(rng) for _ in range(n)])
    log(_title(Path(run), learner, n, seed, temperature))

    begun = Works(world.id, np.full((n, boards.max_moves), PAD, np.int16), briefs)
    none_kept = np.zeros(n, np.int64)
    made = finish_works(learner.network, world.exam, begun, none_kept, rng, temperature)
    made, summaries, judges = _appraised(Path(run), learner, made, log)
    if works is not None:
        made.save(works)
        log(f"wrote {works}")
    write_files(
        world, made, f"Works of {Path(run).name}", sheet=sheet, html=html, exports=exports,
        look=look, captions=[f"#{i}" for i in range(n)], judges=judges, log=log,
    )  # fmt: skip
    if summaries:
        print_summaries(summaries, log)
    return made


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        limit = f"from {least} to {most}" if most < float("inf") else f"at least {least}"
        raise ValueError(f"--{name}: must be {limit}, got {value}")


def _given(world: World, concept: str | None, unlike: Any, brief: Any) -> Any:
    """What is given as a brief, if these options go together."""
    if (concept is not None or unlike is not None) and not world.by_concept:
        option = "CONCEPT" if concept is not None else "--unlike"
        raise ValueError(f"{option}: works of the world {world.id} are not asked for by name")
    if unlike is not None and brief is not None:
        raise ValueError("--unlike: goes in the place of --brief, not beside it")
    return brief if unlike is None else unlike


def _read_brief(world: World, boards: Simulator, brief: Any, log: Log) -> NDArray[np.int16]:
    """A brief (B,) of a file or of what an environment takes, checked against the boards."""
    if isinstance(brief, str | os.PathLike):
        moves, said = world.read_brief(Path(brief))
        for line in said:
            log(line)
    else:
        moves = world.simulator_class.parse_brief(brief)
    boards.reset(np.arange(boards.n))
    if (boards.briefs == PAD).all():
        log("this learner practised without briefs: how it answers one was never rewarded")
    boards.set_brief(moves)
    return moves


def _title(run: Path, learner: SavedLearner, n: int, seed: int, temperature: float) -> str:
    state = f"after {learner.steps:,} moves"
    if not learner.finished:
        state = f"unfinished: its newest checkpoint, {state} of {learner.config.env_steps:,}"
    return f"{n} work{'s' * (n > 1)} of {run} ({state}), temperature {temperature:g}, seed {seed}"


def _appraised(
    run: Path, learner: SavedLearner, made: Works, log: Log
) -> tuple[Works, dict[str, dict[str, Any]], Evaluator | None]:
    """The works with what the run's judges and its reward say of them, summaries, the judges."""
    n = len(made)
    terms = {
        "step": np.full(n, float(learner.steps)),
        "seed": np.full(n, float(learner.config.seed)),
    }
    summaries: dict[str, dict[str, Any]] = {}
    judges = None
    try:
        judges = learner.world.load_evaluator(run)
        measured = judges.measure(made)
        terms |= judged(measured)
        summaries["these"] = judges.summarise(measured)
        if n < GROUP:
            del summaries["these"]["novelty_self"]  # the fewer works there are, the further apart
        if (run / SUMMARY).exists():
            summary = read_json(run / SUMMARY)
            summaries |= {"the run's": summary, "human": summary["human"]}
        # What is damaged was told when an unfinished learner was read.
        terms |= load_reward(run, log if learner.finished else lambda line: None)(made)
    except (ValueError, OSError) as error:  # a learner alone makes works too
        log(f"not fully appraised: {error}")
    return made.with_appraisal(terms), summaries, judges


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; the names are those of the arguments of :func:`create`."""
    parser = Parser(prog("create"), __doc__)
    parser.add_argument(
        "concept", nargs="?", metavar="CONCEPT",
        help="what works are to show, in worlds that know names (drawing-concepts)",
    )  # fmt: skip
    parser.add_argument(
        "--run", type=Path, metavar="RUN",
        help="folder of a run, whose learner makes the works; it may still be learning",
    )  # fmt: skip
    parser.add_argument("--n", type=int, default=16, help="works to make (default: 16)")
    parser.add_argument("--seed", type=int, default=0, help="of all chance (default: 0)")
    parser.add_argument(
        "--temperature", type=float, default=1.0, metavar="T",
        help="divides the logits: lower is more certain, higher more daring (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--brief", type=Path, metavar="FILE",
        help="what every work answers. Drawing: strokes that are on the board already (.svg, .png, "
        ".jpg). Composition: the soprano (.musicxml, .xml, .mxl, .mid)",
    )  # fmt: skip
    parser.add_argument(
        "--unlike", type=Path, metavar="FILE",
        help="a drawing of the thing that works are to be unlike (drawing-concepts)",
    )  # fmt: skip
    parser.add_argument(
        "--works", type=file_of(".npz"), metavar="FILE.npz",
        help="write the works, for `move37 replay`",
    )  # fmt: skip
    parser.add_argument(
        "--concepts", action="store_true", help="list what can be asked for by name, and end"
    )
    add_output_options(parser, "write a page that plays the works")
    options = parser.parse_args(arguments)
    if options.run is None and not options.concepts:
        parser.error("the following arguments are required: --run")
    return options


def unused_folder(name: str) -> Path:
    """``name``, or the first of ``name-2``, ``name-3`` ... that does not exist."""
    names = (Path(name if i == 1 else f"{name}-{i}") for i in count(1))
    return next(path for path in names if not path.exists())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; ``arguments`` are by default those of this process."""
    sys.path.append(os.getcwd())  # for a world of one's own, module:Class
    options = vars(parse(sys.argv[1:] if arguments is None else arguments))
    if options.pop("concepts"):
        print("\n".join(concept_lines()))
        return
    if not any(options[name] for name in ("works", "sheet", "html", "exports")):
        options["folder"] = unused_folder("created")
    with one_line_errors("create"):
        create(**take_outputs(options))
        if "folder" in options:
            works = options["folder"] / "works.npz"
            print(f"next: {command('replay', works, '--html', 'works.html')}")


if __name__ == "__main__":
    main()
