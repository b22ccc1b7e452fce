"""Briefs that have a meaning: a concept, and one human's drawing of it, the exemplar.

A brief is a row of moves: strokes that are on the board already, as in free drawing; END; the
number of the concept in the list of concepts, or END for none; then the exemplar's moves. What
reads a brief as strokes stops at the first END.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD, check_moves
from move37.envs.drawing.designers.labelled import NONE
from move37.envs.drawing.dynamics import ink_of, parse_brief
from move37.envs.drawing.moves import END, MAX_MOVES, N_MOVES, POINTS

KEPT = MAX_MOVES
"""Moves that may be on the board at most."""
WIDTH = KEPT + 2 + MAX_MOVES
"""Numbers in a brief."""


def make_briefs(
    concepts: NDArray[np.int64], exemplars: NDArray[np.int16], kept: NDArray[np.int16] | None = None
) -> NDArray[np.int16]:
    """Briefs (N, 98) of concepts and exemplars.

    Args:
        concepts: (N,) by their numbers; -1 for none.
        exemplars: (N, T) moves; an empty row for none.
        kept: (K,) moves that are on the board already.
    """
    rows = np.full((len(concepts), WIDTH), PAD, np.int16)
    kept = np.zeros(0, np.int16) if kept is None else kept
    n = len(kept)
    rows[:, :n] = kept
    rows[:, n] = END
    rows[:, n + 1] = np.where(concepts >= 0, concepts, END)
    seen = np.where(exemplars == END, PAD, exemplars)[:, :MAX_MOVES]
    rows[:, n + 2 : n + 2 + seen.shape[1]] = seen
    return rows


def concepts_of(briefs: NDArray[np.int16]) -> NDArray[np.int64]:
    """Numbers of the concepts (N,) of briefs (N, B); -1 for none."""
    after = np.minimum(_starts(briefs) + 1, briefs.shape[1] - 1) if briefs.shape[1] else None
    if after is None:
        return np.full(len(briefs), NONE, np.int64)
    found = briefs[np.arange(len(briefs)), after].astype(np.int64)
    there = (briefs == END).any(axis=1) & (found != END) & (found != PAD)
    return np.where(there, found, NONE)


def exemplars_of(briefs: NDArray[np.int16]) -> NDArray[np.int16]:
    """Moves (N, 48) of the exemplars of briefs (N, B), padded with -1."""
    out = np.full((len(briefs), MAX_MOVES), PAD, np.int16)
    starts = _starts(briefs) + 2
    for i, (row, start) in enumerate(zip(briefs, starts, strict=True)):
        seen = row[start:]
        seen = seen[seen >= 0][:MAX_MOVES]
        out[i, : len(seen)] = seen
    return out


def _starts(briefs: NDArray[np.int16]) -> NDArray[np.int64]:
    """Where the first END is, or the width if there is none."""
    found = briefs == END
    return np.where(found.any(axis=1), found.argmax(axis=1) if briefs.size else 0, briefs.shape[1])


def exemplar_ink(briefs: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The exemplars' ink (N, 576) in {0, 1}."""
    ink = np.zeros((len(briefs), POINTS), np.uint8)
    ink_of(exemplars_of(briefs), ink, 1)
    return ink


def check_briefs(briefs: NDArray[np.int16], n_concepts: int) -> None:
    """Refuse what is no brief.

    Raises:
        ValueError: If something is no move, or there is no such concept.
    """
    check_moves("briefs", briefs, N_MOVES)
    concepts = concepts_of(briefs)
    if (concepts >= n_concepts).any():
        raise ValueError(f"briefs: there is no concept {concepts.max()} of {n_concepts}")


def parse_concept_brief(brief: Any, numbers: Mapping[str, int]) -> NDArray[np.int16]:
    """A brief (98,) of what a user gives; (0,) for None.

    Args:
        brief: A mapping with some of ``concept`` (name or number), ``exemplar`` and ``kept``
            (moves, or strokes, each (P, 2) of x and y); a list of strokes: the exemplar; an array
            of moves: a whole brief.
        numbers: Of concepts by name.

    Raises:
        ValueError: If it is none.
    """
    if brief is None or len(brief) == 0:
        return np.zeros(0, np.int16)
    if isinstance(brief, Mapping):
        if unknown := set(brief) - {"concept", "exemplar", "kept"}:
            raise ValueError(f"brief: {sorted(map(str, unknown))[0]!r} is none of concept, "
                             "exemplar, kept")  # fmt: skip
        concept = brief.get("concept", NONE)
        if isinstance(concept, str):
            if concept not in numbers:
                raise ValueError(f"brief: {concept!r} is no concept")
            concept = numbers[concept]
        exemplar, kept = (_short(key, brief.get(key)) for key in ("exemplar", "kept"))
    elif np.ndim(brief[0]) == 0:
        whole = np.asarray(brief)
        if whole.ndim != 1 or whole.dtype.kind not in "iu" or len(whole) > WIDTH:
            raise ValueError(f"brief: expected at most {WIDTH} whole numbers")
        row = np.full(WIDTH, PAD, np.int16)
        row[: len(whole)] = whole
        check_briefs(row[None], len(numbers))
        return row
    else:
        concept, kept = NONE, np.zeros(0, np.int16)
        exemplar = _short("exemplar", brief)
    rows = make_briefs(np.array([concept], np.int64), exemplar[None], kept)
    check_briefs(rows, len(numbers))
    return np.asarray(rows[0], np.int16)


def _short(key: str, moves: Any) -> NDArray[np.int16]:
    parsed = parse_brief(moves)
    if len(parsed) > MAX_MOVES:
        raise ValueError(f"brief: {key} has {len(parsed)} moves, at most {MAX_MOVES} fit")
    return parsed
