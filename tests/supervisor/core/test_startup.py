"""What becomes of a system whose first connect fails is its spec's to say."""

import logging

import pytest

from actors.messages import ConnectSystem, FailureCode, Reason
from supervisor.messages import (
    DesiredState,
    EventKind,
    GetStatus,
    RegisterSystem,
    RestartSystem,
    Subscribe,
    SystemState,
)
from supervisor.messages.record import KeepRecord
from supervisor.specs.policies import OnStartFailure, Startup
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.harness import Harness, failed, kept, spec

REFUSED = Reason("connector_error", "cannot be connected: no route")


def system(name="plc", startup="retry", **options):
    return spec(name, connect=True, startup=startup, **options)


def tree(*children, **options):
    return Harness(tree=GroupSpec("root", children, **options))


def refuse(actor, code=FailureCode.CONNECTOR_ERROR):
    """Answer the connect that was delivered last."""
    request = actor.requests[-1]
    actor.answer(request, request.failure(code, "no route"))


def status(plant, name="plc"):
    return plant.ask(GetStatus(name), "stat").status


def connects(plant, name="plc"):
    return len([r for r in plant.actor(name).requests if isinstance(r, ConnectSystem)])


def test_startup_is_for_what_is_connected_at_its_start():
    assert system().startup is Startup.RETRY
    for word in ("error", "ignore"):
        with pytest.raises(ValueError, match=f'startup is "{word}", but nothing'):
            SystemSpec("plc", "mock", startup=word)
    with pytest.raises(ValueError, match="one of retry, error, ignore"):
        SystemSpec("plc", "mock", connect=True, startup="hope")


# ---- retry -----------------------------------------------------------------------------


def test_by_default_it_is_tried_until_it_works():
    plant = tree(system())
    plant.actor().start()
    refuse(plant.actor())
    plant.advance(100)
    assert connects(plant) > 1
    assert status(plant).desired is DesiredState.CONNECTED


@pytest.mark.parametrize("startup", ["retry", "ignore"])
def test_a_system_that_is_down_at_boot_holds_nobody_else_back(startup):
    names = [f"plc-{number}" for number in range(20)]
    plant = tree(system("down", startup), *(system(name) for name in names))
    plant.actor("down").start()  # its connect is under way, and will be for long
    for name in names:
        plant.actor(name).start()
        plant.actor(name).connect()
    assert {status(plant, name).state for name in names} == {SystemState.CONNECTED}
    assert status(plant, "down").state is SystemState.CONNECTING


# ---- ignore ----------------------------------------------------------------------------


def ignored():
    plant = Harness()
    plant.tell(Subscribe())
    plant.tell(RegisterSystem(system(startup="ignore")), "owner")
    plant.actor().start()
    refuse(plant.actor())
    return plant


def test_what_is_ignored_is_disconnected_and_not_meant_to_be_connected():
    plant = ignored()
    now = status(plant)
    assert (now.state, now.desired) == (SystemState.DISCONNECTED, DesiredState.DISCONNECTED)
    assert now.last_error == "plc: no route"
    plant.advance(1000)
    assert connects(plant) == 1
    [event] = [each for each in plant.events() if each.kind is EventKind.DISCONNECTED]
    assert (event.reason.text, event.delay) == ("no route", None)


def test_what_is_ignored_is_said_once():
    plant = ignored()
    plant.advance(1000)
    text = (
        'plc: no route; as its startup is "ignore", it is not tried again before somebody '
        "connects it"
    )
    assert [log.text for log in plant.logs if log.level >= logging.WARNING] == [text]


def test_what_is_ignored_stays_so_after_a_crash_and_a_restart_by_hand():
    plant = ignored()
    plant.actor().crash_and_exit()
    plant.actor().start()
    assert connects(plant) == 0
    plant.tell(RestartSystem("plc"))
    plant.actor().stop()
    plant.actor().exit()
    plant.actor().start()
    assert connects(plant) == 0


def test_what_is_ignored_is_tried_until_it_works_once_somebody_connects_it():
    plant = ignored()
    plant.tell(ConnectSystem("plc"))
    refuse(plant.actor())
    assert status(plant).desired is DesiredState.CONNECTED
    plant.advance(100)
    assert connects(plant) > 1


def test_who_asks_to_connect_it_meanwhile_has_it_connected():
    plant = Harness()
    plant.tell(RegisterSystem(system(startup="ignore")), "owner")
    plant.actor().start()
    plant.tell(ConnectSystem("plc"))
    own, asked = plant.actor().requests
    plant.actor().answer(own, own.failure(FailureCode.CONNECTOR_ERROR, "no route"))
    plant.actor().answer(asked, asked.failure(FailureCode.CONNECTOR_ERROR, "no route"))
    assert status(plant).desired is DesiredState.CONNECTED


def test_a_first_connect_that_is_not_answered_in_time_is_ignored_too():
    plant = Harness(connect_timeout=5)
    plant.tell(RegisterSystem(system(startup="ignore")), "owner")
    plant.actor().start()
    plant.actor().report()
    plant.advance(6)
    assert status(plant).desired is DesiredState.DISCONNECTED


