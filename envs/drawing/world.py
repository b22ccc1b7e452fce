"""The drawing world as the scripts use it: corpora, judges and reward in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from novelty import NoveltyArchive

from ..works import Works
from .appraisal import Appraisal
from .corpus import load_corpus
from .craft import HeldOutJudge
from .dynamics import DrawingCore, images_of
from .judging import Yardstick, train_judge
from .network import DrawingNetwork
from .newness import ArchiveNewness
from .quality import HumanLevelQuality
from .render import sheet, sheets_side_by_side
from .variation import vary


class DrawingWorld:
    """Human drawings, split, with what is fitted to them.

    Args:
        corpus: What :func:`envs.drawing.corpus.load_corpus` takes: the works to learn from.
        withhold: Name patterns of works that are taken out of the world.
        seed: Of the split.
        limit: Keep only this many human works (for quick runs); 0 keeps all.

    Attributes:
        train: Human works that everything is fitted to.
        held_out: A tenth of the works, seen by no network; they set the bars.
        judged_from: Half of other designers' works (Lucide): the held-out judge learns from them.
        outsiders: The other half: human works to be measured like anybody's.
    """

    id = "drawing"

    def __init__(
        self, corpus: str, withhold: Sequence[str] = (), seed: int = 0, limit: int = 0
    ) -> None:
        loaded = load_corpus(corpus, withhold)
        self.corpus_fingerprint = loaded.fingerprint
        rng = np.random.default_rng(seed)
        works = loaded.works
        order = rng.permutation(len(works))[: limit or None]
        cut = max(1, len(order) // 10)
        self.held_out, self.train = works[order[:cut]], works[order[cut:]]
        others = load_corpus("lucide").works
        order = np.random.default_rng(0).permutation(len(others))
        half = len(order) // 2
        self.judged_from, self.outsiders = others[order[:half]], others[order[half:]]

    core: Callable[[int], DrawingCore] = DrawingCore
    network: Callable[..., nn.Module] = DrawingNetwork
    sheet = staticmethod(sheet)
    sheets_side_by_side = staticmethod(sheets_side_by_side)

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works of one epoch of imitation, some mirrored or shifted."""
        rng = np.random.default_rng((seed, epoch))
        return Works(self.id, vary(self.train.moves, rng, share=0.25))

    def yardstick(self, updates: int, pools: int = 4) -> Yardstick:
        """The frozen judges: the same for every run, whatever its seed."""
        network: HeldOutJudge = train_judge(self.judged_from.moves, 7, updates, pools)
        return Yardstick(self.train.moves, self.held_out.moves, network)

    def appraisal(
        self, yardstick: Yardstick, imitations: NDArray[np.int16], updates: int, seed: int,
        pools: int = 4,
    ) -> tuple[Appraisal, HumanLevelQuality, ArchiveNewness]:  # fmt: skip
        """The reward: quality by a critic of its own x newness against an archive of its own."""
        quality = HumanLevelQuality(self.train.moves, imitations, updates, seed, pools)
        archive = NoveltyArchive(
            yardstick.descriptor.dim,
            yardstick.k_neighbors,
            novelty_threshold=yardstick.bars.novelty,
            quality_threshold=0.5,
            scale=yardstick.scale,
        )
        archive.pin(yardstick.descriptor(images_of(self.train.moves)))
        newness = ArchiveNewness(yardstick.descriptor, archive, cap=1.15 * yardstick.bars.novelty)
        return Appraisal(quality, newness), quality, newness
