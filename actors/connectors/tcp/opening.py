"""Opens a TCP connection, with TLS if asked, and says in plain words why it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, Final

from actors.connectors.tcp.connection import TcpConnection
from actors.connectors.tcp.details import TcpDetails
from actors.connectors.tcp.places import Place
from actors.connectors.tls import class_for, explain, make_context
from actors.errors import ConnectorError, map_exceptions

_HEAD_START: Final = 0.25
"""Seconds that an address has before the next is tried beside it: RFC 8305, 8."""
_PROBES: Final = 6
"""In the second half of a silence, whether the other end is there."""

_TURNS: Final = 4
"""Of the event loop, in which tries that were cancelled have ended."""

_Address = tuple[int, int, int, str, Any]
"""As ``getaddrinfo`` gives them."""


async def open_connection(
    details: TcpDetails, place: Place, make_connection: Callable[[], TcpConnection]
) -> TcpConnection:
    """Connect to one place, within ``details.connect_timeout`` seconds for everything together.

    Runs on the event loop that the connection will live on. Leaves no socket when it fails.

    Raises:
        FatalError: its certificate is not to be trusted, or it does not take ours; or a file that
            is needed for TLS is no good.
        ConnectorError: it could not, with ``host:port``, the reason and what to do.
    """
    try:
        return await _open_connection(details, place, make_connection)
    except ConnectorError as error:
        raise type(error)(f"cannot connect to {place}: {error}") from None


async def _open_connection(
    details: TcpDetails, place: Place, make_connection: Callable[[], TcpConnection]
) -> TcpConnection:
    loop = asyncio.get_running_loop()
    context: ssl.SSLContext | None = None
    server_name: str | None = None
    handshake_timeout: float | None = None
    if details.tls is not None:
        context = make_context(details.tls, str(place))
        server_name = details.tls.server_hostname or place.host
        # Longer than ours, so that it never fires: ours tells more.
        handshake_timeout = details.connect_timeout + 60
    doing = "find its address"

    def ours(error: OSError) -> ConnectorError:
        kind = class_for(error) if isinstance(error, ssl.SSLError) else ConnectorError
        return kind(_reason(error, doing, details))

    try:
        with map_exceptions({OSError: ours}):
            async with asyncio.timeout(details.connect_timeout):
                found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
                doing = "answer"
                sock = await _connect_first(found, details.peer_timeout)
                doing = "finish the TLS handshake"
                _, connection = await loop.create_connection(
                    make_connection,
                    sock=sock,
                    ssl=context,
                    server_hostname=server_name,
                    ssl_handshake_timeout=handshake_timeout,
                )
                return connection
    except ConnectorError:
        # The transport of a handshake that was cut off closes in the next pass of the loop.
        await asyncio.sleep(0)
        raise


def _reason(error: OSError, doing: str, details: TcpDetails) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"it did not {doing} within connect_timeout ({details.connect_timeout:g} s)"
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be looked up ({(error.strerror or str(error)).lower()})"
    if isinstance(error, ssl.SSLError):
        return explain(error)
    if "TLS" in doing:
        return (
            "it broke off the TLS handshake; check that it speaks TLS on this port, and "
            "whether it asks for a certificate of ours (tls.cert_file)"
        )
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; check that the system runs and listens on this port"
    return (error.strerror or str(error)).lower()


async def _connect_first(found: Sequence[_Address], peer_timeout: float) -> socket.socket:
    """A connected, non-blocking socket to the first of the addresses that answers (Happy
    Eyeballs, RFC 8305): each is tried a moment after the one before, or when that has failed.

    ``loop.create_connection`` does the same, but could not say what it was waiting for.

    Raises:
        OSError: of the address, or of all if they failed for different reasons.
    """
    made: list[socket.socket] = []
    winner: socket.socket | None = None
    tries = [partial(_connect_one, each, peer_timeout, made) for each in _interleaved(found)]
    try:
        winner, _, errors = await staggered_race(tries, _HEAD_START)
    except BaseException:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        raise
    finally:
        for sock in made:
            if sock is not winner:
                sock.close()
    if winner is None:
        raise _of_all(found, [each for each in errors if isinstance(each, OSError)])
    return winner


async def _connect_one(
    address: _Address, peer_timeout: float, made: list[socket.socket]
) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, where)
        _tune(sock, peer_timeout)
    except BaseException:
        sock.close()
        raise
    made.append(sock)
    return sock


def _interleaved(found: Sequence[_Address]) -> list[_Address]:
    """In their order, but IPv6 and IPv4 by turns: where one of them leads nowhere, all of its
    addresses do."""
    families: dict[int, list[_Address]] = {}
    for each in found:
        families.setdefault(each[0], []).append(each)
    turns = zip_longest(*families.values())
    return [each for turn in turns for each in turn if each is not None]


def _of_all(found: Sequence[_Address], errors: Sequence[OSError]) -> OSError:
    """What to say of the errors of all addresses."""
    if len({error.errno for error in errors}) == 1:
        return errors[-1]
    if not errors:
        return OSError("the host has no address")
    said = "; ".join(dict.fromkeys(map(str, errors)))
    return OSError(f"none of its {len(found)} addresses can be reached ({said})")


def _tune(sock: socket.socket, peer_timeout: float) -> None:
    """Have a peer that is gone without a word be found, whether data is under way or not: the
    kernel's own defaults take 15 minutes, and two hours."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": max(1, int(peer_timeout / 2)),
        "TCP_KEEPINTVL": max(1, int(peer_timeout / 2 / _PROBES)),
        "TCP_KEEPCNT": _PROBES,
        # In milliseconds; where there is it, it counts for the probes in place of their number.
        "TCP_USER_TIMEOUT": int(peer_timeout * 1000),
    }
    for name, value in options.items():
        with contextlib.suppress(AttributeError, OSError):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
