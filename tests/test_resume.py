"""A run that is stopped anywhere and goes on is the run that never stopped, to the bit."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from move37.agents.learner.callbacks import BetweenUpdates, TimingCallback, WorksCallback
from move37.agents.learner.health import FiniteCallback, collapse, rollout_entropy
from move37.agents.learner.imitation import imitate
from move37.agents.learner.ppo import make_ppo, warm_value
from move37.agents.learner.train_loop import TrainingRun
from move37.agents.runs.checkpoint_io import Checkpoint, load_checkpoint, save_checkpoint
from move37.agents.runs.config import FORMAT, Config, make_config
from move37.agents.runs.interrupts import Interrupts
from move37.agents.runs.run_dir import RunDir
from move37.agents.runs.run_log import add_log, open_log
from move37.agents.runs.train_state import (
    TrainState,
    checkpoint_path,
    newest_checkpoint,
    save_failure,
    write_checkpoint,
)
from move37.envs.base.batch import NotFiniteError, WorldBatch
from move37.envs.base.registry import make_world
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.moves import MAX_MOVES
from move37.envs.drawing.network import DrawingNetwork
from move37.novelty.archive import NoveltyArchive
from move37.novelty.storage import StorageError
from move37.train import parse

ROOT = Path(__file__).parent.parent
TINY = (
    "--preset", "smoke", "--human-works", "150", "--imitation-epochs", "3", "--critic-updates", "4",
    "--n-envs", "8", "--n-steps", "32", "--batch-size", "128", "--env-steps", "2560",
    "--refresh-every", "4", "--checkpoint-steps", "512", "--eval-works", "40", "--threads", "1",
)  # fmt: skip
PATIENCE = 600.0


def start(*arguments, **keywords):
    return subprocess.Popen(
        [sys.executable, "train.py", *map(str, arguments)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def train(*arguments, **keywords):
    return finish(start(*arguments, **keywords))


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    code, _, err = train(*TINY, "--run-dir", folder)
    assert code == 0, err
    return folder


def begun(whole, folder, stages=("judge", "references", "imitation", "imitations")):
    """The run as it was once these stages were done, for somebody to go on with."""
    (folder / "stages").mkdir(parents=True)
    names = ["config.json", "environment.json"]
    for stage in stages:
        names += [f"stages/{stage}.json"]
        names += json.loads((whole / f"stages/{stage}.json").read_text())["files"]
    for name in names:
        shutil.copy2(whole / name, folder / name)
    return folder


def table(folder):
    """The rows of progress.csv without times; columns may stand in any order."""
    with (folder / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if v and not k.startswith("time/")} for row in rows]


def curves(folder):
    """(step, value) of every scalar in TensorBoard, as a reader sees them."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if not tag.startswith("time/")
    }


def assert_same_run(one, other):
    assert summary(one)["fingerprint"] == summary(other)["fingerprint"]
    for name in ("works.npz", "admitted.npz"):
        a, b = Works.load(one / name), Works.load(other / name)
        np.testing.assert_array_equal(a.moves, b.moves)
        assert a.appraisal.keys() == b.appraisal.keys()
        for key, values in a.appraisal.items():
            np.testing.assert_array_equal(values, b.appraisal[key])
    for name in ("learner.safetensors", "critic.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    np.testing.assert_array_equal(
        NoveltyArchive.load(one / "archive.npz").entries,
        NoveltyArchive.load(other / "archive.npz").entries,
    )
    assert table(one) == table(other)
    a, b = curves(one), curves(other)
    assert a == b
    for tag, points in b.items():
        steps = [step for step, _ in points]
        assert len(set(steps)) == len(steps), f"{tag} stands twice"


def checkpoints(folder):
    return sorted((folder / "checkpoints").glob("state-*.safetensors"))


def wait_for(process, what):
    until = time.monotonic() + PATIENCE
    while process.poll() is None and not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def stop_once(folder, number, rng, kills):
    """Go on with a run and send it a signal some time after it has made progress."""
    before = [p.name for p in checkpoints(folder)]
    process = start("--resume", folder)
    enough = rng.random() < 0.7  # else anywhere, even before there is anything new
    wait_for(process, lambda: not enough or [p.name for p in checkpoints(folder)] != before)
    time.sleep(float(rng.uniform(0, 0.6 if enough else 4)))
    process.send_signal(number)
    code, out, err = finish(process)
    kills.append((number, code))
    if code == 0:  # it was faster, or in its last stage
        return False
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL, err
    elif code == 130:
        assert f"train.py --resume {folder}" in err
        if "moves; the latest works" in out:
            so_far = json.loads((folder / "summary-so-far.json").read_text())
            assert so_far["env_steps"] == int(checkpoints(folder)[-1].stem.split("-")[1])
    else:  # it was still importing: no harm done, but nobody there to say so nicely
        assert code in (-signal.SIGTERM, -signal.SIGINT, 1) and before == [
            p.name for p in checkpoints(folder)
        ], err
    return True


