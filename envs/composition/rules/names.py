"""The names of the rules of counterpoint; what each says stands where it is measured."""

RULES = (
    "dissonance",
    "offbeat_dissonance",
    "consonance",
    "fifths",
    "octaves",
    "direct",
    "similar",
    "forbidden_leaps",
    "unrecovered_leaps",
    "offbeat_leaps",
    "compass",
    "height",
    "spacing",
    "crossing",
    "key",
    "chromatic_leaps",
    "leading_note",
    "density",
    "beats",
    "syncopation",
    "durations",
    "repetition",
    "barline",
    "pedal",
    "cycles",
    "copies",
    "steps",
    "one_way",
    "pitches",
    "same_interval",
    "imperfect",
    "extremes",
    "rests",
    "cadence",
    "fermata_motion",
)
"""Names of the measures, in the order of the columns of what is measured."""

# The same, as the numbers that compiled code needs.
DISSONANCE, OFFBEAT_DISSONANCE, CONSONANCE = 0, 1, 2
FIFTHS, OCTAVES, DIRECT, SIMILAR = 3, 4, 5, 6
FORBIDDEN, UNRECOVERED, OFFBEAT_LEAPS, COMPASS, HEIGHT, SPACING, CROSSING = 7, 8, 9, 10, 11, 12, 13
KEY, CHROMATIC, LEADING = 14, 15, 16
DENSITY, BEATS, SYNCOPATION, DURATIONS, REPETITION, BARLINE = 17, 18, 19, 20, 21, 22
PEDAL, CYCLES, COPIES, STEPS, ONE_WAY, PITCHES = 23, 24, 25, 26, 27, 28
SAME, IMPERFECT, EXTREMES, RESTS, CADENCE, FERMATA_MOTION = 29, 30, 31, 32, 33, 34

MELODIC = (
    FORBIDDEN, UNRECOVERED, OFFBEAT_LEAPS, COMPASS, HEIGHT, KEY, CHROMATIC, DENSITY, BEATS,
    SYNCOPATION, DURATIONS, REPETITION, BARLINE, PEDAL, CYCLES, COPIES, STEPS, ONE_WAY, PITCHES,
    EXTREMES, RESTS,
)  # fmt: skip
"""Columns of the rules that look at one voice alone; the bass has all of them in RULES."""
SOPRANO_RULES = tuple(f"soprano_{RULES[column]}" for column in MELODIC)
"""The same for the soprano, where it is written too."""

CHORD_RULES = (
    "inner_fifths", "inner_octaves", "order", "wide", "chords", "unprepared", "passing",
    "leading_twice", "one_direction", "endings",
)  # fmt: skip
"""What is measured in four voices together, in the order of the columns."""
INNER_FIFTHS, INNER_OCTAVES, ORDER, WIDE, CHORDS = 0, 1, 2, 3, 4
UNPREPARED, PASSING, LEADING_TWICE, ONE_DIRECTION, ENDINGS = 5, 6, 7, 8, 9
FOUR_RULES = (
    *CHORD_RULES,
    *(f"alto_{RULES[column]}" for column in MELODIC),
    *(f"tenor_{RULES[column]}" for column in MELODIC),
)
"""Rules of four parts beside RULES: of chords, and of the melodies of alto and tenor."""


def one_voice(name: str) -> str:
    """The rule of RULES that a rule of the soprano, the alto or the tenor is."""
    for voice in ("soprano_", "alto_", "tenor_"):
        name = name.removeprefix(voice)
    return name


assert len(RULES) == FERMATA_MOTION + 1 and RULES[CADENCE] == "cadence"
