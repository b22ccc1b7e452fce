"""Images become works, and files of any kind become works or are named as left out."""

from __future__ import annotations

import json
import pickle
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from move37.envs.base.works import Works, pad_moves
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.corpus.reading import MAX_SIDE, read_folder
from move37.envs.drawing.corpus.trace import binarise, corners_of, from_images, thin, trace
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.moves import END, MAX_MOVES, SIZE, moves_of, strokes_of

SQUARE = np.array([[4, 4], [14, 4], [14, 12], [4, 12], [4, 4]])


def drawn(*strokes) -> np.ndarray:
    return images_of(moves_of([np.array(s) for s in strokes])[None])


def traced(images) -> list[list[list[int]]]:
    return [s.tolist() for s in strokes_of(from_images(np.asarray(images, float)).moves[0])]


def overlap(a, b) -> np.ndarray:
    """F1 of the ink of images (N, 24, 24), where ink within one point counts."""
    a, b, near = a > 0, b > 0, np.ones((1, 3, 3), bool)
    precision = (a & ndimage.binary_dilation(b, near)).sum((1, 2)) / np.maximum(a.sum((1, 2)), 1)
    recall = (b & ndimage.binary_dilation(a, near)).sum((1, 2)) / np.maximum(b.sum((1, 2)), 1)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9)


@pytest.fixture(scope="module")
def human() -> Works:
    works = load_corpus("tabler", progress=False).works
    return works[np.random.default_rng(0).choice(len(works), 300, replace=False)]


# Tracing


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_human_works_survive_tracing(human, scale):
    images = images_of(human.moves)
    works = from_images(np.kron(images, np.ones((1, scale, scale))))
    assert works.moves.shape == (300, MAX_MOVES) and works.images.shape == (300, SIZE, SIZE)
    again = overlap(images, images_of(works.moves))
    assert np.median(again) >= 0.98 and np.quantile(again, 0.05) >= 0.9
    assert np.median(overlap(images, works.images)) >= 0.98
    assert abs(np.median(works.lengths) - np.median(human.lengths)) <= 4


def test_thin_images_stay_as_they_are(human):
    """Thinning what has been thinned changes next to nothing, so judging twice is judging once."""
    once = from_images(images_of(human.moves).astype(float)).images
    twice = from_images(once.astype(float)).images
    assert (once != twice).mean() < 1e-3
    assert (once == twice).all((1, 2)).mean() > 0.9


def test_a_square_keeps_its_corners_and_is_one_closed_stroke():
    image = drawn(SQUARE)
    works = from_images(image.astype(float))
    np.testing.assert_array_equal(works.images, image)
    (stroke,) = strokes_of(works.moves[0])
    assert len(stroke) == 5 and (stroke[0] == stroke[-1]).all()
    assert {tuple(p) for p in stroke} == {(4, 4), (14, 4), (14, 12), (4, 12)}


@pytest.mark.parametrize("dy", [1, -1])
@pytest.mark.parametrize("dx", [1, -1])
def test_every_right_angle_keeps_its_corner(dx, dy):
    image = drawn([[12 + 6 * dx, 12], [12, 12], [12, 12 + 6 * dy]])
    np.testing.assert_array_equal(thin(image[0] > 0), image[0] > 0)


def test_lines_go_straight_on_through_a_crossing():
    strokes = traced(drawn([[12, 3], [12, 20]], [[3, 12], [20, 12]]))
    assert sorted(strokes) == [[[3, 12], [20, 12]], [[12, 3], [12, 20]]]


def test_a_branch_ends_at_the_line_it_meets():
    strokes = traced(drawn([[2, 10], [20, 10]], [[11, 10], [11, 20]]))
    assert sorted(map(sorted, strokes)) == [[[2, 10], [20, 10]], [[11, 10], [11, 20]]]


def test_lone_points_are_dots_and_an_empty_board_is_an_empty_work():
    assert traced(drawn([[5, 7], [5, 7]])) == [[[5, 7], [5, 7]]]
    works = from_images(np.zeros((2, 30, 30)))
    assert (works.moves[:, 0] == END).all() and not works.images.any()
    assert len(from_images(np.zeros((0, 24, 24)))) == 0


