"""Two-sample distances on distributions whose answer is known."""

import numpy as np
import pytest

from move37.novelty.measures.shift import (
    BANDWIDTHS,
    calibrated_density_coverage,
    density_coverage,
    expected_coverage,
    shift_test,
)

RNG = np.random.default_rng


def modes(n, rng, centres):
    """A mixture of unit Gaussians in the plane."""
    return np.asarray(centres, float)[rng.integers(0, len(centres), n)] + rng.normal(size=(n, 2))


THREE = [(0, 0), (8, 0), (0, 8)]


def naive(x, y):
    """Both distances by the definitions, pair by pair."""
    z = np.concatenate([x, y])
    d = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
    width = np.median(d[d > 0])
    k = np.mean([np.exp(-((d / (f * width)) ** 2) / 2) for f in BANDWIDTHS], axis=0)
    n = len(x)

    def mean_of(m, a, b):
        pairs = [(i, j) for i in a for j in b if i != j]
        return np.mean([m[i, j] for i, j in pairs])

    first, second = range(n), range(n, len(z))
    terms = {
        key: (mean_of(m, first, first), mean_of(m, first, second), mean_of(m, second, second))
        for key, m in (("kernel", k), ("energy", d))
    }
    xx, xy, yy = terms["kernel"]
    kernel = (xx + yy - 2 * xy, (xx + yy - 2 * xy) / (xx + yy))
    xx, xy, yy = terms["energy"]
    return {"kernel": kernel, "energy": (2 * xy - xx - yy, (2 * xy - xx - yy) / (2 * xy))}


def test_distances_are_those_of_the_definition():
    rng = RNG(0)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(7, 3)) + 1
    found, swapped = shift_test(x, y, rng, 0), shift_test(y, x, rng, 0)
    for key, (value, effect) in naive(np.float32(x), np.float32(y)).items():
        assert found[key].value == pytest.approx(value, rel=1e-5)
        assert found[key].effect == pytest.approx(effect, rel=1e-5)
        assert swapped[key].value == pytest.approx(found[key].value, rel=1e-9)
        assert np.isnan(found[key].p_value)


def test_p_values_are_uniform_and_the_distances_unbiased_without_a_shift():
    rng = RNG(1)
    p, values, holds = [], [], []
    for _ in range(300):
        found = shift_test(rng.normal(size=(24, 3)), rng.normal(size=(16, 3)), rng, 39)
        p.append([found[key].p_value for key in ("kernel", "energy")])
        values.append([found[key].value for key in ("kernel", "energy")])
        holds.append([found[key].low <= 0 <= found[key].high for key in ("kernel", "energy")])
    p, values = np.array(p), np.array(values)
    # p takes 40 values; at level a the rate of false positives is a, up to 3.5 standard errors.
    for level in (0.05, 0.1, 0.5, 0.8):
        error = 3.5 * np.sqrt(level * (1 - level) / len(p))
        np.testing.assert_allclose((p <= level + 1e-9).mean(axis=0), level, atol=error)
    t = values.mean(axis=0) / (values.std(axis=0) / np.sqrt(len(values)))
    assert (np.abs(t) < 3.5).all(), t
    assert np.mean(holds) > 0.9


def test_a_small_shift_is_found_and_its_effect_is_small():
    rng = RNG(2)
    x, y = rng.normal(size=(300, 4)), rng.normal((0.5, 0, 0, 0), size=(300, 4))
    far = rng.normal(size=(300, 4)) + 50
    for key in ("kernel", "energy"):
        small, large = shift_test(x, y, rng, 199)[key], shift_test(x, far, rng, 199)[key]
        assert small.p_value <= 0.02 and 0 < small.effect < 0.05
        assert large.p_value == 1 / 200 and large.effect > (0.45 if key == "kernel" else 0.95)
        assert small.low < small.effect < small.high < large.low


def test_the_interval_of_the_effect_is_as_wide_as_the_effect_varies():
    rng = RNG(3)
    found = []
    for _ in range(80):
        x, y = rng.normal(size=(60, 3)), rng.normal(size=(80, 3)) + 0.7
        found.append([(f.effect, f.low, f.high) for f in shift_test(x, y, rng, 0).values()])
    effects, low, high = np.array(found).transpose(2, 0, 1)
    truth = effects.mean(axis=0)
    assert (((low <= truth) & (truth <= high)).mean(axis=0) > 0.82).all()
    np.testing.assert_allclose((high - low).mean(axis=0) / 3.92, effects.std(axis=0), rtol=0.3)


