"""Imports go down only: novelty <- envs <- agents <- scripts."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "novelty": {"envs", "agents", "train", "replay", "compare"},
    "envs": {"agents", "train", "replay", "compare"},
    "agents": {"train", "replay", "compare"},
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_no_import_runs_up(layer):
    files = list((ROOT / layer).rglob("*.py"))
    assert files
    for path in files:
        wrong = FORBIDDEN[layer] & set(imported(path))
        assert not wrong, f"{path} imports {wrong}"
