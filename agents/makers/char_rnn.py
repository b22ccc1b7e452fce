"""The char-RNN: a recurrent network over the moves of human works, sampled at a temperature.

After Graves (2013) and Karpathy (2015): the next token from all tokens before, here moves. It
never sees the board. Two things a world may say help it, both optional:

- ``coordinates``, (A, K) int, -1 for moves that have no place: where its moves lie. The network
  then also reads and scores moves by their coordinates and by where they lie from the last one, as
  sketch-rnn (Ha and Eck 2017) does with offsets of the pen.
- ``brief_steps(briefs)``, (N, B) to (N, T, F) int from 0 on: what a brief says of each step. In
  worlds without, a brief is moves made before the work begins, and is read like them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from move37.agents.learner.fitting import BestWeights, OneCycle
from move37.agents.learner.rollout import BOARDS, Observations, draw_moves, rollout
from move37.agents.makers.cache import Cache
from move37.agents.makers.maker import Maker, TrainContext
from move37.agents.makers.networks.move_rnn import MoveRNN, Shape, trail_of
from move37.envs.base.works import PAD, Works, pad_moves
from move37.envs.base.world import World

GIVEN_SHARE = 0.1
"""Share of works whose beginning is given as the brief, in worlds where human works have none."""
FEWEST = 1200
"""Human works of an epoch; where there are fewer, each epoch passes over them more often."""
BATCH = 32
"""Works per update."""
LEARNING_RATE = 3e-3
"""AdamW's peak step size."""
CHUNK = 128
"""Works whose likelihood is computed in one pass."""

BriefSteps = Callable[[NDArray[np.int16]], NDArray[np.integer]]


def as_long(values: NDArray[np.integer]) -> Tensor:
    """The same numbers as an int64 tensor."""
    return torch.from_numpy(np.asarray(values, np.int64))


