"""Inceptionism: a filter that puts into a human work what a network sees in it.

Gradient ascent on the activations of a network, over octaves and under jitter (Mordvintsev, Olah
and Tyka, "Inceptionism: Going Deeper into Neural Networks", Google Research Blog, 2015, and their
DeepDream notebook): the image is taken small first, what the ascent added is enlarged and added to
the larger image, and the image is shifted at each step so that no seams grow. As in the notebook
each step is the gradient divided by its mean size.

What is driven up is one unit of a layer, drawn for each work: "Inceptionism could be made
stochastic by randomly choosing the nodes to enhance".
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from move37.agents.makers.maker import TrainContext
from move37.agents.makers.networks.feature_network import (
    CHANNELS,
    LEAST,
    FeatureNetwork,
    HumanFilter,
    feature_network,
    soften,
)
from move37.envs.base.world import World

LAYER = 5
"""Whose activations grow, from 1."""
STEPS = 10
"""Steps of ascent in each octave."""
RATE = 0.01
"""Mean change of a pixel in a step, where the image is in [0, 1]."""
JITTER = 4
"""Largest shift, in pixels of the soft image."""
OCTAVES = (0.5, 0.71, 1.0)
"""Sizes at which the image is worked on, of its own size."""
BATCH = 64


def make(context: TrainContext) -> HumanFilter:
    """The filter on the network that the filters share."""
    return filter_of(context.world, feature_network(context))


def filter_of(world: World, network: FeatureNetwork) -> HumanFilter:
    """Drives up activations from human works."""
    return HumanFilter(world, network, lambda images, rng: enhance(network, images, rng))


def enhance(network: FeatureNetwork, images: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Soft images (N, kH, kW) in [0, 1] of images (N, H, W) in {0, 1}."""
    units = torch.from_numpy(rng.integers(0, CHANNELS[LAYER - 1], len(images)))
    # The same shifts for every batch: a work does not depend on where it stands.
    shifts = rng.integers(-JITTER, JITTER + 1, (STEPS * len(OCTAVES), 2)).tolist()
    batches = zip(torch.split(soften(images), BATCH), torch.split(units, BATCH), strict=True)
    return torch.cat([_dream(network, soft, chosen, shifts) for soft, chosen in batches])


def _dream(network: FeatureNetwork, soft: Tensor, units: Tensor, shifts: list[list[int]]) -> Tensor:
    height, width = soft.shape[1:]
    added = torch.zeros_like(soft)
    for i, scale in enumerate(OCTAVES):
        size = (max(LEAST, round(height * scale)), max(LEAST, round(width * scale)))
        base = _resized(soft, size)
        x = (base + _resized(added, size)).clamp(0, 1)
        for dy, dx in shifts[i * STEPS : (i + 1) * STEPS]:
            x = torch.roll(x, (dy, dx), (1, 2))
            x = (x + RATE * _direction(network, x, units)).clamp(0, 1)
            x = torch.roll(x, (-dy, -dx), (1, 2))
        added = x - base
    return x


def _direction(network: FeatureNetwork, x: Tensor, units: Tensor) -> Tensor:
    """The gradient (N, H, W) of each image's own objective, of mean size 1."""
    x = x.detach().requires_grad_(True)
    found = network.activations(x, LAYER)[-1][torch.arange(len(x)), units]
    objective = found.square().sum() / 2
    (gradient,) = torch.autograd.grad(objective, x)
    return gradient / gradient.abs().mean((1, 2), keepdim=True).clamp(min=1e-8)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    if images.shape[1:] == size:
        return images
    return functional.interpolate(images.unsqueeze(1), size, mode="bilinear", antialias=True)[:, 0]
