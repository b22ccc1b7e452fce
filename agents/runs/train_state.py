"""The whole state of a training run, and the checkpoints that hold it.

A checkpoint is taken where the learner's state is smallest: after an update, before the next
rollout. It holds everything that decides what comes next: weights, optimisers, works in progress,
the reward's critic, archive and memories, every random state, and what the log has not written yet.
So a run that resumes from a checkpoint does, bit for bit, what it would have done.

The last two checkpoints are kept.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO

from move37.agents.learner.callbacks import TimingCallback, WorksCallback
from move37.agents.runs.checkpoint_io import (
    Arrays,
    Checkpoint,
    load_intact_checkpoint,
    save_checkpoint,
)
from move37.envs.base.batch import NotFiniteError
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Reward
from move37.novelty.storage import digest, load_moments, moments_of, one_line, part

MAX_TRACE = 4096
"""Largest number of works in the trace."""
KEPT_CHECKPOINTS = 2
"""If the newest is damaged, there is one more."""
PPO_COUNTERS = (
    "num_timesteps", "_total_timesteps", "_n_updates", "_episode_num",
    "_current_progress_remaining",
)  # fmt: skip
"""Attributes of Stable-Baselines3's PPO that change while it learns."""


def checkpoint_path(folder: Path, steps: int) -> Path:
    """Where the checkpoint of a run after so many moves is."""
    return folder / "checkpoints" / f"state-{steps:010d}.safetensors"


def checkpoint_paths(folder: Path) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    return sorted((folder / "checkpoints").glob("state-*.safetensors"), reverse=True)


def steps_of(checkpoint: Path) -> int:
    """How many moves had been made, by the name of a checkpoint."""
    return int(checkpoint.stem.removeprefix("state-"))


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a run's newest checkpoint and remove all but the last two."""
    save_checkpoint(checkpoint_path(folder, int(checkpoint.facts["num_timesteps"])), checkpoint)
    for old in checkpoint_paths(folder)[KEPT_CHECKPOINTS:]:
        old.unlink(missing_ok=True)


def newest_checkpoint(folder: Path, log: Callable[[str], None]) -> Checkpoint | None:
    """A run's newest intact checkpoint, or None; a damaged one is logged and renamed."""
    for path in checkpoint_paths(folder):
        found = load_intact_checkpoint(path, log)
        if found:
            return found
    return None


def save_failure(folder: Path, state: TrainState, error: NotFiniteError) -> Path:
    """Save the state in which a number was not finite, and the arrays it came from."""
    checkpoint = state.capture()
    arrays = {f"error/{key}": np.asarray(value) for key, value in error.arrays.items()}
    facts = checkpoint.facts | {"error": str(error)}
    path = folder / "failures" / f"state-{state.model.num_timesteps:010d}.safetensors"
    save_checkpoint(path, Checkpoint(checkpoint.arrays | arrays, facts))
    return path


@dataclass
class Progress:
    """Counters of a run.

    Attributes:
        next_checkpoint: Moves from which the next checkpoint is due.
        next_sheets: Moves from which the next contact sheets are due.
        wall_seconds: Since the run began, all its sessions together, up to the checkpoint.
        collapsed: After how many moves the policy had collapsed, by the way in which it had.
        latest: Summary of the latest works.
    """

    next_checkpoint: int = 0
    next_sheets: int = 0
    wall_seconds: float = 0.0
    collapsed: dict[str, int] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)


