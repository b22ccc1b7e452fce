"""Four-part harmonisation: three voices are written, and judged as chords too."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from benchmarks.calibrate import calibrate
from move37.agents.learner.imitation import positions_of
from move37.envs.base.registry import find_world, make_world
from move37.envs.base.works import Works
from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
from move37.envs.composition.corpus.trivial import TRIVIAL
from move37.envs.composition.dynamics import AHEAD, BEHIND, FourSimulator
from move37.envs.composition.judging.craft import planes_of
from move37.envs.composition.judging.descriptor import N_FEATURES, features, judged_features
from move37.envs.composition.judging.evaluator import CompositionEvaluator, negatives_of
from move37.envs.composition.judging.progress_features import progress_features, units
from move37.envs.composition.judging.quality import HumanLevelQuality
from move37.envs.composition.modes import BASS, FOUR
from move37.envs.composition.moves import (
    ALTO_LOW,
    ALTO_ROW,
    BASS_ROW,
    BRIEF,
    EIGHTHS,
    FERMATA,
    FERMATA_ROW,
    FIRST_NOTE,
    HOLD,
    LOW,
    LOWEST,
    MODE,
    N_MOVES,
    PHASE,
    PLACE_ROW,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    SOPRANO_ROW,
    TENOR_LOW,
    TENOR_ROW,
    TONIC,
    sounding,
)
from move37.envs.composition.rules.calibration import CALIBRATION
from move37.envs.composition.rules.explain import explain, findings
from move37.envs.composition.rules.form import find_rules, form_quality, form_terms, measure_rules
from move37.envs.composition.rules.names import CHORD_RULES, FOUR_RULES, MELODIC, RULES
from move37.envs.composition.score.midi import midi
from move37.envs.composition.score.notation import musicxml
from move37.envs.composition.score.page import html_page
from move37.envs.composition.score.render import picture
from move37.envs.composition.score.roll import read_rolls, rolls_of
from move37.envs.composition.score.staff import sheet_of
from move37.envs.composition.scores import moves_and_briefs, scores_of, silence_ahead
from move37.envs.composition.works import scores_of_works
from move37.envs.composition.world import CompositionWorld, FourWorld
from move37.novelty.storage import save_weights

ENV = "Move37/CompositionFour-v0"
WORLD = FourWorld(limit=240)
HELD = WORLD.held_out
HELD_SCORES = scores_of_works(HELD)
UPPER_FIRST = (SOPRANO_ROW, ALTO_ROW, TENOR_ROW, BASS_ROW)


def four_voices(*voices, fermatas=(), place=0):
    """A score (1, 7, 32) from four lists, the soprano first, of (MIDI or None, eighths)."""
    score = np.zeros((1, 7, EIGHTHS), np.int16)
    score[0, PLACE_ROW] = (place + np.arange(EIGHTHS)) % 8
    score[0, FERMATA_ROW, list(fermatas)] = 1
    for row, voice in zip(UPPER_FIRST, voices, strict=True):
        at, score[0, row, 0] = 0, REST
        for note, size in voice:
            score[0, row, at] = REST if note is None else note - LOWEST[row] + FIRST_NOTE
            at += size
        if at < EIGHTHS:
            score[0, row, at] = REST
    return score


def quarters(*chords):
    """Four voices from chords of four notes, a quarter each."""
    return [[(chord[v], 2) for chord in chords] for v in range(4)]


def of(score, rule):
    return measure_rules(score, FOUR)[0, FOUR.rules.index(rule)]


C, F, G = (72, 67, 64, 48), (72, 69, 65, 53), (71, 67, 62, 55)


def test_a_chord_is_a_triad_or_a_seventh_chord_with_its_third():
    for chord, known in (
        (C, 1), (F, 1), (G, 1), ((72, 64, 60, 48), 1),  # the fifth may be missing
        ((67, 67, 60, 48), 0),  # the third may not
        ((77, 71, 67, 55), 1), ((72, 65, 62, 55), 0), ((71, 65, 62, 50), 1),
        ((69, 64, 60, 53), 1), ((68, 65, 62, 59), 1), ((72, 71, 69, 48), 0),
    ):  # fmt: skip
        assert of(four_voices(*quarters(chord)), "chords") == pytest.approx(known / 16), chord


def test_parallels_with_an_inner_voice_are_found_and_those_of_the_outer_ones_are_not():
    fifths = four_voices(*quarters((72, 67, 60, 48), (74, 69, 62, 50)))
    # Alto over tenor are fifths, tenor over bass and soprano over tenor octaves.
    assert of(fifths, "inner_fifths") == 2 and of(fifths, "inner_octaves") == 2
    assert of(fifths, "octaves") == 1
    good = four_voices(*quarters(C, G))
    assert of(good, "inner_fifths") == of(good, "inner_octaves") == 0
    outer = four_voices(*quarters((72, 67, 64, 48), (74, 65, 65, 50)))
    assert of(outer, "inner_octaves") == 0
    at = find_rules(fifths, FOUR)[0]
    assert np.flatnonzero(at[FOUR.rules.index("inner_fifths")]).tolist() == [2]


def test_order_spacing_leading_note_and_motion():
    assert of(four_voices(*quarters(C, F, G)), "order") == 0
    assert of(four_voices(*quarters((72, 60, 64, 48))), "order") == 2  # a quarter: two eighths
    assert of(four_voices(*quarters((79, 64, 60, 48))), "wide") == 2
    assert of(four_voices(*quarters((72, 67, 64, 40))), "wide") == 0  # the bass may be far away
    assert of(four_voices(*quarters((71, 67, 59, 55))), "leading_twice") == 1
    up = four_voices(*quarters((72, 67, 64, 48), (74, 69, 65, 50)))
    assert of(up, "one_direction") == 1
    contrary = four_voices(*quarters((72, 67, 64, 48), (74, 69, 65, 46)))
    assert of(contrary, "one_direction") == 0


def test_suspensions_and_passing_notes_are_understood():
    # The tenor's F is held into C major and falls to E; the alto's A passes between B and G.
    suspended = four_voices(
        [(72, 4), (72, 4)], [(69, 4), (67, 4)], [(65, 6), (64, 2)], [(53, 4), (48, 4)]
    )
    assert of(suspended, "unprepared") == 0
    struck = four_voices(
        [(72, 4), (72, 4)], [(69, 4), (67, 4)], [(60, 4), (65, 2), (64, 2)], [(53, 4), (48, 4)]
    )
    assert of(struck, "unprepared") == 1
    passing = four_voices([(72, 4)], [(67, 1), (65, 1), (64, 2)], [(64, 4)], [(48, 4)])
    assert of(passing, "passing") == 0
    leaping = four_voices([(72, 4)], [(69, 1), (65, 1), (64, 2)], [(64, 4)], [(48, 4)])
    assert of(leaping, "passing") == 1


def test_endings_are_triads():
    chords = [C] * 3 + [F] + [C] * 4
    assert of(four_voices(*quarters(*chords), fermatas=(6, 7)), "endings") == 1
    seventh = [C] * 3 + [(77, 71, 67, 55)] + [C] * 4
    assert of(four_voices(*quarters(*seventh), fermatas=(6, 7)), "endings") == 0
    assert of(four_voices(*quarters(*seventh)), "endings") == 1


def _slow_parallels(score):
    """Fifths and octaves of every pair but soprano and bass, from sounding notes and onsets."""
    heard = {row: sounding(score[:, row], LOWEST[row])[0] for row in UPPER_FIRST}
    begins = {row: score[0, row] >= FIRST_NOTE for row in UPPER_FIRST}
    found = [0, 0]
    for u, v in itertools.combinations(UPPER_FIRST, 2):
        if (u, v) == (SOPRANO_ROW, BASS_ROW):
            continue
        both = [
            t for t in range(EIGHTHS)
            if heard[u][t] >= 0 and heard[v][t] >= 0 and (begins[u][t] or begins[v][t])
        ]  # fmt: skip
        for a, b in itertools.pairwise(both):
            if heard[u][a] != heard[u][b] and heard[v][a] != heard[v][b]:
                apart = {(heard[u][t] - heard[v][t]) % 12 for t in (a, b)}
                found[0] += apart == {7}
                found[1] += apart == {0}
    return found


def test_parallels_equal_a_slow_count_on_anything():
    rng = np.random.default_rng(0)
    codes = rng.choice(
        [HOLD, REST, *range(2, 31)], (40, FOUR.n_moves), p=[0.5, 0.03] + [0.47 / 29] * 29
    )
    some = scores_of(codes.astype(np.int16), HELD.briefs[rng.integers(0, len(HELD), 40)], FOUR)
    for score in np.concatenate([HELD_SCORES[:30], some])[:, None]:
        assert [of(score, "inner_fifths"), of(score, "inner_octaves")] == _slow_parallels(score)


def test_inner_voices_are_measured_by_the_rules_of_one_voice():
    found = measure_rules(HELD_SCORES, FOUR)[:, len(RULES) :]
    for k, row in enumerate((ALTO_ROW, TENOR_ROW)):
        columns = slice(
            len(CHORD_RULES) + k * len(MELODIC), len(CHORD_RULES) + (k + 1) * len(MELODIC)
        )
        # A bass that sings the same has the same melody, at another height.
        posed = HELD_SCORES[:, :5].copy()
        posed[:, BASS_ROW] = HELD_SCORES[:, row]
        other = measure_rules(posed, BASS)[:, MELODIC]
        names = [RULES[column] for column in MELODIC]
        pitchless = [
            i for i, n in enumerate(names) if n not in ("height", "key", "chromatic_leaps")
        ]
        np.testing.assert_allclose(found[:, columns][:, pitchless], other[:, pitchless])


def test_the_calibration_is_bachs():
    corpus = load_corpus("bach", progress=False)
    rows = corpus.split()["train"]
    four = scores_in_four(corpus.works[rows], corpus.inner[rows])
    found = calibrate(measure_rules(four, FOUR)[:, len(RULES) :], FOUR_RULES)
    assert tuple(found) == FOUR_RULES
    for rule, bounds in found.items():
        assert bounds == pytest.approx(CALIBRATION[rule], abs=1e-3), rule
    assert not set(FOUR_RULES) & set(RULES)


def test_human_works_keep_their_notes():
    corpus = load_corpus("bach", progress=False)
    rows = corpus.split()["held_out"]
    held_out, inner = corpus.works[rows], corpus.inner[rows]
    four = FourWorld.written(held_out, inner)
    whole = (inner >= 0).all(axis=(1, 2))
    assert 0.9 < whole.mean() and four.moves.shape == (whole.sum(), FOUR.n_moves)
    scores = scores_of_works(four)
    np.testing.assert_array_equal(scores[:, :5], scores_of_works(held_out[whole]))
    np.testing.assert_array_equal(scores[:, 5:], inner[whole])
    np.testing.assert_array_equal(four.briefs, held_out.briefs[whole])
    assert four.names == held_out[whole].names
    moves, briefs = moves_and_briefs(scores, FOUR)
    np.testing.assert_array_equal(moves, four.moves)
    np.testing.assert_array_equal(briefs, four.briefs)


def test_the_inner_voices_are_those_that_music21_reads():
    import music21

    corpus = load_corpus("bach", progress=False)
    at = corpus.works.names.index("bwv267 bar 0" if "bwv267 bar 0" in corpus.works.names else next(
        n for n in corpus.works.names if n.endswith(("bar 0", "bar 1"))
    ))  # fmt: skip
    name = corpus.works.names[at]
    chorale = music21.corpus.parse(f"bach/{name.split()[0]}")
    shown = sheet_of(scores_in_four(corpus.works[at : at + 1], corpus.inner[at : at + 1])[0])
    for voice, part in enumerate(chorale.parts[:4]):
        theirs = [
            n.pitch.midi for n in part.flatten().notes if n.offset < 8 and n.quarterLength >= 0.5
        ]
        mine = [n.midi for n in shown.notes if n.voice == voice and n.midi >= 0]
        assert mine[:6] == theirs[:6], part.partName


def test_rolls_hold_everything():
    assert rolls_of(HELD_SCORES).shape == (len(HELD), 128, 64)
    again = read_rolls(rolls_of(HELD_SCORES))
    np.testing.assert_array_equal(again[:, PLACE_ROW:5], HELD_SCORES[:, PLACE_ROW:5])
    for row in UPPER_FIRST:
        heard = (sounding(scores[:, row], LOWEST[row]) for scores in (again, HELD_SCORES))
        np.testing.assert_array_equal(*heard)
    works = FourWorld.from_images(rolls_of(HELD_SCORES))
    np.testing.assert_array_equal(scores_of_works(works)[:, TENOR_ROW], again[:, TENOR_ROW])
    assert FourWorld.images(HELD).shape[1:] == (128, 64)


def oracle_observation(moves, brief):
    """What the next move's observation must be, straight from the definition."""
    t, turn = divmod(len(moves), 3)
    recent, sounds, now, held = [], [], [], []
    for line in (moves[0::3], moves[1::3], moves[2::3]):
        heard, lasts = [], 0
        for m in line:
            heard.append(heard[-1] if m == HOLD and heard else (m if m != HOLD else REST))
            lasts = lasts + 1 if m == HOLD else 1
        recent.append([*line[::-1][:8], *[N_MOVES] * 8][:8])
        sounds.append([*heard[::-1][:8], *[0] * 8][:8])
        now.append(heard[-1] if heard else REST)
        held.append(lasts)
    window = range(t - BEHIND, t + AHEAD)
    inside = [0 <= u < EIGHTHS for u in window]
    sung = sounding(brief[None, SOPRANO:FERMATA], FIRST_NOTE)[0]
    sung = [REST if u < 0 else u for u in sung]
    state = [*now, *held, (brief[PHASE] + t) % 8, EIGHTHS - t, brief[MODE], brief[TONIC], turn]
    return {
        "soprano": [sung[u] if ok else 0 for u, ok in zip(window, inside, strict=True)],
        "onsets": [
            int(ok and brief[SOPRANO + u] >= FIRST_NOTE)
            for u, ok in zip(window, inside, strict=True)
        ],
        "fermatas": [brief[FERMATA + u] if ok else 0 for u, ok in zip(window, inside, strict=True)],
        "recent": recent, "sounding": sounds, "state": state,
    }  # fmt: skip


