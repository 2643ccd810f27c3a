"""Where one item ends and the next begins in a stream of bytes.

Pure: nothing here reads or writes. A *framing* is a frozen choice that may be shared and
pickled; its :meth:`Framing.decoder` holds the state of one stream. A decoder gives raw
frames, and :meth:`Framing.item` makes an item of one frame: a frame with bytes that are
no text is then one bad item, and not the end of the stream.

Both directions are linear in the number of bytes, however the stream is cut into chunks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, Literal

import attrs

from actors.errors import ConnectorError, ItemRefusedError
from actors.settings import Allowed, one_of, whole_number

DEFAULT_MAX_FRAME_SIZE: Final = 16 * 1024 * 1024
PREFIX_SIZES: Final = (1, 2, 4, 8)
BYTE_ORDERS: Final = ("big", "little")
LINE_ENDINGS: Final = ("\n", "\r\n")

_ASCII: Final = bytes(range(128))


def is_text_encoding(name: object) -> bool:
    """Whether ``name`` is an encoding that Python makes bytes of any text with."""
    if not isinstance(name, str):
        return False
    try:
        return "a".encode(name).decode(name) == "a"
    except (LookupError, ValueError):
        return False


def keeps_ascii(name: str) -> bool:
    """Whether ASCII characters stay the bytes they are, so that a line can be found."""
    try:
        return _ASCII.decode(name).encode(name) == _ASCII == _ASCII.decode(name).encode("ascii")
    except (LookupError, ValueError):
        return False


ENCODING: Final = Allowed(text="a text encoding", types=(str,), check=is_text_encoding).or_none()
DELIMITER: Final = Allowed(text="bytes, at least one", types=(bytes,), check=bool)


class Decoder(ABC):
    """The receiving side of one stream.

    Attributes:
        error: why no more frames can be found in this stream; None while all is well.
    """

    def __init__(self, max_frame_size: int) -> None:
        self.error: str | None = None
        self._max_frame_size = max_frame_size
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame have come."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Take the next bytes of the stream; return the frames they complete.

        Raises:
            ConnectorError: a frame is longer than allowed. The frames before it are never
                lost: the call that completes some returns them and only sets ``error``,
                and from then on every call raises.
        """
        if self.error is None:
            frames = self._decode(data)
            if frames or self.error is None:
                return frames
        raise ConnectorError(self.error)

    @abstractmethod
    def _decode(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """The frames that ``data`` completes, up to the first mistake, which goes to
        :meth:`_break`."""

    def _break(self, at_least: int) -> None:
        self._buffer.clear()
        self.error = (
            f"a frame of {at_least} bytes or more came, but max_frame_size is "
            f"{self._max_frame_size}: raise it, or check that the framing is the system's"
        )


@attrs.frozen(kw_only=True)
class Framing(ABC):
    """How items are told apart in a stream.

    Attributes:
        encoding: a text encoding, for items that are ``str``; None for ``bytes``.
        max_frame_size: the most bytes of one item, without what separates items.
    """

    encoding: str | None = attrs.field(default=None, validator=ENCODING)
    max_frame_size: int = attrs.field(
        default=DEFAULT_MAX_FRAME_SIZE, validator=whole_number(1, unit=" of bytes")
    )

    @abstractmethod
    def encode(self, item: Any) -> bytes:
        """The bytes that carry ``item``.

        Raises:
            ItemRefusedError: ``item`` is of the wrong type, too long, or would be read as
                several items. Nothing was sent.
        """

    @abstractmethod
    def decoder(self) -> Decoder:
        """The receiving side of a new stream."""

    def item(self, frame: bytes) -> str | bytes:
        """The item in ``frame``.

        Raises:
            ConnectorError: ``frame`` is no text in the encoding. The stream is still good.
        """
        if self.encoding is None:
            return frame
        try:
            return frame.decode(self.encoding)
        except UnicodeError as error:
            raise ConnectorError(
                f"an item of {len(frame)} bytes came that is no {self.encoding} text "
                f"({_reason(error)}): set encoding to the system's, or to None for bytes"
            ) from None

    def _payload(self, item: Any) -> bytes:
        """The bytes of ``item`` alone, checked for type and length."""
        if self.encoding is None:
            if not isinstance(item, bytes | bytearray | memoryview):
                raise ItemRefusedError(
                    f"an item is bytes here, not {type(item).__name__}: "
                    "encode it, or set encoding to send str"
                )
            payload = bytes(item)
        else:
            if not isinstance(item, str):
                raise ItemRefusedError(
                    f"an item is str here, sent as {self.encoding}, not {type(item).__name__}: "
                    "decode it, or set encoding to None to send bytes"
                )
            try:
                payload = item.encode(self.encoding)
            except UnicodeError as error:
                raise ItemRefusedError(
                    f"the item cannot be sent as {self.encoding} ({_reason(error)})"
                ) from None
        if len(payload) > self.max_frame_size:
            raise ItemRefusedError(
                f"the item has {len(payload)} bytes, but max_frame_size is {self.max_frame_size}"
            )
        return payload


def _reason(error: UnicodeError) -> str:
    # The whole text of such an error would show a piece of the data.
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        return f"{error.reason} at position {error.start}"
    return "the codec refused it"


# ---- frames that end in a delimiter ---------------------------------------------------


class _DelimiterDecoder(Decoder):
    """Frames between occurrences of one delimiter."""

    def __init__(self, delimiter: bytes, max_frame_size: int) -> None:
        super().__init__(max_frame_size)
        self._delimiter = delimiter

    def _decode(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        buffer = self._buffer
        # What was searched before is not searched again, but a delimiter may have begun there.
        start = max(0, len(buffer) - len(self._delimiter) + 1)
        buffer += data
        frames: list[bytes] = []
        if buffer.find(self._delimiter, start) >= 0:
            *found, rest = bytes(buffer).split(self._delimiter)
            for raw in found:
                frame = self._trim(raw)
                if len(frame) > self._max_frame_size:
                    self._break(len(frame))
                    return frames
                frames.append(frame)
            buffer[:] = rest
        if len(buffer) > self._max_frame_size:
            least = self._least_size(buffer)
            if least > self._max_frame_size:
                self._break(least)
        return frames

    def _trim(self, raw: bytes) -> bytes:
        return raw

    def _least_size(self, unfinished: bytearray) -> int:
        """How long the frame is at least that begins with ``unfinished``: a delimiter may
        have begun at its end."""
        return len(unfinished) - len(self._delimiter) + 1


class _LineDecoder(_DelimiterDecoder):
    def __init__(self, max_frame_size: int) -> None:
        super().__init__(b"\n", max_frame_size)

    def _trim(self, raw: bytes) -> bytes:
        return raw.removesuffix(b"\r")

    def _least_size(self, unfinished: bytearray) -> int:
        return len(unfinished) - unfinished.endswith(b"\r")


@attrs.frozen(kw_only=True)
class LineFraming(Framing):
    r"""One item is one line, received with ``\n`` or ``\r\n`` at its end.

    Attributes:
        encoding: ``utf-8`` unless told; it must leave ASCII characters as they are.
        line_ending: what is sent after each item, ``\n`` or ``\r\n``.
    """

    encoding: str | None = attrs.field(default="utf-8", validator=ENCODING)
    line_ending: str = attrs.field(default="\n", validator=one_of(*LINE_ENDINGS))

    def __attrs_post_init__(self) -> None:
        if self.encoding is not None and not keeps_ascii(self.encoding):
            raise ValueError("encoding has no single-byte line ends: use DelimiterFraming")

    def encode(self, item: Any) -> bytes:
        payload = self._payload(item)
        if b"\n" in payload or payload.endswith(b"\r"):
            raise ItemRefusedError(
                "the item has a line end in it: send one line without its end, which is added"
            )
        return payload + self.line_ending.encode("ascii")

    def decoder(self) -> Decoder:
        return _LineDecoder(self.max_frame_size)


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
        return _DelimiterDecoder(self.delimiter, self.max_frame_size)


# ---- frames that begin with their length ----------------------------------------------


class _LengthPrefixDecoder(Decoder):
    def __init__(
        self, prefix_size: int, byte_order: Literal["big", "little"], max_frame_size: int
    ) -> None:
        super().__init__(max_frame_size)
        self._prefix_size = prefix_size
        self._byte_order = byte_order

    def _decode(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        with memoryview(self._buffer) as view:
            while len(view) - start >= self._prefix_size:
                body = start + self._prefix_size
                size = int.from_bytes(view[start:body], self._byte_order)
                if size > self._max_frame_size or len(view) - body < size:
                    break
                frames.append(bytes(view[body : body + size]))
                start = body + size
            too_long = len(view) - start >= self._prefix_size and size > self._max_frame_size
        if too_long:
            self._break(size)
        else:
            del self._buffer[:start]
        return frames


@attrs.frozen(kw_only=True)
class LengthPrefixFraming(Framing):
    """Each item comes after its length in bytes, which does not count itself.

    Attributes:
        prefix_size: how many bytes the length has: 1, 2, 4 or 8.
        byte_order: ``big`` (network order) or ``little``.
    """

    prefix_size: int = attrs.field(default=4, validator=one_of(*PREFIX_SIZES))
    byte_order: Literal["big", "little"] = attrs.field(
        default="big", validator=one_of(*BYTE_ORDERS)
    )

    def encode(self, item: Any) -> bytes:
        payload = self._payload(item)
        if len(payload) >= 256**self.prefix_size:
            raise ItemRefusedError(
                f"the item has {len(payload)} bytes, but a length of {self.prefix_size} bytes "
                f"counts to {256**self.prefix_size - 1}"
            )
        return len(payload).to_bytes(self.prefix_size, self.byte_order) + payload

    def decoder(self) -> Decoder:
        return _LengthPrefixDecoder(self.prefix_size, self.byte_order, self.max_frame_size)
