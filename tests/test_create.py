"""``create``: new works of a saved learner, and the learner as Stable-Baselines3's PPO."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from PIL import Image
from stable_baselines3 import PPO
from toy_world import ToyWorld

from move37 import create as command
from move37.agents.learner.loading import load_learner, load_reward, read_learner
from move37.agents.learner.train_loop import LEARNER, TrainingRun
from move37.agents.runs.checkpoint_io import load_checkpoint
from move37.agents.runs.config import make_config, save_config
from move37.agents.runs.run_dir import SUMMARY
from move37.agents.runs.train_state import checkpoint_paths
from move37.create import create
from move37.envs.base.registry import WORLDS, find_world
from move37.envs.base.works import PAD, Works
from move37.envs.base.world import World
from move37.envs.composition.corpus.melody import read_melody
from move37.envs.drawing.moves import LIFT, SIZE
from move37.envs.files.pictures import GIVEN
from move37.novelty.storage import save_weights
from move37.replay import replay

ROOT = Path(__file__).parent.parent
STROKES = [np.array([(3, 4), (20, 4)]), np.array([(12, 9), (12, 9)])]
BRIEF = [4 * SIZE + 3, 4 * SIZE + 20, LIFT, 9 * SIZE + 12, 9 * SIZE + 12]
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="black" '
    'stroke-linecap="round">'
    '<path d="M3 4H20M12 9h0"/></svg>'
)


def silent(line):
    pass


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny finished run of the drawing world."""
    folder = tmp_path_factory.mktemp("runs") / "drawing-smoke-0"
    options = {
        "human_works": 200, "imitation_epochs": 1, "critic_updates": 10, "env_steps": 4096,
        "eval_works": 60, "refresh_every": 1, "checkpoint_steps": 2048, "threads": 1,
    }  # fmt: skip
    TrainingRun(make_config("smoke", run_dir=str(folder), **options), log=silent).run()
    return folder


@pytest.fixture
def unfinished(run, tmp_path):
    """The same run before it was finished: what is left are two checkpoints."""
    folder = tmp_path / "unfinished"
    shutil.copytree(run, folder)
    (folder / LEARNER).unlink()
    (folder / SUMMARY).unlink()
    return folder


def untrained(world, folder):
    """A learner that has learnt nothing, alone: no judges, no reward."""
    torch.manual_seed(0)
    config = make_config("smoke", world, run_dir=str(folder))
    save_config(config)
    network = find_world(world)().network()
    save_weights(folder / LEARNER, torch.nn.ModuleDict({"network": network}))
    return folder


@pytest.fixture
def svg(tmp_path):
    path = tmp_path / "mine.svg"
    path.write_text(SVG)
    return path


@pytest.fixture
def melody(tmp_path):
    """Four bars of quarter notes in C, as MIDI."""
    notes = "".join(
        f"00 90 {60 + step:02x} 50 18 80 {60 + step:02x} 00 " for step in (7, 9, 11, 12)
    )
    track = bytes.fromhex("00 ff 58 04 04 02 18 08 " + notes * 4 + "00 ff 2f 00")
    head = b"MThd" + bytes.fromhex("00000006 0000 0001 0018")
    path = tmp_path / "melody.mid"
    path.write_bytes(head + b"MTrk" + len(track).to_bytes(4, "big") + track)
    return path


# New works


def test_the_same_seed_makes_the_same_works_and_another_seed_others(run):
    first, again, other = (create(run, n=12, seed=seed, log=silent) for seed in (3, 3, 4))
    assert (first.moves == again.moves).all()
    assert (first.moves != other.moves).any(axis=1).sum() > 8
    assert len(first) == 12 and first.world == "drawing" and first.n_actions == 578


def test_temperature_goes_from_the_surest_move_to_any(run):
    surest, usual, any_move = (
        len(set(create(run, n=400, temperature=t, log=silent).moves[:, 0].tolist()))
        for t in (0.01, 1.0, 100.0)
    )
    # A learner that has hardly learnt is nearly as unsure as can be.
    assert surest <= 3 and usual > surest and any_move > 200


