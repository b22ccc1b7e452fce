"""``replay`` as a Python function: which works, which files, what is listed."""

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from move37 import replay as command
from move37.agents.runs.checkpoint_io import Checkpoint, save_checkpoint
from move37.agents.runs.train_state import arrays_of
from move37.choosing import parse_where, terms_of
from move37.envs.base import registry
from move37.envs.base.works import Works, WorksError
from move37.envs.drawing.moves import moves_of
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.pictures import Look
from move37.envs.files.sheets import GAP
from move37.replay import replay, verify

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


def test_paths_may_be_text_and_a_suffix_of_another_kind_is_refused(tmp_path):
    run = str(save(tmp_path, {"reward": [0.0, 0.9]}))
    files = {"sheet": f"{run}/sheet.png", "html": f"{run}/page.html"}
    replay(run, exports=[("svg", f"{run}/svg"), ("gif", f"{run}/a.gif")], **files, log=print)
    written = {"a.gif", "page.html", "sheet.png", "svg", "works.npz"}
    assert {path.name for path in tmp_path.iterdir()} == written
    for kind in files:
        with pytest.raises(WorksError, match=f"--{kind}: .*x.jpg' does not end in"):
            replay(run, **{kind: f"{run}/x.jpg"})


def test_one_work_is_works_too_and_all_can_be_gone_through(tmp_path):
    works = Works.load(save(tmp_path, {"reward": [0.0, 0.9]}) / "works.npz")
    assert len(works[1]) == 1 and works[-1].appraisal["reward"] == [0.9]
    assert [len(work) for work in works] == [1, 1]
    with pytest.raises(IndexError):
        works[2]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"best": 0}, "--best: must be at least 1"),
        ({"newest": -1}, "--newest: must be at least 1"),
        ({"best": 1, "random": 1}, "--random: not allowed with --best"),
        ({"newest": 1, "ids": [0]}, "--id: not allowed with --newest"),
    ],
)
def test_a_choice_of_none_or_two_choices_are_refused(chosen, words, tmp_path):
    save(tmp_path, {"reward": [0.0, 0.9]})
    with pytest.raises(WorksError, match=words):
        replay(tmp_path, **chosen)


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


def test_the_term_that_works_are_best_by_is_shown(tmp_path):
    save(tmp_path, {"own_score": [0.1, 0.3, 0.2]})
    lines = []
    replay(tmp_path, log=lines.append)
    assert lines[0].split() == ["id", "moves", "own_score"]
    assert [line.split()[-1] for line in lines[1:4]] == ["0.300", "0.200", "0.100"]


def test_terms_of_version_0_1_have_their_new_names_and_missing_ones_are_told(tmp_path):
    save(tmp_path, {"reward": [0.1, 0.2], "newness": [0.3, 0.4], "habit": [1.0, 1.0]})
    lines = []
    works = replay(tmp_path, log=lines.append)
    assert sorted(works.appraisal) == ["mode_collapse", "novelty_reward", "reward"]
    assert lines[0].split() == ["id", "moves", "reward", "novelty_reward"]
    assert lines[1].split() == ["1", "3", "0.200", "0.400"]
    assert lines[-1] == "not recorded for these works: quality, heldout_quality, novelty_human"
    alone = replay(tmp_path / "works.npz", log=lines.append)  # the file, outside of its run
    assert sorted(alone.appraisal) == sorted(works.appraisal)


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
    with pytest.raises(WorksError, match="--midi: the world drawing writes svg, png, gif"):
        replay(tmp_path, exports=[("svg", tmp_path / "svg"), ("midi", tmp_path / "midi")])
    assert not (tmp_path / "svg").exists()


def quiet(line):
    pass


def shown(folder, **options):
    return [int(name) for name in replay(folder, log=quiet, **options).names]


TERMS = {"reward": [0.1, 0.9, np.nan, 0.5, 0.5], "judged/form": [3, 1, 2, np.nan, 0]}


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"sort": "form"}, [0, 2, 1, 4, 3]),  # nan comes last, whichever way
        ({"sort": "judged/form", "ascending": True}, [4, 1, 2, 0, 3]),
        ({"ascending": True}, [0, 3, 4, 1, 2]),
        ({"where": "form > 0.5 and reward != 0.1"}, [1]),  # nothing holds of nan
        ({"where": "form >= 2 and form<=2"}, [2]),
        ({"where": "reward = 0.5"}, [3, 4]),
        ({"where": "moves < 3"}, []),
        ({"where": "form < 3", "newest": 2}, [4, 2]),
        ({"where": "form < 3", "newest": 2, "sort": "form"}, [2, 4]),
        ({"where": "form < 3", "best": 1, "sort": "form"}, [2]),
        ({"where": "form >= 1", "ids": [2, 4, 0, 2]}, [2, 0, 2]),
        ({"ids": [2, 4, 0], "sort": "form"}, [0, 2, 4]),
    ],
)
def test_works_are_filtered_first_then_chosen_then_sorted(options, ids, tmp_path):
    assert shown(save(tmp_path, TERMS), **options) == ids


