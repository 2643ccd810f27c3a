"""What ``connection_details`` of a TCP system may say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs
from cattrs.errors import ClassValidationError

from actors.details import (
    Allowed,
    DetailsReader,
    is_host,
    one_of,
    seconds,
    text,
    whole_number,
)
from actors.framing import (
    BYTE_ORDERS,
    DEFAULT_MAX_FRAME_SIZE,
    LINE_ENDINGS,
    PREFIX_SIZES,
    DelimiterFraming,
    Framing,
    LengthPrefixFraming,
    LineFraming,
    is_text_encoding,
    keeps_ascii,
)
from actors.tls import OPTIONS_OR_NONE, TLS_OPTIONS, TlsOptions, conflicts, to_options

LONGEST_WAIT: Final = 86_400
"""Seconds: no timeout is longer than a day."""

_FRAMINGS: Final = ("line", "length", "delimiter")
_OPTIONS_OF: Final = {
    "line_ending": "line",
    "prefix_size": "length",
    "byte_order": "length",
    "delimiter": "delimiter",
}


def _to_bytes(value: object) -> object:
    """A delimiter as bytes; what cannot be one comes back as it is."""
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    if isinstance(value, list) and all(type(byte) is int and 0 <= byte < 256 for byte in value):
        return bytes(value)
    return value


def _to_encoding(value: object) -> object:
    return None if value == "bytes" else value


def _default_encoding(details: TcpDetails) -> str | None:
    return "utf-8" if details.framing == "line" else None


@attrs.frozen(kw_only=True)
class TcpDetails:
    """Where a TCP system is and how to speak with it. Times are in seconds.

    Attributes:
        host: a host name or an address.
        port: its TCP port.
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

    host: str = attrs.field(validator=text("a host name or an address", is_host))
    port: int = attrs.field(validator=whole_number(1, 65535))
    framing: str = attrs.field(default="line", validator=one_of(*_FRAMINGS))
    line_ending: str = attrs.field(default="\n", validator=one_of(*LINE_ENDINGS))
    prefix_size: int = attrs.field(default=4, validator=one_of(*PREFIX_SIZES))
    byte_order: Literal["big", "little"] = attrs.field(
        default="big", validator=one_of(*BYTE_ORDERS)
    )
    delimiter: bytes | None = attrs.field(
        default=None,
        converter=_to_bytes,
        validator=Allowed(
            "a text, bytes or a list of byte values that is not empty",
            lambda value: isinstance(value, bytes) and len(value) > 0,
        ).or_none(),
    )
    encoding: str | None = attrs.field(
        default=attrs.Factory(_default_encoding, takes_self=True),
        converter=_to_encoding,
        validator=Allowed('a text encoding, or "bytes" for none', is_text_encoding).or_none(),
    )
    max_frame_size: int = attrs.field(
        default=DEFAULT_MAX_FRAME_SIZE, validator=whole_number(1, 2**31, " of bytes")
    )
    connect_timeout: float = attrs.field(default=10.0, validator=seconds(LONGEST_WAIT))
    read_timeout: float = attrs.field(default=5.0, validator=seconds(LONGEST_WAIT, zero=True))
    write_timeout: float = attrs.field(default=10.0, validator=seconds(LONGEST_WAIT))
    tls: TlsOptions | None = attrs.field(
        default=None, converter=to_options, validator=OPTIONS_OR_NONE
    )

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


_READER: Final = DetailsReader(TcpDetails, {"tls": TLS_OPTIONS})


def mistakes_in(raw: object) -> list[str]:
    """What is wrong with ``connection_details``, each with the key and what is allowed."""
    mistakes = _READER.mistakes(raw)
    if isinstance(raw, Mapping):
        mistakes += _conflicts(raw)
    return mistakes


def read_details(raw: Mapping[str, Any]) -> TcpDetails:
    """The details in ``raw``.

    Raises:
        ValueError: with all of :func:`mistakes_in` in one text.
    """
    mistakes = mistakes_in(raw)
    if mistakes:
        raise ValueError("; ".join(mistakes))
    try:
        return _READER.structure(raw)
    except ClassValidationError as error:  # pragma: no cover - mistakes_in found it
        raise ValueError(str(error)) from error


def _conflicts(raw: Mapping[str, Any]) -> Iterator[str]:
    """What does not fit together, among values that may be wrong themselves."""
    framing = raw.get("framing", "line")
    if framing in _FRAMINGS:
        for option, owner in _OPTIONS_OF.items():
            if option in raw and framing != owner:
                yield f'{option} is only for framing = "{owner}", and framing is "{framing}"'
    if framing == "delimiter" and raw.get("delimiter") is None:
        yield "delimiter is missing: text, bytes or a list of byte values after each item"
    encoding = raw.get("encoding")
    if framing == "line" and encoding != "bytes" and is_text_encoding(encoding):
        assert isinstance(encoding, str)
        if not keeps_ascii(encoding):
            yield (
                f"encoding {encoding!r} has no single-byte line ends: "
                'use framing = "delimiter" or "length"'
            )
    tls = raw.get("tls")
    if isinstance(tls, Mapping):
        yield from conflicts(tls)
