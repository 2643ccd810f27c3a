"""The shell around :mod:`supervisor.client.ways`: the links of one manager to its systems.

Everything here runs on the host's event loop. A link is opened in the background when a
system is first asked something, and again for each incarnation; no request waits for one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from actors import loggers
from actors.messages import (
    Answered,
    FailureCode,
    Reply,
    Request,
    SendData,
    SendMany,
)
from supervisor.client.asked import OnReply
from supervisor.client.session import Session
from supervisor.client.system_link import KNOCKS, SystemLink
from supervisor.client.way_actions import GiveBack, Route, Tell, Unroute, WayAction
from supervisor.client.ways import Ways
from supervisor.client.which_way import has_two_ways, is_durable, is_unseen
from supervisor.messages import (
    ConnectAll,
    DisconnectAll,
    EventKind,
    LifecycleEvent,
    ResolveSystem,
    SupervisorRequest,
    SystemResolved,
)

RETRY: Final = 0.5
"""Seconds between two attempts to open a link."""
REASON_PATIENCE: Final = 5.0
"""Seconds in which the supervisor says why a system's process hung up."""
_HUNG_UP: Final = "its process hung up before it answered"
_SEND_OFF_PATIENCE: Final = 1.0
"""Seconds that what is asked of all systems waits for one that takes nothing."""
_log = logging.getLogger(loggers.MANAGER)


