"""The pictures of the documentation can be made again."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

SCRIPT = Path(__file__).parent.parent / "docs" / "pictures.py"


def test_the_committed_pictures_are_those_the_script_makes(tmp_path):
    result = subprocess.run(
        [sys.executable, SCRIPT, "--out", tmp_path], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    made = {path.name: path for path in tmp_path.iterdir()}
    kept = SCRIPT.with_name("pictures")
    assert set(made) <= {path.name for path in kept.iterdir()} and len(made) == 8
    for name, path in made.items():
        assert path.stat().st_size < 150_000
        if path.suffix == ".png":
            with Image.open(path) as new, Image.open(kept / name) as old:
                assert new.size == old.size
