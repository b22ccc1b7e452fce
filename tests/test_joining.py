"""Seeds compared elsewhere: what is joined, and what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from move37.agents.compare.comparison_dir import ComparisonDir
from move37.agents.compare.joining import check_terms, join, joined_to, keep_joined, read_joined
from move37.agents.compare.results import (
    HERE,
    flattened,
    intervals_of,
    nested,
    number,
    row_of,
    summarise,
    table_of,
)

TERMS = {
    "format": "f", "world": "w", "corpus": "c", "exam": "e", "budget": "b", "works": 100,
    "withhold": [],
}  # fmt: skip


def column(*values, width=0.1):
    return {
        "mean": float(np.mean(values)), "low": min(values) - width, "high": max(values) + width,
        "values": list(values), "intervals": [[v - width, v + width] for v in values],
    }  # fmt: skip


def other(**more):
    makers = {
        "human": {"heldout_quality": column(0.7), "form": column(0.6)},
        "learner": {"yield": column(0.4, 0.5), "shift": {"effect": column(0.3)}},
    }
    notes = {"human": {"seeds": [0], "errors": {}}, "learner": {"seeds": [0, 1], "errors": {}}}
    meta = TERMS | {"seeds": 2, "commands": ["one"], "places": [{"machine": {"CPU": "a"}}]}
    return {"makers": makers, "meta": meta | {"notes": notes}} | more


def row(name, seed, measure, value, width=0.1):
    figure = number({"value": value, "low": value - width, "high": value + width})
    return row_of(name, seed, measure, figure, HERE)


def here(seeds=(2, 3), more=()):
    rows = [
        row("human", 0, "heldout_quality", 0.7),
        row("learner", seeds[0], "yield", 0.6),
        row("learner", seeds[1], "yield", 0.7),
        row("learner", seeds[0], "form", 0.5),
        *more,
    ]
    notes = {
        "human": {"seeds": [0], "errors": {}}, "learner": {"seeds": list(seeds), "errors": {}}
    }  # fmt: skip
    config = TERMS | {"seeds": 2, "commands": ["two"], "places": [{"machine": {"CPU": "b"}}]}
    return table_of(rows), notes, config


def joined(ours, theirs):
    """What is joined, the values of a maker's measure by seed, and the summary."""
    rows, notes, config = join(*ours, theirs, "0.json")

    def values(name, measure):
        found = rows[(rows["name"] == name) & (rows["measure"] == measure)]
        return dict(zip(found["seed"], found["value"], strict=True))

    return values, summarise(rows), notes, config


def test_seeds_of_both_stand_in_one_figure():
    values, summary, notes, config = joined(here(), other())
    assert list(values("learner", "yield").items()) == [(0, 0.4), (1, 0.5), (2, 0.6), (3, 0.7)]
    found = summary["learner"]["yield"]
    assert found.value == pytest.approx(0.55)  # the inter-quartile mean
    assert found.low < 0.5 < 0.6 < found.high
    assert notes["learner"]["seeds"] == [0, 1, 2, 3] and notes["human"]["seeds"] == [0]
    assert values("human", "heldout_quality") == {0: 0.7}  # human works have no seeds
    assert values("human", "form") == {0: 0.6}  # but more may be known of them elsewhere
    assert values("learner", "form") == {2: 0.5}  # nobody else has it
    assert values("learner", "shift/effect") == {0: 0.3}  # nobody here has it
    assert config["seeds"] == 4 and config["commands"] == ["one", "two"]
    assert [place["machine"]["CPU"] for place in config["places"]] == ["a", "b"]


def test_values_stand_in_the_order_of_their_seeds():
    there = other()
    there["meta"]["notes"]["learner"]["seeds"] = [5, 6]
    values, _, notes, _ = joined(here(seeds=(0, 1)), there)
    assert list(values("learner", "yield").items()) == [(0, 0.6), (1, 0.7), (5, 0.4), (6, 0.5)]
    assert notes["learner"]["seeds"] == [0, 1, 5, 6]


def test_makers_that_are_only_there_are_joined_too():
    there = other()
    there["makers"]["gan"] = {"yield": column(0.1)}
    there["meta"]["notes"]["gan"] = {"seeds": [1], "errors": {}}
    values, _, notes, _ = joined(here(), there)
    assert values("gan", "yield") == {1: 0.1} and notes["gan"]["seeds"] == [1]


def test_figures_without_intervals_of_their_own_are_joined_as_they_are():
    there = other()
    del there["makers"]["learner"]["yield"]["intervals"]
    rows, _, _ = join(*here(), there, "0.json")
    yields = rows[(rows["name"] == "learner") & (rows["measure"] == "yield")]
    assert list(yields["value"]) == [0.4, 0.5, 0.6, 0.7]
    assert list(yields["low"].isna()) == [True, True, False, False]


def test_a_seed_is_not_counted_twice():
    with pytest.raises(ValueError, match="learner: seed 1 is here and among what is joined"):
        joined(here(seeds=(1, 2)), other())


def test_another_evaluator_is_refused():
    there = other()
    there["makers"]["human"]["heldout_quality"] = column(0.72)
    with pytest.raises(ValueError, match="another evaluator: heldout_quality"):
        joined(here(), there)
    del there["makers"]["human"]
    with pytest.raises(ValueError, match="without human works"):
        joined(here(), there)


