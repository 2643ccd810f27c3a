"""A manager's connection to one incarnation of a system, without its supervisor between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from actors.messages import Answered, Deliver
from actors.wire.client import DoorConnection

KNOCKS: Final = 1
"""Deliveries with nothing in them that a link begins with."""
_KNOCK_PATIENCE: Final = 5.0
"""Seconds that a system may take to answer them; one that hangs is no better than none."""


class SystemLink(DoorConnection):
    """Made by :meth:`open`. All methods run on the event loop that opened it."""

    is_open = True
    """No property here: it is looked at for each piece that comes."""

    def __init__(self, system_name: str, incarnation: int) -> None:
        super().__init__()
        self._system_name = system_name
        self._incarnation = incarnation
        self._answers: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_answer: Callable[[Answered], None] = lambda _: None
        self.on_lost: Callable[[], None] = lambda: None
        self.says_connected = False
        """What the system said last of its connection."""

    @classmethod
    async def open(cls, path: str, system_name: str, incarnation: int) -> SystemLink:
        """Connect to a system's door, and wait until it answers.

        Raises:
            OSError: nobody is there, it is somebody else, or it does not answer.
        """
        link = await cls.connect(path, lambda: cls(system_name, incarnation))
        try:
            link.say([Deliver(KNOCKS, ())])
            async with asyncio.timeout(_KNOCK_PATIENCE):
                await link._answers
        except BaseException:
            link.abort()
            raise
        return link

    def abort(self) -> None:
        """Close at once; nothing more is heard of it."""
        self.is_open = False
        super().abort()

    def _hear(self, message: Any) -> None:
        if not isinstance(message, Answered):
            return
        if (message.system_name, message.incarnation) != (self._system_name, self._incarnation):
            return
        if not self._answers.done():
            self._answers.set_result(None)
        self.on_answer(message)

    def _end(self, error: Exception | None) -> None:
        if not self._answers.done():
            self._answers.set_exception(ConnectionError("it hung up"))
            self._answers.exception()  # nobody may wait for it any more
        if self.is_open:
            self.is_open = False
            self.on_lost()
