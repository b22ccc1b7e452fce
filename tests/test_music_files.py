"""MIDI, MusicXML, WAV and page of a work: the same notes, in the same bars, at the same time."""

import io

import mido
import numpy as np
import pytest
from music21.converter.subConverters import ConverterMidi, ConverterMusicXML

from move37.envs.composition.corpus.chorales import load_corpus, scores_in_four
from move37.envs.composition.modes import BASS, FOUR, FREE
from move37.envs.composition.moves import (
    ALTO_LOW,
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    LOW,
    N_MOVES,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    TENOR_LOW,
    TONIC,
)
from move37.envs.composition.score import sound
from move37.envs.composition.score.midi import EIGHTH, midi
from move37.envs.composition.score.notation import musicxml, svg_with_times
from move37.envs.composition.score.page import _details
from move37.envs.composition.score.staff import sheet_of, written
from move37.envs.composition.scores import scores_of

BACH = load_corpus("bach")
PAIRS = scores_of(BACH.works.moves, BACH.works.briefs, BASS)
FOURS = scores_in_four(BACH.works, BACH.inner)


def random_scores(n, mode, codes, rng):
    """Works of any moves at all, or of those in ``codes``, in all keys and places in the bar."""
    briefs = np.zeros((n, BRIEF), np.int16)
    briefs[:, PHASE] = rng.integers(0, 8, n)
    briefs[:, TONIC] = rng.integers(0, 12, n)
    briefs[:, 0] = rng.integers(0, 2, n)
    briefs[:, FERMATA:] = rng.random((n, EIGHTHS)) < 0.2
    if mode.soprano_is_given:
        briefs[:, SOPRANO:FERMATA] = rng.choice(codes, (n, EIGHTHS))
    return scores_of(rng.choice(codes, (n, mode.n_moves)).astype(np.int16), briefs, mode)


def unison():
    """Soprano and alto on one C5: the soprano holds it for a bar, the alto for a beat."""
    score = np.zeros((1, 7, EIGHTHS), np.int16)
    score[0, 2] = np.arange(EIGHTHS) % 8
    score[0, [0, 1, 5, 6], ::8] = [[72 - SOPRANO_LOW + 2], [48 - LOW + 2], [72 - ALTO_LOW + 2],
                                   [64 - TENOR_LOW + 2]]  # fmt: skip
    score[0, 5, 2::8] = 67 - ALTO_LOW + FIRST_NOTE
    return score


def odd_scores():
    """Silence, one voice alone, holds and rests at the start, notes over bars, repeated notes."""
    rng = np.random.default_rng(5)
    often = [HOLD, HOLD, HOLD, HOLD, REST, 9, 9, 12, 30]
    scores = [*random_scores(6, FREE, often, rng), *random_scores(6, FOUR, often, rng), *unison()]
    for mode in (BASS, FOUR):
        scores += [*random_scores(8, mode, np.arange(N_MOVES), rng)]
        for code in (HOLD, REST, FIRST_NOTE, N_MOVES - 1):
            scores += [*random_scores(1, mode, [code], rng)]
    alone = random_scores(2, FREE, often, rng)
    alone[0, 0], alone[1, 1] = REST, HOLD
    return [*scores, *alone]


def sung(sheet, voice):
    """(begin, end, MIDI number) of each note of a voice, in eighths."""
    return [(n.begin, n.begin + n.size, n.midi) for n in sheet.notes
            if n.voice == voice and n.midi >= 0]  # fmt: skip


def events_of(data):
    """The tracks of a MIDI file: (tick, message) of each."""
    file = mido.MidiFile(file=io.BytesIO(data), charset="utf-8")
    assert file.type == 1 and file.ticks_per_beat == 2 * EIGHTH
    tracks = []
    for track in file.tracks:
        at, events = 0, []
        for message in track:
            at += message.time
            events.append((at, message))
        tracks.append(events)
    return tracks


def check_midi(score):
    """Each voice has a channel, a name and all its notes; metre, key and tempo stand in front."""
    sheet, times = sheet_of(score), sound.timing(score)
    marks, *voices = events_of(midi(score, "Präludium é"))
    assert [events[0][1].name for events in voices] == list(sheet.voices)
    for voice, events in enumerate(voices):
        playing, notes = {}, []
        for at, message in events:
            assert message.is_meta or message.channel == voice
            if message.type == "note_on":
                assert not playing  # the note before has ended, also one of this pitch
                playing[message.note] = at
            elif message.type == "note_off":
                notes.append((playing.pop(message.note), at, message.note))
        assert not playing
        assert notes == [(EIGHTH * a, EIGHTH * b, midi) for a, b, midi in sung(sheet, voice)]
        assert events[-1][0] == EIGHTHS * EIGHTH and events[-1][1].type == "end_of_track"
    assert marks[0][1].name == "Präludium é"
    [key] = [m.key for _, m in marks if m.type == "key_signature"]
    around = "Cb Gb Db Ab Eb Bb F C G D A E B F# C# G# D# A#".split()
    assert key == (f"{around[sheet.fifths + 10]}m" if sheet.minor else around[sheet.fifths + 7])
    tempo, seconds, before, clock = None, 0.0, 0, {}
    for at, message in [*marks]:  # the file's own time against that of WAV and page
        seconds += (at - before) * (tempo or 0) / 1e6 / (2 * EIGHTH)
        before = at
        if message.type == "set_tempo":
            tempo = message.tempo
        clock[at] = (seconds, tempo)
    for t in range(EIGHTHS + 1):
        start = max(at for at in clock if at <= t * EIGHTH)
        heard = clock[start][0] + (t * EIGHTH - start) * clock[start][1] / 1e6 / (2 * EIGHTH)
        assert heard == pytest.approx(times[t], abs=1e-4)  # a tick is at least 16 times as long


