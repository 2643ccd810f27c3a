"""No descriptors, full queues, and callers who talk nonsense do not stop an exchange."""

from __future__ import annotations

import errno
import os
import pickle
import socket
import struct
import threading
import time

import pytest

from actors.unix_base.transport import frames
from actors.unix_base.transport.exchange import Exchange
from actors.unix_base.transport.sockets import UnixSockets
from tests.conftest import open_descriptors
from tests.helpers.members import CAP, Member, run, wait_for

# ---- no room ---------------------------------------------------------------------------


class Scarce(UnixSockets):
    """There are no descriptors left for a while."""

    room = threading.Event()

    def dial(self, name):
        self.need_room()
        return super().dial(name)

    def accept(self, listener):
        self.need_room()
        return super().accept(listener)

    def need_room(self):
        if not self.room.is_set():
            raise OSError(errno.EMFILE, "no descriptors left")


def test_a_call_for_which_there_is_no_descriptor_waits_and_goes_on(directory):
    Scarce.room.clear()
    ann, bob = Member(directory, "ann", Scarce), Member(directory, "bob")
    for number in range(3):
        ann.post(bob, number)
    run(ann, bob)
    assert ann.exchange.waiting == 1

    Scarce.room.set()
    wait_for(lambda: run(ann) or not ann.exchange.waiting)

    assert bob.take(3) == [0, 1, 2]
    ann.close()
    bob.close()


def test_a_caller_for_whom_there_is_no_descriptor_waits_and_is_let_in(directory):
    Scarce.room.clear()
    ann, bob = Member(directory, "ann"), Member(directory, "bob", Scarce)
    ann.post(bob, "hello")
    run(ann, bob)
    busy = time.process_time()
    bob.exchange.do_io(0.05)  # it does not spin either
    assert time.process_time() - busy < 0.05
    assert not bob.exchange.unread

    Scarce.room.set()

    assert bob.take() == ["hello"]
    ann.close()
    bob.close()


def test_a_queue_that_is_full_is_waited_for(directory, monkeypatch):
    monkeypatch.setattr("actors.unix_base.transport.sockets._BACKLOG", 0)
    bob = Member(directory, "bob")
    callers = [Member(directory, f"caller-{number}") for number in range(8)]
    for number, each in enumerate(callers):
        each.post(bob, number)

    wait_for(lambda: run(bob, *callers) or len(bob.exchange.unread) == 8)

    assert sorted(bob.take(8)) == list(range(8))
    for each in [bob, *callers]:
        each.close()


def test_nothing_stays_open_of_one_that_cannot_listen(directory, monkeypatch):
    def full(self, name):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(UnixSockets, "listen", full)
    before = open_descriptors()

    with pytest.raises(OSError, match="No space left"):
        Exchange(UnixSockets(str(directory)), f"{directory}/ann", f"{directory}/admin")

    assert open_descriptors() == before


# ---- those who talk nonsense -----------------------------------------------------------


def hello(body):
    return frames.header(frames.HELLO, len(body), 0) + body


NONSENSE = {
    "no frame": b"GET / HTTP/1.1\r\n\r\n",
    "no pickle": hello(b"no pickle"),
    "no version": hello(pickle.dumps("no version")),
    "too much": hello(pickle.dumps((1, 2, 3))),
    "another version": hello(pickle.dumps((99, "/of/the/future"))),
    "no name": hello(pickle.dumps((1, None))),
    "a message without a greeting": frames.header(frames.MESSAGE, 4, 0) + b"rude",
    "a refusal of nothing": frames.header(frames.REFUSE, 0, 0),
    "an answer to nothing": hello(pickle.dumps((1, "/me")))
    + frames.header(frames.ACKNOWLEDGE, 0, 1),
    "two greetings": hello(pickle.dumps((1, "/twice"))) * 2,
}


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
def test_whoever_talks_nonsense_is_hung_up_on_and_others_are_not(trio, said):
    _, ann, bob = trio
    with socket.socket(socket.AF_UNIX) as rude:
        rude.settimeout(CAP)
        rude.connect(bob.name)
        rude.sendall(said)
        run(bob)
        try:
            assert rude.recv(100) == b""
        except ConnectionResetError:
            pass
    ann.post(bob, "polite")
    assert bob.take() == ["polite"]


def test_a_peer_that_ends_in_the_middle_of_a_frame_is_forgotten(trio):
    _, ann, bob = trio
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(bob.name)
        peer.sendall(hello(pickle.dumps((1, "/peer"))))
        peer.sendall(struct.pack("<QQB", 1 << 20, 0, frames.MESSAGE) + bytes(1000))
        run(bob)
        assert len(bob.exchange.links) == 1
    run(bob)

    assert not bob.exchange.links
    assert not bob.exchange.unread
    ann.post(bob, "hello")
    assert bob.take() == ["hello"]


def test_a_descriptor_that_was_watched_may_become_a_connection(trio):
    _, ann, bob = trio
    readable, writable = os.pipe()
    ann.exchange.watches.set([readable])
    os.close(readable)

    ann.post(bob, "takes the number that is free")
    ann.exchange.watches.set([])
    bob.take()
    bob.post(ann, "answer")

    assert ann.take() == ["answer"]
    os.close(writable)
