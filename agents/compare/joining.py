"""Seeds that were compared elsewhere, joined to the figures of a comparison.

A comparison takes hours, and its seeds have nothing to do with each other: they can be made on
several machines. What one hands to another is its ``comparison.json``; works stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from move37.agents.compare.columns import BEST, EVIDENCE
from move37.agents.compare.table import Table, figure_of_seeds
from move37.envs.base.works import write_atomically
from move37.novelty.storage import read_json

TERMS = ("format", "world", "corpus", "exam", "budget", "works", "withhold")
"""What comparisons that are joined must have in common."""
ABSENT: dict[str, Any] = {"corpus": "", "exam": "", "first_seed": 0}
"""What terms are that older comparisons do not name."""
YARDSTICK = ("heldout_quality", "form", "novelty_human")
"""Columns of the human works by which one yardstick is told from another."""
OTHERS = ("second_quality", "craft", "bits_rnn", "bits_deflate")
"""Columns of the panel's other members, each of which may be another one elsewhere."""
TOLERANCE = 0.01
"""Two members of panels are one if what they say of human works differs by no larger a share.

Networks that were trained alike on two machines are not equal to the bit, and need not be alike."""
FOLDER = "joined"


def read_joined(path: Path) -> dict[str, Any]:
    """What another comparison found.

    Raises:
        ValueError: If the file is no ``comparison.json``.
    """
    found = read_json(path)
    try:
        for name, columns in found["makers"].items():
            seeds = found["meta"]["notes"][name]["seeds"]
            if not all(type(seed) is int for seed in seeds):
                raise TypeError("seeds are whole numbers")
            for key, one in _flat(columns).items():
                if not all(math.isfinite(row["value"]) for row in _rows(one)):
                    raise ValueError(f"{key} of {name} is not finite")
        for key in ("commands", "places"):
            list(found["meta"][key])
        int(found["meta"]["seeds"])
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: no comparison.json that can be joined ({error!r})") from None
    return found


def term(config: Mapping[str, Any], key: str) -> Any:
    """What a comparison's configuration says of a term; None if nothing."""
    return config.get(key, ABSENT.get(key))


def check_terms(path: Path, other: Mapping[str, Any], terms: Mapping[str, Any]) -> None:
    """Refuse figures that were found on other terms.

    Raises:
        ValueError: Names the first difference.
    """
    for key in TERMS:
        theirs, ours = term(other["meta"], key), term(terms, key)
        if theirs != ours:
            raise ValueError(f"{path}: a comparison with {key} = {theirs!r}; this one has {ours!r}")


def keep_joined(out: Path, paths: Sequence[Path]) -> None:
    """Keep a copy of other comparisons' figures, for this report and later ones.

    Raises:
        ValueError: If one of them cannot be joined, or the folder holds no comparison.
    """
    if not paths:
        return
    terms = read_json(out / "config.json")
    for path in paths:
        check_terms(path, read_joined(path), terms)
    for i, path in enumerate(paths):
        write_atomically(out / FOLDER / f"{i}.json", path.read_bytes())


def joined_to(out: Path) -> list[dict[str, Any]]:
    """What :func:`keep_joined` kept."""
    return [read_joined(path) for path in sorted((out / FOLDER).glob("*.json"))]


