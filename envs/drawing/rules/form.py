"""Form: rules of the craft, computed on the image, calibrated on human works.

Every rule measures one number on a 24 x 24 image; its term in [0, 1] has full marks where the
middle half of the human works (Tabler) lies, or on the good side of the human median where more
(or less) is simply better. Form is their softened product.

The rules know local order and economy; none looks like anything, so that new things may score.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.moves import SIZE
from move37.envs.judging.rule_scores import marks, softened_product

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
# inf (-inf) there. Of Tabler; `python -m move37.envs.drawing.rules.form` prints them anew.
INF = float("inf")
CALIBRATION: dict[str, tuple[float, float, float, float]] = {
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


@njit(cache=True, nogil=True)
def _fill(
    field: NDArray[np.uint8], mark: NDArray[np.uint8], value: int, y: int, x: int, diag: bool
) -> tuple[int, bool]:
    """Flood the region of ``value`` from (y, x); return its size and whether it is enclosed."""
    stack = np.empty((SIZE * SIZE, 2), np.int64)
    stack[0, 0], stack[0, 1] = y, x
    mark[y, x] = 1
    top, size, enclosed = 1, 0, True
    while top > 0:
        top -= 1
        cy, cx = stack[top, 0], stack[top, 1]
        size += 1
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                if (dy == 0 and dx == 0) or (not diag and dy != 0 and dx != 0):
                    continue
                ny, nx = cy + dy, cx + dx
                if ny < 0 or nx < 0 or ny >= SIZE or nx >= SIZE:
                    enclosed = False
                elif field[ny, nx] == value and mark[ny, nx] == 0:
                    mark[ny, nx] = 1
                    stack[top, 0], stack[top, 1] = ny, nx
                    top += 1
    return size, enclosed


@njit(cache=True, nogil=True)
def _measure(images: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    ring_y = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
    ring_x = np.array([0, 1, 1, 1, 0, -1, -1, -1])
    near = np.empty(8, np.int64)
    for n in range(images.shape[0]):
        image = images[n]
        ink, ends, corners, junctions, dots, straight, line = 0, 0, 0, 0, 0, 0, 0
        blocks, squeezed = 0, 0
        y0, y1, x0, x1 = SIZE, -1, SIZE, -1
        for y in range(SIZE):
            for x in range(SIZE):
                if image[y, x] == 0:
                    if 0 < x < SIZE - 1 and image[y, x - 1] and image[y, x + 1]:
                        squeezed += 1
                    elif 0 < y < SIZE - 1 and image[y - 1, x] and image[y + 1, x]:
                        squeezed += 1
                    continue
                ink += 1
                y0, y1, x0, x1 = min(y0, y), max(y1, y), min(x0, x), max(x1, x)
                if y + 1 < SIZE and x + 1 < SIZE:
                    if image[y + 1, x] and image[y, x + 1] and image[y + 1, x + 1]:
                        blocks += 1
                count, crossings = 0, 0
                for k in range(8):
                    py, px = y + ring_y[k], x + ring_x[k]
                    inside = 0 <= py < SIZE and 0 <= px < SIZE
                    near[k] = 1 if inside and image[py, px] else 0
                    count += near[k]
                for k in range(8):
                    if near[k] == 0 and near[(k + 1) % 8] == 1:
                        crossings += 1
                if count == 0:
                    dots += 1
                elif crossings == 1 and count <= 2:
                    ends += 1
                elif crossings >= 3:
                    junctions += 1
                elif crossings == 2 and count == 2:
                    line += 1
                    first = 0
                    while near[first] == 0:
                        first += 1
                    second = first + 1
                    while near[second] == 0:
                        second += 1
                    gap = second - first
                    if gap == 4:
                        straight += 1
                    elif gap <= 2 or gap >= 6:
                        corners += 1
        mark = np.zeros((SIZE, SIZE), np.uint8)
        components, closed = 0, 0
        for y in range(SIZE):
            for x in range(SIZE):
                if mark[y, x]:
                    continue
                size, enclosed = _fill(image, mark, image[y, x], y, x, image[y, x] == 1)
                if image[y, x] == 1:
                    components += 1
                elif enclosed and size >= 2:
                    closed += 1
        best = 0.0
        if ink:
            for kind in range(4):
                met = 0
                for y in range(y0, y1 + 1):
                    for x in range(x0, x1 + 1):
                        if image[y, x] == 0:
                            continue
                        if kind == 0:
                            my, mx = y, x0 + x1 - x
                        elif kind == 1:
                            my, mx = y0 + y1 - y, x
                        elif kind == 2:
                            my, mx = y0 + (x - x0), x0 + (y - y0)
                        else:
                            my, mx = y1 - (x - x0), x1 - (y - y0)
                        hit = False
                        for dy in range(-1, 2):
                            for dx in range(-1, 2):
                                if abs(dy) + abs(dx) == 2:
                                    continue
                                py, px = my + dy, mx + dx
                                if 0 <= py < SIZE and 0 <= px < SIZE and image[py, px]:
                                    hit = True
                        if hit:
                            met += 1
                best = max(best, met / ink)
        row = out[n]
        row[0] = ink
        row[1] = ends
        row[2] = blocks / max(ink, 1)
        row[3] = squeezed / max(ink, 1)
        row[4] = straight / max(line, 1)
        row[5] = ends + junctions + corners + dots
        row[6] = components
        row[7] = closed
        row[8] = max(y1 - y0, x1 - x0) + 1 if ink else 0
        cy, cx = (y0 + y1) / 2 - (SIZE - 1) / 2, (x0 + x1) / 2 - (SIZE - 1) / 2
        row[9] = np.sqrt(cy * cy + cx * cx) if ink else SIZE
        row[10] = best


def measure(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure images ((N, 24, 24) uint8 in {0, 1}); returns (N, 11) float64, columns as RULES."""
    out = np.zeros((len(images), len(RULES)), np.float64)
    _measure(np.ascontiguousarray(images, np.uint8), out)
    return out


