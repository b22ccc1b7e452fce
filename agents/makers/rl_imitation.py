"""Imitation by reinforcement learning: the control that shows that PPO alone is not the point.

The same run as the learner's, from the same imitator and with the same budget, but its only
reward is SPIRAL's (Ganin et al. 2018): a critic of whole images, trained against it all along, says
how much a work looks like a human one. The critic is a spectrally normalised discriminator (Miyato
et al. 2018) with the logistic loss; its negatives come from a replay buffer of the learner's works,
so that no earlier trick pays again. The best that this learner can do is to draw what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from move37.agents.learner.train_loop import LEARNER, TrainingRun, start_or_resume
from move37.agents.makers.maker import NetworkMaker, TrainContext
from move37.agents.runs.run_dir import SUMMARY
from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.novelty.archive import NoveltyArchive
from move37.novelty.storage import (
    load_moments,
    load_weights,
    moments_of,
    part,
    read_json,
    save_weights,
)

CRITIC = "image-critic.safetensors"
FIRST_UPDATES = 400
"""Gradient steps of the critic before the learner learns, at most the run's ``critic_updates``."""
WORKS_PER_UPDATE = 32
"""New works of the learner for each gradient step of the critic: about 24 a rollout."""
BATCH = 64
"""Human works, and own ones, per gradient step of the critic."""
REPLAY = 8192
"""Works in the replay buffer."""
CHUNK = 512
"""Images that the critic judges at once."""


