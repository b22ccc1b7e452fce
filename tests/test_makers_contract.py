"""Makers of anybody: found by name, fitted, and refused where they break their contract."""

from dataclasses import replace
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from move37.agents.learner.rollout import rollout
from move37.agents.makers import maker as registry
from move37.agents.makers.cache import Cache
from move37.agents.makers.check import MakerError, check_maker, smoke_context
from move37.agents.makers.maker import Maker, find_factory, known_makers
from move37.agents.makers.random_moves import RandomMoves
from move37.envs.base import places
from move37.envs.base.registry import make_world
from move37.envs.base.works import Works
from move37.novelty.storage import save_weights

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture(scope="module")
def world():
    return make_world("drawing", limit=60)


@pytest.fixture(scope="module")
def shop(world, tmp_path_factory):
    return smoke_context(world, tmp_path_factory.mktemp("shop"))


def test_the_documented_maker_conforms_and_draws_as_humans_begin(world, shop, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    assert len((EXAMPLES / "markov.py").read_text().splitlines()) <= 40
    check_maker("markov:make", world)
    maker = find_factory("markov:make")(shop)
    works = maker.generate(300, np.random.default_rng(0))
    human = {pair for row in world.train.moves.tolist() for pair in pairwise(row)}
    pairs = [pair for row in works.moves.tolist() for pair in pairwise(row) if pair[1] >= 0]
    assert np.mean([pair in human for pair in pairs]) > 0.7


def test_the_page_shows_the_example_as_it_is():
    page = (EXAMPLES.parent / "new-maker.md").read_text()
    assert (EXAMPLES / "markov.py").read_text().strip() in page


class Broken(RandomMoves):
    """Conforms, until something in it is replaced."""


class Unfinished(Broken):
    def generate(self, n, rng, brief=None):
        works = super().generate(n, rng, brief)
        return replace(works, moves=works.moves[:, :2] * 0)


class Illegal(Broken):
    def generate(self, n, rng, brief=None):
        works = super().generate(n, rng, brief)
        return replace(works, moves=works.moves + 600)


class Careless(Broken):
    def generate(self, n, rng, brief=None):
        return super().generate(n, np.random.default_rng(), brief)


class Deaf(Broken):
    def generate(self, n, rng, brief=None):
        return super().generate(n, rng)


class Lazy(Broken):
    def generate(self, n, rng, brief=None):
        return super().generate(max(1, n - 1), rng, brief)


class Vague(Broken):
    def score(self, works):
        return np.full(len(works), np.nan)


class Endless(Broken):
    def inputs(self, n, rng):
        return self.world.train[: n + 1]


class Indebted(Broken):
    env_steps = -1


class Stranger:
    def __init__(self, world):
        pass


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unfinished, "work 0 is not finished after its 2 moves"),
        (Illegal, "move 0 is not legal"),
        (Careless, "the same rng gave other works"),
        (Deaf, "asked to answer"),
        (Lazy, "expected 5 works of 'drawing', got 4"),
        (Vague, "score: expected 5 finite numbers"),
        (Endless, "inputs: expected the 5 works"),
        (Indebted, "env_steps: expected a whole number"),
        (Stranger, "derive the class from"),
    ],
)
def test_a_maker_that_breaks_its_contract_is_refused(kind, message, world, shop, monkeypatch):
    monkeypatch.setattr("move37.agents.makers.check.smoke_context", lambda *_: shop)
    with pytest.raises(MakerError, match=message):
        check_maker(lambda context: kind(context.world), world)


def test_fitting_may_not_change_the_imitator_nor_leave_its_seed(world, shop, monkeypatch):
    monkeypatch.setattr("move37.agents.makers.check.smoke_context", lambda *_: shop)
    check_maker("random", world)

    def careless(context):
        maker = RandomMoves(context.world)
        maker._lengths = maker._lengths[np.random.default_rng().permutation(len(maker._lengths))]
        return maker

    with pytest.raises(MakerError, match=r"context\.seed"):
        check_maker(careless, world)

    def greedy(context):
        with torch.no_grad():
            next(context.imitator.parameters()).add_(1)
        return RandomMoves(context.world)

    with pytest.raises(MakerError, match="imitator was changed"):
        check_maker(greedy, world)


