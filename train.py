"""Train a creator: imitate human works, then PPO for quality x newness.

python train.py                       # the default budget: under 20 minutes on 2 cores
python train.py --preset smoke        # everything, tiny: under 2 minutes
python train.py --seed 3 --run-dir runs/mine --withhold '*plane*'
tensorboard --logdir runs
python replay.py runs/mine --best 25 --sheet best.png
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from stable_baselines3.common.logger import configure
from tqdm import tqdm

from agents.imitation import evaluate, imitate, positions_of, sample_works
from agents.learner import WorksCallback, make_ppo, warm_value
from agents.policy import PriorPolicy
from envs.batch import WorldBatch
from envs.drawing.dynamics import images_of
from envs.drawing.judging import summarise
from envs.drawing.render import save_png
from envs.drawing.world import DrawingWorld
from envs.sb3 import WorldVecEnv
from envs.works import Works, write_atomically

TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.5)


def option(default: Any, text: str) -> Any:
    """A field of the configuration with its line of --help."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Config:
    """Every option of a run."""

    preset: str = option("default", "budget: smoke, default or full; other options override it")
    seed: int = option(0, "seed of the imitator, the learner and the reward's critic")
    run_dir: str = option("", "folder of the run (default: runs/drawing-PRESET-SEED)")
    corpus: str = option("tabler", "human works: tabler, lucide, kanjivg, an SVG folder, .ndjson")
    withhold: str = option("", "comma-separated name patterns of works to take out of the world")
    human_works: int = option(0, "use only this many human works; 0: all")
    imitator: str = option("", "start from this imitator.safetensors of a run; fits none")
    imitation_epochs: int = option(18, "passes over the human moves")
    critic_updates: int = option(1200, "gradient steps of each critic's first training")
    env_steps: int = option(1_700_000, "moves that PPO makes")
    n_envs: int = option(256, "boards drawn on at once")
    n_steps: int = option(64, "moves on each board between two updates")
    batch_size: int = option(512, "moves per gradient step")
    n_epochs: int = option(2, "passes over each rollout")
    learning_rate: float = option(2e-4, "Adam's step size")
    kl_weight: float = option(0.02, "weight of the KL divergence from the imitator, in nats")
    warm_rollouts: int = option(3, "rollouts that fit the value function before the policy moves")
    refresh_every: int = option(4, "rollouts between two refreshments of the critic")
    eval_works: int = option(2000, "fresh works that are measured at the end")
    threads: int = option(2, "torch threads")


