"""The comparison: its figures on known answers, its bookkeeping with makers that are no effort."""

import csv
import json
import re
import shutil
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from move37 import compare
from move37.agents.compare import config as configuration
from move37.agents.compare.columns import (
    BEST,
    COLUMNS,
    COST,
    at_temperatures,
    label,
    order_of,
    split_name,
    written,
)
from move37.agents.compare.comparison import Comparison
from move37.agents.compare.comparison_dir import ComparisonDir
from move37.agents.compare.entries import Entry, chosen_entries, short_name
from move37.agents.compare.evaluation_suite import EvaluationSuite
from move37.agents.compare.evidence import DEPTHS, Depth, to_json, withheld_works
from move37.agents.compare.joining import keep_joined
from move37.agents.compare.model_store import ModelStore, check_run
from move37.agents.compare.report.expectations import check_all
from move37.agents.compare.report.files import write_report
from move37.agents.compare.report.page import literal, page
from move37.agents.compare.report.tables import table
from move37.agents.compare.results import HERE, read_rows, summarise
from move37.agents.makers import maker as makers
from move37.envs.base import registry as worlds
from move37.envs.base.works import Works
from move37.envs.drawing.corpus.augment import random_works
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.corpus.reading import read_folder
from move37.envs.drawing.corpus.trace import from_images
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.judging.second_judge import LocalPatternJudge, LocalPatterns, tear, trials
from move37.envs.drawing.world import DrawingWorld
from move37.novelty.statistics import Interval
from move37.novelty.storage import save_weights

CALLS: dict[str, int] = {}
ASKED: list[int] = []


class Small(DrawingWorld):
    """The drawing world with few works in it."""

    from_images = staticmethod(from_images)
    read_folder = staticmethod(read_folder)
    load_second_judge = staticmethod(LocalPatternJudge.load)

    def load_splits(self):
        splits = super().load_splits()
        return replace(splits, judge=splits.judge[:80], outsiders=splits.outsiders[:30])

    def second_judge(self, updates):
        return LocalPatternJudge.fit(self.judged_from.moves, updates, pools=1)

    def trials(self, seed=0):
        return trials(self.held_out, seed)


class Stub(makers.Maker):
    """Gives back human works, or noise; counts how often it was made and asked."""

    def __init__(self, context, name, noise=0.0, temperature=1.0, image=False, own=False):
        self.world, self.name, self.noise, self.env_steps = context.world, name, noise, 7
        self.image, self.temperature = image, temperature
        CALLS[name] = CALLS.get(name, 0) + 1
        if own:
            self.score = lambda works: -works.lengths.astype(float)

    def with_temperature(self, temperature):
        out = object.__new__(Stub)
        out.__dict__ |= self.__dict__ | {"temperature": temperature}
        return out

    def log_likelihood(self, works):
        return np.where(works.moves >= 0, -np.log(2.0), 0.0)

    def generate(self, n, rng, brief=None):
        if self.name == "stocked":
            ASKED.append(n)
        if self.image:
            return self.world.from_images(np.eye(24)[None].repeat(n, 0))
        moves = self.world.train.moves[rng.integers(0, len(self.world.train), n)].copy()
        noisy = rng.random(n) < max(self.noise, self.temperature - 1)
        moves[noisy] = random_works(int(noisy.sum()), self.world.train.lengths, rng)
        return Works(self.world.id, moves)


def make_rnn(context):
    return Stub(context, "rnn")


def make_good(context):
    return Stub(context, "good", own=True)


def make_stocked(context):
    maker = Stub(context, "stocked")
    maker.stock = 500
    return maker


