"""Why a system lost its connection, from where it shows until it is reported.

Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from actors.errors import FatalError, describe, with_remedy
from actors.interface import ExternalSystemInterface
from actors.messages import FailureCode, Reason

NOT_CONNECTED_TEXT: Final = "not connected; its status says why, if it is meant to be"


def why_not_connected(system: ExternalSystemInterface) -> tuple[FailureCode, str]:
    """What to answer to whom a system that is not connected cannot serve."""
    if system._extsys_failed is not None:
        return FailureCode.FAILED, system._extsys_failed
    return FailureCode.NOT_CONNECTED, NOT_CONNECTED_TEXT


class Losses:
    """Of one system. The first reason that is known of a loss is the one that counts."""

    def __init__(
        self,
        system: ExternalSystemInterface,
        on_news: Callable[[str], None],
        on_fatal: Callable[[Reason], None],
    ) -> None:
        """Listen to the system.

        Args:
            on_news: called with a reason that has become known.
            on_fatal: called with the reason for which a connection that stands is to be given up.
        """
        self._system = system
        self._on_news = on_news
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._why: Reason | None = None
        self._may_be_lost = False
        """Whether it has been connected, and nobody knows yet why it is not any more."""
        self._given_up_for: Reason | None = None
        """Why its connection is about to be closed, and not made again; whatever ends it first."""
        self._is_closing = False
        self._closed_for: Reason | None = None
        """Why it is being closed, until that is told."""
        system._extsys_on_loss = self._told

    def connected(self) -> None:
        """It is connected."""
        self._may_be_lost = True
        self._system._extsys_failed = None

    def disconnected(self, failed: str | None = None) -> None:
        """It was told to disconnect, or could not be connected: that is no loss.

        Args:
            failed: why it is of no use to connect it again, and what to do.
        """
        self._may_be_lost = False
        self._why = self._given_up_for = None
        self._system._extsys_failed = failed

    @contextlib.contextmanager
    def closing(self, why: Reason) -> Iterator[None]:
        """While it is disconnected for this reason, and for no wish of anybody's. What else is said
        of a loss meanwhile comes of that."""
        why = self._given_up_for or why
        self._is_closing, self._closed_for = True, why
        try:
            yield
        finally:
            self._is_closing, untold, self._closed_for = False, self._closed_for, None
            if not self._system.is_connected:
                self._end(why)
                self._why = self._why or untold
                self._on_news(why.text)

    def failed(self, error: BaseException) -> None:
        """Its connector raised what may have cost it the connection."""
        if not self._may_be_lost:
            return
        if not self._system.is_connected:
            self._note(_reason_of(error))
        elif isinstance(error, FatalError) and self._given_up_for is None:
            self._given_up_for = _reason_of(error)
            self._on_fatal(self._given_up_for)

    def take(self, is_connected: bool) -> Reason | None:
        """The reason, to be reported; once."""
        if is_connected:
            self.connected()
        elif self._closed_for is not None:
            self._why, self._closed_for = self._why or self._closed_for, None
        elif self._given_up_for is not None:
            self._note(self._given_up_for)
        why, self._why = self._why, None
        return why

    def _told(self, why: str | BaseException) -> None:
        """By the connector itself, in whatever thread."""
        reason = _reason_of(why)
        try:
            on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            on_loop = False
        if on_loop:
            self._note(reason)
        else:
            self._loop.call_soon_threadsafe(self._note, reason)

    def _note(self, reason: Reason) -> None:
        if self._is_closing:
            return
        reason = self._given_up_for or reason
        self._end(reason)
        if self._why is None:
            self._why = reason
            self._on_news(reason.text)

    def _end(self, reason: Reason) -> None:
        self._may_be_lost, self._given_up_for = False, None
        if reason.is_fatal:
            self._system._extsys_failed = reason.text


def _reason_of(why: str | BaseException) -> Reason:
    if not isinstance(why, BaseException):
        return Reason("lost", str(why))
    kind, text = type(why).__name__, describe(why)
    if isinstance(why, FatalError):
        return Reason(kind, with_remedy(text), is_fatal=True)
    return Reason(kind, text)
