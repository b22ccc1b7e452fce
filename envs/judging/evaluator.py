"""The frozen judges of a world: what no reward ever saw, and the yield that they define."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty, novelty_in_groups, repeats

Measures = dict[str, NDArray[np.float64]]
"""Named measures of N works, each (N,) float64."""
REPEAT_BELOW = 0.5
"""A work this near to an earlier one is a repeat, in units of the human median distance."""


@dataclass(frozen=True)
class Thresholds:
    """The conditions of the yield, from held-out human works; each has a looser one.

    Attributes:
        heldout: Human median of the held-out judge; ``heldout_loose`` the lower quartile.
        form: Human median or lower quartile of form; ``form_loose`` the lower quartile.
        novelty: 95th percentile of human works' novelty to each other; ``novelty_loose`` the 75th.
    """

    heldout: float
    heldout_loose: float
    form: float
    form_loose: float
    novelty: float
    novelty_loose: float


def human_novelty(
    x: NDArray[np.float32], k_neighbors: int, tunes: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The novelty of each human work among the others, whose median is the unit of novelty.

    Args:
        x: Descriptors (N, D) of the works.
        k_neighbors: Neighbours that novelty is the mean distance to.
        tunes: (N,): works of one tune do not count for each other; None: each is its own.

    Raises:
        ValueError: If the works cannot be told apart by the descriptor.
    """
    among = leave_one_out_novelty(x, k_neighbors, tunes)
    if not np.median(among) > 0:
        raise ValueError(
            "human works: more than half of them are alike to the descriptor, so that there is "
            "no unit of novelty; leave out works that are there several times"
        )
    return among


class Evaluator(ABC):
    """Measures works against human ones. Nothing it says was ever a reward.

    A world's own evaluator says what :meth:`judge`, :meth:`form` and :meth:`copied` are, and how
    the judge is saved. It must be able to judge before it calls this constructor.

    Args:
        human: The works that novelty and copying are measured against. Works with the same
            ``appraisal["tune"]``, if they have one, are one work to novelty: a work's novelty among
            them leaves out its whole tune.
        held_out: Human works that nothing was fitted to; they set the thresholds.
        descriptor: Fitted to ``human``, or a saved one. The fit is a singular value decomposition,
            whose last bits depend on the machine and its load: judging works again exactly needs
            the saved one.

    Attributes:
        k_neighbors: Neighbours that novelty is the mean distance to.
        scale: Median leave-one-out distance among the human works: the unit of novelty.
        thresholds: Of the yield.
        copied_at_most: Largest share of a work that may be copied.
        form_at_median: Whether form must reach the human median; otherwise the lower quartile.
        repeats_may_count: Whether there is a ``yield_with_repeats``: a brief that is given again
            may get the same answer.
        watched: The newest works that are measured at a time while a learner learns.
        averaged: Measures whose mean is their summary; that of others is their median.
        counted: Measures whose summary is called ``NAME_median``.

    Raises:
        ValueError: If human works cannot be told apart by the descriptor.
    """

    k_neighbors: int = 15
    copied_at_most: float = 0.5
    form_at_median: ClassVar[bool] = False
    repeats_may_count: ClassVar[bool] = False
    watched: ClassVar[int] = 400
    averaged: ClassVar[tuple[str, ...]] = ("yield", "yield_loose", "repeats", "copied")
    counted: ClassVar[tuple[str, ...]] = ("moves",)

    def __init__(self, human: Works, held_out: Works, descriptor: PrincipalComponents) -> None:
        self.human, self.held_out, self.descriptor = human, held_out, descriptor
        x = descriptor(human)
        among = human_novelty(x, self.k_neighbors, human.appraisal.get("tune"))
        self.scale = float(np.median(among))
        self.archive = NoveltyArchive(descriptor.dim, self.k_neighbors, scale=self.scale)
        self.archive.pin(x)
        judged, shaped = self.judge(held_out), self.form(held_out)
        quartile = float(np.quantile(shaped, 0.25))
        self.thresholds = Thresholds(
            heldout=float(np.median(judged)),
            heldout_loose=float(np.quantile(judged, 0.25)),
            form=float(np.median(shaped)) if self.form_at_median else quartile,
            form_loose=quartile,
            novelty=float(np.quantile(among, 0.95) / self.scale),
            novelty_loose=float(np.quantile(among, 0.75) / self.scale),
        )

    @abstractmethod
    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: what the held-out judge says of works."""

    @abstractmethod
    def form(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: what the rules say of works."""

    @abstractmethod
    def copied(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: the share of works that is copied from human ones."""

    def facts(self, works: Works) -> Measures:
        """Further measures of works; ``moves`` is among them."""
        return {"moves": works.lengths.astype(np.float64)}

    @abstractmethod
    def save_judge(self, folder: Path) -> None:
        """Write the held-out judge."""

    def describe(self, works: Works) -> NDArray[np.float32]:
        """Descriptors (N, D) of works."""
        return self.descriptor(works)

    def measure(self, works: Works, descriptors: NDArray[np.float32] | None = None) -> Measures:
        """Everything measured of works, each (N,) float64.

        ``heldout_quality`` is what the held-out judge says, ``novelty_human`` and ``novelty_self``
        the novelty among human works and among these. ``repeats`` is 1 where a work lies nearer to
        an earlier one of these than half the human median distance. ``yield`` and ``yield_loose``
        are 1 where all conditions hold and the work is no repeat.

        Args:
            works: N works.
            descriptors: (N, D): of the works, where they are known already.
        """
        x = self.describe(works) if descriptors is None else descriptors
        heldout, shaped, copied = self.judge(works), self.form(works), self.copied(works)
        novelty = self.archive.novelty(x)
        again = repeats(x, REPEAT_BELOW * self.scale)
        bar, own = self.thresholds, copied <= self.copied_at_most
        strict = (shaped >= bar.form) & (heldout >= bar.heldout) & (novelty >= bar.novelty) & own
        loose = (
            (shaped >= bar.form_loose)
            & (heldout >= bar.heldout_loose)
            & (novelty >= bar.novelty_loose)
            & own
        )
        out = {
            "heldout_quality": heldout,
            "form": shaped,
            "novelty_human": novelty,
            "novelty_self": novelty_in_groups(x, self.k_neighbors) / self.scale,
            "copied": copied,
            "repeats": again.astype(np.float64),
            "yield": (strict & ~again).astype(np.float64),
            "yield_loose": (loose & ~again).astype(np.float64),
        }
        if self.repeats_may_count:
            out["yield_with_repeats"] = strict.astype(np.float64)
        return out | self.facts(works)

    def summarise(self, measured: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
        """One number per measure: the mean of shares and of rare things, else the median."""
        return {
            f"{key}_median" if key in self.counted else key: float(
                np.mean(values) if key in self.averaged else np.median(values)
            )
            for key, values in measured.items()
        }

    def save(self, folder: Path) -> None:
        """Write what the world's ``load_evaluator`` reads."""
        self.descriptor.save(folder / "descriptor.npz")
        self.human.save(folder / "human.npz")
        self.held_out.save(folder / "human-held-out.npz")
        self.save_judge(folder)

    @staticmethod
    def load_human(folder: Path) -> tuple[Works, Works]:
        """The human works that :meth:`save` wrote: those to compare with, and the held-out ones."""
        return Works.load(folder / "human.npz"), Works.load(folder / "human-held-out.npz")
