"""One self-contained HTML page that shows drawings as tiles and plays how each was drawn."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib import resources

from move37.envs.base.works import PAD, Works
from move37.envs.drawing.moves import END, LIFT, SIZE
from move37.envs.drawing.rules.explain import explain
from move37.envs.drawing.view.render import STROKE
from move37.envs.files.pages import number, script_json


def html_page(
    works: Works,
    title: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
) -> str:
    """Write a page of works that opens from a file, offline: nothing outside it is referred to.

    A click on a tile plays the work, with pause, speed and a scrubber; the arrow keys go to its
    neighbours. The work's name, caption, what the rules found and its appraisal stand beside it.
    ``#5`` after the page's address opens the fifth work.

    Args:
        works: N works.
        title: Title and heading of the page.
        captions: N texts, or None.
        marks: For each work the indices of moves, from 0, that get a disc when the pen is there,
            or None.

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
    # The total terms first: "form" before its parts "form/ink", "form/clutter".
    terms = sorted(works.appraisal, key=lambda key: "/" in key)
    explained = explain(works)
    data = {
        "board": {"size": SIZE, "lift": LIFT, "end": END, "stroke": STROKE},
        "terms": terms,
        "works": [
            {
                "name": works.names[i],
                "caption": captions[i],
                "moves": [m for m in works.moves[i].tolist() if m != PAD],
                "marks": [int(t) for t in marks[i]],
                "said": explained[i],
                "brief": [m for m in works.briefs[i].tolist() if m != PAD],
                "values": [number(float(works.appraisal[key][i])) for key in terms],
            }
            for i in range(len(works))
        ],
    }
    parts = {"{{title}}": html.escape(title), "{{data}}": script_json(data)}
    template = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    # In one pass, so that a title that reads "{{data}}" stays a title.
    return re.sub("|".join(map(re.escape, parts)), lambda match: parts[match[0]], template)
