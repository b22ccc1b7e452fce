"""The curves of a run, in TensorBoard and ``progress.csv``: opened, and cut back on resume."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from stable_baselines3.common.logger import (
    CSVOutputFormat,
    KVWriter,
    Logger,
    TensorBoardOutputFormat,
)
from torch.utils.tensorboard import SummaryWriter

from move37.agents.runs.checkpoint_io import Checkpoint

CSV = "progress.csv"
EVENTS = "events.out.tfevents.*"


def open_log(
    folder: Path, resume: bool, checkpoint: Checkpoint | None, log: Callable[[str], None]
) -> Logger:
    """The logger of a run, as it was when the checkpoint was taken.

    Whatever was written after the checkpoint is removed, so that nothing is logged twice.

    Args:
        folder: Of the run.
        resume: Whether the curves in the folder are those of this run.
        checkpoint: Of :func:`add_log`; None: learning begins.
        log: Takes one line about what is missing.
    """
    sizes = checkpoint.facts["events"] if checkpoint else {}
    if resume:
        _remove_later_files(folder, sizes)
    for name, size in sizes.items():
        file = folder / name
        if not file.exists() or file.stat().st_size < size:
            log(f"{file}: is missing or cut; TensorBoard lacks the curves it held")
        else:
            os.truncate(file, size)
    table = CSVOutputFormat(str(folder / CSV))
    if checkpoint and (text := checkpoint.arrays["csv"].tobytes().decode()):
        table.file.write(text)
        table.file.flush()
        table.keys = text.split("\n", 1)[0].split(",")
    step = int(checkpoint.facts["num_timesteps"]) + 1 if checkpoint else None
    outputs: list[KVWriter] = [_Events(folder, step), table]
    return Logger(str(folder), outputs)


def _remove_later_files(folder: Path, names: Collection[str]) -> None:
    """Remove event files with other names, and what the end of a run writes for the projector."""
    for file in folder.glob(EVENTS):
        if file.name not in names:
            file.unlink()
    for projector in folder.glob("[0-9]*/archive"):
        shutil.rmtree(projector.parent)
    (folder / "projector_config.pbtxt").unlink(missing_ok=True)


def add_log(checkpoint: Checkpoint, folder: Path, logger: Logger) -> Checkpoint:
    """A checkpoint with the state of the run's log added.

    Raises:
        OSError: If a log was removed or cannot be written.
    """
    for output in logger.output_formats:
        if isinstance(output, TensorBoardOutputFormat):
            output.writer.flush()
            assert output.writer.file_writer is not None
            _check_exists(Path(output.writer.file_writer.event_writer._file_name))
    _check_exists(folder / CSV)
    sizes = {p.name: p.stat().st_size for p in sorted(folder.glob(EVENTS))}
    csv = np.frombuffer((folder / CSV).read_bytes(), np.uint8)
    return Checkpoint(checkpoint.arrays | {"csv": csv}, checkpoint.facts | {"events": sizes})


class _Events(TensorBoardOutputFormat):
    """TensorBoard's output; a reader drops what an earlier process wrote from ``purge_step`` on."""

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        # Not super().__init__: it opens a writer that cannot be told the step.
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=purge_step)
        self._is_closed = False


def _check_exists(file: Path) -> None:
    if not file.exists():
        raise FileNotFoundError(f"{file}: was removed while the run was writing to it")
