"""The GAN: a generator of images against a critic that tells them from human works.

The logistic loss (Goodfellow et al. 2014, non-saturating) with a penalty on the critic's gradient
at human works (Mescheder et al. 2018), images shifted before the critic sees them (Zhao et al.
2020, differentiable augmentation), and the running mean of the generator's weights as what is
sampled from (Karras et al. 2018). Spectral normalisation with the hinge loss came less near to
human works in as many updates.
In worlds whose human works answer briefs both networks see the brief's picture.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import count, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from move37.agents.makers.cache import Cache
from move37.agents.makers.maker import Maker, TrainContext, images_of_briefs
from move37.agents.makers.networks.gan_network import Critic, Generator, Shape, networks, shifted
from move37.envs.base.works import Works, pad_moves
from move37.envs.base.world import World

BATCH = 64
AVERAGE = 0.998
"""Decay of the running mean of the generator's weights."""
PENALTY = 0.3
"""Weight of the squared norm of the critic's gradient, halved."""
PENALTY_EVERY = 4
"""The penalty is computed in every fourth update, with four times the weight."""
SOFT = 0.05
"""Human works have this instead of 0, and 1 minus this instead of 1: a generator's image, which can
never have either quite, is not told by that."""
CHANNELS, SMALL = 96, 32 * 32
"""Channels of the coarsest layer, for images of so many points; larger ones have a third fewer, so
that an update does not cost much more."""
SHIFT = 2
"""Images are shifted by up to so many points before the critic sees them."""
GENERATOR_RATE, CRITIC_RATE = 2e-4, 4e-4
"""Adam's step sizes, falling to zero over the last half."""
REPORTS = 8
"""Lines about the progress."""
CHUNK = 512
"""Images made or looked at in one pass."""

Images = NDArray[np.uint8]


def fit(
    generator: Generator,
    critic: Critic,
    human: Callable[[int], tuple[Images, Images]],
    *,
    updates: int,
    seed: int = 0,
    log: Callable[[str], None] = lambda _: None,
) -> None:
    """Train both, the critic first; the generator ends with the running mean of its weights.

    Args:
        generator: To be trained.
        critic: To be trained, one step for each of the generator's.
        human: Gives the images and the briefs' pictures, (M, H, W) uint8 each, of an epoch.
        updates: Steps of the generator.
        seed: Order of the works, noise and shifts.
        log: Takes a line now and then.

    Raises:
        FloatingPointError: If a loss is not finite.
    """
    rng, chance = np.random.default_rng((seed, 3)), torch.Generator().manual_seed(seed)
    mean, shape = copy.deepcopy(generator), generator.shape
    of_generator, of_critic = adams = [
        torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.9))
        for network, rate in ((generator, GENERATOR_RATE), (critic, CRITIC_RATE))
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(adam, lambda i: min(1.0, 2 * (1 - i / updates)))
        for adam in adams
    ]
    for update, (images, given) in enumerate(islice(_batches(human, rng), updates), 1):
        shift = rng.integers(-SHIFT, SHIFT + 1, 2).tolist()
        noise = torch.randn(2, len(images), shape.latent, generator=chance)
        brief = _tensor(given) if shape.conditional else None
        shown = None if brief is None else shifted(brief, *shift)
        real = shifted(_softened(images), *shift).requires_grad_()
        with torch.no_grad():
            fake = shifted(generator(noise[0], brief), *shift)
        told = _critic_loss(critic, real, fake, shown, update % PENALTY_EVERY == 0)
        _descend(of_critic, told)
        critic.requires_grad_(False)
        made = shifted(generator(noise[1], brief), *shift)
        loss = functional.softplus(-critic(made, shown)).mean()
        _descend(of_generator, loss)
        critic.requires_grad_(True)
        for schedule in schedules:
            schedule.step()
        _blend(mean, generator, min(AVERAGE, update / (update + 10)))
        if update * REPORTS // updates > (update - 1) * REPORTS // updates:
            if not (told.isfinite() and loss.isfinite()):
                raise FloatingPointError(f"GAN: a loss is not finite at update {update}")
            log(f"GAN {update}/{updates}: critic's loss {told.item():.3f}")
    generator.load_state_dict(mean.state_dict())
    generator.eval()
    critic.eval()


