"""Nothing is read from a user who could not run code as this one anyway."""

from __future__ import annotations

import os
import socket

import pytest

from actors.unix_base.kernel import credentials
from actors.unix_base.kernel.credentials import (
    Credentials,
    credentials_of,
    refuse_stranger,
    stranger,
)
from actors.unix_base.transport.sockets import Stranger, UnixSockets


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def sockets(runtime_dir):
    runtime_dir.mkdir(0o700)
    return UnixSockets(str(runtime_dir))


def someone(uid):
    return lambda sock: Credentials(uid, 1)


def test_the_other_end_of_a_socket_is_known(pair):
    assert credentials_of(pair[0]) == (os.geteuid(), os.getpid())


@pytest.mark.parametrize("uid", [os.geteuid(), 0])
def test_this_user_and_root_are_no_strangers(pair, monkeypatch, uid):
    monkeypatch.setattr(credentials, "credentials_of", someone(uid))

    assert stranger(pair[0]) is None
    refuse_stranger(pair[0], "/any/path")


def test_another_user_is_a_stranger(pair, monkeypatch):
    monkeypatch.setattr(credentials, "credentials_of", someone(4242))

    assert stranger(pair[0]) == 4242
    with pytest.raises(PermissionError, match="belongs to user id 4242"):
        refuse_stranger(pair[0], "/any/path")


def test_an_unprivileged_user_does_not_trust_a_third_one(pair, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(credentials, "credentials_of", someone(1001))

    assert stranger(pair[0]) == 1001


def test_where_the_system_does_not_tell_the_directory_has_to_do(pair, monkeypatch, runtime_dir):
    monkeypatch.setattr(credentials, "credentials_of", lambda sock: None)
    runtime_dir.mkdir(0o700)
    path = str(runtime_dir / "socket")

    assert stranger(pair[0]) is None
    refuse_stranger(pair[0], path)
    runtime_dir.chmod(0o722)
    with pytest.raises(PermissionError, match="others may write beside"):
        refuse_stranger(pair[0], path)


def test_a_stranger_is_hung_up_on_before_a_byte_is_read(sockets, monkeypatch):
    name = sockets.new_name()
    with sockets.listen(name) as listener, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(name)
        caller.sendall(b"an order")
        monkeypatch.setattr("actors.unix_base.transport.sockets.stranger", lambda sock: 4242)

        with pytest.raises(Stranger, match="4242"):
            sockets.accept(listener)

        caller.settimeout(10)
        with pytest.raises(ConnectionResetError):  # what it said was thrown away unread
            caller.recv(1)


def test_whoever_listens_under_a_name_is_looked_at_before_anything_is_said(sockets, monkeypatch):
    name = sockets.new_name()

    def refuse(sock, path):
        raise PermissionError(f"not trusting {path}")

    with sockets.listen(name) as listener:
        monkeypatch.setattr("actors.unix_base.transport.sockets.refuse_stranger", refuse)
        with pytest.raises(PermissionError):
            sockets.dial(name)
        callee, _ = listener.accept()
        with callee:
            assert callee.recv(1) == b""


def test_the_place_of_a_killed_listener_is_taken_over_and_of_a_live_one_not(sockets):
    name = sockets.new_name()
    sockets.listen(name).close()  # its file stays

    with sockets.listen(name), pytest.raises(OSError, match="in use"):
        sockets.listen(name)
    sockets.remove(name)
    sockets.remove(name)  # no matter
    assert not os.path.exists(name)
