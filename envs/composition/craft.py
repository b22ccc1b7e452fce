"""Craft: a small critic of local counterpoint, the one that gives reward.

It sees 9 eighths of both voices, never the whole, and is spectrally normalised (Miyato et al.
2018). The judge that never gives reward is of another family: see :mod:`envs.composition.forest`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .moves import (
    BASS_ROW,
    EIGHTHS,
    FERMATA_ROW,
    FIRST_NOTE,
    KEY_ROW,
    LOW,
    PLACE_ROW,
    SOPRANO_LOW,
    SOPRANO_ROW,
    sounding,
)

CHUNK = 64
"""Works are judged in blocks of this size, padded: a work's craft does not depend on the batch."""

N_CHANNELS = 13 + 13 + 13 + 27 + 27 + 8 + 6 + 4
"""Degree of each voice, interval between them, steps into each voice's note, place, height of the
bass in six bands; both voices' beginnings of notes, fermata, mode."""


def planes_of(scores: NDArray[np.int16]) -> NDArray[np.uint8]:
    """(N, 111, 32) uint8 in {0, 1}: what the critic sees of scores (N, 5, 32)."""
    n = len(scores)
    s, b = sounding(scores[:, SOPRANO_ROW], SOPRANO_LOW), sounding(scores[:, BASS_ROW], LOW)
    out = np.zeros((n, N_CHANNELS, EIGHTHS), np.uint8)
    rows, columns = np.arange(n)[:, None], np.arange(EIGHTHS)[None]
    both = (s >= 0) & (b >= 0)
    out[rows, np.where(s >= 0, s % 12, 12), columns] = 1
    out[rows, 13 + np.where(b >= 0, b % 12, 12), columns] = 1
    out[rows, 26 + np.where(both, (s - b) % 12, 12), columns] = 1
    for base, voice in ((39, s), (66, b)):
        before = np.concatenate([voice[:, :1], voice[:, :-1]], axis=1)
        step = np.where((before >= 0) & (voice >= 0), np.clip(voice - before, -13, 13), 0)
        out[rows, base + 13 + step, columns] = 1
    out[rows, 93 + scores[:, PLACE_ROW], columns] = 1
    out[rows, 101 + np.clip((b - LOW) // 5, 0, 5), columns] = b >= 0
    out[:, 107] = scores[:, SOPRANO_ROW] >= FIRST_NOTE
    out[:, 108] = scores[:, BASS_ROW] >= FIRST_NOTE
    out[:, 109] = scores[:, FERMATA_ROW] > 0
    out[:, 110] = scores[:, KEY_ROW, :1] > 0
    return out


class Critic(nn.Module):
    """Three convolutions over time, the last one dilated: 9 eighths a place, averaged.

    Args:
        channels: Of each layer.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv1d(N_CHANNELS, channels, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv1d(channels, channels, 3, padding=1))
        self.conv3 = spectral_norm(nn.Conv1d(channels, channels, 3, padding=2, dilation=2))
        self.out = nn.Conv1d(channels, 1, 1)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, planes: Tensor) -> Tensor:
        """Logits (N,) that planes (N, 111, 32) are of human works."""
        x = planes
        for layer in (self.conv1, self.conv2, self.conv3):
            # The factor makes up for what a unit spectral norm takes from the signal.
            x = functional.leaky_relu(layer(x) * 1.4, 0.2)
        total: Tensor = self.out(x).mean((1, 2)) * self.gain.exp()
        return total


def judge(network: nn.Module, planes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probability, (N,) float64, that planes (N, 111, 32) are of human works."""
    out = np.zeros(len(planes))
    network.eval()
    with torch.no_grad():
        for begin in range(0, len(planes), CHUNK):
            part = planes[begin : begin + CHUNK]
            block = np.zeros((CHUNK, *planes.shape[1:]), np.float32)
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
    dropout: float = 0.3,
    seed: int = 0,
    optimizer: torch.optim.Optimizer | None = None,
) -> float:
    """Teach a critic to tell human works from negatives; returns the mean loss of the last tenth.

    Args:
        network: Maps planes to logits.
        human: (M, 111, 32) uint8 in {0, 1}.
        negatives: Gives n negatives' planes, fresh at every call.
        updates: Gradient steps.
        batch_size: Human works, and negatives, per step.
        learning_rate: AdamW's step size, falling to a tenth.
        dropout: Share of what is seen that is hidden: the human works are few.
        seed: Order of the works, and what of them is hidden.
        optimizer: Goes on with this one instead of a new one, at a constant rate.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    fresh = optimizer is None
    optimizer = optimizer or torch.optim.AdamW(
        network.parameters(), learning_rate, weight_decay=1e-2
    )
    losses = []
    network.train()
    for update in range(updates):
        if fresh:
            rate = learning_rate * (1 - 0.9 * update / updates)
            for group in optimizer.param_groups:
                group["lr"] = rate
        planes = np.concatenate(
            [human[rng.integers(0, len(human), batch_size)], negatives(batch_size, rng)]
        )
        batch = torch.from_numpy(np.ascontiguousarray(planes, np.float32))
        batch *= torch.rand(batch.shape, generator=generator) >= dropout
        batch /= 1 - dropout
        target = torch.cat([torch.full((batch_size,), 0.9), torch.zeros(len(planes) - batch_size)])
        loss = functional.binary_cross_entropy_with_logits(network(batch), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    if not np.isfinite(losses).all():
        raise FloatingPointError("the critic's loss is not finite")
    return float(np.mean(losses[-max(1, updates // 10) :]))
