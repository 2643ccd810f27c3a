"""What ``connection_details`` of a TCP system may say."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Final, Literal

import attrs

from actors.connectors.framing.delimited import LINE_ENDING, DelimiterFraming, LineFraming
from actors.connectors.framing.raw import RawFraming
from actors.connectors.framing.sized import (
    BYTE_ORDERS,
    PREFIX_SIZES,
    FixedFraming,
    LengthPrefixFraming,
)
from actors.connectors.framing.stream import (
    DEFAULT_MAX_FRAME_SIZE,
    ENCODING,
    Framing,
    keeps_ascii,
)
from actors.connectors.tcp.places import Place, places_or_none
from actors.connectors.tls import TlsOptions, tls_or_none
from actors.resilience.endpoints import EndpointOrder
from actors.settings import (
    Allowed,
    Mistake,
    MistakesError,
    host_name,
    one_of,
    seconds,
    whole_number,
)

LONGEST_WAIT: Final = 86_400
"""Seconds: no timeout is longer than a day."""

_FRAMINGS: Final = ("line", "length", "delimiter", "fixed", "raw")
_OPTIONS_OF: Final = {
    "line_ending": ("line",),
    "prefix_size": ("length",),
    "byte_order": ("length",),
    "delimiter": ("delimiter",),
    "item_size": ("fixed",),
    "idle": ("line", "delimiter", "raw"),
}
_NEEDED: Final = {
    "delimiter": "is missing; it is what comes after each item",
    "item_size": "is missing; it is how many bytes each item has",
}


def _to_bytes(value: Any) -> Any:
    """A delimiter as bytes; what cannot be one comes back as it is."""
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    if isinstance(value, list) and all(type(byte) is int and 0 <= byte < 256 for byte in value):
        return bytes(value)
    return value


def _to_encoding(value: Any) -> Any:
    return None if value == "bytes" else value


def _to_number(value: Any) -> Any:
    """A number from its digits, as the environment has it."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


_DIGITS: Final = re.compile("[0-9]{1,20}")
_PORT: Final = attrs.evolve(whole_number(1, 65535), convert=_to_number)


_PEER_TIMEOUT: Final = Allowed(
    text='a number of seconds from 1 to 86,400, or a duration such as "30s"',
    types=(int, float),
    check=lambda value: 1 <= value <= LONGEST_WAIT,
    convert=seconds().convert,
)


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(f'"{each}"' for each in names)


def _default_encoding(details: TcpDetails) -> str | None:
    return "utf-8" if details.framing == "line" else None


