"""The scripts as a user runs them: errors in one line, a tiny run, its replay and verification."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from move37.__main__ import usage
from move37.agents.compare.config import CompareConfig
from move37.agents.runs.config import Config, make_config
from move37.agents.runs.dashboard import LAYOUT
from move37.agents.runs.terminal import field_docs
from move37.envs.base.registry import known_worlds
from move37.envs.base.works import Works, WorksError
from move37.envs.drawing.corpus.icons import load_corpus
from move37.train import parse, with_folder

ROOT = Path(__file__).parent.parent
UNUSED = f"/tmp/move37-none-{os.getpid()}"


OFFLINE = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "offline")}


def script(*arguments):
    """Run a script, without a network."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=OFFLINE, capture_output=True,
        text=True,
    )  # fmt: skip


@pytest.mark.parametrize("settings", [Config, CompareConfig])
def test_the_help_names_every_world(settings):
    assert set(known_worlds()) <= set(re.split(r"[\s,]+", field_docs(settings)["world"]))


def test_the_help_says_how_the_version_is_asked_for():
    assert "`move37 --version`" in usage()


def test_a_process_without_a_network_ends_when_it_asks_for_one():
    for asked in ("socket.create_connection(('192.0.2.1', 80))",
                  "urllib.request.urlopen('http://192.0.2.1')"):  # fmt: skip
        assert script("-c", f"import socket, urllib.request; {asked}").returncode == 99
    assert script("-c", "import socket; print(socket.socket)").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train.py", "--sed", "1"), "--sed"),
        (("train.py", "--preset", "huge"), "none of smoke, default, full"),
        (("train.py", "--env-steps", "many"), "invalid int value"),
        (("train.py", "--learning-rate", "-1"), "out of range"),
        (("train.py", "--kl-weight", "nan"), "out of range"),
        (("train.py", "--gae-lambda", "1.5"), "out of range"),
        (("train.py", "--batch-size", "1000"), "must divide"),
        (
            ("train.py", "--corpus", "nowhere", "--run-dir", f"/tmp/move37-none-{os.getpid()}"),
            "nowhere",
        ),
        (("replay.py", "nowhere"), "no such file"),
        (("replay.py", "nowhere", "--best", "0"), "at least 1"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_1(arguments, words):
    result = script(*arguments)
    assert result.returncode == 1
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    result = script(
        "train.py", "--preset", "smoke", "--run-dir", folder, "--human-works", 200,
        "--imitation-epochs", 1, "--critic-updates", 10, "--env-steps", 4096, "--eval-works", 60,
        "--refresh-every", 1,
        "--threads", 1,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (folder / "said.txt").write_text(result.stdout)
    return folder


def test_a_run_leaves_what_others_build_on(run):
    summary = json.loads((run / "summary.json").read_text())
    names = (
        "yield", "yield_loose", "imitator_yield", "outsider_yield", "heldout_quality",
        "novelty_human", "novelty_self", "moves_median", "strokes_median", "closed_ends", "repeats",
        "env_steps", "steps_per_second", "wall_seconds",
    )  # fmt: skip
    assert all(np.isfinite(summary[name]) for name in names)
    assert summary["human"]["yield"] < 0.5
    assert len(Works.load(run / "works.npz")) == 60
    for name in ("imitator-and-learner.png", "best.png", "archive.npz", "config.json"):
        assert (run / name).stat().st_size > 0


def logged_tags(folder):
    """TensorBoard's tags of a run, but for those that docs/metrics.md sums up."""
    events = EventAccumulator(str(folder))
    events.Reload()
    found = events.Tags()
    texts = {t.removesuffix("/text_summary") for t in found["tensors"] if t.endswith("summary")}
    tags = {*found["scalars"], *found["images"], *found["audio"], *texts}
    return {tag for tag in tags if not tag.startswith(("form/", "final/"))}


def documented_tags(world):
    """The tags that docs/metrics.md has for a world."""
    tags = set()
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    for part in "; ".join(rows).split("; "):
        only, colon, _ = part.partition(": ")
        if not colon or only == world:
            tags |= set(re.findall(r"`(\w+/\w+)`", part))
    return tags - {"form/RULE"}


def test_every_tag_of_tensorboard_is_documented(run):
    assert logged_tags(run) == documented_tags("drawing")


def test_human_and_imitator_are_lines_in_the_learners_charts(run):
    summary = json.loads((run / "summary.json").read_text())
    imitator = summary["imitator"][str(summary["imitator_temperature"])]
    evaluated = {tag for tag in logged_tags(run) if tag.startswith("eval/")} - {"eval/judge_gap"}
    for name, figures in (("human", summary["human"]), ("imitator", imitator)):
        events = EventAccumulator(str(run / name))
        events.Reload()
        assert set(events.Tags()["scalars"]) == evaluated
        for tag in evaluated:
            points = [(event.step, event.value) for event in events.Scalars(tag)]
            level = pytest.approx(figures[tag.removeprefix("eval/")])
            assert points == [(0, level), (4096, level)]


def test_each_decisive_chart_shows_one_figure(run):
    tags, charts = logged_tags(run), next(iter(LAYOUT.values()))
    for title, (_, patterns) in charts.items():
        assert len([tag for tag in tags for found in patterns if re.search(found, tag)]) == 1, title


def test_works_that_could_not_be_used_are_counted_and_named(run):
    lines = (run / "left-out.txt").read_text().splitlines()
    left_out = load_corpus("tabler").skipped
    assert lines == [f"{label}: {reason}" for label, reason in left_out] and len(lines) > 10
    said = (run / "said.txt").read_text()
    assert f"{len(lines)} works of the corpus left out" in said and lines[-1] in said


def test_replay_writes_every_kind_and_verifies(run, tmp_path):
    result = script(
        "replay.py", run, "--best", 5, "--sheet", tmp_path / "s.png", "--svg", tmp_path / "svg",
        "--gif", tmp_path / "g.gif", "--html", tmp_path / "p.html",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "svg").glob("*.svg"))) == 5
    assert (tmp_path / "p.html").read_text().startswith("<!")
    result = script("replay.py", run, "--verify")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "reproduced exactly" in result.stdout


