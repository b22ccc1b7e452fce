"""A deceptive maze: PPO alone, PPO with novelty, and pyribs' novelty search at equal steps.

    python -m benchmarks.maze

Writes ``results/maze.md`` and ``results/maze.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from ribs.archives import ProximityArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper

from move37.envs.wrappers.sb3 import VecNoveltyReward
from move37.novelty import NoveltyArchive

from .reporting import place, write

START, GOAL = np.array([0.45, 0.5]), np.array([0.85, 0.5])
WALLS = ((0.6, 0.2, 0.6, 0.8), (0.3, 0.2, 0.6, 0.2), (0.3, 0.8, 0.6, 0.8))
"""A cup that is open to the left, each side from (x, y) to (x, y). The goal is behind it."""
NEAR = 0.08
"""Distance from the goal at which it is reached."""
PRIZE = 5.0
STRIDE = 0.05
STEPS = 60
"""Of an episode, at most."""
BOARDS = 16
HIDDEN = 16
NEIGHBORS = 10
THRESHOLD = 0.02
"""Distance from the nearest ends so far at which an end enters an archive, theirs and ours."""


class Maze(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Walk in the unit square. What is rewarded is to come nearer to the goal, which is a trap."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def _seen(self) -> NDArray[np.float32]:
        return np.array([2 * self.x - 1, 2 * self.y - 1], np.float32)

    def _distance(self) -> float:
        return float(np.hypot(self.x - GOAL[0], self.y - GOAL[1]))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.x, self.y, self.t = float(START[0]), float(START[1]), 0
        return self._seen(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        before = self._distance()
        dx, dy = (STRIDE * min(max(float(part), -1.0), 1.0) for part in action)
        self.x = moved(self.x, dx, [(x, a, b) for x, a, z, b in WALLS if x == z], self.y)
        self.y = moved(self.y, dy, [(y, a, b) for a, y, b, z in WALLS if y == z], self.x)
        self.t += 1
        arrived = self._distance() < NEAR
        reward = before - self._distance() + PRIZE * arrived
        info = {"end": (self.x, self.y), "arrived": arrived}
        return self._seen(), reward, arrived, self.t == STEPS, info


def moved(
    at: float, by: float, walls: Sequence[tuple[float, float, float]], across: float
) -> float:
    """Where one coordinate comes to: walls are (place, from, to) in the other coordinate."""
    to = min(max(at + by, 0.0), 1.0)
    for wall, low, high in walls:
        if low <= across <= high and (at - wall) * (to - wall) <= 0:
            to = wall + (1e-3 if at > wall else -1e-3)
    return to


class Ends(VecEnvWrapper):
    """Keeps where each episode ended, and after how many steps of all together."""

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self.steps = 0
        self.ends: list[tuple[int, float, float, bool]] = []

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        seen, rewards, dones, infos = self.venv.step_wait()
        self.steps += self.num_envs
        for i in np.flatnonzero(dones):
            self.ends.append((self.steps, *infos[i]["end"], infos[i]["arrived"]))
        return seen, rewards, dones, infos


def ppo(steps: int, seed: int, mix: str | None, weight: float = 1.0) -> NDArray[np.float64]:
    """Ends (R, 4) of PPO's episodes: step, x, y, arrived. Without a mix there is no novelty."""
    ends = Ends(DummyVecEnv([Maze] * BOARDS))
    env: VecEnv = ends
    if mix is not None:
        archive = NoveltyArchive(2, NEIGHBORS, THRESHOLD, scale=0.1)
        env = VecNoveltyReward(
            ends, archive, descriptor=lambda seen, info: info["end"], mix=mix, weight=weight
        )
    model = PPO(
        "MlpPolicy", env, n_steps=120, batch_size=480, n_epochs=10, learning_rate=1e-3,
        gamma=0.995, ent_coef=0.0, policy_kwargs={"net_arch": [HIDDEN, HIDDEN]}, seed=seed, device="cpu",
    )  # fmt: skip
    model.learn(steps)
    return np.array(ends.ends)


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    for seed in (0, 1):
        for mix, w in ((None, 0), ("add", 0.3), ("add", 1.0), ("replace", 1.0)):
            b = time.perf_counter()
            e = ppo(150_000, seed, mix, w)
            arr = e[:, 3] > 0
            print(
                seed,
                mix,
                w,
                round(time.perf_counter() - b, 1),
                "first",
                e[arr][:1, 0],
                "n",
                arr.sum(),
                "last share",
                arr[-300:].mean(),
                "end",
                e[-300:, 1:3].mean(0).round(2),
                flush=True,
            )
