"""What TensorBoard shows of a run beside its curves: levels, pictures, the archive, a layout."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.logger import HParam, Image, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from move37.agents.runs.terminal import HEADLINES
from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.envs.files.sheets import sheet, thumbnails
from move37.novelty.storage import printable

NUMBERS_ONLY = ("stdout", "log", "json", "csv")
"""Outputs that take numbers only."""

LAYOUT: dict[str, dict[str, list[Any]]] = {
    "1 decisive: learner, human works, imitator": {
        title: ["Multiline", [f"^{tag}$"]]  # a pattern: yield is not to be yield_loose too
        for title, tag in {
            "yield": "eval/yield",
            "yield, loose": "eval/yield_loose",
            "quality, held out": "eval/heldout_quality",
            "form": "eval/form",
            "novelty: away from human works": "eval/novelty_human",
            "novelty: away from own works": "eval/novelty_self",
            "distance of the distributions (0: none)": "shift/energy_effect",
            "away from the imitator (KL, nats a move)": "train/kl_from_imitator",
        }.items()
    },
    "2 reward": {
        "reward": ["Multiline", ["works/reward", "works/quality", "works/novelty_reward"]],
        "length of works": ["Multiline", ["works/moves", "eval/moves_median"]],
        "archive": ["Multiline", ["archive/size", "archive/admitted"]],
        "quality, held out and rewarded": ["Multiline", ["eval/heldout_quality", "works/craft"]],
        "judge gap": ["Multiline", ["eval/judge_gap"]],
    },
    "3 time": {
        "share of the wall time": [
            "Multiline",
            ["time/environment_share", "time/forward_share", "time/update_share"],
        ],
        "steps a second": ["Multiline", ["time/fps"]],
    },
}


def writer_of(logger: Logger) -> SummaryWriter | None:
    """The logger's TensorBoard writer, if it has one."""
    for output in logger.output_formats:
        if isinstance(output, TensorBoardOutputFormat):
            return output.writer
    return None


ABOUT = """
**A learner of the world *{world}*, preset *{preset}*, seed {seed}.** It imitated {human:,} \
human works, and now PPO makes {moves:,} moves to earn more of a reward for quality and novelty. \
The x axis of every chart is the number of moves made.

What to look at:

1. *Custom scalars*, or `eval/` in *Scalars*: yield, the share of works that are good, new and no
   copies, has to rise above the imitator's. The lines *human* and *imitator* are the levels of
   human works held out, and of the imitator before PPO; the third, with the name of the run's
   folder or a dot, is the learner.
2. *Images*, `sheets/best` and `sheets/newest`: do the works look as good as the figures say?
   `shift/styles`: how many are like human works, how many are of new kinds.
3. `eval/judge_gap` in *Scalars*: where it rises, the reward is hacked: its critic likes the works
   better than the frozen judge does. `eval/novelty_self` near 0: the learner makes one work again
   and again.
4. *Projector*: the archive, with thumbnails. *HParams*: the options and what was reached.

| | human | imitator |
|---|---|---|
{rows}

`docs/metrics.md` says what each figure is, `docs/measures.md` how it is measured.
"""
"""The page of the tab *Text*."""


def newest_and_best(works: Works, score: ArrayLike, n: int) -> dict[str, Works]:
    """The n ``newest`` of N works (which stand oldest first), newest first, and the n ``best``.

    Args:
        works: N works.
        score: (N,) more is better.
        n: Works of each.
    """
    best = np.argsort(-np.asarray(score), kind="stable")
    return {"newest": works[np.arange(len(works))[::-1][:n]], "best": works[best[:n]]}


