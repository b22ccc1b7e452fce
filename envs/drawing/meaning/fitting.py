"""How recognisers learn: varied pictures of labelled drawings, and of what is nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from move37.envs.base.works import PAD
from move37.envs.drawing.corpus.augment import damage, random_works
from move37.envs.drawing.designers.labelled import Labelled
from move37.envs.drawing.meaning.networks import Recogniser
from move37.envs.drawing.meaning.picture import Variation, pictures
from move37.envs.drawing.moves import MAX_MOVES, SIZE, moves_of, strokes_of

LEARNT_FROM = Variation(bend=1.2, wobble=0.35, gap=0.15, mirror=0.25)
"""Other hands, clumsy ones too: what is new in manner must not be nothing."""


@dataclass(frozen=True)
class FitOptions:
    """Options of :func:`fit_recogniser`.

    Attributes:
        kind: Of the network.
        width: Of the network.
        steps: Updates.
        batch_size: Pictures an update.
        nothing: Of them, pictures of torn works and random moves.
        learning_rate: The peak of a cosine.
        weight_decay: AdamW's.
        smoothing: Of the labels.
        part_weight: How often a drawing of a concept and something else is shown, against a whole
            one.
        seed: Of the weights and of everything drawn by chance.
    """

    kind: str = "residual"
    width: int = 32
    steps: int = 2000
    batch_size: int = 448
    nothing: int = 56
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    smoothing: float = 0.05
    part_weight: float = 0.3
    seed: int = 0


def torn(moves: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Works (N, 48) of the pieces of two works each, turned and put anywhere: they show nothing."""
    out = np.full((len(moves), MAX_MOVES), PAD, np.int16)
    others = rng.permutation(len(moves))
    for i, row in enumerate(moves):
        pieces = [
            stroke[begin : begin + 5].astype(np.float64)
            for work in (row, moves[others[i]])
            for stroke in strokes_of(work)
            for begin in range(0, max(1, len(stroke) - 1), 4)
        ]
        half = max(2, (len(pieces) + 1) // 2)
        chosen = [pieces[j] for j in rng.permutation(len(pieces))[:half]]
        board = []
        for piece in chosen:
            angle = rng.uniform(0, 2 * np.pi)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            turned = (piece - piece.mean(axis=0)) @ turn + rng.uniform(3, SIZE - 4, 2)
            board.append(np.clip(np.round(turned), 0, SIZE - 1).astype(np.int64))
        coded = moves_of(board)[:MAX_MOVES]
        out[i, : len(coded)] = coded
    return out


def nothing_pool(moves: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int16]:
    """Works that show nothing: torn ones, torn and damaged ones, and random moves."""
    lengths = (moves != PAD).sum(axis=1)
    ripped = torn(moves, rng)
    return np.concatenate(
        [ripped, damage(torn(moves, rng), rng), random_works(len(moves) // 2, lengths, rng)]
    )


def fit_recogniser(
    drawings: Labelled,
    known: Sequence[int],
    options: FitOptions,
    report: Callable[[int, float, float], None] = lambda step, loss, seconds: None,
) -> Recogniser:
    """Teach a network to name drawings.

    Args:
        drawings: What it learns from; those whose concept is not in ``known`` are left out.
        known: Numbers of the concepts it learns, in the order of its classes.
        options: How.
        report: Told the step, the loss and the seconds since the beginning, every 50 steps.

    Returns:
        The network, in eval mode.
    """
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    classes = {concept: i for i, concept in enumerate(known)}
    labels = np.array([classes.get(int(c), -1) for c in drawings.concepts], np.int64)
    rows = np.flatnonzero(labels >= 0)
    moves, labels = drawings.works.moves[rows], labels[rows]
    chances = _chances(labels, drawings.designers[rows], drawings.whole[rows], options)
    ripped = nothing_pool(moves, rng)
    network = Recogniser(len(known), options.kind, options.width)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.steps, pct_start=0.1
    )
    begin = time.perf_counter()
    n_named = options.batch_size - options.nothing
    for step in range(options.steps):
        named = rng.choice(len(moves), n_named, p=chances)
        unnamed = rng.integers(0, len(ripped), options.nothing)
        batch = np.concatenate([moves[named], ripped[unnamed]])
        target = np.concatenate([labels[named], np.full(options.nothing, len(known))])
        seen = pictures(batch, LEARNT_FROM.draw(len(batch), rng), int(rng.integers(0, 2**31 - 1)))
        x, y = torch.from_numpy(seen), torch.from_numpy(target)
        loss = _loss(network, x, y, rng.beta(0.4, 0.4) if step % 2 else 1.0, options.smoothing)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            report(step + 1, loss.item(), time.perf_counter() - begin)
    return network.eval()


def _chances(
    labels: NDArray[np.int64],
    designers: NDArray[np.int64],
    whole: NDArray[np.bool_],
    options: FitOptions,
) -> NDArray[np.float64]:
    """How likely each drawing is shown: 1 / sqrt(drawings of its concept and designer)."""
    pairs = labels * 1000 + designers
    _, which, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    weights = np.where(whole, 1.0, options.part_weight) / np.sqrt(counts[which])
    # Concepts as often as the square root of what they would be: none is forgotten.
    total = np.bincount(labels, weights)
    weights = weights / np.sqrt(total[labels])
    return np.asarray(weights / weights.sum(), np.float64)


def _loss(
    network: Recogniser, x: torch.Tensor, y: torch.Tensor, share: float, smoothing: float
) -> torch.Tensor:
    """Cross-entropy; with a share below 1 pictures are mixed in pairs (Zhang et al. 2018)."""
    other = torch.randperm(len(x))
    if share < 1:
        x = (x * share + x[other] * (1 - share)).to(torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(x)
    loss = functional.cross_entropy(logits, y, label_smoothing=smoothing)
    if share < 1:
        mixed = functional.cross_entropy(logits, y[other], label_smoothing=smoothing)
        loss = share * loss + (1 - share) * mixed
    return loss
