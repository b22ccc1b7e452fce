"""Train a creator: imitate human works, then PPO for quality x newness.

python train.py                       # the default budget: under 20 minutes on 2 cores
python train.py --preset smoke        # everything, tiny: under 2 minutes
python train.py --seed 3 --run-dir runs/mine --withhold '*plane*'
python train.py --imitator runs/mine/imitator.safetensors --kl-weight 0.05 --run-dir runs/near
tensorboard --logdir runs
python replay.py runs/mine --best 25 --sheet best.png
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from safetensors.torch import save as dump
from stable_baselines3.common.logger import configure
from tqdm import tqdm

from agents.dashboard import Dashboard
from agents.imitation import evaluate, imitate, positions_of, sample_works
from agents.learner import WorksCallback, learner_limit_share, make_ppo, warm_value
from agents.options import Config, parse
from agents.policy import PriorPolicy
from agents.terminal import Clock
from envs.batch import WorldBatch
from envs.pictures import save_png
from envs.sb3 import WorldVecEnv
from envs.works import Works, join_works, write_atomically
from envs.worlds import World, make_world

TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.5)
HEADLINES = (
    "yield", "yield_loose", "heldout_quality", "form", "novelty_human", "novelty_self", "copied",
    "repeats",
)  # fmt: skip


def fit_imitator(config: Config, world: World, clock: Clock) -> tuple[torch.nn.Module, Any]:
    """The network after imitation, with (nats per held-out move, top-1 share)."""
    network = world.network(dropout=0.3)
    held = positions_of(world.core, world.held_out)
    if config.imitator:
        network.load_state_dict(load_file(config.imitator))
        network.eval()
    else:
        imitate(
            network,
            lambda epoch: positions_of(world.core, world.variations(epoch, config.seed)),
            held,
            epochs=config.imitation_epochs,
            seed=config.seed,
            report=lambda e, loss, nats, top1: clock.say(
                f"imitation {e}/{config.imitation_epochs}: {nats:.3f} nats a move, top-1 {top1:.3f}"
            ),
        )
    return network, evaluate(network, *held)


def save_weights(path: Path, module: torch.nn.Module) -> None:
    """Write a module's weights, atomically."""
    write_atomically(path, dump({k: v.contiguous() for k, v in module.state_dict().items()}))


