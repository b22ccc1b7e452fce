"""Imitation by reinforcement learning: the control that shows that PPO alone is not the point.

The same learner as the creator's, from the same imitator and with the same budget, but its only
reward is SPIRAL's (Ganin et al. 2018): a critic of whole images, trained against it all along, says
how much a work looks like a human one. The critic is a spectrally normalised discriminator (Miyato
et al. 2018) with the logistic loss; its negatives come from a replay buffer of the learner's works,
so that no old trick pays again. The best that this learner can do is to draw what was drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from move37.agents.learner.rollout import sample_works
from move37.agents.learner.train_loop import train_policy
from move37.agents.makers.maker import Maker, TrainContext
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import World
from move37.novelty.storage import load_weights, read_json, save_weights

FILE = "rl_imitation.safetensors"
FACTS = "rl_imitation.json"
KL_WEIGHT = 0.02
"""As the creator's, so that the reward is all that differs."""
FIRST_UPDATES = 400
"""Gradient steps of the critic before the learner learns, at most ``budget.updates``."""
WORKS_PER_UPDATE = 32
"""New works of the learner for each gradient step of the critic: 24 or so a rollout."""
FIRST_WORKS = 2048
"""The imitator's works that fill the replay buffer at first, at most ``budget.works``."""
REPLAY = 8192
"""Works in the replay buffer."""
BOARDS = 512
CHUNK = 512


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
    """An appraiser that knows nothing but how human a work looks to a critic that learns.

    Args:
        images: (N, H, W) uint8 in {0, 1} of N works.
        human: M human works.
        own: The first works in the replay buffer.
        seed: Of the critic and of the order in which it sees works.
        rate: Adam's step size.
        batch_size: Human works, and own ones, per gradient step.
    """

    def __init__(
        self,
        images: Callable[[Works], NDArray[np.uint8]],
        human: Works,
        own: Works,
        seed: int,
        rate: float = 5e-4,
        batch_size: int = 64,
    ) -> None:
        torch.manual_seed(seed)
        self._images = images
        self._human, self._own = images(human), images(own)[-REPLAY:]
        self.critic = ImageCritic(*self._human.shape[1:])
        self._pending: list[NDArray[np.uint8]] = []
        self._rng = np.random.default_rng((seed, 2))
        self._optimizer = torch.optim.Adam(self.critic.parameters(), rate, betas=(0.5, 0.9))
        self._batch_size = batch_size

    def __call__(self, works: Works) -> dict[str, NDArray[np.float64]]:
        """``quality`` and ``reward``, both (R,) float64: the probability of being human.

        The works enter the replay buffer with the next :meth:`refresh`.
        """
        images = self._images(works)
        self._pending.append(images)
        looks = self.judge(images)
        return {"quality": looks, "reward": looks.copy()}

    def judge(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probability, (N,) float64, that images (N, H, W) uint8 in {0, 1} are human works."""
        self.critic.eval()
        parts = [np.zeros(0)]
        with torch.no_grad():
            for begin in range(0, len(images), CHUNK):
                batch = torch.from_numpy(images[begin : begin + CHUNK].astype(np.float32))
                parts.append(torch.sigmoid(self.critic(batch).double()).numpy())
        return np.concatenate(parts)

    def refresh(self) -> float:
        """Take the works appraised since the last time into the replay buffer and learn."""
        new = sum(len(images) for images in self._pending)
        self._own = np.concatenate([self._own, *self._pending])[-REPLAY:]
        self._pending = []
        return self.learn(max(1, new // WORKS_PER_UPDATE))

    def learn(self, updates: int) -> float:
        """Teach the critic to tell human works from those in the buffer.

        Returns:
            The mean loss, in nats a work; 0.69 where it cannot tell them apart.

        Raises:
            FloatingPointError: If the loss is not finite.
        """
        size, losses = self._batch_size, []
        # Human works count for 0.9 only: a critic that is never quite sure teaches better.
        target = torch.cat([torch.full((size,), 0.9), torch.zeros(size)])
        self.critic.train()
        for _ in range(updates):
            rows = [self._rng.integers(0, len(pool), size) for pool in (self._human, self._own)]
            images = np.concatenate([self._human[rows[0]], self._own[rows[1]]])
            logits = self.critic(torch.from_numpy(images.astype(np.float32)))
            loss = functional.binary_cross_entropy_with_logits(logits, target)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            losses.append(loss.item())
        if not np.isfinite(losses).all():
            raise FloatingPointError("the whole-image critic's loss is not finite")
        return float(np.mean(losses)) if losses else 0.0


class RLImitator(Maker):
    """A learner whose only reward was to look human.

    Args:
        network: Its policy network, in eval mode: observations -> (logits, features).
        reward: What it was rewarded by, as it is after training.
        world: The world it works in.
        env_steps: Moves made while it learnt.
    """

    def __init__(
        self, network: nn.Module, reward: WholeImageReward, world: World, env_steps: int
    ) -> None:
        self.network = network
        self.reward = reward
        self.env_steps = env_steps
        self._world = world

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Sample n works from the policy at temperature 1; see :class:`Maker`."""
        simulator = self._world.simulator(max(1, min(n, BOARDS)))
        return sample_works(self.network, simulator, self._world.id, n, rng, brief=brief)

    def score(self, works: Works) -> NDArray[np.float64]:
        """Probability, (N,) float64, that the whole-image critic gives a work of being human."""
        return self.reward.judge(self._world.images(works))

    def save(self, folder: Path) -> None:
        """Write the policy network and the critic."""
        both = nn.ModuleDict({"network": self.network, "critic": self.reward.critic})
        save_weights(folder / FILE, both)


def load(folder: Path, world: World) -> RLImitator:
    """Read what :func:`make` saved.

    Raises:
        StorageError: If a file is missing, damaged, or of another world.
    """
    reward = WholeImageReward(world.images, world.train, world.train[:0], 0)
    network = world.network()
    load_weights(folder / FILE, network, "network.")
    load_weights(folder / FILE, reward.critic, "critic.")
    steps = int(read_json(folder / FACTS).get("env_steps", 0))
    return RLImitator(network.eval(), reward, world, steps)


def make(context: TrainContext) -> RLImitator:
    """Train against the whole-image critic, or read the learner from the folder."""
    world, folder = context.world, context.folder
    if (folder / FILE).exists():
        return load(folder, world)
    rng = np.random.default_rng((context.seed, 3))
    n = min(FIRST_WORKS, context.budget.works)
    first = sample_works(context.imitator, world.practice(BOARDS), world.id, n, rng)
    reward = WholeImageReward(world.images, world.train, first, context.seed)
    loss = reward.learn(min(FIRST_UPDATES, context.budget.updates))
    context.log(f"rl_imitation: the critic's loss on the imitator's works is {loss:.3f}")
    trained = train_policy(
        context, "rl_imitation", reward, lambda _: reward.refresh(), 1, KL_WEIGHT
    )
    made = RLImitator(trained.policy.network, reward, world, trained.env_steps)
    facts = {"env_steps": trained.env_steps, "seconds": trained.seconds, "seed": context.seed}
    write_atomically(folder / FACTS, json.dumps(facts, indent=2).encode())
    made.save(folder)
    return made
