from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from move37.envs.base.works import PAD, Works
from move37.envs.drawing.concept_world.briefs import make_briefs
from move37.envs.drawing.designers.labelled import OUTSIDERS, Labelled, load_labelled
from move37.envs.drawing.meaning.judges import Strangers
from move37.envs.drawing.meaning.lists import concept_lines
from move37.envs.drawing.meaning.recognisers import idle_first
from move37.envs.drawing.moves import END, LIFT, moves_of
from move37.envs.drawing.view.render import svg
from move37.measure import main, measure


def drawing(*strokes: list[tuple[int, int]]) -> np.ndarray:
    moves = moves_of([np.array(stroke) for stroke in strokes])
    return np.pad(moves, (0, 48 - len(moves)), constant_values=PAD)


@pytest.fixture(scope="module")
def strangers() -> Strangers:
    return Strangers.load()


@pytest.fixture(scope="module")
def outsiders(strangers: Strangers) -> Labelled:
    """Drawings of designers that nothing learnt from, of concepts that judges know."""
    found = load_labelled(OUTSIDERS, strangers.concepts)
    return found[found.whole & (strangers.classes_of(found.concepts) >= 0)]


def file_of(outsiders: Labelled, strangers: Strangers, concept: str, folder: Path) -> Path:
    """An SVG file of an outsider's drawing that judges name rightly."""
    rows = np.flatnonzero(outsiders.concepts == strangers.concepts.number(concept))
    terms = strangers.measure(outsiders.works[rows], outsiders.concepts[rows])
    row = rows[int(terms["probability"].argmax())]
    path = folder / f"{concept}.svg"
    path.write_text(svg(outsiders.works.moves[row]))
    return path


# What strangers say


def test_strangers_name_drawings_of_designers_that_nothing_learnt_from(
    strangers: Strangers, outsiders: Labelled
) -> None:
    terms = strangers.measure(outsiders.works, outsiders.concepts)
    assert len(outsiders) > 500
    assert terms["named"].mean() > 0.6
    assert terms["named_of_20"].mean() > terms["named"].mean() + 0.1
    assert (terms["named_of_20"] >= terms["named"]).all()


def test_what_judges_do_not_know_has_no_name(strangers: Strangers) -> None:
    home = np.array([strangers.concepts.number("home")])  # kept for one-shot
    works = Works("drawing", drawing([(2, 12), (12, 2), (22, 12), (2, 12)])[None])
    terms = strangers.measure(works, home)
    assert np.isnan(terms["named"]).all() and np.isnan(terms["probability"]).all()
    assert np.isfinite(terms["unlike"]).all()
    assert not strangers.idle(works, home)[0].any()


def test_the_same_drawing_is_not_unlike_but_for_who_drew_it(strangers: Strangers) -> None:
    human = strangers.unlikeness.human
    some = human[np.arange(0, len(human), 40)]
    apart, rows = strangers.unlikeness.nearest(some.works.moves, some.concepts)
    assert apart.max() < 1e-6 and (human.concepts[rows[:, 0]] == some.concepts).all()
    without, _ = strangers.unlikeness.nearest(
        some.works.moves, some.concepts, designers=some.designers
    )
    assert 0.7 < np.median(without[np.isfinite(without)]) < 1.3
    mirrored = some.works.moves.copy()
    points = (mirrored >= 0) & (mirrored < 576)
    mirrored[points] += 23 - 2 * (mirrored[points] % 24)
    assert strangers.unlikeness.nearest(mirrored, some.concepts)[0].max() < 0.35


def test_idle_strokes_come_first_and_are_counted() -> None:
    work = drawing([(0, 0), (5, 0)], [(3, 3), (4, 4), (5, 3)], [(9, 9), (9, 9)])
    moves, n = idle_first(work, np.array([False, True, False]))
    assert moves[:n].tolist() == [75, 100, 77] and moves[n] == LIFT
    assert moves[n + 1 : n + 7].tolist() == [0, 5, LIFT, 225, 225, END]
    moves, n = idle_first(work, np.zeros(3, bool))
    assert n == 0 and (moves[: len(work)] == work).all()


# The command


