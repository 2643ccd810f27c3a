"""Errors of this machine are not those of the other end, and what interrupts spoils nothing."""

from __future__ import annotations

import errno
import os
import socket
import time

import pytest

from actors.unix_base.kernel import socket_files
from actors.unix_base.kernel.socket_files import is_alive
from actors.unix_base.transport import sockets
from actors.unix_base.transport.sockets import UnixSockets
from tests.helpers.members import Member, run, wait_for


class Frail(socket.socket):
    """Does as it is told, and not always what it should."""

    error = 0
    """Of each call, until it is 0 again."""
    in_the_middle = None
    """Called once, when a part of something is sent."""

    def fail(self):
        if self.error:
            raise OSError(self.error, os.strerror(self.error))

    def send(self, data, *more):
        self.fail()
        call, self.in_the_middle = self.in_the_middle, None
        if call is None:
            return super().send(data)
        sent = super().send(data[:10])
        call()
        return sent

    def sendmsg(self, buffers, *more):
        self.fail()
        return super().sendmsg(buffers, *more)

    def recv_into(self, buffer, *more):
        self.fail()
        return super().recv_into(buffer, *more)

    def shutdown(self, how):
        """As on BSD and macOS: what was not read is gone."""
        if how != socket.SHUT_WR:
            try:
                while super().recv(1 << 16):
                    pass
            except BlockingIOError:
                pass
        super().shutdown(how)


class FrailSockets(UnixSockets):
    def dial(self, name):
        frail = Frail(fileno=super().dial(name).detach())
        frail.setblocking(False)
        self.last = frail
        return frail


@pytest.fixture
def frail_pair(trio):
    """The one that calls has a frail socket; with their admin."""
    admin, ann, bob = trio
    directory = ann.name.rpartition("/")[0]
    cal = Member(directory, "cal", FrailSockets)
    cal.post(bob, "first")
    bob.take()
    yield admin, cal, bob
    cal.close()


def frail_socket_of(member):
    return member.exchange._links._family.last


@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.ENOMEM])
def test_what_there_is_no_memory_to_send_waits_and_goes_on(frail_pair, error):
    admin, cal, bob = frail_pair
    sock = frail_socket_of(cal)
    sock.error = error
    for number in range(3):
        cal.post(bob, number)
    run(cal, bob, admin)
    assert cal.exchange.waiting == 1
    assert_does_not_spin(cal)

    sock.error = 0

    wait_for(lambda: run(cal) or not cal.exchange.waiting)
    assert bob.take(3) == [0, 1, 2]
    assert not admin.exchange.unread


def assert_does_not_spin(member):
    busy = time.process_time()
    member.exchange.do_io(0.05)
    assert time.process_time() - busy < 0.04


@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.ENOMEM])
def test_what_there_is_no_memory_to_receive_is_received_later(frail_pair, error):
    _, cal, bob = frail_pair
    sock = frail_socket_of(cal)
    sock.error = error
    bob.post(cal, "answer")
    run(cal, bob)
    assert_does_not_spin(cal)
    assert not cal.exchange.unread

    sock.error = 0

    assert cal.take() == ["answer"]


class Broken(UnixSockets):
    error = errno.EINVAL

    def accept(self, listener):
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return super().accept(listener)


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP])
def test_a_listener_that_is_broken_keeps_nobody_busy(directory, error, monkeypatch):
    monkeypatch.setattr(Broken, "error", error)
    ann, bob = Member(directory, "ann"), Member(directory, "bob", Broken)
    ann.post(bob, "hello")
    run(ann, bob)  # comes back
    assert_does_not_spin(bob)

    monkeypatch.setattr(Broken, "error", 0)

    assert bob.take() == ["hello"]
    ann.close()
    bob.close()


def test_a_handler_may_send_in_the_middle_of_a_send(frail_pair):
    _, cal, bob = frail_pair
    frail_socket_of(cal).in_the_middle = lambda: cal.post(bob, "from the handler")

    cal.post(bob, "whole")
    cal.post(bob, "after it")

    run(cal)
    assert bob.take(3) == ["whole", "from the handler", "after it"]


def test_what_a_handler_sends_goes_out_though_nothing_else_is_sent(frail_pair):
    _, cal, bob = frail_pair
    frail_socket_of(cal).in_the_middle = lambda: cal.post(bob, "from the handler")

    cal.post(bob, "whole")

    wait_for(lambda: run(cal, bob) or len(bob.exchange.unread) == 2)
    assert bob.take(2) == ["whole", "from the handler"]


def test_a_handler_that_raises_in_the_middle_of_a_send_spoils_nothing(frail_pair):
    admin, cal, bob = frail_pair

    def interrupt():
        raise KeyboardInterrupt

    frail_socket_of(cal).in_the_middle = interrupt
    with pytest.raises(KeyboardInterrupt):
        cal.post(bob, "cut off")
    cal.post(bob, "next")

    assert bob.take() == ["next"]
    wait_for(lambda: run(admin, cal) or "cut off" in letters(admin))


def letters(admin):
    return [message.deadMessage for _, message, _, _ in admin.exchange.unread]


def test_what_was_said_before_the_end_is_read_where_a_shutdown_discards_it(frail_pair):
    admin, cal, bob = frail_pair
    bob.post(cal, "last words")
    directory, _, name = bob.name.rpartition("/")
    bob.close()

    cal.post(bob, "too late")

    assert cal.take() == ["last words"]
    wait_for(lambda: run(admin, cal) or "too late" in letters(admin))
    bob.__init__(directory, name)


# ---- where a full queue looks like a dead process --------------------------------------


@pytest.fixture
def silent(directory):
    """The path of a socket at which nobody listens yet, and the socket."""
    path = f"{directory}/silent"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        yield path, sock
    os.unlink(path)


class To:
    def __init__(self, name):
        self.name = name


def test_one_that_refuses_for_now_is_called_again(trio, silent, monkeypatch):
    monkeypatch.setattr(sockets, "REFUSES_WHEN_FULL", True)
    _, ann, _ = trio
    path, sock = silent
    ann.post(To(path), "hello")
    assert ann.exchange.waiting == 1

    sock.listen()

    wait_for(lambda: run(ann) or not ann.exchange.waiting)


def test_one_that_refuses_for_long_is_gone(trio, silent, monkeypatch):
    monkeypatch.setattr(sockets, "REFUSES_WHEN_FULL", True)
    admin, ann, _ = trio

    ann.post(To(silent[0]), "hello")

    wait_for(lambda: run(ann, admin) or admin.exchange.unread)
    assert [each.deadMessage for each in admin.take()] == ["hello"]


def test_a_socket_file_of_one_that_refuses_for_now_is_not_taken_for_left_over(silent, monkeypatch):
    monkeypatch.setattr(socket_files, "REFUSES_WHEN_FULL", True)
    path, sock = silent
    assert not is_alive(path)
    monkeypatch.setattr(time, "sleep", lambda _: sock.listen())

    assert is_alive(path)
