"""The training loop: one run, from human works to a learner and its summary.

A run is a folder. :class:`TrainingRun` fills it in the order of its methods: the judges are fitted
and frozen, a network imitates human works, its works are sampled and measured, the reward's critic
learns to tell human works from them, and PPO moves the network to more reward. What ``move37
train`` does is such a run, and so are the learner of a comparison and the learner of
:mod:`move37.agents.makers.rl_imitation`.
"""

from __future__ import annotations

import copy
import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from tqdm import tqdm

from move37.agents.learner.callbacks import (
    BetweenUpdates,
    TimingCallback,
    WorksCallback,
    learner_limit_share,
)
from move37.agents.learner.health import FiniteCallback, collapse, rollout_entropy
from move37.agents.learner.imitation import evaluate, fit_imitator, positions_of
from move37.agents.learner.policy import PriorPolicy
from move37.agents.learner.ppo import make_ppo, warm_value
from move37.agents.learner.rollout import BOARDS, sample_works
from move37.agents.learner.self_imitation import SelfImitation
from move37.agents.runs.checkpoint_io import Checkpoint
from move37.agents.runs.config import FILE, Config, load_config
from move37.agents.runs.dashboard import Dashboard, newest_and_best
from move37.agents.runs.interrupts import Interrupts, RunInterrupted
from move37.agents.runs.run_dir import BEST, LEFT_OUT, NEWEST, SUMMARY, RunDir, different
from move37.agents.runs.run_log import add_log, open_log
from move37.agents.runs.shift_curves import ShiftCurves
from move37.agents.runs.terminal import HEADLINES, Clock
from move37.agents.runs.train_state import (
    TrainState,
    newest_checkpoint,
    save_failure,
    write_checkpoint,
)
from move37.envs.base.batch import NotFiniteError, WorldBatch
from move37.envs.base.registry import find_world, make_world
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import Works, join_works, write_atomically
from move37.envs.base.world import Evaluator, Reward, World
from move37.envs.files.pictures import save_png
from move37.envs.files.sheets import sheet, side_by_side
from move37.envs.judging.reward_scorer import RewardScorer
from move37.envs.progress import doing, reached
from move37.novelty.storage import load_weights, printable, read_json, save_weights

IMITATOR = "imitator.safetensors"
LEARNER = "learner.safetensors"
IMITATIONS = "imitations.npz"
SELF_IMITATOR = "self-imitator.safetensors"
KEPT = "self-imitation.npz"
"""The network and its best works after self-imitation."""
SUMMARY_SO_FAR = "summary-so-far.json"
"""What a run that was asked to stop had reached."""
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.5)
"""At which the imitator is sampled; the best of them is what the learner is compared with."""
ADMITTED = 256
"""The newest works of a round that are offered to the archive."""
TRACED = 64
"""The newest works of a round that stand for it in the picture of styles over time."""
REPORTS = 8
"""Contact sheets in TensorBoard, and lines about them, in a run."""
PICTURES_EVERY = 60.0
"""Seconds after which the pictures in the run's folder are replaced."""
SHOWN, SHOWN_COLUMNS = 36, 6
"""Works on each of these pictures."""


