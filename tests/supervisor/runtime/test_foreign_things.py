"""A runtime deletes, and writes to, only what a runtime has made."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from actors.unix_base.kernel.private_directory import PrivateDirectory
from supervisor.runtime import belongings
from supervisor.runtime.belongings import MARKER
from supervisor.runtime.directory import DirectoryError, RuntimeDirectory
from tests.helpers.net import leave_dead_socket

pytestmark = pytest.mark.process
NAMES = ["actors", "d", "lock", "supervisor.sock", "thespian.log", MARKER]


@pytest.fixture
def own(runtime_dir: Path) -> Path:
    """A directory of the user's own."""
    runtime_dir.mkdir(0o700)
    return runtime_dir


def tree(path: Path) -> dict[str, tuple[int, bytes]]:
    """Of all that is below a path, what it is and says."""
    found = {}
    for each in sorted(path.rglob("*")):
        mode = each.lstat().st_mode
        says = each.read_bytes() if stat.S_ISREG(mode) else b""
        found[str(each.relative_to(path))] = (mode, says)
    return found


def refused(path: Path) -> str:
    """Take a directory, which must fail and touch nothing; the error."""
    before = tree(path)
    with pytest.raises(DirectoryError) as caught:
        RuntimeDirectory(path).take()
    assert tree(path) == before
    assert "\n" not in str(caught.value)
    assert "choose another --runtime-dir" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [*NAMES, "notes.txt"])
@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_directory_with_something_of_the_users_is_refused(
    own: Path, name: str, what: str
) -> None:
    if what == "file":
        (own / name).write_text("precious")
    else:
        (own / name).mkdir(0o700)
        (own / name / "precious").write_text("precious")
    assert name in refused(own)


def test_a_link_to_a_directory_of_the_users_is_refused(runtime_dir: Path) -> None:
    victim = runtime_dir.parent / "victim"
    (victim / "actors").mkdir(0o700, parents=True)
    victim.chmod(0o700)
    (victim / "actors" / "precious").write_text("precious")
    runtime_dir.symlink_to(victim)
    with pytest.raises(DirectoryError, match="is no directory: it is a symbolic link"):
        RuntimeDirectory(runtime_dir).take()
    assert list(tree(victim)) == ["actors", "actors/precious"]


def marked(path: Path) -> None:
    """Leave a directory as a killed runtime does."""
    killed = os.fork()
    if not killed:
        try:
            RuntimeDirectory(path).take()
        finally:
            os._exit(0)
    os.waitpid(killed, 0)
    assert (path / MARKER).is_file()


def put_link(path: Path) -> None:
    (path.parent.parent / "victim").write_text("precious")
    path.symlink_to(path.parent.parent / "victim")


def put_socket(path: Path) -> None:
    leave_dead_socket(str(path))


