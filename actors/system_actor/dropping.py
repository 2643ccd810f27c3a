"""A connection that is dropped, as it is dead: its supervisor has the system connected again.

Runs on the system actor's event loop, in the engine's lane.
"""

from __future__ import annotations

import asyncio
from typing import Final

import attrs

from actors.errors import EXPECTED_ERRORS
from actors.interface import ExternalSystemInterface
from actors.messages import Reason, Request
from actors.system_actor.losses import Losses
from actors.system_actor.receiving import Receiver

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for a disconnect; it is cut off then, and the connection is gone all the same."""
ENDS_WITHIN: Final = 1.0
"""Seconds for a disconnect that is cut off to end. One that does not leaves no other way than
another process."""


@attrs.frozen
class DropLink(Request):
    """Asked by the engine itself."""

    why: Reason


async def drop_link(
    system: ExternalSystemInterface, why: Reason, receiver: Receiver, losses: Losses
) -> None:
    """Close a connection that is dead, within a few seconds, whatever its disconnect does.

    Raises:
        RuntimeError: it does not end when it is cancelled.
    """
    if not system.is_connected:
        return  # it was lost meanwhile, and that was told
    await receiver.pause()
    try:
        with losses.closing(why):
            await _disconnect(system)
            if system.is_connected:
                system.report_loss(why.text)
    finally:
        receiver.resume()


async def _disconnect(system: ExternalSystemInterface) -> None:
    task = asyncio.ensure_future(system.disconnect())
    try:
        await asyncio.wait({task}, timeout=CLOSE_TIMEOUT)
    finally:
        task.cancel()
    if not task.done():
        await asyncio.wait({task}, timeout=ENDS_WITHIN)
    if not task.done():
        raise RuntimeError(
            f"its disconnect goes on {ENDS_WITHIN:g} s after it was cancelled; a coroutine must "
            "end at its CancelledError"
        )
    if not task.cancelled():
        error = task.exception()
        if error is not None and not isinstance(error, EXPECTED_ERRORS):
            raise error