def make_filter(context):
    """Changes nothing; names other works than it was given for the first half of its own."""
    maker, train = Stub(context, "filter"), context.world.train

    def inputs(n, rng):
        rows = rng.integers(0, len(train), n)
        return train[np.concatenate([np.arange(n // 2), rows[n // 2 :]])]

    maker.inputs = inputs
    return maker


def make_image(context):
    return Stub(context, "image", image=True)


def make_noise(context):
    return Stub(context, "random", noise=1.0)


def make_broken(context):
    raise RuntimeError("no ink | left <b>")


def make_few(context):
    maker = Stub(context, "few")
    maker.generate = lambda n, rng, brief=None: context.world.train[:3]
    return maker


def make_no_works(context):
    maker = Stub(context, "no_works")
    maker.generate = lambda n, rng, brief=None: None
    return maker


def make_bad_score(context):
    maker = Stub(context, "bad_score")
    maker.score = lambda works: 1.0
    return maker


def make_stopped(context):
    raise KeyboardInterrupt


def use_stubs(monkeypatch):
    recipes = {name: f"{__name__}:make_{kind}" for name, kind in (
        ("random", "noise"), ("rnn", "rnn"), ("good", "good"), ("image", "image"),
        ("broken", "broken"),
    )}  # fmt: skip
    # The registry's own dictionary, so that every module that holds it sees the stubs.
    for name in list(makers.MAKERS):
        monkeypatch.delitem(makers.MAKERS, name)
    for name, entry_point in recipes.items():
        monkeypatch.setitem(makers.MAKERS, name, entry_point)
    monkeypatch.setitem(worlds.WORLDS, "drawing", f"{__name__}:Small")
    monkeypatch.setitem(makers.BUDGETS, "smoke", makers.Budget(10, 512, 1, 2))
    monkeypatch.setitem(configuration.SCALES, "smoke", configuration.Scale(2, 110, 120, 3, 1, 20))


@pytest.fixture
def stubs(monkeypatch):
    use_stubs(monkeypatch)
    CALLS.clear()


def options(out, **more):
    return configuration.CompareConfig(
        out=out, budget="smoke", works=110, threads=1,
        **{"only": (), "seeds": 2, "evidence": False, **more},
    )  # fmt: skip


def read_table(out):
    rows, notes = read_rows(ComparisonDir(out))
    return summarise(rows), rows, notes


def values_of(rows, name, measure):
    return tuple(rows[(rows["name"] == name) & (rows["measure"] == measure)]["value"])


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    out = tmp_path_factory.mktemp("comparison") / "out"
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_stubs(monkeypatch)
        Comparison(options(out, only=("random", "rnn_t0.50", "rnn_t1.50", "good", "image",
                                      "broken"))).run()  # fmt: skip
    return out


@pytest.fixture
def finished(made_once, stubs, tmp_path):
    """A copy, to be changed."""
    return shutil.copytree(made_once, tmp_path / "out")


def flat(**columns):
    return {key.replace("__", "/"): Interval(v, v - 0.01, v + 0.01) for key, v in columns.items()}


def table_as_expected():
    base = {"yield": 0.02, "heldout_quality": 0.5, "novelty_human": 1.0, "nearest_human": 0.7,
            "best__yield": 0.05, "seconds_per_1000": 100.0, "input_rank": 0.001}  # fmt: skip
    table = {
        "human": flat(**base),
        "outsiders": flat(**base | {"yield": 0.07}),
        "random": flat(**base | {"heldout_quality": 0.02}),
        "inceptionism": flat(**base | {"nearest_human": 0.3}),
        "deep_style": flat(**base | {"nearest_human": 0.2}),
        "selection": flat(**base),
        "evolution": flat(**base),
        "evolution_time": flat(**base),
        "learner": flat(**base | {"yield": 0.4, "best__yield": 0.8, "seconds_per_1000": 2.0}),
    }
    for i, t in enumerate((0.5, 0.7, 0.85, 1.0, 1.2, 1.5)):
        table[f"rnn_t{t:.2f}"] = flat(
            **base | {"heldout_quality": 0.6 - 0.1 * i, "novelty_human": 1 + 0.1 * i}
        )
    return table


def test_expectations_hold_where_they_should():
    checks = check_all(table_as_expected(), "default")
    assert all(check.holds for check in checks), [c for c in checks if not c.holds]
    assert len(checks) == 1 + 2 + 1 + 4 + 9 + 1


@pytest.mark.parametrize(
    ("maker", "column", "value", "name"),
    [
        ("random", "heldout_quality", 0.55, "random-last"),
        ("rnn_t1.20", "heldout_quality", 0.7, "temperature-heldout_quality"),
        ("rnn_t0.50", "novelty_human", 2.0, "temperature-novelty_human"),
        ("rnn_t0.85", "yield", 0.2, "temperature-yield"),
        ("inceptionism", "nearest_human", 0.9, "inceptionism-near"),
        ("deep_style", "input_rank", 0.3, "deep_style-input"),
        ("selection", "yield", 0.5, "learner-selection-yield"),
        ("evolution", BEST + "yield", 0.9, "learner-evolution-selected"),
        ("evolution_time", "seconds_per_1000", 1.0, "learner-evolution_time-cost"),
        ("outsiders", "yield", 0.5, "learner-outsiders"),
    ],
)
def test_expectations_fail_where_they_should(maker, column, value, name):
    table = table_as_expected()
    table[maker][column] = Interval(value, value, value)
    failed = [check.name for check in check_all(table, "default") if check.holds is False]
    assert name in failed
    assert check_all(table, "default")[0].holds is False  # the failed ones come first


def test_expectations_without_the_maker_are_not_checked():
    table = table_as_expected()
    del table["learner"]
    checks = {check.name: check.holds for check in check_all(table, "default")}
    assert checks["learner-outsiders"] is None and checks["random-last"] is True


def test_a_smoke_comparison_does_not_judge():
    table = table_as_expected()
    table["random"]["heldout_quality"] = Interval(1, 1, 1)
    checks = check_all(table, "smoke")
    assert {check.holds for check in checks} == {None}
    assert {check.outcome for check in checks} == {"not asked at this budget"}
    assert "learner: 40 %" in next(c.detail for c in checks if c.name == "learner-outsiders")
    del table["learner"]
    missing = [check for check in check_all(table, "smoke") if check.asked]
    assert missing and all("not made: learner" in check.detail for check in missing)


def test_local_patterns_are_counted_as_a_slow_count_counts_them():
    rng = np.random.default_rng(3)
    images = (rng.random((4, 24, 24)) < 0.2).astype(np.uint8)
    images[3] = 0
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    slow = np.zeros((4, 3, 256))
    for i, image in enumerate(images):
        for y, x in np.argwhere(image):
            for r in (1, 2, 3):
                code = 0
                for bit, (dy, dx) in enumerate(ring):
                    py, px = y + r * dy, x + r * dx
                    if 0 <= py < 24 and 0 <= px < 24 and image[py, px]:
                        code |= 1 << bit
                slow[i, r - 1, code] += 1
        slow[i] /= max(1, image.sum())
    found = LocalPatterns.counts(torch.from_numpy(images.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, np.sqrt(slow).reshape(4, -1), atol=1e-6)


def test_tearing_spoils_the_picture_and_keeps_it_a_picture():
    world = Small(limit=200)
    images = images_of(world.train.moves)
    torn = tear(images, np.random.default_rng(0))
    assert torn.shape == images.shape and torn.dtype == np.uint8 and set(np.unique(torn)) <= {0, 1}
    assert (torn != images).any(axis=(1, 2)).mean() > 0.8
    np.testing.assert_array_equal(torn, tear(images, np.random.default_rng(0)))


def test_the_second_judge_orders_works_of_designers_it_never_saw(tmp_path):
    world = Small(limit=600)
    judge = world.second_judge(150)
    said = {kind: judge(works).mean() for kind, works in world.trials().items()}
    assert said["human"] > max(said["damaged"], said["torn"]) > said["random"]
    judge.save(tmp_path)
    again = LocalPatternJudge.load(tmp_path)
    np.testing.assert_array_equal(again(world.held_out), judge(world.held_out))


def test_every_maker_is_measured_twice_and_one_that_raises_is_named(finished):
    found, rows, notes = read_table(finished)
    assert {"human", "outsiders", "random", "good", "image", "rnn_t0.50"} <= set(found)
    assert notes["broken"]["errors"] == {s: "RuntimeError: no ink | left <b>" for s in "01"}
    for name in ("good", "random", "image", "rnn_t1.50"):
        columns = found[name]
        assert len(values_of(rows, name, "yield")) == 2
        for key in ("heldout_quality", "second_quality", "form", "craft", "copied", "repeats",
                    "novelty_human", "novelty_self", "nearest_human", "bits_rnn", "bits_deflate",
                    "yield", "yield_loose"):  # fmt: skip
            assert key in columns and BEST + key in columns
        assert values_of(rows, name, "env_steps") == (7.0, 7.0)
        assert columns["seconds_per_1000"].value > 0 and columns["wall_seconds"].value >= 0
    assert found["good"]["nearest_human"].value == 0
    assert found["good"]["copied"].value > 0.4 > found["random"]["copied"].value
    assert found["random"]["heldout_quality"].value < found["good"]["heldout_quality"].value
    assert found["image"]["repeats"].value > 0.9  # the same picture every time
    # The stub says one bit a move, and the median human work has as many bits as moves.
    works = Works.load(finished / "works" / "human-0.npz")
    assert found["human"]["bits_rnn"].value == pytest.approx(np.median(works.lengths))


def test_rows_are_tidy(finished):
    _, rows, _ = read_table(finished)
    assert set(rows["source"]) == {HERE}
    assert not rows.duplicated(["name", "seed", "measure"]).any()
    cold = rows[rows["name"] == "rnn_t0.50"]
    assert set(cold["maker"]) == {"rnn"} and set(cold["temperature"]) == {0.5}
    assert rows[rows["name"] == "good"]["temperature"].isna().all()
    [quality] = rows.query("name == 'good' and seed == 1 and measure == 'heldout_quality'").value
    works = Works.load(finished / "works" / "good-1.npz")
    assert quality == np.median(works.appraisal["heldout_quality"])


def test_the_best_are_chosen_by_the_makers_own_reward(finished):
    works = Works.load(finished / "works" / "good-0.npz")
    best = Works.load(finished / "works" / "good-0-best.npz")
    assert len(works) == 110 and len(best) == 11
    assert best.lengths.max() <= np.sort(works.lengths)[11]
    assert (np.diff(best.lengths) >= 0).all()


def test_going_on_makes_nothing_twice_and_tries_again_what_failed(finished, monkeypatch):
    files = {p: p.stat().st_mtime_ns for p in (finished / "works").glob("*.npz")}
    monkeypatch.setitem(makers.MAKERS, "broken", f"{__name__}:make_good")
    Comparison(options(finished, only=("good", "broken"))).run()
    assert {p: p.stat().st_mtime_ns for p in files} == files
    assert CALLS == {"good": 2, "rnn": 1}  # the two that failed, and what measures bits
    assert "broken" in read_table(finished)[0]
    assert not list(finished.glob("makers/*/broken/error.txt"))


def test_a_maker_that_fails_leaves_its_traceback(finished):
    for seed in (0, 1):
        text = (finished / "makers" / str(seed) / "broken" / "error.txt").read_text()
        assert "in make_broken" in text and text.endswith("RuntimeError: no ink | left <b>\n")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("few", "ValueError: generate(110) made 3 instead of 110 works"),
        ("no_works", "ValueError: generate(110) made NoneType instead of 110 works"),
        ("bad_score", "ValueError: score: expected shape (110,), got ()"),
    ],
)
def test_a_maker_that_breaks_its_contract_is_named(kind, words, finished, monkeypatch):
    monkeypatch.setitem(makers.MAKERS, "broken", f"{__name__}:make_{kind}")
    Comparison(options(finished, only=("broken",))).run()
    assert read_table(finished)[2]["broken"]["errors"] == {"0": words, "1": words}


def test_an_error_of_the_comparison_itself_is_no_failure_of_a_maker(finished, monkeypatch):
    def measure(suite, works):
        raise RuntimeError("a programming error")

    monkeypatch.setattr(EvaluationSuite, "measure", measure)
    monkeypatch.setitem(makers.MAKERS, "broken", f"{__name__}:make_good")
    with pytest.raises(RuntimeError, match="a programming error"):
        Comparison(options(finished, only=("broken",))).run()
    assert "no ink" in str(read_table(finished)[2]["broken"]["errors"])


def test_a_maker_of_ones_own_takes_part(finished, monkeypatch):
    asked = options(finished, only=("good",), makers=(f"{__name__}:make_noise", "rnn_t0.50"))
    assert [entry.name for entry in asked.entries] == ["rnn_t0.50", "good", "make_noise"]
    Comparison(asked).run()
    results = write_report(finished)
    assert len(values_of(results.rows, "make_noise", "yield")) == 2
    assert "make\\_noise" in (finished / "report.md").read_text()
    assert ">make_noise<" in (finished / "report.html").read_text()


def test_names_of_makers_of_ones_own():
    assert short_name("package.markov:make") == "markov" and short_name("markov:make") == "markov"
    assert short_name("package.markov:second_order") == "second_order"
    for others, words in (
        ((f"{__name__}:no_such",), "no_such"),
        (("no.such.module:make",), "No module named"),
        (("nobody",), "'nobody' is none of"),
        (("move37.agents.makers.gan:make",), "already a maker named 'gan'"),
    ):
        with pytest.raises(ValueError, match=words):
            chosen_entries((), others)


def test_what_is_done_survives_an_interruption(stubs, tmp_path, monkeypatch):
    monkeypatch.setitem(makers.MAKERS, "stopped", f"{__name__}:make_stopped")
    comparison = Comparison(options(tmp_path, only=("good", "stopped", "broken")))
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    results = write_report(tmp_path)
    assert {"human", "outsiders", "good"} <= set(results.summary)
    assert (tmp_path / "report.html").exists()


def test_a_stock_of_works_is_not_what_more_works_cost(finished, monkeypatch):
    monkeypatch.setitem(makers.MAKERS, "stocked", f"{__name__}:make_stocked")
    Comparison(options(finished, only=("stocked",))).run()
    assert ASKED[-2:] == [110, 500 + 11]


def test_filters_are_measured_from_what_they_were_given(finished, monkeypatch):
    monkeypatch.setitem(makers.MAKERS, "filter", f"{__name__}:make_filter")
    Comparison(options(finished, only=("filter",))).run()
    terms = Works.load(finished / "works" / "filter-0.npz").appraisal
    true, false = slice(55, None), slice(55)
    assert terms["from_input"][true].max() < 1e-6 and terms["input_rank"][true].max() == 0
    assert np.median(terms["from_input"][false]) > 1
    assert 0.2 < np.median(terms["input_rank"][false]) < 0.8
    found, _, _ = read_table(finished)
    assert {"from_input", "input_rank", BEST + "from_input"} <= set(found["filter"])
    assert "from_input" not in found["good"]


def test_another_comparison_is_not_gone_on_with(finished):
    with pytest.raises(ValueError, match="works = 110, not 50"):
        Comparison(configuration.CompareConfig(finished, budget="smoke", works=50)).run()


def test_a_comparison_of_another_corpus_is_not_gone_on_with(finished):
    path = finished / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("corpus") == ""
    for held in ({"corpus": ""}, {}):  # older ones do not name it
        path.write_text(json.dumps(config | held))
        ComparisonDir(finished).check(options(finished))
        with pytest.raises(ValueError, match="a comparison with corpus = '', not 'lucide'"):
            Comparison(options(finished, corpus="lucide")).run()


def test_a_comparison_is_of_the_corpus_that_it_is_given(stubs, tmp_path, monkeypatch):
    out = tmp_path / "out"
    asked = options(out, corpus="heroicons", withhold=("arrow-*",))
    comparison = Comparison(replace(asked, budget="default"))
    known, world = set(load_corpus("heroicons").works.names), comparison.world
    arrows = {name for name in known if name.startswith("arrow-")}
    assert {*world.train.names, *world.held_out.names} == known - arrows and arrows
    # What is looked for is taken from the same corpus.
    comparison._judges = (None, None)
    comparison.model_store = types.SimpleNamespace(network=lambda seed: None)
    monkeypatch.setattr("move37.agents.compare.comparison.Evidence", lambda *given: given)
    assert {*comparison.new_evidence(0)[7].names} == arrows
    comparison.folder.claim(asked, {})
    assert json.loads((out / "config.json").read_text())["corpus"] == "heroicons"


def test_a_comparison_under_another_exam_is_another_one(finished, stubs):
    config = json.loads((finished / "config.json").read_text())
    assert config["exam"] == ""
    asked = options(finished, exam="sealed")
    with pytest.raises(ValueError, match="a comparison with exam = '', not 'sealed'"):
        ComparisonDir(finished).check(asked)
    with pytest.raises(ValueError, match="the world drawing has held_out"):
        _ = Comparison(asked).world
    given = compare.parse(["--out", "x", "--exam", "sealed"])
    assert given.exam == "sealed" and compare.parse(["--out", "x"]).exam == ""
    path = finished / "config.json"
    before = path.read_text()
    path.write_text(json.dumps(config | {"exam": "sealed"}))
    write_report(finished)
    assert "World drawing, briefs of the sealed split, budget" in (
        (finished / "report.md").read_text()
    )
    path.write_text(before)
    write_report(finished)


def test_the_report_names_another_corpus_than_the_default(finished, stubs):
    path = finished / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"corpus": "lucide"}))
    write_report(finished)
    assert "World drawing, corpus lucide, budget smoke" in (finished / "report.md").read_text()
    assert json.loads((finished / "comparison.json").read_text())["meta"]["corpus"] == "lucide"


