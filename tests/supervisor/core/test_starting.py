"""Registering systems: built or not, once and under one name."""

import pytest

from actors.messages import Failure, FailureCode, Reason, SendData
from actors.payload import unwrap
from actors.resilience.backoff import BackoffPolicy
from supervisor.core.core import SupervisorCore
from supervisor.core.exits import ProcessExit
from supervisor.messages import (
    EventKind,
    GetAllStatus,
    GetStatus,
    RegisterSystem,
    Subscribe,
    SystemRegistered,
    SystemState,
)
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import BUG, NO_JITTER, Harness, failed, spec


@pytest.fixture
def plant():
    return Harness()


def test_a_registered_system_gets_a_process_that_is_told_what_to_build():
    core = SupervisorCore(SupervisorOptions(), NO_JITTER, lambda: 0.0)
    core.begin(0.0)
    core.request("ann", RegisterSystem(spec(connection_details={"port": 1})), 0.0)
    [start] = core.take_actions()
    assert (start.name, start.incarnation) == ("plc", 1)
    assert (start.definition.system_name, start.definition.kind) == ("plc", "mock")
    assert unwrap(start.definition.connection_details) == {"port": 1}


def test_a_registration_is_answered_when_the_system_is_built(plant):
    request = RegisterSystem(spec())
    plant.tell(request)
    assert plant.replies(request) == []
    plant.actor().start(commands=("calibrate",))
    assert plant.reply(request) == SystemRegistered(
        request_id=request.request_id, system_name="plc", incarnation=1, commands=("calibrate",)
    )


def test_a_second_system_of_the_same_name_is_refused(plant):
    plant.register("plc")
    failure = plant.ask(RegisterSystem(spec("plc")))
    assert failed(failure) == ("already_started", "not_sent")
    assert "plc" in failure.text
    assert plant.incarnations() == [1]


def test_a_second_system_of_the_same_name_is_refused_while_the_first_starts(plant):
    plant.tell(RegisterSystem(spec("plc")))
    assert failed(plant.ask(RegisterSystem(spec("plc"))))[0] == "already_started"


def test_a_system_that_cannot_be_built_leaves_nothing_behind(plant):
    request = RegisterSystem(spec())
    plant.tell(request)
    plant.actor().fail_start(FailureCode.INVALID_REQUEST, Reason("ImportError", "no module x"))
    assert plant.replies(request) == []
    plant.actor().exit()
    failure = plant.reply(request)
    assert failed(failure) == ("invalid_request", "not_sent")
    assert failure.text == "plc: cannot be built: no module x"
    assert plant.ask(GetAllStatus()).systems == ()
    plant.assert_nothing_open()
    assert plant.incarnations() == [1]


def test_a_system_whose_process_dies_while_it_is_built_leaves_nothing_behind(plant):
    request = RegisterSystem(spec())
    plant.tell(request)
    plant.actor().exit(ProcessExit.of(-11))
    failure = plant.reply(request)
    assert failed(failure) == ("system_crashed", "not_sent")
    assert "SIGSEGV" in failure.text
    assert plant.ask(GetAllStatus()).systems == ()
    plant.assert_nothing_open()


def test_what_was_sent_to_a_system_that_could_not_be_built_is_answered(plant):
    plant.tell(RegisterSystem(spec()))
    send = SendData("plc", b"x")
    plant.tell(send)
    plant.actor().exit()
    assert failed(plant.reply(send)) == ("unavailable", "not_sent")
    plant.assert_nothing_open()


def test_a_system_that_takes_too_long_to_be_built_is_killed_and_given_up(plant):
    request = RegisterSystem(spec(start_timeout=10))
    plant.tell(request)
    plant.actor().begin()
    plant.advance(9.99)
    assert not plant.actor().killed
    plant.advance(0.02)
    assert plant.actor().killed
    failure = plant.reply(request)
    assert failed(failure) == ("system_crashed", "not_sent")
    assert "not built within 10 s" in failure.text
    plant.assert_nothing_open()


def test_a_system_that_is_there_from_the_beginning_has_all_of_its_time_to_be_built():
    plant = Harness(tree=GroupSpec("root", (spec(start_timeout=10),)))
    plant.advance(9.99)
    assert not plant.actor().killed
    plant.advance(0.02)
    assert plant.actor().killed


def test_a_system_built_in_time_is_not_killed_later(plant):
    actor = plant.register(start_timeout=10)
    plant.advance(60)
    assert not actor.killed


def test_a_system_whose_counterpart_is_not_there_when_its_group_starts_is_tried_again():
    plant = Harness(tree=GroupSpec("root", (spec(max_restarts=3), spec("other"))))
    plant.actor().fail_start(unreachable=True)
    plant.actor().exit()
    assert plant.incarnations() == [1, 2]
    assert plant.incarnations("other") == [1]
    assert plant.ask(GetStatus("plc")).status.state is SystemState.RESTARTING
    plant.actor().start()
    plant.actor("other").start()
    assert plant.ask(GetStatus("plc")).status.state is SystemState.DISCONNECTED


