"""The worlds in which works are made.

`base` says what a work and a world are, `judging` and `files` is what worlds share, and each world
is a folder of its own. `registration` makes their environments known to Gymnasium. `wrappers` are
for any environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from move37.envs.base.works import Works, WorksError
from move37.envs.wrappers.novelty import NoveltyReward, VectorNoveltyReward

if TYPE_CHECKING:
    from move37.envs.base.world import World

__all__ = ["NoveltyReward", "VectorNoveltyReward", "Works", "WorksError", "check_world"]


def check_world(world: str | type[World], limit: int = 300) -> World:
    """Try everything that a world promises; see :func:`move37.envs.base.check.check_world`."""
    from move37.envs.base.check import check_world as check  # torch is slow to import

    return check(world, limit)
