"""A connection made anew, when an answer may come on it that is nobody's.

Runs on the system actor's event loop, in the engine's lane.
"""

from __future__ import annotations

import asyncio
from typing import Final

from actors.errors import EXPECTED_ERRORS
from actors.interface import ExternalSystemInterface
from actors.messages import DisconnectSystem, Reason, Reply, Request
from actors.messages.supervision import RENEWED
from actors.system_actor.asking import Asker
from actors.system_actor.connecting import Proof, make_connection
from actors.system_actor.losses import Losses
from actors.system_actor.receiving import Receiver
from actors.system_actor.reports import Origin

RENEWAL_TIMEOUT: Final = 30.0
"""Seconds that closing a connection, and making it anew, may take each; then its supervisor sees
to it."""


class Renew(Request):
    """Asked by the engine itself."""


class Retire(DisconnectSystem):
    """Asked for by a pool: what has come already is not lost, as nobody has ordered this."""


class _Nobody:
    """Whom its own requests are answered to."""

    def reply(self, ref: int, reply: Reply) -> None:
        pass


NOBODY: Final = Origin(_Nobody(), 0)


async def renew(
    system: ExternalSystemInterface,
    asker: Asker,
    receiver: Receiver,
    losses: Losses,
    proof: Proof,
) -> None:
    """Close the connection and make it anew, if it is tainted."""
    if not system.is_connected:
        asker.connection_ended()  # it was lost; its supervisor has it connected again
    if asker.why_tainted is None:
        return
    await receiver.pause()
    try:
        await _close(system, asker.why_tainted, losses)
        if not system.is_connected:
            asker.connection_ended()
            await _connect(system, receiver, losses, proof)
    finally:
        receiver.resume()


async def _close(system: ExternalSystemInterface, why: str, losses: Losses) -> None:
    text = f"{why}; connecting anew, so that nobody gets a late answer"
    with losses.closing(Reason(RENEWED, text)):
        try:
            async with asyncio.timeout(RENEWAL_TIMEOUT):
                await system.disconnect()
        except EXPECTED_ERRORS:
            pass  # what counts is whether it is connected


async def _connect(
    system: ExternalSystemInterface, receiver: Receiver, losses: Losses, proof: Proof
) -> None:
    """Its loss was told: if this fails, its supervisor tries again."""
    try:
        async with asyncio.timeout(RENEWAL_TIMEOUT):
            why = await make_connection(system, losses, proof, receiver.resume)
    except TimeoutError:
        return
    if why is None:
        losses.connected()