def test_a_counterpart_that_is_not_there_at_the_start_is_waited_for_without_giving_up():
    reconnect = BackoffPolicy(backoff_min=1, backoff_max=4)
    plant = Harness(tree=GroupSpec("root", (spec(max_restarts=0, reconnect=reconnect),)))
    for attempt, wait in enumerate((0, 1, 2, 4, 4, 4), 1):
        plant.actor().fail_start(unreachable=True)
        plant.actor().exit()
        plant.advance(wait)
        assert plant.incarnations() == list(range(1, attempt + 2))
    plant.actor().start()
    assert plant.ask(GetStatus("plc")).status.state is SystemState.DISCONNECTED
    plant.actor().crash_and_exit()
    assert plant.ask(GetStatus("plc")).status.state is SystemState.QUARANTINED


def test_a_system_of_a_group_that_never_starts_is_quarantined_and_stays():
    tree = GroupSpec("root", (spec(max_restarts=1),), on_start_failure="retry")
    plant = Harness(tree=tree)
    for _ in range(2):
        plant.actor().fail_start()
        plant.actor().exit()
    status = plant.ask(GetStatus("plc")).status
    assert status.state is SystemState.QUARANTINED
    assert status.last_crash == BUG


def test_a_system_that_is_to_be_connected_is_connected_before_anything_else(plant):
    request = RegisterSystem(spec(connect=True))
    send = SendData("plc", b"x")
    plant.tell(request)
    plant.tell(send)
    assert plant.actor().deliveries == []
    plant.actor().start()
    assert [type(each).__name__ for each in plant.actor().requests] == ["ConnectSystem", "SendData"]
    plant.actor().connect()
    assert plant.ask(GetStatus("plc")).status.state is SystemState.CONNECTED
    assert isinstance(plant.reply(request), SystemRegistered)


def test_requests_that_wait_for_the_start_keep_their_order(plant):
    plant.tell(RegisterSystem(spec()))
    sends = [SendData("plc", str(number)) for number in range(5)]
    for send in sends:
        plant.tell(send)
    plant.actor().start()
    assert plant.actor().requests == sends


def test_a_start_that_is_reported_twice_or_too_late_changes_nothing(plant):
    actor = plant.register()
    told = len(plant.told)
    actor.start()
    actor.fail_start()
    assert len(plant.told) == told
    assert not actor.killed
    actor.crash()
    actor.start()
    assert plant.ask(GetStatus("plc")).status.state is SystemState.RESTARTING


def test_the_status_of_a_system_follows_it_from_its_start(plant):
    plant.tell(RegisterSystem(spec()))
    status = plant.ask(GetStatus("plc")).status
    assert (status.state, status.incarnation, status.pid) == (SystemState.STARTING, 1, None)
    plant.advance(1)
    plant.actor().start(commands=("calibrate",))
    plant.advance(2.5)
    status = plant.ask(GetStatus("plc")).status
    assert status.state is SystemState.DISCONNECTED
    assert (status.pid, status.uptime, status.commands) == (1001, 2.5, ("calibrate",))
    assert (status.sent, status.received, status.restarts, status.waiting) == (0, 0, 0, 0)


def test_all_systems_are_listed_in_the_order_of_their_registration(plant):
    for name in ("c", "a", "b"):
        plant.register(name)
    assert [each.name for each in plant.ask(GetAllStatus()).systems] == ["c", "a", "b"]


def test_a_registration_is_announced(plant):
    plant.tell(Subscribe(), "sue")
    plant.register()
    kinds = [event.kind for event in plant.events("sue")]
    assert kinds == [EventKind.REGISTERED, EventKind.STARTING, EventKind.STARTED]


def test_nothing_of_a_failed_registration_hinders_the_next(plant):
    plant.tell(RegisterSystem(spec()))
    plant.actor().exit()
    request = RegisterSystem(spec())
    plant.tell(request)
    plant.actor().start()
    plant.advance(60)
    assert plant.reply(request).incarnation == 1
    assert not plant.actor().killed


def test_unknown_names_get_a_suggestion_when_one_is_close(plant):
    plant.register("boiler")
    near = plant.ask(SendData("biler", b""))
    assert isinstance(near, Failure)
    assert failed(near) == ("unknown_system", "not_sent")
    assert "did you mean 'boiler'?" in near.text
    assert "there are: " in plant.ask(SendData("xyz", b"")).text


def test_unknown_names_like_no_other_get_the_names_that_there_are(plant):
    def told():
        return plant.ask(SendData("xyz", b"")).text

    assert told() == "xyz: no such system; there are: none yet"
    plant.register("a")
    plant.register("b")
    assert told() == "xyz: no such system; there are: 'a', 'b'"


def test_of_many_names_that_there_are_only_eight_are_told(plant):
    for name in "abcdefgh":
        plant.register(name)
    eight = "there are: 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'"
    assert plant.ask(SendData("xyz", b"")).text.endswith(eight)
    plant.register("i")
    assert plant.ask(SendData("xyz", b"")).text.endswith(f"{eight}, ...")


def test_a_system_is_started_once_whatever_it_says(plant):
    plant.tell(Subscribe(), "sue")
    actor = plant.register("plc")
    actor.start(commands=("late",))
    assert [event.kind for event in plant.events("sue")].count(EventKind.STARTED) == 1
    assert plant.ask(GetStatus("plc")).status.commands == ()


def test_a_system_that_crashed_before_it_said_that_it_is_built_is_not_started(plant):
    plant.tell(RegisterSystem(spec("plc")))
    plant.actor().crash()
    plant.actor().start()
    assert plant.ask(GetStatus("plc")).status.state is not SystemState.DISCONNECTED
