"""``replay`` as a Python function: which works, which files, what is listed."""

import json
import sys

import numpy as np
import pytest

from move37 import replay as command
from move37.envs.base import registry
from move37.envs.base.works import Works, WorksError
from move37.envs.drawing.moves import moves_of
from move37.envs.drawing.world import DrawingWorld
from move37.replay import replay

LINE = moves_of([np.array([(3, 4), (20, 4)])])


def save(folder, appraisal, name="works.npz"):
    n = len(next(iter(appraisal.values())))
    terms = {key: np.array(values, np.float64) for key, values in appraisal.items()}
    Works("drawing", np.stack([LINE] * n), appraisal=terms).save(folder / name)
    return folder


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({}, ["00001", "00002", "00003", "00000"]),
        ({"best": 2}, ["00001", "00002"]),
        ({"newest": 2}, ["00003", "00002"]),
        ({"ids": [3, 0, 3]}, ["00003", "00000", "00003"]),
    ],
)
def test_works_are_chosen_in_order(chosen, names, tmp_path):
    save(tmp_path, {"reward": [0.0, 0.9, 0.5, 0.5]})
    assert list(replay(tmp_path, **chosen, log=lambda line: None).names) == names


def test_random_works_are_those_of_the_seed(tmp_path):
    save(tmp_path, {"reward": np.zeros(50)})
    first, again, other = (
        replay(tmp_path, random=5, seed=seed, log=lambda line: None).names for seed in (1, 1, 2)
    )
    assert first == again != other and len(set(first)) == 5


def test_no_such_work_is_named(tmp_path):
    save(tmp_path, {"reward": [0.0, 0.9]})
    with pytest.raises(WorksError, match="there is no work 2; works are 0 to 1"):
        replay(tmp_path, ids=[0, 2])


def test_terms_of_version_0_1_have_their_new_names_and_missing_ones_are_told(tmp_path):
    save(tmp_path, {"reward": [0.1, 0.2], "newness": [0.3, 0.4], "habit": [1.0, 1.0]})
    lines = []
    works = replay(tmp_path, log=lines.append)
    assert sorted(works.appraisal) == ["mode_collapse", "novelty_reward", "reward"]
    assert lines[0].split() == ["id", "moves", "reward", "novelty_reward"]
    assert lines[1].split() == ["1", "3", "0.200", "0.400"]
    assert lines[-1] == "not recorded for these works: quality, heldout_quality, novelty_human"


def test_the_world_is_the_one_the_run_was_started_with(tmp_path, monkeypatch):
    save(tmp_path, {"reward": [0.1]})
    asked = []
    monkeypatch.setattr(registry, "find_world", lambda name: asked.append(name) or DrawingWorld)
    replay(tmp_path, log=lambda line: None)
    (tmp_path / "config.json").write_text(json.dumps({"world": "mine:World"}))
    replay(tmp_path, log=lambda line: None)
    assert asked == ["drawing", "mine:World"]


def test_any_kind_of_file_can_be_asked_for(tmp_path, monkeypatch, capsys):
    save(tmp_path, {"reward": [0.1]})
    svgs = tmp_path / "a", tmp_path / "b"
    arguments = ["--svg", str(svgs[0]), "--export", "svg", str(svgs[1])]
    monkeypatch.setattr(sys, "argv", ["replay.py", str(tmp_path), *arguments])
    command.main()
    first, second = ((folder / "00000.svg").read_text() for folder in svgs)
    assert first == second and first.startswith("<svg")
    assert f"wrote {svgs[1]}" in capsys.readouterr().out


def test_a_kind_that_the_world_does_not_write_is_refused_before_anything_is_written(tmp_path):
    save(tmp_path, {"reward": [0.1]})
    with pytest.raises(WorksError, match="--midi: the world drawing writes svg, gif"):
        replay(tmp_path, exports=[("svg", tmp_path / "svg"), ("midi", tmp_path / "midi")])
    assert not (tmp_path / "svg").exists()
