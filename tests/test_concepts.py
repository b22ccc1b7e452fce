from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.corpus.sources import FONTS, PACKAGES
from move37.envs.drawing.corpus.trace import strokes_on_board
from move37.envs.drawing.designers.concepts import ConceptError, Concepts, key_of
from move37.envs.drawing.designers.fonts import line_picture
from move37.envs.drawing.designers.labelled import (
    INSTALLED,
    JUDGING,
    OUTSIDERS,
    TRAINING,
    load_labelled,
)
from move37.envs.drawing.moves import SIZE


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("airplane", "airplane"), ("plane", "airplane"),
        ("ic-fluent-airplane-24-regular", "airplane"),
        ("bxs-plane", "airplane"), ("lni-anchor", "anchor"), ("House_Outline", "home"),
        ("bell-outline", "bell"), ("magnifying-glass", "search"),
    ],
)  # fmt: skip
def test_designers_names_for_one_thing_are_one_concept(name: str, concept: str) -> None:
    concepts = Concepts.read()
    assert concepts.names[concepts.number(name)] == concept


@pytest.mark.parametrize("name", ["", "aeroplanes", "calendar-plus", "outline", "-", "飞机"])
def test_other_names_are_none(name: str) -> None:
    assert Concepts.read().number(name) == -1


def test_a_calendar_with_a_plus_is_part_calendar() -> None:
    concepts = Concepts.read()
    assert concepts.names[concepts.part_number("calendar-plus-outline")] == "calendar"
    assert concepts.names[concepts.part_number("shopping-bag-x")] == "shopping-bag"
    assert concepts.part_number("plus-calendar") == -1


def test_up_and_down_are_other_things() -> None:
    concepts = Concepts.read()
    assert concepts.number("thumbs-up") != concepts.number("thumbs-down")


def test_words_of_style_alone_are_kept() -> None:
    assert key_of("icon-24") == "icon-24"


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# mine\nboat: ship, ferry  # two more\n\ntree\n")
    concepts = Concepts.read(path)
    assert concepts.names == ("boat", "tree")
    assert [concepts.number(name) for name in ("ferry-line", "tree", "car")] == [0, 1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no concepts"),
        ("# nothing\n", "no concepts"),
        (": ship\n", "line 1: no concept before the colon"),
        ("boat: ship\nship\n", "'ship' is a name of 'boat' and of 'ship'"),
        ("boat\nboat\n", "'boat' stands on two lines"),
    ],
)
def test_a_broken_list_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(text)
    with pytest.raises(ConceptError, match=rf"mine\.txt.*{message}"):
        Concepts.read(path)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConceptError, match=r"mine\.txt"):
        Concepts.read(path)
    with pytest.raises(ConceptError, match=r"none\.txt"):
        Concepts.read(tmp_path / "none.txt")


# Glyphs


def disc(radius: float, width: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:96, :96] - 47.5
    distance = np.hypot(x, y)
    return (distance < radius) & (distance > radius - width if width else True)


def test_a_filled_disc_becomes_its_outline_and_a_ring_its_middle_line() -> None:
    for ink, radius in ((disc(36), 36.0), (disc(36, 8), 32.0)):
        y, x = np.nonzero(line_picture(ink))
        assert np.abs(np.hypot(x - 47.5, y - 47.5) - radius).max() < 2.0


def test_what_is_filled_is_outlined_and_what_is_line_stays_line() -> None:
    ink = np.zeros((96, 96), bool)
    ink[20:50, 30:66] = True  # a body
    ink[50:88, 46:51] = True  # on a stick
    lines = line_picture(ink)
    assert not lines[30:40, 40:56].any(), "the body is empty"
    assert lines[20:50, 30].sum() > 20, "it has an outline"
    assert lines[60:80].sum(axis=1).max() == 1, "the stick is one line"


def test_nothing_becomes_nothing() -> None:
    assert not line_picture(np.zeros((96, 96), bool)).any()
    assert strokes_on_board(np.zeros((96, 96), bool)) == []


def test_a_glyph_fills_the_board_inside_its_margin() -> None:
    source = PACKAGES["bootstrap"]()
    _, strokes, _ = source.read("square", dict(source.records)["square"])
    points = np.concatenate(strokes)
    assert points.min() >= 1 and points.max() <= SIZE - 2 and np.ptp(points) >= 18


@pytest.mark.parametrize("name", sorted(FONTS))
def test_each_font_names_its_drawings(name: str) -> None:
    source = PACKAGES[name]()
    names = [label for label, _ in source.records]
    assert len(set(names)) == len(names) > 100
    assert len({data for _, data in source.records}) == len(names), "each drawing once"
    concepts = Concepts.read()
    assert len({concepts.number(n) for n in names} - {-1}) >= 25
    assert source.designer and source.licence


def test_nearly_every_glyph_fits_on_the_board(tmp_path: Path) -> None:
    corpus = load_corpus("eva", cache_dir=tmp_path, progress=False)
    assert len(corpus.works) > 400 and len(corpus.skipped) < 0.03 * len(corpus.works)
    again = load_corpus("eva", cache_dir=tmp_path, progress=False)
    assert again.fingerprint == corpus.fingerprint


# Sides


def test_no_designer_stands_on_two_sides() -> None:
    sides = [set(TRAINING), set(JUDGING), set(OUTSIDERS)]
    assert sum(map(len, sides)) == len(set.union(*sides)) >= 14
    for forks in ({"mdi", "material"}, {"fluent", "codicons"}, {"typicons", "microns"}):
        assert any(forks <= side for side in sides)


def test_labels_say_what_designers_drew() -> None:
    concepts = Concepts.read()
    drawings = load_labelled(("eva", "microns"), concepts)
    assert len(drawings) == len(drawings.concepts) == len(drawings.whole) > 500
    row = [n for n in range(len(drawings)) if drawings.works.names[n] == "umbrella-outline"]
    assert len(row) == 1
    assert concepts.names[drawings.concepts[row[0]]] == "umbrella" and drawings.whole[row[0]]
    assert drawings.names[drawings.designers[row[0]]] == "eva"
    assert (drawings.concepts[drawings.whole] >= 0).all()
    unique = {row.tobytes() for row in drawings.works.moves[drawings.designers == 0]}
    assert len(unique) == (drawings.designers == 0).sum(), "each drawing once"


def test_the_page_about_data_says_what_the_code_does() -> None:
    page = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    sides = {"training": TRAINING, "judging": JUDGING, "outsiders": OUTSIDERS}
    for side, names in sides.items():
        for name in set(names) & set(INSTALLED):
            source = PACKAGES[name]()
            start = f"| `{name}` | {source.designer} | {source.licence} | "
            rows = [line for line in page.splitlines() if line.startswith(start)]
            assert len(rows) == 1 and f" | {side} | " in rows[0], name
    assert f"{len(Concepts.read())} concepts" in page
