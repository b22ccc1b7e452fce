"""Evolution: quality-diversity search over the moves of works, with ``ribs``.

MAP-Elites on a centroidal Voronoi tessellation (Vassiliades, Chatzilygeroudis and Mouret 2018): an
archive of cells tessellates the space of descriptors, each cell keeps the best work found in it.
Parents are drawn from the cells and from the human works, changed by the world's own mutations, and
their children are offered to the archive. No network, no gradient: what a user would try instead of
reinforcement learning.

The objective is the learner's reward without its memory: quality x surprise. Newness to the own
earlier works, which the learner is paid for too, is what the cells are for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from ribs.archives import CVTArchive, k_means_centroids

from move37.agents.makers.maker import TrainContext
from move37.agents.makers.scoring import Scorer
from move37.agents.makers.variation import mutate, play
from move37.envs.base.works import Works, WorksError, pad_moves, read_npz, write_npz
from move37.envs.base.world import Evaluator, Reward, World
from move37.novelty.archive import leave_one_out_novelty

FILE = "evolution.npz"
FORMAT = "move37-evolution-1"
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
SURPRISE_FULL = 1.15
"""Surprise is 1 from this multiple of the human 95th percentile of novelty on."""
ANSWER_ROUNDS = 8
"""Rounds of change and choice by which an elite is fitted to a brief that it was not made for."""
FIELDS = ("solution", "objective", "measures", "brief")

Mutate = Callable[[NDArray[np.int16], np.random.Generator, NDArray[np.int16]], NDArray[np.int16]]


def _elites(archive: CVTArchive) -> dict[str, NDArray[Any]]:
    """Every field of the elites, one row each, by cell: not by the order in which they came."""
    fields: dict[str, NDArray[Any]] = archive.data()
    order = np.argsort(fields["index"])
    return {key: values[order] for key, values in fields.items()}


class Evolution:
    """A search, and the archive of what it found.

    Args:
        world: Human works, pictures, and ``mutate`` if it brings mutations of its own: (moves
            (N, T), rng, human (M, U)) -> moves (N, V) of legal works.
        evaluator: For descriptors and the unit of novelty.
        new_reward: Makes the learner's reward as it is before any learning.
        centroids: (C, D) float64: the middle of each cell.

    Attributes:
        archive: The elites, with fields ``solution``, ``objective``, ``measures`` and ``brief``.
        env_steps: 0: works are made whole.
        works_searched: Works made and appraised by :meth:`search`.
        works_appraised: Works made and appraised so far, by the search and by :meth:`generate`.
        cpu_seconds: CPU seconds that the search took.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        new_reward: Callable[[], Reward],
        centroids: NDArray[np.float64],
    ) -> None:
        self.env_steps = 0
        self.works_searched = 0
        self.works_appraised = 0
        self.cpu_seconds = 0.0
        self._world = world
        self._evaluator = evaluator
        self._scorer = Scorer(world, new_reward)
        human = evaluator.describe(world.train)
        among = leave_one_out_novelty(human, evaluator.k_neighbors) / evaluator.scale
        self._full = SURPRISE_FULL * float(np.quantile(among, 0.95))
        self._max_moves = world.simulator(1).max_moves
        self._human = pad_moves(list(world.train.moves), self._max_moves)
        self._human_briefs = world.train.briefs
        own = getattr(world, "mutate", None)
        self._mutate = cast(Mutate, mutate if own is None else own)
        self._illegal = own is None
        self.archive = self._new_archive(np.asarray(centroids, np.float64))

    def _new_archive(self, centroids: NDArray[np.float64]) -> CVTArchive:
        return CVTArchive(
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
        self.works_appraised += len(works)
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
        log: Callable[[str], None] | None = None,
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
        begin, made, said = time.process_time(), 0, 0.0
        while True:
            spent = time.process_time() - begin
            self.cpu_seconds = spent
            share = spent / seconds if seconds > 0 else made / max(works, 1)
            if log is not None and (share >= said + 0.25 or share >= 1):
                said = share
                log(
                    f"evolution: {made} works in {spent:.0f} CPU seconds, {len(self.archive)} "
                    f"elites, mean objective {float(self.archive.stats.obj_mean or 0):.3f}"
                )
            if share >= 1:
                return
            n = BATCH if seconds > 0 else min(BATCH, works - made)
            self._generation(self.archive, reward, n, rng)
            self.works_searched += n
            made += n

    @property
    def stock(self) -> int:
        """Elites in the archive: works that were paid for before they are asked for."""
        return len(self.archive)

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
        archive = self._copy()
        known = {row.tobytes() for row in _elites(archive)["solution"]}
        per_work = max(2.0, self.works_searched / max(len(known), LEAST_CELLS))
        reward, spare = self._scorer.reward(), dict[bytes, tuple[float, int, Works]]()
        found = np.zeros(0, np.int64)
        made, effort = 0, int(np.ceil(per_work * n))
        while made < effort and len(found) < n:
            size = min(BATCH, effort - made)
            children, objective = self._generation(archive, reward, size, rng)
            for i, row in enumerate(children.moves):
                if row.tobytes() not in known:
                    spare.setdefault(row.tobytes(), (-objective[i], made + i, children[i : i + 1]))
            made += size
            elites = _elites(archive)
            found = np.flatnonzero([row.tobytes() not in known for row in elites["solution"]])
        found = rng.permutation(found)[:n]
        moves, briefs = list(elites["solution"][found]), list(elites["brief"][found])
        taken = {row.tobytes() for row in moves}
        rest = sorted((value, at, work) for key, (value, at, work) in spare.items()
                      if key not in taken)  # fmt: skip
        for i in range(n - len(moves)):
            work = rest[i % len(rest)][2]
            moves.append(work.moves[0])
            briefs.append(work.briefs[0])
        return Works(self._world.id, np.stack(moves), np.stack(briefs))

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
        """The learner's reward before any learning; see :meth:`score`."""
        return self._scorer.score(works)

    def _copy(self) -> CVTArchive:
        archive = self._new_archive(self.archive.centroids)
        if len(self.archive):
            elites = _elites(self.archive)
            archive.add(**{key: elites[key] for key in FIELDS})
        return archive

    def save(self, path: Path) -> None:
        """Write the archive and what it cost (.npz, no pickle)."""
        elites = _elites(self.archive)
        facts = {
            "format": FORMAT,
            "works_searched": self.works_searched,
            "cpu_seconds": self.cpu_seconds,
        }
        write_npz(
            path,
            {
                **{key: elites[key] for key in FIELDS},
                "centroids": self.archive.centroids,
                "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
            },
        )

    @classmethod
    def load(
        cls, path: Path, world: World, evaluator: Evaluator, new_reward: Callable[[], Reward]
    ) -> Evolution:
        """Read what :meth:`save` wrote.

        Raises:
            WorksError: If the file is missing, damaged, or no archive of elites of this world.
        """
        arrays = read_npz(path)
        try:
            facts = json.loads(arrays["facts"].tobytes())
            if facts["format"] != FORMAT:
                raise ValueError(f"format {facts['format']!r}")
            found = cls(world, evaluator, new_reward, arrays["centroids"])
            found.works_searched = found.works_appraised = int(facts["works_searched"])
            found.cpu_seconds = float(facts["cpu_seconds"])
            if len(arrays["objective"]):
                found.archive.add(**{key: arrays[key] for key in FIELDS})
        except (KeyError, TypeError, ValueError) as error:
            raise WorksError(f"{path}: not an archive of elites ({error})") from error
        return found


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
    world, budget, path = context.world, context.budget, context.folder / FILE
    if path.exists():
        return Evolution.load(path, world, context.evaluator, context.new_reward)
    cells = CELLS
    if budget.seconds <= 0:
        cells = int(np.clip(budget.works // WORKS_PER_CELL, LEAST_CELLS, CELLS))
    centroids = centroids_for(context.evaluator.describe(world.train), cells, context.seed)
    search = Evolution(world, context.evaluator, context.new_reward, centroids)
    rng = np.random.default_rng(context.seed)
    search.search(rng, budget.works, budget.seconds, context.log)
    search.save(path)
    return search