def test_a_comparison_that_failed_before_a_maker_was_fitted_can_be_begun_otherwise(tmp_path):
    folder, few = ComparisonDir(tmp_path), configuration.CompareConfig(tmp_path, works=20)
    folder.claim(few, {})
    folder.judges.mkdir()
    assert folder.check(few) and folder.judges.exists()
    lucide = configuration.CompareConfig(tmp_path, corpus="lucide")
    folder.claim(lucide, folder.check(lucide))
    assert folder.config()["corpus"] == "lucide" and not folder.judges.exists()
    (tmp_path / "works").mkdir()
    with pytest.raises(ValueError, match="corpus = 'lucide', not ''; choose another --out"):
        folder.check(few)


def test_runs_may_be_added_for_seeds_of_which_nothing_was_made(tmp_path):
    folder = ComparisonDir(tmp_path)

    def with_runs(*names):
        return configuration.CompareConfig(tmp_path, runs=tuple(map(Path, names)))

    folder.claim(with_runs("a"), {})
    (tmp_path / "makers" / "0").mkdir(parents=True)
    folder.check(with_runs("a", "b"))
    for others in (("b", "a"), ("b",), ()):
        with pytest.raises(ValueError, match="holds a comparison with runs"):
            folder.check(with_runs(*others))
    (tmp_path / "makers" / "1").mkdir()
    with pytest.raises(ValueError, match="holds a comparison with runs"):
        folder.check(with_runs("a", "b"))