def test_observations_equal_the_oracle():
    briefs = HELD.briefs[:4]
    simulator = FourSimulator(4)
    simulator.reset(np.arange(4), briefs)
    rng = np.random.default_rng(0)
    moves = [[] for _ in range(4)]
    for k in range(FOUR.n_moves):
        for i in range(4):
            for key, value in oracle_observation(moves[i], briefs[i]).items():
                np.testing.assert_array_equal(simulator.observations[key][i], value, err_msg=key)
            so_far = np.full((1, FOUR.n_moves), REST, np.int16)
            so_far[0, :k] = moves[i]
            score = scores_of(so_far, briefs[i : i + 1], FOUR)
            rules = measure_rules(score, FOUR)[0]
            want = np.concatenate([rules / units(FOUR), features(score, FOUR)[0]]).clip(-4, 4)
            np.testing.assert_allclose(
                simulator.observations["progress_features"][i], want, rtol=1e-6
            )
        actions = np.where(rng.random(4) < 0.5, HOLD, rng.integers(0, N_MOVES, 4))
        done = simulator.step(actions)
        for i in range(4):
            moves[i].append(int(actions[i]))
    assert done.all()
    np.testing.assert_array_equal(simulator.moves, moves)


def test_what_is_not_written_yet_is_silent():
    score = scores_of(HELD.moves[:1], HELD.briefs[:1], FOUR)
    silence_ahead(score, np.array([31]), FOUR)
    # 31 moves: 11 of the bass, 10 of the tenor, 10 of the alto.
    assert score[0, BASS_ROW, 11] == REST and score[0, BASS_ROW, 10] == HELD.moves[0, 30]
    assert score[0, TENOR_ROW, 10] == score[0, ALTO_ROW, 10] == REST


