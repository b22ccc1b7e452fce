"""Say how much is kept between runs, or remove it.

move37 cache                       # folders and sizes
move37 cache --clear               # remove it all; what is needed is made again

Kept are human works as they were parsed, and compiled code. MOVE37_CACHE=FOLDER moves the former,
NUMBA_CACHE_DIR=FOLDER the latter, which is then not counted here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from move37.agents.runs.terminal import Parser, prog
from move37.envs.base.caches import cached_files
from move37.novelty.storage import printable


def cache(clear: bool = False, log: Callable[[str], None] = print) -> int:
    """Say how much is kept between runs, or remove it.

    Args:
        clear: Whether to remove it.
        log: Takes one line about each folder.

    Returns:
        Bytes that are kept, or were removed.

    Raises:
        OSError: If a file cannot be removed.
    """
    total = 0
    for folder, files in cached_files().items():
        size = sum(path.stat().st_size for path in files)
        log(f"{size / 1e6:8.1f} MB {'removed from' if clear else 'in'} {folder}")
        total += size
        for path in files if clear else ():
            path.unlink()
    return total


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; ``arguments`` are by default those of this process."""
    parser = Parser(prog("cache"), __doc__)
    parser.add_argument("--clear", action="store_true", help="remove it all")
    try:
        cache(parser.parse_args(arguments).clear)
    except OSError as error:
        print(f"{prog('cache')}: {printable(error)}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
