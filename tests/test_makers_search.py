"""The makers that search or learn by reward: learner, its control, selection, evolution."""

import copy
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from move37.agents.learner.train_loop import LEARNER, TrainingRun
from move37.agents.makers import evolution, learner, rl_imitation, selection
from move37.agents.makers.maker import Budget, TrainContext, find_factory
from move37.agents.runs.config import make_config
from move37.envs.base.registry import make_world
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works, pad_moves
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, POINTS, SIZE, moves_of, strokes_of
from move37.envs.drawing.mutation import mutate
from move37.envs.judging.reward_scorer import RewardScorer
from move37.novelty.archive import NoveltyArchive
from move37.novelty.storage import save_weights

BUDGET = Budget(works=600, env_steps=3072, epochs=1, updates=8)
BRIEF = moves_of([np.array([[2, 2], [8, 2], [8, 8], [2, 8], [2, 2]])])[:-1]
TRAINED = ("rl_imitation", "evolution", "learner")
RUNS = ("rl_imitation", "learner")
"""Those that are trained by a run of their own."""


@pytest.fixture(scope="module")
def world():
    world = make_world("drawing", limit=200)
    world.mutate = mutate
    return world


@pytest.fixture(scope="module")
def shop(world, tmp_path_factory):
    """A context but for its folder; training the reward's critic is paid once."""
    torch.manual_seed(0)
    imitator = world.network().eval()
    evaluator = world.fit_evaluator(updates=1, pools=1)
    imitations = Works("drawing", mutate(world.train.moves, np.random.default_rng(0), BRIEF[None]))
    reward = world.make_reward(evaluator, imitations, updates=10, seed=0, pools=1)
    path = tmp_path_factory.mktemp("imitator") / "imitator.safetensors"
    save_weights(path, imitator)
    config = make_config(
        "smoke", human_works=200, env_steps=BUDGET.env_steps, n_envs=8, n_steps=64,
        critic_updates=8, warm_rollouts=3, eval_works=40, imitator=str(path), threads=1,
    )  # fmt: skip
    return TrainContext(
        world, evaluator, imitator, lambda: copy.deepcopy(reward), BUDGET, 0, Path(), threads=1,
        log=lambda _: None, config=config,
    )  # fmt: skip


def in_folder(shop, folder):
    return replace(shop, folder=folder, config=replace(shop.config, run_dir=str(folder)))


@pytest.fixture(scope="module")
def makers(shop, tmp_path_factory):
    """Each maker, made once, with its workshop."""
    found = {}
    for name in ("selection", *TRAINED):
        context = in_folder(shop, tmp_path_factory.mktemp(name))
        found[name] = find_factory(name)(context), context
    return found


@pytest.fixture
def context(shop, tmp_path):
    return in_folder(shop, tmp_path)


def check_finished(works):
    """Works must be what the dynamics themselves make of their moves."""
    for row in works.moves:
        length = int((row != PAD).sum())
        assert (row[length:] == PAD).all()
        assert length == MAX_MOVES or row[length - 1] == END
        assert (row[: length - 1] < END).all() and (row[:length] >= 0).all()


@pytest.mark.parametrize("name", ["selection", *TRAINED])
def test_a_maker_makes_scores_and_is_read_again(name, makers):
    maker, context = makers[name]
    works = maker.generate(40, np.random.default_rng(1))
    assert len(works) == 40 and works.world == "drawing" and works.briefs.shape[1] == 0
    check_finished(works)
    again = maker.generate(40, np.random.default_rng(1))
    np.testing.assert_array_equal(works.moves, again.moves)
    answers = maker.generate(7, np.random.default_rng(2), BRIEF)
    assert len(answers) == 7
    np.testing.assert_array_equal(answers.briefs, np.tile(BRIEF, (7, 1)))
    check_finished(answers)
    scores = maker.score(works)
    assert scores.shape == (40,) and scores.dtype == np.float64 and np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, maker.score(works))
    before = {p: p.stat().st_mtime_ns for p in context.folder.iterdir()}
    assert bool(before) == (name in TRAINED)
    # What stands in the folder is used again.
    read = find_factory(name)(context)
    assert {p: p.stat().st_mtime_ns for p in context.folder.iterdir()} == before
    assert read.env_steps == maker.env_steps
    assert (read.env_steps > 0) == (name in ("rl_imitation", "learner"))
    np.testing.assert_array_equal(read.generate(40, np.random.default_rng(1)).moves, works.moves)
    np.testing.assert_allclose(read.score(works), scores, atol=1e-9)


