"""Drawings stand where another renderer paints them (resvg), and nothing that it does not paint.

Where resvg and a browser (Chromium 140) differ, the browser's picture is written down here.
"""

from __future__ import annotations

import io
import itertools
import random
import re

import numpy as np
import pytest
import resvg_py
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import distance_transform_edt

from move37.envs.drawing.corpus.lines import SvgError, clip, fit
from move37.envs.drawing.corpus.svg import FEW, read_svg

XMLNS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
HEAD = f'<svg {XMLNS} viewBox="0 0 24 24">'
LINES = HEAD.replace(">", ' fill="none" stroke="black" stroke-width="2">')
DIAGONAL = '<path d="M6 6L18 18" stroke="black" fill="none"/>'
CORNER = '<path fill="none" stroke="black" d="M4 4h16v16"/>'
PIXELS = 10
"""Of a cell."""


def draw(body: str, head: str = HEAD) -> list[list[list[int]]]:
    return [stroke.tolist() for stroke in read_svg(f"{head}{body}</svg>".encode())[0]]


def skipped(body: str, head: str = HEAD) -> list[str]:
    return read_svg(f"{head}{body}</svg>".encode())[1]


def painted(text: str, box: tuple[float, float]) -> np.ndarray:
    """Where resvg's picture of a drawing has edges, in 10 pixels a unit: (H, W) bool."""
    png = resvg_py.svg_to_bytes(
        svg_string=text, zoom=PIXELS * 24 / max(box), background="#fff", dpi=96,
        skip_system_fonts=True,
    )  # fmt: skip
    picture = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"), int)
    edges = np.zeros(picture.shape[:2], bool)
    for axis, here, there in ((0, np.s_[1:], np.s_[:-1]), (1, np.s_[:, 1:], np.s_[:, :-1])):
        differs = np.abs(np.diff(picture, axis=axis)).max(axis=2) > 20
        edges[here] |= differs
        edges[there] |= differs
    return edges


def gaps(text: str, box: tuple[float, float] = (24, 24)) -> tuple[float, float]:
    """How far the strokes read are from what is painted at the most, and the other way, in cells.

    A rounded point is off by 0.7 cells at the most, a simplified one by 0.35, the edge of a line
    by half its width.
    """
    edges = painted(text, box)
    try:
        strokes, _ = read_svg(text.encode())
    except SvgError:
        return (0, 0) if not edges.any() else (0, 99)
    if not edges.any():
        return 99, 0
    lines = []
    for stroke in strokes:
        points = (stroke @ [1, 1j]).astype(complex)
        if box != (24, 24):  # from the board back to the picture
            board = (1.0, 1.0, 21.0, 21.0)
            (points,) = fit([points], board, 0.0, 24.0)
            points -= complex(24 - 24 * box[0] / max(box), 24 - 24 * box[1] / max(box)) / 2
        lines += [np.linspace(a, b, 300) for a, b in itertools.pairwise(points)]
    at = np.rint(np.concatenate(lines) * PIXELS)
    drawn = np.zeros_like(edges)
    height, width = edges.shape
    drawn[
        np.clip(at.imag, 0, height - 1).astype(int), np.clip(at.real, 0, width - 1).astype(int)
    ] = 1
    return (
        distance_transform_edt(~edges)[drawn].max() / PIXELS,
        distance_transform_edt(~drawn)[edges].max() / PIXELS,
    )


