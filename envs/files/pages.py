"""HTML pages of works: what they share, and a plain page for worlds without one of their own.

A page is one file that refers to nothing outside it. ``page.html`` shows works as tiles; a click
opens one, with its name, caption, what the rules found and its appraisal beside it. The arrow keys
go to the neighbouring works; ``#5`` after the page's address opens the fifth. What shows and plays
the opened work comes from the world: a template with a style, the elements of the stage, and a
script that defines ``player``.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from move37.envs.base.works import Works
from move37.envs.files.pictures import Picture, png_bytes
from move37.novelty.storage import printable

if TYPE_CHECKING:  # a world makes its pages and sheets with this file
    from move37.envs.base.world import World

_PARTS = re.compile(r"\s*<style>(.*?)</style>(.*?)<script>(.*?)</script>\s*", re.DOTALL)
LONGEST = 200
"""Characters of a name that are shown."""
STILL, NEAREST = 640, 192
"""Width and height, in pixels, of the pictures on a plain page, and of human works."""


def fill_page(
    template: str,
    works: Works,
    title: str,
    details: Sequence[Mapping[str, Any]],
    captions: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
    **shared: Any,
) -> str:
    """Write a page of works.

    Args:
        template: The world's template, see :func:`read_template`.
        works: N works.
        title: Title and heading of the page.
        details: For each work what the template's script needs beside its ``name``, ``caption``,
            ``marks`` and ``values``; among it ``said``, lines of text for the list of what the
            rules found. JSON.
        captions: N texts, or None.
        marks: For each work the numbers the script marks something by, or None.
        shared: What the script needs for all works. JSON.

    Returns:
        The HTML document. Every text is escaped.

    Raises:
        ValueError: If there are not N captions, or marks of N works, or the template is none.
    """
    n = len(works)
    captions = [""] * n if captions is None else captions
    marks = [()] * n if marks is None else marks
    for what, given in (("captions", captions), ("marks", marks)):
        if len(given) != n:
            raise ValueError(f"{what}: expected {n}, got {len(given)}")
    parts = _PARTS.fullmatch(template)
    if parts is None:
        raise ValueError("template: expected <style>, elements and <script>, in this order")
    # The total terms first: "form" before its parts "form/ink", "form/clutter".
    terms = sorted(works.appraisal, key=lambda key: "/" in key)
    shown = [
        {
            "name": printable(works.names[i], LONGEST),
            "caption": printable(captions[i]),
            "marks": [int(t) for t in marks[i]],
            "values": [number(float(works.appraisal[key][i])) for key in terms],
            **details[i],
        }
        for i in range(n)
    ]
    filled = {
        "{{title}}": html.escape(printable(title)),
        "{{data}}": script_json({"terms": terms, "works": shown, **shared}),
        **dict(zip(("{{style}}", "{{stage}}", "{{script}}"), parts.groups(), strict=True)),
    }
    # In one pass, so that a title that reads "{{data}}" stays a title.
    page = read_template("move37.envs.files", "page.html")
    return re.sub("|".join(map(re.escape, filled)), lambda match: filled[match[0]], page)


def still_page(
    world: World,
    works: Works,
    title: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[Sequence[int]] | None = None,
    explained: Sequence[Sequence[str]] | None = None,
) -> str:
    """A page of the tiles of works, for worlds that have no page of their own.

    Args:
        world: The works' world, or its class.
        works: N works.
        title: Title and heading of the page.
        captions: N texts, or None.
        marks: For each work the indices of moves that are marked, or None.
        explained: For each work what the rules found, one line each, or None.

    Returns:
        The HTML document. Every text is escaped.

    Raises:
        ValueError: If there are not N captions, or marks of N works.
    """
    details = []
    for i in range(len(works)):
        picture = world.tile(works, i, STILL, None, marks[i] if marks is not None else ())
        said = list(explained[i]) if explained else []
        details.append({"picture": _address(picture), "said": said})
    template = read_template("move37.envs.files", "still.html")
    return fill_page(template, works, title, details, captions, marks)


def add_nearest(
    page: str, world: World, human: Works, rows: Sequence[int], distances: Sequence[float]
) -> str:
    """Show beside each opened work of a page the human work that is nearest to it.

    Args:
        page: Of N works, as :func:`fill_page` fills it; another stays as it is.
        world: The works' world.
        human: Human works.
        rows: For each of the N works which one is nearest.
        distances: How far it is.
    """
    pictures = {i: _address(world.tile(human, i, NEAREST)) for i in set(rows)}
    shown = [
        {"name": printable(human.names[i], LONGEST), "distance": number(d), "picture": pictures[i]}
        for i, d in zip(rows, distances, strict=True)
    ]
    # No text of the page can be this element: "<" is escaped in all of them.
    begin = '<script type="application/json" id="nearest-data">'
    return page.replace(f"{begin}[]<", f"{begin}{script_json(shown)}<", 1)


def _address(picture: Picture) -> str:
    """A picture as the address of an image on a page."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode()


def read_template(package: str, name: str) -> str:
    """The text of a template that is installed beside the modules of a package."""
    return resources.files(package).joinpath(name).read_text("utf-8")


def number(value: float) -> float | str:
    """A number as a page's JSON may hold it: whole ones as they are, others to six digits.

    JSON has no nan and no infinity: these become texts.
    """
    if not math.isfinite(value):
        return str(value)
    return value if value == round(value) else float(f"{value:.6g}")


def script_json(data: object) -> str:
    """JSON that may stand within a script element: no text of it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
