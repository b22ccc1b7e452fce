"""Form: the rules of counterpoint as terms in [0, 1], calibrated on Bach's chorales.

Every rule measures one number on a score (see ``counterpoint``); its term has
full marks where most of Bach's basses lie. Form is the softened product of all terms, so that no
excellence in one makes up for a failure in another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Terms
from move37.envs.base.works import Works
from move37.envs.composition.moves import SOPRANO_ROW, in_four, writes_both
from move37.envs.composition.rules.chords import measure_four
from move37.envs.composition.rules.counterpoint import measure, measure_voice
from move37.envs.composition.rules.names import FOUR_RULES, RULES, SOPRANO_RULES, one_voice
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.rule_scores import marks, softened_product

INF = float("inf")

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

# (zero below, full from, full to, zero above) per rule; a rule without an upper (lower) bound has
# inf (-inf) there. `python -m move37.envs.composition.rules.form` prints them anew.
CALIBRATION: dict[str, tuple[float, float, float, float]] = {
    "dissonance": (-INF, -INF, 0.0, 2.0),
    "offbeat_dissonance": (-INF, -INF, 0.0, 2.0),
    "consonance": (0.75, 0.875, INF, INF),
    "fifths": (-INF, -INF, 0.0, 1.0),
    "octaves": (-INF, -INF, 0.0, 1.0),
    "direct": (-INF, -INF, 0.0, 2.0),
    "similar": (-INF, -INF, 0.5, 0.7692),
    "forbidden_leaps": (-INF, -INF, 0.0, 1.0),
    "unrecovered_leaps": (-INF, -INF, 0.0, 2.0),
    "offbeat_leaps": (-INF, -INF, 2.0, 6.0),
    "compass": (8.0, 12.0, 17.0, 20.0),
    "height": (42.9563, 47.0625, 55.5859, 58.5703),
    "spacing": (14.8583, 17.375, 21.7734, 24.5703),
    "crossing": (-INF, -INF, 0.0, 1.0),
    "key": (-INF, -INF, 2.0, 5.25),
    "chromatic_leaps": (-INF, -INF, 0.0, 2.0),
    "leading_note": (-INF, -INF, 0.0, 1.0),
    "density": (13.0, 16.0, 23.0, 27.0),
    "beats": (0.6875, 0.875, INF, INF),
    "syncopation": (-INF, -INF, 0.0, 2.0),
    "durations": (0.3712, 0.8997, INF, INF),
    "repetition": (-INF, -INF, 0.0526, 0.1526),
    "barline": (-INF, -INF, 0.0, 2.0),
    "pedal": (-INF, -INF, 5.0, 8.0),
    "cycles": (-INF, -INF, 0.2727, 0.4712),
    "copies": (-INF, -INF, 3.0, 5.0),
    "steps": (0.362, 0.5573, 0.8222, 0.9126),
    "one_way": (-INF, -INF, 5.0, 9.0),
    "pitches": (2.3604, 2.8372, INF, INF),
    "same_interval": (-INF, -INF, 3.0, 5.0),
    "imperfect": (0.25, 0.4375, 0.625, 0.8125),
    "extremes": (-INF, -INF, 3.0, 6.0),
    "rests": (-INF, -INF, 0.0, 2.0),
    "cadence": (0.5, 1.0, INF, INF),
    "fermata_motion": (-INF, -INF, 0.0, 2.0),
}


SOPRANO_CALIBRATION: dict[str, tuple[float, float, float, float]] = {
    "soprano_forbidden_leaps": (-INF, -INF, 0.0, 1.0),
    "soprano_unrecovered_leaps": (-INF, -INF, 0.0, 2.0),
    "soprano_offbeat_leaps": (-INF, -INF, 0.0, 2.0),
    "soprano_compass": (5.0, 7.0, 12.0, 14.0),
    "soprano_height": (61.8828, 65.6875, 75.6875, 78.1484),
    "soprano_key": (-INF, -INF, 0.0, 5.25),
    "soprano_chromatic_leaps": (-INF, -INF, 0.0, 2.0),
    "soprano_density": (12.0, 14.0, 19.0, 22.0),
    "soprano_beats": (0.6719, 0.8125, INF, INF),
    "soprano_syncopation": (-INF, -INF, 0.0, 2.0),
    "soprano_durations": (0.0, 0.7642, INF, INF),
    "soprano_repetition": (-INF, -INF, 0.2, 0.4615),
    "soprano_barline": (-INF, -INF, 1.0, 4.0),
    "soprano_pedal": (-INF, -INF, 6.0, 9.25),
    "soprano_cycles": (-INF, -INF, 0.4167, 0.8083),
    "soprano_copies": (-INF, -INF, 3.0, 9.0),
    "soprano_steps": (0.5385, 0.7143, 0.9333, 1.0),
    "soprano_one_way": (-INF, -INF, 4.0, 7.0),
    "soprano_pitches": (1.6997, 2.18, INF, INF),
    "soprano_extremes": (-INF, -INF, 4.0, 6.0),
    "soprano_rests": (-INF, -INF, 0.0, 2.0),
}


FOUR_CALIBRATION: dict[str, tuple[float, float, float, float]] = {
    "inner_fifths": (-INF, -INF, 0.0, 2.0),
    "inner_octaves": (-INF, -INF, 0.0, 2.0),
    "order": (-INF, -INF, 1.0, 8.0),
    "wide": (-INF, -INF, 0.0, 6.0),
    "chords": (0.6875, 0.875, INF, INF),
    "unprepared": (-INF, -INF, 0.0, 2.0),
    "passing": (-INF, -INF, 1.0, 3.0),
    "leading_twice": (-INF, -INF, 0.0, 2.0),
    "one_direction": (-INF, -INF, 1.0, 3.0),
    "endings": (0.4383, 1.0, INF, INF),
    "alto_forbidden_leaps": (-INF, -INF, 0.0, 1.0),
    "alto_unrecovered_leaps": (-INF, -INF, 0.0, 2.0),
    "alto_offbeat_leaps": (-INF, -INF, 1.0, 5.0),
    "alto_compass": (4.0, 6.0, 12.0, 14.0),
    "alto_height": (57.4769, 60.9688, 70.0, 72.2916),
    "alto_key": (-INF, -INF, 2.0, 5.0),
    "alto_chromatic_leaps": (-INF, -INF, 0.0, 2.0),
    "alto_density": (12.63, 16.0, 21.0, 24.0),
    "alto_beats": (0.6019, 0.8125, INF, INF),
    "alto_syncopation": (-INF, -INF, 0.0, 3.0),
    "alto_durations": (0.3534, 0.971, INF, INF),
    "alto_repetition": (-INF, -INF, 0.3125, 0.5581),
    "alto_barline": (-INF, -INF, 3.0, 5.0),
    "alto_pedal": (-INF, -INF, 7.0, 14.0),
    "alto_cycles": (-INF, -INF, 0.3846, 0.6292),
    "alto_copies": (-INF, -INF, 3.0, 5.0),
    "alto_steps": (0.4242, 0.6667, 0.9231, 1.0),
    "alto_one_way": (-INF, -INF, 4.0, 6.0),
    "alto_pitches": (1.4175, 2.1306, INF, INF),
    "alto_extremes": (-INF, -INF, 4.0, 7.0),
    "alto_rests": (-INF, -INF, 0.0, 2.0),
    "tenor_forbidden_leaps": (-INF, -INF, 0.0, 1.0),
    "tenor_unrecovered_leaps": (-INF, -INF, 0.0, 2.0),
    "tenor_offbeat_leaps": (-INF, -INF, 2.0, 6.0),
    "tenor_compass": (5.0, 7.0, 12.0, 16.37),
    "tenor_height": (52.8519, 55.6391, 64.2844, 66.9281),
    "tenor_key": (-INF, -INF, 1.0, 5.0),
    "tenor_chromatic_leaps": (-INF, -INF, 0.0, 2.0),
    "tenor_density": (12.63, 16.0, 22.0, 25.0),
    "tenor_beats": (0.6644, 0.875, INF, INF),
    "tenor_syncopation": (-INF, -INF, 0.0, 2.0),
    "tenor_durations": (0.3534, 0.9183, INF, INF),
    "tenor_repetition": (-INF, -INF, 0.25, 0.5),
    "tenor_barline": (-INF, -INF, 3.0, 5.0),
    "tenor_pedal": (-INF, -INF, 7.0, 13.0),
    "tenor_cycles": (-INF, -INF, 0.3571, 0.5758),
    "tenor_copies": (-INF, -INF, 3.0, 5.0),
    "tenor_steps": (0.3708, 0.625, 0.9, 1.0),
    "tenor_one_way": (-INF, -INF, 4.0, 7.0),
    "tenor_pitches": (1.7055, 2.2563, INF, INF),
    "tenor_extremes": (-INF, -INF, 4.0, 6.0),
    "tenor_rests": (-INF, -INF, 0.0, 2.0),
}


def form_terms(scores: NDArray[np.int16], both: bool = False) -> dict[str, NDArray[np.float64]]:
    """Each rule's term in [0, 1], (N,) float64, for scores.

    Args:
        scores: (N, 5, 32) as they are written, (N, 7, 32) in four parts.
        both: Whether the soprano is written too, and has to be a good melody.
    """
    terms = marks(measure(scores), RULES, CALIBRATION)
    if both:
        terms |= marks(measure_voice(scores, SOPRANO_ROW), SOPRANO_RULES, SOPRANO_CALIBRATION)
    if in_four(scores):
        terms |= marks(measure_four(scores), FOUR_RULES, FOUR_CALIBRATION)
    return terms


FLOOR = 0.005
SHARPNESS = 8
"""Form is (product of the terms, each at least FLOOR) ** (1 / SHARPNESS): one failed rule
multiplies it by 0.52, and half marks in one rule by 0.92."""
FOUR_SHARPNESS = 20
"""The same in four parts, where there are two and a half times as many rules."""


def form(terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """(N,) float64 in [0, 1]: the terms' product, softened as SHARPNESS says."""
    names = [rule for rule in (*RULES, *SOPRANO_RULES, *FOUR_RULES) if rule in terms]
    sharpness = FOUR_SHARPNESS if FOUR_RULES[0] in terms else SHARPNESS
    return softened_product([terms[rule] for rule in names], FLOOR, sharpness)


