"""Wherever Move37 runs: file modes, odd mounts, folders that cannot be written, other systems."""

import ast
import errno
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from move37 import cache
from move37.agents.runs import terminal
from move37.agents.runs.config import Config
from move37.agents.runs.run_dir import RunDir, in_use
from move37.agents.runs.terminal import command
from move37.envs.base import caches
from move37.novelty.storage import write_atomically
from move37.train import train, with_folder

ROOT = Path(__file__).parent.parent
LAYERS = ("novelty", "envs", "agents", "move37")
FILES = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
MODULES = [
    ".".join(("move37", *path.relative_to(ROOT).with_suffix("").parts))
    .replace("move37.move37", "move37")
    .removesuffix(".__init__")
    for path in FILES
]
POSIX_MODULES = (
    "crypt", "curses", "fcntl", "grp", "nis", "pty", "pwd", "readline", "resource", "spwd",
    "syslog", "termios", "tty",
)  # fmt: skip
POSIX_NAMES = {
    "os": "chown chroot ctermid fchdir fchmod fchown fork forkpty getegid geteuid getgid getgroups "
    "getloadavg getpgid getpgrp getpriority getppid getsid getuid kill killpg lchown mkfifo mknod "
    "nice openpty O_NOFOLLOW O_NONBLOCK O_SYNC pread preadv pwrite pwritev sched_getaffinity "
    "sched_setaffinity sendfile setegid seteuid setgid setsid setuid statvfs sync sysconf uname "
    "wait wait3 wait4",
    "signal": "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 "
    "SIGUSR2 alarm pause pthread_kill pthread_sigmask setitimer sigwait",
    "time": "tzset",
}
"""What Python's documentation says there is on Unix only (getppid: it never changes on Windows)."""


def python(program, cwd=ROOT, **variables):
    """What a program prints in a process of its own that must not fail, and its errors."""
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, env=os.environ | variables, text=True,
        capture_output=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout, found.stderr


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Sets the umask for the length of a test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_umask_says(mask, expected, umask, tmp_path):
    umask(mask)
    write_atomically(tmp_path / "folder" / "new", b"1")
    assert mode(tmp_path / "folder" / "new") == expected


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o755, 0o444])
def test_a_file_keeps_its_mode(kept, umask, tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"1")
    path.chmod(kept)
    write_atomically(path, b"2")
    assert (path.read_bytes(), mode(path)) == (b"2", kept)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EIO])
