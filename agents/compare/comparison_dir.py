"""The folder of a comparison: where its files are, and the terms it was made on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from move37.agents.compare.config import CompareConfig
from move37.agents.compare.evidence import DEPTHS
from move37.agents.compare.machine import machine, versions
from move37.envs.base.works import Works, write_atomically
from move37.novelty.storage import read_json

FORMAT = "move37-comparison-2"
ABSENT: dict[str, Any] = {"corpus": "", "exam": "", "first_seed": 0}
"""The value of terms that older comparisons do not name."""


def terms_of(options: CompareConfig) -> dict[str, Any]:
    """The options that must not change while a comparison is resumed (but for further runs)."""
    return {
        "format": FORMAT, "world": options.world, "corpus": options.corpus,
        "budget": options.budget, "works": options.works, "withhold": list(options.withhold),
        "first_seed": options.first_seed, "runs": [str(run) for run in options.runs],
        "exam": options.exam,
    }  # fmt: skip


def term(config: Mapping[str, Any], key: str) -> Any:
    """The value of a term in a comparison's configuration; None if it is unknown."""
    return config.get(key, ABSENT.get(key))


class Saved(NamedTuple):
    """Facts of one maker and seed; works that are the same whatever the seed have seed 0."""

    name: str
    seed: int
    facts: dict[str, Any]


class ComparisonDir:
    """The folder of a comparison.

    ``config.json`` holds its terms; ``judges/`` the frozen judges; ``makers/SEED/NAME/`` what each
    maker has learnt, or ``error.txt`` with the traceback of its failure; ``works/NAME-SEED.npz``
    its works with their measures, ``-best.npz`` the best tenth, ``.json`` further facts;
    ``evidence/NAME-SEED.json`` the measures of shift; ``joined/`` figures made elsewhere.

    Args:
        path: The folder; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.json"
        self.judges = path / "judges"
        self.joined = path / "joined"

    def config(self) -> dict[str, Any]:
        """The terms of the comparison, and where it was made.

        Raises:
            ValueError: If the folder holds none.
        """
        if not self.config_path.exists():
            raise ValueError(f"{self.path}: holds no comparison (config.json is missing)")
        return read_json(self.config_path)

    def maker(self, seed: int, key: str) -> Path:
        """The folder of what a maker has learnt."""
        return self.path / "makers" / str(seed) / key

    def works(self, name: str, seed: int, best: bool = False) -> Path:
        """The file of a maker's works, or of the best tenth of them."""
        return self.path / "works" / f"{name}-{seed}{'-best' if best else ''}.npz"

    def load_works(self, name: str, seed: int, best: bool = False) -> Works:
        """A maker's works, or the best tenth of them, with their measures."""
        return Works.load(self.works(name, seed, best))

    def facts(self, name: str, seed: int) -> dict[str, Any] | None:
        """The facts of a maker's works; None if there are no works, nor an error, yet."""
        path = self.works(name, seed).with_suffix(".json")
        return read_json(path) if path.exists() else None

    def write_facts(self, name: str, seed: int, facts: Mapping[str, Any]) -> None:
        """Write the facts of a maker's works; they count as made from now on."""
        path = self.works(name, seed).with_suffix(".json")
        write_atomically(path, json.dumps(facts, indent=2).encode())

    def saved(self, kind: str) -> Iterator[Saved]:
        """What stands in ``works``, facts or the errors of those that failed, or ``evidence``."""
        # The only place where names of files are taken apart.
        parts = ((*p.stem.rpartition("-")[::2], p) for p in (self.path / kind).glob("*.json"))
        for name, seed, path in sorted((name, int(seed), path) for name, seed, path in parts):
            yield Saved(name, seed, read_json(path))

    def evidence(self, name: str, seed: int) -> Path:
        """The file of the measures of shift of a maker."""
        return self.path / "evidence" / f"{name}-{seed}.json"

    def check(self, options: CompareConfig) -> dict[str, Any]:
        """The configuration of the comparison that is there, if it can be resumed with options.

        Empty if there is none, or one on other terms for which no maker has been fitted yet.

        Raises:
            ValueError: If the folder holds a comparison on other terms.
        """
        if not self.config_path.exists():
            return {}
        found = self.config()
        for key, value in terms_of(options).items():
            held = term(found, key)
            if held != value and not (key == "runs" and self._adds_runs(found["runs"], options)):
                if not any((self.path / part).exists() for part in ("makers", "works")):
                    return {}
                raise ValueError(
                    f"{self.path}: holds a comparison with {key} = {held!r}, not "
                    f"{value!r}; choose another --out"
                )
        return found

    def _adds_runs(self, before: list[str], options: CompareConfig) -> bool:
        """Whether runs are added for seeds of which nothing was made yet."""
        runs = [str(run) for run in options.runs]
        new = options.all_seeds[len(before) : len(runs)]
        return runs[: len(before)] == before and not any(
            self.maker(seed, "").exists() for seed in new
        )

    def claim(self, options: CompareConfig, before: Mapping[str, Any]) -> None:
        """Write the terms, commands and machines, after those that were there ``before``."""
        if not before:  # judges that are there were fitted on other terms
            shutil.rmtree(self.judges, ignore_errors=True)
        commands = [text for text in (*before.get("commands", ()), options.command) if text]
        here = {"machine": machine(), "versions": versions()}
        places = [place for place in before.get("places", ()) if place != here]
        config = terms_of(options) | {
            "seeds": options.seeds, "threads": options.threads, "scale": asdict(options.scale),
            "commands": list(dict.fromkeys(commands)), "places": [*places, here],
            "depth": asdict(DEPTHS[options.budget]),
        }  # fmt: skip
        write_atomically(self.config_path, json.dumps(config, indent=2).encode())