def test_the_learner_and_not_the_imitator_makes_the_works(run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    learner = load_learner(run)
    with torch.no_grad():
        learner.policy.network.head.bias[:] = 0
        learner.policy.network.head.bias[BRIEF[0]] = 1000
    save_weights(tmp_path / LEARNER, learner.policy)
    assert (create(tmp_path, n=3, log=silent).moves == BRIEF[0]).all()


def test_works_are_appraised_as_the_run_appraised_its_own(run):
    recorded = Works.load(run / "works.npz")
    again = load_reward(run)(recorded)
    assert "novelty_reward" in again
    for key, values in again.items():
        np.testing.assert_array_equal(values, recorded.appraisal[key], err_msg=key)
    made = create(run, n=5, log=silent)
    assert made.appraisal.keys() == recorded.appraisal.keys()
    assert (made.appraisal["step"] == recorded.appraisal["step"][0]).all()


def test_without_a_checkpoint_the_judges_alone_appraise(run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "checkpoints")
    said = []
    made = create(tmp_path, n=5, log=said.append)
    assert {"judged/heldout_quality", "step"} <= set(made.appraisal)
    assert "reward" not in made.appraisal
    assert any(line.startswith("not fully appraised: ") for line in said)
    assert any(line.split()[0] == "heldout_quality" for line in said)


def test_what_was_written_is_replayed_with_its_brief(run, svg, tmp_path):
    made = create(
        run, n=4, brief=svg, works=tmp_path / "mine.npz", exports=[("svg", tmp_path / "a")],
        sheet=tmp_path / "a.png", log=silent,
    )  # fmt: skip
    lines = []
    shown = replay(
        tmp_path / "mine.npz", ids=[0, 1, 2, 3], exports=[("svg", tmp_path / "b")],
        sheet=tmp_path / "b.png", log=lines.append,
    )  # fmt: skip
    assert (shown.moves == made.moves).all() and (shown.briefs == made.briefs).all()
    for i in range(4):
        name = f"{i:05d}.svg"
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "reward" in "".join(lines) and not any("not recorded" in line for line in lines)


def test_the_strokes_of_a_brief_lie_on_the_board_and_in_every_file(run, svg, tmp_path):
    said = []
    kinds = {"svg": "svg", "png": "png", "gif": "a.gif"}
    exports = [(kind, tmp_path / name) for kind, name in kinds.items()]
    page = tmp_path / "page.html"
    made = create(run, n=2, brief=svg, exports=exports, html=page, log=said.append)
    assert made.briefs.tolist() == [BRIEF] * 2
    assert any("practised without briefs" in line for line in said)
    paths = ET.fromstring((tmp_path / "svg/00001.svg").read_text())
    given = [path.get("d") for path in paths if path.get("class") == "brief"]
    assert given == ["M3 4L20 4", "M12 9L12 9"] and [p.get("class") for p in paths][2:3] != [
        "brief"
    ]
    assert json.dumps(BRIEF).replace(" ", "") in page.read_text()
    # Made of a work of its own, whose line does not lie over the brief.
    work = Works("drawing", np.array([[20 * SIZE, 20 * SIZE + 5]]), made.briefs[:1])
    for kind, path in exports[1:]:
        find_world("drawing").exports[kind][2](work, path)
    with Image.open(tmp_path / "png/00000.png") as image:
        assert image.getpixel((250, 96)) == GIVEN and image.size == (512, 512)
    with Image.open(tmp_path / "a.gif") as film:
        for frame in (0, film.n_frames - 1):
            film.seek(frame)
            shown = film.convert("RGB").getpixel((125, 48))
            assert np.abs(np.subtract(shown, GIVEN)).max() < 8


def test_a_brief_may_be_what_the_environment_takes(run, svg):
    of_file, of_strokes = (create(run, n=6, brief=b, log=silent) for b in (svg, STROKES))
    assert (of_file.moves == of_strokes.moves).all()
    assert (of_file.moves != create(run, n=6, log=silent).moves).any()


def test_a_picture_is_traced_as_a_brief(run, tmp_path):
    pixels = np.full((240, 240), 255, np.uint8)
    pixels[40:50, 30:210] = 0
    Image.fromarray(pixels).save(tmp_path / "line.png")
    brief = create(run, n=1, brief=tmp_path / "line.png", log=silent).briefs[0]
    assert brief.tolist() in ([4 * SIZE + 3, 4 * SIZE + 20], [4 * SIZE + 20, 4 * SIZE + 3])


def test_basses_answer_the_melody_of_a_file(melody, tmp_path):
    said = []
    made = create(
        untrained("composition", tmp_path / "c"), n=5, brief=melody, works=tmp_path / "w.npz",
        exports=[("midi", tmp_path / "midi"), ("musicxml", tmp_path / "xml")], log=said.append,
    )  # fmt: skip
    brief, lines = read_melody(melody)
    assert (made.briefs == brief).all() and len(np.unique(made.moves, axis=0)) == 5
    assert set(lines) <= set(said) and not any("without briefs" in line for line in said)
    assert any(line.startswith("not fully appraised: ") for line in said)
    assert len(list((tmp_path / "midi").iterdir())) == len(list((tmp_path / "xml").iterdir())) == 5
    # What was written as an answer holds the melody.
    heard, _ = read_melody(tmp_path / "xml/00003.musicxml")
    assert (heard[3:35] == brief[3:35]).all()
    assert (replay(tmp_path / "w.npz", log=silent).briefs == brief).all()


def test_compositions_without_a_brief_answer_sopranos_by_seed(tmp_path):
    folder = untrained("composition", tmp_path)
    world = read_learner(folder).world
    known = {tuple(brief) for brief in world.held_out.briefs.tolist()}
    first, other = (create(folder, n=4, seed=seed, log=silent).briefs.tolist() for seed in (0, 1))
    assert all(tuple(brief) in known for brief in first + other) and first != other


def test_a_world_of_ones_own_creates_and_replays(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyWorld, "__init__", lambda self, *_: World.__init__(self))
    config = make_config("smoke", "toy_world:ToyWorld", run_dir=str(tmp_path))
    save_config(config)
    save_weights(tmp_path / LEARNER, torch.nn.ModuleDict({"network": ToyWorld.network()}))
    monkeypatch.setattr(ToyWorld, "network", staticmethod(ToyWorld.network), raising=True)
    made = create(tmp_path, n=3, works=tmp_path / "w.npz", log=silent)
    assert made.world == "toy"
    with pytest.raises(ValueError, match="world 'toy' is none of"):
        replay(tmp_path / "w.npz", log=silent)
    shown = replay(tmp_path / "w.npz", world="toy_world:ToyWorld", log=silent)
    assert (shown.moves == made.moves).all()


# Runs that are not finished, or damaged


def test_of_an_unfinished_run_the_newest_checkpoint_works(unfinished):
    said = []
    create(unfinished, n=2, log=said.append)
    newest, before = checkpoint_paths(unfinished)
    steps = load_checkpoint(newest).facts["num_timesteps"]
    assert steps == 4096
    assert f"unfinished: its newest checkpoint, after {steps:,} moves of 4,096" in said[0]
    begins = "policy/network."
    arrays = load_checkpoint(newest).arrays
    saved = {k.removeprefix(begins): v for k, v in arrays.items() if k.startswith(begins)}
    read = read_learner(unfinished).network.state_dict()
    assert all(np.array_equal(read[key], value) for key, value in saved.items()) and saved
    newest.write_bytes(newest.read_bytes()[:5000])
    said.clear()
    create(unfinished, n=2, log=said.append)
    assert newest.name in said[0] and "the checkpoint before it is used" in said[0]
    assert f"after {load_checkpoint(before).facts['num_timesteps']:,} moves" in said[1]
    assert sum(newest.name in line for line in said) == 1
    assert newest.exists()  # the run may still want to see it
    before.write_bytes(b"")
    with pytest.raises(ValueError, match=before.name):
        create(unfinished, n=2, log=silent)


def test_a_run_that_has_not_begun_to_learn_is_refused(unfinished):
    shutil.rmtree(unfinished / "checkpoints")
    with pytest.raises(ValueError, match="has not begun to learn"):
        create(unfinished, log=silent)
    with pytest.raises(ValueError, match="has not begun to learn"):
        load_reward(unfinished)


@pytest.mark.parametrize("damage", ["torn", "nan", "other world"])
def test_damaged_weights_are_refused(damage, run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    path = tmp_path / LEARNER
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "nan":
        learner = load_learner(run)
        with torch.no_grad():
            learner.policy.network.head.bias[0] = float("nan")
        save_weights(path, learner.policy)
    else:
        network = find_world("composition").network()
        save_weights(path, torch.nn.ModuleDict({"network": network}))
    for read in (lambda: create(tmp_path, log=silent), lambda: load_learner(tmp_path)):
        with pytest.raises(ValueError, match=rf"{LEARNER}: not the weights expected"):
            read()


# The command


def typed(arguments, monkeypatch, capsys):
    """Exit status, output and errors of a command line."""
    monkeypatch.setattr(sys, "argv", ["move37 create", *map(str, arguments)])
    status = 0
    try:
        command.main()
    except SystemExit as error:
        status = error.code
    return status, *capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "required: --run"),
        ("--run nowhere", "nowhere/config.json: no such file"),
        ("--run RUN --n 0", "--n: must be from 1 to 1048576, got 0"),
        ("--run RUN --n 2.5", "--n: invalid int value"),
        ("--run RUN --temperature 0", "--temperature: must be from 0.01 to 100"),
        ("--run RUN --temperature nan", "--temperature: must be from 0.01 to 100"),
        ("--run RUN --seed -1", "--seed: must be at least 0"),
        ("--run RUN --midi OUT", "--midi: the world drawing writes svg, png, gif"),
        ("--run RUN --export mp3 OUT", "--mp3: the world drawing writes svg, png, gif"),
        ("--run RUN --brief none.svg", "none.svg: cannot be read (No such file or directory)"),
        ("--run RUN --brief none.png", "none.png: not a file"),
        ("--run RUN --brief EMPTY.svg", "EMPTY.svg: nothing is drawn"),
        ("--run RUN --brief tune.mid", "tune.mid: no strokes are read from it; .svg, .png"),
        ("--run FREE --brief tune.mid", "composition-free writes the soprano, so none can"),
        ("--run TUNE --brief mine.svg", "mine.svg: a melody is read from files that end with"),
        ("--run TUNE --gif OUT", "--gif: the world composition writes svg, midi"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(
    arguments, words, run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY.svg").write_text(SVG.replace("M3 4H20M12 9h0", ""))
    for name, world in (("FREE", "composition-free"), ("TUNE", "composition")):
        if name in arguments:
            untrained(world, tmp_path / name)
    before = sorted(tmp_path.iterdir())
    given = [str(run) if word == "RUN" else word for word in arguments.split()]
    status, out, error = typed(given, monkeypatch, capsys)
    assert status == 1 and words in error and len(error.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before and "wrote" not in out


def test_without_a_file_asked_for_a_new_folder_is_filled(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("created", "created-2"):
        status, out, error = typed(["--run", run, "--n", 3], monkeypatch, capsys)
        assert (status, error) == (0, "")
        assert sorted(p.name for p in Path(folder).iterdir()) == ["sheet.png", "svg", "works.npz"]
        assert len(list(Path(folder, "svg").iterdir())) == len(Works.load(f"{folder}/works.npz"))
        assert f"move37 replay {folder}/works.npz" in out.split("next: ")[1]
        assert re.search(r"heldout_quality +\d", out) and re.search(r"novelty_human +\d", out)


def test_files_that_are_there_are_replaced(run, tmp_path, monkeypatch, capsys):
    sheet = tmp_path / "sheet.png"
    sheet.write_text("old")
    status, out, _ = typed(["--run", run, "--n", 1, "--sheet", sheet], monkeypatch, capsys)
    assert status == 0 and f"wrote {sheet}" in out and sheet.read_bytes()[1:4] == b"PNG"
    assert list(tmp_path.iterdir()) == [sheet]


def test_the_table_of_options_is_that_of_the_worlds():
    text = (ROOT / "docs/running.md").read_text()
    head, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.search(r"\n(\| option \| drawing.*?)\n\n", text, re.DOTALL)[1].splitlines()
    )
    table = {
        option: dict(zip(head[1:6], cells[1:6], strict=True))
        for cells in rows[1:]
        for option in re.findall(r"--([\w-]+)", cells[0].replace("line-width", "line_width"))
    }
    options = {*vars(command.parse(["--run", "r"]))} - {"exports", "concept"}
    kinds = {kind for name in WORLDS for kind in find_world(name).exports}
    assert set(table) == options | kinds | {"export"} and set(head[1:6]) == set(WORLDS)
    for kind in kinds:
        for world, cell in table[kind].items():
            assert (cell == "yes") == (kind in find_world(world).exports), (kind, world)
    assert [world for world, cell in table["brief"].items() if cell == "no"] == ["composition-free"]


# Files of works in the place of a run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"which": "admitted"}, "--works: .* is a file of works"),
        ({"moments": Path("m.png")}, "--moments: .* is a file of works"),
    ],
)
def test_what_needs_a_run_is_refused_of_a_file(options, words, tmp_path):
    Works("drawing", np.array([[0, 1, PAD]])).save(tmp_path / "w.npz")
    with pytest.raises(ValueError, match=words):
        replay(tmp_path / "w.npz", **options, log=silent)


# Stable-Baselines3


def test_the_policy_is_the_runs(run):
    learner = load_learner(run)
    assert isinstance(learner, PPO) and learner.get_env().num_envs == 64
    network = read_learner(run).network
    observations = learner.get_env().reset()
    with torch.no_grad():
        logits = network({key: torch.as_tensor(v) for key, v in observations.items()})[0]
    surest, _ = learner.predict(observations, deterministic=True)
    assert (surest == logits.argmax(1).numpy()).all()
    seen, _ = learner.policy.obs_to_tensor(observations)
    shares = learner.policy.get_distribution(seen).distribution.probs
    torch.testing.assert_close(shares, torch.softmax(logits, 1))
    one, _ = gymnasium.make("move37:Move37/DrawingFree-v0").reset()
    assert learner.predict(one, deterministic=True)[0] == surest[0]


def test_an_sb3_zip_holds_the_policy_and_goes_on_learning(run, tmp_path):
    learner = load_learner(run)
    learner.save(tmp_path / "learner.zip")
    again = PPO.load(tmp_path / "learner.zip", env=learner.get_env())
    before = {key: value.clone() for key, value in again.policy.state_dict().items()}
    for key, value in learner.policy.state_dict().items():
        assert torch.equal(value, before[key])
    again.learn(64 * 32)
    after = again.policy.state_dict()
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"network", "value"}  # the prior is frozen


def test_the_examples_run(run, tmp_path, monkeypatch):
    """Every example of docs/sb3.md, one after the other; sb3-contrib's where it is installed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/drawing-smoke-0").symlink_to(run)
    names = {}
    text = (ROOT / "docs/sb3.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 7
    for example in examples:
        try:
            exec(compile(example, "docs/sb3.md", "exec"), names)
        except ModuleNotFoundError as error:
            assert error.name == "sb3_contrib"
    assert names["probabilities"].shape == (64, 578) and 0 <= names["mean"] <= 1
    assert len(list(Path("zips").iterdir())) == 2
    assert names["a2c"].num_timesteps >= 4096 and Path("learner.zip").exists()


def test_rl_zoo3_trains(tmp_path):
    pytest.importorskip("rl_zoo3")
    text = (ROOT / "docs/sb3.md").read_text()
    settings = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "zoo.yml").write_text(settings.replace("100000", "1024"))
    for line in re.findall(r"^    python (-m rl_zoo3.*)$", text, re.MULTILINE):
        more = ["-n", "200"] if "enjoy" in line else []
        done = subprocess.run(
            [sys.executable, *shlex.split(line), *more],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("logs/ppo/*/Move37-DrawingFree-v0.zip"))
