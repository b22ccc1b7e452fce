"""Derives the calibration of the rules from human works, and prints it as it stands in the code.

    python -m benchmarks.calibrate               # counterpoint and harmony, from Bach's chorales
    python -m benchmarks.calibrate drawing       # form of drawings, from Tabler's icons

The numbers stand in envs/composition/rules/calibration.py and envs/drawing/rules/form.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
from move37.envs.composition.modes import BASS, FOUR, FREE
from move37.envs.composition.rules.form import measure_rules
from move37.envs.composition.rules.names import one_voice
from move37.envs.composition.scores import scores_of
from move37.envs.drawing.corpus.icons import load_corpus as load_icons
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.rules.form import RULES, measure
from move37.envs.judging.rule_scores import Bounds

INF = float("inf")

STRICT = ("fifths", "octaves", "crossing", "forbidden_leaps", "leading_note")
"""Rules of composition that allow nothing: the first finding takes all marks."""
AT_MOST = (
    "dissonance", "offbeat_dissonance", "direct", "similar", "unrecovered_leaps", "offbeat_leaps",
    "key", "chromatic_leaps", "syncopation", "repetition", "barline", "pedal", "cycles", "copies",
    "one_way", "same_interval", "extremes", "rests", "fermata_motion", "inner_fifths",
    "inner_octaves", "order", "wide", "unprepared", "passing", "leading_twice", "one_direction",
)  # fmt: skip
"""Rules in which less is better: full marks up to Bach's upper quartile, none from his 99th
percentile."""
AT_LEAST = ("consonance", "beats", "pitches", "cadence", "durations", "chords", "endings")
"""Rules in which more is better: full marks from Bach's lower quartile, none at the 1st."""
TO_MEDIAN = ("open_ends", "clutter", "crowding", "balance")
"""Rules of drawings in which less is better: full up to the median, none from the 99th."""
FROM_MEDIAN = ("straightness", "symmetry")
"""Rules of drawings in which more is better: full from the median, none at the 1st."""


def calibrate(measured: NDArray[np.float64], names: Sequence[str]) -> dict[str, Bounds]:
    """Derive the bounds of rules of composition from what they measure in human works.

    A rule that STRICT, AT_MOST and AT_LEAST do not name has full marks in the middle 70 %, and none
    outside the middle 98 %.

    Args:
        measured: (N, R).
        names: Of the R rules.
    """
    return {name: _bounds(one_voice(name), measured[:, i]) for i, name in enumerate(names)}


def _bounds(rule: str, x: NDArray[np.float64]) -> Bounds:
    q01, q15, q25, q75, q85, q99 = np.quantile(x, (0.01, 0.15, 0.25, 0.75, 0.85, 0.99))
    found = (q01, q15, q85, q99)
    if rule in STRICT:
        found = (-INF, -INF, 0.0, 1.0)
    elif rule in AT_MOST:
        # Where the quantiles lie close together the way down is longer.
        least = 0.1 if rule in ("similar", "repetition", "cycles") else 2.0
        found = (-INF, -INF, q75, max(q99, q75 + least))
    elif rule in AT_LEAST:
        found = (min(q01, 0.9 * q25), q25, INF, INF)
    return _rounded(found)


def calibrate_drawing(images: NDArray[np.uint8]) -> dict[str, Bounds]:
    """Derive the bounds of the rules of form from human drawings, (N, 24, 24).

    A rule that TO_MEDIAN and FROM_MEDIAN do not name is full in the middle half. A work with no
    more features than the simplest tenth has none of their marks: a lone square is no drawing.
    """
    measured = measure(images)
    result = {}
    for column, rule in enumerate(RULES):
        quantiles = [0.01, 0.1, 0.25, 0.5, 0.75, 0.99]
        q01, q10, q25, q50, q75, q99 = np.quantile(measured[:, column], quantiles)
        low = q10 if rule == "features" else min(q01, q25 - 2.0)
        slack = 1.0 if rule == "extent" else 0.0
        found = (low, q25 - slack, q75 + slack, max(q99, q75 + slack + 2.0))
        if rule in TO_MEDIAN:
            found = (-INF, -INF, q50, q99)
        elif rule in FROM_MEDIAN:
            found = (q01, q50, INF, INF)
        elif rule == "closure":
            found = (-1.0, q50, q75, q99)
        result[rule] = _rounded(found)
    return result


def _rounded(bounds: Bounds) -> Bounds:
    a, b, c, d = (round(float(bound), 4) for bound in bounds)
    return a, b, c, d


def composition() -> dict[str, Bounds]:
    """The bounds of all rules of composition."""
    corpus = load_corpus("bach")
    rows = corpus.split()["train"]
    works, inner = corpus.works[rows], corpus.inner[rows]
    scores = scores_of(works.moves, works.briefs, BASS)
    found: dict[str, Bounds] = {}
    for mode, some in ((FREE, scores), (FOUR, scores_in_four(works, inner))):
        bounds = calibrate(measure_rules(some, mode), mode.rules)
        found |= {rule: bounds[rule] for rule in mode.rules if rule not in found}
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser("benchmarks.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("world", nargs="?", choices=("composition", "drawing"))
    drawing = parser.parse_args().world == "drawing"
    images = images_of(load_icons("tabler").works.moves) if drawing else None
    for name, bounds in (composition() if images is None else calibrate_drawing(images)).items():
        print(f'    "{name}": ({", ".join(str(b).replace("inf", "INF") for b in bounds)}),')
