"""A system with several connections in place of one. It has the face of an engine.

Each connection has a connector and an engine of its own. Which of them does what is decided in
:mod:`actors.resilience.pool`, and done in :mod:`~actors.system_actor.connections`. Sends,
questions and commands are given to one that is free; whoever waits for data gets what comes on
any; orders to connect and to disconnect are about all, and hold up what is asked after them, as in
an engine's lane. Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

import attrs

from actors.interface import ExternalSystemInterface
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    QueryData,
    Reason,
    ReceiveData,
    ReceiveMany,
    Reply,
    Request,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from actors.resilience.pool_actions import PoolState
from actors.resilience.pool_policy import PoolPolicy
from actors.system_actor.connections import Connections
from actors.system_actor.engine import Engine
from actors.system_actor.face import answered_at_once
from actors.system_actor.lane import DISCONNECT_GRACE, STOPPING
from actors.system_actor.pool_member import Errand
from actors.system_actor.receiving import Together
from actors.system_actor.reports import Origin, Reporting
from actors.system_actor.waiters import Waiters

_RECENTLY: Final = 3.0
"""Seconds for which an error of something in the background may be of a connection that was
lost."""

MakeEngine = Callable[
    [ExternalSystemInterface, Reporting, Callable[[Reason], None], Together], Engine
]


@attrs.define(eq=False)
class _Order:
    """A connect or a disconnect that is being carried out."""

    origin: Origin
    request: Request


class PooledEngine:
    def __init__(
        self,
        system: ExternalSystemInterface,
        another: Callable[[], ExternalSystemInterface],
        policy: PoolPolicy,
        reports: Reporting,
        on_crash: Callable[[Reason], None],
        make_engine: MakeEngine,
        max_payload_bytes: int,
        random: Random,
    ) -> None:
        """
        Args:
            system: the connector of the first connection.
            another: makes that of one more.
            on_crash: as of an engine.
            make_engine: of a system, where its words go, whom its crash is told, and what it has
                in common with the others.
            max_payload_bytes: above which an answer is a failure.
            random: for what connections should not all do at once.
        """
        self._on_crash = on_crash
        self._loop = asyncio.get_running_loop()
        self._waiters = Waiters(max_payload_bytes)
        together = Together(self._waiters, self._dry)
        self._connections = Connections(
            system,
            another,
            policy,
            reports,
            lambda system, news: make_engine(system, news, self._crash, together),
            self._changed,
            lambda error: self._crash(Reason.of(error)),
            random,
        )
        self._pool = self._connections.pool
        self._lending = self._connections.lending
        self._line: deque[tuple[Origin, Request]] = deque()
        """What waits for an order before it."""
        self._order: _Order | None = None
        self._is_tapped = False
        self._is_stopping = False
        self._crashed = False
        self._disconnecting: asyncio.Task[None] | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether it begins nothing more."""
        return self._is_stopping

    @property
    def is_tapped(self) -> bool:
        """Whether it receives for subscribers, who are shown every item."""
        return self._is_tapped

    @property
    def is_connected(self) -> bool:
        """Whether any connection is, or takes the last one's place at once."""
        return self._pool.is_up

    @property
    def may_have_lost(self) -> bool:
        """Whether an error of something in the background may be that of a lost connection."""
        since = self._loop.time() - self._connections.lost_at
        return since < _RECENTLY or not self.is_connected

    @property
    def connected_to(self) -> str | None:
        """Where its connections lead to, of a system with several addresses."""
        places = {
            member.system.connected_to
            for member in self._connections
            if self._pool.holds(member.number) and member.system.connected_to is not None
        }
        return ", ".join(sorted(places)) or None

    @property
    def pool_state(self) -> PoolState:
        """What it has now."""
        return self._pool.state()

    # ---- what the actor asks for --------------------------------------------------------

    def submit(self, origin: Origin, request: Request) -> None:
        """Begin a request, or put it in line."""
        if self._crashed:
            return
        if self._is_stopping:
            origin.reply(_unavailable(request))
            return
        match request:
            case SendData() | SendMany() | QueryData() | ConnectSystem() | DisconnectSystem():
                self._line.append((origin, request))
                self._go_on()
            case ReceiveData() | ReceiveMany():
                self._waiters.add(origin, request)
                self._receive()
            case CallCommand() if self._pool.is_up:
                self._connections.lend(origin, request)
            case CallCommand() | CheckHealth():
                self._connections.least_used.engine.submit(origin, request)
            case _:
                origin.reply(answered_at_once(request))

    def forget(self, origins: frozenset[Origin]) -> None:
        """Nobody waits for these any more: what has not begun never does, and what runs
        is cancelled, but for the system's receive."""
        self._line = deque(each for each in self._line if each[0] not in origins)
        self._lending.forget(origins)
        self._waiters.forget(origins)
        for member in self._connections:
            member.engine.forget(origins)  # what was given to it without being lent
        if self._order is not None and self._order.origin in origins:
            self._break_off(self._order)
        self._connections.act()
        self._refuse_data()

    def look(self) -> None:
        """Go on with what connectors changed on their own account, such as their connections."""
        if not self._crashed and not self._is_stopping:
            self._connections.look()

    def background_failed(self, error: Exception) -> None:
        """Something of a connector's own ended by an expected error."""
        for member in self._connections:
            member.engine.background_failed(error)

    def take_back(self, items: tuple[Any, ...]) -> None:
        """Items that reached nobody: the next callers get them first."""
        self._waiters.put_back(items)

    def set_tap(self, on: bool) -> None:
        """Receive also when no caller waits, and show every item to the subscribers."""
        self._is_tapped = on
        self._connections.set_tap(on)

    async def stop(self, grace: float) -> Reason | None:
        """Disconnect within ``grace`` seconds, and answer whoever still waits, or comes.

        Returns:
            why it could not disconnect in order; None if it did.
        """
        if not self._is_stopping:
            self._is_stopping = True
            await self._lending.until_quiet(grace / 2)
        self._lending.refuse_waiting(_unavailable)
        why_not = await self._connections.stop(grace / 2)
        for origin, request in self._line:
            origin.reply(_unavailable(request))
        self._line.clear()
        if self._order is not None:
            self._end_order(_unavailable(self._order.request))
        while self._waiters:
            self._waiters.fail_first(FailureCode.UNAVAILABLE, STOPPING)
        return why_not

    # ---- data ---------------------------------------------------------------------------

    def _receive(self) -> None:
        for member in self._connections:
            member.engine.look()
        self._refuse_data()

    def _dry(self) -> None:
        if self._waiters:
            self._loop.call_soon(self._refuse_data)

    def _refuse_data(self) -> None:
        """Whoever waits for data is told if there can be none."""
        if self._crashed or self._is_stopping or self._may_come():
            return
        while self._waiters:
            self._waiters.fail_first(*self._connections.why_not_connected())

    def _may_come(self) -> bool:
        orders = [request for _, request in self._line]
        if self._order is not None:
            orders.append(self._order.request)
        return (
            self._pool.is_up
            or any(isinstance(each, ConnectSystem) for each in orders)
            or any(member.engine.may_have_data for member in self._connections)
        )

    # ---- orders, and what waits for them ------------------------------------------------

    def _go_on(self) -> None:
        while self._line and self._order is None and not self._is_stopping:
            origin, request = self._line.popleft()
            match request:
                case ConnectSystem():
                    self._order = _Order(origin, request)
                    self._connections.open()
                    self._look_at_order()
                case DisconnectSystem():
                    self._order = _Order(origin, request)
                    self._disconnecting = asyncio.create_task(self._disconnect(self._order))
                case _:
                    self._connections.lend(origin, request)

    async def _disconnect(self, order: _Order) -> None:
        while self._waiters:
            text = "disconnected while waiting for data"
            self._waiters.fail_first(FailureCode.NOT_CONNECTED, text)
        await self._lending.until_quiet(DISCONNECT_GRACE)
        if self._order is order:
            self._lending.refuse_waiting(_too_late)
            self._connections.close()

    def _break_off(self, order: _Order) -> None:
        """Nobody waits for an order any more."""
        self._order = None
        if isinstance(order.request, ConnectSystem):
            self._pool.open_no_more()
            self._connections.give_up(Errand.OPEN)
        else:
            self._connections.give_up(Errand.CLOSE)
        self._go_on()

    def _changed(self) -> None:
        """Connections have been opened or closed, or could not be."""
        if not self._crashed:
            self._look_at_order()
            self._refuse_data()

    def _look_at_order(self) -> None:
        """Whether the order that is carried out has its answer."""
        if self._order is None:
            return
        request, pool = self._order.request, self._pool
        names: dict[str, Any] = {
            "request_id": request.request_id,
            "system_name": request.system_name,
        }
        not_opened, not_closed = self._connections.not_opened, self._connections.not_closed
        if isinstance(request, ConnectSystem):
            if pool.is_up:
                self._end_order(SystemConnected(**names))
            elif not pool.is_to_open:
                nothing = request.failure(*self._connections.why_not_connected())
                self._end_order(attrs.evolve(not_opened or nothing, **names))
        elif pool.is_closing and not any(m.is_on(Errand.CLOSE) for m in self._connections):
            done: Reply = SystemDisconnected(**names)
            self._end_order(done if not_closed is None else attrs.evolve(not_closed, **names))

    def _end_order(self, reply: Reply) -> None:
        order, self._order = self._order, None
        if order is not None:
            order.origin.reply(reply)
            if isinstance(order.request, ConnectSystem):
                self._receive()
            self._go_on()

    def _crash(self, reason: Reason) -> None:
        if not self._crashed:
            self._crashed = True
            self._on_crash(reason)


def _unavailable(request: Request) -> Failure:
    return request.failure(FailureCode.UNAVAILABLE, STOPPING)


def _too_late(request: Request) -> Failure:
    return request.failure(FailureCode.NOT_CONNECTED, "disconnected before its turn came")
