"""Say what drawings are named by strangers, how new they are, and what of them nobody needs.

move37 measure mine.svg                        # what is it, and what is it like?
move37 measure mine.svg --concept airplane     # how good an airplane is it, and how new?
move37 measure drawings/ photo.jpg works.npz --json measured.json --sheet measured.png
move37 measure --concepts                      # what strangers know

Strangers are networks that learnt from other designers than any learner of Move37 and never gave
reward; what they say is an estimate of what people would. FILE is an .svg, a picture (.png, .jpg,
.webp: it is traced), works (.npz), Quick, Draw! drawings (.ndjson), or a folder of such files.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from json import dumps
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.agents.runs.terminal import Parser, one_line_errors, prog
from move37.envs.base.works import PAD, Works, join_works, pad_moves, write_atomically
from move37.envs.drawing.concept_world.briefs import concepts_of
from move37.envs.drawing.corpus.reading import read_drawings
from move37.envs.drawing.meaning.judges import Strangers
from move37.envs.drawing.meaning.lists import concept_lines
from move37.envs.drawing.meaning.recognisers import idle_first, stroke_bounds
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files import sheets
from move37.envs.files.pictures import Picture, save_png
from move37.novelty.storage import printable
from move37.outputs import Log, file_of

LIKE = 5
"""Human drawings that are named beside each."""
SAID = 3
"""Concepts that are named for each."""
MOST_ROWS = 200
"""Drawings on a sheet at most."""


@dataclass(frozen=True)
class Measured:
    """What is said of one drawing.

    Attributes:
        name: Of the drawing.
        concept: What it was to show; if that was not said, what strangers named it; empty if they
            named it nothing.
        said: The likeliest concepts and their probabilities; ``nothing`` may be among them.
        terms: What judges say; see :meth:`Strangers.measure` and :meth:`Strangers.compare`. None
            for what cannot be said: ``named`` if no concept was asked for, ``unlike`` if nobody
            drew the concept, and so on. ``idle_strokes`` is their share of all strokes.
        idle: Numbers of the strokes, from 0, that nobody needs to see what it is.
        nearest: The nearest human drawings of the concept, of anything if there is none: designer,
            name, and distance in the units of ``unlike``.
        moves: Of the drawing.
    """

    name: str
    concept: str
    said: tuple[tuple[str, float], ...]
    terms: dict[str, float | None]
    idle: tuple[int, ...]
    nearest: tuple[tuple[str, str, float], ...]
    moves: tuple[int, ...]


def measure(
    files: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    concept: str | None = None,
    sheet: Path | None = None,
    json: Path | None = None,
    log: Log = print,
) -> list[Measured]:
    """Say of drawings what strangers name them, how new they are, and which strokes are idle.

    Args:
        files: Files and folders of drawings, or one.
        concept: What all of them are to show, by any of its names; None: what works that answer a
            brief were asked for, and of others whatever strangers say.
        sheet: Where to write a picture (PNG): each drawing, its idle strokes pale, beside the
            human drawings it is most like.
        json: Where to write all that is said, as JSON.
        log: Takes what is printed.

    Returns:
        What is said of each drawing, in the order of the files.

    Raises:
        ValueError: If a file cannot be read or the concept is unknown.
        OSError: If a file cannot be written.
    """
    paths = [files] if isinstance(files, str | os.PathLike) else list(files)
    strangers = Strangers.load()
    number = None if concept is None else strangers.concepts.find(concept)
    works = _read([Path(path) for path in paths], log)
    found, nearest = _measured(strangers, works, number)
    for one in found:
        _say(one, strangers, log)
    if json is not None:
        write_atomically(json, _as_json(found, strangers).encode())
        log(f"wrote {json}")
    if sheet is not None:
        save_png(sheet, _sheet(found, nearest, works, strangers))
        log(f"wrote {sheet}")
    return found


def _read(paths: Sequence[Path], log: Log) -> Works:
    parts = []
    for path in paths:
        works, left_out = read_drawings(path)
        for line in left_out:
            log(f"left out: {line}")
        parts.append(works)
    if not any(map(len, parts)):
        raise ValueError("no drawings to measure")
    return replace(join_works(parts), appraisal={})


def _measured(
    strangers: Strangers, works: Works, number: int | None
) -> tuple[list[Measured], NDArray[np.int64]]:
    """What is said of works, and the rows (N, 5) of the human drawings nearest to each."""
    said = strangers.name(works.moves)
    classes = (*strangers.judges.names, "nothing")
    asked = concepts_of(works.briefs) if number is None else np.full(len(works), number, np.int64)
    named = np.array([strangers.concepts.number(name) for name in classes[:-1]] + [-1])
    numbers = np.where(asked >= 0, asked, named[said.argmax(axis=1)])
    idle = strangers.idle(works, numbers)
    terms = strangers.measure(works, numbers) | strangers.compare(works)
    terms["idle_strokes"] = np.array([row.mean() if len(row) else 0.0 for row in idle])
    terms["idle_strokes"][np.isnan(terms["probability"])] = np.nan
    for key in ("named", "named_of_20"):
        terms[key] = np.where(asked >= 0, terms[key], np.nan)
    human = strangers.unlikeness.human
    drawn = np.where(np.isin(numbers, human.concepts), numbers, -1)
    apart, nearest = strangers.unlikeness.nearest(works.moves, drawn, LIKE)
    found = []
    for i, row in enumerate(said):
        likely = np.argsort(-row, kind="stable")[:SAID]
        like = [
            (human.names[human.designers[j]], human.works.names[j], round(float(distance), 4))
            for j, distance in zip(nearest[i], apart[i], strict=True)
            if j >= 0
        ]
        found.append(
            Measured(
                works.names[i],
                strangers.concepts.names[numbers[i]] if numbers[i] >= 0 else "",
                tuple((classes[j], round(float(row[j]), 4)) for j in likely),
                {key: _number(values[i]) for key, values in terms.items()},
                tuple(np.flatnonzero(idle[i]).tolist()),
                tuple(like),
                tuple(m for m in works.moves[i].tolist() if m != PAD),
            )
        )
    return found, nearest


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _say(one: Measured, strangers: Strangers, log: Log) -> None:
    """Tell what is said of a drawing, in a few lines."""
    terms = one.terms
    said = ", ".join(f"{name} {p:.2f}" for name, p in one.said)
    log(f"{printable(one.name)}: {said}")
    if terms["named"] is not None:
        log(f"  is {'' if terms['named'] else 'not '}named {one.concept}")
    if terms["unlike"] is not None:
        far = strangers.unlikeness.far
        log(f"  unlike human drawings of {one.concept}: {terms['unlike']:.2f} (of designers' own: "
            f"half above 1, one in twenty above {far:.2f})")  # fmt: skip
    log(f"  novelty among all human drawings: {terms['novelty_human']:.2f} (one in twenty of them "
        f"above {strangers.novel_from:.2f}); copied strokes {terms['copied']:.0%}, form "
        f"{terms['form']:.2f}")  # fmt: skip
    if terms["idle_strokes"] is not None:
        numbers = ", ".join(str(i + 1) for i in one.idle) or "none"
        log(f"  idle strokes: {numbers} of {len(stroke_bounds(np.array(one.moves)))}")
    like = "; ".join(f"{printable(name)} ({who}) {apart:.2f}" for who, name, apart in one.nearest)
    log(f"  most like: {like}")


def _as_json(found: Sequence[Measured], strangers: Strangers) -> str:
    human = {
        "unlike": 1.0,
        "unlike_95": strangers.unlikeness.far,
        "novelty_95": strangers.novel_from,
    }
    return dumps({"human": human, "drawings": [asdict(one) for one in found]}, indent=1) + "\n"


def _sheet(
    found: Sequence[Measured], nearest: NDArray[np.int64], works: Works, strangers: Strangers
) -> Picture:
    """Rows of a drawing, its idle strokes pale, and the human drawings most like it."""
    human = strangers.unlikeness.human
    parts, first, captions = [], [], []
    for one, like, row in zip(found[:MOST_ROWS], nearest, works.moves, strict=False):
        moves, pale = idle_first(row, np.isin(np.arange(len(stroke_bounds(row))), one.idle))
        parts += [moves, *human.works.moves[like]]
        first += [pale] + [0] * LIKE
        captions.append(f"{one.name}: {one.said[0][0]} {one.said[0][1]:.2f}")
        captions += [f"{apart:.2f} {name} ({who})" for who, name, apart in one.nearest]
        captions += [""] * (LIKE - len(one.nearest))
    drawings = Works("drawing", pad_moves(parts))
    marks: list[list[int]] = [[] for _ in parts]
    return sheets.marked_sheet(
        DrawingWorld(), drawings, np.array(first), marks, captions, LIKE + 1, size=sheets.TILE
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; the names are those of the arguments of :func:`measure`."""
    parser = Parser(prog("measure"), __doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="drawings, or folders")
    parser.add_argument(
        "--concept",
        metavar="NAME",
        help="what all of them are to show (default: what works were asked for, or what is named)",
    )
    parser.add_argument("--concepts", action="store_true", help="list concepts, and end")
    parser.add_argument(
        "--json", type=file_of(".json"), metavar="FILE.json", help="write all that is said"
    )
    parser.add_argument(
        "--sheet", type=file_of(".png"), metavar="FILE.png",
        help="write a picture: each drawing, its idle strokes pale, beside those it is most like",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if not options.files and not options.concepts:
        parser.error("nothing to measure; give files or folders of drawings")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; ``arguments`` are by default those of this process."""
    options = vars(parse(sys.argv[1:] if arguments is None else arguments))
    with one_line_errors("measure"):
        if options.pop("concepts"):
            print("\n".join(concept_lines()))
        else:
            measure(**options)


if __name__ == "__main__":
    main()