def test_line_width_decides_nothing():
    """The same ring, thin and thick, gives nearly the same work."""
    y, x = np.mgrid[:96, :96] - 47.5
    radius = np.hypot(y, x)
    thinnest, *others = (np.abs(radius - 32) < width / 2 for width in (1.5, 5, 9))
    for other in others:
        pair = from_images(np.stack([thinnest, other]).astype(float))
        assert overlap(pair.images[:1], pair.images[1:])[0] > 0.98
        assert [len(strokes_of(m)) for m in pair.moves] == [1, 1]


def test_images_of_any_shape_are_padded_to_a_square():
    image = np.zeros((1, 48, 96))
    image[0, 20:24, 8:88] = 1
    wide, tall = from_images(image), from_images(image.transpose(0, 2, 1))
    np.testing.assert_array_equal(wide.images[0], tall.images[0].T)
    (stroke,) = strokes_of(wide.moves[0])
    assert abs(stroke[:, 1] - 11.5).max() <= 0.5 and np.ptp(stroke[:, 0]) >= 17
    small = from_images(np.eye(8)[None])
    assert overlap(small.images, drawn([[1, 1], [22, 22]]))[0] > 0.98


def test_the_threshold_follows_the_image_but_leaves_faint_noise():
    image = drawn(SQUARE)[0]
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(binarise(0.15 + 0.3 * image), image > 0)
    np.testing.assert_array_equal(binarise(0.5 + 0.5 * image), image > 0)
    assert not binarise(rng.uniform(0, 0.15, (24, 24))).any()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((24, 24)), "shape"),
        (np.full((1, 24, 24), 2.0), "0, 1"),
        (np.full((1, 24, 24), np.nan), "0, 1"),
    ],
)
def test_wrong_images_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        from_images(images)


def test_of_too_many_strokes_the_longest_are_kept():
    rng = np.random.default_rng(1)
    works = from_images((rng.random((20, 24, 24)) < 0.3).astype(float))
    assert (works.lengths <= MAX_MOVES).all() and (works.lengths > 40).all()
    long = [[0, 0], [23, 0]]
    dots = [[[x, y], [x, y]] for x in range(1, 23, 2) for y in range(4, 23, 2)]
    assert long in traced(drawn(long, *dots))


def test_strange_images_never_fail():
    rng = np.random.default_rng(2)
    images = np.concatenate([rng.random((50, 24, 24)) < p for p in (0.02, 0.5, 0.9, 1.0)])
    for moves in trace(images.astype(np.uint8)):
        assert images_of(moves[None]).any()


def test_the_polyline_is_the_cheapest_there_is():
    """Against all choices of corners, one by one."""
    from move37.envs.drawing.corpus.trace import POINT_COST, TOLERANCE

    def price(path, chosen):
        total = POINT_COST * (len(chosen) - 1)
        for i, j in pairwise(chosen):
            a, step = path[i], path[j] - path[i]
            for point in path[i + 1 : j] - a:
                along = np.clip(point @ step / (step @ step), 0, 1)
                away = float(((point - along * step) ** 2).sum())
                total += away if away <= TOLERANCE**2 else np.inf
        return total

    rng = np.random.default_rng(3)
    for _ in range(20):
        steps = rng.choice([[1, 0], [1, 1], [1, -1], [0, 1]], 8)
        path = np.concatenate([[[0, 9]], steps]).cumsum(axis=0)
        subsets = [[0, *(k for k in range(1, 8) if bits >> (k - 1) & 1), 8] for bits in range(128)]
        best = min(price(path, chosen) for chosen in subsets)
        assert price(path, corners_of(path).tolist()) == pytest.approx(best)


# Reading


def svg(body: str) -> str:
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#000">'
    return f"{head}{body}</svg>"


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is large and is a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def big(image: np.ndarray, ink, ground, path: Path) -> None:
    """Save a 24 x 24 image as a picture of 96 x 96 with these colours."""
    mask = np.kron(image, np.ones((4, 4)))[:, :, None] > 0
    Image.fromarray(np.where(mask, np.uint8(ink), np.uint8(ground)).astype(np.uint8)).save(path)


