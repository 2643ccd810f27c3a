"""Frames on a stream that may break anywhere."""

import pickle
import struct

import hypothesis.strategies as st
import pytest
from hypothesis import given

from actors.messages import SendData
from actors.payload import PayloadError
from actors.wire.frames import MAX_FRAME, VERSION, FrameDecoder, WireError, encode_frame

messages = st.lists(st.one_of(st.integers(), st.text(), st.binary()))


def frame(body, magic=b"XSY%d" % VERSION, length=None):
    return struct.pack("!4sQ", magic, len(body) if length is None else length) + body


@given(st.lists(messages), st.data())
def test_messages_come_out_whole_however_the_stream_is_split(frames, data):
    stream = b"".join(map(encode_frame, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    reader, seen = FrameDecoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        seen.extend(reader.feed(stream[start:end]))
    assert seen == [message for each in frames for message in each]
    assert not reader._buffer


def test_a_stream_may_come_byte_by_byte():
    request = SendData("plc", b"x")
    reader = FrameDecoder()
    seen = [list(reader.feed(bytes([byte]))) for byte in encode_frame([request, 2])]
    assert seen[-1] == [request, 2]
    assert not any(seen[:-1])


def test_what_was_complete_before_a_break_still_counts():
    reader = FrameDecoder()
    read = iter(reader.feed(encode_frame([1]) + b"GET / HTTP/1.1\r\n"))
    assert next(read) == 1
    with pytest.raises(WireError, match="no extsys"):
        next(read)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "begins with"),
        (frame(b"", magic=b"XSY1"), f"version 1 .* version {VERSION}"),
        (frame(b"", length=MAX_FRAME + 1), "more than"),
        (frame(b"", length=2**64 - 1), "more than"),
        (frame(b"no pickle"), "unpickled"),
        (frame(b""), "unpickled"),
        (frame(pickle.dumps([1])[:-3]), "unpickled"),
        (frame(b"cno.such.module\nthing\n."), "unpickled"),
        (frame(pickle.dumps(7)), "list"),
        (frame(pickle.dumps("text")), "list"),
        (frame(pickle.dumps({"a": 1})), "list"),
    ],
    ids=range(11),
)
def test_a_broken_stream_is_refused_and_stays_so(stream, why):
    reader = FrameDecoder()
    with pytest.raises(WireError, match=why):
        list(reader.feed(stream))
    with pytest.raises(WireError):
        list(reader.feed(encode_frame([1])))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_wire_error(stream):
    try:
        list(FrameDecoder().feed(stream))
    except WireError:
        pass


def test_a_frame_that_is_not_complete_is_waited_for():
    assert list(FrameDecoder().feed(frame(b"half", length=MAX_FRAME))) == []


def test_data_that_cannot_be_pickled_is_the_senders_fault():
    with pytest.raises(PayloadError):
        encode_frame([SendData("plc", (item for item in ()))])