def test_random_works_are_drawn_from_those_of_where(tmp_path):
    save(tmp_path, {"reward": np.arange(50)})
    found = shown(tmp_path, where="reward >= 40", random=5)
    assert len(set(found)) == 5 and min(found) >= 40


def test_what_where_left_is_counted_and_its_terms_are_listed(tmp_path):
    lines = []
    replay(save(tmp_path, TERMS | {"form/ink": [1] * 5}), where="form/ink > 0", log=lines.append)
    assert lines[0] == "5 of 5 works: form/ink > 0" and "form/ink" in lines[1].split()


@pytest.mark.parametrize("option", ["where", "sort"])
def test_an_unknown_term_is_refused_with_the_known_ones(option, tmp_path):
    text = {"where": "beauty > 1", "sort": "beauty"}[option]
    known = "form, judged/form, moves, reward"
    with pytest.raises(WorksError, match=f"--{option}: these works .* 'beauty'; there are {known}"):
        replay(save(tmp_path, TERMS), **{option: text})


@pytest.mark.parametrize(
    "text", ["", "form", "form >", "> 1", "form > x", "1 < form < 2", "form > 1 or reward > 2",
             "form > 1 and", "__import__('os')", "form => 1", "form > 1 reward > 2"],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match=r"--where: .* is no condition"):
        parse_where(text)


def test_conditions_are_read_as_written():
    assert parse_where(" a>1 and form/b <= -2.5e-1  and c != inf") == [
        ("a", ">", 1.0), ("form/b", "<=", -0.25), ("c", "!=", np.inf),
    ]  # fmt: skip


def test_nothing_is_written_of_no_works(tmp_path):
    save(tmp_path, TERMS)
    page = tmp_path / "p.html"
    lines = []
    assert not len(replay(tmp_path, where="form > 9", html=page, log=lines.append))
    assert lines == ["0 of 5 works: form > 9", "no works to show"] and not page.exists()


class Judges:
    """Judges every work by its length."""

    def measure(self, works):
        return {"heldout_quality": works.lengths / 10}


def checkpoint(run, steps, n):
    works = Works("drawing", np.tile(LINE, (n, 1)), appraisal={"reward": np.arange(float(n))})
    path = run / "checkpoints" / f"state-{steps:010d}.safetensors"
    arrays = {f"works/{key}": value for key, value in arrays_of(works).items()} if n else {}
    save_checkpoint(path, Checkpoint(arrays | {"x": np.zeros(1)}, {}))
    return path


def test_of_a_run_that_still_learns_the_newest_works_are_shown_and_judged(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"world": "drawing"}')
    monkeypatch.setattr(DrawingWorld, "load_evaluator", lambda self, folder: Judges())
    old, new = checkpoint(tmp_path, 100, 3), checkpoint(tmp_path, 200, 2)
    lines = []
    works = replay(tmp_path, log=lines.append)
    assert works.names == ("00001", "00000")
    assert terms_of(works)["heldout_quality"].tolist() == [0.3, 0.3]
    assert lines[0] == "2 works, the newest after 200 moves of learning"
    assert shown(old) == [2, 1, 0]
    new.write_bytes(new.read_bytes()[:-3])  # damaged: the one before it is read
    assert shown(tmp_path) == [2, 1, 0]
    with pytest.raises(WorksError, match="folder of a finished run"):
        verify(tmp_path)


def test_a_checkpoint_alone_is_shown_if_its_world_is_known(tmp_path):
    path = checkpoint(tmp_path / "run", 100, 2)
    with pytest.raises(WorksError, match="lies in no run; --world"):
        replay(path)
    lines = []
    assert len(replay(path, world="drawing", log=lines.append)) == 2
    assert lines[1].startswith("not judged: ")


def test_a_checkpoint_before_the_first_work_says_so(tmp_path):
    with pytest.raises(WorksError, match="no work was finished before it"):
        replay(checkpoint(tmp_path, 0, 0), world="drawing")


def comparison(folder):
    config = {"format": "move37-comparison-2", "world": "drawing"}
    (folder / "works").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name, n in (("learner-0", 3), ("learner-0-best", 1), ("rnn_t0.50-2", 2)):
        save(folder / "works", {"heldout_quality": [0.3] * n}, f"{name}.npz")
    return folder


