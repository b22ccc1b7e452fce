"""Time the novelty archive against a bare matrix product and against ribs' ProximityArchive.

    python -m benchmarks.archive

Every round times all contenders one after another; the table gives medians of the rounds, and
ratios of medians, so that a busy machine slows all alike. Writes benchmarks/results/archive.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ribs
import scipy
import torch
from ribs.archives import ProximityArchive

from move37.agents.compare.machine import machine
from move37.novelty.archive import NoveltyArchive

QUERIES, DIM, K = 128, 48, 15


def descriptors(n: int, kind: str, rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=(n, DIM)).astype(np.float32)
    if kind == "decaying":  # standard deviations 1, 1/2, 1/3, ..., as after a PCA
        x /= np.arange(1, DIM + 1, dtype=np.float32)
    return x


def median_seconds(
    contenders: dict[str, Callable[[], object]], rounds: dict[str, int]
) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(max(rounds.values())):
        for name, call in contenders.items():
            if i < rounds[name]:
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in times.items()}


def measure(n: int, kind: str, rounds: int, ribs_rounds: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    entries, queries = descriptors(n, kind, rng), descriptors(QUERIES, kind, rng)
    a, b = torch.from_numpy(queries), torch.from_numpy(entries)
    ours = NoveltyArchive(DIM, K, capacity=n)
    ours.pin(entries)
    theirs = ProximityArchive(
        solution_dim=1, measure_dim=DIM, k_neighbors=K, novelty_threshold=0, initial_capacity=n
    )
    theirs.add(np.zeros((n, 1)), np.zeros(n), entries)
    np.testing.assert_allclose(
        ours.novelty(queries), theirs.compute_novelty(queries.astype(np.float64)), rtol=1e-5
    )
    contenders: dict[str, Callable[[], object]] = {
        "product": lambda: a @ b.T,
        "ours": lambda: ours.novelty(queries),
        "ribs": lambda: theirs.compute_novelty(queries),
    }
    median_seconds(contenders, {"product": 3, "ours": 3, "ribs": 1})  # warm up
    t = median_seconds(contenders, {"product": rounds, "ours": rounds, "ribs": ribs_rounds})
    return [
        f"{n:,}",
        kind,
        f"{t['product'] * 1e3:.2f} ms",
        f"{t['ours'] * 1e3:.2f} ms",
        f"{t['ribs'] * 1e3:.0f} ms",
        f"{t['ours'] / t['product']:.2f}",
        f"{t['ribs'] / t['ours']:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100, help="of our archive and the product")
    parser.add_argument("--ribs-rounds", type=int, default=3, help="ribs takes seconds")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [
        [
            "entries",
            "descriptors",
            "matrix product",
            "ours",
            "ribs",
            "ours / product",
            "ribs / ours",
        ]
    ]
    rows.append(["---"] * len(rows[0]))
    for kind in ("gaussian", "decaying"):
        for n in (10_000, 100_000):
            rows.append(measure(n, kind, args.rounds, args.ribs_rounds, args.seed))
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    print(table)
    command = " ".join(["python -m benchmarks.archive", *sys.argv[1:]])
    text = f"""# Novelty of a batch

`{command}`

Novelty (mean distance to the {K} nearest) of {QUERIES} descriptors of {DIM} numbers, exact, against
one bare torch matrix product of the same size (`queries @ entries.T`) and against
`ribs.archives.ProximityArchive.compute_novelty` (a k-d tree). Both archives gave the same numbers
(relative difference below 1e-5). Medians of {args.rounds} interleaved rounds, {args.ribs_rounds}
for ribs. "gaussian": every direction equally wide, the worst case for a tree; "decaying": standard
deviations 1, 1/2, 1/3, ..., so that few directions matter: easy for a tree.

{table}

Building: ribs makes a new tree at every `add` (not timed here), ours writes the new columns.

Machine: {machine()["CPU"]}, {os.cpu_count()} cores, torch on {args.threads} thread(s),
seed {args.seed}. Python {platform.python_version()}, torch {torch.__version__},
numpy {np.__version__}, scipy {scipy.__version__}, ribs {ribs.__version__}.
"""
    results = Path(__file__).parent / "results" / "archive.md"
    results.parent.mkdir(exist_ok=True)
    results.write_text(text)


if __name__ == "__main__":
    main()
