"""How fast the learner trains, beside the same PPO schedule with nothing but the network.

    python -m benchmarks.training [--world drawing] [--rollouts 12] [--threads 2]

The learner-only limit is the same policy, rollout buffer and updates on a `VecEnv` that gives back
one stored observation and a reward now and then. Both are measured in turns in one process, so that
a busy machine slows both alike; the imitator is not fitted: its weights cost the same.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv

from move37.agents.learner.callbacks import WorksCallback
from move37.agents.learner.ppo import make_ppo
from move37.agents.runs.config import make_config
from move37.envs.base.batch import WorldBatch
from move37.envs.base.registry import make_world
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works

from .reporting import place, write

MEAN_MOVES = 24
"""A work of the learner that does nothing else; works of the other worlds end as seldom."""


class NullVecEnv(VecEnv):
    """Gives back the same observations for ever; a work is over every 24 moves."""

    def __init__(self, env: WorldVecEnv) -> None:
        super().__init__(env.num_envs, env.observation_space, env.action_space)
        self._observations = env.reset()
        self._count = 0

    def reset(self) -> Any:
        return self._observations

    def step_async(self, actions: np.ndarray) -> None:
        self._count += 1

    def step_wait(self) -> Any:
        over = np.arange(self.num_envs) % MEAN_MOVES == self._count % MEAN_MOVES
        infos = [{"terminal_observation": None} if o else {} for o in over]
        return self._observations, over.astype(np.float32), over, infos

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        return [getattr(self, method_name)(*args, **kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def seconds(model: PPO, steps: int, callback: WorksCallback | None) -> float:
    begin = time.perf_counter()
    model.learn(steps, callback, reset_num_timesteps=False)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=12, help="of each, in turns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--world", default="drawing")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    world = make_world(args.world)
    network = world.network()
    evaluator = world.fit_evaluator(updates=2, pools=1)
    reward = world.make_reward(evaluator, world.train[:500], updates=2, seed=0, pools=1)

    def on_round(works: Works, steps: int) -> None:
        reward.refresh(works)
        reward.admit(works[-256:])
        evaluator.summarise(evaluator.measure(works[-400:]))

    callback = WorksCallback(world.id, 4, on_round)
    config = make_config(world=args.world)
    batch = WorldBatch(world.simulator(config.n_envs), reward)
    env = WorldVecEnv(batch, callback.add_finished)
    quiet = Logger(None, [])
    model = make_ppo(env, network, config)
    limit = make_ppo(env, network, config)
    limit.env = NullVecEnv(env)
    for one in (model, limit):
        one.set_logger(quiet)
    steps = config.n_envs * config.n_steps
    times: dict[str, list[float]] = {"training": [], "learner alone": []}
    for _ in range(args.rollouts // 4 + 1):  # the first turn warms up and is left out
        times["training"].append(seconds(model, 4 * steps, callback))
        times["learner alone"].append(seconds(limit, 4 * steps, None))
    rates = {k: 4 * steps * (len(v) - 1) / sum(v[1:]) for k, v in times.items()}
    lines = "\n".join(f"| {name} | {rate:,.0f} |" for name, rate in rates.items())
    write(
        f"training-{args.world}",
        f"# Training in the {args.world} world\n\n"
        f"`python -m benchmarks.training --world {args.world} --rollouts {args.rollouts} "
        f"--threads {args.threads}`\n\n| | steps a second |\n|---|---|\n"
        f"{lines}\n| training, share of the limit | "
        f"{rates['training'] / rates['learner alone']:.2f} |\n\n{place(args.threads)}\n",
    )


if __name__ == "__main__":
    main()
