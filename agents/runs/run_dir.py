"""The folder of a run: one process at a time, finished stages, its logs, and how it is stopped."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np
from stable_baselines3.common.logger import (
    CSVOutputFormat,
    KVWriter,
    Logger,
    TensorBoardOutputFormat,
)
from torch.utils.tensorboard import SummaryWriter

from move37.agents.runs.checkpoint_io import Checkpoint, save_checkpoint
from move37.agents.runs.train_state import TrainState
from move37.envs.base.batch import NotFiniteError
from move37.envs.base.works import write_atomically
from move37.novelty.storage import StorageError, read_json

PACKAGES = (
    "move37", "torch", "numpy", "stable-baselines3", "gymnasium", "numba", "scipy", "safetensors",
    "tensorboard",
)  # fmt: skip
CSV = "progress.csv"
EVENTS = "events.out.tfevents.*"


class RunDir:
    """A run's folder, held by this process alone until it is closed.

    Args:
        path: Made if it is not there.
        resume: Whether a run is expected in it; else there must be none.
        log: Takes one line about what happens.

    Raises:
        ValueError: If another process holds it, or it is not what ``resume`` expects.
        OSError: If it cannot be made or written.
    """

    def __init__(self, path: Path, resume: bool, log: Callable[[str], None]) -> None:
        self.path, self.resume, self._log = path, resume, log
        if not resume:
            path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock, 20).decode(errors="replace")
            os.close(self._lock)
            raise ValueError(f"{path}: process {holder} is working in it") from None
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        self.finished = (path / "summary.json").exists()
        if self.finished and not resume:
            raise ValueError(f"{path}: holds a finished run; choose another --run-dir")
        if (path / "config.json").exists() and not resume:
            raise ValueError(
                f"{path}: holds an unfinished run; go on with --resume {path}, or choose another "
                "--run-dir"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def record(self, options: dict[str, Any], corpus: str) -> None:
        """Write the options and under what the run runs; say what differs from where it began.

        Raises:
            ValueError: If the human works are others than when the run began.
        """
        versions = {name: _version(name) for name in PACKAGES}
        now = {
            "command": [sys.executable, *sys.argv],
            "corpus": corpus,
            "threads": options["threads"],
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "packages": versions,
        }
        path = self.path / "environment.json"
        sessions = list(read_json(path)["sessions"]) if path.exists() else []
        if sessions:
            then = sessions[-1]
            if then["corpus"] != corpus:
                raise ValueError(f"{self.path}: the corpus is not the one that the run began with")
            was = {**then, **then["packages"]}
            for key, value in {**now, **versions}.items():
                if key not in ("command", "packages", "threads") and was.get(key) != value:
                    self._log(
                        f"{key} was {was.get(key)}, is {value}: the run may differ from one that "
                        "never stopped"
                    )
        else:
            write_atomically(self.path / "config.json", json.dumps(options, indent=2).encode())
        text = json.dumps({"sessions": [*sessions, now]}, indent=2)
        write_atomically(path, text.encode())

    def stage(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of a stage of the run, made only once.

        It is kept in ``stages/NAME.json`` with the SHA-256 of itself and of every file that
        ``make`` wrote in the folder. If any of them is missing or damaged, it is made anew.
        """
        kept = self.path / "stages" / f"{name}.json"
        if kept.exists():
            try:
                found = read_json(kept)
                result: dict[str, Any] = found["result"]
                if found["sha256"] != _hash(json.dumps(result).encode()):
                    raise StorageError(f"{kept}: the checksum is wrong")
                for file, expected in found["files"].items():
                    if _hash((self.path / file).read_bytes()) != expected:
                        raise StorageError(f"{self.path / file}: the checksum is wrong")
                return result
            except (StorageError, OSError, KeyError, TypeError, AttributeError) as error:
                self._log(f"{error}; the stage {name!r} is done again")
        before = {p.name: p.stat().st_mtime_ns for p in self.path.iterdir() if p.is_file()}
        result = json.loads(json.dumps(make()))
        files = {
            p.name: _hash(p.read_bytes())
            for p in sorted(self.path.iterdir())
            if p.is_file() and p.stat().st_mtime_ns != before.get(p.name)
        }
        text = json.dumps({"result": result, "sha256": _hash(json.dumps(result).encode()),
                           "files": files}, indent=2)  # fmt: skip
        write_atomically(kept, text.encode())
        return result

    def open_log(self, snapshot: Checkpoint | None) -> Logger:
        """The logger, to TensorBoard and CSV, as it was when the snapshot was taken.

        Whatever was written after it is cut off, so that nothing stands twice.
        """
        sizes = snapshot.facts["events"] if snapshot else {}
        for file in self.path.glob(EVENTS) if self.resume else ():
            if file.name not in sizes:
                file.unlink()
        for name, size in sizes.items():
            file = self.path / name
            if not file.exists() or file.stat().st_size < size:
                self._log(f"{file}: is gone; TensorBoard lacks the curves it held")
            else:
                os.truncate(file, size)
        # What the end of a run writes is not in any snapshot.
        if self.resume:
            for folder in self.path.glob("[0-9]*/archive"):
                shutil.rmtree(folder.parent)
            (self.path / "projector_config.pbtxt").unlink(missing_ok=True)
        table = CSVOutputFormat(str(self.path / CSV))
        if snapshot and (text := snapshot.arrays["csv"].tobytes().decode()):
            table.file.write(text)
            table.file.flush()
            table.keys = text.split("\n", 1)[0].split(",")
        step = int(snapshot.facts["num_timesteps"]) + 1 if snapshot else None
        outputs: list[KVWriter] = [_Events(self.path, step), table]
        return Logger(str(self.path), outputs)

    def snapshot(self, train_state: TrainState) -> Checkpoint:
        """The session's state with that of the logs.

        Raises:
            OSError: If a log is gone or cannot be written.
        """
        state = train_state.capture()
        for output in train_state.model.logger.output_formats:
            if isinstance(output, TensorBoardOutputFormat):
                output.writer.flush()
                assert output.writer.file_writer is not None
                _expect(Path(output.writer.file_writer.event_writer._file_name))
        _expect(self.path / CSV)
        sizes = {p.name: p.stat().st_size for p in sorted(self.path.glob(EVENTS))}
        csv = np.frombuffer((self.path / CSV).read_bytes(), np.uint8)
        return Checkpoint(state.arrays | {"csv": csv}, state.facts | {"events": sizes})

    def keep_failure(self, train_state: TrainState, error: NotFiniteError) -> Path:
        """Save the state in which a number was not finite, and what it came from."""
        state = train_state.capture()
        arrays = state.arrays | {f"error/{key}": np.asarray(v) for key, v in error.arrays.items()}
        path = self.path / "failures" / f"state-{train_state.model.num_timesteps:010d}.safetensors"
        save_checkpoint(path, Checkpoint(arrays, state.facts | {"error": str(error)}))
        return path


class _Events(TensorBoardOutputFormat):
    """TensorBoard's output, which drops on reading what an earlier process wrote after a step."""

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        # Not super().__init__: it opens a writer that cannot be told the step.
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=purge_step)
        self._is_closed = False


class Interrupts:
    """Ctrl-C and SIGTERM: at once, or once the work in hand is done.

    Attributes:
        patient: While true the first signal only sets ``asked``; the second stops at once.
        asked: Whether somebody wants the run to stop.
    """

    def __init__(self) -> None:
        self.patient = self.asked = False
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.patient or self.asked:
            raise KeyboardInterrupt
        self.asked = True
        # Not print: it may be what the signal interrupted.
        os.write(2, b"\nstopping once this is saved; again to stop at once\n")


def quiet_writers() -> None:
    """Say nothing of a failed write in a thread: TensorBoard's is raised where one writes next."""

    def report(error: threading.ExceptHookArgs) -> None:
        if not isinstance(error.exc_value, OSError):
            threading.__excepthook__(error)

    threading.excepthook = report


def _expect(file: Path) -> None:
    if not file.exists():
        raise FileNotFoundError(f"{file}: was removed while the run was writing to it")


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
