"""How messages are cut out of a stream of bytes. Pure.

A frame is a header and a body. The header says how long the body is, how many messages of
the other direction have been dealt with, and what kind of frame it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

HEADER: Final = struct.Struct("<QQB")
"""Length of the body, messages dealt with so far, kind."""
HEADER_BYTES: Final = HEADER.size

HELLO: Final = 1
"""The first frame of whoever connected: version and name."""
MESSAGE: Final = 2
"""A pickled message; counted."""
ACKNOWLEDGE: Final = 3
"""No body: only the header's count matters."""
REFUSE: Final = 4
"""A message could not be unpickled: its number, and why."""

_KINDS: Final = frozenset({HELLO, MESSAGE, ACKNOWLEDGE, REFUSE})
_unpack = HEADER.unpack_from

MAX_FRAME: Final = 1 << 36
"""Bytes; a longer frame is taken for a broken stream."""
_NOTHING: Final = memoryview(b"")


class FramingError(Exception):
    """The bytes are no frames. Whoever sent them is to be hung up on."""


Frame = tuple[int, int, memoryview]
"""Its kind, messages dealt with, and its body, which is valid until more is received."""


def header(kind: int, length: int, acknowledged: int) -> bytes:
    return HEADER.pack(length, acknowledged, kind)


def only_frame(room: memoryview, count: int) -> Frame | None:
    """The one frame of an everyday piece, which is exactly one; None if it may be otherwise.

    Args:
        count: bytes at the beginning of ``room`` that were received between two frames.
    """
    if count < HEADER_BYTES:
        return None
    length, acknowledged, kind = _unpack(room)
    if HEADER_BYTES + length != count or kind not in _KINDS:
        return None
    return kind, acknowledged, room[HEADER_BYTES:count]


class FrameReader:
    """Finds frames in a stream that comes in pieces of any size.

    Frames that arrive whole are read where they were received. Only what is incomplete is
    kept here; a long frame is received straight into its final place.
    """

    def __init__(self) -> None:
        self._rest = b""
        """The beginning of a frame that may be short."""
        self._long: bytearray | None = None
        """A frame, header included, that is longer than one piece."""
        self._filled = 0
        self.is_between_frames = True

    def room(self, scratch: memoryview) -> memoryview:
        """Where to receive the next piece.

        Args:
            scratch: memory that can be used until the frames of this piece are dealt with.
        """
        if self._long is not None:
            return memoryview(self._long)[self._filled :]
        return scratch

    def received(self, piece: memoryview) -> Iterable[Frame]:
        """The frames that are complete now, in order.

        Args:
            piece: what was received, at the beginning of what :meth:`room` gave.

        Raises:
            FramingError: the stream is broken.
        """
        if self._long is not None:
            self._filled += len(piece)
            if self._filled < len(self._long):
                return ()
            piece, self._long = memoryview(self._long), None
        elif self._rest:
            piece = memoryview(self._rest + piece)
            self._rest = b""
        self.is_between_frames = True
        return self._cut(piece)

    def _cut(self, data: memoryview) -> Iterator[Frame]:
        start, available = 0, len(data)
        while available - start >= HEADER_BYTES:
            length, acknowledged, kind = _unpack(data, start)
            if kind not in _KINDS or length > MAX_FRAME:
                raise FramingError(f"no frame: kind {kind}, {length:,} bytes")
            end = start + HEADER_BYTES + length
            if end > available:
                self._keep(data[start:], end - start)
                return
            body = data[start + HEADER_BYTES : end] if length else _NOTHING
            start = end
            yield kind, acknowledged, body
        if start < available:
            self._keep(data[start:], HEADER_BYTES)

    def _keep(self, beginning: memoryview, length: int) -> None:
        """Keep the beginning of a frame that has so many bytes, or more."""
        self.is_between_frames = False
        if length < _SHORT:
            self._rest = bytes(beginning)
            return
        try:
            self._long = bytearray(length)
        except MemoryError:
            raise FramingError(f"no memory for a frame of {length:,} bytes") from None
        self._long[: len(beginning)] = beginning
        self._filled = len(beginning)


_SHORT: Final = 1 << 15
"""Bytes up to which a frame is completed by copying it."""