@pytest.mark.parametrize(
    ("body", "strokes"),
    [
        ('<path d="M4 4H20A3 3 0 0 1 20 4V20"/>', [[[4, 4], [20, 4], [20, 20]]]),
        (f'<path d="M4 4H20A3 3 0 0 1 20 4.{"0" * 29}1V20"/>', [[[4, 4], [20, 4], [20, 20]]]),
        ('<path d="M4 4L20 4"/><path d=""/><path d="none"/><path/>', [[[4, 4], [20, 4]]]),
        ('<path d="M4 4L20 4"/><polyline points=""/><circle cx="4" cy="4" r="0"/><circle/>'
         '<rect width="0" height="9"/><ellipse/>', [[[4, 4], [20, 4]]]),
        ('<path d="M4 4L20 4L20 20 foo"/>', [[[4, 4], [20, 4], [20, 20]]]),
        ('<rect width="100%" height="100%" fill="white" stroke="none"/><path d="M6 6L18 18"/>',
         [[[6, 6], [18, 18]]]),
        ('<rect width="24" height="24" fill="white" stroke="none"/><path d="M6 6L18 18"/>',
         [[[6, 6], [18, 18]]]),
        ('<line x1="1mm" y1="1mm" x2="5mm" y2="5mm"/>', [[[4, 4], [19, 19]]]),
        ('<path d="M4 4L20 4"/><use href="#gone"/>', [[[4, 4], [20, 4]]]),
        ('<defs><path id="a" d="M4 4L20 4"/></defs><use xlink:href="#a"/><use href="#a" y="12"/>',
         [[[4, 4], [20, 4]], [[4, 16], [20, 16]]]),
        ('<defs><style>.cls-1{fill:none}.cls-2{fill:#111}</style></defs><g stroke="none">'
         '<path class="cls-1" d="M0 0h24v24H0z"/><path class="cls-2" d="M6 6h12v12H6z"/></g>',
         [[[6, 6], [18, 6], [18, 18], [6, 18], [6, 6]]]),
    ],
)  # fmt: skip
def test_one_odd_element_leaves_the_others(body, strokes):
    assert draw(body, LINES) == strokes


def test_a_view_without_a_size_fills_the_one_around_it():
    nested = f'<svg {XMLNS} viewBox="0 0 48 48"><svg viewBox="0 0 24 24"{{}}>{CORNER}</svg>'
    expected = [[[5, 5], [19, 5], [19, 19]]]  # 24 x 24 units, 1:1, but in the frame of 1 to 22
    assert draw("", nested.format("")) == expected
    assert draw("", nested.format(' preserveAspectRatio="none"')) == expected


def test_what_is_skipped_is_said():
    body = (
        '<path d="M4 4L20 4L20 20 foo"/><use href="#gone"/><circle r="0"/><text>a</text>'
        '<g transform="turn(3)"><path d="M9 9h9"/></g>'
    )
    assert skipped(body, LINES) == [
        "path 1 is drawn up to 'foo', which cannot be read",
        "use 1 refers to '#gone', which is not in the file",
        "circle 1 has no points",
        "text 1 is not read",
        "g 1 has transform='turn(3)', which cannot be read",
    ]
    assert skipped('<circle r="0"/>' * 9 + CORNER)[FEW:] == ["and 4 more"]
    assert skipped(f'<path marker-end="url(#m)" d="M4 4h16" stroke="red"/>{CORNER}') == [
        "path 1 has markers, which are not read"
    ]
    assert skipped(f"<style>a:hover{{fill:red}}</style>{CORNER}") == [
        "the selector 'a:hover' is not read"
    ]
    assert (
        skipped(f"<defs><text/><circle r='0'/></defs><g display='none'><text/></g>{CORNER}") == []
    )


