"""The composition world: corpus, core against a slow oracle, checkers, parity, files, the world."""

import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_sb3

from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.corpus import CorpusError, Parsed
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works
from move37.envs.composition.briefs import parse_brief
from move37.envs.composition.corpus.chorales import find_tunes, load_corpus
from move37.envs.composition.corpus.musicxml import ChoraleError, find_key, read_chorale
from move37.envs.composition.dynamics import AHEAD, BEHIND, CompositionSimulator
from move37.envs.composition.judging.descriptor import features
from move37.envs.composition.judging.progress_features import units
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import (
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
    TONIC,
    shift_of,
    sounding,
)
from move37.envs.composition.network import CompositionNetwork
from move37.envs.composition.rules.explain import explain, findings
from move37.envs.composition.rules.form import form_quality, measure_rules
from move37.envs.composition.score import notation, render, sound, soundfont
from move37.envs.composition.score.page import html_page
from move37.envs.composition.score.roll import read_rolls, rolls_of
from move37.envs.composition.score.staff import sheet_of, written
from move37.envs.composition.scores import moves_and_briefs, scores_of, steps_of
from move37.envs.composition.world import CompositionWorld
from move37.envs.files.pictures import GIVEN, INK
from move37.envs.files.sheets import thumbnails

BACH = load_corpus("bach", progress=False)
ROWS = BACH.split()
ENV = "Move37/Composition-v0"


def some(n=8, split="held_out"):
    return BACH.works[ROWS[split][:n]]


# The corpus


def test_the_corpus_holds_the_chorales():
    works = BACH.works
    chorales = {name.rsplit(" bar ", 1)[0] for name in works.names}
    assert (len(works), len(chorales), len(set(BACH.tunes.tolist()))) == (997, 294, 124)
    assert (works.briefs[:, PHASE] > 0).sum() == 762  # they begin with an upbeat
    assert len(BACH.skipped) == 112
    assert works.moves.shape[1] == EIGHTHS and works.briefs.shape[1] == BRIEF
    assert len(np.unique(np.concatenate([works.moves, works.briefs], 1), axis=0)) == len(works)
    assert (works.briefs[:, -1] == 1).all()  # every window ends under a fermata
    assert (works.moves[:, 0] != HOLD).all()
    assert 0.35 < works.briefs[:, MODE].mean() < 0.6


def test_most_windows_end_on_a_degree_of_a_cadence():
    final = sounding(BACH.works.moves, LOW)[:, -1] % 12
    counts = np.bincount(final, minlength=12) / len(final)
    assert 0.3 < counts[0] < 0.55 and counts[[0, 7]].sum() > 0.6


def test_no_tune_is_in_two_splits():
    tunes = [set(BACH.tunes[rows].tolist()) for rows in ROWS.values()]
    assert sum(map(len, tunes)) == len(set.union(*tunes))
    assert sorted(np.concatenate(list(ROWS.values())).tolist()) == list(range(len(BACH.works)))
    assert all(len(rows) > 80 for rows in ROWS.values())


def test_two_harmonisations_of_a_melody_share_a_tune():
    rng = np.random.default_rng(0)
    brief = np.zeros((4, BRIEF), np.int16)
    brief[:, SOPRANO::2][:, :16] = rng.integers(FIRST_NOTE, 24, (4, 16))
    brief[1] = brief[0]
    brief[1, SOPRANO:FERMATA] += np.where(brief[1, SOPRANO:FERMATA] > 0, 3, 0).astype(np.int16)
    tunes = find_tunes(brief, np.arange(4))
    assert tunes[0] == tunes[1] and len(set(tunes.tolist())) == 3


