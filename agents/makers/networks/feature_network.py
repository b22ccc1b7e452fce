"""What both filters have in common: a convolutional network, trained on the human works alone.

It learns to name what is drawn, as the networks behind Inceptionism and Deep Style did
(ImageNet): a work's categories are the words of its name, and each takes an equal share of a
softmax (Mahajan et al. 2018). Naming gives units that stand for things drawn in many works, such
as an arrow, a ring, a bar struck through; contrasting single works with each other does not, and
takes longer to train. In a world without names, clusters of the works take the place of words
(DeepCluster, Caron et al. 2018, with the descriptor's features).

Pooling is by averages, which gives smoother gradients than maxima (Gatys et al. 2016, section 2).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from skimage.filters import apply_hysteresis_threshold, threshold_otsu
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from move37.agents.learner.fitting import OneCycle
from move37.agents.makers.cache import Cache
from move37.agents.makers.maker import Maker, TrainContext, images_of_briefs
from move37.envs.base.works import Works
from move37.envs.base.world import World

CHANNELS = (16, 32, 48, 64, 96)
"""Width of each layer."""
SCALE = 2
"""The network sees small images this many times larger, so that a line has a soft edge to move."""
SMALL = 48
"""Points of height from which on an image is seen as large as it is."""
LEAST = 8
"""Points that each side of what the network sees has at least: it is halved three times."""
FEWEST_WORDS = 8
"""With fewer categories than this, clusters are used instead of words."""
CLUSTERS = 64
HYSTERESIS = (0.3, 0.85)
"""Thresholds for a line's faintest and its strongest point: 0 is the mean of ground, 1 of ink."""
BATCH = 32
"""Works per gradient step."""
SETTLING = 16
"""Batches that the final statistics of batch normalisation are taken over."""
MARGIN = 0.02
"""Where a smaller share of human works has ink, a filter leaves none."""
FAINT = 0.1
"""An image with no more than this anywhere is empty."""
RAREST = 12
"""A word is a category if this many works have it."""


class FeatureNetwork(nn.Module):
    """Five convolutions; the image is halved by averages before the second, third and fifth.

    On a board of 24 x 24 the layers see 2.5, 7, 16, 20 and 30 points a side, from 48, 24, 12, 12
    and 6 places a side.

    Args:
        categories: Number of categories C.
    """

    def __init__(self, categories: int) -> None:
        super().__init__()
        widths = (1, *CHANNELS)
        sizes = (5, 5, 5, 3, 3)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, size, padding=size // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after, size in zip(widths, CHANNELS, sizes, strict=False)
        )
        self.out = nn.Linear(CHANNELS[-1], categories)

    def activations(self, soft: Tensor, upto: int = len(CHANNELS)) -> list[Tensor]:
        """What the first ``upto`` layers give for soft images (N, H, W): each (N, C, H', W')."""
        x = soft.unsqueeze(1)
        found = []
        for i, layer in enumerate(self.layers[:upto]):
            x = layer(functional.avg_pool2d(x, 2) if i in (1, 2, 4) else x)
            found.append(x)
        return found

    def forward(self, soft: Tensor) -> Tensor:
        """Logits (N, C) of the categories of soft images (N, H, W)."""
        logits: Tensor = self.out(self.activations(soft)[-1].mean((2, 3)))
        return logits


