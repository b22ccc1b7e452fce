"""The distribution moving while a learner learns: curves, and a picture of styles over time."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.base.world import Evaluator
from move37.novelty.measures.shift import density_coverage, expected_coverage, shift_test
from move37.novelty.measures.styles import Styles, style_shares

MAX_WORKS = 400
"""Human works that the latest works are compared with, and latest works, at most."""
PERMUTATIONS = 99
HUMAN_STYLES = 8
"""Clusters of the human works."""
NEW_KINDS = 10
"""New kinds that are shown singly; the others are shown together."""
BINS = 24
"""Points in time at which the shares are shown."""
KNOWN_COLOURS = ("#dfe5ea", "#8fa3b3")
NEW_COLOURS = ("#ffd9a0", "#e07b39")
OTHER_COLOUR = "#7c2d12"
"""Styles of human works in cold, new kinds in warm colours, first to last; and all others."""


class ShiftCurves:
    """Compares the latest works with human ones.

    Args:
        evaluator: Describes works.
        human: The human works to learn from.
        seed: Of the permutations, and of the sample of the human works.
    """

    def __init__(self, evaluator: Evaluator, human: Works, seed: int) -> None:
        self._evaluator, self._seed = evaluator, seed
        self._human = evaluator.describe(human)
        rows = np.random.default_rng((seed, 2)).permutation(len(human))[:MAX_WORKS]
        self._human_sample = self._human[rows]
        self._styles: Styles | None = None

    def curves(self, descriptors: NDArray[np.float32], steps: int) -> dict[str, float]:
        """How far works lie from the human works: see ``docs/measures.md``.

        Args:
            descriptors: (N, D) of the latest works; the last 400 are used, two at least.
            steps: Env steps, for the random state alone: the same run gives the same p-values.

        Returns:
            ``shift/energy_effect``, ``shift/kernel_effect``, ``shift/p_value`` (energy), and
            ``shift/density`` and ``shift/coverage``, both 1 without a shift.
        """
        x = descriptors[-MAX_WORKS:]
        rng = np.random.default_rng((self._seed, 3, steps))
        tests = shift_test(self._human_sample, x, rng, PERMUTATIONS)
        density, coverage = density_coverage(self._human_sample, x)
        return {
            "shift/energy_effect": tests["energy"].effect,
            "shift/kernel_effect": tests["kernel"].effect,
            "shift/p_value": tests["energy"].p_value,
            "shift/density": density,
            "shift/coverage": coverage / expected_coverage(len(self._human_sample), len(x)),
        }

    def picture(self, works: Works) -> NDArray[np.uint8]:
        """Shares of human styles and of new kinds over time, stacked, (520, 800, 3) uint8.

        Args:
            works: In the order in which they were made, with ``step`` in their appraisal.
        """
        if self._styles is None:
            rng = np.random.default_rng((self._seed, 4))
            k = min(HUMAN_STYLES, max(1, len(self._human) // 10))
            self._styles = Styles(self._human, k, rng)
        styles = copy.deepcopy(self._styles)
        labels = styles.add(self._evaluator.describe(works))
        steps = np.asarray(works.appraisal["step"], np.float64)
        edges = np.linspace(steps.min(), max(steps.max(), steps.min() + 1), BINS + 1)
        shares, names = style_shares(labels, steps, edges, styles.n_human, NEW_KINDS)
        return _stacked(shares, names, edges, styles.n_human)


def _shades(ends: tuple[str, str], n: int) -> list[tuple[float, ...]]:
    first, last = (np.array(to_rgb(colour)) for colour in ends)
    return [tuple(first + (last - first) * t) for t in np.linspace(0, 1, max(n, 1))][:n]


def _stacked(
    shares: NDArray[np.float64],
    names: list[int | str],
    edges: NDArray[np.float64],
    n_human: int,
) -> NDArray[np.uint8]:
    filled = np.isfinite(shares).all(axis=0)
    middle = (edges[:-1] + edges[1:])[filled] / 2
    n_kinds = len(names) - n_human - 1
    colours = [
        *_shades(KNOWN_COLOURS, n_human), *_shades(NEW_COLOURS, n_kinds), to_rgb(OTHER_COLOUR)
    ]  # fmt: skip
    figure = Figure(figsize=(8, 5.2), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    bands = axes.stackplot(
        middle, shares[:, filled], colors=colours, edgecolor="white", linewidth=0.3
    )
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), ylabel="share of the learner's works",
             xlabel="moves that the learner has made (environment steps)",
             title="Does the learner leave the styles of human works?")  # fmt: skip
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    kind = n_human + n_kinds // 2  # that of the others, whose text replaces it, if there is none
    texts = {
        n_human // 2: f"blue: close to a human work; one band for each of {n_human} human styles",
        kind: f"orange: close to none; one band for each of {n_kinds} new kinds, the earliest pale",
        n_human + n_kinds: "brown: all others that are close to no human work",
    }
    figure.legend(
        [bands[i] for i in texts], list(texts.values()), loc="outside lower left", frameon=False
    )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
