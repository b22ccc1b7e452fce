"""Novelty as a reward for any Gymnasium environment: paid at the end of an episode."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import iterate
from numpy.typing import ArrayLike, NDArray

from move37.novelty.archive import NoveltyArchive

Describe = Callable[[Any, Mapping[str, Any]], ArrayLike]
"""The last observation of an episode and its info -> what it is compared by, (D,)."""
Payload = Callable[[Any, Mapping[str, Any]], Mapping[str, ArrayLike]]
"""The same -> the archive's extra fields."""
MIXES = ("add", "replace")


class EpisodeNovelty:
    """Pays finished episodes for what no episode before them did, and remembers them.

    Args:
        space: Of one observation.
        archive: What was done so far. Each episode is compared with it and then added to it, by the
            archive's own rules, so that the second of two equal episodes is not new.
        descriptor: Makes the descriptor of an episode; None: its last observation, flattened.
        payload: Makes the archive's extra fields of an episode; None: it has none.
        weight: Reward of an episode with novelty 1.
        mix: ``"add"``: novelty is added to the last reward of an episode. ``"replace"``: it is all
            the reward there is.

    Raises:
        ValueError: If the weight or the mix is none, if the archive has another width than
            flattened observations, or extra fields that nothing makes.
    """

    def __init__(
        self,
        space: spaces.Space[Any],
        archive: NoveltyArchive,
        descriptor: Describe | None = None,
        payload: Payload | None = None,
        weight: float = 1.0,
        mix: str = "add",
    ) -> None:
        if not math.isfinite(weight):
            raise ValueError(f"weight: expected a finite number, got {weight}")
        if mix not in MIXES:
            raise ValueError(f"mix: expected 'add' or 'replace', got {mix!r}")
        if descriptor is None:
            if not space.is_np_flattenable:
                raise ValueError(f"descriptor: observations of {space} need one of your own")
            if spaces.flatdim(space) != archive.dim:
                raise ValueError(
                    f"archive: expected dim {spaces.flatdim(space)}, the width of flattened "
                    f"observations, got {archive.dim}"
                )
        if bool(archive.extra_fields) != (payload is not None):
            raise ValueError(
                f"payload: expected a function for the archive's extra_fields "
                f"{list(archive.extra_fields)}, got {payload}"
            )
        self.space, self.archive = space, archive
        self.descriptor, self.payload = descriptor, payload
        self.weight, self.mix = weight, mix

    def finish(self, observation: Any, info: Mapping[str, Any]) -> tuple[float, bool]:
        """Take note of one episode.

        Args:
            observation: Its last one.
            info: Its last one.

        Returns:
            novelty: Before it was added to the archive, in units of the archive's ``scale``.
            admitted: Whether it was added.

        Raises:
            ValueError: If the descriptor, or a field, is not what the archive takes.
        """
        described = (
            spaces.flatten(self.space, observation)
            if self.descriptor is None
            else self.descriptor(observation, info)
        )
        x = np.asarray(described)[None]
        fields = {} if self.payload is None else self.payload(observation, info)
        novelty = float(self.archive.novelty(x)[0])
        rows = {name: np.asarray(value)[None] for name, value in fields.items()}
        return novelty, bool(self.archive.add(x, **rows)[0])

    def reward(self, reward: float, novelty: float | None) -> float:
        """The reward of a step with novelty mixed in; None: the episode goes on."""
        own = reward if self.mix == "add" else 0.0
        return own if novelty is None else own + self.weight * novelty

    def pay(
        self,
        rewards: NDArray[Any],
        ended: NDArray[np.int64],
        observations: Sequence[Any],
        infos: Sequence[Mapping[str, Any]],
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_]]:
        """Mix novelty into the rewards of one step of N environments.

        Episodes are taken one after the other: of equal ones in the same step one alone is new.

        Args:
            rewards: (N,).
            ended: (R,): whose episode is over.
            observations: The last one of each of these R.
            infos: The same.

        Returns:
            rewards: (N,), of the same type.
            novelty: (N,), 0 where no episode is over.
            admitted: (N,).
        """
        novelty, admitted = np.zeros(len(rewards)), np.zeros(len(rewards), np.bool_)
        mixed = rewards.copy() if self.mix == "add" else np.zeros_like(rewards)
        for i, observation, info in zip(ended, observations, infos, strict=True):
            novelty[i], admitted[i] = self.finish(observation, info)
            mixed[i] = self.reward(rewards[i], novelty[i])
        return mixed, novelty, admitted