def test_gymnasiums_checker_and_a_picture_of_what_is_written():
    env = gymnasium.make(ENV, render_mode="rgb_array").unwrapped
    check_env(env)
    env.reset(options={"brief": HELD.briefs[1]})
    frames = [env.render()]
    for action in (20, 15, 12):
        env.step(action)
        frames.append(env.render())
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    soprano = HELD.briefs[1, SOPRANO:FERMATA]
    env.reset(options={"brief": soprano})
    with pytest.raises(ValueError, match="brief: expected shape"):
        env.reset(options={"brief": soprano[:5]})


@pytest.fixture(scope="module")
def evaluator():
    return WORLD.fit_evaluator(60, 2)


def test_the_judge_and_form_know_bach_from_one_voice_of_another_work(evaluator):
    bach = evaluator.measure(HELD)
    rows = np.random.default_rng(5).permutation(len(HELD))
    for voice in (BASS_ROW, TENOR_ROW, ALTO_ROW):
        scores = HELD_SCORES.copy()
        scores[:, voice] = scores[rows, voice]
        other = evaluator.measure(Works(FourWorld.id, *moves_and_briefs(scores, FOUR)))
        for key, least in (("heldout_quality", 0.75), ("form", 0.85)):
            assert (bach[key][:, None] > other[key][None]).mean() > least, (voice, key)
    thresholds = evaluator.thresholds
    assert thresholds.form_loose < thresholds.form and thresholds.heldout_loose < thresholds.heldout
    assert evaluator.descriptor.mean.shape == (3 * N_FEATURES,)


