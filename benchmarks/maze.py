"""A deceptive maze: PPO alone, PPO with novelty, and pyribs' novelty search at equal steps.

    python -m benchmarks.maze

Writes ``results/maze.md`` and ``results/maze.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from matplotlib import pyplot
from numpy.typing import NDArray
from ribs.archives import ProximityArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper

from move37.envs.wrappers.sb3 import VecNoveltyReward
from move37.novelty import NoveltyArchive

from .reporting import place, write

START, GOAL = (0.45, 0.5), (0.85, 0.5)
WALLS = ((0.6, 0.3, 0.6, 0.7), (0.35, 0.3, 0.6, 0.3), (0.35, 0.7, 0.6, 0.7))
"""A cup that is open to the left, each side from (x, y) to (x, y). The goal is behind it."""
NEAR = 0.08
"""Distance from the goal at which it is reached."""
PRIZE = 5.0
STRIDE = 0.05
STEPS = 60
"""Of an episode, at most."""
BOARDS = 16
HIDDEN = 16
"""Units of each of two layers."""
K_NEIGHBORS = 5
UNIT = 0.1
"""Distance that counts as novelty 1."""
THRESHOLD = 0.005
"""Novelty, as a distance, from which an end enters an archive, pyribs' and ours."""
WEIGHT = 3.0
LAST = 300
"""Episodes at the end of a run that are looked at."""

Ends = NDArray[np.float64]
"""How R episodes ended, (R, 4): steps of all together until then, x, y, whether at the goal."""


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
        self.x, self.y, self.t = *START, 0
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


class Watch(VecEnvWrapper):
    """Keeps how each episode ended."""

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self.steps = 0
        self.ends: list[tuple[float, ...]] = []

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        seen, rewards, dones, infos = self.venv.step_wait()
        self.steps += self.num_envs
        for i in np.flatnonzero(dones):
            self.ends.append((self.steps, *infos[i]["end"], infos[i]["arrived"]))
        return seen, rewards, dones, infos


def ppo(steps: int, seed: int, mix: str | None) -> Ends:
    """PPO; with a mix, novelty is in its reward."""
    watch = Watch(DummyVecEnv([Maze] * BOARDS))
    env: VecEnv = watch
    if mix is not None:
        archive = NoveltyArchive(2, K_NEIGHBORS, THRESHOLD / UNIT, scale=UNIT)
        env = VecNoveltyReward(
            watch, archive, descriptor=lambda seen, info: info["end"], mix=mix, weight=WEIGHT
        )
    model = PPO(
        "MlpPolicy", env, n_steps=STEPS, batch_size=240, n_epochs=10, learning_rate=1e-3,
        gamma=0.995, ent_coef=0.01, policy_kwargs={"net_arch": [HIDDEN, HIDDEN]}, seed=seed,
        device="cpu",
    )  # fmt: skip
    model.learn(steps)
    return np.array(watch.ends)


def policy(solution: NDArray[np.float64], seen: NDArray[np.float32]) -> NDArray[np.float64]:
    """The action of the same network as PPO's, given its weights in a row."""
    x = np.asarray(seen, np.float64)
    for width in (HIDDEN, HIDDEN, 2):
        weights, solution = np.split(solution, [len(x) * width])
        bias, solution = np.split(solution, [width])
        x = np.tanh(x @ weights.reshape(len(x), width) + bias)
    return x


