"""The system actor in a process of its own, with its parent in another."""

import os
import signal

import psutil
import pytest

from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataReceived,
    DataSent,
    Deliver,
    DisconnectSystem,
    Failure,
    FailureCode,
    Forget,
    ReceiveData,
    Report,
    SendData,
    StartSystem,
    StopSystem,
    SystemConnected,
    SystemCrashed,
    SystemDefinition,
    SystemDisconnected,
    SystemStarted,
    SystemStartFailed,
    SystemStopped,
    TakeBack,
    TapData,
)
from actors.payload import Payload, unwrap
from tests.helpers.leaks import no_leaks
from tests.helpers.parent import Started, actor_system, family

TROUBLE = "tests.helpers.connectors:WithTrouble"


@pytest.fixture(scope="module")
def system():
    with no_leaks(), actor_system() as system:
        yield system


@pytest.fixture
def plc(system):
    """A system actor; whatever the test did to it, nothing of it is left afterwards."""
    with no_leaks(), family(system) as plc:
        yield plc


def fault(action, **options):
    return {"operation": "construct", "action": action, **options}


# ---- starting ------------------------------------------------------------------------


def test_it_says_when_it_has_started(plc):
    plc.tell(StartSystem(SystemDefinition("plc", "mock"), 3))
    started = plc.hear(SystemStarted)
    assert (started.system_name, started.incarnation) == ("plc", 3)
    assert "mock_incoming_data" in started.commands
    assert psutil.Process(started.pid).ppid() == plc.parent_pid


@pytest.mark.parametrize(
    ("definition", "code", "text"),
    [
        (SystemDefinition("plc", "mokc"), FailureCode.INVALID_REQUEST, 'did you mean "mock"'),
        (SystemDefinition("plc", "no_such_module:Plc"), FailureCode.INVALID_REQUEST, "imported"),
        (SystemDefinition("plc", "Local", {}, b"no pickle"), FailureCode.INVALID_REQUEST, "snap"),
        (
            SystemDefinition("plc", "mock", {"latency": "long"}),
            FailureCode.INVALID_REQUEST,
            "latency",
        ),
        (
            SystemDefinition("plc", "mock", {"faults": [fault("bug")]}),
            FailureCode.CONNECTOR_ERROR,
            "InjectedBug",
        ),
        (
            SystemDefinition("plc", "mock", {"faults": [fault("fail")]}),
            FailureCode.CONNECTOR_ERROR,
            "ConnectorError",
        ),
    ],
)
def test_what_cannot_be_built_is_told_and_the_process_ends(plc, definition, code, text):
    plc.tell(StartSystem(definition, 1))
    failed = plc.hear(SystemStartFailed)
    assert (failed.system_name, failed.incarnation, failed.code) == ("plc", 1, code)
    assert text in failed.reason.text
    assert failed.reason.traceback
    plc.wait_for_exit()


@pytest.mark.parametrize("action", ["exit", "kill"])
def test_a_constructor_that_ends_the_process_is_an_exit_without_a_word(plc, action):
    plc.tell(StartSystem(SystemDefinition("plc", "mock", {"faults": [fault(action)]}), 1))
    plc.wait_for_exit()
    assert [type(each).__name__ for each in plc.heard] == ["SystemBegun"]


def test_a_second_start_is_an_invalid_request(plc):
    started = Started(plc)
    plc.tell(StartSystem(SystemDefinition("other", "mock"), 4))
    assert plc.hear(Failure).code is FailureCode.INVALID_REQUEST
    assert isinstance(started.ask(ConnectSystem("plc")), SystemConnected)


# ---- working -------------------------------------------------------------------------


