"""Orders about children, and what is answered to who asks for them."""

import pytest

from actors.messages import ConnectSystem, SendData, SystemConnected
from supervisor.core.exits import ProcessExit
from supervisor.messages import (
    ChangeSpecs,
    ChildDeleted,
    ChildInfo,
    ChildrenCounted,
    ChildStarted,
    ChildTerminated,
    ChildType,
    ConnectAll,
    CountChildren,
    DeleteChild,
    DesiredState,
    GetChildSpec,
    GetStatus,
    GetTree,
    Ping,
    Pong,
    RestartChild,
    RestartSystem,
    StartChild,
    StopSupervisor,
    SystemState,
    TerminateChild,
    WhichChildren,
)
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, failed, spec


@pytest.fixture
def plant():
    return Harness()


def add_line(plant):
    plant.tell(StartChild(GroupSpec("line", (spec("a"), spec("b")))))
    plant.actor("a").start()
    plant.actor("b").start()


def terminate(plant, name):
    plant.tell(TerminateChild(name))
    plant.actor(name).stop()
    plant.actor(name).exit()


def test_a_child_is_started_terminated_restarted_and_deleted(plant):
    start = StartChild(spec("a"))
    plant.tell(start)
    plant.actor("a").start()
    started = ChildStarted(request_id=start.request_id, name="a", incarnation=1)
    assert plant.reply(start) == started
    end = TerminateChild("a")
    plant.tell(end)
    plant.actor("a").exit()
    assert plant.reply(end) == ChildTerminated(request_id=end.request_id, name="a")
    again = RestartChild("a")
    plant.tell(again)
    plant.actor("a").start()
    assert plant.reply(again).incarnation == 2
    terminate(plant, "a")
    delete = DeleteChild("a")
    assert plant.ask(delete) == ChildDeleted(request_id=delete.request_id, name="a")
    assert failed(plant.ask(DeleteChild("a"))) == ("not_found", "not_sent")


def test_a_spec_is_given_with_the_group_that_it_is_in(plant):
    add_line(plant)
    plant.register("plc")
    assert (plant.ask(GetChildSpec("plc")).group, plant.ask(GetChildSpec("a")).group) == (
        *("root", "line"),
    )
    line = plant.ask(GetChildSpec("line"))
    assert (line.group, [each.name for each in line.spec.children]) == ("root", ["a", "b"])
    assert plant.ask(GetChildSpec("root")).group is None


def test_children_are_counted_by_what_they_are_and_whether_they_run(plant):
    add_line(plant)
    plant.register("one")
    plant.register("two")
    terminate(plant, "one")
    request = CountChildren()
    assert plant.ask(request) == ChildrenCounted(
        request_id=request.request_id, specs=3, active=2, supervisors=1, workers=2
    )
    assert plant.ask(CountChildren("line")).workers == 2
    plant.tell(TerminateChild("two"))
    assert plant.ask(CountChildren()).active == 2  # it is not down yet


def test_children_are_told_in_their_order(plant):
    add_line(plant)
    plant.register("plc")
    terminate(plant, "plc")
    assert plant.ask(WhichChildren()).children == (
        ChildInfo(name="line", type=ChildType.SUPERVISOR, state=SystemState.UP, pid=None),
        ChildInfo(name="plc", type=ChildType.WORKER, state=SystemState.TERMINATED, pid=None),
    )
    assert [each.pid for each in plant.ask(WhichChildren("line")).children] == [1001, 1001]


def test_the_tree_tells_of_each_child_how_it_fares(plant):
    add_line(plant)
    plant.advance(5)
    plant.quarantine("plc", connect=True)
    plant.advance(1)
    root = plant.ask(GetTree()).root
    line, plc = root.children
    a = line.children[0]
    assert (root.name, root.state, root.strategy, root.kind) == ("root", "up", "one_for_one", None)
    assert (line.strategy, line.kind, line.uptime, line.cause) == ("one_for_one", None, 6.0, None)
    assert (a.strategy, a.kind, a.uptime, a.pid) == (None, "mock", 6.0, 1001)
    assert (a.state, a.restarts) == (SystemState.DISCONNECTED, 0)
    assert (plc.state, plc.uptime, plc.pid) == (SystemState.QUARANTINED, 0.0, None)
    assert plc.cause == "ZeroDivisionError: division by zero"


def test_a_status_counts_no_time_that_a_system_does_not_run(plant):
    actor = plant.register(connect=True)
    actor.answer(actor.requests[0], SystemConnected)
    plant.advance(5)
    assert plant.ask(GetStatus("plc")).status.uptime == 5.0
    actor.crash()
    assert plant.ask(GetStatus("plc")).status.uptime == 0.0


