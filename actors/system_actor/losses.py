"""Why a system lost its connection, from where it shows until it is reported.

Lives on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.errors import describe
from actors.interface import ExternalSystemInterface
from actors.messages import Reason
from actors.messages.supervision import RENEWED


class Losses:
    """Of one system. The first reason that is known of a loss is the one that counts."""

    def __init__(self, system: ExternalSystemInterface, on_news: Callable[[str], None]) -> None:
        """Listen to the system.

        Args:
            on_news: called with a reason that has become known.
        """
        self._system = system
        self._on_news = on_news
        self._loop = asyncio.get_running_loop()
        self._why: Reason | None = None
        self._may_be_lost = False
        """Whether it has been connected, and nobody knows yet why it is not any more."""
        system._extsys_on_loss = self._told

    def connected(self) -> None:
        """It is connected."""
        self._may_be_lost = True

    def disconnected(self) -> None:
        """It was told to disconnect, or could not be connected: that is no loss."""
        self._may_be_lost = False
        self._why = None

    def renewed(self, why: str) -> None:
        """It was disconnected in order to be connected again."""
        self._note(Reason(RENEWED, why))

    def failed(self, error: BaseException) -> None:
        """Its connector raised what may have cost it the connection."""
        if self._may_be_lost and not self._system.is_connected:
            self._note(Reason(type(error).__name__, describe(error)))

    def take(self, is_connected: bool) -> Reason | None:
        """The reason, to be reported; once."""
        if is_connected:
            self.connected()
        why, self._why = self._why, None
        return why

    def _told(self, why: str | BaseException) -> None:
        """By the connector itself, in whatever thread."""
        if isinstance(why, BaseException):
            reason = Reason(type(why).__name__, describe(why))
        else:
            reason = Reason("lost", str(why))
        try:
            on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            on_loop = False
        if on_loop:
            self._note(reason)
        else:
            self._loop.call_soon_threadsafe(self._note, reason)

    def _note(self, reason: Reason) -> None:
        self._may_be_lost = False
        if self._why is None:
            self._why = reason
            self._on_news(reason.text)
