"""After the airplane, airplanes are probable: does a culture learn from an agent's works?

An imitator is trained again from scratch, on the human works and on works of the agent. Before and
after: how probable are other works of that agent, and how often does the imitator now make works
of their kind? As many works of each maker are learnt, and of two controls: works of other humans,
and noise. What nobody can learn from is Schmidhuber's noise: it becomes no shorter than its literal
code, so its compression progress is none (IEEE TAMD 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.imitation import evaluate, imitate, positions_of, sample_works
from move37.agents.measures.rollout import Judge, move_likelihoods
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Evaluator, World
from move37.novelty.knn import nearest
from move37.novelty.measures.compression import Progress, progress_of
from move37.novelty.measures.support import human_radius
from move37.novelty.statistics import Interval, airplane_ratio, bootstrap, log_ratio


@dataclass(frozen=True)
class Influence:
    """What learning a maker's works does to an imitator.

    Attributes:
        learnt: Works of the maker that were added to the human works.
        tested: Works of the maker that were not.
        nats_before: Mean negative log-likelihood per move of the tested works, human works learnt.
        nats_after: The same with the maker's works learnt as well.
        nats_gain: ``before - after`` with its bootstrap interval over the works. Noise gains too:
            it need only be expected.
        progress: Compression progress in bits per work, each observer free to write the work down
            literally. Of noise only the lengths can be learnt.
        region: Tested works that are good and new: at or above the bar, and no human work within
            the radius. They and what is near them are the region.
        share_before: Share of the imitator's samples that are good and in that region, that is,
            within the radius of one of these works and nearer to it than to any human work.
        share_after: After.
        ratio: The airplane ratio, ``after / before``, with its exact interval; nan without hits.
        log_ratio: Its logarithm with half a hit added: one number per seed, always finite.
        any_ratio: The ratio without the bar. Noise may win this one: who has seen noise makes more
            of it.
        human_nats_before: Per move of human works held out.
        human_nats_after: What learning the maker's works does to what was known.
    """

    learnt: int
    tested: int
    nats_before: float
    nats_after: float
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


class Influences:
    """Measures the influence of makers, all against the same imitator of human works alone.

    Every imitator starts from the same fresh weights, goes over its works as often, and keeps its
    epoch that is best on human works held out. A maker's works are each seen once an epoch.

    Args:
        world: Human works and dynamics.
        evaluator: Describes works.
        n_learnt: Works of each maker that are learnt.
        n_tested: Other works of each maker.
        n_samples: Works that each imitator makes to see what it has become likely to make.
        epochs: Passes of each imitator.
        seed: Of the weights, the order of the positions, the samples and the intervals.
        judge: Says what works are worth, never a reward; None: every work is good.
        bar: Quality from which a work is good, e.g. the human lower quartile: an airplane flies.
        radius: Distance up to which two works are of one kind; None: the 95th percentile of the
            distances of human works to their nearest other.
        temperature: Of the samples.
        boards: Boards that samples are made on at once.
        log: Takes one line about what happens.

    Attributes:
        network: The imitator of human works alone.
        samples: Its works.
        radius: In the units of the descriptors.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        n_learnt: int = 500,
        n_tested: int = 250,
        n_samples: int = 2000,
        epochs: int = 8,
        seed: int = 0,
        judge: Judge | None = None,
        bar: float = -math.inf,
        radius: float | None = None,
        temperature: float = 1.0,
        boards: int = 500,
        log: Callable[[str], None] = print,
    ) -> None:
        for name, value in (
            ("n_learnt", n_learnt), ("n_tested", n_tested), ("n_samples", n_samples),
            ("epochs", epochs), ("boards", boards),
        ):  # fmt: skip
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        self._world, self._evaluator = world, evaluator
        self._n_learnt, self._n_tested, self._n_samples = n_learnt, n_tested, n_samples
        self._epochs, self._seed, self._log = epochs, seed, log
        self._temperature, self._boards = temperature, boards
        self._judge, self._bar = judge, bar
        self._held_out = positions_of(world.simulator, world.held_out)
        self._human = evaluator.describe(world.train)
        self.radius = human_radius(self._human) if radius is None else float(radius)
        self.network, self._human_nats = self._fit(None, "the human works")
        self.samples = self._sample(self.network)
        self._n_moves = world.simulator(1).n_actions

    def measure(self, works: Works, name: str = "") -> Influence:
        """Measure one maker's influence; trains an imitator.

        Args:
            works: The maker's works in an order that means nothing, ``n_learnt + n_tested`` of
                them at least: the first are learnt, the next tested. No work of the one part
                should be in the other: see ``novelty.repeats``.
            name: For the line that is said.

        Raises:
            ValueError: If there are too few works.
        """
        needed = self._n_learnt + self._n_tested
        if len(works) < needed:
            raise ValueError(f"works: {needed} of {name or 'the maker'} needed, got {len(works)}")
        learnt, tested = works[: self._n_learnt], works[self._n_learnt : needed]
        network, human_nats = self._fit(_plain(learnt), name or "a maker's works")
        rng = np.random.default_rng((self._seed, 2))
        simulator = self._world.simulator
        bits = [
            move_likelihoods(net, simulator, _plain(tested)).bits for net in (self.network, network)
        ]
        moves = np.maximum(tested.lengths, 1)
        literal = moves * np.log2(self._n_moves)
        progress = progress_of(np.minimum(bits[0], literal), np.minimum(bits[1], literal), rng)
        nats = [b * np.log(2) for b in bits]

        def gain(saved: NDArray[np.float64], count: NDArray[np.float64]) -> float:
            return float(saved.sum() / count.sum())

        x = self._evaluator.describe(tested)
        new = nearest(x, self._human, 1)[0][:, 0] > self.radius
        good = self._good(tested)
        n = self._n_samples
        made = (self.samples, self._sample(network))
        any_before, any_after = (int(self._inside(some, x[new]).sum()) for some in made)
        before, after = (
            int((self._inside(some, x[new & good]) & self._good(some)).sum()) for some in made
        )
        self._log(
            f"{name}: {before / n:.2%} of the samples before, {after / n:.2%} after; "
            f"progress {progress.progress.value:.1f} bits a work"
        )
        return Influence(
            learnt=len(learnt),
            tested=len(tested),
            nats_before=float(nats[0].sum() / moves.sum()),
            nats_after=float(nats[1].sum() / moves.sum()),
            nats_gain=bootstrap(gain, nats[0] - nats[1], moves, rng=rng, paired=True),
            progress=progress,
            region=int((new & good).sum()),
            share_before=before / n,
            share_after=after / n,
            ratio=airplane_ratio(after, n, before, n),
            log_ratio=log_ratio(after, n, before, n),
            any_ratio=airplane_ratio(any_after, n, any_before, n),
            human_nats_before=self._human_nats,
            human_nats_after=human_nats,
        )

    def _fit(self, extra: Works | None, name: str) -> tuple[nn.Module, float]:
        """An imitator trained from scratch, in eval mode, and its nats on human works held out."""
        torch.manual_seed(self._seed)
        network = self._world.network(dropout=0.3)
        world, seed = self._world, self._seed

        def epoch(number: int) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.int64]]:
            works = world.variations(number, seed)
            if extra is not None:
                works = join_works([_plain(works), extra])
            return positions_of(world.simulator, works)

        fit = imitate(network, epoch, self._held_out, epochs=self._epochs, seed=seed)
        self._log(f"imitator of {name}: {fit.nats:.3f} nats a move of human works held out")
        return network.eval(), evaluate(network, *self._held_out)[0]

    def _sample(self, network: nn.Module) -> Works:
        world = self._world
        rng = np.random.default_rng((self._seed, 1))  # the same chance before and after
        boards = world.simulator(min(self._boards, self._n_samples))
        return sample_works(network, boards, world.id, self._n_samples, rng, self._temperature)

    def _good(self, works: Works) -> NDArray[np.bool_]:
        """(N,) bool: at or above the bar."""
        if self._judge is None:
            return np.ones(len(works), np.bool_)
        return np.asarray(self._judge(works) >= self._bar)

    def _inside(self, works: Works, targets: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(N,) bool: within the radius of a target, and nearer to it than to any human work."""
        if not len(targets):
            return np.zeros(len(works), np.bool_)
        x = self._evaluator.describe(works)
        to_target = nearest(x, targets, 1)[0][:, 0]
        to_human = nearest(x, self._human, 1)[0][:, 0]
        inside: NDArray[np.bool_] = (to_target <= self.radius) & (to_target < to_human)
        return inside


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


def _plain(works: Works) -> Works:
    """The moves alone, of works that have images or an appraisal too."""
    return Works(works.world, works.moves, works.briefs)
