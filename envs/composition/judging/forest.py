"""The held-out judge: extremely randomised trees (Geurts et al. 2006) on histograms of a work.

Another family than the reward's critic: no gradient, no convolution, the whole work at once. The
trees are grown by scikit-learn and kept as plain arrays, so that they are saved without pickle and
judge alike on every machine.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.works import WorksError, read_npz, write_npz
from move37.envs.composition.judging.descriptor import features
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import EIGHTHS, FERMATA_ROW, LOWEST, PLACE_ROW
from move37.envs.composition.rules.melody import read_voice

N_TREES = 200
_MOTION = 0
_PAIRS = 15
_PLACES = 159
_ENDS = 183
N_EXTRA = 183 + 12
"""Motion of the voices together (5 x 3 classes), successive intervals (12 x 12), beginnings of
notes and their leaps by place in the bar (8 x 3), intervals under fermatas (12)."""


@njit(cache=True, nogil=True)
def _extra(
    scores: NDArray[np.int16], upper: int, upper_low: int, lower: int, lower_low: int,
    out: NDArray[np.float64],
) -> None:  # fmt: skip
    """What two voices do together, into ``out`` (N, 195)."""
    s, b = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    sk, bk = np.zeros(EIGHTHS, np.int64), np.zeros(EIGHTHS, np.int64)
    sn, bn = np.zeros((EIGHTHS, 3), np.int64), np.zeros((EIGHTHS, 3), np.int64)
    for n in range(scores.shape[0]):
        score, row = scores[n], out[n]
        read_voice(score[upper], upper_low, s, sk, sn)
        read_voice(score[lower], lower_low, b, bk, bn)
        last = -1
        for t in range(EIGHTHS):
            if b[t] < 0 or s[t] < 0:
                continue
            place = score[PLACE_ROW, t]
            if score[FERMATA_ROW, t] > 0:
                row[_ENDS + (s[t] - b[t]) % 12] += 0.25
            begins = bn[bk[t], 1] == t
            if not (begins or sn[sk[t], 1] == t):
                continue
            if begins:
                row[_PLACES + place] += 0.25
                consonant = (s[t] - b[t]) % 12
                if consonant in (1, 2, 5, 6, 10, 11):
                    row[_PLACES + 8 + place] += 0.25
                if bk[t] > 0 and abs(bn[bk[t], 0] - bn[bk[t] - 1, 0]) > 2:
                    row[_PLACES + 16 + place] += 0.25
            if last >= 0:
                ds, db = s[t] - s[last], b[t] - b[last]
                by = 2 if abs(db) > 2 else (1 if db != 0 else 0)
                way = 0 if db == 0 else (1 if ds == 0 else (2 if (ds > 0) == (db > 0) else 3))
                row[_MOTION + 5 * by + (4 if db == 0 and ds == 0 else way)] += 1.0 / 16
                row[_PAIRS + 12 * ((s[last] - b[last]) % 12) + (s[t] - b[t]) % 12] += 1.0 / 16
            last = t


def judged_features(scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float32]:
    """Histograms of the descriptor, and of each of ``mode.pairs`` together.

    Args:
        scores: (N, ``mode.n_rows``, 32).
        mode: In which they are written.

    Returns:
        float32, (N, 346) for a bass, (N, 497) for soprano and bass, (N, 1233) in four parts.
    """
    scores = np.ascontiguousarray(scores, np.int16)
    found = [features(scores, mode)]
    for upper, lower in mode.pairs:
        extra = np.zeros((len(scores), N_EXTRA))
        _extra(scores, upper, LOWEST[upper], lower, LOWEST[lower], extra)
        found.append(extra)
    return np.concatenate(found, axis=1).astype(np.float32)


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

    def judge(self, scores: NDArray[np.int16], mode: Mode) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1]: how human scores of a mode are."""
        return self(judged_features(scores, mode))

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
        """(N,) float64 in [0, 1]: mean share of human works where x (N, F) falls."""
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
            n_features: How many features it judges by: see :func:`judged_features`.
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