def test_the_same_seed_gives_the_same_run(whole, tmp_path):
    code, _, err = train(*TINY, "--run-dir", tmp_path / "again")
    assert code == 0, err
    assert_same_run(whole, tmp_path / "again")


def test_a_run_killed_again_and_again_ends_the_same(whole, tmp_path):
    folder, rng, kills = begun(whole, tmp_path / "run"), np.random.default_rng(1), []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        if not stop_once(folder, number, rng, kills):
            break
    if not (folder / "summary.json").exists():
        code, _, err = train("--resume", folder)
        assert code == 0, err
    assert_same_run(whole, folder)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_many_runs_killed_at_random_end_the_same(whole, tmp_path, seed):
    rng, kills = np.random.default_rng(seed), []
    some = ("judge", "references", "imitation", "imitations")[: int(rng.integers(0, 5))]
    folder = begun(whole, tmp_path / "run", some)
    for _ in range(8):
        number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        if not stop_once(folder, int(number), rng, kills):
            break
    if not (folder / "summary.json").exists():
        code, _, err = train("--resume", folder)
        assert code == 0, err
    assert_same_run(whole, folder)
    print(f"{len(kills)} signals: {kills}")


def test_a_run_killed_between_two_stages_ends_the_same(whole, tmp_path):
    folder = begun(whole, tmp_path / "run", ("judge", "references", "imitation"))
    # A stage whose file is damaged is done again; so is one that was never finished.
    references = folder / "stages" / "references.json"
    references.write_text(references.read_text().replace('"form"', '"from"', 1))
    process = start("--resume", folder)
    wait_for(process, lambda: (folder / "imitations.npz").exists())
    process.kill()
    finish(process)
    code, out, err = train("--resume", folder)
    assert code == 0, err
    assert "resuming after" not in out
    assert_same_run(whole, folder)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "summary.json").unlink()
    newest = checkpoints(folder)[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    code, out, err = train("--resume", folder)
    assert code == 0, err
    assert newest.name in out and "checksum is wrong" in out and "resuming after" in out
    assert_same_run(whole, folder)


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "summary.json").unlink()
    checkpoints(folder)[-1].unlink()
    (kept,) = checkpoints(folder)
    before = kept.read_bytes()

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    code, _, err = train("--resume", folder, preexec_fn=small)
    assert code == 1
    assert err.startswith("train.py: ") and len(err.strip().splitlines()) == 1
    assert checkpoints(folder) == [kept] and kept.read_bytes() == before
    assert not list((folder / "checkpoints").glob(".*"))
    code, _, err = train("--resume", folder)
    assert code == 0, err
    assert_same_run(whole, folder)


def test_what_cannot_be_resumed_is_one_line(whole, tmp_path):
    busy = begun(whole, tmp_path / "busy", ())
    with RunDir(Config(run_dir=str(busy)), True, print):
        cases = [
            (("--resume", tmp_path / "none"), "no such file", 1),
            (("--resume", whole, "--seed", "3"), "takes no other option", 1),
            (("--resume", busy), f"process {os.getpid()} is working in it", 1),
        ]
        for arguments, words, expected in cases:
            code, _, err = train(*arguments)
            assert code == expected and words in err and len(err.strip().splitlines()) == 1, err
    with pytest.raises(ValueError, match="holds a finished run"):
        RunDir(Config(run_dir=str(whole)), False, print)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        RunDir(Config(run_dir=str(tmp_path / "file" / "run")), False, print)


def test_a_run_killed_while_it_imitates_ends_the_same(whole, tmp_path):
    folder = begun(whole, tmp_path / "run", ("judge", "references"))
    for number in (signal.SIGKILL, signal.SIGINT):
        before = kept_epoch(folder)
        process = start("--resume", folder)
        wait_for(process, lambda before=before: kept_epoch(folder) > before)
        process.send_signal(number)
        finish(process)
    code, out, err = train("--resume", folder)
    assert code == 0, err
    assert "imitation resumes after epoch 2" in out
    assert not (folder / "stages" / "imitation.safetensors").exists()
    assert_same_run(whole, folder)


def kept_epoch(folder):
    path = folder / "stages" / "imitation.safetensors"
    return int(load_checkpoint(path).facts["epoch"]) if path.exists() else 0


