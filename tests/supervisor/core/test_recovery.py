"""What must not get lost or out of order when a supervisor is started from its record."""

from __future__ import annotations

import pytest

from actors.messages import ConnectSystem, DisconnectSystem, SystemDisconnected
from supervisor.core.exits import ProcessExit
from supervisor.messages import (
    ChangeSpecs,
    DesiredState,
    EventKind,
    GetChildSpec,
    GetStatus,
    RestartChild,
    StartChild,
    TerminateChild,
    UnregisterSystem,
)
from supervisor.messages.record import KeepRecord
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, kept, spec


@pytest.fixture
def plant() -> Harness:
    plant = Harness()
    plant.tell(KeepRecord(), "keeper")
    return plant


def start(plant: Harness, name: str, group: str | None = None, **options: object) -> None:
    plant.tell(StartChild(spec(name, **options), group))
    plant.actor(name).start()


def stop(plant: Harness, name: str) -> None:
    plant.actor(name).stop()
    plant.actor(name).exit()


def connect(plant: Harness, name: str) -> None:
    plant.tell(ConnectSystem(name))
    plant.actor(name).connect()


def test_a_group_comes_back_with_children_that_could_never_use_up_its_budget(
    plant: Harness,
) -> None:
    line = GroupSpec("line", (spec("a"), spec("b")), give_up="escalate", max_restarts=10)
    plant.tell(StartChild(line))
    plant.actor("a").start()
    plant.actor("b").start()
    plant.tell(UnregisterSystem("b"))
    stop(plant, "b")
    given = plant.ask(GetChildSpec("line")).spec
    assert [child.name for child in given.children] == ["a"]
    after = Harness(record=kept(plant))
    after.actor("a").start()
    assert after.incarnations("a") == [2]


def test_a_terminated_system_that_was_meant_to_be_connected_is_so_once_it_is_restarted(
    plant: Harness,
) -> None:
    start(plant, "plc")
    connect(plant, "plc")
    plant.tell(TerminateChild("plc"))
    stop(plant, "plc")
    after = Harness(record=kept(plant))
    assert after.incarnations("plc") == []
    after.tell(RestartChild("plc"))
    after.actor("plc").start()
    assert [type(each) for each in after.actor("plc").requests] == [ConnectSystem]


def test_a_system_that_has_ended_by_itself_comes_back_with_its_group_and_not_before(
    plant: Harness,
) -> None:
    plant.tell(StartChild(GroupSpec("line", strategy="one_for_all")))
    start(plant, "oven", "line")
    start(plant, "job", "line", restart_type="transient")
    plant.actor("job").exit(ProcessExit.of(0))
    after = Harness(record=kept(plant))
    after.actor("oven").start()
    assert after.incarnations("job") == []
    after.actor("oven").crash_and_exit()
    after.actor("oven").start()
    assert after.incarnations("job") == [2]


def test_the_order_of_children_is_kept_when_the_specs_of_a_group_among_them_change(
    plant: Harness,
) -> None:
    plant.tell(StartChild(GroupSpec("first", (spec("inner"),))))
    plant.actor("inner").start()
    start(plant, "second")
    plant.ask(ChangeSpecs(GroupSpec("first", (spec("new"), spec("inner")))))
    tree = kept(plant).tree()
    assert [child.name for child in tree.children] == ["first", "second"]
    assert [child.name for child in tree.systems] == ["new", "inner", "second"]


@pytest.mark.parametrize("order", [TerminateChild, UnregisterSystem])
def test_what_was_being_terminated_when_the_supervisor_was_killed_stays_down(
    plant: Harness, order: type
) -> None:
    start(plant, "plc", connect=True)
    plant.tell(StartChild(GroupSpec("line", (spec("inner"),))))
    plant.actor("inner").start()
    plant.tell(order("plc"))
    plant.tell(order("line"))
    assert plant.ask(GetStatus("plc")).status.desired is DesiredState.TERMINATED
    after = Harness(record=kept(plant))
    assert after.actors == []


def test_systems_that_did_not_run_were_not_lost_with_their_supervisor(plant: Harness) -> None:
    plant.tell(StartChild(GroupSpec("line", (spec("a"),))))
    plant.actor("a").start()
    start(plant, "b")
    plant.tell(TerminateChild("line"))
    stop(plant, "a")
    after = Harness(record=kept(plant))
    last = len(plant.core._events.kept)
    events = list(after.core._events.kept)[last:]
    assert [each.system_name for each in events if each.kind is EventKind.CRASHED] == ["b"]


def test_a_keeper_that_comes_after_a_time_without_one_is_told_of_every_change(
    plant: Harness,
) -> None:
    start(plant, "plc")
    connect(plant, "plc")
    plant.leave("keeper")
    disconnect = DisconnectSystem("plc")
    plant.tell(disconnect)
    plant.actor("plc").answer(disconnect, SystemDisconnected)
    plant.tell(ConnectSystem("plc"))
    plant.tell(KeepRecord(), "next")
    plant.actor("plc").connect()
    assert kept(plant, "next").states["plc"].desired is DesiredState.CONNECTED
