"""Networks that name pictures: plain, of residual blocks, or of large kernels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class _LargeKernel(nn.Module):
    """A 7 x 7 convolution of each channel, then two 1 x 1 (Liu et al. 2022)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(n, n, 7, 1, 3, groups=n, bias=False)
        self.norm = nn.BatchNorm2d(n)
        self.wide = nn.Conv2d(n, 3 * n, 1)
        self.narrow = nn.Conv2d(3 * n, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(
            nn.functional.gelu(self.wide(self.norm(self.depthwise(x))), approximate="tanh")
        )
        return x + y


def _convolution(n_in: int, n_out: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


def _plain(width: int) -> nn.Sequential:
    channels = [(1, width, 5, 2), (width, width, 3, 1)]
    channels += [(width, 2 * width, 3, 2), (2 * width, 2 * width, 3, 1)]
    channels += [(2 * width, 4 * width, 3, 2), (4 * width, 4 * width, 3, 1)]
    return nn.Sequential(*[_convolution(*numbers) for numbers in channels])


def _residual(width: int) -> nn.Sequential:
    return nn.Sequential(
        _convolution(1, width, 5, 2),
        _Residual(width, width, 1),
        _Residual(width, 2 * width, 2),
        _Residual(2 * width, 4 * width, 2),
        _Residual(4 * width, 4 * width, 1),
    )


def _large_kernel(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 4),
        nn.BatchNorm2d(width),
        *[_LargeKernel(width) for _ in range(2)],
        nn.Conv2d(width, 4 * width, 2, 2),
        nn.BatchNorm2d(4 * width),
        *[_LargeKernel(4 * width) for _ in range(3)],
        nn.BatchNorm2d(4 * width),
    )


KINDS = {"plain": _plain, "residual": _residual, "large-kernel": _large_kernel}
"""Bodies of networks by name: each makes 4 x width channels of (6, 6) of pictures (1, 48, 48)."""


class Recogniser(nn.Module):
    """Pictures (N, 48, 48) uint8 -> logits (N, C + 1); the last class is "nothing".

    Args:
        n_concepts: C.
        kind: One of ``KINDS``.
        width: Channels of the first stage.
        dropout: Share of the features dropped while training.

    Raises:
        ValueError: If the kind is unknown.
    """

    def __init__(
        self, n_concepts: int, kind: str = "residual", width: int = 32, dropout: float = 0.2
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind: {kind!r} is none of {', '.join(KINDS)}")
        self.n_concepts, self.kind, self.width = n_concepts, kind, width
        self.body = KINDS[kind](width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * 4 * width, n_concepts + 1)

    def features(self, pictures: Tensor) -> Tensor:
        """(N, 8 * width): mean and maximum of each channel."""
        x = pictures.unsqueeze(1).to(memory_format=torch.channels_last).float() / 255
        x = self.body(x)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C + 1), float32."""
        logits: Tensor = self.head(self.dropout(self.features(pictures)))
        return logits.float()
