"""A system that loses its connection is connected again, and everybody is told."""

import pytest

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    Reason,
    Report,
    SendData,
    SystemConnected,
    SystemDisconnected,
)
from actors.messages.supervision import RENEWED
from actors.resilience.backoff import BackoffPolicy
from supervisor.messages import EventKind, GetStatus, Subscribe, TerminateChild
from tests.helpers.harness import Harness

RECONNECT = BackoffPolicy(backoff_min=1, backoff_max=4, stable_after=30)


@pytest.fixture
def plant():
    return Harness()


def connected(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    actor.connect()
    return actor


def lose(actor):
    actor.is_connected = False
    actor.report()


def connects(actor):
    return len([each for each in actor.requests if isinstance(each, ConnectSystem)])


def test_a_connection_that_held_is_made_again_at_once(plant):
    actor = connected(plant)
    plant.advance(30)
    lose(actor)
    plant.advance(0)
    assert connects(actor) == 2
    why = "plc: lost its connection: its connector did not say why"
    assert plant.ask(GetStatus("plc")).status.last_error == why
    assert plant.logs[-1].text == f"{why}; connecting again at once, until it works"


def test_connections_that_are_made_anew_over_late_answers_make_no_later_loss_wait(plant):
    actor = connected(plant)
    plant.advance(30)
    late = Reason(RENEWED, "no answer")
    for _ in range(5):
        actor.say(Report(actor.name, actor.incarnation, actor.taken, (), True, lost=late))
        plant.advance(1)
    lose(actor)
    plant.advance(1 + 0.01)
    assert connects(actor) == 2


def test_connections_that_never_hold_are_made_again_after_longer_and_longer_waits(plant):
    actor = connected(plant)
    for number, delay in enumerate((1, 2, 4, 4), 2):
        plant.advance(29.9)
        lose(actor)
        plant.advance(delay - 0.01)
        assert connects(actor) == number - 1
        plant.advance(0.02)
        assert connects(actor) == number
        actor.connect()
    plant.advance(30)
    lose(actor)
    plant.advance(0)
    assert connects(actor) == 6


def test_a_connection_that_nobody_wants_any_more_is_not_made_again(plant):
    actor = connected(plant)
    disconnect = DisconnectSystem("plc")
    plant.tell(disconnect)
    lose(actor)
    actor.answer(disconnect, SystemDisconnected)
    plant.advance(60)
    assert connects(actor) == 1


def test_a_connect_of_somebody_else_that_fails_leads_to_no_other(plant):
    actor = connected(plant)
    connect = ConnectSystem("plc")
    plant.tell(connect)
    actor.answer(connect, connect.failure(FailureCode.CONNECTOR_ERROR, "no route to host"))
    assert plant.ask(GetStatus("plc")).status.last_error == "plc: no route to host"
    assert plant.logs == []


def test_a_connect_that_fails_when_nobody_wants_it_any_more_is_not_tried_again(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    plant.tell(DisconnectSystem("plc"))
    connect = actor.requests[0]
    actor.answer(connect, connect.failure(FailureCode.CONNECTOR_ERROR, "no route to host"))
    plant.advance(50)
    assert connects(actor) == 1
    assert plant.logs == []


def test_a_change_of_the_connection_is_told_even_if_the_next_comes_with_it(plant):
    connected(plant)
    plant.tell(Subscribe(), "sue")
    for is_connected in (False, True):
        report = Report("plc", 1, 1, (), is_connected, ())
        plant.core.child_said("plc", 1, report, plant.now)
    plant.carry_out()
    assert [event.kind for event in plant.events("sue")] == [
        EventKind.DISCONNECTED,
        EventKind.CONNECTED,
    ]


def test_a_system_that_is_stopped_is_told_to_be_disconnected_first(plant):
    actor = connected(plant)
    plant.tell(Subscribe(), "sue")
    plant.tell(TerminateChild("plc"))
    lose(actor)
    actor.stop()
    actor.exit()
    assert [event.kind for event in plant.events("sue")] == [
        EventKind.STOPPING,
        EventKind.DISCONNECTED,
        EventKind.STOPPED,
    ]


def test_a_report_without_data_is_no_data(plant):
    actor = connected(plant)
    plant.tell(Subscribe(lifecycle=False, data_from=None), "sue")
    actor.report()
    assert plant.events("sue") == []


def made_and_lost(actor, why=None):
    """A peer that accepts and closes at once: one report says both."""
    connect = actor.requests[-1]
    reply = SystemConnected(request_id=connect.request_id, system_name="plc")
    actor.taken = len(actor.deliveries)
    actor.say(Report("plc", 1, actor.taken, ((actor.ref_of(connect), reply),), False, lost=why))


def test_a_connection_that_is_lost_at_once_is_made_again_after_longer_and_longer_waits(plant):
    plant.tell(Subscribe(), "sue")
    actor = plant.register(connect=True, reconnect=RECONNECT)
    for number, delay in enumerate((1, 2, 4, 4), 1):
        made_and_lost(actor, Reason("lost", "it closed the connection"))
        assert connects(actor) == number
        status = plant.ask(GetStatus("plc")).status
        assert status.last_error == "plc: lost its connection: it closed the connection"
        assert status.next_attempt == delay
        plant.advance(delay)
    assert connects(actor) == 5
    events = [(event.kind, event.delay) for event in plant.events("sue")[3:7]]
    assert events == [
        (EventKind.CONNECTING, None),
        (EventKind.CONNECTED, None),
        (EventKind.DISCONNECTED, 1),
        (EventKind.CONNECTING, None),
    ]
    assert plant.events("sue")[5].reason.text == "it closed the connection"


def test_why_a_connection_was_lost_is_told_with_the_time_of_the_next_attempt(plant):
    actor = connected(plant)
    plant.tell(Subscribe(), "sue")
    actor.lose(Reason("ConnectionResetError", "ConnectionResetError: reset"))
    [lost] = plant.events("sue")
    assert (lost.kind, lost.reason.kind, lost.delay) == (
        EventKind.DISCONNECTED,
        "ConnectionResetError",
        1,
    )
    assert [log.text for log in plant.logs] == [
        "plc: lost its connection: ConnectionResetError: reset; connecting again in 1.0 s, until "
        "it works"
    ]


def test_a_connect_that_fails_is_told_with_its_reason(plant):
    plant.tell(Subscribe(), "sue")
    actor = plant.register(connect=True, reconnect=RECONNECT)
    connect = actor.requests[0]
    actor.answer(connect, connect.failure(FailureCode.CONNECTOR_ERROR, "no route to host"))
    last = plant.events("sue")[-1]
    assert (last.kind, last.delay) == (EventKind.DISCONNECTED, 1)
    assert last.reason == Reason("connector_error", "no route to host")


def test_a_loss_between_two_reports_is_told_too(plant):
    actor = connected(plant)
    plant.tell(Subscribe(), "sue")
    plant.advance(30)
    actor.say(Report("plc", 1, 1, (), True, lost=Reason("lost", "a blink")))
    assert [(event.kind, event.reason and event.reason.text) for event in plant.events("sue")] == [
        (EventKind.DISCONNECTED, "a blink"),
        (EventKind.CONNECTED, None),
    ]
    assert plant.ask(GetStatus("plc")).status.last_error is None


def test_a_reason_that_is_told_late_is_the_last_error(plant):
    actor = connected(plant)
    lose(actor)
    actor.lose(Reason("lost", "a broken pipe"))
    status = plant.ask(GetStatus("plc")).status
    assert status.last_error == "plc: lost its connection: a broken pipe"
    assert status.next_attempt == 1


def test_an_order_to_disconnect_is_no_loss(plant):
    actor = connected(plant)
    plant.tell(Subscribe(), "sue")
    disconnect, connect = DisconnectSystem("plc"), ConnectSystem("plc")
    plant.tell(disconnect)
    plant.tell(connect)
    actor.answer(disconnect, SystemDisconnected)
    [first, *_] = plant.events("sue")
    assert (first.kind, first.reason, first.delay) == (EventKind.CONNECTING, None, None)
    actor.answer(connect, SystemConnected)
    status = plant.ask(GetStatus("plc")).status
    assert (status.last_error, plant.logs) == (None, [])


def test_the_log_says_each_trouble_once_and_that_it_is_over(plant):
    actor = connected(plant)
    for _ in range(3):
        actor.lose(Reason("lost", "a"))
        plant.advance(10)
        actor.connect()
    actor.lose(Reason("lost", "b"))
    logs = [(log.level, log.text.partition(";")[0]) for log in plant.logs]
    a, b = "plc: lost its connection: a", "plc: lost its connection: b"
    assert logs == [(30, a), (20, "plc: connected again"), (10, a), (10, a), (30, b)]
    plant.advance(10)
    actor.connect()
    plant.advance(30)
    actor.lose(Reason("lost", "a"))
    assert (plant.logs[-1].level, plant.logs[-1].text.partition(";")[0]) == (30, a)


def test_the_log_warns_of_few_of_many_reasons(plant):
    actor = connected(plant)
    for number in range(20):
        actor.lose(Reason("lost", f"port {number}"))
        plant.advance(10)
        actor.connect()
    assert len([log for log in plant.logs if log.level == 30]) == 8


def test_an_attempt_is_planned_for_one_incarnation(plant):
    actor = connected(plant)
    actor.lose(Reason("lost", "a"))
    actor.crash_and_exit()
    assert plant.ask(GetStatus("plc")).status.next_attempt is None
    plant.actor().start()
    assert next_attempt(plant) == 1
    plant.advance(1)
    assert connects(plant.actor()) == 1
    plant.advance(60 - 1.1)
    assert connects(plant.actor()) == 1


def next_attempt(plant):
    return plant.ask(GetStatus("plc"), "stat").status.next_attempt


def test_an_attempt_keeps_its_time_whatever_happens_meanwhile(plant):
    actor = connected(plant)
    actor.lose(Reason("lost", "a"))
    plant.advance(0.6)
    actor.report()
    assert next_attempt(plant) == pytest.approx(0.4)


def test_nothing_is_planned_while_it_is_being_connected_or_is_connected(plant):
    actor = connected(plant)
    actor.lose(Reason("lost", "a"))
    plant.tell(ConnectSystem("plc"))
    actor.connect()
    assert next_attempt(plant) is None
    actor.lose(Reason("lost", "a"))
    plant.advance(2)
    actor.report()
    assert next_attempt(plant) is None
    assert plant.ask(GetStatus("plc"), "stat").status.state == "connecting"


def test_a_send_that_fails_says_nothing_of_the_connection(plant):
    actor = connected(plant)
    send = SendData("plc", b"")
    plant.tell(send)
    actor.answer(send, send.failure(FailureCode.CONNECTOR_ERROR, "busy"))
    status = plant.ask(GetStatus("plc")).status
    assert (status.state, status.last_error) == ("connected", None)


def test_what_a_crashed_system_says_of_its_connection_is_no_loss(plant):
    actor = connected(plant)
    plant.tell(Subscribe(), "sue")
    actor.crash()
    lose(actor)
    status = plant.ask(GetStatus("plc")).status
    assert (status.last_error, status.next_attempt, plant.events("sue")) == (None, None, [])