@pytest.mark.parametrize("name", RUNS)
def test_a_damaged_file_is_named(name, makers, tmp_path):
    folder = shutil.copytree(makers[name][1].folder, tmp_path / "run")
    (folder / LEARNER).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=LEARNER):
        find_factory(name)(in_folder(makers[name][1], folder))


@pytest.mark.parametrize("name", RUNS)
def test_a_run_with_other_options_is_refused(name, makers):
    context = makers[name][1]
    other = replace(context, config=replace(context.config, seed=5, threads=2))
    with pytest.raises(ValueError, match="with another --seed"):
        find_factory(name)(other)


def test_the_seed_alone_decides_what_is_learnt(makers, context):
    before = {k: v.clone() for k, v in context.imitator.state_dict().items()}
    one, two = makers["learner"][0], learner.make(context)
    for key, value in two.network.state_dict().items():
        assert torch.equal(value, one.network.state_dict()[key])
    # It has moved, and left the imitator as it was.
    assert any(not torch.equal(two.network.state_dict()[k], v) for k, v in before.items())
    for key, value in context.imitator.state_dict().items():
        assert torch.equal(value, before[key])
    assert two.env_steps == 3072


def test_a_learner_is_read_from_the_folder_of_its_run(makers):
    maker, context = makers["learner"]
    read = learner.load(context.folder, context.world)
    assert read.env_steps == json.loads((context.folder / "summary.json").read_text())["env_steps"]
    works = read.generate(3, np.random.default_rng(0))
    made = maker.generate(3, np.random.default_rng(0))
    np.testing.assert_array_equal(works.moves, made.moves)
    assert read.score(works) is None  # it was not told its reward
    cost = learner.fitting_cost(context.folder)
    assert cost["wall_seconds"] > 0 and cost["cpu_seconds"] > 0


def test_a_makers_run_is_the_run_of_train_py(makers, tmp_path):
    """But for the judges, which the context brings."""
    context = makers["learner"][1]
    run = TrainingRun(replace(context.config, run_dir=str(tmp_path)), evaluator=context.evaluator)
    fingerprint = json.loads((context.folder / "summary.json").read_text())["fingerprint"]
    assert run.run()["fingerprint"] == fingerprint


def test_an_interrupted_run_of_a_maker_is_resumed(makers, tmp_path):
    context = makers["rl_imitation"][1]
    folder = shutil.copytree(context.folder, tmp_path / "run")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").unlink()
    (folder / LEARNER).unlink()
    sorted((folder / "checkpoints").glob("state-*"))[-1].unlink()
    find_factory("rl_imitation")(in_folder(context, folder))
    again = json.loads((folder / "summary.json").read_text())
    assert again["fingerprint"] == summary["fingerprint"]


def test_scores_do_not_remember_earlier_calls_but_see_twins(context):
    scorer = RewardScorer(context.new_reward)
    works = context.world.held_out[:8]
    twice = Works("drawing", np.concatenate([works.moves, works.moves]))
    scores = scorer.score(twice)
    np.testing.assert_array_equal(scores[:8], scorer.score(works))
    assert (scores[8:] == 0).all()
    direct = context.new_reward()(works)["reward"]
    np.testing.assert_array_equal(scores[:8], direct)


def test_selection_keeps_the_best_in_the_order_of_sampling(world):
    """With a reward that counts moves, the longest of all samples must come out."""

    class Longest:
        def __call__(self, works):
            return {"reward": works.lengths.astype(float)}

    class Coin(torch.nn.Module):
        def forward(self, obs):
            logits = torch.full((len(obs["ink"]), POINTS + 2), -30.0)
            logits[:, [0, END]] = torch.tensor([2.0, 0.0])
            return logits, logits

    maker = selection.Selection(Coin(), world, Longest, ratio=50)
    kept = maker.generate(20, np.random.default_rng(0))
    every = selection.Selection(Coin(), world, Longest, ratio=1)
    lengths = every.generate(1000, np.random.default_rng(0)).lengths
    assert sorted(kept.lengths) == sorted(lengths)[-20:]
    assert list(kept.lengths) != sorted(kept.lengths)
    with pytest.raises(ValueError, match="ratio"):
        selection.Selection(Coin(), world, Longest, ratio=0)


