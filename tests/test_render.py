import json
import math
import os
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from move37.envs.base.works import Works, pad_moves
from move37.envs.drawing.corpus.svg import read_svg
from move37.envs.drawing.moves import END, LIFT, SIZE, moves_of, strokes_of
from move37.envs.drawing.rules.explain import explain
from move37.envs.drawing.rules.form import RULES
from move37.envs.drawing.view import render
from move37.envs.drawing.view.page import html_page
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files import sheets
from move37.envs.files.pages import number
from move37.envs.files.pictures import GIVEN, INK, MARK, PAPER, Look, image_tile, save_png
from move37.novelty.storage import printable

HOUSE = [
    np.array([(4, 20), (4, 10), (11, 3), (19, 10), (19, 20), (4, 20)]),
    np.array([(9, 20), (9, 14), (14, 14), (14, 20)]),
]
FACE = [
    np.array([(8, 3), (15, 3), (20, 8), (20, 15), (15, 20), (8, 20), (3, 15), (3, 8), (8, 3)]),
    np.array([(8, 9), (8, 9)]),
    np.array([(15, 9), (15, 9)]),
    np.array([(8, 14), (10, 16), (13, 16), (15, 14)]),
]
EDGE = [np.array([(0, 0), (23, 0), (23, 23), (0, 23), (0, 0)])]


def works(names=(), appraisal=None):
    rows = [moves_of(HOUSE), moves_of(FACE), moves_of(EDGE)]
    return Works("drawing", pad_moves(rows), names=names, appraisal=appraisal or {})


def pixel(image, x, y):
    """The colour at point (x, y) of the board, which need not be whole."""
    scale = len(image) / SIZE
    return tuple(int(c) for c in image[int((y + 0.5) * scale), int((x + 0.5) * scale)])


@pytest.mark.parametrize("size", [24, 48, 100, 512])
@pytest.mark.parametrize("strokes", [HOUSE, FACE, EDGE])
def test_every_point_of_a_segment_is_ink_and_the_rest_is_paper(strokes, size):
    image = render.picture(moves_of(strokes), size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    for stroke in strokes:
        for (ax, ay), (bx, by) in pairwise(stroke):
            for share in (0.0, 0.25, 0.5, 1.0):
                x, y = ax + (bx - ax) * share, ay + (by - ay) * share
                assert max(pixel(image, x, y)) < (60 if size >= 48 else 150)
    # Against a slow oracle: points further from every line than its width are bare paper.
    for y in range(SIZE):
        for x in range(SIZE):
            if min(_distance(stroke, x, y) for stroke in strokes) > render.STROKE / 2 + 0.9:
                assert pixel(image, x, y) == PAPER


def _distance(stroke, x, y):
    fine = np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(stroke)])
    return np.hypot(*(fine - (x, y)).T).min()


def test_lines_are_antialiased():
    tones = np.unique(render.picture(moves_of(HOUSE), 128)[:, :, 0])
    assert len(tones) > 16


def test_a_dot_is_round():
    image = render.picture(moves_of([np.array([(12, 12), (12, 12)])]), 240)
    ink = (PAPER[0] - image[:, :, 0].astype(float)) / (PAPER[0] - INK[0])
    radius = render.STROKE * 5
    assert ink.sum() == pytest.approx(math.pi * radius**2, rel=0.04)
    at = np.arange(240) + 0.5 - 125
    distance = np.hypot(at[None, :], at[:, None])
    assert (ink[distance < radius - 1] == 1).all() and (ink[distance > radius + 1] == 0).all()


def test_a_lone_point_leaves_no_ink():
    assert (render.picture(np.array([30, END]), 48) == PAPER).all()


@pytest.mark.parametrize("moves", [[], [END], [-1, -1], [LIFT, LIFT, END]])
def test_nothing_drawn_is_bare_paper_everywhere(moves, tmp_path):
    moves = np.array(moves, np.int16)
    assert (render.picture(moves, 48, pen=True) == PAPER).all()
    assert "<path" not in render.svg(moves)
    render.gif(moves, tmp_path / "a.gif", 32)
    assert Image.open(tmp_path / "a.gif").size == (32, 32)


def test_every_move_only_adds_ink():
    moves = moves_of(FACE)
    before = render.picture(moves[:0], 96)
    assert (before == PAPER).all()
    for end in range(1, len(moves) + 1):
        after = render.picture(moves[:end], 96)
        assert (after <= before).all()
        before = after