# In one process: the parts of it


class Flat:
    """A reward with the least that training asks for."""

    def __init__(self):
        self.archive = NoveltyArchive(2, capacity=100)

    def __call__(self, works):
        return {"reward": works.lengths / MAX_MOVES, "quality": np.ones(len(works))}

    def state(self):
        return {f"archive/{k}": v for k, v in self.archive.state().items()}

    def load_state(self, state):
        self.archive.load_state({k.removeprefix("archive/"): v for k, v in state.items()})


def small_state(seed=0, reward=None, value_network="shared"):
    torch.manual_seed(0)
    network = DrawingNetwork(width=32)
    reward = reward or Flat()
    works = WorksCallback("drawing")
    env = WorldVecEnv(WorldBatch(DrawingSimulator(4), reward), works.add_finished)
    config = Config(
        n_envs=4, n_steps=16, batch_size=64, seed=seed, value_network=value_network
    )  # fmt: skip
    model = make_ppo(env, network, config)
    model.set_logger(Logger(None, []))
    return TrainState(model, works, TimingCallback(), reward)


def callbacks_of(state, *more):
    return [FiniteCallback(), state.works, state.timing, *more]


class Stopped(Exception):
    pass


def learn(state, folder, steps, resume=False, stop_at=-1):
    """Learn; write a checkpoint before every rollout."""

    def checkpoint(now):
        write_checkpoint(folder, state.capture())
        if now == stop_at:
            raise Stopped

    callbacks = callbacks_of(state, BetweenUpdates(checkpoint))
    model = state.model
    model.learn(steps - model.num_timesteps, callbacks, reset_num_timesteps=not resume)


@pytest.mark.parametrize("value_network", ["shared", "own"])
def test_a_restored_state_goes_on_bit_by_bit(tmp_path, value_network):
    one = small_state(value_network=value_network)
    learn(one, tmp_path / "a", 8 * 64)
    two = small_state(value_network=value_network)
    with pytest.raises(Stopped):
        learn(two, tmp_path / "b", 8 * 64, stop_at=3 * 64)
    found = newest_checkpoint(tmp_path / "b", print)
    np.random.seed(99)  # all of this is put back
    torch.manual_seed(99)
    three = small_state(seed=5, value_network=value_network)
    three.restore(found)
    learn(three, tmp_path / "b", 8 * 64, resume=True)
    a = load_checkpoint(checkpoint_path(tmp_path / "a", 512))
    b = load_checkpoint(checkpoint_path(tmp_path / "b", 512))
    assert a.arrays.keys() == b.arrays.keys()
    for name, values in a.arrays.items():
        np.testing.assert_array_equal(values, b.arrays[name], err_msg=name)
    for facts in (a.facts, b.facts):  # wall-clock time is all that differs
        del facts["seconds"]
        facts["log"] = [row for row in facts["log"] if not row[0].startswith("time/")]
    assert a.facts == b.facts


def small_imitation(**keywords):
    torch.manual_seed(3)
    network = DrawingNetwork(width=16, dropout=0.3)
    simulator, rng = DrawingSimulator(64), np.random.default_rng(0)

    def positions(epoch):
        return core_positions(simulator, np.random.default_rng(epoch))

    fit = imitate(network, positions, core_positions(simulator, rng), epochs=4, batch_size=64,
                  seed=1, **keywords)  # fmt: skip
    return fit, network.state_dict(), torch.rand(3)


def core_positions(simulator, rng):
    simulator.reset(np.arange(simulator.n))
    moves = rng.integers(0, simulator.n_actions, simulator.n)
    simulator.step(moves)
    seen = {key: value.copy() for key, value in simulator.observations.items()}
    return {k: np.tile(v, (3,) + (1,) * (v.ndim - 1)) for k, v in seen.items()}, np.tile(moves, 3)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_imitation_goes_on_bit_by_bit(tmp_path, epoch):
    whole_fit, whole_weights, chance = small_imitation()
    states = []
    again, _, same_chance = small_imitation(on_state=states.append)
    assert again == whole_fit and torch.equal(chance, same_chance)
    save_checkpoint(tmp_path / "s", states[epoch - 1])
    fit, weights, chance_after = small_imitation(resume_from=load_checkpoint(tmp_path / "s"))
    assert fit == whole_fit and torch.equal(chance, chance_after)
    assert all(torch.equal(weights[name], value) for name, value in whole_weights.items())


