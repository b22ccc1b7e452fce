"""Novelty Index and Decision Quality Index on works whose openings and values are known."""

import numpy as np
import pytest
import torch
from toy_world import END, LETTERS, Scripted, ToyCore, rows

from move37.agents.measures import decisions
from move37.agents.measures.decisions import decision_quality
from move37.novelty.measures.openings import (
    copy_insertion,
    first_novel_moves,
    length_strata,
    novelty_index,
    stratified_by_length,
)

RNG = np.random.default_rng
KNOWN = np.array([[1, 2, 3, 4], [1, 5, -1, -1]])


def test_the_first_move_without_a_precedent():
    works = np.array(
        [[1, 2, 3, 4], [1, 2, 9, 4], [7, 1, 2, 3], [1, 5, 3, -1], [1, 2, -1, -1], [-1] * 4]
    )
    assert first_novel_moves(works, KNOWN).tolist() == [4, 2, 0, 2, 2, 0]
    # A longer or shorter table of the same works changes nothing.
    wide = np.pad(works, ((0, 0), (0, 3)), constant_values=-1)
    assert first_novel_moves(wide, KNOWN).tolist() == [4, 2, 0, 2, 2, 0]
    with pytest.raises(ValueError, match="moves"):
        first_novel_moves([1, 2], KNOWN)


def test_the_index_is_one_at_once_and_zero_for_copies():
    works = np.array([[7, 1, 2, 3], [1, 2, 9, 4], [1, 2, 3, 4], [1, 5, -1, -1]])
    index = novelty_index(works, KNOWN, RNG(0), size=2, horizon=4, draws=1)
    assert index.tolist() == [1, 0.5, 0, 0]
    assert novelty_index(works, KNOWN, RNG(0), 2, horizon=2, draws=1).tolist() == [1, 0, 0, 0]
    with pytest.raises(ValueError, match="size"):
        novelty_index(works, KNOWN, RNG(0), 3, 4)


def test_the_index_depends_on_the_size_of_the_reference_not_on_how_many_there_are():
    rng = RNG(1)

    def random_walks(n):
        return rng.integers(0, 4, (n, 12))

    works = random_walks(200)
    few, many = random_walks(500), random_walks(5000)
    at_300 = [novelty_index(works, some, rng, 300, 12).mean() for some in (few, many)]
    assert at_300[0] == pytest.approx(at_300[1], abs=0.02)
    assert novelty_index(works, many, rng, 5000, 12).mean() < at_300[0] - 0.1


def test_inserted_copies_take_the_novelty_away_and_noise_does_not():
    rng = RNG(2)
    human, works = rng.integers(0, 50, (300, 8)), rng.integers(50, 99, (80, 8))
    copies = copy_insertion(works, human, works, rng, 200, 8)
    others = copy_insertion(works, human, rng.integers(99, 150, (80, 8)), rng, 200, 8)
    assert copies.before.value == 1 and copies.after.value == 0 and copies.drop.low == 1
    assert others.drop.value == others.drop.high == 0


def test_strata_take_the_length_out_of_a_comparison():
    """Long works score higher whoever makes them; a maker of long works is no better."""
    rng = RNG(3)
    human, long = rng.integers(5, 25, 2000), rng.integers(12, 25, 2000)
    edges, weights = length_strata(human, 10)
    assert weights.sum() == pytest.approx(1) and len(weights) == len(edges) + 1
    figures = [
        stratified_by_length(n + rng.normal(size=len(n)), n, edges, weights, rng, 200)
        for n in (human, long)
    ]
    assert figures[0].value == pytest.approx(human.mean(), abs=0.2)
    assert figures[1].value == pytest.approx(human[human >= 12].mean(), abs=0.8)
    assert np.isnan(stratified_by_length([np.nan], [5], edges, weights, rng).value)
    with pytest.raises(ValueError, match="weights"):
        stratified_by_length([1.0], [5], edges, weights[1:], rng)


def sevens(works):
    """Quality: 1 with a seven in the work, else 0."""
    return (works.moves == 7).any(axis=1).astype(float)


def ender():
    """Ends at once but for a little of everything; never plays a seven by itself."""
    p = np.full(LETTERS + 1, 1e-9)
    p[END], p[7] = 1.0, 1e-8
    return Scripted(p).eval()


def test_decisions_are_valued_against_the_best_that_was_known(monkeypatch):
    monkeypatch.setattr(decisions, "CANDIDATES", 3)
    torch.manual_seed(0)
    works = rows([7, END], [3, END], [3, 7, END], [END])
    found = decision_quality(
        ender(), ToyCore, works, np.array([0, 0, 0, -1]), sevens, RNG(0), completions=4
    )
    # The seven is the best there is; the imitator proposes END, 7 and one more.
    assert found.work.tolist() == [0, 1, 2]
    assert found.played.tolist() == [1, 0, 0] and found.best.tolist() == [1, 1, 1]
    assert found.index.tolist() == [100, 0, 0]
    later = decision_quality(
        ender(), ToyCore, works, np.array([9, 1, 1, 9]), sevens, RNG(0), completions=2
    )
    assert later.work.tolist() == [1, 2] and later.index.tolist() == [0, 100]
    none = decision_quality(ender(), ToyCore, works, np.full(4, -1), sevens, RNG(0))
    assert len(none.index) == 0


def test_the_best_of_noisy_values_is_not_too_good_to_be_true():
    """A judge that rolls dice finds no decision wanting on average."""
    rng = RNG(4)
    works = rows(*([[1, 2, END]] * 150))
    found = decision_quality(
        ender(), ToyCore, works, np.zeros(150, int), lambda w: rng.random(len(w)), RNG(5),
        completions=8,
    )  # fmt: skip
    error = found.index.std() / np.sqrt(len(found.index))
    assert abs(found.index.mean() - 100) < 3.5 * error


def test_completions_come_in_pairs():
    works = rows([1, 2, END], [END])
    with pytest.raises(ValueError, match="completions"):
        decision_quality(ender(), ToyCore, works, np.zeros(2, int), sevens, RNG(0), completions=3)
