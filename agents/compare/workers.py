"""A comparison in several processes.

The processes share nothing but the comparison's folder, to which every file is written atomically.
A maker that cannot be fitted is tried again, and noted, when its works are made.
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
from move37.agents.compare.config import CompareConfig
from move37.agents.compare.entries import Entry
from move37.agents.compare.evaluation_suite import EvaluationSuite
from move37.agents.compare.making import MakerError, fit_maker

IMITATOR, LEARNER = "imitator", "learner"
"""Makers that others start from, or whose CPU time is their budget."""

_comparison: Comparison | None = None
_suite: EvaluationSuite | None = None
# What a worker process works on; set once, in the worker, by _enter and _make.


def _end_with(parent: int) -> None:
    """End this process when its parent ends; it would otherwise work on for hours."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _enter(options: CompareConfig, parent: int) -> None:
    """Initialise a worker process."""
    global _comparison
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _comparison = Comparison(options)
    _comparison.enter()


def _fit(entry: Entry, seed: int) -> str:
    assert _comparison is not None
    try:
        fit_maker(_comparison.model_store, entry, seed)
    except MakerError as error:  # tried again, and noted, when its works are made
        return f"{entry.key}, seed {seed}: {error.text}"
    finally:
        _comparison.model_store.forget_makers()
    return f"{entry.key}, seed {seed}: fitted"


def _make(entries: Sequence[Entry], seed: int) -> str:
    global _suite
    assert _comparison is not None
    if _suite is None:
        _suite = _comparison.suite()
    _comparison.make(_suite, entries, seed)
    return ""


def _take_evidence(name: str, seed: int) -> str:
    assert _comparison is not None
    _comparison.take_evidence(name, seed)
    return ""


class WorkerPool:
    """Worker processes of one comparison; a context manager that ends them.

    Args:
        options: Of the comparison; ``jobs`` is the number of processes.
        entries: Lines of the comparison.
        log: Takes one line about what happens.
    """

    def __init__(
        self, options: CompareConfig, entries: Sequence[Entry], log: Callable[[str], None]
    ) -> None:
        self._seeds, self._log = options.all_seeds, log
        # The lines of one maker at several temperatures are made of one fitted network.
        self._lines: dict[str, list[Entry]] = {}
        for entry in entries:
            self._lines.setdefault(entry.key, []).append(entry)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(options.jobs, context, _enter, (options, os.getpid()))

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=error[0] is None, cancel_futures=True)

    def _all(self, task: Callable[..., str], arguments: Sequence[tuple[Any, int]]) -> None:
        futures = [self._pool.submit(task, *pair) for pair in arguments]
        for future in as_completed(futures):
            if line := future.result():
                self._log(line)

    def fit(self) -> None:
        """Fit every maker for every seed, and the char-RNN of seed 0, with which bits are measured.

        The imitators come first, since all makers need them, then the learners, whose CPU time is
        the budget of others.
        """
        imitator, rnn = Entry(IMITATOR, IMITATOR), Entry("rnn", "rnn")
        makers = {key: lines[0] for key, lines in self._lines.items()}
        learners = [makers.pop(LEARNER)] if LEARNER in makers else []
        makers.pop(IMITATOR, None)
        # The searches, which take longest, stand last in a comparison and begin here.
        others = [(entry, seed) for seed in self._seeds for entry in reversed(makers.values())]
        if rnn.key not in makers or 0 not in self._seeds:
            others.append((rnn, 0))
        self._all(_fit, [(imitator, seed) for seed in self._seeds])
        self._all(_fit, [(entry, seed) for entry in learners for seed in self._seeds])
        self._all(_fit, others)

    def make(self) -> None:
        """Make and measure works of every maker and seed."""
        self._all(_make, [(lines, seed) for seed in self._seeds for lines in self._lines.values()])

    def take_evidence(self, tasks: Sequence[tuple[str, int]]) -> None:
        """Measure the shift of makers and seeds."""
        self._all(_take_evidence, tasks)


def run(comparison: Comparison) -> None:
    """Do what :meth:`Comparison.run` does, in as many processes as its options say."""
    added = comparison.begin()
    with WorkerPool(comparison.options, comparison.entries, comparison.log) as pool:
        pool.fit()
        comparison.measure_given(added)
        pool.make()
        pool.take_evidence(comparison.evidence_tasks())
