import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from move37.novelty.archive import ArchiveError, NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty


def brute_novelty(x, entries, k, scale=1.0, empty=1.0):
    """Slow oracle in float64."""
    if len(entries) == 0:
        return np.full(len(x), empty)
    d = np.linalg.norm(x[:, None].astype(float) - np.asarray(entries, float)[None], axis=2)
    return np.sort(d, axis=1)[:, :k].mean(axis=1) / scale


def brute_add(x, entries, quality, archive):
    """Slow oracle: the rows one after another, the archive growing."""
    entries = list(np.asarray(entries, float))
    admitted = []
    for row, q in zip(x.astype(float), quality, strict=True):
        ok = q >= archive.quality_threshold
        if ok and entries:
            nearest = min(np.linalg.norm(row - e) for e in entries)
            ok = nearest > archive.min_distance * archive.scale
        if ok:
            novelty = brute_novelty(row[None], entries, archive.k_neighbors, archive.scale)[0]
            ok = novelty > archive.novelty_threshold
        admitted.append(ok)
        if ok:
            entries.append(row)
    return np.array(admitted, bool), entries


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    before=st.integers(0, 40),
    n=st.integers(0, 40),
    dim=st.integers(1, 5),
    k=st.integers(1, 20),
    threshold=st.sampled_from([0.0, 0.31, 0.77]),
    twins=st.booleans(),
)
def test_novelty_and_admission_against_slow_loops(seed, before, n, dim, k, threshold, twins):
    rng = np.random.default_rng(seed)
    start, x = (rng.normal(size=(c, dim)).astype(np.float32) for c in (before, n))
    if twins and n:
        x = x[rng.integers(0, n, n)]
    archive = NoveltyArchive(dim, k, threshold, quality_threshold=0.3, scale=2.0)
    archive.pin(start)
    expected = brute_novelty(x, start, k, 2.0)
    np.testing.assert_allclose(archive.novelty(x), expected, rtol=1e-5, atol=1e-6)
    quality = rng.random(n)
    admitted, entries = brute_add(x, start, quality, archive)
    assert archive.add(x, quality).tolist() == admitted.tolist()
    np.testing.assert_array_equal(archive.entries, np.reshape(entries, (-1, dim)))
    assert archive.pinned.sum() == before


def test_a_long_batch_is_greedy_across_chunks():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3)).astype(np.float32)
    archive = NoveltyArchive(3, 4, novelty_threshold=0.6)
    archive.pin(x[:10] + 0.5)
    admitted, _ = brute_add(x, x[:10] + 0.5, np.zeros(500), archive)
    assert 20 < admitted.sum() < 480
    assert archive.add(x).tolist() == admitted.tolist()


def test_a_row_does_not_depend_on_the_others():
    rng = np.random.default_rng(1)
    for entries, dim in ((7, 3), (5000, 48)):
        archive = NoveltyArchive(dim)
        archive.pin(rng.normal(size=(entries, dim)))
        x = rng.normal(size=(150, dim))
        together = archive.novelty(x)
        assert together.dtype == np.float64
        assert all(archive.novelty(x[i : i + 1])[0] == together[i] for i in range(len(x)))


def test_twins_enter_once():
    archive = NoveltyArchive(2)
    x = np.array([[1.0, 2], [1, 2], [3, 4], [1, 2], [3, 4]])
    assert archive.add(x).tolist() == [True, False, True, False, False]
    assert not archive.add(x).any()
    far = NoveltyArchive(2, min_distance=1.0, scale=2.0)
    assert far.add(np.array([[0.0, 0], [2, 0], [2.1, 0]])).tolist() == [True, False, True]


def test_an_empty_archive_calls_everything_equally_new():
    assert NoveltyArchive(2).novelty(np.eye(2)).tolist() == [1, 1]
    strict = NoveltyArchive(2, novelty_threshold=2.0, empty_novelty=1.5)
    assert strict.novelty(np.eye(2)).tolist() == [1.5, 1.5]
    assert not strict.add(np.eye(2)).any()
    assert strict.novelty(np.zeros((0, 2))).shape == (0,)


