"""What is seen and heard of a composition: staff, piano roll, MIDI, MusicXML, WAV, page."""
