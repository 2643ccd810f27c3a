"""Messages on a Unix socket between a client and an actor.

A frame is a header (magic, version, length of the body) and a body: the pickled list of
messages that were ready together, everyday ones in their short forms. Unpickling runs code:
both ends must have made sure that the other could run code as this user anyway.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from actors.unix_base.kernel.buffers import new_room
from actors.wire.short_forms import restore, shorten

VERSION: Final = 4
"""One digit. Raised with every change of what frames hold, also when a message's class moves."""
HEADER: Final = struct.Struct("!4sQ")
NAME: Final = b"XSY"
_MAGIC: Final = NAME + b"%d" % VERSION
MAX_FRAME: Final = 1 << 30
"""Bytes; a longer frame is taken for a broken stream."""
COMFORTABLE: Final = 4 << 20
"""Bytes; a longer frame with several messages is cut into frames."""
_ROOM: Final = 64 << 20
"""Bytes of a frame beside the largest item: a spec with its snapshot, what is put together."""


def frame_limit(max_payload_bytes: int) -> int:
    """The longest frame that a door reads whose actor takes items of up to so many bytes."""
    return min(MAX_FRAME, max_payload_bytes + _ROOM)


class WireError(Exception):
    """Bytes are no frames of this version. A peer that sent them is to be hung up on."""


WHAT_TO_DO: Final = "install the same extsys for both, and start anew what runs the older one"
"""when they are of two versions."""


class WireVersionError(WireError):
    """The peer is an extsys of another version; the text names both."""

    def __init__(self, theirs: str) -> None:
        super().__init__(
            f"the other side speaks version {theirs} of extsys's wire, this one version {VERSION}: "
            + WHAT_TO_DO
        )
        self.theirs = theirs


def encode_frame(messages: Sequence[Any]) -> bytes:
    """One frame with these messages.

    Raises:
        WireError: it is longer than a peer takes.
        Exception: a message holds something that cannot be pickled, whatever that raised.
    """
    body = pickle.dumps([shorten(each) for each in messages], pickle.HIGHEST_PROTOCOL)
    if len(body) > MAX_FRAME:
        raise WireError(f"a frame of {len(body):,} bytes is more than {MAX_FRAME:,}")
    return HEADER.pack(_MAGIC, len(body)) + body


def encode_frames(
    messages: Sequence[Any],
    replace: Callable[[Any, Exception], Any],
    limit: int | None = None,
) -> Iterator[bytes]:
    """Frames with these messages, none longer than it has to be for the longest message.

    Args:
        replace: given a message that cannot be sent, and why, what to send in its place; None
            is nothing.
        limit: bytes of a frame that the peer takes; None is any that may be sent.
    """
    most = MAX_FRAME if limit is None else limit
    try:
        frame = encode_frame(messages)
        if len(frame) - HEADER.size > (most if len(messages) == 1 else min(COMFORTABLE, most)):
            raise WireError(f"a frame of {len(frame):,} bytes is more than {most:,}")
    except Exception as error:  # picklers raise whatever a __reduce__ raises
        if len(messages) > 1:  # one of them shall not cost the others their answers
            half = len(messages) // 2
            yield from encode_frames(messages[:half], replace, limit)
            yield from encode_frames(messages[half:], replace, limit)
            return
        other = replace(messages[0], error) if messages else None
        if other is not None:
            yield encode_frame([other])
    else:
        yield frame


class FrameDecoder:
    """Finds messages in a stream of bytes that comes in pieces of any size."""

    def __init__(self, room: memoryview | None = None, limit: int | None = None) -> None:
        """
        Args:
            room: to receive into, which others may use in between; None takes some.
            limit: bytes; a longer frame is not read. None reads any that may be sent.
        """
        self._limit = limit
        self.room = new_room() if room is None else room
        """Where to receive the next piece. :meth:`received` is owed for it at once."""
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame that has come in part."""
        return len(self._buffer)

    def received(self, count: int) -> Iterable[Any]:
        """The messages complete by now, in order.

        Args:
            count: how many bytes have come into the room.

        Raises:
            WireError: the stream is broken.
        """
        return self.feed(self.room[:count])

    def feed(self, data: bytes | memoryview) -> Iterable[Any]:
        """The same for a piece that came otherwise."""
        frame = (_MAGIC, len(data) - HEADER.size)
        if not self._buffer and frame[1] >= 0 and HEADER.unpack_from(data) == frame:
            # One frame in one piece, as nearly always: it is read where it is.
            try:
                return _messages_in(memoryview(data)[HEADER.size :])
            except WireError:
                pass  # once more below, where a broken stream stays one
        return self._cut(data)

    def _cut(self, data: bytes | memoryview) -> Iterator[Any]:
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            magic, length = HEADER.unpack_from(self._buffer)
            if magic != _MAGIC:
                if magic.startswith(NAME):
                    raise WireVersionError(magic.removeprefix(NAME).decode("ascii", "replace"))
                raise WireError(
                    f"expected a frame that begins with {_MAGIC!r}, got {magic!r}: "
                    "the other side is no extsys"
                )
            limit = MAX_FRAME if self._limit is None else self._limit
            if length > limit:
                raise WireError(f"a frame of {length:,} bytes is more than {limit:,}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            with memoryview(self._buffer) as view, view[HEADER.size : end] as body:
                messages = _messages_in(body)
            del self._buffer[:end]
            yield from messages


def _messages_in(body: memoryview) -> list[Any]:
    try:
        messages = pickle.loads(body)
        if isinstance(messages, list):
            return [restore(each) for each in messages]
    except Exception as error:
        raise WireError(f"a frame cannot be unpickled: {error}") from error
    raise WireError(f"a frame holds a list, not {type(messages).__name__}")