# fmt: off
SEEN = {  # drawn over a white page; DIAGONAL where nothing else is to be seen
    "white square": '<rect x="4" y="4" width="5" height="5" fill="white"/>' + DIAGONAL,
    "white path behind": '<path d="M0 0h24v24H0z" fill="#fff"/>' + DIAGONAL,
    "white by style": '<path d="M0 0h24v24H0" style="fill:rgb(255,255,255)"/>' + DIAGONAL,
    "yellow behind": '<path d="M0 0h24v24H0z" fill="#ff0"/>' + DIAGONAL,
    "yellow behind a line across": '<path d="M0 0h24v24H0z" fill="#ff0"/>'
    '<path d="M0 12h24" stroke="black"/>',
    "gradient behind": '<linearGradient id="g"><stop stop-color="red"/><stop offset="1"/>'
    '</linearGradient><rect width="24" height="24" fill="url(#g)"/>'
    '<path d="M6 6L18 18" stroke="white"/>',
    "white on black": '<path d="M0 0h24v24H0z"/><path d="M6 6L18 18" stroke="#fff"/>',
    "white line on a disc": '<circle cx="12" cy="12" r="9"/>'
    '<path d="M8 12l3 3l5-6" stroke="white" fill="none"/>',
    "white square on a disc": '<circle cx="12" cy="12" r="9"/>'
    '<rect x="9" y="9" width="6" height="6" fill="white"/>',
    "covered": '<circle cx="12" cy="12" r="3"/>'
    '<rect x="6" y="6" width="12" height="12" fill="red"/>',
    "covered by white": '<circle cx="12" cy="12" r="3"/><rect x="6" y="6" width="12" height="12"'
    ' fill="white"/><path d="M2 22h20" stroke="black"/>',
    "covered line": '<circle cx="12" cy="12" r="3" stroke="black" fill="none"/>'
    '<rect x="6" y="6" width="12" height="12" fill="red"/>',
    "under a tint": '<circle cx="12" cy="12" r="3"/>'
    '<rect x="6" y="6" width="12" height="12" fill="red" opacity=".5"/>',
    "framed": '<rect x="2" y="2" width="20" height="20" fill="white" stroke="black"/>' + DIAGONAL,
    "hole to the edge": '<path fill-rule="evenodd" d="M0 0h24v24H0z M6 6h12v12H6z"/>',
    "hole by direction": '<path d="M0 0h24v24H0z M6 6v12h12V6z"/>',
    "hole": '<path fill-rule="evenodd" d="M2 2h20v20H2z M6 6h12v12H6z"/>',
    "filled, not closed": '<path d="M4 4h16v16"/>',
    "filled, stroked, not closed": '<path d="M4 4h16v16" stroke="black"/>',
    "filled white, not closed": '<path d="M4 4h16v16" fill="white" stroke="black"/>',
    "nothing inside": '<line x1="2" y1="2" x2="20" y2="20" fill="black"/>'
    '<path d="M2 8L20 20L2 8"/>' + DIAGONAL,
    "zero opacity": f'<g opacity="0"><path opacity="1" d="M4 4h16v16"/></g>{DIAGONAL}',
    "zero fill-opacity": f'<rect width="20" height="24" fill-opacity="0"/>{DIAGONAL}',
    "zero stroke-opacity": f'<g stroke-opacity="0%">{CORNER}</g>{DIAGONAL}',
    "zero width": f'<g stroke-width="0">{CORNER}</g>{DIAGONAL}',
    "transparent": f'<path stroke="transparent" fill="rgba(0,0,0,0)" d="M4 4h16v16"/>{DIAGONAL}',
    "hexadecimal": f'<path stroke="#00000000" fill="#0000" d="M4 4h16v16"/>{DIAGONAL}',
    "hidden": f'<g visibility="hidden">{CORNER}<path visibility="visible" stroke="black" '
    'd="M4 8h9"/></g>',
    "not displayed": f'<g display="none"><g display="inline">{CORNER}</g></g>{DIAGONAL}',
    "currentColor": f'<g color="white" stroke="currentColor"><path d="M2 3h9"/></g>{DIAGONAL}',
    "no such gradient": f'<path fill="url(#g)" d="M4 4h16v16"/>{DIAGONAL}',
    "fallback": '<path fill="none" stroke="url(#g) red" d="M4 4h16v16"/>',
    "empty gradient": f'<linearGradient id="g"/><path fill="url(#g)" d="M4 4h16v16"/>{DIAGONAL}',
    "pattern": '<pattern id="p" width="2" height="2" patternUnits="userSpaceOnUse"><rect width="2" '
    'height="2" fill="red"/></pattern><rect x="4" y="4" width="16" height="16" fill="url(#p)"/>',
    "only referred to": f'<marker id="m">{CORNER}</marker><symbol>{CORNER}</symbol><mask id="k">'
    f"{CORNER}</mask><clipPath id='c'>{CORNER}</clipPath><pattern>{CORNER}</pattern>{DIAGONAL}",
    "unknown": f"<figure>{CORNER}</figure><x:g xmlns:x='y'>{CORNER}</x:g>{DIAGONAL}",
    "switch": f'<switch><g systemLanguage="xx">{CORNER}</g>{DIAGONAL}{CORNER}</switch>',
    "extension": f'<switch><foreignObject requiredExtensions="x"/><g>{DIAGONAL}</g></switch>',
    "out of view": '<rect x="30" y="2" width="4" height="5"/>' + DIAGONAL,
    "part out of view": '<circle cx="24" cy="12" r="6" fill="none" stroke="black"/>'
    '<path d="M-20 10L40 14" stroke="black"/>',
    "round ends": '<path stroke-linecap="round" stroke="black" d="M12 12z"/>'
    '<path stroke-linecap="butt" stroke="black" stroke-width="3" d="M4 12z"/>',
}
CUT = {
    "to a circle": '<clipPath id="c"><circle cx="12" cy="12" r="6"/></clipPath>'
    '<g clip-path="url(#c)"><path d="M0 12h24" stroke="black"/></g>',
    "a filled one": '<clipPath id="c"><circle cx="12" cy="12" r="6"/></clipPath>'
    '<rect clip-path="url(#c)" x="12" y="2" width="10" height="20"/>',
    "to all": f'<g clip-path="url(#c)">{CORNER}</g><defs><clipPath id="c"><rect width="24" '
    'height="24" fill="none"/></clipPath></defs>',
    "to nothing": f'<clipPath id="c"/><g clip-path="url(#c)">{CORNER}</g>{DIAGONAL}',
    "by nothing": f'<g clip-path="url(#c)" mask="url(#m)">{CORNER}</g>',
    "in units of the box": '<clipPath id="c" clipPathUnits="objectBoundingBox"><rect width=".5" '
    'height="1"/></clipPath><circle clip-path="url(#c)" cx="12" cy="12" r="9" fill="none" '
    'stroke="black"/>',
    "with transforms": '<clipPath id="c" transform="translate(6 0)"><rect width="9" height="24"/>'
    '</clipPath><path clip-path="url(#c)" transform="translate(2 2)" d="M0 12h24" stroke="black"/>',
    "by use": '<defs><circle id="k" cx="12" cy="12" r="6"/></defs><clipPath id="c"><use href="#k"/>'
    '</clipPath><path clip-path="url(#c)" d="M0 12h24" stroke="black"/>',
    "mask": '<mask id="m"><rect width="12" height="24" fill="white"/></mask><g mask="url(#m)">'
    '<path d="M1 12h23v5" stroke="black" fill="none"/></g>',
    "mask by opacity": '<mask id="m" style="mask-type:alpha" maskUnits="userSpaceOnUse" x="0" y="0"'
    ' width="24" height="24"><rect width="24" height="24" fill="#222"/></mask>'
    f'<g mask="url(#m)">{CORNER}</g>',
    "mask with a hole": '<mask id="m"><rect width="24" height="24" fill="white"/><circle cx="12" '
    'cy="12" r="4"/></mask><path mask="url(#m)" d="M2 12h20v2H2z"/>',
}
STYLE = {
    "class": '<style>.a{fill:none;stroke:#000}</style><path class="b a" d="M4 4h16v16"/>',
    "child": '<style>g>path{fill:none;stroke:#000}</style><g><path d="M4 4h16v16"/></g>'
    '<a><g><path d="M2 20h3v3"/></g></a><path fill="none" d="M2 20h3v3"/>',
    "descendant": '<style>.x path{fill:none;stroke:#000}</style><g class="x"><g>'
    '<path d="M4 4h16v16"/></g></g>',
    "no descendant": f'<style>.x .y path,.y .x path{{display:none}}</style>'
    f'<g class="x">{CORNER}</g>',
    "id over class": "<style>#z{stroke:black}.k{stroke:none}*{fill:none}</style>"
    '<path id="z" class="k" d="M4 4h16v16"/>',
    "two classes over one": "<style>.a.b{stroke:black}.a{stroke:none;fill:none}</style>"
    '<path class="a b" d="M4 4h16v16"/>',
    "later over earlier": f"<style>.a{{fill:none}}.b{{stroke:black}}</style>"
    f'<style>.a{{stroke:none}}</style><path class="b a" d="M4 4h16v16"/>{DIAGONAL}',
    "important": "<style>.k{stroke:black!important;fill:none}</style>"
    '<path style="stroke:none" class="k" d="M4 4h16v16"/>',
    "over attributes": "<style>path{stroke:black;fill:none}</style>"
    '<path stroke="none" d="M4 4h16v16"/>',
    "CDATA": f"<style><![CDATA[.h{{display:none}}]]></style><g class='h'>{CORNER}</g>{DIAGONAL}",
    "comments": f"<style>/* .x{{ */ .h{{display:none}}</style><g class='h'>{CORNER}</g>{DIAGONAL}",
    "fonts": "<style>@font-face{font-family:x;src:url(data:font/woff;base64,"
    f"{'A' * 99_999})}} .h{{display:none}}</style><g class='h'>{CORNER}</g>{DIAGONAL}",
    "other types": f'<style type="text/x">path{{display:none}}</style>{CORNER}',
    "inherit": '<g stroke="black" fill="none"><path stroke="inherit" d="M4 4h16v16"/></g>',
    "keywords": '<g stroke="black" fill="none" opacity="1" style="opacity:unset;transform:initial">'
    f'<path opacity="inherit" style="stroke:initial" d="M2 2h9"/></g>{DIAGONAL}',
    "group": f'<style>.h{{opacity:0}}</style><g class="h">{CORNER}</g>{DIAGONAL}',
}
PLACED = {
    "mm": '<rect x="1mm" y="1mm" width="4mm" height=".4cm" fill="none" stroke="black"/>',
    "pt, pc, in": '<rect x="3pt" y=".25pc" width=".15in" height="12pt" fill="none" '
    'stroke="black"/>',
    "em, ex": '<g font-size="2" fill="none" stroke="black"><circle cx="6em" cy="12ex" r="1em"/>'
    '<svg font-size="2em"><rect x="2em" y="1em" width="2em" height="1em"/></svg></g>',
    "percent": '<rect x="25%" y="10%" width="50%" height="75%" fill="none" stroke="black"/>'
    '<circle cx="50%" cy="50%" r="10%" fill="none" stroke="black"/>',
    "percent of a view": '<svg x="4" y="4" width="16" height="16" viewBox="0 0 100 50">'
    '<rect x="25%" y="10%" width="50%" height="75%" fill="none" stroke="black" stroke-width="2"/>'
    '</svg>',
    "ellipse of one radius": '<ellipse cx="12" cy="12" rx="6" fill="none" stroke="black"/>',
    "negative": f'<circle cx="12" cy="12" r="-5"/><rect width="-9" height="9"/>{DIAGONAL}',
    "one corner radius": '<rect x="3" y="3" width="18" height="12" rx="6" fill="none" '
    'stroke="black"/>',
    "negative corner radius": '<rect x="3" y="3" width="18" height="12" rx="-6" ry="5" fill="none" '
    'stroke="black"/>',
    "large corner radius": '<rect x="3" y="3" width="18" height="12" rx="60" ry="50%" fill="none" '
    'stroke="black"/>',
    "no number": f'<rect x="3" y="9" width="5" height="9" rx="foo"/><circle r="9foo"/>{DIAGONAL}',
    "clipped view": '<svg x="4" y="4" width="10" height="10"><circle cx="10" cy="5" r="4" '
    'fill="none" stroke="black"/></svg>',
    "clipped filled view": '<svg x="4" y="4" width="10" height="10"><circle cx="9" cy="5" r="4"/>'
    '</svg><path d="M15 6v9h5z"/>',
    "open view": '<svg x="4" y="4" width="10" height="10" style="overflow:visible"><circle cx="10" '
    'cy="5" r="4" fill="none" stroke="black"/></svg>',
    "used": '<defs><path id="a" d="M4 4h16v9"/></defs><use href="#a" fill="none" stroke="black"/>',
    "used with transforms": '<defs><path id="a" d="M4 4h16v9" fill="none" stroke="black" '
    'transform="scale(.5)"/></defs><use href="#a" x="4" y="8" transform="translate(2 2)"/>',
    "used twice over": '<g id="a" fill="none" stroke="black"><path id="b" d="M2 2h5v5"/>'
    '<use href="#b" y="3"/></g><use href="#a" x="10" y="10"/>',
    "used svg": '<defs><svg id="a" width="10" height="10" viewBox="0 0 5 5"><circle cx="2.5" '
    'cy="2.5" r="2"/></svg></defs><use href="#a" x="6" y="6"/><use href="#a" width="5"/>',
    "both links": '<defs><path id="a" d="M4 4h16"/><path id="b" d="M4 9h16"/></defs>'
    '<use xlink:href="#a" href="#b" stroke="black"/>',
    "same id": '<defs><path id="a" d="M4 4h16"/><path id="a" d="M4 9h16"/></defs>'
    '<use href="#a" stroke="black"/>',
    "cycle": '<g id="a"><use href="#a"/><path d="M4 4h9" stroke="black"/></g>',
    "link": f'<a href="#"><g>{CORNER}</g></a>',
    "skewed": '<rect x="3" y="3" width="8" height="8" fill="none" stroke="black" '
    'transform="skewX(30) translate(1 2) , rotate(10 5 5)"/>',
    "wrong transforms": f'<g transform="translate(4 0) foo">{CORNER}</g>'
    f'<g transform="translate(4 0 3)">{CORNER}</g><g transform="translate(4px,0)">{CORNER}</g>'
    f'<g transform="translate(4,0),,scale(.5)">{CORNER}</g>',
    "huge": '<path d="M12 12H1e30" stroke="black"/>',
    "numbers": '<path fill="none" stroke="black" d="M4.5.5.5 20.5-1e1-0+5 3e0 20e-1"/>',
    "flags": '<path fill="none" stroke="black" d="M4 12a8 8 0 0116 0"/>',
    "no radius": '<path fill="none" stroke="black" d="M4 4A0 3 0 0 1 20 4V20"/>',
    "negative radius": '<path fill="none" stroke="black" d="M4 12A-8 -8 0 0 1 20 12"/>',
    "too small radius": '<path fill="none" stroke="black" d="M4 12A1 1 0 0 1 20 12"/>',
    "turned ellipse": '<path fill="none" stroke="black" d="M6 12A8 3 30 1 1 18 12"/>',
    "smooth": '<path fill="none" stroke="black" d="M2 12c2-9 5-9 8 0s5 9 8 0q2 -4 3 0t1 3"/>',
    "after a close": '<path fill="none" stroke="black" d="M4 4h5v5zl10 10zm10 10h4"/>',
    "wrong flag": '<path fill="none" stroke="black" d="M4 12h8a8 8 0 2 1 16 0"/>',
    "odd points": '<polyline fill="none" points="4 4 20 4 20" stroke="black"/>',
    "wrong points": '<polygon fill="none" points="4 4,20 4,9 20 x 3 3" stroke="black"/>',
    "no moveto": f'<path d="L5 5 20 20" stroke="black"/>{DIAGONAL}',
}
# fmt: on
CASES = SEEN | CUT | STYLE | PLACED
assert len(CASES) == sum(map(len, (SEEN, CUT, STYLE, PLACED)))


