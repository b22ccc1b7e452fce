"""The report of a comparison, made from its saved works: Markdown, HTML, JSON, CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from move37.agents.compare.columns import COLUMNS, COST, EVIDENCE, NOVELTY, QUALITY
from move37.agents.compare.comparison_dir import ComparisonDir
from move37.agents.compare.entries import FIXED
from move37.agents.compare.joining import join, joined_to
from move37.agents.compare.report.expectations import UNASKED, check_all
from move37.agents.compare.report.page import TEMPLATES, page
from move37.agents.compare.report.plane import write_plane
from move37.agents.compare.report.tables import Results
from move37.agents.compare.results import nested, read_rows, summarise
from move37.envs.base.registry import find_world
from move37.envs.base.works import write_atomically
from move37.envs.files.pictures import save_png
from move37.envs.files.sheets import sheet
from move37.novelty.storage import read_json

TITLE = "Which of these makers are creative?"
SHOWN = 30
"""Works on a sheet."""
SHEET_COLUMNS = 6
FEW = 50
"""Files left out that a report names."""


def read_results(out: Path) -> Results:
    """Read a comparison.

    Raises:
        ValueError: If the folder holds none, or no works yet.
    """
    folder = ComparisonDir(out)
    config = folder.config()
    rows, notes = read_rows(folder)
    for source, other in joined_to(folder).items():
        rows, notes, config = join(rows, notes, config, other, source)
    path = folder.judges / "trials.json"
    trials = read_json(path) if path.exists() else {}
    summary = summarise(rows)
    return Results(
        folder, find_world(config["world"])(), config, rows, summary, notes, trials,
        check_all(summary, config["budget"]),
    )  # fmt: skip


def write_report(out: Path) -> Results:
    """Make the report of a comparison from its saved works.

    Writes ``report.md``, ``report.html``, ``comparison.json``, ``comparison.csv`` (one row for each
    maker, seed and measure), ``plane.pdf``, ``.svg`` and ``.png``, and ``sheets/``.

    Raises:
        ValueError: If the folder holds no comparison, or no works yet.
    """
    results = read_results(out)
    for name in results.shown:
        for best, suffix in ((False, ""), (True, "-best")):
            picture = sheet(results.world, results.works(name, best)[:SHOWN], SHEET_COLUMNS)
            save_png(out / "sheets" / f"{name}{suffix}.png", picture, colours=256)
    write_plane(results.summary, results.added, out / "plane")
    text = markdown_of(results)
    write_atomically(out / "report.md", text.encode())
    meanings = {column.title: column.text for column in COLUMNS.values()}
    write_atomically(out / "report.html", page(text, out, meanings).encode())
    by_maker = nested(results.rows, results.summary)
    data = {
        "makers": {name: by_maker[name] for name in results.names},
        "meta": {
            **results.config,
            "expectations": [vars(check) for check in results.checks],
            "notes": results.notes,
        },
    }
    text = json.dumps(data, indent=1, allow_nan=False)
    write_atomically(out / "comparison.json", text.encode())
    write_atomically(out / "comparison.csv", results.rows.to_csv(index=False).encode())
    return results


def markdown_of(results: Results) -> str:
    """The report as Markdown, with pictures named relative to the folder."""

    def facts(found: Mapping[str, str]) -> str:
        return ", ".join(f"{key} {value}" for key, value in found.items())

    return TEMPLATES.get_template("report.md.jinja").render(
        title=TITLE, results=results, quality=QUALITY, novelty=NOVELTY, cost=COST, fixed=FIXED,
        few=FEW, unasked=UNASKED,
        facts=facts, title_of=lambda key: COLUMNS[key].title,
        columns_of=lambda *measures: [c for measure in measures for c in EVIDENCE[measure]],
        errors=[(name, seed, text) for name, found in results.notes.items()
                for seed, text in found["errors"].items()],
    )  # fmt: skip
