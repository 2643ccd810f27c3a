"""What clients ask: answered at once, routed to a system, or begun as an order. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    Reply,
    Request,
    SendData,
    SendMany,
    invalid_request,
)
from actors.settings import did_you_mean
from supervisor.core.actions import Client
from supervisor.core.child import Child
from supervisor.core.child_orders import ChildOrder, ChildOrders
from supervisor.core.context import Context
from supervisor.core.dead_letters import DeadLetters
from supervisor.core.events import Events
from supervisor.core.inbox import Inbox
from supervisor.core.keepers import Keepers
from supervisor.core.orders import Order, Orders
from supervisor.core.outbox import Outbox
from supervisor.core.outputs import Outputs
from supervisor.core.router import Router
from supervisor.messages import (
    AllStatusGiven,
    CancelRequest,
    ChangeSpecs,
    ConnectAll,
    DesiredState,
    DisconnectAll,
    GetAllStatus,
    GetLogs,
    GetStatus,
    Ping,
    Pong,
    RegisterSystem,
    ResolveSystem,
    RestartSystem,
    ReturnData,
    StartChild,
    StatusGiven,
    StopSupervisor,
    Subscribe,
    SupervisorRequest,
    SupervisorStopped,
    SystemResolved,
    SystemStatus,
    UnregisterSystem,
    Unsubscribe,
    Unsubscribed,
)
from supervisor.messages.checks import mistake_in
from supervisor.messages.dead_letters import DeadLetterRequest
from supervisor.messages.inbox import SettleData, TakeData
from supervisor.messages.output import KeepOutput, LinesFound, LinesSaid
from supervisor.messages.record import KeepRecord, RecordGiven
from supervisor.specs.policies import as_seconds
from supervisor.tree.tree import Tree

_NAMES_SHOWN: Final = 8
"""Of the systems there are, to whoever asks for one that there is not."""


class Requests:
    def __init__(
        self,
        context: Context,
        tree: Tree,
        router: Router,
        orders: Orders,
        child_orders: ChildOrders,
        events: Events,
        keepers: Keepers,
        outputs: Outputs,
        outbox: Outbox,
        dead_letters: DeadLetters,
        inbox: Inbox,
    ) -> None:
        self._context = context
        self._tree = tree
        self._router = router
        self._orders = orders
        self._child_orders = child_orders
        self._events = events
        self._keepers = keepers
        self._outputs = outputs
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._inbox = inbox
        self._stop_orders: list[Order] = []
        self._stopping = False

    def take(self, client: Client, message: Any) -> None:
        """Anything a client sent."""
        match message:
            case CancelRequest(request_ids=tuple() as request_ids):
                for request_id in request_ids:
                    if isinstance(request_id, int):
                        self._router.cancel(client, request_id)
                        self._orders.cancel(client, request_id)
                        self._outbox.cancel(client, request_id)
                        self._inbox.cancel(client, request_id)
            case ReturnData(system_name=str() as name):
                child = self._context.children.get(name)
                if child is not None and child.is_running:
                    self._router.take_back(child, message.items)
            case LinesSaid():
                self._outputs.said(message)
            case LinesFound():
                self._outputs.answered(message)
            case Request() | SupervisorRequest():
                mistake = mistake_in(message, self._context.options.max_payload_bytes)
                if mistake is not None:
                    text = f"{type(message).__name__}: {mistake}"
                    self._context.tell(client, invalid_request(message, text))
                elif isinstance(message, Request):
                    self._to_system(client, message)
                else:
                    self._to_supervisor(client, message)
            case Reply() | CancelRequest() | ReturnData():
                pass  # an answer to an answer would go round for ever; the others have none
            case _:
                text = f"a supervisor does not understand {type(message).__name__}"
                self._context.tell(client, invalid_request(message, text))

    def forget_client(self, client: Client) -> None:
        """A client's connection ended."""
        self._router.forget_client(client)
        self._orders.forget_client(client)
        self._outbox.forget_client(client)
        self._inbox.forget_client(client)
        self._events.unsubscribe(client)
        self._keepers.remove(client)
        self._outputs.forget_client(client)

    def supervisor_stopped(self) -> None:
        """All systems are gone, by whatever way: answer who asked for that."""
        self._stopping = True
        for order in self._stop_orders:
            reply = SupervisorStopped(request_id=order.request.request_id)
            self._orders.answer(order, reply)
        self._stop_orders.clear()

    # ---- about one system -------------------------------------------------------------------

    def _to_system(self, client: Client, request: Request) -> None:
        if isinstance(request, RestartSystem | UnregisterSystem) and (
            request.system_name in self._tree.nodes  # it may be a group
        ):
            self._child_orders.obey(client, request)
            return
        child = self._context.children.get(request.system_name)
        if child is None:
            failure = request.failure(FailureCode.UNKNOWN_SYSTEM, self._who_else(request))
            self._context.tell(client, failure)
            return
        match request:
            case GetStatus():
                status = self._status(child)
                given = StatusGiven(
                    request_id=request.request_id, system_name=child.name, status=status
                )
                self._context.tell(client, given)
            case ResolveSystem():
                self._context.tell(client, self._resolve(child, request))
            case GetLogs():
                self._outputs.give(client, request)
            case TakeData():
                self._inbox.take(child, client, request)
            case SettleData():
                self._inbox.settle(child, client, request)
            case SendData() | SendMany() if self._outbox.takes(child, request):
                self._outbox.accept(child, client, request)
            case _:
                child.look_at_tally(self._context.doors)
                self._router.accept(child, client, request, gathering=None)
                if isinstance(request, ConnectSystem | DisconnectSystem):
                    self._keepers.touch(child.node)

    def _status(self, child: Child) -> SystemStatus:
        child.look_at_tally(self._context.doors)
        return child.status(self._context.now, self._outbox.waiting(child.name))

    def _resolve(self, child: Child, request: ResolveSystem) -> Reply:
        door = self._context.doors.path_of(child.name, child.incarnation)
        if not child.is_running or door is None:
            return request.failure(FailureCode.UNAVAILABLE, "only its supervisor reaches it now")
        child.has_direct_clients = True
        return SystemResolved(
            request_id=request.request_id,
            system_name=child.name,
            incarnation=child.incarnation,
            door=door,
            mailbox_size=child.spec.mailbox_size,
            max_payload_bytes=self._context.options.max_payload_bytes,
            request_timeout=self._context.options.request_timeout,
            connect_timeout=self._context.options.connect_timeout,
            waits_when_down=child.waits,
            is_connected=child.is_connected or not child.wanted,
            next_attempt=child.next_attempt(self._context.now),
            durable=child.spec.durable is not None,
        )

    def _who_else(self, request: Request) -> str:
        if request.system_name in self._tree.nodes:
            return "it is a group, and no system"
        names = list(self._context.children)
        known = ", ".join(map(repr, names[:_NAMES_SHOWN])) or "none yet"
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        there_are = f"; there are: {known}{more}"
        return "no such system" + did_you_mean(request.system_name, names, there_are, repr)

    # ---- about all --------------------------------------------------------------------------

    def _to_supervisor(self, client: Client, request: SupervisorRequest) -> None:
        request_id = request.request_id
        if self._stopping and not isinstance(request, GetAllStatus | Ping | StopSupervisor):
            failure = request.failure(FailureCode.UNAVAILABLE, "the supervisor is stopping")
            self._context.tell(client, failure)
            return
        match request:
            case RegisterSystem(spec=spec) | StartChild(spec=spec) | ChangeSpecs(spec=spec) if (
                text := self._outbox.refusal_of(spec) or self._inbox.refusal_of(spec)
            ) is not None:
                failure = request.failure(FailureCode.INVALID_SPEC, text)
                self._context.tell(client, failure)
            case _ if isinstance(request, ChildOrder):
                self._child_orders.obey(client, request)
            case DeadLetterRequest():
                self._dead_letters.obey(client, request)
            case KeepRecord():
                self._keepers.add(client)
                record = self._keepers.record()
                record.events.extend(self._events.kept)
                given = RecordGiven(request_id=request_id, record=record, is_up=self._keepers.is_up)
                self._context.tell(client, given)
            case ConnectAll():
                connect = functools.partial(ConnectSystem, keep_trying=request.keep_trying)
                self._to_all(client, request, connect)
            case DisconnectAll():
                self._to_all(client, request, DisconnectSystem)
            case Ping():
                self._context.tell(client, Pong(request_id=request_id))
            case GetAllStatus():
                systems = tuple(map(self._status, self._context.children.values()))
                self._context.tell(client, AllStatusGiven(request_id=request_id, systems=systems))
            case Subscribe():
                if self._events.subscribe(client, request):
                    self._outputs.follow(client, request.output_of, request.output_since)
            case KeepOutput():
                self._outputs.keep(client, request)
            case Unsubscribe():
                self._events.unsubscribe(client)
                self._outputs.unfollow(client)
                self._context.tell(client, Unsubscribed(request_id=request_id))
            case StopSupervisor():
                self._stop(client, request)
            case _:
                text = f"{type(request).__name__} cannot be asked of a running supervisor"
                self._context.tell(client, invalid_request(request, text))

    def _to_all(
        self,
        client: Client,
        request: SupervisorRequest,
        make: Callable[..., ConnectSystem | DisconnectSystem],
    ) -> None:
        # What was terminated is not meant to be connected.
        children = self._context.children.values()
        meant = [c for c in children if c.has_process or c.desired is not DesiredState.TERMINATED]
        gathering = self._router.open_gathering(client, request, len(meant))
        for child in meant:
            each = make(child.name, timeout=request.timeout)
            self._router.accept(child, None, each, gathering)
            self._keepers.touch(child.node)
        if not meant:
            self._router.answer_gathering(gathering)

    def _stop(self, client: Client, request: StopSupervisor) -> None:
        slowest = sum(as_seconds(each.spec.shutdown) for each in self._context.children.values())
        patience = self._context.options.request_timeout + slowest
        self._stop_orders.append(self._orders.open(client, request, None, patience))
        self._stopping = True
        self._tree.stop()