def test_parallels_are_counted_in_all_voices(evaluator):
    fifths = four_voices(*quarters((72, 67, 60, 48), (74, 69, 62, 50)))
    moves, briefs = moves_and_briefs(fifths, FOUR)
    measured = evaluator.measure(Works(FourWorld.id, moves, briefs))
    assert measured["parallels"][0] == 5  # four with the inner voices, one of the outer ones


def test_spoilt_works_keep_some_voices_and_their_soprano():
    wrong, human = negatives_of(WORLD.train, 3, 2), scores_of_works(WORLD.train)
    known = {row: {line.tobytes() for line in human[:, row]} for row in UPPER_FIRST}
    kept = {tuple(score[row].tobytes() in known[row] for row in UPPER_FIRST[1:]) for score in wrong}
    assert len(kept) == 8 or len(kept) == 7
    assert all(score[SOPRANO_ROW].tobytes() in known[SOPRANO_ROW] for score in wrong)
    whole = {score[list(UPPER_FIRST)].tobytes() for score in human}
    assert np.mean([score[list(UPPER_FIRST)].tobytes() in whole for score in wrong]) < 0.02


@pytest.mark.parametrize("make", TRIVIAL, ids=lambda make: make.__name__)
def test_no_trivial_voices_win(make, evaluator):
    rng = np.random.default_rng(4)
    scores = HELD_SCORES.copy()
    for row, low in ((BASS_ROW, LOW), (TENOR_ROW, TENOR_LOW), (ALTO_ROW, ALTO_LOW)):
        codes = make(HELD.briefs, rng)
        # The same notes where the compass of the voice has them, octaves higher if need be.
        shift = (LOW - low) % 12
        scores[:, row] = np.where(
            codes >= FIRST_NOTE, np.minimum(codes + shift, N_MOVES - 1), codes
        )
    measured = evaluator.measure(Works(FourWorld.id, *moves_and_briefs(scores, FOUR)))
    bach = evaluator.measure(HELD)
    for key in ("form", "heldout_quality"):
        assert np.median(measured[key]) < np.quantile(bach[key], 0.05), key
    assert measured["yield"].sum() == 0