def test_quality_bars_the_door():
    archive = NoveltyArchive(1, quality_threshold=0.5)
    x = np.array([[0.0], [1], [2], [3]])
    assert archive.add(x, [0.4, 0.5, np.nan, 1]).tolist() == [False, True, False, True]
    assert archive.entries[:, 0].tolist() == [1, 3]
    assert archive.ids.tolist() == [0, 1]
    archive.add(np.array([[9.0]]), [1], ids=[77])
    assert archive.ids.tolist() == [0, 1, 77]


def test_the_oldest_leaves_a_full_archive():
    archive = NoveltyArchive(1, capacity=3)
    archive.pin(np.array([[-1.0]]))
    for value in range(5):
        assert archive.add(np.array([[float(value)]])).all()
    assert sorted(archive.entries[:, 0]) == [-1, 2, 3, 4]
    assert archive.add(np.arange(10.0, 17)[:, None]).all()  # more than there are places
    assert sorted(archive.entries[:, 0]) == [-1, 14, 15, 16]
    archive.add(np.array([[50.0]]))
    assert sorted(archive.entries[:, 0]) == [-1, 15, 16, 50]
    assert sorted(archive.ids) == [0, 11, 12, 13]
    assert archive.entries[archive.pinned].tolist() == [[-1]]
    assert archive.novelty(np.array([[-1.0]]))[0] == pytest.approx((0 + 16 + 17 + 51) / 4)


def test_one_batch_or_single_rows_fill_it_alike():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2))
    one, many = (NoveltyArchive(2, 3, capacity=20) for _ in range(2))
    one.pin(x[:3])
    many.pin(x[:3])
    one.add(x[3:])
    for row in x[3:]:
        many.add(row[None])
    assert {tuple(e) for e in one.entries} == {tuple(e) for e in many.entries}


def test_leave_one_out_against_a_slow_loop():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(230, 3))
    groups = np.concatenate([np.zeros(100), np.arange(1, 131) // 4 + 1]).astype(int)
    for labels in (None, groups, [f"work {g}" for g in groups]):
        own = np.arange(230) if labels is None else groups
        expected = [brute_novelty(x[i : i + 1], x[own != own[i]], 7)[0] for i in range(230)]
        np.testing.assert_allclose(leave_one_out_novelty(x, 7, labels), expected, rtol=1e-5)
    two = np.array([[0.0], [3.0]])
    assert leave_one_out_novelty(two, 5).tolist() == [3, 3]
    assert np.isinf(leave_one_out_novelty(two, 5, [1, 1])).all()
    with pytest.raises(ValueError, match="groups"):
        leave_one_out_novelty(two, 5, [1])


def test_bad_input_is_named_and_changes_nothing():
    archive = NoveltyArchive(3)
    x = np.zeros((5, 3))
    x[3, 1] = np.nan
    for call in (archive.novelty, archive.add, archive.pin):
        with pytest.raises(ValueError, match="row 3 of x has NaN"):
            call(x)
    with pytest.raises(ValueError, match=r"x: expected shape \(N, 3\), got \(5, 2\)"):
        archive.add(x[:, :2])
    with pytest.raises(ValueError, match="quality"):
        archive.add(x[:3], [1.0])
    with pytest.raises(ValueError, match="ids"):
        archive.add(x[:3], ids=[1.5, 2, 3])
    assert len(archive) == 0


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.ma.array(np.zeros((2, 2)), mask=[[0, 0], [0, 1]]), "x: some of it is masked"),
        ([np.ma.array([0.0, 1.0], mask=[0, 1])], "x: some of it is masked"),
        (np.zeros((2, 2)) + 1j, "x: expected real numbers .*, got complex128"),
        (np.array([[1, None]]), "x: expected real numbers .*, got object"),
        (np.array([[1, 2**70]]), "x: expected real numbers .*, got object"),
        ([["1", "2"]], "x: expected real numbers .*, got <U1"),
        (np.zeros((1, 2), "M8[s]"), "x: expected real numbers"),
        ([[1.0, 2.0], [3.0]], "x: expected an array of numbers"),
        ([[1.0, np.inf]], "row 0 of x has a value beyond 1e"),
        ([[1.0, 1e300]], "row 0 of x has a value beyond 1e"),
    ],
)
def test_what_numpy_would_change_without_a_word_is_refused(x, said):
    archive = NoveltyArchive(2)
    for call in (archive.novelty, archive.add, archive.pin):
        with pytest.raises(ValueError, match=said):
            call(x)
    assert len(archive) == 0


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.array([1, 2**63], np.uint64), "ids: 9223372036854775808 is beyond int64"),
        ([1, 2**64], "ids: expected real numbers .*, got object"),
        (np.ma.array([1, 2], mask=[0, 1]), "ids: some of it is masked"),
        ([True, False], "ids: expected 2 integers"),
        (["1", "2"], "ids: expected real numbers"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids, said):
    archive = NoveltyArchive(2)
    for call in (archive.add, archive.pin):
        with pytest.raises(ValueError, match=said):
            call(np.eye(2), ids=ids)
    archive.pin(np.eye(2), ids=np.array([0, 2**63 - 1], np.uint64))
    assert archive.ids.tolist() == [0, 2**63 - 1]


