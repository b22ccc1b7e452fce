"""Descriptors: principal components of what a world measures of a work.

Computed work by work in float64, so that a work's descriptor does not depend on what else is in the
batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.works import Works, WorksError, read_npz, write_npz

Features = Callable[[Works], NDArray[np.float64]]
"""What a world measures of N works, (N, F)."""


@njit(cache=True, nogil=True)
def _project(
    features: NDArray[np.float64],
    mean: NDArray[np.float64],
    components: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    for n in range(features.shape[0]):
        for d in range(components.shape[0]):
            total = 0.0
            for i in range(features.shape[1]):
                total += (features[n, i] - mean[i]) * components[d, i]
            out[n, d] = total


class PrincipalComponents:
    """Maps works to ``dim`` numbers.

    Args:
        features: What is measured of N works, (N, F) float64.
        mean: (F,) float64.
        components: (dim, F) float64.
    """

    def __init__(
        self, features: Features, mean: NDArray[np.float64], components: NDArray[np.float64]
    ) -> None:
        self.features = features
        self.mean = np.ascontiguousarray(mean, np.float64)
        self.components = np.ascontiguousarray(components, np.float64)
        self.dim = len(self.components)

    @classmethod
    def fit(cls, features: Features, works: Works, n_components: int) -> PrincipalComponents:
        """Fit at most so many principal components to human works."""
        raw = features(works)
        mean = raw.mean(axis=0)
        _, _, components = np.linalg.svd(raw - mean, full_matrices=False)
        # The sign of a component is arbitrary: fix it, so that every machine finds the same.
        peak = np.abs(components).argmax(axis=1)
        components *= np.sign(components[np.arange(len(components)), peak])[:, None]
        return cls(features, mean, components[:n_components])

    def __call__(self, works: Works) -> NDArray[np.float32]:
        """(N, dim) float32 for N works.

        Raises:
            ValueError: If they have another number of features.
        """
        raw = self.features(works)
        if raw.shape[1:] != self.mean.shape:
            raise ValueError(
                f"descriptor: made for {len(self.mean)} features, these works have {raw.shape[1:]}"
            )
        out = np.zeros((len(works), self.dim), np.float32)
        _project(np.ascontiguousarray(raw, np.float64), self.mean, self.components, out)
        return out

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``path`` (.npz, no pickle)."""
        write_npz(path, {"mean": self.mean, "components": self.components})

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], features: Features, works: Works
    ) -> PrincipalComponents:
        """Read what :meth:`save` wrote; WorksError if it is damaged, or not made for such works."""
        arrays = read_npz(path)
        mean, components = arrays.get("mean"), arrays.get("components")
        if (
            mean is None
            or components is None
            or mean.shape != features(works[:1]).shape[1:]
            or components.shape[1:] != mean.shape
            or not np.isfinite(mean).all()
            or not np.isfinite(components).all()
        ):
            raise WorksError(f"{path}: not a saved descriptor")
        return cls(features, mean, components)
