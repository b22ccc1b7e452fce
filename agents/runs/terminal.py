"""What the commands read from the command line and print on the terminal."""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from move37.envs.progress import printed
from move37.novelty.storage import printable

HEADLINES = (
    "yield", "yield_loose", "yield_with_repeats", "heldout_quality", "form", "novelty_human",
    "novelty_self", "copied", "repeats",
)  # fmt: skip
"""The decisive measures in ``summary.json``."""


class Parser(argparse.ArgumentParser):
    """A command line that says what is wrong in one line, with exit status 1.

    Args:
        script: Name of the script, before every error.
        description: For --help; its layout is kept.
    """

    def __init__(self, script: str, description: str | None) -> None:
        super().__init__(
            prog=script,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._script = script
        # Every command begins here. What the encoding of its output lacks is escaped from now on,
        # as it is on standard error.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")

    def error(self, message: str) -> NoReturn:
        """Exit with status 1."""
        print(f"{self._script}: {printable(message)} (see --help)", file=sys.stderr)
        raise SystemExit(1)

    def add_fields(self, options: type[Any], **special: Mapping[str, Any]) -> None:
        """Add an option for each field of a dataclass, with the docstring under it as its help.

        A field without a docstring is no option. What is not given on the command line is not among
        the parsed arguments.

        Args:
            options: The dataclass.
            special: By the name of a field whose default does not say how it is read, arguments for
                ``add_argument``; ``flag`` among them is the option, if it is not the field's name.
        """
        texts = field_docs(options)
        for item in fields(options):
            if item.name not in texts:
                continue
            kind: Any = type(item.default)
            how = {"type": kind, "metavar": kind.__name__.upper()}
            how = dict(special.get(item.name, how))
            flag = how.pop("flag", "--" + item.name.replace("_", "-"))
            shown = kind in (int, float, str) and item.default != ""
            text = texts[item.name] + (f" (default: {item.default})" if shown else "")
            self.add_argument(flag, dest=item.name, default=argparse.SUPPRESS, help=text, **how)


def field_docs(options: type[Any]) -> dict[str, str]:
    """The docstring under each field of a dataclass, on one line, by the field's name."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(options))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for item, text in pairwise(definition.body):
        if isinstance(item, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(item.target, ast.Name) and isinstance(text.value, ast.Constant)
            found[item.target.id] = " ".join(str(text.value.value).split())
    return found


class Clock:
    """Prints what happens, with the seconds since it was made, or since ``began`` (Unix time)."""

    def __init__(self, began: float | None = None) -> None:
        self._began = time.time() if began is None else began

    def log(self, text: str) -> None:
        """Print one line."""
        tqdm.write(f"[{time.time() - self._began:6.0f} s] {text}")
        sys.stdout.flush()
        printed()


def command(name: str, *arguments: str | Path) -> str:
    """How to type a command of this program, the way this one was typed.

    Args:
        name: ``replay`` for instance.
        *arguments: What follows it.
    """
    started = Path(sys.argv[0])
    if _is_script(name):
        words = [_python(), str(started.with_name(f"{name}.py"))]
    elif started.stem == "move37":
        words = [_shortest("move37", str(started)), name]
    else:  # python -m move37, a notebook
        words = [_python(), "-m", "move37", name]
    return _typed([*words, *map(str, arguments)])


def prog(name: str) -> str:
    """The name of a command before its errors, as it was typed: train.py, or move37 train."""
    return f"{name}.py" if _is_script(name) else f"move37 {name}"


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Print what a command refuses in one line, and exit with status 1.

    Args:
        name: Of the command.
    """
    try:
        yield
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, KeyError, MemoryError) as error:
        print(f"{prog(name)}: {printable(error)}", file=sys.stderr)
        raise SystemExit(1) from None


def module_command(module: str, *arguments: str | Path) -> str:
    """How to type ``python -m module`` with the interpreter that runs this program."""
    return _typed([_python(), "-m", module, *map(str, arguments)])


def _is_script(name: str) -> bool:
    """Whether this program was started as a script of a checkout that also has this command."""
    script = Path(sys.argv[0]).with_name(f"{name}.py")
    return script.exists() and (script.parent / "move37" / "__main__.py").exists()


def _python() -> str:
    """The shortest way to type the interpreter that runs this program."""
    return _shortest("python", sys.executable)


def _shortest(name: str, path: str) -> str:
    """The shortest way to type a program from the current folder: its name, or its path."""
    found = shutil.which(name)
    if found and os.path.abspath(found) == os.path.abspath(path):
        return name
    try:
        here = os.path.relpath(path)
    except ValueError:  # on another drive
        return path
    if here.startswith(".."):
        return os.path.abspath(path)
    return here if os.path.dirname(here) else os.path.join(".", here)


def _typed(words: Sequence[str]) -> str:
    """Words as the system's shell takes them."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def print_summaries(
    makers: Mapping[str, Mapping[str, Any]], log: Callable[[str], None] = print
) -> None:
    """Print the decisive measures of several makers side by side; - where a world has none."""
    log(" " * 20 + "".join(f"{name:>11}" for name in makers))
    for key in HEADLINES:
        values = [summary.get(key) for summary in makers.values()]
        if all(value is None for value in values):
            continue
        share = key.startswith("yield") or key in ("repeats", "copied")
        row = ["-" if v is None else f"{v:.2%}" if share else f"{v:.2f}" for v in values]
        log(f"  {key:18}" + "".join(f"{text:>11}" for text in row))
