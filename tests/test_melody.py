"""A user's melody, read from MusicXML and MIDI files."""

import time
import zipfile
from fractions import Fraction

import mido
import numpy as np
import pytest

from move37.envs.composition.briefs import parse_brief
from move37.envs.composition.corpus.melody import MelodyError, read_melody
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import (
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    MODE,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_LOW,
    TONIC,
    shift_of,
)

VOICE_1 = "<voice>1</voice>"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TUNE = "G4:2 C5:2 D5:1 E5:1 F5:4 E5:2 D5:4 B4:2 G4:2 A4:2 B4:4 C5:6"
"""Names and eighths: a pick-up and four bars in C major, 32 eighths."""


def notes_of(tune):
    """(MIDI number or None, eighths) of each note of a tune."""
    found = []
    for word in tune.split():
        name, size = word.split(":")
        midi = None
        if name != "R":
            midi = STEPS[name[0]] + name.count("#") - name[1:].count("b") + 12 * int(name[-1]) + 12
        found.append((midi, Fraction(size)))
    return found


def codes_of(brief):
    """MIDI numbers as they sound (None for a rest) and eighths, of a brief's soprano."""
    codes = brief[SOPRANO:FERMATA].tolist()
    begins = [t for t, code in enumerate(codes) if code != HOLD]
    sizes = np.diff([*begins, EIGHTHS])
    up = SOPRANO_LOW - FIRST_NOTE + shift_of(int(brief[TONIC]))
    return [
        (None if codes[t] == REST else codes[t] + up, size)
        for t, size in zip(begins, sizes, strict=True)
    ]


def part_xml(tune, name="P1", first=8, metre="4/4", fifths=0, extra="", between=""):
    """A part of MusicXML: bars of a tune without notes across bar lines, 24 divisions a quarter."""
    beats, value = metre.split("/") if metre else ("", "")
    time = f"<time><beats>{beats}</beats><beat-type>{value}</beat-type></time>" if metre else ""
    key = "" if fifths is None else f"<key><fifths>{fifths}</fifths></key>"
    head = f"<attributes><divisions>24</divisions>{key}{time}{extra}</attributes>"
    bars, left, number = [[head]], Fraction(first), 0 if first < 8 else 1
    for midi, size in notes_of(tune):
        if left <= 0:
            bars.append([between])
            left = Fraction(8)
        pitch = "<rest/>"
        if midi is not None:
            step = "C C D D E F F G G A A B".split()[midi % 12]
            alter = f"<alter>{int(midi % 12 in (1, 3, 6, 8, 10))}</alter>"
            pitch = f"<pitch><step>{step}</step>{alter}<octave>{midi // 12 - 1}</octave></pitch>"
        bars[-1].append(f"<note>{pitch}<duration>{int(size * 12)}</duration>{VOICE_1}</note>")
        left -= size
    inner = "".join(
        f'<measure number="{number + i}">{"".join(bar)}</measure>' for i, bar in enumerate(bars)
    )
    return f'<part id="{name}">{inner}</part>'


def musicxml(*parts, names=("Voice",), before=""):
    listed = "".join(
        f'<score-part id="P{i}"><part-name>{name}</part-name></score-part>'
        for i, name in enumerate(names, 1)
    )
    return (
        f'<?xml version="1.0"?>{before}<score-partwise version="4.0"><part-list>{listed}'
        f"</part-list>{''.join(parts)}</score-partwise>"
    )


def midi_file(path, *tunes, gate=1.0, start=0, metres=(("4/4", 0),), fifths=None, names=(), kind=1):
    """A MIDI file with a track for each tune; ``start`` and metres in eighths."""
    file = mido.MidiFile(type=kind, ticks_per_beat=480)
    head = mido.MidiTrack()
    at = 0
    for metre, begin in metres:
        beats, value = map(int, metre.split("/"))
        delta = (begin - at) * 240
        head.append(
            mido.MetaMessage("time_signature", numerator=beats, denominator=value, time=delta)
        )
        at = begin
    if fifths is not None:
        head.append(mido.MetaMessage("key_signature", key=fifths, time=0))
    file.tracks.append(head)
    for channel, tune in enumerate(tunes):
        track = mido.MidiTrack()
        if names:
            track.append(mido.MetaMessage("track_name", name=names[channel], time=0))
        at, events = start * 240, []
        for midi, size in notes_of(tune):
            ticks = round(size * 240)
            if midi is not None:
                events += [(at, 1, midi), (at + round(ticks * gate), 0, midi)]
            at += ticks
        at = 0
        for begin, on, midi in sorted(events):  # a note ends before the next one begins
            kind_of = "note_on" if on else "note_off"
            track.append(mido.Message(kind_of, note=midi, time=begin - at, channel=channel))
            at = begin
        file.tracks.append(track)
    file.save(path)
    return path


