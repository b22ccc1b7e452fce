"""How a composition is shown and heard: staff notation, piano roll, MIDI, MusicXML, WAV, page."""
