"""The learner's reward for drawings: each short cut that it closes, and what it leaves free."""

import numpy as np
import pytest

from move37.envs.base.registry import make_world
from move37.envs.base.works import Works, pad_moves
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.judging.mode_collapse import InkCollapse
from move37.envs.drawing.judging.quality import HumanLevelQuality
from move37.envs.drawing.moves import SIZE, moves_of
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import NoveltyArchive
from move37.novelty.diversity import leave_one_out_novelty


@pytest.fixture(scope="module")
def human():
    return load_corpus("tabler", progress=False).works.moves


@pytest.fixture
def novelty_reward(human):
    known = Works("drawing", human[:2000])
    descriptor = PrincipalComponents.fit(features_of, known, N_COMPONENTS)
    x = descriptor(known)
    scale = float(np.median(leave_one_out_novelty(x, 15)))
    archive = NoveltyArchive(descriptor.dim, 15, scale=scale)
    archive.pin(x)
    return ArchiveNovelty(descriptor, archive, known, cap=1.8, mode_collapse=InkCollapse)


def appraise(novelty_reward, moves):
    works = Works("drawing", moves)
    parts = [novelty_reward(works[i : i + 50]) for i in range(0, 1500, 50)]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def test_human_works_have_variety_and_no_habit(human, novelty_reward):
    late = {k: v[-500:] for k, v in appraise(novelty_reward, human[2000:3500]).items()}
    assert np.median(late["self_diversity"]) > 0.95
    assert (late["mode_collapse"] > 0).mean() < 0.2 and np.median(late["mode_collapse"]) == 0


def test_a_stroke_that_stands_in_every_work_costs(human, novelty_reward):
    bar = moves_of([np.array([(2, 1), (2, 22)]), np.array([(2, 22), (20, 22)])])[:-1]
    rows = [np.concatenate([bar, [SIZE * SIZE], row[row >= 0]])[:48] for row in human[2000:3500]]
    late = {k: v[-500:] for k, v in appraise(novelty_reward, pad_moves(rows, 48)).items()}
    assert np.median(late["mode_collapse"]) > 0.2
    assert np.median(late["self_diversity"]) < 0.95


def test_the_same_work_again_is_worth_nothing(human, novelty_reward):
    work = Works("drawing", human[2500:2501])
    first, again = novelty_reward(work), novelty_reward(work)
    assert (
        first["duplicate"][0] == 0
        and again["duplicate"][0] == 1
        and again["novelty_reward"][0] == 0
    )
    both = Works("drawing", human[[2600, 2600]])
    assert novelty_reward(both)["duplicate"].tolist() == [0, 1]


def test_where_own_works_do_not_count_newness_is_surprise_against_human_works(
    human, novelty_reward
):
    works, known = Works("drawing", human[2500:2600]), Works("drawing", human[:2000])
    archive = novelty_reward.archive
    alone = ArchiveNovelty(novelty_reward.describe, archive, known, cap=1.8, own_count=False)
    first = alone(works)
    assert first["novelty_reward"].max() > 0
    assert archive.add(alone.describe(works)).any()
    again = alone(works)
    assert (again["duplicate"] == 1).all()  # it is told
    assert (again["clipped_novelty"] == first["clipped_novelty"]).all()  # and not paid for
    for terms in (first, again):
        assert (terms["novelty_reward"] == terms["clipped_novelty"]).all()
    assert novelty_reward(works)["novelty"].mean() < first["novelty"].mean()


def test_who_is_no_newer_than_human_works_usually_are_gets_nothing(human, novelty_reward):
    terms = novelty_reward(Works("drawing", human[:200]))  # in the archive themselves
    assert (terms["clipped_novelty"][terms["novelty"] <= 1] == 0).all()
    assert (terms["novelty"] <= 1).any()


def test_quality_falls_with_open_ends_and_with_needless_moves(human):
    quality = HumanLevelQuality(
        Works("drawing", human[:400]), Works("drawing", human[400:500]), updates=1, pools=1
    )
    square = np.array([(4, 4), (19, 4), (19, 19), (4, 19), (4, 4)])
    inner = np.array([(8, 12), (15, 12)])
    whole = moves_of([square, np.array([(4, 12), (19, 12)])])
    loose = moves_of([square, inner])
    slow = moves_of([square, *[np.array([(4, 12), (19, 12)])] * 11])
    rows = pad_moves([whole, loose, slow], 48)
    terms = quality(Works("drawing", rows))
    assert terms["closed_ends"].tolist() == [1, 0.5, 1]
    assert terms["economy"][0] == 1 and terms["economy"][2] < 0.4
    assert terms["quality"][2] < 0.4 * terms["quality"][0]


def test_a_dot_closes_no_ends(human):
    from move37.envs.drawing.rules.originality import stroke_facts

    diamond = np.array([(5, 4), (6, 5), (5, 6), (4, 5), (5, 4)])
    line = np.array([(2, 20), (20, 20)])
    facts = stroke_facts(pad_moves([moves_of([line]), moves_of([line, diamond])], 48))
    assert facts["closed_ends"].tolist() == [0, 0]
    retraced = np.array([(2, 20), (20, 20), (2, 20), (20, 20)])
    assert stroke_facts(moves_of([retraced])[None])["closed_ends"][0] == 0


@pytest.mark.slow
def test_every_judge_orders_human_imitator_damaged_random():
    """Fits an imitator for some minutes; form, craft and the held-out judge must agree."""
    import torch

    from move37.agents.learner.imitation import imitate, positions_of
    from move37.agents.learner.rollout import sample_works
    from move37.envs.drawing.corpus.augment import damage, random_works

    torch.manual_seed(0)
    world = make_world("drawing")
    network = world.network(dropout=0.3)
    held = positions_of(world.simulator, world.held_out)
    imitate(
        network,
        lambda e: positions_of(world.simulator, world.variations(e, 0)),
        held,
        epochs=8,
        seed=0,
    )
    rng = np.random.default_rng(0)
    imitations = sample_works(network, world.simulator(512), world.id, 1000, rng)
    evaluator = world.fit_evaluator(800)
    reward = world.make_reward(evaluator, imitations[:500], 800, 0)
    lengths = (world.train.moves >= 0).sum(axis=1)
    groups = [
        world.held_out,
        imitations[500:],
        Works("drawing", damage(world.held_out.moves, rng)),
        Works("drawing", random_works(500, lengths, rng)),
    ]
    terms = [reward(g) | evaluator.measure(g) for g in groups]
    for key in ("form", "craft", "heldout_quality"):
        medians = [float(np.median(t[key])) for t in terms]
        assert medians == sorted(medians, reverse=True), (key, medians)
