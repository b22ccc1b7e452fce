"""The free mode: both voices are written, and judged by the same rules."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from benchmarks.calibrate import calibrate
from move37.agents.learner.imitation import positions_of
from move37.envs.base.registry import find_world, make_world
from move37.envs.base.works import Works
from move37.envs.composition.briefs import frames_of, parse_brief
from move37.envs.composition.corpus.trivial import scale_note, scale_up, trivial_works
from move37.envs.composition.dynamics import AHEAD, BEHIND, FreeSimulator
from move37.envs.composition.judging.descriptor import features, n_features
from move37.envs.composition.judging.evaluator import CompositionEvaluator, negatives_of
from move37.envs.composition.judging.progress_features import progress_features, units
from move37.envs.composition.judging.quality import HumanLevelQuality
from move37.envs.composition.modes import BASS, FREE
from move37.envs.composition.moves import (
    BASS_ROW,
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    LOW,
    MODE,
    N_MOVES,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    SOPRANO_ROW,
    TONIC,
    sounding,
)
from move37.envs.composition.rules.calibration import CALIBRATION
from move37.envs.composition.rules.explain import explain, findings
from move37.envs.composition.rules.form import form_quality, form_terms, measure_rules
from move37.envs.composition.rules.names import RULES, SOPRANO_RULES
from move37.envs.composition.score.roll import read_rolls, rolls_of
from move37.envs.composition.scores import moves_and_briefs, scores_of
from move37.envs.composition.works import scores_of_works
from move37.envs.composition.world import CompositionWorld, FreeWorld
from move37.envs.files.sheets import marked_sheet
from move37.novelty.storage import save_weights

ENV = "Move37/CompositionFree-v0"
WORLD = FreeWorld(limit=240)
HELD = WORLD.held_out
HELD_SCORES = scores_of_works(HELD)


def oracle_observation(moves, frame):
    """What the next move's observation must be, straight from the definition."""
    t, turn = divmod(len(moves), 2)
    voices = [moves[::2], moves[1::2]]
    recent, sounds, now, held = [], [], [], []
    for line in voices:
        heard, lasts = [], 0
        for m in line:
            heard.append(heard[-1] if m == HOLD and heard else (m if m != HOLD else REST))
            lasts = lasts + 1 if m == HOLD else 1
        recent.append([*line[::-1][:8], *[N_MOVES] * 8][:8])
        sounds.append([*heard[::-1][:8], *[0] * 8][:8])
        now.append(heard[-1] if heard else REST)
        held.append(lasts)
    fermatas = [frame[FERMATA + u] if 0 <= u < EIGHTHS else 0 for u in range(t - BEHIND, t + AHEAD)]
    state = [*now, *held, (frame[PHASE] + t) % 8, EIGHTHS - t, frame[MODE], frame[TONIC], turn]
    return {"recent": recent, "sounding": sounds, "fermatas": fermatas, "state": state}


def test_observations_equal_the_oracle():
    frames = HELD.briefs[:5]
    simulator = FreeSimulator(5)
    simulator.reset(np.arange(5), frames)
    rng = np.random.default_rng(0)
    moves = [[] for _ in range(5)]
    for k in range(FREE.n_moves):
        for i in range(5):
            for key, value in oracle_observation(moves[i], frames[i]).items():
                np.testing.assert_array_equal(simulator.observations[key][i], value, err_msg=key)
            so_far = np.full((1, FREE.n_moves), REST, np.int16)
            so_far[0, :k] = moves[i]
            score = scores_of(so_far, frames[i : i + 1], FREE)
            rules = measure_rules(score, FREE)[0]
            want = np.concatenate([rules / units(FREE), features(score, FREE)[0]]).clip(-4, 4)
            np.testing.assert_allclose(
                simulator.observations["progress_features"][i], want, rtol=1e-6
            )
        actions = rng.integers(0, N_MOVES, 5)
        done = simulator.step(actions)
        for i in range(5):
            moves[i].append(int(actions[i]))
    assert done.all()
    np.testing.assert_array_equal(simulator.moves, moves)


