"""The learner: PPO for quality x novelty, started as the imitator and held near it.

It is trained by a run like any other (:mod:`move37.agents.learner.train_loop`), in the maker's
folder, and read from the folder of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from move37.agents.learner.train_loop import LEARNER, start_or_resume
from move37.agents.makers.maker import NetworkMaker, TrainContext
from move37.agents.runs.run_dir import SUMMARY
from move37.envs.base.world import Reward, World
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.storage import load_weights, read_json


def load(run: Path, world: World, new_reward: Callable[[], Reward] | None = None) -> NetworkMaker:
    """Read the learner of a finished run.

    Args:
        run: Folder of the run.
        world: The world it was trained in.
        new_reward: Makes the reward as it was before any learning; works are scored by it, so that
            the scores of several makers compare. None: the learner has no scores.

    Raises:
        StorageError: If a file is missing, damaged, or of another world.
    """
    network = world.network()
    load_weights(run / LEARNER, network, "network.")
    score = None if new_reward is None else RewardScorer(new_reward).score
    return NetworkMaker(network.eval(), world, score, int(read_json(run / SUMMARY)["env_steps"]))


def fitting_cost(run: Path) -> dict[str, float]:
    """``wall_seconds`` and ``cpu_seconds`` of the learning of a finished run."""
    summary = read_json(run / SUMMARY)
    if "learning_cpu_seconds" not in summary:
        # A run of version 0.1. All its threads busy all the time is the most it can have cost.
        wall = summary["env_steps"] / summary["steps_per_second"]
        threads = int(read_json(run / "config.json")["threads"])
        return {"wall_seconds": wall, "cpu_seconds": wall * threads}
    return {
        "wall_seconds": float(summary["learning_wall_seconds"]),
        "cpu_seconds": float(summary["learning_cpu_seconds"]),
    }


def make(context: TrainContext) -> NetworkMaker:
    """Train the learner in the maker's folder, or what is left of its run, or read it.

    Raises:
        ValueError: If the context says not how, or the folder holds another run.
    """
    if context.config is None:
        raise ValueError("the learner needs the config of its run")
    start_or_resume(context.config, context.evaluator, lambda line: context.log(f"learner: {line}"))
    return load(context.folder, context.world, context.new_reward)
