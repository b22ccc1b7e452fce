"""How fast worlds step: their compiled cores, with appraisal, and as single environments.

    python -m benchmarks.dynamics
    python -m benchmarks.dynamics composition

Writes benchmarks/results/dynamics.md, or dynamics-composition.md of the three composition worlds.

All rows are measured in one run on one thread; human works are replayed, so that works have human
lengths. The appraisal's critic is untrained: it costs the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.registry import make_world
from move37.envs.base.works import Works
from move37.envs.composition.rules.form import form_quality as composition_form
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.judging.mode_collapse import InkCollapse
from move37.envs.drawing.judging.quality import HumanLevelQuality
from move37.envs.drawing.moves import END
from move37.envs.drawing.rules.form import form_quality
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import NoveltyArchive

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


def speeds_of(name: str) -> dict[str, float]:
    """Steps a second on 1,024 boards of a world, by what is done."""
    world = make_world(name)
    chosen = np.random.default_rng(0).integers(0, len(world.train), (4, BOARDS))
    actions = world.train.moves[chosen].transpose(0, 2, 1).reshape(-1, BOARDS).astype(np.int64)
    simulator = world.simulator(BOARDS)
    form = WorldBatch(simulator, Appraisal(composition_form))
    reward = world.make_reward(world.fit_evaluator(1, 1), world.held_out, 1, 0, 1)
    full = WorldBatch(simulator, reward)

    def moved(row: np.ndarray) -> None:
        done = simulator.step(row)
        if done.any():
            simulator.reset(np.flatnonzero(done))

    def seen(row: np.ndarray) -> None:
        moved(row)
        assert simulator.observations

    def learnt_from(row: np.ndarray) -> None:
        full.step(row)
        full.observations()

    speeds = {}
    for what, step in (
        ("dynamics alone", moved), ("with observations", seen), ("with form", form.step),
        ("with the reward", full.step), ("with the reward and observations", learnt_from),
    ):  # fmt: skip
        simulator.reset(np.arange(BOARDS))
        for row in actions[: simulator.max_moves]:  # compiles; and ends at the end of a work
            step(row)
        speeds[what] = steps_per_second(step, actions)
    return speeds


def write_composition() -> None:
    """Measure the composition worlds and write the table."""
    found = {w: speeds_of(w) for w in ("composition", "composition-free", "composition-four")}
    lines = [f"| | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    for what in found["composition"]:
        lines.append(f"| {what} | {' | '.join(f'{one[what]:,.0f}' for one in found.values())} |")
    write(
        "dynamics-composition",
        "# Steps of the composition worlds\n\n`python -m benchmarks.dynamics composition`; steps a "
        "second of 1,024 boards, best of three passes, one thread.\n\n" + "\n".join(lines)
        + f"\n\n{place(1)}\n",
    )  # fmt: skip


def write_drawing() -> None:
    """Measure the drawing world and write the table."""
    moves = load_corpus("tabler").works.moves
    actions = human_actions(moves, 400, BOARDS)

    simulator = DrawingSimulator(BOARDS)

    def dynamics(row: np.ndarray) -> None:
        done = simulator.step(row)
        if done.any():
            simulator.reset(np.flatnonzero(done))

    simulator.reset(np.arange(BOARDS))
    dynamics(actions[0])  # compiles
    simulator.reset(np.arange(BOARDS))
    rows = {"dynamics alone, 1,024 boards": steps_per_second(dynamics, actions)}

    human = Works("drawing", moves)
    descriptor = PrincipalComponents.fit(features_of, human, N_COMPONENTS)
    archive = NoveltyArchive(descriptor.dim, 15, scale=1.0)
    archive.pin(descriptor(human))
    quality = HumanLevelQuality(human, human[:500], updates=1, pools=1)
    novelty = ArchiveNovelty(descriptor, archive, human, cap=2.0, mode_collapse=InkCollapse)
    full = Appraisal(quality, novelty)
    for name, appraisal in (("form alone", Appraisal(form_quality)), ("the full appraisal", full)):
        batch = WorldBatch(DrawingSimulator(BOARDS), appraisal)
        batch.reset()
        batch.step(actions[0])
        batch.reset()
        rows[f"with {name}, 1,024 boards"] = steps_per_second(batch.step, actions[:100])

    torch.set_num_threads(2)
    batch.reset()
    rows["the same, two torch threads"] = steps_per_second(batch.step, actions[:100])
    torch.set_num_threads(1)

    singles = DummyVecEnv([lambda: gymnasium.make("Move37/DrawingFree-v0")] * 16)
    singles.reset()
    few = np.ascontiguousarray(actions[:, :16])
    rows["16 single environments in DummyVecEnv, form"] = steps_per_second(singles.step, few)
    apart = SubprocVecEnv([lambda: gymnasium.make("Move37/DrawingFree-v0")] * 16)
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


def main() -> None:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("benchmarks.dynamics", description=__doc__.splitlines()[0])
    parser.add_argument("world", nargs="?", choices=("drawing", "composition"), default="drawing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.world == "composition":
        write_composition()
    else:
        write_drawing()


if __name__ == "__main__":
    main()
