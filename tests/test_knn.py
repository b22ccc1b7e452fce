import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from move37.novelty.diversity import repeats, vendi_score
from move37.novelty.knn import BLOCK, LARGEST, PANEL, nearest


def brute(queries, entries, k, exclude_self=False):
    """Slow oracle: float64, one query at a time."""
    distances = np.full((len(queries), k), np.inf)
    indices = np.full((len(queries), k), -1)
    for i, q in enumerate(queries.astype(np.float64)):
        d = np.sqrt(((entries.astype(np.float64) - q) ** 2).sum(axis=1))
        order = [j for j in np.argsort(d, kind="stable") if not (exclude_self and j == i)][:k]
        distances[i, : len(order)], indices[i, : len(order)] = d[order], order
    return distances, indices


def agree(queries, entries, k, exclude_self=False):
    d, i = nearest(queries, entries, k, exclude_self)
    expected, _ = brute(queries, entries, k, exclude_self)
    assert d.dtype == np.float32 and i.dtype == np.int64 and d.shape == i.shape == expected.shape
    np.testing.assert_allclose(d, expected, rtol=2e-6, atol=1e-18)
    assert ((i == -1) == np.isinf(d)).all()
    for row, (found, distance) in enumerate(zip(i, d, strict=True)):
        found = found[found >= 0]
        assert len(set(found)) == len(found)
        assert not (exclude_self and row in found)
        own = np.sqrt(((entries[found].astype(float) - queries[row].astype(float)) ** 2).sum(1))
        np.testing.assert_allclose(own, distance[: len(found)], rtol=2e-6, atol=1e-18)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 9),
    m=st.integers(0, 300),
    dim=st.integers(1, 9),
    k=st.integers(1, 40),
    grid=st.sampled_from([0, 1, 3]),  # integers of a small grid: many ties and twins
    offset=st.sampled_from([0.0, 1000.0]),
)
def test_random_shapes(seed, n, m, dim, k, grid, offset):
    rng = np.random.default_rng(seed)
    draw = (lambda s: rng.integers(0, grid + 1, s)) if grid else (lambda s: rng.normal(size=s))
    queries, entries = (draw((c, dim)).astype(np.float32) + np.float32(offset) for c in (n, m))
    agree(queries, entries, k)
    agree(entries[:20], entries, k, exclude_self=True)


@pytest.mark.parametrize("m", [BLOCK - 1, BLOCK, 2 * BLOCK + 1, PANEL * BLOCK + 5])
def test_many_blocks(m):
    rng = np.random.default_rng(m)
    queries, entries = rng.normal(size=(7, 12)), rng.normal(size=(m, 12))
    queries[0] = entries[m - 1]
    queries, entries = queries.astype(np.float32), entries.astype(np.float32)
    agree(queries, entries, 15)
    agree(queries, entries, 3 * BLOCK // 2)
    assert nearest(queries, entries, 1)[0][0, 0] == 0
    assert nearest(queries, entries, 1)[1][0, 0] == m - 1


def test_more_twins_than_candidates():
    rng = np.random.default_rng(1)
    entries = rng.normal(size=(6000, 5)).astype(np.float32)
    entries[1000:5000:2] = entries[0]
    d, i = nearest(entries[:3], entries, 10)
    assert (d[0] == 0).all()
    assert list(i[0]) == [0, *range(1000, 1018, 2)]  # the lower row first
    agree(entries[:3], entries, 10)


def test_outliers_and_tiny_differences_stay_exact():
    rng = np.random.default_rng(2)
    entries = (5 + 1e-4 * rng.normal(size=(5000, 8))).astype(np.float32)
    entries[77] = 1e14
    agree(entries[70:80], entries, 7)


def test_a_query_does_not_depend_on_the_others():
    rng = np.random.default_rng(3)
    for dim in (1, 3, 48):
        queries = rng.normal(size=(200, dim)).astype(np.float32)
        entries = rng.normal(size=(5000, dim)).astype(np.float32)
        d, i = nearest(queries, entries, 15)
        for row in range(0, 200, 7):
            alone = nearest(queries[row : row + 1], entries, 15)
            assert (alone[0][0] == d[row]).all() and (alone[1][0] == i[row]).all()


def test_bad_input_is_named():
    x = np.zeros((5, 3), np.float32)
    bad = x.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3 of queries has NaN"):
        nearest(bad, x, 1)
    bad[3, 1], bad[2, 0] = 0, -np.inf
    with pytest.raises(ValueError, match="row 2 of entries has a value beyond"):
        nearest(x, bad, 1)
    bad[2, 0] = 2 * LARGEST
    with pytest.raises(ValueError, match="row 2 of entries"):
        nearest(x, bad, 1)
    with pytest.raises(ValueError, match=r"queries: expected shape \(N, 3\), got \(5, 2\)"):
        nearest(x[:, :2], x, 1)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        nearest(x, x, 0)


def test_vendi_score_of_known_sets():
    assert vendi_score(np.ones((6, 3))) == pytest.approx(1)
    assert vendi_score(100 * np.eye(7), bandwidth=1) == pytest.approx(7)
    assert vendi_score(np.repeat(100 * np.eye(4), 5, axis=0)) == pytest.approx(4)
    # Two rows with similarity s have eigenvalues (1 +- s) / 2.
    s = np.exp(-0.5)
    p = np.array([1 + s, 1 - s]) / 2
    assert vendi_score(np.array([[0.0], [1.0]])) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_vendi_score_refuses_nonsense():
    with pytest.raises(ValueError, match="at least one row"):
        vendi_score(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="bandwidth"):
        vendi_score(np.eye(2), bandwidth=0)


def test_repeats_of_known_rows():
    line = np.array([[0.0], [1], [2], [3], [0]])
    # 1 repeats 0; 2 is near 1 only, which is a repeat itself, so 2 counts; 3 repeats 2.
    assert repeats(line, 1.0).tolist() == [False, True, False, True, True]
    assert repeats(line, 0.0).tolist() == [False, False, False, False, True]
    assert repeats(np.zeros((0, 2)), 1.0).shape == (0,)
    with pytest.raises(ValueError, match="threshold"):
        repeats(line, -1)


def test_repeats_against_a_slow_loop():
    x = np.random.default_rng(5).integers(0, 12, (700, 2)).astype(np.float64)
    kept: list[int] = []
    expected = []
    for i in range(len(x)):
        expected.append(any(np.linalg.norm(x[i] - x[j]) <= 1.5 for j in kept))
        if not expected[-1]:
            kept.append(i)
    assert repeats(x, 1.5).tolist() == expected
