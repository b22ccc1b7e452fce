"""The rules of counterpoint on known answers, on Bach, and on what must not win."""

import itertools
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.calibrate import calibrate
from benchmarks.parallels import count_parallels
from move37.envs.base.works import Works, WorksError
from move37.envs.composition.corpus.augment import KINDS, damage, damage_one, random_works, reverse
from move37.envs.composition.corpus.chorales import load_corpus
from move37.envs.composition.corpus.trivial import TRIVIAL
from move37.envs.composition.judging.descriptor import (
    N_FEATURES,
    PARTS,
    features,
    features_of,
    judged_features,
)
from move37.envs.composition.judging.evaluator import CompositionEvaluator, train_judge
from move37.envs.composition.judging.progress_features import progress_features
from move37.envs.composition.judging.quality import TARGET
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    LOW,
    MODE,
    REST,
    SOPRANO,
    SOPRANO_LOW,
)
from move37.envs.composition.rules.calibration import CALIBRATION
from move37.envs.composition.rules.form import find_rules, form_quality, form_terms, measure_rules
from move37.envs.composition.rules.names import CHORD_RULES, RULES
from move37.envs.composition.rules.originality import Originality
from move37.envs.composition.scores import moves_and_briefs, scores_of
from move37.envs.composition.works import scores_of_works
from move37.envs.composition.world import CompositionWorld
from move37.envs.judging.forest import Forest
from move37.envs.judging.pca import PrincipalComponents

BACH = load_corpus("bach", progress=False)
ROWS = BACH.split()
HELD = BACH.works[ROWS["held_out"]]
HELD_SCORES = scores_of(HELD.moves, HELD.briefs, BASS)


def score_of(soprano, bass, *, minor=False, fermatas=(), place=0):
    """A score from lists of (MIDI or None for a rest, eighths)."""
    brief = np.zeros(BRIEF, np.int16)
    brief[MODE], brief[1] = minor, place
    moves = np.full(EIGHTHS, HOLD, np.int16)
    moves[0] = brief[SOPRANO] = REST
    for voice, row, low in ((soprano, brief[SOPRANO:FERMATA], SOPRANO_LOW), (bass, moves, LOW)):
        at = 0
        for midi, size in voice:
            row[at] = REST if midi is None else midi - low + FIRST_NOTE
            at += size
        if at < EIGHTHS:
            row[at] = REST
    for t in fermatas:
        brief[FERMATA + t] = 1
    return scores_of(moves[None], brief[None], BASS)


def shape_of(scores):
    return form_quality(Works("composition", *moves_and_briefs(scores, BASS)))["form"]


def count(rule, *args, **kwargs):
    return measure_rules(score_of(*args, **kwargs), BASS)[0, RULES.index(rule)]


def quarters(*pitches):
    return [(p, 2) for p in pitches]