def xml_file(path, text):
    path.write_text(text)
    return path


def test_a_pick_up_and_four_bars_are_read_from_both_formats(tmp_path):
    from_xml, said = read_melody(
        xml_file(tmp_path / "a.musicxml", musicxml(part_xml(TUNE, first=2)))
    )
    assert codes_of(from_xml) == notes_of(TUNE)
    assert from_xml[[MODE, PHASE, TONIC]].tolist() == [0, 6, 0]
    assert from_xml[FERMATA:].tolist() == [0] * 26 + [1] * 6
    assert said == ["taken to be in C major"]
    np.testing.assert_array_equal(parse_brief(from_xml, BASS), from_xml)
    rested = midi_file(tmp_path / "a.mid", TUNE, start=6)  # a bar that begins with a rest
    short = midi_file(tmp_path / "b.MIDI", TUNE, metres=(("1/4", 0), ("4/4", 2)))
    for path in (rested, short):
        np.testing.assert_array_equal(read_melody(path)[0], from_xml)


@pytest.mark.parametrize("gate", [0.9, 0.95, 1.0, 1.02])
def test_notes_that_were_played_are_as_long_as_they_were_meant(tmp_path, gate):
    brief, _ = read_melody(midi_file(tmp_path / "a.mid", TUNE, start=6, gate=gate))
    assert codes_of(brief) == notes_of(TUNE)


def test_a_repeated_note_is_struck_again_and_a_tied_one_is_not(tmp_path):
    tune = "C5:2 C5:2 D5:4 E5:8 R:4 C5:4 C5:8"
    for path in (
        xml_file(tmp_path / "a.xml", musicxml(part_xml(tune))),
        midi_file(tmp_path / "a.mid", tune),
    ):
        assert codes_of(read_melody(path)[0]) == notes_of(tune)
    tied = part_xml("C5:8 C5:8 D5:8 C5:8").split("</duration>")
    tied[1] = '<tie type="start"/>' + tied[1]
    tied[2] = '<tie type="stop"/><notations><fermata/></notations>' + tied[2]
    brief, _ = read_melody(xml_file(tmp_path / "b.xml", musicxml("</duration>".join(tied))))
    assert codes_of(brief) == notes_of("C5:16 D5:8 C5:8")
    assert brief[FERMATA:].tolist() == [1] * 16 + [0] * 8 + [1] * 8


CHORD = (
    "<note><chord/><pitch><step>E</step><octave>5</octave></pitch><duration>24</duration></note>"
)
SIZE_2 = "<duration>24</duration>"
BROKEN_XML = {
    "a chord": (
        musicxml(part_xml("C5:2 D5:2 G4:4").replace("</note>", f"</note>{CHORD}", 1)),
        r"bar 1, beat 1: C5 and E5 sound at once; a melody has one note at a time",
    ),
    "sixteenths": (
        musicxml(part_xml("C5:8 C5:1 D5:1/2 E5:1/2 F5:6")),
        r"bar 2, beat 1\.75: .*between two eighths; triplets and notes shorter than an eighth",
    ),
    "a triplet": (
        musicxml(part_xml("C5:8 C5:2/3 D5:2/3 E5:2/3 F5:6")),
        r"bar 2, beat 1\.33: .*between two eighths; triplets and notes shorter than an eighth",
    ),
    "a sixteenth and a rest": (
        musicxml(part_xml("C5:1/2 R:1/2 D5:1 E5:6")),
        r"bar 1, beat 1\.25: ",
    ),
    "waltz": (musicxml(part_xml("C5:6 D5:6 E5:6", first=6, metre="3/4")), "its metre is 3/4"),
    "an odd bar": (
        musicxml(
            part_xml("C5:8 D5:6 R:2 E5:8").replace(f"<note><rest/>{SIZE_2}{VOICE_1}</note>", "")
        ),
        "bar 2 is no whole bar of 4/4; only the first one may be short",
    ),
    "a wide one": (
        musicxml(part_xml("C3:8 C5:8 C7:8")),
        r"it spans C3 to C7, and in no octave fits the soprano, in this key G#3 to C6",
    ),
    "rests": (musicxml(part_xml("R:8 R:8")), "it has no notes"),
    "no parts": (musicxml(names=()), "it has no notes"),
    "no music": ("<html/>", "no MusicXML: it begins with <html>, not <score-partwise>"),
    "nothing": ("", "music21 cannot read it"),
}


