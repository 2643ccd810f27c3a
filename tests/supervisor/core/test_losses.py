"""A system that loses its connection is connected again, and everybody is told."""

import pytest

from actors.messages import ConnectSystem, DisconnectSystem, FailureCode, Report, SystemDisconnected
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
    assert plant.ask(GetStatus("plc")).status.last_error == "plc: lost its connection"
    assert plant.logs[-1].text.startswith("plc: lost its connection; connecting again")


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
