import numpy as np
import pytest

from novelty import rediscovered
from novelty.rediscovery import match


def spread(n, rng, centre=0.0):
    return rng.normal(centre, 1.0, (n, 6))


def test_matches_are_as_far_away_and_none_is_used_twice():
    rng = np.random.default_rng(0)
    wanted, offered = rng.random(20), rng.random(200)
    found = match(wanted, offered)
    assert len(set(found)) == 20
    assert np.abs(offered[found] - wanted).max() < 0.05


def test_a_maker_that_found_the_family_is_told_from_one_that_did_not():
    rng = np.random.default_rng(1)
    remaining, held_out = spread(400, rng), spread(60, rng)
    family = spread(20, rng, 3.0)
    finder = np.concatenate([family + rng.normal(0, 0.01, family.shape), spread(100, rng)])
    blind = spread(120, rng)
    found = rediscovered(finder, family, held_out, remaining, 0.5, rng)
    assert found.withheld == 20 and found.found.value == 1.0
    assert found.excess.low > 0.3
    assert found.hits.value == pytest.approx(20 / 120)
    missed = rediscovered(blind, family, held_out, remaining, 0.5, rng)
    assert missed.found.value < 0.1 and missed.excess.high <= 0.05


def test_without_anything_to_find_the_excess_is_around_zero():
    """The family is drawn like all the others: its interval must hold 0 nearly always."""
    misses = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = rediscovered(
            spread(200, rng), spread(25, rng), spread(80, rng), spread(200, rng), 1.6, rng
        )
        misses += not found.excess.low <= 0 <= found.excess.high
    assert misses <= 6


@pytest.mark.parametrize(("withheld", "held_out"), [(0, 5), (6, 5)])
def test_a_family_must_have_partners(withheld, held_out):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="withheld"):
        rediscovered(
            spread(5, rng), spread(withheld, rng), spread(held_out, rng), spread(9, rng), 1.0, rng
        )
