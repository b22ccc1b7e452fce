"""A second opinion on craft, that shares neither designers nor architecture with the first.

The first held-out judge (:class:`HeldOutJudge`) is a convolutional network that
learnt from half of Lucide. :class:`LocalPatterns` has no filters to learn: it counts which local
binary patterns occur along the ink (Ojala, Pietikainen and Maenpaa, "Multiresolution gray-scale and
rotation invariant texture classification with local binary patterns", IEEE TPAMI 2002, section 2.1,
here on square rings), and a small perceptron reads the counts. It learns from a third set of
designers, and against pictures torn as pictures, not strokes damaged one by one; only the random
moves among the negatives (one in five) are common to both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from move37.envs.base.works import PAD, Works
from move37.envs.base.world import SecondJudge
from move37.envs.drawing.corpus.augment import damage, random_works, vary
from move37.envs.drawing.dynamics import images_of, pictures_of
from move37.envs.drawing.moves import MAX_MOVES, SIZE
from move37.envs.judging.critics import judge, train_critic
from move37.novelty.storage import load_weights, save_weights

FILE = "second-judge.safetensors"
RADII = (1, 2, 3)
"""Distances, in points, at which the eight neighbours of an inked point are looked at."""
RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
CODES = 2 ** len(RING)
TILES = (6, 8, 12)
"""Sides of the tiles that a picture may be cut into."""
MOST_UPDATES = 400
"""Of a few hundred works more updates teach it the works, not the craft."""


class LocalPatterns(nn.Module):
    """How often each local binary pattern occurs along the ink, read by a small perceptron.

    Args:
        width: Hidden units.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Linear(CODES * len(RADII), width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 1)
        )

    @staticmethod
    def counts(images: Tensor) -> Tensor:
        """Square roots of the shares of the patterns, (N, 256 x 3), of images (N, H, W) in {0, 1}.

        Square roots make the Euclidean distance of two histograms the Hellinger distance.
        """
        n, height, width = images.shape
        edge = max(RADII)
        padded = functional.pad(images, (edge, edge, edge, edge))
        out = images.new_zeros(n, CODES * len(RADII))
        ink = images.reshape(n, -1)
        for i, radius in enumerate(RADII):
            code = torch.zeros_like(images)
            for bit, (dy, dx) in enumerate(RING):
                top, left = edge + radius * dy, edge + radius * dx
                code += padded[:, top : top + height, left : left + width] * 2**bit
            out.scatter_add_(1, code.reshape(n, -1).long() + i * CODES, ink)
        return (out / ink.sum(1, keepdim=True).clamp(min=1)).sqrt()

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) that images (N, H, W) in {0, 1} are human works."""
        logits: Tensor = self.read(self.counts(images)).squeeze(1)
        return logits


def tear(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Spoil pictures as pictures, not as strokes.

    Each suffers one of: bands shifted along themselves by up to 3 points, 5 to 40 % of the ink
    displaced by a point, square tiles put in another order, a second picture laid over it.

    Args:
        images: (N, 24, 24) uint8 in {0, 1}.
        rng: The only source of chance.

    Returns:
        (N, 24, 24) uint8 in {0, 1}.
    """
    out = images.copy()
    for i, image in enumerate(images):
        kind = int(rng.integers(4))
        if kind == 0:
            view = out[i] if rng.random() < 0.5 else out[i].T
            cuts = np.sort(rng.integers(2, SIZE - 2, int(rng.integers(1, 4))))
            for band in np.split(np.arange(SIZE), cuts):
                view[band] = np.roll(view[band], int(rng.integers(-3, 4)), axis=1)
        elif kind == 1:
            y, x = np.nonzero(image)
            hit = rng.random(len(y)) < rng.uniform(0.05, 0.4)
            y, x = y[hit], x[hit]
            out[i, y, x] = 0
            y, x = (np.clip(a + rng.integers(-1, 2, len(a)), 0, SIZE - 1) for a in (y, x))
            out[i, y, x] = 1
        elif kind == 2:
            tile = int(rng.choice(TILES))
            m = SIZE // tile
            tiles = image.reshape(m, tile, m, tile).swapaxes(1, 2).reshape(m * m, tile, tile)
            mixed = tiles[rng.permutation(m * m)].reshape(m, m, tile, tile)
            out[i] = mixed.swapaxes(1, 2).reshape(SIZE, SIZE)
        else:
            shift = rng.integers(-6, 7, 2)
            out[i] |= np.roll(images[rng.integers(len(images))], shift, axis=(0, 1))
    return out


class LocalPatternJudge(SecondJudge):
    """Judges works by their local patterns; never a reward.

    Args:
        network: A fitted one.
    """

    def __init__(self, network: LocalPatterns) -> None:
        self.network = network

    def __call__(self, works: Works) -> NDArray[np.float64]:
        """Probability, (N,) float64, that works are human."""
        return judge(self.network, pictures_of(works))

    @classmethod
    def fit(
        cls, moves: NDArray[np.int16], updates: int, seed: int = 11, pools: int = 4
    ) -> LocalPatternJudge:
        """Learn to tell human works from torn pictures and, one in five, random moves.

        Args:
            moves: (M, T) int16: works of designers that nothing else learns from.
            updates: Gradient steps, 400 at most.
            seed: Of everything that is drawn.
            pools: How many torn and varied copies of the works to learn from.
        """
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        network = LocalPatterns()
        human = np.concatenate([images_of(vary(moves, rng, share=0.75)) for _ in range(pools)])
        noise = random_works(max(1, len(human) // 4), (moves >= 0).sum(axis=1), rng)
        wrong = np.concatenate([tear(human, rng), images_of(noise)])
        train_critic(
            network,
            human,
            lambda n, rng: wrong[rng.integers(0, len(wrong), n)],
            updates=min(updates, MOST_UPDATES),
            seed=seed,
        )
        return cls(network)

    def save(self, folder: Path) -> None:
        """Write what :meth:`load` reads."""
        save_weights(folder / FILE, self.network)

    @classmethod
    def load(cls, folder: Path) -> LocalPatternJudge:
        """Read what :meth:`save` wrote."""
        network = LocalPatterns()
        load_weights(folder / FILE, network)
        return cls(network.eval())


def trials(human: Works, seed: int = 0) -> dict[str, Works]:
    """Works that a judge should put in order: human > damaged, human > torn, all > random.

    Args:
        human: Works of designers that no judge saw.
        seed: Of the damage.

    Returns:
        ``human``; ``damaged``, strokes spoilt one by one (what the first judge learnt against);
        ``torn``, pictures spoilt as pictures (what the second learnt against); ``random``, random
        moves of the same lengths.
    """
    rng = np.random.default_rng(seed)
    images = tear(images_of(human.moves), rng)
    return {
        "human": human,
        "damaged": Works(human.world, damage(human.moves, rng)),
        "torn": Works(human.world, np.full((len(human), MAX_MOVES), PAD, np.int16), images=images),
        "random": Works(human.world, random_works(len(human), human.lengths, rng)),
    }