@pytest.mark.parametrize("name", CASES)
def test_a_drawing_stands_where_resvg_paints_it(name):
    there, back = gaps(f"{HEAD}{CASES[name]}</svg>")
    assert there <= 1.6 and back <= 1.6


@pytest.mark.parametrize("aspect", ["", "none", "xMinYMin", "xMaxYMax", "xMidYMid slice",
                                    "xMinYMax slice", "xMidYMin meet", "wrong"])  # fmt: skip
@pytest.mark.parametrize("side", [(20, 10), (10, 20), (15, 15)])
def test_a_view_in_a_view_stands_as_its_aspect_ratio_says(aspect, side):
    path = '<path stroke-width=".5" d="M0 0h8v7l-8-4z"'
    body = f'preserveAspectRatio="{aspect}" viewBox="-1 -1 12 10">{path}'
    size = f'width="{side[0]}" height="{side[1]}"'
    paint = 'fill="none" stroke="black"'
    for text in (
        f'<svg x="2" y="3" {size} {body} {paint}/></svg>',
        f'<symbol id="a" {body} {paint}/></symbol><use href="#a" x="2" y="3" {size}/>',
    ):
        there, back = gaps(f"{HEAD}{text}</svg>")
        assert there <= 1.6 and back <= 1.6


@pytest.mark.parametrize("aspect", ["none", "xMinYMin slice", "xMidYMax slice"])
@pytest.mark.parametrize("side", [(20, 10), (10, 20), (15, 15)])
def test_a_whole_drawing_stands_in_its_frame_as_its_aspect_ratio_says(aspect, side):
    view = f'viewBox="-1 -1 12 10" preserveAspectRatio="{aspect}"'
    path = '<path stroke-width=".5" fill="none" stroke="black" d="M0 0h8v7l-8-4z"/>'
    text = f'<svg {XMLNS} width="{side[0]}" height="{side[1]}" {view}>{path}</svg>'
    there, back = gaps(text, side)
    assert there <= 1.6 and back <= 1.6


