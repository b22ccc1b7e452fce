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
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from move37.agents.makers.maker import Maker, TrainContext, images_of_briefs
from move37.agents.makers.networks.gan_network import Critic, Generator, Shape, networks, shifted
from move37.envs.base.works import Works, pad_moves, write_atomically
from move37.envs.base.world import World
from move37.envs.files.pictures import save_png
from move37.novelty.storage import load_weights, save_weights

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
ROWS, COLUMNS, ZOOM = 8, 16, 4
"""Of the sample sheet: times, samples, pixels a point."""
CHUNK = 512
"""Images made or looked at in one pass."""

Arrays = NDArray[np.uint8]


def fit(
    generator: Generator,
    critic: Critic,
    human: Callable[[int], tuple[Arrays, Arrays]],
    *,
    updates: int,
    seed: int = 0,
    generator_rate: float = 2e-4,
    critic_rate: float = 4e-4,
    log: Callable[[str], None] = lambda _: None,
) -> NDArray[np.uint8]:
    """Train both; the generator ends with the running mean of its weights.

    Args:
        generator: To be trained.
        critic: To be trained, one step for each of the generator's.
        human: Gives the images and the briefs' pictures, (M, H, W) uint8 each, of an epoch.
        updates: Steps of the generator.
        seed: Order of the works, noise and shifts.
        generator_rate: Adam's step size, falling to zero over the last half; likewise the critic's.
        critic_rate: Adam's step size.
        log: Takes a line now and then.

    Returns:
        The sample sheet, (height, width, 3) uint8: the same noise in every row, a row a time.

    Raises:
        FloatingPointError: If a loss is not finite.
    """
    shape = generator.shape
    rng = np.random.default_rng((seed, 3))
    chance = torch.Generator().manual_seed(seed)
    mean = copy.deepcopy(generator)
    adams = [
        torch.optim.Adam(generator.parameters(), generator_rate, betas=(0.5, 0.9)),
        torch.optim.Adam(critic.parameters(), critic_rate, betas=(0.5, 0.9)),
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(adam, lambda i: min(1.0, 2 * (1 - i / updates)))
        for adam in adams
    ]
    epoch, images, given, order = 0, *human(1), np.zeros(0, np.int64)
    batch = min(BATCH, len(images))
    show_noise = torch.randn(COLUMNS, shape.latent, generator=chance)
    show_given = _tensor(given[np.arange(COLUMNS) % len(given)]) if shape.conditional else None
    times = set(np.linspace(1, updates, ROWS).astype(int).tolist())
    rows: list[NDArray[np.float32]] = []
    for update in range(1, updates + 1):
        if len(order) < batch:
            epoch += 1
            images, given = (images, given) if epoch == 1 else human(epoch)
            order = rng.permutation(len(images))
        taken, order = order[:batch], order[batch:]
        dy, dx = rng.integers(-SHIFT, SHIFT + 1, 2).tolist()
        real = shifted(_softened(images[taken]), dy, dx).requires_grad_()
        brief = _tensor(given[taken]) if shape.conditional else None
        seen = None if brief is None else shifted(brief, dy, dx)

        noise = torch.randn(2 * batch, shape.latent, generator=chance)
        with torch.no_grad():
            fake = shifted(generator(noise[:batch], brief), dy, dx)
        of_real, of_fake = critic(real, seen), critic(fake, seen)
        critic_loss = functional.softplus(-of_real).mean() + functional.softplus(of_fake).mean()
        loss = critic_loss
        if update % PENALTY_EVERY == 0:
            (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
            penalty = slope.square().sum((1, 2, 3)).mean() / 2
            loss = loss + PENALTY_EVERY * PENALTY * penalty
        adams[1].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adams[1].step()

        critic.requires_grad_(False)
        made = critic(shifted(generator(noise[batch:], brief), dy, dx), seen)
        loss = functional.softplus(-made).mean()
        adams[0].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adams[0].step()
        critic.requires_grad_(True)
        for schedule in schedules:
            schedule.step()
        _blend(mean, generator, min(AVERAGE, update / (update + 10)))
        if update in times:
            if not np.isfinite([loss.item(), critic_loss.item()]).all():
                raise FloatingPointError(f"GAN: a loss is not finite at update {update}")
            log(f"GAN {update}/{updates}: critic's loss {critic_loss.item():.3f}")
            rows.append(_sample(mean, show_noise, show_given))
    generator.load_state_dict(mean.state_dict())
    generator.eval()
    critic.eval()
    return _sheet(np.stack(rows))


def _tensor(images: Arrays) -> Tensor:
    return torch.from_numpy(images[:, None].astype(np.float32))


def _softened(images: Arrays) -> Tensor:
    return SOFT + (1 - 2 * SOFT) * _tensor(images)


def _blend(mean: Generator, generator: Generator, keep: float) -> None:
    """Move the running mean of weights and batch statistics towards the latest."""
    latest = generator.state_dict()
    with torch.no_grad():
        for key, value in mean.state_dict().items():
            if value.is_floating_point():
                value.lerp_(latest[key], 1 - keep)


def _sample(
    generator: Generator, noise: Tensor, given: Tensor | None = None
) -> NDArray[np.float32]:
    """Images (N, H, W) in [0, 1]; each depends on its own noise only."""
    generator.eval()
    with torch.no_grad():
        images: NDArray[np.float32] = generator(noise, given)[:, 0].numpy()
    return images


def _sheet(rows: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A grid of images (R, C, H, W), ink dark on light, with a line between them."""
    n_rows, columns, height, width = rows.shape
    tiles = np.full((n_rows, columns, ZOOM * height + 2, ZOOM * width + 2), 200, np.uint8)
    tiles[:, :, 1:-1, 1:-1] = np.round(255 * (1 - rows)).repeat(ZOOM, 2).repeat(ZOOM, 3)
    grey = tiles.transpose(0, 2, 1, 3).reshape(n_rows * tiles.shape[2], -1)
    return grey[:, :, None].repeat(3, 2)


class GAN:
    """Makes images with a trained generator; its world thins them and traces their moves.

    Args:
        world: Of the human works; reads the images.
        generator: Trained.
        critic: Trained against it: the maker's own reward.
    """

    env_steps = 0

    def __init__(self, world: World, generator: Generator, critic: Critic) -> None:
        self.world, self.generator, self.critic = world, generator.eval(), critic.eval()

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Make n works, whose images have the brief's in them; see :class:`makers.Maker`."""
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
            images[made + rows] = np.maximum(_sample(self.generator, noise, seen), given)
        return replace(self.world.from_images(images), briefs=pad_moves(briefs))

    def score(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the critic's logit; more is more like human works."""
        out = np.zeros(len(works))
        images = self.world.images(works)
        given = images_of_briefs(self.world, works.briefs) if self._conditional else None
        with torch.no_grad():
            for begin in range(0, len(works), CHUNK):
                part = slice(begin, begin + CHUNK)
                seen = None if given is None else _tensor(given[part])
                out[part] = self.critic(_softened(images[part]), seen).numpy()
        return out

    @property
    def _conditional(self) -> bool:
        return self.generator.shape.conditional

    def save(self, folder: Path, notes: dict[str, object] | None = None) -> None:
        """Write ``gan.safetensors`` and ``gan.json``."""
        both = nn.ModuleDict({"generator": self.generator, "critic": self.critic})
        save_weights(folder / "gan.safetensors", both)
        settings = {"shape": asdict(self.generator.shape), **(notes or {})}
        write_atomically(folder / "gan.json", json.dumps(settings, indent=2).encode())

    @classmethod
    def load(cls, world: World, folder: Path) -> GAN:
        """Read what :meth:`save` wrote."""
        settings = json.loads((folder / "gan.json").read_text())
        generator, critic = networks(Shape(**settings["shape"]), 0)
        both = nn.ModuleDict({"generator": generator, "critic": critic})
        load_weights(folder / "gan.safetensors", both)
        return cls(world, generator, critic)


def make(context: TrainContext) -> Maker:
    """Train a GAN on images of the world's human works, or read the one in the folder."""
    world, seed, folder = context.world, context.seed, context.folder
    torch.set_num_threads(context.threads)

    def human(epoch: int) -> tuple[Arrays, Arrays]:
        works = world.variations(epoch, seed)
        return world.images(works), images_of_briefs(world, works.briefs)

    height, width = world.images(world.train[:1]).shape[1:]
    conditional = bool(images_of_briefs(world, world.train.briefs).any())
    channels = CHANNELS if height * width <= SMALL else CHANNELS * 2 // 3
    shape = Shape(height, width, conditional, channels=channels)
    notes = {"updates": context.budget.updates, "seed": seed, "corpus": world.fingerprint}
    path = folder / "gan.json"
    if path.exists():
        settings = json.loads(path.read_text())
        wanted = {"shape": asdict(shape), **notes}
        if all(settings.get(key) == value for key, value in wanted.items()):
            return GAN.load(world, folder)
    generator, critic = networks(shape, seed)
    sheet = fit(
        generator, critic, human, updates=context.budget.updates, seed=seed, log=context.log
    )
    save_png(folder / "gan-samples.png", sheet)
    maker = GAN(world, generator, critic)
    maker.save(folder, notes)
    return maker