def _tensors(works: Works, steps: BriefSteps | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Moves (N, T), briefs (N, B) and what the briefs say of each step (N, T, F)."""
    given = None if steps is None else as_long(steps(works.briefs))
    return as_long(works.moves), as_long(works.briefs), given


def _batches(lengths: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """All works once, in random order, those of about the same length together."""
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for begin in range(0, len(order), 32 * BATCH):
        block = order[begin : begin + 32 * BATCH]
        block = block[np.argsort(lengths[block], kind="stable")]
        batches.extend(block[i : i + BATCH] for i in range(0, len(block), BATCH))
    for i in rng.permutation(len(batches)):
        yield batches[i]


def give_beginnings(
    works: Works, placed: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> Works:
    """Make the beginning of some works their brief, so that briefs are met while fitting.

    Works are cut where a run of moves that have a place ends (anywhere in worlds whose moves have
    none); the move that ends the run belongs to neither side.

    Args:
        works: Works without briefs.
        placed: (A,) bool: which moves have a place.
        share: Of the works.
        rng: The only source of chance.
    """
    moves, briefs = list(works.moves), [row[:0] for row in works.moves]
    for i in np.flatnonzero(rng.random(len(works)) < share):
        row = works.moves[i, : works.lengths[i]]
        if placed.any():
            ends = np.flatnonzero(~placed[row[:-2]])
            ends = ends[ends > 0]
        else:
            ends = np.arange(1, len(row) - 1)
        if len(ends):
            cut = int(rng.choice(ends))
            briefs[i] = row[:cut]
            moves[i] = row[cut + 1 if placed.any() else cut :]
    return Works(works.world, pad_moves(moves), pad_moves(briefs))


def fit(
    network: MoveRNN,
    train: Callable[[int], Works],
    held_out: Works,
    *,
    epochs: int,
    steps: BriefSteps | None = None,
    seed: int = 0,
    log: Callable[[str], None] = lambda _: None,
) -> float:
    """Fit a network to works; it ends with the weights of its best epoch.

    Args:
        network: To be fitted.
        train: Gives the works of an epoch (1, 2, ...); their number must not change.
        held_out: Works to choose the best epoch by.
        epochs: Passes over the works; the learning rate falls to zero over them.
        steps: The world's ``brief_steps``, if it has it.
        seed: Order of the works, and which beginnings are given.
        log: Takes one line per epoch.

    Returns:
        The best mean nats per held-out move.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    rng = np.random.default_rng((seed, 2))
    works = train(1)
    updates = epochs * -(-len(works) // BATCH)
    descent = OneCycle(network, LEARNING_RATE, 0.05, updates + 1, clip=1.0)
    best = BestWeights(network)
    placed = network.placed.numpy()[:-1]
    for epoch in range(1, epochs + 1):
        works = works if epoch == 1 else train(epoch)
        if not (works.briefs >= 0).any():
            works = give_beginnings(works, placed, GIVEN_SHARE, rng)
        trained = _fit_epoch(network, works, steps, descent, rng)
        if not np.isfinite(trained):
            raise FloatingPointError(f"char-RNN: the loss became {trained} in epoch {epoch}")
        nats = -float(log_likelihood(network, held_out, steps).sum() / held_out.lengths.sum())
        log(f"char-RNN {epoch}/{epochs}: {nats:.3f} nats a move (fitted: {trained:.3f})")
        best.offer(nats)
    best.restore()
    return best.loss


def _fit_epoch(
    network: MoveRNN,
    works: Works,
    steps: BriefSteps | None,
    descent: OneCycle,
    rng: np.random.Generator,
) -> float:
    """Pass over the works once; the mean nats per move on the way. Ends in eval mode."""
    lengths = works.lengths
    moves, briefs, given = _tensors(works, steps)
    running = 0.0
    network.train()
    for rows in _batches(lengths, rng):
        longest = int(lengths[rows].max())
        known = None if given is None else given[rows]
        total = network.log_p(moves[rows, :longest], briefs[rows], known).sum()
        descent.step(-total / int(lengths[rows].sum()))
        running -= float(total.detach())
    network.eval()
    return running / float(lengths.sum())


def log_likelihood(
    network: MoveRNN, works: Works, steps: BriefSteps | None = None
) -> NDArray[np.float64]:
    """(N, T) float64, nats: the log-probability of every move, 0 after the last one."""
    out = np.zeros(works.moves.shape)
    with torch.no_grad():
        for begin in range(0, len(works), CHUNK):
            part = works[begin : begin + CHUNK]
            longest = int(part.lengths.max())
            if longest:
                moves, briefs, given = _tensors(part, steps)
                log_p = network.log_p(moves[:, :longest], briefs, given)
                out[begin : begin + CHUNK, :longest] = log_p.numpy()
    return out


class CharRNN(Maker):
    """Samples works from a fitted network.

    Args:
        world: Where works are made.
        network: Fitted; used in eval mode.
        nats: Its mean nats per held-out move.
        temperature: Divides the logits; lower is more certain.
    """

    def __init__(
        self, world: World, network: MoveRNN, nats: float, temperature: float = 1.0
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature: expected more than 0, got {temperature}")
        self.world, self.network, self.nats = world, network.eval(), nats
        self.temperature = temperature
        self._steps = brief_steps_of(world)

    def with_temperature(self, temperature: float) -> CharRNN:
        """The same network sampled at another temperature."""
        return CharRNN(self.world, self.network, self.nats, temperature)

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works; see :class:`move37.agents.makers.maker.Maker`."""
        simulator = self.world.simulator(max(1, min(n, BOARDS)))
        network, steps = self.network, self._steps
        known: Tensor | None = None
        state = torch.zeros(0)

        def choose(_: Observations, rows: NDArray[np.int64], t: int) -> NDArray[np.int64]:
            nonlocal known, state
            if t == 0:
                given = simulator.briefs[rows]
                state = network.start(as_long(given))
                known = None if steps is None else network.read_given(as_long(steps(given)))
            now = trail_of(as_long(simulator.moves[rows]), network.placed)[:, t]
            part = None if known is None else known[rows, t : t + 1]
            features, state[:, rows] = network(now[:, None], part, state[:, rows])
            return draw_moves(network.scores(features[:, 0], now[:, 1]), rng, self.temperature)

        with torch.no_grad():
            moves, briefs = rollout(simulator, n, choose, brief=brief)
        return Works(self.world.id, moves, briefs)

    def log_likelihood(self, works: Works) -> NDArray[np.float64]:
        """(N, T) float64, nats: log-probability of every move at temperature 1, 0 after the last.

        Minus the sum over a work divided by ln 2 is its description length in bits.
        """
        return log_likelihood(self.network, works, self._steps)

    def score(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: mean log-probability of a move, in nats; more is better."""
        total: NDArray[np.float64] = self.log_likelihood(works).sum(axis=1)
        return total / np.maximum(works.lengths, 1)


def coordinates_of(world: World) -> Tensor:
    """(A, K) int64: where a world's moves lie; K is 0 if it does not say."""
    found = world.coordinates
    if found is None:
        return torch.zeros(world.simulator(1).n_actions, 0, dtype=torch.long)
    return as_long(found)


def brief_steps_of(world: World) -> BriefSteps | None:
    """What a world's briefs say of each step; None: its briefs are moves made before."""
    if world.brief_steps(world.train.briefs[:1]) is None:
        return None
    return cast(BriefSteps, world.brief_steps)


def shape_for(world: World) -> Shape:
    """The shape of a network for a world.

    Raises:
        ValueError: If the briefs of the world's human works cannot be read.
    """
    simulator, briefs, steps = world.simulator(1), world.train.briefs, brief_steps_of(world)
    if steps is not None:
        values = np.asarray(steps(briefs)).max(axis=(0, 1)) + 1
        return Shape(simulator.n_actions, simulator.max_moves, tuple(values.tolist()))
    if briefs.max(initial=PAD) >= simulator.n_actions:
        raise ValueError(f"world {world.id!r}: its briefs are no moves, so it needs brief_steps")
    return Shape(simulator.n_actions, simulator.max_moves)


def make(context: TrainContext) -> CharRNN:
    """Fit a char-RNN to the world's human works, or read the one in the folder."""
    world, seed = context.world, context.seed
    torch.set_num_threads(context.threads)
    shape = shape_for(world)
    epochs = context.budget.epochs * max(1, round(FEWEST / len(world.train)))
    cache = Cache(context, "rnn", shape=asdict(shape), epochs=epochs)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = MoveRNN(shape, coordinates_of(world))
        known = cache.load_into(network)
        if known is not None:
            return CharRNN(world, network, float(known["nats"]))
        nats = fit(
            network,
            lambda epoch: world.variations(epoch, seed),
            world.held_out,
            epochs=epochs,
            steps=brief_steps_of(world),
            seed=seed,
            log=context.log,
        )
    cache.save(network.state_dict(), nats=nats)
    return CharRNN(world, network, nats)
