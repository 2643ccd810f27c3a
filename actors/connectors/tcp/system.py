"""A system behind a TCP port: instruments, controllers, brokers, anything that speaks in
lines, in length-prefixed frames or in frames with a delimiter, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from random import Random
from typing import Any

from actors import loggers
from actors.connectors.tcp.connection import FrameQueue, TcpConnection
from actors.connectors.tcp.details import TcpDetails
from actors.connectors.tcp.opening import open_connection
from actors.connectors.tcp.places import Place
from actors.errors import ConnectorError, FatalError, ItemRefusedError
from actors.interface import ExternalSystemInterface, local_check
from actors.resilience.endpoints import Endpoints
from actors.settings import mistakes_in, read_details

__all__ = ["TcpDetails", "TcpSystem"]

logger = logging.getLogger(loggers.TCP)


class TcpSystem(ExternalSystemInterface):
    """One TCP connection, kind ``tcp``.

    ``is_connected`` becomes False as soon as the connection is lost, also when nobody
    sends or receives. Whole items that came before the loss can still be received, also
    after the next ``connect``; ``disconnect`` drops them. While nobody receives, some
    256 KiB of items are kept, and then TCP makes the system wait; the end of a
    connection behind that is found within a second, and by the next send, and what came
    before it is kept, up to 16 MiB. A system that is gone without a word is lost after
    ``peer_timeout`` seconds.

    Network trouble is always raised as :class:`~actors.ConnectorError`.

    Args:
        system_name: the name the runtime routes by.
        connection_details: as :class:`TcpDetails` says; ``host`` and ``port`` are needed.

    Raises:
        ActorSetupError: the details have mistakes; its text has all of them.
    """

    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        super().__init__(system_name, connection_details)
        self._details = read_details(TcpDetails, system_name, connection_details)
        self._framing = self._details.make_framing()
        self.query_timeout = self._details.query_timeout
        self.unasked = self._details.unasked
        self.quiet_time = 0.0
        self._places = Endpoints(self._details.places, self._details.endpoint_order, Random())
        self._refusals = 0
        """How many places in a row have refused us for good."""
        self._queue = FrameQueue()
        self._connection: TcpConnection | None = None
        self._untold: ConnectorError | None = None
        """Why the connection was lost, until one caller has been told."""

    @classmethod
    def check_details(cls, details: dict[str, Any]) -> list[str]:
        """What is wrong with ``details``, each with the key and what is allowed.

        Looks at nothing but ``details``: no file is read, no name looked up.
        """
        return mistakes_in(TcpDetails, details)

    async def connect(self) -> bool:
        """Connect, with the TLS handshake, within ``connect_timeout`` seconds. Of several
        endpoints to the next one, if the last try or connection was in vain or lost.

        Raises:
            FatalError: its certificate is not to be trusted, or it does not take ours, or a file
                that is needed for TLS is no good; no socket is left.
            ConnectorError: the host is unknown, refused or did not answer in time; neither.
        """
        if self.is_connected:
            return True
        place = self._places.current
        try:
            connection = await open_connection(
                self._details, place, lambda: self._make_connection(place)
            )
        except ConnectorError as error:
            self._places.advance()
            raise self._as_of_all(error) from None
        except asyncio.CancelledError:
            self._places.advance()
            raise
        self._connection, self._untold, self._refusals = connection, None, 0
        if connection.lost is not None:
            raise connection.lost_as(connection.lost)
        self.connected_to = str(place)
        self.is_connected = True
        return True

    def _as_of_all(self, error: ConnectorError) -> ConnectorError:
        """One of several endpoints that refuses us for good is no reason to give up."""
        self._refusals = self._refusals + 1 if isinstance(error, FatalError) else 0
        others = len(self._places) - self._refusals
        if not self._refusals or others <= 0:
            return error
        return ConnectorError(f"{error}; the next attempt is for {self._places.current}")

    async def disconnect(self) -> bool:
        """Close the connection, within about a second; data that the operating system has
        not accepted by then is dropped, and so are items that nobody received."""
        connection, self._connection = self._connection, None
        self.is_connected = False
        self._untold = None
        dropped = self._queue.clear()
        if dropped:
            logger.warning(
                "%s (%s) disconnects with %d items that nobody received",
                self.system_name,
                self.connected_to,
                dropped,
            )
        if connection is not None:
            await connection.close()
        return True

    async def send_data(self, data: Any) -> bool:
        """Send one item, ``str`` or ``bytes`` as ``encoding`` says.

        Returns:
            True when the operating system has accepted all of it; whether the system read
            it, only an answer of the system can tell. False when not connected.

        Raises:
            ItemRefusedError: the item cannot be sent; it was not, and the connection stays.
            NotSentError: the connection was lost before; the item was not sent.
            ConnectorError: the connection was lost or stalled for ``write_timeout``
                seconds; it is closed, and part of the item may have arrived.

        When cancelled, the item is still sent, never half of it.
        """
        connection = self._connection
        if connection is None or not self.is_connected:
            return False
        await self._write(connection, self._framing.encode(data))
        return True

    async def send_many(self, items: Sequence[Any]) -> list[bool | ConnectorError]:
        """Send items in order with one write, within one ``write_timeout`` for all.

        Returns:
            For each item, whether the operating system accepted it, or why it cannot be
            sent; those around it are sent. All are False when not connected.

        Raises:
            ConnectorError: the connection was lost or stalled: which items arrived, nobody
                knows.
        """
        connection = self._connection
        if connection is None or not self.is_connected:
            return [False] * len(items)
        frames: list[bytes] = []
        results: list[bool | ConnectorError] = []
        for item in items:
            try:
                frames.append(self._framing.encode(item))
            except ItemRefusedError as error:
                results.append(error)
            else:
                results.append(True)
        if frames:
            await self._write(connection, b"".join(frames))
        return results

    async def receive_data(self) -> str | bytes | None:
        """Take one item, waiting up to ``read_timeout`` seconds.

        Returns:
            The item; None when none came in time, or when not connected.

        Raises:
            ConnectorError: the connection was lost (raised once, after the items that
                came before), or the item is no text in ``encoding`` (it is dropped, and
                the connection stays).

        When cancelled, nothing is lost: the item is there for the next call.
        """
        items = await self._receive(1, self._details.read_timeout)
        return items[0] if items else None

    async def receive_many(self, max_items: int, timeout: float) -> list[Any]:
        """Take the items that are there, up to ``max_items``; if there are none, wait up
        to ``timeout`` seconds for the first.

        Raises:
            ConnectorError: as in :meth:`receive_data`; never while there are items.
        """
        return await self._receive(max_items, timeout) if max_items > 0 else []

    @local_check
    async def check_health(self) -> bool:
        """Whether the connection stands, as far as the operating system knows."""
        return self.is_connected and self._connection is not None and self._connection.is_alive()

    def _make_connection(self, place: Place) -> TcpConnection:
        return TcpConnection(
            str(place),
            self._framing.decoder(),
            self._queue,
            self._on_lost,
            self._details.idle,
        )

    def _on_lost(self, connection: TcpConnection) -> None:
        self._places.advance()
        why = connection.lost or ""
        self._untold = connection.lost_as(why)
        self.report_loss(self._untold if isinstance(self._untold, FatalError) else why)

    async def _write(self, connection: TcpConnection, data: bytes) -> None:
        timeout = self._details.write_timeout
        try:
            async with asyncio.timeout(timeout):
                await connection.write(data)
        except TimeoutError:
            why = (
                f"{self.connected_to} stalled: it did not take {len(data)} bytes within "
                f"write_timeout ({timeout:g} s); closed the connection, as part may have arrived"
            )
            connection.lose(why)
            self._untold = None
            raise ConnectorError(why) from None
        except ConnectorError:
            self._untold = None
            raise

    async def _receive(self, max_items: int, timeout: float) -> list[str | bytes]:
        connection = self._connection
        if not self._queue and connection is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await connection.arrived()
        # From here on nothing waits, so that a cancelled call has taken nothing.
        items = self._take(max_items)
        if not items and self._untold is not None:
            why, self._untold = self._untold, None
            raise why
        return items

    def _take(self, max_items: int) -> list[str | bytes]:
        items: list[str | bytes] = []
        bad: ConnectorError | None = None
        while self._queue and len(items) < max_items and bad is None:
            try:
                items.append(self._framing.item(self._queue.first()))
            except ConnectorError as error:
                if items:
                    break  # It is the next call's error.
                bad = error
            self._queue.take()
        if self._connection is not None:
            self._connection.resume()
        if bad is not None:
            raise ConnectorError(f"{self.connected_to}: {bad}") from None
        return items
