"""Filtered self-imitation: a learner imitates the best of its own works, before PPO.

A round samples works, appraises them, adds the best to those of earlier rounds, and fits the
network to what is kept (Oh et al., "Self-Imitation Learning", 2018; Gulcehre et al., "Reinforced
Self-Training", 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from move37.agents.learner.fitting import OneCycle
from move37.agents.learner.imitation import positions_of, train_epoch
from move37.agents.learner.rollout import BOARDS, sample_works
from move37.agents.runs.checkpoint_io import Checkpoint, load_intact_checkpoint, save_checkpoint
from move37.agents.runs.config import Config
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Evaluator, World
from move37.envs.judging.evaluator import REPEAT_BELOW
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.diversity import repeats
from move37.novelty.storage import one_line, part

SCORE = "self_imitation"
"""Term of works that are kept: their reward when they were made."""
BATCH = 512
LEARNING_RATE = 5e-4
WEIGHT_DECAY = 0.01


def keep_best(
    works: Works, groups: NDArray[np.int64], evaluator: Evaluator, most: int
) -> NDArray[np.int64]:
    """The best works of each group that are no repeats of better ones in it.

    Args:
        works: N works with their score as a term.
        groups: (N,): works that may not crowd each other out are in different ones.
        evaluator: Says what is a repeat.
        most: Works kept of a group.

    Returns:
        Rows, group by group, the best first; works that are worth nothing are none of them.
    """
    scores, x = works.appraisal[SCORE], evaluator.describe(works)
    rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for group in np.unique(groups):
        mine = np.flatnonzero((groups == group) & (scores > 0))
        mine = mine[np.argsort(-scores[mine], kind="stable")][: 4 * most]
        if len(mine):
            rows.append(mine[~repeats(x[mine], REPEAT_BELOW * evaluator.scale)][:most])
    return np.concatenate(rows)


def imitate_best(
    network: nn.Module,
    make_simulator: Callable[[int], Simulator],
    works: Works,
    epochs: int,
    seed: int,
) -> float:
    """Fit a network to works that it made; returns the mean loss of the last pass, in nats.

    Args:
        network: Maps observations to (logits, features); fitted in place, in eval mode afterwards.
        make_simulator: Makes boards.
        works: What it imitates.
        epochs: Passes over them.
        seed: Of the order of the moves.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    observations, moves = positions_of(make_simulator, works)
    generator = torch.Generator().manual_seed(seed)
    size = min(BATCH, len(moves))
    optimizer = OneCycle(
        network, LEARNING_RATE, WEIGHT_DECAY, epochs * (len(moves) // size), clip=1.0
    )
    loss = 0.0
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(moves), generator=generator)
        batches = order[: len(moves) // size * size].view(-1, size)
        loss = train_epoch(network, optimizer, observations, moves, batches, f"pass {epoch}")
        if not np.isfinite(loss):
            raise FloatingPointError(f"self-imitation: the loss became {loss}")
    return loss


class SelfImitation:
    """Rounds of self-imitation.

    Args:
        world: Whose works.
        evaluator: Says which works are repeats.
        scorer: Gives the reward of works, without memory of earlier rounds.
        config: How many rounds, works, passes, and the seed.
        log: Takes one line about each round.
        show: Is given the works of each round and their rewards.
    """

    def __init__(
        self,
        world: World,
        evaluator: Evaluator,
        scorer: RewardScorer,
        config: Config,
        log: Callable[[str], None],
        show: Callable[[Works, NDArray[np.float64]], None],
    ) -> None:
        self._world, self._evaluator, self._scorer = world, evaluator, scorer
        self._config, self._log, self._show = config, log, show

    def run(self, network: nn.Module, state: Path) -> tuple[nn.Module, Works]:
        """Do all rounds, or those that are left.

        Args:
            network: What learns; changed in place.
            state: Where the state after each round is saved, and resumed from if it exists; to be
                removed once the network is saved.

        Returns:
            The network, in eval mode, and the works that it imitated last.

        Raises:
            ValueError: If no work is worth anything, or the state is of something else.
            FloatingPointError: If a loss is not finite.
        """
        rounds, kept, first = self._config.self_imitation_rounds, None, 1
        found = load_intact_checkpoint(state, self._log)
        if found is not None:
            kept, first = self._restore(found, network), int(found.facts["round"]) + 1
            self._log(f"self-imitation resumes after round {first - 1}")
        for number in range(first, rounds + 1):
            kept, said = self._round(network.eval(), kept, number)
            self._log(f"self-imitation {number}/{rounds}: {said}")
            save_checkpoint(state, _capture(network, kept, number))
        if kept is None:
            raise ValueError("self-imitation: no rounds were asked for")
        return network.eval(), kept

    def _round(self, network: nn.Module, kept: Works | None, number: int) -> tuple[Works, str]:
        config, world = self._config, self._world
        rng = np.random.default_rng((config.seed, 2, number))
        works = sample_works(
            network, world.practice(BOARDS), world.id, config.self_imitation_works, rng,
            config.self_imitation_temperature,
        )  # fmt: skip
        scores = self._scorer.score(works)
        self._show(works, scores)
        fresh = works.with_appraisal({SCORE: scores})
        together = fresh if kept is None else join_works([kept, fresh])
        groups = world.groups(together)
        rows = keep_best(together, groups, self._evaluator, config.self_imitation_best)
        if not len(rows):
            raise ValueError("self-imitation: no work of the imitator is worth anything")
        best = together[rows]
        nats = imitate_best(
            network, world.simulator, best, config.self_imitation_epochs, config.seed + number
        )
        mean = best.appraisal[SCORE].mean()
        return best, (
            f"reward {scores.mean():.3f}, that of the {len(best)} best {mean:.3f}, {nats:.2f} nats"
        )

    def _restore(self, found: Checkpoint, network: nn.Module) -> Works:
        try:
            weights = {
                k: torch.from_numpy(v.copy()) for k, v in part(found.arrays, "weights").items()
            }
            network.load_state_dict(weights)
            kept = part(found.arrays, "kept")
            works = Works(self._world.id, kept["moves"], kept["briefs"])
            self._world.check_works(works)
            return works.with_appraisal({SCORE: kept["score"]})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            message = f"the state is of another self-imitation ({one_line(error)})"
            raise ValueError(message) from error


def _capture(network: nn.Module, kept: Works, number: int) -> Checkpoint:
    arrays = {f"weights/{k}": v.numpy().copy() for k, v in network.state_dict().items()}
    arrays |= {"kept/moves": kept.moves, "kept/briefs": kept.briefs}
    arrays["kept/score"] = kept.appraisal[SCORE]
    return Checkpoint(arrays, {"round": number})
