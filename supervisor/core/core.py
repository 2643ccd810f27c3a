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
    HeartbeatAnswered,
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
from supervisor.core.actions import (
    Client,
    CoreAction,
    Finish,
    TellClient,
)
from supervisor.core.child import Child
from supervisor.core.child_orders import ChildOrder, ChildOrders
from supervisor.core.connecting import Connecting
from supervisor.core.crash_reports import CrashReports
from supervisor.core.doors import Doors, NoDoors
from supervisor.core.events import Events
from supervisor.core.exits import ProcessExit
from supervisor.core.keepers import Keepers, restore
from supervisor.core.lifecycle import Lifecycle
from supervisor.core.orders import Order, Orders
from supervisor.core.router import Router
from supervisor.core.watchdog import Watchdog
from supervisor.messages import (
    AllStatusGiven,
    CancelRequest,
    ConnectAll,
    DesiredState,
    DisconnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    Ping,
    Pong,
    ResolveSystem,
    RestartSystem,
    ReturnData,
    StatusGiven,
    StopSupervisor,
    Subscribe,
    Subscribed,
    SupervisorRequest,
    SupervisorStopped,
    SystemResolved,
    SystemState,
    UnregisterSystem,
    Unsubscribe,
    Unsubscribed,
)
from supervisor.messages.checks import mistake_in
from supervisor.messages.record import KeepRecord, Record, RecordGiven
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.policies import as_seconds
from supervisor.specs.spec import ROOT, GroupSpec
from supervisor.timing.timers import Timers
from supervisor.tree.by_hand import ByHand
from supervisor.tree.decisions import RootEnded
from supervisor.tree.nodes import Status
from supervisor.tree.tree import Tree

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
        doors: Doors | None = None,
    ) -> None:
        """
        Args:
            wall_clock: seconds since the epoch, for the time in events.
            tree: what to start; None is a root group with nothing in it.
            record: what to come back from, in place of ``tree``.
            doors: of the systems; None lets all requests come through the supervisor.
        """
        self._options = options
        self._doors: Doors = doors or NoDoors()
        self._record = record
        self._children: dict[str, Child] = {}
        self._actions: list[CoreAction] = []
        act = self._actions.append
        self._timers = Timers()
        self._router = Router(options, self._timers, act)
        self._orders = Orders(self._timers, act)
        self._keepers = Keepers(self._children, act)
        self._events = Events(
            self._children,
            act,
            wall_clock,
            self._keepers.note,
            record.events if record is not None else (),
        )
        self._connecting = Connecting(self._router, self._timers, act, random)
        crash_reports = CrashReports(
            self._events, self._keepers, self._timers, act, options.crash_reports
        )
        self._lifecycle = Lifecycle(
            self._children,
            self._router,
            self._timers,
            self._events,
            self._orders,
            self._keepers,
            crash_reports,
            act,
            self._doors,
        )
        spec = record.tree() if record is not None else tree or GroupSpec(ROOT)
        self._tree = Tree(spec, self._timers, random, self._lifecycle.decide)
        self._lifecycle.tree = self._tree
        self._watchdog = Watchdog(
            self._children, self._timers, self._events, act, self._lifecycle.told_of_crash
        )
        self._lifecycle.watchdog = self._watchdog
        self._by_hand = ByHand(self._tree, self._lifecycle.decide)
        self._child_orders = ChildOrders(
            self._tree, self._by_hand, self._children, self._orders, options.request_timeout, act
        )
        self._stop_orders: list[Order] = []
        self._finished = False
        self._stopping = False

    def begin(self, now: float) -> None:
        """Start the tree; before anything else is asked."""
        if self._record is None:
            self._lifecycle.carry_out(now)
            self._tree.start(now)
        else:
            self._lifecycle.take_over(now)
            restore(self._tree, self._record, self._children)
            self._tell_losses()
            self._tree.start(now, recovering=True)
            self._record = None
        self._lifecycle.carry_out(now)

    def _tell_losses(self) -> None:
        """What ran under the supervisor before this one went down with it."""
        reason = Reason("supervisor", "its supervisor was killed, and it with it")
        for child in self._children.values():
            if child.incarnation and child.node.comes_with_all:
                self._events.publish(child.name, child.incarnation, EventKind.CRASHED, reason)

    # ---- what the shell asks ----------------------------------------------------------------

    def take_actions(self) -> list[CoreAction]:
        """What is to be done now, in order."""
        for child in self._router.ready:
            self._announce_connection(child)
        self._router.deliver()
        if self._lifecycle.ended is not None:
            self._finish(self._lifecycle.ended)
        self._keepers.flush()
        actions = self._actions[:]
        self._actions.clear()
        return actions

    def next_due(self) -> float | None:
        """When :meth:`tick` is to be called next."""
        return self._timers.next_due()

    def tick(self, now: float) -> None:
        """Do what is due."""
        for call in self._timers.due(now):
            call(now)
            self._lifecycle.carry_out(now)

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
                if child is not None and child.is_running:
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
        self._events.unsubscribe(client)
        self._keepers.remove(client)

    def _to_system(self, client: Client, request: Request, now: float) -> None:
        if isinstance(request, RestartSystem | UnregisterSystem) and (
            request.system_name in self._tree.nodes  # it may be a group
        ):
            self._child_orders.obey(client, request, now)
            self._lifecycle.carry_out(now)
            return
        child = self._children.get(request.system_name)
        if child is None:
            failure = request.failure(FailureCode.UNKNOWN_SYSTEM, self._who_else(request))
            self._actions.append(TellClient(client, failure))
            return
        self._lifecycle.look_at_tally(child)
        match request:
            case GetStatus():
                status = StatusGiven(
                    request_id=request.request_id, system_name=child.name, status=child.status(now)
                )
                self._actions.append(TellClient(client, status))
            case ResolveSystem():
                self._actions.append(TellClient(client, self._resolve(child, request)))
            case _:
                self._router.accept(child, client, request, now, gathering=None)
                if isinstance(request, ConnectSystem | DisconnectSystem):
                    self._keepers.touch(child.node)

    def _resolve(self, child: Child, request: ResolveSystem) -> Reply:
        door = self._doors.path_of(child.name, child.incarnation)
        if not child.is_running or door is None:
            return request.failure(FailureCode.UNAVAILABLE, "only its supervisor reaches it now")
        child.has_direct_clients = True
        return SystemResolved(
            request_id=request.request_id,
            system_name=child.name,
            incarnation=child.incarnation,
            door=door,
            mailbox_size=child.spec.mailbox_size,
            max_payload_bytes=self._options.max_payload_bytes,
            request_timeout=self._options.request_timeout,
            connect_timeout=self._options.connect_timeout,
        )

    def _to_supervisor(self, client: Client, request: SupervisorRequest, now: float) -> None:
        if self._stopping and not isinstance(request, GetAllStatus | Ping | StopSupervisor):
            failure = request.failure(FailureCode.UNAVAILABLE, "the supervisor is stopping")
            self._actions.append(TellClient(client, failure))
            return
        match request:
            case _ if isinstance(request, ChildOrder):
                self._child_orders.obey(client, request, now)
                self._lifecycle.carry_out(now)
            case KeepRecord():
                self._keepers.add(client)
                record = self._keepers.record(self._tree)
                record.events.extend(self._events.kept)
                given = RecordGiven(request_id=request.request_id, record=record)
                self._actions.append(TellClient(client, given))
            case ConnectAll():
                self._to_all(client, request, ConnectSystem, now)
            case DisconnectAll():
                self._to_all(client, request, DisconnectSystem, now)
            case Ping():
                self._actions.append(TellClient(client, Pong(request_id=request.request_id)))
            case GetAllStatus():
                for child in self._children.values():
                    self._lifecycle.look_at_tally(child)
                statuses = tuple(child.status(now) for child in self._children.values())
                reply = AllStatusGiven(request_id=request.request_id, systems=statuses)
                self._actions.append(TellClient(client, reply))
            case Subscribe():
                self._subscribe(client, request)
            case Unsubscribe():
                self._events.unsubscribe(client)
                self._actions.append(
                    TellClient(client, Unsubscribed(request_id=request.request_id))
                )
            case StopSupervisor():
                specs = (each.spec for each in self._children.values())
                slowest = sum(as_seconds(each.shutdown) for each in specs)
                patience = self._options.request_timeout + slowest
                order = self._orders.open(client, request, None, patience, now)
                self._stop_orders.append(order)
                self._stopping = True
                self._tree.stop(now)
                self._lifecycle.carry_out(now)
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
        # What was terminated is not meant to be connected.
        children = self._children.values()
        meant = [c for c in children if c.has_process or c.desired is not DesiredState.TERMINATED]
        gathering = self._router.open_gathering(client, request, len(meant))
        for child in meant:
            each = kind(child.name, timeout=request.timeout)
            self._router.accept(child, None, each, now, gathering)
            self._keepers.touch(child.node)
        if not meant:
            self._router.answer_gathering(gathering)

    def _subscribe(self, client: Client, request: Subscribe) -> None:
        first = self._events.subscribe(client, request)
        reply: Reply
        if first is None:
            text = self._events.why_lost(request)
            reply = request.failure(FailureCode.EVENTS_LOST, text)
        else:
            reply = Subscribed(request_id=request.request_id, next_sequence=first)
        self._actions.append(TellClient(client, reply))
        if first is not None:
            self._events.replay(client, first)

    def _who_else(self, request: Request) -> str:
        if request.system_name in self._tree.nodes:
            return "it is a group, and no system"
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
        child.unheard = 0
        if child.to_forget:
            self._router.touch(child)
        starting = child.node.status is Status.STARTING
        match message:
            case SystemStarted() if starting and not child.crashed:
                self._lifecycle.started(child, message, now)
            case HeartbeatAnswered():
                self._watchdog.heard(message, now)
            case SystemStartFailed() if starting:
                self._lifecycle.start_failed(child, message, now)
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
            self._announce_connection(child)
        for ref, reply in report.replies:
            pending = self._router.settle(child, ref, reply, now)
            if pending is not None and isinstance(pending.request, ConnectSystem):
                self._connecting.connect_ended(child, pending, reply, now)
                self._keepers.touch(child.node)
        lost = was_connected and not child.is_connected
        if lost and child.wanted and child.is_running:
            self._connecting.connection_lost(child, now)
        if report.tapped:
            child.received += len(report.tapped)
            self._events.data_arrived(child, report.tapped)
        self._router.touch(child)

    def child_exited(
        self, name: str, incarnation: int, how: ProcessExit | None, now: float
    ) -> None:
        """A system actor's process is gone.

        Args:
            how: how it ended, as far as the shell can tell.
        """
        child = self._children.get(name)
        if child is None or child.incarnation != incarnation or not child.has_process:
            return
        self._lifecycle.exited(child, how, now)

    # ---- what follows -----------------------------------------------------------------------

    def _announce_connection(self, child: Child) -> None:
        """Publish whether it is connected, or about to be, if that is new."""
        kind = _CONNECTION.get(child.state)
        if child.node.status is Status.STOPPING and not child.is_connected:
            kind = EventKind.DISCONNECTED
        if kind is not None and kind is not child.announced:
            child.announced = kind
            self._events.publish(child.name, child.incarnation, kind)

    def _finish(self, ended: RootEnded) -> None:
        for order in self._stop_orders:
            reply = SupervisorStopped(request_id=order.request.request_id)
            self._orders.answer(order, reply)
        self._stop_orders.clear()
        if not self._finished:
            self._finished = True
            self._stopping = True
            self._actions.append(Finish(ended.why, ended.exit_code))


_CONNECTION: Final = {
    SystemState.CONNECTED: EventKind.CONNECTED,
    SystemState.CONNECTING: EventKind.CONNECTING,
    SystemState.DISCONNECTED: EventKind.DISCONNECTED,
}
