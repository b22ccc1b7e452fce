"""Evolution: quality-diversity search over the moves of works, with ``ribs``.

MAP-Elites on a centroidal Voronoi tessellation (Vassiliades, Chatzilygeroudis and Mouret 2018): an
archive of cells tessellates the space of descriptors, each cell keeps the best work found in it.
Parents are drawn from the cells and from the human works, mutated, and their children are offered
to the archive. No network, no gradient: what a user would try instead of reinforcement learning.

A world may bring mutations of its own, ``mutate(moves (N, T), rng, human (M, U)) -> moves (N, V)``
of legal works; else :func:`mutate` changes lists of moves, whatever they mean.

The objective is the learner's reward without its memory: quality x clipped novelty. Novelty among
its own earlier works, which the learner is rewarded for too, is what the cells are for.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from ribs.archives import CVTArchive, k_means_centroids

from move37.agents.learner.rollout import rollout
from move37.agents.makers.cache import Cache
from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import PAD, Works, join_works, pad_moves
from move37.envs.base.world import Evaluator, Reward, World
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.diversity import leave_one_out_novelty

CELLS = 1500
"""Cells of the archive, where the budget is large enough."""
WORKS_PER_CELL = 40
LEAST_CELLS = 32
SAMPLES = 12_000
"""Points that the cells are fitted to by k-means."""
SPREAD = 0.7
"""Standard deviation of these points about the human works, as a share of the human works' own."""
BATCH = 256
"""Children per generation."""
HUMAN_SHARE = 0.05
"""Share of the parents that are human works once there are elites."""
FULL_NOVELTY = 1.15
"""Clipped novelty is 1 from this multiple of the human 95th percentile of novelty on."""
ANSWER_ROUNDS = 8
"""Rounds of change and choice by which an elite is fitted to a brief that it was not made for."""
FIELDS = ("solution", "objective", "measures", "brief")

Mutate = Callable[[NDArray[np.int16], np.random.Generator, NDArray[np.int16]], NDArray[np.int16]]


def _elites(archive: CVTArchive) -> dict[str, NDArray[Any]]:
    """Every field of the elites, one row each, by cell: not by the order in which they came."""
    fields: dict[str, NDArray[Any]] = archive.data()
    order = np.argsort(fields["index"])
    return {key: values[order] for key, values in fields.items()}


