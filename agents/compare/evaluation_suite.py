"""Everything that measures works in a comparison: its judges and description lengths.

They are fitted once, before any maker, and are frozen: every maker is measured alike. Only one of
them was ever a reward: the learner's as it was before learning, which gives ``craft`` and chooses
the best works of makers that have no reward of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from move37.agents.compare.config import Scale
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Evaluator, Measures, SecondJudge, World
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.diversity import vendi_score
from move37.novelty.knn import nearest
from move37.novelty.measures.compression import deflate_bits, move_bytes, train_dictionary

VENDI_GROUP = 100
"""The Vendi score grows with the number of works: it is that of groups of this many."""
VENDI_BANDWIDTH = 0.5
"""Of the Vendi score's kernel, in units of the human median distance."""


Likelihood = Callable[[Works], NDArray[np.float64] | None]
"""Gives the log-probability of every move of N works, (N, T) float64, in nats, 0 after the last."""


class EvaluationSuite:
    """Everything that measures.

    Args:
        world: The world of the works that are measured.
        evaluator: The first held-out judge, form, novelty, copying, yield.
        second: The second held-out judge; None in a world that has none.
        scorer: Gives the learner's reward as it was before learning.
        language: The likelihood under the char-RNN; None if it could not be fitted.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        second: SecondJudge | None,
        scorer: RewardScorer,
        language: Likelihood | None,
    ) -> None:
        self.world, self.evaluator, self.second = world, evaluator, second
        self.scorer, self.language = scorer, language
        self.reference = evaluator.describe(world.train)
        # Of the general compressor, as the descriptors from the human works to learn from.
        self.dictionary = train_dictionary(move_bytes(world.train.moves))

    def measure(self, works: Works) -> Measures:
        """Everything measured of works, each (N,) float64; those of the evaluator among them.

        ``craft`` is the reward's critic before learning, ``second_quality`` the second judge,
        ``nearest_human`` the distance to the nearest human work in units of the human median,
        ``bits_rnn`` and ``bits_deflate`` the description length of a work in bits, under the
        char-RNN and for DEFLATE with the human works as its dictionary (or, if that is shorter,
        move by move).
        """
        out = dict(self.evaluator.measure(works))
        terms = self.scorer.reward()(works)
        if "craft" in terms:
            out["craft"] = np.asarray(terms["craft"], np.float64)
        if self.second is not None:
            out["second_quality"] = self.second(works)
        distances, _ = nearest(self.evaluator.describe(works), self.reference, 1)
        out["nearest_human"] = np.asarray(distances, np.float64)[:, 0] / self.evaluator.scale
        nats = None if self.language is None else self.language(works)
        if nats is not None:
            out["bits_rnn"] = -nats.sum(axis=1) / math.log(2)
        literal = math.log2(self.world.simulator(1).n_actions)
        out["bits_deflate"] = deflate_bits(move_bytes(works.moves), self.dictionary, literal)
        return out

    def departure(self, works: Works, inputs: Works) -> Measures:
        """How far works are from those they were made from, each (N,) float64.

        ``from_input`` is the distance in units of the human median, ``input_rank`` the share of the
        human works to learn from that are nearer to a work than the one it was made from.
        """
        x = self.evaluator.describe(works)
        far = np.linalg.norm(x - self.evaluator.describe(inputs), axis=1)
        others = cdist(x, self.reference)
        return {
            "from_input": np.asarray(far / self.evaluator.scale, np.float64),
            # The input itself is one of them, to within rounding.
            "input_rank": (others < far[:, None] * (1 - 1e-5)).mean(axis=1),
        }

    def vendi(self, works: Works) -> list[float]:
        """The Vendi score of each whole group of 100 works, in their order; none of fewer."""
        x = self.evaluator.describe(works)
        bandwidth = VENDI_BANDWIDTH * self.evaluator.scale
        return [
            vendi_score(x[begin : begin + VENDI_GROUP], bandwidth=bandwidth)
            for begin in range(0, len(x) - VENDI_GROUP + 1, VENDI_GROUP)
        ]

    def trials(self) -> dict[str, dict[str, list[float]]]:
        """Each judge's scores of works whose order is known: {judge: {kind: [score, ...]}}."""
        if self.second is None:
            return {}
        kinds = self.world.trials()
        return {
            "heldout_quality": {
                kind: self.evaluator.judge(works).tolist() for kind, works in kinds.items()
            },
            "second_quality": {kind: self.second(works).tolist() for kind, works in kinds.items()},
        }


def judges(
    world: World, scale: Scale, folder: Path, log: Callable[[str], None]
) -> tuple[Evaluator, SecondJudge | None]:
    """The world's frozen judges: read from the folder, or fitted and written there.

    Args:
        world: Its second judge, if it has one, is the second of the pair.
        scale: How long they are trained.
        folder: Where they are kept.
        log: Takes one line about what happens.
    """
    done = folder / "done.json"
    if done.exists():
        return world.load_evaluator(folder), world.load_second_judge(folder)
    folder.mkdir(parents=True, exist_ok=True)
    evaluator = world.fit_evaluator(scale.critic_updates, scale.pools)
    evaluator.save(folder)
    second = world.second_judge(scale.critic_updates)
    if second is not None:
        second.save(folder)
    write_atomically(done, b"{}")
    log("the judges are ready")
    return evaluator, second
