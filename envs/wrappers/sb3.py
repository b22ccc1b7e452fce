"""Novelty as a reward for any Stable-Baselines3 ``VecEnv``. Imported only by those who use SB3."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from move37.envs.wrappers.novelty import EpisodeNovelty
from move37.novelty.archive import NoveltyArchive


class VecNoveltyReward(VecEnvWrapper):
    """Pays for novelty at the end of each episode.

    ``infos`` of a last step say ``novelty`` and ``admitted``. To log returns with novelty put
    ``VecMonitor`` around it, to log those without it put it around ``VecMonitor``.

    Args:
        venv: Any ``VecEnv``.
        archive: See :class:`.novelty.EpisodeNovelty`; so are the others.
        **kwargs: ``descriptor``, ``payload``, ``weight``, ``mix``.
    """

    def __init__(self, venv: VecEnv, archive: NoveltyArchive, **kwargs: Any) -> None:
        super().__init__(venv)
        self.episodes = EpisodeNovelty(venv.observation_space, archive, **kwargs)

    @property
    def archive(self) -> NoveltyArchive:
        """What was done so far."""
        return self.episodes.archive

    def reset(self) -> Any:
        """As the environment does."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """One step, with novelty in the rewards of the episodes that it ends."""
        observations, rewards, dones, infos = self.venv.step_wait()
        ended = np.flatnonzero(dones)
        last = [infos[i]["terminal_observation"] for i in ended]
        rewards, novelty, admitted = self.episodes.pay(
            rewards, ended, last, [infos[i] for i in ended]
        )
        for i in ended:
            infos[i]["novelty"], infos[i]["admitted"] = float(novelty[i]), bool(admitted[i])
        return observations, rewards, dones, infos