def notes_of(part):
    whole = part.stripTies().flatten().notes
    return [
        (2 * n.offset, 2 * (n.offset + n.quarterLength), n.pitch.midi)
        for n in whole
    ]  # fmt: skip


def check_readers(score, tmp_path):
    """music21 reads the notes of every voice from both files, and the same bars and key."""
    sheet = sheet_of(score)
    read = {}
    for kind, data, reader in (
        ("musicxml", musicxml(score, "a"), ConverterMusicXML()),
        ("mid", midi(score, "a"), ConverterMidi()),
    ):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(data)
        reader.parseFile(path)
        read[kind] = {part.partName: part for part in reader.stream.parts}
        for voice, name in enumerate(sheet.voices):
            if sung(sheet, voice):
                assert notes_of(read[kind][name]) == sung(sheet, voice), (kind, name)
    assert list(read["musicxml"]) == list(sheet.voices)
    for name, part in read["mid"].items():
        other = read["musicxml"][name]
        begins = [m.offset for m in other.getElementsByClass("Measure")]
        # What is silent at the end has no bars in music21's reading of MIDI.
        got = [m.offset for m in part.getElementsByClass("Measure")]
        assert got == begins[: len(got)]
        keys = [p.recurse().getElementsByClass("Key")[0] for p in (part, other)]
        assert keys[0].sharps == keys[1].sharps == sheet.fifths
        assert keys[0].mode == keys[1].mode == ("minor" if sheet.minor else "major")
    for voice, part in enumerate(read["musicxml"].values()):
        marked = {
            2 * n.getOffsetInHierarchy(part) for n in part.recurse().notes
            if any("Fermata" in e.classes for e in n.expressions)
        }  # fmt: skip
        assert marked == {
            written(n, sheet.first)[-1][0] for n in sheet.notes if n.voice == voice and n.fermata
        }


@pytest.mark.parametrize(
    "scores", [PAIRS[::5], FOURS[::5], odd_scores()], ids=["pairs", "fours", "odd"]
)
def test_midi_files_hold_every_voice_to_its_end(scores):
    for score in scores:
        check_midi(score)


@pytest.mark.parametrize(
    "scores", [PAIRS[::40], FOURS[::40], odd_scores()], ids=["pairs", "fours", "odd"]
)
def test_midi_and_musicxml_agree_bar_by_bar(scores, tmp_path):
    for score in scores:
        check_readers(score, tmp_path)


@pytest.mark.slow
def test_midi_and_musicxml_of_every_chorale_agree(tmp_path):
    for score in [*PAIRS, *FOURS]:
        check_midi(score)
        check_readers(score, tmp_path)


def test_voices_in_unison_do_not_cut_each_other_off():
    tracks = events_of(midi(unison()[0], "a"))
    soprano = [(at, m.type) for at, m in tracks[1] if not m.is_meta and "note" in m.type]
    assert soprano[:2] == [(0, "note_on"), (4 * 480, "note_off")]  # a C5 of four beats
    assert len({m.channel for track in tracks[1:] for _, m in track if not m.is_meta}) == 4


def test_a_pick_up_has_a_bar_of_its_own():
    for first in range(8):
        score = unison()[0]
        score[2] = (np.arange(EIGHTHS) + first) % 8
        metres = [(at, m.numerator, m.denominator) for at, m in events_of(midi(score))[0]
                  if m.type == "time_signature"]  # fmt: skip
        left = (8 - first) % 8
        assert metres[-1] == (left * EIGHTH, 4, 4)
        if first:
            (at, beats, value), _ = metres
            assert at == 0 and beats / value == left / 8


def test_wav_and_page_begin_every_note_when_midi_does():
    for t in (0, 3, 17, 31):
        score = unison()[0]
        score[[0, 1, 5, 6]] = REST
        score[0, t], score[0, t + 1 :] = FIRST_NOTE + 9, HOLD
        score[3, [4, 5, 16]] = 1  # fermatas before the note
        times = sound.timing(score)
        start = np.flatnonzero(sound.samples(score))[0]
        assert 0 <= start - times[t] * sound.RATE <= 2  # at the sample after it begins it is at 0
        details = _details(score, ["form 1"], FOUR)
        assert details["times"][t] == pytest.approx(times[t], abs=1e-4)
        assert details["notes"] == [[0, 65, t, EIGHTHS - t]]


def test_the_engraver_reads_every_note_when_it_begins():
    for score in [*PAIRS[::100], *odd_scores()]:
        times = svg_with_times(score)[1]
        sheet = sheet_of(score)
        parts = [written(n, sheet.first) for n in sheet.notes if n.midi >= 0]
        assert sorted(times.values()) == sorted(at for tied in parts for at, _ in tied)


def test_the_same_score_gives_the_same_musicxml_with_a_title_that_is_escaped():
    data = musicxml(PAIRS[0], "<&>")
    assert data == musicxml(PAIRS[0], "<&>") and b"&lt;&amp;&gt;" in data