def pyribs(steps: int, seed: int) -> Ends:
    """Novelty search as pyribs does it: CMA-ES emitters that rank by novelty."""
    size = 3 * HIDDEN + (HIDDEN + 1) * HIDDEN + (HIDDEN + 1) * 2
    archive = ProximityArchive(
        solution_dim=size,
        measure_dim=2,
        k_neighbors=K_NEIGHBORS,
        novelty_threshold=THRESHOLD,
        seed=seed,
    )
    emitters = [
        EvolutionStrategyEmitter(
            archive, x0=np.zeros(size), sigma0=0.5, ranker="nov", batch_size=30, seed=seed * 9 + i
        )
        for i in range(3)
    ]
    scheduler = Scheduler(archive, emitters)
    env, done, ends = Maze(), 0, []
    while done < steps:
        for solution in scheduler.ask():
            (seen, _), over = env.reset(), False
            while not over:
                seen, _, arrived, truncated, info = env.step(policy(solution, seen))
                over, done = arrived or truncated, done + 1
            ends.append((done, *info["end"], arrived))
        measures = np.array(ends[-len(emitters) * 30 :])[:, 1:3]
        scheduler.tell(np.zeros(len(measures)), measures)
    return np.array(ends)


MAKERS: dict[str, Callable[[int, int], Ends]] = {
    "PPO": lambda steps, seed: ppo(steps, seed, None),
    "PPO, novelty added": lambda steps, seed: ppo(steps, seed, "add"),
    "PPO, novelty alone": lambda steps, seed: ppo(steps, seed, "replace"),
    "pyribs, novelty search": pyribs,
}


def row(runs: Sequence[Ends], seconds: float) -> str:
    """What the runs of one maker came to, as cells of a table."""
    first = [run[run[:, 3] > 0, 0] for run in runs]
    began = ", ".join(f"{at[0]:,.0f}" if len(at) else "never" for at in first)
    last = np.mean([run[-LAST:, 3].mean() for run in runs])
    floor = [len({(int(9.99 * x), int(9.99 * y)) for x, y in run[:, 1:3]}) for run in runs]
    return (
        f"{sum(len(at) > 0 for at in first)} of {len(runs)} | {began} | "
        f"{last:.0%} | {np.mean(floor):.0f} % | {seconds / len(runs):.0f}"
    )


def draw(found: dict[str, list[Ends]], path: Path) -> None:
    """Write a picture of where the episodes of each maker's first run ended."""
    figure, axes = pyplot.subplots(
        1, len(found), figsize=(4 * len(found), 4.4), layout="constrained"
    )
    for ax, (name, runs) in zip(axes, found.items(), strict=True):
        steps, x, y, _ = runs[0].T
        ax.scatter(x, y, s=3, c=steps, cmap="viridis")
        for x0, y0, x1, y1 in WALLS:
            ax.plot([x0, x1], [y0, y1], color="black", linewidth=3)
        ax.plot(*START, "o", color="tab:red")
        ax.add_patch(pyplot.Circle(GOAL, NEAR, fill=False, color="tab:red", linewidth=2))
        ax.set(title=name, xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
    figure.savefig(path, dpi=80)


def main() -> None:
    """Run everybody and write the table and the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=150_000, help="steps of each run")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each, seeds 0, 1, ...")
    args = parser.parse_args()
    torch.set_num_threads(1)
    pyplot.switch_backend("agg")
    lines, found = [], {}
    for name, run in MAKERS.items():
        begin = time.perf_counter()
        found[name] = [run(args.steps, seed) for seed in range(args.seeds)]
        lines.append(f"| {name} | {row(found[name], time.perf_counter() - begin)} |")
        print(lines[-1], flush=True)
    draw(found, Path(__file__).parent / "results" / "maze.png")
    write(
        "maze",
        "# A deceptive maze\n\n"
        f"`python -m benchmarks.maze --steps {args.steps} --seeds {args.seeds}`; "
        "[what is compared](../../docs/novelty-reward.md#a-deceptive-maze).\n\n"
        f"| {args.steps:,} steps, seeds 0 to {args.seeds - 1} | arrived | first arrival, steps | "
        f"of the last {LAST} episodes | floor | seconds a run |\n|---|---|---|---|---|---|\n"
        + "\n".join(lines)
        + f"\n\n{place(1)}\n\n![Where episodes ended, seed 0, from early (blue) to late "
        "(yellow)](maze.png)\n",
    )


if __name__ == "__main__":
    main()
