"""Does memory grow over a long run?

    python -m benchmarks.soak --hours 1 --run-dir runs/soak      # writes runs/soak.memory.csv
    python -m benchmarks.soak --hours 0.1 --run-dir runs/soak --stop-every 120

Trains for so long that the time ends it, and writes the memory of the process every ten seconds.
What may grow is the archive, by the works that are admitted: that is counted beside it, and what is
left must not grow. With ``--stop-every`` the run is also killed at random about that often and gone
on with, as a machine would that loses power again and again.
"""

from __future__ import annotations

import argparse
import csv
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from move37.envs.base.works import Works
from move37.novelty.storage import read_npz

SAMPLE = 10.0
"""Seconds between two samples."""
SETTLED = 0.25
"""Share of the run before which growth is that of caches and buffers filling up."""
LARGEST_SLOPE = 20.0
"""MiB an hour, beyond the archive, that count as growth."""
COLUMNS = ("seconds", "process", "resident_mib", "archive_mib", "steps")


def resident(pid: int) -> float:
    """MiB of memory that a process holds; 0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def archive_mib(run: Path) -> float:
    """MiB of what the archive and the admitted works hold, from the files of the run."""
    total = 0
    try:
        total += sum(a.nbytes for a in read_npz(run / "archive.npz").values())
        works = Works.load(run / "admitted.npz")
        total += works.moves.nbytes + sum(v.nbytes for v in works.appraisal.values())
    except ValueError:  # not written yet
        pass
    return total / 2**20


def steps_of(run: Path) -> int:
    """Moves made until the last checkpoint."""
    names = sorted(p.name for p in (run / "checkpoints").glob("state-*.safetensors"))
    return int(names[-1].split("-")[1].split(".")[0]) if names else 0


def soak(run: Path, hours: float, stop_every: float, options: list[str]) -> list[list[float]]:
    """Train for so many hours; returns the rows of :data:`COLUMNS`."""
    end, rows, process_number = time.monotonic() + 3600 * hours, [], 0
    begin, rng = time.monotonic(), random.Random(0)
    run.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["--run-dir", str(run), "--env-steps", str(10**10), *options]
    while time.monotonic() < end:
        process = subprocess.Popen([sys.executable, "train.py", *arguments],
                                   stdout=subprocess.DEVNULL)  # fmt: skip
        process_number += 1
        stop = min(end, time.monotonic() + stop_every * rng.uniform(0.5, 1.5))
        while process.poll() is None and time.monotonic() < stop:
            time.sleep(SAMPLE)
            row = [time.monotonic() - begin, process_number, resident(process.pid),
                   archive_mib(run), steps_of(run)]  # fmt: skip
            rows.append(row)
            with run.with_suffix(".memory.csv").open("w", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
        if process.poll() is not None:
            raise SystemExit(f"the run ended by itself, with status {process.returncode}")
        process.send_signal(signal.SIGKILL if stop < end else signal.SIGINT)
        process.wait()
        arguments = ["--resume", str(run)]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--run-dir", type=Path, required=True, help="must not exist")
    parser.add_argument("--stop-every", type=float, default=1e9, help="seconds, about")
    args, options = parser.parse_known_args()
    options = options or ["--preset", "smoke", "--n-envs", "64", "--checkpoint-steps", "100000"]
    rows = np.array(soak(args.run_dir, args.hours, args.stop_every, options))
    last = rows[rows[:, 1] == rows[-1, 1]]  # of the last process
    since = last[0, 0] + SETTLED * (last[-1, 0] - last[0, 0])
    late = last[last[:, 0] >= since]
    rest = late[:, 2] - late[:, 3]
    slope = float(np.polyfit(late[:, 0] / 3600, rest, 1)[0]) if len(late) > 2 else float("nan")
    print(f"{rows[-1, 0] / 3600:.2f} h, {int(rows[-1, 1])} processes, {int(rows[-1, 4])} moves")
    print(
        f"memory {late[0, 2]:.0f} MiB after a quarter, {late[-1, 2]:.0f} MiB at the end; "
        f"archive and admitted works {late[0, 3]:.1f} and {late[-1, 3]:.1f} of it"
    )
    print(f"the rest grows by {slope:+.1f} MiB an hour")
    raise SystemExit(0 if slope < LARGEST_SLOPE else 1)


if __name__ == "__main__":
    main()
