"""What outlives a supervisor: its keepers are told of every change, and a supervisor that is
started from their record brings back everything as it was meant to be."""

import pytest

from actors.messages import ConnectSystem, DisconnectSystem
from supervisor.core.exits import ProcessExit
from supervisor.messages import (
    ChangeSpecs,
    DeleteChild,
    DesiredState,
    DisconnectAll,
    EventKind,
    GetStatus,
    GetTree,
    RegisterSystem,
    RestartChild,
    RestartSystem,
    StartChild,
    StopSupervisor,
    Subscribe,
    SystemState,
    TerminateChild,
    UnregisterSystem,
)
from supervisor.messages.record import KeepRecord
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, failed, kept, spec


@pytest.fixture
def plant():
    return Harness()


def keep(plant):
    plant.tell(KeepRecord(), "keeper")


def start_all(plant):
    """Build whatever waits to be built."""
    for _ in range(10):
        for actor in [a for a in plant.actors if not a.forgotten]:
            if plant.core._context.children[actor.name].node.status.name == "STARTING":
                actor.start()


def states(plant):
    return {child.name: child.state for child in plant.core._context.children.values()}


def connect(plant, name):
    plant.tell(ConnectSystem(name))
    plant.actor(name).connect()


def test_a_record_that_is_kept_up_is_the_record_given_anew(plant):
    keep(plant)
    plant.register("one")
    plant.tell(StartChild(GroupSpec("line", (spec("two"), spec("three")))))
    start_all(plant)
    connect(plant, "two")
    plant.tell(TerminateChild("three"))
    plant.actor("three").exit()
    plant.actor("one").crash_and_exit()
    start_all(plant)
    plant.register("gone")
    plant.tell(UnregisterSystem("gone"))
    plant.actor("gone").exit()
    keep_too = KeepRecord()
    plant.tell(keep_too, "other")
    given = plant.reply(keep_too, "other").record
    told = kept(plant)
    assert told.tree() == given.tree()
    assert (told.states, told.crashes) == (given.states, given.crashes)
    assert told.events == given.events


def test_systems_come_back_as_they_were_meant_to_be(plant):
    keep(plant)
    for name in ("connected", "disconnected", "terminated"):
        plant.register(name)
    connect(plant, "connected")
    connect(plant, "disconnected")
    plant.tell(DisconnectSystem("disconnected"))
    plant.tell(TerminateChild("terminated"))
    plant.actor("terminated").exit()
    bad = plant.quarantine("bad")
    after = Harness(record=kept(plant))
    start_all(after)
    assert after.actor("connected").incarnation == 2
    assert after.actor("connected").requests[0].__class__ is ConnectSystem
    after.actor("connected").connect()
    assert states(after) == {
        "connected": SystemState.CONNECTED,
        "disconnected": SystemState.DISCONNECTED,
        "terminated": SystemState.TERMINATED,
        "bad": SystemState.QUARANTINED,
    }
    status = after.ask(GetStatus("bad")).status
    assert status.incarnation == bad.incarnation
    assert [report.reason for report in status.crashes] == [status.last_crash]
    assert after.ask(GetStatus("terminated")).status.desired is DesiredState.TERMINATED


def test_a_quarantined_system_that_came_back_is_brought_back_by_hand(plant):
    keep(plant)
    plant.quarantine("bad")
    after = Harness(record=kept(plant))
    after.tell(RestartSystem("bad"))
    after.actor("bad").start()
    assert states(after)["bad"] is SystemState.DISCONNECTED


def test_groups_and_what_was_added_to_them_come_back_in_order(plant):
    keep(plant)
    plant.tell(StartChild(GroupSpec("line", (spec("a"), spec("b")), strategy="rest_for_one")))
    start_all(plant)
    plant.tell(StartChild(spec("c"), "line"))
    start_all(plant)
    plant.tell(TerminateChild("b"))
    plant.actor("b").exit()
    plant.tell(DeleteChild("b"))
    after = Harness(record=kept(plant))
    start_all(after)
    root = after.ask(GetTree()).root
    [line] = root.children
    assert (line.name, line.strategy, line.state) == ("line", "rest_for_one", SystemState.UP)
    assert [child.name for child in line.children] == ["a", "c"]
    assert (root.incarnation, line.incarnation) == (2, 2)


