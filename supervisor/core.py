"""Every decision of a supervisor: what to start, restart and give up, and whom to answer.

Pure: events go in together with the time, actions come out; no actor, clock or I/O.
Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from random import Random
from typing import Any, Final

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    Reason,
    Reply,
    Report,
    Request,
    SystemCrashed,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
    invalid_request,
)
from supervisor.actions import (
    Action,
    Client,
    Finish,
    TellClient,
)
from supervisor.announcer import Announcer
from supervisor.checks import mistake_in
from supervisor.child import Child, Phase, Purpose
from supervisor.lifecycle import Lifecycle
from supervisor.messages import (
    AllStatusGiven,
    CancelRequest,
    ConnectAll,
    DisconnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    Ping,
    Pong,
    RegisterSystem,
    RestartSystem,
    ReturnData,
    StatusGiven,
    StopSupervisor,
    Subscribe,
    Subscribed,
    SupervisorRequest,
    SupervisorStopped,
    UnregisterSystem,
    Unsubscribe,
    Unsubscribed,
)
from supervisor.options import SupervisorOptions
from supervisor.orders import Order, Orders
from supervisor.policies import as_seconds
from supervisor.record import KeepRecord, Record
from supervisor.router import Router
from supervisor.spec import GroupSpec
from supervisor.standin import StandIn
from supervisor.timers import Timers

_NAMES_SHOWN: Final = 8
"""Of the systems there are, to whoever asks for one that there is not."""


class SupervisorCore:
    def __init__(
        self,
        options: SupervisorOptions,
        random: Random,
        wall_clock: Callable[[], float],
        tree: GroupSpec | None = None,
        record: Record | None = None,
    ) -> None:
        """
        Args:
            wall_clock: seconds since the epoch, for the time in events.
        """
        self._options = options
        self._children: dict[str, Child] = {}
        self._actions: list[Action] = []
        act = self._actions.append
        self._timers = Timers()
        self._router = Router(options, self._timers, act)
        self._announcer = Announcer(self._children, act, wall_clock)
        self._orders = Orders(self._timers, act)
        self._lifecycle = Lifecycle(
            self._children,
            self._router,
            self._timers,
            self._announcer,
            self._orders,
            options.request_timeout,
            act,
            random,
        )
        self._stopping = False
        self._stop_orders: list[Order] = []
        self._finished = False
        self._standin = StandIn(self._children, self._lifecycle, act, tree, record)  # STAND-IN

    # ---- what the shell asks ----------------------------------------------------------------

    def take_actions(self) -> list[Action]:
        """What is to be done now, in order."""
        self._router.deliver()
        self._standin.note()  # STAND-IN
        if self._stopping and not self._children:
            self._finish()
        actions = self._actions[:]
        self._actions.clear()
        return actions

    def next_due(self) -> float | None:
        """When :meth:`tick` is to be called next."""
        return self._timers.next_due()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._standin.begin(now)  # STAND-IN
        for call in self._timers.due(now):
            call(now)

    # ---- from clients -----------------------------------------------------------------------

    def request(self, client: Client, message: Any, now: float) -> None:
        """Anything a client sent."""
        match message:
            case CancelRequest(request_ids=tuple() as request_ids):
                for request_id in request_ids:
                    if isinstance(request_id, int):
                        self._router.cancel(client, request_id)
                        self._orders.cancel(client, request_id)
            case ReturnData(system_name=str() as name):
                child = self._children.get(name)
                if child is not None and child.phase is Phase.RUNNING:
                    self._router.take_back(child, message.items)
            case Request() | SupervisorRequest():
                mistake = mistake_in(message, self._options.max_payload_bytes)
                if mistake is not None:
                    text = f"{type(message).__name__}: {mistake}"
                    self._actions.append(TellClient(client, invalid_request(message, text)))
                elif isinstance(message, Request):
                    self._to_system(client, message, now)
                else:
                    self._to_supervisor(client, message, now)
            case Reply() | CancelRequest() | ReturnData():
                pass  # an answer to an answer would go round for ever; the others have none
            case _:
                text = f"a supervisor does not understand {type(message).__name__}"
                self._actions.append(TellClient(client, invalid_request(message, text)))

    def client_gone(self, client: Client) -> None:
        """A client's connection ended."""
        self._router.forget_client(client)
        self._orders.forget_client(client)
        self._announcer.unsubscribe(client)
        self._standin.keepers.discard(client)  # STAND-IN

    def _to_system(self, client: Client, request: Request, now: float) -> None:
        child = self._children.get(request.system_name)
        if child is None:
            failure = request.failure(FailureCode.UNKNOWN_SYSTEM, self._who_else(request))
            self._actions.append(TellClient(client, failure))
            return
        match request:
            case GetStatus():
                status = StatusGiven(
                    request_id=request.request_id, system_name=child.name, status=child.status(now)
                )
                self._actions.append(TellClient(client, status))
            case UnregisterSystem():
                self._lifecycle.unregister(child, client, request, now)
            case RestartSystem():
                self._lifecycle.restart_by_hand(child, client, request, now)
            case _:
                self._router.accept(child, client, request, now, group=None)

    def _to_supervisor(self, client: Client, request: SupervisorRequest, now: float) -> None:
        if self._stopping and not isinstance(request, GetAllStatus | Ping | StopSupervisor):
            failure = request.failure(FailureCode.UNAVAILABLE, "the supervisor is stopping")
            self._actions.append(TellClient(client, failure))
            return
        match request:
            case KeepRecord():  # STAND-IN
                self._standin.keep(client, request)
            case RegisterSystem():
                self._lifecycle.register(client, request, now)
            case ConnectAll():
                self._to_all(client, request, ConnectSystem, now)
            case DisconnectAll():
                self._to_all(client, request, DisconnectSystem, now)
            case Ping():
                self._actions.append(TellClient(client, Pong(request_id=request.request_id)))
            case GetAllStatus():
                statuses = tuple(child.status(now) for child in self._children.values())
                reply = AllStatusGiven(request_id=request.request_id, systems=statuses)
                self._actions.append(TellClient(client, reply))
            case Subscribe():
                self._announcer.subscribe(client, request)
                subscribed = Subscribed(
                    request_id=request.request_id, next_sequence=self._announcer.next_sequence
                )
                self._actions.append(TellClient(client, subscribed))
            case Unsubscribe():
                self._announcer.unsubscribe(client)
                self._actions.append(
                    TellClient(client, Unsubscribed(request_id=request.request_id))
                )
            case StopSupervisor():
                self._stopping = True
                slowest = max(
                    (as_seconds(each.spec.shutdown) for each in self._children.values()),
                    default=0.0,
                )
                patience = self._options.request_timeout + slowest
                order = self._orders.open(client, request, None, patience, now)
                self._stop_orders.append(order)
                for child in list(self._children.values()):
                    self._lifecycle.end(child, Purpose.STOP, now)
            case _:
                text = f"{type(request).__name__} cannot be asked of a running supervisor"
                self._actions.append(TellClient(client, invalid_request(request, text)))

    def _to_all(
        self,
        client: Client,
        request: SupervisorRequest,
        kind: type[ConnectSystem | DisconnectSystem],
        now: float,
    ) -> None:
        group = self._router.open_group(client, request, len(self._children))
        for child in list(self._children.values()):
            each = kind(child.name, timeout=request.timeout)
            self._router.accept(child, None, each, now, group)
        if not self._children:
            self._router.answer_group(group)

    def _who_else(self, request: Request) -> str:
        close = get_close_matches(request.system_name, self._children, n=1)
        if close:
            return f"no such system; did you mean {close[0]!r}?"
        known = ", ".join(map(repr, list(self._children)[:_NAMES_SHOWN])) or "none yet"
        more = ", ..." if len(self._children) > _NAMES_SHOWN else ""
        return f"no such system; there are: {known}{more}"

    # ---- from system actors -----------------------------------------------------------------

    def child_said(self, name: str, incarnation: int, message: Any, now: float) -> None:
        """Anything a system actor sent; stale words of an earlier incarnation change nothing."""
        child = self._children.get(name)
        if child is None or child.incarnation != incarnation or not child.has_process:
            return
        match message:
            case SystemStarted() if child.phase is Phase.STARTING:
                self._lifecycle.started(child, message, now)
            case SystemStartFailed() if child.phase is Phase.STARTING:
                child.start_code = message.code
                self._lifecycle.told_of_crash(child, message.reason, now)
            case SystemCrashed():
                self._lifecycle.told_of_crash(child, message.reason, now)
            case Report():
                self._report(child, message, now)
            case SystemStopped():
                self._lifecycle.stopped(child, now)

    def _report(self, child: Child, report: Report, now: float) -> None:
        child.taken = max(child.taken, report.taken)
        was_connected = child.is_connected
        child.is_connected = report.is_connected
        if report.is_connected != was_connected:
            kind = EventKind.CONNECTED if report.is_connected else EventKind.DISCONNECTED
            self._announcer.publish(child, kind)
        for ref, reply in report.replies:
            pending = self._router.settle(child, ref, reply, now)
            if pending is not None and isinstance(pending.request, ConnectSystem):
                self._lifecycle.connect_ended(child, pending, reply, now)
        lost = was_connected and not child.is_connected
        if lost and child.wanted and child.phase is Phase.RUNNING:
            self._lifecycle.connection_lost(child, now)
        if report.tapped:
            child.received += len(report.tapped)
            self._announcer.data_arrived(child, report.tapped)
        self._router.touch(child)

    def child_exited(self, name: str, incarnation: int, how: Reason | None, now: float) -> None:
        """A system actor's process is gone.

        Args:
            how: what ended it, as far as the shell can tell.
        """
        child = self._children.get(name)
        if child is None or child.incarnation != incarnation or not child.has_process:
            return
        child.crash = child.crash or how
        self._lifecycle.exited(child, now)

    def _finish(self) -> None:
        for order in self._stop_orders:
            reply = SupervisorStopped(request_id=order.request.request_id)
            self._orders.answer(order, reply)
        self._stop_orders.clear()
        if not self._finished:
            self._finished = True
            self._actions.append(Finish())
