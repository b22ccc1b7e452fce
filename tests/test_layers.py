"""Imports go down only: novelty <- envs <- agents <- commands."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = {"train", "replay", "compare"}
FORBIDDEN = {
    "novelty": {"envs", "agents"} | COMMANDS,
    "envs": {"agents"} | COMMANDS,
    "agents": COMMANDS,
}


def imported(path):
    """Layers and commands that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("move37."))


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_no_import_runs_up(layer):
    files = list((ROOT / layer).rglob("*.py"))
    assert any(list(imported(path)) for path in files)
    for path in files:
        wrong = FORBIDDEN[layer] & set(imported(path))
        assert not wrong, f"{path} imports {wrong}"
