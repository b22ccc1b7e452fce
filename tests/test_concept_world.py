from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from move37.create import create
from move37.envs.base.works import PAD, Works
from move37.envs.drawing.concept_world import evaluator as evaluator_module
from move37.envs.drawing.concept_world.boards import ConceptSimulator, concept_numbers
from move37.envs.drawing.concept_world.briefs import (
    WIDTH,
    concepts_of,
    exemplar_ink,
    exemplars_of,
    make_briefs,
)
from move37.envs.drawing.concept_world.evaluator import ConceptEvaluator
from move37.envs.drawing.concept_world.human import load_human
from move37.envs.drawing.concept_world.world import ConceptsWorld
from move37.envs.drawing.dynamics import pictures_of
from move37.envs.drawing.meaning.lists import read_lists
from move37.envs.drawing.moves import END, LIFT, POINTS
from move37.novelty.storage import part
from move37.train import train


@pytest.fixture(scope="module")
def world() -> ConceptsWorld:
    return ConceptsWorld()


@pytest.fixture(scope="module")
def evaluator(world: ConceptsWorld) -> ConceptEvaluator:
    return world.fit_evaluator(1)


# Briefs


def test_a_brief_holds_what_it_was_made_of() -> None:
    exemplars = np.array([[5, 7, LIFT, 9, 30, END, -1], [1, 2, 3, END, -1, -1, -1]], np.int16)
    kept = np.array([100, 101], np.int16)
    briefs = make_briefs(np.array([17, -1]), exemplars, kept)
    assert briefs.shape == (2, WIDTH)
    assert concepts_of(briefs).tolist() == [17, -1]
    found = exemplars_of(briefs)
    assert found[0][:6].tolist() == [5, 7, LIFT, 9, 30, PAD] and found[1][:3].tolist() == [1, 2, 3]
    # Whoever reads a brief as strokes sees what is on the board already, and nothing else.
    works = Works("drawing-concepts", np.full((2, 48), PAD, np.int16), briefs)
    ink = pictures_of(works).reshape(2, POINTS)
    assert (np.flatnonzero(ink[0]) == [100, 101]).all() and (ink[0] == ink[1]).all()


def test_briefs_of_free_drawing_ask_for_nothing() -> None:
    old = np.array([[100, 101, PAD], [PAD, PAD, PAD]], np.int16)
    assert concepts_of(old).tolist() == [-1, -1]
    assert concepts_of(np.zeros((3, 0), np.int16)).tolist() == [-1] * 3
    assert (exemplars_of(old) == PAD).all()