class Evolution(Maker):
    """A search, and the archive of what it found.

    Args:
        world: Human works, pictures, and ``mutate`` if it brings mutations of its own.
        evaluator: For descriptors and the unit of novelty.
        new_reward: Makes the learner's reward as it is before any learning.
        centroids: (C, D) float64: the middle of each cell.

    Attributes:
        archive: The elites, with fields ``solution``, ``objective``, ``measures`` and ``brief``.
        stock: Elites in the archive after the latest :meth:`search`.
        works_searched: Works made and appraised by :meth:`search`.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        new_reward: Callable[[], Reward],
        centroids: NDArray[np.float64],
    ) -> None:
        self.works_searched = 0
        self._world = world
        self._evaluator = evaluator
        self._scorer = RewardScorer(new_reward)
        human = evaluator.describe(world.train)
        among = leave_one_out_novelty(human, evaluator.k_neighbors) / evaluator.scale
        self._full = FULL_NOVELTY * float(np.quantile(among, 0.95))
        self._max_moves = world.simulator(1).max_moves
        self._human = pad_moves(list(world.train.moves), self._max_moves)
        self._human_briefs = world.train.briefs
        nothing = self._human[:0]
        own = world.mutate(nothing, np.random.default_rng(0), nothing)
        self._mutate = cast(Mutate, mutate if own is None else world.mutate)
        self._illegal = own is None
        self.archive = CVTArchive(
            solution_dim=self._max_moves,
            centroids=centroids,
            ranges=list(zip(centroids.min(axis=0), centroids.max(axis=0) + 1e-9, strict=True)),
            solution_dtype=np.int16,
            extra_fields={"brief": ((self._human_briefs.shape[1],), np.int16)},
            nearest_neighbors="sklearn_nn",
            sklearn_nn_kwargs={"algorithm": "brute"},
        )

    def _appraise(
        self, reward: Reward, works: Works
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Objective (N,) and measures (N, D) of works."""
        terms = reward(works)
        measures = self._evaluator.describe(works)
        novelty = terms.get("novelty")
        if novelty is None:
            novelty = reward.archive.novelty(measures)
        clipped_novelty = np.clip((novelty - 1) / (self._full - 1), 0, 1)
        return np.asarray(terms["quality"]) * clipped_novelty, measures.astype(np.float64)

    def _children(
        self, moves: NDArray[np.int16], briefs: NDArray[np.int16], rng: np.random.Generator
    ) -> Works:
        made = self._mutate(moves, rng, self._human)
        if self._illegal:
            made = play(self._world, made, briefs)
        return Works(self._world.id, made, briefs)

    def _parents(
        self, archive: CVTArchive, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Moves and briefs of n parents: the better of two random elites each, or human works."""
        rows = rng.integers(0, len(self._human), n)
        moves, briefs = self._human[rows], self._human_briefs[rows]
        if len(archive):
            elites = _elites(archive)
            chosen = rng.random(n) >= HUMAN_SHARE
            one, two = rng.integers(0, len(archive), (2, int(chosen.sum())))
            some = np.where(elites["objective"][one] >= elites["objective"][two], one, two)
            moves[chosen], briefs[chosen] = elites["solution"][some], elites["brief"][some]
        return moves, briefs

    def _generation(
        self, archive: CVTArchive, reward: Reward, n: int, rng: np.random.Generator
    ) -> tuple[Works, NDArray[np.float64]]:
        """Make n children and offer them; returns them with their objective."""
        children = self._children(*self._parents(archive, n, rng), rng)
        objective, measures = self._appraise(reward, children)
        # What is worth nothing takes no cell: the human works remain to start from instead.
        good = np.flatnonzero(objective > 0)
        if len(good):
            archive.add(
                children.moves[good], objective[good], measures[good], brief=children.briefs[good]
            )
        return children, objective

    def search(
        self,
        rng: np.random.Generator,
        works: int,
        seconds: float = 0.0,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Fill the archive.

        Args:
            rng: The only source of chance.
            works: Children to make and appraise.
            seconds: CPU seconds of this process to spend instead, however many works that makes
                (and then what comes out depends on the machine); 0: ``works`` decides.
            log: Takes a line now and then.
        """
        reward = self._scorer.reward()
        begin, made, done, said = time.process_time(), 0, 0.0, 0.0
        while done < 1:
            n = BATCH if seconds > 0 else min(BATCH, works - made)
            self._generation(self.archive, reward, n, rng)
            made += n
            spent = time.process_time() - begin
            done = spent / seconds if seconds > 0 else made / works
            if done >= min(1.0, said + 0.25):
                said = done
                log(
                    f"evolution: {made} works in {spent:.0f} CPU seconds, {len(self.archive)} "
                    f"elites, mean objective {float(self.archive.stats.obj_mean or 0):.3f}"
                )
        self.works_searched += made
        self.stock = len(self.archive)

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Give n elites in random order, each at most once.

        If n is larger than the archive, the search goes on from a copy of it, at the cost per elite
        that the search had so far, and what enters the copy is given too; if that is still too few,
        the best of the other children. Calls do not change the archive: two calls give many works
        in common. With a brief, each of n elites is put to it, then changed and kept where it got
        better for a few rounds; works come out in common only by chance.
        """
        if brief is not None and len(brief):
            return self._answers(n, rng, brief)
        elites = _elites(self.archive)
        order = rng.permutation(len(elites["objective"]))[:n]
        moves, briefs = elites["solution"][order], elites["brief"][order]
        if len(order) < n:
            more = self._more(n - len(order), rng)
            moves = np.concatenate([moves, more.moves])
            briefs = np.concatenate([briefs, more.briefs])
        return Works(self._world.id, moves, briefs)

    def _more(self, n: int, rng: np.random.Generator) -> Works:
        """Search on from a copy of the archive for n works that are not in it."""
        archive, reward = copy.deepcopy(self.archive), self._scorer.reward()
        known = {row.tobytes() for row in archive.data("solution")}
        per_work = max(2.0, self.works_searched / max(len(known), LEAST_CELLS))
        effort = int(np.ceil(per_work * n))
        made: dict[bytes, tuple[float, Works]] = {}
        found: list[bytes] = []
        for begin in range(0, effort, BATCH):
            size = min(BATCH, effort - begin)
            children, objective = self._generation(archive, reward, size, rng)
            for i, row in enumerate(children.moves):
                if row.tobytes() not in known:
                    made.setdefault(row.tobytes(), (objective[i], children[i : i + 1]))
            elites = (row.tobytes() for row in _elites(archive)["solution"])
            found = list(dict.fromkeys(key for key in elites if key in made))
            if len(found) >= n:
                break
        best = [found[i] for i in rng.permutation(len(found))]
        others = (key for key in made if key not in found)
        best += sorted(others, key=lambda key: -made[key][0])
        return join_works([made[best[i % len(best)]][1] for i in range(n)])

    def _answers(self, n: int, rng: np.random.Generator, brief: NDArray[np.int16]) -> Works:
        """Put elites to a brief and fit each to it."""
        elites, reward = _elites(self.archive), self._scorer.reward()
        pool = elites["solution"] if len(self.archive) else self._human
        times = -(-n // len(pool))
        order = np.concatenate([rng.permutation(len(pool)) for _ in range(times)])[:n]
        briefs = np.broadcast_to(np.asarray(brief, np.int16), (n, len(brief))).copy()
        works = Works(self._world.id, play(self._world, pool[order], briefs), briefs)
        objective, _ = self._appraise(reward, works)
        moves = works.moves.copy()
        for _ in range(ANSWER_ROUNDS):
            children = self._children(moves, briefs, rng)
            value, _ = self._appraise(reward, children)
            better = value > objective
            moves[better], objective[better] = children.moves[better], value[better]
        return Works(self._world.id, moves, briefs)

    def score(self, works: Works) -> NDArray[np.float64]:
        """The learner's reward before any learning; see :class:`RewardScorer`."""
        return self._scorer.score(works)

    def restore(self, elites: Mapping[str, NDArray[Any]], works_searched: int) -> None:
        """Fill the archive, empty so far, with elites by field, which so many works gave."""
        if len(elites["objective"]):
            self.archive.add(**{key: elites[key] for key in FIELDS})
        self.stock, self.works_searched = len(self.archive), works_searched


def play(world: World, moves: NDArray[np.int16], briefs: NDArray[np.int16]) -> NDArray[np.int16]:
    """Play lists of moves in the world until every work is finished, so that they are legal works.

    Args:
        world: Gives the dynamics.
        moves: (N, T) int16, padded with -1; a list that ends before its work does goes on with its
            last move.
        briefs: (N, B) int16, padded with -1.

    Returns:
        (N, max_moves) int16, padded with -1.
    """
    works = Works(world.id, moves, briefs)
    n, lengths = len(works), works.lengths
    last = np.where(lengths > 0, moves[np.arange(n), lengths - 1], 0).astype(np.int64)
    simulator = world.simulator(max(1, n))
    return rollout(simulator, n, lambda _, rows, t: last[rows], prefix=works)[0]


def mutate(
    moves: NDArray[np.int16], rng: np.random.Generator, human: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Change each work a little: replace, delete, insert or swap a move, or splice two works.

    New moves are drawn from human works or from other works of these. The last move of a work stays
    the last. The results need not be legal: :func:`play` them.

    Args:
        moves: (N, T) int16, padded with -1: the parents.
        rng: The only source of chance.
        human: (M, U) int16, padded with -1, M at least 1: for new moves and splicing.

    Returns:
        (N, max(T, U) + 1) int16, padded with -1.
    """
    n, width = len(moves), max(moves.shape[1], human.shape[1]) + 1
    rows, columns = np.arange(n), np.arange(width)[None]
    padded = np.full((n, width), PAD, np.int16)
    padded[:, : moves.shape[1]] = moves
    donors = np.full((n, width), PAD, np.int16)
    donors[:, : human.shape[1]] = human[rng.integers(0, len(human), n)]
    others = rng.random(n) < 0.5
    donors[others] = padded[rng.integers(0, max(n, 1), n)][others]
    lengths, lent = (padded != PAD).sum(axis=1), (donors != PAD).sum(axis=1)

    def place(length: NDArray[np.int64]) -> NDArray[np.int64]:
        """A position before the last move."""
        return (rng.random(n) * np.maximum(length - 1, 1)).astype(np.int64)

    at, to = place(lengths), place(lengths)
    kind = rng.integers(0, 5, n)
    replaces, inserts, deletes, swaps, splices = (kind == k for k in (0, 1, 2, 3, 4))
    # Where each move comes from: inserting moves what follows to the right, deleting to the left.
    shift = (deletes[:, None] & (columns >= at[:, None])).astype(np.int64)
    shift -= inserts[:, None] & (columns > at[:, None])
    shift[lengths < 2] = 0
    out = padded[rows[:, None], np.clip(columns + shift, 0, width - 1)]
    value = donors[rows, place(lent)]
    new = (replaces | inserts) & (value != PAD)
    out[rows[new], at[new]] = value[new]
    swap = rows[swaps]
    out[swap, at[swap]], out[swap, to[swap]] = padded[swap, to[swap]], padded[swap, at[swap]]
    splice = splices[:, None] & (columns >= at[:, None]) & (lent > at)[:, None]
    return np.where(splice, donors, out)


def centroids_for(human: NDArray[np.float32], cells: int, seed: int) -> NDArray[np.float64]:
    """Middles of cells, (C, D) float64, in and around the human works' descriptors (M, D)."""
    rng = np.random.default_rng((seed, 1))
    points = human[rng.integers(0, len(human), SAMPLES)].astype(np.float64)
    points += rng.normal(size=points.shape) * SPREAD * human.std(axis=0)
    found, _ = k_means_centroids(
        centroids=cells,
        ranges=[(0.0, 1.0)] * points.shape[1],  # only their number counts where samples are given
        samples=points,
        seed=seed,
        k_means_kwargs={"max_iter": 10},
    )
    return np.asarray(found, np.float64)


def make(context: TrainContext) -> Evolution:
    """Search at the learner's budget of works, or for ``budget.seconds`` of CPU time if given."""
    world, budget = context.world, context.budget
    cells = CELLS
    if budget.seconds <= 0:
        cells = int(np.clip(budget.works // WORKS_PER_CELL, LEAST_CELLS, CELLS))
    cache = Cache(context, "evolution", cells=cells, works=budget.works, seconds=budget.seconds)
    found = cache.load()
    if found is not None:
        arrays, facts = found
        search = Evolution(world, context.evaluator, context.new_reward, arrays["centroids"])
        search.restore(arrays, facts["works_searched"])
        return search
    centroids = centroids_for(context.evaluator.describe(world.train), cells, context.seed)
    search = Evolution(world, context.evaluator, context.new_reward, centroids)
    rng = np.random.default_rng(context.seed)
    search.search(rng, budget.works, budget.seconds, context.log)
    elites = _elites(search.archive)
    arrays = {"centroids": centroids, **{key: elites[key] for key in FIELDS}}
    cache.save(arrays, works_searched=search.works_searched)
    return search