def test_the_report_says_everything_and_needs_nothing_outside_it(finished, stubs):
    results = write_report(finished)
    page = (finished / "report.html").read_text()
    text = (finished / "report.md").read_text()
    assert "{{" not in page and "no ink | left &lt;b&gt;" in page
    assert "World drawing, budget smoke" in text
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    contents = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a></li>', page)
    assert [title for _, title in contents] == titles and "Cost" in titles
    assert page.count("<section>") == len(titles)
    for name, title in contents:
        assert f'<section><h2 id="{name}">{title}</h2>' in page.replace("\n", "")
    assert "does not judge" in text and "not asked at this budget" in text
    assert page.count("data:image/png") == 2 * len(results.summary)
    head = text[: text.index("## The quality-novelty plane")]
    for check in results.checks:
        assert check.text in head
    assert "broken" in head
    for path in ("plane.pdf", "plane.svg", "plane.png", "sheets/good-best.png"):
        assert (finished / path).stat().st_size > 0
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (finished / target).exists()
    data = json.loads((finished / "comparison.json").read_text())
    assert set(data) == {"makers", "meta"}
    for columns in data["makers"].values():
        for column in columns.values():
            assert set(column) == {"mean", "low", "high", "values", "intervals", "seeds"}
    assert data["meta"]["expectations"] and data["meta"]["places"][0]["machine"]
    # Made again from the saved works alone, it says the same.
    (finished / "comparison.json").unlink()
    write_report(finished)
    assert json.loads((finished / "comparison.json").read_text()) == data