def test_padding_changes_nothing():
    moves = moves_of(HOUSE)
    padded = np.concatenate([moves, np.full(9, -1, np.int16)])
    np.testing.assert_array_equal(render.picture(padded, 64), render.picture(moves, 64))


def test_brief_pen_and_marks_have_their_own_colours():
    brief = moves_of([np.array([(2, 22), (21, 22)])])
    moves = moves_of(HOUSE)
    image = render.picture(moves[:3], 240, brief=brief, pen=True, marks=(1,))
    assert pixel(image, 12, 22) == GIVEN
    assert pixel(image, 4, 10) == MARK
    assert pixel(image, 7.5, 6.5) == INK
    assert pixel(image, 11, 3) == MARK
    lifted = render.picture(moves[:7], 240, pen=True)
    assert moves[6] == LIFT
    assert pixel(lifted, 4, 20) == PAPER
    assert pixel(lifted, 4.8, 20) == MARK


def test_a_picture_has_a_size():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        render.picture(moves_of(HOUSE), 0)


def test_save_png_round_trip(tmp_path):
    image = render.picture(moves_of(FACE), 64)
    save_png(tmp_path / "deep" / "face.png", image)
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "deep" / "face.png")), image)


def test_a_png_of_few_colours_is_smaller_and_looks_the_same(tmp_path):
    three = works()
    image = sheets.sheet(render, three, 3)
    save_png(tmp_path / "all.png", image)
    save_png(tmp_path / "few.png", image, colours=16)
    with Image.open(tmp_path / "few.png") as few:
        shown = np.asarray(few.convert("RGB"), np.int64)
    assert np.abs(shown - image).mean() < 2
    assert (tmp_path / "few.png").stat().st_size < (tmp_path / "all.png").stat().st_size