PRESETS = {
    "smoke": Config(
        preset="smoke", human_works=600, imitation_epochs=2, critic_updates=60, env_steps=16_384,
        n_envs=64, n_steps=32, batch_size=512, n_epochs=1, warm_rollouts=1, eval_works=200,
    ),
    "default": Config(),
    "full": Config(preset="full", imitation_epochs=24, critic_updates=4000, env_steps=20_000_000),
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 1."""
        print(f"train.py: {message} (see --help)", file=sys.stderr)
        raise SystemExit(1)


def parse(arguments: list[str]) -> Config:
    """Turn the command line into a configuration."""
    parser = Parser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for item in fields(Config):
        default: Any = item.default
        parser.add_argument(
            "--" + item.name.replace("_", "-"),
            type=type(default),
            default=argparse.SUPPRESS,
            metavar=type(default).__name__.upper(),
            help=f"{item.metadata['help']} (default: {default!r})",
        )
    given = vars(parser.parse_args(arguments))
    preset = given.get("preset", "default")
    if preset not in PRESETS:
        parser.error(f"--preset: {preset!r} is none of {', '.join(PRESETS)}")
    config = replace(PRESETS[preset], **given)
    for item in fields(config):
        value = getattr(config, item.name)
        lowest = 0 if item.name in ("seed", "human_works", "kl_weight", "warm_rollouts") else 1e-9
        if isinstance(value, int | float) and not lowest <= value < float("inf"):
            parser.error(f"--{item.name.replace('_', '-')}: {value} is out of range")
    if config.n_envs * config.n_steps % config.batch_size:
        parser.error("--batch-size: must divide --n-envs x --n-steps")
    if 0 < config.human_works < 100:
        parser.error("--human-works: at least 100 are needed (or 0 for all)")
    return config if config.run_dir else replace(
        config, run_dir=f"runs/drawing-{config.preset}-{config.seed}"
    )  # fmt: skip


def run(config: Config) -> dict[str, Any]:
    """One run, from human works to the summary."""
    began = time.perf_counter()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    folder = Path(config.run_dir)
    if (folder / "summary.json").exists():
        raise ValueError(f"{folder}: holds a finished run; choose another --run-dir")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "config.json", json.dumps(asdict(config), indent=2).encode())

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - began:6.0f} s] {text}", flush=True)

    patterns = [p.strip() for p in config.withhold.split(",") if p.strip()]
    world = DrawingWorld(config.corpus, patterns, limit=config.human_works)
    say(f"{len(world.train)} human works to learn from, {len(world.held_out)} held out")
    pools = 1 if config.preset == "smoke" else 4
    yardstick = world.yardstick(config.critic_updates, pools)
    human = summarise(yardstick.measure(world.held_out.moves))
    outsiders = summarise(yardstick.measure(world.outsiders.moves))
    say(f"judge ready; yield of human works {human['yield']:.1%}, outsiders "
        f"{outsiders['yield']:.1%}")  # fmt: skip

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
            report=lambda e, loss, nats, top1: say(
                f"imitation {e}/{config.imitation_epochs}: {nats:.3f} nats a move, top-1 {top1:.3f}"
            ),
        )
    nats, top1 = evaluate(network, *held)
    save_file(network.state_dict(), folder / "imitator.safetensors")
    rng = np.random.default_rng((config.seed, 1))
    boards = world.core(512)

    def made_by(maker: torch.nn.Module, n: int, temperature: float) -> Works:
        return sample_works(maker, boards, world.id, n, rng, temperature)

    imitators = {
        t: summarise(yardstick.measure(made_by(network, config.eval_works, t).moves))
        for t in TEMPERATURES
    }
    best_t = max(imitators, key=lambda t: imitators[t]["yield"])
    say("imitator's yield " + ", ".join(f"T={t}: {m['yield']:.2%}" for t, m in imitators.items()))
    imitations = made_by(network, 2 * config.eval_works, 1.0)
    appraisal, quality, newness = world.appraisal(
        yardstick, imitations.moves, config.critic_updates, config.seed, pools
    )
    say("the reward's critic is ready")

    bar = tqdm(total=config.env_steps, unit="step", disable=None)
    admitted: list[NDArray[np.int16]] = []

    def on_round(moves: NDArray[np.int16], steps: int) -> None:
        loss = quality.refresh(moves)
        shown = moves[-256:]
        board = images_of(shown)
        kept = newness.archive.add(
            yardstick.descriptor(board), quality=quality(shown, board)["quality"]
        )
        admitted.append(shown[kept])
        measured = summarise(yardstick.measure(moves[-500:]))
        for key, value in measured.items():
            model.logger.record(f"eval/{key}", value)
        model.logger.record(
            "eval/judge_gap", callback.latest["craft"] - measured["heldout_quality"]
        )
        model.logger.record("archive/size", len(newness.archive))
        model.logger.record("archive/admitted", int(kept.sum()))
        model.logger.record("critic/loss", loss)
        bar.n = min(steps, config.env_steps)
        bar.set_postfix(
            {"yield": f"{measured['yield']:.1%}", "reward": f"{callback.latest['reward']:.3f}"}
        )

    callback = WorksCallback(config.refresh_every, on_round)
    env = WorldVecEnv(WorldBatch(world.core(config.n_envs), appraisal), callback.finished)
    model = make_ppo(
        env, network, n_steps=config.n_steps, batch_size=config.batch_size,
        n_epochs=config.n_epochs, learning_rate=config.learning_rate, kl_weight=config.kl_weight,
        seed=config.seed,
    )  # fmt: skip
    model.set_logger(configure(str(folder), ["tensorboard", "csv"]))
    if config.warm_rollouts:
        warm_value(model, config.warm_rollouts, callback)
    learning = time.perf_counter()
    model.learn(config.env_steps, callback)
    seconds = time.perf_counter() - learning
    bar.close()
    assert isinstance(model.policy, PriorPolicy)
    learner = model.policy.network.eval()
    save_file(
        {k: v.contiguous() for k, v in model.policy.state_dict().items()},
        folder / "learner.safetensors",
    )

    fresh = made_by(learner, config.eval_works, 1.0)
    measured = yardstick.measure(fresh.moves)
    terms = appraisal(fresh.moves, images_of(fresh.moves))
    result = summarise(measured)
    named = {f"judged/{k}": v for k, v in measured.items()} | dict(terms)
    fresh = Works(world.id, fresh.moves, fresh.briefs, appraisal=named)
    fresh.save(folder / "works.npz")
    Works(world.id, np.concatenate([world.train.moves[:0], *admitted])).save(
        folder / "admitted.npz"
    )
    world.train.save(folder / "human.npz")
    world.held_out.save(folder / "human-held-out.npz")
    for name, judge in (("judge", yardstick.network), ("critic", quality.critic)):
        save_file({k: v.contiguous() for k, v in judge.state_dict().items()},
                  folder / f"{name}.safetensors")  # fmt: skip
    newness.archive.save(folder / "archive.npz")
    yardstick.descriptor.save(folder / "descriptor.npz")
    top = fresh[np.argsort(-np.asarray(fresh.appraisal["reward"]))[:100]]
    save_png(folder / "best.png", world.sheet(top, columns=10))
    beside = world.sheets_side_by_side(
        imitations[:60], fresh[:60], ("imitator, unselected", "learner, unselected"), columns=6
    )
    save_png(folder / "imitator-and-learner.png", beside)
    summary = {
        **result,
        "yield": result["yield"],
        "imitator_yield": imitators[best_t]["yield"],
        "imitator_temperature": best_t,
        "outsider_yield": outsiders["yield"],
        "imitation_nats": nats,
        "imitation_top1": top1,
        "env_steps": model.num_timesteps,
        "steps_per_second": config.env_steps / seconds,
        "wall_seconds": time.perf_counter() - began,
        "corpus": world.corpus_fingerprint,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "human": human,
        "outsiders": outsiders,
        "imitator": {str(t): m for t, m in imitators.items()},
    }
    write_atomically(folder / "summary.json", json.dumps(summary, indent=2).encode())
    say(f"yield of {len(fresh)} fresh works: learner {result['yield']:.1%}, imitator at its best "
        f"(T={best_t}) {imitators[best_t]['yield']:.2%}, human outsiders "
        f"{outsiders['yield']:.1%}")  # fmt: skip
    say(f"look at {folder / 'imitator-and-learner.png'} and {folder / 'best.png'}")
    say(f"next: python replay.py {folder} --best 25 --html works.html; tensorboard --logdir runs")
    return summary


def main() -> None:
    """Run from the command line."""
    config = parse(sys.argv[1:])
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