class Dashboard:
    """Writes pictures, the archive, options and a layout of curves to a run's events.

    Args:
        logger: Of Stable-Baselines3; without a TensorBoard output nothing is written.
        world: Whose works they are.
    """

    def __init__(self, logger: Logger, world: World) -> None:
        self.logger, self.world = logger, world
        self.writer = writer_of(logger)
        if self.writer is not None:
            self.writer.add_custom_scalars(LAYOUT)

    def sheets(self, works: Works, step: int, n: int = 36, columns: int = 6) -> None:
        """Contact sheets of the newest and of the best of these works (oldest first).

        Of a world whose works can be heard the first of each is heard, too.
        """
        for tag, shown in newest_and_best(works, works.appraisal["reward"], n).items():
            self.picture(f"sheets/{tag}", sheet(self.world, shown, columns))
            heard = self.world.sound(shown[:1]) if self.writer and len(shown) else None
            if heard and self.writer:
                samples, rate = heard
                self.writer.add_audio(
                    f"sound/{tag}", torch.from_numpy(samples)[None], step, sample_rate=rate
                )

    def levels(self, levels: Mapping[str, Mapping[str, float]], steps: int) -> None:
        """Show figures that do not change beside those of the learner, as horizontal lines.

        They are runs of their own in folders of the run's, so that TensorBoard draws them in the
        chart of the learner's figure. What stood there is replaced.

        Args:
            levels: Figures by the name of the line.
            steps: Where the lines end.
        """
        if self.writer is None:
            return
        for name, figures in levels.items():
            folder = Path(self.writer.log_dir) / name
            shutil.rmtree(folder, ignore_errors=True)
            with SummaryWriter(str(folder)) as writer:
                for key, value in figures.items():
                    for step in (0, steps):
                        writer.add_scalar(f"eval/{key}", value, step)

    def about(self, options: Mapping[str, Any], levels: Mapping[str, Mapping[str, float]]) -> None:
        """Write the page that says what the run is, and what to look at.

        Args:
            options: The run's.
            levels: As for :meth:`levels`, of ``human`` and ``imitator``.
        """
        if self.writer is None:
            return
        rows = [
            f"| `eval/{key}` | {levels['human'][key]:.3g} | {levels['imitator'][key]:.3g} |"
            for key in HEADLINES
            if key in levels["human"]
        ]
        text = ABOUT.format(
            world=options["world"], preset=options["preset"],
            seed=options["seed"], human=len(self.world.train), moves=options["env_steps"],
            rows="\n".join(rows),
        )  # fmt: skip
        self.writer.add_text("about/this_run", text, 0)

    def picture(self, tag: str, pixels: NDArray[np.uint8]) -> None:
        """Queue a picture (H, W, 3)."""
        self.logger.record(tag, Image(pixels, "HWC"), exclude=NUMBERS_ONLY)

    def archive(
        self, groups: Sequence[tuple[str, Works, NDArray[np.float32]]], step: int, limit: int = 800
    ) -> None:
        """Write works with their descriptors (N, D) to the projector, with thumbnails.

        Args:
            groups: (name, works, descriptors) each.
            step: Environment steps.
            limit: Works shown of each group, evenly spaced over it.
        """
        if self.writer is None:
            return
        rows: list[list[str]] = []
        points, pictures = [], []
        for name, works, x in groups:
            some = np.unique(np.linspace(0, len(works) - 1, min(limit, len(works))).astype(int))
            if not len(works):
                continue
            points.append(x[some])
            pictures.append(thumbnails(self.world, works[some], 32))
            steps = works.appraisal.get("step", np.zeros(len(works)))
            rows += [[name, printable(works.names[i], 100), str(int(steps[i]))] for i in some]
        self.writer.add_embedding(
            torch.from_numpy(np.concatenate(points)),
            metadata=rows,
            metadata_header=["maker", "name", "step"],
            label_img=torch.from_numpy(np.concatenate(pictures)).permute(0, 3, 1, 2) / 255,
            global_step=step,
            tag="archive",
        )

    def options(self, options: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Queue the run's options with the figures it reached."""
        plain = {
            k: printable(v) if isinstance(v, str) else v
            for k, v in options.items()
            if isinstance(v, int | float | str)
        }
        self.logger.record("hparams", HParam(plain, dict(metrics)), exclude=NUMBERS_ONLY)