@pytest.mark.parametrize("size", ['width="100mm" height="5cm"', 'width="100" height="50"',
                                  'viewBox="0 0 100 50"', 'viewBox="0 0 100 50" width="1em"',
                                  'viewBox="0 0 100 50" width="100%" height="100%"',
                                  'viewBox="0 0 50 50" width="4" height="2" '
                                  'preserveAspectRatio="none"'])  # fmt: skip
def test_units_of_the_whole_drawing_do_not_matter(size):
    line = '<line x1="10%" y1="20%" x2="90%" y2="20%" stroke="black"/>'
    assert draw(line, f"<svg {XMLNS} {size}>") == [[[3, 8], [20, 8]]]


@pytest.mark.parametrize(
    ("body", "strokes"),
    [  # where resvg is not as browsers are
        (f'<clipPath id="c" transform="x"><rect width="9" height="24"/></clipPath>'
         f'<g clip-path="url(#c)">{CORNER}</g>', [[[4, 4], [9, 4]]]),
        (f'<style media="print">path{{display:none}}</style>{CORNER}',
         [[[4, 4], [20, 4], [20, 20]]]),
        (f'<g style="transform:translate(4px,2px) scale(.5)">{CORNER}</g>',
         [[[6, 4], [14, 4], [14, 12]]]),
        ('<path fill="none" style="--x:red;stroke:var(--x)" d="M4 4h16"/>', [[[4, 4], [20, 4]]]),
        ('<path fill="none" stroke="var(--x, red)" d="M4 4h16"/>', [[[4, 4], [20, 4]]]),
        (f'<style>@media screen{{.a{{display:none}}}}</style><g class="a">{CORNER}</g>'
         '<path stroke="red" d="M2 2h9"/>', [[[2, 2], [11, 2]]]),
        ('<g stroke="red"><path style="stroke:bogus" d="M4 4h16"/></g>', [[[4, 4], [20, 4]]]),
        ('<g stroke="red"><path stroke="none !important" d="M4 4h16"/></g>', [[[4, 4], [20, 4]]]),
        ('<path stroke="red" stroke-width="-1" d="M4 4h16"/>', [[[4, 4], [20, 4]]]),
        ('<path stroke="red" d="M4 4h9L1e40 4"/>', [[[4, 4], [13, 4]]]),
        (f'<svg viewBox="0 0 0 4">{CORNER}</svg><svg width="0">{CORNER}</svg>{DIAGONAL}',
         [[[6, 6], [18, 18]]]),
        ('<path stroke="red" d="M4 4h9L20. 4"/>', [[[4, 4], [13, 4]]]),
        ('<g id="a"><use href="#b"/><path stroke="red" d="M4 4h9"/></g>'
         '<g id="b"><use href="#a"/></g>',
         [[[4, 4], [13, 4]], [[4, 4], [13, 4]]]),
    ],
)  # fmt: skip
def test_a_drawing_is_as_browsers_show_it(body, strokes):
    assert draw(body) == strokes


