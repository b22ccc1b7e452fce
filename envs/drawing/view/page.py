"""One self-contained HTML page that shows drawings as tiles and plays how each was drawn."""

from __future__ import annotations

from collections.abc import Sequence

from move37.envs.base.works import PAD, Works
from move37.envs.drawing.moves import END, LIFT, SIZE
from move37.envs.drawing.rules.explain import explain
from move37.envs.drawing.view.render import STROKE, svg
from move37.envs.files.pages import fill_page, read_template


def html_page(
    works: Works,
    title: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
) -> str:
    """Write a page that plays drawings, with pause, speed and a scrubber.

    Args:
        works: N works.
        title: Title and heading of the page.
        captions: N texts, or None.
        marks: For each work the indices of moves that get a disc where the pen is after them, or
            None.

    Returns:
        The HTML document. Every text is escaped.

    Raises:
        ValueError: If there are not N captions, or marks of N works.
    """
    details = [
        {
            "moves": [m for m in moves.tolist() if m != PAD],
            "brief": [m for m in brief.tolist() if m != PAD],
            "said": said,
            "svg": svg(moves, brief),
        }
        for moves, brief, said in zip(works.moves, works.briefs, explain(works), strict=True)
    ]
    board = {"size": SIZE, "lift": LIFT, "end": END, "stroke": STROKE}
    template = read_template(__package__, "page.html")
    return fill_page(template, works, title, details, captions, marks, board=board)
