"""Form, craft, descriptor, copied ink and the reward, on real human works."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.calibrate import calibrate_drawing
from move37.envs.base.works import Works, WorksError
from move37.envs.drawing.corpus.augment import damage, random_works, vary
from move37.envs.drawing.corpus.icons import load_corpus
from move37.envs.drawing.dynamics import images_of
from move37.envs.drawing.judging.craft import PatchCritic
from move37.envs.drawing.judging.descriptor import N_COMPONENTS, features_of
from move37.envs.drawing.judging.evaluator import DrawingEvaluator, train_judge
from move37.envs.drawing.moves import SIZE, moves_of, strokes_of
from move37.envs.drawing.rules.form import (
    CALIBRATION,
    RULES,
    form_quality,
    measure,
)
from move37.envs.drawing.rules.originality import Originality, stroke_facts
from move37.envs.judging.critics import CHUNK, judge
from move37.envs.judging.pca import PrincipalComponents


@pytest.fixture(scope="module")
def human():
    return load_corpus("tabler", progress=False).works.moves


def drawing(*strokes):
    return moves_of([np.array(stroke) for stroke in strokes])[None]


SIMPLE = {
    "dot": drawing([(12, 12), (12, 12)]),
    "line": drawing([(4, 12), (20, 12)]),
    "square": drawing([(4, 4), (20, 4), (20, 20), (4, 20), (4, 4)]),
    "cross": drawing([(3, 3), (20, 20)], [(20, 3), (3, 20)]),
    "open ends": drawing(*[[(2, y), (20, y)] for y in range(2, 22, 3)]),
}


def test_form_orders_human_damaged_random(human):
    rng = np.random.default_rng(0)
    damaged = damage(human, rng)
    noise = random_works(1000, (human >= 0).sum(axis=1), rng)
    medians = [float(np.median(shape_of(m))) for m in (human, damaged, noise)]
    assert medians[0] > 1.5 * medians[1] > 4 * medians[2], medians


def shape_of(moves):
    return form_quality(Works("drawing", moves))["form"]


@pytest.mark.parametrize("name", SIMPLE)
def test_simple_or_open_works_have_less_form_than_three_quarters_of_human_works(human, name):
    bar = np.quantile(shape_of(human), 0.25)
    assert shape_of(SIMPLE[name])[0] < bar


def test_calibration_is_that_of_the_human_works(human):
    fresh = calibrate_drawing(images_of(human))
    for rule in RULES:
        for ours, theirs in zip(CALIBRATION[rule], fresh[rule], strict=True):
            # Newer icon sets move a quantile a little.
            assert ours == theirs or abs(ours - theirs) <= 0.1 * max(1.0, abs(ours))


def test_measures_of_known_drawings():
    column = {rule: i for i, rule in enumerate(RULES)}
    square = measure(images_of(SIMPLE["square"]))[0]
    assert square[column["ink"]] == 64
    assert square[column["open_ends"]] == 0
    assert square[column["closure"]] == 1
    assert square[column["components"]] == 1
    assert square[column["features"]] == 4
    assert square[column["extent"]] == 17
    assert square[column["symmetry"]] == 1
    line = measure(images_of(SIMPLE["line"]))[0]
    assert line[column["open_ends"]] == 2 and line[column["closure"]] == 0
    assert line[column["straightness"]] == 1
    empty = measure(np.zeros((1, SIZE, SIZE), np.uint8))[0]
    assert np.isfinite(empty).all() and empty[column["ink"]] == 0


def test_variation_keeps_strokes_and_their_form(human):
    varied = vary(human, np.random.default_rng(0), share=1.0)
    assert (varied != human).any(axis=1).mean() > 0.5
    for before, after in zip(human[:200], varied[:200], strict=True):
        old, new = strokes_of(before), strokes_of(after)
        assert [len(s) for s in old] == [len(s) for s in new]
        for a, b in zip(old, new, strict=True):
            lengths = [(np.diff(s, axis=0) ** 2).sum(axis=1) for s in (a, b)]
            np.testing.assert_array_equal(*lengths)


def test_copied_ink_is_found_up_to_shift_mirror_and_direction():
    stroke = np.array([[2, 2], [8, 3], [9, 9], [4, 12]])
    known = Originality(drawing(stroke))
    mirrored = stroke * [-1, 1] + [20, 5]
    assert known.copied(drawing(mirrored[::-1]))[0] == 1
    other = stroke.copy()
    other[1] += 1
    assert known.copied(drawing(other))[0] == 0
    both = known.copied(drawing(stroke, stroke[:2] * 0 + [[1, 20], [1, 21]]))[0]
    length = np.sqrt((np.diff(stroke, axis=0) ** 2).sum(axis=1)).sum()
    assert both == pytest.approx(length / (length + 1))


def test_stroke_facts():
    facts = stroke_facts(drawing([(2, 2), (10, 2)], [(5, 2), (5, 9)]))
    assert facts["moves"][0] == 6 and facts["strokes"][0] == 2
    assert facts["closed_ends"][0] == 0.25
    assert stroke_facts(SIMPLE["square"])["closed_ends"][0] == 1


def test_descriptor_is_local_saved_and_independent_of_the_batch(human, tmp_path):
    works = Works("drawing", human[:400])
    descriptor = PrincipalComponents.fit(features_of, works, N_COMPONENTS)
    x = descriptor(works)
    np.testing.assert_array_equal(x[7], descriptor(works[7:8])[0])
    descriptor.save(tmp_path / "d.npz")
    again = PrincipalComponents.load(tmp_path / "d.npz", features_of, works)
    np.testing.assert_array_equal(again(works), x)
    (tmp_path / "d.npz").write_bytes((tmp_path / "d.npz").read_bytes()[:500])
    with pytest.raises(WorksError):
        PrincipalComponents.load(tmp_path / "d.npz", features_of, works)
    shifted = replace(works, images=np.roll(images_of(works.moves), 1, axis=2))
    near = np.linalg.norm(descriptor(shifted) - x, axis=1)
    far = np.linalg.norm(np.roll(x, 1, axis=0) - x, axis=1)
    assert np.median(near) < 0.6 * np.median(far)


def test_craft_does_not_depend_on_the_batch(human):
    torch.manual_seed(0)
    images = images_of(human[: CHUNK + 10])
    together = judge(PatchCritic().eval(), images)
    torch.manual_seed(0)
    critic = PatchCritic().eval()
    alone = np.array([judge(critic, images[i : i + 1])[0] for i in range(len(images))])
    np.testing.assert_array_equal(together, alone)


def test_the_held_out_judge_orders_works_of_designers_it_never_saw(human):
    others = load_corpus("lucide", progress=False).works.moves[:600]
    network = train_judge(others, 0, updates=300, pools=2)
    rng = np.random.default_rng(1)
    damaged = damage(human[:800], rng)
    noise = random_works(400, (human >= 0).sum(axis=1), rng)
    medians = [np.median(judge(network, images_of(m))) for m in (human[:800], damaged, noise)]
    assert medians[0] > medians[1] + 0.05 > medians[2] + 0.1, medians


def test_the_yield_asks_for_all_four_conditions(human):
    evaluator = DrawingEvaluator(
        Works("drawing", human[:600]), Works("drawing", human[600:900]),
        train_judge(human[900:1300], 0, 60, 1),
    )  # fmt: skip
    measured = evaluator.measure(Works("drawing", human[:100]))
    judged = evaluator.judge(Works("drawing", human[:100]))
    np.testing.assert_array_equal(judged, measured["heldout_quality"])
    assert measured["copied"].max() == 1 and measured["yield"][measured["copied"] > 0.34].sum() == 0
    twice = evaluator.measure(Works("drawing", np.concatenate([human[600:650], human[600:650]])))
    assert twice["repeats"][50:].all() and not twice["yield"][50:].any()
    thresholds = evaluator.thresholds
    strict = measured["yield"] == 1
    assert (measured["form"][strict] >= thresholds.form).all()
    assert (measured["novelty_human"][strict] >= thresholds.novelty).all()
    assert (
        thresholds.novelty > thresholds.novelty_loose
        and thresholds.heldout > thresholds.heldout_loose
    )