@dataclass
class TrainState:
    """The parts of a run that a checkpoint is taken of, and restores.

    Attributes:
        model: Stable-Baselines3's PPO on a :class:`WorldVecEnv`, with its logger.
        works: Gathers the works.
        timing: Measures where the time goes.
        reward: What the model learns from.
        progress: Counters.
        admitted: The works that entered the archive, oldest first.
        trace: Some of the works as they were made, evenly spread over the run, oldest first.
    """

    model: PPO
    works: WorksCallback
    timing: TimingCallback
    reward: Reward
    progress: Progress = field(default_factory=Progress)
    admitted: list[Works] = field(default_factory=list)
    trace: list[Works] = field(default_factory=list)

    def add_to_trace(self, works: Works) -> None:
        """Remember works as they are made; when they become many, every second one is dropped."""
        self.trace.append(works)
        if sum(map(len, self.trace)) > MAX_TRACE:
            self.trace[:] = [join_works(self.trace)[::2]]

    def add_admitted(self, works: Works) -> None:
        """Remember admitted works; the newest, as many as the archive can hold."""
        self.admitted.append(works)
        capacity = self.reward.archive.capacity
        if sum(map(len, self.admitted)) > capacity:
            self.admitted[:] = [join_works(self.admitted)[-capacity:]]

    def weights(self) -> Arrays:
        """The policy's weights and its optimiser's state."""
        policy = self.model.policy
        arrays = {f"policy/{key}": value.numpy() for key, value in policy.state_dict().items()}
        return arrays | {f"optimizer/{key}": v for key, v in moments_of(policy.optimizer).items()}

    def capture(self) -> Checkpoint:
        """The state, between two rollouts; changes nothing."""
        model = self.model
        assert isinstance(model.env, WorldVecEnv) and model.ep_info_buffer is not None
        assert isinstance(model._last_obs, dict) and model._last_episode_starts is not None
        arrays = {name: value.copy() for name, value in self.weights().items()}
        arrays |= {
            f"boards/{key}": value for key, value in model.env.batch.simulator.state().items()
        }
        arrays |= {f"observations/{key}": v.copy() for key, v in model._last_obs.items()}
        arrays["episode_starts"] = np.array(model._last_episode_starts)
        arrays |= {f"reward/{key}": value for key, value in self.reward.state().items()}
        for name, works in (
            ("works", self.works.latest_works), ("admitted", self.admitted), ("trace", self.trace)
        ):  # fmt: skip
            if works:
                arrays |= {f"{name}/{k}": v for k, v in arrays_of(join_works(works)).items()}
        for key in ("r", "l"):
            arrays[f"episodes/{key}"] = np.array([e[key] for e in model.ep_info_buffer])
        random_arrays, random_facts = _random_state()
        log = model.logger
        facts = {name.removeprefix("_"): getattr(model, name) for name in PPO_COUNTERS} | {
            "random": random_facts,
            "rollouts": self.works.rollouts,
            "seconds": self.timing.seconds(),
            "log": [[k, v, log.name_to_excluded[k]] for k, v in log.name_to_value.items()],
            "progress": asdict(self.progress),
        }
        return Checkpoint(arrays | random_arrays, json.loads(json.dumps(facts, default=float)))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore everything, the random states last.

        Raises:
            ValueError: If the checkpoint is of another kind of run.
        """
        model, arrays, facts = self.model, checkpoint.arrays, checkpoint.facts
        assert isinstance(model.env, WorldVecEnv)
        try:
            self._restore_weights(arrays)
            model.env.batch.simulator.load_state(part(arrays, "boards"))
            model._last_obs = {k: v.copy() for k, v in part(arrays, "observations").items()}
            model._last_episode_starts = arrays["episode_starts"].copy()
            self.reward.load_state(part(arrays, "reward"))
            for works, name in (
                (self.works.latest_works, "works"), (self.admitted, "admitted"),
                (self.trace, "trace"),
            ):  # fmt: skip
                saved = part(arrays, name)
                works[:] = [works_of(self.works.world, saved)] if saved else []
            self.works.rollouts = int(facts["rollouts"])
            self.timing.restore(facts["seconds"])
            episodes = zip(*(arrays[f"episodes/{k}"].tolist() for k in ("r", "l")), strict=True)
            model.ep_info_buffer = deque(
                ({"r": r, "l": n, "t": 0.0} for r, n in episodes), maxlen=model._stats_window_size
            )
            model.ep_success_buffer = deque(maxlen=model._stats_window_size)
            for name in PPO_COUNTERS:
                setattr(model, name, type(getattr(model, name))(facts[name.removeprefix("_")]))
            for key, value, excluded in facts["log"]:
                model.logger.record(key, value, tuple(excluded))
            self.progress = Progress(**facts["progress"])
            _set_random_state(arrays, facts["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"the checkpoint is of another run ({one_line(error)})") from error

    def _restore_weights(self, arrays: Arrays) -> None:
        policy = self.model.policy
        weights = {k: torch.from_numpy(v.copy()) for k, v in part(arrays, "policy").items()}
        policy.load_state_dict(weights)
        # Its groups hold settings only; PPO sets the learning rate before every update.
        load_moments(policy.optimizer, part(arrays, "optimizer"))

    def fingerprint(self, works: Works) -> str:
        """SHA-256 over the weights, the optimiser's state, the archive and these works."""
        archive = {f"archive/{key}": v for key, v in self.reward.archive.state().items()}
        made = {f"works/{key}": value for key, value in arrays_of(works).items()}
        return digest(self.weights() | archive | made)


def _random_state() -> tuple[Arrays, dict[str, Any]]:
    """The global random states of torch, NumPy and Python: arrays, and what JSON can hold."""
    version, python, gauss = random.getstate()
    numpy = np.random.get_state(legacy=False)
    assert isinstance(numpy, dict)
    arrays = {
        "random/torch": torch.get_rng_state().numpy(),
        "random/numpy": numpy["state"]["key"],
        "random/python": np.array(python, np.uint32),
    }
    return arrays, {
        "numpy": [numpy["state"]["pos"], numpy["has_gauss"], numpy["gauss"]],
        "python": [version, gauss],
    }


def _set_random_state(arrays: Arrays, facts: Mapping[str, Any]) -> None:
    position, has_gauss, gauss = facts["numpy"]
    np.random.set_state(("MT19937", arrays["random/numpy"], position, has_gauss, gauss))
    version, next_gauss = facts["python"]
    random.setstate((version, tuple(arrays["random/python"].tolist()), next_gauss))
    torch.set_rng_state(torch.from_numpy(arrays["random/torch"].copy()))


def arrays_of(works: Works) -> Arrays:
    """Works without names as arrays, for :func:`works_of`."""
    terms = {f"appraisal/{key}": np.asarray(v) for key, v in works.appraisal.items()}
    return terms | {"moves": works.moves, "briefs": np.asarray(works.briefs, np.int16)}


def works_of(world: str, arrays: Arrays) -> Works:
    """Works of a world from :func:`arrays_of`."""
    return Works(world, arrays["moves"], arrays["briefs"], appraisal=part(arrays, "appraisal"))
