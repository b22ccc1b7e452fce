"""The networks of the GAN: a generator of images and a critic of them.

Convolutional as in Radford et al. (2016), but images grow by repeating points, not by transposed
convolutions: those begin with a checkerboard (Odena et al. 2016), which the critic of sparse lines
sees first and the generator then never leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

GAIN = 1.5
"""Makes up for what the critic's initial weights take from the signal in each layer."""
BLANK = -1.5
"""First logit of a point: most of a drawing is empty."""
COARSEST = 8
"""Images are halved until their longer side is no more than this, at least twice."""


@dataclass(frozen=True)
class Shape:
    """What the networks are built from, kept beside their weights.

    Attributes:
        height: Of the images.
        width: Of the images.
        conditional: Whether the networks see the picture of the brief.
        latent: Size of the noise that an image is made from.
        channels: Of the critic's coarsest layer; every finer one has half as many. The generator
            has two thirds of them.
    """

    height: int
    width: int
    conditional: bool = False
    latent: int = 64
    channels: int = 96

    @property
    def levels(self) -> int:
        """How often images are halved."""
        levels = 2
        while max(self.height, self.width) > COARSEST << levels:
            levels += 1
        return levels

    @property
    def coarse(self) -> tuple[int, int]:
        """Height and width of the coarsest layer."""
        return -(-self.height >> self.levels), -(-self.width >> self.levels)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """What makes an image as large as the coarsest layer says, for ``functional.pad``."""
        height, width = self.coarse
        right, below = (width << self.levels) - self.width, (height << self.levels) - self.height
        return 0, right, 0, below

    def depth(self, level: int) -> int:
        """Channels of a layer of the critic, ``level`` halvings from the image."""
        return max(6, self.channels >> (self.levels - level))


class Generator(nn.Module):
    """Noise (N, latent), and the brief's picture (N, 1, H, W) if any, to images (N, 1, H, W)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        height, width = shape.coarse
        depths = [2 * shape.depth(k) // 3 for k in range(shape.levels, -1, -1)]
        # The brief's picture is laid on the coarsest layer, its points as channels.
        given = shape.conditional << 2 * shape.levels
        self.seed = nn.Linear(shape.latent, depths[0] * height * width, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(depth) for depth in depths)
        self.layers = nn.ModuleList(
            nn.Conv2d(before + given * (k == 0), after, 3, padding=1, bias=False)
            for k, (before, after) in enumerate(pairwise(depths))
        )
        self.out = nn.Conv2d(depths[-1], 1, 3, padding=1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, BLANK)

    def forward(self, noise: Tensor, given: Tensor | None = None) -> Tensor:
        """Images in [0, 1]."""
        shape = self.shape
        x = self.seed(noise).view(len(noise), -1, *shape.coarse)
        x = functional.relu(self.norms[0](x))
        if given is not None:
            padded = functional.pad(given, shape.padding)
            x = torch.cat([x, functional.pixel_unshuffle(padded, 1 << shape.levels)], 1)
        for layer, norm in zip(self.layers, list(self.norms)[1:], strict=True):
            x = functional.relu(norm(layer(functional.interpolate(x, scale_factor=2))))
        return torch.sigmoid(self.out(x))[:, :, : shape.height, : shape.width]


class Critic(nn.Module):
    """Images (N, 1, H, W) in [0, 1], and the brief's picture if any, to logits (N,)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        height, width = shape.coarse
        self.layers = nn.ModuleList(
            [nn.Conv2d(1 + shape.conditional, shape.depth(0), 3, padding=1)]
            + [nn.Conv2d(shape.depth(k), shape.depth(k + 1), 4, 2, 1) for k in range(shape.levels)]
        )
        self.out = nn.Linear(shape.channels * height * width, 1)

    def forward(self, images: Tensor, given: Tensor | None = None) -> Tensor:
        """How much more probably the images are human works than the generator's, in nats."""
        x = images if given is None else torch.cat([images, given], 1)
        x = 2 * functional.pad(x, self.shape.padding) - 1
        for layer in self.layers:
            x = GAIN * functional.leaky_relu(layer(x), 0.2)
        return cast(Tensor, self.out(x.flatten(1))).squeeze(1)


def networks(shape: Shape, seed: int) -> tuple[Generator, Critic]:
    """Both networks, untrained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        both = Generator(shape), Critic(shape)
    for network in both:
        # A quarter faster on CPUs; mypy does not know this overload.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return both


def shifted(images: Tensor, dy: int, dx: int) -> Tensor:
    """Images (N, C, H, W) moved down by dy and right by dx; what leaves the board is lost."""
    height, width = images.shape[2:]
    padded = functional.pad(images, (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)))
    top, left = max(-dy, 0), max(-dx, 0)
    return padded[:, :, top : top + height, left : left + width]