def test_makers_are_found_by_name_by_entry_point_and_by_place(monkeypatch, tmp_path):
    point = EntryPoint("mine", "mymaker:make", registry.ENTRY_POINTS)
    taken = EntryPoint("random", "mymaker:make", registry.ENTRY_POINTS)
    monkeypatch.setattr(places, "entry_points", lambda group: [point, taken])
    (tmp_path / "mymaker.py").write_text("def make(context): return 37\nnumber = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert known_makers()["mine"] == "mymaker:make"
    assert find_factory("mine")(None) == find_factory("mymaker:make")(None) == 37
    assert known_makers()["random"] == "move37.agents.makers.random_moves:make"
    for name, message in (
        ("nobody", "'nobody' is none of .*mine, .*and no module:function"),
        ("mymaker:nothing", "no attribute 'nothing'"),
        ("no_such_module:make", "No module named"),
        ("mymaker:number", "is no function"),
    ):
        with pytest.raises(ValueError, match=message):
            find_factory(name)


def test_a_maker_has_nothing_but_works_unless_it_says_so(world):
    class Copies(Maker):
        def generate(self, n, rng, brief=None):
            return world.train[:n]

    maker = Copies()
    assert maker.score(world.train) is None and maker.inputs(3, np.random.default_rng(0)) is None
    assert maker.env_steps == maker.stock == 0
    with pytest.raises(TypeError, match="Copies is not sampled at a temperature"):
        maker.with_temperature(0.5)
    with pytest.raises(TypeError, match="abstract"):
        Maker()


# What makers keep


def kept(shop, folder, lines, **settings):
    return Cache(replace(shop, folder=folder, log=lines.append), "thing", **settings)


def test_what_was_learnt_is_read_again_with_the_same_settings_only(shop, tmp_path):
    lines, network = [], torch.nn.Linear(2, 3)
    cache = kept(shop, tmp_path, lines, size=(3, 4), epochs=2)
    assert cache.load() is None and not lines
    cache.save(network.state_dict(), nats=1.5)
    read = torch.nn.Linear(2, 3)
    assert kept(shop, tmp_path, lines, size=(3, 4), epochs=2).load_into(read) == {"nats": 1.5}
    assert torch.equal(read.weight, network.weight) and not lines
    assert kept(shop, tmp_path, lines, size=(3, 5), epochs=2).load() is None
    assert "learnt with other settings (size)" in lines.pop()
    assert kept(shop, tmp_path, lines, epochs=2).load() is None
    assert "(size)" in lines.pop()
    assert kept(replace(shop, seed=1), tmp_path, lines, size=(3, 4), epochs=2).load() is None
    assert "(seed)" in lines.pop()
    other = torch.nn.Linear(2, 4)
    before = other.weight.clone()
    assert cache.load_into(other) is None and torch.equal(other.weight, before)
    assert "another network" in lines.pop() and not lines


@pytest.mark.parametrize("damage", ["weights", "facts", "cut", "empty", "another kind"])
def test_what_is_damaged_is_learnt_again_with_one_line(damage, shop, tmp_path):
    lines = []
    cache = kept(shop, tmp_path, lines)
    cache.save({"x": torch.arange(9.0)}, n=1)
    data = cache.path.read_bytes()
    if damage == "weights":
        cache.path.write_bytes(data[:-1] + b"\x01")
    elif damage == "facts":
        cache.path.write_bytes(data.replace(b"drawing", b"pictura"))
    elif damage == "another kind":
        save_weights(cache.path, torch.nn.Linear(2, 3))
    else:
        cache.path.write_bytes(data[:10] if damage == "cut" else b"")
    assert cache.load() is None
    assert len(lines) == 1 and "\n" not in lines[0] and "it is made again" in lines[0]
    cache.save({"x": torch.arange(9.0)}, n=1)
    assert cache.load()[1] == {"n": 1}


# The loop that plays boards


def test_rollouts_ask_for_boards_that_go_on_and_keep_what_is_given(world):
    simulator = world.simulator(4)
    end, asked = simulator.end_move, []

    def choose(observations, rows, t):
        assert set(map(len, observations.values())) == {len(rows)}
        asked.append((t, rows.tolist()))
        return np.where(rows == t, end, 7 * rows + t)

    moves, briefs = rollout(simulator, 6, choose)
    assert moves.shape == (6, simulator.max_moves) and briefs.shape[0] == 6
    assert (moves >= 0).sum(axis=1).tolist() == [1, 2, 3, 4, 1, 2]
    assert asked == [(t, list(range(t, 4))) for t in range(4)] + [(0, [0, 1]), (1, [1])]
    asked.clear()
    prefix = Works("drawing", moves[[3, 2, 3, 3, 3]])
    again, _ = rollout(simulator, 5, choose, prefix=prefix, cuts=np.array([1, 3, 4, 0, 4]))
    np.testing.assert_array_equal(again[[1, 2, 4]], moves[[2, 3, 3]])
    assert again[0, 0] == moves[3, 0] and asked[0] == (0, [3])
    with pytest.raises(ValueError, match="prefix: expected 4 works, got 5"):
        rollout(simulator, 4, choose, prefix=prefix)
