"""The three modes of the composition world: which voices are written, and what is asked of them.

A mode here is a way of working (a bass to a given soprano, soprano and bass, four parts), not the
major or minor mode of a key. Whatever differs between the worlds of composition is told by their
mode, so that simulators, rules, descriptors and judges are written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from move37.envs.base.works import Works
from move37.envs.composition.moves import (
    ALTO_ROW,
    BASS_ROW,
    EIGHTHS,
    FOUR_ROWS,
    LOWEST,
    PAIR_ROWS,
    SOPRANO_ROW,
    TENOR_ROW,
)
from move37.envs.composition.rules.calibration import CALIBRATION
from move37.envs.composition.rules.names import FOUR_RULES, RULES, SOPRANO_RULES
from move37.envs.judging.rule_scores import Bounds


@dataclass(frozen=True)
class Mode:
    """One way of composing.

    Attributes:
        world: The id of its world, as in ``--world``.
        written: Rows of a score that are written, in turn in each eighth.
        rules: Names of the rules, in the order of the columns of what is measured.
        sharpness: Form is the product of all rules' terms to the power of one over this.
        components: Principal components that a descriptor keeps.
        pairs: Rows of the voices that the held-out judge hears together, the upper one first.
    """

    world: str
    written: tuple[int, ...]
    rules: tuple[str, ...]
    sharpness: int
    components: int
    pairs: tuple[tuple[int, int], ...]

    @staticmethod
    def of(works: Works) -> Mode:
        """The mode that works are written in, by their world.

        Raises:
            ValueError: If they are of no world of compositions.
        """
        if works.world not in MODES:
            raise ValueError(f"world {works.world!r} has no scores; {', '.join(MODES)} have")
        return MODES[works.world]

    @property
    def voices(self) -> int:
        """How many voices are written."""
        return len(self.written)

    @property
    def n_moves(self) -> int:
        """Moves of a work: 32 a voice."""
        return self.voices * EIGHTHS

    @property
    def in_four(self) -> bool:
        """Whether there are an alto and a tenor, to be measured as chords too."""
        return ALTO_ROW in self.written

    @property
    def n_rows(self) -> int:
        """Rows of a score."""
        return FOUR_ROWS if self.in_four else PAIR_ROWS

    @property
    def soprano_is_given(self) -> bool:
        """Whether a brief holds a soprano; otherwise it holds the frame alone."""
        return SOPRANO_ROW not in self.written

    @property
    def upper(self) -> tuple[int, ...]:
        """Rows of the written voices above the bass, from the top.

        They are measured by the rules of a single melody, and described as the bass is.
        """
        return tuple(row for row in LOWEST if row in self.written and row != BASS_ROW)

    @property
    def lowest(self) -> tuple[int, ...]:
        """MIDI numbers of the lowest notes of the written voices, in turn."""
        return tuple(LOWEST[row] for row in self.written)

    @property
    def calibration(self) -> Mapping[str, Bounds]:
        """Bounds of each of its rules."""
        return {rule: CALIBRATION[rule] for rule in self.rules}


BASS = Mode(
    world="composition",
    written=(BASS_ROW,),
    rules=RULES,
    sharpness=8,
    components=32,
    pairs=((SOPRANO_ROW, BASS_ROW),),
)
"""A bass to a given soprano."""

FREE = Mode(
    world="composition-free",
    written=(SOPRANO_ROW, BASS_ROW),
    rules=(*RULES, *SOPRANO_RULES),
    sharpness=8,
    components=32,
    pairs=((SOPRANO_ROW, BASS_ROW),),
)
"""Soprano and bass; nothing is given but the frame."""

FOUR = Mode(
    world="composition-four",
    written=(BASS_ROW, TENOR_ROW, ALTO_ROW),
    rules=(*RULES, *FOUR_RULES),
    sharpness=20,
    components=48,
    pairs=(
        (SOPRANO_ROW, BASS_ROW),
        (ALTO_ROW, BASS_ROW),
        (TENOR_ROW, BASS_ROW),
        (ALTO_ROW, TENOR_ROW),
    ),
)
"""Four parts: bass, tenor and alto to a given soprano."""

MODES = {mode.world: mode for mode in (BASS, FREE, FOUR)}
"""Every mode, by its world."""


def partner(row: int) -> int:
    """The row of the voice that a voice is heard with: the soprano for the bass, else the bass."""
    return SOPRANO_ROW if row == BASS_ROW else BASS_ROW
