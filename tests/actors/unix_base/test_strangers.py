"""Another user of this machine cannot run code in an actor, nor be taken for one."""

from __future__ import annotations

import os
import pickle
import socket
import stat
import time
from pathlib import Path

import pytest

from actors.unix_base.transport import frames
from tests.helpers import hosting
from tests.helpers.hosting import CAP, pid, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be a stranger")

NOBODY = 65534


class Harm:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def as_stranger(act, *args):
    """What another user's process says that it gets by something."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            said = act(*args)
        except OSError as error:
            said = type(error).__name__
        finally:
            os.write(writing, str(said).encode())
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(process, 0)
    return said


def attack(path, harm):
    """Greet with harm, and send some; gives what came back."""
    with socket.socket(socket.AF_UNIX) as attacker:
        attacker.settimeout(CAP)
        attacker.connect(path)
        greeting = pickle.dumps((1, "/an/address"))
        try:
            for kind, body in (
                (frames.HELLO, pickle.dumps(harm)),
                (frames.HELLO, greeting),
                (frames.MESSAGE, pickle.dumps(harm)),
            ):
                attacker.sendall(frames.header(kind, len(body), 0) + body)
        except (BrokenPipeError, ConnectionResetError):
            return "hung up on"
        try:
            return "answered" if attacker.recv(100) else "hung up on"
        except ConnectionResetError:
            return "hung up on"


def open_up(directory):
    """Let all come in, as if there was no private directory."""
    for each in (directory, *directory.parents):
        if each in (Path("/"), Path("/tmp")):
            break
        each.chmod(0o755)
    for each in directory.iterdir():
        each.chmod(0o777)


def close_again(directory):
    for each in (directory, directory.parent):
        each.chmod(0o700)


@pytest.fixture
def playground(tmp_path_factory):
    path = Path(hosting.ROOT.anchor, "tmp", f"xt-harm-{os.getpid()}-{time.monotonic_ns()}")
    path.mkdir()
    path.chmod(0o777)
    yield path
    for each in path.iterdir():
        each.unlink()
    path.rmdir()


def test_a_stranger_cannot_even_reach_a_socket(host, playground):
    host.create()
    host.directory.parent.parent.chmod(0o755)
    assert stat.S_IMODE(host.directory.stat().st_mode) == 0o700

    for name in os.listdir(host.directory):
        path = str(host.directory / name)
        assert as_stranger(attack, path, Harm(playground / "harm")) == "PermissionError"


def test_a_stranger_who_reaches_a_socket_is_refused_before_a_byte_is_read(host, playground):
    actor = host.create()
    open_up(host.directory)
    harm = playground / "harm"
    try:
        for name in ("admin", "logger", Path(str(actor)[14:]).name):
            path = host.directory / name
            assert path.exists()
            assert as_stranger(attack, str(path), Harm(harm)) == "hung up on"
    finally:
        close_again(host.directory)
    assert host.pid_of(actor)
    assert not harm.exists()


def test_the_same_attack_by_this_user_would_have_done_it(host, playground):
    """As it may: who is this user can run code anyway. It shows that the test before can fail."""
    harm = playground / "harm"

    attack(str(host.directory / "admin"), Harm(harm))

    wait_until(harm.exists)


def test_a_socket_in_which_a_stranger_listens_is_not_talked_to(playground):
    path = str(playground / "admin")
    ready, said = playground / "ready", playground / "said"

    process = os.fork()
    if process == 0:
        os.setuid(NOBODY)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            ready.touch()
            caller, _ = listener.accept()
            said.write_bytes(b"heard: " + caller.recv(100))
        os._exit(0)
    wait_until(ready.exists)
    from actors.unix_base.transport.sockets import UnixSockets

    with pytest.raises(PermissionError, match=f"belongs to user id {NOBODY}"):
        UnixSockets(str(playground)).dial(path)
    os.waitpid(process, 0)
    assert said.read_bytes() == b"heard: "


def test_a_system_does_not_start_in_a_directory_of_others(sockets):
    sockets.mkdir(mode=0o700)
    os.chown(sockets, NOBODY, NOBODY)
    with hosting.host(sockets) as host:
        with pytest.raises(RuntimeError, match=f"belongs to user id {NOBODY}"):
            host.wait_until_attached()
        os.chown(sockets, 0, 0)
        sockets.chmod(0o750)
        with pytest.raises(RuntimeError, match=r"others may enter .*chmod 0700"):
            host.wait_until_attached()
        sockets.chmod(0o700)
        assert host.ask(host.create(), pid)
