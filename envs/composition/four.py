"""Four-part harmonisation as a world: bass, tenor and alto are written to a given soprano.

Everything that judges works is that of ``world``, with the rules of harmony asked too (``chords``)
and the three written voices described. Human works are the same chorales, where alto and tenor stay
in their compass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.splits import Splits
from move37.envs.base.works import Works
from move37.envs.composition.corpus.chorales import scores_in_four
from move37.envs.composition.dynamics import FourSimulator
from move37.envs.composition.four_network import FourNetwork
from move37.envs.composition.modes import FOUR
from move37.envs.composition.scores import moves_and_briefs
from move37.envs.composition.world import CompositionWorld


def four_works(works: Works, inner: NDArray[np.int16]) -> Works:
    """Works (N) of two voices with their inner voices (N, 2, 32) as works of four parts.

    Those are left out whose alto or tenor leaves its compass (-1 in ``inner``).
    """
    whole = np.array((inner >= 0).all(axis=(1, 2)), np.bool_)
    kept = works[whole]
    moves, briefs = moves_and_briefs(scores_in_four(works, inner), FOUR)
    return Works(FourWorld.id, moves, briefs, kept.names, kept.appraisal)


class FourWorld(CompositionWorld):
    """Bach's chorales in four parts; works are as :func:`four_works` makes them."""

    id = "composition-four"
    simulator_class = FourSimulator
    env_id = "Move37/CompositionFour-v0"
    mode = FOUR
    ppo: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 96, "kl_weight": 0.1, "value_network": "own",
        "env_steps": 4_000_000,
    }  # fmt: skip
    floor = 0.8
    root = 3  # the imitator's works are far below Bach's: none would be paid else
    make_network = FourNetwork

    written = staticmethod(four_works)

    def load_splits(self) -> Splits:
        """As the base class does; the fingerprint is also of the inner voices."""
        splits = super().load_splits()
        digest = hashlib.sha256(splits.fingerprint.encode())
        for works in (splits.train, splits.held_out, splits.judge, splits.outsiders):
            digest.update(works.moves.astype("<i2").tobytes())
        return replace(splits, fingerprint=digest.hexdigest())
