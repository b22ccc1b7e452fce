"""The folder of a run: one process at a time, and stages that are done once."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from move37.agents.runs.config import FILE, Config, save_config
from move37.envs.base.works import write_atomically
from move37.novelty.storage import StorageError, read_json

PACKAGES = (
    "move37", "torch", "numpy", "stable-baselines3", "gymnasium", "numba", "scipy", "safetensors",
    "tensorboard",
)  # fmt: skip
SUMMARY = "summary.json"


class RunDir:
    """The folder of a run, held by this process alone until it is closed.

    Args:
        path: Made if it does not exist.
        resume: Whether the folder must hold a run; otherwise it must hold none.
        log: Takes one line about what happens.

    Attributes:
        finished: Whether the run in the folder is finished.

    Raises:
        ValueError: If another process holds it, or it is not what ``resume`` expects.
        OSError: If it cannot be made or written.
    """

    def __init__(self, path: Path, resume: bool, log: Callable[[str], None]) -> None:
        self.path, self._log = path, log
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
        self.finished = (path / SUMMARY).exists()
        if self.finished and not resume:
            raise ValueError(f"{path}: holds a finished run; choose another --run-dir")
        if (path / FILE).exists() and not resume:
            raise ValueError(
                f"{path}: holds an unfinished run; resume it with --resume {path}, or choose "
                "another --run-dir"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def record(self, config: Config, corpus: str) -> None:
        """Write ``config.json``, and to ``environment.json`` what the run is run with.

        On resume, what differs from the session before is logged.

        Args:
            config: Of the run.
            corpus: Fingerprint of the human works.

        Raises:
            ValueError: If the human works are others than when the run began.
        """
        now = {
            "command": [sys.executable, *sys.argv],
            "corpus": corpus,
            "threads": config.threads,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "packages": {name: _version(name) for name in PACKAGES},
        }
        path = self.path / "environment.json"
        sessions = list(read_json(path)["sessions"]) if path.exists() else []
        if sessions:
            if sessions[-1]["corpus"] != corpus:
                raise ValueError(f"{self.path}: the corpus is not the one that the run began with")
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


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
