"""Sockets are in a directory that only its user may enter, and that is made clear."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
from pathlib import Path

import pytest

from actors.unix_base.kernel.private_directory import PrivateDirectory
from actors.unix_base.kernel.socket_files import is_alive
from actors.unix_base.names import ADMIN_PORT, SOCKET_DIRECTORY
from actors.unix_base.transport import directory
from actors.unix_base.transport.directory import (
    MAX_PATH,
    SocketDirectoryError,
    SystemLock,
    make_place,
    new_socket_path,
    remove_dead_sockets,
    system_directory,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def place(runtime_dir):
    return str(runtime_dir / "system")


def listening(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    return sock


def leave_dead_socket(path):
    listening(path).close()


# ---- where it is -----------------------------------------------------------------------


def test_a_directory_that_was_given_is_taken_before_all_others(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    given = {SOCKET_DIRECTORY: "/run/mine", ADMIN_PORT: 7}

    assert system_directory(given) == "/run/mine/7"


def test_the_users_runtime_directory_is_taken_if_there_is_one(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(directory, "MAX_PATH", 1000)

    assert system_directory({}) == f"{tmp_path}/thespian/1900"


@pytest.mark.parametrize("runtime", [None, "", "/nowhere/at/all"])
def test_without_one_it_is_in_the_temporary_directory(monkeypatch, runtime):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if runtime is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")

    assert system_directory({ADMIN_PORT: "x"}) == f"/tmp/thespian-{os.geteuid()}/x"


def test_a_path_that_is_too_long_for_a_socket_is_refused_with_the_lengths():
    long = "/tmp/" + "d" * 100

    with pytest.raises(SocketDirectoryError, match=r"paths of \d+ bytes.*may have 103.*Socket Dir"):
        system_directory({SOCKET_DIRECTORY: long})


def test_the_longest_path_that_is_allowed_can_be_listened_at(runtime_dir):
    beside = len(os.fsencode(f"{runtime_dir}//1900/")) + 10
    where = str(runtime_dir / ("d" * (MAX_PATH - beside)))
    place = system_directory({SOCKET_DIRECTORY: where})
    make_place(place)

    path = new_socket_path(place)

    assert len(os.fsencode(path)) == MAX_PATH
    listening(path).close()
    with pytest.raises(SocketDirectoryError):
        system_directory({SOCKET_DIRECTORY: where + "d"})


def test_the_length_of_a_path_is_that_of_its_bytes():
    with pytest.raises(SocketDirectoryError):
        system_directory({SOCKET_DIRECTORY: "/tmp/" + "ü" * 45})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b"])
def test_an_admin_port_that_names_no_directory_is_refused(name):
    with pytest.raises(SocketDirectoryError, match="cannot name a directory"):
        system_directory({SOCKET_DIRECTORY: "/tmp", ADMIN_PORT: name})


# ---- who may enter ---------------------------------------------------------------------


def test_a_new_directory_is_for_its_user_alone_whatever_the_umask(place):
    before = os.umask(0)
    try:
        make_place(place)
    finally:
        os.umask(before)

    status = os.stat(place)
    assert stat.S_IMODE(status.st_mode) == 0o700
    assert status.st_uid == os.geteuid()
    make_place(place)  # and again, now that it is there


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o710, 0o701, 0o720, 0o777])
def test_a_directory_that_others_may_enter_is_refused(place, mode):
    make_place(place)
    os.chmod(place, mode)

    with pytest.raises(SocketDirectoryError, match=f"others may enter .*{mode:04o}.*chmod 0700"):
        make_place(place)


@needs_root
def test_a_directory_of_somebody_else_is_refused(place):
    make_place(place)
    os.chown(place, 12345, 12345)

    with pytest.raises(SocketDirectoryError, match="belongs to user id 12345"):
        make_place(place)


def test_a_link_to_a_directory_is_refused(place, tmp_path):
    os.mkdir(os.path.dirname(place), 0o700)
    os.symlink(tmp_path, place)

    with pytest.raises(SocketDirectoryError, match="is no directory"):
        make_place(place)


def test_a_directory_that_cannot_be_made_is_a_clear_error(place, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "mkdir", full)

    with pytest.raises(SocketDirectoryError, match="cannot be made: No space left on device"):
        make_place(place)


# ---- whose it is -----------------------------------------------------------------------


def test_only_one_admin_may_be_in_a_directory(place):
    lock = SystemLock(place)

    assert SystemLock.is_held(place)
    with pytest.raises(SocketDirectoryError, match="an actor system runs in"):
        SystemLock(place)

    lock.release()
    assert not SystemLock.is_held(place)
    SystemLock(place).release()


def test_nothing_is_left_of_a_directory_that_was_released(place):
    lock = SystemLock(place)
    leave_dead_socket(f"{place}/0123456789")

    lock.release()

    assert not Path(place).exists()


def test_whoever_still_listens_in_a_released_directory_keeps_it(place):
    lock = SystemLock(place)
    with listening(f"{place}/host"):
        lock.release()
        assert os.listdir(place) == ["host"]


def test_somebody_who_asks_whether_an_admin_is_there_does_not_keep_one_out(place, monkeypatch):
    make_place(place)
    asking = os.open(place, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    flock = fcntl.flock
    tries = []

    def ask_no_more_after_the_first_try(fd, how):
        tries.append(how)
        if len(tries) == 2:
            flock(asking, fcntl.LOCK_UN)
        return flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", ask_no_more_after_the_first_try)
    try:
        SystemLock(place).release()
    finally:
        os.close(asking)


def test_dead_sockets_are_removed_and_nothing_else(place):
    make_place(place)
    dead, alive, file, others = "0" * 10, "1" * 10, "2" * 10, "of-somebody-else"
    leave_dead_socket(f"{place}/{dead}")
    leave_dead_socket(f"{place}/{others}")
    Path(place, file).touch()

    with listening(f"{place}/{alive}"), PrivateDirectory(place) as opened:
        remove_dead_sockets(opened, older_than=1000.0)
        assert set(os.listdir(place)) == {dead, alive, file, others}
        remove_dead_sockets(opened)
        assert set(os.listdir(place)) == {alive, file, others}


def test_a_file_called_as_the_loggers_socket_is_not_removed(place):
    make_place(place)
    Path(place, "logger").write_text("precious")

    SystemLock(place).release()

    assert Path(place, "logger").read_text() == "precious"


def test_a_listener_is_alive_also_when_its_queue_is_full(place):
    make_place(place)
    path = f"{place}/busy"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert not is_alive(path)
        listener.listen(0)
        waiting = []
        for _ in range(3):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            waiting.append(one)
            try:
                one.connect(path)
            except BlockingIOError:
                pass
        assert is_alive(path)
        for one in waiting:
            one.close()
    assert not is_alive(path)
    assert not is_alive(f"{place}/nobody")


def test_paths_for_sockets_are_all_different():
    paths = {new_socket_path("/d") for _ in range(1000)}

    assert len(paths) == 1000
    assert all(re.fullmatch("/d/[0-9a-f]{10}", path) for path in paths)
