"""How fast the drawing world steps: its compiled core, with appraisal, and as single environments.

    python -m benchmarks.dynamics

Writes benchmarks/results/dynamics.md.

All rows are measured in one run on one thread; human works are replayed, so that works have human
lengths. The appraisal's critic is untrained: it costs the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

import envs  # noqa: F401  # registers the ids
from envs.appraisal import Appraisal
from envs.batch import WorldBatch
from envs.drawing.corpus import load_corpus
from envs.drawing.descriptor import Descriptor
from envs.drawing.dynamics import DrawingCore, images_of
from envs.drawing.form import form_quality
from envs.drawing.moves import END
from envs.drawing.newness import ArchiveNewness
from envs.drawing.quality import HumanLevelQuality
from envs.works import Works
from novelty import NoveltyArchive

from .reporting import place, write

BOARDS = 1024


def human_actions(moves: np.ndarray, steps: int, boards: int) -> np.ndarray:
    """(steps, boards) int64: human works, one after another, on every board."""
    rng = np.random.default_rng(0)
    columns = []
    for _ in range(boards):
        line: list[int] = []
        while len(line) < steps:
            row = moves[rng.integers(len(moves))]
            line += row[row >= 0].tolist()
            if line[-1] != END and len(row[row >= 0]) < moves.shape[1]:
                line.append(END)
        columns.append(line[:steps])
    return np.array(columns, np.int64).T.copy()


def steps_per_second(step: Callable[[np.ndarray], object], actions: np.ndarray) -> float:
    """Best of three passes over the actions."""
    best = 0.0
    for _ in range(3):
        begin = time.perf_counter()
        for row in actions:
            step(row)
        best = max(best, actions.size / (time.perf_counter() - begin))
    return best


def main() -> None:
    torch.set_num_threads(1)
    moves = load_corpus("tabler").works.moves
    actions = human_actions(moves, 400, BOARDS)

    core = DrawingCore(BOARDS)

    def dynamics(row: np.ndarray) -> None:
        done = core.step(row)
        if done.any():
            core.reset(np.flatnonzero(done))

    dynamics(actions[0])
    core.reset(np.arange(BOARDS))
    rows = {"dynamics alone, 1,024 boards": steps_per_second(dynamics, actions)}

    images = images_of(moves)
    descriptor = Descriptor.fit(images)
    archive = NoveltyArchive(descriptor.dim, 15, scale=1.0)
    archive.pin(descriptor(images))
    quality = HumanLevelQuality(
        Works("drawing", moves), Works("drawing", moves[:500]), updates=1, pools=1
    )
    full = Appraisal(quality, ArchiveNewness(descriptor, archive, images, cap=2.0))
    for name, appraisal in (("form alone", Appraisal(form_quality)), ("the full appraisal", full)):
        batch = WorldBatch(DrawingCore(BOARDS), appraisal)
        batch.step(actions[0])
        batch.reset()
        rows[f"with {name}, 1,024 boards"] = steps_per_second(batch.step, actions[:100])

    torch.set_num_threads(2)
    batch.reset()
    rows["the same, two torch threads"] = steps_per_second(batch.step, actions[:100])
    torch.set_num_threads(1)

    singles = DummyVecEnv([lambda: gymnasium.make("Move37/Drawing-v0")] * 16)
    singles.reset()
    few = np.ascontiguousarray(actions[:, :16])
    rows["16 single environments in DummyVecEnv, form"] = steps_per_second(singles.step, few)
    apart = SubprocVecEnv([lambda: gymnasium.make("Move37/Drawing-v0")] * 16)
    apart.reset()
    rows["16 single environments in SubprocVecEnv, form"] = steps_per_second(apart.step, few[:100])
    apart.close()
    lines = "\n".join(f"| {name} | {value:,.0f} |" for name, value in rows.items())
    write(
        "dynamics",
        "# Steps of the drawing world\n\n`python -m benchmarks.dynamics`; best of three passes, "
        "one thread (SubprocVecEnv: one process each).\n\n| | steps a second |\n|---|---|\n"
        f"{lines}\n\n{place(1)}\n",
    )


if __name__ == "__main__":
    main()
