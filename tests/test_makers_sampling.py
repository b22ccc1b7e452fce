"""Random moves, the char-RNN, the GAN and the collage on worlds whose answers are known."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from move37.agents.makers import char_rnn, collage, gan, random_moves
from move37.agents.makers.maker import BUDGETS, TrainContext, images_of_briefs
from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD, Works, pad_moves
from move37.envs.drawing.dynamics import DrawingSimulator, images_of
from move37.envs.drawing.moves import (
    COORDINATES,
    END,
    LIFT,
    MAX_MOVES,
    SIZE,
    assemble,
    moves_of,
    parts_of,
    strokes_of,
)

Board = DrawingSimulator


class Echo(Simulator):
    """A world whose works have 6 moves out of 4, and whose briefs say what each should be."""

    n_actions, max_moves, brief_width, world = 4, 6, 6, "echo"
    observations = property(lambda self: {})

    def observation_space(self):
        return spaces.Dict({})

    def _play(self, actions):
        pass

    def _default_briefs(self, n):
        return np.tile(np.arange(6, dtype=np.int16) % 4, (n, 1))


def echo_images(works):
    """(N, 8, 6): briefs above, moves below."""
    image = np.zeros((len(works), 8, 6), np.uint8)
    for i, (row, brief) in enumerate(zip(works.moves, works.briefs, strict=True)):
        image[i, brief, np.arange(6)] = 1
        made = np.flatnonzero(row >= 0)
        image[i, 4 + row[made], made] = 1
    return image


def world_of(simulator, train, images=None, **more):
    height, width = (SIZE, SIZE) if simulator is Board else (8, 6)
    plain = dict(
        id=train.world,
        simulator=simulator,
        train=train,
        held_out=train,
        fingerprint="f",
        variations=lambda epoch, seed: train,
        coordinates=None,
        brief_steps=lambda briefs: None,
        parts=lambda works: [],
        mutate=lambda moves, rng, human: None,
        images=images or (lambda works: images_of(works.moves, works.briefs)),
        from_images=lambda x: Works(
            train.world,
            np.full((len(x), 1), PAD, np.int16),
            images=(x.reshape(-1, height, width) > 0.5).astype(np.uint8),
        ),
    )
    return SimpleNamespace(**plain | more)


def echo_world(**more):
    rng = np.random.default_rng(0)
    briefs = rng.integers(0, 4, (400, 6)).astype(np.int16)
    return world_of(Echo, Works("echo", briefs, briefs), echo_images, **more)


def board_world(**more):
    strokes = [np.array([[i, 1], [i, 5], [i + 1, 5]]) for i in range(20)]
    works = [moves_of([strokes[i], strokes[(i + 7) % 20] + [0, 9]]) for i in range(20)]
    return world_of(Board, Works("drawing", pad_moves(works, MAX_MOVES)), **more)


def context(world, folder, epochs=1, updates=8, log=lambda _: None):
    budget = replace(BUDGETS["smoke"], epochs=epochs, updates=updates)
    return TrainContext(world, None, None, None, budget, 0, folder, threads=1, log=log)


STROKES = {"parts": parts_of, "assemble": assemble}


def test_random_moves_are_uniform_with_human_lengths(tmp_path):
    train = Works("drawing", pad_moves([[1, 2, END], [1] * 39 + [END]], MAX_MOVES))
    made = random_moves.make(context(world_of(Board, train), tmp_path)).generate(
        700, np.random.default_rng(0)
    )
    assert set(made.lengths.tolist()) == {3, 40}
    assert 0.4 < np.mean(made.lengths == 3) < 0.6
    assert (made.moves[np.arange(700), made.lengths - 1] == END).all()
    inner = made.moves[(made.moves >= 0) & (made.moves != END)]
    assert len(inner) == (made.lengths - 1).sum()
    counts = np.bincount(inner, minlength=END)
    expected = len(inner) / END
    assert ((counts - expected) ** 2 / expected).sum() < END + 4 * np.sqrt(2 * END)


@pytest.mark.parametrize("module", [random_moves, collage])
def test_makers_that_learn_nothing_work_in_a_world_of_briefs(module, tmp_path):
    maker = module.make(context(echo_world(), tmp_path))
    brief = np.array([3, 3, 0, 0, 1, 1], np.int16)
    made = maker.generate(600, np.random.default_rng(0), brief)
    assert (made.lengths == 6).all() and (made.briefs == brief).all()
    default = maker.generate(600, np.random.default_rng(0))
    assert (default.briefs == [0, 1, 2, 3, 0, 1]).all()
    np.testing.assert_array_equal(default.moves, made.moves)
    assert not (maker.generate(600, np.random.default_rng(1)).moves == made.moves).all()


def test_a_collage_consists_of_human_strokes_at_their_places(tmp_path):
    world = board_world(**STROKES)
    known = {s.tobytes() for row in world.train.moves for s in strokes_of(row)}
    brief = np.array([3, 4], np.int16)
    made = collage.make(context(world, tmp_path)).generate(600, np.random.default_rng(0), brief)
    numbers = set()
    for row in made.moves:
        strokes = strokes_of(row)
        numbers.add(len(strokes))
        assert {s.tobytes() for s in strokes} <= known
        assert row[row >= 0][-1] == END
    assert numbers == {2, 3, 4, 5}
    assert (made.briefs == brief).all()


def test_a_collage_never_grows_too_long_and_says_so_where_nothing_fits(tmp_path):
    long = moves_of([np.array([[i % SIZE, i // SIZE] for i in range(30)])])
    train = Works("drawing", pad_moves([long, moves_of([np.array([[0, 9], [9, 9]])])], MAX_MOVES))
    made = collage.Collage(world_of(Board, train, **STROKES)).generate(50, np.random.default_rng(0))
    assert made.lengths.max() <= MAX_MOVES and made.lengths.max() > 30
    with pytest.raises(ValueError, match="no 2 parts"):
        collage.Collage(world_of(Board, train[:1], **STROKES)).generate(1, np.random.default_rng(0))


def test_a_collage_without_parts_copies_windows_of_time():
    world = board_world()
    made = collage.Collage(world).generate(200, np.random.default_rng(0))
    human = world.train.moves
    for row, length in zip(made.moves, made.lengths, strict=True):
        assert row[length - 1] == END
        for t in range(length - 1):
            assert row[t] in human[:, t]
    copies = [any((row == other).all() for other in human) for row in made.moves]
    assert np.mean(copies) < 0.2


LINE = np.array([[0], [1], [3], [-1]])


def tiny(**more):
    torch.manual_seed(0)
    shape = char_rnn.Shape(4, 6, width=24, embedding=16, **more)
    return char_rnn.MoveRNN(shape, torch.from_numpy(LINE)).eval()


@pytest.mark.parametrize("brief", [[], [2, 0, 3, 1]])
def test_likelihoods_are_a_distribution_and_samples_follow_it(brief):
    class Short(Echo):
        """Three moves, and briefs are moves made before."""

        max_moves, brief_width = 3, None

        def _default_briefs(self, n):
            return np.zeros((n, 0), np.int16)

    network = tiny()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(6)  # so that the moves are far from equally probable
    every = np.array(list(product(range(4), repeat=3)), np.int16)
    world = world_of(Short, Works("echo", every))
    maker = char_rnn.CharRNN(world, network, 0.0)
    briefs = np.tile(np.array(brief, np.int16), (64, 1))
    p = np.exp(maker.log_likelihood(Works("echo", every, briefs)).sum(axis=1))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    n = 4000
    made = maker.generate(n, np.random.default_rng(0), np.array(brief, np.int16))
    counts = np.bincount(made.moves[:, :3].astype(int) @ [16, 4, 1], minlength=64)
    assert np.abs(counts / n - p).max() < 4 * np.sqrt(p.max() / n)
    assert p.max() > 0.03
    first = np.bincount(every[:, 0], weights=p) ** 4
    cold = maker.with_temperature(0.25).generate(2000, np.random.default_rng(0), briefs[0])
    share = np.bincount(cold.moves[:, 0], minlength=4) / 2000
    np.testing.assert_allclose(share, first / first.sum(), atol=0.04)


def test_the_trail_is_that_of_a_slow_count():
    rng, none = np.random.default_rng(0), 6
    placed = np.array([True, True, False, True, False, True, False])
    moves = rng.integers(0, 6, (40, 9))
    moves[np.arange(9) >= rng.integers(0, 10, (40, 1))] = PAD
    for row, found in zip(
        moves, char_rnn.trail_of(torch.from_numpy(moves), torch.from_numpy(placed)), strict=True
    ):
        made = row[row >= 0].tolist()
        for t, told in enumerate(found.tolist()):
            past = made[:t]
            there = [*[move for move in past if placed[move]][::-1], none, none]
            run = []
            for move in past:
                run = [*run, move] if placed[move] else []
            start = run[0] if run else none
            assert told == [past[-1] if past else none, *there[:2], start, len(past)]


def test_the_likelihood_of_a_work_does_not_depend_on_the_others():
    network = tiny()
    works = Works("echo", pad_moves([[0, 1, 2, 3, 1], [2], [3, 3]]), pad_moves([[1], [0, 2], []]))
    together = char_rnn.log_likelihood(network, works)
    for i in range(3):
        alone = char_rnn.log_likelihood(network, works[i : i + 1])
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-6)
    assert (together[works.moves == PAD] == 0).all() and (together[works.moves != PAD] < 0).all()


def test_the_rnn_learns_to_answer_the_brief_step_by_step(monkeypatch):
    monkeypatch.setattr(char_rnn, "LEARNING_RATE", 2e-2)
    world = echo_world(brief_steps=lambda briefs: briefs[:, :, None])
    assert char_rnn.shape_for(world).given == (4,)
    network = tiny(given=(4,))
    nats = char_rnn.fit(
        network, lambda _: world.train, world.train, epochs=12, steps=world.brief_steps
    )  # fmt: skip
    assert nats < 0.1
    world.coordinates = LINE
    maker = char_rnn.CharRNN(world, network, nats)
    brief = np.array([3, 3, 0, 0, 1, 1], np.int16)
    made = maker.generate(100, np.random.default_rng(0), brief)
    assert np.mean(made.moves == brief) > 0.95
    assert (made.briefs == brief).all()
    right = Works("echo", brief[None], brief[None])
    wrong = Works("echo", brief[None, ::-1], brief[None])
    assert maker.score(right)[0] > maker.score(wrong)[0] + 1


def test_the_rnn_learns_drawings_by_heart_is_saved_and_used_again(tmp_path):
    human = pad_moves([[30, 40, 50, END], [100, 101, END]], MAX_MOVES)
    world = world_of(Board, Works("drawing", human[np.arange(256) % 2]), coordinates=COORDINATES)
    lines = []
    maker = char_rnn.make(context(world, tmp_path, epochs=3, log=lines.append))
    assert len(lines) == 15  # 256 works are few: five passes an epoch
    assert maker.nats < 0.3  # one fair choice in seven moves: 0.198
    made = maker.generate(100, np.random.default_rng(0))
    known = {tuple(row) for row in human.tolist()}
    assert np.mean([tuple(row) in known for row in made.moves.tolist()]) > 0.9
    assert 0.3 < np.mean(made.moves[:, 0] == 30) < 0.7
    again = char_rnn.make(context(world, tmp_path, epochs=3, log=lines.append))
    assert len(lines) == 15
    np.testing.assert_array_equal(again.generate(100, np.random.default_rng(0)).moves, made.moves)
    np.testing.assert_array_equal(again.log_likelihood(made), maker.log_likelihood(made))
    hot = again.with_temperature(2.0).generate(100, np.random.default_rng(0))
    assert maker.log_likelihood(hot).sum() < maker.log_likelihood(made).sum()
    with pytest.raises(ValueError, match="temperature"):
        again.with_temperature(0.0)
    char_rnn.make(context(world, tmp_path, epochs=1, log=lines.append))
    assert "other settings (epochs)" in lines[15] and len(lines) == 21  # fitted anew


def test_beginnings_are_given_where_strokes_end():
    works = Works("drawing", pad_moves([[1, 2, LIFT, 3, 4, LIFT, 5, END], [7, 8, END]]))
    placed = (COORDINATES >= 0).all(axis=1)
    cut = char_rnn.give_beginnings(works, placed, 1.0, np.random.default_rng(1))
    assert cut.moves[1].tolist()[:3] == [7, 8, END]
    brief, rest = cut.briefs[0], cut.moves[0]
    joined = [*brief[brief >= 0].tolist(), LIFT, *rest[rest >= 0].tolist()]
    assert joined == works.moves[0].tolist()
    assert (char_rnn.give_beginnings(works, placed, 0.0, np.random.default_rng(1)).briefs < 0).all()


def test_briefs_that_nobody_can_read_are_an_error():
    briefs = np.full((3, 2), 9, np.int16)
    world = world_of(Echo, Works("echo", np.zeros((3, 6), np.int16), briefs))
    with pytest.raises(ValueError, match="brief_steps"):
        char_rnn.shape_for(world)


def test_the_gan_learns_the_only_image(monkeypatch):
    for rate in ("GENERATOR_RATE", "CRITIC_RATE"):
        monkeypatch.setattr(gan, rate, 2e-3)
    generator, critic = gan.networks(gan.Shape(8, 6, channels=32), 0)
    image = np.zeros((64, 8, 6), np.uint8)
    image[:, 1:7, 2] = image[:, 4, 2:5] = 1
    gan.fit(generator, critic, lambda _: (image, image), updates=150)
    maker = gan.GAN(echo_world(), generator, critic)
    given = maker.world.images(
        Works("echo", np.zeros((1, 0), np.int16), maker.world.train.briefs[:1])
    )
    made = maker.generate(50, np.random.default_rng(0), maker.world.train.briefs[0])
    assert (made.images != (image[:1] | given)).mean() < 0.1


def test_the_gan_is_deterministic(tmp_path):
    world = echo_world()
    a, b = (gan.make(context(world, tmp_path / name, updates=3)) for name in "ab")
    made = a.generate(20, np.random.default_rng(0))
    np.testing.assert_array_equal(b.generate(20, np.random.default_rng(0)).images, made.images)
    assert (a.score(made) == b.score(made)).all()


@pytest.mark.parametrize("make_world", [board_world, echo_world])
def test_the_gan_answers_briefs_is_saved_and_used_again(make_world, tmp_path):
    world, lines = make_world(), []
    maker = gan.make(context(world, tmp_path, log=lines.append))
    assert maker.env_steps == 0 and lines
    brief = np.array([3, 3, 0, 0, 1, 1], np.int16)
    made = maker.generate(600, np.random.default_rng(0), brief)
    assert len(made) == 600 and (made.briefs == brief).all()
    given = images_of_briefs(world, made.briefs)
    assert given.any() and (made.images >= given).all()
    assert maker.generator.shape.conditional == (make_world is echo_world)
    count = len(lines)
    again = gan.make(context(world, tmp_path, log=lines.append))
    assert len(lines) == count
    np.testing.assert_array_equal(
        again.generate(600, np.random.default_rng(0), brief).images, made.images
    )
    assert (again.score(world.train) == maker.score(world.train)).all()


@pytest.mark.parametrize(("height", "width"), [(24, 24), (48, 48), (64, 64), (5, 30)])
def test_the_gan_fits_images_of_any_size(height, width):
    shape = gan.Shape(height, width, conditional=True, channels=16)
    generator, critic = gan.networks(shape, 0)
    given = torch.zeros(3, 1, height, width)
    images = generator(torch.zeros(3, shape.latent), given)
    assert images.shape == (3, 1, height, width)
    assert critic(images, given).shape == (3,)
    assert max(shape.coarse) <= 8


def test_shifts_move_images_and_lose_what_leaves():
    image = torch.arange(12.0).view(1, 1, 3, 4) + 1
    assert gan.shifted(image, 1, -2)[0, 0].tolist() == [[0] * 4, [3, 4, 0, 0], [7, 8, 0, 0]]
    assert (gan.shifted(image, 0, 0) == image).all()
