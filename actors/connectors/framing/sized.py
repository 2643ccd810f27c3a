"""Frames of a size that is known before they come."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from actors.connectors.framing.stream import Decoder, Framing
from actors.errors import ItemRefusedError
from actors.settings import one_of, whole_number

PREFIX_SIZES: Final = (1, 2, 4, 8)
BYTE_ORDERS: Final = ("big", "little")


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


class _FixedDecoder(Decoder):
    def __init__(self, item_size: int) -> None:
        super().__init__(item_size)
        self._item_size = item_size

    def _decode(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        self._buffer += data
        whole = len(self._buffer) // self._item_size * self._item_size
        stream = bytes(self._buffer[:whole])
        del self._buffer[:whole]
        return [stream[at : at + self._item_size] for at in range(0, whole, self._item_size)]


@attrs.frozen(kw_only=True)
class FixedFraming(Framing):
    """Each item has the same number of bytes, and nothing between.

    Attributes:
        item_size: that number.
    """

    item_size: int = attrs.field(validator=whole_number(1, unit=" of bytes"))

    def __attrs_post_init__(self) -> None:
        if self.item_size > self.max_frame_size:
            raise ValueError("item_size is more than max_frame_size")

    def encode(self, item: Any) -> bytes:
        payload = self._payload(item)
        if len(payload) != self.item_size:
            raise ItemRefusedError(
                f"the item has {len(payload)} bytes, but item_size is {self.item_size}"
            )
        return payload

    def decoder(self) -> Decoder:
        return _FixedDecoder(self.item_size)
