"""After the airplane, airplanes are probable: does a culture learn from a maker's works?

An imitator is trained again from scratch, on the human works and on works of the maker. Before and
after: how probable are other works of that maker, and how often does the imitator now make works
of their kind? As many works of each maker are learnt, and of two controls: works of other humans,
and noise. Noise cannot be learnt: it becomes no shorter than its literal code, so that it gives no
compression progress (Schmidhuber, IEEE TAMD 2010).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.imitation import evaluate, imitate, positions_of
from move37.agents.learner.rollout import sample_works
from move37.agents.measures.likelihoods import Scorer, move_likelihoods, moves_alone
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Evaluator, World
from move37.novelty.knn import nearest
from move37.novelty.measures.compression import Progress, progress_of
from move37.novelty.statistics import Interval, airplane_ratio, bootstrap, log_ratio

BOARDS = 500
"""Samples made at the same time."""


@dataclass(frozen=True)
class Influence:
    """What learning a maker's works does to an imitator.

    Attributes:
        nats_gain: How much less the mean negative log-likelihood of a move of the tested works is
            with the maker's works learnt as well as the human ones, with its bootstrap interval
            over the works. Noise gains too: it need only be expected.
        progress: Compression progress in bits per work, each observer free to write the work down
            literally. Of noise only the lengths can be learnt.
        region: Tested works that are good and new: of at least ``min_quality``, and no human work
            within the radius. They and what is near them are the region.
        share_before: Share of the imitator's samples that are good and in that region, that is,
            within the radius of one of these works and nearer to it than to any human work.
        share_after: After.
        ratio: The airplane ratio, ``after / before``, with its exact interval; nan without
        log_ratio: Its logarithm with half a hit added: one number per seed, always finite.
        any_ratio: The ratio with every work counted as good. Noise may win this one: an imitator
            that has seen noise makes more of it.
        human_nats_before: Mean negative log-likelihood of a move of human works held out.
        human_nats_after: The same after learning the maker's works: if it rises, what was known is
            forgotten.
    """

    nats_gain: Interval
    progress: Progress
    region: int
    share_before: float
    share_after: float
    ratio: Interval
    log_ratio: float
    any_ratio: Interval
    human_nats_before: float
    human_nats_after: float


@dataclass(frozen=True)
class InfluenceConfig:
    """How influence is measured.

    Attributes:
        n_learnt: Works of each maker that an imitator learns.
        n_tested: Other works of each maker, which it is tested on.
        n_samples: Works that each imitator makes to see what it has become likely to make.
        epochs: Passes of each imitator.
        seed: Of the weights, the order of the positions, the samples and the intervals.
        min_quality: Quality from which a work is good, e.g. the human lower quartile: an airplane
            flies.
        radius: Distance up to which two works are of one kind, in the units of the descriptors.
    """

    n_learnt: int
    n_tested: int
    n_samples: int
    epochs: int
    seed: int
    min_quality: float
    radius: float


class Influences:
    """Measures the influence of makers, all against the same imitator of human works alone.

    Every imitator starts from the same fresh weights, goes over its works as often, and keeps its
    epoch that is best on human works held out. A maker's works are each seen once an epoch.

    Args:
        world: Human works and dynamics.
        evaluator: Describes works.
        config: How it is measured.
        scorer: Says what works are worth, never a reward.
        log: Takes one line about what happens.

    Attributes:
        network: The imitator of human works alone.
        samples: Its works.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        config: InfluenceConfig,
        scorer: Scorer,
        log: Callable[[str], None] = print,
    ) -> None:
        self._world, self._evaluator, self._scorer, self._log = world, evaluator, scorer, log
        self._config = config
        self._held_out = positions_of(world.simulator, world.held_out)
        self._human = evaluator.describe(world.train)
        self.network, self._human_nats = self._fit(None, "the human works")
        self.samples = self._sample(self.network)

    def measure(self, works: Works, name: str = "the maker") -> Influence:
        """Measure one maker's influence; trains an imitator.

        Args:
            works: The maker's works in random order, ``n_learnt + n_tested`` of them at least: the
                first are learnt, the next tested. No work of the one part should be in the other:
                duplicates have to be left out before.
            name: Of the maker, for the log.

        Raises:
            ValueError: If there are too few works.
        """
        config = self._config
        needed = config.n_learnt + config.n_tested
        if len(works) < needed:
            raise ValueError(f"works: {needed} of {name} needed, got {len(works)}")
        learnt, tested = works[: config.n_learnt], works[config.n_learnt : needed]
        network, human_nats = self._fit(moves_alone(learnt), name)
        rng = np.random.default_rng((config.seed, 2))
        bits = [
            move_likelihoods(imitator, self._world.simulator, moves_alone(tested)).bits
            for imitator in (self.network, network)
        ]
        moves = np.maximum(tested.lengths, 1)
        literal = moves * np.log2(self._world.simulator(1).n_actions)
        free = np.minimum(bits, literal)
        progress = progress_of(free[0], free[1], rng)
        gained = bits[0] * np.log(2) - bits[1] * np.log(2)
        gain = bootstrap(_per_move, gained, moves, rng=rng, paired=True)
        region, before, any_before, after, any_after = self._count_hits(
            tested, self._sample(network)
        )
        n = config.n_samples
        self._log(
            f"{name}: {before / n:.2%} of the samples before, {after / n:.2%} after; "
            f"progress {progress.progress.value:.1f} bits a work"
        )
        return Influence(
            nats_gain=gain,
            progress=progress,
            region=region,
            share_before=before / n,
            share_after=after / n,
            ratio=airplane_ratio(after, n, before, n),
            log_ratio=log_ratio(after, n, before, n),
            any_ratio=airplane_ratio(any_after, n, any_before, n),
            human_nats_before=self._human_nats,
            human_nats_after=human_nats,
        )

    def _count_hits(self, tested: Works, samples: Works) -> list[int]:
        """Tested works that make the region, and the imitators' samples in it.

        Five numbers: works in the region; samples before, and counting every work as good; after.
        """
        x = self._evaluator.describe(tested)
        new = nearest(x, self._human, 1)[0][:, 0] > self._config.radius
        good = self._good(tested)
        counts = [int((new & good).sum())]
        for some in (self.samples, samples):
            counts.append(int((self._inside(some, x[new & good]) & self._good(some)).sum()))
            counts.append(int(self._inside(some, x[new]).sum()))
        return counts

    def _fit(self, extra: Works | None, name: str) -> tuple[nn.Module, float]:
        """An imitator trained from scratch, in eval mode, and its nats on human works held out."""
        world, seed = self._world, self._config.seed
        torch.manual_seed(seed)
        network = world.network(dropout=0.3)

        def epoch(number: int) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.int64]]:
            works = world.variations(number, seed)
            if extra is not None:
                works = join_works([moves_alone(works), extra])
            return positions_of(world.simulator, works)

        fit = imitate(network, epoch, self._held_out, epochs=self._config.epochs, seed=seed)
        self._log(f"imitator of {name}: {fit.nats:.3f} nats a move of human works held out")
        return network.eval(), evaluate(network, *self._held_out)[0]

    def _sample(self, network: nn.Module) -> Works:
        world, n = self._world, self._config.n_samples
        rng = np.random.default_rng((self._config.seed, 1))  # the same randomness before and after
        return sample_works(network, world.simulator(min(BOARDS, n)), world.id, n, rng)

    def _good(self, works: Works) -> NDArray[np.bool_]:
        """(N,) bool: of at least ``min_quality``."""
        return np.asarray(self._scorer(works) >= self._config.min_quality)

    def _inside(self, works: Works, targets: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(N,) bool: within the radius of a target, and nearer to it than to any human work."""
        if not len(targets):
            return np.zeros(len(works), np.bool_)
        x = self._evaluator.describe(works)
        to_target = nearest(x, targets, 1)[0][:, 0]
        to_human = nearest(x, self._human, 1)[0][:, 0]
        inside: NDArray[np.bool_] = (to_target <= self._config.radius) & (to_target < to_human)
        return inside


def _per_move(nats: NDArray[np.float64], moves: NDArray[np.float64]) -> float:
    """Nats of works (N,), added up, for each of their moves (N,)."""
    return float(nats.sum() / moves.sum())


def noise_works(works: Works, rng: np.random.Generator) -> Works:
    """Works of the same lengths, last moves and briefs, every other move drawn at random.

    A move is drawn uniformly from those that occur before the end of some work.

    Args:
        works: E.g. human ones.
        rng: The only source of chance.
    """
    moves = works.moves.copy()
    lengths = works.lengths
    before_end = np.arange(moves.shape[1]) < (lengths - 1)[:, None]
    known = np.unique(moves[before_end])
    if len(known):
        moves[before_end] = rng.choice(known, int(before_end.sum()))
    return Works(works.world, moves, works.briefs)
