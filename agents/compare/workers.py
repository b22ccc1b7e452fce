"""A comparison's makers, fitted and asked for works in several processes at once.

Processes share nothing but the comparison's folder, to which every file is written atomically. What
fails in one of them is tried again, and noted, when its works are made.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from move37.agents.compare.comparison import Comparison
from move37.agents.compare.config import CompareConfig, Entry
from move37.agents.compare.evaluation_suite import EvaluationSuite

IMITATOR, LEARNER = "imitator", "learner"
"""Recipes that others begin with, or are held to."""

_comparison: Comparison | None = None
_panel: EvaluationSuite | None = None


def _end_with(parent: int) -> None:
    """End this process when its parent is no more: it would go on for hours, for nobody."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _enter(options: CompareConfig, parent: int) -> None:
    """Begin a process."""
    global _comparison
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _comparison = Comparison(options)
    _comparison.enter()


def _fit(entry: Entry, seed: int) -> str:
    assert _comparison is not None
    name = f"{entry.name if entry.timed else entry.recipe}, seed {seed}"
    try:
        _comparison.model_store.maker(entry, seed)
    except Exception as error:  # tried again, and noted, when its works are made
        return f"{name}: {type(error).__name__}: {error}"
    finally:
        _comparison.model_store.forget_makers()
    return f"{name}: fitted"


def _make(entries: Sequence[Entry], seed: int) -> str:
    global _panel
    assert _comparison is not None
    if _panel is None:
        _panel = _comparison.suite()
    _comparison.make(_panel, entries, seed)
    return ""


def _examine(name: str, seed: int) -> str:
    assert _comparison is not None
    _comparison.examine(name, seed)
    return ""


class WorkerPool:
    """Processes at work on one comparison; leave it as a context to end them.

    Args:
        options: With ``jobs`` processes.
        entries: Lines of the comparison.
        log: Takes one line about what happens.
    """

    def __init__(
        self, options: CompareConfig, entries: Sequence[Entry], log: Callable[[str], None]
    ) -> None:
        self._seeds, self._log = options.all_seeds, log
        self._lines: dict[tuple[str, bool], list[Entry]] = {}
        for entry in entries:
            self._lines.setdefault((entry.recipe, entry.timed), []).append(entry)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(options.jobs, context, _enter, (options, os.getpid()))

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=error[0] is None, cancel_futures=True)

    def _all(self, what: Callable[..., str], tasks: Sequence[tuple[Any, int]]) -> None:
        futures = [self._pool.submit(what, *task) for task in tasks]
        for future in as_completed(futures):
            if line := future.result():
                self._log(line)

    def fit(self) -> None:
        """Fit every maker for every seed, and the char-RNN of the first, which measures."""
        rnn = Entry("rnn", "rnn")
        ones = {key: lines[0] for key, lines in self._lines.items()}
        first = [entry for (recipe, _), entry in ones.items() if recipe == LEARNER]
        # The searches, which take longest, stand last in a comparison and begin here.
        rest = [e for (recipe, _), e in reversed(ones.items()) if recipe not in (LEARNER, IMITATOR)]
        later = [(entry, seed) for seed in self._seeds for entry in rest]
        if (rnn.recipe, False) not in ones:
            later.append((rnn, 0))
        imitator = Entry(IMITATOR, IMITATOR)
        self._all(_fit, [(imitator, seed) for seed in self._seeds])
        self._all(_fit, [(entry, seed) for entry in first for seed in self._seeds])
        self._all(_fit, later)

    def make(self) -> None:
        """Make and measure works of every maker and seed."""
        self._all(_make, [(lines, seed) for seed in self._seeds for lines in self._lines.values()])

    def examine(self, tasks: Sequence[tuple[str, int]]) -> None:
        """Take the evidence of shift of makers and seeds."""
        self._all(_examine, tasks)


def run(comparison: Comparison) -> None:
    """Do what :meth:`Comparison.run` does, in as many processes as its options say."""
    added = comparison.begin()
    with WorkerPool(comparison.options, comparison.entries, comparison.log) as pool:
        pool.fit()
        comparison.measure_given(added)
        pool.make()
        pool.examine(comparison.examined())