def test_the_budget_is_spent_on_a_thousand_works(context):
    ratios = [
        selection.make(replace(context, budget=replace(BUDGET, works=n))).ratio
        for n in (600, 60_000, 200_000)
    ]
    assert ratios == [2, 60, 200]


def test_the_whole_image_critic_learns_and_the_learner_is_paid_by_it_alone(world):
    human = images_of(world.train.moves)
    rng = np.random.default_rng(0)
    noise = (rng.random(human.shape) < human.mean()).astype(np.uint8)
    dots = replace(world.train, images=noise)
    reward = rl_imitation.WholeImageReward(world.images, world.train, dots, seed=0)
    first = reward.learn(5)
    reward.learn(25)
    assert reward.learn(5) < min(first, 0.6)
    terms = reward(world.train[:50])
    assert terms["reward"].mean() > reward.judge(noise).mean() + 0.2
    np.testing.assert_array_equal(terms["reward"], terms["quality"])
    # The works just appraised become negatives: what pays now pays less later.
    trick = np.zeros((600, SIZE, SIZE), np.uint8)
    trick[:, 4:20, 4] = trick[:, 4, 4:20] = 1
    before = reward.judge(trick[:1])[0]
    for _ in range(2):
        tricks = Works("drawing", np.zeros((600, 1), np.int16), images=trick)
        reward(tricks)
        reward.refresh(tricks)
    assert reward.judge(trick[:1])[0] < before


def test_evolution_improves_and_spends_what_it_may(context):
    maker = evolution.make(context)
    assert maker.works_searched == BUDGET.works
    assert len(maker.archive) <= maker.archive.cells == evolution.LEAST_CELLS
    first = float(maker.archive.stats.obj_mean)
    maker.search(np.random.default_rng(9), 1500)
    assert float(maker.archive.stats.obj_mean) > first
    assert maker.works_searched == BUDGET.works + 1500
    assert (maker.archive.data("objective") > 0).all()


def test_elites_are_given_once_and_more_than_the_archive_holds(makers):
    maker = makers["evolution"][0]
    held = {row.tobytes() for row in maker.archive.data("solution")}
    some = maker.generate(len(held), np.random.default_rng(0))
    assert {row.tobytes() for row in some.moves} == held
    size = len(held)
    many = maker.generate(size + 30, np.random.default_rng(0))
    again = maker.generate(size + 30, np.random.default_rng(0))
    np.testing.assert_array_equal(many.moves, again.moves)
    assert len(many) == size + 30
    assert len({row.tobytes() for row in many.moves}) == size + 30
    assert len(maker.archive) == size
    check_finished(many)


def test_evolution_may_be_held_to_cpu_time(context):
    budget = replace(BUDGET, seconds=0.3)
    begin = time.process_time()
    maker = evolution.make(replace(context, budget=budget))
    assert time.process_time() - begin >= 0.3
    assert maker.works_searched % evolution.BATCH == 0
    assert maker.archive.cells == evolution.CELLS


def test_a_damaged_archive_is_searched_again(makers, context):
    maker, made = makers["evolution"]
    for path in made.folder.iterdir():
        (context.folder / path.name).write_bytes(path.read_bytes())
    lines = []
    read = evolution.make(replace(context, log=lines.append))
    assert not lines and read.stock == maker.stock and read.works_searched == BUDGET.works
    path = context.folder / "evolution.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    again = evolution.make(replace(context, log=lines.append))
    assert "damaged" in lines[0] and "evolution.safetensors" in lines[0]
    for field in evolution.FIELDS:
        np.testing.assert_array_equal(
            evolution._elites(again.archive)[field], evolution._elites(maker.archive)[field]
        )


class FixedSimulator(Simulator):
    """A world without END: works of four moves out of five, as long as their brief says."""

    n_actions, max_moves, brief_width, world = 5, 4, 1, "fixed"
    observations = property(lambda self: {})

    def observation_space(self):
        return spaces.Dict({})

    def _play(self, actions):
        pass

    def _default_briefs(self, n):
        return np.full((n, 1), 4, np.int16)

    def _ends(self, actions):
        return (self.counts >= self.briefs[:, 0]) & (actions != PAD)


