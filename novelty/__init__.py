"""Novelty and diversity: arrays in, numbers out. Knows no world.

`knn` finds exact nearest neighbours, `archive` remembers what has been made and says how far a new
work is from it, `diversity` measures a set of works against itself. `measures` says whether a
distribution has moved, `statistics` how sure that is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from move37.novelty.archive import ArchiveError, NoveltyArchive

__all__ = ["ArchiveError", "NoveltyArchive"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Only now: the archive needs torch, which the environments do without.
    return getattr(import_module("move37.novelty.archive"), name)
