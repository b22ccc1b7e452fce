"""What the rules of counterpoint found in a work, and where, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.rules.calibration import CALIBRATION
from move37.envs.composition.rules.form import find_rules, form_quality, form_terms, measure_rules
from move37.envs.composition.rules.names import FOUR_RULES, one_voice
from move37.envs.composition.score.staff import sheet_of
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.rule_scores import marks_line

FOUND = {
    "dissonance": "dissonance on the beat, neither prepared nor resolved by step",
    "offbeat_dissonance": "dissonance off the beat, not passing by step",
    "fifths": "parallel fifths",
    "octaves": "parallel octaves",
    "direct": "direct fifth or octave, the soprano leaps",
    "forbidden_leaps": "forbidden leap (tritone, major sixth, seventh, or beyond the octave)",
    "unrecovered_leaps": "leap that is not recovered",
    "offbeat_leaps": "eighth off the beat reached or left by leap",
    "crossing": "the voices meet or cross",
    "key": "note outside the key",
    "chromatic_leaps": "note outside the key left by leap",
    "leading_note": "doubled leading note",
    "syncopation": "syncopation",
    "repetition": "repeated note",
    "barline": "the same note across a strong beat",
    "pedal": "long on one note",
    "copies": "a passage comes again",
    "one_way": "long run in one direction",
    "same_interval": "the same interval beat after beat",
    "rests": "silence",
    "cadence": "no cadence under the fermata",
    "fermata_motion": "the bass moves under the fermata",
    "inner_fifths": "parallel fifths with an inner voice",
    "inner_octaves": "parallel octaves or unisons with an inner voice",
    "order": "neighbouring voices cross",
    "wide": "more than an octave between neighbouring upper voices",
    "unprepared": "no chord on the beat, and no voice is prepared and resolved by step",
    "passing": "no chord off the beat, reached by leap",
    "leading_twice": "the leading note sounds twice",
    "one_direction": "all four voices move in one direction",
    "endings": "no triad under the fermata",
}
"""Findings that have a place."""

WORDS = {
    "consonance": "share of beats that are consonant",
    "similar": "share of similar motion",
    "compass": "semitones from the lowest to the highest note",
    "height": "mean MIDI number, as if in C",
    "spacing": "semitones between the voices on average",
    "density": "notes",
    "beats": "share of beats on which a note begins",
    "durations": "bits of variety in durations",
    "repetition": "share of repeated notes",
    "cycles": "share of notes that come again in a cycle",
    "steps": "share of steps among the moves",
    "pitches": "bits of variety in pitches",
    "imperfect": "share of thirds and sixths on the beats",
    "extremes": "times the highest or lowest note is reached",
    "chords": "share of beats that are a triad or a seventh chord, with its third",
    "endings": "share of fermatas on a major or minor triad",
}
"""Measures of the whole work."""


def _said(name: str) -> str:
    """What a finding of a rule says; empty for a measure of the whole work."""
    rule = one_voice(name)
    voice = name.removesuffix(rule).removesuffix("_")
    return f"{voice}: {FOUND[rule]}" if voice and rule in FOUND else FOUND.get(rule, "")


def findings(score: NDArray[np.int16], mode: Mode) -> list[tuple[int, str, str]]:
    """Everything found in a score, in order of time: eighth, where, and what.

    Args:
        score: (``mode.n_rows``, 32).
        mode: In which it is written; of a given soprano only the counterpoint counts.
    """
    found, terms = find_rules(score[None], mode)[0], form_terms(score[None], mode)
    # An inner voice repeats notes as a matter of course: there only what costs marks is told.
    inner = {rule for rule in FOUR_RULES if rule != one_voice(rule)}
    names = ["" if rule in inner and terms[rule][0] == 1 else _said(rule) for rule in mode.rules]
    sheet = sheet_of(score)
    out = []
    for eighth in range(found.shape[1]):
        bar, beat = sheet.place_of(eighth)
        where = f"bar {bar}, beat {beat:g}" if bar else f"pick-up, beat {beat:g}"
        out += [
            (eighth, where, name)
            for column, name in enumerate(names)
            if name and found[column, eighth]
        ]
    return out


def explain(works: Works) -> list[list[str]]:
    """For each work: form, what was found where, and the measures that lost marks."""
    scores, mode = scores_of_works(works), Mode.of(works)
    values, terms = measure_rules(scores, mode), form_terms(scores, mode)
    total = form_quality(works)["form"]
    out = []
    for i in range(len(works)):
        lines = [f"form {total[i]:.2f}"]
        lines += [f"{where}: {what}" for _, where, what in findings(scores[i], mode)]
        for column, name in enumerate(mode.rules):
            rule = one_voice(name)
            if rule in WORDS and terms[name][i] < 1:
                value, marks = values[i, column], terms[name][i]
                lines.append(marks_line(name, value, WORDS[rule], CALIBRATION[name], marks))
        out.append(lines)
    return out
