"""Which works are shown: from a run, a comparison or a file, by their terms."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.agents.compare.comparison_dir import FORMAT, ComparisonDir
from move37.agents.learner.loading import newest_intact
from move37.agents.learner.train_loop import IMITATOR
from move37.agents.runs.checkpoint_io import Checkpoint, load_checkpoint
from move37.agents.runs.config import FILE
from move37.agents.runs.train_state import steps_of, works_of
from move37.envs.base.registry import find_world, load_works
from move37.envs.base.works import Works, WorksError
from move37.envs.base.world import Measures, World
from move37.novelty.storage import StorageError, part, read_json
from move37.outputs import AnyPath, Log

OLD_TERMS = {
    "newness": "novelty_reward", "surprise": "clipped_novelty", "variety": "self_diversity",
    "repeat": "duplicate", "habit": "mode_collapse",
}  # fmt: skip
"""What terms are called now that version 0.1 called otherwise."""
FILES = {"fresh": "works.npz", "admitted": "admitted.npz"}
NEWEST = 400
"""Works of a checkpoint that are shown."""
JUDGED = "judged/"
"""Before the terms of works that the judges of their run gave."""
SCORES = ("reward", "own_score")
"""What works are best by, if nothing is said: the first of these that they have."""
OPERATORS = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, "=": operator.eq,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(rf"([^\s<>=!]+)\s*({'|'.join(OPERATORS)})\s*(\S+)")


@dataclass(frozen=True)
class Source:
    """Works, and what else lies beside them.

    Attributes:
        name: Of the works, for titles.
        world: Their world; its human works are read when they are first asked for.
        works: All of them.
        kind: ``"run"``, ``"checkpoint"``, ``"comparison"`` or ``"file"``.
        judges: Folder of the judges that measured them; None: there is none.
        imitator: Weights of the frozen imitator; need not exist. None: there are none.
    """

    name: str
    world: World
    works: Works
    kind: str
    judges: Path | None = None
    imitator: Path | None = None


def load_source(path: AnyPath, which: str, world: str, log: Log) -> Source:
    """Works of a run, a checkpoint, a comparison or a file.

    Args:
        path: Folder of a run, finished or not; a checkpoint of one; folder of a comparison, or a
            file in its ``works``; any other file of works.
        which: ``"fresh"`` or ``"admitted"``, of a run; NAME-SEED, of a comparison, whose learner
            is ``"fresh"``; ``"fresh"`` of a file.
        world: The name of the works' world; empty: the one that the run was started with.
        log: Told of what stands in for works that are not there yet.

    Raises:
        ValueError: If they cannot be read, or there is no such world.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return _of_checkpoint(path.parent.parent, path, load_checkpoint(path), world, log)
    if path.is_file():
        if which != "fresh":
            raise WorksError(f"--works: {path} is a file of works, not the folder of a run")
        if path.parent.name == "works" and _is_comparison(path.parent.parent):
            return _of_comparison(path.parent.parent, path.stem, world, log)
        return Source(path.stem, *_loaded(path, world), "file")
    if _is_comparison(path):
        return _of_comparison(path, which, world, log)
    if which not in FILES:
        raise WorksError(f"--works: {which!r} is none of {', '.join(FILES)}")
    config = path / FILE
    if which == "fresh" and config.exists() and not (path / FILES[which]).exists():
        return _of_checkpoint(path, *newest_intact(path, load_checkpoint, log), world, log)
    # A world that is no part of Move37 is found by the name that the run was started with.
    name = world or (str(read_json(config).get("world", "")) if config.exists() else "")
    return Source(path.name, *_loaded(path / FILES[which], name), "run", path, path / IMITATOR)


def _loaded(path: Path, world: str) -> tuple[World, Works]:
    """A world and the works of a file, whose terms have the names of today."""
    loaded, works = load_works(path, world)
    terms = {OLD_TERMS.get(key, key): values for key, values in works.appraisal.items()}
    return loaded, works.with_appraisal(terms)


def _is_comparison(path: Path) -> bool:
    config = path / FILE
    return config.exists() and read_json(config).get("format") == FORMAT


def _of_comparison(path: Path, which: str, world: str, log: Log) -> Source:
    folder = ComparisonDir(path)
    names = sorted(file.stem for file in (path / "works").glob("*.npz"))
    known = ", ".join(name for name in names if not name.endswith("-best")) or "no works yet"
    known += "; each also with -best behind it"
    if which == "fresh":
        which = next((name for name in names if re.fullmatch(r"learner-\d+", name)), which)
        if which in names:
            log(f"works of {which}; --works takes {known}")
    if which not in names:
        raise WorksError(f"--works: {which!r} is none of {known}")
    seed = int(which.removesuffix("-best").rpartition("-")[2])
    name = world or str(folder.config()["world"])
    loaded, works = _loaded(path / "works" / f"{which}.npz", name)
    imitator = folder.maker(seed, "imitator") / IMITATOR
    return Source(f"{path.name}, {which}", loaded, works, "comparison", folder.judges, imitator)


