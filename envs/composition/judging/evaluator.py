"""The frozen evaluator of compositions: what no reward ever saw, and the yield it defines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.corpus.augment import damage, random_works
from move37.envs.composition.corpus.trivial import trivial_works
from move37.envs.composition.judging.descriptor import features_of, judged_features
from move37.envs.composition.modes import BASS, Mode
from move37.envs.composition.moves import BASS_ROW, EIGHTHS, FIRST_NOTE, SOPRANO_ROW
from move37.envs.composition.rules.form import form_quality, measure_rules
from move37.envs.composition.rules.originality import ALLOWED, Originality
from move37.envs.composition.scores import moves_and_briefs, scores_of
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.evaluator import Evaluator, Measures
from move37.envs.judging.forest import Forest
from move37.envs.judging.pca import PrincipalComponents


def negatives_of(works: Works, seed: int, pools: int = 4) -> NDArray[np.int16]:
    """Scores of damaged works and, one in three, of moves or notes of chance and trivial basses.

    Where several voices are written, some of them are Bach's, or none.
    """
    mode = Mode.of(works)
    if mode == BASS:
        return _spoilt_basses(works.moves, works.briefs, seed, pools)
    return (_spoilt_parts if mode.in_four else _spoilt_pairs)(works, seed, pools)


def _spoilt_basses(
    moves: NDArray[np.int16], briefs: NDArray[np.int16], seed: int, pools: int
) -> NDArray[np.int16]:
    """As :func:`negatives_of`, of basses (N, 32) to briefs (N, 67)."""
    rng = np.random.default_rng(seed)
    parts = [scores_of(damage(moves, rng), briefs, BASS) for _ in range(pools)]
    n = max(1, len(moves) * pools // 8)
    for rhythms in (None, moves):
        some = briefs[rng.integers(0, len(moves), n)]
        parts.append(scores_of(random_works(n, rng, rhythms), some, BASS))
    some = briefs[rng.integers(0, len(moves), 2 * n)]
    parts.append(scores_of(trivial_works(some, rng), some, BASS))
    return np.concatenate(parts)


def _spoilt_pairs(works: Works, seed: int, pools: int) -> NDArray[np.int16]:
    """As :func:`negatives_of`, of works (N, 64): the bass, the soprano, or both are spoilt.

    The codes of both voices have the same range, so a soprano is spoilt as a bass is: it stands in
    for one, under itself.
    """
    human = scores_of_works(works)
    rng = np.random.default_rng((seed, 1))
    spoilt = []
    for voice in (BASS_ROW, SOPRANO_ROW):
        posed = human.copy()
        posed[:, BASS_ROW] = human[:, voice]
        spoilt.append(_spoilt_basses(*moves_and_briefs(posed, BASS), seed + voice, pools))
    out, sopranos = spoilt[0], spoilt[1][rng.permutation(len(spoilt[1]))]
    what = rng.integers(0, 3, len(out))
    out[what > 0, SOPRANO_ROW] = sopranos[what > 0, BASS_ROW]
    whole = human[rng.integers(0, len(human), len(out))]
    out[what == 1, BASS_ROW] = whole[what == 1, BASS_ROW]
    return out


def _spoilt_parts(works: Works, seed: int, pools: int) -> NDArray[np.int16]:
    """As :func:`negatives_of`, in four parts: some of the written voices are spoilt.

    Each is spoilt as a bass is: the codes of all voices have the same range.
    """
    human, rows = scores_of_works(works), Mode.of(works).written
    rng = np.random.default_rng((seed, 2))
    few = max(1, len(human) * pools // 8)
    at = np.concatenate(
        [np.tile(np.arange(len(human)), pools), rng.integers(0, len(human), 4 * few)]
    )
    out: NDArray[np.int16] = human[at]
    every = (1 << len(rows)) - 1
    which = rng.integers(1, every + 1, len(out))
    # Trivial voices go together, as often as not: all of them, or all but the bass.
    which[-few:] = rng.choice([every, every - 1], few)
    trivial = trivial_works(works.briefs[at[-2 * few :]], rng)
    for i, row in enumerate(rows):
        codes = human[:, row]
        parts = [damage(codes, rng) for _ in range(pools)]
        parts += [random_works(few, rng, rhythms) for rhythms in (None, codes)]
        parts.append(trivial)
        one = which >> i & 1 > 0
        out[one, row] = np.concatenate(parts)[one]
    return out


def train_judge(works: Works, seed: int, pools: int = 4) -> Forest:
    """Grow the held-out judge from human works and damage done to them."""
    mode = Mode.of(works)
    wrong = negatives_of(works, seed, pools)
    human = judged_features(scores_of_works(works), mode)
    return Forest.fit(human, judged_features(wrong, mode), seed)


class CompositionEvaluator(Evaluator):
    """Measures compositions against Bach's; see the base class.

    ``copied`` is the longest passage of both voices that stands in a human work, as a share of the
    work, ``bass_copied`` that of the bass alone.

    Args:
        human: The works that novelty and copying are measured against, with their tunes as
            ``appraisal["tune"]``: a work's novelty among them leaves out its whole tune.
        held_out: Human works that nothing was fitted to; they set the thresholds.
        forest: The held-out judge.
        descriptor: A saved one; fitted to ``human`` if None.
    """

    copied_at_most = ALLOWED / EIGHTHS
    form_at_median = True
    repeats_may_count = True
    averaged = (
        *Evaluator.averaged, "yield_with_repeats", "bass_copied", "parallels", "forbidden_leaps",
        "dissonances",
    )  # fmt: skip
    counted = ("moves", "notes")

    def __init__(
        self,
        human: Works,
        held_out: Works,
        forest: Forest,
        descriptor: PrincipalComponents | None = None,
    ) -> None:
        self.forest, self._mode = forest, Mode.of(human)
        scores = scores_of_works(human)
        self.originality = Originality(scores)
        self._basses = Originality(scores, with_soprano=False)
        descriptor = descriptor or PrincipalComponents.fit(
            features_of, human, self._mode.components
        )
        super().__init__(human, held_out, descriptor)

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the held-out judge says of works."""
        return self.forest(judged_features(scores_of_works(works), self._mode))

    def form(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the rules of counterpoint say."""
        return form_quality(works)["form"]

    def copied(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: the longest copied passage, as a share of the work."""
        return self.originality.longest(scores_of_works(works)) / EIGHTHS

    def facts(self, works: Works) -> Measures:
        """What is copied of the bass alone, and counts of moves, notes and offences."""
        scores = scores_of_works(works)
        found = dict(zip(self._mode.rules, measure_rules(scores, self._mode).T, strict=True))
        parallels = ("fifths", "octaves", "inner_fifths", "inner_octaves")
        return {
            "bass_copied": self._basses.copied(scores),
            "moves": works.lengths.astype(np.float64),
            "notes": (works.moves >= FIRST_NOTE).sum(axis=1).astype(np.float64),
            "parallels": np.sum([found[rule] for rule in parallels if rule in found], axis=0),
            "forbidden_leaps": found["forbidden_leaps"],
            "dissonances": found["dissonance"] + found["offbeat_dissonance"],
        }

    def save_judge(self, folder: Path) -> None:
        """Write the forest."""
        self.forest.save(folder / "judge.npz")

    @classmethod
    def load(cls, folder: Path) -> CompositionEvaluator:
        """Read what :meth:`save` wrote."""
        human, held_out = cls.load_human(folder)
        scores, mode = scores_of_works(human[:1]), Mode.of(human)
        forest = Forest.load(folder / "judge.npz", judged_features(scores, mode).shape[1])
        descriptor = PrincipalComponents.load(folder / "descriptor.npz", features_of, human)
        return cls(human, held_out, forest, descriptor)
