"""Four-part harmonisation as a world: bass, tenor and alto are written to a given soprano.

Everything that judges works is that of ``world``, with the rules of harmony
asked too (``chords``) and the three written voices described. Human works are
the same chorales, where alto and tenor stay in their compass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.envs.base.works import Works
from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
from move37.envs.composition.dynamics import CompositionSimulator, FourSimulator
from move37.envs.composition.four_network import FourNetwork
from move37.envs.composition.modes import FOUR
from move37.envs.composition.score.roll import read_rolls
from move37.envs.composition.scores import moves_and_briefs
from move37.envs.composition.world import ANSWERS, CompositionWorld


def four_works(works: Works, inner: NDArray[np.int16]) -> Works:
    """Works (N) of two voices with their inner voices (N, 2, 32) as works of four parts.

    Those are left out whose alto or tenor leaves its compass (-1 in ``inner``).
    """
    whole = np.array((inner >= 0).all(axis=(1, 2)), np.bool_)
    kept = works[whole]
    moves, briefs = moves_and_briefs(scores_in_four(works, inner), FOUR)
    return Works(FourWorld.id, moves, briefs, kept.names, kept.appraisal)


class FourWorld(CompositionWorld):
    """Bach's chorales in four parts.

    Args:
        corpus: What :func:`load_corpus` takes: the works to learn from.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works (for quick runs); 0 keeps all.
        seed: Of the split.

    Attributes are those of :class:`move37.envs.composition.world.CompositionWorld`; works are as
    :func:`four_works` makes them.
    """

    id = "composition-four"
    env_id = "Move37/CompositionFour-v0"
    mode = FOUR
    settings: ClassVar[Mapping[str, Any]] = {
        "n_envs": 128, "n_steps": 96, "kl_weight": 0.1, "value_network": "own",
        "env_steps": 4_000_000,
    }  # fmt: skip
    floor: ClassVar[float] = 0.8
    root: ClassVar[int] = 3  # the imitator's works are far below Bach's: none would be paid else
    simulator: Callable[[int], CompositionSimulator] = FourSimulator

    def __init__(
        self, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
    ) -> None:
        super().__init__(corpus, withhold, limit, seed)
        for name, split in (
            ("train", "train"), ("held_out", "held_out"), ("judged_from", "judge"),
            ("outsiders", "sealed"),
        ):  # fmt: skip
            setattr(self, name, four_works(getattr(self, name), self.inner[split]))
        digest = hashlib.sha256(self.fingerprint.encode())
        for works in (self.train, self.held_out, self.judged_from, self.outsiders):
            digest.update(works.moves.astype("<i2").tobytes())
        self.fingerprint = digest.hexdigest()
        self.simulator = partial(FourSimulator, pool=self.train.briefs)

    def practice(self, n: int) -> FourSimulator:
        """N boards to learn on: eight answers each to new sopranos (:mod:`.sopranos`)."""
        return FourSimulator(n, self.practice_briefs(), group=ANSWERS)

    def exam(self, n: int) -> FourSimulator:
        """N boards whose briefs nothing was fitted to; see ``evaluation``."""
        return FourSimulator(n, self.exam_briefs())

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 31), features (N, ``n_features``))."""
        return FourNetwork(dropout=dropout)

    @staticmethod
    def from_images(images: NDArray[np.floating]) -> Works:
        """Works of makers of piano rolls (N, 128, 64) in [0, 1]: ink is what is above one half."""
        scores = read_rolls((np.asarray(images) > 0.5).astype(np.uint8))
        return Works(FourWorld.id, *moves_and_briefs(scores, FOUR))

    @staticmethod
    def read_folder(folder: Path) -> tuple[Works, list[str]]:
        """Works from a folder of MusicXML files, and what was left out and why.

        Raises:
            ValueError: If nothing can be read.
        """
        _, left_out = CompositionWorld.read_folder(folder)
        corpus = load_corpus(str(folder), progress=False)
        works = four_works(corpus.works, corpus.inner)
        known = set(works.names)
        lost = [name for name in corpus.works.names if name not in known]
        return works, [*left_out, *(f"{name}: alto or tenor leaves its compass" for name in lost)]