def test_gymnasiums_checker_and_a_picture_of_what_is_written():
    env = gymnasium.make(ENV, render_mode="rgb_array").unwrapped
    check_env(env)
    env.reset(options={"brief": HELD.briefs[1]})
    before = env.render()
    env.step(20)
    after = env.render()
    assert before.shape == after.shape == (512, 512, 3) and (before != after).any()
    with pytest.raises(TypeError, match="unexpected keyword argument 'pen'"):
        gymnasium.make_vec(ENV, num_envs=1, vectorization_mode="vector_entry_point", pen=1)


def test_human_works_keep_their_notes():
    world = CompositionWorld(limit=240)
    free = FreeWorld.written(world.held_out, np.zeros((0, 2, 32)))
    assert free.moves.shape == (len(world.held_out), FREE.n_moves)
    np.testing.assert_array_equal(scores_of_works(free), scores_of_works(world.held_out))
    np.testing.assert_array_equal(free.briefs, frames_of(world.held_out.briefs))
    np.testing.assert_array_equal(read_rolls(rolls_of(HELD_SCORES))[:, 2:], HELD_SCORES[:, 2:])
    again = FreeWorld.from_images(rolls_of(HELD_SCORES))
    for row, low in ((SOPRANO_ROW, SOPRANO_LOW), (BASS_ROW, LOW)):
        heard = (sounding(scores_of_works(works)[:, row], low) for works in (again, HELD))
        np.testing.assert_array_equal(*heard)


def test_the_sopranos_rules_are_those_of_a_bass_that_sings_the_same():
    scores = HELD_SCORES.copy()
    posed = scores.copy()
    posed[:, BASS_ROW] = scores[:, SOPRANO_ROW]
    columns = [RULES.index(rule.removeprefix("soprano_")) for rule in SOPRANO_RULES]
    found = measure_rules(scores, FREE)[:, len(RULES) :]
    other = measure_rules(posed, BASS)[:, columns]
    # Semitones between the compasses: the codes are alike, the pitches are not.
    shift = SOPRANO_LOW - LOW
    at = SOPRANO_RULES.index("soprano_height")
    np.testing.assert_allclose(found[:, at], other[:, at] + shift)
    pitchless = [
        i for i, rule in enumerate(SOPRANO_RULES)
        if rule not in ("soprano_height", "soprano_key", "soprano_chromatic_leaps")
    ]  # fmt: skip
    np.testing.assert_allclose(found[:, pitchless], other[:, pitchless])


def test_the_sopranos_calibration_is_bachs():
    scores = scores_of_works(FreeWorld().train)
    found = calibrate(measure_rules(scores, FREE)[:, len(RULES) :], SOPRANO_RULES)
    assert tuple(found) == SOPRANO_RULES
    for rule, bounds in found.items():
        assert bounds == pytest.approx(CALIBRATION[rule], abs=1e-3), rule


def test_a_bad_soprano_spoils_form_only_where_it_is_written():

    def shape_of(scores):
        return form_quality(Works(FreeWorld.id, *moves_and_briefs(scores, FREE)))["form"]

    good = shape_of(HELD_SCORES)
    spoilt = HELD_SCORES.copy()
    steps = np.broadcast_to(np.arange(EIGHTHS) % 2 * 6, (len(spoilt), EIGHTHS))
    zigzag = scale_note(HELD.briefs, steps) + 24
    spoilt[:, SOPRANO_ROW] = zigzag - SOPRANO_LOW + FIRST_NOTE
    terms = form_terms(spoilt, FREE)
    assert np.median(shape_of(spoilt)) < np.quantile(good, 0.05)
    assert (terms["soprano_forbidden_leaps"] == 0).all()
    assert not any(key.startswith("soprano") for key in form_terms(spoilt, BASS))


@pytest.fixture(scope="module")
def evaluator():
    return WORLD.fit_evaluator(60, 2)