class SystemLinks:
    """Of one manager: all that it asks, on the way that it has to go."""

    def __init__(
        self,
        session: Session,
        is_known: Callable[[str], bool],
        on_disconnected: Callable[[str], None],
        *,
        direct: bool,
    ) -> None:
        """
        Args:
            session: the way through the supervisor.
            is_known: whether a system of this name is registered, as far as is heard.
            on_disconnected: called with the name of a system that says that it is not
                connected any more, perhaps before its supervisor does.
            direct: whether there is any other way.
        """
        self._session = session
        self._is_known = is_known
        self.is_direct = direct
        self._on_disconnected = on_disconnected
        self._ways: dict[str, Ways] = {}
        self._links: dict[str, SystemLink] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._retry_at: dict[str, float] = {}
        self._ended: dict[str, int] = {}
        """The last incarnation that is known to end, or to have ended."""
        self._touched: dict[str, Ways] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf
        self._epoch = 0
        """Counts the supervisors that were lost: what was begun under one is dropped."""
        self._over = False

    # ---- asking --------------------------------------------------------------------------

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Send a request and wait for its reply. Being cancelled takes the request back."""
        if isinstance(request, ConnectAll | DisconnectAll):
            await self._send_off()
        if is_unseen(request):
            for ways in self._ways.values():
                ways.asked_unseen()
        if not has_two_ways(request) or not self._takes(request):
            return await self._session.ask(request)
        name = request.system_name
        ways = self.prepare(name)
        if is_durable(request, ways):
            return await self._session.ask(request)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def settle(reply: Reply) -> None:
            if future.done():  # its caller has left, and not run since
                self._give_back(name, reply)
            else:
                future.set_result(reply)

        ways.ask(request, settle, time.monotonic())
        self._touch(name, ways)  # with what else is asked in this turn of the loop
        try:
            return await future
        except asyncio.CancelledError:
            if ways.cancel(request.request_id):
                self._touch(name, ways)
            elif not future.cancelled():
                self._give_back(name, future.result())
            raise

    def ask_now(self, request: SendData | SendMany, on_part: OnReply, size: int | None) -> None:
        """Send a request that may be answered in parts, without waiting for what else is asked
        in this turn of the loop.

        Args:
            size: as of :meth:`Ways.ask`.
        """
        if self._session.over is not None or not self._takes(request):
            self._session.ask_stream(request, on_part)
            return
        name = request.system_name
        ways = self.prepare(name)
        if is_durable(request, ways):
            self._session.ask_stream(request, on_part)
            return
        self._carry_out(name, ways, ways.ask_now(request, on_part, time.monotonic(), size))
        due = ways.next_due()
        if due is not None:
            self._arm(due)

    def _takes(self, request: Request) -> bool:
        name = request.system_name
        return self.is_direct and isinstance(name, str) and self._is_known(name)

    def prepare(self, name: str) -> Ways:
        """See to a link for what is asked of a system later."""
        ways = self._ways.get(name)
        if ways is None:
            ways = self._ways[name] = Ways(name)
        if name not in self._links:
            self._see_to_link(name, ways)
        return ways

    def untaken(self, name: str) -> int:
        """Items and requests to a system that only this manager knows of."""
        ways = self._ways.get(name)
        return 0 if ways is None else ways.untaken

    async def _send_off(self) -> None:
        """Wait, for a while at most, until the systems have taken all that was asked: what is
        asked of all of them at once must not overtake it."""
        self._flush()
        deadline = time.monotonic() + _SEND_OFF_PATIENCE
        while not all(each.all_is_taken for each in self._ways.values()):
            if time.monotonic() >= deadline:
                return
            await asyncio.sleep(0.001)

    def _give_back(self, name: str, reply: Reply) -> None:
        ways = self._ways.get(name)
        if ways is not None:
            ways.give_back(reply)
            self._touch(name, ways)

    # ---- what the supervisor tells -----------------------------------------------------------

    def hear(self, event: LifecycleEvent) -> None:
        """Something happened to a system."""
        name, incarnation = event.system_name, event.incarnation
        ways = self._ways.get(name)
        if ways is None:
            return
        match event.kind:
            case EventKind.STARTED:
                self._retry_at.pop(name, None)
                self._see_to_link(name, ways)
            case EventKind.STOPPING | EventKind.HUNG:
                self._ended[name] = incarnation
                ways.closing(incarnation)
            case EventKind.CRASHED:
                text = f"crashed ({event.reason.text})" if event.reason else "crashed"
                self._end(name, ways, incarnation, FailureCode.SYSTEM_CRASHED, text)
            case EventKind.STOPPED:
                text = "the system was stopped"
                if event.reason is not None:
                    text = f"the system ended by itself ({event.reason.text})"
                self._end(name, ways, incarnation, FailureCode.UNAVAILABLE, text)
            case EventKind.UNREGISTERED:
                self._forget(name, ways)
            case EventKind.CONNECTED | EventKind.CONNECTING | EventKind.DISCONNECTED:
                due = None if event.delay is None else time.monotonic() + event.delay
                ways.connection(event.kind is EventKind.CONNECTED, due)
            case _:
                return
        self._touch(name, ways)

    def _end(self, name: str, ways: Ways, incarnation: int, code: FailureCode, text: str) -> None:
        self._ended[name] = incarnation
        if ways.incarnation == incarnation:
            self._drop_link(name, ways)
        ways.ended(incarnation, code, text)

    def _forget(self, name: str, ways: Ways) -> None:
        """A system is not registered any more; another may be, with the same name."""
        self._drop_link(name, ways)
        self._ended.pop(name, None)
        if ways.is_idle:
            del self._ways[name]

    def supervisor_lost(self, why: str) -> None:
        """The supervisor is gone, and its systems with it."""
        self._epoch += 1
        self._ended.clear()
        self._retry_at.clear()
        for name, ways in list(self._ways.items()):
            self._drop_link(name, ways)
            ways.supervisor_lost(why)
            self._touch(name, ways)

    def close(self, why: str) -> None:
        """Nothing can be asked any more."""
        self._over = True
        self.supervisor_lost(why)
        for task in self._opening.values():
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flush()

    # ---- links -----------------------------------------------------------------------------

    def _see_to_link(self, name: str, ways: Ways) -> None:
        """Open a link in the background, if there is none and it was not just tried."""
        if (
            self._over
            or name in self._links
            or name in self._opening
            or time.monotonic() < self._retry_at.get(name, -math.inf)
        ):
            return
        self._retry_at[name] = time.monotonic() + RETRY
        task = asyncio.create_task(self._open(name, ways), name=f"link to {name}")
        self._opening[name] = task
        task.add_done_callback(partial(self._opened, name))

    def _opened(self, name: str, task: asyncio.Task[None]) -> None:
        self._opening.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s: no link: %r", name, error)

    async def _open(self, name: str, ways: Ways) -> None:
        epoch, news = self._epoch, ways.connection_news
        found = await self._session.ask(ResolveSystem(name))
        if not isinstance(found, SystemResolved):
            return
        ways.found(found, news, time.monotonic())
        try:
            link = await SystemLink.open(found.door, name, found.incarnation)
        except (OSError, TimeoutError):
            return  # it has ended, or hangs: its next incarnation will be heard of
        # No turn of the loop lies between its first answer and this for anything to be lost
        # in but the link itself.
        is_stale = epoch != self._epoch or found.incarnation <= self._ended.get(name, 0)
        if is_stale or not link.is_open or self._over or self._ways.get(name) is not ways:
            link.abort()
            return
        self._drop_link(name, ways)
        self._links[name] = link
        link.on_answer = partial(self._hear, name, ways, link)
        link.on_lost = partial(self._lose, name, ways)
        ways.opened(found, KNOCKS)
        self._touch(name, ways)

    def _hear(self, name: str, ways: Ways, link: SystemLink, said: Answered) -> None:
        ways.heard(said, time.monotonic())
        # Not each time: what it said before it was connected may be read after the
        # supervisor's word that it is.
        if link.says_connected and not said.is_connected:
            self._on_disconnected(name)
        link.says_connected = said.is_connected
        if ways.has_work:
            self._touch(name, ways)

    def _lose(self, name: str, ways: Ways) -> None:
        """A system's process hung up: its supervisor says why, in a moment."""
        del self._links[name]
        orphans = ways.lost()
        self._touch(name, ways)
        if orphans:
            # Not by incarnation: a name that is registered anew counts them from 1 again.
            asyncio.get_running_loop().call_later(
                REASON_PATIENCE, ways.unexplained, orphans, _HUNG_UP
            )

    def _drop_link(self, name: str, ways: Ways) -> None:
        """Hear the last words of a process that is gone, and hang up."""
        link = self._links.pop(name, None)
        if link is not None:
            link.on_lost = lambda: None
            link.drain()
            link.abort()
            ways.lost()

    # ---- carrying out ------------------------------------------------------------------------

    def _touch(self, name: str, ways: Ways) -> None:
        """See that what there is to do is done at the end of this turn of the loop."""
        if not self._touched:
            asyncio.get_running_loop().call_soon(self._flush)
        self._touched[name] = ways

    def _flush(self) -> None:
        touched, self._touched = self._touched, {}
        now = time.monotonic()
        due = math.inf
        for name, ways in touched.items():
            try:
                self._carry_out(name, ways, ways.flush(now))
                due = min(due, ways.next_due() or math.inf)
            except Exception:  # a bug, but other systems have nothing to do with it
                _log.exception("%s: what was asked could not be sent off", name)
        self._arm(due)

    def _carry_out(self, name: str, ways: Ways, actions: Iterable[WayAction]) -> None:
        said: list[Any] = []
        for action in actions:
            match action:
                case Tell():
                    said.append(action.message)
                case Route():
                    request_id = action.request.request_id
                    self._session.ask_stream(
                        action.request, partial(self._routed, name, ways, request_id)
                    )
                case Unroute():
                    self._session.cancel(action.request_id)
                case GiveBack():
                    self._session.give_back(action.message)
        link = self._links.get(name)
        if said and link is not None:
            try:
                link.say(said)
            except Exception:  # a bug, but nobody shall wait for ever
                _log.exception("%s: its link is broken", name)
                link.on_lost = lambda: None
                link.abort()
                self._lose(name, ways)

    def _routed(self, name: str, ways: Ways, request_id: int, reply: Reply) -> None:
        ways.routed_reply(request_id, reply, time.monotonic())
        self._touch(name, ways)

    def _arm(self, due: float) -> None:
        if due >= self._timer_due or self._over:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        wait = max(0.0, due - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_due = None, math.inf
        now = time.monotonic()
        due = math.inf
        for name, ways in list(self._ways.items()):
            try:
                ways.tick(now)
            except Exception:  # a bug, but other systems have nothing to do with it
                _log.exception("%s: what was due could not be dealt with", name)
            self._touch(name, ways)
            due = min(due, ways.next_due() or math.inf)
        self._arm(due)