def test_quality_is_checked_like_rows():
    for quality in (np.ma.array([1.0, 2.0], mask=[0, 1]), np.array([1j, 2]), ["1", "2"]):
        with pytest.raises(ValueError, match="quality"):
            NoveltyArchive(2).add(np.eye(2), quality)


def test_masked_arrays_without_masked_values_and_whole_numbers_are_rows():
    archive = NoveltyArchive(2)
    archive.pin(np.ma.array(np.eye(2)))
    archive.pin(np.array([[2, 3]], np.int64))
    archive.pin([[True, True]])
    assert archive.entries.tolist() == [[1, 0], [0, 1], [2, 3], [1, 1]]


def test_rows_that_float32_cannot_tell_apart_are_refused():
    times = np.array([[1.7e9, 0.0], [1.7e9 + 1, 0.0], [1.7e9 + 200, 0.0]])
    archive = NoveltyArchive(2)
    for call in (archive.novelty, archive.add, archive.pin):
        with pytest.raises(ValueError, match="rows 0 and 1 of x are 1 apart and the same in float"):
            call(times)
    archive.pin(times[:1])  # alone, there is nothing to tell it from
    for call in (archive.novelty, archive.add, archive.pin):
        with pytest.raises(ValueError, match="row 0 of x is off by 1 in float32"):
            call(times[1:2])
    assert len(archive) == 1
    centred = NoveltyArchive(2, k_neighbors=1)
    centred.pin(times[:1] - times[0])
    np.testing.assert_allclose(centred.novelty(times[1:] - times[0]), [1, 200])


