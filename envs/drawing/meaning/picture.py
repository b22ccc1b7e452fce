"""What recognisers see of a drawing: its lines, cropped to what is drawn, 48 x 48 pixels.

Every drawing is shown the same way, from its moves; so a recogniser cannot tell the manner of a
maker from how its works were rendered. Variation (turns, scales, shears, wobble, gaps) is done to
the lines before they are rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, SIZE

PIXELS = 48
"""Width and height of a picture."""
MARGIN = 4.0
"""Pixels between what is drawn and the border."""
WIDTH = 2.2
"""Line width in pixels, where nothing is varied."""
LEAST_EXTENT = 8.0
"""A drawing smaller than this, in points of the board, is not enlarged to fill the picture."""
WAVES = 3
"""Waves that bend a drawing, in each direction."""
N_NUMBERS = 9 + 6 * WAVES

Numbers = NDArray[np.float64]
"""(N, N_NUMBERS): what is done to each drawing."""


@dataclass(frozen=True)
class Variation:
    """How far pictures of one drawing vary.

    Attributes:
        turn: Largest turn, in degrees.
        scale: Largest change of width and height, as a share.
        shear: Largest shear.
        shift: Largest shift, as a share of the picture.
        bend: Largest amplitude of a wave that bends the lines, in points of the board.
        wobble: Standard deviation of the places of points, in points of the board.
        thick: Share of pictures with lines up to twice as wide.
        gap: Share of pictures in which one segment is missing.
        mirror: Share of pictures with left and right exchanged.
    """

    turn: float = 20.0
    scale: float = 0.25
    shear: float = 0.25
    shift: float = 0.125
    bend: float = 0.0
    wobble: float = 0.0
    thick: float = 0.33
    gap: float = 0.0
    mirror: float = 0.0

    def draw(self, n: int, rng: np.random.Generator) -> Numbers:
        """Numbers for n pictures."""
        numbers = np.zeros((n, N_NUMBERS))
        turn = np.radians(rng.uniform(-self.turn, self.turn, n))
        sx, sy = np.exp(rng.uniform(-self.scale, self.scale, (2, n)))
        shear = rng.uniform(-self.shear, self.shear, n)
        cos, sin = np.cos(turn), np.sin(turn)
        numbers[:, 0], numbers[:, 1] = cos * sx, (cos * shear - sin) * sy
        numbers[:, 2], numbers[:, 3] = sin * sx, (sin * shear + cos) * sy
        numbers[:, 0:3:2] *= np.where(rng.random((n, 1)) < self.mirror, -1, 1)
        numbers[:, 4:6] = rng.uniform(-self.shift, self.shift, (n, 2)) * PIXELS
        wide = rng.random(n) < self.thick
        numbers[:, 6] = WIDTH * np.where(wide, rng.uniform(1, 2, n), rng.uniform(0.8, 1.1, n))
        numbers[:, 7] = np.abs(rng.normal(0, self.wobble, n)) if self.wobble else 0
        numbers[:, 8] = rng.random(n) < self.gap
        waves = numbers[:, 9:].reshape(n, 2 * WAVES, 3)
        waves[:, :, 0] = rng.uniform(0, self.bend, (n, 1)) * rng.uniform(0, 1, (n, 2 * WAVES))
        waves[:, :, 1] = rng.uniform(0.1, 0.5, (n, 2 * WAVES))
        waves[:, :, 2] = rng.uniform(0, 2 * np.pi, (n, 2 * WAVES))
        return numbers


AS_IT_IS = np.zeros((1, N_NUMBERS))
AS_IT_IS[0, [0, 3]] = 1.0
AS_IT_IS[0, 6] = WIDTH

JITTER = Variation(turn=6, scale=0.08, shear=0.06, shift=0.04, thick=0.2)
"""Little changes that leave a drawing what it is."""


def pictures(
    moves: NDArray[np.int16], numbers: Numbers | None = None, seed: int = 0
) -> NDArray[np.uint8]:
    """Render drawings.

    Args:
        moves: (N, T) int16, -1 after the end.
        numbers: (N, N_NUMBERS) from :meth:`Variation.draw`; None: as they are.
        seed: Of the wobble and the gaps.

    Returns:
        (N, 48, 48) uint8; 255 is ink.
    """
    if numbers is None:
        numbers = np.repeat(AS_IT_IS, len(moves), axis=0)
    out = np.zeros((len(moves), PIXELS, PIXELS), np.uint8)
    _render(np.ascontiguousarray(moves, np.int16), numbers, seed, out)
    return out


@njit(cache=True, nogil=True)
def _render(
    moves: NDArray[np.int16], numbers: NDArray[np.float64], seed: int, out: NDArray[np.uint8]
) -> None:
    np.random.seed(seed)
    limit = 8 * MAX_MOVES
    xs, ys = np.zeros(limit), np.zeros(limit)
    starts = np.zeros(limit, np.bool_)
    for i in range(moves.shape[0]):
        numbers_i = numbers[i]
        n = _lines(moves[i], numbers_i, xs, ys, starts)
        n = _without_lone_points(n, xs, ys, starts)
        if n == 0:
            continue
        left, right, top, bottom = xs[:n].min(), xs[:n].max(), ys[:n].min(), ys[:n].max()
        extent = max(right - left, bottom - top, LEAST_EXTENT)
        scale = (PIXELS - 2 * MARGIN) / extent
        cx, cy = (left + right) / 2, (top + bottom) / 2
        for j in range(n):
            x, y = (xs[j] - cx) * scale, (ys[j] - cy) * scale
            xs[j] = numbers_i[0] * x + numbers_i[1] * y + numbers_i[4] + PIXELS / 2 - 0.5
            ys[j] = numbers_i[2] * x + numbers_i[3] * y + numbers_i[5] + PIXELS / 2 - 0.5
        for j in range(n):
            if not starts[j]:
                _segment(out[i], xs[j - 1], ys[j - 1], xs[j], ys[j], numbers_i[6] / 2)


@njit(cache=True, nogil=True)
def _without_lone_points(
    n: int, xs: NDArray[np.float64], ys: NDArray[np.float64], starts: NDArray[np.bool_]
) -> int:
    """Take out points that leave no ink, so that they do not move the picture; returns how many."""
    kept = 0
    for j in range(n):
        if starts[j] and (j + 1 == n or starts[j + 1]):
            continue
        xs[kept], ys[kept], starts[kept] = xs[j], ys[j], starts[j]
        kept += 1
    return kept


@njit(cache=True, nogil=True)
def _lines(
    moves: NDArray[np.int16],
    numbers: NDArray[np.float64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    starts: NDArray[np.bool_],
) -> int:
    """Write the bent points of a drawing's lines; returns how many."""
    count, down = 0, False
    bent = numbers[9] > 0 or numbers[12] > 0
    ax = ay = 0.0
    gap = -1
    if numbers[8] > 0:
        gap = np.random.randint(0, MAX_MOVES)
    for t in range(moves.shape[0]):
        a = moves[t]
        if a < 0 or a == END:
            break
        if a == LIFT:
            down = False
            continue
        x, y = float(a % SIZE), float(a // SIZE)
        if numbers[7] > 0:
            x += np.random.normal(0.0, numbers[7])
            y += np.random.normal(0.0, numbers[7])
        pieces = 1
        if down and bent:
            pieces = min(6, 1 + int(max(abs(x - ax), abs(y - ay)) / 3))
        for k in range(1, pieces + 1):
            px = ax + (x - ax) * k / pieces if down else x
            py = ay + (y - ay) * k / pieces if down else y
            if count >= xs.shape[0]:
                return count
            dx = dy = 0.0
            if bent:
                for w in range(WAVES):
                    at = 9 + 3 * w
                    dx += numbers[at] * np.sin(numbers[at + 1] * py + numbers[at + 2])
                    at += 3 * WAVES
                    dy += numbers[at] * np.sin(numbers[at + 1] * px + numbers[at + 2])
            xs[count], ys[count] = px + dx, py + dy
            starts[count] = (not down and k == 1) or t == gap
            count += 1
        ax, ay, down = x, y, True
    return count


@njit(cache=True, nogil=True)
def _segment(
    image: NDArray[np.uint8], x0: float, y0: float, x1: float, y1: float, radius: float
) -> None:
    """Draw a line with round ends, its edge softened over a pixel."""
    reach = radius + 0.5
    dx, dy = x1 - x0, y1 - y0
    square = dx * dx + dy * dy
    for py in range(
        max(0, int(np.ceil(min(y0, y1) - reach))),
        min(PIXELS - 1, int(np.floor(max(y0, y1) + reach))) + 1,
    ):
        for px in range(
            max(0, int(np.ceil(min(x0, x1) - reach))),
            min(PIXELS - 1, int(np.floor(max(x0, x1) + reach))) + 1,
        ):
            along = 0.0
            if square > 0:
                along = min(1.0, max(0.0, ((px - x0) * dx + (py - y0) * dy) / square))
            ex, ey = px - x0 - along * dx, py - y0 - along * dy
            cover = reach - np.sqrt(ex * ex + ey * ey)
            if cover > 0:
                value = np.uint8(255 * min(1.0, cover))
                if value > image[py, px]:
                    image[py, px] = value
