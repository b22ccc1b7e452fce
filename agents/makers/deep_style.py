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
    check_layers,
    feature_network,
    soften,
)
from move37.envs.base.works import Works
from move37.envs.base.world import World

BATCH = 64


def make(context: TrainContext) -> DeepStyle:
    """The filter on the network that the filters share."""
    return DeepStyle(context.world, feature_network(context))


class DeepStyle(HumanFilter):
    """Content from one human work, style from another.

    Args:
        world: Where the human works come from.
        network: Trained, in eval mode, without gradients.
        content_layer: Whose activations stay, from 1.
        style_layers: Whose Gram matrices change, from 1.
        style_weight: Weight of style against content, each divided by what it is at the start.
        steps: Steps of Adam for each batch.
        learning_rate: Of Adam, on images in [0, 1].

    Raises:
        ValueError: If there is no such layer.
    """

    def __init__(
        self,
        world: World,
        network: FeatureNetwork,
        content_layer: int = 4,
        style_layers: tuple[int, ...] = (1, 2, 3, 4),
        style_weight: float = 8.0,
        steps: int = 50,
        learning_rate: float = 0.03,
    ) -> None:
        check_layers(content_layer, *style_layers)
        super().__init__(world, network)
        self.content_layer, self.style_layers = content_layer, style_layers
        self.style_weight, self.steps, self.learning_rate = style_weight, steps, learning_rate

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Filter n pairs of human works; see :class:`move37.agents.makers.maker.Maker`."""
        content, style = self.inputs(n, rng), self.inputs(n, rng)
        soft = self.transfer(self.world.images(content), self.world.images(style))
        return self.works_of(soft, content, brief)

    def transfer(self, content: NDArray[np.uint8], style: NDArray[np.uint8]) -> Tensor:
        """Soft images (N, kH, kW) in [0, 1]: contents (N, H, W) in the styles (N, H, W)."""
        out = torch.zeros_like(soften(content))
        for begin in range(0, len(content), BATCH):
            rows = slice(begin, begin + BATCH)
            out[rows] = self._transfer(soften(content[rows]), soften(style[rows]))
        return out

    def _transfer(self, content: Tensor, style: Tensor) -> Tensor:
        depth = max(self.content_layer, *self.style_layers)
        with torch.no_grad():
            wanted = self.network.activations(content, self.content_layer)[-1]
            styled = self.network.activations(style, depth)
            grams = [gram(styled[i - 1]) for i in self.style_layers]
            content_unit = wanted.square().mean((1, 2, 3)).clamp(min=1e-8)
            style_units = [g.square().mean((1, 2)).clamp(min=1e-8) for g in grams]
        x = content.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([x], self.learning_rate)
        for _ in range(self.steps):
            found = self.network.activations(x, depth)
            kept = (found[self.content_layer - 1] - wanted).square().mean((1, 2, 3))
            loss = kept / content_unit
            for i, goal, unit in zip(self.style_layers, grams, style_units, strict=True):
                away = (gram(found[i - 1]) - goal).square().mean((1, 2)) / unit
                loss = loss + self.style_weight / len(grams) * away
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