class FixedWorld:
    """Quality is the share of moves that are 3; the descriptor is the moves."""

    id = "fixed"
    simulator = FixedSimulator
    scale, k_neighbors = 1.0, 3

    def __init__(self):
        rng = np.random.default_rng(0)
        lengths = rng.integers(3, 5, 60)
        rows = [rng.integers(0, 5, n) for n in lengths]
        self.train = Works("fixed", pad_moves(rows, 4), lengths[:, None].astype(np.int16))
        self.archive = NoveltyArchive(4, 3)
        self.archive.pin(self.describe(self.train))

    def mutate(self, moves, rng, human):
        return None

    def describe(self, works):
        return np.where(works.moves == PAD, 0, works.moves).astype(np.float32)

    def images(self, works):
        return np.zeros((len(works), 1, 1), np.uint8)

    def __call__(self, works):
        quality = (works.moves == 3).mean(axis=1) + 0.01
        return {"quality": quality, "reward": quality}


def test_a_world_without_mutations_of_its_own_is_searched_too():
    world = FixedWorld()
    centroids = evolution.centroids_for(world.describe(world.train), 32, 0)
    maker = evolution.Evolution(world, world, FixedWorld, centroids)
    maker._full = 1.001  # everything a little new is new enough here
    maker.search(np.random.default_rng(0), 2000)
    works = maker.generate(20, np.random.default_rng(0))
    np.testing.assert_array_equal(works.lengths, works.briefs[:, 0])
    before = (world.train.moves == 3).mean()
    assert (works.moves == 3).mean() > before
    answers = maker.generate(50, np.random.default_rng(0), np.array([3], np.int16))
    assert (answers.lengths == 3).all() and (answers.briefs == 3).all()


def test_generic_mutations_change_one_thing_and_keep_the_last_move():
    rng = np.random.default_rng(0)
    parents = np.tile(np.array([10, 11, 12, 13, 14, 99, PAD], np.int16), (3000, 1))
    human = np.array([[50, 51, 52, 98]], np.int16)
    made = evolution.mutate(parents, rng, human)
    assert made.shape == (3000, 8)
    lengths = (made != PAD).sum(axis=1)
    assert set(lengths) == {4, 5, 6, 7}
    for row, length in zip(made, lengths, strict=True):
        assert (row[:length] != PAD).all() and row[length - 1] in (99, 98)
    assert (made[:, :7] != parents).any(axis=1).mean() > 0.6
    np.testing.assert_array_equal(made, evolution.mutate(parents, np.random.default_rng(0), human))


def test_mutated_drawings_are_legal_and_differ_from_their_parents(world):
    human = world.train.moves
    made, rng = human, np.random.default_rng(0)
    for _ in range(10):
        parents = made
        made = mutate(parents, rng, human)
        assert (made != parents).any(axis=1).mean() > 0.99
        check_finished(Works("drawing", made))
        assert all(len(stroke) >= 2 for row in made for stroke in strokes_of(row))
        # Never two LIFTs in a row, none at the beginning and none before END.
        assert not ((made[:, :-1] == LIFT) & (made[:, 1:] >= LIFT)).any()
        assert (made[:, 0] < POINTS).all()
    np.testing.assert_array_equal(
        mutate(human, np.random.default_rng(3), human),
        mutate(human, np.random.default_rng(3), human),
    )


def test_one_mutation_changes_a_little_of_the_ink(world):
    human = world.train.moves
    made = mutate(human, np.random.default_rng(0), human)
    changed = (images_of(made) != images_of(human)).sum(axis=(1, 2))
    assert 3 < np.median(changed) < 0.5 * np.median(images_of(human).sum(axis=(1, 2)))


def test_drawings_of_any_state_can_be_mutated():
    point = np.array([5, END], np.int16)
    full = np.array([*range(MAX_MOVES)], np.int16)
    dot = np.array([7, 7, END], np.int16)
    parents = pad_moves([np.array([END]), point, full, dot])
    human = pad_moves([moves_of([np.array([[1, 1], [5, 5]])])])
    for seed in range(30):
        made = mutate(parents, np.random.default_rng(seed), human)
        assert made.shape == (4, MAX_MOVES) and (made[:, 0] != PAD).all()
        assert (made[3, 0] < POINTS) and (made[2] != PAD).any()
        assert len(mutate(parents[:0], np.random.default_rng(seed), human)) == 0
    alone = mutate(parents[2:], np.random.default_rng(0), human[:0])
    assert (alone[:, 0] < POINTS).all()