def test_seeds_made_elsewhere_are_those_that_one_comparison_makes(finished, stubs, tmp_path):
    names = ("rnn_t0.50", "good", "broken")
    parts = [tmp_path / "a", tmp_path / "b"]
    for seed, out in enumerate(parts):
        Comparison(options(out, seeds=1, first_seed=seed, only=names)).run()
        write_report(out)
    keep_joined(ComparisonDir(parts[1]), (parts[0] / "comparison.json",))
    joined, whole = write_report(parts[1]), write_report(finished)
    assert set(joined.summary) == {"human", "outsiders", "rnn_t0.50", "good"}
    assert joined.config["seeds"] == 2
    columns = ["seed", "value", "low", "high"]
    for name in joined.summary:
        assert joined.notes[name]["seeds"] == whole.notes[name]["seeds"]
        for key, found in whole.summary[name].items():
            if COLUMNS.get(key) not in COST:
                np.testing.assert_equal(vars(joined.summary[name][key]), vars(found))
                pair = [r[(r["name"] == name) & (r["measure"] == key)][columns].to_numpy()
                        for r in (joined.rows, whole.rows)]  # fmt: skip
                np.testing.assert_array_equal(*pair)
    assert set(joined.rows["source"]) == {HERE, "0.json"}
    assert "2 seeds" in (parts[1] / "report.html").read_text()
    with pytest.raises(ValueError, match="holds a comparison with first_seed = 1, not 0"):
        ComparisonDir(parts[1]).check(options(parts[1], only=names))


