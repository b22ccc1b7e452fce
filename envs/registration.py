"""The environments by name, registered with Gymnasium when ``move37`` is imported.

``gymnasium.make("move37:Move37/Drawing-v1")`` imports the package by itself: Gymnasium 1.0 removed
the entry points by which it used to find environments.
"""

from __future__ import annotations

import gymnasium

ENVIRONMENTS = {
    "DrawingFree-v0": ("move37.envs.drawing.env", "Drawing"),
    # The same by its first name, which Gymnasium says is out of date; Drawing-v1 is another world.
    "Drawing-v0": ("move37.envs.drawing.env", "Drawing"),
    "Drawing-v1": ("move37.envs.drawing.concept_world.env", "Concept"),
    "Composition-v0": ("move37.envs.composition.env", "Composition"),
    "CompositionFree-v0": ("move37.envs.composition.env", "Free"),
    "CompositionFour-v0": ("move37.envs.composition.env", "Four"),
}
"""Module and prefix of the classes of each environment."""


def register_envs() -> None:
    """Register every environment; their modules are imported when one is made."""
    for name, (module, prefix) in ENVIRONMENTS.items():
        gymnasium.register(
            id=f"Move37/{name}",
            entry_point=f"{module}:{prefix}Env",
            vector_entry_point=f"{module}:{prefix}VectorEnv",
        )
