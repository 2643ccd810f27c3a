"""Drives a SupervisorCore by hand: a fake clock, fake system actors, and watchful eyes.

Whatever a test is about, the harness also checks on every action what always holds: one
process for each name, words only to living actors, a bounded number of deliveries that
nobody took, no second reply to any request, and no system that is meant to be connected and
is forgotten.
"""

from __future__ import annotations

import logging
from random import Random
from typing import Any

from actors.messages import (
    DataSent,
    Deliver,
    Failure,
    ManySent,
    QueryData,
    Reason,
    Reply,
    Report,
    Request,
    SendData,
    SendMany,
    StopSystem,
    SystemBegun,
    SystemConnected,
    SystemCrashed,
    SystemDisconnected,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
)
from actors.messages.limits import WINDOW
from supervisor.core.actions import (
    Finish,
    ForgetActor,
    KillActor,
    Log,
    StartActor,
    TellActor,
    TellClient,
)
from supervisor.core.child import Child
from supervisor.core.core import SupervisorCore
from supervisor.core.exits import ProcessExit
from supervisor.messages import DesiredState, RegisterSystem
from supervisor.messages.record import RecordChanged
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import SystemSpec
from supervisor.tree.nodes import Status

NO_JITTER = type("NoJitter", (Random,), {"random": lambda self: 0.0})()
BUG = Reason("ZeroDivisionError", "ZeroDivisionError: division by zero", "Traceback...")


def spec(name: str = "plc", **options: Any) -> SystemSpec:
    """A spec; the fields of its restart policy may be given directly. Fake actors answer no
    heartbeats, so they are asked for none unless a test says so."""
    options.setdefault("hang_timeout", "infinity")
    fields = ("max_restarts", "period", "backoff_min", "backoff_max", "stable_after")
    policy = {field: options.pop(field) for field in fields if field in options}
    if policy:
        options["restart"] = RestartPolicy(**policy)
    return SystemSpec(name, "mock", **options)


class FakeActor:
    """One incarnation of a system actor, as far as the supervisor can tell."""

    def __init__(self, harness: Harness, start: StartActor) -> None:
        self.harness = harness
        self.name = start.name
        self.incarnation = start.incarnation
        self.start_action = start
        self.told: list[Any] = []
        self.deliveries: list[Deliver] = []
        self.taken = 0
        self.killed = False
        self.forgotten = False
        self.is_connected = False

    def told_of(self, kind: type) -> list[Any]:
        return [message for message in self.told if isinstance(message, kind)]

    @property
    def requests(self) -> list[Request]:
        """All that was ever delivered, in order."""
        return [request for each in self.deliveries for _, request in each.requests]

    @property
    def stopping(self) -> bool:
        return bool(self.told_of(StopSystem))

    def ref_of(self, request: Request) -> int:
        for delivery in self.deliveries:
            for ref, each in delivery.requests:
                if each is request:
                    return ref
        raise AssertionError(f"{request} was not delivered to {self.name}/{self.incarnation}")

    def say(self, message: Any) -> None:
        self.harness.core.child_said(self.name, self.incarnation, message, self.harness.now)
        self.harness.carry_out()

    def begin(self) -> None:
        self.say(SystemBegun(self.name, self.incarnation, 1000 + self.incarnation))

    def start(self, commands: tuple[str, ...] = ()) -> None:
        self.say(SystemStarted(self.name, self.incarnation, 1000 + self.incarnation, commands))

    def fail_start(
        self, code: Any = "connector_error", reason: Reason = BUG, *, unreachable: bool = False
    ) -> None:
        self.say(SystemStartFailed(self.name, self.incarnation, code, reason, unreachable))

    def report(self, *replies: tuple[int, Reply], tapped: tuple[Any, ...] = ()) -> None:
        """Take all deliveries, and say this."""
        self.taken = len(self.deliveries)
        self.report_without_taking(*replies, tapped=tapped)

    def report_without_taking(
        self, *replies: tuple[int, Reply], tapped: tuple[Any, ...] = ()
    ) -> None:
        self.say(
            Report(self.name, self.incarnation, self.taken, replies, self.is_connected, tapped)
        )

    def lose(self, why: Reason | None = None) -> None:
        """Lose the connection, and say why."""
        self.is_connected = False
        self.say(Report(self.name, self.incarnation, self.taken, (), False, lost=why))

    def answer(self, request: Request, kind: type[Reply] | Reply, **fields: Any) -> None:
        """Answer a delivered request, with a reply or a kind of reply."""
        if isinstance(kind, type):
            names = {"request_id": request.request_id, "system_name": request.system_name}
            reply: Reply = kind(**names, **fields)
        else:
            reply = kind
        if isinstance(reply, SystemConnected | SystemDisconnected):
            self.is_connected = isinstance(reply, SystemConnected)
        self.report((self.ref_of(request), reply))

    def connect(self) -> None:
        """Answer the connect that was delivered last."""
        self.answer(self.requests[-1], SystemConnected)

    def crash(self, reason: Reason = BUG) -> None:
        """Say so, and wait to be killed."""
        self.say(SystemCrashed(self.name, self.incarnation, reason))

    def stop(self) -> None:
        self.say(SystemStopped(self.name, self.incarnation))

    def exit(self, how: ProcessExit | None = None) -> None:
        self.harness.core.child_exited(self.name, self.incarnation, how, self.harness.now)
        self.harness.carry_out()

    def crash_and_exit(self, reason: Reason = BUG) -> None:
        self.crash(reason)
        assert self.killed, "who says that it crashed waits to be killed"
        self.exit()


