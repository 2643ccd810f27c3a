"""What a guardian decides, without processes."""

from __future__ import annotations

from random import Random

import pytest

from supervisor.messages import SupervisorClosing
from supervisor.messages.record import (
    ChildForgotten,
    ChildKept,
    ConfigureSupervisor,
    Record,
    RecordChanged,
    RecordGiven,
)
from supervisor.runtime.guarding import (
    ASK_AFTER,
    HANGS_AFTER,
    GivingUp,
    Guarding,
    Look,
    StartSupervisor,
)
from supervisor.runtime.limits import SUPERVISOR_INTENSITY
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import GroupSpec, SystemSpec

TREE = GroupSpec("root", [SystemSpec("a", "mock")])


@pytest.fixture
def guarding() -> Guarding:
    setup = ConfigureSupervisor(SupervisorOptions(), "/run/s.sock", TREE)
    return Guarding(setup, Random(1))


def recorded(*names: str) -> Record:
    record = Record()
    record.apply(ChildKept(GroupSpec("root"), None))
    for name in names:
        record.apply(ChildKept(SystemSpec(name, "mock"), "root"))
    return record


def test_the_first_supervisor_starts_with_the_tree(guarding: Guarding) -> None:
    assert guarding.begin() == StartSupervisor(1)
    configuration = guarding.configuration()
    assert (configuration.socket_path, configuration.record) == ("/run/s.sock", None)
    assert configuration.tree is not None
    assert [spec.name for spec in configuration.tree.systems] == ["a"]


def test_the_next_starts_at_once_with_what_the_last_one_had(guarding: Guarding) -> None:
    guarding.begin()
    guarding.keeper.hear(RecordGiven(request_id=1, record=recorded("a")))
    guarding.keeper.hear(RecordChanged((ChildKept(SystemSpec("b", "mock"), "root"),)))
    guarding.keeper.hear(RecordChanged((ChildForgotten("a"),)))
    assert guarding.supervisor_ended(1, "was killed", 10.0) == StartSupervisor(2)
    record = guarding.configuration().record
    assert record is not None
    assert [spec.name for spec in record.tree().systems] == ["b"]


def test_one_that_ends_before_it_gave_a_record_is_replaced_as_it_was_meant_to_be() -> None:
    given = recorded("kept")
    guarding = Guarding(ConfigureSupervisor(SupervisorOptions(), None, TREE, given), Random(1))
    guarding.begin()
    guarding.supervisor_ended(1, "was killed", 10.0)
    assert guarding.configuration().record is given


def test_an_end_told_of_twice_counts_once(guarding: Guarding) -> None:
    guarding.begin()
    assert guarding.supervisor_ended(1, "was killed", 10.0) is not None
    assert guarding.supervisor_ended(1, "was killed", 10.0) is None
    assert guarding.life == 2


def test_one_that_ended_in_order_is_not_replaced(guarding: Guarding) -> None:
    guarding.begin()
    guarding.closing = SupervisorClosing()
    assert guarding.supervisor_ended(1, "was killed", 10.0) is None


def test_ends_in_a_row_are_followed_by_longer_waits_and_then_by_giving_up(
    guarding: Guarding,
) -> None:
    guarding.begin()
    delays = []
    for life in range(1, SUPERVISOR_INTENSITY.max_restarts + 1):
        decision = guarding.supervisor_ended(life, "was killed", 10.0)
        assert isinstance(decision, StartSupervisor)
        delays.append(decision.delay)
    assert delays[0] == 0.0
    assert delays == sorted(delays)
    last = guarding.supervisor_ended(guarding.life, "was killed by SIGKILL", 10.0)
    assert isinstance(last, GivingUp)
    assert "SIGKILL" in last.reason


def test_ends_long_apart_are_never_too_many(guarding: Guarding) -> None:
    guarding.begin()
    for life in range(1, 50):
        now = life * (SUPERVISOR_INTENSITY.period + 1.0)
        assert guarding.supervisor_ended(life, "was killed", now) == StartSupervisor(life + 1)


def test_a_supervisor_that_answers_no_question_hangs(guarding: Guarding) -> None:
    guarding.begin()
    looks = [guarding.looked() for _ in range(ASK_AFTER + 1)]
    assert looks.index(Look.ASK) == ASK_AFTER
    looks = [guarding.looked() for _ in range(HANGS_AFTER + 1)]
    assert looks.index(Look.HANGS) == HANGS_AFTER


def test_a_supervisor_that_answers_is_asked_again_later(guarding: Guarding) -> None:
    guarding.begin()
    for _ in range(10):
        looks = [guarding.looked() for _ in range(ASK_AFTER + 2)]
        assert looks.count(Look.ASK) == 1
        guarding.answered()
    assert Look.HANGS not in looks


def test_no_end_is_heard_of_before_there_is_a_supervisor(guarding: Guarding) -> None:
    assert guarding.supervisor_ended(0, "was killed", 10.0) is None


def test_it_is_given_up_once(guarding: Guarding) -> None:
    guarding.begin()
    while not isinstance(guarding.supervisor_ended(guarding.life, "was killed", 10.0), GivingUp):
        pass
    assert guarding.supervisor_ended(guarding.life, "was killed", 10.0) is None


def test_chance_need_not_be_given() -> None:
    guarding = Guarding(ConfigureSupervisor(SupervisorOptions(), None, TREE))
    guarding.begin()
    for life in (1, 2):
        assert isinstance(guarding.supervisor_ended(life, "was killed", 10.0), StartSupervisor)


def test_the_next_supervisor_is_not_blamed_for_the_silence_of_the_last(
    guarding: Guarding,
) -> None:
    guarding.begin()
    for _ in range(ASK_AFTER + HANGS_AFTER):
        guarding.looked()
    guarding.supervisor_ended(1, "was killed", 10.0)
    looks = [guarding.looked() for _ in range(ASK_AFTER)]
    assert set(looks) == {Look.WAIT}
