"""A system that is not started before it is connected.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio

from actors.messages import ConnectSystem, Failure, FailureCode, Outcome, Reply
from actors.system_actor.face import SystemEngine
from actors.system_actor.reports import Origin


class _Answer:
    """Whom the answer goes to."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def reply(self, ref: int, reply: Reply) -> None:
        if not self.future.done():
            self.future.set_result(reply)


async def connect_first(engine: SystemEngine, system_name: str, within: float) -> Failure | None:
    """Connect a system like anybody who asks for it; why that cannot be done, if it cannot.

    Args:
        within: seconds.
    """
    answer, request = _Answer(), ConnectSystem(system_name)
    engine.submit(Origin(answer, request.request_id), request)
    try:
        async with asyncio.timeout(within):
            reply = await answer.future
    except TimeoutError:
        text = f"not connected within {within:g} s"
        return request.failure(FailureCode.TIMEOUT, text, Outcome.UNKNOWN)
    return reply if isinstance(reply, Failure) else None
