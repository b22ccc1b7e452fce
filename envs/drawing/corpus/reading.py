"""Read the works of any other maker from a folder: SVG, pictures, saved works, Quick, Draw!.

Files are untrusted: nothing in them is run or unpickled, and sizes are checked before decoding.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from move37.envs.base.works import PAD, Works, WorksError, check_moves, join_works, pad_moves
from move37.envs.drawing.corpus.document import MAX_BYTES
from move37.envs.drawing.corpus.icons import CorpusError, load_corpus
from move37.envs.drawing.corpus.lines import SvgError
from move37.envs.drawing.corpus.svg import read_svg
from move37.envs.drawing.corpus.trace import from_images, trace
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.moves import END, MAX_MOVES, N_MOVES, SIZE, moves_of
from move37.envs.files.folders import files_in, read_at_most

MAX_SIDE = 4096
"""Widest and highest picture read, in pixels."""
MAX_FILE = 64 << 20
"""Largest picture, saved works or .ndjson read, in bytes."""
WORKING_SIDE = 384
"""Larger pictures are averaged down to at most this many pixels a side before thinning."""
LEAST_CONTRAST = 0.1
"""A picture whose colours differ less than this (of 1) from its border has no ink."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
WORLDS = ("drawing", "drawing-concepts")
"""Worlds whose saved works are read as drawings."""
KINDS = f".svg, {', '.join(PICTURES)}, .npz and .ndjson"


class ReadingError(ValueError):
    """A file that cannot be read as works of the drawing world."""