def test_the_judge_knows_bach_from_spoilt_voices(evaluator):
    bach = evaluator.judge(HELD)
    for bass, soprano in ((1, 0), (0, 1), (1, 1)):
        scores = HELD_SCORES.copy()
        rows = np.random.default_rng(5).permutation(len(scores))
        # Another tune's voice is one that does not fit.
        scores[:, BASS_ROW] = scores[rows if bass else slice(None), BASS_ROW]
        scores[:, SOPRANO_ROW] = scores[rows[::-1] if soprano else slice(None), SOPRANO_ROW]
        other = evaluator.judge(Works(FreeWorld.id, *moves_and_briefs(scores, FREE)))
        assert (bach[:, None] > other[None]).mean() > 0.75
    thresholds = evaluator.thresholds
    assert thresholds.form_loose < thresholds.form and thresholds.heldout_loose < thresholds.heldout
    assert evaluator.descriptor.mean.shape == (n_features(FREE),)


def test_spoilt_works_have_a_spoilt_bass_a_spoilt_soprano_or_both():
    wrong = negatives_of(WORLD.train, 3, 2)
    human = scores_of_works(WORLD.train)
    basses = {row.tobytes() for row in human[:, BASS_ROW]}
    sopranos = {row.tobytes() for row in human[:, SOPRANO_ROW]}
    kinds = {
        (score[SOPRANO_ROW].tobytes() in sopranos, score[BASS_ROW].tobytes() in basses)
        for score in wrong
    }
    assert kinds >= {(True, False), (False, True), (False, False)}
    whole = [s[SOPRANO_ROW].tobytes() + s[BASS_ROW].tobytes() for s in human]
    same = [s[SOPRANO_ROW].tobytes() + s[BASS_ROW].tobytes() in whole for s in wrong]
    assert np.mean(same) < 0.02


def test_no_trivial_pair_wins(evaluator):
    rng = np.random.default_rng(4)
    frames = HELD.briefs
    scores = HELD_SCORES.copy()
    # A scale above a trivial bass, and a trivial bass above itself.
    scores[:, SOPRANO_ROW] = scale_up(frames, rng)
    scores[:, BASS_ROW] = trivial_works(frames, rng)
    twins = scores.copy()
    twins[:, SOPRANO_ROW] = twins[:, BASS_ROW]
    for some in (scores, twins):
        works = Works(FreeWorld.id, *moves_and_briefs(some, FREE))
        measured, bach = evaluator.measure(works), evaluator.measure(HELD)
        for key in ("form", "heldout_quality"):
            assert np.median(measured[key]) < np.quantile(bach[key], 0.05), key
        assert measured["yield"].sum() == 0


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
    works = HELD[:6]
    again = find_world("composition-free")().judge_again(tmp_path, works)
    np.testing.assert_array_equal(again["form"], form_quality(works)["form"])
    assert {f"form/{rule}" for rule in SOPRANO_RULES} <= set(again)
    said = quality(works)
    np.testing.assert_array_equal(again["craft"], said["craft"])
    np.testing.assert_array_equal(again["form"], said["form"])


def test_every_position_of_human_works_can_be_imitated():
    observations, moves = positions_of(WORLD.simulator, HELD)
    assert len(moves) == len(HELD) * FREE.n_moves
    turns = observations["state"][:, -1].reshape(len(HELD), FREE.n_moves)
    np.testing.assert_array_equal(turns, np.tile([0, 1], (len(HELD), EIGHTHS)))
    network = WORLD.network()
    batch = {key: torch.as_tensor(value[:64]) for key, value in observations.items()}
    logits, features_ = network(batch)
    assert logits.shape == (64, N_MOVES) and features_.shape == (64, network.n_features)
    logits.sum().backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None]
    assert not unused


