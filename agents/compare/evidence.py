"""Evidence that a maker shifts the distribution: the measures of ``docs/measures.md``.

They are computed from the saved works of one maker and seed at a time, and written to
``evidence/NAME-SEED.json``. Human works held out are the control without a shift; works of other
humans and noise are controls of the same size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.rollout import sample_works
from move37.agents.measures.decisions import decision_quality
from move37.agents.measures.influence import InfluenceConfig, Influences
from move37.agents.measures.likelihoods import moves_alone
from move37.agents.measures.move37 import detect
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Evaluator, World
from move37.novelty.measures.compression import compression_progress, move_bytes
from move37.novelty.measures.openings import (
    copy_insertion,
    first_novel_moves,
    length_strata,
    novelty_index,
    stratified_by_length,
)
from move37.novelty.measures.rediscovery import rediscovered
from move37.novelty.measures.shift import calibrated_density_coverage, shift_test
from move37.novelty.measures.support import human_radius, support_curve, support_test
from move37.novelty.statistics import bootstrap

HELD_OUT = "human"
"""Name of the human works held out."""
NOISE = "noise"
"""Name of the control: works of human lengths with random moves."""
BOARDS = 500


@dataclass(frozen=True)
class Depth:
    """Sample sizes of the measures of shift.

    Attributes:
        samples: Numbers of the imitator's samples among which works are looked for, rising.
        permutations: Of each permutation test.
        learnt: Works of a maker that an imitator is trained on.
        tested: Other works of the maker that it is tested on.
        influence_samples: Samples of each imitator before and after.
        epochs: Training epochs of each imitator.
        moments: Works whose improbable move is examined.
        decisions: Works of which one decision is valued.
        completions: Works finished from each position.
        reference: Human works among which an opening's precedent is looked for.
    """

    samples: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    permutations: int = 999
    learnt: int = 500
    tested: int = 250
    influence_samples: int = 2000
    epochs: int = 6
    moments: int = 40
    decisions: int = 60
    completions: int = 16
    reference: int = 2000


DEPTHS = {
    "smoke": Depth((50, 200), 99, 60, 30, 100, 1, 3, 6, 4, 200),
    "default": Depth(),
    "full": Depth(epochs=12, completions=32),
}

Figures = dict[str, Any]
"""Numbers or :class:`Interval` by name; nan where nothing is known."""


class Evidence:
    """The measures of shift of the makers of one seed, against one imitator and the human works.

    Args:
        world: Human works and dynamics.
        evaluator: Its descriptors and its held-out judge.
        imitator: The frozen one of this seed, in eval mode.
        temperature: The imitator's temperature with the highest yield.
        learner: The learner's best works, which other makers may come near; None if there are none.
        depth: Sample sizes.
        seed: Of all randomness.
        withheld: Human works taken out of the world; None if there are none.
        log: Takes one line about what happens.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        imitator: nn.Module,
        temperature: float,
        learner: Works | None,
        depth: Depth,
        seed: int,
        withheld: Works | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self.world, self.evaluator, self.imitator = world, evaluator, imitator
        self.temperature, self.learner, self.depth = temperature, learner, depth
        self.seed, self.withheld, self.log = seed, withheld, log
        self.human = evaluator.describe(world.train)
        self.radius = human_radius(self.human)

    @cached_property
    def samples(self) -> Works:
        """The imitator's works at its best temperature."""
        n = self.depth.samples[-1]
        rng = np.random.default_rng((self.seed, 37))
        boards = self.world.simulator(min(BOARDS, n))
        return sample_works(self.imitator, boards, self.world.id, n, rng, self.temperature)

    @cached_property
    def _sampled(self) -> NDArray[np.float32]:
        parts = [self.samples[i : i + 2000] for i in range(0, len(self.samples), 2000)]
        return np.concatenate([self.evaluator.describe(part) for part in parts])

    @cached_property
    def _human_quality(self) -> tuple[float, float]:
        """Lower quartile and median of the held-out judge on human works held out."""
        low, median = np.quantile(self.evaluator.judge(self.world.held_out), [0.25, 0.5])
        return float(low), float(median)

    @cached_property
    def _influences(self) -> Influences:
        depth = self.depth
        config = InfluenceConfig(
            n_learnt=depth.learnt,
            n_tested=depth.tested,
            n_samples=depth.influence_samples,
            epochs=depth.epochs,
            seed=self.seed,
            min_quality=self._human_quality[0],
            radius=self.radius,
        )
        return Influences(self.world, self.evaluator, config, self.evaluator.judge, self.log)

    def measure(self, works: Works, best: Works, name: str) -> dict[str, Figures]:
        """All measures of one maker, by name.

        Args:
            works: Fresh and unselected, in random order.
            best: The best tenth of them.
            name: The maker's.
        """
        rng = np.random.default_rng((self.seed, 38))
        found = {
            "shift": self.shift(works, rng),
            "support": self.support(works, best),
            "move37": self.move37(works, rng),
            "novelty_index": self.novelty_index(works, rng),
            "decision_quality_index": self.decision_quality_index(works, rng),
        }
        found |= self.influence(works, name, rng)
        if self.withheld is not None and name != HELD_OUT:  # they are what is matched
            found["rediscovery"] = self.rediscovery(works, rng)
        return found

    def shift(self, works: Works, rng: np.random.Generator) -> Figures:
        """Distance of the works' distribution from that of the human works to learn from."""
        x = self.evaluator.describe(works)
        tests = shift_test(x, self.human, rng, self.depth.permutations, at_most=1000)
        density, coverage = calibrated_density_coverage(self.human, x, rng)
        kernel, energy = tests["kernel"], tests["energy"]
        return {
            "effect": {"value": energy.effect, "low": energy.low, "high": energy.high},
            "p_value": energy.p_value,
            "kernel_effect": {"value": kernel.effect, "low": kernel.low, "high": kernel.high},
            "kernel_p_value": kernel.p_value,
            "density": density,
            "coverage": coverage,
        }

    def support(self, works: Works, best: Works) -> Figures:
        """Whether the imitator's samples come near the best works, and works near the learner's."""
        targets = self.evaluator.describe(best)
        out: Figures = {}
        curve = support_curve(targets, self._sampled, self.radius, self.depth.samples)
        for one in curve:
            out[f"never_{one.samples}"] = one.never
            out[f"hits_{one.samples}"] = one.probability
        out["never"] = curve[-1].never
        out["bound"] = curve[-1].bound
        if self.learner is not None:
            goals = self.evaluator.describe(self.learner)
            reached = support_test(goals, self.evaluator.describe(works), self.radius)
            out["never_learner"] = reached.never
        return out

    def move37(self, works: Works, rng: np.random.Generator) -> Figures:
        """Moves that are improbable under the imitator, in good works."""
        found = detect(
            self.imitator, self.world.simulator, moves_alone(works), self.evaluator.judge,
            self._human_quality[1], rng, completions=self.depth.completions,
            most=self.depth.moments,
        )  # fmt: skip
        return _named(
            found, "share", "per_work", "all_per_work", "expected_per_work", "gain", "control_gain",
            "worse", "control_worse",
        )  # fmt: skip

    @cached_property
    def _strata(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return length_strata(self.world.train.lengths)

    def novelty_index(self, works: Works, rng: np.random.Generator) -> Figures:
        """The Novelty Index, and how far it drops when copies of other works are inserted."""
        human, lengths = self.world.train, works.lengths
        size = min(self.depth.reference, len(human) * 2 // 3)
        horizon = int(np.median(human.lengths))
        index = novelty_index(works.moves, human.moves, rng, size, horizon)
        inserted = self.samples.moves[:size]
        copies = copy_insertion(works.moves, human.moves, inserted, rng, size, horizon)
        others = human[rng.permutation(len(human))[:size]].moves
        control = copy_insertion(works.moves, human.moves, others, rng, size, horizon)
        return {
            "index": stratified_by_length(index, lengths, *self._strata, rng),
            "drop": copies.drop,
            "control_drop": control.drop,
        }

    def decision_quality_index(self, works: Works, rng: np.random.Generator) -> Figures:
        """The Decision Quality Index of the first novel move."""
        some = moves_alone(works[rng.permutation(len(works))[: self.depth.decisions]])
        at = first_novel_moves(some.moves, self.world.train.moves)
        found = decision_quality(
            self.imitator, self.world.simulator, some, at, self.evaluator.judge, rng,
            completions=self.depth.completions,
        )  # fmt: skip
        if not len(found.work):
            return {"decisions": 0}
        lengths = some.lengths[found.work]
        return {
            "index": stratified_by_length(found.index, lengths, *self._strata, rng),
            "played": bootstrap(np.mean, found.played, rng=rng),
            "decisions": len(found.work),
        }

    def influence(self, works: Works, name: str, rng: np.random.Generator) -> dict[str, Figures]:
        """How an imitator trained on some of the works changes, measured on others.

        Repeats are left out: shared between training and test works they would measure memory.
        """
        fresh = self.evaluator.measure(works)["repeats"] == 0
        some = moves_alone(works[np.flatnonzero(fresh)])
        needed = self.depth.learnt + self.depth.tested
        if len(some) < needed:
            return {}
        found = self._influences.measure(some, name)
        world = self.world
        n_moves = world.simulator(1).n_actions
        learnt, tested = some.moves[: self.depth.learnt], some.moves[self.depth.learnt : needed]
        deflated = compression_progress(
            move_bytes(world.train.moves), move_bytes(learnt), move_bytes(tested), rng,
            math.log2(n_moves),
        )  # fmt: skip
        influence = _named(
            found, "log_ratio", "ratio", "any_ratio", "nats_gain", "share_before", "share_after",
            "region", "human_nats_after",
        )  # fmt: skip
        progress: Figures = {
            "bits": found.progress.progress,
            "share": found.progress.share,
            "deflate_bits": deflated.progress,
        }
        return {"influence": influence, "compression_progress": progress}

    def rediscovery(self, works: Works, rng: np.random.Generator) -> Figures:
        """Whether works come near human works that were withheld from all makers."""
        assert self.withheld is not None
        describe = self.evaluator.describe
        found = rediscovered(
            describe(works), describe(self.withheld), describe(self.world.held_out), self.human,
            self.radius, rng,
        )  # fmt: skip
        return _named(found, "found", "expected", "excess", "hits", "withheld")


def withheld_works(world: World, patterns: Sequence[str]) -> Works:
    """The human works of a complete world that name patterns take out of it.

    Raises:
        ValueError: If there are none.
    """
    known = join_works([world.train, world.held_out])
    rows = [
        i for i, name in enumerate(known.names)
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]  # fmt: skip
    if not rows:
        raise ValueError(f"--withhold: no work is named like {', '.join(patterns)}")
    return known[np.array(rows)]


def _named(found: object, *names: str) -> Figures:
    """Attributes by name."""
    return {name: getattr(found, name) for name in names}


def to_json(figures: object) -> str:
    """Figures as JSON: data classes become objects, arrays lists, nan and inf null.

    Args:
        figures: Nested data classes, mappings, sequences, arrays and numbers.

    Raises:
        TypeError: If something else is among them.
    """
    text = json.dumps(
        figures, default=lambda x: x.tolist() if isinstance(x, np.ndarray | np.generic) else vars(x)
    )
    return json.dumps(json.loads(text, parse_constant=lambda _: None), indent=1)
