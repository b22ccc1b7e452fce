"""Craft: small critics of local drawing, that tell human works from works without craft.

`PatchCritic` is the reward's critic: spectrally normalised (Miyato et al. 2018), it sees 9 x 9
points, joints, corners and spacing, never the whole. `HeldOutJudge` is another architecture for
other designers; it never gives reward.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

CHUNK = 64
"""Images are judged in blocks of this size, padded: a work's craft does not depend on the batch."""


class PatchCritic(nn.Module):
    """Three 3 x 3 convolutions, the second strided: 9 x 9 points a place, averaged over the ink."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(1, 16, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(16, channels, 3, stride=2, padding=1))
        self.conv3 = spectral_norm(nn.Conv2d(channels, channels, 3, padding=1))
        self.out = nn.Conv2d(channels, 1, 1)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) that images (N, H, W) in {0, 1} are human works."""
        x = images.unsqueeze(1)
        mask = functional.max_pool2d(x, 4, 2, 1)
        for layer in (self.conv1, self.conv2, self.conv3):
            # The factor makes up for what a unit spectral norm takes from the signal.
            x = functional.leaky_relu(layer(x) * 1.4, 0.2)
        patches = self.out(x) * self.gain.exp()
        total: Tensor = (patches * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=1)
        return total


class HeldOutJudge(nn.Module):
    """5 x 5 filters, pooling, two more layers (14 x 14 points a place), statistics over the ink."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.fine = nn.Conv2d(1, channels, 5, padding=2)
        self.coarse1 = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.coarse2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.out = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(4 * channels, 32), nn.SiLU(), nn.Linear(32, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) that images (N, H, W) in {0, 1} are human works."""
        x = images.unsqueeze(1)
        mask = functional.max_pool2d(x, 4, 2, 1)
        x = functional.avg_pool2d(functional.silu(self.fine(x)), 2)
        x = functional.silu(self.coarse2(functional.silu(self.coarse1(x))))
        area = mask.sum((2, 3)).clamp(min=1)
        mean = (x * mask).sum((2, 3)) / area
        spread = ((x - mean[:, :, None, None]).square() * mask).sum((2, 3)) / area
        logits: Tensor = self.out(torch.cat([mean, (spread + 1e-6).sqrt()], 1)).squeeze(1)
        return logits


def judge(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probability, (N,) float64, that images (N, H, W) uint8 in {0, 1} are human works."""
    out = np.zeros(len(images))
    network.eval()
    with torch.no_grad():
        for begin in range(0, len(images), CHUNK):
            part = images[begin : begin + CHUNK]
            block = np.zeros((CHUNK, *images.shape[1:]), np.float32)
            block[: len(part)] = part
            out[begin : begin + len(part)] = torch.sigmoid(
                network(torch.from_numpy(block)).double()
            ).numpy()[: len(part)]
    return out


def train_critic(
    network: nn.Module,
    human: NDArray[np.uint8],
    negatives: Callable[[int, np.random.Generator], NDArray[np.uint8]],
    *,
    updates: int,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
    mirror: bool = True,
    optimizer: torch.optim.Optimizer | None = None,
) -> float:
    """Teach a critic to tell human works from negatives; returns the mean loss of the last tenth.

    Args:
        network: Maps images to logits.
        human: (M, H, W) uint8 in {0, 1}.
        negatives: Gives n negative images, (n, H, W), fresh at every call.
        updates: Gradient steps.
        batch_size: Human works, and negatives, per step.
        learning_rate: AdamW's step size, falling to a tenth.
        seed: Order and mirroring of the works.
        mirror: Whether to mirror images at random.
        optimizer: Goes on with this one instead of a new one at a constant rate.
    """
    rng = np.random.default_rng(seed)
    fresh = optimizer is None
    optimizer = optimizer or torch.optim.AdamW(
        network.parameters(), learning_rate, weight_decay=1e-3
    )
    losses = []
    network.train()
    for update in range(updates):
        if fresh:
            rate = learning_rate * (1 - 0.9 * update / updates)
            for group in optimizer.param_groups:
                group["lr"] = rate
        images = np.concatenate(
            [human[rng.integers(0, len(human), batch_size)], negatives(batch_size, rng)]
        )
        if mirror and rng.random() < 0.5:
            images = images[:, :, ::-1]
        batch = torch.from_numpy(np.ascontiguousarray(images, np.float32))
        target = torch.cat([torch.full((batch_size,), 0.95), torch.zeros(len(images) - batch_size)])
        loss = functional.binary_cross_entropy_with_logits(network(batch), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    if not np.isfinite(losses).all():
        raise FloatingPointError("the critic's loss is not finite")
    return float(np.mean(losses[-max(1, updates // 10) :]))
