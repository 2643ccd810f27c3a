"""How messages are cut out of a stream of bytes. Pure.

A frame is a header and a body. The header says how long the body is, how many messages of
the other direction have been dealt with, and what kind of frame it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

HEADER: Final = struct.Struct("<QQB")
"""Length of the body, messages dealt with so far, kind."""

HELLO: Final = 1
"""The first frame of whoever connected: version and name."""
MESSAGE: Final = 2
"""A pickled message; counted."""
ACKNOWLEDGE: Final = 3
"""No body: only the header's count matters."""
REFUSE: Final = 4
"""A message could not be unpickled: its number, and why."""

MAX_FRAME: Final = 1 << 36
"""Bytes; a longer frame is taken for a broken stream."""
_NOTHING: Final = memoryview(b"")


class FramingError(Exception):
    """The bytes are no frames. Whoever sent them is to be hung up on."""


class Frame(NamedTuple):
    kind: int
    acknowledged: int
    body: memoryview
    """Valid until more is received."""


def header(kind: int, length: int, acknowledged: int) -> bytes:
    return HEADER.pack(length, acknowledged, kind)


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

    @property
    def is_between_frames(self) -> bool:
        return not self._rest and self._long is None

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
        return self._cut(piece)

    def _cut(self, data: memoryview) -> Iterator[Frame]:
        start, available = 0, len(data)
        while available - start >= HEADER.size:
            length, acknowledged, kind = HEADER.unpack_from(data, start)
            if not HELLO <= kind <= REFUSE or length > MAX_FRAME:
                raise FramingError(f"no frame: kind {kind}, {length:,} bytes")
            end = start + HEADER.size + length
            if end > available:
                self._keep_long(data[start:], end - start)
                return
            body = data[start + HEADER.size : end] if length else _NOTHING
            start = end
            yield Frame(kind, acknowledged, body)
        if start < available:
            self._rest = bytes(data[start:])

    def _keep_long(self, beginning: memoryview, length: int) -> None:
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
