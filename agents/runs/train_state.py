"""The whole state of a training run, and the files that hold it.

A snapshot is taken where the learner's state is smallest: after an update, before the next rollout.
It holds everything that decides what comes next: weights, optimisers, works in progress, the
reward's critic, archive and memories, every random state, and what the log has not written yet. So
a run that goes on from a snapshot does, bit for bit, what it would have done.

The last two checkpoints are kept.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO

from move37.agents.learner.ppo import WorksCallback
from move37.agents.runs.checkpoint_io import (
    Arrays,
    Checkpoint,
    load_intact_checkpoint,
    save_checkpoint,
)
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works, join_works
from move37.envs.base.world import Reward
from move37.novelty.storage import digest, load_moments, moments_of, one_line, part

TRACED = 4096
"""Works as they were made that are kept at most."""
KEEP = 2
"""Checkpoints that are kept: if the newest is damaged, there is one more."""


def path_of(folder: Path, steps: int) -> Path:
    """Where the checkpoint of a run after so many moves is."""
    return folder / "checkpoints" / f"state-{steps:010d}.safetensors"


def write_checkpoint(folder: Path, snapshot: Checkpoint) -> None:
    """Write a run's newest checkpoint and drop all but the last two."""
    save_checkpoint(path_of(folder, int(snapshot.facts["num_timesteps"])), snapshot)
    for old in sorted((folder / "checkpoints").glob("state-*.safetensors"))[:-KEEP]:
        old.unlink(missing_ok=True)


def newest_checkpoint(folder: Path, log: Callable[[str], None]) -> Checkpoint | None:
    """A run's newest intact checkpoint, or None; a damaged one is named to ``log`` and renamed."""
    for path in sorted((folder / "checkpoints").glob("state-*.safetensors"), reverse=True):
        found = load_intact_checkpoint(path, log)
        if found:
            return found
    return None


