"""The receiving side of one system: at most one ``receive_data`` at a time, never cut off
for a caller's sake, and no item for a caller who has left.

A caller's time is counted here. When it runs out the system's own call goes on, and what
it brings is kept for the next caller. Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final, Protocol, TypeVar

import attrs

from actors import loggers
from actors.errors import EXPECTED_ERRORS, ConnectorError, describe
from actors.interface import ExternalSystemInterface
from actors.messages import (
    FailureCode,
    ReceiveData,
    ReceiveMany,
)
from actors.payload import PayloadError, wrap_encoded
from actors.system_actor.deduplicating import Repetitions
from actors.system_actor.losses import why_not_connected
from actors.system_actor.reports import Origin, Reporting
from actors.system_actor.waiters import Waiters

_PAUSE: Final = 0.02
"""Seconds between two calls of a receive_data that returns nothing at once."""
_TURN: Final = 0.002
"""Seconds after which a system that always has an item lets others have the event loop."""
_ERROR_PAUSE: Final = 1.0
"""Seconds between two calls of a receive_data that fails while only subscribers wait."""

_QUIET_TURNS: Final = 4
"""Turns of the loop without an item after which what has come is handed out, of a system that
reads on the loop: one reads from the socket, one wakes the connector, one the call."""

_MOST_DRAINING: Final = 1.0
"""Seconds for which a system that is to be closed is waited for to fall silent."""

T = TypeVar("T")
Work = Callable[[], Awaitable[T]]
"""Makes a coroutine when it begins: a task cancelled before its first step made none."""
Guard = Callable[[Work[None]], Coroutine[Any, Any, None]]


class Listener(Protocol):
    """Looks at each item, and each error of receiving, before anybody else does."""

    def takes(self, item: Any) -> bool:
        """Whether it keeps this item."""

    def fails(self, error: Exception) -> bool:
        """Whether it takes this error for its own."""


class _NobodyElse:
    """Has all that comes received, whoever waits."""

    def takes(self, item: Any) -> bool:
        return False

    def fails(self, error: Exception) -> bool:
        return True  # why it is closed is known


@attrs.frozen(eq=False)
class Together:
    """What the receivers of several connections to one system have in common."""

    waiters: Waiters
    on_dry: Callable[[], None]
    """Called when one connection has no data any more: whoever waits is not for it to refuse."""


class Receiver:
    def __init__(
        self,
        system: ExternalSystemInterface,
        reports: Reporting,
        guard: Guard,
        is_connecting: Callable[[], bool],
        max_payload_bytes: int,
        on_error: Callable[[Exception], None] = lambda error: None,
        together: Together | None = None,
    ) -> None:
        """
        Args:
            max_payload_bytes: above which neither an item nor what is received together goes.
            on_error: told of each expected error of the system's.
            together: of one of several connections, what they have in common.
            guard: runs a coroutine, and takes an exception that escapes as a crash.
            is_connecting: whether a connect is under way or in line: callers wait for it.
        """
        self._system = system
        self._reports = reports
        self._guard = guard
        self._is_connecting = is_connecting
        self._on_error = on_error
        self._max_payload_bytes = max_payload_bytes
        self._waiters = Waiters(max_payload_bytes) if together is None else together.waiters
        self._together = together
        self._listener: Listener | None = None
        self._hasten = asyncio.Event()
        """Ends the pause between two calls of the system."""
        self._is_calling = False
        self._called_at = 0.0
        """When the system's call began."""
        self._news = asyncio.Event()
        """It began or ended."""
        self._rests = False
        """Whether it pauses between two calls."""
        self._seen = 0
        """Items that came."""
        self._empty_calls = 0
        """Calls of the system that brought nothing."""
        self._tap = False
        self._paused = False
        self._closed = False
        self._may_hold_items = False
        """Whether the system may still have items from a connection that was lost."""
        self._pump: asyncio.Task[None] | None = None
        self.on_item: Callable[[bool], None] | None = None
        """Told of each item that comes: whether it is anybody's, and not kept by a listener."""
        self.repetitions: Repetitions | None = None
        """Knows of items that have come before, which are dropped."""
        self.reads_ahead = False
        """Whether it receives also while nobody wants anything, as much as can be kept."""
        self._bulk = type(system).receive_many is not ExternalSystemInterface.receive_many

    @property
    def is_tapped(self) -> bool:
        return self._tap

    @property
    def may_have_data(self) -> bool:
        """Whether it is connected, or may still have what came before a loss."""
        return self._can_receive()

    @property
    def is_listening(self) -> bool:
        """Whether what comes is received."""
        return self._is_wanted()

    # ---- what the engine asks for -----------------------------------------------------

    def add(self, origin: Origin, request: ReceiveData | ReceiveMany) -> None:
        """Let a caller wait, or answer it from what was kept."""
        self._waiters.add(origin, request)
        self.run()

    def forget(self, origins: frozenset[Origin]) -> None:
        """Their callers have left. Items already gathered for one are kept."""
        self._waiters.forget(origins)

    def take_back(self, items: tuple[Any, ...]) -> None:
        """Items that reached nobody: the next callers get them first."""
        self._waiters.put_back(items)

    def set_tap(self, on: bool) -> None:
        """Receive also when no caller waits, and show every item to the subscribers."""
        self._tap = on
        if on:
            for item in self._waiters.take_kept():
                self._reports.tap(item)
        self.run()

    def run(self) -> None:
        """See that data is received if anybody wants it and the system can have any."""
        if self._paused or self._closed:
            return
        if not self._can_receive():
            if not self._is_connecting():
                self.fail_all(*why_not_connected(self._system))
            return
        # Asks the task itself: one that is cancelled before its first step runs no "finally".
        idle = self._pump is None or self._pump.done()
        if idle and self._is_wanted():
            self._pump = asyncio.create_task(self._run_pump(), name="receive")

    def fail_all(self, code: FailureCode, text: str) -> None:
        """Answer all callers; with what they have, if they have anything."""
        if self._listener is not None:
            self._listener.fails(ConnectorError(text))
        if self._together is not None:
            self._together.on_dry()
            return
        while self._waiters:
            self._waiters.fail_first(code, text)

    @contextlib.contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Have one listener hear all that comes meanwhile, first."""
        self._listener = listener
        try:
            self.run()
            yield
        finally:
            self._listener = None

    async def settle(self, most: float) -> bool:
        """Until what has come already is handed out, and the system's call waits for more.

        Args:
            most: seconds.

        Returns:
            False if the system did not fall silent in that time.
        """
        loop = asyncio.get_running_loop()
        ends, empty_calls, quiet = loop.time() + most, self._empty_calls, 0
        while loop.time() < ends:
            if self._empty_calls != empty_calls or not self._can_receive():
                return True
            seen, rest = self._seen, 0.0
            if not self._is_calling:
                rest = _PAUSE if self._rests else 0.0
            elif quiet >= _QUIET_TURNS:
                rest = self._called_at + self._system.quiet_time - loop.time()
                if rest <= 0:
                    return True
            self._hasten.set()
            await self._until_news(min(rest, ends - loop.time()))
            quiet = quiet + 1 if self._is_calling and self._seen == seen else 0
        return False

    async def _until_news(self, most: float) -> None:
        """Until a call of the system begins or ends, for so many seconds at most; for one turn at
        least."""
        if most <= 0:
            await asyncio.sleep(0)
            return
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._news.wait()

    async def drain(self) -> None:
        """Hand out or keep what has come already, before the connection is closed."""
        with self.heard_by(_NobodyElse()):
            await self.settle(_MOST_DRAINING)

    async def pause(self) -> None:
        """Cut off the system's call, before a disconnect. Until :meth:`resume`, those that wait
        go on waiting, and the system is not called."""
        self._paused = True
        pump = self._pump
        if pump is not None and not pump.done():
            pump.cancel()
            # A connector that swallows the cancellation must not hold up the disconnect.
            await asyncio.wait({pump}, timeout=0.5)

    def resume(self) -> None:
        """The disconnect is over, or failed."""
        self._paused = False
        self._hasten.set()
        self._may_hold_items = self._system.is_connected
        self.run()

    def close(self) -> None:
        """After a crash: receive no more. What was gathered is an answer."""
        self._closed = True
        self._waiters.close()
        if self._pump is not None and self._pump is not asyncio.current_task():
            self._pump.cancel()

    # ---- the pump ---------------------------------------------------------------------

    async def _run_pump(self) -> None:
        await self._guard(self._receive)

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        yielded = loop.time()
        while self._is_wanted() and self._can_receive():
            call = self._waiters.begin_call()
            began = loop.time()
            self._called_at = began
            try:
                items = await self._call_system()
            except EXPECTED_ERRORS as error:
                self._may_hold_items = self._system.is_connected
                self._on_error(error)
                await self._take_error(error)
                continue
            if items:
                for item in items:
                    self._take(item)
                if loop.time() - yielded > _TURN:
                    await asyncio.sleep(0)
                    yielded = loop.time()
                continue
            self._may_hold_items = self._system.is_connected
            if not self._may_hold_items:
                break
            self._waiters.nothing_came(call)
            self._empty_calls += 1
            if loop.time() - began < _PAUSE:
                await self._wait_a_little(_PAUSE)
        if not self._can_receive() and not self._is_connecting():
            self.fail_all(FailureCode.NOT_CONNECTED, "the connection was lost")

    def _can_receive(self) -> bool:
        if self._system.is_connected:
            self._may_hold_items = True
        return self._may_hold_items

    def _is_wanted(self) -> bool:
        # A connector may swallow the cancellation that a pause begins with.
        wanted = self._waiters or self._tap or self._listener is not None
        if not wanted:
            wanted = self.reads_ahead and not self._waiters.are_full
        return bool(wanted) and not self._paused and not self._closed

    async def _wait_a_little(self, seconds: float) -> None:
        self._hasten.clear()
        self._rests = True
        try:
            async with asyncio.timeout(seconds):
                await self._hasten.wait()
        except TimeoutError:
            pass
        finally:
            self._rests = False

    async def _call_system(self) -> list[Any]:
        self._is_calling = True
        self._news.set()
        try:
            return await self._items_of_system()
        finally:  # before an error is dealt with, which may take a while
            self._is_calling = False
            self._news.set()

    async def _items_of_system(self) -> list[Any]:
        first = self._waiters.first
        if self._bulk and first is not None and isinstance(first.request, ReceiveMany):
            wait = first.request.wait
            items = await self._system.receive_many(
                first.request.max_items, 1.0 if wait is None else wait
            )
            return list(items)
        item = await self._system.receive_data()
        return [] if item is None else [item]

    def _take(self, item: Any) -> None:
        self._seen += 1
        is_taken = self._listener is not None and self._listener.takes(item)
        if self.on_item is not None:
            self.on_item(not is_taken)
        if not is_taken:
            self.give(item)

    def give(self, item: Any) -> None:
        """Hand out an item, or keep it."""
        try:
            data = wrap_encoded(item, self._max_payload_bytes)
        except PayloadError as error:
            self._lose(f"received an item, but {error}")
            return
        if self.repetitions is not None and self.repetitions.has(item):
            self._reports.drop(1)
            return
        if self._tap:
            self._reports.tap(data)
        if not self._waiters.hand_out(data) and not self._tap:
            lost = self._waiters.keep(data, asked=self._listener is None)
            if lost:
                self._reports.drop(lost)

    def _lose(self, text: str) -> None:
        """An item cannot be handed out: whoever was to have it is told, or the log."""
        first = self._waiters.first
        if first is None or first.items:
            log = logging.getLogger(loggers.SYSTEM_ACTOR)
            log.warning("%s: %s", self._system.system_name, text)
        if first is not None:
            self._waiters.fail_first(FailureCode.CONNECTOR_ERROR, text)

    async def _take_error(self, error: Exception) -> None:
        if self._listener is not None and self._listener.fails(error):
            await asyncio.sleep(0)
            return
        if self._together is not None and not self._system.is_connected:
            return  # it is one of several: those that wait may get their data from another
        if self._waiters:
            self._waiters.fail_first(FailureCode.CONNECTOR_ERROR, describe(error))
            return
        logging.getLogger(loggers.SYSTEM_ACTOR).warning(
            "%s: receiving failed: %s", self._system.system_name, describe(error)
        )
        if self._system.is_connected:
            await self._wait_a_little(_ERROR_PAUSE)