def form_quality(works: Works) -> Terms:
    """Rule-based quality: every rule's term as ``form/...``, ``form``, and ``quality`` = form."""
    terms = form_terms(scores_of_works(works), writes_both(works.moves))
    value = form(terms)
    return {f"form/{key}": v for key, v in terms.items()} | {"form": value, "quality": value}


def calibrate(
    measured: NDArray[np.float64], names: Sequence[str]
) -> dict[str, tuple[float, float, float, float]]:
    """Derive the calibration from what rules measured of human works.

    Args:
        measured: (N, R).
        names: Of the R rules: RULES, SOPRANO_RULES or FOUR_RULES.

    What STRICT, AT_MOST and AT_LEAST do not name is full in the middle 70 % and zero outside the
    middle 98 %, or somewhat further out where those lie close together.
    """
    result = {}
    for column, name in enumerate(names):
        rule = one_voice(name)
        x = measured[:, column]
        q01, q15, q25, q75, q85, q99 = np.quantile(x, [0.01, 0.15, 0.25, 0.75, 0.85, 0.99])
        if rule in STRICT:
            bounds = (-INF, -INF, 0.0, 1.0)
        elif rule in AT_MOST:
            share = rule in ("similar", "repetition", "cycles")
            bounds = (-INF, -INF, q75, max(q99, q75 + (0.1 if share else 2.0)))
        elif rule in AT_LEAST:
            bounds = (min(q01, 0.9 * q25), q25, INF, INF)
        else:
            bounds = (q01, q15, q85, q99)
        result[name] = bounds
    return {k: tuple(round(float(v), 4) for v in t) for k, t in result.items()}  # type: ignore[misc]  # fixed length


def _main() -> None:
    from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
    from move37.envs.composition.moves import scores_of

    corpus = load_corpus("bach")
    works = corpus.works[corpus.split()["train"]]
    scores = scores_of(works.moves, works.briefs)
    four = scores_in_four(works, corpus.inner[corpus.split()["train"]])
    for measured, names in (
        (measure(scores), RULES),
        (measure_voice(scores, SOPRANO_ROW), SOPRANO_RULES),
        (measure_four(four), FOUR_RULES),
    ):
        for rule, bounds in calibrate(measured, names).items():
            text = ", ".join(str(b).replace("inf", "INF") for b in bounds)
            print(f'    "{rule}": ({text}),')


if __name__ == "__main__":
    _main()