class NoveltyReward(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays for novelty at the end of each episode of one environment.

    ``info`` of the last step says ``novelty`` and ``admitted``. All that changes is in the archive:
    ``archive.save(path)`` keeps it, and a wrapper with ``NoveltyArchive.load(path)`` goes on.

    Args:
        env: Any environment.
        archive: See :class:`EpisodeNovelty`; so are the others.
        **kwargs: ``descriptor``, ``payload``, ``weight``, ``mix``.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], archive: NoveltyArchive, **kwargs: Any
    ) -> None:
        super().__init__(env)
        self.episodes = EpisodeNovelty(env.observation_space, archive, **kwargs)

    @property
    def archive(self) -> NoveltyArchive:
        """What was done so far."""
        return self.episodes.archive

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """One step, with novelty in the reward if it ends the episode."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        novelty = None
        if terminated or truncated:
            novelty, admitted = self.episodes.finish(observation, info)
            info = {**info, "novelty": novelty, "admitted": admitted}
        mixed = self.episodes.reward(float(reward), novelty)
        return observation, mixed, terminated, truncated, info


class VectorNoveltyReward(VectorWrapper[Any, Any, Any, Any, NDArray[Any]]):
    """Pays for novelty at the end of each episode of a Gymnasium vector environment.

    Every mode of autoreset will do. ``infos`` say ``novelty`` and ``admitted``, each (N,), of the
    environments in ``_novelty`` and ``_admitted``. One archive serves all of them.

    Args:
        env: Any vector environment.
        archive: See :class:`EpisodeNovelty`; so are the others.
        **kwargs: ``descriptor``, ``payload``, ``weight``, ``mix``.

    Raises:
        ValueError: If the environment does not say how it resets.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, NDArray[Any]], archive: NoveltyArchive, **kwargs: Any
    ):
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(f"env: expected metadata['autoreset_mode'], got {mode!r}")
        self._same_step = mode == AutoresetMode.SAME_STEP
        self.episodes = EpisodeNovelty(env.single_observation_space, archive, **kwargs)

    @property
    def archive(self) -> NoveltyArchive:
        """What was done so far."""
        return self.episodes.archive

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One step, with novelty in the rewards of the episodes that it ends."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        over = np.asarray(terminated | truncated)
        ended = np.flatnonzero(over)
        if self._same_step:
            last = [infos["final_obs"][i] for i in ended]
            said = [info_of(infos["final_info"], int(i)) for i in ended]
        else:
            each = list(iterate(self.env.observation_space, observations)) if len(ended) else []
            last, said = [each[i] for i in ended], [info_of(infos, int(i)) for i in ended]
        rewards, novelty, admitted = self.episodes.pay(rewards, ended, last, said)
        if len(ended):
            found = {"novelty": novelty, "admitted": admitted}
            infos = {**infos, **found, **{f"_{key}": over.copy() for key in found}}
        return observations, rewards, terminated, truncated, infos


def info_of(infos: Mapping[str, Any], i: int) -> dict[str, Any]:
    """What the infos of a vector environment say of environment i."""
    found = {}
    for key, value in infos.items():
        if not key.startswith("_") and (f"_{key}" not in infos or infos[f"_{key}"][i]):
            found[key] = info_of(value, i) if isinstance(value, dict) else value[i]
    return found
