"""Works show themselves in notebooks, and the notebook of the documentation runs."""

import ast
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from move37.envs.base.works import Works
from move37.envs.composition.world import CompositionWorld
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.sheets import GAP, MOST, TILE, sheet

NOTEBOOK = Path(__file__).parent.parent / "docs" / "first-run.ipynb"


def drawings(n):
    moves = np.random.default_rng(0).integers(0, 576, (n, 6)).astype(np.int16)
    return Works("drawing", moves, names=tuple(f"work {i}" for i in range(n)))


def shown(works):
    with Image.open(io.BytesIO(works._repr_png_())) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_one_work_shows_itself_large():
    one = drawings(1)
    np.testing.assert_array_equal(shown(one), DrawingWorld.tile(one, 0, 2 * TILE))
    bass = Works("composition", np.full((1, 32), 1, np.int16))
    np.testing.assert_array_equal(shown(bass), CompositionWorld.tile(bass, 0, 2 * TILE))


def test_several_works_show_a_sheet():
    some = drawings(11)
    expected = sheet(DrawingWorld, some, 8, some.names)
    assert shown(some).shape == expected.shape
    assert np.abs(shown(some) - expected).mean() < 1  # of fewer colours


def test_of_many_works_the_first_are_shown_and_the_rest_is_counted():
    picture = shown(drawings(MOST + 1))
    titled = sheet(DrawingWorld, drawings(MOST), 8, [""] * MOST, title=f"{MOST} of {MOST + 1}")
    assert picture.shape == titled.shape and picture.shape[1] == 8 * (TILE + GAP) + GAP


@pytest.mark.parametrize("works", [drawings(0), Works("nobody's", np.zeros((2, 3), np.int16))])
def test_what_cannot_be_drawn_is_described(works):
    assert works._repr_png_() is None
    assert repr(works) == f"<{len(works)} works of the world {works.world}: no terms>"


def run_cell(source, names):
    """What the last line of a cell is worth; None if it is no expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_the_notebook_runs_and_writes_nothing_into_the_current_folder(tmp_path, monkeypatch):
    book = json.loads(NOTEBOOK.read_text())
    assert book["nbformat"] == 4
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    names, pictures = {}, 0
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            worth = run_cell("".join(cell["source"]), names)
            pictures += isinstance(worth, Works) and worth._repr_png_() is not None
    assert pictures == 4 and list(here.iterdir()) == []
    assert len(list((names["folder"] / "icons").glob("*.svg"))) == 6
    assert (names["folder"] / "best.html").exists()