def test_the_network_tells_the_turns_and_voices_apart():
    torch.manual_seed(0)
    network = WORLD.network().eval()
    simulator = FreeSimulator(1)
    simulator.reset(np.array([0]), HELD.briefs[:1])
    for move in HELD.moves[0, :20]:
        simulator.step(np.array([move], np.int64))
    obs = {key: torch.as_tensor(value.copy()) for key, value in simulator.observations.items()}
    before = network(obs)[0]
    other = {key: value.clone() for key, value in obs.items()}
    other["state"][0, -1] = 1
    assert not torch.equal(network(other)[0], before)
    swapped = {key: value.clone() for key, value in obs.items()}
    swapped["sounding"] = swapped["sounding"].flip(1)
    assert not torch.equal(network(swapped)[0], before)


def test_explanations_name_the_soprano():
    scores = HELD_SCORES[:1].copy()
    scores[0, SOPRANO_ROW, 4:6] = [20, 8]
    lines = explain(Works(FreeWorld.id, *moves_and_briefs(scores, FREE)))[0]
    assert any("soprano: forbidden leap" in line for line in lines)
    bass_only = explain(Works("composition", *moves_and_briefs(scores, BASS)))[0]
    assert not any("soprano: forbidden" in line for line in bass_only)
    assert findings(scores[0], FREE) != findings(scores[0], BASS)


def test_frames():
    short = [1, 6, 9, *[0] * 30, 1, 1]
    frame = parse_brief(short, FREE)
    assert frame.shape == (BRIEF,) and (frame[SOPRANO:FERMATA] == HOLD).all()
    assert frame[FERMATA:].tolist() == short[3:]
    np.testing.assert_array_equal(parse_brief(frame, FREE), frame)
    assert not len(parse_brief(None, FREE))
    given = frame.copy()
    given[SOPRANO] = 20
    for wrong, words in (
        (given, "the soprano is written here"), (short[:-1], "expected shape"),
        ([2, *short[1:]], "the mode must be"), ([1, -3, *short[2:]], "-3 is out of range"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            parse_brief(wrong, FREE)


def test_marks_stand_at_the_eighth_of_the_move():
    works = HELD[:1]
    bass = Works("composition", *moves_and_briefs(scores_of_works(works), BASS))
    # Where nothing is pale both look alike.
    sheet = marked_sheet(FreeWorld, works, np.array([0]), [[21]], ["a"])
    np.testing.assert_array_equal(
        sheet, marked_sheet(CompositionWorld, bass, np.array([0]), [[10]], ["a"])
    )
    known = marked_sheet(FreeWorld, works, np.array([20]), [[21]], ["a"])
    given = marked_sheet(CompositionWorld, bass, np.array([10]), [[10]], ["a"])
    differ = np.argwhere((known != given).any(axis=2))
    # The soprano, in the upper half, is pale too.
    assert len(differ) and differ[:, 0].max() < known.shape[0] // 2
    assert differ[:, 1].max() < 0.4 * known.shape[1]


def test_progress_features_tell_both_voices():
    progress = progress_features(HELD_SCORES, FREE)
    spoilt = HELD_SCORES.copy()
    spoilt[:, SOPRANO_ROW, 7] = REST
    assert (progress != progress_features(spoilt, FREE)).any(axis=1).all()


def test_the_world_by_name():
    world = make_world("composition-free", limit=100)
    assert world.practice(16).briefs.shape == (16, BRIEF)
    simulator = world.practice(16)
    simulator.reset(np.arange(16))
    assert (simulator.briefs[:8] == simulator.briefs[0]).all()
    assert world.exam(3).pool().shape == world.held_out.briefs.shape


def test_files_name_who_wrote_what(tmp_path):
    write = FreeWorld.exports["musicxml"][2]
    write(HELD[:1], tmp_path / "free")
    bass = Works("composition", *moves_and_briefs(HELD_SCORES[:1], BASS), HELD.names[:1])
    CompositionWorld.exports["musicxml"][2](bass, tmp_path / "bass")
    free, given = (next((tmp_path / kind).iterdir()).read_text() for kind in ("free", "bass"))
    assert ">Move37<" in free and "the soprano was given" not in free
    assert "the soprano was given" in given
