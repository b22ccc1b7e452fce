"""What every simulator promises, and what it refuses: no call writes past the end of a board."""

import numpy as np
import pytest

from move37.envs.base.works import PAD
from move37.envs.composition.briefs import frames_of
from move37.envs.composition.dynamics import CompositionSimulator, FourSimulator, FreeSimulator
from move37.envs.composition.moves import BRIEF, EIGHTHS, FERMATA, SOPRANO
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.moves import END

RNG = np.random.default_rng(0)
POOL = np.zeros((5, BRIEF), np.int16)
POOL[:, SOPRANO:FERMATA] = RNG.integers(0, 29, (5, EIGHTHS))
POOL[:, 2] = np.arange(5)
MAKERS = {
    "drawing": DrawingSimulator,
    "composition": lambda n: CompositionSimulator(n, POOL),
    "composition-free": lambda n: FreeSimulator(n, frames_of(POOL)),
    "composition-four": lambda n: FourSimulator(n, POOL),
}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def begun(make, n):
    simulator = make(n)
    simulator.reset(np.arange(n))
    return simulator


def snapshot(simulator):
    return {k: v.copy() for k, v in (simulator.state() | simulator.observations).items()}


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for key, value in left.items():
        np.testing.assert_array_equal(value, right[key], err_msg=key)


def play(simulator, rng, rounds, share=0.7):
    """Random moves on the boards that are not done; some of them wait."""
    for _ in range(rounds):
        actions = rng.integers(0, simulator.n_actions, simulator.n)
        idle = simulator.done | (rng.random(simulator.n) > share)
        simulator.step(np.where(idle, PAD, actions))


def test_a_board_that_is_done_refuses_every_move_and_nothing_changes(make):
    simulator = begun(make, 3)
    longest = simulator.max_moves
    for _ in range(longest):
        finished = simulator.step(np.array([1, PAD, 1]))
    assert finished.tolist() == [True, False, True] == simulator.done.tolist()
    before = snapshot(simulator)
    for _ in range(3):
        with pytest.raises(ValueError, match="board 2 is done and takes no move"):
            simulator.step(np.array([PAD, 1, 0]))
    assert_equal(snapshot(simulator), before)
    assert not simulator.step(np.array([PAD, 1, PAD])).any()
    assert simulator.counts.tolist() == [longest, 1, longest]
    simulator.reset(np.array([2]))
    assert not simulator.step(np.array([PAD, 1, 1])).any()


def test_a_board_waits_as_if_nothing_had_happened(make):
    alone, together = begun(make, 1), begun(make, 1)
    for move in RNG.integers(0, alone.n_actions - 1, alone.max_moves):
        alone.step(np.array([move]))
        for action in (PAD, move, PAD, PAD):
            together.step(np.array([action]))
        assert_equal(snapshot(alone), snapshot(together))
        if alone.done.all():
            break


@pytest.mark.parametrize("bad", [-2, -(2**40), 2**40, 2**62, 10_000])
def test_what_is_no_move_is_refused_before_anything_is_written(make, bad):
    simulator = begun(make, 3)
    play(simulator, np.random.default_rng(1), 5)
    before = snapshot(simulator)
    with pytest.raises(ValueError, match=rf"{bad} is no move \(board 1\); moves are 0 to"):
        simulator.step(np.array([1, bad, 1]))
    assert_equal(snapshot(simulator), before)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (np.array([1, 1]), r"expected shape \(3,\)"),
        (np.ones((3, 1), np.int64), r"expected shape \(3,\)"),
        (np.ones(3), "expected whole numbers, got float64"),
        (np.array([np.nan] * 3), "expected whole numbers"),
        (np.array(["1"] * 3), "expected whole numbers"),
        (np.ones(4, np.int64), r"expected shape \(3,\)"),
    ],
)
def test_actions_of_another_kind_are_refused(make, actions, words):
    with pytest.raises(ValueError, match=words):
        begun(make, 3).step(actions)


def test_counts_that_were_tampered_with_are_not_believed(make):
    for count in (10_000, -5, 2**40):
        simulator = begun(make, 2)
        simulator.counts[1] = count
        with pytest.raises(ValueError, match="board 1"):
            simulator.step(np.array([1, 1]))


@pytest.mark.parametrize("rows", [[3], [-1], [0, 99], [2**40]])
def test_boards_that_are_not_there_are_not_reset(make, rows):
    with pytest.raises(ValueError, match="rows: boards are 0 to 2"):
        begun(make, 3).reset(np.array(rows))


def test_briefs_that_are_none_are_refused(make):
    simulator = begun(make, 2)
    width = BRIEF if simulator.brief_width else 4
    for bad in (-2, 30_000):
        with pytest.raises(ValueError, match="brief"):
            simulator.reset(np.arange(2), np.full((2, width), bad, np.int16))
        with pytest.raises(ValueError, match="brief"):
            simulator.set_brief(np.full(width, bad, np.int16))
    with pytest.raises(ValueError, match="briefs: expected shape"):
        simulator.reset(np.arange(2), np.zeros((3, width), np.int16))
    with pytest.raises(ValueError, match="briefs: expected whole numbers"):
        simulator.reset(np.arange(2), np.zeros((2, width)))


def test_boards_are_done_until_they_are_reset():
    simulator = MAKERS["composition"](2)
    with pytest.raises(ValueError, match="board 0 is done"):
        simulator.step(np.array([1, 1]))


def test_a_batch_goes_on_from_its_state_in_another(make):
    rng = np.random.default_rng(7)
    simulator, other = begun(make, 6), make(6)
    play(simulator, rng, simulator.max_moves + 20)
    simulator.reset(np.array([0, 4]))
    play(simulator, rng, 5)
    other.load_state(simulator.state())
    assert_equal(snapshot(other), snapshot(simulator))
    for _ in range(40):
        actions = rng.integers(0, simulator.n_actions, 6)
        actions = np.where(simulator.done, PAD, actions)
        for each in (simulator, other):
            finished = each.step(actions).copy()
            each.reset(np.flatnonzero(finished))
        assert_equal(snapshot(other), snapshot(simulator))


def test_a_state_that_cannot_be_is_refused(make):
    simulator = begun(make, 2)
    play(simulator, np.random.default_rng(2), 6, share=1)
    state = simulator.state()
    for key, value in (
        ("moves", state["moves"][:1]), ("moves", state["moves"].astype(np.int64)),
        ("done", state["done"].astype(np.int8)), ("briefs", state["briefs"][:1]),
        ("moves", np.full_like(state["moves"], 32_000)),
        ("moves", np.where(np.arange(simulator.max_moves) == 1, PAD, state["moves"])),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"moves|done|briefs|actions"):
            make(2).load_state(state | {key: value})
    with pytest.raises(KeyError):
        make(2).load_state({})


def test_a_move_behind_the_end_of_a_drawing_is_refused():
    simulator = DrawingSimulator(1)
    state = simulator.state()
    state["moves"][0, :3] = [5, END, 7]
    with pytest.raises(ValueError, match="board 0 is done"):
        DrawingSimulator(1).load_state(state)