class TrainingRun:
    """Trains one learner in a folder of its own; see :meth:`run`.

    The methods stand in the order in which :meth:`run` calls them. Another learner overrides
    :meth:`make_reward`.

    Args:
        config: The options.
        resume: Whether ``config.run_dir`` must hold this run already; see :class:`RunDir`.
        evaluator: Frozen judges of the same human works; None: the run fits its own.
        log: Takes one line about what happens; None: lines are printed with the time.

    Attributes:
        config: As given.
        path: The folder.
        world: With its human works.
        evaluator: The frozen judges.
        imitator: The network after imitation, in eval mode.
        start: The network that PPO starts from, and is kept near to: the imitator, or what became
            of it by self-imitation.
        imitations: Works of the imitator, from the briefs that the learner practises on.
    """

    world: World
    evaluator: Evaluator
    imitator: nn.Module
    start: nn.Module
    imitations: Works

    def __init__(
        self,
        config: Config,
        resume: bool = False,
        evaluator: Evaluator | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        if not config.run_dir:
            raise ValueError("run_dir: expected the folder of the run; make_config has a default")
        self.config, self.path = config, Path(config.run_dir)
        self._resume, self._given_evaluator = resume, evaluator
        self._log = Clock().log if log is None else log
        self._began = time.perf_counter()
        self._next_pictures = 0.0

    def run(self) -> dict[str, Any]:
        """Train, or resume training; the result is bit-identical to an uninterrupted run.

        Returns:
            What ``summary.json`` holds.

        Raises:
            ValueError: If an option or the folder is refused, or a number became NaN or infinite.
            OSError: If a file cannot be read or written.
            RunInterrupted: If the run was asked to stop while it learnt.
            KeyboardInterrupt: If it was asked to stop at another time.
        """
        with (
            Interrupts() as self._interrupts,
            RunDir(self.config, self._resume, self._log) as self._folder,
        ):
            self.config = self._folder.config
            torch.set_num_threads(self.config.threads)
            if self._folder.finished:
                self._log(f"{self.path}: the run is finished")
                return read_json(self.path / SUMMARY)
            for what, part in (
                ("reading the human works", self._load_world),
                ("fitting the judges", self._fit_judges),
                ("imitation", self._imitate),
                ("sampling the imitator", self._sample_imitator),
                ("self-imitation", self._imitate_itself),
                ("fitting the reward's critic and the value function", self._prepare_learning),
            ):
                with doing(what, self._log):
                    part()
            with doing("PPO", self._log, bar=True):
                self._learn()
            with doing("measuring the learner's works", self._log):
                return self._finish()

    def _load_world(self) -> None:
        config = self.config
        if config.imitator and not self._folder.resumed:
            # Refused now, not after the judges are fitted.
            load_weights(config.imitator, find_world(config.world)().network())
        self.world = world = make_world(
            config.world, config.corpus, config.withheld, config.human_works
        )
        self._folder.record(config, world.fingerprint)
        self._log(f"{len(world.train)} human works to learn from, {len(world.held_out)} held out")
        if world.left_out:
            path = self.path / LEFT_OUT
            lines = [printable(f"{label}: {reason}") for label, reason in world.left_out]
            write_atomically(path, "\n".join([*lines, ""]).encode())
            self._log(
                f"{len(lines)} works of the corpus left out, whole or in part, named in {path} "
                f"(the last: {lines[-1]})"
            )

    # What a stage makes is read from its files, whether by this process or an earlier one.

    def _fit_judges(self) -> None:
        """Fit the judges and freeze them; measure human works with them."""
        world, config = self.world, self.config

        def fit(folder: Path) -> dict[str, Any]:
            evaluator = self._given_evaluator
            if evaluator is None:
                evaluator = world.fit_evaluator(config.critic_updates, config.critic_pools)
            evaluator.save(folder)
            return {}

        self._folder.stage("judge", fit)
        self.evaluator = world.load_evaluator(self.path)
        self._references = self._folder.stage(
            "references",
            lambda _: {
                "human": self._summarise(world.held_out),
                # Not every world has any.
                "outsiders": self._summarise(world.outsiders) if len(world.outsiders) else {},
            },
        )
        yields = ", ".join(
            f"{name} {found['yield']:.1%}" for name, found in self._references.items() if found
        )
        self._log(f"the judges are ready; yield: {yields}")

    def _imitate(self) -> None:
        """Fit the imitator to the human works, or take the one that is given."""
        world, config = self.world, self.config
        state = self.path / "stages" / "imitation.safetensors"

        def fit(folder: Path) -> dict[str, Any]:
            if config.imitator:
                network = world.network().eval()
                load_weights(config.imitator, network)
            else:
                network = fit_imitator(
                    world, config.seed, config.imitation_epochs, self._log, state,
                    self._show_imitator,
                )  # fmt: skip
            save_weights(folder / IMITATOR, network)
            nats, top1 = evaluate(network, *positions_of(world.simulator, world.held_out))
            return {"nats": nats, "top1": top1}

        self._imitation = self._folder.stage("imitation", fit)
        state.unlink(missing_ok=True)
        self.imitator = world.network().eval()
        load_weights(self.path / IMITATOR, self.imitator)

    def _show_imitator(self, network: nn.Module) -> None:
        """Show works of the network that imitates, chosen by the frozen judges."""
        if time.monotonic() >= self._next_pictures:
            works = self._sample(network, 3 * SHOWN, 0)
            self._show(works, self.evaluator.measure(works)["heldout_quality"])

    def _show(self, works: Works, score: ArrayLike) -> None:
        """Write pictures of the newest of works (oldest first), and of the best by their score."""
        if not (self.path / NEWEST).exists():
            self._log(
                f"look at {self.path / NEWEST} and {self.path / BEST} while it learns: the newest "
                "works and the best of them, new every minute"
            )
        for name, shown in newest_and_best(works, score, SHOWN).items():
            save_png(self.path / f"{name}.png", sheet(self.world, shown, SHOWN_COLUMNS))
        self._next_pictures = time.monotonic() + PICTURES_EVERY

    def _sample_imitator(self) -> None:
        """Sample the imitator: for the reward's critic, and at each temperature to be measured."""
        world, n = self.world, self.config.eval_works

        def sample(folder: Path) -> dict[str, Any]:
            # The critic learns from these: they answer the briefs that the learner will be given.
            boards = world.simulator(min(BOARDS, n))
            self._sample(self.imitator, 2 * n, 0, boards=boards).save(folder / IMITATIONS)
            return {
                str(t): self._summarise(self._sample(self.imitator, n, stream, t))
                for stream, t in enumerate(TEMPERATURES, 1)
            }

        self._by_temperature = self._folder.stage("imitations", sample)
        self.imitations = Works.load(self.path / IMITATIONS)
        self._log(
            "imitator's yield "
            + ", ".join(f"T={t}: {m['yield']:.2%}" for t, m in self._by_temperature.items())
        )

    def _sample(
        self,
        network: nn.Module,
        n: int,
        stream: int,
        temperature: float = 1.0,
        boards: Simulator | None = None,
    ) -> Works:
        """Works of a network, by default from the briefs of the exam; ``stream`` is its chance."""
        if boards is None:
            boards = self.world.exam(min(BOARDS, n))
        rng = np.random.default_rng((self.config.seed, 1, stream))
        return sample_works(network, boards, self.world.id, n, rng, temperature)

    def _summarise(self, works: Works) -> dict[str, float]:
        return self.evaluator.summarise(self.evaluator.measure(works))

    def _imitate_itself(self) -> None:
        """Let the network imitate the best of its own works, if it is asked to."""
        config, world = self.config, self.world
        self.start = self.imitator
        if not config.self_imitation_rounds:
            return
        state = self.path / "stages" / "self-imitation.safetensors"

        def learn(folder: Path) -> dict[str, Any]:
            scorer = RewardScorer(lambda: self.make_reward(config.critic_updates))
            rounds = SelfImitation(world, self.evaluator, scorer, config, self._log, self._show_due)
            network, best = rounds.run(copy.deepcopy(self.imitator), state)
            save_weights(folder / SELF_IMITATOR, network)
            best.save(folder / KEPT)
            return {}

        self._folder.stage("self-imitation", learn)
        state.unlink(missing_ok=True)
        self.start = world.network().eval()
        load_weights(self.path / SELF_IMITATOR, self.start)

    def _show_due(self, works: Works, scores: NDArray[np.float64]) -> None:
        if time.monotonic() >= self._next_pictures:
            self._show(works, scores)

    def make_reward(self, updates: int) -> Reward:
        """The reward, as it is before the learner learns.

        Args:
            updates: Gradient steps of its critics' first training; 1 if their weights are about to
                be restored from a checkpoint.
        """
        config = self.config
        return self.world.make_reward(
            self.evaluator, self.imitations, updates, config.seed, config.critic_pools
        )

    def _prepare_learning(self) -> None:
        """Make the reward, the model and what watches it; restore them from a checkpoint."""
        config, world = self.config, self.world
        checkpoint = newest_checkpoint(self.path, self._log) if self._folder.resumed else None
        self.reward = self.make_reward(1 if checkpoint else config.critic_updates)
        self._log("the reward's critic is ready")
        self._works = WorksCallback(world.id, config.refresh_every, self._on_round)
        self._timing = TimingCallback()
        batch = WorldBatch(world.practice(config.n_envs), self.reward)
        self.model = make_ppo(WorldVecEnv(batch, self._works.add_finished), self.start, config)
        self.model.set_logger(open_log(self.path, self._folder.resumed, checkpoint, self._log))
        self._state = TrainState(self.model, self._works, self._timing, self.reward)
        self._shift_curves = ShiftCurves(self.evaluator, world.train, config.seed)
        self._dashboard = Dashboard(self.model.logger, world)
        levels = {"human": self._references["human"], "imitator": self._best_imitator[1]}
        self._dashboard.levels(levels, config.env_steps)
        if checkpoint is None:
            self._dashboard.about(asdict(config), levels)
        self._begin_or_restore(checkpoint)

    def _begin_or_restore(self, checkpoint: Checkpoint | None) -> None:
        self._restored = checkpoint is not None
        if checkpoint is not None:
            self._state.restore(checkpoint)
            self._began -= self._state.progress.wall_seconds
            self._log(f"resuming after {self.model.num_timesteps} moves")
        elif self.config.warm_rollouts:
            warm_value(self.model, self.config.warm_rollouts, [FiniteCallback(), self._works])

    @property
    def _policy(self) -> PriorPolicy:
        assert isinstance(self.model.policy, PriorPolicy)
        return self.model.policy

    def _learn(self) -> None:
        """Let PPO learn, up to ``env_steps`` moves."""
        callbacks = [
            FiniteCallback(), self._works, self._timing, BetweenUpdates(self._between_updates)
        ]  # fmt: skip
        done = self.model.num_timesteps if self._restored else 0
        self._interrupts.patient = True
        with tqdm(total=self.config.env_steps, unit="step", disable=None) as self._bar:
            try:
                self.model.learn(
                    self.config.env_steps - done, callbacks, reset_num_timesteps=not self._restored
                )
            except NotFiniteError as error:
                failure = save_failure(self.path, self._state, error)
                raise ValueError(f"{error}; see {failure}") from error
        self._seconds = self._timing.seconds()
        save_weights(self.path / LEARNER, self.model.policy)
        self._policy.network.eval()

    def _on_round(self, works: Works, steps: int) -> None:
        """Every few rollouts: train the critic, fill the archive, measure the latest works."""
        figures: dict[str, float] = dict(self.reward.refresh(works))
        watched = self.evaluator.watched
        latest, newest = works[-watched:], works[-ADMITTED:]
        descriptors = self.evaluator.describe(works[-max(watched, ADMITTED) :])
        admitted = self.reward.admit(newest, descriptors[-len(newest) :])
        self._state.add_admitted(newest[admitted])
        if self._policy.value_only:
            return  # the imitator's works, while the value function is fitted
        self._state.add_to_trace(works[-TRACED:])
        measured = self.evaluator.summarise(
            self.evaluator.measure(latest, descriptors[-len(latest) :])
        )
        self._state.progress.latest = measured
        figures |= {f"eval/{key}": value for key, value in measured.items()}
        if "craft" in self._works.means:
            figures["eval/judge_gap"] = self._works.means["craft"] - measured["heldout_quality"]
        figures |= self._shift_curves.curves(descriptors, steps)
        figures["archive/size"] = float(len(self.reward.archive))
        figures["archive/admitted"] = float(admitted.sum())
        for key, value in figures.items():
            self.model.logger.record(key, value)
        self._check_collapse(measured, steps)
        if steps >= self._state.progress.next_sheets:
            self._state.progress.next_sheets = steps + self.config.env_steps // REPORTS
            self._dashboard.sheets(works, steps)
            self._dashboard.picture("shift/styles", self._styles())
            self._log(self._how_far(steps))
        reached(self._how_far(steps))  # the critic said how far its training was

    def _check_collapse(self, measured: Mapping[str, float], steps: int) -> None:
        collapsed = self._state.progress.collapsed
        found = collapse(rollout_entropy(self.model), measured["novelty_self"])
        for key, text in found.items():
            if key not in collapsed:
                collapsed[key] = steps
                self._log(f"the policy has collapsed after {steps} moves: {text}")

    def _how_far(self, steps: int) -> str:
        """The moves made, and the decisive numbers as far as there are any."""
        return ", ".join([f"{steps:,} of {self.config.env_steps:,} moves", *self._numbers()])

    def _numbers(self) -> list[str]:
        means, measured = self._works.means, self._state.progress.latest
        numbers = [f"reward {means['reward']:.3f}"] if means else []
        if measured:
            numbers.append(f"yield {measured['yield']:.1%}")
            numbers.append(f"novelty {measured['novelty_human']:.2f}")
        return numbers

    def _styles(self) -> NDArray[np.uint8]:
        return self._shift_curves.picture(join_works(self._state.trace))

    def _between_updates(self, steps: int) -> None:
        """Say how far it is, write what is due, and stop if somebody asked for it."""
        progress = self._state.progress
        reached(self._how_far(steps))
        self._bar.n = min(steps, self.config.env_steps)
        self._bar.set_postfix_str(", ".join(self._numbers()))
        if self._works.latest_works and time.monotonic() >= self._next_pictures:
            works = join_works(self._works.latest_works)
            self._show(works, works.appraisal["reward"])
        due = steps >= progress.next_checkpoint
        stopping = self._interrupts.requested and steps < self.config.env_steps
        if due:
            progress.next_checkpoint = steps + self.config.checkpoint_steps
            policy = self.path / "checkpoints" / f"learner-{steps:09d}.safetensors"
            save_weights(policy, self.model.policy)
            if self._state.admitted:
                join_works(self._state.admitted).save(self.path / "admitted.npz")
            self.reward.save(self.path)
        if due or stopping or steps >= self.config.env_steps:
            progress.wall_seconds = self._wall_seconds()
            checkpoint = add_log(self._state.capture(), self.path, self.model.logger)
            write_checkpoint(self.path, checkpoint)
        if stopping:
            summary = {
                **progress.latest, "env_steps": steps, "wall_seconds": progress.wall_seconds,
                "imitator": self._best_imitator[1], **self._references,
            }  # fmt: skip
            write_atomically(self.path / SUMMARY_SO_FAR, json.dumps(summary, indent=2).encode())
            raise RunInterrupted(summary)

    def _wall_seconds(self) -> float:
        """Of all sessions of the run together."""
        return time.perf_counter() - self._began

    @property
    def _best_imitator(self) -> tuple[str, dict[str, float]]:
        """The temperature at which the imitator's yield is highest, and its summary there."""
        by_yield = self._by_temperature
        best = max(by_yield, key=lambda t: float(by_yield[t]["yield"]))
        return best, by_yield[best]

    def _finish(self) -> dict[str, Any]:
        """Sample the learner, measure its works, and write what the run came to."""
        works = self._sample(self._policy.network, self.config.eval_works, len(TEMPERATURES) + 1)
        measured = self.evaluator.measure(works)
        result = self.evaluator.summarise(measured)
        works = works.with_appraisal(
            {f"judged/{key}": value for key, value in measured.items()}
            | dict(self.reward(works))
            | {
                "step": np.full(len(works), float(self.model.num_timesteps)),
                "seed": np.full(len(works), float(self.config.seed)),
            }
        )
        works.save(self.path / "works.npz")
        admitted = join_works([works[:0], *self._state.admitted])
        admitted.save(self.path / "admitted.npz")
        self.reward.save(self.path)
        summary = self._make_summary(result, works)
        self._write_curves(result, works, admitted)
        self._write_pictures(works)
        write_atomically(self.path / SUMMARY, json.dumps(summary, indent=2).encode())
        (self.path / SUMMARY_SO_FAR).unlink(missing_ok=True)
        return summary

    def _make_summary(self, result: Mapping[str, float], works: Works) -> dict[str, Any]:
        temperature, imitator = self._best_imitator
        seconds = self._seconds
        return {
            **result,
            "imitator_yield": imitator["yield"],
            "imitator_temperature": float(temperature),
            "outsider_yield": self._references["outsiders"].get("yield"),
            "imitation_nats": self._imitation["nats"],
            "imitation_top1": self._imitation["top1"],
            "env_steps": self.model.num_timesteps,
            "steps_per_second": self.config.env_steps / seconds["total"],
            "learner_limit_share": learner_limit_share(seconds),
            "learning_wall_seconds": seconds["total"],
            "learning_cpu_seconds": seconds["cpu"],
            "wall_seconds": self._wall_seconds(),
            "corpus": self.world.fingerprint,
            "fingerprint": self._state.fingerprint(works),
            "collapsed": self._state.progress.collapsed,
            "python": platform.python_version(),
            "torch": torch.__version__,
            **self._references,
            "imitator": self._by_temperature,
        }

    def _write_curves(self, result: Mapping[str, float], works: Works, admitted: Works) -> None:
        """The last figures and pictures of TensorBoard."""
        steps, dashboard = self.model.num_timesteps, self._dashboard
        dashboard.archive(
            [
                (name, some, self.evaluator.describe(some))
                for name, some in (
                    ("human", self.world.train), ("admitted", admitted), ("fresh", works)
                )
            ],
            steps,
        )  # fmt: skip
        dashboard.sheets(works, steps)
        dashboard.options(
            asdict(self.config), {f"final/{k}": result[k] for k in HEADLINES if k in result}
        )
        if self._state.trace:
            dashboard.picture("shift/styles", self._styles())
        for key, value in result.items():
            self.model.logger.record(f"final/{key}", value)
        self.model.logger.dump(steps)

    def _write_pictures(self, works: Works) -> None:
        world = self.world
        if self._state.trace:
            save_png(self.path / "styles.png", self._styles())
        for name, shown in newest_and_best(works, works.appraisal["reward"], 100).items():
            save_png(self.path / f"{name}.png", sheet(world, shown, 10))
        titles = ("imitator, unselected", "learner, unselected")
        both = side_by_side(world, self.imitations[:60], works[:60], titles)
        save_png(self.path / "imitator-and-learner.png", both)


def start_or_resume(
    config: Config,
    evaluator: Evaluator | None,
    log: Callable[[str], None],
    kind: type[TrainingRun] = TrainingRun,
) -> dict[str, Any]:
    """Do a run, or what is left of it if its folder holds it already; see :class:`TrainingRun`.

    Raises:
        ValueError: If the folder holds a run with other options, threads and the imitator's path
            apart.
    """
    folder = Path(config.run_dir)
    resume = (folder / FILE).exists()
    if resume:
        found = load_config(folder)
        if options := different(replace(found, imitator=config.imitator), config):
            raise ValueError(f"{folder}: holds a run with another {', '.join(options)}")
        if (folder / SUMMARY).exists():
            return read_json(folder / SUMMARY)
        config = replace(config, threads=found.threads)
    return kind(config, resume, evaluator, log).run()
