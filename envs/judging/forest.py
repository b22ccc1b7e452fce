"""A held-out judge: extremely randomised trees (Geurts et al. 2006) on features of a work.

Another family than a reward's critic: no gradient, no convolution, the whole work at once. The
trees are grown by scikit-learn and kept as plain arrays, so that they are saved without pickle and
judge alike on every machine.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.caches import njit
from move37.envs.base.works import WorksError, read_npz, write_npz

N_TREES = 200


@njit(cache=True, nogil=True)
def _vote(
    x: NDArray[np.float32], roots: NDArray[np.int64], left: NDArray[np.int32],
    right: NDArray[np.int32], feature: NDArray[np.int32], threshold: NDArray[np.float64],
    value: NDArray[np.float64], out: NDArray[np.float64],
) -> None:  # fmt: skip
    for n in range(x.shape[0]):
        total = 0.0
        for root in roots:
            node = root
            while left[node] >= 0:
                low = x[n, feature[node]] <= threshold[node]
                node = root + (left[node] if low else right[node])
            total += value[node]
        out[n] = total / len(roots)


class Forest:
    """Trees as arrays, one after the other.

    Args:
        roots: (K,) int64: where each tree begins.
        left: (M,) int32: a node's left child, counted from its tree's root; below 0: a leaf.
        right: (M,) int32.
        feature: (M,) int32: what a node asks.
        threshold: (M,) float64: left is at most this.
        value: (M,) float64: share of human works in a node.
    """

    def __init__(
        self, roots: NDArray[np.int64], left: NDArray[np.int32], right: NDArray[np.int32],
        feature: NDArray[np.int32], threshold: NDArray[np.float64], value: NDArray[np.float64],
    ) -> None:  # fmt: skip
        self.roots, self.left, self.right = roots, left, right
        self.feature, self.threshold, self.value = feature, threshold, value

    @classmethod
    def fit(
        cls, human: NDArray[np.float32], negatives: NDArray[np.float32], seed: int,
        trees: int = N_TREES,
    ) -> Forest:  # fmt: skip
        """Grow trees that tell ``human`` (M, F) from ``negatives`` (K, F), both sides balanced."""
        from sklearn.ensemble import ExtraTreesClassifier

        x = np.concatenate([human, negatives])
        y = np.concatenate([np.ones(len(human)), np.zeros(len(negatives))])
        grown = ExtraTreesClassifier(
            trees, min_samples_leaf=3, max_features=0.2, class_weight="balanced",
            random_state=seed, n_jobs=1,
        ).fit(x, y)  # fmt: skip
        trees_ = [estimator.tree_ for estimator in grown.estimators_]
        counts = np.array([tree.node_count for tree in trees_])

        def joined(name: str, kind: type) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name) for tree in trees_]).astype(kind)

        shares = np.concatenate([tree.value[:, 0] for tree in trees_])
        return cls(
            (counts.cumsum() - counts).astype(np.int64),
            joined("children_left", np.int32),
            joined("children_right", np.int32),
            joined("feature", np.int32),
            joined("threshold", np.float64),
            shares[:, 1] / shares.sum(axis=1),
        )

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: mean share of human works where x (N, F) falls.

        Raises:
            ValueError: If x has fewer features than the trees ask for.
        """
        if x.ndim != 2 or x.shape[1] <= self.feature.max():
            raise ValueError(f"features: more than {self.feature.max()} needed, got {x.shape}")
        out = np.zeros(len(x))
        _vote(
            np.ascontiguousarray(x, np.float32), self.roots, self.left, self.right, self.feature,
            self.threshold, self.value, out,
        )  # fmt: skip
        return out

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``path`` (.npz, no pickle)."""
        write_npz(path, dict(vars(self)))

    @classmethod
    def load(cls, path: str | os.PathLike[str], n_features: int) -> Forest:
        """Read what :meth:`save` wrote; WorksError if it is damaged.

        Args:
            path: Of the file.
            n_features: How many features it judges by.
        """
        arrays = read_npz(path)
        names = ("roots", "left", "right", "feature", "threshold", "value")
        if not set(names) <= set(arrays):
            raise WorksError(f"{path}: not a saved forest")
        nodes = len(arrays["left"])
        whole = all(arrays[name].shape == (nodes,) for name in names[1:])
        roots = arrays["roots"]
        if not (whole and len(roots) and roots.min() >= 0 and roots.max() < nodes):
            raise WorksError(f"{path}: not a saved forest")
        inner = arrays["left"] >= 0
        ends = np.append(roots[1:], nodes)
        sizes = np.repeat(ends - roots, ends - roots)
        index = np.arange(nodes) - np.repeat(roots, ends - roots)
        for name in ("left", "right"):
            child = arrays[name]
            # A child stands after its parent and within its tree: no walk can go astray.
            if ((child[inner] >= sizes[inner]) | (child[inner] <= index[inner])).any():
                raise WorksError(f"{path}: not a saved forest")
        asked = arrays["feature"][inner]
        if ((asked < 0) | (asked >= n_features)).any():
            raise WorksError(f"{path}: not a saved forest")
        return cls(**{name: arrays[name] for name in names})
