"""The command ``move37``: one subcommand for each thing that can be done."""

from __future__ import annotations

import sys
from importlib import import_module

import move37

COMMANDS = {
    "train": "train a learner: imitate human works, then PPO for quality x novelty",
    "create": "let a learner make new works, from a brief of yours if you like",
    "replay": "look at works again: sheets, pages, files, checks",
    "measure": "say what drawings are named, how new they are, and what of them nobody needs",
    "compare": "compare makers under the same judges",
    "cache": "say how much is kept between runs, or remove it",
}
"""Subcommands and what they do. Each is a module of this package whose function ``main`` takes the
arguments that follow its name."""


def usage() -> str:
    """What ``move37 --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: move37 COMMAND [OPTIONS]",
            "",
            *lines,
            "",
            "`move37 COMMAND --help` has the options, `move37 --version` prints the version.",
        ]
    )


def main() -> None:
    """Run one subcommand with the arguments that follow it."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print(usage())
    elif name == "--version":
        print(f"move37 {move37.__version__}")
    elif name in COMMANDS:
        import_module(f"move37.{name}").main(sys.argv[2:])
    else:
        print(f"move37: {name!r} is none of {', '.join(COMMANDS)} (see --help)", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
