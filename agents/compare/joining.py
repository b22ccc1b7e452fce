"""Seeds that were compared elsewhere, joined to the rows of a comparison.

A comparison takes hours, and its seeds are independent: they can be made on several machines. One
machine hands its ``comparison.json`` to the other; works stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from move37.agents.compare.columns import BEST, is_evidence
from move37.agents.compare.comparison_dir import ComparisonDir, term
from move37.agents.compare.entries import FIXED
from move37.agents.compare.results import Notes, flattened
from move37.envs.base.works import write_atomically
from move37.novelty.storage import read_json

TERMS = ("format", "world", "corpus", "exam", "budget", "works", "withhold")
"""What comparisons that are joined must have in common."""
EVALUATOR = ("heldout_quality", "form", "novelty_human")
"""Measures of the human works by which one evaluator is told from another."""
OTHER_JUDGES = ("second_quality", "craft", "bits_rnn", "bits_deflate")
"""Measures by further networks, each of which may be another one elsewhere."""
TOLERANCE = 0.01
"""Two networks count as one if their figures of human works differ by no larger a share: networks
trained alike on two machines are not equal to the bit, and need not be alike."""


def read_joined(path: Path) -> dict[str, Any]:
    """The results of another comparison, from its ``comparison.json``.

    Raises:
        ValueError: If the file is none.
    """
    found = read_json(path)
    try:
        flattened(found, path.name)
        for key in ("commands", "places"):
            list(found["meta"][key])
        int(found["meta"]["seeds"])
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: no comparison.json that can be joined ({error!r})") from None
    return found


def check_terms(path: Path, other: Mapping[str, Any], terms: Mapping[str, Any]) -> None:
    """Refuse the results of a comparison on other terms.

    Raises:
        ValueError: Names the first difference.
    """
    for key in TERMS:
        theirs, ours = term(other["meta"], key), term(terms, key)
        if theirs != ours:
            raise ValueError(f"{path}: a comparison with {key} = {theirs!r}; this one has {ours!r}")


def keep_joined(folder: ComparisonDir, paths: Sequence[Path]) -> None:
    """Copy the results of other comparisons into the folder, for this report and later ones.

    Raises:
        ValueError: If one of them cannot be joined, or the folder holds no comparison.
    """
    if not paths:
        return
    terms = folder.config()
    for path in paths:
        check_terms(path, read_joined(path), terms)
    for i, path in enumerate(paths):
        write_atomically(folder.joined / f"{i}.json", path.read_bytes())


def joined_to(folder: ComparisonDir) -> dict[str, dict[str, Any]]:
    """What :func:`keep_joined` copied, by the name of the file."""
    return {path.name: read_joined(path) for path in sorted(folder.joined.glob("*.json"))}


def join(
    rows: pd.DataFrame,
    notes: Notes,
    config: Mapping[str, Any],
    other: Mapping[str, Any],
    source: str,
) -> tuple[pd.DataFrame, Notes, dict[str, Any]]:
    """Join the seeds of another comparison.

    Args:
        rows: Of this comparison.
        notes: Of its makers.
        config: Of this comparison.
        other: As :func:`read_joined` returns it.
        source: Names the rows of ``other``.

    Returns:
        Rows, notes and configuration of both. ``kept_apart`` in the configuration names the
        measures of which only rows from here remain, since another network measured the others.
        Evidence that was taken at another depth is left out where there is some here.

    Raises:
        ValueError: If a seed is in both, or the human works were measured by another evaluator.
    """
    meta = other["meta"]
    theirs = flattened(other, source)
    apart = _measured_otherwise(rows, theirs)
    theirs = theirs[~theirs["measure"].str.removeprefix(BEST).isin(apart)]
    examined = bool(rows["measure"].map(is_evidence).any())
    if examined and meta.get("depth") != config.get("depth"):
        theirs = theirs[~theirs["measure"].map(is_evidence)]
    fixed = {*FIXED, *(name for name, note in meta["notes"].items() if note.get("added"))}
    # Works without seeds are the same there: taken is only what was not measured here.
    known = pd.MultiIndex.from_frame(rows[["name", "measure"]])
    measured = pd.MultiIndex.from_frame(theirs[["name", "measure"]]).isin(known)
    new = theirs[~(theirs["name"].isin(fixed) & measured)]
    both = pd.concat([rows, new], ignore_index=True)
    # Makers keep the order in which they came, their rows that of the seeds.
    both = both.sort_values("seed", kind="stable", ignore_index=True)
    notes = _joined_notes(notes, meta["notes"], fixed)
    seeds = {seed for name, note in notes.items() if name not in fixed for seed in note["seeds"]}
    return both, notes, {
        **config,
        "seeds": len(seeds) or config["seeds"],
        "commands": list(dict.fromkeys([*meta["commands"], *config["commands"]])),
        "places": [*meta["places"], *(p for p in config["places"] if p not in meta["places"])],
        "kept_apart": sorted({*config.get("kept_apart", ()), *apart}),
        "depth": config.get("depth") if examined else meta.get("depth"),
    }  # fmt: skip


def _joined_notes(ours: Notes, theirs: Notes, fixed: set[str]) -> Notes:
    """The notes of both, with the seeds of both.

    Raises:
        ValueError: If a maker has a seed in both.
    """
    joined = dict(ours)
    for name, note in theirs.items():
        own = joined.get(name, {**note, "seeds": []})
        more = [] if name in fixed and own["seeds"] else note["seeds"]
        if twice := set(own["seeds"]) & set(more):
            raise ValueError(f"{name}: seed {min(twice)} is here and among what is joined")
        joined[name] = {**own, "seeds": sorted([*own["seeds"], *more])}
    return joined


def _measured_otherwise(rows: pd.DataFrame, theirs: pd.DataFrame) -> set[str]:
    """The measures for which other networks stand there than here.

    Raises:
        ValueError: If the evaluator is another one, or it cannot be told.
    """
    means = [t[t["name"] == "human"].groupby("measure")["value"].mean() for t in (rows, theirs)]
    if any(mean.empty for mean in means):
        raise ValueError("without human works it cannot be told who measured what is joined")
    both = pd.concat(means, axis=1, join="inner", keys=["here", "there"])
    apart = set()
    for key in (*EVALUATOR, *OTHER_JUDGES):
        if key not in both.index or math.isclose(*both.loc[key], rel_tol=TOLERANCE):
            continue
        if key in EVALUATOR:
            raise ValueError(
                f"what is joined was measured by another evaluator: {key} of human works is "
                f"{both.there[key]:.4g} there and {both.here[key]:.4g} here"
            )
        apart.add(key)
    return apart