@pytest.mark.parametrize("strokes", [HOUSE, FACE, EDGE])
def test_svg_holds_the_same_points(strokes):
    root = ET.fromstring(render.svg(moves_of(strokes)))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox").split()[2:] == ["24", "24"]
    read = [
        np.array([[int(n) for n in point.split()] for point in path.get("d")[1:].split("L")])
        for path in root
    ]
    assert len(read) == len(strokes)
    for got, expected in zip(read, strokes, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("strokes", [HOUSE, FACE, EDGE])
def test_svg_reads_back_as_human_works_are_read(strokes):
    read, _ = read_svg(render.svg(moves_of(strokes)).encode())
    np.testing.assert_array_equal(moves_of(read), moves_of(strokes))


def test_svg_reads_with_a_stranger_parser():
    svgpathtools = pytest.importorskip("svgpathtools")
    path = ET.fromstring(render.svg(moves_of(HOUSE)))[0].get("d")
    corners = [segment.start for segment in svgpathtools.parse_path(path)]
    assert corners == [complex(x, y) for x, y in HOUSE[0][:-1]]


def test_gif_draws_gradually_and_holds_the_end(tmp_path):
    strokes = [np.array([(2, 4), (14, 4)]), np.array([(14, 10), (14, 10)])]
    moves = moves_of(strokes)
    render.gif(moves, tmp_path / "hand.gif", size=96)
    film = Image.open(tmp_path / "hand.gif")
    # Down, 12 points of line, 6 through the air, the end. The dot's frame, where the pen hides
    # the new ink, looks like the one before: the file holds them as one frame of twice the time.
    assert film.n_frames == 1 + 12 / render.GIF_STEP + 6 / render.GIF_STEP + 1
    assert film.info["loop"] == 0
    inks, lasts = [], []
    for i in range(film.n_frames):
        film.seek(i)
        image = np.array(film.convert("RGB")).astype(int)
        inks.append((image.max(axis=2) < 60).sum())
        lasts.append(film.info["duration"])
    assert lasts[:-2] == [render.GIF_FRAME_MS] * (film.n_frames - 2)
    assert lasts[-2:] == [2 * render.GIF_FRAME_MS, 1500]
    assert len(set(inks)) > 6 and inks[-1] == max(inks)
    assert abs(image - render.picture(moves, 96).astype(int)).mean() < 1


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    image = render.picture(moves_of(FACE), 32)
    png, gif = tmp_path / "a.png", tmp_path / "a.gif"
    save_png(png, image)
    render.gif(moves_of(FACE), gif, 32)
    old = png.read_bytes(), gif.read_bytes()

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        save_png(png, image[::-1])
    with pytest.raises(OSError, match="disk full"):
        render.gif(moves_of(HOUSE), gif, 32)
    assert (png.read_bytes(), gif.read_bytes()) == old
    assert sorted(os.listdir(tmp_path)) == ["a.gif", "a.png"]


HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror='a()'> \" & \u2028 {{data}}"


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_page_holds_the_works_and_refers_to_nothing_outside():
    scores = {"form/ink": np.array([0.5, math.nan, math.inf]), "form": np.array([0.1, 0.2, 1 / 3])}
    three = works(("house", "face", "edge"), scores)
    page = html_page(three, "Three", ["a", "b", "c"])
    plain = page.replace("http://www.w3.org/2000/svg", "")  # a name, in the SVGs to be saved
    assert not re.search(r"https?:|//\w|url\(|@import|<link[^>]+href=\"(?!data:,)|\bsrc=", plain)
    data = data_of(page)
    assert data["terms"] == ["form", "form/ink"]
    for i, work in enumerate(data["works"]):
        assert work["moves"] == three.moves[i, : three.lengths[i]].tolist()
        assert len(strokes_of(np.array(work["moves"]))) == [2, 4, 1][i]
    assert [w["name"] for w in data["works"]] == ["house", "face", "edge"]
    assert [w["caption"] for w in data["works"]] == ["a", "b", "c"]
    assert [w["values"][0] for w in data["works"]] == [0.1, 0.2, 0.333333]
    assert [w["values"][1] for w in data["works"]] == [0.5, "nan", "inf"]
    assert [w["said"] for w in data["works"]] == explain(three)
    assert len(data["works"][0]["said"]) == 1 + len(RULES)


def test_page_escapes_every_text():
    three = works((HOSTILE, "", ""), {HOSTILE: np.zeros(3)})
    page = html_page(three, HOSTILE, ["", HOSTILE, ""])
    plain = html_page(works(), "t")
    assert page.count("<script") == plain.count("<script")
    assert page.count("</script") == plain.count("</script")
    assert "<img src" not in page and "<!--" not in page
    data = data_of(page)
    assert data["terms"][0] == HOSTILE
    assert data["works"][0]["name"] == data["works"][1]["caption"] == printable(HOSTILE)


def test_an_image_is_shown_without_smoothing():
    image = np.eye(4, dtype=np.uint8)
    tile = image_tile(image, 40)
    assert tile.shape == (40, 40, 3) and tile.dtype == np.uint8
    np.testing.assert_array_equal((tile == INK).all(axis=2), np.kron(image, np.ones((10, 10))) == 1)
    works = Works("drawing", np.full((1, 3), -1, np.int16), images=image[None])
    np.testing.assert_array_equal(render.tile(works, 0, 40), tile)


def test_page_wants_a_caption_for_every_work():
    with pytest.raises(ValueError, match="expected 3, got 1"):
        html_page(works(), "t", ["one"])


def test_numbers_of_a_page_keep_their_whole_digits():
    assert number(1_703_936.0) == 1_703_936
    assert number(0.123456789) == 0.123457
    assert number(float("nan")) == "nan" and number(float("-inf")) == "-inf"


LOOK = Look(line_width=2.5, ink=(10, 20, 200), paper=(0, 0, 0), size=96)


def test_a_look_acts_on_every_kind_of_picture(tmp_path):
    moves, one = moves_of(HOUSE), works()[:1]
    image = render.picture(moves, 96, look=LOOK)
    assert pixel(image, 4, 15) == LOOK.ink and pixel(image, 0, 0) == LOOK.paper
    assert pixel(image, 5, 15) == LOOK.ink != pixel(render.picture(moves, 96), 5, 15)  # wider
    np.testing.assert_array_equal(sheets.sheet(DrawingWorld, one, look=LOOK)[6:102, 6:102], image)
    for kind in ("png", "gif"):
        DrawingWorld.exports[kind][2](one, tmp_path / f"a.{kind}", LOOK)
    with Image.open(tmp_path / "a.png" / "00000.png") as png:
        np.testing.assert_array_equal(np.asarray(png), image)
    with Image.open(tmp_path / "a.gif") as gif:
        gif.seek(gif.n_frames - 1)
        last = np.asarray(gif.convert("RGB")).astype(int)
    assert last.shape == image.shape and np.abs(last - image).mean() < 2
    root = ET.fromstring(render.svg(moves, look=LOOK))
    assert (root.get("width"), root.get("stroke"), root.get("stroke-width")) == (
        "96", "#0a14c8", "2.5"
    )  # fmt: skip
    assert root[0].tag.endswith("rect") and root[0].get("fill") == "#000000"
    assert root.get("viewBox") == ET.fromstring(render.svg(moves)).get("viewBox")


def curve_of(path):
    """Points along a path of M, L and Q, and where its Qs begin and end."""
    points, at = [], None
    for sign, numbers in re.findall(r"([MLQ])([^MLQ]*)", path):
        p = np.array(numbers.split(), float).reshape(-1, 2)
        t = np.linspace(0, 1, 60)[:, None]
        if sign == "L":
            points.extend(at + (p[0] - at) * t)
        elif sign == "Q":
            points.extend((1 - t) ** 2 * at + 2 * t * (1 - t) * p[0] + t**2 * p[1])
        at = p[-1]
    return np.array(points)


@pytest.mark.parametrize("strokes", [HOUSE, FACE, EDGE])
def test_smooth_pictures_and_svgs_show_the_same_rounded_curves(strokes):
    smooth, moves = Look(smooth=True), moves_of(strokes)
    paths = [path.get("d") for path in ET.fromstring(render.svg(moves, look=smooth))]
    curves = [curve_of(path) for path in paths]
    image = render.picture(moves, 480, look=smooth)
    for stroke, curve in zip(strokes, curves, strict=True):
        assert all(max(pixel(image, x, y)) < 60 for x, y in curve)
        if (stroke[0] == stroke[-1]).all() and len(stroke) > 2:  # closed: without a corner
            np.testing.assert_allclose(curve[0], curve[-1], atol=0.01)
        else:
            np.testing.assert_array_equal(curve[[0, -1]], stroke[[0, -1]])
        turns = np.diff(np.unwrap(np.arctan2(*np.diff(curve, axis=0)[:, ::-1].T)))
        steps = np.hypot(*np.diff(curve, axis=0).T)
        turns = turns[(steps[1:] > 1e-9) & (steps[:-1] > 1e-9)]
        assert np.abs(turns).max(initial=0) < 0.15  # no corner is left
    ink = np.argwhere(image.max(axis=2) < 60)[::37] / 20 - 0.5
    every = np.concatenate(curves)
    for y, x in ink:
        assert np.hypot(*(every - (x, y)).T).min() < render.STROKE / 2 + 0.1
    assert (image != render.picture(moves, 480)).any()


def test_a_smooth_set_of_icons_has_one_look_and_stays_near_its_points():
    smooth = Look(smooth=True)
    roots = [ET.fromstring(render.svg(moves_of(s), look=smooth)) for s in (HOUSE, FACE, EDGE)]
    looks = [{k: v for k, v in root.items()} for root in roots]
    assert looks[0] == looks[1] == looks[2]
    assert looks[0]["stroke-linecap"] == looks[0]["stroke-linejoin"] == "round"
    curve = curve_of(roots[0][0].get("d"))
    assert max(np.hypot(*(curve - corner).T).min() for corner in HOUSE[0]) < render.BEND / 2


def test_smoothing_leaves_straight_lines_and_dots_as_they_are():
    strokes = [np.array([(3, 4), (20, 4)]), np.array([(8, 9), (8, 9)])]
    assert render.svg(moves_of(strokes), look=Look(smooth=True)) == render.svg(moves_of(strokes))


def test_a_smooth_gif_ends_as_the_smooth_picture(tmp_path):
    smooth = Look(smooth=True)
    render.gif(moves_of(HOUSE), tmp_path / "a.gif", 96, look=smooth)
    with Image.open(tmp_path / "a.gif") as film:
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB")).astype(int)
    assert np.abs(last - render.picture(moves_of(HOUSE), 96, look=smooth)).mean() < 1.5


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"size": 9000}, {"line_width": 0.0}, {"line_width": math.nan}]
)
def test_a_look_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        Look(**wrong)
