"""The free mode as a world: soprano and bass are both written, nothing but the frame is given.

Everything that judges works is that of ``world``, with the rules of a melody
asked of the soprano too and both voices described. Human works are the same chorales.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.works import Works
from move37.envs.composition.dynamics import CompositionSimulator, FreeSimulator
from move37.envs.composition.free_network import FreeNetwork
from move37.envs.composition.modes import FREE
from move37.envs.composition.score.roll import read_rolls
from move37.envs.composition.scores import moves_and_briefs
from move37.envs.composition.works import scores_of_works
from move37.envs.composition.world import ANSWERS, CompositionWorld


def free_works(works: Works) -> Works:
    """Works of two voices as works of the free mode: moves (N, 64), frames for briefs."""
    moves, briefs = moves_and_briefs(scores_of_works(works), FREE)
    return Works(FreeWorld.id, moves, briefs, works.names, works.appraisal)


class FreeWorld(CompositionWorld):
    """Bach's chorales, soprano and bass.

    Args:
        corpus: What :func:`load_corpus` takes: the works to learn from.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works (for quick runs); 0 keeps all.
        seed: Of the split.

    Attributes are those of :class:`move37.envs.composition.world.CompositionWorld`; works are as
    :func:`free_works` makes them.
    """

    id = "composition-free"
    env_id = "Move37/CompositionFree-v0"
    mode = FREE
    # Works are twice as long, and few of the imitator's are both good and new: the learner is paid
    # for less novelty, or its way is lost in noise.
    settings: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 64, "kl_weight": 0.02, "value_network": "own",
        "env_steps": 4_000_000,
    }  # fmt: skip
    floor: ClassVar[float] = 0.8
    own_count: ClassVar[bool] = True  # nothing is given that would keep works apart
    simulator: Callable[[int], CompositionSimulator] = FreeSimulator

    def __init__(
        self, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
    ) -> None:
        super().__init__(corpus, withhold, limit, seed)
        self.train, self.held_out = free_works(self.train), free_works(self.held_out)
        self.judged_from, self.outsiders = map(free_works, (self.judged_from, self.outsiders))
        self.simulator = partial(FreeSimulator, pool=self.train.briefs)

    def practice(self, n: int) -> FreeSimulator:
        """N boards to learn on: eight answers each to the frames of the training tunes."""
        return FreeSimulator(n, self.train.briefs, group=ANSWERS)

    def exam(self, n: int) -> FreeSimulator:
        """N boards with frames that nothing was fitted to; see ``evaluation``."""
        return FreeSimulator(n, self.exam_briefs())

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 31), features (N, ``n_features``))."""
        return FreeNetwork(dropout=dropout)

    @staticmethod
    def from_images(images: NDArray[np.floating]) -> Works:
        """Works of makers of piano rolls (N, 64, 64) in [0, 1]: ink is what is above one half."""
        scores = read_rolls((np.asarray(images) > 0.5).astype(np.uint8))
        return Works(FreeWorld.id, *moves_and_briefs(scores, FREE))

    @staticmethod
    def read_folder(folder: Path) -> tuple[Works, list[str]]:
        """Works from a folder of MusicXML files, and what was left out and why.

        Raises:
            ValueError: If nothing can be read.
        """
        works, left_out = CompositionWorld.read_folder(folder)
        return free_works(works), left_out
