"""Descriptor of a drawing: what a viewer would tell drawings apart by.

Gradient histograms (Dalal and Triggs 2005; 6 x 6 cells, 4 unsigned orientations) and a blurred
12 x 12 image, reduced to 48 numbers by principal components of the human works. Computed work by
work in float64, so that a work's descriptor does not depend on what else is in the batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.moves import SIZE

CELLS = 6
ORIENTATIONS = 4
SMALL = 12
N_COMPONENTS = 48
N_FEATURES = CELLS * CELLS * ORIENTATIONS + SMALL * SMALL


@njit(cache=True, nogil=True)
def _features(images: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    kernel = np.array([0.0625, 0.25, 0.375, 0.25, 0.0625])
    for n in range(images.shape[0]):
        rows = np.zeros((SIZE, SIZE))
        blurred = np.zeros((SIZE, SIZE))
        for y in range(SIZE):
            for x in range(SIZE):
                if images[n, y, x]:
                    for k in range(5):
                        px = x + k - 2
                        if 0 <= px < SIZE:
                            rows[y, px] += kernel[k]
        for y in range(SIZE):
            for k in range(5):
                py = y + k - 2
                if 0 <= py < SIZE:
                    for x in range(SIZE):
                        blurred[py, x] += kernel[k] * rows[y, x]
        out[n] = 0.0
        for y in range(SIZE):
            for x in range(SIZE):
                gy = blurred[min(y + 1, SIZE - 1), x] - blurred[max(y - 1, 0), x]
                gx = blurred[y, min(x + 1, SIZE - 1)] - blurred[y, max(x - 1, 0)]
                size = np.sqrt(gx * gx + gy * gy)
                if size < 1e-9:
                    continue
                angle = np.arctan2(gy, gx) / np.pi * ORIENTATIONS
                if angle < 0:
                    angle += ORIENTATIONS
                low = int(np.floor(angle))
                share = angle - low
                # Bilinear votes into the four nearest cells, so that a small shift changes little.
                fy, fx = (y + 0.5) * CELLS / SIZE - 0.5, (x + 0.5) * CELLS / SIZE - 0.5
                iy, ix = int(np.floor(fy)), int(np.floor(fx))
                for cy in range(2):
                    for cx in range(2):
                        ky, kx = iy + cy, ix + cx
                        if ky < 0 or kx < 0 or ky >= CELLS or kx >= CELLS:
                            continue
                        weight = abs(1 - cy - (fy - iy)) * abs(1 - cx - (fx - ix)) * size
                        base = (ky * CELLS + kx) * ORIENTATIONS
                        out[n, base + low % ORIENTATIONS] += weight * (1 - share)
                        out[n, base + (low + 1) % ORIENTATIONS] += weight * share
        for i in range(CELLS * CELLS * ORIENTATIONS):
            out[n, i] = np.sqrt(out[n, i])
        base = CELLS * CELLS * ORIENTATIONS
        for y in range(SIZE):
            for x in range(SIZE):
                out[n, base + (y // 2) * SMALL + x // 2] += blurred[y, x] * 0.5


def features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Raw features (N, 288) float64 of images (N, 24, 24) uint8 in {0, 1}."""
    out = np.zeros((len(images), N_FEATURES))
    _features(np.ascontiguousarray(images, np.uint8), out)
    return out


def features_of(works: Works) -> NDArray[np.float64]:
    """Raw features (N, 288) float64 of works, as they look."""
    return features(pictures_of(works))