def test_a_system_that_does_not_start_after_recovery_takes_no_other_down(plant):
    keep(plant)
    plant.register("one")
    plant.register("two")
    after = Harness(record=kept(plant))
    after.actor("one").fail_start()
    after.actor("one").exit()
    after.actor("two").start()
    assert states(after)["two"] is SystemState.DISCONNECTED
    assert after.finished == 0


def test_events_are_counted_on_and_those_before_are_still_to_be_had(plant):
    keep(plant)
    plant.register("one")
    record = kept(plant)
    last = record.events[-1].sequence
    after = Harness(record=record)
    start_all(after)
    seen = after.ask(Subscribe(since=0), "sue")
    assert seen.next_sequence == 1
    events = after.events("sue")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events if event.sequence > last][:1] == [EventKind.CRASHED]
    assert events[last].reason.text == "its supervisor was killed, and it with it"


def test_events_that_are_not_kept_any_more_are_said_to_be_lost(plant):
    plant.register("one", max_restarts=600, backoff_min=0.001, backoff_max=0.001, period=60)
    for _ in range(260):
        plant.actor("one").crash_and_exit()
        plant.advance(0.01)
        plant.actor("one").start()
    assert failed(plant.ask(Subscribe(since=0), "sue")) == ("events_lost", "not_sent")
    assert failed(plant.ask(Subscribe(since=10**9), "sue")) == ("events_lost", "not_sent")
    assert plant.events("sue") == []


def test_a_subscriber_that_was_away_gets_what_it_missed_and_then_the_rest(plant):
    first = plant.ask(Subscribe(), "sue").next_sequence
    plant.register("one")
    had = plant.events("sue")[-1].sequence
    plant.leave("sue")
    plant.actor("one").crash_and_exit()
    plant.ask(Subscribe(since=had), "sue again")
    plant.actor("one").start()
    numbers = [event.sequence for event in plant.events("sue") + plant.events("sue again")]
    assert numbers == list(range(first, first + len(numbers)))
    assert plant.events("sue again")[0].kind is EventKind.CRASHED


def test_a_keeper_that_left_is_told_nothing_more(plant):
    keep(plant)
    plant.leave("keeper")
    before = len(plant.told)
    plant.register("one")
    assert all(client != "keeper" for client, _ in plant.told[before:])


def test_a_supervisor_that_is_stopped_on_purpose_says_no_reason(plant):
    plant.register("one")
    plant.tell(StopSupervisor())
    plant.actor("one").exit()
    assert plant.finished == 1


def test_a_group_that_starts_again_starts_who_had_ended_and_not_who_was_terminated(plant):
    keep(plant)
    members = [spec(name, restart_type="transient") for name in ("ended", "terminated", "up")]
    plant.tell(StartChild(GroupSpec("line", members)))
    start_all(plant)
    plant.actor("ended").exit(ProcessExit.of(0))
    plant.tell(TerminateChild("terminated"))
    plant.actor("terminated").exit()
    after = Harness(record=kept(plant))
    start_all(after)
    assert members_up(after) == ["up"]
    after.tell(RestartSystem("line"))
    after.actor("up").exit()
    start_all(after)
    assert members_up(after) == ["ended", "up"]


def members_up(plant):
    up = SystemState.DISCONNECTED
    return [name for name, state in states(plant).items() if state is up]


def test_a_recovered_supervisor_tells_what_happens_from_then_on(plant):
    keep(plant)
    plant.register("one")
    after = Harness(record=kept(plant))
    after.tell(Subscribe(), "sue")
    start_all(after)
    kinds = [event.kind for event in after.events("sue") if event.system_name == "one"]
    assert kinds == [EventKind.STARTED]


