"""One self-contained HTML page that shows works as tiles, plays them and explains them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib import resources

from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import FERMATA_ROW, PLACE_ROW
from move37.envs.composition.rules.explain import explain, findings
from move37.envs.composition.score.notation import svg_with_times
from move37.envs.composition.score.sound import PARTIALS, timing
from move37.envs.composition.score.staff import sheet_of
from move37.envs.composition.works import scores_of_works
from move37.envs.files.pages import number, script_json


def html_page(
    works: Works,
    title: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
) -> str:
    """Write a page of works that opens from a file, offline: nothing outside it is referred to.

    A click on a tile opens the work: its score, which lights up while it is played, and what the
    rules found. The space bar plays and pauses, the arrow keys go to its neighbours.

    Args:
        works: N works.
        title: Title and heading of the page.
        captions: N texts, or None.
        marks: For each work the moves, from 0, whose eighth gets a disc above the bass when it is
            reached, or None.

    Returns:
        The HTML document. Every text is escaped.

    Raises:
        ValueError: If there are not N captions, or marks of N works.
    """
    if captions is None:
        captions = [""] * len(works)
    if len(captions) != len(works):
        raise ValueError(f"captions: expected {len(works)}, got {len(captions)}")
    if marks is None:
        marks = [[]] * len(works)
    if len(marks) != len(works):
        raise ValueError(f"marks: expected {len(works)}, got {len(marks)}")
    # The total terms first: "form" before its parts "form/fifths", "form/key".
    terms = sorted(works.appraisal, key=lambda key: "/" in key)
    scores, explained = scores_of_works(works), explain(works)
    mode = Mode.of(works)
    shown = []
    for i, score in enumerate(scores):
        picture, times = svg_with_times(score)
        found = findings(score, mode)
        shown.append(
            {
                "name": works.names[i],
                "caption": captions[i],
                "svg": picture,
                "ids": times,
                "times": [round(float(t), 4) for t in timing(score)],
                "notes": [
                    [n.voice, n.midi, n.begin, n.size] for n in sheet_of(score).notes if n.midi >= 0
                ],
                "bars": [t for t in range(score.shape[1]) if score[PLACE_ROW, t] == 0],
                "fermatas": [t for t in range(score.shape[1]) if score[FERMATA_ROW, t]],
                "marks": [int(t) // mode.voices for t in marks[i]],
                "voices": sheet_of(score).voices,
                "found": [[t, f"{where}: {what}"] for t, where, what in found],
                "said": [explained[i][0], *explained[i][1 + len(found) :]],
                "values": [number(float(works.appraisal[key][i])) for key in terms],
            }
        )
    data = {"terms": terms, "partials": PARTIALS, "works": shown}
    parts = {"{{title}}": html.escape(title), "{{data}}": script_json(data)}
    template = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    # In one pass, so that a title that reads "{{data}}" stays a title.
    return re.sub("|".join(map(re.escape, parts)), lambda match: parts[match[0]], template)
