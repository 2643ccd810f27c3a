"""What outsiders see and are answered while several systems are restarted together."""

from __future__ import annotations

import pytest

from actors.messages import NORMAL_EXIT, ConnectSystem, FailureCode, Reason, SendData
from supervisor.core.exits import ProcessExit
from supervisor.messages import (
    EventKind,
    GetStatus,
    GetTree,
    LifecycleEvent,
    RestartChild,
    StartChild,
    Subscribe,
    SystemState,
)
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import BUG, Harness, failed, spec

SLOW = {"max_restarts": 9, "period": 100.0, "backoff_min": 1.0, "backoff_max": 1.0}


@pytest.fixture
def plant() -> Harness:
    """A crashed for the second time, and is restarted after a second; b and c wait for it."""
    children = [spec(name, **SLOW) for name in "abc"]
    plant = Harness(tree=GroupSpec("root", children, strategy="rest_for_one"))
    for name in "abc":
        plant.actor(name).start()
    plant.actor("a").crash_and_exit()
    for name in "cb":
        plant.actor(name).exit()
    for name in "abc":
        plant.actor(name).start()
    return plant


def crash(plant: Harness) -> None:
    plant.actor("a").crash_and_exit()


def crash_and_stop(plant: Harness) -> None:
    crash(plant)
    for name in "cb":
        plant.actor(name).exit()


def state(plant: Harness, name: str) -> str:
    return str(plant.ask(GetStatus(name), "stat").status.state)


def states(plant: Harness) -> str:
    return " ".join(state(plant, name) for name in "abc")


# ---- states --------------------------------------------------------------------------------


def test_who_is_stopped_for_the_sake_of_another_waits(plant: Harness) -> None:
    crash(plant)
    assert states(plant) == "restarting disconnected stopping"
    plant.actor("c").exit()
    plant.actor("b").exit()
    assert states(plant) == "restarting waiting waiting"
    plant.advance(1.0)
    assert states(plant) == "restarting waiting waiting"
    plant.actor("a").start()
    assert states(plant) == "disconnected restarting waiting"


def test_the_systems_of_a_group_that_is_restarted_later_wait_as_well() -> None:
    inner = GroupSpec("inner", [spec("a"), spec("b")], restart=spec(**SLOW).restart)
    plant = Harness(tree=GroupSpec("root", [spec("z", **SLOW), inner], strategy="rest_for_one"))
    for _ in range(2):
        for name in "zab":
            plant.actor(name).start()
        plant.actor("z").crash_and_exit()
        for name in "ba":
            plant.actor(name).exit()
    tree = plant.ask(GetTree()).root
    z, group = tree.children
    assert [z.state, group.state] == [SystemState.RESTARTING, SystemState.WAITING]
    assert {each.state for each in group.children} == {SystemState.WAITING}
    failure = plant.ask(SendData("b", 1))
    assert failed(failure) == ("unavailable", "not_sent")
    assert "waiting for z, which is restarting after a crash" in failure.text


# ---- requests ------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [crash, crash_and_stop])
def test_who_waits_for_another_refuses_at_once_as_that_one_does(plant: Harness, when) -> None:
    when(plant)
    stopped = "abc" if when is crash_and_stop else "ac"  # b runs until its turn to be stopped
    for name in stopped:
        failure = plant.ask(SendData(name, 1))
        assert failed(failure) == ("unavailable", "not_sent")
        assert "restarting after a crash; try again in " in failure.text
    assert "waiting for a" in failure.text


def test_what_is_to_be_sent_to_one_that_will_wait_is_answered_at_once(plant: Harness) -> None:
    sends = [SendData("b", number) for number in range(9)]
    for send in sends:
        plant.tell(send)
    crash_and_stop(plant)
    assert {failed(plant.reply(send)) for send in sends} == {
        ("unavailable", "unknown"),
        ("unavailable", "not_sent"),
    }


def test_an_order_to_connect_waits_for_the_system(plant: Harness) -> None:
    crash_and_stop(plant)
    order = ConnectSystem("b")
    plant.tell(order)
    assert plant.replies(order) == []
    plant.advance(1.0)
    plant.actor("a").start()
    plant.actor("b").start()
    plant.actor("b").connect()
    assert plant.reply(order).system_name == "b"


def test_who_is_restarted_at_once_keeps_what_is_to_be_sent() -> None:
    plant = Harness(tree=GroupSpec("root", [spec("a"), spec("b")], strategy="one_for_all"))
    for name in "ab":
        plant.actor(name).start()
    plant.actor("a").crash_and_exit()
    plant.actor("b").exit()
    send = SendData("b", 1)
    plant.tell(send)
    assert plant.replies(send) == []
    plant.actor("a").start()
    plant.actor("b").start()
    assert plant.actor("b").requests == [send]


