"""The drawing world as scripts and agents use it; see :class:`envs.worlds.World`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np
from safetensors.torch import load_file
from torch import nn

from ..works import Works, write_atomically
from ..worlds import Export, Measures
from . import page, render
from .corpus import load_corpus
from .craft import PatchCritic, judge
from .dynamics import DrawingCore
from .explain import explain
from .judging import Yardstick, pictures_of, summarise, train_judge
from .mutation import mutate
from .network import DrawingNetwork
from .reading import read_folder
from .reward import DrawingReward
from .trace import from_images
from .variation import vary


def _write_svgs(works: Works, folder: Path) -> None:
    for i, moves in enumerate(works.moves):
        name = works.names[i] or f"{i:05d}"
        write_atomically(folder / f"{name}.svg", render.svg(moves).encode())


def _write_gif(works: Works, path: Path) -> None:
    render.gif(works.moves[0], path)


class DrawingWorld:
    """Human drawings, split, with what is fitted to them.

    Args:
        corpus: What :func:`envs.drawing.corpus.load_corpus` takes: the works to learn from.
        withhold: Name patterns of works that are taken out of the world.
        limit: Keep only this many human works (for quick runs); 0 keeps all.
        seed: Of the split.

    Attributes:
        train: Human works that everything is fitted to.
        held_out: A tenth of the works, seen by no network; they set the bars.
        judged_from: Half of other designers' works (Lucide): the held-out judge learns from them.
        outsiders: The other half: human works to be measured like anybody's.
        fingerprint: SHA-256 of the corpus.
    """

    id = "drawing"
    env_id = "Move37/Drawing-v0"
    corpora = "tabler (default), lucide, kanjivg, an SVG folder, an .ndjson file"
    exports: ClassVar[Mapping[str, tuple[str, str, Export]]] = {
        "svg": ("FOLDER", "write one SVG per work", _write_svgs),
        "gif": ("FILE.gif", "animate the drawing hand of the first work", _write_gif),
    }

    core = DrawingCore
    images = staticmethod(pictures_of)
    from_images = staticmethod(from_images)
    read_folder = staticmethod(read_folder)
    mutate = staticmethod(mutate)
    summarise = staticmethod(summarise)
    sheet = staticmethod(render.sheet)
    sheets_side_by_side = staticmethod(render.sheets_side_by_side)
    thumbnails = staticmethod(render.thumbnails)
    page = staticmethod(page.html_page)
    explain = staticmethod(explain)
    load_yardstick = staticmethod(Yardstick.load)

    def __init__(
        self, corpus: str = "", withhold: Sequence[str] = (), limit: int = 0, seed: int = 0
    ) -> None:
        loaded = load_corpus(corpus or "tabler", withhold)
        self.fingerprint = loaded.fingerprint
        works = loaded.works
        order = np.random.default_rng(seed).permutation(len(works))[: limit or None]
        cut = max(1, len(order) // 10)
        self.held_out, self.train = works[order[:cut]], works[order[cut:]]
        others = load_corpus("lucide").works
        order = np.random.default_rng(0).permutation(len(others))
        half = len(order) // 2
        self.judged_from, self.outsiders = others[order[:half]], others[order[half:]]

    @staticmethod
    def network(dropout: float = 0.0) -> nn.Module:
        """A network, observation -> (logits (N, 578), features (N, ``n_features``))."""
        return DrawingNetwork(dropout=dropout)

    def variations(self, epoch: int, seed: int) -> Works:
        """The human works of one epoch of imitation, some mirrored or shifted."""
        rng = np.random.default_rng((seed, epoch))
        return Works(self.id, vary(self.train.moves, rng, share=0.25))

    def yardstick(self, updates: int, pools: int = 4) -> Yardstick:
        """The frozen judges: the same for every run, whatever its seed."""
        network = train_judge(self.judged_from.moves, 7, updates, pools)
        return Yardstick(self.train.moves, self.held_out.moves, network)

    def reward(
        self, yardstick: Yardstick, imitations: Works, updates: int, seed: int, pools: int = 4
    ) -> DrawingReward:
        """The reward of a learner: a critic and an archive of its own."""
        return DrawingReward(yardstick, self.train, imitations, updates, seed, pools)

    @classmethod
    def judge_again(cls, folder: Path, works: Works) -> Measures:
        """Play works again, judge them with a run's saved judges; see :class:`World`."""
        again: dict[str, list[float]] = {}
        env = gymnasium.make(cls.env_id).unwrapped
        for row, brief in zip(works.moves, works.briefs, strict=True):
            env.reset(options={"brief": brief})
            for move in row[row >= 0]:
                info = env.step(move)[4]
            for key in info:
                if key.startswith("form"):
                    again.setdefault(key, []).append(info[key])
        columns = {key: np.array(values) for key, values in again.items()}
        measured = cls.load_yardstick(folder).measure(works)
        columns |= {f"judged/{key}": values for key, values in measured.items()}
        critic = PatchCritic()
        critic.load_state_dict(load_file(folder / "critic.safetensors"))
        return columns | {"craft": judge(critic, pictures_of(works))}
