"""The worlds in which works are made.

`base` says what a work and a world are, `judging` and `files` is what worlds share, and each world
is a folder of its own. `registration` makes their environments known to Gymnasium.
"""

from move37.envs.base.works import Works, WorksError

__all__ = ["Works", "WorksError"]