PUT = {
    "a file": lambda path: path.write_text("precious"),
    "a directory": lambda path: path.mkdir(0o700),
    "a symbolic link": put_link,
    "a FIFO": os.mkfifo,
    "a socket": put_socket,
}
RIGHT = {
    "actors": "a directory",
    "d": "a directory",
    "supervisor.sock": "a socket",
    "thespian.log": "a file",
    "thespian.log.old": "a file",
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("what", PUT)
def test_in_a_runtimes_directory_what_is_of_the_wrong_kind_is_refused(
    runtime_dir: Path, name: str, what: str
) -> None:
    marked(runtime_dir)
    PUT[what](runtime_dir / name)
    if RIGHT[name] == what:
        directory = RuntimeDirectory(runtime_dir)
        directory.take()
        assert list(tree(runtime_dir)) == [MARKER]
        directory.release(remove=True)
    else:
        assert f"{name} is {what}, which no supervisor" in refused(runtime_dir)


@pytest.mark.parametrize("what", PUT)
def test_what_only_looks_like_a_marker_proves_nothing(own: Path, what: str) -> None:
    PUT[what](own / MARKER)
    (own / "actors").mkdir(0o700)
    assert "neither empty nor a supervisor's" in refused(own)


def test_what_a_dead_runtime_left_is_removed_and_nothing_beside_it(runtime_dir: Path) -> None:
    marked(runtime_dir)
    for name in ("actors", "d"):
        (runtime_dir / name).mkdir(0o700)
    leave_dead_socket(str(runtime_dir / "supervisor.sock"))
    for name in ("admin", "logger", "0123456789"):
        leave_dead_socket(str(runtime_dir / "actors" / name))
    leave_dead_socket(str(runtime_dir / "d" / "1f-2"))
    (runtime_dir / "d" / "1f-2.tally").touch()
    (runtime_dir / "d" / "1f-3").write_text("no socket")
    (runtime_dir / "actors" / "notes.txt").write_text("precious")
    (runtime_dir / "plant.toml").write_text("precious")

    directory = RuntimeDirectory(runtime_dir)
    directory.take()
    left = ["actors", "actors/notes.txt", "d", "d/1f-3", MARKER, "plant.toml"]
    assert list(tree(runtime_dir)) == left
    directory.release(remove=True)
    assert list(tree(runtime_dir)) == left  # and is a runtime's still
    directory.take()
    directory.release(remove=True)


def test_an_empty_directory_of_the_users_is_as_it_was_afterwards(own: Path) -> None:
    directory = RuntimeDirectory(own)
    directory.take()
    directory.release(remove=False)
    assert list(own.iterdir()) == []


def test_a_directory_that_took_the_place_of_a_runtimes_is_left_alone(runtime_dir: Path) -> None:
    directory = RuntimeDirectory(runtime_dir)
    directory.take()
    marked(runtime_dir.parent / "other")
    runtime_dir.rename(runtime_dir.parent / "moved")
    (runtime_dir.parent / "other").rename(runtime_dir)
    leave_dead_socket(str(runtime_dir / "supervisor.sock"))
    directory.release(remove=True)
    assert sorted(tree(runtime_dir)) == [MARKER, "supervisor.sock"]
    assert not tree(runtime_dir.parent / "moved")


def test_a_take_that_failed_removes_nothing_of_the_holder(runtime_dir: Path) -> None:
    holder = RuntimeDirectory(runtime_dir)
    holder.take()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(holder.socket_path)
        second = RuntimeDirectory(runtime_dir)
        with pytest.raises(DirectoryError, match=rf"\(pid {os.getpid()}\) runs in"):
            second.take()
        second.release(remove=True)
        assert sorted(tree(runtime_dir)) == [MARKER, "supervisor.sock"]
    holder.release(remove=True)
    assert not runtime_dir.exists()


def test_a_marker_that_was_half_written_does_not_keep_the_next_out(own: Path) -> None:
    (own / MARKER).touch()
    directory = RuntimeDirectory(own)
    directory.take()
    directory.release(remove=True)


# ---- no room, no right -----------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_without_room_for_a_file_nothing_is_left_and_the_error_says_so(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(belongings, "mark", full)
    with pytest.raises(DirectoryError, match=f"{os.strerror(code)}; make room on its file system"):
        RuntimeDirectory(runtime_dir).take()
    assert not runtime_dir.exists()


@pytest.mark.parametrize("what", ["a file", "a FIFO", "a socket"])
def test_what_is_no_directory_is_refused_as_what_it_is(runtime_dir: Path, what: str) -> None:
    PUT[what](runtime_dir)
    with pytest.raises(DirectoryError, match=f"is no directory: it is {what}; choose another"):
        RuntimeDirectory(runtime_dir).take()


def test_what_is_above_it_and_no_directory_is_named(runtime_dir: Path) -> None:
    runtime_dir.write_text("precious")
    with pytest.raises(DirectoryError, match=f"{runtime_dir} is no directory"):
        RuntimeDirectory(runtime_dir / "below").take()


def test_the_length_of_a_relative_path_is_that_of_the_whole(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = runtime_dir / ("x" * 80)
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    with pytest.raises(DirectoryError, match="is too long for the path of a socket"):
        RuntimeDirectory(Path("run")).take()


def test_a_file_system_without_inodes_is_refused_at_once(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(runtime_dir.parent)
    full = os.statvfs_result((*real[:5], 1000, 3, 3, *real[8:]))
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    with pytest.raises(DirectoryError, match="inodes for 3 more files, 16 are needed; make room"):
        RuntimeDirectory(runtime_dir).take()
    assert not runtime_dir.exists()


def test_a_file_system_that_has_no_sockets_is_refused_at_once(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_sockets(directory: PrivateDirectory) -> None:
        os.mkdir("supervisor.sock", dir_fd=directory.fd)  # bind(2) fails as well
        try:
            try_out(directory)
        finally:
            os.rmdir("supervisor.sock", dir_fd=directory.fd)

    try_out = belongings.try_out
    monkeypatch.setattr(belongings, "try_out", no_sockets)
    with pytest.raises(DirectoryError, match=r"no socket can be made: .*; choose another"):
        RuntimeDirectory(runtime_dir).take()
    assert not runtime_dir.exists()
