"""Deep Style: a filter that draws the content of one human work in the style of another.

Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks" (CVPR 2016):
from the content image, descend on the squared difference of activations to the content's in one
deep layer, plus the squared difference of Gram matrices to the style's in every layer.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from move37.agents.makers.maker import TrainContext
from move37.agents.makers.networks.feature_network import (
    FeatureNetwork,
    HumanFilter,
    feature_network,
    soften,
)
from move37.envs.base.world import World

CONTENT_LAYER = 4
"""Whose activations stay, from 1."""
STYLE_LAYERS = 4
"""The Gram matrices of so many layers change, from the first on."""
STYLE_WEIGHT = 8.0
"""Weight of style against content, each divided by what it is at the start."""
STEPS = 50
"""Steps of Adam for each batch."""
LEARNING_RATE = 0.03
"""Of Adam, on images in [0, 1]."""
BATCH = 64


def make(context: TrainContext) -> HumanFilter:
    """The filter on the network that the filters share."""
    return filter_of(context.world, feature_network(context))


def filter_of(world: World, network: FeatureNetwork) -> HumanFilter:
    """Content from one human work, style from another, which is drawn for it."""

    def change(images: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
        styles = world.train[rng.integers(0, len(world.train), len(images))]
        return transfer(network, images, world.images(styles))

    return HumanFilter(world, network, change)


def transfer(
    network: FeatureNetwork, content: NDArray[np.uint8], style: NDArray[np.uint8]
) -> Tensor:
    """Soft images (N, kH, kW) in [0, 1]: contents (N, H, W) in the styles (N, H, W)."""
    batches = zip(
        torch.split(soften(content), BATCH), torch.split(soften(style), BATCH), strict=True
    )
    return torch.cat([_transfer(network, *pair) for pair in batches])


def _transfer(network: FeatureNetwork, content: Tensor, style: Tensor) -> Tensor:
    depth = max(CONTENT_LAYER, STYLE_LAYERS)
    with torch.no_grad():
        wanted = network.activations(content, CONTENT_LAYER)[-1]
        grams = [gram(found) for found in network.activations(style, STYLE_LAYERS)]
        content_unit = wanted.square().mean((1, 2, 3)).clamp(min=1e-8)
        style_units = [g.square().mean((1, 2)).clamp(min=1e-8) for g in grams]
    x = content.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([x], LEARNING_RATE)
    for _ in range(STEPS):
        found = network.activations(x, depth)
        kept = (found[CONTENT_LAYER - 1] - wanted).square().mean((1, 2, 3))
        loss = kept / content_unit
        for layer, goal, unit in zip(found[:STYLE_LAYERS], grams, style_units, strict=True):
            away = (gram(layer) - goal).square().mean((1, 2)) / unit
            loss = loss + STYLE_WEIGHT / len(grams) * away
        optimizer.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return x.detach()


def gram(activations: Tensor) -> Tensor:
    """Gram matrices (N, C, C) of activations (N, C, H, W), divided by the number of places."""
    flat = activations.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]
