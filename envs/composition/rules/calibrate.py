"""Derive the calibration of the rules from the training tunes of Bach's chorales, and print it.

python -m move37.envs.composition.rules.calibrate
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
from move37.envs.composition.modes import BASS, FOUR, FREE
from move37.envs.composition.rules.calibration import INF
from move37.envs.composition.rules.measures import measure_rules
from move37.envs.composition.rules.names import one_voice
from move37.envs.composition.scores import scores_of
from move37.envs.judging.rule_scores import Bounds

STRICT = ("fifths", "octaves", "crossing", "forbidden_leaps", "leading_note")
"""Rules that allow nothing: the first finding takes all marks."""
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


def calibrate(measured: NDArray[np.float64], names: Sequence[str]) -> dict[str, Bounds]:
    """Derive the bounds of rules from what they measure in human works.

    A rule that STRICT, AT_MOST and AT_LEAST do not name has full marks in the middle 70 %, and none
    outside the middle 98 %.

    Args:
        measured: (N, R).
        names: Of the R rules.
    """
    return {name: _bounds(one_voice(name), measured[:, i]) for i, name in enumerate(names)}


def _bounds(rule: str, x: NDArray[np.float64]) -> Bounds:
    """Bounds of one rule, rounded to four digits, from its measures (N,)."""
    q01, q15, q25, q75, q85, q99 = (float(q) for q in np.quantile(x, _QUANTILES))
    low, full_from, full_to, high = q01, q15, q85, q99
    if rule in STRICT:
        low, full_from, full_to, high = -INF, -INF, 0.0, 1.0
    elif rule in AT_MOST:
        # Where the quantiles lie close together the way down is longer.
        least = 0.1 if rule in ("similar", "repetition", "cycles") else 2.0
        low, full_from, full_to, high = -INF, -INF, q75, max(q99, q75 + least)
    elif rule in AT_LEAST:
        low, full_from, full_to, high = min(q01, 0.9 * q25), q25, INF, INF
    return round(low, 4), round(full_from, 4), round(full_to, 4), round(high, 4)


_QUANTILES = (0.01, 0.15, 0.25, 0.75, 0.85, 0.99)


def main() -> None:
    """Print the calibration as it stands in ``calibration``."""
    corpus = load_corpus("bach")
    rows = corpus.split()["train"]
    works, inner = corpus.works[rows], corpus.inner[rows]
    scores = scores_of(works.moves, works.briefs, BASS)
    found: dict[str, Bounds] = {}
    for mode, some in ((FREE, scores), (FOUR, scores_in_four(works, inner))):
        measured = calibrate(measure_rules(some, mode), mode.rules)
        found |= {rule: bounds for rule, bounds in measured.items() if rule not in found}
    for rule, bounds in found.items():
        text = ", ".join(str(b).replace("inf", "INF") for b in bounds)
        print(f'    "{rule}": ({text}),')


if __name__ == "__main__":
    main()