def test_entities_of_editors_are_read():
    head = '<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg"><!ENTITY s "stroke:red">]>'
    body = '<svg xmlns="&ns;" viewBox="0 0 24 24"><path style="&s;" d="M4 4h16"/>'
    assert draw("", head + body) == [[[4, 4], [20, 4]]]
    prefixed = '<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
    path = '<s:path stroke="red" d="M4 4h16"/></s:svg>'
    assert [s.tolist() for s in read_svg((prefixed + path).encode())[0]] == [[[4, 4], [20, 4]]]


@given(st.lists(st.tuples(st.integers(-9, 33), st.integers(-9, 33)), min_size=2, max_size=9))
@settings(deadline=None, derandomize=True)
def test_what_is_cut_off_lies_outside_and_nothing_else(points):
    line = np.array([complex(x, y) for x, y in points])
    parts = clip(line, (0, 0, 24, 24))
    dense = np.concatenate([np.linspace(a, b, 97) for a, b in itertools.pairwise(line)])
    inside = dense[(dense.real > 0) & (dense.real < 24) & (dense.imag > 0) & (dense.imag < 24)]
    kept = [np.linspace(a, b, 97) for part in parts for a, b in itertools.pairwise(part)]
    for part in kept:
        assert part.real.min() > -1e-9 and part.real.max() < 24 + 1e-9
        assert part.imag.min() > -1e-9 and part.imag.max() < 24 + 1e-9
    for point in inside[::7]:
        assert np.abs(np.concatenate(kept) - point).min() < 0.5


WORDS = sorted(set(re.findall(r"<[^<>]*>|[\w-]+=\"[^\"]*\"|[\w.#%-]+", " ".join(CASES.values()))))


@given(st.integers(0, 1 << 32))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_drawings_of_mixed_words_are_read_or_refused(seed):
    rng = random.Random(seed)
    text = f"{HEAD}{CASES[rng.choice(list(CASES))]}{CASES[rng.choice(list(CASES))]}</svg>"
    for _ in range(rng.randrange(1, 6)):
        words = re.findall(r"[\w.#%-]+|[^\w.#%-]+", text)
        words[rng.randrange(len(words))] = rng.choice(WORDS)
        text = "".join(words)
    try:
        strokes, notes = read_svg(text.encode())
    except SvgError as error:
        assert "\n" not in str(error)
    else:
        assert all("\n" not in note for note in notes)
        for stroke in strokes:
            assert len(stroke) >= 2 and stroke.min() >= 0 and stroke.max() < 24
