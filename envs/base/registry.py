"""Worlds by name.

A world is known by a line in :data:`WORLDS`, by an entry point of another package in the group
:data:`ENTRY_POINTS`, or, without being registered anywhere, as ``module:Class``. See
``docs/new-world.md``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from move37.envs.base.places import find_place, known_places
from move37.envs.base.works import Works
from move37.envs.base.world import World

WORLDS: dict[str, str] = {
    "drawing": "move37.envs.drawing.world:DrawingWorld",
    "drawing-concepts": "move37.envs.drawing.concept_world.world:ConceptsWorld",
    "composition": "move37.envs.composition.world:CompositionWorld",
    "composition-four": "move37.envs.composition.world:FourWorld",
    "composition-free": "move37.envs.composition.world:FreeWorld",
}
"""The worlds of this package by name: ``module:Class``."""

ENTRY_POINTS = "move37.worlds"
"""The group of Python entry points by which other packages bring worlds."""


def known_worlds() -> dict[str, str]:
    """Every world by name, ``module:Class`` each: this package's, then those of others."""
    return known_places(WORLDS, ENTRY_POINTS)


def find_world(name: str) -> type[World]:
    """The class of a world.

    Args:
        name: One of :func:`known_worlds`, or ``module:Class``.

    Raises:
        ValueError: If there is no world of that name, or no such class.
    """
    found = find_place("world", name, known_worlds(), "module:Class")
    if not (isinstance(found, type) and issubclass(found, World)):
        raise ValueError(f"world {name!r} is not derived from move37.envs.base.world.World")
    return found


def make_world(
    name: str, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
) -> World:
    """A world with its human works loaded.

    Args:
        name: See :func:`find_world`.
        corpus: Which human works; empty for the world's default.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works; 0 keeps all.
        seed: Of the split of the human works.

    Raises:
        ValueError: If there is no such world or corpus, or nothing is left of it.
    """
    world = find_world(name)(corpus, withhold, limit, seed)
    world.splits  # noqa: B018  # read now, so that a corpus that cannot be read is refused now
    return world


def load_works(path: str | os.PathLike[str], world: str = "") -> tuple[World, Works]:
    """Works from a file, and their world, checked against each other.

    Args:
        path: A file of works.
        world: The name of their world; empty: what stands in the file.

    Raises:
        ValueError: If the file cannot be read, there is no such world, or these are no works of it.
    """
    works = Works.load(path)
    made = find_world(world or works.world)()
    try:
        made.check_works(works)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return made, works
