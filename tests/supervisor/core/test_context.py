"""What happens is told once, and all who want to know of it hear the same."""

from random import Random

import pytest

from actors.messages import Reason
from supervisor.core.actions import KillActor, TellClient
from supervisor.core.context import Context
from supervisor.core.doors import NoDoors
from supervisor.messages import EventKind, LifecycleEvent, Subscribe
from supervisor.messages.crashes import CrashReport
from supervisor.messages.record import CrashKept, KeepRecord, RecordChanged
from supervisor.specs.options import SupervisorOptions
from supervisor.tree.decisions import Happened
from tests.helpers.harness import Harness

STARTED = Happened(EventKind.STARTED, "plc", 3)


def context(sequence=0):
    return Context(SupervisorOptions(), Random(), lambda: 1e9, NoDoors(), sequence)


@pytest.fixture
def heard():
    return []


def test_what_is_to_be_done_is_handed_out_once_and_in_order():
    core = context()
    core.act(KillActor("plc", 1))
    core.tell("ann", "hello")
    assert core.take_actions() == [KillActor("plc", 1), TellClient("ann", "hello")]
    assert core.take_actions() == []


def test_what_happens_is_heard_by_all_that_listen_in_the_order_in_which_they_began_to(heard):
    core = context()
    core.listen(lambda event: heard.append(("first", event.kind)))
    core.listen(lambda event: heard.append(("second", event.kind)))
    core.publish(STARTED)
    assert heard == [("first", "started"), ("second", "started")]


def test_events_are_numbered_from_where_the_supervisor_before_left_off(heard):
    core = context(sequence=41)
    core.listen(heard.append)
    core.publish(STARTED)
    core.publish(STARTED)
    assert [event.sequence for event in heard] == [42, 43]


def test_an_event_has_all_that_is_known_of_what_happened(heard):
    reason = Reason("exit", "exit code 1")
    report = CrashReport(reason=reason, incarnation=3, time=5.0, uptime=1.0)
    core = context()
    core.listen(heard.append)
    core.publish(Happened(EventKind.RESTARTING, "plc", 3, reason, 0.5))
    core.publish(Happened(EventKind.CRASHED, "plc", 3, reason, report=report))
    known = {"system_name": "plc", "incarnation": 3, "reason": reason}
    assert heard == [
        LifecycleEvent(sequence=1, time=1e9, kind=EventKind.RESTARTING, delay=0.5, **known),
        LifecycleEvent(sequence=2, time=5.0, kind=EventKind.CRASHED, report=report, **known),
    ]


def test_subscribers_the_record_and_the_log_are_told_the_same_of_a_crash():
    plant = Harness()
    actor = plant.register()
    plant.tell(Subscribe(), "watcher")
    plant.tell(KeepRecord(), "keeper")
    actor.crash_and_exit()
    [crashed] = [each for each in plant.events("watcher") if each.kind is EventKind.CRASHED]
    changed = [each for each in plant.events("keeper") if isinstance(each, RecordChanged)]
    changes = [change for each in changed for change in each.changes]
    assert crashed in changes
    assert CrashKept("plc", crashed.report, 10) in changes
    [line] = [log.text for log in plant.logs]
    assert crashed.report.reason.text in line
