"""Where a benchmark writes what it measured, and on what."""

from __future__ import annotations

from pathlib import Path

from move37.agents.compare.machine import machine, versions


def place(threads: int) -> str:
    """One paragraph: the machine, the torch threads, the versions."""
    found = [*machine().items(), *versions().items()]
    return ", ".join(f"{key} {value}" for key, value in found) + f"; torch threads: {threads}."


def write(name: str, text: str) -> None:
    """Print the text and write it to ``results/NAME.md``."""
    print(text)
    results = Path(__file__).parent / "results" / f"{name}.md"
    results.parent.mkdir(exist_ok=True)
    results.write_text(text)