@pytest.mark.parametrize("what", BROKEN_XML)
def test_what_is_no_melody_is_refused_with_its_place(tmp_path, what):
    text, said = BROKEN_XML[what]
    path = xml_file(tmp_path / "a.xml", text)
    with pytest.raises(MelodyError, match=said) as caught:
        read_melody(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tunes", "options", "said"),
    [
        ([TUNE], {"kind": 1, "metres": (("3/4", 0),)}, "bar 2: its metre is 3/4, not 4/4"),
        ([TUNE], {"metres": (("4/4", 0), (f"255/{1 << 255}", 8))}, "bar 2: its metre is 255/5789"),
        ([TUNE], {"metres": (("4/4", 0), ("6/8", 8))}, "bar 2: its metre is 6/8, not 4/4"),
        (["C5:8 C5:1 D5:1/2 E5:1/2 F5:6"], {}, r"bar 2, beat 1\.75: "),
        (["C5:8 C5:2/3 D5:2/3 E5:2/3 F5:6"], {}, r"bar 2, beat 1\.33: "),
        (["R:8"], {}, "it has no notes"),
        (["C5:8 D5:8"], {"gate": 1.5}, "bar 2, beat 1: C5 and D5 sound at once"),
        (["C5:8"], {"start": 99999}, "its first note comes after 12,499 bars of silence"),
    ],
)
def test_a_midi_file_that_is_no_melody_is_refused(tmp_path, tunes, options, said):
    with pytest.raises(MelodyError, match=said):
        read_melody(midi_file(tmp_path / "a.mid", *tunes, **options))


def test_damaged_large_and_other_files_are_refused(tmp_path):
    for name, data, said in (
        ("a.mid", b"", "music21 cannot read it"),
        ("a.mid", b"MThd" + bytes(9), "music21 cannot read it"),
        ("a.mid", bytes(200_001), "more than 200,000 bytes; keep the melody alone"),
        ("a.xml", b" " * 4_000_001, "more than 4,000,000 bytes"),
        ("a.mxl", b"PK\x03\x04 and nothing", "music21 cannot read it"),
        ("a.xml", b"<a>" * 100_000, "music21 cannot read it"),
        ("a.abc", b"X:1", r"read from files that end with one of \.musicxml, .*\.midi"),
        ("a", b"", "read from files that end with one of"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MelodyError, match=said):
            read_melody(tmp_path / name)
    (tmp_path / "folder.mid").mkdir()
    for name in ("folder.mid", "missing.mid"):
        with pytest.raises(MelodyError, match=r"cannot be read \("):
            read_melody(tmp_path / name)


def test_a_compressed_file_is_read_and_a_bomb_is_not(tmp_path):
    text = musicxml(part_xml(TUNE, first=2))
    for name, content, said in (
        ("a.mxl", text, None),
        ("b.MXL", text, None),
        ("d.mxl", "", "no .musicxml or .xml file is packed in it"),
        ("c.mxl", text + " " * 4_000_000, "more than 4,000,000 bytes"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("META-INF/container.xml", "<container/>")
            if content:
                file.writestr("score.musicxml", content)
        if said:
            with pytest.raises(MelodyError, match=said):
                read_melody(tmp_path / name)
        else:
            assert codes_of(read_melody(tmp_path / name)[0]) == notes_of(TUNE)


ATTRIBUTES, END = "</attributes>", "</measure>"
VOLTA = '<barline><ending number="1-99999999" type="start"/></barline>'
CHORD_SYMBOL = (
    "<harmony><root><root-step>C</root-step></root><kind>major</kind><degree><degree-value>99999999"
    "</degree-value><degree-alter>0</degree-alter><degree-type>add</degree-type></degree></harmony>"
)


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("<beats>4<", "<beats>99999999<", "99999999 beats in a bar"),
        ("<duration>96<", "<duration>99999999999<", "longer than 10,000 bars"),
        (END, END + '<measure number="2"/>' * 12_000, "more than 12,000 notes and bars"),
        (END, "".join(f"<note><rest/><duration>1</duration><voice>{i}</voice></note>"
                      for i in range(9000)) + END, "more than 32 voices"),
        (ATTRIBUTES, ATTRIBUTES + CHORD_SYMBOL, None),
        (END, VOLTA + END, None),
    ],
    ids=["beats", "length", "bars", "voices", "chord symbol", "volta"],
)  # fmt: skip
def test_no_number_in_a_file_keeps_the_reader_busy(tmp_path, found, instead, said):
    tune = "C5:8 D5:8 E5:8 C5:8"
    text = musicxml(part_xml(tune))
    path = xml_file(tmp_path / "a.xml", text.replace(found, instead, 1))
    begin = time.process_time()
    if said:
        with pytest.raises(MelodyError, match=said):
            read_melody(path)
    else:
        assert codes_of(read_melody(path)[0]) == notes_of(tune)
    assert time.process_time() - begin < 5


def test_entities_neither_grow_nor_read_files(tmp_path):
    (tmp_path / "secret").write_text("C")
    outside = f'<!DOCTYPE a [<!ENTITY e SYSTEM "{tmp_path}/secret">]>'
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "C">{levels}<!ENTITY e "&e9;">]>'
    for before in (outside, bomb):
        text = musicxml(part_xml(TUNE, first=2), before=before).replace("G<", "&e;<", 1)
        with pytest.raises(MelodyError, match="music21 cannot read it"):
            read_melody(xml_file(tmp_path / "a.xml", text))


