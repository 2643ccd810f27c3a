"""A system that cannot be connected before somebody has mended something is left alone, says why,
and is tried again by whoever asks for it."""

import logging

import pytest

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    Reason,
    SendData,
    SystemConnected,
    SystemDisconnected,
)
from supervisor.messages import (
    CancelRequest,
    DesiredState,
    EventKind,
    GetStatus,
    RestartChild,
    RestartSystem,
    StartChild,
    Subscribe,
    SystemState,
    TerminateChild,
)
from supervisor.messages.record import KeepRecord
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, kept, spec

REVOKED = Reason("AuthenticationRefusedError", "revoked", is_fatal=True)


@pytest.fixture
def plant():
    plant = Harness()
    plant.tell(Subscribe())
    return plant


def refuse(actor, code=FailureCode.FAILED, text="wrong password"):
    """Answer the connect that was delivered last."""
    request = actor.requests[-1]
    actor.answer(request, request.failure(code, text))


def failed(plant, name="plc", **options):
    actor = plant.register(name, connect=True, **options)
    refuse(actor)
    return actor


def status(plant, name="plc"):
    return plant.ask(GetStatus(name), "stat").status


def connects(plant, name="plc"):
    return len([r for r in plant.actor(name).requests if isinstance(r, ConnectSystem)])


def told(plant, kind=EventKind.FAILED):
    return [event for event in plant.events() if event.kind is kind]


def errors(plant):
    return [log.text for log in plant.logs if log.level >= logging.WARNING]


def restart(plant, name="plc"):
    actor = plant.actor(name)
    plant.tell(RestartSystem(name))
    actor.stop()
    actor.exit()
    plant.actor(name).start()
    return plant.actor(name)


def test_it_is_never_tried_again(plant):
    failed(plant)
    plant.advance(100_000)
    assert connects(plant) == 1


def test_it_says_what_it_is_and_why(plant):
    failed(plant)
    now = status(plant)
    assert now.state is SystemState.FAILED
    assert now.desired is DesiredState.CONNECTED
    assert not now.is_connected
    assert now.last_error == "plc: wrong password"
    assert now.next_attempt is None


def test_it_is_told_once(plant):
    failed(plant)
    plant.advance(1000)
    [event] = told(plant)
    assert event.reason == Reason("failed", "wrong password", is_fatal=True)
    assert told(plant, EventKind.DISCONNECTED) == []
    assert errors(plant) == ["plc: failed: wrong password"]


def test_a_connection_that_is_lost_for_good_fails_as_well(plant):
    actor = plant.register(connect=True)
    actor.connect()
    plant.advance(1000)
    actor.lose(REVOKED)
    assert status(plant).state is SystemState.FAILED
    assert status(plant).last_error == "plc: lost its connection: revoked"
    plant.advance(1000)
    assert connects(plant) == 1
    assert [event.reason for event in told(plant)] == [REVOKED]
    assert errors(plant) == ["plc: failed: revoked"]


def test_why_it_was_lost_for_good_may_be_said_later(plant):
    actor = plant.register(connect=True)
    actor.connect()
    actor.lose()
    assert status(plant).next_attempt is not None
    actor.lose(REVOKED)
    assert status(plant).state is SystemState.FAILED
    plant.advance(1000)
    assert connects(plant) == 1


def test_whoever_connects_it_has_it_tried_again(plant):
    actor = failed(plant)
    again = ConnectSystem("plc")
    plant.tell(again)
    assert status(plant).state is SystemState.CONNECTING
    actor.answer(again, SystemConnected)
    assert status(plant).state is SystemState.CONNECTED
    assert status(plant).last_error is None
    assert plant.logs[-1].text == "plc: connected again"


def test_what_fails_again_says_so_again(plant):
    actor = failed(plant)
    plant.tell(ConnectSystem("plc"))
    refuse(actor)
    assert len(told(plant)) == len(errors(plant)) == 2
    plant.advance(1000)
    assert connects(plant) == 2


def test_what_can_only_not_be_reached_any_more_is_tried_again(plant):
    actor = failed(plant)
    plant.tell(ConnectSystem("plc"))
    refuse(actor, FailureCode.CONNECTOR_ERROR, "no route")
    assert status(plant).state is SystemState.DISCONNECTED
    plant.advance(60)
    assert connects(plant) > 2


def test_a_connect_that_is_taken_back_changes_nothing(plant):
    failed(plant)
    again = ConnectSystem("plc", keep_trying=False)
    plant.tell(again)
    plant.tell(CancelRequest((again.request_id,)))
    assert status(plant).state is SystemState.FAILED
    plant.advance(1000)
    assert status(plant).state is SystemState.FAILED


def test_whoever_restarts_it_has_it_tried_again(plant):
    failed(plant)
    restart(plant).connect()
    assert status(plant).state is SystemState.CONNECTED


def test_whoever_restarts_its_group_has_it_tried_again(plant):
    plant.tell(StartChild(GroupSpec("line", (spec("plc", connect=True),))))
    plant.actor().start()
    refuse(plant.actor())
    plant.tell(RestartSystem("line"))
    plant.actor().stop()
    plant.actor().exit()
    plant.actor().start()
    assert connects(plant) == 1


def test_whoever_starts_it_after_its_end_has_it_tried_again(plant):
    actor = failed(plant)
    plant.tell(TerminateChild("plc"))
    actor.exit()
    plant.tell(RestartChild("plc"))
    plant.actor().start()
    assert connects(plant) == 1


def test_a_crash_mends_nothing(plant):
    actor = failed(plant)
    actor.crash_and_exit()
    assert plant.actor() is not actor
    plant.actor().start()
    assert status(plant).state is SystemState.FAILED
    plant.advance(1000)
    assert connects(plant) == 0
    assert len(told(plant)) == 1


def test_the_next_incarnation_is_told_why_it_is_not_connected(plant):
    failed(plant).crash_and_exit()
    assert plant.actor().start_action.failed == "wrong password"
    plant.actor().start()
    assert restart(plant).start_action.failed is None


def test_a_connect_that_is_cut_off_mends_nothing(plant):
    actor = failed(plant)
    plant.tell(ConnectSystem("plc"))
    refuse(actor, FailureCode.UNAVAILABLE, "the system is being stopped")
    assert status(plant).state is SystemState.FAILED


def test_whoever_disconnects_it_has_it_be_disconnected(plant):
    actor = failed(plant)
    disconnect = DisconnectSystem("plc")
    plant.tell(disconnect)
    actor.answer(disconnect, SystemDisconnected)
    assert status(plant).state is SystemState.DISCONNECTED
    assert status(plant).desired is DesiredState.DISCONNECTED
    assert [event.reason for event in told(plant, EventKind.DISCONNECTED)] == [None]


def test_what_is_asked_of_it_goes_to_the_process_that_refuses_it(plant):
    actor = failed(plant)
    send = SendData("plc", "x")
    plant.tell(send)
    actor.answer(send, send.failure(FailureCode.FAILED, "wrong password"))
    assert plant.reply(send).code is FailureCode.FAILED


def test_a_supervisor_that_comes_back_leaves_it_alone(plant):
    plant.tell(KeepRecord(), "keeper")
    failed(plant)
    after = Harness(record=kept(plant))
    after.actor().start()
    assert status(after).state is SystemState.FAILED
    assert status(after).desired is DesiredState.CONNECTED
    after.advance(1000)
    assert connects(after) == 0
    restart(after)
    assert connects(after) == 1


def test_others_are_not_concerned(plant):
    failed(plant)
    other = plant.register("other", connect=True)
    other.connect()
    assert status(plant, "other").state is SystemState.CONNECTED
