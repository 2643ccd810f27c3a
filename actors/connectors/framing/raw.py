"""No frames at all: what comes, as it comes."""

from __future__ import annotations

import codecs
from typing import Any

import attrs

from actors.connectors.framing.stream import Decoder, Framing
from actors.errors import ItemRefusedError


class _RawDecoder(Decoder):
    def __init__(self, max_frame_size: int, encoding: str | None, until_silence: bool) -> None:
        super().__init__(max_frame_size)
        self._until_silence = until_silence
        # It only finds where the last whole character ends.
        self._text = None if encoding is None else codecs.getincrementaldecoder(encoding)("replace")

    def _decode(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        self._buffer += data
        size = self._max_frame_size
        frames: list[bytes] = []
        while len(self._buffer) > size:
            frames.append(self._take(size))
        if not self._until_silence and self._buffer:
            frames.append(self._take(len(self._buffer)))
        return [frame for frame in frames if frame]

    def end_by_silence(self) -> list[bytes]:
        frame = bytes(self._buffer)
        self._buffer.clear()
        return [frame] if frame else []

    def _take(self, size: int) -> bytes:
        """So many bytes, less those of a character that goes on behind them."""
        frame = bytes(self._buffer[:size])
        if self._text is not None:
            self._text.reset()
            self._text.decode(frame)
            cut = len(self._text.getstate()[0])
            if cut < size:
                frame = frame[: size - cut]
            elif size < self._max_frame_size:
                return b""  # it is nothing but the beginning of one
        del self._buffer[: len(frame)]
        return frame


@attrs.frozen(kw_only=True)
class RawFraming(Framing):
    """An item is what one read of the connection gives, which may be any part of what was sent.

    Attributes:
        until_silence: an item is what comes until nothing comes for a while.
        max_frame_size: what is longer comes as several items.
    """

    until_silence: bool = False

    def encode(self, item: Any) -> bytes:
        payload = self._payload(item)
        if not payload:
            raise ItemRefusedError("the item is empty: nothing would be sent")
        return payload

    def decoder(self) -> Decoder:
        return _RawDecoder(self.max_frame_size, self.encoding, self.until_silence)
