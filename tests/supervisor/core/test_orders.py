"""Whoever gives an order, or waits for a system, is answered: when it is done, or cannot be."""

from __future__ import annotations

import pytest

from actors.messages import (
    ConnectSystem,
    Failure,
    Forget,
    HeartbeatAnswered,
    ReceiveData,
    Thread,
)
from supervisor.messages import (
    CancelRequest,
    GetStatus,
    GetTree,
    RestartSystem,
    StartChild,
    StopSupervisor,
    Subscribe,
    SystemState,
    TerminateChild,
    UnregisterSystem,
)
from supervisor.specs.spec import GroupSpec
from supervisor.tree.by_hand import ByHand
from tests.helpers.harness import Harness, failed, spec


@pytest.fixture
def plant() -> Harness:
    return Harness()


def add_line(plant: Harness, **options: object) -> None:
    plant.tell(StartChild(GroupSpec("line", (spec("a"), spec("b")), **options)))
    plant.actor("a").start()
    plant.actor("b").start()


def stop(plant: Harness, name: str) -> None:
    plant.actor(name).stop()
    plant.actor(name).exit()


@pytest.mark.parametrize("kind", [TerminateChild, UnregisterSystem])
def test_a_group_that_is_terminated_while_it_gives_up_does_not_come_back(
    plant: Harness, kind: type
) -> None:
    add_line(plant, give_up="escalate", max_restarts=0)
    plant.actor("b").crash_and_exit()
    assert plant.actor("a").stopping
    order = kind("line")
    plant.tell(order)
    stop(plant, "a")
    assert not isinstance(plant.reply(order), Failure)
    assert plant.incarnations("a") == [1]
    plant.assert_nothing_open()


def test_what_waits_for_a_system_is_answered_when_its_group_is_terminated_before_its_restart(
    plant: Harness,
) -> None:
    add_line(plant, strategy="one_for_all")
    plant.actor("a").crash_and_exit()
    stop(plant, "b")
    plant.actor("a").start()
    plant.actor("b").start()
    plant.actor("a").crash_and_exit()  # a second time: there is a delay
    stop(plant, "b")
    connect = ConnectSystem("b")
    plant.tell(connect)
    assert plant.replies(connect) == []
    plant.tell(TerminateChild("line"))
    assert failed(plant.reply(connect)) == ("unavailable", "not_sent")


def test_what_waits_for_a_system_is_answered_when_its_restarting_group_is_terminated(
    plant: Harness,
) -> None:
    add_line(plant, give_up="escalate", max_restarts=0)
    plant.actor("b").crash_and_exit()
    stop(plant, "a")
    plant.actor("a").start()
    plant.actor("b").start()
    plant.actor("b").crash_and_exit()
    stop(plant, "a")
    [line] = plant.ask(GetTree()).root.children
    assert line.state is SystemState.RESTARTING
    connect = ConnectSystem("a")
    plant.tell(connect)
    assert plant.replies(connect) == []
    plant.tell(TerminateChild("line"))
    assert failed(plant.reply(connect)) == ("unavailable", "not_sent")


def test_an_order_that_the_supervisor_fails_over_is_not_answered_a_second_time(
    plant: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ByHand, "start_child", fail)
    order = StartChild(spec("plc"))
    with pytest.raises(ZeroDivisionError):
        plant.tell(order)  # whoever calls the core answers that
    plant.advance(3600)
    assert plant.replies(order) == []


def test_a_system_that_says_nothing_is_not_told_without_end_what_nobody_waits_for(
    plant: Harness,
) -> None:
    actor = plant.register("plc")
    requests = [ReceiveData("plc", 60.0) for _ in range(900)]
    for request in requests:
        plant.post(request)
    plant.carry_out()
    for request in requests:
        plant.tell(CancelRequest((request.request_id,)))
    assert len(actor.told_of(Forget)) <= 16
    actor.report()
    told = actor.told_of(Forget)
    assert len(told) <= 17
    refs = [ref for each in told for ref in each.refs]
    assert sorted(refs) == sorted(actor.ref_of(request) for request in requests)


def test_any_word_of_a_system_shows_that_it_can_be_told_more(plant: Harness) -> None:
    actor = plant.register("plc")
    requests = [ReceiveData("plc", 60.0) for _ in range(50)]
    for request in requests:
        plant.post(request)
    plant.carry_out()
    for request in requests:
        plant.tell(CancelRequest((request.request_id,)))
    assert len(actor.told_of(Forget)) == 16
    actor.say(HeartbeatAnswered("plc", 1, Thread.LOOP, 1))
    assert len([ref for each in actor.told_of(Forget) for ref in each.refs]) == 50


@pytest.mark.parametrize("ends", ["answered", "cancelled", "left"])
def test_nothing_is_kept_of_an_order_that_nobody_waits_for(plant: Harness, ends: str) -> None:
    plant.register("plc")
    order = RestartSystem("plc", timeout=1e9)
    plant.tell(order)
    if ends == "cancelled":
        plant.tell(CancelRequest((order.request_id,)))
    elif ends == "left":
        plant.leave()
    stop(plant, "plc")
    plant.actor("plc").start()
    assert len(plant.replies(order)) == (1 if ends == "answered" else 0)
    plant.advance(3600)
    heap = plant.core._context.timers._heap
    assert [timer for _, _, timer in heap if timer.call is not None] == []


def test_a_refusal_names_what_it_is_about_once_and_says_what_is_the_matter(plant: Harness) -> None:
    add_line(plant)
    assert plant.ask(GetStatus("line")).text == "line: it is a group, and no system"
    plant.tell(TerminateChild("line"), "bob")
    assert plant.ask(RestartSystem("line")).text == "line: it is being stopped"
    lost = plant.ask(Subscribe(since=1_000_000)).text
    assert "the 1000000 was another supervisor's" in lost
    plant.register("alone")
    plant.tell(StopSupervisor(), "bob")
    assert plant.ask(RestartSystem("alone")).text == "alone: the supervisor is stopping"


def test_an_order_that_takes_too_long_goes_on_and_says_for_how_long_it_was_waited(
    plant: Harness,
) -> None:
    plant.register("a")
    stop_all, end = StopSupervisor(timeout=1), TerminateChild("a", timeout=2)
    plant.tell(end)
    plant.tell(stop_all)
    plant.advance(2)
    assert plant.reply(stop_all).text == "not done within 1 s; it goes on"
    assert plant.reply(end).text == "a: not done within 2 s; it goes on"