@pytest.mark.parametrize(
    ("rule", "soprano", "bass", "expected"),
    [
        ("fifths", quarters(67, 69, 71), quarters(48, 50, 52), 2),
        ("fifths", quarters(67, 67), quarters(48, 60), 0),  # the soprano stays
        ("fifths", quarters(67, 65), quarters(48, 58), 1),  # by contrary motion, twelfth to fifth
        ("fifths", quarters(67, 72), quarters(60, 60), 0),
        ("octaves", quarters(72, 74), quarters(48, 50), 1),
        ("octaves", quarters(72, 74), quarters(48, 47), 0),
        ("direct", quarters(64, 72), quarters(48, 53), 1),  # both up, the soprano leaps, to a fifth
        ("direct", quarters(71, 72), quarters(48, 53), 0),  # the soprano steps
        ("dissonance", quarters(72, 74), quarters(48, 48), 1),
        ("dissonance", [(72, 4), (71, 2)], quarters(52, 50, 55), 0),  # a suspended seventh resolves
        ("dissonance", quarters(72, 71, 69), quarters(48, 48, 48), 0),  # a passing seventh
        ("forbidden_leaps", quarters(72), quarters(48, 58, 57), 1),
        ("forbidden_leaps", quarters(72), quarters(48, 60, 59), 0),
        ("forbidden_leaps", quarters(72), quarters(48, 54, 57), 1),  # a tritone, not answered
        ("forbidden_leaps", quarters(72), quarters(54, 48, 50), 0),  # answered by step inwards
        ("unrecovered_leaps", quarters(72), quarters(48, 56, 58), 1),
        ("unrecovered_leaps", quarters(72), quarters(48, 56, 55), 0),
        ("unrecovered_leaps", quarters(72), quarters(48, 53, 59), 1),
        ("crossing", quarters(60), quarters(62), 2),
        ("leading_note", quarters(71), quarters(47), 1),
        ("key", quarters(72), quarters(48, 54, 55), 1),
        ("chromatic_leaps", quarters(72), quarters(48, 51, 55), 1),
        ("chromatic_leaps", quarters(72), quarters(48, 51, 50), 0),
        ("density", quarters(72), quarters(48, 50, 52), 3),
        ("syncopation", quarters(72), [(48, 1), (50, 2), (52, 1)], 1),
        ("one_way", quarters(72), quarters(48, 50, 52, 53, 52), 3),
        ("pedal", quarters(72), [(48, 4), (48, 2), (50, 2)], 6),
        ("copies", quarters(72), quarters(48, 52, 50, 50, 54, 52), 3),
        ("same_interval", quarters(64, 65, 67, 72), quarters(48, 50, 52, 53), 3),
        ("rests", quarters(72), [(48, 30), (None, 2)], 2),
    ],
)
def test_a_rule_counts_what_it_says(rule, soprano, bass, expected):
    assert count(rule, soprano, bass) == pytest.approx(expected)


def test_cadences_arrive_with_the_fermata():
    soprano = quarters(74, 72)
    assert count("cadence", soprano, quarters(55, 48), fermatas=(2, 3)) == 1
    assert count("cadence", soprano, [(48, 4)], fermatas=(2, 3)) == 0
    assert count("cadence", soprano, quarters(55, 50), fermatas=(2, 3)) == 0
    assert count("fermata_motion", soprano, [(55, 2), (48, 1), (47, 1)], fermatas=(2, 3)) == 1


def test_raised_degrees_belong_to_the_minor_mode_and_its_third_does_not_to_major():
    assert count("key", quarters(72), quarters(48, 51, 56, 59, 57), minor=True) == 0
    assert count("key", quarters(72), quarters(48, 51), minor=False) == 1
    assert count("key", quarters(72), quarters(48, 52), minor=True) == 1


def test_what_is_counted_is_where_it_was_found():
    scores = scores_of(damage(HELD.moves, np.random.default_rng(0)), HELD.briefs, BASS)
    measured, found = measure_rules(scores, BASS), find_rules(scores, BASS)
    for rule in ("fifths", "octaves", "direct", "forbidden_leaps", "key", "rests", "crossing",
                 "chromatic_leaps", "syncopation", "leading_note"):  # fmt: skip
        column = RULES.index(rule)
        np.testing.assert_array_equal(found[:, column].sum(axis=1), measured[:, column])


def test_parallels_are_those_that_music21_counts():
    from music21 import interval, note, voiceLeading

    rng = np.random.default_rng(3)
    letters = [0, 2, 4, 5, 7, 9, 11]
    for _ in range(40):
        pairs = [(60 + int(rng.choice(letters)) + 12 * int(rng.integers(0, 2)),
                  48 + int(rng.choice(letters))) for _ in range(6)]  # fmt: skip
        score = score_of(quarters(*[p[0] for p in pairs]), quarters(*[p[1] for p in pairs]))
        measured = measure_rules(score, BASS)[0]
        fifths = octaves = 0
        for (s1, b1), (s2, b2) in pairwise(pairs):
            quartet = voiceLeading.VoiceLeadingQuartet(
                *(note.Note(midi=m) for m in (s1, s2, b1, b2))
            )
            if s1 == s2 or b1 == b2:
                continue
            fifths += quartet.parallelFifth()
            octaves += quartet.parallelOctave() or quartet.parallelUnison()
            perfect = [interval.Interval(note.Note(midi=b), note.Note(midi=s)).semiSimpleName
                       for s, b in ((s1, b1), (s2, b2))]  # fmt: skip
            assert (perfect == ["P5", "P5"]) == bool((s1 - b1) % 12 == (s2 - b2) % 12 == 7)
        assert measured[RULES.index("fifths")] == fifths
        assert measured[RULES.index("octaves")] >= octaves


