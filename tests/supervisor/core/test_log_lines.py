"""What the log says, to who reads nothing else."""

import logging

import pytest

from actors.messages import FailureCode, Reason
from supervisor.messages import RegisterSystem, StartChild, UnregisterSystem
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, spec

CAUSE = "ZeroDivisionError: division by zero"


@pytest.fixture
def plant():
    return Harness()


def lines(plant, level):
    return [log.text for log in plant.logs if log.level == level]


def test_a_system_that_hangs_is_named_before_it_is_killed(plant):
    plant.register(hang_timeout=10.0)
    plant.advance(30)
    line = lines(plant, logging.WARNING)[0]
    assert line.startswith("plc: its ")
    assert line.endswith("(hang_timeout 10 s); killing it")


def test_a_quarantine_says_what_was_exceeded_and_what_to_do(plant):
    plant.quarantine(period=20.0)
    assert lines(plant, logging.ERROR)[-1] == (
        f"plc: quarantined: more than 0 crashes within 20 s, the last: {CAUSE}; "
        "mend the cause, then restart it"
    )


def test_a_group_that_gives_up_says_what_was_exceeded(plant):
    line = GroupSpec("line", (spec("a"),), give_up="escalate", max_restarts=0, period=20.0)
    plant.tell(StartChild(line))
    plant.actor("a").start()
    plant.actor("a").crash_and_exit()
    text = f"line: gave up: more than 0 restarts within 20 s; the last cause: a: {CAUSE}"
    assert text in lines(plant, logging.ERROR)


@pytest.mark.parametrize("end", ["quarantine", "unregister"])
def test_what_was_only_counted_of_a_crash_loop_is_told_when_it_ends(plant, end):
    plant.register(max_restarts=2 if end == "quarantine" else 9, backoff_max=0.1)
    for _ in range(3):
        plant.actor().crash_and_exit()
        plant.advance(0.2)
        if not plant.actor().forgotten:
            plant.actor().start()
    if end == "unregister":
        plant.tell(UnregisterSystem("plc"))
        plant.actor().exit()
    assert any(line.startswith("plc: crashed 2 times more") for line in lines(plant, logging.ERROR))


def test_a_wrong_definition_is_told_to_its_asker_and_not_to_the_log(plant):
    for name, code in (("a", FailureCode.INVALID_REQUEST), ("b", FailureCode.CONNECTOR_ERROR)):
        plant.tell(RegisterSystem(spec(name)))
        plant.actor(name).fail_start(code, Reason("ValueError", "no such kind"))
        plant.actor(name).exit()
    assert [line.partition(":")[0] for line in lines(plant, logging.ERROR)] == ["b"]


def test_a_crash_loop_is_counted_every_minute_as_long_as_it_lasts(plant):
    plant.register(max_restarts=50, backoff_max=0.1)
    for _ in range(18):
        plant.actor().crash_and_exit()
        plant.advance(0.1)
        plant.actor().start()
        plant.advance(9.9)
    counts = [line for line in lines(plant, logging.ERROR) if "more in the last 60 s" in line]
    assert len(counts) == 3
