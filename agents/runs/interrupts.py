"""How a run is stopped: signals, and errors in TensorBoard's writer threads."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self


class RunInterrupted(KeyboardInterrupt):
    """A run stopped because it was asked to, after a checkpoint.

    Attributes:
        summary: What ``summary-so-far.json`` holds.
    """

    def __init__(self, summary: dict[str, Any]) -> None:
        super().__init__("the run was interrupted")
        self.summary = summary


class Interrupts:
    """Handles Ctrl-C and SIGTERM: at once, or once the work in hand is done.

    Attributes:
        patient: While true the first signal only sets ``requested``; a second one stops at once.
        requested: Whether somebody wants the run to stop.
    """

    def __init__(self) -> None:
        self.patient = self.requested = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.patient or self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not print: it may be what the signal interrupted.
        os.write(2, b"\nstopping once a checkpoint is written; interrupt again to stop at once\n")


def silence_writer_threads() -> None:
    """Print no traceback of a failed write in a thread: TensorBoard raises it at the next write."""

    def report(error: threading.ExceptHookArgs) -> None:
        if not isinstance(error.exc_value, OSError):
            threading.__excepthook__(error)

    threading.excepthook = report
