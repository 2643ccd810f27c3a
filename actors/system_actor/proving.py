"""A connection that is made counts once it has answered, where its protocol has an answer: a port
forwarder, a proxy or a hung server accepts connections too.

Runs on the system actor's event loop, in the engine's lane.
"""

from __future__ import annotations

import asyncio

from actors.errors import EXPECTED_ERRORS, FatalError, describe, with_remedy
from actors.interface import ExternalSystemInterface, asks_nobody
from actors.messages import FailureCode

Trouble = tuple[FailureCode, str]
"""Why something did not work."""


def can_be_proved(system_class: type[ExternalSystemInterface]) -> bool:
    """Whether a class has a check of its own that is to be made after each connect."""
    return not asks_nobody(system_class.check_health) and system_class.check_on_connect


async def prove(system: ExternalSystemInterface) -> Trouble | None:
    """Ask a system that was just connected whether it works; why it does not, if it does not."""
    if not can_be_proved(type(system)):
        return None
    limit = system.check_timeout
    try:
        async with asyncio.timeout(limit) as timer:
            healthy = await system.check_health()
    except EXPECTED_ERRORS as error:
        if timer.expired() and isinstance(error, TimeoutError):
            text = f"connected, but its check_health gave no answer within {limit:g} s"
            return FailureCode.CONNECTOR_ERROR, text
        return trouble(error, "connected, but its check_health failed: ")
    if not healthy:
        return FailureCode.CONNECTOR_ERROR, "connected, but its check_health says that it is not"
    return None


def trouble(error: Exception, what: str = "") -> Trouble:
    """What to answer for an expected error of a connect."""
    text = what + describe(error)
    if isinstance(error, FatalError):
        return FailureCode.FAILED, with_remedy(text)
    return FailureCode.CONNECTOR_ERROR, text