def _of_checkpoint(run: Path, path: Path, checkpoint: Checkpoint, world: str, log: Log) -> Source:
    """The newest works that a learner had made at a checkpoint, measured by the run's judges."""
    config = run / FILE
    name = world or (str(read_json(config)["world"]) if config.exists() else "")
    if not name:
        raise WorksError(f"{path}: lies in no run; --world says whose works it holds")
    loaded, arrays = find_world(name)(), part(checkpoint.arrays, "works")
    if not arrays:
        raise WorksError(f"{path}: no work was finished before it")
    works = works_of(loaded.id, arrays)[-NEWEST:]
    loaded.check_works(works)
    log(f"{len(works)} works, the newest after {steps_of(path):,} moves of learning")
    judges: Path | None = run
    try:
        measured = loaded.load_evaluator(run).measure(works)
        works = works.with_appraisal({**works.appraisal, **judged(measured)})
    except (StorageError, WorksError, OSError) as error:  # it lies in another folder, say
        judges = None
        log(f"not judged: {error}")
    return Source(f"{run.name}, learning", loaded, works, "checkpoint", judges, run / IMITATOR)


def judged(measured: Measures) -> Measures:
    """What judges measured, by names that no term of a reward has."""
    return {f"{JUDGED}{key}": values for key, values in measured.items()}


def terms_of(works: Works) -> dict[str, NDArray[np.float64]]:
    """All terms of works by the names they can be asked for; what the judges gave by its own name.

    Where the reward has a term of that name, that of the judges is ``judged/NAME``.
    """
    given = dict(works.appraisal)
    short = {key.removeprefix(JUDGED): values for key, values in given.items()}
    return {"moves": works.lengths.astype(np.float64), **short, **given}


def find_term(works: Works, name: str, option: str) -> NDArray[np.float64]:
    """A term of works (N,).

    Raises:
        WorksError: If there is none of this name.
    """
    terms = terms_of(works)
    if name not in terms:
        known = ", ".join(sorted(terms))
        raise WorksError(f"--{option}: these works have no term {name!r}; there are {known}")
    return terms[name]


Condition = tuple[str, str, float]
"""Name of a term, operator, number."""


def parse_where(text: str) -> list[Condition]:
    """Conditions: NAME OP NUMBER, several joined by ``and``.

    Raises:
        ValueError: If a part of the text is none.
    """
    found = []
    for clause in re.split(r"\s+and\s+", text.strip()):
        match = _CONDITION.fullmatch(clause.strip())
        try:
            if match is None:
                raise ValueError
            found.append((match[1], match[2], float(match[3])))
        except ValueError:
            raise ValueError(
                f"--where: {clause!r} is no condition; expected NAME OP NUMBER, OP one of "
                f"{' '.join(OPERATORS)}, several joined by `and`"
            ) from None
    return found


def holds(works: Works, conditions: Sequence[Condition]) -> NDArray[np.bool_]:
    """(N,) bool: where all conditions hold; of nan none does.

    Raises:
        WorksError: If works have no such term.
    """
    out = np.ones(len(works), np.bool_)
    for name, sign, number in conditions:
        values = find_term(works, name, "where")
        out &= OPERATORS[sign](values, number) & ~np.isnan(values)
    return out


def score_of(works: Works) -> str | None:
    """The term that works are best by, if nothing is said; None if they have none."""
    return next((score for score in SCORES if score in works.appraisal), None)


def choose(
    works: Works,
    rows: NDArray[np.int64],
    *,
    sort: str | None = None,
    ascending: bool = False,
    best: int | None = None,
    newest: int | None = None,
    random: int | None = None,
    ids: Any = None,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Numbers of the works to show, among ``rows``, in the order in which they are shown.

    For the arguments see :func:`move37.replay.replay`.

    Raises:
        WorksError: If works have no such term, or none or two kinds of works are asked for.
    """
    choices = {"best": best, "newest": newest, "random": random, "id": ids}
    made = [name for name, choice in choices.items() if choice is not None]
    if len(made) > 1:
        raise WorksError(f"--{made[1]}: not allowed with --{made[0]}")
    for name in made:
        if name != "id" and choices[name] < 1:
            raise WorksError(f"--{name}: must be at least 1")
    if newest is not None:
        rows = np.sort(rows)[::-1][:newest]
    elif random is not None:
        rows = np.random.default_rng(seed).permutation(rows)[:random]
    chosen = not (ids is None and newest is None and random is None)
    key = sort or (None if chosen else score_of(works))
    if key is not None:
        values = find_term(works, key, "sort")[rows]
        rows = rows[np.argsort(values if ascending else -values, kind="stable")]  # nan comes last
    return rows if chosen else rows[: best or 10]
