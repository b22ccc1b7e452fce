"""Seeds compared elsewhere: what is joined, and what is refused."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from move37.agents.compare.joining import check_terms, join, joined_to, keep_joined, read_joined
from move37.agents.compare.table import Figure, figure_of_seeds

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


def here(seeds=(2, 3)):
    rng = np.random.default_rng(0)
    rows = [{"value": 0.6, "low": 0.5, "high": 0.7}, {"value": 0.7, "low": 0.6, "high": 0.8}]
    table = {
        "human": {"heldout_quality": Figure(0.7, 0.6, 0.8, (0.7,), ((0.6, 0.8),), (0,))},
        "learner": {
            "yield": replace(figure_of_seeds(rows, rng), seeds=tuple(seeds)),
            "form": Figure(0.5, 0.4, 0.6, (0.5,), seeds=tuple(seeds[:1])),
        },
    }
    notes = {
        "human": {"seeds": [0], "errors": {}}, "learner": {"seeds": list(seeds), "errors": {}}
    }  # fmt: skip
    config = TERMS | {"seeds": 2, "commands": ["two"], "places": [{"machine": {"CPU": "b"}}]}
    return table, notes, config


def test_seeds_of_both_stand_in_one_figure():
    table, notes, config = here()
    config, notes = join(table, notes, config, other())
    found = table["learner"]["yield"]
    assert found.values == (0.4, 0.5, 0.6, 0.7)
    assert found.mean == pytest.approx(0.55)  # the inter-quartile mean
    assert found.low < 0.5 < 0.6 < found.high
    assert notes["learner"]["seeds"] == [0, 1, 2, 3] and notes["human"]["seeds"] == [0]
    assert table["human"]["heldout_quality"].values == (0.7,)  # human works have no seeds
    assert table["human"]["form"].values == (0.6,)  # but more may be known of them elsewhere
    assert table["learner"]["form"].values == (0.5,)  # nobody else has it
    assert table["learner"]["shift/effect"].values == (0.3,)  # nobody here has it
    assert config["seeds"] == 4 and config["commands"] == ["one", "two"]
    assert [place["machine"]["CPU"] for place in config["places"]] == ["a", "b"]


def test_values_stand_in_the_order_of_their_seeds():
    table, notes, config = here(seeds=(0, 1))
    there = other()
    there["meta"]["notes"]["learner"]["seeds"] = [5, 6]
    _, notes = join(table, notes, config, there)
    assert table["learner"]["yield"].values == (0.6, 0.7, 0.4, 0.5)
    assert notes["learner"]["seeds"] == [0, 1, 5, 6]


def test_makers_that_are_only_there_are_joined_too():
    table, notes, config = here()
    there = other()
    there["makers"]["gan"] = {"yield": column(0.1)}
    there["meta"]["notes"]["gan"] = {"seeds": [1], "errors": {}}
    _, notes = join(table, notes, config, there)
    assert table["gan"]["yield"].values == (0.1,) and notes["gan"]["seeds"] == [1]


def test_figures_without_intervals_of_their_own_are_joined_as_they_are():
    table, notes, config = here()
    there = other()
    del there["makers"]["learner"]["yield"]["intervals"]
    join(table, notes, config, there)
    assert table["learner"]["yield"].values == (0.4, 0.5, 0.6, 0.7)
    assert table["learner"]["yield"].intervals[:2] == (None, None)


def test_a_seed_is_not_counted_twice():
    table, notes, config = here(seeds=(1, 2))
    with pytest.raises(ValueError, match="learner: seed 1 is here and among what is joined"):
        join(table, notes, config, other())


def test_another_yardstick_is_refused():
    table, notes, config = here()
    there = other()
    there["makers"]["human"]["heldout_quality"] = column(0.72)
    with pytest.raises(ValueError, match="another yardstick: heldout_quality"):
        join(table, notes, config, there)
    del there["makers"]["human"]
    with pytest.raises(ValueError, match="without human works"):
        join(table, notes, config, there)


def test_columns_of_another_member_of_the_panel_are_kept_apart():
    table, notes, config = here()
    there = other()
    for makers, craft, second in ((table, 0.5, 0.8), (there["makers"], 0.55, 0.801)):
        for name in ("human", "learner"):
            for key, value in (("craft", craft), ("best/craft", craft), ("second_quality", second)):
                one = column(value)
                made = Figure(value, None, None, (value,), (None,), (2,))
                makers[name][key] = made if makers is table else one
    config, _ = join(table, notes, config, there)
    assert config["kept_apart"] == ["craft"]
    assert table["learner"]["craft"].seeds == (2,)
    assert table["learner"]["second_quality"].seeds == (0, 2)
    assert table["learner"]["craft"].values == table["learner"]["best/craft"].values == (0.5,)
    assert table["learner"]["second_quality"].values == (0.801, 0.8)
    assert table["learner"]["yield"].values == (0.4, 0.5, 0.6, 0.7)


def test_evidence_of_another_depth_is_left_out_where_there_is_some():
    depth = {"samples": [100, 1000]}
    for mine, theirs, seeds in ((depth, depth, (0, 2)), (depth, None, (2,)), (None, None, (0, 2))):
        table, notes, config = here()
        table["learner"]["shift/effect"] = Figure(0.5, None, None, (0.5,), (None,), (2,))
        there = other()
        there["meta"]["depth"] = theirs
        config, _ = join(table, notes, {**config, "depth": mine}, there)
        assert table["learner"]["shift/effect"].seeds == seeds
        assert config["depth"] == mine
    table, notes, config = here()  # nothing is known of it here
    config, _ = join(table, notes, config, there)
    assert table["learner"]["shift/effect"].values == (0.3,)


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
    keep_joined(out, ())
    assert joined_to(out) == []
    keep_joined(out, (path,))
    path.unlink()
    assert joined_to(out) == [other()]
    (out / "config.json").write_text(json.dumps(TERMS | {"works": 7}))
    path.write_text(json.dumps(other()))
    with pytest.raises(ValueError, match="works = 100"):
        keep_joined(out, (path,))
