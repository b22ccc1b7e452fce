"""What TensorBoard shows of a run beside its curves: sheets, the archive, options and a layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.logger import HParam, Image, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from move37.envs.base.works import Works
from move37.envs.base.world import World
from move37.envs.files.sheets import sheet, thumbnails
from move37.novelty.storage import printable

NUMBERS_ONLY = ("stdout", "log", "json", "csv")
"""Outputs that take numbers only."""

LAYOUT: dict[str, dict[str, list[Any]]] = {
    "1 decisive": {
        "yield": ["Multiline", ["eval/yield", "eval/yield_loose"]],
        "quality, held out and rewarded": [
            "Multiline",
            ["eval/heldout_quality", "works/craft", "eval/form"],
        ],
        "novelty: human works, own works": [
            "Multiline",
            ["eval/novelty_human", "eval/novelty_self"],
        ],
        "away from human works (0: no shift)": [
            "Multiline",
            ["shift/energy_effect", "shift/kernel_effect"],
        ],
        "away from the imitator (KL, nats a move)": ["Multiline", ["train/kl_from_imitator"]],
    },
    "2 reward": {
        "reward": ["Multiline", ["works/reward", "works/quality", "works/novelty_reward"]],
        "length of works": ["Multiline", ["works/moves", "eval/moves_median"]],
        "archive": ["Multiline", ["archive/size", "archive/admitted"]],
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
