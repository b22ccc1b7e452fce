"""From images to works of the drawing world: threshold, thin, follow the lines, encode as moves.

The thinned image is the image of the work, so that line width does not matter; the moves are traced
from it, so that copied strokes are recognised. Thinning is that of Zhang and Suen (1984) in
scikit-image. Lines are followed from junction to junction, and straight on through a junction where
two of them line up. Each line becomes the polyline with the fewest points that stays close to it
(the optimal polygonal approximation of Perez and Vidal, 1994).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize

from move37.envs.base.caches import njit
from move37.envs.base.works import Works, pad_moves
from move37.envs.drawing.moves import MAX_MOVES, SIZE, moves_of

THRESHOLD = (0.2, 0.8)
"""Otsu's threshold is clipped to these, so that faint noise on an empty board is not ink."""
STRAIGHT = np.cos(np.radians(140))
"""Largest cosine between two lines that leave a junction if they are one line through it."""
POINT_COST = 0.6
"""Cost of one more point of a polyline, in squared distances from its line summed over cells."""
TOLERANCE = 0.51
"""Largest distance of a polyline from the centre of a cell of its line, in cells. A straight line
of the board stays within half a cell."""
_EPSILON = 1e-6
RING = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""(dy, dx) of the eight neighbours of a cell, in order; direction k + 4 leads back."""

Bitmap = NDArray[np.uint8]
Points = NDArray[np.int64]


def from_images(images: NDArray[np.floating]) -> Works:
    """Turn images into works.

    The threshold is Otsu's (1979), clipped to 0.2 to 0.8. An image that is not 24 x 24 is padded to
    a square and thinned at its own size first: lines much thinner than a point of the board remain,
    thick ones become thin. Each point of the board then has ink if its part of the image has. The
    image is thinned again at 24 x 24; the result is the work.

    Args:
        images: (N, H, W) in [0, 1]; 1 is ink.

    Returns:
        N works with (N, 48) moves, the longest strokes where not all fit, and (N, 24, 24) images.

    Raises:
        ValueError: If the shape is wrong, or a value is not finite or not in [0, 1].
    """
    images = np.asarray(images)
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise ValueError(f"images: expected shape (N, H, W), got {images.shape}")
    values = images.astype(np.float32)
    if values.size and not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):
        raise ValueError(
            f"images: expected values in [0, 1], got {values.min():g} to {values.max():g}"
        )
    thinned = np.zeros((len(values), SIZE, SIZE), np.uint8)
    for i, value in enumerate(values):
        thinned[i] = _on_board(binarise(value))
    return Works("drawing", trace(thinned), images=thinned)


def binarise(image: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Ink (H, W) of an image in [0, 1]: above Otsu's threshold, clipped to 0.2 to 0.8."""
    otsu = threshold_otsu(np.asarray(image, np.float32))  # type: ignore[no-untyped-call]
    threshold = float(np.clip(otsu, *THRESHOLD))
    ink: NDArray[np.bool_] = image > threshold
    return ink


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin ink (H, W) to lines one point wide; a right angle of thin lines keeps its corner."""
    padded = np.pad(ink, 2)
    thinned = np.pad(skeleton(ink), 2)
    corners = np.zeros_like(padded)
    for turns in range(4):
        line, ground = np.rot90(thinned, turns), np.rot90(padded, turns)
        out = np.rot90(corners, turns)  # a view
        # Thinning cuts the corner c of a a c, and of b b below c: a and b then touch diagonally.
        corner = ground[:-2, 2:] & ~line[:-2, 2:]
        arms = line[:-2, 1:-1] & line[:-2, :-2] & line[1:-1, 2:] & line[2:, 2:]
        out[:-2, 2:] |= corner & arms & ~line[1:-1, 1:-1]
    # A thick corner has ink around its own corner and stays round.
    around = ndimage.convolve(padded.astype(np.int8), np.ones((3, 3), np.int8), mode="constant")
    kept: NDArray[np.bool_] = (thinned | (corners & (around <= 3)))[2:-2, 2:-2]
    return kept


def skeleton(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ink (H, W) thinned to lines one point wide."""
    return np.asarray(skeletonize(ink), np.bool_)  # type: ignore[no-untyped-call]


