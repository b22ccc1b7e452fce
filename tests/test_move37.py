"""The Move-37 detector under imitators whose probabilities are known."""

import numpy as np
import pytest
import torch
from toy_world import END, LETTERS, LONGEST, Scripted, ToyCore, rows

from move37.agents.learner.rollout import finish_works, sample_works
from move37.agents.measures.likelihoods import move_likelihoods
from move37.agents.measures.move37 import counterfactuals, detect, find_moments, left_the_known
from move37.envs.base.works import Works, join_works, pad_moves
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.network import DrawingNetwork

RNG = np.random.default_rng
RARE = 7
P = np.full(LETTERS + 1, 0.6 / (LETTERS - 1))
P[END], P[RARE] = 0.4 - 5e-5, 5e-5


def imitator():
    return Scripted(P).eval()


def sevens(works):
    return (works.moves == RARE).any(axis=1).astype(float)


def test_probabilities_are_the_networks():
    works = rows([1, RARE, 2, END], [END], [3, 3, END])
    found = move_likelihoods(imitator(), ToyCore, works)
    expected = np.log([[P[1], P[RARE], P[2], P[END]]])
    np.testing.assert_allclose(found.log_p[:1], expected)
    assert np.isnan(found.log_p[1, 1:]).all()
    np.testing.assert_allclose(found.expected[2, :3], P[RARE])
    np.testing.assert_allclose(found.bits[1], -np.log2(P[END]))
    assert find_moments(found.log_p, np.ones(3, bool)).tolist() == [[0, 1]]
    assert find_moments(found.log_p, np.array([False, True, True])).tolist() == []
    assert left_the_known(found.log_p).tolist() == [1, -1, -1]


def test_probabilities_of_drawings_do_not_depend_on_the_works_beside_them():
    torch.manual_seed(0)
    network = DrawingNetwork(width=32).eval()
    works = sample_works(network, DrawingSimulator(16), "drawing", 16, RNG(0))
    together = move_likelihoods(network, DrawingSimulator, works).log_p
    for i in (0, 7):
        alone = move_likelihoods(network, DrawingSimulator, works[np.array([i])]).log_p[0]
        np.testing.assert_allclose(alone, together[i], atol=1e-4)
    assert move_likelihoods(network, DrawingSimulator, works[:0]).log_p.shape == (0, 48)


def test_an_imitator_makes_as_many_improbable_moves_as_it_expects(monkeypatch):
    monkeypatch.setattr("move37.agents.measures.likelihoods.THRESHOLD", 0.01)
    p = np.full(LETTERS + 1, 0.002)
    p[[1, END]] = 0.5, 1 - 0.5 - 0.002 * (LETTERS - 1)
    network = Scripted(p).eval()
    works = sample_works(network, ToyCore(500), "toy", 4000, RNG(1))
    found = move_likelihoods(network, ToyCore, works)
    made = (found.log_p <= np.log(0.01)).sum()
    expected = np.nansum(found.expected)
    assert abs(made - expected) < 4 * np.sqrt(expected)


def test_finished_works_keep_their_beginning_and_end_as_the_imitator_ends():
    works = rows(*([[1, 2, 3, 4, END]] * 2000))
    cuts = np.arange(2000) % 6
    made = finish_works(imitator(), ToyCore, works, cuts, RNG(2))
    for cut in range(6):
        some = made[cuts == cut]
        np.testing.assert_array_equal(some.moves[:, :cut], works.moves[cuts == cut, :cut])
    np.testing.assert_array_equal(made.moves[cuts == 5, :5], works.moves[cuts == 5])
    assert (made.moves[cuts == 5, 5:] == -1).all()
    ended = made.moves[cuts == 2, 2] == END
    assert ended.mean() == pytest.approx(P[END], abs=0.1)
    assert made.lengths.max() <= LONGEST
    with pytest.raises(ValueError, match="cuts"):
        finish_works(imitator(), ToyCore, works[:1], np.array([6]), RNG(0))


def test_finishing_from_the_start_is_sampling():
    torch.manual_seed(0)
    network = DrawingNetwork(width=32).eval()
    blank = Works("drawing", pad_moves([np.array([5])] * 6))
    finished = finish_works(network, DrawingSimulator, blank, np.zeros(6, int), RNG(3))
    sampled = sample_works(network, DrawingSimulator(6), "drawing", 6, RNG(3))
    np.testing.assert_array_equal(finished.moves, sampled.moves)


def test_a_drawing_in_the_middle_is_what_replaying_it_gives():
    """Positions after a kept beginning are those that the recorded moves lead to."""
    torch.manual_seed(1)
    network = DrawingNetwork(width=32).eval()
    works = sample_works(network, DrawingSimulator(4), "drawing", 4, RNG(4))
    cuts = works.lengths - 1  # all but the last move, which the last position decides
    with torch.no_grad():
        network.head.weight.mul_(1e6)  # certain of one move at every position
        network.head.bias.mul_(1e6)
    made = finish_works(network, DrawingSimulator, works, cuts, RNG(5))
    log_p = move_likelihoods(network, DrawingSimulator, made).log_p
    assert (log_p[np.arange(4), cuts] > -1e-3).all()


def test_a_move_that_makes_the_work_gains_and_one_that_does_not_gains_nothing():
    works = rows([1, RARE, 2, END], [RARE, RARE, END])
    moments = np.array([[0, 1], [1, 1], [0, 2]])
    gain, worse = counterfactuals(
        imitator(), ToyCore, works, moments, sevens, RNG(6), completions=64
    )
    assert gain[0] > 0.95 and worse[0] > 0.9
    # The seven was there already: neither the second one nor an ordinary move adds anything.
    assert gain[1] == gain[2] == 0 and worse[1] == 0
    gain, worse = counterfactuals(imitator(), ToyCore, works, moments[:0], sevens, RNG(0))
    assert len(gain) == len(worse) == 0


def test_only_moments_in_good_works_count_and_controls_have_none():
    learner = rows(*([[1, RARE, 2, END]] * 30), *([[1, 2, END]] * 70))
    found = detect(imitator(), ToyCore, learner, sevens, 0.5, RNG(7), completions=16, most=10)
    assert (found.good, len(found.moments)) == (30, 30)
    assert found.share.value == 0.3 and found.per_work.value == 0.3
    assert found.gain.low > 0.8 and found.worse > 0.8
    assert abs(found.control_gain.value) < found.gain.value
    # The same moves in works that are worth nothing are no moments.
    bad = detect(imitator(), ToyCore, learner, lambda w: np.zeros(len(w)), 0.5, RNG(7))
    assert len(bad.moments) == 0 and bad.all_per_work == 0.3 and np.isnan(bad.gain.value)
    # The imitator itself makes about as many as it expects: nearly none.
    own = sample_works(imitator(), ToyCore(100), "toy", 400, RNG(8))
    control = detect(imitator(), ToyCore, own, sevens, 0.5, RNG(9))
    assert control.share.value < 0.01
    assert control.expected_per_work == pytest.approx(P[RARE] * own.lengths.mean(), rel=1e-6)


def test_works_of_several_lengths_are_detected_in_pieces(monkeypatch):
    monkeypatch.setattr("move37.agents.measures.likelihoods.WORKS_AT_ONCE", 3)
    works = join_works([rows([1, END], [RARE, END]), rows([2, 3, RARE, 4, END]), rows([END])] * 3)
    found = find_moments(
        move_likelihoods(imitator(), ToyCore, works).log_p, np.ones(len(works), bool)
    )
    assert found.tolist() == [[1, 0], [2, 2], [5, 0], [6, 2], [9, 0], [10, 2]]
