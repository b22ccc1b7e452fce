"""Train a creator: imitate human works, then PPO for quality x newness.

python train.py                       # the default budget: under 20 minutes on 2 cores
python train.py --preset smoke        # everything, tiny: under 2 minutes
python train.py --seed 3 --run-dir runs/mine --withhold '*plane*'
python train.py --imitator runs/mine/imitator.safetensors --kl-weight 0.05 --run-dir runs/near
python train.py --resume runs/mine     # go on with a run that stopped, exactly
tensorboard --logdir runs
python replay.py runs/mine --best 25 --sheet best.png
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from move37.agents.learner.imitation import evaluate, imitate, positions_of
from move37.agents.learner.policy import PriorPolicy
from move37.agents.learner.ppo import (
    WorksCallback,
    collapse,
    learner_limit_share,
    make_ppo,
    warm_value,
)
from move37.agents.learner.rollout import sample_works
from move37.agents.runs.checkpoint_io import load_intact_checkpoint, save_checkpoint
from move37.agents.runs.config import Config, options_of, parse
from move37.agents.runs.dashboard import Dashboard
from move37.agents.runs.run_dir import Interrupts, RunDir, quiet_writers
from move37.agents.runs.shift_curves import ShiftCurves
from move37.agents.runs.terminal import Clock
from move37.agents.runs.train_state import TrainState, newest_checkpoint, write_checkpoint
from move37.envs.base.batch import NotFiniteError, WorldBatch
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works, join_works, write_atomically
from move37.envs.base.world import World, make_world, practice_of
from move37.envs.files.pictures import save_png
from move37.novelty.storage import load_weights, read_json, save_weights

TRACED_EACH = 64
"""Works of each round that stand for it in the picture of styles over time."""
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.5)
SO_FAR = "summary-so-far.json"
"""What a run that was asked to stop had reached."""
HEADLINES = (
    "yield", "yield_loose", "yield_with_repeats", "heldout_quality", "form", "novelty_human",
    "novelty_self", "copied", "repeats",
)  # fmt: skip


def fit_imitator(config: Config, world: World, clock: Clock, kept: Path) -> torch.nn.Module:
    """The network after imitation, which goes on from the state that is kept."""
    torch.manual_seed(config.seed)
    network = world.network(dropout=0.3)
    if config.imitator:
        load_weights(config.imitator, network)
        network.eval()
    else:
        start = load_intact_checkpoint(kept, clock.log)
        if start:
            clock.log(f"imitation goes on after epoch {start.facts['epoch']}")
        imitate(
            network,
            lambda epoch: positions_of(world.simulator, world.variations(epoch, config.seed)),
            positions_of(world.simulator, world.held_out),
            epochs=config.imitation_epochs,
            seed=config.seed,
            report=lambda e, loss, nats, top1: clock.log(
                f"imitation {e}/{config.imitation_epochs}: {nats:.3f} nats a move, top-1 {top1:.3f}"
            ),
            keep=lambda state: save_checkpoint(kept, state),
            start=start,
        )
    return network


def run(config: Config) -> dict[str, Any]:
    """One run, from human works to the summary; or what is left of it."""
    clock = Clock()
    torch.set_num_threads(config.threads)
    path = Path(config.run_dir)
    with Interrupts() as interrupts, RunDir(path, bool(config.resume), clock.log) as folder:
        if folder.finished:
            clock.log(f"{path}: the run is finished")
            return read_json(path / "summary.json")
        return run_in(folder, config, clock, interrupts)


def run_in(folder: RunDir, config: Config, clock: Clock, interrupts: Interrupts) -> dict[str, Any]:
    """The run, in a folder that is this process's alone."""
    path, log = folder.path, clock.log
    patterns = [p.strip() for p in config.withhold.split(",") if p.strip()]
    world = make_world(config.world, config.corpus, patterns, config.human_works)
    folder.record(options_of(config), world.fingerprint)
    log(f"{len(world.train)} human works to learn from, {len(world.held_out)} held out")
    if world.left_out:
        lines = [f"{label}: {reason}" for label, reason in world.left_out]
        write_atomically(path / "left-out.txt", "\n".join([*lines, ""]).encode())
        log(f"{len(lines)} works of the corpus left out, named in {path / 'left-out.txt'} (the "
            f"last: {lines[-1]})")  # fmt: skip
    pools = 1 if config.preset == "smoke" else 4

    # What a stage makes is read from its files, whether by this process or an earlier one.
    def judge() -> dict[str, float]:
        world.fit_evaluator(config.critic_updates, pools).save(path)
        return {}

    folder.stage("judge", judge)
    evaluator = world.load_evaluator(path)
    bars = folder.stage("bars", lambda: {
        "human": world.summarise(evaluator.measure(world.held_out)),
        "outsiders": world.summarise(evaluator.measure(world.outsiders)),
    })  # fmt: skip
    human, outsiders = bars["human"], bars["outsiders"]
    log(f"judge ready; yield of human works {human['yield']:.1%}, outsiders "
        f"{outsiders['yield']:.1%}")  # fmt: skip

    def imitation() -> dict[str, float]:
        network = fit_imitator(config, world, clock, epoch)
        save_weights(path / "imitator.safetensors", network)
        nats, top1 = evaluate(network, *positions_of(world.simulator, world.held_out))
        return {"nats": nats, "top1": top1}

    epoch = path / "stages" / "imitation.safetensors"
    fit = folder.stage("imitation", imitation)
    epoch.unlink(missing_ok=True)
    network = world.network()
    load_weights(path / "imitator.safetensors", network.eval())
    boards = world.exam(min(512, config.eval_works))

    def made_by(
        maker: torch.nn.Module,
        n: int,
        stream: int,
        temperature: float = 1.0,
        on: Simulator = boards,
    ) -> Works:
        rng = np.random.default_rng((config.seed, 1, stream))
        return sample_works(maker, on, world.id, n, rng, temperature)

    def imitators() -> dict[str, dict[str, float]]:
        # The critic learns from these: they answer the briefs that the learner will be given.
        given = made_by(network, 2 * config.eval_works, 0, on=world.simulator(boards.n))
        given.save(path / "imitations.npz")
        works = [made_by(network, config.eval_works, i, t) for i, t in enumerate(TEMPERATURES, 1)]
        measured = [world.summarise(evaluator.measure(w)) for w in works]
        return {str(t): m for t, m in zip(TEMPERATURES, measured, strict=True)}

    tempered = folder.stage("imitator", imitators)
    best_t = max(tempered, key=lambda t: tempered[t]["yield"])
    log("imitator's yield " + ", ".join(f"T={t}: {m['yield']:.2%}" for t, m in tempered.items()))
    imitations = Works.load(path / "imitations.npz")
    found = newest_checkpoint(path, log) if config.resume else None
    # The critic of a checkpoint need not be trained first.
    updates = 1 if found else config.critic_updates
    reward = world.make_reward(evaluator, imitations, updates, config.seed, pools)
    log("the reward's critic is ready")

    shift_curves = ShiftCurves(evaluator, world.train, config.seed)
    bar = tqdm(total=config.env_steps, unit="step", disable=None)
    sheet_steps = config.env_steps // 8

    def on_round(works: Works, steps: int) -> None:
        figures: dict[str, float] = dict(reward.refresh(works))
        newest = works[-256:]
        if callback.on_rollout:  # not while only the value is fitted
            train_state.trace(works[-TRACED_EACH:])
        kept = reward.admit(newest)
        train_state.admit(newest[kept])
        measured = world.summarise(evaluator.measure(works[-400:]))
        figures |= {f"eval/{key}": value for key, value in measured.items()}
        notes["latest"] = measured
        figures["eval/judge_gap"] = callback.latest["craft"] - measured["heldout_quality"]
        figures |= shift_curves.curves(works, steps)
        figures["archive/size"] = float(len(reward.archive))
        figures["archive/admitted"] = float(kept.sum())
        for key, value in figures.items():
            model.logger.record(key, value)
        for key, what in collapse(callback.entropy, measured["novelty_self"]).items():
            if notes["collapsed"].setdefault(key, steps) == steps:
                log(f"the policy has collapsed after {steps} moves: {what}")
        if callback.on_rollout and steps >= notes["sheets"]:
            notes["sheets"] = steps + sheet_steps
            dashboard.sheets(works, steps)
            dashboard.picture("shift/styles", shift_curves.picture(join_works(train_state.traced)))
        bar.n = min(steps, config.env_steps)
        bar.set_postfix(
            {"yield": f"{measured['yield']:.1%}", "reward": f"{callback.latest['reward']:.3f}",
             "novelty": f"{measured['novelty_human']:.2f}"}
        )  # fmt: skip

    def on_rollout(steps: int) -> None:
        due = steps >= notes["checkpoint"]
        if due:
            notes["checkpoint"] = steps + config.checkpoint_steps
            save_weights(path / "checkpoints" / f"learner-{steps:09d}.safetensors", model.policy)
            if train_state.admitted:
                join_works(train_state.admitted).save(path / "admitted.npz")
            reward.save(path)
        if due or interrupts.asked or steps >= config.env_steps:
            notes["wall_seconds"] = clock.seconds()
            write_checkpoint(path, folder.snapshot(train_state))
        if interrupts.asked and steps < config.env_steps:
            so_far = {**notes["latest"], "env_steps": steps, "wall_seconds": clock.seconds()}
            write_atomically(path / SO_FAR, json.dumps(so_far, indent=2).encode())
            clock.log(f"stopped after {steps:,} moves; the latest works, unselected:")
            print_side_by_side({"learner": notes["latest"], "imitator": tempered[best_t],
                                "human": human, "outsiders": outsiders})  # fmt: skip
            raise KeyboardInterrupt

    callback = WorksCallback(world.id, config.refresh_every, on_round)
    env = WorldVecEnv(WorldBatch(practice_of(world, config.n_envs), reward), callback.finished)
    model = make_ppo(
        env, network, n_steps=config.n_steps, batch_size=config.batch_size,
        n_epochs=config.n_epochs, learning_rate=config.learning_rate, kl_weight=config.kl_weight,
        gae_lambda=config.gae_lambda, own_value=config.value_network == "own", seed=config.seed,
    )  # fmt: skip
    train_state = TrainState(model, callback, reward)
    notes: dict[str, Any] = train_state.notes
    notes |= {"checkpoint": 0, "sheets": 0, "collapsed": {}, "wall_seconds": 0.0, "latest": {}}
    model.set_logger(folder.open_log(found))
    dashboard = Dashboard(model.logger, world)
    if found:
        train_state.restore(found)
        clock.began -= notes["wall_seconds"]
        log(f"going on after {model.num_timesteps} moves")
    elif config.warm_rollouts:
        warm_value(model, config.warm_rollouts, callback)
        callback.seconds = dict.fromkeys(callback.seconds, 0.0)
    callback.on_rollout = on_rollout
    interrupts.patient = True
    try:
        left = config.env_steps - (model.num_timesteps if found else 0)
        model.learn(left, callback, reset_num_timesteps=not found)
        callback.on_rollout_start()  # after the last update too
    except NotFiniteError as error:
        raise ValueError(f"{error}; see {folder.keep_failure(train_state, error)}") from error
    bar.close()
    seconds = callback.seconds["total"]
    assert isinstance(model.policy, PriorPolicy)
    save_weights(path / "learner.safetensors", model.policy)

    fresh = made_by(model.policy.network.eval(), config.eval_works, len(TEMPERATURES) + 1)
    measured = evaluator.measure(fresh)
    result = world.summarise(measured)
    terms = {f"judged/{k}": v for k, v in measured.items()}
    terms |= reward(fresh)
    for key, whole in (("step", model.num_timesteps), ("seed", config.seed)):
        terms[key] = np.full(len(fresh), float(whole))
    fresh = fresh.with_appraisal(terms)
    fresh.save(path / "works.npz")
    new = join_works([fresh[:0], *train_state.admitted])
    new.save(path / "admitted.npz")
    reward.save(path)
    dashboard.archive(
        [(name, works, evaluator.describe(works))
         for name, works in (("human", world.train), ("admitted", new), ("fresh", fresh))],
        model.num_timesteps,
    )  # fmt: skip
    dashboard.sheets(fresh, model.num_timesteps)
    if train_state.traced:
        styles = shift_curves.picture(join_works(train_state.traced))
        dashboard.picture("shift/styles", styles)
        save_png(path / "styles.png", styles)
    summary = {
        **result,
        "imitator_yield": tempered[best_t]["yield"],
        "imitator_temperature": float(best_t),
        "outsider_yield": outsiders["yield"],
        "imitation_nats": fit["nats"],
        "imitation_top1": fit["top1"],
        "env_steps": model.num_timesteps,
        "steps_per_second": config.env_steps / seconds,
        "learner_limit_share": learner_limit_share(callback.seconds),
        "wall_seconds": clock.seconds(),
        "corpus": world.fingerprint,
        "fingerprint": train_state.fingerprint(fresh),
        "collapsed": notes["collapsed"],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "human": human,
        "outsiders": outsiders,
        "imitator": tempered,
    }
    dashboard.options(
        options_of(config), {f"final/{k}": result[k] for k in HEADLINES if k in result}
    )
    for key, value in result.items():
        model.logger.record(f"final/{key}", value)
    model.logger.dump(model.num_timesteps)
    best = fresh[np.argsort(-np.asarray(fresh.appraisal["reward"]), kind="stable")[:100]]
    save_png(path / "best.png", world.sheet(best, columns=10))
    save_png(path / "imitator-and-learner.png", world.sheets_side_by_side(
        imitations[:60], fresh[:60], ("imitator, unselected", "learner, unselected"), columns=6
    ))  # fmt: skip
    write_atomically(path / "summary.json", json.dumps(summary, indent=2).encode())
    (path / SO_FAR).unlink(missing_ok=True)
    say_goodbye(clock, path, {"learner": result, "imitator": tempered[best_t], "human": human,
                              "outsiders": outsiders})  # fmt: skip
    return summary