class ImageCritic(nn.Module):
    """Three spectrally normalised convolutions, two of them strided, and one view of the whole.

    Args:
        height: Of the images.
        width: Of the images.
        channels: Of the first convolution.
    """

    def __init__(self, height: int, width: int, channels: int = 16) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(1, channels, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1))
        self.conv3 = spectral_norm(nn.Conv2d(2 * channels, 4 * channels, 4, stride=2, padding=1))
        self.out = spectral_norm(nn.Linear(4 * channels * (height // 4) * (width // 4), 1))
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) that images (N, H, W) in {0, 1} are human works."""
        x = images.unsqueeze(1)
        for layer in (self.conv1, self.conv2, self.conv3):
            # The factor makes up for what a unit spectral norm takes from the signal.
            x = functional.leaky_relu(layer(x) * 1.4, 0.2)
        logits: Tensor = self.out(x.flatten(1)).squeeze(1) * self.gain.exp()
        return logits


class WholeImageReward:
    """A reward that knows nothing but how human a work looks to a critic that learns.

    Args:
        images: (N, H, W) uint8 in {0, 1} of N works.
        human: M human works.
        own: The first works in the replay buffer.
        seed: Of the critic and of the order in which it sees works.

    Attributes:
        archive: Empty: nothing is admitted.
    """

    def __init__(
        self,
        images: Callable[[Works], NDArray[np.uint8]],
        human: Works,
        own: Works,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self._images = images
        self._human, self._own, self._seed = images(human), images(own)[-REPLAY:], seed
        self.critic = ImageCritic(*self._human.shape[1:])
        self.archive = NoveltyArchive(1)
        self._pending: list[NDArray[np.uint8]] = []
        self._updates = 0
        self._optimizer = torch.optim.Adam(self.critic.parameters(), 5e-4, betas=(0.5, 0.9))

    def __call__(self, works: Works) -> dict[str, NDArray[np.float64]]:
        """``quality`` and ``reward``, both (R,) float64: the probability of being human.

        The works enter the replay buffer with the next :meth:`refresh`.
        """
        images = self._images(works)
        self._pending.append(images)
        probability = self.judge(images)
        return {"quality": probability, "reward": probability.copy()}

    def judge(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probability, (N,) float64, that images (N, H, W) uint8 in {0, 1} are human works."""
        self.critic.eval()
        parts = [np.zeros(0)]
        with torch.no_grad():
            for begin in range(0, len(images), CHUNK):
                batch = torch.from_numpy(images[begin : begin + CHUNK].astype(np.float32))
                parts.append(torch.sigmoid(self.critic(batch).double()).numpy())
        return np.concatenate(parts)

    def refresh(self, works: Works) -> dict[str, float]:
        """Take the works appraised since the last time into the replay buffer, and learn.

        Args:
            works: Not looked at: they are among those appraised.
        """
        new = sum(len(images) for images in self._pending)
        self._own = np.concatenate([self._own, *self._pending])[-REPLAY:]
        self._pending = []
        return {"critic/loss": self.learn(max(1, new // WORKS_PER_UPDATE))}

    def admit(
        self, works: Works, descriptors: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """Admit none of the works, (N,) bool: novelty is not rewarded."""
        return np.zeros(len(works), np.bool_)

    def learn(self, updates: int) -> float:
        """Teach the critic to tell human works from those in the buffer.

        Returns:
            The mean loss, in nats a work; 0.69 where it cannot tell them apart.

        Raises:
            FloatingPointError: If the loss is not finite.
        """
        losses = []
        # Human works count for 0.9 only: a critic that is never quite sure teaches better.
        target = torch.cat([torch.full((BATCH,), 0.9), torch.zeros(BATCH)])
        self.critic.train()
        for _ in range(updates):
            # Seeded by the count, so that the count is all there is to save of it.
            rng = np.random.default_rng((self._seed, 2, self._updates))
            rows = [rng.integers(0, len(pool), BATCH) for pool in (self._human, self._own)]
            images = np.concatenate([self._human[rows[0]], self._own[rows[1]]])
            logits = self.critic(torch.from_numpy(images.astype(np.float32)))
            loss = functional.binary_cross_entropy_with_logits(logits, target)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._updates += 1
            losses.append(loss.item())
        if not np.isfinite(losses).all():
            raise FloatingPointError("the whole-image critic's loss is not finite")
        return float(np.mean(losses)) if losses else 0.0

    def save(self, folder: Path) -> None:
        """Write the critic's weights."""
        save_weights(folder / CRITIC, self.critic)

    def state(self) -> dict[str, NDArray[Any]]:
        """See :class:`move37.envs.base.world.Reward`."""
        arrays = {f"critic/{k}": v.numpy().copy() for k, v in self.critic.state_dict().items()}
        arrays |= {f"optimizer/{k}": v.copy() for k, v in moments_of(self._optimizer).items()}
        pending = np.concatenate([self._own[:0], *self._pending])
        return arrays | {
            "own": self._own.copy(), "pending": pending, "updates": np.array(self._updates),
        }  # fmt: skip

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See :class:`move37.envs.base.world.Reward`."""
        weights = {k: torch.from_numpy(v.copy()) for k, v in part(state, "critic").items()}
        self.critic.load_state_dict(weights)
        load_moments(self._optimizer, part(state, "optimizer"))
        for key in ("own", "pending"):
            if state[key].shape[1:] != self._human.shape[1:]:
                raise ValueError(f"{key}: images of another size, {state[key].shape[1:]}")
        self._own, self._pending = state["own"].copy(), [state["pending"].copy()]
        self._updates = int(state["updates"])


class ImitationRun(TrainingRun):
    """A run whose reward is a :class:`WholeImageReward`."""

    def make_reward(self, updates: int) -> WholeImageReward:
        """The reward, its critic taught to tell human works from the imitator's."""
        world = self.world
        reward = WholeImageReward(world.images, world.train, self.imitations, self.config.seed)
        loss = reward.learn(min(FIRST_UPDATES, updates))
        self._log(f"the critic's loss on the imitator's works is {loss:.3f}")
        return reward


def load(run: Path, world: World) -> NetworkMaker:
    """Read the learner of a finished :class:`ImitationRun`; its critic's judgement is its score.

    Raises:
        StorageError: If a file is missing, damaged, or of another world.
    """
    reward = WholeImageReward(world.images, world.train, world.train[:0], 0)
    network = world.network()
    load_weights(run / LEARNER, network, "network.")
    load_weights(run / CRITIC, reward.critic)
    steps = int(read_json(run / SUMMARY)["env_steps"])
    return NetworkMaker(
        network.eval(), world, lambda works: reward.judge(world.images(works)), steps
    )


def make(context: TrainContext) -> NetworkMaker:
    """Train against the whole-image critic, or what is left of that run, or read the learner.

    Raises:
        ValueError: If the context says not how, or the folder holds another run.
    """
    if context.config is None:
        raise ValueError("imitation by reinforcement learning needs the config of its run")
    # The critic learns after every rollout; all else is as the learner's.
    config = replace(context.config, refresh_every=1)
    start_or_resume(
        config, context.evaluator, lambda line: context.log(f"rl_imitation: {line}"), ImitationRun
    )
    return load(context.folder, context.world)