def test_of_several_parts_the_top_one_is_taken_and_that_is_said(tmp_path):
    low = "C3:8 G3:8 E3:8 C3:8"
    high = "C5:8 G5:8 E5:8 C5:8"
    for names, tunes, voice in (
        (("Violin", "Cello"), (high, low), "Violin"),
        (("Cello", "soprano 1"), (low, high), "soprano 1"),
    ):
        parts = [part_xml(tune, f"P{i}") for i, tune in enumerate(tunes, 1)]
        from_xml = xml_file(tmp_path / "a.xml", musicxml(*parts, names=names))
        from_midi = midi_file(tmp_path / "a.mid", *tunes, names=names)
        for path in (from_xml, from_midi):
            brief, said = read_melody(path)
            assert codes_of(brief) == notes_of(high)
            assert said[0] == f"taken from '{voice}', one of 2 parts"


def test_drums_are_no_melody_and_one_track_may_have_several_channels(tmp_path):
    file = mido.MidiFile(type=0, ticks_per_beat=96)
    track = mido.MidiTrack()
    for _ in range(4):
        for begin, kind in ((0, "note_on"), (384, "note_off")):
            for k, (note, channel) in enumerate(((40, 9), (72, 3), (48, 5))):
                wait = 0 if k else begin
                track.append(mido.Message(kind, note=note, channel=channel, time=wait))
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    brief, said = read_melody(tmp_path / "a.mid")
    assert codes_of(brief) == notes_of("C5:8 C5:8 C5:8 C5:8")
    assert said[0] == "taken from 'the top part', one of 2 parts"


def test_two_voices_on_one_staff_are_two_parts(tmp_path):
    two = part_xml("C5:4 D5:4 E5:8 F5:8 E5:8").replace(
        "</measure>",
        "<backup><duration>96</duration></backup><note><pitch><step>G</step><octave>4</octave>"
        "</pitch><duration>96</duration><voice>2</voice></note></measure>",
    )
    brief, said = read_melody(xml_file(tmp_path / "a.xml", musicxml(two)))
    assert codes_of(brief) == notes_of("C5:4 D5:4 E5:8 F5:8 E5:8")
    assert said[0] == "taken from 'Voice', one of 2 parts"


