"""What happens beside Stable-Baselines3's PPO while it learns: one callback for each purpose."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from move37.agents.learner.policy import PriorPolicy
from move37.agents.learner.ppo import KLPenaltyPPO
from move37.envs.base.batch import Step
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works, join_works


class WorksCallback(BaseCallback):
    """Keeps the learner's latest works and logs the mean of every term of their appraisal.

    Args:
        world: Id of the world the works belong to.
        every: Rollouts between two calls of ``on_round``.
        on_round: Called with the latest works, oldest first, and the number of moves made so far.
            Every term of the works' appraisal, and the ``step`` at which each was finished, are in
            their ``appraisal``.
        memory: How many of the latest works are kept.

    Attributes:
        latest_works: The latest works, in parts, oldest first.
        means: Mean of every term over the works finished in the last rollout.
        rollouts: Rollouts in which works were finished.
    """

    def __init__(
        self,
        world: str,
        every: int = 1,
        on_round: Callable[[Works, int], None] | None = None,
        memory: int = 2048,
    ) -> None:
        super().__init__()
        self.world, self.every, self.on_round, self.memory = world, every, on_round, memory
        self.latest_works: list[Works] = []
        self.means: dict[str, float] = {}
        self.rollouts = 0
        self._new = 0

    def add_finished(self, step: Step) -> None:
        """Take finished works; give this to ``WorldVecEnv(on_finished=...)``."""
        steps = np.full(len(step.works), float(self.num_timesteps))
        works = step.works.with_appraisal({**step.works.appraisal, "step": steps})
        self.latest_works.append(works)
        self._new += len(works)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if not self._new:
            return
        works = join_works(self.latest_works)
        new = works[len(works) - self._new :]
        self.means = {
            key: float(values.mean()) for key, values in new.appraisal.items() if key != "step"
        }
        for key, value in self.means.items():
            self.logger.record(key if "/" in key else f"works/{key}", value)
        self.logger.record("works/moves", float(new.lengths.mean()))
        self.logger.record("works/finished", len(new))
        self.latest_works[:], self._new = [works[-self.memory :]], 0
        self.rollouts += 1
        if self.on_round is not None and self.rollouts % self.every == 0:
            self.on_round(self.latest_works[0], self.num_timesteps)


class TimingCallback(BaseCallback):
    """Measures where the time goes, and logs the shares of it.

    The parts, in seconds since learning began, all sessions of the run together: ``environment``
    (dynamics and appraisal), ``forward`` (the policy's passes while works are made), ``update``
    (PPO's updates); ``total`` is the wall time, and ``cpu`` the CPU time of the process.
    """

    PARTS = ("environment", "forward", "update")

    def __init__(self) -> None:
        super().__init__()
        self._before = dict.fromkeys(("total", "cpu", *self.PARTS), 0.0)
        self._start: dict[str, float] = {}

    def seconds(self) -> dict[str, float]:
        """Seconds of every part until now."""
        if not self._start:
            return dict(self._before)
        now = self._clocks()
        return {key: self._before[key] + now[key] - self._start[key] for key in now}

    def restore(self, seconds: Mapping[str, float]) -> None:
        """Go on from what :meth:`seconds` returned in another session."""
        self._before = {key: float(seconds[key]) for key in self._before}

    def _clocks(self) -> dict[str, float]:
        env, policy, model = self.model.env, self.model.policy, self.model
        assert isinstance(env, WorldVecEnv) and isinstance(policy, PriorPolicy)
        assert isinstance(model, KLPenaltyPPO)
        return {
            "total": time.perf_counter(),
            "cpu": time.process_time(),
            "environment": env.seconds_environment,
            "forward": policy.seconds_forward,
            "update": model.seconds_update,
        }

    def _on_training_start(self) -> None:
        self._start = self._clocks()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        seconds = self.seconds()
        for key in self.PARTS:
            self.logger.record(f"time/{key}_share", seconds[key] / seconds["total"])


class BetweenUpdates(BaseCallback):
    """Calls a function after every update, where a checkpoint can be taken, and before the first.

    Args:
        function: Is given the number of moves made so far. It may raise to stop the run.
    """

    def __init__(self, function: Callable[[int], None]) -> None:
        super().__init__()
        self._function = function

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._function(self.model.num_timesteps)

    def _on_training_end(self) -> None:
        # PPO writes what it logs of an update with the rollout after it. After the last update
        # there is none, and the same names are written already at this step.
        log = self.logger
        for values in (log.name_to_value, log.name_to_count, log.name_to_excluded):
            values.clear()
        self._function(self.model.num_timesteps)


def learner_limit_share(seconds: Mapping[str, float]) -> float:
    """Share of the wall time spent in the network's own passes and updates.

    A learner that did nothing else would be faster by one over this.
    """
    return (seconds["forward"] + seconds["update"]) / max(seconds["total"], 1e-9)
