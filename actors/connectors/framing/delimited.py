"""Frames that end in a delimiter, and lines."""

from __future__ import annotations

from typing import Any, Final

import attrs

from actors.connectors.framing.stream import ENCODING, Decoder, Framing, keeps_ascii
from actors.errors import ItemRefusedError
from actors.settings import Allowed, text

DELIMITER: Final = Allowed(text="bytes, at least one", types=(bytes,), check=bool)
LINE_ENDING: Final = text(
    "ASCII characters, at least one", lambda value: value.isascii() and value != ""
)


class DelimiterDecoder(Decoder):
    """Frames between occurrences of one delimiter.

    When a frame was ended by silence, what completes its delimiter later belongs to it.
    """

    def __init__(self, delimiter: bytes, max_frame_size: int) -> None:
        super().__init__(max_frame_size)
        self._delimiter = delimiter
        self._owes_delimiter = False
        """Whether silence has ended the last frame, and nothing has come since."""

    def _decode(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        buffer = self._buffer
        # What was searched before is not searched again, but a delimiter may have begun there.
        start = max(0, len(buffer) - len(self._delimiter) + 1)
        buffer += data
        frames: list[bytes] = []
        if buffer.find(self._delimiter, start) >= 0:
            *found, rest = bytes(buffer).split(self._delimiter)
            if self._owes_delimiter and not self._trim(found[0]):
                del found[0]
            for raw in found:
                frame = self._trim(raw)
                if len(frame) > self._max_frame_size:
                    self._break(len(frame))
                    return frames
                frames.append(frame)
            buffer[:] = rest
            self._owes_delimiter = False
        if len(buffer) > self._max_frame_size:
            least = self._least_size(buffer)
            if least > self._max_frame_size:
                self._break(least)
        return frames

    def end_by_silence(self) -> list[bytes]:
        frame = self._trim(bytes(self._buffer))
        if not frame:
            return []
        self._buffer.clear()
        self._owes_delimiter = True
        return [frame]

    def _trim(self, raw: bytes) -> bytes:
        return raw

    def _least_size(self, unfinished: bytearray) -> int:
        """How long the frame is at least that begins with ``unfinished``: a delimiter may
        have begun at its end."""
        return len(unfinished) - len(self._delimiter) + 1


class _NewlineDecoder(DelimiterDecoder):
    r"""Lines that end in ``\n`` or ``\r\n``."""

    def __init__(self, max_frame_size: int) -> None:
        super().__init__(b"\n", max_frame_size)

    def _trim(self, raw: bytes) -> bytes:
        return raw.removesuffix(b"\r")

    def _least_size(self, unfinished: bytearray) -> int:
        return len(unfinished) - unfinished.endswith(b"\r")


class _ReturnDecoder(DelimiterDecoder):
    r"""Lines that end in ``\r``, or in ``\r\n`` with the ``\n`` as the next line's first byte."""

    def __init__(self, max_frame_size: int) -> None:
        super().__init__(b"\r", max_frame_size)

    @property
    def pending(self) -> int:
        return 0 if self._buffer == b"\n" else super().pending

    def _trim(self, raw: bytes) -> bytes:
        return raw.removeprefix(b"\n")

    def _least_size(self, unfinished: bytearray) -> int:
        return len(unfinished) - unfinished.startswith(b"\n")


@attrs.frozen(kw_only=True)
class LineFraming(Framing):
    r"""One item is one line.

    Attributes:
        encoding: ``utf-8`` unless told; it must leave ASCII characters as they are.
        line_ending: what is sent after each item, and what ends those that come. With ``\n``
            or ``\r\n``, either of them ends a line that comes; with ``\r``, ``\r\n`` does, too.
    """

    encoding: str | None = attrs.field(default="utf-8", validator=ENCODING)
    line_ending: str = attrs.field(default="\n", validator=LINE_ENDING)

    def __attrs_post_init__(self) -> None:
        if self.encoding is not None and not keeps_ascii(self.encoding):
            raise ValueError("encoding has no single-byte line ends: use DelimiterFraming")

    def encode(self, item: Any) -> bytes:
        payload = self._payload(item)
        ending = self.line_ending.encode("ascii")
        if ending in (b"\n", b"\r\n"):
            several = b"\n" in payload or payload.endswith(b"\r")
        else:
            several = (payload + ending).find(ending) != len(payload)
            several = several or (ending == b"\r" and payload.startswith(b"\n"))
        if several:
            raise ItemRefusedError(
                "the item has a line end in it: send one line without its end, which is added"
            )
        return payload + ending

    def decoder(self) -> Decoder:
        if self.line_ending in ("\n", "\r\n"):
            return _NewlineDecoder(self.max_frame_size)
        if self.line_ending == "\r":
            return _ReturnDecoder(self.max_frame_size)
        return DelimiterDecoder(self.line_ending.encode("ascii"), self.max_frame_size)


@attrs.frozen(kw_only=True)
class DelimiterFraming(Framing):
    """Each item is followed by fixed bytes that no item contains.

    Attributes:
        delimiter: those bytes, at least one.
    """

    delimiter: bytes = attrs.field(validator=DELIMITER)

    def encode(self, item: Any) -> bytes:
        payload = self._payload(item)
        frame = payload + self.delimiter
        # The end of an item and the delimiter can make an earlier delimiter between them.
        if frame.find(self.delimiter) != len(payload):
            raise ItemRefusedError(
                "the item has the delimiter in it, or with the delimiter after it: "
                "it would be read as several items"
            )
        return frame

    def decoder(self) -> Decoder:
        return DelimiterDecoder(self.delimiter, self.max_frame_size)
