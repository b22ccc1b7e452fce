"""A comparison: every maker makes equally many works, and one frozen panel measures them all.

Whatever is made is kept at once (``works/NAME-SEED.npz`` and ``.json``), so that a comparison that
was stopped goes on where it was, and its report can be made again without making anything.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from move37.agents.compare.config import (
    EXAMINED,
    CompareConfig,
    Entry,
    check_run,
    chosen_entries,
    machine,
    versions,
)
from move37.agents.compare.evaluation_suite import (
    EvaluationSuite,
    Judge,
    LanguageModel,
    SecondOpinion,
)
from move37.agents.compare.evidence import DEPTHS, NOISE, Evidence, noise, withheld_works
from move37.agents.compare.joining import check_terms, read_joined, term
from move37.agents.compare.model_store import ModelStore
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Evaluator, World, examined, make_world
from move37.novelty.statistics import plain

BEST_SHARE = 10
"""The best of a maker are the best tenth of its works by its own reward."""
FORMAT = "move37-comparison-2"
MORE_SHARE = 10
"""Works beyond a maker's stock, as a share of those compared, by which its price is found."""
OWN_SCORE = "own_score"
"""The term of saved works by which the best were chosen."""


class Comparison:
    """Makes and measures; see :meth:`run`.

    Args:
        options: What is compared.
        log: Takes one line about what happens.
    """

    def __init__(self, options: CompareConfig, log: Callable[[str], None] = print) -> None:
        self.options, self.log = options, log
        self.entries = chosen_entries(options.only)
        self.out = options.out
        self.world: World
        self.model_store: ModelStore
        self._evidence: dict[int, Evidence] = {}

    def run(self) -> None:
        """Make and measure whatever is not there yet, one after the other.

        A maker that raises is noted with its error, and the others go on.
        """
        added = self.begin()
        suite = self.measure_given(added)
        for seed in self.options.all_seeds:
            self.make(suite, self.entries, seed)
        for name, seed in self.examined():
            self.examine(name, seed)

    def begin(self) -> list[tuple[str, Works, list[str]]]:
        """Check what is asked for, claim the folder and make the judges ready.

        Returns:
            Of each kind of works brought along its name, the works, and what was left out and why.

        Raises:
            ValueError: If the folder holds another comparison, or a run or a folder is refused.
        """
        options = self.options
        before = self._check_folder()
        self._read_world()
        for path in options.joined:
            check_terms(path, read_joined(path), self._terms())
        for run in options.runs:
            check_run(run, self.world, options.scale, options.withhold, options.corpus)
        added = [(name, *self.world.read_folder(folder)) for name, folder in options.added]
        self._claim_folder(before)
        self._make_ready()
        return added

    def enter(self) -> None:
        """Take part in a comparison that another process has begun."""
        self._read_world()
        self._make_ready()

    def _read_world(self) -> None:
        torch.set_num_threads(self.options.threads)
        options, limit = self.options, self.options.scale.human_works
        world = make_world(options.world, options.corpus, options.withhold, limit)
        self.world = examined(world, options.exam)

    def _make_ready(self) -> None:
        self.evaluator, self.second = self._judges()
        self.model_store = ModelStore(self.options, self.world, self.evaluator, self.log)

    def measure_given(self, added: Sequence[tuple[str, Works, list[str]]]) -> EvaluationSuite:
        """Measure what nobody has to make: human works, and those brought along."""
        suite = self.suite()
        for name, works in (("human", self.world.held_out), ("outsiders", self.world.outsiders)):
            if len(works) and not self._facts_path(name, 0).exists():
                self._keep(suite, name, 0, works, suite.scorer.score, {})
        if self.options.evidence and not self._facts_path(NOISE, 0).exists():
            works = noise(self.world.train, self.options.works, np.random.default_rng(39))
            self._keep(suite, NOISE, 0, works, suite.scorer.score, {})
        for name, works, left_out in added:
            facts = {"added": True, "found": len(works), "left_out": left_out}
            self._keep(
                suite, name, 0, works[: self.options.works], suite.scorer.score, facts
            )  # fmt: skip
        return suite

    def make(self, suite: EvaluationSuite, entries: Sequence[Entry], seed: int) -> None:
        """Make and measure works of one seed, where they are not there yet."""
        for entry in entries:
            if not self._facts_path(entry.name, seed).exists() or self._failed(entry, seed):
                self._make_works(suite, entry, seed)
        self.model_store.forget_makers()

    def examined(self) -> list[tuple[str, int]]:
        """Makers and seeds of which evidence is asked; those without seeds with the first."""
        options = self.options
        if not options.evidence:
            return []
        fixed = ["human", "outsiders", NOISE, *(name for name, _ in options.added)]
        out = [(name, 0) for name in fixed if self._facts_path(name, 0).exists()]
        for seed in options.all_seeds:
            for entry in self.entries:
                if entry.temperature is None or entry.temperature in EXAMINED:
                    out.append((entry.name, seed))
        return out

    def examine(self, name: str, seed: int) -> None:
        """Take the evidence of shift of one maker, if it is not there yet."""
        path, facts = self.out / "evidence" / f"{name}-{seed}.json", self._facts_path(name, seed)
        if path.exists() or "error" in json.loads(facts.read_text()):
            return
        works, best = (
            Works.load(facts.with_name(f"{name}-{seed}{suffix}.npz")) for suffix in ("", "-best")
        )
        if seed not in self._evidence:
            self._evidence = {seed: self._new_evidence(seed)}
        path.parent.mkdir(exist_ok=True)
        found = self._evidence[seed].measure(works, best, name)
        write_atomically(path, json.dumps(plain(found), indent=1).encode())
        self.log(f"{name}, seed {seed}: evidence taken")

    def _new_evidence(self, seed: int) -> Evidence:
        options, works = self.options, self.out / "works"
        yields = {
            entry.temperature: Works.load(path).appraisal["yield"].mean()
            for entry in self.entries
            if entry.recipe == "imitator" and (path := works / f"{entry.name}-{seed}.npz").exists()
        }
        temperature = max(yields, key=lambda t: yields[t]) if yields else 1.0
        best = works / f"learner-{seed}-best.npz"
        withheld = None
        if options.withhold:
            whole = make_world(options.world, options.corpus)
            withheld = withheld_works(whole, options.withhold)
        return Evidence(
            self.world, self.evaluator, self.model_store.network(seed), float(temperature or 1.0),
            Works.load(best) if best.exists() else None, DEPTHS[options.budget], seed, withheld,
            self.log,
        )  # fmt: skip

    def _check_folder(self) -> dict[str, Any]:
        """What the comparison that is there already says of itself, if it can be gone on with.

        Raises:
            ValueError: If the folder holds a comparison that cannot.
        """
        path = self.out / "config.json"
        if not path.exists():
            return {}
        found: dict[str, Any] = json.loads(path.read_text())
        for key, value in self._terms().items():
            held = term(found, key)
            if held != value and not (key == "runs" and self._adds_runs(found["runs"])):
                raise ValueError(
                    f"{self.out}: holds a comparison with {key} = {held!r}, not "
                    f"{value!r}; choose another --out"
                )
        return found

    def _adds_runs(self, before: list[str]) -> bool:
        """Whether runs are added for seeds of which nothing was made yet."""
        runs = [str(run) for run in self.options.runs]
        new = self.options.all_seeds[len(before) : len(runs)]
        return runs[: len(before)] == before and not any(
            (self.out / "makers" / str(seed)).exists() for seed in new
        )

    def _terms(self) -> dict[str, Any]:
        """Options that cannot change while a comparison goes on, but for runs of further seeds."""
        options = self.options
        return {
            "format": FORMAT, "world": options.world, "corpus": options.corpus,
            "budget": options.budget, "works": options.works, "withhold": list(options.withhold),
            "first_seed": options.first_seed, "runs": [str(run) for run in options.runs],
            "exam": options.exam,
        }  # fmt: skip

    def _claim_folder(self, before: dict[str, Any]) -> None:
        """Write what is asked for, and on which machines, after what was there ``before``."""
        options = self.options
        asked = [command for command in (*before.get("commands", ()), options.command) if command]
        here = {"machine": machine(), "versions": versions()}
        places = [place for place in before.get("places", ()) if place != here]
        more = {
            "seeds": options.seeds, "threads": options.threads, "scale": asdict(options.scale),
            "commands": list(dict.fromkeys(asked)), "places": [*places, here],
            "depth": asdict(DEPTHS[options.budget]),
        }  # fmt: skip
        data = json.dumps(self._terms() | more, indent=2).encode()
        write_atomically(self.out / "config.json", data)

    def _judges(self) -> tuple[Evaluator, Judge | None]:
        """The frozen judges: trained, or read from the folder if they are there."""
        world, scale, folder = self.world, self.options.scale, self.out / "judges"
        done = folder / "done.json"
        second: Judge | None = None
        if done.exists():
            evaluator = type(world).load_evaluator(folder)
            if isinstance(world, SecondOpinion):
                second = world.load_second_judge(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            evaluator = world.fit_evaluator(scale.critic_updates, scale.pools)
            evaluator.save(folder)
            if isinstance(world, SecondOpinion):
                second = world.second_judge(scale.critic_updates)
                second.save(folder)
            write_atomically(done, b"{}")
            self.log("the judges are ready")
        return evaluator, second

    def suite(self) -> EvaluationSuite:
        """The frozen panel, and what it says of works whose order is known."""
        language: LanguageModel | None = None
        try:
            made, _ = self.model_store.maker(Entry("rnn", "rnn"), 0)
            language = made if isinstance(made, LanguageModel) else None
        except Exception as error:  # whatever a maker does wrong must not stop the others
            self.log(f"no char-RNN to measure bits with: {type(error).__name__}: {error}")
        suite = EvaluationSuite.of(
            self.world, self.evaluator, self.second, self.model_store.scorer(0), language
        )
        trials = self.out / "judges" / "trials.json"
        if not trials.exists():
            write_atomically(trials, json.dumps(suite.trials()).encode())
        return suite

    def _facts_path(self, name: str, seed: int) -> Path:
        return self.out / "works" / f"{name}-{seed}.json"

    def _failed(self, entry: Entry, seed: int) -> bool:
        return "error" in json.loads(self._facts_path(entry.name, seed).read_text())

    def _keep(
        self,
        suite: EvaluationSuite,
        name: str,
        seed: int,
        works: Works,
        score: Callable[[Works], NDArray[np.float64]],
        facts: dict[str, Any],
        inputs: Works | None = None,
    ) -> None:
        """Measure works and their best tenth, and write them.

        Args:
            suite: Measures.
            name: Whose works they are.
            seed: The maker's.
            works: N works.
            score: The reward by which the best are chosen, works -> (N,).
            facts: Kept beside the works.
            inputs: What each work was made from; None for makers that are no filters.
        """
        path = self._facts_path(name, seed)
        own = np.asarray(score(works), np.float64)
        chosen = np.argsort(-own, kind="stable")[: max(1, len(works) // BEST_SHARE)]
        best = works[chosen]
        for suffix, some, rows in (("-best", best, chosen), ("", works, np.arange(len(works)))):
            terms = suite.measure(some)
            if inputs is not None:
                terms |= suite.departure(some, inputs[rows])
            if not suffix:
                terms[OWN_SCORE] = own
            some.with_appraisal(terms).save(path.with_name(f"{name}-{seed}{suffix}.npz"))
        facts |= {"vendi": suite.vendi(works), "best_vendi": suite.vendi(best)}
        write_atomically(path, json.dumps(facts, indent=2).encode())
        self.log(f"{name}, seed {seed}: {len(works)} works")

    def _make_works(self, suite: EvaluationSuite, entry: Entry, seed: int) -> None:
        options = self.options
        try:
            maker, facts = self.model_store.maker(entry, seed)
            rng = self._rng(entry, seed)
            begin, cpu, n = time.perf_counter(), time.process_time(), options.works
            works = maker.generate(n, rng)
            if maker.stock:
                # What it has in stock was paid for before; asked is what more costs.
                begin, cpu, n = time.perf_counter(), time.process_time(), max(1, n // MORE_SHARE)
                maker.generate(maker.stock + n, rng)
            facts |= {
                "env_steps": maker.env_steps,
                "seconds_per_1000": 1000 * (time.perf_counter() - begin) / n,
                "cpu_per_1000": 1000 * (time.process_time() - cpu) / n,
            }
            inputs = maker.inputs(len(works), self._rng(entry, seed))

            def score(works: Works) -> NDArray[np.float64]:
                own = maker.score(works)
                return self.model_store.scorer(seed).score(works) if own is None else own

            self._keep(suite, entry.name, seed, works, score, facts, inputs)
        except Exception as error:  # named in the report; the others go on
            text = f"{type(error).__name__}: {error}"
            self.log(f"{entry.name}, seed {seed}: FAILED: {text}")
            data = json.dumps({"error": text}, indent=2).encode()
            write_atomically(self._facts_path(entry.name, seed), data)

    @staticmethod
    def _rng(entry: Entry, seed: int) -> np.random.Generator:
        return np.random.default_rng((seed, zlib.crc32(entry.name.encode())))