def test_a_folder_that_cannot_be_flushed_holds_the_file_all_the_same(code, tmp_path, monkeypatch):
    flush = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    path = tmp_path / "file"
    if code == errno.EIO:  # the disk is broken, not simple
        with pytest.raises(OSError, match=r"Input/output error: '.*/file'"):
            write_atomically(path, b"1")
    else:
        write_atomically(path, b"1")
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"1"


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
def test_an_error_names_the_file_that_was_to_be_written(step, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*/works\.npz'") as caught:
        write_atomically(tmp_path / "works.npz", b"1")
    assert caught.value.errno == errno.ENOSPC and not list(tmp_path.iterdir())


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    path = tmp_path / ("a" * 250 + ".txt")
    write_atomically(path, b"1")
    assert path.read_bytes() == b"1"


# Folders that cannot be written


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A copy of the package beside whose code nothing can be kept, whoever runs it."""
    package = tmp_path_factory.mktemp("sealed") / "move37"
    for layer in LAYERS:
        ignore = shutil.ignore_patterns("__pycache__")
        into = package if layer == "move37" else package / layer
        shutil.copytree(ROOT / layer, into, ignore=ignore, dirs_exist_ok=True)
    for folder in {path.parent for path in package.rglob("*.py")}:
        (folder / "__pycache__").write_text("")  # a file: no folder can be made of that name
    return package.parent


def test_without_a_home_and_with_a_program_that_is_read_only(sealed):
    program = (
        "import gymnasium, importlib, move37.envs, os, pathlib\n"
        "env = gymnasium.make('move37:Move37/DrawingFree-v0')\n"
        "for _ in env.reset(), env.step(5): pass\n"
        f"for name in {MODULES}: importlib.import_module(name)\n"
        "from move37.envs.base.caches import TEMPORARY, cached_file\n"
        "kept = pathlib.Path(os.environ[TEMPORARY])\n"
        "assert list(kept.rglob('*.nbi')) and cached_file('works') == kept / 'works'\n"
        "print(move37.envs.__file__); print(kept)"
    )
    said, errors = python(
        program, sealed, HOME="/dev/null/home", XDG_CACHE_HOME="/dev/null/cache",
        NUMBA_CACHE_DIR="", MOVE37_CACHE="", MOVE37_TEMPORARY_CACHE="",
    )  # fmt: skip
    where, kept = said.splitlines()
    assert Path(where).is_relative_to(sealed)
    assert errors.count("no cache can be written") == errors.count("Warning") == 1
    assert not Path(kept).exists()  # gone with the program


def test_where_there_is_no_place_at_all_nothing_is_kept(monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError("no usable temporary directory found")

    def no_place(self, function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setenv(caches.TEMPORARY, "")
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr("numba.core.caching.FunctionCache.__init__", no_place)
    caches._temporary_folder.cache_clear()
    with pytest.warns(UserWarning, match="compiled code and parsed works are not kept"):
        twice = caches.njit(cache=True)(lambda x: 2 * x)
    assert twice(4) == 8
    caches._temporary_folder.cache_clear()


def test_a_cache_that_can_be_read_is_read_though_it_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "there").write_bytes(b"")
    monkeypatch.setattr(caches, "_can_be_written", lambda _: False)
    monkeypatch.setattr(caches, "_temporary_folder", lambda: Path("elsewhere"))
    assert caches.cached_file("there", tmp_path) == tmp_path / "there"
    assert caches.cached_file("new", tmp_path) == Path("elsewhere/new")


def test_a_home_that_is_not_known_is_no_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not caches._can_be_written(Path("~/.cache/move37"))
    assert not list(tmp_path.iterdir())


def test_the_cache_is_counted_and_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVE37_CACHE", str(tmp_path))
    ours, theirs = tmp_path / f"tabler-{'0a' * 16}-v2.safetensors", tmp_path / "thesis.npz"
    ours.write_bytes(bytes(1000))
    theirs.write_bytes(bytes(1000))
    program = [*caches.cached_files()][1]
    assert caches.cached_files()[tmp_path] == [ours]
    compiled = sum(path.stat().st_size for path in caches.cached_files()[program])
    said = []
    assert cache.cache(log=said.append) == 1000 + compiled
    assert said[0].split() == ["0.0", "MB", "in", str(tmp_path)]
    monkeypatch.setattr(cache, "cached_files", lambda: {tmp_path: [ours]})
    assert cache.cache(clear=True, log=said.append) == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.npz"]


# Other systems


def test_a_notebooks_matplotlib_backend_that_is_not_installed_ends_nothing():
    for backend in ("module://matplotlib_inline.backend_inline", "no such backend"):
        for script in ("train.py", "replay.py", "compare.py"):
            found = subprocess.run(
                [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True,
                env=os.environ | {"MPLBACKEND": backend},
            )  # fmt: skip
            assert found.returncode == 0 and found.stderr == ""
    program = "import move37, matplotlib, os; print(matplotlib.get_backend(), os.environ[%r])"
    assert python(program % "MPLBACKEND", MPLBACKEND="svg")[0] == "svg svg\n"


def test_every_module_is_imported_and_the_lock_taken_without_what_only_unix_has(tmp_path):
    program = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({POSIX_MODULES}))\n"
        f"for name in {MODULES}: importlib.import_module(name)\n"
        "from move37.agents.runs.run_dir import Config, RunDir, in_use\n"
        f"config = Config(run_dir={str(tmp_path / 'run')!r})\n"
        "with RunDir(config, False, print) as run:\n"
        "    assert in_use(run.path)\n"
        "    run.record(config, 'abc')\n"
        "assert not in_use(run.path)\n"
        "with RunDir(config, True, print) as run: print(run.resumed)"
    )
    assert python(program)[0] == "True\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_asked_of_the_system_that_only_unix_has(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.attr not in POSIX_NAMES.get(node.value.id, "").split(), ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # Without an encoding, Windows reads and writes text in one of its own.
            if node.func.attr in ("read_text", "write_text"):
                assert any("utf-8" in ast.unparse(a) for a in node.args), ast.unparse(node)


# Folders of runs


LEARNED = (
    "checkpoints/state-0000000512.safetensors", "stages/imitation.safetensors",
    "stages/imitation.json",
)  # fmt: skip
"""What is left by a network that has begun to learn."""


def begun(config, corpus="abc", learned=""):
    """A folder as a run leaves it that was stopped before, or after, it had begun to learn."""
    with RunDir(config, False, print) as run:
        run.record(config, corpus)
        run.stage("judge", lambda folder: {"a": 1})
    if learned:
        write_atomically(run.path / learned, b"")
    return run.path


@pytest.mark.parametrize("learned", LEARNED)
def test_a_run_is_resumed_by_the_same_options_alone(learned, tmp_path):
    said, config = [], Config(run_dir=str(tmp_path / "run"), threads=1)
    path = begun(config, learned=learned)
    with RunDir(Config(run_dir=config.run_dir, threads=2), False, said.append) as run:
        assert run.resumed and run.config == config  # with the threads it began with
        assert "resuming" in said[0]
        with pytest.raises(ValueError, match="corpus is not the one"):
            run.record(config, "abd")
    refused = f"with another --seed, which --resume {path} resumes; choose another --run-dir"
    with pytest.raises(ValueError, match=re.escape(refused)):
        RunDir(Config(run_dir=config.run_dir, seed=3), False, print)
    assert (path / "stages" / "judge.json").exists()


@pytest.mark.parametrize("change", ["options", "corpus"])
def test_a_run_that_failed_before_learning_is_begun_again(change, tmp_path):
    said, config = [], Config(run_dir=str(tmp_path / "run"))
    path = begun(config)
    (path / "events.out.tfevents.1").write_bytes(b"")
    (path / "notes.txt").write_text("mine")
    other = Config(run_dir=config.run_dir, seed=3 if change == "options" else 0)
    with RunDir(other, False, said.append) as run:
        run.record(other, "abc" if change == "options" else "abd")
        assert not run.resumed and not (path / "stages").exists()
    assert any("had not begun to learn" in line for line in said)
    names = {".lock", "config.json", "environment.json", "notes.txt"}
    assert {file.name for file in path.iterdir()} == names
    with RunDir(other, False, said.append) as run:
        assert run.resumed
    with (
        pytest.raises(ValueError, match="corpus is not the one"),
        RunDir(other, True, print) as run,
    ):
        run.record(other, "abe")  # --resume asks for the run as it was


def test_a_refused_run_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        train(run_dir=str(tmp_path / "run"), corpus="nowhere")
    with pytest.raises(ValueError, match=r"no\.safetensors: no such file"):
        train(run_dir=str(tmp_path / "run"), imitator="no.safetensors", corpus="nowhere")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="nowhere"):
        train(run_dir=str(tmp_path / "mine"), corpus="nowhere")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["mine", "notes.txt"]


def test_python_writes_nothing_into_the_current_folder_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="run_dir: expected the folder of the run"):
        train(preset="smoke")
    assert not list(tmp_path.iterdir())


def test_the_command_takes_the_next_folder_or_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said, name = [], "runs/drawing-default-0"
    config = Config()

    def folder():
        return with_folder(config, said.append).run_dir

    assert folder() == name
    begun(with_folder(config))
    assert folder() == name and not said  # unfinished, with the same options: goes on
    Path(name, "summary.json").write_text("{}")
    assert folder() == f"{name}-2"
    assert "holds a finished run; taking the next folder" in said[-1]
    begun(Config(run_dir=f"{name}-2", kl_weight=0.5), learned=LEARNED[0])
    assert folder() == f"{name}-3" and "unfinished run with another --kl-weight" in said[-1]
    Path(f"{name}-3").mkdir()
    Path(f"{name}-3", "config.json").write_text("{}")  # of an earlier version
    with RunDir(Config(run_dir=f"{name}-4"), False, print) as run:
        assert in_use(run.path).endswith(f"process {os.getpid()} is working in it")
        assert folder() == f"{name}-5"
    assert with_folder(Config(run_dir="here")).run_dir == "here"


# What is printed can be typed


@pytest.mark.parametrize("started", ["train.py", "move37", "-m", "notebook"])
def test_commands_are_printed_as_they_can_be_typed(started, tmp_path, monkeypatch):
    here = tmp_path / "a folder's name"
    here.mkdir()
    script = here / "move37"
    script.write_text(f"#!{sys.executable}\nfrom move37.__main__ import main\nmain()\n")
    script.chmod(0o755)
    first = {
        "train.py": ROOT / "train.py", "move37": script, "-m": ROOT / "move37" / "__main__.py",
        "notebook": "ipykernel_launcher.py",
    }[started]  # fmt: skip
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", [str(first), "train"])
    typed = command("replay", "no such run", "--best", "3")
    found = subprocess.run(typed, shell=True, capture_output=True, text=True)
    assert found.returncode == 1
    assert found.stderr.endswith("no such run/works.npz: no such file\n"), typed
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    if started == "move37":
        assert typed.startswith("./move37 replay 'no such run'")
        assert command("replay", "x") == "move37 replay x"


def test_words_are_quoted_as_the_systems_shell_takes_them(monkeypatch):
    words = ["a b", "it's", "c"]
    assert terminal._typed(words) == """'a b' 'it'"'"'s' c"""
    monkeypatch.setattr(os, "name", "nt")
    assert terminal._typed(words) == """"a b" it's c"""