def test_every_run_is_marked_not_the_longest_alone():
    up, down = (48, 50, 52, 53, 55, 57, 59), (59, 57, 55, 53, 52, 50, 48)
    score = score_of(quarters(*[60] * 16), quarters(*up, *down))
    found, measured = find_rules(score, BASS)[0], measure_rules(score, BASS)[0]
    assert measured[RULES.index("one_way")] == 6
    assert found[RULES.index("one_way")].sum() == 2
    notes = (48, 52, 50, 55, 48, 52, 50, 55, 53, 57, 55, 60, 53, 57, 55, 60)
    found = find_rules(score_of(quarters(*[60] * 16), quarters(*notes)), BASS)[0][
        RULES.index("copies")
    ]
    assert found[2 * 7] and found[2 * 15] and not found[:14].any()


def test_parallels_of_whole_works_are_those_that_music21_counts():
    damaged = scores_of(damage(HELD.moves, np.random.default_rng(0)), HELD.briefs, BASS)
    for scores, most in ((HELD_SCORES, 0), (damaged, 3)):  # where voices cross they may differ
        measured = measure_rules(scores, BASS)
        ours = measured[:, RULES.index("fifths")] + measured[:, RULES.index("octaves")]
        assert (ours != count_parallels(scores)).sum() <= most
    assert ours.sum() > 10


def test_calibration_is_that_of_the_training_tunes():
    train = BACH.works[ROWS["train"]]
    assert (
        calibrate(measure_rules(scores_of(train.moves, train.briefs, BASS), BASS), RULES)
        == BASS.calibration
    )


def test_the_documented_bounds_are_those_in_use():
    text = (Path(__file__).parents[1] / "docs/counterpoint.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*?((?:\| [^|]*){2})\|$", text, re.MULTILINE))
    assert list(rows) == [*RULES, *CHORD_RULES]
    for rule, said in rows.items():
        zero_below, low, high, zero_above = CALIBRATION[rule]
        full, none = (cell.strip() for cell in said.strip("|").split("|"))
        ranges = [("up to", zero_below), ("from", zero_above)]
        assert none == ", ".join(f"{word} {x:g}" for word, x in ranges if np.isfinite(x)), rule
        assert full == (
            f"up to {high:g}" if np.isinf(low) else
            f"from {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
        ), rule  # fmt: skip


def test_bach_himself_has_good_form_and_no_parallels():
    for split in ("train", "held_out", "sealed"):
        works = BACH.works[ROWS[split]]
        scores = scores_of(works.moves, works.briefs, BASS)
        terms = form_terms(scores, BASS)
        assert np.median(shape_of(scores)) > 0.35
        assert all(np.mean(term) > 0.75 for term in terms.values())
        measured = measure_rules(scores, BASS)
        parallels = measured[:, RULES.index("fifths")] + measured[:, RULES.index("octaves")]
        assert parallels.mean() < 0.06


@pytest.fixture(scope="module")
def evaluator():
    """The real judge on half of the trees' data, so that it is quick."""
    train = BACH.works[ROWS["train"]]
    tunes = BACH.tunes[ROWS["train"]].astype(np.float64)
    judge = train_judge(BACH.works[ROWS["judge"]], 7, pools=4)
    return CompositionEvaluator(train.with_appraisal({"tune": tunes}), HELD, judge)


