"""Receiving and sending until there is something to return, or for so long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from thespian.system.timing import timePeriodSeconds
from thespian.system.transport import (
    ReceiveEnvelope,
    Thespian__Run__Result,
    Thespian__Run_Expired,
    Thespian__Run_HandlerResult,
    Thespian__Run_Terminated,
    TransmitOnly,
)
from thespian.system.utilis import thesplog

from actors.unix_base.transport.exchange import Exchange
from actors.unix_base.transport.pickling import described
from actors.unix_base.transport.received import Received, Receiver

DRAINS: Final = 5.0
"""Seconds that a process which exits waits for those who do not take what it sent them."""
_BURIES: Final = 1.0
"""Seconds in which the admin takes its dead letters, or never."""


class Runs:
    """The part of a transport that its process waits in."""

    def __init__(self, exchange: Exchange, admin: str) -> None:
        self._exchange = exchange
        self._admin = admin
        self.receiver: Receiver | None = None
        """In the place of the handlers that :meth:`run` is given, which open envelopes."""
        self._abort: bool | None = None
        """Set when :meth:`run` is to end; whether everything is to be sent before,"""
        self._drains_until: float | None = None
        """and until when."""

    def run(self, handler: Any, maximumDuration: timedelta | float | None = None) -> Any:
        """Receive and send until there is something to return.

        Args:
            handler: called with each envelope until it gives something false; None returns
                the first envelope; ``TransmitOnly`` returns 0 when all is sent.
            maximumDuration: for how long at most; None is for ever.
        """
        deadline = None
        if maximumDuration is not None:
            deadline = time.monotonic() + max(0.0, timePeriodSeconds(maximumDuration))
        if handler is TransmitOnly or isinstance(handler, TransmitOnly):
            return self._transmit(deadline)
        if handler is not None:
            return self.run_until(deadline, self.receiver or _opens_envelopes(handler))
        result = self.run_until(deadline)
        if isinstance(result, tuple):
            sender, message, _, _ = result
            return ReceiveEnvelope(sender, message)
        return result

    def run_until(
        self, deadline: float | None, receiver: Receiver | None = None
    ) -> Received | Thespian__Run__Result:
        """Receive and send as :meth:`run` does.

        Args:
            deadline: of the monotonic clock; None is for ever.
            receiver: what is called with messages; without one the first is returned.
        """
        exchange = self._exchange
        exchange.be_runner()
        self._abort = None
        while True:
            if exchange.unread:
                if receiver is None:
                    received = exchange.receive()
                    if received is not None:
                        return received
                elif not (result := exchange.deliver(receiver)):
                    return Thespian__Run_HandlerResult(result)
            if exchange.done:
                self._finish_intents()
            if self._abort is not None and not (self._abort and self._drains()):
                return Thespian__Run_Terminated()
            if exchange.unread:
                exchange.do_io(0.0)
                continue
            exchange.do_io_until(_earlier(deadline, self._drains_until))
            if deadline is None or exchange.unread or exchange.done:
                continue
            if time.monotonic() >= deadline:
                return Thespian__Run_Expired()

    def _transmit(self, deadline: float | None) -> int:
        self._exchange.be_runner()
        self._abort = None
        self._exchange.acknowledge()
        deadline = _earlier(deadline, self._drains_until)
        while True:
            self._finish_intents()
            waiting = self._exchange.waiting
            if not waiting or (deadline is not None and time.monotonic() >= deadline):
                return waiting
            self._exchange.do_io_until(deadline)

    def has_sent_all_to(self, name: str) -> bool:
        """Whether nothing waits here to be sent to a process."""
        return not self._exchange.is_behind(name)

    def send_all_to(self, name: str, deadline: float) -> bool:
        """Send what is on its way to one process; False if it did not take it in time."""
        self._exchange.be_runner()
        while self._exchange.is_behind(name):
            if time.monotonic() >= deadline:
                return False
            self._exchange.do_io_until(deadline)
        return True

    def has_room_for(self, name: str) -> bool:
        """Whether so little is on its way to a process that more need not wait."""
        return self._exchange.has_room_for(name)

    def make_room_for(self, name: str, deadline: float | None) -> bool:
        """Send what is on its way to a process until more need not wait; False if it did not take
        that in time."""
        self._exchange.be_runner()
        while not self._exchange.has_room_for(name):
            if deadline is not None and time.monotonic() >= deadline:
                return False
            self._exchange.do_io_until(deadline)
        return True

    def pass_time(self, seconds: float) -> None:
        """Send and receive for so long at most; what comes is left."""
        self._exchange.be_runner()
        self._exchange.do_io(seconds)
        self._finish_intents()

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have a call made while this process waits."""
        self._exchange.later(seconds, call)

    def settle(self, seconds: float) -> None:
        """Go on after a :meth:`run` that was to drain until the callback of an intent calls
        :meth:`abort_run` for good, for so long at most. What comes is left."""
        deadline = time.monotonic() + seconds
        self._finish_intents()
        while self._abort is not False and time.monotonic() < deadline:
            self._exchange.do_io_until(deadline)
            self._finish_intents()

    def _finish_intents(self) -> None:
        done = self._exchange.done
        while done:
            intent, status = done.popleft()
            try:
                intent.tx_done(status)
            except Exception as error:  # no business of whoever runs this just now
                thesplog("%s: %s", intent, described(error), level=logging.ERROR)

    def abort_run(self, drain: bool = False) -> None:
        """Have :meth:`run` end.

        Args:
            drain: whether it is to send everything first.
        """
        self._abort = drain
        if drain and self._drains_until is None:
            self._drains_until = time.monotonic() + DRAINS
        self._exchange.nudge()

    def _drains(self) -> bool:
        """Whether to wait on for others to take what was sent."""
        until = self._drains_until
        return self._exchange.waiting > 0 and (until is None or time.monotonic() < until)

    def bury_unsent(self) -> None:
        """Of a process that ends: what was not taken in time becomes dead letters."""
        if self._exchange.waiting:
            self._exchange.bury_unsent()
            self.send_all_to(self._admin, time.monotonic() + _BURIES)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _opens_envelopes(handler: Any) -> Receiver:
    return lambda message, sender: handler(ReceiveEnvelope(sender, message))
