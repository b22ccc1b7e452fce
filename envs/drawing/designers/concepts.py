"""What drawings show: concepts, the names that designers give them, and names as labels."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

STYLE = frozenset(
    "outline outlined o line fill filled solid regular light bold thin duotone stroke sharp round "
    "rounded circular simple alt variant icon ic fluent bx bxs bxl lni mu ra ion ios md android "
    "left right ltr rtl front side horizontal vertical local 1 2 3 4 5 6 7 8 9 10 12 16 20 "
    "24 28 32 48 64".split()
)
"""Words that say how a thing is drawn, not what it is."""


class ConceptError(ValueError):
    """A list of concepts that cannot be read."""


class Concepts:
    """A list of concepts.

    Args:
        names: Each concept's first name, and its other names.

    Attributes:
        names: The first names, in order; a concept's number is its place here.
        others: For each concept its other names.

    Raises:
        ConceptError: If a name stands twice.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(names)
        self.others = tuple(tuple(others) for others in names.values())
        self._numbers: dict[str, int] = {}
        for i, (first, others) in enumerate(names.items()):
            for name in (first, *others):
                if self._numbers.setdefault(key_of(name), i) != i:
                    other = self.names[self._numbers[key_of(name)]]
                    raise ConceptError(f"{name!r} is a name of {other!r} and of {first!r}")

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """Which concept has this name; -1 for none. Words of style do not count."""
        return self._numbers.get(key_of(name), -1)

    def find(self, name: str) -> int:
        """Which concept has this name.

        Raises:
            ConceptError: If none has; names that look like it are said.
        """
        number = self.number(name)
        if number < 0:
            like = difflib.get_close_matches(name, self.names, 3)
            hint = f" ({', '.join(like)}?)" if like else ""
            raise ConceptError(f"{name!r} is no concept{hint}; --concepts lists them")
        return number

    def part_number(self, name: str) -> int:
        """Which concept a name begins with, as ``calendar-plus`` with calendar; -1 for none."""
        words = key_of(name).split("-")
        keys = ("-".join(words[:n]) for n in range(len(words), 0, -1))
        return next((self._numbers[key] for key in keys if key in self._numbers), -1)

    @classmethod
    def read(cls, path: Path | None = None) -> Concepts:
        """Read a list: a concept a line, ``concept: other name, other name``; # begins a comment.

        Args:
            path: Of the file; None for the list that comes with Move37.

        Raises:
            ConceptError: If the file cannot be read or a line is none.
        """
        if path is None:
            file = resources.files("move37.envs.drawing.designers") / "concepts.txt"
            return cls(dict(_lines(file.read_text("utf-8"), "concepts.txt")))
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConceptError(f"{path}: cannot be read ({error})") from error
        found = list(_lines(text, str(path)))
        if not found:
            raise ConceptError(f"{path}: no concepts; a line is 'concept: other name, other name'")
        twice = {name for i, (name, _) in enumerate(found) if name in dict(found[:i])}
        if twice:
            raise ConceptError(f"{path}: {sorted(twice)[0]!r} stands on two lines")
        try:
            return cls(dict(found))
        except ConceptError as error:
            raise ConceptError(f"{path}: {error}") from error


def key_of(name: str) -> str:
    """A name without its words of style, by which names are compared."""
    words = [word for word in re.split(r"[^0-9a-z]+", name.lower()) if word]
    return "-".join([word for word in words if word not in STYLE] or words)


def _lines(text: str, place: str) -> Iterator[tuple[str, list[str]]]:
    for i, line in enumerate(text.splitlines(), 1):
        first, _, others = line.split("#")[0].partition(":")
        if not first.strip():
            if others.strip():
                raise ConceptError(f"{place}, line {i}: no concept before the colon")
            continue
        yield first.strip(), [name.strip() for name in others.split(",") if name.strip()]