def test_rounding_that_does_not_matter_is_no_error():
    """Twins in float64 are twins, and large numbers are fine where they lie far apart."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    archive = NoveltyArchive(4, k_neighbors=1)
    archive.pin(x)
    assert (archive.novelty(x) == 0).all() and not archive.add(x).any()
    assert not archive.add(x + 1e-9).any()
    for large in (1e6 * x + 0.3, 1e9 * x):
        archive = NoveltyArchive(4, k_neighbors=1)
        archive.pin(large)
        assert (archive.novelty(large) == 0).all()


@pytest.mark.parametrize(
    "setting",
    [
        {"dim": 0},
        {"k_neighbors": 0},
        {"capacity": 0},
        {"scale": 0.0},
        {"scale": np.nan},
        {"min_distance": -1.0},
        {"novelty_threshold": np.nan},
    ],
)
def test_bad_settings_are_named(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        NoveltyArchive(**({"dim": 2} | setting))


def filled():
    rng = np.random.default_rng(6)
    archive = NoveltyArchive(3, 4, 0.2, 0.1, 30, 1.5)
    archive.pin(rng.normal(size=(10, 3)), ids=np.arange(-10, 0))
    archive.add(rng.normal(size=(50, 3)))
    return archive


def test_a_loaded_archive_goes_on_as_before(tmp_path):
    path = tmp_path / "deep" / "archive.npz"
    archive = filled()
    archive.save(path)
    again = NoveltyArchive.load(path)
    assert [p.name for p in path.parent.iterdir()] == ["archive.npz"]
    rng = np.random.default_rng(7)
    for _ in range(4):
        settings = {n: v for n, v in vars(archive).items() if not n.startswith("_")}
        assert settings == {n: getattr(again, n) for n in settings}
        for name in ("entries", "pinned", "ids"):
            np.testing.assert_array_equal(getattr(archive, name), getattr(again, name))
        x = rng.normal(size=(20, 3))
        np.testing.assert_array_equal(archive.novelty(x), again.novelty(x))
        np.testing.assert_array_equal(archive.add(x), again.add(x))


def test_an_archive_of_version_0_1_is_loaded_if_it_forgets_the_oldest(tmp_path):
    path = tmp_path / "a.npz"
    archive = filled()
    archive.save(path)
    arrays = parts(path)
    settings = json.loads(arrays["settings"].tobytes())
    for eviction in ("oldest", "crowded"):
        text = json.dumps(settings | {"eviction": eviction}).encode()
        np.savez(path, **(arrays | {"settings": np.frombuffer(text, np.uint8)}))
        if eviction == "oldest":
            np.testing.assert_array_equal(NoveltyArchive.load(path).entries, archive.entries)
        else:
            with pytest.raises(ArchiveError, match=r"a\.npz.*only 'oldest' is supported"):
                NoveltyArchive.load(path)


def test_the_package_is_imported_without_torch_until_an_archive_is_made():
    code = (
        "import sys\n"
        "import move37.novelty, move37.envs\n"
        "slow = {'torch', 'pandas', 'matplotlib', 'stable_baselines3'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "move37.novelty.NoveltyArchive(2)\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


FIELDS = {"score": ((), np.float32), "moves": ((2, 2), np.int16), "kept": ((), np.bool_)}


def payloads(values):
    values = np.asarray(values)
    moves = values[:, None, None] * np.array([[1, 2], [3, 4]])
    return {"score": values / 2, "moves": moves, "kept": values % 2 == 0}


def remembering(**kwargs):
    """Entry i is at (i, 0), and its payloads are those of i."""
    archive = NoveltyArchive(2, 1, extra_fields=FIELDS, **kwargs)
    archive.pin([[-1, 0]], ids=[77], **payloads([-1]))
    return archive


def at(*values):
    return np.array([[value, 0] for value in values], np.float32)


def assert_payloads_are_those_of_the_entries(archive):
    data = archive.data()
    for name, values in payloads(data["measures"][:, 0].astype(int)).items():
        np.testing.assert_array_equal(data[name], values.astype(FIELDS[name][1]), err_msg=name)
        assert data[name].dtype == FIELDS[name][1]


def test_payloads_stay_beside_their_entries(tmp_path):
    archive = remembering(capacity=4)
    for values in ([3, 4, 4], [10], [20, 30, 30, 40], [50, 60, 70, 80, 90, 100]):
        archive.add(at(*values), **payloads(values))
        assert_payloads_are_those_of_the_entries(archive)
    assert sorted(archive.entries[:, 0]) == [-1, 70, 80, 90, 100]
    archive.save(tmp_path / "a.npz")
    again = NoveltyArchive.load(tmp_path / "a.npz")
    assert again.extra_fields == archive.extra_fields
    for each in (archive, again):
        each.add(at(200, 300), **payloads([200, 300]))
        assert_payloads_are_those_of_the_entries(each)
    for name, values in archive.data().items():
        np.testing.assert_array_equal(again.data([name])[name], values)
    other = NoveltyArchive(2, 1, extra_fields=FIELDS, capacity=4)
    other.load_state(archive.state())
    assert_payloads_are_those_of_the_entries(other)


def test_data_are_copies_in_the_order_of_the_entries():
    archive = remembering()
    archive.add(at(5, 6), ids=[8, 9], **payloads([5, 6]))
    data = archive.data()
    assert list(data) == archive.field_list
    assert data["index"].tolist() == [0, 1, 2] and data["ids"].tolist() == [77, 8, 9]
    assert data["pinned"].tolist() == [True, False, False]
    data["measures"][:] = 0
    assert archive.entries[:, 0].tolist() == [-1, 5, 6]
    with pytest.raises(ValueError, match="fields: 'colour' is unknown; known: "):
        archive.data(["ids", "colour"])


def test_the_frame_has_a_row_for_each_entry_and_a_column_for_each_number():
    archive = remembering()
    archive.add(at(5, 6), **payloads([5, 6]))
    frame = archive.to_frame()
    assert list(frame.columns) == [
        "index", "ids", "pinned", "measures_0", "measures_1", "score",
        "moves_0", "moves_1", "moves_2", "moves_3", "kept",
    ]  # fmt: skip
    assert frame.measures_0.tolist() == [-1, 5, 6] and frame.moves_3.tolist() == [-4, 20, 24]
    assert frame[~frame.pinned].score.tolist() == [2.5, 3]
    assert list(archive.to_frame(["score"]).columns) == ["score"]
    assert len(NoveltyArchive(3).to_frame()) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": None}, "score: is missing; extra_fields: "),
        ({"colour": [1.0, 2.0]}, "colour: is no field"),
        ({"score": [1.0]}, r"score: expected float32 \(2,\), got float64 \(1,\)"),
        ({"moves": np.zeros((2, 2, 2))}, r"moves: expected int16 \(2, 2, 2\), got float64"),
        ({"moves": np.full((2, 2, 2), 70_000)}, "moves: a number does not fit int16"),
        ({"kept": ["yes", "no"]}, "kept: expected real numbers"),
        ({"kept": [1.0, 0.0]}, "kept: expected bool"),
    ],
)
def test_payloads_of_another_kind_are_refused_and_nothing_changes(change, words):
    archive = remembering()
    fields = {k: v for k, v in (payloads([5, 6]) | change).items() if v is not None}
    for call in (archive.add, archive.pin):
        with pytest.raises(ValueError, match=words):
            call(at(5, 6), **fields)
    assert len(archive) == 1


@pytest.mark.parametrize(
    "fields", [{"ids": ((), int)}, {"a b": ((), int)}, {"name": ((), "U5")}, {"file": ((), int)}]
)
def test_fields_that_no_file_can_hold_are_refused(fields):
    with pytest.raises(ValueError, match="extra_fields: "):
        NoveltyArchive(2, extra_fields=fields)


def test_a_cleared_archive_is_as_new(tmp_path):
    archive, new = remembering(), NoveltyArchive(2, 1, extra_fields=FIELDS)
    archive.add(at(1, 2, 3), **payloads([1, 2, 3]))
    archive.clear()
    assert len(archive) == 0 and archive.novelty(at(1)).tolist() == [1]
    for each in (archive, new):
        each.add(at(3, 4), **payloads([3, 4]))
    for name, values in new.state().items():
        np.testing.assert_array_equal(archive.state()[name], values)


def test_repr_says_what_is_in_it():
    archive = remembering(capacity=9, scale=0.5)
    archive.add(at(5, 6), **payloads([5, 6]))
    assert repr(archive) == (
        "NoveltyArchive(dim=2, k_neighbors=1, novelty_threshold=0, scale=0.5: 3 entries, 1 pinned, "
        "2 of at most 9 admitted, fields score, moves, kept)"
    )
    assert "0 entries, 0 pinned, 0 of at most 100000 admitted)" in repr(NoveltyArchive(3))


def test_the_plot_shows_every_entry_in_the_directions_of_most_variance():
    from matplotlib import pyplot

    rng = np.random.default_rng(0)
    archive = NoveltyArchive(5, extra_fields={"score": ((), float), "two": ((2,), float)})
    x = rng.normal(size=(60, 5)) * [1, 30, 2, 10, 3]
    archive.pin(x[:20], score=x[:20, 0], two=x[:20, :2])
    archive.add(x[20:], score=x[20:, 0], two=x[20:, :2])
    pinned, admitted = archive.plot().collections
    points = np.concatenate([pinned.get_offsets(), admitted.get_offsets()])
    assert len(pinned.get_offsets()) == 20 and len(points) == 60
    for component, original in ((0, 1), (1, 3)):
        assert abs(np.corrcoef(points[:, component], x[:, original])[0, 1]) > 0.95
    ax = pyplot.subplots()[1]
    assert archive.plot(ax, color_by="score") is ax
    np.testing.assert_allclose(ax.collections[0].get_array(), x[:, 0])
    with pytest.raises(ValueError, match="color_by: 'two' has"):
        archive.plot(color_by="two")
    for dim in (1, 2, 3):
        small = NoveltyArchive(dim)
        assert small.plot().collections
        small.add(x[:4, :dim])
        drawn = small.plot().collections[1].get_offsets()
        if dim < 3:
            np.testing.assert_allclose(drawn[:, -dim:], x[:4, :dim], rtol=1e-6)
    pyplot.close("all")


def test_an_empty_archive_can_be_saved(tmp_path):
    NoveltyArchive(3).save(tmp_path / "a.npz")
    assert len(NoveltyArchive.load(tmp_path / "a.npz")) == 0


def test_damaged_files_are_refused(tmp_path):
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    filled().save(good)
    data = good.read_bytes()
    for length in (0, 1, 100, len(data) // 2, len(data) - 1):
        bad.write_bytes(data[:length])
        with pytest.raises(ArchiveError, match=r"bad\.npz"):
            NoveltyArchive.load(bad)
    with pytest.raises(ArchiveError, match="no such file"):
        NoveltyArchive.load(tmp_path / "none.npz")
    # A flipped bit is refused, or it lies where no content is (say, a time stamp).
    whole = NoveltyArchive.load(good)
    rng = np.random.default_rng(8)
    refused = 0
    for place in rng.integers(0, len(data), 300):
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.integers(0, 8)
        bad.write_bytes(flipped)
        try:
            archive = NoveltyArchive.load(bad)
        except ArchiveError:
            refused += 1
        else:
            np.testing.assert_array_equal(archive.entries, whole.entries)
            np.testing.assert_array_equal(archive.ids, whole.ids)
    assert refused > 150


def parts(path):
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("entries", lambda a: a[:, :2]),
        ("entries", lambda a: a.astype(np.float64)),
        ("entries", lambda a: np.full_like(a, np.nan)),
        ("pinned", lambda a: a[:-1]),
        ("pinned", lambda a: np.zeros_like(a)),  # more unpinned ones than the capacity
        ("ids", lambda a: a.astype(np.float32)),
        ("order", lambda a: np.zeros_like(a)),
        ("order", lambda a: a + 1000),
        ("settings", lambda a: a[:-3]),
        ("settings", lambda a: np.frombuffer(b"[1]", np.uint8)),
        ("settings", lambda a: np.frombuffer(json.dumps({"format": "x"}).encode(), np.uint8)),
    ],
)
def test_wrong_contents_are_refused(tmp_path, name, change):
    path = tmp_path / "a.npz"
    filled().save(path)
    arrays = parts(path)
    np.savez(path, **(arrays | {name: change(arrays[name])}))
    with pytest.raises(ArchiveError, match=r"a\.npz"):
        NoveltyArchive.load(path)
    del arrays[name]
    np.savez(path, **arrays)
    with pytest.raises(ArchiveError, match=name):
        NoveltyArchive.load(path)


def test_huge_declared_sizes_are_refused_before_memory_is(tmp_path):
    path = tmp_path / "a.npz"
    filled().save(path)
    arrays = parts(path)
    np.savez_compressed(path, **(arrays | {"entries": np.zeros((10**6, 3), np.float32)}))
    with pytest.raises(ArchiveError, match="compressed"):
        NoveltyArchive.load(path)
    with zipfile.ZipFile(path, "w") as file:
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10**15, 3), }"
        header = header.replace("10**15", str(10**15))
        npy = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
        file.writestr("entries.npy", npy)
    with pytest.raises(ArchiveError, match="does not fit"):
        NoveltyArchive.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    filled().save(path)
    before = path.read_bytes()

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        NoveltyArchive(3).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
