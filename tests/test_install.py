"""The package as users have it: built as a wheel and installed into a new environment."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("agents", "envs", "novelty")
ENVIRONMENTS = (
    "DrawingFree-v0",
    "Drawing-v1",
    "Composition-v0",
    "CompositionFree-v0",
    "CompositionFour-v0",
)

# Nothing here is about speed: without Numba's compiler an import takes no time.
PLAIN = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
PLAIN |= {"NUMBA_DISABLE_JIT": "1", "PYTHONNOUSERSITE": "1", "PIP_CONFIG_FILE": os.devnull}


class Environment:
    """A virtual environment of its own that finds the packages of the tests', but not Move37."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.python = folder / "bin/python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (self.packages,) = folder.glob("lib/python*/site-packages")
        # Files *.pth in the folders that a *.pth names are not read: no editable Move37 here.
        found = [path for path in sys.path if Path(path).name == "site-packages"]
        (self.packages / "base.pth").write_text("\n".join(found))

    def pip(self, *arguments):
        """Run the tests' own pip, with the network left alone, on this environment."""
        paths = self.packages / "base.pth"
        hidden = paths.rename(paths.with_suffix(".off"))  # pip sees what is installed here alone
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", self.python, "--quiet", *arguments],
            check=True, env=PLAIN,
        )  # fmt: skip
        hidden.rename(paths)

    def install(self, *wheels):
        self.pip("install", "--no-deps", "--no-index", *wheels)

    def run(self, *command, cwd):
        """What a command prints that runs in the folder ``cwd`` and must not fail."""
        result = subprocess.run(command, cwd=cwd, env=PLAIN, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


def wheel_of(folder, name, modules):
    """Write a wheel that brings ``modules``, text by path."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = modules | {f"{info}/METADATA": metadata, f"{info}/WHEEL": tag}
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # setuptools writes a folder build/ beside pyproject.toml: build a copy.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "move37", *PARTS):
        (source / name).symlink_to(ROOT / name)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--wheel-dir", folder, source],
        check=True, env=PLAIN,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("installed") / "venv")
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A package with the top-level names that the folders of the repository have."""
    modules = {f"{part}/__init__.py": f"whose = 'the other {part}'\n" for part in PARTS}
    return wheel_of(tmp_path_factory.mktemp("others"), "others", modules)


def imported_from(environment, cwd):
    """The package's version and where it and each of its parts were imported from."""
    program = (
        "import importlib, json, move37\n"
        f"names = ['move37'] + ['move37.' + part for part in {PARTS}]\n"
        "files = [importlib.import_module(name).__file__ for name in names]\n"
        "print(json.dumps([move37.__version__, *files]))"
    )
    return json.loads(environment.run(environment.python, "-c", program, cwd=cwd))


def test_the_packages_of_the_wheel_are_the_folders():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = [path.parent for part in ("move37", *PARTS) for path in (ROOT / part).rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).parts) for path in folders}
    names = {name if name == "move37" else f"move37.{name}" for name in names}
    assert sorted(settings["packages"]) == sorted(names)


def test_the_citation_is_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    text = (ROOT / "CITATION.cff").read_text()
    assert text.startswith("cff-version: 1.2.0\n") and f"\nversion: {version}\n" in text
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)  # semantic


def test_what_is_needed_is_pinned_and_nothing_that_only_one_system_has():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    pinned = {re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins}
    names = {re.split(r"[<>=]", line)[0].lower() for line in needed}
    assert names - pinned <= {"pip"}
    assert all(re.fullmatch(r"[\w.-]+==[0-9a-z.]+", pin) for pin in pins)  # no 2.13.0+cpu
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda", "triton", "pywin"))]


def test_the_wheel_brings_one_package_and_one_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (points,) = [name for name in names if name.endswith("entry_points.txt")]
        commands = archive.read(points).decode()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"move37"}
    assert commands.split() == ["[console_scripts]", "move37", "=", "move37.__main__:main"]
    python = [path for part in ("move37", *PARTS) for path in (ROOT / part).rglob("*.py")]
    assert len([name for name in names if name.endswith(".py")]) == len(python)


def test_what_is_no_python_is_there_too(installed):
    expected = {
        path.relative_to(ROOT).as_posix()
        for part in ("move37", *PARTS)
        for path in (ROOT / part).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    }
    assert {"move37/py.typed", "envs/drawing/view/page.html"} < expected
    for name in expected:
        data = (installed.packages / "move37" / name.removeprefix("move37/")).read_bytes()
        assert data == (ROOT / name).read_bytes()


def test_the_command_runs_from_anywhere(installed, tmp_path):
    commands = ([installed.folder / "bin/move37"], [installed.python, "-m", "move37"])
    said = [installed.run(*command, "--help", cwd=tmp_path) for command in commands]
    assert said[0] == said[1] and all(name in said[0] for name in ("train", "replay", "compare"))
    # `python -m` twice in one process, which has to import torch only once.
    text = installed.run(
        installed.python, "-c",
        "import runpy, sys\n"
        "for words in ('move37', 'train'), ('move37.train',):\n"
        "    sys.argv = [*words, '--help']\n"
        "    try: runpy.run_module(words[0], run_name='__main__', alter_sys=True)\n"
        "    except SystemExit as error: print('status', error.code)\n",
        cwd=tmp_path,
    )  # fmt: skip
    assert text.count("--env-steps") >= 4 and text.count("status 0") == 2
    version = installed.run(*commands[0], "--version", cwd=tmp_path)
    assert version == f"move37 {imported_from(installed, tmp_path)[0]}\n"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_gymnasium_makes_the_environments_by_name_alone(name, installed, tmp_path):
    program = (
        f"import gymnasium; env = gymnasium.make('move37:Move37/{name}'); print(env.unwrapped)"
    )
    kind = {"Drawing-v1": "Concept", "DrawingFree-v0": "Drawing"}.get(
        name, name.removeprefix("Composition").split("-")[0]
    )
    assert f"{kind}Env" in installed.run(installed.python, "-c", program, cwd=tmp_path)


def test_folders_of_the_same_names_beside_a_script_stay_the_users(installed, tmp_path):
    for part in PARTS:
        (tmp_path / part).mkdir()
        (tmp_path / part / "__init__.py").write_text(f"whose = 'my {part}'\n")
    (tmp_path / "script.py").write_text(
        "import agents, envs, novelty\nimport gymnasium\n"
        "gymnasium.make('move37:Move37/DrawingFree-v0').reset(seed=0)\n"
        "from move37.agents.makers.maker import find_factory\nfind_factory('collage')\n"
        "print(agents.whose, envs.whose, novelty.whose)\n"
    )
    said = installed.run(installed.python, tmp_path / "script.py", cwd=tmp_path)
    assert said == "my agents my envs my novelty\n"


@pytest.mark.parametrize("first", ["others", "move37"])
def test_a_package_with_the_same_names_harms_nothing(first, wheel, others, tmp_path):
    environment = Environment(tmp_path / "venv")
    for path in (others, wheel) if first == "others" else (wheel, others):
        environment.install(path)
    program = "import agents, envs, novelty; print(agents.whose, envs.whose, novelty.whose)"
    theirs = environment.run(environment.python, "-c", program, cwd=tmp_path)
    assert theirs == "the other agents the other envs the other novelty\n"
    version, *files = imported_from(environment, tmp_path)
    assert version == wheel.name.split("-")[1]
    assert all(Path(file).is_relative_to(environment.packages / "move37") for file in files)
    environment.pip("uninstall", "--yes", "others")
    assert imported_from(environment, tmp_path) == [version, *files]
