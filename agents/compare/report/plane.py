"""The quality-novelty plane of a comparison, as a figure for print."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from move37.agents.compare.columns import BEST, label, order_of, split_name
from move37.agents.compare.results import Summary
from move37.envs.base.works import write_atomically

QUALITY, NOVELTY = "heldout_quality", "novelty_human"
STYLE: Any = {
    "font.size": 8, "axes.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlelocation": "left", "axes.titlesize": 8, "legend.frameon": False,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "move37",
}  # fmt: skip
HUMAN = "#2f6690"
LOOKS = {
    "learner": ("D", "#c8451d"), "human": ("s", HUMAN), "outsiders": ("P", HUMAN),
    "rnn": (".", "#8c867d"), "imitator": (".", "#2b2926"),
}  # fmt: skip
"""Marker and colour of makers that are to be found at once."""
OTHERS = list(product("o^v", ("#4d7c3a", "#7b4f9d", "#b8860b", "#b0476d", "#3a8a8c")))
"""Those of the other makers, in turn."""


def write_plane(table: Summary, added: Sequence[str], stem: Path) -> None:
    """Draw unselected works at the left, the best tenth of each maker at the right.

    Args:
        table: The figures.
        added: Names of the works of others.
        stem: The figure is written to ``stem``.pdf, .svg and .png.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.8), layout="constrained")
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
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


def _panel(axis: Any, table: Summary, prefix: str, added: Sequence[str]) -> None:
    if human := table.get("human"):
        # Unselected in both panels: the reference is a human work, not the best one.
        axis.axhline(human[QUALITY].value, lw=0.5, color=HUMAN, ls=":", zorder=0)
        axis.axvline(human[NOVELTY].value, lw=0.5, color=HUMAN, ls=":", zorder=0)
    makers: dict[str, list[str]] = {}
    for name in order_of(table, added):
        makers.setdefault(split_name(name)[0], []).append(name)
    others = cycle(OTHERS)
    for maker, names in makers.items():
        marker, colour = LOOKS.get(maker) or next(others)
        x, y = (
            np.array([[one.value, one.value - one.low, one.high - one.value] for one in figures]).T
            for figures in ([table[n][prefix + key] for n in names] for key in (NOVELTY, QUALITY))
        )
        axis.errorbar(
            x[0], y[0], y[1:].clip(0), x[1:].clip(0), marker=marker, color=colour, ms=5, lw=1,
            elinewidth=0.7, mec="white", mew=0.4, ls="-" if len(names) > 1 else "",
            label=label(maker),
        )  # fmt: skip
        for at in (0, -1) if len(names) > 1 else ():
            text = f"T = {split_name(names[at])[1]:g}"
            axis.annotate(text, (x[0, at], y[0, at]), (4, 3), textcoords="offset points",
                          fontsize=6, color=colour)  # fmt: skip