def test_imitation_does_not_go_on_from_anything_else():
    states = []
    small_imitation(on_state=states.append)
    arrays, facts = states[0].arrays, states[0].facts
    for name in ("weights/", "best/", "random/order"):
        gone = next(key for key in arrays if key.startswith(name))
        others = {key: value for key, value in arrays.items() if key != gone}
        with pytest.raises(ValueError, match="of another imitation"):
            small_imitation(resume_from=Checkpoint(others, facts))


def test_taking_a_snapshot_changes_nothing():
    one = small_state()
    one.model.learn(4 * 64, callbacks_of(one))
    two = small_state()
    two.model.learn(4 * 64, callbacks_of(two, BetweenUpdates(lambda _: two.capture() and None)))
    nothing = Works("drawing", np.zeros((0, MAX_MOVES), np.int16))
    assert one.fingerprint(nothing) == two.fingerprint(nothing)


def test_only_the_last_two_checkpoints_are_kept(tmp_path):
    for steps in (0, 64, 128, 192):
        write_checkpoint(tmp_path, Checkpoint({"x": np.ones(3)}, {"num_timesteps": steps}))
    assert [p.name for p in checkpoints(tmp_path)] == [
        checkpoint_path(tmp_path, 128).name, checkpoint_path(tmp_path, 192).name,
    ]  # fmt: skip


def test_every_flipped_bit_of_a_checkpoint_is_found(tmp_path):
    path, rng = tmp_path / "s.safetensors", np.random.default_rng(0)
    snapshot = Checkpoint(
        {"a": rng.normal(size=20), "b": np.array(3), "c": np.zeros((0, 4), np.uint8)},
        {"num_timesteps": 5, "pi": 0.1, "nan": None},
    )
    save_checkpoint(path, snapshot)
    again = load_checkpoint(path)
    assert again.facts == snapshot.facts
    for name, values in snapshot.arrays.items():
        assert again.arrays[name].shape == values.shape
        np.testing.assert_array_equal(again.arrays[name], values)
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            found = load_checkpoint(path)
        except StorageError:
            continue
        # Only in the header's spaces can a bit change nothing.
        assert found.facts == snapshot.facts
        assert all((found.arrays[k] == v).all() for k, v in snapshot.arrays.items())


def test_a_snapshot_of_another_run_is_refused():
    state = small_state()
    state.model.learn(64, callbacks_of(state))
    checkpoint = state.capture()
    other = TrainState(state.model, state.works, state.timing, Flat())
    for name in (
        "policy/value.0.weight",
        "boards/moves",
        "episode_starts",
        "reward/archive/entries",
    ):
        arrays = {k: v for k, v in checkpoint.arrays.items() if k != name}
        with pytest.raises(ValueError, match="of another run"):
            other.restore(Checkpoint(arrays, checkpoint.facts))


def test_an_advantage_that_is_not_finite_stops_the_run(tmp_path):
    state = small_state()
    state.model.rollout_buffer.compute_returns_and_advantage = lambda **_: (
        state.model.rollout_buffer.advantages.fill(np.nan)
    )
    with pytest.raises(NotFiniteError, match="advantages of a rollout") as caught:
        state.model.learn(64, callbacks_of(state))
    kept = load_checkpoint(save_failure(tmp_path, state, caught.value))
    assert np.isnan(kept.arrays["error/advantages"]).all()
    assert "advantages" in kept.facts["error"] and "policy/value.0.weight" in kept.arrays


def test_weights_that_are_not_finite_stop_the_run():
    state = small_state()
    with torch.no_grad():
        state.model.policy.value[0].weight[0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match=r"weights value\.0\.weight"):
        state.model.learn(64, callbacks_of(state))


def test_a_reward_that_is_not_finite_keeps_the_works_it_was_for():
    class Wrong(Flat):
        def __call__(self, works):
            terms = super().__call__(works)
            return {**terms, "reward": np.full(len(works), np.inf)}

    state = small_state(reward=Wrong())
    with pytest.raises(NotFiniteError, match="reward that is not finite") as caught:
        state.model.learn(64 * 48, callbacks_of(state))
    assert caught.value.arrays["moves"].shape[1] == MAX_MOVES


def test_a_collapsed_policy_is_named():
    assert collapse(1.0, 1.0) == {}
    assert set(collapse(0.001, 0.0)) == {"entropy", "novelty_self"}
    assert "0.001 nats" in collapse(0.001, 1.0)["entropy"]


def test_the_entropy_of_a_rollout_is_that_of_the_policy():
    state = small_state()
    state.model.learn(64, callbacks_of(state))
    # 578 moves, nearly uniform before anything is learnt.
    assert rollout_entropy(state.model) == pytest.approx(np.log(578), abs=0.1)


