"""An event loop in the thread in which an actor's messages come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.unix_base.exchange import Exchange


class ActorLoop:
    """Runs coroutines, and the transport whenever that has something to do."""

    def __init__(self, exchange: Exchange, on_escape: Callable[[BaseException], None]) -> None:
        """
        Args:
            on_escape: called with an exception that broke out of the loop.
        """
        self.loop = asyncio.new_event_loop()
        self._exchange = exchange
        self._on_escape = on_escape
        self._turn: Callable[[], bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.loop.add_reader(exchange.fileno(), self._do_io)
        exchange.on_nudge = self._nudge

    def run(self, turn: Callable[[], bool]) -> None:
        """Run until there is something to be dealt with outside of the loop.

        Args:
            turn: called, on the loop, when something may have come; gives whether to go on.
        """
        self._turn = turn
        self._set_timer()
        if self._exchange.inbox:
            self.loop.call_soon(self._take_turn)
        try:
            self.loop.run_forever()
        except BaseException as error:
            self._on_escape(error)
        finally:
            self._turn = None

    def _do_io(self) -> None:
        if self._turn is not None:  # else somebody runs the loop to the end of a coroutine
            self._exchange.do_io(0.0)
            self._take_turn()

    def _take_turn(self) -> None:
        if self._turn is None:
            return
        if not self._turn():
            self.loop.stop()
        elif self._exchange.inbox or self._exchange.done:
            self.loop.call_soon(self._take_turn)
        self._set_timer()

    def _nudge(self) -> None:
        if self._turn is not None:
            self.loop.call_soon(self._take_turn)

    def _set_timer(self) -> None:
        due = self._exchange.next_due
        if self._timer is not None:
            if due == self._timer.when() and not self._timer.cancelled():
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:  # asyncio's clock is the monotonic one, too
            self._timer = self.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._do_io()

    def close(self) -> None:
        if not self.loop.is_running():
            self.loop.close()