def test_what_users_give_for_a_brief() -> None:
    strokes = [[(4, 4), (20, 4)], [(4, 8), (20, 8)]]
    parse = ConceptSimulator.parse_brief
    plain, named = parse(strokes), parse({"concept": "airplane", "exemplar": strokes})
    assert concepts_of(plain[None]).tolist() == [-1]
    assert concepts_of(named[None]).tolist() == [concept_numbers()["airplane"]]
    assert (exemplars_of(plain[None]) == exemplars_of(named[None])).all()
    assert (parse(named) == named).all()
    assert len(parse(None)) == 0
    with pytest.raises(ValueError, match="'glimmer' is no concept"):
        parse({"concept": "glimmer"})
    with pytest.raises(ValueError, match="'colour' is none of"):
        parse({"colour": 1})
    with pytest.raises(ValueError, match="at most 48 fit"):
        parse([[(i % 24, i // 24) for i in range(60)]])
    with pytest.raises(ValueError, match="no concept 400"):
        parse(np.array([END, 400, 5, 6], np.int16))


# The environment


def test_the_environment_shows_the_exemplar_and_obeys_a_brief() -> None:
    env = gymnasium.make("Move37/Drawing-v1")
    seen, _ = env.reset(seed=3)
    assert seen["exemplar"].sum() > 10 and not seen["ink"].any()
    again, _ = env.reset(seed=3)
    assert (again["exemplar"] == seen["exemplar"]).all()
    strokes = [[(4, 4), (20, 4)]]
    seen, _ = env.reset(options={"brief": {"exemplar": strokes, "kept": [[(0, 0), (0, 9)]]}})
    assert np.flatnonzero(seen["exemplar"]).tolist() == list(range(4 * 24 + 4, 4 * 24 + 21))
    assert (seen["ink"] == 2).sum() == 10
    _, reward, terminated, _, info = env.step(END)
    assert terminated and reward == pytest.approx(info["reward"])


def test_version_0_is_free_drawing_and_out_of_date() -> None:
    with pytest.warns(DeprecationWarning, match="upgrading to version `v1`"):
        env = gymnasium.make("Move37/Drawing-v0")
    assert set(env.observation_space) == {"ink", "pen", "recent"}


# Human drawings


def test_what_is_kept_out_of_practice_is_nowhere_in_it() -> None:
    human, lists = load_human(), read_lists()
    forbidden = [human.concepts.number(n) for n in (*lists["withheld"], *lists["one-shot"])]
    assert not np.isin(concepts_of(human.practice_briefs), forbidden).any()
    numbers = [human.concepts.number(n) for n in human.others.names]
    parts = [human.concepts.part_number(n) for n in human.others.names]
    assert not np.isin(numbers, forbidden).any() and not np.isin(parts, forbidden).any()
    kept = {row.tobytes() for row in human.held_out.works.moves}
    used = np.concatenate([human.named.works.moves, human.others.moves])
    designers = np.array([row.tobytes() in kept for row in used])
    assert designers.mean() < 0.001, "only what two designers drew alike"
    concepts, counts = np.unique(concepts_of(human.practice_briefs), return_counts=True)
    assert (counts == 12).all() and len(concepts) >= 140


def test_pairs_are_of_one_concept_and_mostly_by_two_hands() -> None:
    human = load_human()
    works = human.pairs(np.random.default_rng(0))
    named = np.flatnonzero(concepts_of(works.briefs) >= 0)
    assert len(named) == 4 * len(human.named)
    hands = {
        row[row >= 0].tobytes(): (c, d)
        for row, c, d in zip(
            np.where(human.named.works.moves == END, PAD, human.named.works.moves),
            human.named.concepts, human.named.designers, strict=True,
        )
    }  # fmt: skip
    other = 0
    exemplars = exemplars_of(works.briefs[named])
    for i, row in zip(named[:400], exemplars[:400], strict=True):
        concept, designer = hands[row[row >= 0].tobytes()]
        assert concept == concepts_of(works.briefs[i : i + 1])[0]
        other += designer != human.named.designers[i // 4]
    assert 0.4 < other / 400 < 0.8


# Judges and reward


def test_measures_of_human_drawings(world: ConceptsWorld, evaluator: ConceptEvaluator) -> None:
    measured = evaluator.measure(world.outsiders[:200])
    summary = evaluator.summarise(measured)
    assert summary["named"] > 0.55 and summary["named_of_20"] > 0.75
    assert 0.6 < summary["unlike"] < 1.4, "a designer's own drawing is no reference"
    assert summary["meaningful_yield"] <= summary["yield_loose"] < 0.2
    counted = measured["meaningful_yield"] > 0
    for key in ("named", "novel", "far"):
        assert (measured[key][counted] == 1).all()
    assert (measured["idle_strokes"][counted] <= evaluator.idle_at_most).all()
    assert (measured["meaningful_yield_95"] <= measured["meaningful_yield"]).all()


def test_the_reward_pays_for_meaning_and_not_for_scribbles(
    world: ConceptsWorld, evaluator: ConceptEvaluator
) -> None:
    reward = world.make_reward(evaluator, world.train[:10], 1, 0)
    human = world.human.held_out.works.moves[:60]
    briefs = world.held_out.briefs[:60]
    rng = np.random.default_rng(0)
    works = Works("drawing-concepts", human, briefs)
    wrong = Works("drawing-concepts", human, briefs[rng.permutation(60)])
    scribbles = np.full((60, 48), PAD, np.int16)
    scribbles[:, :20] = rng.integers(0, POINTS, (60, 20))
    named, confused = reward(works), reward(wrong)
    noise = reward(Works("drawing-concepts", scribbles, briefs))
    assert named["meaning"].mean() > 0.6 > 0.3 > confused["meaning"].mean()
    assert noise["meaning"].mean() < 0.2
    for terms in (named, confused, noise):
        for values in terms.values():
            assert np.isfinite(values).all() and values.shape == (60,)
        assert ((terms["reward"] >= 0) & (terms["reward"] <= 1)).all()
    nobody = make_briefs(np.full(60, -1), human)
    assert (reward(Works("drawing-concepts", human, nobody))["reward"] == 0).all()


def test_the_reward_goes_on_where_it_was(world: ConceptsWorld, evaluator: ConceptEvaluator) -> None:
    works = world.held_out[:20]
    first = world.make_reward(evaluator, world.train[:10], 1, 0)
    first(works)
    second = world.make_reward(evaluator, world.train[:10], 1, 0)
    second.load_state(part({f"r/{k}": v for k, v in first.state().items()}, "r"))
    again = second(works)
    for key, values in first(works).items():
        assert np.array_equal(values, again[key]), key


# Asking for a thing by its name


def test_a_thing_is_asked_for_by_any_of_its_names(world: ConceptsWorld) -> None:
    rng = np.random.default_rng(0)
    briefs = world.concept_briefs("plane", 30, rng)
    assert set(concepts_of(briefs)) == {concept_numbers()["airplane"]}
    exemplars = exemplars_of(briefs)
    assert len(np.unique(exemplars, axis=0)) == len(
        np.unique(world.human.drawings_of(concept_numbers()["airplane"]), axis=0)
    )
    mine = ConceptSimulator.parse_brief([[(4, 4), (20, 4)]])
    unlike = world.concept_briefs("moon", 2, rng, mine)  # never practised
    assert set(concepts_of(unlike)) == {concept_numbers()["moon"]}
    assert (exemplars_of(unlike) == exemplars_of(mine[None])).all()
    with pytest.raises(ValueError, match=r"'airplan' is no concept \(airplane"):
        world.concept_briefs("airplan", 1, rng)


def test_create_draws_a_thing_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learner of a tiny run."""
    monkeypatch.setattr(evaluator_module, "SAMPLE", 5)  # idle strokes are slow to measure
    run = tmp_path / "run"
    train(
        run_dir=str(run), preset="smoke", world="drawing-concepts", human_works=100,
        imitation_epochs=1, env_steps=2048, eval_works=20, threads=1,
    )  # fmt: skip
    summary = json.loads((run / "summary.json").read_text())
    keys = ("meaningful_yield", "meaningful_yield_95", "named", "named_of_20", "recognition_gap",
            "unlike", "idle_strokes")  # fmt: skip
    blocks = [summary, summary["human"], summary["outsiders"], *summary["imitator"].values()]
    assert all(key in block for key in keys for block in blocks)
    works = create(run, concept="key", n=3, log=lambda line: None)
    assert set(concepts_of(works.briefs)) == {concept_numbers()["key"]}
    assert "judged/named" in works.appraisal
    path = tmp_path / "mine.svg"
    path.write_text('<svg viewBox="0 0 24 24" fill="none" stroke="black"><path d="M4 4H20"/></svg>')
    works = create(run, concept="key", unlike=path, n=2, log=lambda line: None)
    ink = exemplar_ink(works.briefs)
    assert (ink.sum(axis=1) == 17).all()
    with pytest.raises(ValueError, match="--unlike: goes in the place of --brief"):
        create(run, unlike=path, brief=path, log=lambda line: None)
    with pytest.raises(ValueError, match="'glimmer' is no concept"):
        create(run, concept="glimmer", log=lambda line: None)


# The network


def test_the_network_sees_the_exemplar() -> None:
    torch.manual_seed(0)
    network = ConceptsWorld.network().eval()
    simulator = ConceptSimulator(3)
    simulator.reset(np.arange(3))
    seen = {key: torch.as_tensor(value) for key, value in simulator.observations.items()}
    logits, features = network(seen)
    assert logits.shape == (3, 578) and features.shape == (3, network.n_features)
    blank, _ = network({**seen, "exemplar": torch.zeros_like(seen["exemplar"])})
    assert not torch.allclose(logits, blank)