def join(
    table: Table, notes: dict[str, Any], config: Mapping[str, Any], other: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Join the seeds of another comparison.

    Args:
        table: Is added to.
        notes: Of its makers.
        config: Of this comparison.
        other: As :func:`read_joined` gives it.

    Returns:
        The configuration and the notes of both; ``kept_apart`` names the columns in which only
        seeds from here stand, because others were measured by another member of the panel.
        Evidence that was taken at another depth is left out where there is some here.

    Raises:
        ValueError: If a seed is in both, or the human works were measured by another yardstick.
    """
    meta = other["meta"]
    apart = _kept_apart(table, other["makers"])
    examined = any(_is_evidence(key) for columns in table.values() for key in columns)
    shallow = examined and meta.get("depth") != config.get("depth")
    notes = {**notes}
    mine: set[int] = set()
    theirs: set[int] = set()
    for name, columns in other["makers"].items():
        note = meta["notes"][name]
        own = notes.get(name, {**note, "seeds": []})
        held = table.setdefault(name, {})
        joined = {
            key: one
            for key, one in _flat(columns).items()
            if key.removeprefix(BEST) not in apart and not (shallow and _is_evidence(key))
        }
        if name in _without_seeds(meta) and own["seeds"]:
            # The same works: what was found there is taken where nothing was found here.
            joined = {key: one for key, one in joined.items() if key not in held}
            note = {**note, "seeds": []}
        if both := set(own["seeds"]) & set(note["seeds"]):
            raise ValueError(f"{name}: seed {min(both)} is here and among what is joined")
        if name not in _without_seeds(meta):
            mine |= set(own["seeds"])
            theirs |= set(note["seeds"])
        rng = np.random.default_rng(0)
        for key, one in joined.items():
            # Where a column does not say, its seeds are the maker's first ones.
            theirs_of = one.get("seeds") or meta["notes"][name]["seeds"]
            rows = dict(zip(theirs_of, _rows(one), strict=False))
            if key in held:
                rows |= dict(zip(held[key].seeds, _rows(held[key].plain()), strict=True))
            seeds = tuple(sorted(rows))
            found = figure_of_seeds([rows[seed] for seed in seeds], rng)
            held[key] = replace(found, seeds=seeds)
        notes[name] = {**own, "seeds": sorted([*own["seeds"], *note["seeds"]])}
    places = [*meta["places"], *(p for p in config["places"] if p not in meta["places"])]
    more = {
        "seeds": len(mine | theirs) or config["seeds"],
        "commands": list(dict.fromkeys([*meta["commands"], *config["commands"]])),
        "places": places,
        "kept_apart": sorted({*config.get("kept_apart", ()), *apart}),
        "depth": config.get("depth") if examined else meta.get("depth"),
    }
    return {**config, **more}, notes


def _without_seeds(meta: Mapping[str, Any]) -> set[str]:
    """Names of works that nobody has to make: they are the same whatever the seed."""
    added = {name for name, note in meta["notes"].items() if note.get("added")}
    return {"human", "outsiders", "noise", *added}


def _is_evidence(key: str) -> bool:
    return key.partition("/")[0] in EVIDENCE


def _kept_apart(table: Table, makers: Mapping[str, Any]) -> set[str]:
    here, there = table.get("human"), makers.get("human")
    if here is None or there is None:
        raise ValueError("without human works it cannot be told who measured what is joined")
    apart = set()
    for key in (*YARDSTICK, *OTHERS):
        if key not in here or key not in there:
            continue
        a, b = here[key].mean, float(there[key]["mean"])
        if abs(a - b) <= TOLERANCE * max(abs(a), abs(b)):
            continue
        if key in YARDSTICK:
            raise ValueError(
                f"what is joined was measured by another yardstick: {key} of human works is "
                f"{b:.4g} there and {a:.4g} here"
            )
        apart.add(key)
    return apart


def _flat(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of one maker as in ``comparison.json``, by ``measure/name`` again."""
    out: dict[str, Any] = {}
    for key, one in columns.items():
        if key in EVIDENCE:
            out |= {f"{key}/{name}": figure for name, figure in one.items()}
        else:
            out[key] = one
    return out


def _rows(figure: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each seed's value, and its own interval as far as that is known."""
    values = figure["values"]
    ends = figure.get("intervals") or [None] * len(values)
    if len(values) == 1 and ends == [None] and figure["low"] is not None:
        ends = [(figure["low"], figure["high"])]
    return [
        {"value": value, "low": None, "high": None}
        if pair is None
        else {"value": value, "low": pair[0], "high": pair[1]}
        for value, pair in zip(values, ends, strict=True)
    ]
