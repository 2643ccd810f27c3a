"""Where one item ends and the next begins in a stream of bytes.

Pure: nothing here reads or writes. A *framing* is a frozen choice that may be shared and
pickled; its :meth:`Framing.decoder` holds the state of one stream. A decoder gives raw
frames, and :meth:`Framing.item` makes an item of one frame: a frame with bytes that are
no text is then one bad item, and not the end of the stream.

Both directions are linear in the number of bytes, however the stream is cut into chunks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import attrs

from actors.errors import ConnectorError, ItemRefusedError
from actors.settings import Allowed, whole_number

DEFAULT_MAX_FRAME_SIZE: Final = 16 * 1024 * 1024

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

    def end_by_silence(self) -> list[bytes]:
        """Nothing has come for a while, or nothing will: the frame that this ends, if it does.

        Where the size of a frame is known, it ends none.
        """
        return []

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