def test_how_a_child_fared_that_is_not_there_any_more_is_nobodys_state(plant):
    keep(plant)
    plant.register("one")
    record = kept(plant)
    record.states["gone"] = record.states["one"]
    after = Harness(record=record)
    assert list(states(after)) == ["one"]


def test_a_child_of_the_same_name_is_kept_anew(plant):
    keep(plant)
    for _ in range(2):
        plant.register("one")
        plant.tell(UnregisterSystem("one"))
        plant.actor("one").exit()
    plant.tell(RegisterSystem(spec("one")))
    assert kept(plant).states["one"].incarnation == 1


def test_an_order_to_connect_what_cannot_be_reached_is_kept(plant):
    keep(plant)
    actor = plant.register("one")
    for keep_trying in (False, True):
        order = ConnectSystem("one", keep_trying=keep_trying)
        plant.tell(order)
        actor.answer(order, order.failure("connector_error", "no route to host"))
        assert kept(plant).states["one"].wanted is keep_trying


def test_an_order_to_disconnect_all_is_kept(plant):
    keep(plant)
    plant.register("one", connect=True)
    assert kept(plant).states["one"].wanted
    plant.tell(DisconnectAll())
    assert not kept(plant).states["one"].wanted


def test_a_keeper_is_not_told_again_what_it_was_given(plant):
    plant.tell(KeepRecord(), "first")
    plant.post(RegisterSystem(spec("one")), "owner")
    plant.post(KeepRecord(), "keeper")
    plant.carry_out()
    numbers = [event.sequence for event in kept(plant).events]
    assert numbers == sorted(set(numbers))


def test_nothing_is_kept_of_a_child_that_is_gone(plant):
    keep(plant)
    plant.quarantine("one")
    plant.post(DisconnectSystem("one"))
    plant.tell(UnregisterSystem("one"))
    record = kept(plant)
    assert "one" not in {*record.children, *record.states, *record.crashes}


def test_a_child_that_was_terminated_after_a_crash_is_in_no_quarantine(plant):
    keep(plant)
    plant.register("one", backoff_min=2, backoff_max=2).crash_and_exit()
    plant.actor("one").start()
    plant.actor("one").crash_and_exit()
    plant.tell(TerminateChild("one"))
    assert states(Harness(record=kept(plant))) == {"one": SystemState.TERMINATED}


def test_a_change_of_the_whole_tree_is_kept(plant):
    keep(plant)
    plant.register("one")
    plant.tell(ChangeSpecs(GroupSpec("root", (spec("one"),), strategy="one_for_all")))
    assert kept(plant).tree().strategy == "one_for_all"


def test_keepers_are_told_when_the_whole_tree_is_up():
    plant = Harness(tree=GroupSpec("root", [GroupSpec("line", [spec("a")]), spec("b")]))
    keep(plant)
    assert not plant.told[-1][1].is_up
    plant.actor("a").start()
    assert not plant.told[-1][1].is_up
    plant.actor("b").start()
    assert plant.told[-1][1].is_up
    plant.tell(KeepRecord(), "another")
    assert plant.told[-1][1].is_up


def test_a_group_that_was_set_aside_stays_so_under_the_next_supervisor():
    frail = spec("frail", max_restarts=0)
    line = GroupSpec("line", [frail, spec("other")], strategy="one_for_all")
    plant = Harness(tree=GroupSpec("root", [line, spec("apart")]))
    keep(plant)
    start_all(plant)
    plant.actor("frail").crash_and_exit()
    plant.actor("other").exit()
    assert states(plant) == {
        "frail": SystemState.QUARANTINED,
        "other": SystemState.QUARANTINED,
        "apart": SystemState.DISCONNECTED,
    }
    successor = Harness(record=kept(plant))
    start_all(successor)
    assert states(successor) == states(plant)
    successor.tell(RestartChild("line"))
    start_all(successor)
    assert set(states(successor).values()) == {SystemState.DISCONNECTED}