@pytest.mark.parametrize("bass", TRIVIAL, ids=lambda bass: bass.__name__)
def test_no_trivial_bass_passes_the_rules_or_the_judge(bass, evaluator):
    scores = scores_of(bass(HELD.briefs, np.random.default_rng(0)), HELD.briefs, BASS)
    shaped, judged = (
        shape_of(scores),
        evaluator.forest(judged_features(scores, BASS)),
    )
    assert np.median(shaped) < np.quantile(shape_of(HELD_SCORES), 0.05)
    assert np.mean(shaped >= evaluator.thresholds.form) < 0.02
    assert np.median(judged) < np.quantile(
        evaluator.forest(judged_features(HELD_SCORES, BASS)), 0.05
    )


def others(moves):
    return moves[(np.arange(len(moves)) + len(moves) // 2) % len(moves)]


WRONG = {
    "another tune's bass": others,
    "reversed": lambda moves: np.stack([reverse(row) for row in moves]),
    "an eighth late": lambda moves: np.concatenate([moves[:, :1], moves[:, :-1]], axis=1),
    "a bar late": lambda moves: np.roll(moves, 8, axis=1),
    "a tone up": lambda moves: np.where(
        moves >= FIRST_NOTE, np.minimum(moves + 2, 30), moves
    ).astype(np.int16),
    "in another order": lambda moves: np.stack(
        [damage_one(row, row, "shuffled", 1.0, np.random.default_rng(0)) for row in moves]
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_bach_out_of_place_passes_neither_the_rules_nor_the_judge(kind, evaluator):
    scores = scores_of(WRONG[kind](HELD.moves), HELD.briefs, BASS)
    shaped, judged = (
        shape_of(scores),
        evaluator.forest(judged_features(scores, BASS)),
    )
    assert np.median(shaped) < np.quantile(shape_of(HELD_SCORES), 0.05)
    assert np.median(judged) < np.quantile(
        evaluator.forest(judged_features(HELD_SCORES, BASS)), 0.05
    )


def test_order_bach_damaged_random(evaluator):
    rng = np.random.default_rng(1)
    makers = [
        HELD,
        Works("composition", damage(HELD.moves, rng), HELD.briefs),
        Works("composition", random_works(len(HELD), rng, HELD.moves), HELD.briefs),
        Works("composition", random_works(len(HELD), rng), HELD.briefs),
    ]
    measured = [evaluator.measure(works) for works in makers]
    for key in ("form", "heldout_quality"):
        values = [np.mean(m[key]) for m in measured]
        assert values[0] > 2 * values[1] and values[1] > 2 * max(values[2:])


def test_bars_and_yield_of_bach(evaluator):
    measured = evaluator.measure(HELD)
    assert np.mean(measured["yield"]) < 0.05
    assert np.mean(measured["form"] >= evaluator.thresholds.form) == pytest.approx(0.5, abs=0.02)
    again = evaluator.measure(HELD)
    assert all(np.array_equal(measured[key], again[key]) for key in measured)
    few = evaluator.measure(HELD[:7])
    for key in ("form", "heldout_quality", "novelty_human", "copied"):
        np.testing.assert_array_equal(few[key], measured[key][:7])


def test_the_yardstick_survives_a_folder(evaluator, tmp_path):
    evaluator.save(tmp_path)
    again = CompositionEvaluator.load(tmp_path)
    assert again.thresholds == evaluator.thresholds and again.scale == evaluator.scale
    a, b = evaluator.measure(HELD[:9]), again.measure(HELD[:9])
    assert all(np.array_equal(a[key], b[key]) for key in a)
    np.testing.assert_array_equal(evaluator.judge(HELD[:9]), a["heldout_quality"])


def reward_of(evaluator, imitations, updates):
    """The world's own reward, for the few human works of this yardstick."""
    world = SimpleNamespace(
        train=evaluator.human,
        floor=CompositionWorld.floor,
        own_count=CompositionWorld.own_count,
        root=CompositionWorld.root,
    )
    return CompositionWorld.make_reward(world, evaluator, imitations, updates, 0, pools=1)


@pytest.fixture(scope="module")
def reward(evaluator):
    """The learner's reward with a critic of a few steps."""
    imitations = Works("composition", damage(HELD.moves, np.random.default_rng(5)), HELD.briefs)
    return reward_of(evaluator, imitations, 60)


EASY = {bass.__name__: bass for bass in TRIVIAL}
EASY |= {kind: lambda briefs, rng, kind=kind: WRONG[kind](HELD.moves) for kind in WRONG}


@pytest.mark.parametrize("kind", EASY)
def test_nothing_trivial_or_out_of_place_has_quality(kind, reward):
    moves = EASY[kind](HELD.briefs, np.random.default_rng(1))
    worth = reward.quality(Works("composition", moves, HELD.briefs))["quality"]
    bach = reward.quality(HELD)["quality"]
    assert np.median(worth) < np.quantile(bach, 0.05)


def test_the_critics_of_wholes_know_bach_from_damage_and_never_change(reward):
    spoilt = Works("composition", damage(HELD.moves, np.random.default_rng(8)), HELD.briefs)
    bach, other = (reward.quality(w) for w in (HELD, spoilt))
    for key in ("whole", "craft"):
        assert (bach[key][:, None] > other[key][None]).mean() > 0.7, key
    assert (bach["quality"] <= np.minimum(bach["whole"] / TARGET, 1) + 1e-12).all()
    reward.refresh(HELD)
    again = reward.quality(HELD)
    assert all(np.array_equal(again[key], bach[key]) for key in bach)


def test_the_critics_of_wholes_are_several(reward):
    names = [name for name in reward.quality.critics if name.startswith("whole")]
    said = [reward.quality.critics[name](progress_features(HELD_SCORES, BASS)) for name in names]
    assert len(said) >= 3
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(said, 2))
    critics = [reward.quality.critics[name] for name in names]
    ranks = [critic.rank(some) for critic, some in zip(critics, said, strict=True)]
    whole = reward.quality(HELD)["whole"]
    np.testing.assert_allclose(whole, np.mean(ranks, axis=0))


def test_a_rank_is_a_share_of_human_works(reward):
    critic = reward.quality.critic
    human = critic.rank(critic(critic._measured))
    assert 0.35 < human.mean() < 0.65 and human.min() < 0.15 and human.max() > 0.85
    order = np.argsort(critic(critic._measured))
    assert (np.diff(human[order]) >= 0).all()


def test_a_reward_goes_on_exactly_from_its_state(reward, evaluator):
    own = Works("composition", damage(HELD.moves, np.random.default_rng(6)), HELD.briefs)
    reward(own)
    reward.refresh(own)
    reward.admit(own)
    state = reward.state()
    other = reward_of(evaluator, own, 1)
    for name, critic in other.quality.critics.items():
        critic._others = reward.quality.critics[name]._others
    other.load_state(state)
    for _ in range(2):
        a, b = (r(HELD) for r in (reward, other))
        assert all(np.array_equal(a[key], b[key]) for key in a)
        assert reward.refresh(HELD) == other.refresh(HELD)


def test_a_repeated_work_is_no_longer_new(reward):
    novelty_reward = reward(HELD[np.array([0, 0, 5])])
    assert novelty_reward["duplicate"][1] == 1 and novelty_reward["novelty_reward"][1] == 0
    assert reward(HELD[:1])["duplicate"][0] == 1


def test_a_damaged_forest_is_refused(evaluator, tmp_path):
    evaluator.forest.save(tmp_path / "judge.npz")
    width = judged_features(HELD_SCORES[:1], BASS).shape[1]
    forest = Forest.load(tmp_path / "judge.npz", width)
    forest.feature[:] = 10_000
    forest.save(tmp_path / "bad.npz")
    with pytest.raises(WorksError, match="not a saved forest"):
        Forest.load(tmp_path / "bad.npz", width)


def test_the_forest_says_what_scikit_learn_says():
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(0)
    human = rng.normal(0.6, 1, (60, 5)).astype(np.float32)
    wrong = rng.normal(-0.6, 1, (90, 5)).astype(np.float32)
    mine = Forest.fit(human, wrong, 3, trees=20)
    theirs = ExtraTreesClassifier(
        20, min_samples_leaf=3, max_features=0.2, class_weight="balanced", random_state=3
    ).fit(np.concatenate([human, wrong]), np.r_[np.ones(60), np.zeros(90)])
    x = rng.normal(size=(50, 5)).astype(np.float32)
    np.testing.assert_allclose(mine(x), theirs.predict_proba(x)[:, 1], atol=1e-12)


def works_of(scores):
    return Works("composition", *moves_and_briefs(scores, BASS))


def test_raw_features_are_histograms_each_in_its_place():
    found, at = features(HELD_SCORES, BASS), 0
    for name, size in PARTS[:-1]:
        shares = (found[:, at : at + size] ** 2).sum(axis=1)
        assert (shares <= 1 + 1e-9).all() and (name == "degrees" or shares.min() > 1 - 1e-9), name
        at += size
    # The same steps from event to event are counted by their motion and by their intervals.
    judged = judged_features(HELD_SCORES, BASS)[:, N_FEATURES:]
    np.testing.assert_allclose(judged[:, :15].sum(axis=1), judged[:, 15:159].sum(axis=1), rtol=1e-5)


def test_descriptors_do_not_depend_on_the_batch_nor_on_transposed_octaves():
    scores = scores_of_works(HELD)
    descriptor = PrincipalComponents.fit(features_of, HELD, BASS.components)
    x = descriptor(HELD)
    np.testing.assert_array_equal(descriptor(HELD[3:4])[0], x[3])
    octave = scores.copy()
    fits = ((octave[:, 1] < FIRST_NOTE) | (octave[:, 1] >= FIRST_NOTE + 12)).all(axis=1)
    octave[:, 1] = np.where(octave[:, 1] >= FIRST_NOTE, octave[:, 1] - 12, octave[:, 1])
    assert fits.sum() >= 1
    # Degrees, intervals and contour are relative: an octave below it is the same bass.
    np.testing.assert_allclose(descriptor(works_of(octave[fits])), x[fits], atol=1e-5)


def test_silence_at_the_beginning_is_no_leap():
    scores = scores_of_works(HELD)
    descriptor = PrincipalComponents.fit(features_of, HELD, BASS.components)
    starts = scores[(scores[:, 1, 0] >= FIRST_NOTE) & (scores[:, 1, 1] == HOLD)]
    late = starts.copy()
    late[:, 1, 1], late[:, 1, 0] = starts[:, 1, 0], REST
    x = descriptor(works_of(starts))
    gaps = np.linalg.norm(descriptor(works_of(late)) - x, axis=1)
    scale = np.linalg.norm(x - x[::-1], axis=1)
    assert len(starts) > 20 and np.median(gaps) < 0.4 * np.median(scale)


def test_a_passage_is_copied_in_any_transposition():
    known = Originality(HELD_SCORES[:20])
    assert (known.longest(HELD_SCORES[:20]) == EIGHTHS).all()
    moved = HELD_SCORES[:20].copy()
    moved[:, :2] = np.where(moved[:, :2] >= FIRST_NOTE, moved[:, :2] + 1, moved[:, :2])
    assert (known.longest(moved) == EIGHTHS).all()
    other = HELD_SCORES[:20].copy()
    other[:, 1, 16:] = 0
    other[:, 1, 16] = REST
    assert (known.longest(other) >= 16).all() and (known.longest(other) < EIGHTHS).all()
    rng = np.random.default_rng(0)
    noise = scores_of(random_works(20, rng), HELD.briefs[:20], BASS)
    assert (known.longest(noise) <= 4).all()


def test_damage_changes_every_work_and_nothing_outside_the_moves():
    rng = np.random.default_rng(0)
    changed = damage(HELD.moves, rng)
    assert (changed != HELD.moves).any(axis=1).mean() > 0.98
    assert changed.min() >= 0 and changed.max() <= 30
    assert len(KINDS) == 9
    for row in HELD.moves[:10]:
        np.testing.assert_array_equal(reverse(reverse(row)), row)