def form_terms(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Each rule's term in [0, 1], (N,) float64, for images (N, 24, 24) in {0, 1}."""
    return marks(measure(images), RULES, CALIBRATION)


FLOOR = 0.005
SHARPNESS = 6
"""Form is (product of the terms, each at least FLOOR) ** (1 / SHARPNESS): one failed rule
multiplies it by 0.41, and half marks in one rule by 0.89."""


def form(terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """(N,) float64 in [0, 1]: the terms' product, softened as SHARPNESS says."""
    return softened_product([terms[rule] for rule in RULES], FLOOR, SHARPNESS)


def form_quality(works: Works) -> Terms:
    """Rule-based quality: every rule's term as ``form/...``, ``form``, and ``quality`` = form."""
    terms = form_terms(pictures_of(works))
    value = form(terms)
    return {f"form/{key}": v for key, v in terms.items()} | {"form": value, "quality": value}


def calibrate(images: NDArray[np.uint8]) -> dict[str, tuple[float, float, float, float]]:
    """Derive the calibration from human works ((N, 24, 24)).

    Rules in which less is better are full up to the human median and zero at the 99th percentile;
    straightness and symmetry, in which more is better, are full from the median and zero at the
    1st percentile; the others are full in the middle half. A work with no more features than the
    simplest tenth has none of their marks: a lone square is no drawing.
    """
    measured = measure(images)
    result = {}
    for column, rule in enumerate(RULES):
        x = measured[:, column]
        q01, q10, q25, q50, q75, q99 = np.quantile(x, [0.01, 0.1, 0.25, 0.5, 0.75, 0.99])
        if rule in ("open_ends", "clutter", "crowding", "balance"):
            result[rule] = (-INF, -INF, q50, q99)
        elif rule in ("straightness", "symmetry"):
            result[rule] = (q01, q50, INF, INF)
        elif rule == "closure":
            result[rule] = (-1.0, q50, q75, q99)
        else:
            low = q10 if rule == "features" else min(q01, q25 - 2.0)
            slack = 1.0 if rule == "extent" else 0.0
            result[rule] = (low, q25 - slack, q75 + slack, max(q99, q75 + slack + 2.0))
    return {k: tuple(round(float(v), 4) for v in t) for k, t in result.items()}  # type: ignore[misc]  # fixed length


def _main() -> None:
    from move37.envs.drawing.corpus.icons import load_corpus
    from move37.envs.drawing.dynamics import images_of

    for rule, bounds in calibrate(images_of(load_corpus("tabler").works.moves)).items():
        print(f'    "{rule}": {bounds},')


if __name__ == "__main__":
    _main()
