"""What the rules of form found in a drawing, in words."""

from __future__ import annotations

from move37.envs.base.works import Works
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.rules.form import CALIBRATION, RULES, form_quality, form_terms, measure
from move37.envs.judging.rule_scores import marks_line

WORDS = {
    "ink": "inked points",
    "open_ends": "lines that end in the open",
    "clutter": "full 2 x 2 blocks per inked point",
    "crowding": "squeezed gaps per inked point",
    "straightness": "share of straight line points",
    "features": "ends, junctions, sharp corners and dots",
    "components": "separate figures",
    "closure": "enclosed fields",
    "extent": "points along the longer side",
    "balance": "points off the board's centre",
    "symmetry": "share of ink that a mirroring meets",
}


def explain(works: Works) -> list[list[str]]:
    """For each work: every rule's measure, the range with full marks, and its marks."""
    images = pictures_of(works)
    measured, terms = measure(images), form_terms(images)
    total = form_quality(works)["form"]
    out = []
    for i in range(len(works)):
        lines = [f"form {total[i]:.2f}"]
        for column, rule in enumerate(RULES):
            value, marks = measured[i, column], terms[rule][i]
            lines.append(marks_line(rule, value, WORDS[rule], CALIBRATION[rule], marks))
        out.append(lines)
    return out