def test_it_carries_out_what_is_delivered_and_reports(plc):
    started = Started(plc)
    requests = (ConnectSystem("plc"), SendData("plc", "a"), SendData("plc", ["b"]))
    plc.tell(Deliver(1, tuple(enumerate(requests, start=10))))
    report = plc.hear(Report, lambda report: report.replies)
    assert (report.system_name, report.incarnation, report.taken) == ("plc", 3, 1)
    assert report.is_connected
    assert [(ref, type(reply)) for ref, reply in report.replies] == [
        (10, SystemConnected),
        (11, DataSent),
        (12, DataSent),
    ]
    assert [reply.request_id for _, reply in report.replies] == [
        request.request_id for request in requests
    ]
    assert started.ask(CallCommand("plc", "sent_items")).load() == ["a", ["b"]]
    assert isinstance(started.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert not plc.heard[-1].is_connected


def test_a_receive_waits_while_other_requests_go(plc):
    started = Started(plc, receive_timeout=3600.0)
    started.ask(ConnectSystem("plc"))
    waiting = started.submit(ReceiveData("plc", wait=3600.0))
    assert isinstance(started.ask(SendData("plc", 1)), DataSent)
    assert started.ask(CheckHealth("plc")).healthy
    started.submit(CallCommand("plc", "mock_incoming_data", (["item"],)))
    received = started.answer(waiting)
    assert isinstance(received, DataReceived)
    assert received.load() == ["item"]


def test_what_is_forgotten_is_kept_and_what_is_taken_back_comes_first(plc):
    started = Started(plc, receive_timeout=3600.0)
    started.ask(ConnectSystem("plc"))
    gone = started.submit(ReceiveData("plc", wait=3600.0))
    plc.tell(Forget((gone,)))
    started.ask(CallCommand("plc", "mock_incoming_data", ("later",)))
    plc.tell(TakeBack("plc", ("first",)))
    items = [started.ask(ReceiveData("plc", wait=3600.0)).load() for _ in range(2)]
    assert items == ["first", "later"]


def test_a_tap_reports_items_that_nobody_asked_for(plc):
    started = Started(plc)
    started.ask(ConnectSystem("plc"))
    plc.tell(TapData(on=True))
    started.submit(CallCommand("plc", "mock_incoming_data", (["item"],)))
    report = plc.hear(Report, lambda report: report.tapped)
    assert [unwrap(item) for item in report.tapped] == [["item"]]


def test_data_that_cannot_be_read_harms_nothing(plc):
    started = Started(plc)
    started.ask(ConnectSystem("plc"))
    failure = started.ask(SendData("plc", Payload(encoded=b"no pickle")))
    assert failure.code is FailureCode.INVALID_REQUEST
    assert isinstance(started.ask(SendData("plc", 1)), DataSent)


@pytest.mark.parametrize("message", ["hello", 5, ("a", "tuple"), SendData("plc", "bare")])
def test_an_unknown_message_gets_an_invalid_request(plc, message):
    for _ in ("before the start", "after it"):
        plc.tell(message)
        failure = plc.hear(Failure)
        assert failure.code is FailureCode.INVALID_REQUEST
        assert type(message).__name__ in failure.text
        assert failure.request_id == getattr(message, "request_id", 0)
        if not any(isinstance(each, SystemStarted) for each in plc.heard):
            Started(plc)


# ---- crashes -------------------------------------------------------------------------


def test_a_bug_is_told_with_its_traceback_and_then_the_process_ends(plc):
    Started(plc, faults=[{"operation": "send", "action": "bug"}])
    plc.tell(
        Deliver(1, ((1, ConnectSystem("plc")), (2, SendData("plc", 1)), (3, SendData("plc", 2))))
    )
    crashed = plc.hear(SystemCrashed)
    assert (crashed.system_name, crashed.incarnation) == ("plc", 3)
    assert crashed.reason.kind == "InjectedBug"
    assert "in send_data" in crashed.reason.traceback
    (report,) = [each for each in plc.heard if isinstance(each, Report) and each.replies]
    assert [ref for ref, _ in report.replies] == [1]
    plc.wait_for_exit()
    assert sum(isinstance(each, SystemCrashed) for each in plc.heard) == 1


def test_an_exit_in_a_task_of_the_connector_is_a_crash(plc):
    started = Started(plc, kind=TROUBLE)
    started.submit(CallCommand("plc", "exit_in_background"))
    assert plc.hear(SystemCrashed).reason.kind == "SystemExit"
    os.kill(started.pid, signal.SIGKILL)  # as its supervisor would; else it takes its time
    plc.wait_for_exit()


def test_a_connection_state_that_cannot_be_read_is_one_crash(plc):
    started = Started(plc, kind=TROUBLE)
    started.submit(CallCommand("plc", "break_the_state"))
    started.submit(SendData("plc", 1))
    started.submit(ReceiveData("plc"))
    assert plc.hear(SystemCrashed).reason.text == "RuntimeError: the state is broken"
    plc.wait_for_exit()
    assert sum(isinstance(each, SystemCrashed) for each in plc.heard) == 1


def test_a_killed_process_is_an_exit(plc):
    os.kill(Started(plc).pid, signal.SIGKILL)
    plc.wait_for_exit()


def test_a_segmentation_fault_is_an_exit(plc):
    Started(plc, kind=TROUBLE).submit(CallCommand("plc", "segfault"))
    plc.wait_for_exit()


def test_a_hanging_event_loop_answers_nothing_and_can_be_killed(plc):
    started = Started(plc)
    started.inject("health", "hang_loop")
    started.submit(CheckHealth("plc"))
    plc.tell("is the message thread alive?")
    plc.hear(Failure)
    os.kill(started.pid, signal.SIGKILL)
    plc.wait_for_exit()
    assert not any(isinstance(each, SystemCrashed) for each in plc.heard)


def test_a_stopped_process_can_be_killed(plc):
    started = Started(plc)
    started.inject("health", "stop_process")
    started.submit(CheckHealth("plc"))
    _, status = wait_until_stopped(started.pid)
    assert status == psutil.STATUS_STOPPED
    os.kill(started.pid, signal.SIGKILL)
    plc.wait_for_exit()


def wait_until_stopped(pid):
    """Of a process that is no child of ours, the state can only be looked at."""
    process = psutil.Process(pid)
    for _ in range(1000):
        if process.status() == psutil.STATUS_STOPPED:
            break
        psutil.wait_procs([process], timeout=0.01)
    return process, process.status()


# ---- the end -------------------------------------------------------------------------


def test_a_stop_disconnects_and_ends_the_process(plc):
    started = Started(plc)
    started.ask(ConnectSystem("plc"))
    plc.tell(StopSystem(grace=10.0))
    stopped = plc.hear(SystemStopped)
    assert (stopped.system_name, stopped.incarnation) == ("plc", 3)
    reports = [each for each in plc.heard if isinstance(each, Report)]
    assert reports[-1].is_connected is False
    plc.wait_for_exit()


def test_a_stop_answers_who_waits(plc):
    started = Started(plc, receive_timeout=3600.0)
    started.ask(ConnectSystem("plc"))
    waiting = started.submit(ReceiveData("plc", wait=3600.0))
    plc.tell(StopSystem(grace=10.0))
    assert started.answer(waiting).code is FailureCode.UNAVAILABLE
    plc.wait_for_exit()


def test_a_disconnect_that_hangs_does_not_keep_it_from_stopping(plc):
    started = Started(plc, disconnect_delay=3600.0)
    started.ask(ConnectSystem("plc"))
    plc.tell(StopSystem(grace=0.1))
    plc.hear(SystemStopped)
    plc.wait_for_exit()


def test_a_thread_that_a_connector_left_does_not_keep_it_from_ending(plc):
    started = Started(plc, kind=TROUBLE)
    started.ask(CallCommand("plc", "leave_a_thread"))
    plc.tell(StopSystem(grace=10.0))
    plc.hear(SystemStopped)
    plc.wait_for_exit()


def test_it_ends_with_its_parent(plc):
    started = Started(plc)
    process = psutil.Process(started.pid)
    os.kill(plc.parent_pid, signal.SIGKILL)
    process.wait(timeout=10)
