"""A comparison in several processes.

The processes share nothing but the comparison's folder, to which every file is written atomically.
A maker that cannot be fitted is tried again, and noted, when its works are made.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from typing import Any

from move37.agents.compare.comparison import Comparison
from move37.agents.compare.config import CompareConfig
from move37.agents.compare.entries import Entry
from move37.agents.compare.model_store import MakerError
from move37.agents.runs.terminal import Clock

IMITATOR, LEARNER = "imitator", "learner"
"""Makers that others start from, or whose CPU time is their budget."""

_clock = Clock()
"""Of this process; that of a worker tells the time since the comparison began."""


def _enter(began: float) -> None:
    """End this process when its parent ends; it would otherwise work on for hours.

    Args:
        began: When the comparison began (Unix time).
    """
    global _clock
    _clock = Clock(began)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@cache
def _entered(options: CompareConfig) -> Comparison:
    """The comparison that this worker process takes part in."""
    return Comparison(options, _clock.log)


def _do(task: Callable[..., str | None], options: CompareConfig, *arguments: Any) -> str | None:
    return task(_entered(options), *arguments)


def _fit(comparison: Comparison, entry: Entry, seed: int) -> str:
    store = comparison.model_store
    try:
        store.maker(entry, seed)
    except MakerError as error:  # tried again, and noted, when its works are made
        return f"{entry.key}, seed {seed}: {error.text}"
    finally:
        store.forget_makers()
    return f"{entry.key}, seed {seed}: fitted"


def run(comparison: Comparison) -> None:
    """Do what :meth:`Comparison.run` does, in as many processes as its options say."""
    options, seeds = comparison.options, comparison.options.all_seeds
    added = comparison.begin()
    # The lines of one maker at several temperatures are made of one fitted network.
    lines: dict[str, list[Entry]] = {}
    for entry in comparison.entries:
        lines.setdefault(entry.key, []).append(entry)
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(options.jobs, spawn, _enter, (comparison.began,))

    def do(task: Callable[..., str | None], arguments: Sequence[tuple[Any, int]]) -> None:
        for future in as_completed([pool.submit(_do, task, options, *pair) for pair in arguments]):
            if line := future.result():
                comparison.log(line)

    try:
        for makers in _in_order_of_fitting([each[0] for each in lines.values()], seeds):
            do(_fit, makers)
        comparison.measure_given(added)
        do(Comparison.make, [(each, seed) for seed in seeds for each in lines.values()])
        do(Comparison.take_evidence, comparison.evidence_tasks())
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _in_order_of_fitting(
    entries: Sequence[Entry], seeds: Sequence[int]
) -> list[list[tuple[Entry, int]]]:
    """Makers and seeds in groups, of which each needs those before it.

    The imitators come first, since all makers need them, then the learners, whose CPU time is the
    budget of others. Among the others is the char-RNN of seed 0, with which bits are measured.
    """
    makers = {entry.key: entry for entry in entries}
    imitator, rnn = Entry(IMITATOR, IMITATOR), Entry("rnn", "rnn")
    # The searches, which take longest, stand last in a comparison and begin here.
    others = [(entry, seed) for seed in seeds for entry in reversed(makers.values())
              if entry.key not in (IMITATOR, LEARNER)]  # fmt: skip
    if rnn.key not in makers or 0 not in seeds:
        others.append((rnn, 0))
    learners = [(makers[LEARNER], seed) for seed in seeds if LEARNER in makers]
    return [[(imitator, seed) for seed in seeds], learners, others]
