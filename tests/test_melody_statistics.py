"""RL Tuner's figures on melodies whose answers are known."""

import numpy as np
import pytest

from benchmarks.melody_statistics import TITLES, autocorrelation, melody_statistics
from move37.envs.composition.moves import EIGHTHS, FIRST_NOTE, HOLD, REST, SOPRANO_LOW

C5, D5, E5, F5, G5, A5, B5, C6 = (p - SOPRANO_LOW + FIRST_NOTE for p in (
    72, 74, 76, 77, 79, 81, 83, 84,
))  # fmt: skip
G4, C_SHARP, E_FLAT = (p - SOPRANO_LOW + FIRST_NOTE for p in (67, 73, 75))


def count(*codes, minor=False):
    line = np.full(EIGHTHS, HOLD)
    line[: len(codes)] = codes
    return melody_statistics(line[None], np.array([minor]), SOPRANO_LOW)


def test_all_figures_are_there_and_are_means_over_melodies():
    one, other = [C5, D5, E5, F5] * 8, [G4] * EIGHTHS
    both = melody_statistics(np.array([one, other]), np.zeros(2, bool), SOPRANO_LOW)
    assert set(both) == set(TITLES)
    assert both["tonic_start"] == 0.5
    assert both["motif"] == (EIGHTHS - 7) / EIGHTHS / 2
    assert both["repeated"] == (EIGHTHS - 5) / EIGHTHS / 2


def test_the_key_and_the_tonic():
    assert count(C5, C_SHARP, E_FLAT, D5)["not_in_key"] == 2 / EIGHTHS
    assert count(C5, C_SHARP, E_FLAT, D5, minor=True)["not_in_key"] == 1 / EIGHTHS
    assert count(C5)["tonic_start"] == count(C6)["tonic_start"] == 1
    assert count(HOLD, C5)["tonic_start"] == count(G4)["tonic_start"] == 0


def test_notes_may_be_struck_five_times_and_seven_with_holds_between():
    assert count(C5, C5, C5, C5, C5, REST, D5, E5)["repeated"] * EIGHTHS == pytest.approx(
        held_too_long(24)
    )
    struck = [C5, C5, C5, C5, C5, C5, D5]
    assert count(*struck)["repeated"] * EIGHTHS == pytest.approx(1 + held_too_long(25))
    held = [C5, HOLD] * 8
    # The eighth note and on; holds are no more than one in a row.
    assert count(*held, D5)["repeated"] * EIGHTHS == pytest.approx(1 + held_too_long(15))


def held_too_long(holds):
    """Holds that follow too many holds: a long note repeats itself, too."""
    return max(0, holds - 5)


def test_extremes_are_unique_or_not():
    found = count(C5, D5, E5, D5, C5)
    assert found["unique_max"] == 1 and found["unique_min"] == 0
    assert count(REST)["unique_max"] == 0


@pytest.mark.parametrize(
    ("codes", "share"),
    [
        ((C5, G5, F5, E5, D5, C5), 1),  # comes back by step
        ((G4, G5, C5), np.nan),  # leaps back at once: neither resolved nor doubled
        ((G4, D5, A5), 0),  # leaps twice the same way
        ((G4, D5, *[HOLD] * 7, G4), 1),  # leaps back, late enough
    ],
)
def test_leaps_are_resolved_by_coming_back(codes, share):
    np.testing.assert_equal(count(*codes)["leaps_resolved"], share)


def test_fifths_and_thirds_of_the_triad_are_counted_both():
    assert count(C5, E5, C5)["in_key_intervals"] == 2
    assert count(C5, G5, E5)["in_key_intervals"] == 2
    assert count(C5, E_FLAT, minor=True)["in_key_intervals"] == 1
    assert count(C5, E_FLAT)["in_key_intervals"] == 0
    assert count(D5, F5, A5)["in_key_intervals"] == 0


def test_motifs_and_motifs_that_come_again():
    motif = [C5, D5, E5, HOLD, F5, HOLD, G5, HOLD]
    found = count(*motif, *motif)
    assert found["repeated_motif"] * EIGHTHS == 1
    assert found["motif"] * EIGHTHS >= 9
    assert count(C5, D5, *[HOLD] * 30)["motif"] == 0


def test_autocorrelation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    assert abs(autocorrelation(x, 1)) < 0.05
    assert autocorrelation(np.tile([0, 1], 500), 1) == pytest.approx(-1, abs=0.01)
    assert autocorrelation(np.tile([0, 1], 500), 2) == pytest.approx(1, abs=0.01)
    assert np.isnan(autocorrelation(np.ones(8), 1))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        melody_statistics(np.zeros((0, 32), int), np.zeros(0, bool), SOPRANO_LOW)
    with pytest.raises(ValueError, match="shapes"):
        melody_statistics(np.zeros((2, 32), int), np.zeros(3, bool), SOPRANO_LOW)