def test_a_first_connect_that_is_cut_off_by_a_restart_says_nothing():
    plant = Harness()
    plant.tell(RegisterSystem(system(startup="ignore")), "owner")
    plant.actor().start()
    plant.tell(RestartSystem("plc"))
    refuse(plant.actor(), FailureCode.UNAVAILABLE)
    plant.actor().stop()
    plant.actor().exit()
    plant.actor().start()
    assert connects(plant) == 1


def test_what_was_connected_once_is_connected_again():
    plant = Harness()
    plant.tell(RegisterSystem(system(startup="ignore")), "owner")
    plant.actor().start()
    plant.actor().connect()
    plant.actor().lose(Reason("lost", "gone"))
    plant.advance(1)
    refuse(plant.actor())
    plant.advance(100)
    assert connects(plant) > 1


def test_a_supervisor_that_comes_back_leaves_alone_what_was_ignored():
    plant = Harness()
    plant.tell(KeepRecord(), "keeper")
    plant.tell(RegisterSystem(system(startup="ignore")), "owner")
    plant.actor().start()
    refuse(plant.actor())
    after = Harness(record=kept(plant))
    after.actor().start()
    assert connects(after) == 0


# ---- error -----------------------------------------------------------------------------


def test_what_must_be_connected_is_told_to_be_and_is_not_up_before():
    plant = tree(system("first", "error"), system("second"))
    plant.actor("first").begin()
    assert plant.actor("first").start_action.connect_within == 60
    assert status(plant, "first").state is SystemState.STARTING
    assert plant.incarnations("second") == []
    actor = plant.actor("first")
    actor.is_connected = True
    actor.report()
    assert status(plant, "first").state is SystemState.STARTING
    actor.start()
    assert status(plant, "first").state is SystemState.CONNECTED
    assert connects(plant, "first") == 0
    assert plant.incarnations("second") == [1]


@pytest.mark.parametrize("policy", ["retry_connection_errors", "fail"])
def test_what_cannot_be_connected_fails_the_start_of_its_group(policy):
    plant = tree(system("other"), system(startup="error"), on_start_failure=policy)
    plant.actor("other").start()
    plant.actor().fail_start(FailureCode.CONNECTOR_ERROR, REFUSED)
    plant.actor().exit()
    assert plant.actor("other").stopping
    plant.actor("other").exit()
    assert plant.finished == 1
    [finish] = plant.finishes
    text = "the systems could not be started: plc: cannot be connected: no route"
    assert (finish.reason, finish.exit_code) == (text, 70)


def test_a_group_that_tries_again_counts_it_as_a_crash():
    retry = OnStartFailure.RETRY
    plant = tree(system(startup="error", max_restarts=1), system("other"), on_start_failure=retry)
    for _ in range(2):
        plant.actor().fail_start(FailureCode.CONNECTOR_ERROR, REFUSED)
        plant.actor().exit()
        plant.advance(1)
    assert status(plant).state is SystemState.QUARANTINED
    plant.actor("other").start()
    assert status(plant, "other").state is SystemState.CONNECTING


def test_who_adds_what_cannot_be_connected_is_told_so():
    plant = Harness()
    register = RegisterSystem(system(startup="error"))
    plant.tell(register, "owner")
    plant.actor().fail_start(FailureCode.FAILED, Reason("failed", "cannot be connected: no"))
    plant.actor().exit()
    reply = plant.reply(register, "owner")
    assert failed(reply) == ("failed", "not_sent")
    assert reply.text == "plc: cannot be started: cannot be connected: no"


def test_connecting_has_its_own_time_beside_building():
    plant = Harness(connect_timeout=20)
    register = RegisterSystem(system(startup="error", start_timeout=10))
    plant.tell(register, "owner")
    plant.actor().begin()
    plant.advance(29)
    assert status(plant).state is SystemState.STARTING
    assert plant.replies(register, "owner") == []
    plant.advance(2)
    assert "not built within 30 s" in plant.reply(register, "owner").text


def test_once_it_was_up_it_is_tried_again_like_any_other():
    plant = Harness()
    plant.tell(RegisterSystem(system(startup="error")), "owner")
    actor = plant.actor()
    actor.is_connected = True
    actor.report()
    actor.start()
    actor.crash_and_exit()
    assert plant.actor().start_action.connect_within is None
    plant.actor().start()
    refuse(plant.actor())
    plant.advance(100)
    assert connects(plant) > 1


def test_what_loses_its_connection_while_it_starts_is_connected_at_once():
    plant = Harness()
    plant.tell(RegisterSystem(system(startup="error")), "owner")
    actor = plant.actor()
    actor.is_connected = True
    actor.report()
    actor.lose(Reason("lost", "gone"))
    actor.start()
    assert connects(plant) == 1


def test_a_supervisor_that_comes_back_does_not_fail_for_what_cannot_be_connected():
    plant = Harness()
    plant.tell(KeepRecord(), "keeper")
    plant.tell(RegisterSystem(system(startup="error")), "owner")
    plant.actor().is_connected = True
    plant.actor().report()
    plant.actor().start()
    after = Harness(record=kept(plant))
    assert after.actor().start_action.connect_within is None
