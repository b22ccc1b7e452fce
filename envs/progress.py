"""What this process is doing, said in one line at least every 30 seconds.

Whatever takes long says so with :func:`doing`, and :func:`reached` how far it has come. As long as
something is being done, a thread says it whenever nothing else was printed for that time. On a
terminal :func:`track` shows a bar instead.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

EVERY = 30.0
"""Seconds in which at least one line is printed."""

T = TypeVar("T")
Log = Callable[[str], None]


@dataclass(eq=False)
class Phase:
    """Something that is being done.

    Attributes:
        what: A few words.
        log: Takes a line about it.
        shown: Whether a bar on the terminal shows how far it has come.
        began: When, in seconds of the monotonic clock.
        reached: How far it has come.
    """

    what: str
    log: Log
    shown: bool
    began: float
    reached: str = ""


_phases: list[Phase] = []
_last_line = 0.0


def printed() -> None:
    """Note that a line was printed, so that none is due for a while."""
    global _last_line
    _last_line = time.monotonic()


@contextmanager
def doing(
    what: str, log: Callable[[str], None] | None = None, bar: bool = False
) -> Iterator[Phase]:
    """Say now and then that this is being done, as long as it is.

    Args:
        what: A few words; those of the innermost call are said.
        log: Takes the line; None: that of the call around this one, else standard error.
        bar: Whether a bar on standard error shows the same: then nothing is said on a terminal.
    """
    outermost = not _phases
    log = log or (_print if outermost else _phases[-1].log)
    shown = bar and sys.stdout.isatty() and sys.stderr.isatty()
    phase = Phase(what, log, shown, time.monotonic())
    _phases.append(phase)
    done = threading.Event()
    if outermost:
        printed()
        threading.Thread(target=_speak, args=(done,), daemon=True).start()
    try:
        yield phase
    finally:
        _phases.remove(phase)
        done.set()


def reached(how_far: str) -> None:
    """Note how far the innermost of what is being done has come, with its decisive numbers."""
    if _phases:
        _phases[-1].reached = how_far


def track(items: Sequence[T], what: str, unit: str, silent: bool = False) -> Iterator[T]:
    """The items one by one, with a bar on a terminal; elsewhere :func:`doing` says how many.

    Args:
        items: Of something that takes long for all of them together.
        what: Is done with them.
        unit: What one of them is.
        silent: Say nothing.
    """
    # Not with doing(): a loop that is left by an error may keep its generator alive for long.
    if silent:
        yield from items
        return
    for n, item in enumerate(tqdm(items, desc=what, unit=unit, disable=None)):
        reached(f"{n:,} of {len(items):,}")
        yield item


def _speak(done: threading.Event) -> None:
    """Say what is being done whenever it is time, until it is done."""
    while not done.wait(max(_last_line + EVERY - time.monotonic(), 0.01)):
        innermost = _phases[-1:]
        if innermost and time.monotonic() - _last_line >= EVERY:
            printed()
            if not innermost[0].shown:
                innermost[0].log(_line(innermost[0]))


def _line(phase: Phase) -> str:
    so_far = f"{time.monotonic() - phase.began:.0f} s so far"
    return ": ".join(part for part in (phase.what, phase.reached) if part) + f" ({so_far})"


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