def test_more_rows_do_not_change_the_effect():
    rng = RNG(4)
    few, many = (
        shift_test(rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + 1, rng, 0) for n in (300, 900)
    )
    for key in ("kernel", "energy"):
        assert few[key].effect == pytest.approx(many[key].effect, abs=0.04)


@pytest.mark.parametrize("centres", [THREE[:2], [*THREE, (8, 8)]])
def test_a_dropped_mode_and_a_new_mode_are_shifts(centres):
    rng = RNG(5)
    x, y = modes(200, rng, THREE), modes(200, rng, centres)
    assert all(found.p_value <= 0.01 for found in shift_test(x, y, rng, 99).values())


def test_twins_everywhere_are_no_shift():
    same = np.ones((5, 2))
    for found in shift_test(same, same, RNG(0), 19).values():
        assert (found.value, found.effect, found.p_value) == (0, 0, 1)
    two = np.repeat([[0.0, 0.0], [1.0, 1.0]], 10, axis=0)
    for found in shift_test(two, two, RNG(0), 99).values():
        assert found.p_value > 0.5


def test_samples_are_thinned_and_bad_ones_refused():
    rng = RNG(6)
    x = rng.normal(size=(500, 2))
    assert shift_test(x, x + 3, rng, 9, at_most=50)["energy"].p_value == 0.1
    with pytest.raises(ValueError, match="at least two rows"):
        shift_test(x[:1], x, rng)
    with pytest.raises(ValueError, match="shape"):
        shift_test(x, np.ones((4, 3)), rng)
    with pytest.raises(ValueError, match="permutations"):
        shift_test(x, x, rng, -1)


def test_density_and_coverage_are_those_of_the_definition():
    rng = RNG(7)
    x, y = np.float32(rng.normal(size=(60, 3))), np.float32(rng.normal(size=(45, 3)))
    d = np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))
    radius = np.sort(d, axis=1)[:, 4]  # the fourth other row; the first is the row itself
    inside = np.sqrt(((x[:, None] - y) ** 2).sum(axis=2)) <= radius[:, None]
    density, coverage = density_coverage(x, y, k=4)
    assert density == pytest.approx(inside.sum() / (4 * 45))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_without_a_shift_density_is_one_and_coverage_as_expected():
    rng = RNG(8)
    found = np.array(
        [density_coverage(rng.normal(size=(100, 3)), rng.normal(size=(40, 3))) for _ in range(40)]
    )
    error = found.std(axis=0) / np.sqrt(len(found))
    expected = [1.0, expected_coverage(100, 40)]
    assert (np.abs(found.mean(axis=0) - expected) < 4 * error).all()
    assert expected_coverage(100, 40, 1) == pytest.approx(40 / 139)


def test_a_dropped_mode_costs_coverage_a_new_mode_and_noise_cost_density():
    rng = RNG(9)
    human = modes(300, rng, THREE)
    whole = density_coverage(human, modes(300, rng, THREE))
    dropped = density_coverage(human, modes(300, rng, THREE[:2]))
    new = density_coverage(human, modes(300, rng, [*THREE, (30, 30)]))
    noise = density_coverage(human, rng.uniform(-100, 100, (300, 2)))
    assert dropped[0] > 0.85 and dropped[1] == pytest.approx(whole[1] * 2 / 3, abs=0.06)
    assert new[0] == pytest.approx(whole[0] * 3 / 4, abs=0.12) and new[1] > 0.85
    assert noise[0] < 0.05 and noise[1] < 0.15


def test_twins_of_human_works_cover_them():
    x = np.ones((20, 2))
    assert density_coverage(x, x[:3]) == (20 / 5, 1.0)


def test_calibration_on_human_works_gives_one():
    rng = RNG(10)
    human = modes(400, rng, THREE)
    same = calibrated_density_coverage(human, modes(200, rng, THREE), rng, splits=10)
    dropped = calibrated_density_coverage(human, modes(500, rng, THREE[:1]), rng, splits=10)
    assert same[0].low < 1 < same[0].high
    assert same[1].value == pytest.approx(1, abs=0.05)
    assert dropped[1].high < 0.5
    with pytest.raises(ValueError, match="k = 5"):
        calibrated_density_coverage(human[:9], human, rng)
