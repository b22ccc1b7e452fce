"""Craft: small critics of local drawing, that tell human works from works without craft.

`PatchCritic` is the reward's critic: spectrally normalised (Miyato et al. 2018), it sees 9 x 9
points, joints, corners and spacing, never the whole. `HeldOutJudge` is another architecture for
other designers; it never gives reward.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


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
