"""Wherever Move37 runs: file modes, odd mounts, folders that cannot be written, other systems."""

import errno
import os
import stat
from pathlib import Path

import pytest

from move37.novelty.storage import write_atomically

ROOT = Path(__file__).parent.parent


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