def test_measure_names_a_drawing_and_says_what_it_is_like(
    strangers: Strangers, outsiders: Labelled, tmp_path: Path
) -> None:
    path, lines = file_of(outsiders, strangers, "umbrella", tmp_path), []
    (found,) = measure(
        path, concept="umbrella", json=tmp_path / "m.json", sheet=tmp_path / "m.png",
        log=lines.append,
    )  # fmt: skip
    assert found.said[0][0] == "umbrella" and found.terms["named"] == 1.0
    assert any("named umbrella" in line for line in lines)
    # The outsider's own drawing is among those it is compared with.
    assert found.terms["unlike"] == pytest.approx(0, abs=1e-3)
    assert found.nearest[0][2] == pytest.approx(0, abs=1e-3)
    assert "umbrella" in found.nearest[0][1]
    told = json.loads((tmp_path / "m.json").read_text())
    assert told["drawings"][0]["terms"] == found.terms
    assert 1.2 < told["human"]["unlike_95"] < 3 and 1 < told["human"]["novelty_95"] < 2
    assert (tmp_path / "m.png").stat().st_size > 1000


def test_without_a_concept_it_is_measured_as_what_it_is_named(
    strangers: Strangers, outsiders: Labelled, tmp_path: Path
) -> None:
    path = file_of(outsiders, strangers, "key", tmp_path)
    (found,) = measure(path, log=lambda line: None)
    assert found.concept == "key" and found.terms["named"] is None


def test_what_is_nothing_is_compared_with_everything(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.full((8, 48), PAD, np.int16)
    rows[:, :40] = rng.integers(0, 576, (8, 40))
    Works("drawing", rows).save(tmp_path / "noise.npz")
    found = measure([tmp_path / "noise.npz"], log=lambda line: None)
    assert [one.said[0][0] for one in found].count("nothing") >= 6
    nothing = [one for one in found if not one.concept]
    assert all(one.terms["unlike"] is None and len(one.nearest) == 5 for one in nothing)


def test_files_of_all_kinds_and_folders(tmp_path: Path) -> None:
    line = '<svg viewBox="0 0 24 24" fill="none" stroke="black"><path d="M4 4H20V20"/></svg>'
    (tmp_path / "a.svg").write_text(line)
    (tmp_path / "broken.svg").write_text("<svg")
    lines: list[str] = []
    found = measure([tmp_path, tmp_path / "a.svg"], log=lines.append)
    assert [one.name for one in found] == ["a", "a"]
    assert any(line.startswith("left out: broken.svg") for line in lines)


def test_works_that_answer_briefs_are_measured_as_what_was_asked_for(
    strangers: Strangers, outsiders: Labelled, tmp_path: Path
) -> None:
    numbers = [strangers.concepts.number(name) for name in ("umbrella", "key")]
    rows = np.array([np.flatnonzero(outsiders.concepts == number)[0] for number in numbers])
    moves = outsiders.works.moves[rows]
    Works("drawing-concepts", moves, make_briefs(np.array(numbers[::-1]), moves)).save(
        tmp_path / "works.npz"
    )
    found = measure(tmp_path / "works.npz", log=lambda line: None)
    assert [one.concept for one in found] == ["key", "umbrella"]
    assert [one.terms["named"] for one in found] == [0.0, 0.0]
    Works("composition", np.zeros((1, 32), np.int16)).save(tmp_path / "tune.npz")
    with pytest.raises(ValueError, match=r"tune\.npz: works of the world 'composition'"):
        measure(tmp_path / "tune.npz", log=lambda line: None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to measure"),
        (["{}/none.svg"], "none.svg"),
        (["{}/broken.svg"], "broken.svg"),
        (["{}/a.svg", "--concept", "airplan"], "'airplan' is no concept (airplane"),
        (["{}/a.svg", "--json", "{}/out.txt"], ".json"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.svg").write_text("<svg")
    (tmp_path / "a.svg").write_text('<svg viewBox="0 0 24 24"><path d="M4 4H20V20"/></svg>')
    with pytest.raises(SystemExit) as ended:
        main([argument.format(tmp_path) for argument in arguments])
    said = capsys.readouterr().err
    assert ended.value.code == 1 and message in said and len(said.splitlines()) == 1


def test_the_command_lists_concepts() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "move37", "measure", "--concepts"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.splitlines() == concept_lines()
    by_name = {line.split()[0]: line for line in concept_lines()}
    assert "practised" in by_name["airplane"] and "plane" in by_name["airplane"]
    assert "one-shot" in by_name["home"] and "withheld" in by_name["moon"]
