import json
import shlex
import types

import numpy as np
import pytest

from benchmarks import rediscovery
from move37 import compare
from move37.envs.base.registry import make_world
from move37.envs.drawing.corpus import icons as corpus
from move37.novelty.measures.rediscovery import match, rediscovered
from move37.train import parse


def spread(n, rng, centre=0.0):
    return rng.normal(centre, 1.0, (n, 6))


def test_matches_are_as_far_away_and_none_is_used_twice():
    rng = np.random.default_rng(0)
    wanted, offered = rng.random(20), rng.random(200)
    found = match(wanted, offered)
    assert len(set(found)) == 20
    assert np.abs(offered[found] - wanted).max() < 0.05


def test_a_maker_that_found_the_family_is_told_from_one_that_did_not():
    rng = np.random.default_rng(1)
    remaining, held_out = spread(400, rng), spread(60, rng)
    family = spread(20, rng, 3.0)
    finder = np.concatenate([family + rng.normal(0, 0.01, family.shape), spread(100, rng)])
    blind = spread(120, rng)
    found = rediscovered(finder, family, held_out, remaining, 0.5, rng)
    assert found.withheld == 20 and found.found.value == 1.0
    assert found.excess.low > 0.3
    assert found.hits.value == pytest.approx(20 / 120)
    missed = rediscovered(blind, family, held_out, remaining, 0.5, rng)
    assert missed.found.value < 0.1 and missed.excess.high <= 0.05


def test_without_anything_to_find_the_excess_is_around_zero():
    """The family is drawn like all the others: its interval must hold 0 nearly always."""
    misses = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = rediscovered(
            spread(200, rng), spread(25, rng), spread(80, rng), spread(200, rng), 1.6, rng
        )
        misses += not found.excess.low <= 0 <= found.excess.high
    assert misses <= 6


@pytest.mark.parametrize(("withheld", "held_out"), [(0, 5), (6, 5)])
def test_a_family_must_have_partners(withheld, held_out):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="withheld"):
        rediscovered(
            spread(5, rng), spread(withheld, rng), spread(held_out, rng), spread(9, rng), 1.0, rng
        )


def marked(*parts):
    groups = "".join(f'<g id="g" {part}>' for part in parts)
    return f"<svg>{groups}{'</g>' * len(parts)}</svg>".encode()


def test_a_radical_is_found_wherever_kanjivg_marks_it(monkeypatch):
    files = {
        "09580": marked('kvg:element="門"'),
        "05011": marked('kvg:element="們"', 'kvg:element="門" kvg:position="right"'),
        "00001": marked('kvg:element="x" kvg:variant="true" kvg:original="門"'),
        "00002": marked('kvg:element="戸" kvg:phon="門"'),
        "00003": marked('kvg:element="門"'),  # takes more moves than fit: not in the world
    }
    records = [(f"{code}.svg", data) for code, data in files.items()]
    monkeypatch.setattr(rediscovery, "kanjivg", lambda: types.SimpleNamespace(records=records))
    world = types.SimpleNamespace(
        train=types.SimpleNamespace(names=("門 09580", "b 00002")),
        held_out=types.SimpleNamespace(names=("們 05011", "a 00001")),
    )
    found = rediscovery.families(world, "kanjivg")
    assert found == {"kanji with 門": ("a 00001", "們 05011", "門 09580")}


def test_a_family_is_withheld_by_the_commands_that_are_printed():
    names = ("們 05011", "門 09580")
    train, both = rediscovery.commands(names, "kanjivg")
    run, _ = parse(shlex.split(train)[2:])
    asked = compare.parse(shlex.split(both)[2:])
    assert run.corpus == asked.corpus == "kanjivg"
    assert run.withhold == ",".join(names) and asked.withhold == names
    assert [str(path) for path in asked.runs] == [run.run_dir] and asked.evidence
    assert "--corpus" not in " ".join(rediscovery.commands(names))


def test_a_comparison_is_measured_with_the_corpus_that_it_is_of(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(rediscovery, "make_world", lambda *given: asked.append(given))
    monkeypatch.setattr(rediscovery, "families", lambda *given: {"one": given[1:]})
    for held, corpus_of in (({}, ""), ({"corpus": "kanjivg"}, "kanjivg")):
        config = {"world": "drawing", "withhold": []} | held
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match="withheld something else than the families"):
            rediscovery.measure([tmp_path], corpus_of)
        assert asked.pop() == ("drawing", corpus_of)
        with pytest.raises(ValueError, match=f"a comparison with corpus = '{corpus_of}', not"):
            rediscovery.measure([tmp_path], "lucide")
    assert not asked


@pytest.mark.slow
def test_the_kanji_with_the_radical_can_be_withheld():
    whole = make_world("drawing", "kanjivg")
    [names] = rediscovery.families(whole, "kanjivg").values()
    assert 20 <= len(names) <= 60
    assert {"門", "間", "聞", "們"} <= {name[0] for name in names} and "戸 06238" not in names
    world = make_world("drawing", "kanjivg", names)
    assert not {*world.train.names, *world.held_out.names} & set(names)
    assert len(names) <= len(world.held_out)
    assert len(world.train) + len(world.held_out) + len(names) == len(
        corpus.load_corpus("kanjivg").works
    )
