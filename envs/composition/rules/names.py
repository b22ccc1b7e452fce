"""The names of the rules of counterpoint; what each says stands where it is measured."""

from enum import IntEnum

Rule = IntEnum(
    "Rule",
    "DISSONANCE OFFBEAT_DISSONANCE CONSONANCE FIFTHS OCTAVES DIRECT SIMILAR FORBIDDEN_LEAPS "
    "UNRECOVERED_LEAPS OFFBEAT_LEAPS COMPASS HEIGHT SPACING CROSSING KEY CHROMATIC_LEAPS "
    "LEADING_NOTE DENSITY BEATS SYNCOPATION DURATIONS REPETITION BARLINE PEDAL CYCLES COPIES "
    "STEPS ONE_WAY PITCHES SAME_INTERVAL IMPERFECT EXTREMES RESTS CADENCE FERMATA_MOTION",
    start=0,
)
"""Rules of soprano and bass, as the columns of what is measured."""
RULES = tuple(rule.name.lower() for rule in Rule)
"""Their names."""
_OF_TWO = (
    *range(Rule.SIMILAR + 1), Rule.SPACING, Rule.CROSSING, Rule.LEADING_NOTE, Rule.SAME_INTERVAL,
    Rule.IMPERFECT, Rule.CADENCE, Rule.FERMATA_MOTION,
)  # fmt: skip
MELODIC = tuple(int(rule) for rule in Rule if rule not in _OF_TWO)
"""Columns of the rules that look at one voice alone; the bass has all of them in RULES."""
SOPRANO_RULES = tuple(f"soprano_{RULES[column]}" for column in MELODIC)
"""The same for the soprano, where it is written too."""

ChordRule = IntEnum(
    "ChordRule",
    "INNER_FIFTHS INNER_OCTAVES ORDER WIDE CHORDS UNPREPARED PASSING LEADING_TWICE ONE_DIRECTION "
    "ENDINGS",
    start=0,
)
"""What is measured in four voices together, as the columns."""
CHORD_RULES = tuple(rule.name.lower() for rule in ChordRule)
FOUR_RULES = (
    *CHORD_RULES,
    *(f"{voice}_{RULES[column]}" for voice in ("alto", "tenor") for column in MELODIC),
)
"""Rules of four parts beside RULES: of chords, and of the melodies of alto and tenor."""


def one_voice(name: str) -> str:
    """The rule of RULES that a rule of the soprano, the alto or the tenor is."""
    for voice in ("soprano_", "alto_", "tenor_"):
        name = name.removeprefix(voice)
    return name