# ---- what a group says ---------------------------------------------------------------------


def test_a_group_that_cannot_be_started_names_the_child_and_its_cause_at_each_level() -> None:
    plant = Harness()
    line = GroupSpec("line", [GroupSpec("robots", [spec("robot")])])
    request = StartChild(line)
    plant.tell(request)
    reason = Reason("ActorSetupError", "no module x")
    plant.actor("robot").fail_start(FailureCode.INVALID_REQUEST, reason)
    plant.actor("robot").exit()
    failure = plant.reply(request)
    assert failed(failure) == ("invalid_request", "not_sent")
    assert failure.text == "line: cannot be started: robots: robot: no module x"


def test_a_supervisor_that_cannot_start_names_the_system() -> None:
    plant = Harness(tree=GroupSpec("root", [GroupSpec("line", [spec("plc")])]))
    plant.actor("plc").fail_start()
    plant.actor("plc").exit()
    ended = plant.core._lifecycle.ended
    assert ended is not None
    assert ended.why == f"the systems could not be started: line: plc: {BUG.text}"


def test_a_supervisor_that_gives_up_names_the_system() -> None:
    line = GroupSpec("line", [spec("plc")], give_up="escalate", max_restarts=0)
    root = GroupSpec("root", [line], give_up="escalate", max_restarts=0)
    plant = Harness(tree=root)
    plant.actor("plc").start()
    plant.actor("plc").crash_and_exit()
    ended = plant.core._lifecycle.ended
    assert ended is not None
    assert ended.why is not None
    assert ended.why.endswith(f"the last cause: line: plc: {BUG.text}")


def test_a_group_that_is_set_aside_as_one_says_why_and_so_do_its_systems() -> None:
    frail = spec("frail", max_restarts=0)
    line = GroupSpec("line", [frail, spec("other")], strategy="one_for_all")
    plant = Harness(tree=GroupSpec("root", [line, spec("apart")]))
    for name in ("frail", "other", "apart"):
        plant.actor(name).start()
    plant.actor("frail").crash_and_exit()
    assert state(plant, "apart") == "disconnected"
    plant.actor("other").exit()
    assert [state(plant, name) for name in ("frail", "other")] == ["quarantined"] * 2
    failure = plant.ask(SendData("other", 1))
    assert failed(failure) == ("unavailable", "not_sent")
    assert failure.text == (
        f"other: its group line is quarantined (frail: {BUG.text}); mend the cause, restart it"
    )
    assert any(
        log.text == "line: quarantined as a whole, as it cannot do without one of its children: "
        f"frail: {BUG.text}; mend the cause, then restart line"
        for log in plant.logs
    )
    plant.tell(RestartChild("line"))
    for name in ("frail", "other"):
        plant.actor(name).start()
    assert [state(plant, name) for name in ("frail", "other")] == ["disconnected"] * 2


# ---- ignore --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["system_exit", "exit_0"])
def test_a_constructor_that_ends_in_order_is_no_crash_and_the_others_start(how: str) -> None:
    plant = Harness(tree=GroupSpec("root", [spec("a"), spec("b")]))
    plant.tell(Subscribe())
    if how == "system_exit":
        plant.actor("a").fail_start(reason=Reason(NORMAL_EXIT, "it ended itself (SystemExit)"))
        plant.actor("a").exit()
    else:
        plant.actor("a").exit(ProcessExit.of(0))
    plant.actor("b").start()
    status = plant.ask(GetStatus("a"), "stat").status
    assert (status.state, status.desired, status.crashes) == ("terminated", "terminated", ())
    assert state(plant, "b") == "disconnected"
    events = [e for e in plant.events() if isinstance(e, LifecycleEvent) and e.system_name == "a"]
    assert [each.kind for each in events] == [EventKind.STOPPED]
    assert not any("crashed" in log.text for log in plant.logs)


def test_who_starts_one_that_ignores_it_is_told_that_it_went_well() -> None:
    plant = Harness()
    request = StartChild(spec("a"))
    plant.tell(request)
    plant.actor("a").exit(ProcessExit.of(0))
    assert plant.reply(request).name == "a"
    assert state(plant, "a") == "terminated"


def test_who_waits_for_the_turn_of_his_child_is_not_told_that_it_takes_too_long() -> None:
    slow = [spec("a", start_timeout=1000.0), spec("b", start_timeout=1000.0)]
    plant = Harness(tree=GroupSpec("root", slow, strategy="rest_for_one"), request_timeout=1.0)
    request = StartChild(spec("new"))
    plant.tell(request)
    for name in "ab":
        plant.advance(900.0)
        plant.actor(name).start()
    assert plant.replies(request) == []
    plant.actor("new").start()
    assert plant.reply(request).name == "new"
