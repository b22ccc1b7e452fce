"""Worlds of anybody: found by name, checked, trained; refused where they break their contract."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from move37.agents.runs import config
from move37.envs import check_world
from move37.envs.base import places, registry
from move37.envs.base.check import CHECKS, WorldError
from move37.envs.base.registry import find_world, known_worlds, load_works, make_world
from move37.envs.base.splits import Splits
from move37.envs.base.works import PAD, Works, WorksError
from move37.envs.base.world import World
from move37.envs.judging.copying import CopiedPassages
from move37.envs.judging.damage import worse_works

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

from rhythm import EIGHTHS, STRIKE, RhythmSimulator, RhythmWorld  # noqa: E402  # on the path now


def rhythms(n, seed=0):
    """Rhythms that are human enough: two or three strokes in each group of four eighths."""
    rng = np.random.default_rng(seed)
    cells = np.array([[2, 0, 2, 0], [2, 2, 2, 0], [2, 0, 2, 2], [2, 0, 0, 0], [2, 0, 0, 2]])
    moves = cells[rng.integers(0, 5, (n, 8))].reshape(n, EIGHTHS)
    return Works("rhythm", np.unique(moves, axis=0).astype(np.int16))


class Small(RhythmWorld):
    """The documented world, with works that need no corpus."""

    def load_splits(self):
        return Splits.of(rhythms(300), limit=self.limit, seed=self.seed)


@pytest.fixture(scope="module")
def small():
    return Small()


# Finding worlds


def test_worlds_are_found_by_name_by_class_and_by_entry_point(monkeypatch):
    assert find_world("drawing").id == "drawing"
    assert find_world("rhythm:RhythmWorld") is RhythmWorld
    mine = EntryPoint("rhythm", "rhythm:RhythmWorld", registry.ENTRY_POINTS)
    taken = EntryPoint("drawing", "rhythm:RhythmWorld", registry.ENTRY_POINTS)
    monkeypatch.setattr(places, "entry_points", lambda group: [mine, taken])
    assert find_world("rhythm") is RhythmWorld and find_world("drawing") is not RhythmWorld
    assert list(known_worlds())[:5] == list(registry.WORLDS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("music", "none of composition, .* and no module:Class"),
        ("nowhere:World", "No module named 'nowhere'; is its folder on PYTHONPATH"),
        ("rhythm:Nothing", "has no attribute 'Nothing'"),
        ("rhythm:EIGHTHS", "'rhythm:EIGHTHS' is not derived from"),
        ("rhythm:RhythmSimulator", "not derived from move37.envs.base.world.World"),
    ],
)
def test_what_is_no_world_is_named(name, words):
    with pytest.raises(ValueError, match=words):
        find_world(name)


# Files of works


def test_works_are_checked_against_their_world(tmp_path, small):
    path = tmp_path / "w.npz"
    small.train.save(path)
    assert Works.load(path).n_actions == 3
    world, works = load_works(path, "rhythm:RhythmWorld")
    assert isinstance(world, RhythmWorld) and len(works) == len(small.train)
    with pytest.raises(ValueError, match=r"w\.npz: works of the world 'rhythm', not of drawing"):
        load_works(path, "drawing")
    for change, words in (
        ({"moves": small.train.moves + 9}, "11 is no move; moves are 0 to 2"),
        ({"moves": np.zeros((len(works), 33), np.int16)}, "33 of them; a work has 32 at most"),
        ({"briefs": np.zeros((len(works), 2), np.int16)}, "briefs: expected shape"),
        ({"images": np.zeros((len(works), 4, 4), np.uint8)}, "images: expected 20 x 32 points"),
    ):
        replace(small.train, n_actions=0, **change).save(path)
        with pytest.raises(ValueError, match=rf"w\.npz: .*{words}"):
            load_works(path, "rhythm:RhythmWorld")


def test_a_file_that_says_how_many_moves_there_are_is_held_to_it(tmp_path, small):
    path = tmp_path / "w.npz"
    replace(small.train, n_actions=2).save(path)
    with pytest.raises(WorksError, match="2 is no move; moves are 0 to 1"):
        Works.load(path)
    for wrong in (-1, 1 << 16):
        replace(small.train, n_actions=wrong).save(path)
        with pytest.raises(WorksError, match="is no number of moves"):
            Works.load(path)
    replace(small.train, n_actions=0).save(path)  # as version 0.1 wrote it
    assert Works.load(path).n_actions == 0


# The check


def test_the_documented_world_conforms_and_is_shown_as_it_is():
    text = (EXAMPLES / "rhythm.py").read_text()
    assert len(text.splitlines()) <= 200
    assert text.strip() in (EXAMPLES.parent / "new-world.md").read_text()
    world = check_world("rhythm:RhythmWorld")
    human = world.rule_quality(world.held_out)["form"]
    noise = worse_works(world.simulator_class, world.held_out, 0, 1)
    assert np.median(human) > 1.2 * np.median(world.rule_quality(noise)["form"])


@pytest.mark.parametrize(
    "name",
    ["drawing", *(pytest.param(n, marks=pytest.mark.slow) for n in
                  ("drawing-concepts", "composition", "composition-free", "composition-four"))],
)  # fmt: skip
def test_our_worlds_conform(name):
    assert check_world(name, limit=160).id == name


def with_simulator(**members):
    """The small world with a simulator that has other members."""
    simulator = type("Broken", (RhythmSimulator,), members)
    return type("Odd", (Small,), {"simulator_class": simulator})


def with_members(**members):
    return type("Odd", (Small,), members)


class Careless(RhythmSimulator):
    """Leaves no board in peace."""

    def step(self, actions):
        return super().step(np.where(np.asarray(actions) == PAD, 0, actions))


class Forgetful(RhythmSimulator):
    """What is seen depends on how often boards were looked at."""

    looks = 0

    @property
    def observations(self):
        self.looks += 1
        seen = super().observations
        return seen | {"left": np.minimum(seen["left"], 32 - self.looks % 2)}


class Endless(RhythmSimulator):
    """Its boards are never done."""

    def step(self, actions):
        finished = super().step(actions)
        self.done[:] = False
        self.counts[:] = np.minimum(self.counts, self.max_moves - 1)
        return finished


def seen(**changes):
    def observations(self):
        return RhythmSimulator.observations.fget(self) | {
            key: change(self) for key, change in changes.items()
        }

    return {"observations": property(observations)}


class Nothing(nn.Module):
    n_features, dropout = 4, 0.0

    def forward(self, obs):
        raise RuntimeError("no idea")


BROKEN = {
    "is not derived from World.*'The class'": int,
    "lacks images_of, load_splits.*'The class'": type("Bare", (World,), {"id": "bare"}),
    "id: expected lower-case letters.*'The class'": with_members(id="My World"),
    "simulator_class: .* is not derived from Simulator.*'Simulator'": with_members(
        simulator_class=dict
    ),
    "n_actions: expected a number.*'Simulator'": with_simulator(n_actions=0),
    "end_move: 7 is no move": with_simulator(end_move=7),
    r"simulator_class.world: expected the id 'rhythm', got 'other'": with_simulator(world="other"),
    r"observations\['left'\]: expected int16 \(5, 1\), got float64": with_simulator(
        **seen(left=lambda s: np.zeros((s.n, 1)))
    ),
    r"observations\['left'\]: something is outside": with_simulator(
        **seen(left=lambda s: np.full((s.n, 1), 99, np.int16))
    ),
    r"observations: expected \['left', 'place', 'recent'\], got": with_simulator(
        **seen(more=lambda s: s.counts)
    ),
    r"observations\['place'\]: a board in a batch is not what it is alone": with_simulator(
        **seen(place=lambda s: np.full((s.n, 1), min(s.n, 7), np.int16))
    ),
    "PAD must leave a board as it is": with_members(simulator_class=Careless),
    "must refuse every move but PAD|must be over": with_members(simulator_class=Endless),
    "Odd: .*'Simulator'": with_members(simulator_class=Forgetful),
    "draw_brief: the same seed must draw the same brief.*'Briefs'": with_simulator(
        draw_brief=lambda s, rng: np.random.default_rng().integers(0, 999, 9).astype(np.int16)
    ),
    "train: work 0 is not finished.*'Human works'": with_members(
        load_splits=lambda self: Splits.of(Works("rhythm", rhythms(300).moves[:, :31]))
    ),
    "works of the world 'drawing', not of rhythm": with_members(
        load_splits=lambda self: Splits.of(replace(rhythms(300), world="drawing"))
    ),
    "human works: 5 different ones, at least 20 are needed.*'Human works'": with_members(
        load_splits=lambda self: Splits.of(rhythms(300)[:5])
    ),
    "FileNotFoundError: no such corpus.*'Human works'": with_members(
        load_splits=lambda self: (_ for _ in ()).throw(FileNotFoundError("no such corpus"))
    ),
    r"images: expected uint8 \(N, H, W\), got float64.*'Images'": with_members(
        images_of=lambda self, moves, briefs: np.zeros((len(moves), 4, 4))
    ),
    "images: human works look empty, or all alike": with_members(
        images_of=lambda self, moves, briefs: np.zeros((len(moves), 4, 4), np.uint8)
    ),
    "images: a work alone must look": with_members(
        images_of=lambda self, moves, briefs: RhythmWorld.images_of(self, moves, briefs)
        | np.uint8(len(moves) == 1)
    ),
    r"tile: expected uint8 \(48, 48, 3\).*'Pictures and files'": with_members(
        tile=lambda self, *rest, **more: np.zeros((9, 9, 3), np.uint8)
    ),
    "looks: 'colour' is none of size, .*'Pictures and files'": with_members(
        looks={"colour": ("sheet",)}
    ),
    "sound: expected samples": with_members(sound=lambda self, works: (np.full(9, 7.0), 8000)),
    "rule 'odd': expected 0 to 1, got 0 to 2.*'Rules'": with_members(
        rule_scores=lambda self, works: {"odd": np.full(len(works), 2.0)}
    ),
    "rule 'odd': something is not finite": with_members(
        rule_scores=lambda self, works: {"odd": np.full(len(works), np.nan)}
    ),
    "RuntimeError: no idea.*'Network'": with_members(network=lambda self, dropout=0.0: Nothing()),
    "network.n_features: expected": with_members(
        network=lambda self, dropout=0.0: nn.Linear(3, 3)
    ),
    "NotImplementedError: no judges.*'Judges'": with_members(
        fit_evaluator=lambda self, updates, pools=4: (_ for _ in ()).throw(
            NotImplementedError("no judges")
        )
    ),
    "'reward' is not among its terms.*'Reward'": with_members(
        make_reward=lambda self, *rest: lambda works: {"quality": np.zeros(len(works))}
    ),
    "reward: expected 0 to 1, got 0 to 3": with_members(
        make_reward=lambda self, *rest: lambda works: {
            "quality": np.zeros(len(works)), "reward": np.full(len(works), 3.0)
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_world_is_refused_with_what_is_wrong_and_where_to_read(words):
    with pytest.raises(WorldError, match=rf"(?s){words}") as caught:
        check_world(BROKEN[words])
    assert "in docs/new-world.md" in str(caught.value)


def test_a_world_whose_ppo_names_no_option_is_refused(monkeypatch):
    world = with_members(ppo={"nenvs": 8})
    monkeypatch.setattr(config, "find_world", lambda name: world)
    with pytest.raises(ValueError, match=r"--world: odd:Odd: ppo: 'nenvs' is no option"):
        config.make_config("smoke", "odd:Odd")


def test_the_sections_that_errors_name_are_there():
    page = (EXAMPLES.parent / "new-world.md").read_text()
    for section in {"The class", *(section for section, _ in CHECKS)}:
        assert f"\n## {section}\n" in page, section


# The defaults


def test_copied_is_the_longest_passage_that_stands_in_a_human_work():
    human = Works("x", np.array([[1, 2, 3, 4, 5, 6], [9, 9, 9, 9, 9, 9]], np.int16))
    works = Works("x", np.array([[7, 2, 3, 4, 8, PAD], [1, 2, 3, 4, 5, 6], [8] * 6], np.int16))
    np.testing.assert_allclose(CopiedPassages(human)(works), [3 / 5, 1, 0])


def test_damage_keeps_lengths_and_spoils(small):
    worse = worse_works(small.simulator_class, small.train, 0, 2)
    assert len(worse) == 2 * len(small.train) + len(small.train) // 2
    assert (worse.lengths == EIGHTHS).all()
    same = (worse.moves[: len(small.train)] == small.train.moves).all(axis=1)
    assert same.mean() < 0.2
    assert (worse.moves == STRIKE).any()


def test_a_world_with_no_unit_of_novelty_is_refused():
    moves = rhythms(40).moves[:25]
    moves = np.concatenate([np.tile(moves[:1], (80, 1)), moves])
    world = with_members(load_splits=lambda self: Splits.of(Works("rhythm", moves)))()
    with pytest.raises(ValueError, match="more than half of them are alike"):
        world.fit_evaluator(1, 1)


def test_a_split_takes_each_work_once_and_withholds_by_name():
    works = replace(rhythms(300), names=tuple(f"a{i}" for i in range(len(rhythms(300)))))
    splits = Splits.of(works, withhold=("a1*",), limit=100, seed=3)
    names = [*splits.train.names, *splits.held_out.names, *splits.judge.names]
    assert len(names) == len(set(names)) == 100 and len(splits.held_out) == 10
    assert not any(name.startswith("a1") for name in names)
    assert Splits.of(works).fingerprint == Splits.of(works, seed=9).fingerprint


def test_the_environment_of_any_world_pays_what_the_rules_say(small):
    env = small.env(render_mode="rgb_array")
    env.reset()
    for move in small.held_out.moves[0]:
        _, reward, done, _, info = env.step(move)
    assert done and reward == pytest.approx(small.rule_quality(small.held_out[:1])["form"][0])
    assert info["form"] == pytest.approx(reward, abs=1e-6) and env.render().shape == (512, 512, 3)


# The commands


def command(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "move37", *map(str, arguments)], cwd=EXAMPLES,
        capture_output=True, text=True, env=None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_documented_world_is_trained_replayed_and_verified(tmp_path):
    run = tmp_path / "run"
    command(
        tmp_path, "train", "--world", "rhythm:RhythmWorld", "--preset", "smoke", "--run-dir", run,
        "--imitation-epochs", 1, "--critic-updates", 10, "--env-steps", 4096, "--eval-works", 60,
        "--threads", 1,
    )  # fmt: skip
    files = [tmp_path / name for name in ("sheet.png", "page.html", "lines.txt")]
    said = command(
        tmp_path, "replay", run, "--best", 5, "--sheet", files[0], "--html", files[1],
        "--export", "lines", files[2], "--explain",
    )  # fmt: skip
    assert "neither slow nor hasty" in said and all(path.stat().st_size > 100 for path in files)
    assert "reproduced exactly" in command(tmp_path, "replay", run, "--verify")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["outsider_yield"] is None and np.isfinite(summary["yield"])


@pytest.mark.slow
def test_the_documented_world_is_compared(tmp_path):
    command(
        tmp_path, "compare", "--world", "rhythm:RhythmWorld", "--budget", "smoke", "--only",
        "random,learner", "--maker", "markov:make", "--out", tmp_path / "out",
    )  # fmt: skip
    report = (tmp_path / "out" / "report.md").read_text()
    assert all(name in report for name in ("random moves", "learner", "markov"))


def test_the_world_of_a_run_is_loaded_without_its_human_works(monkeypatch):
    monkeypatch.setattr(
        Small, "load_splits", lambda self: (_ for _ in ()).throw(AssertionError("read"))
    )
    world = Small()
    assert world.tile(rhythms(20), 0, 32).shape == (32, 32, 3)
    assert world.network().n_features and world.explain(rhythms(20))
    with pytest.raises(AssertionError, match="read"):
        world.train  # noqa: B018  # reading is what is tested


def test_a_world_is_made_with_its_works_or_refused():
    with pytest.raises(ValueError, match="nowhere"):
        make_world("drawing", "nowhere")
