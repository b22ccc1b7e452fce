"""Reads the learner of a run, finished or not: its network, or all of it for Stable-Baselines3."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from move37.agents.learner.ppo import KLPenaltyPPO, make_ppo
from move37.agents.learner.train_loop import IMITATIONS, LEARNER
from move37.agents.runs.checkpoint_io import load_checkpoint
from move37.agents.runs.config import Config, load_config
from move37.agents.runs.run_dir import SUMMARY
from move37.agents.runs.train_state import checkpoint_paths, steps_of
from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.registry import find_world
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works
from move37.envs.base.world import Reward, World
from move37.novelty.storage import StorageError, load_weights, part, read_json

Log = Callable[[str], None]
"""Takes one line of text."""
T = TypeVar("T")


@dataclass(frozen=True)
class SavedLearner:
    """A learner as it stands in the folder of its run.

    Attributes:
        config: The options of the run.
        world: The world of the run; its human works are read when they are first asked for.
        network: Its policy in eval mode, observations -> (logits, features).
        steps: Moves that it had made when it was saved.
        finished: Whether it had finished learning; otherwise it is the newest checkpoint.
    """

    config: Config
    world: World
    network: nn.Module
    steps: int
    finished: bool


def read_learner(run: str | os.PathLike[str], log: Log = warnings.warn) -> SavedLearner:
    """Read the newest network of a run's learner; the run may still be learning.

    Args:
        run: Folder of a run.
        log: Told of a damaged checkpoint, in whose place the one before it is read.

    Raises:
        ValueError: If there is no run of this version, it has not begun to learn, or its weights
            are damaged or of another world.
    """
    folder = Path(run)
    config = load_config(folder)
    world = world_of(config)
    network = world.network()
    steps, finished = _load_newest(folder, network, "network.", log)
    return SavedLearner(config, world, network.eval(), steps, finished)


def load_learner(run: str | os.PathLike[str], env: VecEnv | None = None) -> KLPenaltyPPO:
    """The learner of a run as a PPO of Stable-Baselines3: ``predict``, ``learn``, ``save``.

    It has the run's weights and options, and an optimiser that starts anew. Its ``save`` writes
    Stable-Baselines3's own zip, which holds pickle: ``PPO.load`` runs whatever code is in such a
    file, so load none that you do not trust. Move37 reads none.

    Args:
        run: Folder of a run, finished or still learning.
        env: Boards to go on learning on; None: as many of the run's world as it learnt on, which
            reward what the rules say. :func:`load_reward` has the run's own reward.

    Raises:
        ValueError: See :func:`read_learner`.
    """
    folder = Path(run)
    config = load_config(folder)
    world = world_of(config)
    if env is None:
        batch = WorldBatch(world.simulator(config.n_envs), Appraisal(world.rule_quality))
        env = WorldVecEnv(batch)
    model = make_ppo(env, world.network(), config)
    _load_newest(folder, model.policy)
    return model


def load_reward(run: str | os.PathLike[str], log: Log = warnings.warn) -> Reward:
    """What the learner of a run is paid by, as it was at the newest checkpoint.

    It is an appraiser, so boards may have it: ``WorldBatch(simulator, load_reward(run))``.

    Args:
        run: Folder of a run.
        log: Told of a damaged checkpoint, in whose place the one before it is read.

    Raises:
        ValueError: If there is no run of this version, or no intact checkpoint in it.
    """
    folder = Path(run)
    config = load_config(folder)
    world = world_of(config)
    _, checkpoint = newest_intact(folder, load_checkpoint, log)
    reward = world.make_reward(
        world.load_evaluator(folder), Works.load(folder / IMITATIONS), 1, config.seed,
        config.critic_pools,
    )  # fmt: skip
    reward.load_state(part(checkpoint.arrays, "reward"))
    return reward


def world_of(config: Config) -> World:
    """The world of a run; its human works are read when they are first asked for."""
    return find_world(config.world)(config.corpus, config.withheld, config.human_works)


def _load_newest(
    run: Path, module: nn.Module, prefix: str = "", log: Log = warnings.warn
) -> tuple[int, bool]:
    """Read the newest weights of a run's policy whose names begin with ``prefix``.

    Returns:
        Moves that it had made, and whether it had finished learning.
    """
    if (run / LEARNER).exists():
        load_weights(run / LEARNER, module, prefix)
        # It is written before the works that it is measured by, and these before the summary.
        summary = read_json(run / SUMMARY) if (run / SUMMARY).exists() else {}
        return int(summary.get("env_steps", load_config(run).env_steps)), True

    def read(path: Path) -> None:
        load_weights(path, module, f"policy/{prefix}")

    path, _ = newest_intact(run, read, log)
    return steps_of(path), False


def newest_intact(run: Path, read: Callable[[Path], T], log: Log) -> tuple[Path, T]:
    """The newest checkpoint of a run that can be read, and what is read of it.

    Raises:
        ValueError: If there is none.
    """
    paths = checkpoint_paths(run)
    if not paths:
        raise ValueError(f"{run}: its learner has not begun to learn, so there is no checkpoint")
    for path in paths[:-1]:
        try:
            return path, read(path)
        except StorageError as error:
            log(f"{error}; the checkpoint before it is used")
    return paths[-1], read(paths[-1])
