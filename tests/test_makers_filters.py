"""The filters: their network, gradient ascent, content and style."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from move37.agents.makers import deep_style, inceptionism
from move37.agents.makers.deep_style import gram
from move37.agents.makers.maker import Budget, TrainContext
from move37.agents.makers.networks.feature_network import (
    FeatureNetwork,
    categories_of,
    clusters_of,
    drawn_on,
    feature_network,
    harden,
    soften,
    train_features,
)
from move37.envs.base.works import Works, pad_moves
from move37.envs.drawing.corpus.trace import from_images
from move37.envs.drawing.dynamics import DrawingSimulator, images_of, pictures_of
from move37.envs.drawing.moves import MAX_MOVES, moves_of

BRIEF = moves_of([np.array([[3, 20], [20, 20]])])[:-1]


def human_works(n: int) -> Works:
    """Squares and crosses of many sizes at many places."""
    rng = np.random.default_rng(0)
    rows, names = [], []
    for i in range(n):
        x, y = rng.integers(3, 10, 2)
        a, b = rng.integers(5, 11, 2)
        if i % 2:
            strokes = [[[x, y], [x + a, y], [x + a, y + b], [x, y + b], [x, y]]]
        else:
            strokes = [[[x, y], [x + a, y + b]], [[x + a, y], [x, y + b]]]
        rows.append(moves_of([np.array(s) for s in strokes]))
        names.append(f"{('cross', 'square')[i % 2]}-{i}")
    return Works("drawing", pad_moves(rows, MAX_MOVES), names=tuple(names))


def small_world(works: Works) -> SimpleNamespace:
    return SimpleNamespace(
        id="drawing",
        fingerprint="f",
        train=works,
        images=pictures_of,
        simulator=DrawingSimulator,
        from_images=from_images,
    )


WORLD = small_world(human_works(120))
IMAGES = images_of(WORLD.train.moves)


def blurred(images):
    """(N, 36) float32: ink in each of 6 x 6 fields."""
    return images.reshape(-1, 6, 4, 6, 4).mean(axis=(2, 4)).reshape(-1, 36).astype(np.float32)


def context(folder, world=WORLD, log=lambda line: None) -> TrainContext:
    evaluator = SimpleNamespace(describe=lambda works: blurred(world.images(works)))
    budget = Budget(works=0, env_steps=0, epochs=0, updates=6)
    return TrainContext(world, evaluator, None, None, budget, 0, folder, threads=1, log=log)


@pytest.fixture
def few_steps(monkeypatch):
    for module in (deep_style, inceptionism):
        monkeypatch.setattr(module, "STEPS", 2)


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    torch.manual_seed(0)
    network = FeatureNetwork(2)
    targets = np.eye(2, dtype=np.float32)[np.arange(len(IMAGES)) % 2]
    train_features(network, IMAGES, targets, updates=25, seed=0)
    return network.eval().requires_grad_(False)


# The network


def test_the_network_learns_to_name(network):
    with torch.no_grad():
        named = network(soften(IMAGES)).argmax(1).numpy()
    assert (named == np.arange(len(IMAGES)) % 2).mean() > 0.9


def test_words_that_many_works_have_are_categories():
    names = ["arrow-left"] * 12 + ["arrow_right"] * 11 + ["Left", ""]
    targets = categories_of(names)
    assert targets.shape == (25, 2)  # arrow, left
    np.testing.assert_allclose(targets[0], [0.5, 0.5])
    np.testing.assert_allclose(targets[12], [1, 0])
    np.testing.assert_allclose(targets[23], [0, 1])
    np.testing.assert_allclose(targets[24], [0, 0])


def test_numbered_names_describe_nothing():
    names = [f"bwv{i // 4}.7 bar {2 * (i % 4)}" for i in range(48)]
    assert categories_of(names).shape == (48, 0)
    assert categories_of([*names, "fugue"]).shape == (49, 6)  # bar, 7, 0, 2, 4, 6


def test_works_without_names_are_told_apart_by_clusters():
    targets = clusters_of(blurred(IMAGES), seed=0)
    assert targets.shape == (120, 15) and (targets.sum(axis=1) == 1).all()
    kind = np.arange(120) % 2
    majority = np.array([max((kind[c > 0] == k).sum() for k in (0, 1)) for c in targets.T])
    assert majority.sum() / 120 > 0.8
    np.testing.assert_array_equal(targets, clusters_of(blurred(IMAGES), 0))


def test_without_any_category_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="no work has a category"):
        train_features(FeatureNetwork(2), IMAGES, np.zeros((120, 2), np.float32), 1, 0)


def test_the_network_is_trained_once_and_shared(tmp_path):
    said = []
    room = context(tmp_path, log=said.append)
    first = inceptionism.make(room)
    path = tmp_path / "features.safetensors"
    before = path.read_bytes()
    second = deep_style.make(room)
    assert len(said) == 1 and "clusters" in said[0] and path.read_bytes() == before
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b) and not a.requires_grad
    path.write_bytes(before[:100])
    third = deep_style.make(room)
    assert "features.safetensors" in said[1] and "damaged" in said[1] and len(said) == 3
    for a, b in zip(first.network.parameters(), third.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_is_deterministic(tmp_path):
    networks = []
    for name in "ab":
        (tmp_path / name).mkdir()
        networks.append(feature_network(context(tmp_path / name)).state_dict())
    assert all(torch.equal(networks[0][key], value) for key, value in networks[1].items())


# From images and back


def test_soft_images_become_their_images_again():
    made = from_images(harden(soften(IMAGES), np.ones((24, 24), bool)))
    assert np.abs(made.images.astype(int) - IMAGES).mean() < 0.01


def test_a_large_image_is_seen_as_large_as_it_is():
    large = np.zeros((2, 64, 64), np.uint8)
    large[0, 20:30, 8:50] = 1
    soft = soften(large)
    assert soft.shape == (2, 64, 64) and soften(large[:, :24, :24]).shape == (2, 48, 48)
    np.testing.assert_array_equal(harden(soft, np.ones((64, 64), bool)), large)
    soft[0] = 0.5
    assert large[0].sum() == 420  # the image is not what is painted on


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 16), (3, 5), (64, 3)])
def test_an_image_of_any_size_is_seen_and_filtered(network, few_steps, height, width):
    rng = np.random.default_rng(0)
    images = (rng.random((40, height, width)) < 0.5).astype(np.uint8)
    soft = soften(images)
    assert min(soft.shape[1:]) >= 8
    assert harden(soft, np.ones((height, width), bool)).shape == images.shape
    train_features(FeatureNetwork(2), images, np.eye(2, dtype=np.float32)[np.arange(40) % 2], 2, 0)
    world = SimpleNamespace(
        id="small",
        train=Works("small", np.zeros((40, 1), np.int16), images=images),
        images=lambda works: works.images,
        from_images=lambda made: Works(
            "small", np.zeros((len(made), 1), np.int16), images=made.astype(np.uint8)
        ),
    )
    for kind in (inceptionism, deep_style):
        maker = kind.filter_of(world, network)
        made = maker.generate(3, np.random.default_rng(0))
        assert made.images.shape == (3, height, width)


def test_faint_and_lone_grey_is_no_ink_but_a_line_may_fade():
    soft = torch.full((2, 48, 48), 0.05)
    soft[1, 10:12, 8:40] = torch.linspace(1, 0.5, 32)  # a line that fades
    soft[1, 30:32, 30:32] = 0.5
    hard = harden(soft, np.ones((24, 24), bool))
    assert not hard[0].any()
    assert hard[1, 5, 4:20].all() and hard[1].sum() == 16
    where = np.ones((24, 24), bool)
    where[:, :10] = False
    assert harden(soft, where)[1].sum() == 10


def test_the_margin_of_human_works_stays_free():
    where = drawn_on(IMAGES)
    assert not where[:3].any() and not where[:, :3].any() and where[10, 10]


# Both filters


@pytest.mark.parametrize("kind", [inceptionism, deep_style])
def test_filters_make_works_that_answer_briefs(network, few_steps, kind):
    maker = kind.filter_of(WORLD, network)
    works = maker.generate(7, np.random.default_rng(0))
    assert len(works) == 7 and maker.env_steps == 0
    assert works.images.shape == (7, 24, 24) and works.images.any((1, 2)).all()
    assert works.briefs.shape == (7, 0)
    again = maker.generate(7, np.random.default_rng(0))
    np.testing.assert_array_equal(works.moves, again.moves)
    np.testing.assert_array_equal(works.images, again.images)
    other = maker.generate(7, np.random.default_rng(1))
    assert (works.images != other.images).any()
    answers = maker.generate(3, np.random.default_rng(0), BRIEF)
    np.testing.assert_array_equal(answers.briefs, np.repeat(BRIEF[None], 3, axis=0))
    given = images_of(BRIEF[None])[0] > 0
    assert (answers.images[:, given] == 1).mean() > 0.9


def test_human_works_that_answer_briefs_become_works_that_answer_them(network, few_steps):
    works = human_works(5)
    briefs = pad_moves([BRIEF, BRIEF[:0], BRIEF, BRIEF, BRIEF])
    world = small_world(Works("drawing", works.moves, briefs))
    made = deep_style.filter_of(world, network).generate(8, np.random.default_rng(0))
    answered = made.briefs[:, 0] >= 0
    assert 0 < answered.sum() < 8
    row = made.images[:, 20, 3:21].mean(axis=1)
    assert (row[answered] > 0.9).all() and (row[~answered] < 0.9).all()


# Inceptionism


def activity(network, soft, layer, unit):
    return network.activations(soft, layer)[-1][:, unit].square().flatten(1).sum(1)


@pytest.mark.parametrize("layer", [1, 4])
def test_ascent_raises_the_unit_that_was_drawn(network, layer, monkeypatch):
    monkeypatch.setattr(inceptionism, "LAYER", layer)
    soft = soften(IMAGES[:4])
    for unit in (3, 15):
        after = inceptionism._dream(network, soft, torch.full((4,), unit), [[0, 0]] * 30)
        before = activity(network, soft, layer, unit)
        assert (activity(network, after, layer, unit)[before > 0] > before[before > 0]).all()
        assert after.min() >= 0 and after.max() <= 1


def test_the_same_chance_gives_the_same_dream(network, few_steps):
    one, again, other = (
        inceptionism.enhance(network, IMAGES[:4], np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=1e-3)


# Deep Style


def test_gram_matrices_are_those_of_the_definition():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 4, 5)))
    got = gram(x)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                want = sum(x[n, i, y, k] * x[n, j, y, k] for y in range(4) for k in range(5)) / 20
                assert got[n, i, j] == pytest.approx(float(want))


def test_a_work_in_its_own_style_stays_itself(network, few_steps):
    after = deep_style.transfer(network, IMAGES[:4], IMAGES[:4])
    assert (after - soften(IMAGES[:4])).abs().max() < 1e-3


def test_style_comes_nearer_and_more_weight_brings_it_nearer(network, monkeypatch):
    def transferred(weight):
        monkeypatch.setattr(deep_style, "STYLE_WEIGHT", weight)
        return deep_style.transfer(network, content, style)

    content, style = IMAGES[:6:2], IMAGES[1:7:2]

    def distance(soft):
        grams = [gram(a) for a in network.activations(soft, 4)]
        goals = [gram(a) for a in network.activations(soften(style), 4)]
        ratios = [
            (g - h).square().mean((1, 2)) / h.square().mean((1, 2))
            for g, h in zip(grams, goals, strict=True)
        ]
        return torch.stack(ratios).mean(0)

    before = distance(soften(content))
    weak, strong = (distance(transferred(weight)) for weight in (0.1, 10))
    assert (strong < before).all() and (strong < weak).all()


@pytest.mark.parametrize("kind", [inceptionism, deep_style])
def test_a_filter_names_what_it_was_given(network, few_steps, kind):
    maker = kind.filter_of(WORLD, network)
    works = maker.generate(40, np.random.default_rng(3))
    inputs = maker.inputs(40, np.random.default_rng(3))
    made, given = blurred(WORLD.images(works)), blurred(WORLD.images(inputs))
    own = np.linalg.norm(made - given, axis=1)
    others = np.linalg.norm(made - np.roll(given, 1, axis=0), axis=1)
    assert np.median(own) < np.median(others) / 2
