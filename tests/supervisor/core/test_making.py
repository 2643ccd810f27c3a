"""Processes are made so many at a time, and each has its own time to build its system."""

import pytest

from actors.messages import Failure, FailureCode
from supervisor.core.making import PROGRESS_EVERY, SLOW
from supervisor.messages import (
    GetStatus,
    RegisterSystem,
    StartChild,
    StopSupervisor,
    SupervisorStopped,
    SystemRegistered,
    SystemState,
    SystemUnregistered,
    TerminateChild,
    UnregisterSystem,
)
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, failed, spec

AT_ONCE = 2


@pytest.fixture
def plant():
    return Harness(at_once=AT_ONCE)


def register(plant, *names, timeout=None, **options):
    requests = [RegisterSystem(spec(name, **options), timeout=timeout) for name in names]
    for request in requests:
        plant.tell(request)
    return requests


def made(plant):
    return [each.name for each in plant.actors]


def state(plant, name):
    return plant.ask(GetStatus(name)).status.state


def test_so_many_are_made_at_a_time(plant):
    register(plant, "a", "b", "c", "d")
    assert made(plant) == ["a", "b"]
    plant.actor("b").start()
    assert made(plant) == ["a", "b", "c"]
    plant.actor("a").fail_start()
    assert made(plant) == ["a", "b", "c"]
    plant.actor("a").exit()
    assert made(plant) == ["a", "b", "c", "d"]


def test_who_waits_for_its_turn_is_starting_and_has_no_process(plant):
    register(plant, "a", "b", "c")
    status = plant.ask(GetStatus("c")).status
    assert (status.state, status.pid, status.incarnation) == (SystemState.STARTING, None, 1)


def test_the_time_to_build_counts_from_the_beginning_of_its_process(plant):
    register(plant, "a", start_timeout=5)
    plant.advance(4)
    plant.actor("a").begin()
    plant.advance(4)
    assert not plant.actor("a").killed
    plant.advance(1.01)
    assert plant.actor("a").killed


def test_a_process_that_does_not_begin_is_not_waited_for_without_end(plant):
    [request] = register(plant, "a", start_timeout=5)
    plant.advance(5.01)
    assert plant.actor("a").killed
    assert "its process did not begin within 5 s" in plant.reply(request).text


def test_no_time_counts_while_a_system_waits_for_its_turn(plant):
    """However many there are, and however long each takes."""
    requests = register(plant, *map(str, range(60)), start_timeout=5)
    while (waiting := [each for each in plant.actors if not each.told and not each.killed]) and (
        len(plant.actors) < 60 or waiting[-1].name == "59"
    ):
        plant.advance(SLOW * 0.9)
        for actor in waiting:
            actor.told.append("started")
            actor.start()
    replies = [plant.reply(each) for each in requests]
    assert {type(each) for each in replies} == {SystemRegistered}


def test_an_asker_waits_as_long_as_it_said(plant):
    register(plant, "a", "b", start_timeout=100)
    [request] = register(plant, "c", timeout=7.0)
    plant.advance(6.9)
    assert plant.replies(request) == []
    plant.advance(0.2)
    assert failed(plant.reply(request)) == ("timeout", "unknown")


def test_after_its_turn_came_an_asker_waits_as_ever(plant):
    plant = Harness(at_once=1, request_timeout=1)
    register(plant, "a", start_timeout=200)
    register(plant, "b", start_timeout=200)  # begins when the first is slow
    [request] = register(plant, "c", start_timeout=5)
    plant.advance(100)
    assert plant.replies(request) == []
    plant.actor("a").start()
    assert plant.actor("c").name == "c"
    plant.advance(4.9)
    assert plant.replies(request) == []
    plant.advance(0.2)
    assert isinstance(plant.reply(request), Failure)


def test_what_is_slow_holds_up_nobody_else(plant):
    register(plant, "a", "b", "c", "d", "e", start_timeout=60)
    plant.advance(SLOW)
    assert made(plant) == ["a", "b", "c", "d"]
    plant.advance(SLOW)
    assert made(plant) == ["a", "b", "c", "d"]  # not more than twice as many
    plant.actor("c").start()
    assert made(plant) == ["a", "b", "c", "d", "e"]


def test_who_was_there_before_goes_first(plant):
    first = plant.register("first", max_restarts=5)
    register(plant, "a", "b", "c", "d")
    first.crash_and_exit()
    assert made(plant) == ["first", "a", "b"]
    plant.actor("a").start()
    assert made(plant) == ["first", "a", "b", "first"]


@pytest.mark.parametrize("kind", [UnregisterSystem, TerminateChild])
def test_who_waits_for_its_turn_is_stopped_at_once(plant, kind):
    register(plant, "a", "b", "c", "d")
    request = kind("c")
    plant.tell(request)
    assert not isinstance(plant.reply(request), Failure)
    plant.actor("a").start()
    assert made(plant) == ["a", "b", "d"]


def test_a_registration_of_what_is_stopped_before_its_turn_fails(plant):
    *_, request = register(plant, "a", "b", "c")
    plant.tell(UnregisterSystem("c"))
    assert plant.reply(request).code is FailureCode.UNAVAILABLE


def test_what_was_unregistered_in_time_can_be_registered_anew(plant):
    register(plant, "a", "b", "c")
    gone = UnregisterSystem("c")
    plant.tell(gone)
    assert isinstance(plant.reply(gone), SystemUnregistered)
    [again] = register(plant, "c")
    plant.actor("a").start()
    plant.actor("c").start()
    assert isinstance(plant.reply(again), SystemRegistered)


def test_a_stop_waits_for_nobody_that_was_not_begun(plant):
    register(plant, "a", "b", "c", "d")
    stop = StopSupervisor()
    plant.tell(stop)
    for name in ("a", "b"):
        plant.actor(name).exit()
    assert isinstance(plant.reply(stop), SupervisorStopped)
    assert made(plant) == ["a", "b"]


def test_the_log_tells_how_far_it_is_while_some_wait(plant):
    register(plant, *"abcdef", start_timeout=600)
    plant.actor("a").start()
    plant.advance(PROGRESS_EVERY)
    assert [each.text for each in plant.logs] == [
        "starting systems: 1 done, 1 wait for their turn",
    ]
    for name in "bcdef":
        plant.actor(name).start()
    plant.advance(PROGRESS_EVERY * 3)
    assert len(plant.logs) == 1


def test_a_group_that_is_started_by_hand_has_the_time_of_all_in_it():
    plant = Harness(at_once=1, request_timeout=1)
    register(plant, "a", "b", start_timeout=500)
    group = GroupSpec("group", (spec("c", start_timeout=5), spec("d", start_timeout=5)))
    request = StartChild(group)
    plant.tell(request)
    plant.advance(300)
    assert plant.replies(request) == []
