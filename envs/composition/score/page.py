"""One self-contained HTML page that shows works as tiles, plays them and explains them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.works import Works
from move37.envs.composition.modes import Mode
from move37.envs.composition.moves import FERMATA_ROW, PLACE_ROW
from move37.envs.composition.rules.explain import explain, findings
from move37.envs.composition.score.notation import svg_with_times
from move37.envs.composition.score.sound import PARTIALS, timing
from move37.envs.composition.score.staff import sheet_of
from move37.envs.composition.works import scores_of_works
from move37.envs.files.pages import fill_page, read_template


def html_page(
    works: Works,
    title: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
) -> str:
    """Write a page that plays works and shows their scores, in which sounding notes light up.

    Args:
        works: N works.
        title: Title and heading of the page.
        captions: N texts, or None.
        marks: For each work the indices of moves whose eighth gets a disc above the bass when it is
            reached, or None.

    Returns:
        The HTML document. Every text is escaped.

    Raises:
        ValueError: If there are not N captions, or marks of N works.
    """
    mode = Mode.of(works)
    details = [
        _details(score, lines, mode)
        for score, lines in zip(scores_of_works(works), explain(works), strict=True)
    ]
    if marks is not None:
        marks = [[t // mode.voices for t in row] for row in marks]
    template = read_template(__package__, "page.html")
    return fill_page(template, works, title, details, captions, marks, partials=PARTIALS)


def _details(score: NDArray[np.int16], explained: list[str], mode: Mode) -> dict[str, Any]:
    """What the page's script needs of one work.

    Args:
        score: (5, 32), or (7, 32) in four parts.
        explained: The total, then a line for each finding, then a line for each rule.
        mode: The mode it is written in.
    """
    picture, times = svg_with_times(score)
    sheet, found = sheet_of(score), findings(score, mode)
    return {
        "svg": picture,
        "ids": times,
        "times": [round(float(t), 4) for t in timing(score)],
        "notes": [[n.voice, n.midi, n.begin, n.size] for n in sheet.notes if n.midi >= 0],
        "bars": np.flatnonzero(score[PLACE_ROW] == 0).tolist(),
        "fermatas": np.flatnonzero(score[FERMATA_ROW]).tolist(),
        "voices": sheet.voices,
        "found": [[t, f"{where}: {what}"] for t, where, what in found],
        "said": [explained[0], *explained[1 + len(found) :]],
    }