def test_bachs_bass_with_lazy_inner_voices_does_not_win(evaluator):
    lazy = HELD_SCORES.copy()
    lazy[:, [ALTO_ROW, TENOR_ROW], 1:] = HOLD
    doubled = HELD_SCORES.copy()
    # Alto and tenor double the bass an octave above, as far as their compass goes.
    heard = sounding(HELD_SCORES[:, BASS_ROW], LOW)
    for row in (ALTO_ROW, TENOR_ROW):
        note = np.clip(heard + 12 - LOWEST[row], 0, N_MOVES - 1 - FIRST_NOTE) + FIRST_NOTE
        doubled[:, row] = np.where(
            HELD_SCORES[:, BASS_ROW] >= FIRST_NOTE, note, HELD_SCORES[:, BASS_ROW]
        )
    bach = evaluator.measure(HELD)
    for scores in (lazy, doubled):
        measured = evaluator.measure(Works(FourWorld.id, *moves_and_briefs(scores, FOUR)))
        for key in ("form", "heldout_quality"):
            assert np.median(measured[key]) < np.quantile(bach[key], 0.05), key


def test_the_yardstick_survives_a_folder(evaluator, tmp_path):
    evaluator.save(tmp_path)
    again = CompositionEvaluator.load(tmp_path)
    a, b = evaluator.measure(HELD), again.measure(HELD)
    assert again.thresholds == evaluator.thresholds and all(
        np.array_equal(a[key], b[key]) for key in a
    )


