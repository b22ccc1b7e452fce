"""Novelty and diversity: arrays in, numbers out. Knows no world.

`archive` remembers what has been made and says how far a new work is from it, `knn` finds exact
nearest neighbours, `recent` holds the latest works, `diversity` compares the works of one set with
each other, `storage` reads and writes files. `measures` says whether a distribution has moved,
`statistics` how certain that is.
"""

from move37.novelty.archive import ArchiveError, NoveltyArchive

__all__ = ["ArchiveError", "NoveltyArchive"]