def run(config: Config) -> dict[str, Any]:
    """One run, from human works to the summary."""
    clock = Clock()
    say = clock.say
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    folder = Path(config.run_dir)
    if (folder / "summary.json").exists():
        raise ValueError(f"{folder}: holds a finished run; choose another --run-dir")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "config.json", json.dumps(asdict(config), indent=2).encode())
    patterns = [p.strip() for p in config.withhold.split(",") if p.strip()]
    world = make_world(config.world, config.corpus, patterns, config.human_works)
    say(f"{len(world.train)} human works to learn from, {len(world.held_out)} held out")
    pools = 1 if config.preset == "smoke" else 4
    yardstick = world.yardstick(config.critic_updates, pools)
    yardstick.save(folder)
    human = world.summarise(yardstick.measure(world.held_out))
    outsiders = world.summarise(yardstick.measure(world.outsiders))
    say(f"judge ready; yield of human works {human['yield']:.1%}, outsiders "
        f"{outsiders['yield']:.1%}")  # fmt: skip

    network, (nats, top1) = fit_imitator(config, world, clock)
    save_weights(folder / "imitator.safetensors", network)
    rng = np.random.default_rng((config.seed, 1))
    boards = world.core(512)

    def made_by(maker: torch.nn.Module, n: int, temperature: float = 1.0) -> Works:
        return sample_works(maker, boards, world.id, n, rng, temperature)

    imitators = {
        t: world.summarise(yardstick.measure(made_by(network, config.eval_works, t)))
        for t in TEMPERATURES
    }
    best_t = max(imitators, key=lambda t: imitators[t]["yield"])
    say("imitator's yield " + ", ".join(f"T={t}: {m['yield']:.2%}" for t, m in imitators.items()))
    imitations = made_by(network, 2 * config.eval_works)
    reward = world.reward(yardstick, imitations, config.critic_updates, config.seed, pools)
    say("the reward's critic is ready")

    bar = tqdm(total=config.env_steps, unit="step", disable=None)
    admitted: list[Works] = []
    marks = {"checkpoint": 0, "sheets": 0}
    sheet_steps = config.env_steps // 8

    def on_round(works: Works, steps: int) -> None:
        figures: dict[str, float] = dict(reward.refresh(works))
        newest = works[-256:]
        kept = reward.admit(newest)
        admitted.append(newest[kept])
        measured = world.summarise(yardstick.measure(works[-400:]))
        figures |= {f"eval/{key}": value for key, value in measured.items()}
        figures["eval/judge_gap"] = callback.latest["craft"] - measured["heldout_quality"]
        figures["archive/size"] = float(len(reward.archive))
        figures["archive/admitted"] = float(kept.sum())
        for key, value in figures.items():
            model.logger.record(key, value)
        if steps >= marks["sheets"]:
            marks["sheets"] = steps + sheet_steps
            dashboard.sheets(works)
        if steps >= marks["checkpoint"]:
            marks["checkpoint"] = steps + config.checkpoint_steps
            save_weights(folder / "checkpoints" / f"learner-{steps:09d}.safetensors", model.policy)
            join_works(admitted).save(folder / "admitted.npz")
            reward.save(folder)
        bar.n = min(steps, config.env_steps)
        bar.set_postfix(
            {"yield": f"{measured['yield']:.1%}", "reward": f"{callback.latest['reward']:.3f}",
             "novelty": f"{measured['novelty_human']:.2f}"}
        )  # fmt: skip

    callback = WorksCallback(world.id, config.refresh_every, on_round)
    env = WorldVecEnv(WorldBatch(world.core(config.n_envs), reward), callback.finished)
    model = make_ppo(
        env, network, n_steps=config.n_steps, batch_size=config.batch_size,
        n_epochs=config.n_epochs, learning_rate=config.learning_rate, kl_weight=config.kl_weight,
        seed=config.seed,
    )  # fmt: skip
    model.set_logger(configure(str(folder), ["tensorboard", "csv"]))
    dashboard = Dashboard(model.logger, world)
    if config.warm_rollouts:
        warm_value(model, config.warm_rollouts, callback)
    callback.seconds = dict.fromkeys(callback.seconds, 0.0)
    learning = time.perf_counter()
    model.learn(config.env_steps, callback)
    seconds = time.perf_counter() - learning
    bar.close()
    assert isinstance(model.policy, PriorPolicy)
    save_weights(folder / "learner.safetensors", model.policy)

    fresh = made_by(model.policy.network.eval(), config.eval_works)
    measured = yardstick.measure(fresh)
    result = world.summarise(measured)
    terms = {f"judged/{k}": v for k, v in measured.items()}
    terms |= reward(fresh.moves, world.images(fresh))
    for key, value in (("step", model.num_timesteps), ("seed", config.seed)):
        terms[key] = np.full(len(fresh), float(value))
    fresh = fresh.with_appraisal(terms)
    fresh.save(folder / "works.npz")
    new = join_works([fresh[:0], *admitted])
    new.save(folder / "admitted.npz")
    reward.save(folder)
    dashboard.archive(
        [(name, works, yardstick.describe(works))
         for name, works in (("human", world.train), ("admitted", new), ("fresh", fresh))],
        model.num_timesteps,
    )  # fmt: skip
    dashboard.sheets(fresh)
    summary = {
        **result,
        "imitator_yield": imitators[best_t]["yield"],
        "imitator_temperature": best_t,
        "outsider_yield": outsiders["yield"],
        "imitation_nats": nats,
        "imitation_top1": top1,
        "env_steps": model.num_timesteps,
        "steps_per_second": config.env_steps / seconds,
        "learner_limit_share": learner_limit_share(callback.seconds),
        "wall_seconds": clock.seconds(),
        "corpus": world.fingerprint,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "human": human,
        "outsiders": outsiders,
        "imitator": {str(t): m for t, m in imitators.items()},
    }
    dashboard.options(asdict(config), {f"final/{k}": result[k] for k in HEADLINES})
    for key, value in result.items():
        model.logger.record(f"final/{key}", value)
    model.logger.dump(model.num_timesteps)
    best = fresh[np.argsort(-np.asarray(fresh.appraisal["reward"]), kind="stable")[:100]]
    save_png(folder / "best.png", world.sheet(best, columns=10))
    save_png(folder / "imitator-and-learner.png", world.sheets_side_by_side(
        imitations[:60], fresh[:60], ("imitator, unselected", "learner, unselected"), columns=6
    ))  # fmt: skip
    write_atomically(folder / "summary.json", json.dumps(summary, indent=2).encode())
    say_goodbye(clock, folder, {"learner": result, "imitator": imitators[best_t], "human": human,
                                "outsiders": outsiders})  # fmt: skip
    return summary


def say_goodbye(clock: Clock, folder: Path, makers: Mapping[str, Mapping[str, float]]) -> None:
    """Print the figures side by side, and where to look next."""
    clock.say("fresh, unselected works (medians; shares of works in %):")
    print(" " * 18 + "".join(f"{name:>11}" for name in makers))
    for key in HEADLINES:
        share = key in ("yield", "yield_loose", "repeats", "copied")
        row = [f"{m[key]:11.2%}" if share else f"{m[key]:11.2f}" for m in makers.values()]
        print(f"  {key:16}" + "".join(row))
    print(f"look at {folder / 'imitator-and-learner.png'} and {folder / 'best.png'}")
    print(f"next: python replay.py {folder} --best 25 --html works.html")
    print("      tensorboard --logdir runs")


def main() -> None:
    """Run from the command line."""
    config = parse(sys.argv[1:], __doc__)
    try:
        run(config)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("train.py: stopped", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
