"""Names of any kind: they break no table, end no run, and lead no file out of its folder."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from move37.__main__ import COMMANDS
from move37.agents.compare.config import CompareConfig
from move37.agents.compare.report.page import literal
from move37.agents.runs.config import make_config
from move37.agents.runs.dashboard import Dashboard
from move37.envs.base.works import Works
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.world import DrawingWorld
from move37.envs.files.folders import file_stems
from move37.envs.files.sheets import sheet
from move37.novelty.storage import one_line, printable

LATIN = os.fsdecode(b"fa\xe7ade")
ODD = ("tab\there", "new\nline", LATIN, "田 鸡", "\u202ertl", "a|b*c_", "</script>", "x" * 5000, "")


def works(names: tuple[str, ...] = ODD) -> Works:
    moves = np.full((len(names), 48), -1, np.int16)
    moves[:, :3] = [4, 40, 577]
    return Works("drawing", moves, names=names)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("square", "square"),
        ("façade 田 鸡", "façade 田 鸡"),
        ("tab\there\r\n", r"tab\there\r\n"),
        (LATIN, r"fa\xe7ade"),
        ("\ud800", r"\ud800"),
        ("\u202ertl\x1b[31m", r"\u202ertl\x1b[31m"),
        (Path("a/b"), "a/b"),
    ],
)
def test_names_are_escaped_where_they_do_not_print(name, shown):
    assert printable(name) == shown
    shown.encode()


def test_long_names_lose_their_middle():
    assert printable("abcdefghij", 7) == "ab...ij" and printable("abcdefg", 7) == "abcdefg"
    assert len(one_line(ValueError("x" * 9000))) == 300


def test_every_command_can_print_what_its_encoding_lacks(monkeypatch):
    for name in COMMANDS:
        narrow = io.TextIOWrapper(io.BytesIO(), "cp1252", errors="strict")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", narrow)
            patch.setattr(sys, "stderr", io.StringIO())
            with pytest.raises(SystemExit):
                import_module(f"move37.{name}").main(["--no-such-option"])
        narrow.write(f"田 {LATIN}")
        narrow.flush()


def test_an_error_with_an_odd_name_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "move37", "replay", tmp_path / "new\nline" / LATIN],
        capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert r"new\nline/fa\xe7ade" in done.stderr


def test_a_corpus_keeps_odd_names_and_reads_the_others(tmp_path):
    folder = tmp_path / LATIN
    folder.mkdir()
    for name in ODD[:5]:
        (folder / f"{name}.svg").write_text('<svg viewBox="0 0 24 24"><path d="M1 1h9v9z"/></svg>')
    (folder / os.fsdecode(b"na\xefve.svg")).write_text("<svg")
    for _ in range(2):  # read, and from the cache
        corpus = load_corpus(str(folder), cache_dir=tmp_path / "cache", progress=False)
        assert sorted(corpus.works.names) == sorted(ODD[:5])
        assert [printable(label) for label, _ in corpus.skipped] == [r"na\xefve.svg"]
    corpus.works.save(tmp_path / "works.npz")
    assert Works.load(tmp_path / "works.npz").names == corpus.works.names


def test_the_projector_s_table_has_three_columns_in_every_row(tmp_path):
    world = SimpleNamespace(tile=DrawingWorld.tile, sound=lambda works: None)
    logger = Logger(str(tmp_path), [TensorBoardOutputFormat(str(tmp_path))])
    dashboard = Dashboard(logger, world)
    dashboard.archive([("human", works(), np.eye(len(ODD), dtype=np.float32))], 7)
    dashboard.options({"corpus": LATIN, "seed": 1}, {"final/yield": 0.5})
    logger.dump(7)
    logger.close()
    (table,) = tmp_path.rglob("metadata.tsv")
    rows = [line.split("\t") for line in table.read_text("utf-8").splitlines()]
    assert [len(row) for row in rows] == [3] * (len(ODD) + 1)
    assert rows[1][1] == r"tab\there" and rows[3][1] == r"fa\xe7ade" and len(rows[8][1]) == 100


def test_pages_sheets_and_reports_take_any_name():
    odd = DrawingWorld.page(works(), f"Works of {LATIN}", list(ODD[:5]) + [""] * 4)
    odd.encode()
    assert r"Works of fa\xe7ade" in odd and "x" * 5000 not in odd
    plain = DrawingWorld.page(works(("a",) * len(ODD)), "Works")
    assert odd.count("</script>") == plain.count("</script>")
    world = SimpleNamespace(tile=DrawingWorld.tile)
    assert sheet(world, works(), 3, list(ODD), title=LATIN).shape[2] == 3
    for name in ODD:
        cell = literal(name)
        cell.encode()
        assert "\n" not in cell and "\t" not in cell and not re.search(r"(?<!\\)\|", cell)


def test_files_of_works_stay_in_their_folder_and_are_all_different(tmp_path):
    names = (*ODD, "../../up", "/etc/passwd", "C:\\x", "..", "con?", "a", "A", "a", "田" * 300)
    stems = file_stems(names)
    assert len({stem.lower() for stem in stems}) == len(names)
    assert all(len(f".{stem}.musicxml".encode()) < 255 for stem in stems)
    DrawingWorld.exports["svg"][2](works(names), tmp_path / "out")
    written = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == sorted(f"{stem}.svg" for stem in stems)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_folders_that_tensorboard_could_not_open_are_refused_before_anything_is_done(tmp_path):
    with pytest.raises(ValueError, match=r"--run-dir: .*fa\\xe7ade is not UTF-8"):
        make_config("smoke", run_dir=str(tmp_path / LATIN))
    with pytest.raises(ValueError, match=r"--out: .*fa\\xe7ade is not UTF-8"):
        CompareConfig(out=tmp_path / LATIN)