def read_folder(folder: Path) -> tuple[Works, list[str]]:
    """Read every file of a folder recursively, in order of path; see :func:`files_in`.

    SVG outlines and Quick, Draw! drawings become moves; pictures are traced (see
    :func:`picture_ink`); saved works stay as they are. If any work is an image or has more than 48
    moves, all works returned are image works.

    Args:
        folder: Where to look.

    Returns:
        The works, named by their path without its suffix, and what was left out:
        ``"path: reason"`` for each file or part of one.

    Raises:
        ValueError: If ``folder`` is no folder or nothing in it can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ReadingError(f"{folder}: no such folder")
    parts: list[Works] = []
    files, unlisted = files_in(folder)
    left_out = [f"{label}: {reason}" for label, reason in unlisted]
    for label, path in files.items():
        try:
            works, skipped = _read(path, label.removesuffix(path.suffix))
        except (ValueError, OSError, MemoryError) as error:
            # Some messages begin with the path, which the label already gives.
            left_out.append(f"{label}: {str(error).removeprefix(f'{path}: ')}")
            continue
        left_out += [f"{label}: {reason}" for reason in skipped]
        parts.append(works)
    parts = [part for part in parts if len(part)]
    if not parts:
        reason = f" ({left_out[0]})" if left_out else f": no {KINDS} files"
        raise ReadingError(f"{folder}: nothing can be read{reason}")
    if any(part.images is not None for part in parts):
        parts = [_as_images(part) for part in parts]
    return join_works(parts), left_out


def read_drawings(path: Path) -> tuple[Works, list[str]]:
    """Read a file or a folder of drawings, whatever its kind; see :func:`read_folder`.

    Args:
        path: A file (.svg, a picture, saved works, Quick, Draw! drawings) or a folder of them.

    Returns:
        The works as moves, which draw pictures as near as 48 moves can; and what was left out.

    Raises:
        ReadingError: If nothing can be read.
    """
    if path.is_dir():
        works, left_out = read_folder(path)
    else:
        try:
            works, left_out = _read(path, path.stem)
        except (ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ReadingError(f"{path}: {str(reason).removeprefix(f'{path}: ')}") from error
    if works.images is None:
        return works, left_out
    return replace(works, moves=trace(works.images), images=None), left_out


def _read(path: Path, name: str) -> tuple[Works, list[str]]:
    """Works of one file, and what of it was left out."""
    kind = path.suffix.lower()
    if kind == ".svg":
        return _read_svg(path, name)
    if not path.is_file():
        raise ReadingError("not a file")
    if kind not in (*PICTURES, ".npz", ".ndjson"):
        raise ReadingError(f"not one of {KINDS}")
    size = path.stat().st_size
    if size > MAX_FILE:
        raise ReadingError(f"{size} bytes, at most {MAX_FILE} are read")
    if kind == ".npz":
        return _read_saved(path, name), []
    if kind == ".ndjson":
        try:
            corpus = load_corpus(str(path), progress=False)
        except CorpusError as error:
            raise ReadingError(str(error)) from error
        return corpus.works, [f"{line}: {reason}" for line, reason in corpus.skipped]
    works = from_images(read_picture(path)[None])
    if works.images is None or not works.images.any():
        raise ReadingError("nothing is drawn")
    return Works("drawing", works.moves, names=(name,), images=works.images), []


def _read_svg(path: Path, name: str) -> tuple[Works, list[str]]:
    try:
        strokes, skipped = read_svg(read_at_most(path, MAX_BYTES))
    except SvgError as error:
        raise ReadingError(str(error)) from error
    moves = moves_of(strokes)[None]
    if moves.shape[1] <= MAX_MOVES:
        return Works("drawing", pad_moves([moves[0]], MAX_MOVES), names=(name,)), skipped
    images = images_of(moves)
    return Works("drawing", trace(images), names=(name,), images=images), skipped


def _read_saved(path: Path, name: str) -> Works:
    try:
        works = Works.load(path)
    except WorksError as error:
        raise ReadingError(str(error).removeprefix(f"{path}: ")) from error
    if works.world not in WORLDS:
        raise ReadingError(
            f"works of the world {works.world!r:.40}, expected {' or '.join(WORLDS)}"
        )
    try:
        for what, moves in (("moves", works.moves), ("briefs", works.briefs)):
            check_moves(what, moves, N_MOVES)
    except ValueError as error:
        raise ReadingError(str(error)) from error
    if works.lengths.max(initial=0) > MAX_MOVES:
        raise ReadingError(f"moves: {works.lengths.max()} in one work, at most {MAX_MOVES} fit")
    if works.images is not None and works.images.shape[1:] != (SIZE, SIZE):
        raise ReadingError(f"images: expected (N, {SIZE}, {SIZE}), got {works.images.shape}")
    names = tuple(own or f"{name}-{i}" for i, own in enumerate(works.names))
    moves = works.moves[:, :MAX_MOVES]
    return Works("drawing", moves, works.briefs, names, works.appraisal, works.images)


def read_brief(path: Path) -> tuple[NDArray[np.int16], list[str]]:
    """The strokes of a drawing that others go on from.

    Args:
        path: A file of SVG, or a picture (PNG or JPEG), which is traced.

    Returns:
        Moves (B,) int16, as many as it takes, and what of the file was skipped.

    Raises:
        ReadingError: If it is another file, broken, or empty.
    """
    skipped: list[str] = []
    try:
        if path.suffix.lower() == ".svg":
            with path.open("rb") as file:
                strokes, skipped = read_svg(file.read(MAX_BYTES + 1))
            moves = moves_of(strokes)
        elif path.suffix.lower() in PICTURES:
            moves = _read(path, "")[0].moves[0]
        else:
            raise ReadingError(f"no strokes are read from it; .svg, {', '.join(PICTURES)} are")
    except OSError as error:
        raise ReadingError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ReadingError(f"{path}: {error}") from error
    return moves[(moves != PAD) & (moves != END)], skipped


def _as_images(works: Works) -> Works:
    if works.images is not None:
        return works
    images = images_of(works.moves, works.briefs)
    return Works("drawing", works.moves, works.briefs, works.names, works.appraisal, images)


def read_picture(path: Path) -> NDArray[np.float32]:
    """Ink (H, W) in [0, 1] of a PNG, JPEG or WebP file, its longer side at most 384 pixels.

    It is turned as its EXIF orientation says, as every viewer does.

    Raises:
        ReadingError: If the file is broken, is no such picture, or is too large.
    """
    try:
        with warnings.catch_warnings():
            # Sizes are checked below; what Pillow finds odd in metadata is nobody's concern.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
                if max(image.size) > MAX_SIDE:
                    width, height = image.size
                    raise ReadingError(
                        f"{width} x {height} pixels, at most {MAX_SIDE} x {MAX_SIDE} are read"
                    )
                pixels = _pixels(image)
    except ReadingError:
        raise
    except Image.DecompressionBombError as error:
        raise ReadingError(f"refused ({error})") from error
    except (OSError, ValueError, SyntaxError, LookupError, ArithmeticError, TypeError) as error:
        raise ReadingError(f"broken picture ({error})".replace(str(path), path.name)) from error
    ink = picture_ink(pixels)
    factor = -(-max(ink.shape) // WORKING_SIDE)
    if factor > 1:
        ink = np.asarray(Image.fromarray(ink).reduce(factor), np.float32)
    return np.clip(ink, 0, 1)


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    """Red, green, blue and opacity (H, W, 4), 0 to 255, the right way up."""
    image.load()  # a broken file is found before its metadata are believed
    with suppress(Exception):  # a picture with broken metadata is still a picture
        image = ImageOps.exif_transpose(image)
    if not image.mode.startswith("I"):
        return np.asarray(image.convert("RGBA"), np.float32)
    grey = np.asarray(image, np.float32) * np.float32(255 / 65535)  # 16 bits
    return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=2)


def picture_ink(pixels: NDArray[np.floating]) -> NDArray[np.float32]:
    """Find the ink of a picture: whatever differs from the ground, which the border shows.

    The ground is the border's median colour, white where most of the border is transparent; what is
    transparent shows it. Ink is the largest difference of a channel from the ground, so that dark
    on light, light on dark and coloured lines all work; where nothing differs (white lines on
    nothing) it is opacity. Ink is scaled so that the strongest point has 1.

    Args:
        pixels: (H, W, 4): red, green, blue and opacity, 0 to 255.

    Returns:
        (H, W) float32 in [0, 1]; all 0 if nothing stands out.
    """
    scaled = np.asarray(pixels, np.float32) / 255
    border = np.concatenate([scaled[0], scaled[-1], scaled[:, 0], scaled[:, -1]])
    opacity = scaled[:, :, 3]
    clear = np.median(border[:, 3]) < 0.5
    ground = np.ones(3, np.float32) if clear else np.median(border[:, :3], axis=0)
    ink = np.abs(scaled[:, :, :3] - ground).max(axis=2) * opacity
    if clear and ink.max() < LEAST_CONTRAST:
        ink = opacity.copy()
    strongest = float(ink.max())
    if strongest < LEAST_CONTRAST:
        return np.zeros_like(ink)
    return np.asarray(ink / strongest, np.float32)
