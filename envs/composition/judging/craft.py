"""Craft: the two kinds of critic that give reward, spectrally normalised (Miyato et al. 2018).

One sees 9 eighths of both voices, never the whole; the other sees the whole, but only what the
rules and the descriptor count in it. The judge that never gives reward is of another family: see
:mod:`move37.envs.judging.forest`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from move37.envs.composition.moves import (
    ALTO_ROW,
    BASS_ROW,
    EIGHTHS,
    FERMATA_ROW,
    FIRST_NOTE,
    KEY_ROW,
    LOW,
    LOWEST,
    PLACE_ROW,
    SOPRANO_LOW,
    SOPRANO_ROW,
    TENOR_ROW,
    in_four,
    sounding,
)
from move37.envs.judging.critics import Augment, Views, as_they_are

N_CHANNELS = 13 + 13 + 13 + 27 + 27 + 8 + 6 + 4
"""Degree of each voice, interval between them, steps into each voice's note, place, height of the
bass in six bands; both voices' beginnings of notes, fermata, mode."""


N_INNER = 2 * (13 + 13 + 27 + 1)
"""Of alto and tenor: degree, interval above the bass, steps into each note, beginnings of notes."""


def _steps(voice: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 32) the step into each eighth of what sounds (N, 32), within an octave and a half."""
    before = np.concatenate([voice[:, :1], voice[:, :-1]], axis=1)
    return np.where((before >= 0) & (voice >= 0), np.clip(voice - before, -13, 13), 0)


def planes_of(scores: NDArray[np.int16]) -> NDArray[np.uint8]:
    """(N, 111, 32) uint8 in {0, 1}: what the critic sees of scores (N, 5, 32).

    Of scores (N, 7, 32), in four parts, it is (N, 219, 32).
    """
    n = len(scores)
    s, b = sounding(scores[:, SOPRANO_ROW], SOPRANO_LOW), sounding(scores[:, BASS_ROW], LOW)
    out = np.zeros((n, N_CHANNELS, EIGHTHS), np.uint8)
    rows, columns = np.arange(n)[:, None], np.arange(EIGHTHS)[None]
    both = (s >= 0) & (b >= 0)
    out[rows, np.where(s >= 0, s % 12, 12), columns] = 1
    out[rows, 13 + np.where(b >= 0, b % 12, 12), columns] = 1
    out[rows, 26 + np.where(both, (s - b) % 12, 12), columns] = 1
    for base, voice in ((39, s), (66, b)):
        out[rows, base + 13 + _steps(voice), columns] = 1
    out[rows, 93 + scores[:, PLACE_ROW], columns] = 1
    out[rows, 101 + np.clip((b - LOW) // 5, 0, 5), columns] = b >= 0
    out[:, 107] = scores[:, SOPRANO_ROW] >= FIRST_NOTE
    out[:, 108] = scores[:, BASS_ROW] >= FIRST_NOTE
    out[:, 109] = scores[:, FERMATA_ROW] > 0
    out[:, 110] = scores[:, KEY_ROW, :1] > 0
    return np.concatenate([out, _inner_planes(scores, b)], axis=1) if in_four(scores) else out


def _inner_planes(scores: NDArray[np.int16], bass: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(N, 108, 32) uint8: what the critic sees of alto and tenor of scores (N, 7, 32)."""
    out = np.zeros((len(scores), N_INNER, EIGHTHS), np.uint8)
    rows, columns = np.arange(len(scores))[:, None], np.arange(EIGHTHS)[None]
    for base, row in ((0, ALTO_ROW), (N_INNER // 2, TENOR_ROW)):
        voice = sounding(scores[:, row], LOWEST[row])
        both = (voice >= 0) & (bass >= 0)
        out[rows, base + np.where(voice >= 0, voice % 12, 12), columns] = 1
        out[rows, base + 13 + np.where(both, (voice - bass) % 12, 12), columns] = 1
        out[rows, base + 26 + 13 + _steps(voice), columns] = 1
        out[:, base + 53] = scores[:, row] >= FIRST_NOTE
    return out


class Critic(nn.Module):
    """Three convolutions over time, the last one dilated: 9 eighths a place, averaged.

    Args:
        n_planes: Of what it sees: see :func:`planes_of`.
    """

    def __init__(self, n_planes: int) -> None:
        super().__init__()
        channels = 32
        self.conv1 = spectral_norm(nn.Conv1d(n_planes, channels, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv1d(channels, channels, 3, padding=1))
        self.conv3 = spectral_norm(nn.Conv1d(channels, channels, 3, padding=2, dilation=2))
        self.out = nn.Conv1d(channels, 1, 1)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, planes: Tensor) -> Tensor:
        """Logits (N,) that planes (N, ``n_planes``, 32) are of human works."""
        x = planes
        for layer in (self.conv1, self.conv2, self.conv3):
            # The factor makes up for what a unit spectral norm takes from the signal.
            x = functional.leaky_relu(layer(x) * 1.4, 0.2)
        total: Tensor = self.out(x).mean((1, 2)) * self.gain.exp()
        return total


class WholeCritic(nn.Module):
    """Two hidden layers on the progress features of a whole work.

    Args:
        usual: (M, F): progress features to which others are standardised; at least one work's.
        width: Of the hidden layers.
        dropout: Share of the inputs and of the hidden layers dropped while it learns.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, usual: NDArray[np.float32], width: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(usual.mean(axis=0)))
        # What hardly ever varies must not become large where it does.
        self.register_buffer("scale", torch.from_numpy(usual.std(axis=0) + 0.05))
        self.hidden1 = spectral_norm(nn.Linear(usual.shape[1], width))
        self.hidden2 = spectral_norm(nn.Linear(width, width))
        self.out = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, progress: Tensor) -> Tensor:
        """Logits (N,) that progress features (N, F) are of human works."""
        x = self.dropout(((progress - self.mean) / self.scale).clamp(-5, 5))
        for layer in (self.hidden1, self.hidden2):
            x = self.dropout(functional.leaky_relu(layer(x), 0.2))
        total: Tensor = self.out(x).squeeze(1)
        return total


def hidden(seed: int, share: float = 0.3) -> Augment:
    """An augmentation: a share of what the critic would see is hidden, for human works are few."""
    generator = torch.Generator().manual_seed(seed)

    def hide(planes: Views, rng: np.random.Generator) -> Tensor:
        batch = as_they_are(planes, rng)
        batch *= torch.rand(batch.shape, generator=generator) >= share
        batch /= 1 - share
        return batch

    return hide