def test_fitting_the_value_leaves_no_trace_in_the_log():
    state = small_state()
    logger = state.model.logger
    warm_value(state.model, 1, callbacks_of(state)[:2])
    assert state.model.logger is logger and not logger.name_to_value


def test_the_first_signal_is_waited_for_and_the_second_is_not(capfd):
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        interrupts.patient = True
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        assert interrupts.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert "again to stop at once" in capfd.readouterr().err


def test_other_versions_are_said_and_another_corpus_is_refused(tmp_path):
    said, config = [], Config(run_dir=str(tmp_path))
    with RunDir(config, True, said.append) as folder:
        folder.record(config, "abc")
        path = tmp_path / "environment.json"
        path.write_text(path.read_text().replace(torch.__version__, "1.0"))
        assert said == []
        folder.record(config, "abc")
        assert len(said) == 1 and "torch was 1.0" in said[0]
        with pytest.raises(ValueError, match="corpus is not the one"):
            folder.record(config, "abd")
    sessions = json.loads(path.read_text())["sessions"]
    assert len(sessions) == 2 and sessions[0]["command"]


def test_a_removed_log_is_an_error(tmp_path):
    state = small_state()
    logger = open_log(tmp_path, False, None, print)
    state.model.set_logger(logger)
    state.model.learn(64, callbacks_of(state))
    assert add_log(state.capture(), tmp_path, logger).facts["events"]
    next(tmp_path.glob("events.out.tfevents.*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"events.*was removed"):
        add_log(state.capture(), tmp_path, logger)


def test_a_resumed_run_takes_its_options_from_its_folder(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    path = run / "config.json"
    path.write_text(json.dumps({"format": FORMAT, "seed": 7, "run_dir": "elsewhere"}))
    config, resume = parse(["--resume", str(run)])
    assert (config.seed, config.run_dir, resume) == (7, str(run), True)
    for wrong in ('{"seed": true}', '{"seed": -1}', '{"n_envs": 1e9}', '{"n_envs": 9999999999999}',
                  '{"sed": 1}', "[]", "{", '{"preset": "x"}', '{"world": "x"}', '{"resume": "x"}',
                  '{"learning_rate": NaN}', "[" * 100_000):  # fmt: skip
        path.write_text(wrong.replace("{", f'{{"format": "{FORMAT}", ', 1))
        with pytest.raises(SystemExit):
            parse(["--resume", str(run)])
        err = capsys.readouterr().err
        assert "config.json" in err and "version 0.1" not in err
        assert len(err.strip().splitlines()) == 1


def test_a_run_of_version_0_1_is_not_resumed(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"preset": "smoke", "seed": 0, "run_dir": "runs/a"}')
    with pytest.raises(SystemExit):
        parse(["--resume", str(tmp_path)])
    err = capsys.readouterr().err
    assert "cannot be resumed" in err and "version 0.1" in err
    assert len(err.strip().splitlines()) == 1


def test_a_stage_is_done_once_and_owns_the_files_it_writes(tmp_path):
    calls = []

    def make(folder):
        assert not list(folder.iterdir())
        calls.append(len(calls))
        (folder / "numbers.txt").write_text("1 2 3")
        return {"sum": 6}

    (tmp_path / "stages" / "add.tmp").mkdir(parents=True)
    (tmp_path / "stages" / "add.tmp" / "left-over").write_text("of a process that was killed")
    said = []
    with RunDir(Config(run_dir=str(tmp_path)), False, said.append) as folder:
        assert folder.stage("add", make) == folder.stage("add", make) == {"sum": 6}
        assert calls == [0] and not said
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            ".lock", ".process", "numbers.txt", "stages"
        ]  # fmt: skip
        (tmp_path / "numbers.txt").write_text("1 2 4")
        assert folder.stage("add", make) == {"sum": 6} and calls == [0, 1]
        assert "numbers.txt: the checksum is wrong" in said[0]
        assert (tmp_path / "numbers.txt").read_text() == "1 2 3"
        (tmp_path / "numbers.txt").unlink()
        folder.stage("add", make)
        assert calls == [0, 1, 2]


def test_works_that_are_sampled_do_not_depend_on_those_sampled_before(tmp_path):
    """A resumed run samples only what is left to be sampled."""
    run = TrainingRun(make_config("smoke", "composition", run_dir=str(tmp_path)))
    run.world = make_world("composition", limit=150)
    network = run.world.network().eval()
    one, two = (run._sample(network, 12, 6) for _ in range(2))
    np.testing.assert_array_equal(one.briefs, two.briefs)
    np.testing.assert_array_equal(one.moves, two.moves)
