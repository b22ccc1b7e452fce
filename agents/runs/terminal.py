"""What the scripts say on the terminal."""

from __future__ import annotations

import argparse
import sys
import time
from typing import NoReturn

from tqdm import tqdm


class Parser(argparse.ArgumentParser):
    """A command line that says what is wrong in one line, with exit status 1.

    Args:
        script: Name of the script, before every error.
        description: For --help; kept as it is laid out.
    """

    def __init__(self, script: str, description: str | None) -> None:
        super().__init__(
            prog=script,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._script = script

    def error(self, message: str) -> NoReturn:
        """Exit with status 1."""
        print(f"{self._script}: {message} (see --help)", file=sys.stderr)
        raise SystemExit(1)


class Clock:
    """Says what happens, with the seconds since the run began."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self.began

    def log(self, text: str) -> None:
        """Print one line."""
        tqdm.write(f"[{self.seconds():6.0f} s] {text}")
        sys.stdout.flush()
