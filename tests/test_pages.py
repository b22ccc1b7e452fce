"""The pages of all worlds share a frame; a world without a page of its own has a plain one."""

import base64
import io
import json
import re
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from move37.envs.base.works import Works
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.pages import STILL, fill_page, still_page

TEMPLATE = (
    "<style>i { color: red }</style>\n<div id='stage'></div>\n<script>const player = 1;</script>"
)


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def works():
    moves = np.array([[30, 40, 300], [10, 20, -1]], np.int16)
    return Works("drawing", moves, names=("a", ""), appraisal={"form": np.array([0.5, np.nan])})


def test_style_stage_and_script_of_a_template_stand_in_the_page():
    page = fill_page(TEMPLATE, works(), "t", [{"said": []}, {"said": ["x"]}], size=24)
    head, body = page.split("</head>")
    assert "i { color: red }" in head and "<div class=\"stage\">\n<div id='stage'>" in body
    assert "const player = 1;" in body and "{{" not in page
    data = data_of(page)
    assert data["size"] == 24 and data["terms"] == ["form"]
    assert data["works"] == [
        {"name": "a", "caption": "", "marks": [], "values": [0.5], "said": []},
        {"name": "", "caption": "", "marks": [], "values": ["nan"], "said": ["x"]},
    ]


def test_a_template_without_its_parts_is_refused():
    with pytest.raises(ValueError, match="expected <style>"):
        fill_page("<div></div>", works(), "t", [{}, {}])


def test_a_plain_page_holds_the_tiles():
    page = still_page(
        DrawingWorld, works(), "</title>", ["one", "two"], [[], [1]], [["form 1"], []]
    )
    assert "</title></title>" not in page and not re.search(r"https?:|url\(|@import", page)
    first, second = data_of(page)["works"]
    assert (first["caption"], first["said"], second["said"]) == ("one", ["form 1"], [])
    for i, (work, marks) in enumerate(((first, []), (second, [1]))):
        head, data = work["picture"].split(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            tile = DrawingWorld.tile(works(), i, STILL, None, marks)
            np.testing.assert_array_equal(np.asarray(picture), tile)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("envs.files", "page.html"), ("envs.files", "still.html"),
        ("envs.drawing.view", "page.html"), ("envs.composition.score", "page.html"),
    ],
)  # fmt: skip
def test_templates_are_installed(package, name):
    assert resources.files(f"move37.{package}").joinpath(name).is_file()