def test_withheld_works_are_gone_and_an_unknown_pattern_is_an_error():
    kept = load_corpus("bach", withhold=["bwv26*"], progress=False)
    assert len(kept.works) < len(BACH.works)
    assert not any(name.startswith("bwv26") for name in kept.works.names)
    with pytest.raises(CorpusError, match="nobody"):
        load_corpus("bach", withhold=["nobody"], progress=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of chorales, as files."""
    path = tmp_path_factory.mktemp("chorales")
    for i, score in enumerate(scores_of(some(2).moves, some(2).briefs, BASS)):
        (path / f"{i}.musicxml").write_bytes(notation.musicxml(score, f"piece {i}"))
    (path / "damaged.xml").write_bytes(b"<score-partwise><part")
    return path


def test_files_without_four_voices_are_named(folder, tmp_path):
    with pytest.raises(CorpusError, match="3 skipped"):
        load_corpus(str(folder), cache_dir=tmp_path, progress=False)


def test_a_damaged_cache_is_rebuilt(tmp_path, monkeypatch):
    from move37.envs.composition.corpus import chorales as corpus

    calls = []
    inner = np.array(np.arange(3 * 2 * EIGHTHS).reshape(3, 2, EIGHTHS) % 31, np.int16)
    monkeypatch.setattr(corpus, "_source", lambda spec: ("bach", "bach", [("a.xml", b"x")], ()))

    def parse(name, records, progress):
        calls.append(name)
        return Parsed(some(3), (("b.xml", "no notes"),), {"inner": inner, "tunes": np.arange(3)})

    monkeypatch.setattr(corpus, "_parse", parse)
    first = load_corpus("bach", cache_dir=tmp_path)
    (cache,) = tmp_path.glob("bach-*.safetensors")
    cached = load_corpus("bach", cache_dir=tmp_path)
    assert cached.fingerprint == first.fingerprint and len(calls) == 1
    np.testing.assert_array_equal(cached.inner, inner)
    data = bytearray(cache.read_bytes())
    data[len(data) // 2] ^= 0xFF
    cache.write_bytes(bytes(data))
    with pytest.warns(UserWarning, match="damaged cache"):
        again = load_corpus("bach", cache_dir=tmp_path)
    assert len(calls) == 2 and again.fingerprint == first.fingerprint
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_corpus("bach", cache_dir=tmp_path)


def test_a_file_that_is_no_music_is_an_error():
    with pytest.raises(ChoraleError):
        read_chorale("x.xml", b"hello")


def test_keys_of_scales_that_end_on_their_tonic():
    c_major = np.array([0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0]) + 60
    a_minor = np.array([9, 11, 12, 14, 16, 17, 20, 21, 16, 12, 9]) + 48
    assert find_key(c_major[None]) == (0, False)
    assert find_key(a_minor[None]) == (9, True)
    assert [shift_of(t) for t in (0, 5, 6, 7, 11)] == [0, 5, 6, -5, -1]


# The core


def oracle_observation(moves, brief):
    """What the next move's observation must be, straight from the definition."""
    t = len(moves)
    soprano, onsets, fermatas, now = [], [], [], REST
    line = []
    for code in brief[SOPRANO:FERMATA]:
        now = code if code != HOLD else now
        line.append((now, int(code >= FIRST_NOTE)))
    for u in range(t - BEHIND, t + AHEAD):
        inside = 0 <= u < EIGHTHS
        soprano.append(line[u][0] if inside else 0)
        onsets.append(line[u][1] if inside else 0)
        fermatas.append(brief[FERMATA + u] if inside else 0)
    sounds = [m for m in moves if m != HOLD]
    held = 0
    for m in moves:
        held = held + 1 if m == HOLD else 1
    recent = [*moves[::-1][:8], *[N_MOVES] * 8][:8]
    state = [sounds[-1] if sounds else REST, held, (brief[PHASE] + t) % 8, EIGHTHS - t,
             brief[MODE], brief[TONIC]]  # fmt: skip
    return {"soprano": soprano, "onsets": onsets, "fermatas": fermatas, "recent": recent,
            "state": state}  # fmt: skip


def test_observations_equal_the_oracle():
    works = some(6)
    simulator = CompositionSimulator(6)
    simulator.reset(np.arange(6), works.briefs)
    rng = np.random.default_rng(0)
    moves = [[] for _ in range(6)]
    for _ in range(EIGHTHS):
        for i in range(6):
            want = oracle_observation(moves[i], works.briefs[i])
            for key, value in want.items():
                np.testing.assert_array_equal(simulator.observations[key][i], value, err_msg=key)
            silent = np.array([*moves[i], *[REST] * (EIGHTHS - len(moves[i]))], np.int16)
            sofar = scores_of(silent[None], works.briefs[i : i + 1], BASS)
            want = np.concatenate(
                [measure_rules(sofar, BASS)[0] / units(BASS), features(sofar, BASS)[0]]
            ).clip(-4, 4)
            np.testing.assert_allclose(
                simulator.observations["progress_features"][i], want, rtol=1e-6
            )
        actions = rng.integers(0, N_MOVES, 6)
        done = simulator.step(actions)
        for i in range(6):
            moves[i].append(int(actions[i]))
    assert done.all()
    np.testing.assert_array_equal(simulator.moves, moves)


def test_gymnasium_and_sb3_checkers():
    check_env(gymnasium.make(ENV, render_mode="rgb_array").unwrapped)
    check_sb3(gymnasium.make(ENV).unwrapped)


def test_seeds_choose_the_brief():
    env = gymnasium.make(ENV).unwrapped
    first = [env.reset(seed=3)[0]["soprano"].tolist(), *(env.reset()[0]["soprano"].tolist()
                                                         for _ in range(3))]  # fmt: skip
    again = [env.reset(seed=3)[0]["soprano"].tolist(), *(env.reset()[0]["soprano"].tolist()
                                                         for _ in range(3))]  # fmt: skip
    assert first == again and len({tuple(x) for x in first}) > 1


def test_the_pool_is_dealt_evenly_and_anew_after_set_brief():
    pool = some(7).briefs
    simulator = CompositionSimulator(3, pool, seed=5)
    dealt = np.concatenate([simulator._default_briefs(3) for _ in range(7)])
    _, counts = np.unique(dealt, axis=0, return_counts=True)
    assert (counts == 3).all()
    simulator.set_brief(None)
    np.testing.assert_array_equal(simulator._default_briefs(9), dealt[:9])


def test_the_state_of_a_batch_goes_on_exactly():
    pool, rng = some(9).briefs, np.random.default_rng(0)
    batch = WorldBatch(CompositionSimulator(4, pool), Appraisal(form_quality))
    batch.reset()
    actions = rng.integers(0, N_MOVES, (80, 4))
    for row in actions[:20]:
        batch.step(row)
    other = WorldBatch(CompositionSimulator(4, pool, seed=9), Appraisal(form_quality))
    other.simulator.load_state(batch.simulator.state())
    for row in actions[20:]:
        a, b = batch.step(row), other.step(row)
        np.testing.assert_array_equal(a.rewards, b.rewards)
        np.testing.assert_array_equal(a.works.briefs, b.works.briefs)
    for key, value in batch.observations().items():
        np.testing.assert_array_equal(value, other.observations()[key])


def test_wrong_moves_and_briefs_are_refused():
    env = gymnasium.make(ENV).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="is no move"):
        env.step(N_MOVES)
    with pytest.raises(ValueError, match="soprano code"):
        env.reset(options={"brief": [99] * EIGHTHS})
    with pytest.raises(ValueError, match="expected shape"):
        env.reset(options={"brief": [2, 3]})
    with pytest.raises(ValueError, match="is no move"):
        scores_of(np.full((1, EIGHTHS), 77), some(1).briefs, BASS)
    assert parse_brief(None, BASS).size == 0


