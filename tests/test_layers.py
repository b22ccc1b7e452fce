"""The layers of the package, file by file: see the docstring of ``move37/__init__.py``."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from move37.agents.makers.maker import MAKERS

ROOT = Path(__file__).parent.parent
LAYERS = ("novelty", "envs", "agents", "move37")
"""From the lowest up; the last one, the commands, is also the package's own folder."""
MOST_FILES = 14
"""Python files of a folder, besides its ``__init__.py``."""


def modules_of(root: Path) -> dict[str, Path]:
    """Every module of the package under ``root`` by its dotted name."""
    modules = {}
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts if layer == "move37" else ("move37", *parts)
            modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def statements(node: ast.AST, types: bool) -> Iterator[ast.AST]:
    """Every node of a syntax tree; without ``types``, not what is under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if types or not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from statements(child, types)


def imports_of(path: Path, modules: dict[str, Path], types: bool = True) -> Iterator[str]:
    """Modules of the package that a file imports, anywhere in it.

    Args:
        path: The file.
        modules: What modules there are.
        types: Whether imports for type checkers alone count.
    """
    for node in statements(ast.parse(path.read_text()), types):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: write the import out, from move37 on"
            # `from package import name`: the name is a module of it, or something in it.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else name.rpartition(".")[0] for name in names]
        else:
            continue
        yield from (name for name in names if name in modules)


def graph_of(root: Path, types: bool = True) -> dict[str, set[str]]:
    """What each module of the package imports; see :func:`imports_of`."""
    modules = modules_of(root)
    return {name: set(imports_of(path, modules, types)) - {name} for name, path in modules.items()}


def layer_of(module: str) -> int:
    """The number of a module's layer, 0 for the lowest."""
    parts = module.split(".")
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS else len(LAYERS) - 1


def circle(graph: dict[str, set[str]]) -> str:
    """One circle of imports, ``a <- b <- a``; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def upward(graph: dict[str, set[str]]) -> list[str]:
    """Imports from a layer above, ``a imports b`` each."""
    return [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in sorted(others)
        if layer_of(other) > layer_of(name)
    ]


def write_package(root: Path, files: dict[str, str]) -> None:
    """Write modules, by path, as a package with the same four folders."""
    for layer in LAYERS:
        (root / layer).mkdir()
    for name, text in files.items():
        (root / name).write_text(text)


@pytest.fixture(scope="module")
def graph():
    return graph_of(ROOT)


def test_the_graph_holds_every_file(graph):
    files = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
    assert len(graph) == len(files) > 100
    assert "move37.envs.base.works" in graph["move37.agents.makers.maker"]


def test_no_import_runs_up(graph):
    assert upward(graph) == []


def test_no_imports_run_in_a_circle():
    # Imports for type checkers are never run; they may not run up, but they may close a circle.
    assert circle(graph_of(ROOT, types=False)) == ""


def test_makers_never_import_each_other(graph):
    makers = {where.partition(":")[0] for where in MAKERS.values()}
    assert makers <= set(graph)
    assert {name: graph[name] & makers for name in makers if graph[name] & makers} == {}


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("novelty/a.py", "from move37.envs.b import thing"),
        ("envs/a.py", "from move37.agents import b"),
        ("envs/a.py", "import move37.agents.b"),
        ("agents/a.py", "def f():\n    from move37.b import main"),
        ("agents/a.py", "import move37"),
        ("envs/a.py", "if TYPE_CHECKING:\n    from move37.agents import b"),
    ],
)
def test_an_import_that_runs_up_is_found(below, above, tmp_path):
    others = ("move37/__init__.py", "move37/b.py", "envs/b.py", "agents/__init__.py", "agents/b.py")
    write_package(tmp_path, dict.fromkeys(others, "") | {below: above})
    (found,) = upward(graph_of(tmp_path))
    assert found.startswith(f"move37.{below.replace('/', '.').removesuffix('.py')} imports move37")


def test_imports_in_a_circle_are_found(tmp_path):
    files = {
        "envs/a.py": "from move37.envs.b import f",
        "envs/b.py": "def f():\n    from move37.envs import c",
        "envs/c.py": "import move37.envs.a",
    }
    write_package(tmp_path, files)
    found = circle(graph_of(tmp_path, types=False))
    assert set(found.split(" <- ")) == {f"move37.envs.{n}" for n in "abc"}
    (tmp_path / "envs/c.py").write_text("if TYPE_CHECKING:\n    import move37.envs.a")
    assert circle(graph_of(tmp_path, types=False)) == ""
    assert circle(graph_of(tmp_path))


def test_a_relative_import_is_refused(tmp_path):
    write_package(tmp_path, {"envs/a.py": "from .b import c"})
    with pytest.raises(AssertionError, match=r"a\.py:1"):
        graph_of(tmp_path)


FOLDERS = sorted({path.parent for layer in LAYERS for path in (ROOT / layer).rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_says_what_it_is_and_stays_small(folder):
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, f"{folder}: split it"
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
