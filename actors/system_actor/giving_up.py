"""A connection that is given up, as it is of no use to go on with it: an authentication that was
revoked, say.

Runs on the system actor's event loop, in the engine's lane.
"""

from __future__ import annotations

import asyncio

from actors.errors import EXPECTED_ERRORS
from actors.interface import ExternalSystemInterface
from actors.messages import FailureCode, Request
from actors.system_actor.losses import Losses
from actors.system_actor.receiving import Receiver
from actors.system_actor.renewing import RENEWAL_TIMEOUT


class GiveUp(Request):
    """Asked by the engine itself."""


async def give_up(system: ExternalSystemInterface, receiver: Receiver, losses: Losses) -> None:
    """Close the connection, and have it told why."""
    if not system.is_connected:
        return  # it was lost meanwhile, and that was told
    await receiver.pause()
    try:
        async with asyncio.timeout(RENEWAL_TIMEOUT):
            await system.disconnect()
    except EXPECTED_ERRORS:
        pass  # what counts is whether it is connected
    finally:
        losses.gave_up()
        if system._extsys_failed is not None:
            receiver.fail_all(FailureCode.FAILED, system._extsys_failed)
        receiver.resume()