def test_works_of_others_join_the_table(stubs, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    line = '<svg viewBox="0 0 24 24"><path d="M{x} 4L{x} 20L20 20"/></svg>'
    for x in range(2, 14):
        (mine / f"{x:02d}.svg").write_text(line.format(x=x))
    (mine / "broken.svg").write_text("<svg")
    out = tmp_path / "out"
    Comparison(options(out, only=("good",), added=(("mine", mine),))).run()
    results = write_report(out)
    assert results.added == ["mine"] and results.names[-1] == "mine"
    assert len(Works.load(out / "works" / "mine-0.npz")) == 12
    page = (out / "report.html").read_text()
    assert "12 works read, 1 left out" in page and "broken.svg" in page


def test_foreign_text_is_shown_as_it_is(tmp_path):
    odd = "a|b *c* _d_ `e` <i>&amp; [f](g)"
    text = "# title\n\n" + table(["maker", "what"], [["x", literal(odd)]], numbers=False)
    text += f"\n- **{literal(odd)}** {literal('two' + chr(10) + 'lines')}\n"
    html = page(text, tmp_path, {})
    shown = "a|b *c* _d_ `e` &lt;i&gt;&amp;amp; [f](g)"
    assert f"<td>{shown}</td>" in html and f"<strong>{shown}</strong> two lines</li>" in html


def test_the_page_says_what_plain_markdown_cannot(tmp_path):
    (tmp_path / "a.png").write_bytes(b"picture")
    rows = [["**learner**", "0.5 (0.4 to 0.6)"], ["best tenth", "-"]]
    text = "# t\n\n**lead**\n\n*note*\n\nnot **all**\n\n"
    text += table(["maker", "yield"], rows) + "\n![a](a.png)\n"
    html = page(text, tmp_path, {"yield": 'a "share"'})
    assert "<title>t</title>" in html and html.count('<h1 id="t">t</h1>') == 1
    assert '<p class="lead">' in html and '<p class="note">' in html and "<p>not <strong>" in html
    assert '<div class="wide" tabindex="0"><table class="numbers">' in html.replace("\n", "")
    assert 'title="a &quot;share&quot;">yield</th>' in html
    assert '<tr class="strong">' in html and '<tr class="second">' in html
    assert "0.5<small>0.4 to 0.6</small></td>" in html
    assert '<p class="picture"><img alt="a" src="data:image/png;base64,cGljdHVyZQ==" /></p>' in html


def test_figures_become_json():
    figures = {"a": Interval(np.float64(1), float("nan"), np.inf), "b": np.arange(2), "c": (True,)}
    assert json.loads(to_json(figures)) == {
        "a": {"value": 1.0, "low": None, "high": None}, "b": [0, 1], "c": [True],
    }  # fmt: skip
    with pytest.raises(TypeError, match="__dict__"):
        to_json(object())


def test_a_title_stands_for_one_column():
    """The page finds what a column means by its title."""
    assert len({column.title for column in COLUMNS.values()}) == len(COLUMNS)


def test_names_and_figures_are_written_for_readers():
    assert label("rnn_t0.85") == "char-RNN, T = 0.85" and label("mine") == "mine"
    assert written(0.0123, "share") == "1.2 %" and written(0.5, "share") == "50 %"
    assert written(float("nan"), "number") == "-" and written(7200, "seconds") == "2.0 h"
    assert split_name("rnn_t0.85") == ("rnn", 0.85)
    assert split_name("evolution_time") == ("evolution_time", None)
    lines = at_temperatures(["rnn_t1.50", "gan", "rnn_t0.50", "imitator_t1.00"], "rnn")
    assert list(lines.items()) == [(0.5, "rnn_t0.50"), (1.5, "rnn_t1.50")]
    names = ["mine", "learner", "rnn_t0.50", "human", "random", "other"]
    assert order_of(names, ["mine"]) == [
        "human", "random", "rnn_t0.50", "other", "learner", "mine",
    ]  # fmt: skip


def test_a_run_of_other_works_is_refused(tmp_path):
    world = types.SimpleNamespace(id="drawing", fingerprint="abc")
    asked = configuration.CompareConfig(tmp_path / "out", budget="smoke")
    with pytest.raises(ValueError, match="no finished run"):
        check_run(tmp_path, world, asked)
    for name in ("imitator.safetensors", "learner.safetensors"):
        (tmp_path / name).write_bytes(b"")
    config = {"world": "drawing", "corpus": "", "withhold": "", "human_works": 600}
    for config_change, summary, words in (
        ({"human_works": 0}, {"corpus": "abc"}, "human_works = 0"),
        ({"withhold": "*plane*"}, {"corpus": "abc"}, "withhold"),
        ({}, {"corpus": "xyz"}, "another version"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | config_change))
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        with pytest.raises(ValueError, match=words):
            check_run(tmp_path, world, asked)
    (tmp_path / "summary.json").write_text(json.dumps({"corpus": "abc"}))
    for corpus, wanted in (("", "kanjivg"), ("kanjivg", "")):
        (tmp_path / "config.json").write_text(json.dumps(config | {"corpus": corpus}))
        check_run(tmp_path, world, replace(asked, corpus=corpus))
        with pytest.raises(
            ValueError, match=f"a run with corpus = '{corpus}'; this comparison has '{wanted}'"
        ):
            check_run(tmp_path, world, replace(asked, corpus=wanted))


def test_a_run_of_another_corpus_is_refused_before_anything_is_made(stubs, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    for name in ("imitator.safetensors", "learner.safetensors", "summary.json"):
        (run / name).write_text("{}")
    config = {"world": "drawing", "corpus": "heroicons", "withhold": "", "human_works": 120}
    (run / "config.json").write_text(json.dumps(config))
    asked = ["--budget", "smoke", "--out", str(out), "--run", str(run)]
    for more, words in (
        ([], "a run with corpus = 'heroicons'; this comparison has ''"),
        (["--corpus", "heroicons"], "was trained on another version of the human works"),
    ):
        with pytest.raises(ValueError, match=words):
            compare.compare(compare.parse([*asked, *more]))
    assert not out.exists()


def test_a_learner_is_taken_from_a_run_of_the_same_corpus(tmp_path):
    """As it stands in the run's folder, of this version or of 0.1: nothing is copied."""
    network, run, out = DrawingWorld.network(), tmp_path / "run", tmp_path / "out"
    save_weights(run / "learner.safetensors", nn.ModuleDict({"network": network}))
    save_weights(run / "imitator.safetensors", network)
    scale = configuration.SCALES["smoke"]
    config = {"world": "drawing", "corpus": "kanjivg", "human_works": scale.human_works}
    (run / "config.json").write_text(json.dumps(config | {"threads": 2}))
    asked = ["--budget", "smoke", "--out", str(out), "--run", str(run), "--corpus", "kanjivg"]
    given, entry = compare.parse(asked), Entry("learner", "learner")
    world = types.SimpleNamespace(id="drawing", fingerprint="abc", network=DrawingWorld.network)
    for more, wall, cpu in (
        ({}, 2, 4),
        ({"learning_wall_seconds": 3.0, "learning_cpu_seconds": 5.0}, 3, 5),
    ):
        summary = {"corpus": "abc", "env_steps": 8, "steps_per_second": 4} | more
        (run / "summary.json").write_text(json.dumps(summary))
        model_store = ModelStore(given, world, None, print)
        maker, cost = model_store.maker(entry, 0)
        assert maker.env_steps == 8 and cost == {"wall_seconds": wall, "cpu_seconds": cpu}
        weights = maker.network.state_dict()
        assert all(torch.equal(weights[k], v) for k, v in network.state_dict().items())
        assert torch.equal(next(model_store.network(0).parameters()), next(network.parameters()))
    assert not out.exists()
    with pytest.raises(ValueError, match="a run with corpus = 'kanjivg'"):
        check_run(run, world, replace(given, corpus=""))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--out"),
        (("--out", "x", "--budget", "huge"), "none of smoke, default, full"),
        (("--out", "x", "--threads", "0"), "--threads: must be at least 1"),
        (("--out", "x", "--seeds", "-1"), "--seeds: must be at least 1"),
        (("--out", "x", "--works", "many"), "invalid int value"),
        (("--out", "x", "--world", "nowhere"), "'nowhere' is none of"),
        (("--out", "x", "--only", "gna"), "'gna' is none of"),
        (("--out", "/tmp/move37-no-comparison", "--corpus", "tablet"), "is no known corpus"),
        (("--out", "x", "--maker", "gna"), "'gna' is none of"),
        (("--out", "x", "--maker", "no.such:make"), "No module named"),
        (("--out", "x", "--add", "mine"), "expected NAME=FOLDER"),
        (("--out", "x", "--add", "learner=here"), "already a maker"),
        (("--out", "x", "--add", "a/b=here"), "expected NAME=FOLDER"),
        (("--out", "x", "--seeds", "1", "--run", "a", "--run", "b"), "2 runs for 1 seeds"),
        (("--out", "/tmp/move37-no-comparison", "--report"), "holds no comparison"),
        (("--out", "/tmp/move37-no-comparison", "--run", "nowhere"), "no finished run"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_1(arguments, words, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["compare.py", *arguments])
    with pytest.raises(SystemExit) as stop:
        compare.main()
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


@pytest.mark.slow
def test_several_processes_make_what_one_makes(tmp_path):
    script = Path(__file__).parents[1] / "compare.py"
    for jobs in ("1", "2"):
        subprocess.run(
            [sys.executable, str(script), "--budget", "smoke", "--works", "30", "--threads", "1",
             "--only", "random,rnn,collage", "--jobs", jobs, "--out", str(tmp_path / jobs)],
            check=True,
        )  # fmt: skip
    names = sorted(path.name for path in (tmp_path / "1" / "works").glob("*.npz"))
    assert len(names) > 10
    for name in names:
        one, two = (Works.load(tmp_path / jobs / "works" / name) for jobs in ("1", "2"))
        np.testing.assert_array_equal(one.moves, two.moves)
        for key, values in one.appraisal.items():
            np.testing.assert_array_equal(values, two.appraisal[key], err_msg=key)


def test_evidence_is_taken_once_and_joins_table_and_report(finished, stubs, monkeypatch):
    monkeypatch.setitem(
        DEPTHS, "smoke", Depth((10, 40), 19, 40, 20, 30, 1, 2, 3, 2, 60)
    )  # fmt: skip
    asked = options(finished, only=("random", "rnn_t1.50", "good", "broken"), evidence=True)
    Comparison(asked).run()
    files = {path.name: path.read_bytes() for path in (finished / "evidence").iterdir()}
    assert {"human-0.json", "noise-0.json", "good-1.json", "rnn_t1.50-0.json"} <= set(files)
    assert not any(name.startswith("broken") for name in files)
    results = write_report(finished)
    makers = json.loads((finished / "comparison.json").read_text())["makers"]
    good = makers["good"]
    with (finished / "comparison.csv").open() as file:
        lines = list(csv.DictReader(file))
    [effect] = [row for row in lines if (row["name"], row["seed"], row["measure"]) ==
                ("good", "1", "shift/effect")]  # fmt: skip
    assert float(effect["value"]) == good["shift"]["effect"]["values"][1]
    assert effect["source"] == HERE
    for measure in ("shift", "support", "move37", "novelty_index", "decision_quality_index",
                    "influence", "compression_progress"):  # fmt: skip
        assert measure in good, measure
    assert set(good["shift"]["effect"]) == {"mean", "low", "high", "values", "intervals", "seeds"}
    assert len(good["shift"]["effect"]["values"]) == 2
    # The stub gives back human works: nothing has shifted; noise has.
    assert good["shift"]["effect"]["mean"] < 0.05 < makers["noise"]["shift"]["effect"]["mean"]
    novel = {name: makers[name]["novelty_index"]["index"]["mean"] for name in ("good", "random")}
    assert novel["good"] < 0.5 < novel["random"]
    report = (finished / "report.md").read_text()
    assert "Support: could sampling have found them?" in report
    assert "Rediscovery" not in report and "noise" in results.summary
    Comparison(asked).run()
    assert files == {p.name: p.read_bytes() for p in (finished / "evidence").iterdir()}


def test_withheld_works_are_those_that_the_patterns_name():
    world = DrawingWorld(limit=400)
    names = [*world.train.names, *world.held_out.names]
    pattern = names[0][:3] + "*"
    found = withheld_works(world, [pattern])
    assert sorted(found.names) == sorted(n for n in names if n.startswith(names[0][:3]))
    with pytest.raises(ValueError, match="no work is named"):
        withheld_works(world, ["no such work"])


@pytest.mark.slow
def test_processes_end_with_the_one_that_began_them(tmp_path):
    script = Path(__file__).parents[1] / "compare.py"
    ours = subprocess.Popen(
        [sys.executable, str(script), "--budget", "smoke", "--threads", "1", "--jobs", "2",
         "--out", str(tmp_path / "out")],
    )  # fmt: skip

    def workers():
        listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True).stdout
        rows = [line.split() for line in listed.splitlines()[1:]]
        return [int(pid) for pid, ppid in rows if ppid == str(ours.pid)]

    try:
        while len(before := workers()) < 2 and ours.poll() is None:
            time.sleep(0.2)
    finally:
        ours.kill()
        ours.wait()
    assert len(before) >= 2
    for _ in range(100):
        alive = [pid for pid in before if Path(f"/proc/{pid}").exists()]
        if not alive:
            break
        time.sleep(0.2)
    assert not alive