class Harness:
    def __init__(self, **options: Any) -> None:
        self.now = 100.0
        tree, record = options.pop("tree", None), options.pop("record", None)
        doors, at_once = options.pop("doors", None), options.pop("at_once", 8)
        self._states = {} if record is None else dict(record.states)
        self.core = SupervisorCore(
            SupervisorOptions(**options),
            NO_JITTER,
            lambda: 1e9 + self.now,
            tree,
            record,
            doors,
            at_once,
        )
        self.actors: list[FakeActor] = []
        self.told: list[tuple[Any, Any]] = []
        """All that went to clients: the client and the message."""
        self.logs: list[Log] = []
        self.finished = 0
        self.finishes: list[Finish] = []
        self._finals: set[tuple[Any, int]] = set()
        self.core.begin(self.now)
        self.carry_out()

    # ---- what clients do ----------------------------------------------------------------

    def tell(self, message: Any, client: Any = "ann") -> None:
        self.post(message, client)
        self.carry_out()

    def post(self, message: Any, client: Any = "ann") -> None:
        """The same, as a part of a burst: nothing is carried out yet."""
        self.core.request(client, message, self.now)

    def leave(self, client: Any = "ann") -> None:
        self.core.client_gone(client)
        self.carry_out()

    def ask(self, message: Any, client: Any = "ann") -> Any:
        """For what is answered at once."""
        before = len(self.told)
        self.tell(message, client)
        replies = [m for c, m in self.told[before:] if c == client and isinstance(m, Reply)]
        assert len(replies) == 1, f"{message} was answered by {replies}"
        return replies[0]

    def replies(self, message: Any, client: Any = "ann") -> list[Any]:
        """What a request was answered with so far."""
        return [
            reply
            for who, reply in self.told
            if who == client and isinstance(reply, Reply) and reply.request_id == message.request_id
        ]

    def reply(self, message: Any, client: Any = "ann") -> Any:
        """The one reply that a request got."""
        replies = self.replies(message, client)
        assert len(replies) == 1, f"{message} was answered by {replies}"
        return replies[0]

    def events(self, client: Any = "ann") -> list[Any]:
        return [m for who, m in self.told if who == client and not isinstance(m, Reply)]

    # ---- systems ------------------------------------------------------------------------

    def actor(self, name: str = "plc") -> FakeActor:
        """The newest incarnation."""
        return [actor for actor in self.actors if actor.name == name][-1]

    def incarnations(self, name: str = "plc") -> list[int]:
        return [actor.incarnation for actor in self.actors if actor.name == name]

    def register(self, name: str = "plc", client: Any = "owner", **options: Any) -> FakeActor:
        """Have a system registered and started."""
        self.tell(RegisterSystem(spec(name, **options)), client)
        actor = self.actor(name)
        actor.start()
        return actor

    def quarantine(self, name: str = "plc", **options: Any) -> FakeActor:
        """Have a system that crashed too often."""
        actor = self.register(name, max_restarts=0, **options)
        actor.crash_and_exit()
        return actor

    # ---- time ---------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping wherever something is due."""
        end = self.now + seconds
        while (due := self.core.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.core.tick(self.now)
            self.carry_out()
        self.now = end

    def carry_out(self) -> None:
        while actions := self.core.take_actions():
            for action in actions:
                self._do(action)
        for child in self.core._context.children.values():
            self._check_connection(child)

    # ---- what always holds --------------------------------------------------------------

    def _do(self, action: Any) -> None:
        match action:
            case StartActor():
                living = [a for a in self.actors if a.name == action.name and not a.forgotten]
                assert not living, f"{action.name} has a process already"
                before = self.incarnations(action.name)
                assert action.incarnation in (1, before[-1] + 1 if before else self._first(action))
                self.actors.append(FakeActor(self, action))
            case TellActor(message=message):
                actor = self._living(action)
                assert not actor.killed, f"{message} to {actor.name}, which was killed"
                actor.told.append(message)
                if isinstance(message, Deliver):
                    actor.deliveries.append(message)
                    assert message.number == len(actor.deliveries)
                    assert len(actor.deliveries) - actor.taken <= WINDOW
                    assert message.requests
                    self._check_holding(message, action.name)
            case KillActor():
                self._living(action).killed = True
            case ForgetActor():
                self._living(action).forgotten = True
            case TellClient(client, message):
                assert client is not None, f"{message} to nobody"
                assert message is not None, f"nothing, told to {client}"
                self.told.append((client, message))
                if isinstance(message, Reply):
                    self._check_once(client, message)
            case Log():
                assert action.level >= logging.DEBUG
                self.logs.append(action)
            case Finish():
                self.finished += 1
                self.finishes.append(action)
                assert self.finished == 1
            case _:
                raise AssertionError(f"no action: {action}")

    def _check_connection(self, child: Child) -> None:
        """Meant to be connected, it is, or is being, or an attempt is planned, or a restart is
        on its way."""
        if child.desired is not DesiredState.CONNECTED:
            return
        assert not child.is_stranded, f"nobody connects {child}"
        if child.attempt is not None:
            due = self.core.next_due()
            assert due is not None
            assert child.attempt.timer.call is not None
            assert due <= child.attempt.due
        if child.node.status is Status.RESTARTING:
            assert self.core.next_due() is not None or child.node.parent.round is not None

    def _check_holding(self, delivery: Deliver, name: str) -> None:
        """What is to wait for a connection does."""
        if self.core._context.children[name].holds:
            kinds = {type(request) for _, request in delivery.requests}
            assert not kinds & {SendData, SendMany, QueryData}, f"{kinds} were to wait"

    def _first(self, action: StartActor) -> int:
        """The incarnation that a system begins with, in this supervisor."""
        state = self._states.get(action.name)
        return 1 if state is None else state.incarnation + 1

    def _living(self, action: TellActor | KillActor | ForgetActor) -> FakeActor:
        actor = self.actor(action.name)
        assert actor.incarnation == action.incarnation, f"{action}, but {actor.incarnation} lives"
        assert not actor.forgotten, f"{action} after its end was dealt with"
        return actor

    def _check_once(self, client: Any, reply: Reply) -> None:
        key = (client, reply.request_id)
        assert key not in self._finals, f"a second reply to {key}: {reply}"
        if reply.request_id and not (isinstance(reply, ManySent) and not reply.final):
            self._finals.add(key)

    def assert_nothing_open(self) -> None:
        """No request is kept, and in the end no timer either."""
        router = self.core._router
        assert not router._children
        assert not router._by_request
        assert not router._gatherings
        assert not self.core._requests._orders._awaited
        for child in self.core._context.children.values():
            assert not child.open
            assert not child.mailbox
            assert not child.held
            assert (child.weight, child.size) == (0, 0)
            assert not child.node.start_orders
            assert not child.node.stop_orders
        self.advance(3600)
        assert self.core.next_due() is None


def sent(request: Request) -> DataSent:
    return DataSent(request_id=request.request_id, system_name=request.system_name)


def failed(reply: Any) -> tuple[str, str]:
    """What is said of a failure: its code and what happened to the data."""
    assert isinstance(reply, Failure), reply
    return str(reply.code), str(reply.outcome)


def kept(plant, client="keeper"):
    """What a keeper has by now."""
    [given] = [m for c, m in plant.told if c == client and hasattr(m, "record")]
    record = given.record
    for who, message in plant.told:
        if who == client and isinstance(message, RecordChanged):
            for change in message.changes:
                record.apply(change)
    return record
