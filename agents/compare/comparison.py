"""A comparison: every maker makes equally many works, and the same frozen judges measure them all.

Whatever is made is written at once (see :class:`ComparisonDir`), so that an interrupted comparison
is resumed by the same command, and its report can be made again without making anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from move37.agents.compare.comparison_dir import ComparisonDir, terms_of
from move37.agents.compare.config import CompareConfig
from move37.agents.compare.entries import SHIFT_TEMPERATURES, Entry
from move37.agents.compare.evaluation_suite import EvaluationSuite, Likelihood, judges
from move37.agents.compare.evidence import DEPTHS, NOISE, Evidence, to_json, withheld_works
from move37.agents.compare.joining import check_terms, read_joined
from move37.agents.compare.model_store import MakerError, ModelStore, check_run
from move37.agents.measures.influence import noise_works
from move37.agents.measures.likelihoods import moves_alone
from move37.envs.base.registry import make_world
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import Evaluator, SecondJudge, World
from move37.envs.progress import doing
from move37.novelty.storage import printable

BEST_SHARE = 10
"""The best of a maker are the best tenth of its works by its own reward."""
OWN_SCORE = "own_score"
"""The term of saved works by which the best were chosen."""

Added = list[tuple[str, Works, list[str]]]
"""Works of other makers: their name, the works, and what was left out and why."""


class Comparison:
    """Makes works and measures them; see :meth:`run`.

    Args:
        options: What is compared.
        log: Takes one line about what happens.

    Attributes:
        began: When it was made (Unix time).
    """

    def __init__(self, options: CompareConfig, log: Callable[[str], None] = print) -> None:
        self.options, self.log, self.began = options, log, time.time()
        self.entries = options.entries
        self.folder = ComparisonDir(options.out)
        self._evidence = lru_cache(1)(self.new_evidence)  # seeds come one after the other
        torch.set_num_threads(options.threads)

    def run(self) -> None:
        """Make and measure whatever is not there yet, one after the other.

        A maker that fails is noted with its error, and the others go on.
        """
        added = self.begin()
        self.measure_given(added)
        for seed in self.options.all_seeds:
            self.make(self.entries, seed)
        for name, seed in self.evidence_tasks():
            self.take_evidence(name, seed)

    def begin(self) -> Added:
        """Check what is asked for, claim the folder and fit the judges.

        Returns:
            The works of other makers.

        Raises:
            ValueError: If the folder holds another comparison, or a run or a folder is refused.
        """
        options = self.options
        before = self.folder.check(options)
        for path in options.joined:
            check_terms(path, read_joined(path), terms_of(options))
        world = self.world
        for run in options.runs:
            check_run(run, world, options)
        self._log_left_out("corpus", [f"{label}: {reason}" for label, reason in world.left_out])
        added = [self._read_added(name, folder) for name, folder in options.added]
        self.folder.claim(options, before)
        _ = self._judges  # before other processes need them
        return added

    def _read_added(self, name: str, folder: Path) -> tuple[str, Works, list[str]]:
        works, left_out = self.world.read_folder(folder)
        return name, works, self._log_left_out(name, left_out)

    def _log_left_out(self, name: str, left_out: Sequence[str]) -> list[str]:
        """Say what of some works could not be used; returns it as it may be printed."""
        lines = [printable(line) for line in left_out]
        if lines:
            self.log(f"{name}: {len(lines)} works left out (the last: {lines[-1]})")
        return lines

    @cached_property
    def world(self) -> World:
        """The world with its human works."""
        options, limit = self.options, self.options.scale.human_works
        with doing("reading the human works", self.log):
            world = make_world(options.world, options.corpus, options.withhold, limit)
        return world.for_exam(options.exam)

    @cached_property
    def _judges(self) -> tuple[Evaluator, SecondJudge | None]:
        with doing("fitting the judges", self.log):
            return judges(self.world, self.options.scale, self.folder.judges, self.log)

    @cached_property
    def model_store(self) -> ModelStore:
        """The makers."""
        return ModelStore(self.options, self.world, self._judges[0], self.log)

    @cached_property
    def suite(self) -> EvaluationSuite:
        """The frozen judges together; their trials are written when they are not there yet."""
        language: Likelihood | None = None
        rnn = Entry("rnn", "rnn")
        try:
            maker, _ = self.model_store.maker(rnn, 0)
            language = maker.log_likelihood
        except MakerError as error:
            self._note_failure(rnn, 0, error)
            self.log(f"no char-RNN to measure description lengths with: {error.text}")
        with doing("trying the judges", self.log):
            suite = EvaluationSuite(self.world, *self._judges, self.model_store.scorer(0), language)
            trials = self.folder.judges / "trials.json"
            if not trials.exists():
                write_atomically(trials, json.dumps(suite.trials()).encode())
        return suite

    def measure_given(self, added: Added) -> None:
        """Measure what no maker makes: human works, noise, and works of others; the judges."""
        score = self.suite.scorer.score
        given = {"human": self.world.held_out, "outsiders": self.world.outsiders}
        if self.options.evidence:
            rng, human = np.random.default_rng(39), moves_alone(self.world.train)
            rows = rng.integers(0, len(human), self.options.works)
            given[NOISE] = noise_works(human[rows], rng)
        for name, works in given.items():
            if len(works) and self.folder.facts(name, 0) is None:
                self._save(name, 0, works, score(works), {})
        for name, works, left_out in added:
            facts = {"added": True, "found": len(works), "left_out": left_out}
            works = works[: self.options.works]
            self._save(name, 0, works, score(works), facts)

    def make(self, entries: Sequence[Entry], seed: int) -> None:
        """Make and measure the works of one seed that are not there yet, or failed before."""
        for entry in entries:
            facts = self.folder.facts(entry.name, seed)
            if facts is not None and "error" not in facts:
                continue
            try:
                with doing(f"{entry.name}, seed {seed}: making works", self.log):
                    made = self.model_store.works(entry, seed, self.options.works)
            except MakerError as error:
                self._note_failure(entry, seed, error)
                self.folder.write_facts(entry.name, seed, {"error": error.text})
                self.log(f"{entry.name}, seed {seed}: FAILED: {error.text}")
                continue
            self._save(entry.name, seed, *made)
            (self.folder.maker(seed, entry.key) / "error.txt").unlink(missing_ok=True)
        self.model_store.forget_makers()

    def _note_failure(self, entry: Entry, seed: int, error: MakerError) -> None:
        path = self.folder.maker(seed, entry.key) / "error.txt"
        write_atomically(path, error.traceback.encode(errors="backslashreplace"))

    def _save(
        self,
        name: str,
        seed: int,
        works: Works,
        score: NDArray[np.float64],
        facts: dict[str, object],
        inputs: Works | None = None,
    ) -> None:
        """Measure works and their best tenth by their scores (N,), and write them."""
        chosen = np.argsort(-score, kind="stable")[: max(1, len(works) // BEST_SHARE)]
        best = works[chosen]
        for part, rows in ((best, chosen), (works, np.arange(len(works)))):
            with doing(f"{name}, seed {seed}: measuring works", self.log):
                terms = self.suite.measure(part)
                if inputs is not None:
                    terms |= self.suite.departure(part, inputs[rows])
            if part is works:
                terms[OWN_SCORE] = score
            part.with_appraisal(terms).save(self.folder.works(name, seed, best=part is best))
        vendi = {"vendi": self.suite.vendi(works), "best_vendi": self.suite.vendi(best)}
        self.folder.write_facts(name, seed, facts | vendi)
        self.log(f"{name}, seed {seed}: {len(works)} works")

    def evidence_tasks(self) -> list[tuple[str, int]]:
        """Makers and seeds whose shift is measured; works without seeds count as seed 0."""
        options = self.options
        if not options.evidence:
            return []
        given = ["human", "outsiders", NOISE, *(name for name, _ in options.added)]
        out = [(name, 0) for name in given if self.folder.facts(name, 0) is not None]
        for seed in options.all_seeds:
            for entry in self.entries:
                if entry.temperature is None or entry.temperature in SHIFT_TEMPERATURES:
                    out.append((entry.name, seed))
        return out

    def take_evidence(self, name: str, seed: int) -> None:
        """Measure the shift of one maker, unless it was measured before or the maker failed."""
        path, facts = self.folder.evidence(name, seed), self.folder.facts(name, seed)
        if path.exists() or facts is None or "error" in facts:
            return
        works, best = (self.folder.load_works(name, seed, best) for best in (False, True))
        with doing(f"{name}, seed {seed}: taking evidence", self.log):
            found = self._evidence(seed).measure(works, best, name)
        write_atomically(path, to_json(found).encode())
        self.log(f"{name}, seed {seed}: evidence taken")

    def new_evidence(self, seed: int) -> Evidence:
        """The measures of shift, against the imitator of a seed at its best temperature."""
        options = self.options
        yields = {
            entry.temperature: self.folder.load_works(entry.name, seed).appraisal["yield"].mean()
            for entry in self.entries
            if entry.maker == "imitator" and self.folder.works(entry.name, seed).exists()
        }
        temperature = max(yields, key=lambda t: yields[t]) if yields else 1.0
        learner = None
        if self.folder.works("learner", seed, best=True).exists():
            learner = self.folder.load_works("learner", seed, best=True)
        withheld = None
        if options.withhold:
            withheld = withheld_works(make_world(options.world, options.corpus), options.withhold)
        return Evidence(
            self.world, self._judges[0], self.model_store.network(seed), float(temperature or 1.0),
            learner, DEPTHS[options.budget], seed, withheld, self.log,
        )  # fmt: skip
