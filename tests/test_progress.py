"""Nothing is silent for long, and a log file is made of lines."""

import io
import re
import sys
import time
from itertools import pairwise

import pytest
from PIL import Image

from move37.agents.compare.config import CompareConfig
from move37.agents.learner.train_loop import TrainingRun
from move37.agents.runs.config import make_config
from move37.agents.runs.terminal import Clock
from move37.compare import compare
from move37.envs import progress
from move37.envs.progress import doing, reached, track

SLACK = 2.0
"""Seconds that a thread may wait for its turn on a busy machine."""


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.2)


def test_the_innermost_is_said_with_its_numbers_and_lines_in_between_count(often):
    said = []
    with doing("a comparison", said.append), doing("imitation"):
        reached("epoch 1")
        time.sleep(0.7)
        quiet = len(said)
        for _ in range(8):
            progress.printed()
            time.sleep(0.05)
        assert len(said) == quiet
    time.sleep(0.5)
    assert len(said) == quiet and quiet in (2, 3)
    assert said[0] == "imitation: epoch 1 (0 s so far)"


def test_a_corpus_is_lines_in_a_log_and_a_bar_on_a_terminal(often, monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    for kind in (io.StringIO, Screen):
        out, err = kind(), kind()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        seen = []
        with doing("reading icons", bar=True):
            for item in track(range(8), "reading icons", "work"):
                time.sleep(0.1)
                seen.append(item)
        assert seen == list(range(8)) and not out.getvalue()
        if kind is Screen:
            assert "\r" in err.getvalue() and "so far" not in err.getvalue()
        else:
            lines = err.getvalue().splitlines()
            assert len(lines) in (2, 3, 4) and "\r" not in err.getvalue()
            for line in lines:
                assert re.fullmatch(r"reading icons: [1-7] of 8 \(\d s so far\)", line)


def test_what_is_read_in_silence_says_nothing(often, capfd):
    with doing("something else", lambda line: None):
        assert [time.sleep(0.1) or i for i in track(range(5), "reading", "work", silent=True)]
    assert capfd.readouterr() == ("", "")


def test_a_run_is_never_silent_and_shows_works_while_it_learns(often, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("move37.agents.learner.train_loop.PICTURES_EVERY", 0.5)
    folder, said, pictures = tmp_path / "run", [(time.monotonic(), "")], set()
    clock = Clock()

    def log(line):
        clock.log(line)
        said.append((time.monotonic(), line))
        for file in folder.glob("*est.png"):
            Image.open(file).verify()  # whole at any time
            pictures.add((file.name, file.stat().st_mtime_ns))

    config = make_config(
        preset="smoke", run_dir=str(folder), human_works=150, imitation_epochs=2,
        critic_updates=10, env_steps=8192, n_envs=32, n_steps=32, eval_works=60, threads=1,
        refresh_every=2,
    )  # fmt: skip
    TrainingRun(config, log=log).run()
    times = [at for at, _ in said]
    assert max(b - a for a, b in pairwise(times)) < progress.EVERY + SLACK
    printed, errors = capfd.readouterr()
    assert "\r" not in printed + errors
    for phase in ("fitting the judges: critic, update", "imitation: epoch", "sampling the imitator",
                  "PPO: "):  # fmt: skip
        assert f"] {phase}" in printed, printed
    numbers = r"PPO: [\d,]+ of 8,192 moves, reward \d\.\d+, yield [\d.]+%, novelty [\d.]+ \("
    assert re.search(numbers, printed), printed
    assert printed.count(f"look at {folder / 'newest.png'} and {folder / 'best.png'}") == 1
    for name in ("newest.png", "best.png"):
        assert len([1 for found, _ in pictures if found == name]) > 2, pictures


def test_a_comparison_is_never_silent(often, tmp_path, capfd):
    clock, times = Clock(), [time.monotonic()]

    def log(line):
        clock.log(line)
        times.append(time.monotonic())

    options = CompareConfig(
        out=tmp_path, budget="smoke", works=50, only=("random", "rnn"), threads=1, seeds=1,
        evidence=False,
    )  # fmt: skip
    compare(options, log)
    assert max(b - a for a, b in pairwise(times)) < progress.EVERY + SLACK
    printed, errors = capfd.readouterr()
    assert "\r" not in printed + errors
    for phase in ("fitting the judges: critic, update", "imitator, seed 0: fitting: epoch",
                  "rnn, seed 0: fitting: char-RNN"):  # fmt: skip
        assert f"] {phase}" in printed, printed
    assert "s] seed 0: char-RNN " in printed
