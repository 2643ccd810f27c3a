"""Connecting and disconnecting one system, in the engine's lane.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from typing import Final

from actors.errors import EXPECTED_ERRORS, describe
from actors.interface import ExternalSystemInterface
from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    SystemConnected,
    SystemDisconnected,
)
from actors.system_actor.losses import Losses
from actors.system_actor.sending import gave

RENEWAL_TIMEOUT: Final = 30.0
"""Seconds that a connection may take to be made anew; then its supervisor sees to it."""


async def connect(
    system: ExternalSystemInterface, request: ConnectSystem, losses: Losses
) -> SystemConnected | Failure:
    """Carry out a connect; the answer to it."""
    why = None if system.is_connected else await _try_to_connect(system, losses)
    if why is not None:
        losses.disconnected()
        return request.failure(FailureCode.CONNECTOR_ERROR, why)
    losses.connected()
    return SystemConnected(request_id=request.request_id, system_name=request.system_name)


async def _try_to_connect(system: ExternalSystemInterface, losses: Losses) -> str | None:
    """Why it could not be connected, if it could not."""
    try:
        connected = await system.connect()
    except EXPECTED_ERRORS as error:
        await _be_disconnected(system)
        return describe(error)
    if not connected:
        await _be_disconnected(system)
        return f"could not connect (connect {gave(connected)})"
    if system.is_connected:
        return None
    lost = losses.take(is_connected=False)
    if lost is not None:
        return f"the connection was lost at once: {lost.text}"
    return (
        "connect gave True, but is_connected is False; "
        "the connector must set is_connected in connect"
    )


async def _be_disconnected(system: ExternalSystemInterface) -> None:
    """A connect that did not say that it worked leaves no connection behind: it would be
    shown as connected, and its caller told that it is not."""
    if system.is_connected:
        try:
            await system.disconnect()
        except EXPECTED_ERRORS:
            pass  # the connect has failed anyway


async def close_tainted(system: ExternalSystemInterface, why: str, losses: Losses) -> None:
    """Close a connection on which something may come that is nobody's."""
    try:
        await system.disconnect()
    except EXPECTED_ERRORS:
        pass  # what counts is whether it is connected
    if not system.is_connected:
        losses.renewed(f"{why}; connecting anew, so that nobody gets a late answer")


async def reconnect(system: ExternalSystemInterface, losses: Losses) -> None:
    """Make a connection anew. Its loss was told: if this fails, its supervisor tries again."""
    try:
        async with asyncio.timeout(RENEWAL_TIMEOUT):
            if await system.connect() and system.is_connected:
                losses.connected()
    except EXPECTED_ERRORS:
        await _be_disconnected(system)


async def disconnect(
    system: ExternalSystemInterface, request: DisconnectSystem, losses: Losses
) -> SystemDisconnected | Failure:
    """Carry out a disconnect; the answer to it."""
    try:
        disconnected = await system.disconnect() if system.is_connected else True
    except EXPECTED_ERRORS as error:
        return request.failure(FailureCode.CONNECTOR_ERROR, describe(error))
    finally:
        if not system.is_connected:
            losses.disconnected()
    if not disconnected:
        text = f"could not disconnect (disconnect {gave(disconnected)})"
        return request.failure(FailureCode.CONNECTOR_ERROR, text)
    return SystemDisconnected(request_id=request.request_id, system_name=request.system_name)