def test_measures_of_another_network_are_kept_apart():
    there, more = other(), []
    for name, seed in (("human", 0), ("learner", 2)):
        for key, mine, theirs in (("craft", 0.5, 0.55), ("best/craft", 0.5, 0.55),
                                  ("second_quality", 0.8, 0.801)):  # fmt: skip
            more.append(row(name, seed, key, mine))
            there["makers"][name][key] = column(theirs)
    values, _, _, config = joined(here(more=more), there)
    assert config["kept_apart"] == ["craft"]
    assert values("learner", "craft") == values("learner", "best/craft") == {2: 0.5}
    assert values("learner", "second_quality") == {0: 0.801, 2: 0.8}
    assert values("learner", "yield") == {0: 0.4, 1: 0.5, 2: 0.6, 3: 0.7}


def test_evidence_of_another_depth_is_left_out_where_there_is_some():
    depth = {"samples": [100, 1000]}
    effect = [row("learner", 2, "shift/effect", 0.5)]
    for mine, theirs, seeds in ((depth, depth, [0, 2]), (depth, None, [2]), (None, None, [0, 2])):
        rows, notes, config = here(more=effect)
        there = other()
        there["meta"]["depth"] = theirs
        values, _, _, config = joined((rows, notes, {**config, "depth": mine}), there)
        assert list(values("learner", "shift/effect")) == seeds
        assert config["depth"] == mine
    there["meta"]["depth"] = depth
    values, _, _, config = joined(here(), there)  # nothing is known of it here
    assert values("learner", "shift/effect") == {0: 0.3} and config["depth"] == depth


def test_rows_are_written_and_read_without_loss():
    more = [row("learner", 2, "shift/effect", 0.3), row("rnn_t0.50", 2, "yield", 0.1)]
    rows, notes, _ = here(more=more)
    notes["rnn_t0.50"] = {"seeds": [2], "errors": {}}
    data = {"makers": nested(rows, summarise(rows)), "meta": {"notes": notes}}
    assert data["makers"]["learner"]["shift"]["effect"]["seeds"] == [2]
    again = flattened(json.loads(json.dumps(data)), HERE)
    order = ["name", "measure", "seed"]
    a, b = (table.sort_values(order, ignore_index=True) for table in (rows, again))
    assert a[["maker", "seed", "measure", "source"]].equals(
        b[["maker", "seed", "measure", "source"]]
    )
    assert intervals_of(a) == intervals_of(b)
    assert a["temperature"].dropna().tolist() == b["temperature"].dropna().tolist() == [0.5]


@pytest.mark.parametrize("world", ["drawing", "composition"])
def test_the_published_comparisons_are_still_read(world):
    path = Path(__file__).parents[1] / "docs" / "comparison" / f"{world}.json"
    found = read_joined(path)
    rows, summary = flattened(found, path.name), summarise(flattened(found, path.name))
    assert rows["seed"].nunique() >= 3
    for name, columns in found["makers"].items():
        assert summary[name]["yield"].value == pytest.approx(columns["yield"]["mean"], rel=1e-12)
    learner = found["makers"]["learner"]["shift"]["effect"]
    of_learner = rows[(rows["name"] == "learner") & (rows["measure"] == "shift/effect")]
    assert list(of_learner["value"]) == learner["values"]


@pytest.mark.parametrize("key", TERMS)
def test_other_terms_are_refused(key, tmp_path):
    with pytest.raises(ValueError, match=f"a comparison with {key} = "):
        check_terms(tmp_path, other(), TERMS | {key: "another"})


def test_figures_that_name_no_corpus_are_of_the_default_one(tmp_path):
    old = {key: value for key, value in TERMS.items() if key != "corpus"}
    theirs = other(meta={key: value for key, value in other()["meta"].items() if key != "corpus"})
    check_terms(tmp_path, theirs, old)
    check_terms(tmp_path, theirs, TERMS | {"corpus": ""})
    with pytest.raises(ValueError, match="a comparison with corpus = ''; this one has 'c'"):
        check_terms(tmp_path, theirs, TERMS)
    with pytest.raises(ValueError, match="a comparison with corpus = 'c'; this one has ''"):
        check_terms(tmp_path, other(), old)


def spoilt(change):
    data = copy.deepcopy(other())
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        spoilt(lambda d: d["meta"].pop("notes")),
        spoilt(lambda d: d["meta"].pop("commands")),
        spoilt(lambda d: d["meta"]["notes"]["learner"].update(seeds=["0"])),
        spoilt(lambda d: d["makers"]["learner"]["yield"].update(values=[float("nan"), 1])),
        spoilt(lambda d: d["makers"]["learner"]["yield"].update(values=["a", 1])),
        spoilt(lambda d: d["makers"]["learner"]["yield"].update(values=[1])),
        spoilt(lambda d: d["makers"]["learner"].update({"yield": 3})),
    ],
)
def test_what_is_no_comparison_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / "comparison.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"comparison\.json: [^\n]*$"):
        read_joined(path)
    with pytest.raises(ValueError, match=r"comparison\.json: no such file$"):
        read_joined(tmp_path / "elsewhere" / "comparison.json")


def test_what_is_joined_is_kept_for_later_reports(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text(json.dumps(TERMS))
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(other()))
    folder = ComparisonDir(out)
    keep_joined(folder, ())
    assert joined_to(folder) == {}
    keep_joined(folder, (path,))
    path.unlink()
    assert joined_to(folder) == {"0.json": other()}
    (out / "config.json").write_text(json.dumps(TERMS | {"works": 7}))
    path.write_text(json.dumps(other()))
    with pytest.raises(ValueError, match="works = 100"):
        keep_joined(folder, (path,))
