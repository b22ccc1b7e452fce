"""Human drawings of named things, by what they are for: imitation, exemplars, exams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works, join_works
from move37.envs.drawing.concept_world.briefs import make_briefs
from move37.envs.drawing.corpus.augment import vary
from move37.envs.drawing.designers.concepts import Concepts
from move37.envs.drawing.designers.labelled import TRAINING, Labelled, installed_drawings
from move37.envs.drawing.meaning.lists import read_lists

EXEMPLARS = 12
"""Briefs of each concept in the pool that learners practise on."""
OFTEN = 4
"""How often a drawing that shows a practised concept is imitated in an epoch; others once."""
BY_ANOTHER = 0.7
"""Share of these whose exemplar is another designer's drawing; that of the others is itself."""
VARIED = 0.25
"""Share of drawings that are mirrored, turned or shifted in an epoch."""


@dataclass(frozen=True)
class HumanDrawings:
    """Drawings of the training designers.

    Attributes:
        concepts: The list by whose numbers concepts are called.
        named: Drawings of practised concepts, which show nothing else.
        held_out: One drawing of each practised concept that has at least three.
        others: All other drawings, but for those of concepts that nobody may practise.
        withheld: Drawings of concepts that only judges learnt.
        one_shot: Drawings of concepts that no recogniser learnt.
    """

    concepts: Concepts
    named: Labelled
    held_out: Labelled
    others: Works
    withheld: Labelled
    one_shot: Labelled

    @cached_property
    def practice_briefs(self) -> NDArray[np.int16]:
        """Briefs (M, 98): 12 of each concept, so that all are practised alike."""
        rng = np.random.default_rng(0)
        rows = [
            np.resize(rng.permutation(np.flatnonzero(self.named.concepts == concept)), EXEMPLARS)
            for concept in np.unique(self.named.concepts)
        ]
        return self.briefs(self.named[np.concatenate(rows)])

    def drawings_of(self, concept: int) -> NDArray[np.int16]:
        """Moves (N, 48) of all drawings that show a concept and nothing else."""
        groups = (self.named, self.held_out, self.withheld, self.one_shot)
        known = [group.works.moves[group.concepts == concept] for group in groups]
        numbers = np.array([self.concepts.number(name) for name in self.others.names], np.int64)
        return np.concatenate([*known, self.others.moves[numbers == concept]])

    @staticmethod
    def briefs(drawings: Labelled) -> NDArray[np.int16]:
        """Briefs (N, 98) whose exemplars are these drawings."""
        return make_briefs(drawings.concepts, drawings.works.moves)

    def pairs(self, rng: np.random.Generator) -> Works:
        """Works to imitate, some varied, with briefs: another designer's drawing, or the work."""
        named = self.named[np.repeat(np.arange(len(self.named)), OFTEN)]
        exemplars = self.other_hands(named, rng)
        own = rng.random(len(named)) >= BY_ANOTHER
        exemplars[own] = named.works.moves[own]
        nameless = np.full(len(self.others), -1, np.int64)
        moves = np.concatenate([named.works.moves, self.others.moves])
        seen = np.concatenate([exemplars, self.others.moves])
        briefs = make_briefs(np.concatenate([named.concepts, nameless]), seen)
        return Works("drawing-concepts", vary(moves, rng, VARIED), briefs)

    def other_hands(self, drawings: Labelled, rng: np.random.Generator) -> NDArray[np.int16]:
        """For each drawing one of its concept by another designer (N, 48), or itself."""
        out = drawings.works.moves.copy()
        for concept in np.unique(drawings.concepts):
            mine = np.flatnonzero(drawings.concepts == concept)
            theirs = np.flatnonzero(self.named.concepts == concept)
            for i in mine:
                others = theirs[self.named.designers[theirs] != drawings.designers[i]]
                if len(others):
                    out[i] = self.named.works.moves[rng.choice(others)]
        return out


def split(drawings: Labelled, concepts: Concepts) -> HumanDrawings:
    """Split drawings by the frozen lists, and hold some out by chance."""
    numbers = {
        role: [concepts.number(name) for name in names] for role, names in read_lists().items()
    }

    def of(role: str) -> NDArray[np.bool_]:
        return np.isin(drawings.concepts, numbers[role])

    practised = np.flatnonzero(of("practised") & drawings.whole)
    order = np.random.default_rng(0).permutation(practised)
    found = drawings.concepts[order]
    first = np.unique(found, return_index=True)[1]
    enough = np.bincount(found, minlength=len(concepts))[found[first]] >= 3
    held_out = np.sort(order[first[enough]])
    other = ~of("withheld") & ~of("one-shot")
    other[practised] = False
    return HumanDrawings(
        concepts,
        drawings[np.setdiff1d(practised, held_out)],
        drawings[held_out],
        drawings.works[other],
        drawings[of("withheld") & drawings.whole],
        drawings[of("one-shot") & drawings.whole],
    )


@cache
def load_human() -> HumanDrawings:
    """The drawings of the training designers that come with Move37."""
    return split(installed_drawings().by(TRAINING), Concepts.read())


def join_drawings(human: HumanDrawings) -> Works:
    """All drawings that are imitated, each with itself as its exemplar."""
    nameless = np.full(len(human.others), -1, np.int64)
    works = join_works([human.named.works, human.others])
    briefs = make_briefs(np.concatenate([human.named.concepts, nameless]), works.moves)
    return Works("drawing-concepts", works.moves, briefs, works.names)