@dataclass
class TrainState:
    """The parts of a run that a snapshot is taken of, and put back into.

    Attributes:
        model: Stable-Baselines3's PPO on a :class:`WorldVecEnv`, with its logger.
        callback: Gathers the works.
        reward: What the model learns from.
        admitted: The works that entered the archive, oldest first.
        traced: Some of the works as they were made, evenly spread over the run, oldest first.
        notes: Counters of whoever trains, as JSON can hold them.
    """

    model: PPO
    callback: WorksCallback
    reward: Reward
    admitted: list[Works] = field(default_factory=list)
    traced: list[Works] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def trace(self, works: Works) -> None:
        """Remember works as they are made; every second one is let go when they become many."""
        self.traced.append(works)
        if sum(map(len, self.traced)) > TRACED:
            self.traced[:] = [join_works(self.traced)[::2]]

    def admit(self, works: Works) -> None:
        """Remember works; no more than the archive can hold, so that a long run stays small."""
        self.admitted.append(works)
        most = self.reward.archive.capacity
        if sum(map(len, self.admitted)) > most:
            self.admitted[:] = [join_works(self.admitted)[-most:]]

    def weights(self) -> Arrays:
        """The policy's weights and its optimiser's state."""
        policy = self.model.policy
        arrays = {f"policy/{key}": value.numpy() for key, value in policy.state_dict().items()}
        return arrays | {f"optimizer/{key}": v for key, v in moments_of(policy.optimizer).items()}

    def capture(self) -> Checkpoint:
        """The state, between two rollouts; changes nothing."""
        model, callback = self.model, self.callback
        assert isinstance(model.env, WorldVecEnv) and model.ep_info_buffer is not None
        assert isinstance(model._last_obs, dict) and model._last_episode_starts is not None
        arrays = {name: value.copy() for name, value in self.weights().items()}
        arrays |= {
            f"batch/{key}": value for key, value in model.env.batch.simulator.state().items()
        }
        arrays |= {f"seen/{key}": value.copy() for key, value in model._last_obs.items()}
        arrays["starts"] = np.array(model._last_episode_starts)
        arrays |= {f"reward/{key}": value for key, value in self.reward.state().items()}
        for name, works in (
            ("works", callback.kept()), ("admitted", self.admitted), ("traced", self.traced)
        ):  # fmt: skip
            if works:
                arrays |= {f"{name}/{k}": v for k, v in arrays_of(join_works(works)).items()}
        for key in ("r", "l"):
            arrays[f"episodes/{key}"] = np.array([e[key] for e in model.ep_info_buffer])
        python = random.getstate()
        numbers = np.random.get_state(legacy=False)
        assert isinstance(numbers, dict)
        arrays["random/torch"] = torch.get_rng_state().numpy()
        arrays["random/numpy"] = numbers["state"]["key"]
        arrays["random/python"] = np.array(python[1], np.uint32)
        log = model.logger
        facts = {
            "num_timesteps": model.num_timesteps,
            "total_timesteps": model._total_timesteps,
            "n_updates": model._n_updates,
            "episode_num": model._episode_num,
            "progress_remaining": model._current_progress_remaining,
            "random": {
                "numpy": [numbers["state"]["pos"], numbers["has_gauss"], numbers["gauss"]],
                "python": [python[0], python[2]],
            },
            "callback": callback.facts(),
            "log": [[k, v, log.name_to_excluded[k]] for k, v in log.name_to_value.items()],
            "notes": self.notes,
        }
        return Checkpoint(arrays, json.loads(json.dumps(facts, default=float)))

    def restore(self, snapshot: Checkpoint) -> None:
        """Put everything back, the random states last.

        Raises:
            ValueError: If the snapshot is of another kind of run.
        """
        model, callback, arrays, facts = self.model, self.callback, snapshot.arrays, snapshot.facts
        assert isinstance(model.env, WorldVecEnv)
        try:
            self._restore_weights(arrays)
            model.env.batch.simulator.load_state(part(arrays, "batch"))
            model._last_obs = {k: v.copy() for k, v in part(arrays, "seen").items()}
            model._last_episode_starts = arrays["starts"].copy()
            self.reward.load_state(part(arrays, "reward"))
            found = {n: part(arrays, n) for n in ("works", "admitted", "traced")}
            kept, self.admitted[:], self.traced[:] = (
                [works_of(callback.world, some)] if some else [] for some in found.values()
            )
            callback.restore(facts["callback"], kept, facts["num_timesteps"])
            episodes = zip(*(arrays[f"episodes/{k}"].tolist() for k in ("r", "l")), strict=True)
            model.ep_info_buffer = deque(
                ({"r": r, "l": n, "t": 0.0} for r, n in episodes), maxlen=model._stats_window_size
            )
            model.ep_success_buffer = deque(maxlen=model._stats_window_size)
            model.num_timesteps = int(facts["num_timesteps"])
            model._total_timesteps = int(facts["total_timesteps"])
            model._n_updates = int(facts["n_updates"])
            model._episode_num = int(facts["episode_num"])
            model._current_progress_remaining = float(facts["progress_remaining"])
            for key, value, excluded in facts["log"]:
                model.logger.record(key, value, tuple(excluded))
            self.notes.update(facts["notes"])
            position, has_gauss, gauss = facts["random"]["numpy"]
            key = arrays["random/numpy"]
            np.random.set_state(("MT19937", key, position, has_gauss, gauss))
            version, following = facts["random"]["python"]
            random.setstate((version, tuple(arrays["random/python"].tolist()), following))
            torch.set_rng_state(torch.from_numpy(arrays["random/torch"].copy()))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"the checkpoint is of another run ({one_line(error)})") from error

    def _restore_weights(self, arrays: Arrays) -> None:
        policy = self.model.policy
        found = {k: torch.from_numpy(v.copy()) for k, v in part(arrays, "policy").items()}
        policy.load_state_dict(found)
        # Its groups hold settings only; PPO sets the learning rate before every update.
        load_moments(policy.optimizer, part(arrays, "optimizer"))

    def fingerprint(self, works: Works) -> str:
        """SHA-256 over the weights, the optimiser's state, the archive and these works."""
        archive = {f"archive/{key}": v for key, v in self.reward.archive.state().items()}
        made = {f"works/{key}": value for key, value in arrays_of(works).items()}
        return digest(self.weights() | archive | made)


def arrays_of(works: Works) -> Arrays:
    """Works without names as arrays, for :func:`works_of`."""
    terms = {f"appraisal/{key}": np.asarray(v) for key, v in works.appraisal.items()}
    return terms | {"moves": works.moves, "briefs": np.asarray(works.briefs, np.int16)}


def works_of(world: str, arrays: Arrays) -> Works:
    """Works of a world from :func:`arrays_of`."""
    return Works(world, arrays["moves"], arrays["briefs"], appraisal=part(arrays, "appraisal"))
