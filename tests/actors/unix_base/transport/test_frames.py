"""However the stream is cut, the same frames come out of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.unix_base.transport import frames
from actors.unix_base.transport.frames import FrameReader, FramingError

KINDS = [frames.HELLO, frames.MESSAGE, frames.ACKNOWLEDGE, frames.REFUSE]
SCRATCH_BYTES = 1 << 16

short_bodies = st.binary(max_size=40)
long_bodies = st.integers(0, 1 << 17).map(lambda size: bytes(range(256)) * (size // 256))
any_frame = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**64 - 1), short_bodies | long_bodies)


def as_bytes(frame):
    kind, acknowledged, body = frame
    return frames.header(kind, len(body), acknowledged) + body


def naive_frames(stream):
    """What the frames of a whole stream are, found in the plainest way, and the rest of it."""
    found = []
    while len(stream) >= 17:
        length, acknowledged, kind = struct.unpack("<QQB", stream[:17])
        if len(stream) < 17 + length:
            break
        found.append((kind, acknowledged, stream[17 : 17 + length]))
        stream = stream[17 + length :]
    return found, stream


def read(reader, stream, sizes):
    """Feed a stream in pieces of the given sizes, the last of which goes on for the rest."""
    scratch = memoryview(bytearray(SCRATCH_BYTES))
    found, sizes = [], list(sizes)
    while stream:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        room = reader.room(scratch)
        piece = stream[: min(size, len(room))]
        room[: len(piece)] = piece
        for kind, acknowledged, body in reader.received(room[: len(piece)]):
            found.append((kind, acknowledged, bytes(body)))
        stream = stream[len(piece) :]
        scratch[:] = bytes(SCRATCH_BYTES)  # nobody may rely on what was there
    return found


@given(st.lists(any_frame, max_size=6), st.lists(st.integers(1, 1 << 16), min_size=1, max_size=8))
def test_any_cut_of_the_stream_gives_the_same_frames(sent, sizes):
    stream = b"".join(map(as_bytes, sent))
    sizes[-1] = max(sizes[-1], 64)  # the rest of a long stream, byte by byte, takes minutes

    reader = FrameReader()

    assert read(reader, stream, sizes) == sent == naive_frames(stream)[0]
    assert reader.is_between_frames


@given(st.lists(any_frame, min_size=1, max_size=3), st.data())
def test_a_stream_that_ends_anywhere_gives_the_frames_that_were_whole(sent, data):
    stream = b"".join(map(as_bytes, sent))
    end = data.draw(st.integers(0, len(stream)))
    whole, rest = naive_frames(stream[:end])

    reader = FrameReader()

    assert read(reader, stream[:end], [1000]) == whole
    assert reader.is_between_frames == (not rest)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.just(3), short_bodies), max_size=5))
def test_a_stream_that_comes_byte_by_byte_gives_the_same_frames(sent):
    assert read(FrameReader(), b"".join(map(as_bytes, sent)), [1]) == sent


def test_a_long_frame_is_received_straight_into_its_place():
    reader, scratch = FrameReader(), memoryview(bytearray(100))
    size = 1 << 20
    first = frames.header(frames.MESSAGE, size, 0)

    assert list(reader.received(memoryview(first))) == []
    assert len(reader.room(scratch)) == size


@pytest.mark.parametrize(
    "nonsense",
    [
        struct.pack("<QQB", 0, 0, 0),
        struct.pack("<QQB", 0, 0, 5),
        struct.pack("<QQB", frames.MAX_FRAME + 1, 0, frames.MESSAGE),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_no_frames_are_noticed(nonsense):
    with pytest.raises(FramingError, match="no frame"):
        list(FrameReader().received(memoryview(nonsense)))


def test_frames_before_the_nonsense_are_given():
    stream = as_bytes((frames.MESSAGE, 1, b"good")) + bytes(17)
    found = iter(FrameReader().received(memoryview(stream)))

    _, _, body = next(found)
    assert bytes(body) == b"good"
    with pytest.raises(FramingError):
        next(found)


def test_a_frame_that_there_is_no_memory_for_is_an_error_of_the_stream(monkeypatch):
    def no_memory(size):
        raise MemoryError

    monkeypatch.setattr(frames, "bytearray", no_memory, raising=False)
    start = frames.header(frames.MESSAGE, 1 << 30, 0)

    with pytest.raises(FramingError, match="no memory for a frame of 1,073,741,841 bytes"):
        list(FrameReader().received(memoryview(start)))
