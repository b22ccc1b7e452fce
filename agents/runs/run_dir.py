"""The folder of a run: one process at a time, and stages that are done once."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from filelock import BaseFileLock, FileLock, Timeout

from move37.agents.runs.config import FILE, Config, load_config, save_config
from move37.agents.runs.run_log import CSV, EVENTS
from move37.envs.base.works import write_atomically
from move37.novelty.storage import StorageError, read_json

PACKAGES = (
    "move37", "torch", "numpy", "stable-baselines3", "gymnasium", "numba", "scipy", "safetensors",
    "tensorboard",
)  # fmt: skip
SUMMARY, ENVIRONMENT, LEFT_OUT = "summary.json", "environment.json", "left-out.txt"
NEWEST, BEST = "newest.png", "best.png"
LOCK, PROCESS = ".lock", ".process"
"""The locked file, and the one that says who locked it: some systems let nobody read the former."""


class RunDir:
    """The folder of a run, held by this process alone until it is closed.

    Args:
        config: Of the run; its folder is made if it does not exist.
        resume: Whether the folder must hold a run. Otherwise an unfinished run with the same
            options is resumed too, and what was left by one that had not begun to learn is removed.
        log: Takes one line about what happens.

    Attributes:
        config: As given, but that a resumed run keeps its number of threads.
        resumed: Whether the folder holds what an earlier process did of this run.
        finished: Whether the run in the folder is finished.

    Raises:
        ValueError: If another process holds the folder, or a run in it is in the way.
        OSError: If it cannot be made or written.
    """

    def __init__(self, config: Config, resume: bool, log: Callable[[str], None]) -> None:
        self.config, self._log, self._must_resume = config, log, resume
        self.path = path = Path(config.run_dir)
        if not resume:
            path.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_of(path)
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(in_use(path)) from None
        try:
            (path / PROCESS).write_text(str(os.getpid()), "utf-8")
            self.finished = (path / SUMMARY).exists()
            self.resumed = resume
            if not resume:
                self._begin_or_resume()
        except BaseException:
            self._lock.release()
            raise

    def _begin_or_resume(self) -> None:
        if reason := taken(self.config):
            raise ValueError(f"{reason}; choose another --run-dir")
        if not (self.path / FILE).exists():
            return
        found = load_config(self.path)
        if different(found, self.config):
            self._begin_anew("it had other options")
        else:
            self._log(f"{self.path}: resuming the unfinished run there, with the same options")
            self.config, self.resumed = found, True

    def _begin_anew(self, why: str) -> None:
        """Remove what was left by a run that had not begun to learn."""
        self._log(f"{self.path}: what was left of a run that had not begun to learn goes; {why}")
        shutil.rmtree(self.path / "stages", ignore_errors=True)
        for pattern in (FILE, ENVIRONMENT, LEFT_OUT, CSV, EVENTS, NEWEST, BEST):
            for file in self.path.glob(pattern):
                file.unlink()
        self.resumed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        (self.path / PROCESS).unlink(missing_ok=True)
        if not (self.path / ENVIRONMENT).exists():  # refused: nothing was done here
            with suppress(OSError):  # Windows removes no locked file, nobody a folder with more
                (self.path / LOCK).unlink(missing_ok=True)
                self.path.rmdir()
        self._lock.release()

    def record(self, config: Config, corpus: str) -> None:
        """Write ``config.json``, and to ``environment.json`` what the run is run with.

        On resume, what differs from the session before is logged.

        Args:
            config: Of the run.
            corpus: Fingerprint of the human works.

        Raises:
            ValueError: If the human works are others than when the run began to learn.
        """
        now = {
            "command": [sys.executable, *sys.argv],
            "corpus": corpus,
            "threads": config.threads,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "packages": {name: _version(name) for name in PACKAGES},
        }
        path = self.path / ENVIRONMENT
        sessions = list(read_json(path)["sessions"]) if path.exists() else []
        if sessions and sessions[-1]["corpus"] != corpus:
            if self._must_resume or _learned(self.path):
                raise ValueError(f"{self.path}: the corpus is not the one that the run began with")
            self._begin_anew("the human works were others")
            sessions = []
        if sessions:
            self._log_differences(sessions[-1], now)
        else:
            save_config(config)
        text = json.dumps({"sessions": [*sessions, now]}, indent=2)
        write_atomically(path, text.encode())

    def _log_differences(self, then: dict[str, Any], now: dict[str, Any]) -> None:
        before, after = ({**session, **session["packages"]} for session in (then, now))
        for key in ("python", "machine", *PACKAGES):
            if before.get(key) != after[key]:
                self._log(
                    f"{key} was {before.get(key)}, is {after[key]}: the result may differ from "
                    "that of an uninterrupted run"
                )

    def stage(self, name: str, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """Do a stage of the run, unless it is done already.

        ``stages/NAME.json`` holds its result with the SHA-256 of itself and of every file of the
        stage. If one of them is missing or damaged, the stage is done again.

        Args:
            name: Of the stage.
            make: Is given an empty folder; every file that it writes there is moved to the run's
                folder. Returns the result, as JSON can hold it.

        Returns:
            The result.
        """
        record = self.path / "stages" / f"{name}.json"
        if record.exists():
            try:
                return self._checked_result(record)
            except (StorageError, OSError, KeyError, TypeError, AttributeError) as error:
                self._log(f"{error}; the stage {name!r} is done again")
        scratch = self.path / "stages" / f"{name}.tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        result: dict[str, Any] = json.loads(json.dumps(make(scratch)))
        files = {p.name: _sha256(p.read_bytes()) for p in sorted(scratch.iterdir())}
        for file in files:
            (scratch / file).replace(self.path / file)
        scratch.rmdir()
        checksum = _sha256(json.dumps(result).encode())
        text = json.dumps({"result": result, "sha256": checksum, "files": files}, indent=2)
        write_atomically(record, text.encode())
        return result

    def _checked_result(self, record: Path) -> dict[str, Any]:
        """The result of a stage.

        Raises:
            StorageError: If the record or a file of the stage is damaged.
            OSError: If a file is missing.
        """
        found = read_json(record)
        result: dict[str, Any] = found["result"]
        if found["sha256"] != _sha256(json.dumps(result).encode()):
            raise StorageError(f"{record}: the checksum is wrong")
        for file, expected in found["files"].items():
            if _sha256((self.path / file).read_bytes()) != expected:
                raise StorageError(f"{self.path / file}: the checksum is wrong")
        return result


def taken(config: Config) -> str:
    """Why no run with these options can begin or be resumed in its folder; empty if one can."""
    path = Path(config.run_dir)
    if (path / SUMMARY).exists():
        return f"{path}: holds a finished run"
    if not (path / FILE).exists():
        return ""
    try:
        options = different(load_config(path), config)
    except ValueError as error:  # of an earlier version, for instance
        return str(error)
    if options and _learned(path):
        return (
            f"{path}: holds an unfinished run with another {', '.join(options)}, which "
            f"--resume {shlex.quote(str(path))} resumes"
        )
    return ""


def in_use(path: Path) -> str:
    """Which process works in a folder; empty if none does."""
    if not path.is_dir():
        return ""
    lock = _lock_of(path)
    try:
        lock.acquire()
    except Timeout:
        holder = path / PROCESS
        number = holder.read_text("utf-8", "replace")[:20] if holder.exists() else "?"
        return f"{path}: process {number} is working in it"
    lock.release()
    return ""


def different(one: Config, other: Config) -> list[str]:
    """Options in which two runs differ, as they are typed; folder and threads do not count."""
    return [
        f"--{item.name.replace('_', '-')}"
        for item in fields(Config)
        if item.name not in ("run_dir", "threads")
        and getattr(one, item.name) != getattr(other, item.name)
    ]


def _learned(path: Path) -> bool:
    """Whether a network has begun to learn: to imitate, or from the reward."""
    return any((*path.glob("stages/imitation*"), *path.glob("checkpoints/state-*")))


def _lock_of(path: Path) -> BaseFileLock:
    return FileLock(path / LOCK, blocking=False, thread_local=False)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
