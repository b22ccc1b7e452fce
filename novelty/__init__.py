"""Novelty and diversity: arrays in, numbers out. Knows no world.

`knn` finds exact nearest neighbours, `archive` remembers what has been made and says how far a new
work is from it, `diversity` measures a set of works against itself.
"""

from novelty.archive import ArchiveError, NoveltyArchive, leave_one_out_novelty
from novelty.diversity import repeats, vendi_score
from novelty.knn import nearest

__all__ = [
    "ArchiveError",
    "NoveltyArchive",
    "leave_one_out_novelty",
    "nearest",
    "repeats",
    "vendi_score",
]