def test_works_are_judged_again_exactly(evaluator, tmp_path):
    evaluator.save(tmp_path)
    quality = HumanLevelQuality(WORLD.train, 20, 0, 1)
    save_weights(tmp_path / "critic.safetensors", quality.critics["critic"].network)
    works = HELD[:5]
    again = find_world("composition-four")().judge_again(tmp_path, works)
    np.testing.assert_array_equal(again["form"], form_quality(works)["form"])
    said = quality(works)
    np.testing.assert_array_equal(again["craft"], said["craft"])
    np.testing.assert_array_equal(again["form"], said["form"])


def test_every_position_of_human_works_can_be_imitated():
    observations, moves = positions_of(WORLD.simulator, HELD)
    assert len(moves) == len(HELD) * FOUR.n_moves
    turns = observations["state"][:, -1].reshape(len(HELD), FOUR.n_moves)
    np.testing.assert_array_equal(turns, np.tile([0, 1, 2], (len(HELD), EIGHTHS)))
    network = WORLD.network()
    batch = {key: torch.as_tensor(value[:96]) for key, value in observations.items()}
    logits, features_ = network(batch)
    assert logits.shape == (96, N_MOVES) and features_.shape == (96, network.n_features)
    logits.sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


@pytest.mark.parametrize("key", ["state", "sounding", "recent"])
def test_the_network_tells_the_voices_apart(key):
    torch.manual_seed(0)
    network = WORLD.network().eval()
    simulator = FourSimulator(1)
    simulator.reset(np.array([0]), HELD.briefs[:1])
    for move in HELD.moves[0, :30]:
        simulator.step(np.array([move], np.int64))
    obs = {k: torch.as_tensor(value.copy()) for k, value in simulator.observations.items()}
    other = {k: value.clone() for k, value in obs.items()}
    if key == "state":
        other["state"][0, -1] = 1
    else:
        other[key] = other[key].flip(1)
    assert not torch.equal(network(other)[0], network(obs)[0])


def test_a_third_above_the_bass_is_one_interval_everywhere():
    """The head's tables: equal intervals in semitones stand at equal places."""
    network = WORLD.network()
    for turn, low in ((1, TENOR_LOW), (2, ALTO_LOW)):
        table = network.gap_of[turn]
        for bass, note in ((60, 64), (55, 59), (62, 66)):
            at = table[bass - LOW + FIRST_NOTE, note - low]
            assert at == table[60 - LOW + FIRST_NOTE, 64 - low]
            assert at == network.gap_of[1][60 - LOW + FIRST_NOTE, 64 - TENOR_LOW]
    below = network.gap_of[0]
    assert (
        below[72 - SOPRANO_LOW + FIRST_NOTE, 60 - LOW]
        == below[67 - SOPRANO_LOW + FIRST_NOTE, 55 - LOW]
    )


