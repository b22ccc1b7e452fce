"""Imitation: fit a network to the moves of human works, as AlphaGo's policy was at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from move37.agents.learner.fitting import OneCycle
from move37.agents.runs.checkpoint_io import (
    Arrays,
    Checkpoint,
    load_intact_checkpoint,
    save_checkpoint,
)
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.envs.progress import reached
from move37.novelty.storage import load_moments, moments_of, one_line, part

Observations = dict[str, NDArray[Any]]
FEW_BATCHES, BATCHES, LEAST_BATCH = 16, 64, 32
"""An epoch of fewer full batches has so many smaller ones instead, each of at least so many."""


def positions_of(
    make_simulator: Callable[[int], Simulator], works: Works
) -> tuple[Observations, NDArray[np.int64]]:
    """Replay works and gather every position with the move that was played there.

    Returns:
        observations, each (P, ...), and moves (P,) int64, work by work in order of moves.
    """
    simulator = make_simulator(len(works))
    simulator.reset(np.arange(len(works)), works.briefs)
    lengths = works.lengths
    seen: list[Observations] = []
    played: list[NDArray[np.int64]] = []
    order: list[NDArray[np.int64]] = []
    for t in range(works.moves.shape[1]):
        rows = np.flatnonzero(lengths > t)
        if not len(rows):
            break
        seen.append({key: value[rows].copy() for key, value in simulator.observations.items()})
        column = works.moves[:, t].astype(np.int64)
        played.append(column[rows])
        order.append(rows * works.moves.shape[1] + t)
        simulator.step(column)
    by_work = np.argsort(np.concatenate(order), kind="stable")
    stacked = {key: np.concatenate([s[key] for s in seen])[by_work] for key in seen[0]}
    return stacked, np.concatenate(played)[by_work]


@dataclass(frozen=True)
class Fit:
    """How well a network imitates.

    Attributes:
        nats: Mean negative log-likelihood of a held-out move, in nats.
        top1: Share of held-out moves that were the most probable one.
        epochs: Epochs trained until the best held-out figure.
    """

    nats: float
    top1: float
    epochs: int


def evaluate(
    network: nn.Module, observations: Observations, moves: NDArray[np.int64]
) -> tuple[float, float]:
    """Nats per move and top-1 share of a network on positions."""
    nats, hits = 0.0, 0
    with torch.no_grad():
        for begin in range(0, len(moves), 2048):
            rows = slice(begin, begin + 2048)
            logits, _ = network({k: torch.as_tensor(v[rows]) for k, v in observations.items()})
            target = torch.as_tensor(moves[rows])
            nats += float(functional.cross_entropy(logits, target, reduction="sum"))
            hits += int((logits.argmax(1) == target).sum())
    return nats / len(moves), hits / len(moves)


def imitate(
    network: nn.Module,
    train: Callable[[int], tuple[Observations, NDArray[np.int64]]],
    held_out: tuple[Observations, NDArray[np.int64]],
    *,
    epochs: int = 18,
    batch_size: int = 512,
    learning_rate: float = 1.5e-3,
    weight_decay: float = 0.05,
    seed: int = 0,
    on_epoch: Callable[[int, float, float, float], None] | None = None,
    on_state: Callable[[Checkpoint], None] | None = None,
    resume_from: Checkpoint | None = None,
) -> Fit:
    """Fit ``network`` to the moves; it ends with the weights of its best epoch.

    Args:
        network: Maps observations to (logits (N, A), features).
        train: Gives the observations and moves of an epoch (1, 2, ...); the number of positions
            must not change.
        held_out: Observations and moves to choose the best epoch by.
        epochs: Passes over the training positions; the learning rate falls to zero over them.
        batch_size: Positions per update; fewer where there would be fewer than 16 updates an epoch,
            so that a small corpus is learnt too.
        learning_rate: AdamW's peak step size.
        weight_decay: AdamW's decoupled decay.
        seed: Of the order of the positions.
        on_epoch: Called after each epoch with (epoch, training nats, held-out nats, top-1).
        on_state: Called with the state after each epoch but the last.
        resume_from: Such a state, of a call with the same arguments; the result is bit-identical to
            that of an uninterrupted call.

    Raises:
        FloatingPointError: If the loss is not finite.
        ValueError: If ``resume_from`` is the state of something else.
    """
    first = int(resume_from.facts["epoch"]) + 1 if resume_from else 1
    observations, moves = train(first)
    if len(moves) < FEW_BATCHES * batch_size:
        batch_size = min(batch_size, len(moves), max(LEAST_BATCH, len(moves) // BATCHES))
    updates = epochs * (len(moves) // batch_size)
    optimizer = OneCycle(network, learning_rate, weight_decay, updates, clip=1.0)
    generator = torch.Generator().manual_seed(seed)
    best = Fit(float("inf"), 0.0, 0)
    best_weights = {k: v.clone() for k, v in network.state_dict().items()}
    if resume_from:
        best, best_weights = _restore(resume_from, network, optimizer, generator)
    for epoch in range(first, epochs + 1):
        if epoch > first:
            observations, moves = train(epoch)
        order = torch.randperm(len(moves), generator=generator)
        batches = order[: len(moves) // batch_size * batch_size].view(-1, batch_size)
        loss = train_epoch(network, optimizer, observations, moves, batches, f"epoch {epoch}")
        if not np.isfinite(loss):
            raise FloatingPointError(f"imitation: the loss became {loss} in epoch {epoch}")
        nats, top1 = evaluate(network, *held_out)
        if nats < best.nats:
            best = Fit(nats, top1, epoch)
            best_weights = {k: v.clone() for k, v in network.state_dict().items()}
        if on_epoch is not None:
            on_epoch(epoch, loss, nats, top1)
        if on_state is not None and epoch < epochs:
            on_state(_capture(epoch, best, best_weights, network, optimizer, generator))
    network.load_state_dict(best_weights)
    return best


def train_epoch(
    network: nn.Module,
    optimizer: OneCycle,
    observations: Observations,
    moves: NDArray[np.int64],
    batches: torch.Tensor,
    name: str,
) -> float:
    """Make one update for each batch of rows (B, R), named ``name`` where it is told how far it is.

    Returns:
        The mean loss, in nats.
    """
    network.train()
    tensors = {key: torch.as_tensor(value) for key, value in observations.items()}
    targets = torch.as_tensor(moves)
    total = 0.0
    for n, rows in enumerate(batches, 1):
        logits, _ = network({key: value[rows] for key, value in tensors.items()})
        loss = functional.cross_entropy(logits, targets[rows])
        optimizer.step(loss)
        total += loss.item()
        reached(f"{name}, update {n:,} of {len(batches):,}, {total / n:.3f} nats a move")
    network.eval()
    return total / len(batches)


def fit_imitator(
    world: World,
    seed: int,
    epochs: int,
    log: Callable[[str], None],
    state_path: Path,
    show: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """Fit a network of a world to its human works; in eval mode.

    Args:
        world: Whose human works.
        seed: Of the weights, the order of the moves and the variations of the works.
        epochs: Passes over the human moves.
        log: Takes one line about each epoch.
        state_path: Where the state after each epoch is saved, and resumed from if it exists; to be
            removed once the network is saved.
        show: Is given the network, in eval mode, after each epoch.
    """

    def on_epoch(epoch: int, loss: float, nats: float, top1: float) -> None:
        log(f"imitation {epoch}/{epochs}: {nats:.3f} nats a move, top-1 {top1:.3f}")
        if show is not None:
            show(network)

    torch.manual_seed(seed)
    network = world.network(dropout=0.3)
    resume_from = load_intact_checkpoint(state_path, log)
    if resume_from:
        log(f"imitation resumes after epoch {resume_from.facts['epoch']}")
    imitate(
        network,
        lambda epoch: positions_of(world.simulator, world.variations(epoch, seed)),
        positions_of(world.simulator, world.held_out),
        epochs=epochs,
        seed=seed,
        on_epoch=on_epoch,
        on_state=lambda state: save_checkpoint(state_path, state),
        resume_from=resume_from,
    )
    return network.eval()


def _capture(
    epoch: int,
    best: Fit,
    best_weights: dict[str, torch.Tensor],
    network: nn.Module,
    optimizer: OneCycle,
    generator: torch.Generator,
) -> Checkpoint:
    arrays: Arrays = {f"weights/{k}": v.numpy().copy() for k, v in network.state_dict().items()}
    arrays |= {f"best/{k}": v.numpy() for k, v in best_weights.items()}
    arrays |= {f"moments/{k}": v.copy() for k, v in moments_of(optimizer.optimizer).items()}
    arrays["random/order"] = generator.get_state().numpy()
    arrays["random/torch"] = torch.get_rng_state().numpy()
    (group,) = optimizer.optimizer.param_groups
    facts = {
        "epoch": epoch,
        "best": [best.nats, best.top1, best.epochs],
        "group": {key: group[key] for key in ("lr", "betas")},
    }
    return Checkpoint(arrays, facts)


def _restore(
    state: Checkpoint,
    network: nn.Module,
    optimizer: OneCycle,
    generator: torch.Generator,
) -> tuple[Fit, dict[str, torch.Tensor]]:
    arrays = state.arrays

    def tensors(name: str) -> dict[str, torch.Tensor]:
        return {k: torch.from_numpy(v.copy()) for k, v in part(arrays, name).items()}

    try:
        best_weights = tensors("best")
        network.load_state_dict(best_weights)  # what does not fit is found now
        network.load_state_dict(tensors("weights"))
        load_moments(optimizer.optimizer, part(arrays, "moments"))
        optimizer.optimizer.param_groups[0].update(
            lr=float(state.facts["group"]["lr"]), betas=tuple(state.facts["group"]["betas"])
        )
        # Its rates are a function of how many updates there were.
        optimizer.schedule.last_epoch = int(arrays["moments/0/step"])
        generator.set_state(tensors("random")["order"])
        torch.set_rng_state(tensors("random")["torch"])
        nats, top1, epochs = state.facts["best"]
        return Fit(float(nats), float(top1), int(epochs)), best_weights
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise ValueError(f"the state is of another imitation ({one_line(error)})") from error
