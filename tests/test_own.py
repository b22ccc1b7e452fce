"""The memory of own works, beside a plain list of them."""

import numpy as np
import pytest

from move37.novelty.diversity import leave_one_out_novelty, novelty_in_groups
from move37.novelty.recent import RecentBuffer


def test_distances_are_those_to_a_plain_list_of_the_latest_rows():
    rng = np.random.default_rng(0)
    own, rows = RecentBuffer(4, 50), np.zeros((0, 4), np.float32)
    for _ in range(12):
        x = rng.normal(size=(int(rng.integers(1, 20)), 4)).astype(np.float32)
        nearest, mean = own.compare(x, 5)
        for i in range(len(x)):
            kept = np.sqrt(((rows[-50:] - x[i]) ** 2).sum(axis=1))
            earlier = np.sqrt(((x[:i] - x[i]) ** 2).sum(axis=1))
            every = np.concatenate([kept, earlier])
            assert nearest[i] == pytest.approx(every.min() if len(every) else np.inf, rel=1e-5)
            expected = np.sort(kept)[:5].mean() if len(kept) else np.inf
            assert mean[i] == pytest.approx(expected, rel=1e-5)
        own.remember(x)
        rows = np.concatenate([rows, x])
    assert len(own) == 50
    other = RecentBuffer(4, 50)
    other.load_state(own.state())
    for a, b in zip(own.compare(x, 5), other.compare(x, 5), strict=True):
        np.testing.assert_array_equal(a, b)


def test_features_stand_beside_their_rows_however_many_come_at_once():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(130, 4)).astype(np.float32)
    ink = (x > 0).astype(np.uint8)
    own, slowly = (RecentBuffer(4, 50, ink[:0]) for _ in range(2))
    own.remember(x, ink)
    for i in range(len(x)):
        slowly.remember(x[i : i + 1], ink[i : i + 1])
        assert len(slowly.features) == min(i + 1, 50)
    np.testing.assert_array_equal(own.rows, slowly.rows)
    np.testing.assert_array_equal(own.features, slowly.features)
    np.testing.assert_array_equal(own.features, own.rows > 0)
    other = RecentBuffer(4, 50, ink[:0])
    other.load_state(own.state())
    np.testing.assert_array_equal(own.features, other.features)


def test_a_memory_of_another_size_is_refused():
    own = RecentBuffer(4, 50)
    with pytest.raises(ValueError):
        RecentBuffer(4, 60).load_state(own.state())


def test_novelty_in_groups_does_not_grow_denser_with_more_rows():
    x = np.random.default_rng(0).normal(size=(1000, 6)).astype(np.float32)
    grouped = novelty_in_groups(x, 15)
    np.testing.assert_array_equal(grouped[:400], leave_one_out_novelty(x[:400], 15))
    np.testing.assert_array_equal(grouped[800:], leave_one_out_novelty(x[600:], 15)[200:])
    assert abs(np.median(grouped) / np.median(grouped[:400]) - 1) < 0.05
    assert np.median(leave_one_out_novelty(x, 15)) < 0.95 * np.median(grouped)