def test_works_of_a_comparison_are_found_by_maker_and_seed(tmp_path, monkeypatch):
    folder = comparison(tmp_path)
    lines = []
    assert len(replay(folder, log=lines.append)) == 3
    assert lines[0].startswith("works of learner-0; --works takes learner-0, rnn_t0.50-2;")
    assert len(replay(folder, which="learner-0-best", log=quiet)) == 1
    assert len(replay(folder / "works" / "rnn_t0.50-2.npz", log=quiet)) == 2
    with pytest.raises(
        WorksError, match=r"--works: 'gan-0' is none of learner-0, rnn_t0.50-2; each"
    ):
        replay(folder, which="gan-0")
    for path in (folder / "works").glob("learner*"):
        path.unlink()
    with pytest.raises(WorksError, match=r"--works: 'fresh' is none of rnn_t0.50-2; each"):
        replay(folder)
    monkeypatch.setattr(DrawingWorld, "load_evaluator", lambda self, path: Judges())
    assert verify(folder, "rnn_t0.50-2", log=quiet)
    save(folder / "works", {"heldout_quality": [0.3, 0.4]}, "rnn_t0.50-2.npz")
    assert not verify(folder, "rnn_t0.50-2", log=quiet)


def test_verification_and_files_are_done_together(tmp_path, monkeypatch):
    folder = comparison(tmp_path)
    monkeypatch.setattr(DrawingWorld, "load_evaluator", lambda self, path: Judges())
    for name, bad in (("learner-0", False), ("rnn_t0.50-2", True)):
        if bad:
            save(folder / "works", {"heldout_quality": [0.9, 0.4]}, f"{name}.npz")
        sheet = tmp_path / f"{name}.png"
        arguments = [str(folder), "--works", name, "--verify", "--sheet", str(sheet)]
        if bad:
            with pytest.raises(SystemExit) as left:
                command.main(arguments)
            assert left.value.code == 1
        else:
            command.main(arguments)
        assert sheet.exists()


def failure(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        command.main([*map(str, arguments)])
    assert left.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sheet", "a.jpg"], "does not end in .png"),
        (["--html", "a.png"], "does not end in .html"),
        (["--gif", "a.png"], "--gif: 'a.png' does not end in .gif"),
        (["--svg", "a.svg"], "'a.svg' is named like a file; it must be a folder"),
        (["--export", "gif", "a"], "--gif: 'a' does not end in .gif"),
        (["--sheet", "a.png", "--ink", "reddish"], "'reddish' is no colour"),
        (["--sheet", "a.png", "--size", "0"], "size: expected 1 to 8192 pixels"),
        (["--ink", "red"], "--ink: in the world drawing needs one of --sheet, --moments, --svg"),
        (["--html", "a.html", "--smooth"], "--smooth: in the world drawing needs one of"),
    ],
)
def test_files_and_looks_that_cannot_be_are_refused_in_one_line(
    arguments, words, tmp_path, capsys, monkeypatch
):
    save(tmp_path, {"reward": [0.1]})
    monkeypatch.chdir(tmp_path)
    assert words in failure(capsys, tmp_path, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["works.npz"]


def test_what_a_world_cannot_draw_otherwise_is_refused(tmp_path):
    works = Works("composition", np.full((1, 32), 1, np.int16))
    works.save(tmp_path / "works.npz")
    with pytest.raises(WorksError, match="--smooth: in the world composition no file obeys it"):
        replay(tmp_path, sheet=tmp_path / "s.png", look=Look(smooth=True))
    replay(tmp_path, sheet=tmp_path / "s.png", look=Look(size=60), log=quiet)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width == 60 + 2 * GAP


def test_the_look_options_act(tmp_path):
    save(tmp_path, {"reward": [0.1]})
    svgs = tmp_path / "svg"
    command.main([str(tmp_path), "--svg", str(svgs), *"--ink #0a14c8 --paper white".split()])
    text = (svgs / "00000.svg").read_text()
    assert 'stroke="#0a14c8"' in text and 'fill="#ffffff"' in text


def test_the_nearest_human_work_of_the_judges_stands_beside_each_work(tmp_path, monkeypatch):
    class Lengths(Judges):
        scale = 2.0
        human = Works("drawing", np.array([[1, 2, 3, 4, 5], [1, 2, -1, -1, -1]]), names=("x", "y"))

        def describe(self, works):
            return works.lengths[:, None].astype(np.float32)

    monkeypatch.setattr(DrawingWorld, "load_evaluator", lambda self, path: Lengths())
    save(tmp_path, {"reward": [0.1]})
    page = tmp_path / "p.html"
    replay(tmp_path, html=page, log=quiet)
    found = json.loads(re.search(r'id="nearest-data">(.*?)</script>', page.read_text())[1])
    assert [(work["name"], work["distance"]) for work in found] == [("y", 0.5)]
