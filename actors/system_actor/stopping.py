"""Disconnecting a system with all that waits for its data, and the last time it is done.

Runs on the system actor's event loop.
"""

from __future__ import annotations

from actors.errors import EXPECTED_ERRORS
from actors.interface import ExternalSystemInterface
from actors.messages import DisconnectSystem, FailureCode, Reason, Reply
from actors.system_actor.asking import Asker
from actors.system_actor.connecting import disconnect
from actors.system_actor.lane import STOPPING, Lane
from actors.system_actor.losses import Losses
from actors.system_actor.receiving import Receiver
from actors.system_actor.renewing import Retire
from actors.system_actor.sending import gave


async def end_connection(
    system: ExternalSystemInterface,
    request: DisconnectSystem,
    receiver: Receiver,
    asker: Asker,
    losses: Losses,
) -> Reply:
    """Carry out a disconnect; the answer to it."""
    try:
        if isinstance(request, Retire):
            await receiver.drain()
        receiver.fail_all(FailureCode.NOT_CONNECTED, "disconnected while waiting for data")
        await receiver.pause()
        return await disconnect(system, request, losses)
    finally:
        if not system.is_connected:
            asker.connection_ended()
        receiver.resume()


async def disconnect_last(
    system: ExternalSystemInterface, lane: Lane, receiver: Receiver, grace: float
) -> Reason | None:
    """Let what is in the lane be done, for half of ``grace`` seconds, and disconnect.

    Returns:
        why it could not disconnect in order; None if it did.
    """
    await lane.until_idle(grace / 2)
    lane.fail_waiting(FailureCode.UNAVAILABLE, STOPPING)
    lane.cut(f"cut off: {STOPPING}", FailureCode.UNAVAILABLE)
    await lane.until_idle(grace / 4)
    receiver.fail_all(FailureCode.UNAVAILABLE, STOPPING)
    await receiver.pause()
    if not system.is_connected:
        return None
    try:
        disconnected = await system.disconnect()
    except EXPECTED_ERRORS as error:
        return Reason.of(error)
    if disconnected:
        return None
    return Reason("disconnect", f"could not disconnect (disconnect {gave(disconnected)})")
