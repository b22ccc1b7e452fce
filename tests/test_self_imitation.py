from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from move37.agents.learner.self_imitation import SCORE, SelfImitation, keep_best
from move37.agents.runs.config import Config
from move37.envs.base.works import Works
from move37.envs.judging.reward_scorer import RewardScorer

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

from rhythm import RhythmWorld  # noqa: E402  # on the path now


@pytest.fixture(scope="module")
def world() -> RhythmWorld:
    return RhythmWorld(limit=200)


@pytest.fixture(scope="module")
def evaluator(world):
    return world.fit_evaluator(5, 1)


def config(**options) -> Config:
    return Config(
        world="rhythm:RhythmWorld", self_imitation_works=256, self_imitation_best=40,
        self_imitation_epochs=2, **options,
    )  # fmt: skip


def scored(works: Works, scores: np.ndarray) -> Works:
    return works.with_appraisal({SCORE: scores.astype(np.float64)})


def test_the_best_of_each_group_are_kept_and_no_repeats(world, evaluator):
    works = world.train[:30]
    twice = Works(world.id, np.repeat(works.moves, 2, axis=0), np.repeat(works.briefs, 2, axis=0))
    scores = np.arange(60.0)
    scores[:6] = 0
    rows = keep_best(scored(twice, scores), np.arange(60) % 2, evaluator, 5)
    assert len(rows) == 10 and (rows % 2).sum() == 5
    for group in (0, 1):
        mine = rows[rows % 2 == group]
        assert (np.diff(scores[mine]) < 0).all(), "the best first"
        assert mine[0] == 58 + group
    together = keep_best(scored(twice, scores), np.zeros(60, np.int64), evaluator, 100)
    assert len({row.tobytes() for row in twice.moves[together]}) == len(together)
    assert (scores[together] > 0).all()


def test_rounds_raise_the_reward_and_resume_to_the_bit(world, evaluator, tmp_path: Path):
    torch.manual_seed(0)
    start = world.network().eval()
    scorer = RewardScorer(lambda: world.make_reward(evaluator, world.train[:20], 5, 0, 1))

    def rounds(n, state, lines):
        made = SelfImitation(
            world, evaluator, scorer, config(self_imitation_rounds=n), lines.append,
            lambda works, scores: None,
        )  # fmt: skip
        return made.run(copy.deepcopy(start), state)

    lines: list[str] = []
    whole, kept = rounds(4, tmp_path / "whole", lines)
    assert len(lines) == 4
    rewards = [float(line.split("reward ")[1].split(",")[0]) for line in lines]
    assert rewards[-1] > rewards[0]
    rounds(2, tmp_path / "part", [])
    resumed, again = rounds(4, tmp_path / "part", told := [])
    assert told[0] == "self-imitation resumes after round 2" and len(told) == 3
    assert np.array_equal(kept.moves, again.moves)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_the_state_of_something_else_is_refused(world, evaluator, tmp_path: Path):
    scorer = RewardScorer(lambda: world.make_reward(evaluator, world.train[:20], 5, 0, 1))

    def rounds(network):
        made = SelfImitation(
            world, evaluator, scorer, config(self_imitation_rounds=2), lambda line: None,
            lambda works, scores: None,
        )  # fmt: skip
        return made.run(network, tmp_path / "state")

    rounds(world.network())
    with pytest.raises(ValueError, match="state is of another self-imitation"):
        rounds(torch.nn.Linear(3, 3))