def print_side_by_side(makers: Mapping[str, Mapping[str, float]]) -> None:
    """Print the decisive figures of makers as a table; - for what is not known."""
    print(" " * 20 + "".join(f"{name:>11}" for name in makers))
    for key in HEADLINES:
        share = key.startswith("yield") or key in ("repeats", "copied")
        values = [m.get(key) for m in makers.values()]
        if all(value is None for value in values):
            continue  # this world has no such measure
        row = ["-" if v is None else f"{v:.2%}" if share else f"{v:.2f}" for v in values]
        print(f"  {key:18}" + "".join(f"{text:>11}" for text in row))


def say_goodbye(clock: Clock, folder: Path, makers: Mapping[str, Mapping[str, float]]) -> None:
    """Print the figures side by side, and where to look next."""
    clock.log("fresh, unselected works (medians; shares of works in %):")
    print_side_by_side(makers)
    print(f"look at {folder / 'imitator-and-learner.png'} and {folder / 'best.png'}")
    print(f"next: python replay.py {folder} --best 25 --html works.html")
    print("      tensorboard --logdir runs")


def main() -> None:
    """Run from the command line."""
    config = parse(sys.argv[1:], __doc__)
    quiet_writers()
    try:
        run(config)
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f"train.py: stopped; go on with --resume {config.run_dir}", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