def test_what_critics_and_judges_see_holds_every_voice():
    for row in (BASS_ROW, TENOR_ROW, ALTO_ROW):
        changed = HELD_SCORES[:1].copy()
        notes = np.flatnonzero(changed[0, row] >= FIRST_NOTE)
        changed[0, row, notes[3]] -= 2
        assert not np.array_equal(planes_of(changed), planes_of(HELD_SCORES[:1]))
        for see in (judged_features, progress_features, features):
            same = np.array_equal(see(changed, FOUR), see(HELD_SCORES[:1], FOUR))
            assert not same, (row, see.__name__)


def test_explanations_name_the_voice_and_only_what_costs_marks():
    scores = HELD_SCORES[:1].copy()
    scores[0, TENOR_ROW, 4:6] = [20, 8]
    works = Works(FourWorld.id, *moves_and_briefs(scores, FOUR))
    lines = explain(works)[0]
    assert any("tenor: forbidden leap" in line for line in lines)
    terms = form_terms(scores, FOUR)
    for _, _, said in findings(scores[0], FOUR):
        voice, _, _ = said.partition(": ")
        if voice in ("alto", "tenor"):
            assert any(terms[r][0] < 1 for r in FOUR_RULES if r.startswith(f"{voice}_"))
    fifths = four_voices(*quarters((72, 67, 60, 48), (74, 69, 62, 50)))
    assert (2, "bar 1, beat 2", "parallel fifths with an inner voice") in findings(fifths[0], FOUR)


def test_four_staves_sound_and_files(tmp_path):
    score = HELD_SCORES[0]
    paper = sheet_of(score)
    assert paper.voices == ("Soprano", "Alto", "Tenor", "Bass")
    text = musicxml(score, "a").decode()
    assert text.count("<score-part ") == 4 and "alto, tenor and bass: Move37" in text
    assert midi(score, "a")[:4] == b"MThd"
    assert sheet_of(score[:5]).voices == ("Soprano", "Bass")
    for kind in ("svg", "midi", "musicxml", "wav", "roll"):
        FourWorld.exports[kind][2](HELD[:1], tmp_path / kind)
        assert next((tmp_path / kind).iterdir()).stat().st_size > 200
    again, _ = FourWorld.read_folder(tmp_path / "musicxml")
    heard = (sounding(scores_of_works(w)[:, ALTO_ROW], ALTO_LOW) for w in (again, HELD[:1]))
    np.testing.assert_array_equal(*heard)


def test_pictures_and_pages_show_four_voices():
    two = Works("composition", *moves_and_briefs(HELD_SCORES[:2, :5], BASS))
    assert (FourWorld.tile(HELD, 0, 96) != CompositionWorld.tile(two, 0, 96)).any()
    marked = FourWorld.tile(HELD, 0, 96, 9, [10])
    assert (marked != FourWorld.tile(HELD, 0, 96, 9, [40])).any()
    page = html_page(HELD[:1], "t", [""], [[31]])
    assert '"marks": [10]' in page or '"marks":[10]' in page
    assert "Tenor" in page
    empty = np.full(FOUR.n_moves, -1, np.int16)
    assert (
        picture(empty, HELD.briefs[0], FOUR) != picture(HELD.moves[0], HELD.briefs[0], FOUR)
    ).any()


def test_the_world_by_name():
    world = make_world("composition-four", limit=100)
    simulator = world.practice(16)
    simulator.reset(np.arange(16))
    assert (
        simulator.briefs.shape == (16, BRIEF)
        and (simulator.briefs[:8] == simulator.briefs[0]).all()
    )
    assert world.exam(3).pool().shape == world.held_out.briefs.shape
    assert world.fingerprint != make_world("composition", limit=100).fingerprint
    assert world.simulator(2).max_moves == FOUR.n_moves
