"""The quality-novelty plane of a comparison, as a figure for print."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from move37.agents.compare.columns import BEST, at_temperatures, label, split_name
from move37.agents.compare.results import Summary
from move37.envs.base.works import write_atomically

QUALITY, NOVELTY = "heldout_quality", "novelty_human"
STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 8, "axes.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "move37",
    "axes.edgecolor": "#55504a", "xtick.color": "#55504a", "ytick.color": "#55504a",
    "axes.labelcolor": "#2b2926",
}  # fmt: skip
INK, SOFT, ACCENT, HUMAN, CURVE = "#2b2926", "#8c867d", "#c8451d", "#2f6690", "#a39c92"
CURVES: dict[str, Any] = {"rnn": "-", "imitator": (0, (3, 2))}
"""Makers whose temperatures are connected, and with which dashes."""
LABEL_SIZE = 7.0


def colour_of(name: str, added: Sequence[str]) -> str:
    """The learner and the human works stand out, whatever else there is."""
    if name == "learner":
        return ACCENT
    if name in ("human", "outsiders"):
        return HUMAN
    return "#4d7c3a" if name in added else INK


def draw_plane(table: Summary, added: Sequence[str] = ()) -> Any:
    """The figure: unselected works at the left, the best tenth of each maker at the right."""
    with plt.rc_context(STYLE):
        canvas, axes = plt.subplots(
            1, 2, figsize=(7.4, 4.1), sharex=True, sharey=True, layout="constrained"
        )
        for axis, prefix, title in (
            (axes[0], "", "fresh and unselected"),
            (axes[1], BEST, "best tenth by the maker's own reward"),
        ):
            _panel(axis, table, prefix, added)
            axis.set_title(title, fontsize=8, loc="left", color=INK)
            axis.set_xlabel("novelty against the human works (human median = 1)")
        axes[0].set_ylabel("held-out quality")
        _limits(axes, table)
        canvas.canvas.draw()
        for axis, prefix in ((axes[0], ""), (axes[1], BEST)):
            _names(axis, table, prefix, added)
    return canvas


def _limits(axes: Any, table: Summary) -> None:
    """Room for every point and interval, and a little more at the right for names."""
    for key, setter, more in ((NOVELTY, "set_xlim", 0.16), (QUALITY, "set_ylim", 0.04)):
        values = [
            value
            for columns in table.values()
            for prefix in ("", BEST)
            if (figure := columns.get(prefix + key)) is not None
            for value in (figure.value, figure.low, figure.high)
            if not math.isnan(value)
        ]
        low, high = min(values), max(values)
        room = max(high - low, 1e-3)
        getattr(axes[0], setter)(low - 0.05 * room, high + more * room)


def _panel(axis: Any, table: Summary, prefix: str, added: Sequence[str]) -> None:
    human = table.get("human")
    if human is not None:
        # Unselected in both panels: the reference is a human work, not the best one.
        axis.axhline(human[QUALITY].value, lw=0.5, color=HUMAN, ls=(0, (1, 2)), zorder=0)
        axis.axvline(human[NOVELTY].value, lw=0.5, color=HUMAN, ls=(0, (1, 2)), zorder=0)
    for maker, dashes in CURVES.items():
        names = at_temperatures(table, maker).values()
        x = [table[n][prefix + NOVELTY].value for n in names]
        y = [table[n][prefix + QUALITY].value for n in names]
        axis.plot(x, y, ls=dashes, lw=1.0, color=CURVE, zorder=1)
    for name, columns in table.items():
        novelty, quality = columns[prefix + NOVELTY], columns[prefix + QUALITY]
        at = (novelty.value, quality.value)
        curve = split_name(name)[0] in CURVES
        colour = SOFT if curve else colour_of(name, added)
        marker = "s" if name in ("human", "outsiders") else "D" if name == "learner" else "o"
        for found, horizontal in ((novelty, True), (quality, False)):
            if not found.known:
                continue
            ends, across = [found.low, found.high], [at[1] if horizontal else at[0]] * 2
            axis.plot(
                ends if horizontal else across, across if horizontal else ends,
                lw=0.5 if curve else 0.7, color=colour, alpha=0.5 if curve else 0.75, zorder=2,
                solid_capstyle="butt",
            )  # fmt: skip
        size = 2.6 if curve else 5.0 if name == "learner" else 4.0
        axis.plot(
            [at[0]], [at[1]], marker, ms=size, color=colour, zorder=3,
            mec="white", mew=0.4,
        )  # fmt: skip


def _names(axis: Any, table: Summary, prefix: str, added: Sequence[str]) -> None:
    """Write names beside points, each where it covers the least, nearest places first."""
    renderer = axis.figure.canvas.get_renderer()
    frame = axis.get_window_extent(renderer)
    scale = axis.figure.dpi / 72
    points: dict[str, Any] = {}
    for name, columns in table.items():
        at = (columns[prefix + NOVELTY].value, columns[prefix + QUALITY].value)
        points[name] = axis.transData.transform(at)
    taken = [_around(at, 3 * scale) for at in points.values()]
    for line in axis.lines:
        # Curves and intervals are in the way too: a name over them is hard to read.
        path = line.get_transform().transform(np.column_stack(line.get_data()))
        if len(path) > 1 and line.get_zorder() > 0:
            taken += [_around(at, 0.8 * scale) for at in _along(path, 3 * scale)]
    first = ("learner", "human", "outsiders")
    for name in sorted(points, key=lambda n: (n not in first, n)):
        text, curve = _text_of(name, table)
        if not text:
            continue
        colour = SOFT if curve else colour_of(name, added)
        size = LABEL_SIZE - 1 if curve else LABEL_SIZE
        weight = "bold" if name == "learner" else "normal"
        shown = axis.text(0, 0, text, fontsize=size, color=colour, weight=weight, zorder=4)
        box = shown.get_window_extent(renderer)
        x, y = points[name]
        best, least = None, np.inf
        for radius in (5.0, 9.0, 14.0, 20.0, 28.0):
            for angle in np.arange(0, 360, 30):
                dx, dy = np.cos(np.radians(angle)), np.sin(np.radians(angle))
                cx = x + dx * (radius * scale + box.width / 2)
                cy = y + dy * (radius * scale + box.height / 2)
                here = (cx - box.width / 2, cy - box.height / 2,
                        cx + box.width / 2, cy + box.height / 2)  # fmt: skip
                cost = sum(_overlap(here, other) for other in taken)
                cost += 20 * _outside(here, frame) + 0.6 * radius * scale + 0.02 * abs(angle)
                if cost < least:
                    best, least = here, cost
        assert best is not None
        taken.append(best)
        shown.set_position(axis.transData.inverted().transform(best[:2]))
        gap = np.hypot(*(np.clip((x, y), best[:2], best[2:]) - (x, y)))
        if gap > 9 * scale and not curve:
            start = np.clip((x, y), best[:2], best[2:])
            ends = axis.transData.inverted().transform([start, (x, y)])
            axis.plot(ends[:, 0], ends[:, 1], lw=0.4, color=colour, alpha=0.6, zorder=1)


def _text_of(name: str, table: Summary) -> tuple[str, bool]:
    """The text beside a point, and whether the point is on a curve.

    On a curve the first point bears the maker's name, others their temperature or nothing.
    """
    maker, temperature = split_name(name)
    if maker not in CURVES or temperature is None:
        return label(name).replace(", held out", ""), False
    temperatures = list(at_temperatures(table, maker))
    if temperature == temperatures[0]:
        return f"{label(maker)}, T = {temperature:g}", True
    return (f"{temperature:g}" if temperature in (1.0, temperatures[-1]) else ""), True


def _around(at: Sequence[float], radius: float) -> tuple[float, float, float, float]:
    """The square about a point."""
    return (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)


def _along(path: Any, step: float) -> Any:
    """Points on a polyline, (N, 2), about ``step`` apart."""
    parts = [
        np.linspace(a, b, max(2, round(float(np.hypot(*(b - a))) / step)))
        for a, b in itertools.pairwise(path)
    ]
    return np.concatenate(parts)


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _outside(box: Sequence[float], frame: Any) -> float:
    return float(
        max(0.0, frame.x0 - box[0]) + max(0.0, box[2] - frame.x1)
        + max(0.0, frame.y0 - box[1]) + max(0.0, box[3] - frame.y1)
    )  # fmt: skip


def save_figure(canvas: Any, stem: Path) -> None:
    """Write ``stem``.pdf, .svg and .png (240 dots an inch)."""
    plain = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}
    with plt.rc_context(STYLE):
        for kind, metadata in plain.items():
            buffer = io.BytesIO()
            canvas.savefig(buffer, format=kind, dpi=240, metadata=metadata)
            write_atomically(stem.with_suffix(f".{kind}"), buffer.getvalue())


def pixels(canvas: Any) -> Any:
    """The figure as an image, (H, W, 3) uint8."""
    canvas.set_dpi(160)
    canvas.canvas.draw()
    return np.asarray(canvas.canvas.buffer_rgba())[:, :, :3].copy()


def close(canvas: Any) -> None:
    """Free a figure."""
    plt.close(canvas)