def test_files_are_written_even_if_the_reader_of_the_table_leaves(run, tmp_path):
    replay = subprocess.Popen(
        [sys.executable, "replay.py", str(run), "--best", "50", "--explain",
         "--html", str(tmp_path / "p.html")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    replay.stdout.close()
    assert replay.stderr.read() == "" and replay.wait() == 0
    assert (tmp_path / "p.html").read_text().startswith("<!")


def test_verification_finds_a_changed_work(run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    works = Works.load(run / "works.npz")
    moves = works.moves.copy()
    moves[3, :2] = (5, 300)
    Works(works.world, moves, works.briefs, appraisal=works.appraisal).save(tmp_path / "works.npz")
    assert script("replay.py", tmp_path, "--verify").returncode == 1


def test_verification_names_a_term_that_an_earlier_version_did_not_write(run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    works = Works.load(run / "works.npz")
    kept = {key: v for key, v in works.appraisal.items() if key != "judged/yield_loose"}
    Works(works.world, works.moves, works.briefs, appraisal=kept).save(tmp_path / "works.npz")
    result = script("replay.py", tmp_path, "--verify")
    assert result.returncode == 1 and result.stderr == ""
    assert "judged/yield_loose: not in the run" in result.stdout


def test_a_finished_run_is_not_overwritten(run):
    result = script("train.py", "--preset", "smoke", "--run-dir", run)
    assert result.returncode == 1 and "holds a finished run" in result.stderr


@pytest.mark.parametrize("damage", ["truncate", "flip", "text"])
def test_damaged_works_are_a_clear_error(damage, tmp_path):
    path = tmp_path / "works.npz"
    moves = np.random.default_rng(0).integers(0, 576, (50, 48)).astype(np.int16)
    Works("drawing", moves).save(path)
    data = bytearray(path.read_bytes())
    if damage == "truncate":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[len(data) // 3] ^= 0xFF
    else:
        data = bytearray(b"not works")
    path.write_bytes(data)
    with pytest.raises(WorksError, match=r"works\.npz"):
        Works.load(path)


def test_a_worlds_settings_stand_between_the_defaults_and_what_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawing, there = make_config(), make_config(world="composition")
    assert (drawing.n_steps, drawing.gae_lambda) == (64, 0.95)
    assert (there.n_steps, there.value_network) == (32, "own")
    assert there.env_steps == 6_000_000
    full = make_config("full", "composition")
    assert (full.env_steps, full.n_steps) == (20_000_000, 32)  # the preset's own
    smoke = make_config("smoke", "composition")
    assert (smoke.env_steps, smoke.n_envs, smoke.kl_weight) == (16_384, 64, 0.1)
    asked, resume = parse(["--world", "composition", "--gae-lambda", "0.9"])
    assert (asked.gae_lambda, asked.n_steps, resume) == (0.9, 32, False)
    assert with_folder(asked).run_dir == "runs/composition-default-0"


def test_every_option_is_explained():
    helped = script("train.py", "--help").stdout
    for item in fields(Config):
        assert f"--{item.name.replace('_', '-')} " in helped
        assert len(field_docs(Config)[item.name]) > 10, item.name


def test_the_commands_that_are_printed_work_as_typed(run):
    said = (run / "said.txt").read_text()
    command = said.split("next: ")[1].splitlines()[0]
    assert command.startswith(("python ", ".venv/", "/")) and "replay.py" in command
    html = run / "works.html"
    typed = command.replace("works.html", str(html))
    assert subprocess.run(shlex.split(typed), cwd=ROOT, capture_output=True).returncode == 0
    assert html.exists()


def test_a_composition_is_learnt_verified_and_written_in_every_form(tmp_path):
    folder = tmp_path / "tune"
    learnt = script(
        "train.py", "--world", "composition", "--preset", "smoke", "--run-dir", folder,
        "--human-works", 150, "--imitation-epochs", 1, "--critic-updates", 10, "--env-steps", 4096,
        "--refresh-every", 1,
        "--eval-works", 40, "--threads", 1,
    )  # fmt: skip
    assert learnt.returncode == 0, learnt.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert np.isfinite([summary["yield_with_repeats"], summary["parallels"]]).all()
    assert logged_tags(folder) == documented_tags("composition")
    verified = script("replay.py", folder, "--verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    kinds = ("svg", "midi", "musicxml", "wav", "roll")
    told = script(
        "replay.py", folder, "--id", 3, "--explain", "--sheet", tmp_path / "s.png", "--html",
        tmp_path / "s.html", *(x for kind in kinds for x in (f"--{kind}", tmp_path / kind)),
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "form 0" in told.stdout and "bar " in told.stdout
    assert (tmp_path / "s.png").stat().st_size and (tmp_path / "s.html").stat().st_size
    for kind in kinds:
        assert len(list((tmp_path / kind).iterdir())) == 1, kind