def soften(images: NDArray[np.uint8]) -> Tensor:
    """Soft images (N, kH, kW) float32 in [0, 1] of images (N, H, W) in {0, 1}.

    k is 1 for images at least SMALL points high, else SCALE, and more where a side would have fewer
    than LEAST points.
    """
    height, width = images.shape[1:]
    scale = max(1 if height >= SMALL else SCALE, -(-LEAST // min(height, width)))
    sharp = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    if scale == 1:
        return sharp.clone()
    larger = functional.interpolate(sharp.unsqueeze(1), scale_factor=scale, mode="bilinear")
    return larger.squeeze(1)


def harden(soft: Tensor, where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Images (N, H, W) float32 in {0, 1} of soft ones (N, kH, kW), whose ground may be grey.

    Otsu's threshold (1979) tells ground from ink. Ink then is what hangs together with a strong
    point through points that may be weaker (hysteresis, Canny 1986), so that faint specks go and
    lines do not break.

    Args:
        soft: Values in [0, 1].
        where: (H, W): where there may be ink; see :func:`drawn_on`.
    """
    scale = soft.shape[1] // len(where)
    small = functional.avg_pool2d(soft.detach().unsqueeze(1), scale).squeeze(1).numpy() * where
    out = np.zeros(small.shape, np.float32)
    for image, ink in zip(small, out, strict=True):
        if image.max() <= FAINT or image.min() == image.max():
            continue
        above = image > threshold_otsu(image)  # type: ignore[no-untyped-call]
        ground, line = float(image[~above].mean()), float(image[above].mean())
        low, high = (ground + share * (line - ground) for share in HYSTERESIS)
        ink[:] = apply_hysteresis_threshold(image, low, high)  # type: ignore[no-untyped-call]
    return out


def drawn_on(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W): the points that at least one in fifty works (N, H, W) draws on.

    Human works keep a margin; a filter that fills it is told by that alone.
    """
    used: NDArray[np.bool_] = images.mean(axis=0) >= MARGIN
    return used


def feature_network(context: TrainContext) -> FeatureNetwork:
    """The network that the filters share, in eval mode without gradients: trained once, then read.

    It takes half of the budget's updates.
    """
    world = context.world
    targets, kind = categories_of(world.train.names), "words"
    if targets.shape[1] < FEWEST_WORDS:
        targets = clusters_of(context.evaluator.describe(world.train), context.seed)
        kind = "clusters"
    updates = max(1, context.budget.updates // 2)
    torch.manual_seed(context.seed)
    network = FeatureNetwork(targets.shape[1])
    cache = Cache(context, "features", updates=updates, categories=targets.shape[1])
    if cache.load_into(network) is None:
        images = world.images(world.train)
        loss = train_features(network, images, targets, updates, context.seed)
        context.log(f"feature network: {targets.shape[1]} {kind}, loss {loss:.2f}")
        cache.save(network.state_dict())
    return network.eval().requires_grad_(False)


def categories_of(names: Sequence[str]) -> NDArray[np.float32]:
    """Targets (N, C): each work's words that at least 12 works have, in equal shares of 1.

    A row without any such word is 0. Names that all have a word in common are numbered, like
    "bwv101.7 bar 4", and describe nothing: C is 0.
    """
    words = [set(re.findall(r"[^\W_]+", name.lower())) for name in names]
    counts = Counter(word for each in words for word in each)
    numbered = len(names) > 1 and max(counts.values(), default=0) == len(names)
    often = () if numbered else sorted(word for word, n in counts.items() if n >= RAREST)
    column = {word: i for i, word in enumerate(often)}
    targets = np.zeros((len(names), len(column)), np.float32)
    for row, each in zip(targets, words, strict=True):
        row[[column[word] for word in each if word in column]] = 1
    shares: NDArray[np.float32] = targets / np.maximum(targets.sum(axis=1, keepdims=True), 1)
    return shares


def clusters_of(descriptors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Targets (N, C), one-hot: the k-means clusters of descriptors (N, D)."""
    k = max(2, min(CLUSTERS, len(descriptors) // 8))
    _, labels = kmeans2(np.asarray(descriptors, np.float64), k, minit="++", seed=seed)
    return np.asarray(np.eye(k)[labels], np.float32)


def train_features(
    network: FeatureNetwork,
    images: NDArray[np.uint8],
    targets: NDArray[np.float32],
    updates: int,
    seed: int,
) -> float:
    """Teach a network the categories of images (N, H, W), shifted, thickened, faded and noisy.

    Returns:
        The mean loss of the last tenth.

    Raises:
        ValueError: If no image has a category.
        FloatingPointError: If the loss is not finite.
    """
    known = np.flatnonzero(targets.any(axis=1))
    if not len(known):
        raise ValueError("feature network: no work has a category")
    rng = np.random.default_rng(seed)
    descent = OneCycle(network, 3e-3, 0.02, max(2, updates + 1), rise=0.15)
    losses = []
    network.train()
    for _ in range(updates):
        rows = rng.choice(known, BATCH)
        target = torch.from_numpy(targets[rows])
        logits = network(_disturbed(soften(images[rows]), rng))
        loss = -(target * torch.log_softmax(logits, 1)).sum(1).mean()
        descent.step(loss)
        losses.append(loss.item())
    # Statistics gathered while the weights changed lag behind (Wu and Johnson 2021, "Rethinking
    # 'Batch' in BatchNorm", section 3.1), most of all after a short training.
    settling = images[rng.choice(known, (SETTLING, BATCH))]
    update_bn((_disturbed(soften(batch), rng) for batch in settling), network)
    network.eval()
    if not np.isfinite(losses).all():
        raise FloatingPointError("feature network: the loss is not finite")
    return float(np.mean(losses[-max(1, updates // 10) :]))


def _disturbed(soft: Tensor, rng: np.random.Generator) -> Tensor:
    """Soft images (N, H, W) as a filter may leave them: shifted, thick, faint, noisy."""
    n, height, width = soft.shape
    reach = 3
    padded = functional.pad(soft, (reach,) * 4)
    dy, dx = rng.integers(0, 2 * reach + 1, 2)
    soft = padded[:, dy : dy + height, dx : dx + width]
    thick = functional.max_pool2d(soft.unsqueeze(1), 3, 1, 1).squeeze(1)
    soft = torch.where(torch.from_numpy(rng.random((n, 1, 1)) < 0.3), thick, soft)
    fade = torch.from_numpy(rng.uniform(0.6, 1.3, (n, 1, 1)).astype(np.float32))
    noise = rng.standard_normal((n, height, width), np.float32) * np.float32(0.06)
    return (soft * fade + torch.from_numpy(noise)).clamp(0, 1)


class HumanFilter(Maker):
    """A maker that makes each of its works from a human one.

    Args:
        world: Where the human works come from.
        network: Trained, in eval mode, without gradients.
        change: Filters images (N, H, W) in {0, 1} to soft ones, see :func:`soften`, with an rng.
    """

    def __init__(
        self,
        world: World,
        network: FeatureNetwork,
        change: Callable[[NDArray[np.uint8], np.random.Generator], Tensor],
    ) -> None:
        self.world, self.network, self._change = world, network, change
        self.where = drawn_on(world.images(world.train))

    def inputs(self, n: int, rng: np.random.Generator) -> Works:
        """The N human works that are filtered, drawn with replacement."""
        return self.world.train[rng.integers(0, len(self.world.train), n)]

    def generate(
        self, n: int, rng: np.random.Generator, brief: NDArray[np.int16] | None = None
    ) -> Works:
        """Filter n human works, each with its brief drawn on top; see :class:`.Maker`.

        Without a brief each answers what its input answers.
        """
        inputs = self.inputs(n, rng)
        images = harden(self._change(self.world.images(inputs), rng), self.where)
        briefs = inputs.briefs
        if brief is not None:
            briefs = np.repeat(np.asarray(brief, np.int16)[None], n, axis=0)
        if briefs.size:
            images = np.maximum(images, images_of_briefs(self.world, briefs))
        return replace(self.world.from_images(images), briefs=briefs)