def _on_board(ink: NDArray[np.bool_]) -> Bitmap:
    """Thinned ink at 24 x 24 from ink of any size."""
    height, width = ink.shape
    if height == width == SIZE:
        return thin(ink).astype(np.uint8)
    side = max(height, width)
    y, x = np.nonzero(skeleton(ink))
    y, x = y + (side - height) // 2, x + (side - width) // 2
    board = np.zeros((SIZE, SIZE), np.bool_)
    if side >= SIZE:
        board[(2 * y + 1) * SIZE // (2 * side), (2 * x + 1) * SIZE // (2 * side)] = True
    else:
        cells = (2 * np.arange(SIZE) + 1) * side // (2 * SIZE)
        small = np.zeros((side, side), np.bool_)
        small[y, x] = True
        board = small[np.ix_(cells, cells)]
    return thin(board).astype(np.uint8)


def trace(images: Bitmap) -> NDArray[np.int16]:
    """Moves (N, 48) that draw thin images (N, 24, 24) in {0, 1}, as near as 48 moves can."""
    return pad_moves([moves_of(_longest(_strokes(image))) for image in images], MAX_MOVES)


def strokes_on_board(ink: NDArray[np.bool_]) -> list[Points]:
    """The strokes, each (P, 2) of x and y, that draw ink (H, W) of any size on the board."""
    return _strokes(_on_board(ink))


def _strokes(image: Bitmap) -> list[Points]:
    points = np.zeros((8 * SIZE * SIZE, 2), np.int64)
    ends = np.zeros(4 * SIZE * SIZE + 1, np.int64)
    nodes = np.zeros((SIZE, SIZE), np.bool_)
    count = _follow(np.ascontiguousarray(image), points, ends, nodes)
    paths = [points[ends[i] : ends[i + 1]].copy() for i in range(count)]
    return [_polyline(p) for p in _join(paths, nodes)]


@njit(cache=True, nogil=True)
def _linked(image: Bitmap, y: int, x: int, dy: int, dx: int) -> bool:
    """Whether the cell (dy, dx) beside an inked one continues its line.

    Cells that touch at a corner do, unless a cell with ink beside both leads round that corner.
    """
    ny, nx = y + dy, x + dx
    if not (0 <= ny < SIZE and 0 <= nx < SIZE) or image[ny, nx] == 0:
        return False
    return dy == 0 or dx == 0 or (image[y, nx] == 0 and image[ny, x] == 0)


@njit(cache=True, nogil=True)
def _walk(
    image: Bitmap, links: Points, used: NDArray[np.bool_], y0: int, x0: int, k: int, path: Points
) -> int:
    """Follow a line from a cell in direction k to the next node, or back to the cell.

    Marks the links it takes in ``used``, in both directions; writes the cells (x, y) to ``path``
    and returns how many there are.
    """
    path[0, 0], path[0, 1] = x0, y0
    count, y, x = 1, y0, x0
    while True:
        used[y, x, k] = True
        y, x = y + RING[k][0], x + RING[k][1]
        back = (k + 4) % 8
        used[y, x, back] = True
        path[count, 0], path[count, 1] = x, y
        count += 1
        if links[y, x] != 2 or (y == y0 and x == x0):
            return count
        for other in range(8):
            if other != back and _linked(image, y, x, RING[other][0], RING[other][1]):
                k = other


@njit(cache=True, nogil=True)
def _follow(image: Bitmap, points: Points, ends: Points, nodes: NDArray[np.bool_]) -> int:
    """Follow the lines of a thin image from node to node; returns how many there are.

    A node is a cell with other than two links. Path i is ``points[ends[i]:ends[i + 1]]``, (P, 2)
    of x, y; a closed path without nodes ends where it began, a lone cell is one point. ``nodes``
    receives the junctions: cells with three links or more.
    """
    links = np.zeros((SIZE, SIZE), np.int64)
    used = np.zeros((SIZE, SIZE, 8), np.bool_)
    for y in range(SIZE):
        for x in range(SIZE):
            if image[y, x]:
                for dy, dx in RING:
                    links[y, x] += _linked(image, y, x, dy, dx)
                nodes[y, x] = links[y, x] > 2
    count = at = 0
    ends[0] = 0
    for closed in (False, True):  # closed paths are what is left in the end
        for y in range(SIZE):
            for x in range(SIZE):
                if image[y, x] == 0 or (links[y, x] == 2) != closed:
                    continue
                if links[y, x] == 0:
                    points[at, 0], points[at, 1] = x, y
                    at += 1
                    count += 1
                    ends[count] = at
                for k in range(8):
                    if used[y, x, k] or not _linked(image, y, x, RING[k][0], RING[k][1]):
                        continue
                    at += _walk(image, links, used, y, x, k, points[at:])
                    count += 1
                    ends[count] = at
    return count


def _join(paths: list[Points], nodes: NDArray[np.bool_]) -> list[Points]:
    """Join the paths that go straight on through a junction, the straightest pair first."""
    labels, n_junctions = ndimage.label(nodes, np.ones((3, 3)))
    if not n_junctions:
        return paths
    kept: list[Points] = []
    inside: list[list[Points]] = [[] for _ in range(n_junctions + 1)]
    leaving: list[list[tuple[int, int]]] = [[] for _ in range(n_junctions + 1)]
    for path in paths:
        first, last = (labels[path[end, 1], path[end, 0]] for end in (0, -1))
        if len(path) <= 3 and first and first == last:
            inside[first].append(path)  # a junction has several cells
            continue
        for end, label in enumerate((first, last)):
            if label:
                leaving[label].append((len(kept), end))
        kept.append(path)
    beyond: dict[tuple[int, int], tuple[int, int]] = {}
    for ends in leaving[1:]:
        headings = [_heading(kept[i], end) for i, end in ends]
        pairs = sorted(
            (float(headings[a] @ headings[b]), a, b) for a in range(len(ends)) for b in range(a)
        )
        for cosine, a, b in pairs:
            if cosine <= STRAIGHT and ends[a] not in beyond and ends[b] not in beyond:
                beyond[ends[a]], beyond[ends[b]] = ends[b], ends[a]
    # Thinning leaves no block that no line leaves; an image that has one keeps its inside.
    joined = [path for own, ends in zip(inside, leaving, strict=True) if not ends for path in own]
    done = [False] * len(kept)
    # Chains with an end first; what is left are circles of paths.
    starts = [(i, end) for i in range(len(kept)) for end in (0, 1) if (i, end) not in beyond]
    for start in starts + [(i, 0) for i in range(len(kept))]:
        parts: list[Points] = []
        here: tuple[int, int] | None = start
        while here is not None and not done[here[0]]:
            i, end = here
            done[i] = True
            parts.append(kept[i] if end == 0 else kept[i][::-1])
            here = beyond.get((i, 1 - end))
        if parts:
            if here is not None and len(parts) > 1:
                parts.append(parts[0][:1])
            joined.append(np.concatenate(parts))
    return joined


def _heading(path: Points, end: int) -> NDArray[np.float64]:
    """Unit vector (2,) in which a path leaves its first (0) or last (1) point."""
    ordered = path if end == 0 else path[::-1]
    step = (ordered[min(4, len(path) - 1)] - ordered[0]).astype(np.float64)
    length = float(np.hypot(*step))
    return np.asarray(step / length if length else step, np.float64)


def _polyline(path: Points) -> Points:
    """The points (P, 2) of the polyline for a path (L, 2); a dot has its point twice."""
    fresh = np.ones(len(path), np.bool_)
    fresh[1:] = (path[1:] != path[:-1]).any(axis=1)
    path = path[fresh]
    if len(path) == 1:
        return np.repeat(path, 2, axis=0)
    kept = corners_of(path)
    if len(kept) > 2 and (path[0] == path[-1]).all():
        # A closed line may begin anywhere: begin at a corner.
        turned = np.roll(path[:-1], -int(kept[len(kept) // 2]), axis=0)
        path = np.concatenate([turned, turned[:1]])
        kept = corners_of(path)
    return np.asarray(path[kept], np.int64)


@njit(cache=True, nogil=True)
def corners_of(
    path: Points, tolerance: float = TOLERANCE, point_cost: float = POINT_COST
) -> Points:
    """Indices of the points of the cheapest polyline along a path (L, 2), both ends included.

    Args:
        path: Points that the polyline stays close to and is made of.
        tolerance: Largest distance of a point from it, in cells.
        point_cost: See ``POINT_COST``; a very large one gives the fewest points.
    """
    n = len(path)
    cost = np.full(n, np.inf)
    cost[0] = 0.0
    before = np.zeros(n, np.int64)
    for j in range(1, n):
        for i in range(j):
            dx, dy = path[j, 0] - path[i, 0], path[j, 1] - path[i, 1]
            square = dx * dx + dy * dy
            total = cost[i] + point_cost
            if square == 0 or total >= cost[j]:
                continue
            for m in range(i + 1, j):
                px, py = path[m, 0] - path[i, 0], path[m, 1] - path[i, 1]
                along = min(max((px * dx + py * dy) / square, 0.0), 1.0)
                distance = (px - along * dx) ** 2 + (py - along * dy) ** 2
                total += distance
                if distance > tolerance * tolerance or total >= cost[j]:
                    total = np.inf
                    break
            if total < cost[j] - _EPSILON:
                cost[j] = total
                before[j] = i
    count, at = 1, n - 1
    while at > 0:
        at = before[at]
        count += 1
    out = np.zeros(count, np.int64)
    at = n - 1
    for k in range(count - 1, 0, -1):
        out[k] = at
        at = before[at]
    return out


def _longest(strokes: list[Points]) -> list[Points]:
    """The longest strokes that fit in 48 moves, in their order; one too long is cut short."""
    lengths = [float(np.hypot(*np.diff(s, axis=0).T).sum()) for s in strokes]
    room = MAX_MOVES
    chosen: list[int] = []
    for i in sorted(range(len(strokes)), key=lambda i: (-lengths[i], i)):
        if not chosen and len(strokes[i]) >= MAX_MOVES:
            strokes[i] = strokes[i][: MAX_MOVES - 1]
        # Each stroke costs its points and the LIFT or END behind it.
        if len(strokes[i]) + 1 <= room:
            chosen.append(i)
            room -= len(strokes[i]) + 1
    return [strokes[i] for i in sorted(chosen)]
