"""The worlds in which works are made. Importing this package registers their environments."""

import gymnasium

from .works import Works, WorksError

gymnasium.register(
    id="Move37/Drawing-v0",
    entry_point="envs.drawing.env:DrawingEnv",
    vector_entry_point="envs.drawing.env:DrawingVectorEnv",
)
gymnasium.register(
    id="Move37/Composition-v0",
    entry_point="envs.composition.env:CompositionEnv",
    vector_entry_point="envs.composition.env:CompositionVectorEnv",
)
gymnasium.register(
    id="Move37/CompositionFree-v0",
    entry_point="envs.composition.env:FreeEnv",
    vector_entry_point="envs.composition.env:FreeVectorEnv",
)
gymnasium.register(
    id="Move37/CompositionFour-v0",
    entry_point="envs.composition.env:FourEnv",
    vector_entry_point="envs.composition.env:FourVectorEnv",
)

__all__ = ["Works", "WorksError"]
