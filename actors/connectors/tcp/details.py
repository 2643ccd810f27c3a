"""What ``connection_details`` of a TCP system may say."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import attrs

from actors.connectors.framing import (
    BYTE_ORDERS,
    DEFAULT_MAX_FRAME_SIZE,
    ENCODING,
    LINE_ENDINGS,
    PREFIX_SIZES,
    DelimiterFraming,
    Framing,
    LengthPrefixFraming,
    LineFraming,
    keeps_ascii,
)
from actors.connectors.tls import TlsOptions, tls_or_none
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

_FRAMINGS: Final = ("line", "length", "delimiter")
_OPTIONS_OF: Final = {
    "line_ending": "line",
    "prefix_size": "length",
    "byte_order": "length",
    "delimiter": "delimiter",
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


def _default_encoding(details: TcpDetails) -> str | None:
    return "utf-8" if details.framing == "line" else None


@attrs.frozen(kw_only=True)
class TcpDetails:
    """Where a TCP system is and how to speak with it. Times are in seconds;
    a table may also say "500ms" or "2m".

    Attributes:
        host: a host name or an address.
        port: its TCP port; its digits in a string too, as ``${PORT}`` gives them.
        framing: what tells items apart: ``line``, ``length`` (its length comes before
            each item) or ``delimiter`` (fixed bytes come after each item).
        line_ending: with ``line``, what is sent after each item.
        prefix_size: with ``length``, how many bytes the length has.
        byte_order: with ``length``, ``big`` or ``little``.
        delimiter: with ``delimiter``, text, bytes, or a list of byte values.
        encoding: items are ``str`` in this encoding; ``"bytes"`` or None for bytes.
            Unless told, ``utf-8`` with ``line`` and bytes with the others.
        max_frame_size: the most bytes of one item.
        connect_timeout: for name look-up, connecting and the TLS handshake together.
        read_timeout: how long one ``receive_data`` waits.
        write_timeout: how long the operating system may take to accept what is sent.
        tls: TLS options, or None for none.
    """

    host: str = attrs.field(validator=host_name())
    port: int = attrs.field(validator=_PORT)
    framing: str = attrs.field(default="line", validator=one_of(*_FRAMINGS))
    line_ending: str = attrs.field(default="\n", validator=one_of(*LINE_ENDINGS))
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
    tls: TlsOptions | None = attrs.field(default=None, validator=tls_or_none())

    def __attrs_post_init__(self) -> None:
        defaults = attrs.fields_dict(TcpDetails)
        mistakes = [
            Mistake((option,), f'is only for framing = "{owner}", and framing is "{self.framing}"')
            for option, owner in _OPTIONS_OF.items()
            if self.framing != owner and getattr(self, option) != defaults[option].default
        ]
        if self.framing == "delimiter" and self.delimiter is None:
            text = "is missing; it is what comes after each item"
            mistakes.append(Mistake(("delimiter",), text))
        if self.framing == "line" and self.encoding is not None and not keeps_ascii(self.encoding):
            text = 'has no single-byte line ends: use framing = "delimiter" or "length"'
            mistakes.append(Mistake(("encoding",), text))
        if mistakes:
            raise MistakesError(mistakes)

    @property
    def address(self) -> str:
        """``host:port``, as errors name the system."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def make_framing(self) -> Framing:
        """The framing asked for."""
        encoding, size = self.encoding, self.max_frame_size
        if self.framing == "length":
            return LengthPrefixFraming(
                prefix_size=self.prefix_size,
                byte_order=self.byte_order,
                encoding=encoding,
                max_frame_size=size,
            )
        if self.framing == "delimiter":
            return DelimiterFraming(
                delimiter=self.delimiter or b"", encoding=encoding, max_frame_size=size
            )
        return LineFraming(line_ending=self.line_ending, encoding=encoding, max_frame_size=size)
