"""Briefs that boards answer: the pool they are drawn from, and how a user's brief is read."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import PAD, whole_numbers
from move37.envs.composition.corpus.chorales import load_corpus
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    HOLD,
    SOPRANO,
    check_briefs,
)


@cache
def default_briefs(mode: Mode) -> NDArray[np.int16]:
    """Briefs (M, 67) of the training tunes of Bach's chorales."""
    corpus = load_corpus("bach")
    briefs = corpus.works.briefs[corpus.split()["train"]]
    return briefs if mode.soprano_is_given else frames_of(briefs)


def frames_of(briefs: NDArray[np.int16]) -> NDArray[np.int16]:
    """Briefs (N, 67) without their sopranos."""
    out = briefs.copy()
    out[:, SOPRANO:FERMATA] = HOLD
    return out


def parse_brief(brief: Any, mode: Mode) -> NDArray[np.int16]:
    """Check a brief that a user gives, or complete a short one.

    Args:
        brief: (67,) as in :mod:`.moves`. Short for it are, where the soprano is given, its 32
            codes: taken to be in C major, to begin with a bar, with a fermata on the last note;
            and where it is written, (35,): mode of the key, place in the bar, tonic, 32 fermata
            flags. None: none.
        mode: In which it is answered.

    Returns:
        (67,) int16; (0,) for none.

    Raises:
        ValueError: If something in it is no whole number or out of range, or a soprano is given
            that is to be written.
    """
    if brief is None or len(brief) == 0:
        return np.zeros(0, np.int16)
    given = whole_numbers("brief", brief)
    short = EIGHTHS if mode.soprano_is_given else SOPRANO + EIGHTHS
    if given.shape == (short,):
        given = _of_soprano(given) if mode.soprano_is_given else _of_frame(given)
    if given.shape != (BRIEF,):
        raise ValueError(f"brief: expected shape ({BRIEF},) or ({short},), got {given.shape}")
    if (given == PAD).all():
        return given.astype(np.int16)
    if not mode.soprano_is_given and (given[SOPRANO:FERMATA] != HOLD).any():
        raise ValueError(f"brief: the soprano is written here, not given; its codes must be {HOLD}")
    if (given < 0).any():
        raise ValueError(f"brief: {given[given < 0][0]} is out of range")
    check_briefs(given[None])
    return given.astype(np.int16)


def _of_soprano(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A brief (67,) of the codes (32,) of a soprano."""
    whole = np.zeros(BRIEF, np.int64)
    whole[SOPRANO:FERMATA] = codes
    last = np.flatnonzero(codes != HOLD)[-1] if (codes != HOLD).any() else 0
    whole[FERMATA + last :] = 1
    return whole


def _of_frame(frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """A brief (67,) of a frame (35,)."""
    return np.concatenate([frame[:SOPRANO], np.full(EIGHTHS, HOLD), frame[SOPRANO:]])