@attrs.frozen(kw_only=True)
class TcpDetails:
    """Where a TCP system is and how to speak with it. Times are in seconds;
    a table may also say "500ms" or "2m".

    Attributes:
        host: a host name or an address.
        port: its TCP port; its digits in a string too, as ``${PORT}`` gives them.
        endpoints: in place of both, several of them, each ``host:port``; an attempt to connect is
            for the next one.
        endpoint_order: how they are tried: ``in_order`` or ``shuffled``.
        framing: what tells items apart: ``line``, ``length`` (its length comes before
            each item), ``delimiter`` (fixed bytes come after each item), ``fixed`` (all have
            the same size) or ``raw`` (nothing: what comes, as it comes).
        line_ending: with ``line``, what comes after each item: as :class:`LineFraming` says.
        prefix_size: with ``length``, how many bytes the length has.
        byte_order: with ``length``, ``big`` or ``little``.
        delimiter: with ``delimiter``, text, bytes, or a list of byte values.
        item_size: with ``fixed``, how many bytes an item has.
        idle: with ``line``, ``delimiter`` and ``raw``: after so long without anything, what
            has come is an item without its end, such as a prompt; also at the end of the
            connection. With ``raw``, what comes without such a pause is one item.
        encoding: items are ``str`` in this encoding; ``"bytes"`` or None for bytes.
            Unless told, ``utf-8`` with ``line`` and bytes with the others.
        max_frame_size: the most bytes of one item.
        connect_timeout: for name look-up, connecting and the TLS handshake together.
        read_timeout: how long one ``receive_data`` waits.
        write_timeout: how long the operating system may take to accept what is sent.
        peer_timeout: how long the other end may answer nothing, to what is sent or to being
            asked whether it is there; then the connection is lost. On Linux; other systems
            ask with their own times.
        query_timeout: how long the answer to a question may take, unless the question says.
        unasked: what becomes of items that come around a question and are not its answer:
            ``receive`` keeps them for who receives, ``drop`` drops and counts them.
        tls: TLS options, or None for none.
    """

    host: str | None = attrs.field(default=None, validator=host_name().or_none())
    port: int | None = attrs.field(default=None, validator=_PORT.or_none())
    endpoints: tuple[Place, ...] | None = attrs.field(default=None, validator=places_or_none())
    endpoint_order: EndpointOrder = attrs.field(
        default=EndpointOrder.IN_ORDER, validator=one_of(*EndpointOrder)
    )
    framing: str = attrs.field(default="line", validator=one_of(*_FRAMINGS))
    line_ending: str = attrs.field(default="\n", validator=LINE_ENDING)
    prefix_size: int = attrs.field(default=4, validator=one_of(*PREFIX_SIZES))
    byte_order: Literal["big", "little"] = attrs.field(
        default="big", validator=one_of(*BYTE_ORDERS)
    )
    delimiter: bytes | None = attrs.field(
        default=None,
        validator=Allowed(
            text="a text, bytes or a list of byte values that is not empty",
            types=(bytes, str, list),
            check=lambda value: isinstance(value, bytes) and len(value) > 0,
            convert=_to_bytes,
        ).or_none(),
    )
    item_size: int | None = attrs.field(
        default=None, validator=whole_number(1, 2**31, " of bytes").or_none()
    )
    idle: float | None = attrs.field(default=None, validator=seconds(LONGEST_WAIT).or_none())
    encoding: str | None = attrs.field(
        default=attrs.Factory(_default_encoding, takes_self=True),
        validator=attrs.evolve(
            ENCODING, text='a text encoding, or "bytes" for none', convert=_to_encoding
        ),
    )
    max_frame_size: int = attrs.field(
        default=DEFAULT_MAX_FRAME_SIZE, validator=whole_number(1, 2**31, " of bytes")
    )
    connect_timeout: float = attrs.field(default=10.0, validator=seconds(LONGEST_WAIT))
    read_timeout: float = attrs.field(default=5.0, validator=seconds(LONGEST_WAIT, zero=True))
    write_timeout: float = attrs.field(default=10.0, validator=seconds(LONGEST_WAIT))
    peer_timeout: float = attrs.field(default=120.0, validator=_PEER_TIMEOUT)
    query_timeout: float = attrs.field(default=5.0, validator=seconds(LONGEST_WAIT))
    unasked: Literal["receive", "drop"] = attrs.field(
        default="receive", validator=one_of("receive", "drop")
    )
    tls: TlsOptions | None = attrs.field(default=None, validator=tls_or_none())

    def __attrs_post_init__(self) -> None:
        mistakes = self._mistakes_of_places()
        with contextlib.suppress(AttributeError):  # while what is wrong by itself is lacking
            mistakes += self._mistakes_of_framing()
        if mistakes:
            raise MistakesError(mistakes)

    def _mistakes_of_framing(self) -> list[Mistake]:
        defaults = attrs.fields_dict(TcpDetails)
        mistakes = [
            Mistake(
                (option,), f'is only for framing = {_or(owners)}, and framing is "{self.framing}"'
            )
            for option, owners in _OPTIONS_OF.items()
            if self.framing not in owners and getattr(self, option) != defaults[option].default
        ]
        mistakes += [
            Mistake((option,), text)
            for option, text in _NEEDED.items()
            if self.framing in _OPTIONS_OF[option] and getattr(self, option) is None
        ]
        if self.item_size is not None and self.item_size > self.max_frame_size:
            mistakes.append(
                Mistake(("item_size",), f"is more than max_frame_size ({self.max_frame_size})")
            )
        if self.framing == "line" and self.encoding is not None and not keeps_ascii(self.encoding):
            text = 'has no single-byte line ends: use framing = "delimiter" or "length"'
            mistakes.append(Mistake(("encoding",), text))
        return mistakes

    def _mistakes_of_places(self) -> list[Mistake]:
        # One that is wrong is not there at all.
        if getattr(self, "endpoints", ()) is None:
            return [
                Mistake((name,), f"is missing; it must be {allowed.text}")
                for name, allowed in (("host", host_name()), ("port", _PORT))
                if getattr(self, name, "wrong") is None
            ]
        return [
            Mistake((name,), "must not be there beside endpoints, which have hosts and ports")
            for name in ("host", "port")
            if getattr(self, name, None) is not None
        ]

    @property
    def places(self) -> tuple[Place, ...]:
        """Where to connect to."""
        if self.endpoints is not None:
            return self.endpoints
        assert self.host is not None
        assert self.port is not None
        return (Place(self.host, self.port),)

    def make_framing(self) -> Framing:
        """The framing asked for."""
        both: Any = {"encoding": self.encoding, "max_frame_size": self.max_frame_size}
        match self.framing:
            case "length":
                return LengthPrefixFraming(
                    prefix_size=self.prefix_size, byte_order=self.byte_order, **both
                )
            case "delimiter":
                return DelimiterFraming(delimiter=self.delimiter or b"", **both)
            case "fixed":
                return FixedFraming(item_size=self.item_size or 1, **both)
            case "raw":
                return RawFraming(until_silence=self.idle is not None, **both)
        return LineFraming(line_ending=self.line_ending, **both)