def test_sb3_trains_on_it():
    env = WorldVecEnv(WorldBatch(CompositionSimulator(4, some(4).briefs), Appraisal(form_quality)))
    env.reset()
    for _ in range(EIGHTHS):
        _, rewards, dones, infos = env.step(np.full(4, 14))
    assert dones.all() and infos[0]["episode"]["l"] == EIGHTHS
    assert rewards.shape == (4,)


def test_the_environment_needs_no_torch():
    code = """import sys, envs, gymnasium
env = gymnasium.make('Move37/Composition-v0').unwrapped
env.reset(seed=0)
for _ in range(32): env.step(0)
assert 'torch' not in sys.modules, 'torch was imported'
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


# Pictures, notation, sound


def test_rolls_hold_the_whole_score():
    scores = scores_of(BACH.works.moves, BACH.works.briefs, BASS)
    rolls = rolls_of(scores)
    assert rolls.shape[1:] == (64, 64) and rolls.max() == 1
    np.testing.assert_array_equal(read_rolls(rolls), scores)
    moves, briefs = moves_and_briefs(scores, BASS)
    np.testing.assert_array_equal(moves, BACH.works.moves)
    np.testing.assert_array_equal(briefs, BACH.works.briefs)
    again = CompositionWorld.from_images(rolls[:5] * 0.9)
    np.testing.assert_array_equal(again.moves, BACH.works.moves[:5])


def test_pictures_have_their_sizes_and_differ():
    small = thumbnails(CompositionWorld, some(4), 24)
    assert small.shape == (4, 24, 24, 3)
    assert len(np.unique(small.reshape(4, -1), axis=0)) == 4
    assert render.roll(some(1), 0, 200, 120).shape == (120, 200, 3)


def test_a_picture_shows_what_is_written_so_far():
    work = some(1)
    whole = render.picture(work.moves[0], work.briefs[0], BASS, 96)
    np.testing.assert_array_equal(whole, render.tile(work, 0, 96))
    half = render.picture(work.moves[0][:16], work.briefs[0], BASS, 96)
    bass = (half == INK).all(axis=2)
    assert bass[:, :47].any() and not bass[:, 48:].any()
    assert (half == GIVEN).all(axis=2)[:, 48:].any()


def test_written_values_fill_the_time_and_stay_in_their_bars():
    for score in scores_of(some(20).moves, some(20).briefs, BASS):
        sheet = sheet_of(score)
        for voice in (0, 1):
            parts = [p for n in sheet.notes if n.voice == voice for p in written(n, sheet.first)]
            assert sum(size for _, size in parts) == EIGHTHS
            for at, size in parts:
                assert (at + sheet.first) % 8 + size <= 8 and size in (1, 2, 3, 4, 6, 8)


def test_names_of_notes_fit_their_midi_numbers():
    degree = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    for i, score in enumerate(scores_of(BACH.works.moves[::20], BACH.works.briefs[::20], BASS)):
        sheet = sheet_of(score)
        assert abs(sheet.fifths) <= 7, i
        for midi in range(36, 85):
            letter, alter, octave = sheet.spell(midi)
            assert degree[letter] + alter + 12 * (octave + 1) == midi


def test_musicxml_and_midi_say_the_same_notes(tmp_path):
    from music21 import note
    from music21.converter.subConverters import ConverterMusicXML

    work = some(3)[2:]
    score = scores_of(work.moves, work.briefs, BASS)[0]
    path = tmp_path / "work.musicxml"
    path.write_bytes(notation.musicxml(score, "a title"))
    reader = ConverterMusicXML()
    reader.parseFile(path)
    shift = shift_of(int(work.briefs[0, TONIC]))
    for part, codes, low in zip(
        reader.stream.parts, (score[0], score[1]), (SOPRANO_LOW, LOW), strict=True
    ):
        whole = part.stripTies().flatten().getElementsByClass(note.Note)
        got = [(round(2 * float(n.offset)), n.pitch.midi) for n in whole]
        want = [(t, c - FIRST_NOTE + low + shift) for t, c in enumerate(codes.tolist())
                if c >= FIRST_NOTE]  # fmt: skip
        assert got == want


def test_the_engraved_score_is_one_svg_with_a_time_for_each_note():
    work = some(1)
    score = scores_of(work.moves, work.briefs, BASS)[0]
    picture, times = notation.svg_with_times(score)
    assert picture.lstrip().startswith("<") and picture.rstrip().endswith("</svg>")
    assert "http://" not in picture.replace("http://www.w3.org", "").replace(
        "http://www.verovio", ""
    )
    assert set(times.values()) <= set(range(EIGHTHS)) and 0 in times.values()
    assert all(f'id="{name}"' in picture for name in times)
    assert notation.svg_with_times(score)[0] == picture


def lonely_a():
    """A score with an A2, 110 Hz, for four bars and nothing else."""
    brief = np.full(BRIEF, 0, np.int16)
    brief[SOPRANO] = REST
    moves = np.full((1, EIGHTHS), HOLD, np.int16)
    moves[0, 0] = 45 - LOW + FIRST_NOTE
    return scores_of(moves, brief[None], BASS)[0]


def test_sound_has_the_pitch_of_the_bass():
    score = lonely_a()
    wave = sound.samples(score)[: 2 * sound.RATE]
    spectrum = np.abs(np.fft.rfft(wave))
    assert np.argmax(spectrum) / 2 == pytest.approx(110, abs=1)
    assert np.abs(wave).max() <= 1
    assert sound.wav(score)[:4] == b"RIFF"
    assert (np.diff(sound.timing(score)) > 0).all()


def test_without_a_soundfont_the_organ_of_sines_plays(tmp_path, monkeypatch):
    monkeypatch.setenv(soundfont.VARIABLE, "")
    assert soundfont.wav(lonely_a()) == sound.wav(lonely_a())
    monkeypatch.delenv(soundfont.VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))  # no FluidSynth there
    assert soundfont.wav(lonely_a()) == sound.wav(lonely_a())


def test_fluidsynth_is_asked_for_a_file_and_its_errors_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # whatever the stand-in writes, it writes there
    font, program = tmp_path / "a.sf2", tmp_path / "fluidsynth"
    monkeypatch.setenv(soundfont.VARIABLE, str(font))
    with pytest.raises(ValueError, match=r"MOVE37_SOUNDFONT.*a\.sf2"):
        soundfont.wav(lonely_a())
    font.write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program.write_text('#!/bin/sh\nout=${11}\necho "RIFF ${12}" > "$out"\ncat "${13}" >> "$out"\n')
    program.chmod(0o755)
    made = soundfont.wav(lonely_a())
    assert made.startswith(f"RIFF {font}\nMThd".encode())
    program.write_text("#!/bin/sh\necho 'fluidsynth: error: no soundfont' >&2\n")
    with pytest.raises(ValueError, match=r"a\.sf2: fluidsynth: error: no soundfont"):
        soundfont.wav(lonely_a())


@pytest.mark.skipif(soundfont.soundfont() is None, reason="no FluidSynth with a soundfont here")
def test_the_soundfont_plays_the_notes():
    data = soundfont.wav(lonely_a())
    wave = np.frombuffer(data[44:], "<i2").reshape(-1, 2).mean(axis=1)[: 2 * soundfont.RATE]
    power = np.abs(np.fft.rfft(wave)) ** 2
    at = np.arange(len(power)) / 2
    partial = np.maximum(np.round(at / 110), 0.5) * 110  # an octave below, too, is an organ's
    assert power[np.abs(at - partial) < 0.01 * partial].sum() > 0.9 * power.sum()
    assert np.abs(wave).max() > 2000


def test_the_page_refers_to_nothing_outside_and_escapes():
    works = some(2).with_appraisal({"form": np.array([0.5, np.nan])})
    page = html_page(works, "</script><b>{{data}}", ["<i>", "two"])
    assert page.startswith("<!") and "<b>{{data}}" not in page
    assert page.count("</script>") == 3
    assert "src=" not in page.replace("script-src", "").replace("img-src", "")
    with pytest.raises(ValueError, match="captions"):
        html_page(works, "x", ["one"])


def test_the_explanation_says_where():
    brief = np.zeros(BRIEF, np.int16)
    brief[SOPRANO : SOPRANO + 6 : 2] = np.array([67, 69, 71]) - SOPRANO_LOW + FIRST_NOTE
    moves = np.full((1, EIGHTHS), HOLD, np.int16)
    moves[0, :6:2] = np.array([48, 50, 52]) - LOW + FIRST_NOTE
    found = findings(scores_of(moves, brief[None], BASS)[0], BASS)
    assert [x for x in found if x[2] == "parallel fifths"] == [
        (2, "bar 1, beat 2", "parallel fifths"),
        (4, "bar 1, beat 3", "parallel fifths"),
    ]
    lines = explain(Works("composition", moves, brief[None]))[0]
    assert lines[0].startswith("form 0.0") and "bar 1, beat 2: parallel fifths" in lines


# The network and the world


def test_the_network_is_small_and_reads_every_observation():
    network = CompositionNetwork().eval()
    assert 200_000 < sum(p.numel() for p in network.parameters()) < 300_000
    simulator = CompositionSimulator(4, some(4).briefs)
    simulator.reset(np.arange(4))
    for _ in range(3):
        obs = {k: torch.as_tensor(v) for k, v in simulator.observations.items()}
        logits, features = network(obs)
        assert logits.shape == (4, N_MOVES) and features.shape == (4, network.n_features)
        simulator.step(np.array([5, 30, HOLD, REST]))
    for key in obs:
        changed = {k: v.clone() for k, v in obs.items()}
        changed[key][0] = 1 - changed[key][0].clamp(0, 1)
        assert not torch.equal(network(changed)[0][0], network(obs)[0][0]), key


@pytest.fixture(scope="module")
def world():
    return CompositionWorld(limit=200)


def test_the_world_draws_briefs_by_split(world):
    def given(simulator):
        simulator.reset(np.arange(simulator.n))
        return {row.tobytes() for row in simulator.briefs}

    assert given(world.simulator(16)) <= {row.tobytes() for row in world.train.briefs}
    assert given(world.exam(16)) <= {row.tobytes() for row in world.held_out.briefs}
    sealed = world.for_exam("sealed")
    for boards in (sealed.exam(16), sealed.simulator(16)):
        assert given(boards) <= {row.tobytes() for row in world.outsiders.briefs}
    with pytest.raises(ValueError, match="held_out, sealed"):
        world.for_exam("nothing")


def test_exports_write_files(world, tmp_path):
    works = world.held_out[:1]
    for kind, (_, _, write) in world.exports.items():
        write(works, tmp_path / kind)
        assert [p.stat().st_size > 0 for p in (tmp_path / kind).iterdir()] == [True]


def test_works_of_the_world_survive_a_file(tmp_path):
    BACH.works.save(tmp_path / "bach.npz")
    again = Works.load(tmp_path / "bach.npz")
    np.testing.assert_array_equal(again.moves, BACH.works.moves)
    np.testing.assert_array_equal(again.briefs, BACH.works.briefs)


@pytest.mark.parametrize("voices", [1, 2, 3])
def test_briefs_say_something_of_every_move(world, voices):
    briefs = world.train.briefs[:5]
    steps = steps_of(briefs, voices)
    assert steps.shape == (5, 32 * voices, 6) and steps.min() == 0
    for brief, told in zip(briefs, steps, strict=True):
        now = 0
        for t in range(32):
            code = brief[SOPRANO + t]
            now = 0 if code == REST else now if code == HOLD else code - 1
            place = (brief[PHASE] + t) % 8
            for turn in range(voices):
                assert told[t * voices + turn].tolist() == [
                    now, code > REST, brief[FERMATA + t], place, brief[MODE], turn,
                ]  # fmt: skip
    nothing = steps_of(np.zeros((2, 0), np.int16))
    assert not nothing[:, :, [0, 1, 2, 4]].any() and nothing[1, 9, 3] == 1
    np.testing.assert_array_equal(world.brief_steps(briefs), steps_of(briefs))