def test_a_long_melody_is_cut_at_a_phrase_or_after_four_bars(tmp_path):
    plain = "C5:4 D5:4 E5:4 F5:4 G5:4 F5:4 E5:4 D5:6 C5:4"
    resting = "C5:4 D5:4 E5:4 F5:4 G5:4 F5:4 E5:4 R:2 D5:8"
    for tune, kept, where in (
        (plain, "C5:4 D5:4 E5:4 F5:4 G5:4 F5:4 E5:4 D5:4", "after 32 eighths, at bar 5, beat 1"),
        (resting, "C5:4 D5:4 E5:4 F5:4 G5:4 F5:4 E5:4 R:4", "after 28 eighths, at bar 4, beat 3"),
    ):
        brief, said = read_melody(midi_file(tmp_path / "a.mid", tune))
        assert codes_of(brief) == notes_of(kept)
        assert said[0] == f"cut {where}: more do not fit a brief"
        np.testing.assert_array_equal(parse_brief(brief, BASS), brief)
    fermata = part_xml("C5:8 D5:8 E5:8 F5:4 G5:4 A5:8", fifths=0).split("</duration>")
    fermata[4] = "<notations><fermata/></notations>" + fermata[4]
    brief, said = read_melody(xml_file(tmp_path / "a.xml", musicxml("</duration>".join(fermata))))
    assert codes_of(brief) == notes_of("C5:8 D5:8 E5:8 F5:4 R:4")
    assert brief[FERMATA:].tolist() == [0] * 24 + [1] * 4 + [0] * 4


def test_a_short_melody_is_followed_by_silence(tmp_path):
    brief, said = read_melody(midi_file(tmp_path / "a.mid", "C5:4 D5:4 C5:8", gate=0.9))
    assert codes_of(brief) == notes_of("C5:4 D5:4 C5:8 R:16")
    assert said[0] == "16 eighths of silence follow, to make it 32"
    assert brief[FERMATA:].tolist() == [0] * 8 + [1] * 8 + [0] * 16


@pytest.mark.parametrize(
    ("tune", "kept", "said"),
    [
        ("C2:8 G2:8 C2:8 C2:8", "C4:8 G4:8 C4:8 C4:8", "up by 24"),
        ("C6:8 G6:8 C6:8 C6:8", "C5:8 G5:8 C5:8 C5:8", "down by 12"),
    ],
)
def test_a_melody_out_of_compass_is_moved_by_octaves(tmp_path, tune, kept, said):
    brief, lines = read_melody(midi_file(tmp_path / "a.mid", tune))
    assert codes_of(brief) == notes_of(kept)
    assert f"moved {said} semitones" in lines


@pytest.mark.parametrize(
    ("tune", "key", "fifths", "told"),
    [
        ("G4:4 A4:4 B4:4 C5:4 D5:4 F#5:4 G5:8", "C", 0, "G major"),  # a DAW's default signature
        ("G4:4 A4:4 B4:4 C5:4 D5:4 F5:4 G5:8", "G", 1, "G major"),
        ("E5:8 F5:4 E5:4 D5:4 C5:4 B4:4 A4:4", "Am", 0, "A minor"),
        ("A4:8 C5:4 E5:4 D5:4 C5:4 G#4:4 A4:4", "C", 0, "A minor"),
        ("Bb4:8 D5:4 F5:4 Eb5:4 C5:4 A4:4 Bb4:4", "Bb", -2, "Bb major"),
        ("F4:8 Ab4:4 C5:4 Db5:4 C5:4 G4:4 F4:4", "Fm", -4, "F minor"),
    ],
)
def test_the_key_is_that_of_the_signature_and_the_notes(tmp_path, tune, key, fifths, told):
    paths = (
        xml_file(tmp_path / "a.xml", musicxml(part_xml(tune, fifths=fifths))),
        midi_file(tmp_path / "a.mid", tune, fifths=key),
    )
    for path in paths:
        brief, said = read_melody(path)
        assert f"taken to be in {told}" in said
        assert codes_of(brief) == notes_of(tune)


def test_transposing_instruments_are_read_as_they_sound_and_alla_breve_as_four(tmp_path):
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    text = musicxml(part_xml("D5:8 E5:8 F#5:8 D5:8", fifths=2, metre="2/2", extra=clarinet))
    brief, said = read_melody(xml_file(tmp_path / "a.xml", text))
    assert codes_of(brief) == notes_of("C5:8 D5:8 E5:8 C5:8")
    assert said == ["taken to be in C major"]
