"""Form: rules of the craft, computed on the image and calibrated on human works.

Each rule measures one number on a 24 x 24 image. Its term in [0, 1] is 1 where the middle half of
the human works (Tabler) lies, or on the good side of the human median where more (or less) is
simply better. Form is the softened product of the terms.

The rules measure local order and economy. None depends on what is depicted, so new things can
score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.caches import njit
from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.moves import SIZE
from move37.envs.judging.rule_scores import Bounds, rule_scores, rule_terms

RULES = (
    "ink",
    "open_ends",
    "clutter",
    "crowding",
    "straightness",
    "features",
    "components",
    "closure",
    "extent",
    "balance",
    "symmetry",
)
"""Names of the measures, in the order of the columns of :func:`measure`.

ink: inked points. open_ends: points where a line ends in the open. clutter: 2 x 2 blocks full of
ink, per inked point. crowding: empty points squeezed between two inked ones, per inked point.
straightness: share of line points whose two neighbours lie opposite each other. features: ends,
junctions, sharp corners and dots together. components: separate figures. closure: enclosed fields
(at least two points). extent: the longer side of the bounding box. balance: distance of the
bounding box's centre from the board's centre. symmetry: the best of four mirrorings of the
bounding box, as the share of ink that meets ink within one point.
"""

# (zero below, full from, full to, zero above) per rule; a rule without an upper (lower) bound has
# inf (-inf) there. Of Tabler; `python -m benchmarks.calibrate drawing` prints them
# anew.
INF = float("inf")
CALIBRATION: dict[str, Bounds] = {
    "ink": (17.0, 50.0, 75.0, 104.0),
    "open_ends": (-INF, -INF, 4.0, 17.0),
    "clutter": (-INF, -INF, 0.0, 0.0513),
    "crowding": (-INF, -INF, 0.0408, 0.25),
    "straightness": (0.0833, 0.6341, INF, INF),
    "features": (4.0, 6.0, 13.0, 23.0),
    "components": (0.0, 2.0, 3.0, 9.11),
    "closure": (-1.0, 1.0, 2.0, 6.0),
    "extent": (9.0, 18.0, 20.0, 22.0),
    "balance": (-INF, -INF, 0.7071, 2.6926),
    "symmetry": (0.4498, 0.9231, INF, INF),
}


# What a point of ink is, by its eight neighbours.
DOT, LINE_END, JUNCTION, CORNER, STRAIGHT, CURVE, OTHER = range(7)


def _kind(neighbours: int) -> int:
    """What a point of ink is: one of DOT to OTHER.

    Args:
        neighbours: Bit k tells whether the k-th neighbour has ink, clockwise from the one above.
    """
    inked = [k for k in range(8) if neighbours >> k & 1]
    crossings = sum((k - 1) % 8 not in inked for k in inked)  # from empty to ink, going round
    if not inked:
        return DOT
    if crossings == 1 and len(inked) <= 2:
        return LINE_END
    if crossings >= 3:
        return JUNCTION
    if crossings == 2 and len(inked) == 2:
        gap = inked[1] - inked[0]
        if gap == 4:
            return STRAIGHT
        return CORNER if gap <= 2 or gap >= 6 else CURVE
    return OTHER


KINDS = np.array([_kind(neighbours) for neighbours in range(256)], np.uint8)


# The compiled functions below look at a board with a margin of one empty point on each side, so
# that every point of ink has eight neighbours.


@njit(cache=True, nogil=True)
def neighbours(board: NDArray[np.uint8], y: int, x: int) -> int:
    """Which of the eight neighbours have ink, as :func:`_kind` wants it."""
    return int(
        board[y - 1, x]
        | board[y - 1, x + 1] << 1
        | board[y, x + 1] << 2
        | board[y + 1, x + 1] << 3
        | board[y + 1, x] << 4
        | board[y + 1, x - 1] << 5
        | board[y, x - 1] << 6
        | board[y - 1, x - 1] << 7
    )


@njit(cache=True, nogil=True)
def _is_squeezed(board: NDArray[np.uint8], y: int, x: int) -> int:
    """1 if an empty point lies between two inked ones, side by side or one above the other."""
    return int((board[y, x - 1] & board[y, x + 1]) | (board[y - 1, x] & board[y + 1, x]))


@njit(cache=True, nogil=True)
def _starts_block(board: NDArray[np.uint8], y: int, x: int) -> int:
    """1 if an inked point is the upper left one of a full 2 x 2 block."""
    return int(board[y + 1, x] & board[y, x + 1] & board[y + 1, x + 1])


@njit(cache=True, nogil=True)
def _fill(
    board: NDArray[np.uint8], mark: NDArray[np.bool_], stack: NDArray[np.int64], y: int, x: int
) -> tuple[int, bool]:
    """Mark the region of points like (y, x); return its size and whether it is enclosed.

    Ink is linked at corners too, empty points are not.
    """
    value = board[y, x]
    stack[0, 0], stack[0, 1] = y, x
    mark[y, x] = True
    top, size, enclosed = 1, 0, True
    while top > 0:
        top -= 1
        cy, cx = stack[top, 0], stack[top, 1]
        size += 1
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                if value == 0 and dy != 0 and dx != 0:
                    continue
                ny, nx = cy + dy, cx + dx
                if ny == 0 or nx == 0 or ny > SIZE or nx > SIZE:
                    enclosed = False
                elif board[ny, nx] == value and not mark[ny, nx]:
                    mark[ny, nx] = True
                    stack[top, 0], stack[top, 1] = ny, nx
                    top += 1
    return size, enclosed


@njit(cache=True, nogil=True)
def _regions(board: NDArray[np.uint8]) -> tuple[int, int]:
    """Separate figures, and enclosed fields of at least two points."""
    mark = np.zeros(board.shape, np.bool_)
    stack = np.empty((SIZE * SIZE, 2), np.int64)
    figures, fields = 0, 0
    for y in range(1, SIZE + 1):
        for x in range(1, SIZE + 1):
            if mark[y, x]:
                continue
            size, enclosed = _fill(board, mark, stack, y, x)
            if board[y, x]:
                figures += 1
            elif enclosed and size >= 2:
                fields += 1
    return figures, fields


@njit(cache=True, nogil=True)
def _has_ink_near(board: NDArray[np.uint8], y: int, x: int) -> bool:
    """Whether (y, x), which may lie outside the board, or a point beside it has ink."""
    if 1 <= y <= SIZE and 1 <= x <= SIZE:
        beside = board[y - 1, x] | board[y + 1, x] | board[y, x - 1] | board[y, x + 1]
        return bool((board[y, x] | beside) != 0)
    if 1 <= x <= SIZE:
        return bool((y == 0 and board[1, x]) or (y == SIZE + 1 and board[SIZE, x]))
    if 1 <= y <= SIZE:
        return bool((x == 0 and board[y, 1]) or (x == SIZE + 1 and board[y, SIZE]))
    return False


@njit(cache=True, nogil=True)
def _symmetry(board: NDArray[np.uint8], ink: int, y0: int, y1: int, x0: int, x1: int) -> float:
    """The best of four mirrorings of the bounding box: the share of ink that meets ink nearby."""
    left_right = up_down = diagonal = other_diagonal = 0
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            if board[y, x]:
                left_right += _has_ink_near(board, y, x0 + x1 - x)
                up_down += _has_ink_near(board, y0 + y1 - y, x)
                diagonal += _has_ink_near(board, y0 + (x - x0), x0 + (y - y0))
                other_diagonal += _has_ink_near(board, y1 - (x - x0), x1 - (y - y0))
    return max(left_right, up_down, diagonal, other_diagonal) / ink


@njit(cache=True, nogil=True)
def _measure(images: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    board = np.zeros((SIZE + 2, SIZE + 2), np.uint8)
    kinds = np.empty(OTHER + 1, np.int64)
    for n in range(images.shape[0]):
        board[1:-1, 1:-1] = images[n]
        kinds[:] = 0
        ink, blocks, squeezed = 0, 0, 0
        y0, y1, x0, x1 = SIZE + 1, 0, SIZE + 1, 0
        for y in range(1, SIZE + 1):
            for x in range(1, SIZE + 1):
                if board[y, x] == 0:
                    squeezed += _is_squeezed(board, y, x)
                    continue
                ink += 1
                y0, y1, x0, x1 = min(y0, y), max(y1, y), min(x0, x), max(x1, x)
                blocks += _starts_block(board, y, x)
                kinds[KINDS[neighbours(board, y, x)]] += 1
        line = kinds[STRAIGHT] + kinds[CURVE] + kinds[CORNER]
        row = out[n]
        row[0] = ink
        row[1] = kinds[LINE_END]
        row[2] = blocks / max(ink, 1)
        row[3] = squeezed / max(ink, 1)
        row[4] = kinds[STRAIGHT] / max(line, 1)
        row[5] = kinds[LINE_END] + kinds[JUNCTION] + kinds[CORNER] + kinds[DOT]
        row[6], row[7] = _regions(board)
        row[8], row[9], row[10] = 0, SIZE, 0
        if ink:
            row[8] = max(y1 - y0, x1 - x0) + 1
            dy, dx = (y0 + y1 - SIZE - 1) / 2, (x0 + x1 - SIZE - 1) / 2
            row[9] = np.sqrt(dy * dy + dx * dx)
            row[10] = _symmetry(board, ink, y0, y1, x0, x1)


def measure(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure images ((N, 24, 24) uint8 in {0, 1}); returns (N, 11) float64, columns as RULES."""
    out = np.zeros((len(images), len(RULES)), np.float64)
    _measure(np.ascontiguousarray(images, np.uint8), out)
    return out


def form_terms(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Each rule's term in [0, 1], (N,) float64, for images (N, 24, 24) in {0, 1}."""
    return rule_scores(measure(images), RULES, CALIBRATION)


FLOOR = 0.005
SHARPNESS = 6
"""Form is (product of the terms, each at least FLOOR) ** (1 / SHARPNESS): one failed rule
multiplies it by 0.41, and half marks in one rule by 0.89."""


def form_quality(works: Works) -> Terms:
    """Rule-based quality: every rule's term as ``form/...``, ``form``, and ``quality`` = form."""
    return rule_terms(form_terms(pictures_of(works)), FLOOR, SHARPNESS)
