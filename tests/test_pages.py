"""The pages of all worlds share a frame; a world without a page of its own has a plain one."""

import base64
import io
import json
import re
import shutil
import subprocess
from importlib import resources
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from move37.envs.base.works import Works
from move37.envs.drawing.view import render
from move37.envs.drawing.view.page import html_page
from move37.envs.drawing.view.render import svg
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.pages import NEAREST, STILL, add_nearest, fill_page, still_page

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


def picture_of(address):
    head, data = address.split(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture)


def test_nearest_human_works_stand_in_the_page_and_end_no_element():
    human = Works("drawing", works().moves, names=("</script><b>", "dog"))
    page = html_page(works(), '<script type="application/json" id="nearest-data">[]<')
    shown = add_nearest(page, DrawingWorld, human, [1, 0], [0.5, np.inf])
    found = json.loads(re.search(r'id="nearest-data">(.*?)</script>', shown, re.DOTALL)[1])
    names = [("dog", 0.5), ("</script><b>", "inf")]
    assert [(work["name"], work["distance"]) for work in found] == names
    for work, i in zip(found, (1, 0), strict=True):
        tile = DrawingWorld.tile(human, i, NEAREST)
        np.testing.assert_array_equal(picture_of(work["picture"]), tile)
    assert shown.count("</script") == page.count("</script")
    assert data_of(shown) == data_of(page)


def test_a_drawing_is_saved_from_its_page_as_replay_writes_it():
    two = works()
    pages = [work["svg"] for work in data_of(html_page(two, "t"))["works"]]
    assert pages == [svg(moves, brief) for moves, brief in zip(two.moves, two.briefs, strict=True)]


PROBE = """<script>(async () => {
  const out = [], text = (all) => [...document.querySelectorAll(all)].map((e) => e.textContent);
  HTMLAnchorElement.prototype.click = function () { out.push([this.download, this.href]); };
  $("sort").value = "1";
  $("sort").dispatchEvent(new Event("change"));
  out.push(text(".tile span"));
  view(order[0]);
  $("next").click();
  out.push($("place").textContent, $("name").textContent, $("distance").textContent);
  $("svg").click();
  await savePng(works[current]);
  document.body.dataset.probe = btoa(JSON.stringify(out));
})();</script>"""


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the browser Chromium")
def test_a_browser_sorts_by_a_term_and_saves_what_is_opened(tmp_path):
    terms = {"reward": np.array([0.9, 0.1, 0.5]), "form": np.array([0.2, np.nan, 0.7])}
    moves = np.array([[30, 40, 300], [10, 20, -1], [5, 9, -1]], np.int16)
    three = Works("drawing", moves, names=("a", "b", "c d"), appraisal=terms)
    page = add_nearest(html_page(three, "t"), DrawingWorld, three, [1, 2, 0], [1, 2, 3])
    (tmp_path / "p.html").write_text(page + PROBE)
    shown = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
         "--disable-background-networking", "--virtual-time-budget=8000", "--dump-dom",
         (tmp_path / "p.html").as_uri()], capture_output=True, text=True, timeout=120,
    ).stdout  # fmt: skip
    found = json.loads(base64.b64decode(re.search(r'data-probe="([^"]*)"', shown)[1]))
    assert found[0] == ["c d", "form 0.700", "a", "form 0.200", "b", "form nan"]
    assert found[1:3] == ["2 of 3", "a"] and found[3].startswith("b, distance 1.000 ")
    (svg_name, svg_address), (png_name, png_address) = found[4:]
    assert (svg_name, png_name) == ("a.svg", "a.png")
    assert unquote(svg_address.split(",", 1)[1]) == svg(moves[0], three.briefs[0])
    saved = picture_of(png_address)[:, :, :3].astype(int)
    assert saved.shape == (1024, 1024, 3)
    # The SVG lies a tenth of a point further right and below, and is black.
    dark, drawn = saved.max(axis=2) < 90, render.picture(moves[0], 1024).max(axis=2) < 90
    assert (dark != drawn).mean() < 0.02 < drawn.mean()
