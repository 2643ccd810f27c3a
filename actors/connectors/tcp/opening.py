"""Opens a TCP connection, with TLS if asked, and says in plain words why it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from actors.connectors.tcp.connection import TcpConnection
from actors.connectors.tcp.details import TcpDetails
from actors.connectors.tls import explain, make_context
from actors.errors import ConnectorError

# A dead peer shows in about two minutes; the kernel's own defaults take two hours.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}


async def open_connection(
    details: TcpDetails, make_connection: Callable[[], TcpConnection]
) -> TcpConnection:
    """Connect, within ``details.connect_timeout`` seconds for everything together.

    Runs on the event loop that the connection will live on. Leaves no socket when it fails.

    Raises:
        ConnectorError: it could not, with ``host:port``, the reason and what to do.
    """
    try:
        return await _open_connection(details, make_connection)
    except ConnectorError as error:
        raise ConnectorError(f"cannot connect to {details.address}: {error}") from None


async def _open_connection(
    details: TcpDetails, make_connection: Callable[[], TcpConnection]
) -> TcpConnection:
    loop = asyncio.get_running_loop()
    context: ssl.SSLContext | None = None
    server_name: str | None = None
    handshake_timeout: float | None = None
    if details.tls is not None:
        context = make_context(details.tls, details.address)
        server_name = details.tls.server_hostname or details.host
        # Longer than ours, so that it never fires: ours tells more.
        handshake_timeout = details.connect_timeout + 60
    doing = "find its address"
    try:
        async with asyncio.timeout(details.connect_timeout):
            found = await loop.getaddrinfo(details.host, details.port, type=socket.SOCK_STREAM)
            doing = "answer"
            sock = await _connect_socket(found)
            doing = "finish the TLS handshake"
            _, connection = await loop.create_connection(
                make_connection,
                sock=sock,
                ssl=context,
                server_hostname=server_name,
                ssl_handshake_timeout=handshake_timeout,
            )
            return connection
    except OSError as error:
        # The transport of a handshake that was cut off closes in the next pass of the loop.
        await asyncio.sleep(0)
        raise ConnectorError(_reason(error, doing, details)) from error


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


async def _connect_socket(found: Sequence[tuple[int, int, int, str, Any]]) -> socket.socket:
    """A connected, non-blocking socket: to the first of the addresses that answers.

    Raises:
        OSError: of the last address that was tried.
    """
    loop = asyncio.get_running_loop()
    last_error = OSError("the host has no address")
    for family, kind, protocol, _, address in found:
        sock: socket.socket | None = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
            _tune(sock)
        except OSError as error:
            last_error = error
            if sock is not None:
                sock.close()
        except BaseException:
            assert sock is not None
            sock.close()
            raise
        else:
            return sock
    raise last_error


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        with contextlib.suppress(AttributeError, OSError):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
