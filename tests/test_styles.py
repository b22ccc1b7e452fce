"""Styles: known clusters are found, and a new kind appears when it is made."""

import numpy as np
import pytest

from move37.novelty.measures import styles as module
from move37.novelty.measures.styles import STRAY, Styles, cluster, style_shares

RNG = np.random.default_rng
CENTRES = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])


def around(centres, counts, rng):
    return np.concatenate(
        [c + rng.normal(size=(n, 2)) for c, n in zip(centres, counts, strict=True)]
    )


def test_clusters_are_found_and_ordered_by_size():
    x = around(CENTRES, (50, 150, 100), RNG(0))
    centres, labels = cluster(x, 3, RNG(1))
    np.testing.assert_allclose(centres, CENTRES[[1, 2, 0]], atol=0.6)
    assert np.bincount(labels).tolist() == [150, 100, 50]
    assert (labels[:50] == 2).all() and (labels[50:200] == 0).all()
    again = cluster(x, 3, RNG(1))[1]
    np.testing.assert_array_equal(labels, again)
    assert len(cluster(np.ones((5, 2)), 3, RNG(0))[0]) == 1
    with pytest.raises(ValueError, match="k:"):
        cluster(x, 0, RNG(0))


def test_a_new_kind_is_founded_once_and_known_from_then_on():
    rng = RNG(2)
    styles = Styles(around(CENTRES, (60, 60, 60), rng), 3, rng)
    styles.radius = 4.0
    assert styles.spread == pytest.approx(3.46, abs=0.4)  # of two works of a plane Gaussian
    old = styles.add(around(CENTRES[:1], [30], rng))
    assert len(set(old.tolist())) == 1 and old[0] < 3 and len(styles.kinds) == 0
    new = styles.add(np.array([[50.0, 50.0], [51.0, 50.0], [80.0, 0.0], [50.0, 51.0]]))
    assert new.tolist() == [3, 3, 4, 3]
    assert styles.add(np.array([[80.0, 1.0], [50.0, 50.0]])).tolist() == [4, 3]
    np.testing.assert_allclose(styles.kinds, [[50.25, 50.25], [80, 0.5]])
    assert styles.sizes.tolist() == [4, 2]


def test_a_kind_is_as_wide_as_a_human_style():
    rng = RNG(5)
    styles = Styles(around(CENTRES, (100, 100, 100), rng), 3, rng)
    labels = styles.add(around([(60.0, 60.0)], [200], rng))
    assert (labels == 3).mean() > 0.6 and len(styles.kinds) < 6


def test_works_sorted_at_once_and_one_by_one_get_the_same_labels():
    rng = RNG(3)
    human = around(CENTRES, (30, 30, 30), rng)
    x = rng.uniform(-40, 60, (80, 2))
    at_once, one_by_one = Styles(human, 3, RNG(0)), Styles(human, 3, RNG(0))
    for styles in (at_once, one_by_one):
        styles.radius, styles.spread = 5.0, 7.0
    single = np.concatenate([one_by_one.add(row[None]) for row in x])
    np.testing.assert_array_equal(at_once.add(x), single)
    assert single.max() > 5


def test_no_human_work_founds_a_kind_more_often_than_the_radius_says(monkeypatch):
    rng = RNG(4)
    styles = Styles(rng.normal(size=(2000, 3)), 5, rng)
    assert (styles.add(rng.normal(size=(500, 3))) >= 5).mean() < 0.08
    monkeypatch.setattr(module, "MOST_KINDS", 7)
    noise = Styles(rng.normal(size=(200, 3)), 5, rng)
    labels = noise.add(rng.uniform(-500, 500, (50, 3)))
    assert len(noise.kinds) == 7 and (labels == STRAY).sum() == 43


def test_shares_over_time_add_up():
    labels = [0, 0, 1, 3, 3, 2, 4, STRAY]
    times = [0, 1, 1, 5, 9, 10, 10, 10]
    shares, names = style_shares(labels, times, [0, 5, 6, 7, 10], n_human=2, most=1)
    assert names == [0, 1, 3, "other new"]
    np.testing.assert_allclose(shares[:, 0], [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(shares[:, 1], [0, 0, 1, 0])
    assert np.isnan(shares[:, 2]).all()
    np.testing.assert_allclose(shares[:, 3], [0, 0, 1 / 4, 3 / 4])
    with pytest.raises(ValueError, match="edges"):
        style_shares(labels, times, [1, 1], 2)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="two rows"):
        Styles(np.zeros((1, 2)), 1, RNG(0))
