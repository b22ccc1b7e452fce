"""The quality-novelty plane of a comparison, as a figure for print."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from move37.agents.compare.columns import BEST, at_temperatures, label, order_of, split_name
from move37.agents.compare.results import Summary
from move37.envs.base.works import write_atomically

QUALITY, NOVELTY = "heldout_quality", "novelty_human"
STYLE: Any = {
    "font.size": 8, "axes.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlelocation": "left", "axes.titlesize": 8, "legend.frameon": False,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "move37",
}  # fmt: skip
LEARNER, HUMAN, CURVES = "#c8451d", "#2f6690", {"rnn": "#8c867d", "imitator": "#2b2926"}
OTHERS = list(product("o^v", ("#4d7c3a", "#7b4f9d", "#b8860b", "#b0476d", "#3a8a8c")))
"""Marker and colour of makers that are none of the above, in turn."""


def write_plane(table: Summary, added: Sequence[str], stem: Path) -> NDArray[np.uint8]:
    """Draw unselected works at the left, the best tenth of each maker at the right.

    Args:
        table: The figures.
        added: Names of the works of others.
        stem: The figure is written to ``stem``.pdf, .svg and .png.

    Returns:
        The figure as an image, (H, W, 3) uint8.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, 2, figsize=(8.4, 4.8), sharex=True, sharey=True, layout="constrained"
        )
        for axis, prefix, title in (
            (axes[0], "", "fresh and unselected"),
            (axes[1], BEST, "best tenth by the maker's own reward"),
        ):
            _panel(axis, table, prefix, added)
            axis.set(title=title, xlabel="novelty against the human works (human median = 1)")
        axes[0].set_ylabel("held-out quality")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        plain = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}
        for kind, metadata in plain.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
            write_atomically(stem.with_suffix(f".{kind}"), buffer.getvalue())
        figure.set_dpi(160)
        figure.canvas.draw()
        pixels: NDArray[np.uint8] = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()
        plt.close(figure)
    return pixels


def _panel(axis: Any, table: Summary, prefix: str, added: Sequence[str]) -> None:
    if human := table.get("human"):
        # Unselected in both panels: the reference is a human work, not the best one.
        axis.axhline(human[QUALITY].value, lw=0.5, color=HUMAN, ls=":", zorder=0)
        axis.axvline(human[NOVELTY].value, lw=0.5, color=HUMAN, ls=":", zorder=0)
    for maker, colour in CURVES.items():
        temperatures = at_temperatures(table, maker)
        if not temperatures:
            continue
        title = f"{label(maker)}, T = {min(temperatures):g} to {max(temperatures):g}"
        names = list(temperatures.values())
        x, y = _points(axis, table, names, prefix, label=title, marker=".", color=colour, ls="-")
        for at, t in enumerate(temperatures):
            if t in (min(temperatures), 1.0, max(temperatures)):
                axis.annotate(f"{t:g}", (x[at], y[at]), (3, 3), textcoords="offset points",
                              fontsize=6, color=colour)  # fmt: skip
    rest = [name for name in table if split_name(name)[0] not in CURVES]
    looks = iter(OTHERS * (len(rest) // len(OTHERS) + 1))
    for name in order_of(rest, added):
        if name == "learner":
            marker, colour = "D", LEARNER
        elif name in ("human", "outsiders"):
            marker, colour = "s" if name == "human" else "P", HUMAN
        else:
            marker, colour = next(looks)
        _points(axis, table, [name], prefix, label=label(name), marker=marker, color=colour, ls="")


def _points(
    axis: Any, table: Summary, names: Sequence[str], prefix: str, **look: Any
) -> tuple[list[float], list[float]]:
    """Draw lines of the table as points with their intervals; where they are."""
    found = [[table[name][prefix + key] for name in names] for key in (NOVELTY, QUALITY)]
    x, y = ([one.value for one in each] for each in found)
    errors = [
        np.transpose([(max(0.0, i.value - i.low), max(0.0, i.high - i.value)) if i.known
                      else (math.nan, math.nan) for i in each])
        for each in found
    ]  # fmt: skip
    axis.errorbar(x, y, errors[1], errors[0], ms=5, lw=1, elinewidth=0.7, mec="white", mew=0.4,
                  **look)  # fmt: skip
    return x, y
