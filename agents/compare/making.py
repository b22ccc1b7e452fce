"""Works of a maker, and what making them costs. What fails here is the maker's own failure."""

from __future__ import annotations

import time
import traceback
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.agents.compare.entries import Entry
from move37.agents.compare.model_store import ModelStore
from move37.agents.makers.maker import Maker
from move37.envs.base.works import Works

STOCK_SHARE = 10
"""1 / share of the works compared are made beyond a maker's stock to measure their cost."""


class MakerError(Exception):
    """A maker failed, not the comparison: it is noted, and the other makers go on."""

    @property
    def text(self) -> str:
        """The maker's own error in one line."""
        return f"{type(self.__cause__).__name__}: {self.__cause__}"

    @property
    def traceback(self) -> str:
        """The traceback of the maker's own error."""
        return "".join(traceback.format_exception(self.__cause__))


@contextmanager
def _maker_code() -> Iterator[None]:
    """Whatever is raised within is a :class:`MakerError`; a request to stop passes."""
    try:
        yield
    except Exception as error:
        raise MakerError from error


@dataclass(frozen=True)
class Made:
    """Works of a maker.

    Attributes:
        works: N works, fresh and unselected.
        score: (N,) the reward by which the best are chosen: the maker's own, or else the
            learner's as it was before learning.
        inputs: The works that a filter made its own from; None for other makers.
        facts: What fitting and making cost.
    """

    works: Works
    score: NDArray[np.float64]
    inputs: Works | None
    facts: dict[str, Any]


def fit_maker(store: ModelStore, entry: Entry, seed: int) -> tuple[Maker, dict[str, Any]]:
    """The maker of a line, fitted or read from its folder, with what fitting it cost.

    Raises:
        MakerError: If the maker fails.
    """
    # What every maker starts from is the comparison's: an error there is not the maker's.
    store.network(seed)
    if entry.maker != "imitator":
        store.reward(seed)
    with _maker_code():
        return store.maker(entry, seed)


def make_works(store: ModelStore, entry: Entry, seed: int, n: int) -> Made:
    """Fit a maker, unless it is fitted already, and have it make n works.

    Raises:
        MakerError: If the maker fails, or does not make n works.
    """
    maker, facts = fit_maker(store, entry, seed)
    with _maker_code():
        works, cost = _timed(maker, n, _rng(entry, seed))
        if not isinstance(works, Works) or len(works) != n:
            made = len(works) if isinstance(works, Works) else type(works).__name__
            raise ValueError(f"generate({n}) made {made} instead of {n} works")
        # A filter's inputs are those that it draws from a generator in the same state.
        inputs = maker.inputs(n, _rng(entry, seed))
        score = maker.score(works)
        if score is not None and np.shape(score) != (n,):
            raise ValueError(f"score: expected shape ({n},), got {np.shape(score)}")
        facts = facts | cost | {"env_steps": maker.env_steps}
    if score is None:
        score = store.scorer(seed).score(works)
    return Made(works, np.asarray(score, np.float64), inputs, facts)


def _timed(maker: Maker, n: int, rng: np.random.Generator) -> tuple[Works, dict[str, float]]:
    """N works, and the wall and CPU seconds that 1,000 more of them cost."""
    wall, cpu, asked = time.perf_counter(), time.process_time(), n
    works = maker.generate(n, rng)
    if maker.stock:
        # Its stock was paid for while it was fitted: measured is what further works cost.
        wall, cpu, asked = time.perf_counter(), time.process_time(), max(1, n // STOCK_SHARE)
        maker.generate(maker.stock + asked, rng)
    return works, {
        "seconds_per_1000": 1000 * (time.perf_counter() - wall) / asked,
        "cpu_per_1000": 1000 * (time.process_time() - cpu) / asked,
    }


def _rng(entry: Entry, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(entry.name.encode())))
