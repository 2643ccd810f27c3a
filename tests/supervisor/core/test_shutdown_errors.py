"""A system that does not end as it should when it is told to: OTP's shutdown_error. It is told,
and nothing follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from actors.messages import Reason, SystemStopped
from supervisor.core.exits import ProcessExit
from supervisor.messages import (
    EventKind,
    GetStatus,
    LifecycleEvent,
    StartChild,
    Subscribe,
    TerminateChild,
)
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import BUG, FakeActor, Harness, spec


@pytest.fixture
def plant() -> Harness:
    return Harness()


def told_to_stop(plant: Harness, **options: object) -> FakeActor:
    actor = plant.register(**options)
    plant.tell(Subscribe())
    plant.tell(TerminateChild("plc"))
    assert actor.stopping or actor.killed
    return actor


def shown(plant: Harness) -> list[tuple[str, str | None]]:
    """The events of its end, each with its reason."""
    return [
        (str(event.kind), event.reason.text if event.reason else None)
        for event in plant.events()
        if isinstance(event, LifecycleEvent)
    ]


def errors(plant: Harness) -> list[str]:
    return [log.text for log in plant.logs if log.level == logging.ERROR]


def end_by_itself(actor: FakeActor) -> None:
    actor.stop()
    actor.exit(ProcessExit.of(0))


def not_in_time(actor: FakeActor) -> None:
    actor.harness.advance(3.0)
    assert actor.killed
    actor.exit(ProcessExit.of(-9))


def not_in_time_as_it_says_itself(actor: FakeActor) -> None:
    late = Reason("timeout", "did not disconnect within 3 s")
    actor.say(SystemStopped(actor.name, actor.incarnation, late))
    actor.exit()


def a_bug(actor: FakeActor) -> None:
    actor.crash()
    actor.exit()


def an_error_of_its_disconnect(actor: FakeActor) -> None:
    actor.say(SystemStopped(actor.name, actor.incarnation, Reason("OSError", "no route")))
    actor.exit(ProcessExit.of(0))


def exit_code_3(actor: FakeActor) -> None:
    actor.exit(ProcessExit.of(3))


def a_segfault(actor: FakeActor) -> None:
    actor.exit(ProcessExit.of(-11))


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (not_in_time, "did not disconnect within 3 s"),
        (not_in_time_as_it_says_itself, "did not disconnect within 3 s"),
        (a_bug, BUG.text),
        (an_error_of_its_disconnect, "no route"),
        (exit_code_3, "its process ended with exit code 3"),
        (a_segfault, "its process was killed by SIGSEGV"),
    ],
)
def test_who_does_not_end_as_told_is_reported_and_not_restarted(
    plant: Harness, end: Callable[[FakeActor], None], why: str
) -> None:
    end(told_to_stop(plant, shutdown=3))
    why = f"while it was stopped: {why}"
    assert shown(plant) == [("stopping", None), ("crashed", why), ("stopped", why)]
    status = plant.ask(GetStatus("plc"), "stat").status
    assert status.state == "terminated"
    [report] = status.crashes
    assert report.reason.text == why
    assert any(f"plc: incarnation 1 crashed: {why}" in line for line in errors(plant))
    assert plant.incarnations() == [1]


def test_an_exit_code_and_a_signal_are_in_the_report(plant: Harness) -> None:
    a_segfault(told_to_stop(plant))
    [report] = plant.ask(GetStatus("plc"), "stat").status.crashes
    assert report.signal == "SIGSEGV"


def in_order(actor: FakeActor) -> None:
    end_by_itself(actor)


def told_from_outside_as_well(actor: FakeActor) -> None:
    actor.exit(ProcessExit(told_to=True))


def slow_to_exit_after_it_has_disconnected(actor: FakeActor) -> None:
    actor.stop()
    actor.harness.advance(1.5)
    assert actor.killed
    actor.exit(ProcessExit.of(-9))


@pytest.mark.parametrize(
    "end", [in_order, told_from_outside_as_well, slow_to_exit_after_it_has_disconnected]
)
def test_who_ends_as_told_is_not_reported(plant: Harness, end: Callable[[FakeActor], None]) -> None:
    end(told_to_stop(plant, shutdown=3))
    assert shown(plant) == [("stopping", None), ("stopped", None)]
    assert plant.ask(GetStatus("plc"), "stat").status.crashes == ()
    assert errors(plant) == []


def test_who_is_to_be_killed_at_once_ends_as_told(plant: Harness) -> None:
    told_to_stop(plant, shutdown="brutal_kill").exit(ProcessExit.of(-9))
    assert shown(plant) == [("stopping", None), ("stopped", None)]


def test_who_is_killed_as_the_time_of_its_group_is_up_is_reported() -> None:
    group = GroupSpec("group", [spec("plc", shutdown="infinity")], shutdown=2.0)
    plant = Harness(tree=GroupSpec("root", [group]))
    actor = plant.actor("plc")
    actor.start()
    plant.tell(TerminateChild("group"))
    plant.advance(2.0)
    assert actor.killed
    actor.exit(ProcessExit.of(-9))
    [report] = plant.ask(GetStatus("plc"), "stat").status.crashes
    assert report.reason.text == "while it was stopped: did not stop within the time of its group"


def test_who_was_still_starting_when_it_was_to_stop_is_not_reported(plant: Harness) -> None:
    plant.tell(Subscribe())
    plant.tell(StartChild(spec()), "owner")
    plant.tell(TerminateChild("plc"))
    assert plant.actor().killed
    plant.actor().exit(ProcessExit.of(-9))
    assert EventKind.CRASHED not in {e.kind for e in plant.events() if hasattr(e, "kind")}