def _batches(
    human: Callable[[int], tuple[Images, Images]], rng: np.random.Generator
) -> Iterator[tuple[Images, Images]]:
    """Images and briefs' pictures, epoch after epoch without end; what is left over is left out."""
    for epoch in count(1):
        images, given = human(epoch)
        size = min(BATCH, len(images))
        order = rng.permutation(len(images))
        for begin in range(0, len(order) - size + 1, size):
            rows = order[begin : begin + size]
            yield images[rows], given[rows]


def _critic_loss(
    critic: Critic, real: Tensor, fake: Tensor, shown: Tensor | None, penalised: bool
) -> Tensor:
    of_real, of_fake = critic(real, shown), critic(fake, shown)
    loss = functional.softplus(-of_real).mean() + functional.softplus(of_fake).mean()
    if penalised:
        (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
        penalty = slope.square().sum((1, 2, 3)).mean() / 2
        loss = loss + PENALTY_EVERY * PENALTY * penalty
    return loss


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _tensor(images: Images) -> Tensor:
    return torch.from_numpy(images[:, None].astype(np.float32))


def _softened(images: Images) -> Tensor:
    return SOFT + (1 - 2 * SOFT) * _tensor(images)


def _blend(mean: Generator, generator: Generator, keep: float) -> None:
    """Move the running mean of weights and batch statistics towards the latest."""
    latest = generator.state_dict()
    with torch.no_grad():
        for key, value in mean.state_dict().items():
            if value.is_floating_point():
                value.lerp_(latest[key], 1 - keep)


class GAN(Maker):
    """Makes images with a trained generator; its world thins them and traces their moves.

    Args:
        world: Of the human works; reads the images.
        generator: Trained.
        critic: Trained against it: the maker's own reward.
    """

    def __init__(self, world: World, generator: Generator, critic: Critic) -> None:
        self.world, self.generator, self.critic = world, generator.eval(), critic.eval()

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works, whose images have the brief's in them; see :class:`.Maker`."""
        shape = self.generator.shape
        simulator = self.world.simulator(max(1, min(n, CHUNK)))
        simulator.set_brief(brief)
        images = np.zeros((n, shape.height, shape.width), np.float32)
        briefs: list[NDArray[np.int16]] = []
        for made in range(0, n, simulator.n):
            simulator.reset(np.arange(simulator.n))
            rows = np.arange(min(simulator.n, n - made))
            briefs.extend(simulator.briefs[rows])
            given = images_of_briefs(self.world, simulator.briefs[rows])
            noise = torch.from_numpy(rng.standard_normal((len(rows), shape.latent), np.float32))
            seen = _tensor(given) if shape.conditional else None
            with torch.no_grad():
                drawn = self.generator(noise, seen)[:, 0].numpy()
            images[made + rows] = np.maximum(drawn, given)
        return replace(self.world.from_images(images), briefs=pad_moves(briefs))

    def score(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the critic's logit; more is more like human works."""
        out = np.zeros(len(works))
        images = self.world.images(works)
        conditional = self.generator.shape.conditional
        given = images_of_briefs(self.world, works.briefs) if conditional else None
        with torch.no_grad():
            for begin in range(0, len(works), CHUNK):
                part = slice(begin, begin + CHUNK)
                seen = None if given is None else _tensor(given[part])
                out[part] = self.critic(_softened(images[part]), seen).numpy()
        return out


def make(context: TrainContext) -> GAN:
    """Train a GAN on images of the world's human works, or read the one in the folder."""
    world, seed, updates = context.world, context.seed, context.budget.updates
    torch.set_num_threads(context.threads)

    def human(epoch: int) -> tuple[Images, Images]:
        works = world.variations(epoch, seed)
        return world.images(works), images_of_briefs(world, works.briefs)

    height, width = world.images(world.train[:1]).shape[1:]
    conditional = bool(images_of_briefs(world, world.train.briefs).any())
    channels = CHANNELS if height * width <= SMALL else CHANNELS * 2 // 3
    shape = Shape(height, width, conditional, channels=channels)
    generator, critic = networks(shape, seed)
    both = nn.ModuleDict({"generator": generator, "critic": critic})
    cache = Cache(context, "gan", shape=asdict(shape), updates=updates)
    if cache.load_into(both) is None:
        fit(generator, critic, human, updates=updates, seed=seed, log=context.log)
        cache.save(both.state_dict())
    return GAN(world, generator, critic)
