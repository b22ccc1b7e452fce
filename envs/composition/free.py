"""The free mode as a world: soprano and bass are both written, nothing but the frame is given.

Everything that judges works is that of ``world``, with the rules of a melody asked of the soprano
too and both voices described. Human works are the same chorales.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.dynamics import FreeSimulator
from move37.envs.composition.free_network import FreeNetwork
from move37.envs.composition.modes import FREE
from move37.envs.composition.scores import moves_and_briefs
from move37.envs.composition.works import scores_of_works
from move37.envs.composition.world import CompositionWorld


def free_works(works: Works) -> Works:
    """Works of two voices as works of the free mode: moves (N, 64), frames for briefs."""
    moves, briefs = moves_and_briefs(scores_of_works(works), FREE)
    return Works(FreeWorld.id, moves, briefs, works.names, works.appraisal)


class FreeWorld(CompositionWorld):
    """Bach's chorales, soprano and bass; works are as :func:`free_works` makes them."""

    id = "composition-free"
    simulator_class = FreeSimulator
    env_id = "Move37/CompositionFree-v0"
    mode = FREE
    # Works are twice as long, and few of the imitator's are both good and new: the learner is paid
    # for less novelty, or its way is lost in noise.
    ppo: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 64, "kl_weight": 0.02, "value_network": "own",
        "env_steps": 4_000_000,
    }  # fmt: skip
    floor = 0.8
    own_count = True  # nothing is given that would keep works apart
    make_network = FreeNetwork

    @staticmethod
    def written(works: Works, inner: NDArray[np.int16]) -> Works:
        """The works with their sopranos written; inner voices are not heard."""
        return free_works(works)
