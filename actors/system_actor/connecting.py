"""Connecting and disconnecting one system, in the engine's lane.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

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
from actors.system_actor.proving import Trouble, prove, trouble
from actors.system_actor.sending import gave

Proof = Callable[[], Awaitable[str | None]]
"""One more round trip, beside the check of its health; why it failed, if it did."""


async def connect(
    system: ExternalSystemInterface, request: ConnectSystem, losses: Losses, proof: Proof
) -> SystemConnected | Failure:
    """Carry out a connect; the answer to it."""
    why = None if system.is_connected else await make_connection(system, losses, proof)
    if why is not None:
        code, text = why
        losses.disconnected(text if code is FailureCode.FAILED else None)
        return request.failure(code, text)
    losses.connected()
    return SystemConnected(request_id=request.request_id, system_name=request.system_name)


async def make_connection(
    system: ExternalSystemInterface,
    losses: Losses,
    proof: Proof,
    on_connected: Callable[[], None] = lambda: None,
) -> Trouble | None:
    """Connect a system; why it could not be connected, if it could not.

    Args:
        on_connected: called when the connection is there, and is still to be proved.
    """
    try:
        connected = await system.connect()
    except EXPECTED_ERRORS as error:
        await be_disconnected(system)
        return trouble(error)
    except asyncio.CancelledError:
        await be_disconnected(system)
        raise
    if not connected:
        await be_disconnected(system)
        return FailureCode.CONNECTOR_ERROR, f"could not connect (connect {gave(connected)})"
    if system.is_connected:
        on_connected()
        return await _prove(system, proof)
    lost = losses.take(is_connected=False)
    if lost is not None:
        code = FailureCode.FAILED if lost.is_fatal else FailureCode.CONNECTOR_ERROR
        return code, f"the connection was lost at once: {lost.text}"
    text = "connect gave True, but is_connected is False; "
    return FailureCode.CONNECTOR_ERROR, f"{text}the connector must set is_connected in connect"


async def _prove(system: ExternalSystemInterface, proof: Proof) -> Trouble | None:
    try:
        why = await prove(system)
        text = await proof() if why is None else None
    except asyncio.CancelledError:
        await be_disconnected(system)
        raise
    if text is not None:
        why = FailureCode.CONNECTOR_ERROR, f"connected, but {text}"
    if why is not None:
        await be_disconnected(system)
    return why


async def be_disconnected(system: ExternalSystemInterface) -> None:
    """A connect that did not say that it worked leaves no connection behind: it would be
    shown as connected, and its caller told that it is not."""
    if system.is_connected:
        try:
            await system.disconnect()
        except EXPECTED_ERRORS:
            pass  # the connect has failed anyway


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
