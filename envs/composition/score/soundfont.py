"""WAV files played by FluidSynth with the pipe organ of a soundfont, where a machine has both.

Python's packages that play soundfonts need the system's library too, or do not work with this
NumPy. So the system's program is called (``apt install fluidsynth timgm6mb-soundfont``, ``brew
install fluid-synth``). Without it :mod:`.sound` makes the WAV files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from move37.envs.composition.score import sound
from move37.envs.composition.score.midi import midi

VARIABLE = "MOVE37_SOUNDFONT"
"""The environment variable that names another soundfont; empty for none."""
PLACES = (
    "/usr/share/sounds/sf2/default-GM.sf2", "/usr/share/sounds/sf3/default-GM.sf3",
    "/usr/share/sounds/sf2/TimGM6mb.sf2", "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2",
)  # fmt: skip
"""Where operating systems install theirs."""
RATE = 44100
SECONDS = 120
"""FluidSynth is stopped after this time; a work takes it less than one second."""


def soundfont() -> Path | None:
    """The soundfont that WAV files are made with; None without a soundfont or FluidSynth.

    Raises:
        ValueError: If the file that the environment variable names does not exist.
    """
    asked = os.environ.get(VARIABLE)
    if asked and not Path(asked).is_file():
        raise ValueError(f"{VARIABLE}: there is no file {asked!r}")
    if asked == "" or shutil.which("fluidsynth") is None:
        return None
    places = [asked] if asked else PLACES
    return next((path for path in map(Path, places) if path.is_file()), None)


def wav(score: NDArray[np.int16], title: str = "", both: bool = False) -> bytes:
    """A WAV file of a score; for the arguments see :func:`.notation.musicxml`.

    Raises:
        ValueError: If FluidSynth cannot read the soundfont, or takes too long.
    """
    font = soundfont()
    if font is None:
        return sound.wav(score)
    with TemporaryDirectory() as folder:
        piece, out = Path(folder, "piece.mid"), Path(folder, "piece.wav")
        piece.write_bytes(midi(score, title, both))
        command = [
            "fluidsynth", "-niq", "-g", "1", "-T", "wav", "-O", "s16", "-r", str(RATE),
            "-F", str(out), str(font), str(piece),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise ValueError(f"FluidSynth: not ready after {SECONDS} s with {font}") from None
        # Its exit status is 0 even if it could not read the soundfont.
        if "fluidsynth: error" in done.stderr or not out.is_file():
            said = done.stderr.strip().splitlines() or ["it wrote nothing"]
            raise ValueError(f"FluidSynth, with {font}: {said[0]}")
        return out.read_bytes()
