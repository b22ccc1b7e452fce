"""Any bytes at all: a loader loads them or refuses them with its own error; nothing else.

Hypothesis chooses the bytes. benchmarks/fuzz.py does the same by the hundred thousand.
"""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import LOADERS, break_file, one_input, search
from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.svg import read_svg

OFTEN = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.mark.parametrize("name", LOADERS)
def test_a_whole_file_is_loaded_and_a_broken_one_loaded_or_refused(name, tmp_path):
    counts = search(name, 250, 7, tmp_path)
    assert counts["FAILED"] == 0


@pytest.mark.parametrize("name", LOADERS)
@OFTEN
@given(data=st.binary(max_size=300))
def test_any_bytes(name, data, tmp_path):
    one_input(LOADERS[name], tmp_path / "input", data)


@pytest.mark.parametrize("name", LOADERS)
@OFTEN
@given(cut=st.floats(0, 1), seed=st.integers(0, 1 << 32))
def test_cut_off_and_broken_again(name, cut, seed, tmp_path):
    loader, path = LOADERS[name], tmp_path / "input"
    loader.seeds(path)
    data = path.read_bytes()
    one_input(loader, path, break_file(data, random.Random(seed))[: int(len(data) * cut)])


NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["", ".", "-", "1e", "1e999", "0x1", "1px", "1%", "\u0661"]),
)
COMMANDS = st.sampled_from(list("MmZzLlHhVvCcSsQqTtAaEeX,"))
PATHS = st.lists(st.one_of(NUMBERS, COMMANDS), max_size=30).map(" ".join)
SHAPES = st.one_of(
    PATHS.map(lambda d: f'<path d="M1 1 {d}"/>'),
    PATHS.map(lambda d: f'<path d="{d}"/>'),
    st.lists(NUMBERS, max_size=12).map(lambda p: f'<polygon points="{",".join(p)}"/>'),
    st.tuples(NUMBERS, NUMBERS).map(lambda p: '<circle cx="{}" r="{}"/>'.format(*p)),
    st.tuples(NUMBERS, NUMBERS, NUMBERS).map(
        lambda p: '<rect width="{}" height="{}" rx="{}"/>'.format(*p)
    ),
    st.tuples(st.sampled_from(["rotate", "matrix", "scale", "skewX", "x"]), NUMBERS).map(
        lambda p: '<g transform="{}({})"><path d="M1 1h3"/></g>'.format(*p)
    ),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(shapes=st.lists(SHAPES, max_size=5), box=st.lists(NUMBERS, max_size=5))
def test_any_shapes(shapes, box):
    text = f'<svg viewBox="{" ".join(box)}" stroke="#000">{"".join(shapes)}</svg>'
    with np.errstate(all="ignore"):
        try:
            strokes, _ = read_svg(text.encode())
        except SvgError as error:
            assert "\n" not in str(error)
        else:
            for stroke in strokes:
                assert len(stroke) >= 2 and stroke.min() >= 0 and stroke.max() < 24
