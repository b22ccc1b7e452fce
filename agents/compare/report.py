"""The report of a comparison, made from its saved works: Markdown, HTML, JSON, TensorBoard."""

from __future__ import annotations

import json
import shutil
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from move37.agents.compare import figures
from move37.agents.compare.columns import BEST, EVIDENCE
from move37.agents.compare.expectations import check_all
from move37.agents.compare.joining import join, joined_to
from move37.agents.compare.sections import SECTIONS, Results
from move37.agents.compare.table import Figure, read_table
from move37.envs.base.works import write_atomically
from move37.envs.base.world import find_world
from move37.envs.files.pictures import save_png
from move37.envs.files.sheets import sheet

TITLE = "Which of these makers are creative?"
TEMPLATE = Path(__file__).with_name("report.html")
SHOWN = 30
"""Works on a sheet."""
SHEET_COLUMNS = 6


def read_results(out: Path) -> Results:
    """Read a comparison.

    Raises:
        ValueError: If the folder holds none, or no works yet.
    """
    try:
        config = json.loads((out / "config.json").read_text())
    except FileNotFoundError:
        raise ValueError(f"{out}: holds no comparison (config.json is missing)") from None
    table, notes = read_table(out)
    path = out / "judges" / "trials.json"
    trials = json.loads(path.read_text()) if path.exists() else {}
    for other in joined_to(out):
        config, notes = join(table, notes, config, other)
    world = find_world(config["world"])
    return Results(out, world, config, table, notes, trials, check_all(table))


def write_sheets(results: Results) -> dict[str, NDArray[np.uint8]]:
    """Write a sheet of each maker's unselected works and one of its best; {name: picture}."""
    out = {}
    for name in results.shown:
        for suffix in ("", "-best"):
            works = results.works(name, bool(suffix))[:SHOWN]
            picture = sheet(results.world, works, SHEET_COLUMNS)
            save_png(results.out / "sheets" / f"{name}{suffix}.png", picture, colours=256)
            out[name + suffix] = picture
    return out


def write_events(
    results: Results, sheets: dict[str, NDArray[np.uint8]], drawn: NDArray[np.uint8]
) -> None:
    """Write TensorBoard events: one run per maker, its seeds as steps; and the plane."""
    folder = results.out / "tensorboard"
    shutil.rmtree(folder, ignore_errors=True)
    for name in results.names:
        with SummaryWriter(str(folder / name)) as writer:
            for key, found in results.table[name].items():
                tag = f"best/{key.removeprefix(BEST)}" if key.startswith(BEST) else f"compare/{key}"
                for seed, value in zip(found.seeds, found.values, strict=True):
                    writer.add_scalar(tag, value, seed)
            for suffix, tag in (("", "unselected"), ("-best", "best")):
                if name + suffix not in sheets:
                    continue  # only figures of it were joined
                writer.add_image(f"sheets/{tag}", sheets[name + suffix], dataformats="HWC")
    with SummaryWriter(str(folder / "all")) as writer:
        writer.add_image("compare/plane", drawn, dataformats="HWC")


def plain(results: Results) -> dict[str, Any]:
    """What ``comparison.json`` holds."""
    config = results.config
    return {
        "makers": {name: _nested(results.table[name]) for name in results.names},
        "meta": {
            **config,
            "expectations": [vars(check) for check in results.checks],
            "notes": results.notes,
        },
    }


def _nested(columns: dict[str, Figure]) -> dict[str, Any]:
    """The columns of one maker; those of a measure of shift together, under the measure's name."""
    nested: dict[str, Any] = {}
    for key, found in sorted(columns.items()):
        measure, _, name = key.partition("/")
        if name and measure in EVIDENCE:
            nested.setdefault(measure, {})[name] = found.plain()
        else:
            nested[key] = found.plain()
    return nested


def write_report(out: Path) -> Results:
    """Make the report of a comparison from its saved works.

    Writes ``report.md``, ``report.html``, ``comparison.json``, ``plane.pdf``, ``.svg`` and
    ``.png``, ``sheets/`` and ``tensorboard/``.

    Raises:
        ValueError: If the folder holds no comparison, or no works yet.
    """
    results = read_results(out)
    sheets = write_sheets(results)
    canvas = figures.draw_plane(results.table, results.added)
    figures.save_figure(canvas, out / "plane")
    write_events(results, sheets, figures.pixels(canvas))
    figures.close(canvas)
    config = results.config
    seeds = "one seed" if config["seeds"] == 1 else f"{config['seeds']} seeds"
    corpus = f"corpus {config['corpus']}, " if config.get("corpus") else ""
    exam = f"briefs of the {config['exam']} split, " if config.get("exam") else ""
    subtitle = (
        f"World {config['world']}, {corpus}{exam}budget {config['budget']}, {seeds}, "
        f"{config['works']} fresh works of each maker and seed."
    )
    sections = [section for make in SECTIONS if (section := make(results)) is not None]
    text = f"# {TITLE}\n\n{subtitle}\n\n" + "\n".join(section.markdown() for section in sections)
    write_atomically(out / "report.md", text.encode())
    page = TEMPLATE.read_text()
    body = "\n".join(section.html() for section in sections)
    for key, value in (("title", escape(TITLE)), ("subtitle", escape(subtitle)), ("body", body)):
        page = page.replace("{{" + key + "}}", value)
    write_atomically(out / "report.html", page.encode())
    data = json.dumps(plain(results), indent=1, allow_nan=False)
    write_atomically(out / "comparison.json", data.encode())
    return results
