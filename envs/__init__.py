"""The worlds in which works are made. Importing this package registers their environments."""

import gymnasium

from .works import Works, WorksError

gymnasium.register(
    id="Move37/Drawing-v0",
    entry_point="envs.drawing.env:DrawingEnv",
    vector_entry_point="envs.drawing.env:DrawingVectorEnv",
)

__all__ = ["Works", "WorksError"]
