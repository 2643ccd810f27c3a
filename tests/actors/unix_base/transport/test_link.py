"""One connection: what is owed on it is known, whatever happens at the other end."""

from __future__ import annotations

import pickle
import socket
import struct

import pytest

from actors.unix_base.transport import frames
from actors.unix_base.transport.link import Link, LinkLost

BIG = 1 << 20


@pytest.fixture
def ends():
    """Two linked ends of a connection, of which the first one called."""
    caller, callee = socket.socketpair()
    for each in (caller, callee):
        each.setblocking(False)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    first, second = Link("second", None), Link("first", None)
    first.open(caller, None)
    second.open(callee, None)
    yield first, second
    caller.close()
    callee.close()


def read(link):
    """All frames that came."""
    scratch = memoryview(bytearray(1 << 16))
    found = []
    while pieces := [(kind, count, bytes(body)) for kind, count, body in link.read(scratch)]:
        found += pieces
    return found


def posted(number, body=b""):
    return (f"message {number}", body, None)


def test_what_is_posted_before_there_is_a_connection_goes_after_the_greeting():
    caller, callee = socket.socketpair()
    with caller, callee:
        caller.setblocking(False)
        link = Link("other", None)
        link.post(posted(1, b"one"))
        link.post(posted(2, b"two"))
        link.open(caller, "me")

        stream = callee.recv(1 << 16)
        reader = frames.FrameReader()
        received = [(kind, bytes(body)) for kind, _, body in reader.received(memoryview(stream))]

        assert received[1:] == [(frames.MESSAGE, b"one"), (frames.MESSAGE, b"two")]
        assert received[0][0] == frames.HELLO
        assert pickle.loads(received[0][1]) == (1, "me")
        assert link.backlog_bytes == 0


def test_what_the_other_end_does_not_take_waits_and_its_size_is_known(ends):
    first, second = ends
    bodies = [bytes([number]) * size for number, size in enumerate((10, BIG, 20, 40_000, 0))]
    for number, body in enumerate(bodies):
        first.post(posted(number, body))
    assert first.backlog_bytes == sum(map(len, first.backlog)) > BIG // 2

    found = []
    while first.backlog:
        found += read(second)
        first.write()
        assert first.backlog_bytes == sum(map(len, first.backlog))
    found += read(second)

    assert [body for _, _, body in found] == bodies


def test_a_message_is_kept_until_the_other_end_has_dealt_with_it(ends):
    first, second = ends
    for number in range(3):
        first.post(posted(number))
    read(second)
    second.dealt_with = 2
    second.acknowledge()

    [(kind, count, _)] = read(first)

    assert (kind, count) == (frames.ACKNOWLEDGE, 2)
    assert first.settle(count) == [posted(0), posted(1)]
    assert list(first.posted) == [posted(2)]


def test_nothing_is_said_when_there_is_nothing_new_to_acknowledge(ends):
    first, second = ends
    second.acknowledge()
    second.dealt_with = 1
    second.post(posted(0, b"tells it along the way"))
    second.acknowledge()

    assert [(kind, count) for kind, count, _ in read(first)] == [(frames.MESSAGE, 1)]


def test_a_refused_message_is_the_first_that_was_not_dealt_with(ends):
    first, second = ends
    for number in range(3):
        first.post(posted(number))
    second.dealt_with = 1
    second.refuse("cannot read it")

    [(kind, count, why)] = read(first)

    assert (kind, why) == (frames.REFUSE, b"cannot read it")
    assert first.settle(count) == [posted(0)]
    assert first.refused() == posted(1)
    second.dealt_with += 1
    second.acknowledge()
    [(_, count, _)] = read(first)
    assert first.settle(count) == [posted(2)]


def test_whoever_claims_to_have_dealt_with_what_was_never_sent_is_hung_up_on(ends):
    first, _ = ends
    first.post(posted(0))

    with pytest.raises(LinkLost, match="dealt with 2 messages, of 1"):
        first.settle(2)
    first.settle(1)
    with pytest.raises(LinkLost):
        first.settle(0)
    with pytest.raises(LinkLost, match="refused a message that was never sent"):
        first.refused()


def test_a_peer_that_closed_is_lost_and_what_it_said_before_is_read_first(ends):
    first, second = ends
    first.post(posted(0, b"last words"))
    first.sock.close()

    assert [body for _, _, body in second.read(memoryview(bytearray(100)))] == [b"last words"]
    with pytest.raises(LinkLost, match=r"it ended$"):
        list(second.read(memoryview(bytearray(100))))


@pytest.mark.parametrize("cut", [3, 17, 20, 60_000])
def test_a_peer_that_ended_in_the_middle_of_a_frame_is_lost(ends, cut):
    first, second = ends
    second.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    first.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    frame = frames.header(frames.MESSAGE, 100_000, 0) + bytes(100_000)
    first.sock.sendall(frame[:cut])
    first.sock.close()

    with pytest.raises(LinkLost, match="in the middle of a message"):
        read_to_the_end(second)


def read_to_the_end(link):
    while True:
        assert list(link.read(memoryview(bytearray(1 << 18)))) == []


def test_sending_to_a_peer_that_is_gone_loses_it_and_keeps_the_messages(ends):
    first, second = ends
    second.sock.close()

    for number in range(2):
        with pytest.raises(LinkLost):
            first.post(posted(number, b"body"))
    assert list(first.posted) == [posted(0, b"body"), posted(1, b"body")]


def test_writing_what_waits_to_a_peer_that_is_gone_loses_it(ends):
    first, second = ends
    first.post(posted(0, bytes(BIG)))
    second.sock.close()

    with pytest.raises(LinkLost):
        first.write()


def test_bytes_that_are_no_frames_lose_the_link(ends):
    first, second = ends
    first.sock.send(struct.pack("<QQB", 0, 0, 77))

    with pytest.raises(LinkLost, match="no frame: kind 77"):
        list(second.read(memoryview(bytearray(100))))


def test_nothing_to_read_is_no_frames(ends):
    assert read(ends[0]) == []