def test_who_asks_a_system_that_does_not_run_is_told_why_and_what_to_do(plant):
    def told(name):
        return plant.ask(SendData(name, b"")).text

    plant.register("terminated")
    terminate(plant, "terminated")
    text = "the system was terminated; restart it if it is needed"
    assert told("terminated") == f"terminated: {text}"
    plant.register("ended", restart_type="transient")
    plant.actor("ended").exit(ProcessExit.of(0))
    text = "the system has ended by itself; restart it if it is needed"
    assert told("ended") == f"ended: {text}"
    add_line(plant)
    plant.tell(TerminateChild("b"))
    assert told("b") == "b: the system is being stopped"
    plant.actor("b").exit()
    plant.tell(TerminateChild("line"))
    plant.actor("a").exit()
    assert told("a") == "a: its group does not run"
    plant.quarantine("plc")
    assert told("plc").startswith("plc: quarantined after repeated crashes (ZeroDivisionError: ")
    plant.register("slow", backoff_min=2, backoff_max=2).crash_and_exit()
    plant.actor("slow").start()
    plant.actor("slow").crash_and_exit()
    assert told("slow").startswith("slow: restarting after a crash; try again in ")


def test_a_ping_is_answered(plant):
    ping = Ping()
    assert plant.ask(ping) == Pong(request_id=ping.request_id)


def test_an_order_has_the_time_that_its_system_may_take_and_that_of_any_request():
    plant = Harness(request_timeout=1)
    plant.register("plc", shutdown=3, start_timeout=4)
    request = RestartSystem("plc")
    plant.tell(request)
    plant.advance(7.9)
    assert plant.replies(request) == []
    plant.advance(0.2)
    assert failed(plant.reply(request)) == ("timeout", "unknown")


def test_who_terminates_a_system_waits_for_as_long_as_it_may_take_to_stop():
    plant = Harness(request_timeout=1)
    plant.register("plc", shutdown=3)
    request = TerminateChild("plc")
    plant.tell(request)
    plant.advance(2.9)
    assert plant.replies(request) == []
    plant.actor().exit()
    assert isinstance(plant.reply(request), ChildTerminated)


def test_a_stop_has_the_time_that_all_systems_may_take_and_that_of_any_request():
    plant = Harness(request_timeout=1)
    plant.register("a", shutdown=3)
    plant.register("b", shutdown=4)
    request = StopSupervisor()
    plant.tell(request)
    plant.advance(7.9)
    assert plant.replies(request) == []
    plant.advance(0.2)
    assert failed(plant.reply(request)) == ("timeout", "unknown")


def test_a_group_that_cannot_be_started_is_said_to_be_so(plant):
    request = StartChild(GroupSpec("line", (spec("a"),), on_start_failure="fail"))
    plant.tell(request)
    plant.actor("a").fail_start()
    plant.actor("a").exit()
    assert failed(plant.reply(request)) == ("connector_error", "not_sent")
    assert failed(plant.ask(TerminateChild("line"))) == ("not_found", "not_sent")


def test_a_system_is_meant_to_be_what_was_last_asked_of_it(plant):
    plant.register("plc")
    assert plant.ask(GetStatus("plc")).status.desired is DesiredState.DISCONNECTED
    plant.tell(ConnectSystem("plc"))
    plant.actor().connect()
    assert plant.ask(GetStatus("plc")).status.desired is DesiredState.CONNECTED


def test_what_was_terminated_is_not_meant_by_an_order_to_all(plant):
    plant.register("a")
    plant.register("b")
    terminate(plant, "b")
    request = ConnectAll()
    plant.tell(request)
    plant.actor("a").connect()
    assert plant.reply(request).results == {"a": True}


# ---- connect, changed ----------------------------------------------------------------------


def change(plant, **options):
    plant.tell(ChangeSpecs(GroupSpec("root", [spec("plc", **options)])))


def test_a_system_that_a_change_wants_connected_is_connected(plant):
    actor = plant.register()
    assert actor.requests == []
    change(plant, connect=True)
    plant.advance(0.0)
    [request] = actor.requests
    assert isinstance(request, ConnectSystem)
    actor.connect()
    status = plant.ask(GetStatus("plc"), "stat").status
    assert (status.desired, status.is_connected) == ("connected", True)


def test_a_system_that_a_change_does_not_want_connected_keeps_its_connection_and_gets_no_other(
    plant,
):
    actor = plant.register(connect=True)
    actor.connect()
    change(plant, connect=False)
    status = plant.ask(GetStatus("plc"), "stat").status
    assert (status.desired, status.is_connected) == ("disconnected", True)
    actor.crash_and_exit()
    plant.actor().start()
    plant.advance(60.0)
    assert plant.actor().requests == []


def test_a_change_that_says_nothing_new_of_the_connection_changes_nothing_of_it(plant):
    actor = plant.register()
    plant.tell(ConnectSystem("plc"))
    actor.connect()
    change(plant, shutdown=3.0)
    status = plant.ask(GetStatus("plc"), "stat").status
    assert (status.desired, status.is_connected) == ("connected", True)
