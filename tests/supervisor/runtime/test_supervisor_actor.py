"""The supervisor spoken to in actor messages, on the Unix base and on Thespian's own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    ConnectSystem,
    DataReceived,
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    HealthChecked,
    ManyReceived,
    ManySent,
    NothingReceived,
    Outcome,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from supervisor import SystemSpec
from supervisor.messages import (
    AllConnected,
    AllDisconnected,
    AllStatusGiven,
    ConnectAll,
    DataArrived,
    DisconnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    LifecycleEvent,
    RegisterSystem,
    RestartSystem,
    StatusGiven,
    StopSupervisor,
    Subscribe,
    Subscribed,
    SupervisorStopped,
    SystemRegistered,
    SystemRestarted,
    SystemUnregistered,
    UnregisterSystem,
    Unsubscribe,
    Unsubscribed,
)
from tests.helpers.actor_host import ActorHost
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

Ask = Callable[[Any], Any]


@pytest.fixture
def host(nothing_left: None) -> Iterator[ActorHost]:
    actor_host = ActorHost()
    yield actor_host
    actor_host.close()


@pytest.fixture
def ask(host: ActorHost) -> Ask:
    """Ask the supervisor, and see that the answer belongs to the question."""

    def ask_one(request: Any) -> Any:
        reply = host.ask(request, PATIENCE)
        assert reply is not None, f"no answer to {request}"
        assert reply.request_id == request.request_id
        return reply

    return ask_one


def register(ask: Ask, name: str = "a", **details: Any) -> None:
    spec = SystemSpec(name, "mock", {"echo": True, **details})
    assert isinstance(ask(RegisterSystem(spec)), SystemRegistered)


def test_every_operation_has_its_typed_reply(ask: Ask) -> None:
    register(ask)
    assert isinstance(ask(ConnectSystem("a")), SystemConnected)
    assert isinstance(ask(SendData("a", b"x")), DataSent)
    assert ask(ReceiveData("a")).load() == b"x"
    assert isinstance(ask(ReceiveData("a", 0.0)), NothingReceived)
    assert ask(SendMany("a", [1, 2, 3])).results == (True, True, True)
    assert ask(ReceiveMany("a", 2, 1.0)).load() == [1, 2]
    assert ask(CallCommand("a", "sent_count")).load() == 4
    assert ask(CallCommand("a", "mock_incoming_data", ("in",))).load() is None
    assert ask(CheckHealth("a")).healthy
    assert ask(GetStatus("a")).status.state == "connected"
    assert [each.name for each in ask(GetAllStatus()).systems] == ["a"]
    assert ask(RestartSystem("a")).incarnation == 2
    assert ask(DisconnectAll()).results == {"a": True}
    assert ask(ConnectAll()).results == {"a": True}
    assert isinstance(ask(DisconnectSystem("a")), SystemDisconnected)
    assert isinstance(ask(UnregisterSystem("a")), SystemUnregistered)
    assert ask(GetAllStatus()).systems == ()
    assert isinstance(ask(StopSupervisor()), SupervisorStopped)


def test_the_types_of_replies_are_those_the_docstrings_name() -> None:
    for request, reply in [
        (ConnectSystem, SystemConnected),
        (DisconnectSystem, SystemDisconnected),
        (SendData, DataSent),
        (SendMany, ManySent),
        (ReceiveData, DataReceived),
        (ReceiveMany, ManyReceived),
        (CallCommand, CommandCalled),
        (CheckHealth, HealthChecked),
        (RegisterSystem, SystemRegistered),
        (UnregisterSystem, SystemUnregistered),
        (RestartSystem, SystemRestarted),
        (GetStatus, StatusGiven),
        (GetAllStatus, AllStatusGiven),
        (ConnectAll, AllConnected),
        (DisconnectAll, AllDisconnected),
        (Subscribe, Subscribed),
        (Unsubscribe, Unsubscribed),
        (StopSupervisor, SupervisorStopped),
    ]:
        assert reply.__name__ in (request.__doc__ or ""), request


@pytest.mark.parametrize("junk", ["hello", 42, None, {"a": 1}, object])
def test_an_object_that_is_no_message_gets_an_answer(host: ActorHost, junk: Any) -> None:
    reply = host.ask(junk, PATIENCE)
    assert isinstance(reply, Failure)
    assert reply.code is FailureCode.INVALID_REQUEST
    assert "does not understand" in reply.text


def test_requests_sent_without_waiting_are_all_answered_in_order_per_system(
    host: ActorHost,
) -> None:
    spec = SystemSpec("a", "mock", {"echo": True})
    requests: list[Any] = [
        RegisterSystem(spec),
        ConnectSystem("a"),
        *(SendData("a", number) for number in range(50)),
        ReceiveMany("a", 50, 1.0),
    ]
    for request in requests:
        host.tell(request)
    replies = {}
    while len(replies) < len(requests):
        reply = host.listen(PATIENCE)
        assert reply is not None
        assert reply.request_id not in replies
        replies[reply.request_id] = reply
    assert replies[requests[-1].request_id].load() == list(range(50))


def test_a_late_reply_is_told_from_the_next_by_its_request_id(host: ActorHost, ask: Ask) -> None:
    register(ask)
    ask(ConnectSystem("a"))
    late = ReceiveData("a", 0.5)
    assert host.ask(late, 0.05) is None
    request = GetStatus("a")
    reply = host.ask(request, PATIENCE)
    assert reply.request_id == request.request_id
    assert host.listen(PATIENCE).request_id == late.request_id


def test_a_killed_system_answers_and_comes_back(ask: Ask) -> None:
    register(ask, faults=[{"operation": "send", "action": "kill", "signal": "SIGKILL"}])
    ask(ConnectSystem("a"))
    failure = ask(SendData("a", 1))
    assert (failure.code, failure.outcome) == (FailureCode.SYSTEM_CRASHED, Outcome.UNKNOWN)
    assert isinstance(ask(GetStatus("a")).status.incarnation, int)
    deadline = time.monotonic() + PATIENCE
    while ask(GetStatus("a")).status.state != "connected":
        assert time.monotonic() < deadline
    assert ask(GetStatus("a")).status.incarnation == 2


def test_an_actor_client_may_subscribe(host: ActorHost, ask: Ask) -> None:
    register(ask)
    ask(ConnectSystem("a"))
    pid = ask(GetStatus("a")).status.pid
    assert isinstance(ask(Subscribe(data_from=["a"])), Subscribed)
    host.tell(SendData("a", "hello"))
    seen = []

    def listen_until(seen_it: Callable[[Any], bool]) -> Any:
        while True:
            seen.append(host.listen(PATIENCE))
            assert seen[-1] is not None
            if seen_it(seen[-1]):
                return seen[-1]

    assert listen_until(lambda each: isinstance(each, DataArrived)).load() == ["hello"]
    os.kill(pid, signal.SIGKILL)
    listen_until(lambda each: getattr(each, "kind", None) is EventKind.CONNECTED)
    kinds = [each.kind for each in seen if isinstance(each, LifecycleEvent)]
    assert kinds == [
        EventKind.CRASHED,
        EventKind.RESTARTING,
        EventKind.STARTING,
        EventKind.STARTED,
        EventKind.CONNECTING,
        EventKind.CONNECTED,
    ]


@pytest.mark.parametrize("base", ["multiprocTCPBase", "multiprocUDPBase"])
def test_it_works_on_thespians_own_bases_with_watches_and_without(
    nothing_left: None, base: str
) -> None:
    host = ActorHost(base)
    try:
        spec = SystemSpec("a", "mock", {"echo": True}, connect=True)
        for request in (RegisterSystem(spec), ConnectSystem("a"), SendData("a", "x")):
            assert not isinstance(host.ask(request, PATIENCE), Failure | None)
        assert host.ask(ReceiveData("a", 1.0), PATIENCE).load() == "x"
        os.kill(host.ask(GetStatus("a"), PATIENCE).status.pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while True:
            status = host.ask(GetStatus("a"), PATIENCE).status
            if (status.state, status.incarnation) == ("connected", 2):
                break
            assert time.monotonic() < deadline, status
    finally:
        host.close()
