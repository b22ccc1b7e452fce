"""The frozen yardstick for compositions: what no reward ever saw, and the yield it defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.corpus.augment import damage, random_works
from move37.envs.composition.corpus.trivial import trivial_works
from move37.envs.composition.judging.descriptor import Descriptor, descriptor_for
from move37.envs.composition.judging.forest import Forest, judged_features
from move37.envs.composition.modes import BASS, Mode
from move37.envs.composition.moves import BASS_ROW, FIRST_NOTE, SOPRANO_ROW
from move37.envs.composition.rules.chords import measure_chords
from move37.envs.composition.rules.counterpoint import measure
from move37.envs.composition.rules.form import form, form_terms
from move37.envs.composition.rules.names import INNER_FIFTHS, INNER_OCTAVES, RULES
from move37.envs.composition.rules.originality import ALLOWED, Originality
from move37.envs.composition.scores import moves_and_briefs, scores_of
from move37.envs.composition.works import scores_of_works
from move37.novelty.archive import NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty, novelty_in_groups, repeats

REPEAT_BELOW = 0.5


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


@dataclass(frozen=True)
class Thresholds:
    """The conditions of the yield, from human works.

    Attributes:
        heldout: Human median of the held-out judge; ``heldout_loose`` the lower quartile.
        form: Human median of form; ``form_loose`` the lower quartile.
        novelty: 95th percentile of human works' novelty to other tunes'; ``novelty_loose`` the
            75th.
    """

    heldout: float
    heldout_loose: float
    form: float
    form_loose: float
    novelty: float
    novelty_loose: float


class Evaluator:
    """Measures works against human ones.

    Args:
        human: The works that novelty and copying are measured against, with their tunes as
            ``appraisal["tune"]``: a work's novelty among them leaves out its whole tune.
        held_out: Human works that nothing was fitted to; they set the bars.
        forest: The held-out judge.
        k_neighbors: For novelty.
        descriptor: A saved one; fitted to ``human`` if None. The fit is a singular value
            decomposition, whose last bits depend on the machine and its load: judging works
            again exactly needs the saved one.
    """

    def __init__(
        self,
        human: Works,
        held_out: Works,
        forest: Forest,
        k_neighbors: int = 15,
        descriptor: Descriptor | None = None,
    ) -> None:
        scores = scores_of_works(human)
        self.human, self.held_out, self.forest = human, held_out, forest
        self._mode = Mode.of(human)
        kind = descriptor_for(self._mode)
        self.descriptor = kind.fit(human) if descriptor is None else descriptor
        self.k_neighbors = k_neighbors
        x = self.descriptor(human)
        among = leave_one_out_novelty(x, k_neighbors, human.appraisal.get("tune"))
        self.scale = float(np.median(among))
        self.archive = NoveltyArchive(self.descriptor.dim, k_neighbors, scale=self.scale)
        self.archive.pin(x)
        self.originality = Originality(scores)
        self._basses = Originality(scores, with_soprano=False)
        held = scores_of_works(held_out)
        judged = forest.judge(held, self._mode)
        shaped = form(form_terms(held, self._mode), self._mode)
        self.thresholds = Thresholds(
            heldout=float(np.median(judged)),
            heldout_loose=float(np.quantile(judged, 0.25)),
            form=float(np.median(shaped)),
            form_loose=float(np.quantile(shaped, 0.25)),
            novelty=float(np.quantile(among, 0.95) / self.scale),
            novelty_loose=float(np.quantile(among, 0.75) / self.scale),
        )

    def describe(self, works: Works) -> NDArray[np.float32]:
        """Descriptors (N, D) of works."""
        return self.descriptor(works)

    def save(self, folder: Path) -> None:
        """Write what :meth:`load` reads."""
        self.descriptor.save(folder / "descriptor.npz")
        self.human.save(folder / "human.npz")
        self.held_out.save(folder / "human-held-out.npz")
        self.forest.save(folder / "judge.npz")

    @classmethod
    def load(cls, folder: Path) -> Evaluator:
        """Read what :meth:`save` wrote."""
        human = Works.load(folder / "human.npz")
        scores, mode = scores_of_works(human[:1]), Mode.of(human)
        return cls(
            human,
            Works.load(folder / "human-held-out.npz"),
            Forest.load(folder / "judge.npz", judged_features(scores, mode).shape[1]),
            descriptor=descriptor_for(mode).load(folder / "descriptor.npz"),
        )

    def judge(self, works: Works) -> NDArray[np.float64]:
        """(N,) float64: what the held-out judge says of works."""
        return self.forest.judge(scores_of_works(works), self._mode)

    def _inner_parallels(self, scores: NDArray[np.int16]) -> NDArray[np.float64]:
        """(N,) float64: parallel fifths and octaves that alto or tenor is part of."""
        if not self._mode.in_four:
            return np.zeros(len(scores))
        found = measure_chords(scores)[:, [INNER_FIFTHS, INNER_OCTAVES]]
        total: NDArray[np.float64] = found.sum(axis=1)
        return total

    def measure(self, works: Works) -> dict[str, NDArray[np.float64]]:
        """Everything measured of works, each (N,) float64.

        ``repeats`` is 1 where a work lies nearer to an earlier one of these than half the human
        median distance. ``copied`` is the longest passage of both voices that stands in a human
        work, as a share of the work, ``bass_copied`` that of the bass alone. ``yield`` is 1 where
        form and the judge reach the human median, novelty the human 95th percentile, no more than
        8 eighths are copied and the work is no repeat; ``yield_loose`` asks for the quartiles and
        the 75th percentile, ``yield_with_repeats`` for all but that it is no repeat: a melody
        that is laid before a maker again may get the same answer.
        """
        scores = scores_of_works(works)
        x = self.descriptor(works)
        thresholds = self.thresholds
        found = measure(scores)
        column = {rule: found[:, i] for i, rule in enumerate(RULES)}
        heldout = self.forest.judge(scores, self._mode)
        shaped = form(form_terms(scores, self._mode), self._mode)
        novelty = self.archive.novelty(x)
        longest = self.originality.longest(scores)
        again = repeats(x, REPEAT_BELOW * self.scale)
        both = (longest <= ALLOWED) & ~again
        strict = (
            (shaped >= thresholds.form)
            & (heldout >= thresholds.heldout)
            & (novelty >= thresholds.novelty)
        )
        loose = (
            (shaped >= thresholds.form_loose)
            & (heldout >= thresholds.heldout_loose)
            & (novelty >= thresholds.novelty_loose)
        )
        return {
            "heldout_quality": heldout,
            "form": shaped,
            "novelty_human": novelty,
            "novelty_self": novelty_in_groups(x, self.k_neighbors) / self.scale,
            "copied": longest / scores.shape[2],
            "bass_copied": self._basses.copied(scores),
            "repeats": again.astype(np.float64),
            "yield": (strict & both).astype(np.float64),
            "yield_loose": (loose & both).astype(np.float64),
            "yield_with_repeats": (strict & (longest <= ALLOWED)).astype(np.float64),
            "moves": works.lengths.astype(np.float64),
            "notes": (works.moves >= FIRST_NOTE).sum(axis=1).astype(np.float64),
            "parallels": column["fifths"] + column["octaves"] + self._inner_parallels(scores),
            "forbidden_leaps": column["forbidden_leaps"],
            "dissonances": column["dissonance"] + column["offbeat_dissonance"],
        }


_MEANS = (
    "yield", "yield_loose", "yield_with_repeats", "repeats", "copied", "bass_copied", "parallels",
    "forbidden_leaps", "dissonances",
)  # fmt: skip


def summarise(measured: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """One number per measure: means of shares and of what is counted per work, else medians."""
    out = {}
    for key, values in measured.items():
        if key in _MEANS:
            out[key] = float(np.mean(values))
        elif key in ("moves", "notes"):
            out[f"{key}_median"] = float(np.median(values))
        else:
            out[key] = float(np.median(values))
    return out