def test_pictures_are_read_whatever_their_colours(tmp_path):
    image = drawn(SQUARE, [[6, 18], [20, 18]])[0]
    big(image, [0, 0, 0], [255, 255, 255], tmp_path / "a.png")
    big(image, [255, 255, 255], [10, 20, 60], tmp_path / "b.png")
    big(image, [0, 0, 0, 255], [0, 0, 0, 0], tmp_path / "c.png")
    big(image, [255, 255, 255, 255], [255, 255, 255, 0], tmp_path / "d.png")
    big(image, [250, 230, 40], [255, 255, 255], tmp_path / "e.PNG")
    big(image, [20, 30, 30], [240, 235, 230], tmp_path / "f.jpg")
    Image.fromarray(np.kron(1 - image, np.ones((4, 4))).astype(np.uint8) * 255).save(
        tmp_path / "g.png"
    )
    deep = np.kron(1 - image, np.ones((4, 4))).astype(np.uint16) * 65535
    Image.fromarray(deep).save(tmp_path / "h.png")
    works, left_out = read_folder(tmp_path)
    assert left_out == [] and works.names == tuple("abcdefgh")
    for got in works.images:
        assert overlap(got[None], image[None])[0] > 0.98


TURNED = (
    None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90,
    Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270,
)  # fmt: skip
"""How a picture is stored whose EXIF orientation is 1, 2 ... 8."""


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """A picture in black and white, as a file of another kind would hold it."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):  # black on nothing; a viewer shows it on white
        clear = picture.convert("RGBA")
        clear.putalpha(picture.convert("L").point(lambda value: 255 - value))
        return clear.convert(mode)
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("suffix", "modes"),
    [
        ("png", ("RGB", "L", "1", "P", "LA", "RGBA", "I;16")),
        ("jpg", ("RGB", "L", "CMYK")),
        ("webp", ("RGB", "RGBA")),
    ],
)
def test_photographs_are_read_as_a_viewer_shows_them(tmp_path, suffix, modes):
    """An L, stored turned in all eight ways."""
    image = drawn([[8, 4], [8, 20], [16, 20]])[0]
    picture = Image.fromarray(np.kron(1 - image, np.ones((8, 6))).astype(np.uint8) * 255)
    for mode in modes:
        for orientation, turn in enumerate(TURNED, 1):
            stored = in_mode(picture, mode)
            stored = stored if turn is None else stored.transpose(turn)
            exif = Image.Exif()
            exif[0x112] = orientation
            stored.save(tmp_path / f"{mode.replace(';', '')}-{orientation}.{suffix}", exif=exif)
    works, left_out = read_folder(tmp_path)
    assert left_out == [] and len(works) == 8 * len(modes)
    for name, got in zip(works.names, works.images, strict=True):
        assert (got == works.images[0]).all(), name
    y, x = np.nonzero(works.images[0])
    assert (y[x == x.min()] >= 3).all() and (x[y == y.max()] > x.min()).sum() >= 4


def test_filled_shapes_on_nothing_are_seen_on_white(tmp_path):
    pixels = np.zeros((96, 96, 4), np.uint8)
    pixels[16:80, 16:80] = 0, 0, 0, 255
    pixels[20:76, 20:76] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    works, _ = read_folder(tmp_path)
    assert works.images[0, 12, 12] == 0 and works.images[0].sum() > 40


def test_a_picture_with_broken_metadata_is_still_a_picture(tmp_path):
    big(drawn(SQUARE)[0], [0] * 3, [255] * 3, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        image.save(tmp_path / "b.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03")
    works, left_out = read_folder(tmp_path)
    assert left_out == [] and (works.images[0] == works.images[1]).all()


def test_svg_files_alone_keep_their_moves(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "tick.svg").write_text(svg('<path d="M5 12l5 5l10 -10"/>'))
    (tmp_path / ".hidden.svg").write_text("nothing")
    works, left_out = read_folder(tmp_path)
    assert works.names == ("sub/tick",) and left_out == [] and works.images is None
    assert strokes_of(works.moves[0])[0].tolist() == [[5, 12], [10, 17], [20, 7]]


def test_works_of_every_kind_are_joined_as_images(tmp_path):
    (tmp_path / "a.svg").write_text(svg('<path d="M5 12l5 5l10 -10"/>'))
    line = {"word": "cat", "key_id": "7", "drawing": [[[0, 255], [0, 255]]]}
    (tmp_path / "b.ndjson").write_text(f"{json.dumps(line)}\nbroken\n")
    big(drawn(SQUARE)[0], [0, 0, 0], [255, 255, 255], tmp_path / "c.png")
    brief = pad_moves([moves_of([SQUARE])[:-1]])
    saved = Works("drawing", pad_moves([moves_of([np.array([[1, 1], [9, 1]])])]), brief)
    saved.save(tmp_path / "d.npz")
    zigzag = "".join(f"M{x} 2v20" for x in range(1, 23))
    (tmp_path / "e.svg").write_text(svg(f'<path d="{zigzag}"/>'))
    works, left_out = read_folder(tmp_path)
    assert works.names == ("a", "cat 7", "c", "d-0", "e")
    assert len(left_out) == 1 and left_out[0].startswith("b.ndjson: line 2: ")
    np.testing.assert_array_equal(works.images[3], images_of(saved.moves, brief)[0])
    assert works.images[4].sum() == 22 * 21  # every line, though 48 moves cannot draw them
    assert (works.lengths <= MAX_MOVES).all()


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("code of a file was run",))


def test_broken_files_are_named_with_the_reason(tmp_path):
    (tmp_path / "good.svg").write_text(svg('<path d="M5 12l5 5"/>'))
    (tmp_path / "blank.png").write_bytes(b"")
    Image.new("RGB", (40, 40), "white").save(tmp_path / "empty.png")
    big(drawn(SQUARE)[0], [0] * 3, [255] * 3, tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bomb.png").write_bytes(png_of_size(60_000, 60_000))
    (tmp_path / "wide.png").write_bytes(png_of_size(MAX_SIDE + 1, 1))
    (tmp_path / "gif.png").write_bytes(b"GIF89a" + bytes(40))
    (tmp_path / "entity.svg").write_text('<!DOCTYPE svg [<!ENTITY a "&b;">]>' + svg("&a;"))
    np.savez(tmp_path / "evil.npz", moves=np.array([Evil()], object))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Evil()))
    Works("composition", np.zeros((1, 3), np.int16)).save(tmp_path / "other.npz")
    Works("drawing", np.full((1, 3), 600, np.int16)).save(tmp_path / "range.npz")
    Works("drawing", np.zeros((1, 60), np.int16)).save(tmp_path / "long.npz")
    Works("drawing", np.array([[3, -1, 4]], np.int16)).save(tmp_path / "gap.npz")
    (tmp_path / "words.ndjson").write_text("{}\n")
    (tmp_path / "README.txt").write_text("hello")
    works, left_out = read_folder(tmp_path)
    assert works.names == ("good",)
    reasons = dict(line.split(": ", 1) for line in left_out)
    for name, reason in {
        "blank.png": "broken picture",
        "empty.png": "nothing is drawn",
        "cut.png": "broken picture",
        "bomb.png": "",
        "wide.png": f"at most {MAX_SIDE}",
        "gif.png": "broken picture",
        "entity.svg": "entity",
        "evil.npz": "damaged",
        "pickle.npz": "not an .npz",
        "other.npz": "composition",
        "range.npz": "600 is no move",
        "long.npz": "at most 48",
        "gap.npz": "after the last one",
        "words.ndjson": "no works",
        "README.txt": "not one of",
    }.items():
        assert reason in reasons[name]
        assert str(tmp_path) not in reasons.pop(name)
    assert not reasons


def test_a_folder_without_works_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="nothing can be read"):
        read_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"a\.png: broken picture"):
        read_folder(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        read_folder(tmp_path / "missing")
