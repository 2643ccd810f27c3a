"""Crashes, restarts, backoff and quarantine."""

import pytest

from actors.messages import (
    CheckHealth,
    DataSent,
    FailureCode,
    Reason,
    ReceiveData,
    Report,
    SendData,
    SystemCrashed,
)
from supervisor.core.crash_log import FULL_EVERY
from supervisor.core.exits import ProcessExit
from supervisor.core.lifecycle import EXIT_GRACE
from supervisor.messages import (
    CancelRequest,
    EventKind,
    GetStatus,
    RegisterSystem,
    RestartSystem,
    Subscribe,
    SystemRestarted,
    SystemState,
)
from tests.helpers.harness import BUG, Harness, failed, sent, spec

KILLED = ProcessExit.of(-9)


@pytest.fixture
def plant():
    return Harness()


def status(plant, name="plc"):
    return plant.ask(GetStatus(name), "stat").status


# ---- what a crash does to requests -----------------------------------------------------


def test_a_crash_answers_what_the_system_had_and_keeps_what_it_had_not(plant):
    actor = plant.register()
    delivered, receive, queued = SendData("plc", 1), ReceiveData("plc"), SendData("plc", 2)
    for request in (delivered, receive, queued):
        plant.tell(request)
    actor.crash()
    assert plant.replies(delivered) == []
    actor.exit()
    failure = plant.reply(delivered)
    assert failed(failure) == ("system_crashed", "unknown")
    assert BUG.text in failure.text
    assert failed(plant.reply(receive)) == ("system_crashed", "unknown")
    assert plant.replies(queued) == []
    plant.actor().start()
    assert plant.actor().requests == [queued]
    plant.actor().answer(queued, DataSent)
    assert plant.reply(queued) == sent(queued)


def test_what_is_asked_between_a_crash_and_its_exit_is_for_the_next_incarnation(plant):
    actor = plant.register()
    actor.crash()
    request = SendData("plc", 1)
    plant.tell(request)
    actor.exit()
    plant.actor().start()
    assert actor.requests == []
    assert plant.actor().requests == [request]


def test_an_exit_without_a_word_is_a_crash_too(plant):
    actor = plant.register()
    request = SendData("plc", 1)
    plant.tell(request)
    actor.exit(KILLED)
    assert failed(plant.reply(request)) == ("system_crashed", "unknown")
    assert plant.incarnations() == [1, 2]
    assert status(plant).last_crash == KILLED.reason()


def test_an_exit_that_nobody_can_explain_is_a_crash_too(plant):
    plant.register().exit()
    assert status(plant).last_crash == Reason("exit", "its process ended without a word")


def test_what_a_system_said_of_its_crash_counts_more_than_how_it_ended(plant):
    actor = plant.register()
    actor.crash(BUG)
    actor.exit(KILLED)
    assert status(plant).last_crash == BUG


def test_answers_that_came_before_the_exit_was_seen_are_answers(plant):
    actor = plant.register()
    request = SendData("plc", 1)
    plant.tell(request)
    actor.crash()
    actor.report_without_taking((actor.ref_of(request), sent(request)))
    actor.exit()
    assert plant.reply(request) == sent(request)


def test_a_crash_takes_no_other_system_with_it(plant):
    crashing, other = plant.register("crashing"), plant.register("other")
    request = SendData("other", 1)
    plant.tell(request)
    crashing.crash_and_exit()
    assert plant.replies(request) == []
    assert plant.incarnations("other") == [1]
    other.answer(request, DataSent)
    assert plant.reply(request)


def test_a_crash_is_logged_with_its_traceback(plant):
    plant.register().crash_and_exit()
    assert "plc: incarnation 1 crashed: ZeroDivisionError" in plant.logs[0].text
    assert BUG.traceback in plant.logs[0].text


# ---- stale words -----------------------------------------------------------------------


def test_words_of_an_earlier_incarnation_change_nothing(plant):
    old = plant.register()
    request = SendData("plc", 1)
    plant.tell(request)
    old.crash_and_exit()
    new = plant.actor()
    new.start()
    again = SendData("plc", 2)
    plant.tell(again)
    told = list(plant.told)
    old.start()
    old.fail_start()
    old.crash()
    old.stop()
    old.is_connected = True
    old.report((old.ref_of(request), sent(request)), (new.ref_of(again), sent(again)))
    assert plant.told == told
    assert not new.killed
    assert not status(plant).is_connected


def test_words_of_an_incarnation_to_come_change_nothing(plant):
    plant.register()
    plant.core.child_said("plc", 2, SystemCrashed("plc", 2, BUG), plant.now)
    plant.core.child_exited("plc", 2, None, plant.now)
    plant.core.child_said("other", 1, Report("other", 1, 0, (), True), plant.now)
    plant.core.child_exited("other", 1, None, plant.now)
    plant.carry_out()
    assert plant.incarnations() == [1]
    assert not plant.actor().killed


def test_a_repeated_exit_notice_changes_nothing(plant):
    actor = plant.register()
    actor.exit(KILLED)
    actor.exit(KILLED)
    plant.actor().start()
    actor.exit(KILLED)
    assert plant.incarnations() == [1, 2]
    assert status(plant).restarts == 1


def test_a_repeated_exit_notice_does_not_shorten_the_wait_for_a_restart(plant):
    plant.register(backoff_min=1).exit()
    second = plant.actor()
    second.start()
    second.exit()
    second.exit()
    assert status(plant).state is SystemState.RESTARTING
    plant.advance(0.99)
    assert plant.incarnations() == [1, 2]


def test_a_repeated_exit_notice_does_not_reach_a_quarantined_system(plant):
    actor = plant.quarantine()
    told = len(plant.logs)
    actor.exit()
    actor.crash()
    assert len(plant.logs) == told


# ---- restarts --------------------------------------------------------------------------


def test_the_first_restart_is_at_once_and_each_further_one_waits_twice_as_long(plant):
    plant.register(max_restarts=9, period=1000, backoff_min=1, backoff_max=4).crash_and_exit()
    assert plant.incarnations() == [1, 2]
    for delay in (1, 2, 4, 4):
        plant.actor().start()
        plant.actor().crash_and_exit()
        before = plant.incarnations()
        plant.advance(delay - 0.01)
        assert plant.incarnations() == before
        plant.advance(0.02)
        assert plant.incarnations() == [*before, before[-1] + 1]


def test_data_is_refused_while_a_system_waits_for_its_restart(plant):
    plant.register(backoff_min=1).crash_and_exit()
    plant.actor().start()
    plant.actor().crash()
    queued = SendData("plc", 1)
    plant.tell(queued)
    plant.actor().exit()
    assert failed(plant.reply(queued)) == ("system_crashed", "not_sent")
    for request in (SendData("plc", 1), ReceiveData("plc"), CheckHealth("plc")):
        assert failed(plant.ask(request)) == ("unavailable", "not_sent")
    given = status(plant)
    assert (given.state, given.pid, given.uptime, given.waiting) == ("restarting", None, 0.0, 0)


def test_a_start_that_fails_after_a_crash_counts_as_another(plant):
    plant.register(max_restarts=1).crash_and_exit()
    plant.actor().fail_start()
    plant.actor().exit()
    assert status(plant).state is SystemState.QUARANTINED


def test_a_start_that_takes_too_long_counts_as_a_crash_and_its_exit_changes_nothing(plant):
    plant.register(max_restarts=3, period=100, start_timeout=5).crash_and_exit()
    slow = plant.actor()
    slow.begin()
    plant.advance(5.01)
    assert slow.killed
    assert status(plant).last_crash == Reason("timeout", "not built within 5 s")
    plant.advance(0.2)
    assert plant.incarnations() == [1, 2, 3]
    slow.exit()
    slow.start()
    assert plant.incarnations() == [1, 2, 3]
    assert status(plant).state is SystemState.RESTARTING


def test_a_crashed_process_whose_exit_is_never_seen_is_replaced(plant):
    actor = plant.register()
    actor.crash()
    assert actor.killed
    plant.advance(EXIT_GRACE + 0.01)
    assert plant.incarnations() == [1, 2]
    assert "no exit seen" in plant.logs[0].text


# ---- quarantine ------------------------------------------------------------------------


def test_more_crashes_than_max_restarts_within_the_period_are_too_many(plant):
    plant.register(max_restarts=2, period=10, backoff_min=0.01)
    for _ in range(3):
        assert status(plant).state is not SystemState.QUARANTINED
        plant.advance(3)
        if plant.incarnations()[-1] > 1:
            plant.actor().start()
        plant.actor().crash_and_exit()
    assert status(plant).state is SystemState.QUARANTINED
    assert status(plant).restarts == 2


def test_crashes_further_apart_than_the_period_are_never_too_many(plant):
    plant.register(max_restarts=1, period=10)
    for _ in range(20):
        plant.actor().crash_and_exit()
        plant.actor().start()
        plant.advance(10.01)
    assert status(plant).restarts == 20


def test_without_restarts_the_first_crash_is_one_too_many(plant):
    plant.register(max_restarts=0).crash_and_exit()
    assert status(plant).state is SystemState.QUARANTINED
    assert plant.incarnations() == [1]


def test_a_quarantined_system_answers_what_it_had_and_refuses_everything(plant):
    actor = plant.register(max_restarts=0)
    delivered, _, queued = (SendData("plc", number) for number in range(3))
    for request in (delivered, _, queued):
        plant.tell(request)
    actor.crash_and_exit()
    assert failed(plant.reply(delivered)) == ("system_crashed", "unknown")
    assert failed(plant.reply(queued)) == ("unavailable", "not_sent")
    failure = plant.ask(SendData("plc", 3))
    assert failed(failure) == ("unavailable", "not_sent")
    assert "quarantined" in failure.text
    assert BUG.text in failure.text
    plant.assert_nothing_open()
    assert plant.incarnations() == [1]


def test_a_quarantined_system_is_restarted_by_hand_with_a_clean_count(plant):
    plant.register(max_restarts=1, period=100).crash_and_exit()
    plant.actor().start()
    plant.actor().crash_and_exit()
    request = RestartSystem("plc")
    plant.tell(request)
    assert plant.replies(request) == []
    plant.actor().start()
    assert plant.reply(request) == SystemRestarted(
        request_id=request.request_id, system_name="plc", incarnation=3
    )
    plant.actor().crash_and_exit()
    assert plant.incarnations() == [1, 2, 3, 4]
    plant.actor().start()
    plant.actor().crash_and_exit()
    assert status(plant).state is SystemState.QUARANTINED


def test_a_restart_by_hand_that_fails_is_an_answer(plant):
    plant.quarantine()
    request = RestartSystem("plc")
    plant.tell(request)
    plant.actor().fail_start()
    plant.actor().exit()
    assert failed(plant.reply(request)) == ("unavailable", "not_sent")
    assert status(plant).state is SystemState.QUARANTINED


# ---- events ----------------------------------------------------------------------------


def test_each_step_of_a_crash_is_announced_without_a_gap(plant):
    plant.register(max_restarts=1, backoff_min=1)
    first = plant.ask(Subscribe(), "sue").next_sequence
    plant.actor().crash_and_exit()
    plant.actor().start()
    plant.actor().crash_and_exit()
    events = plant.events("sue")
    assert [(event.kind, event.incarnation) for event in events] == [
        (EventKind.CRASHED, 1),
        (EventKind.RESTARTING, 1),
        (EventKind.STARTING, 2),
        (EventKind.STARTED, 2),
        (EventKind.CRASHED, 2),
        (EventKind.QUARANTINED, 2),
    ]
    assert [event.sequence for event in events] == list(range(first, first + 6))
    assert events[0].reason == BUG
    assert events[1].delay == 0.0
    assert events[5].reason == BUG
    assert events[0].time == 1e9 + plant.now


def test_a_crash_is_logged_also_after_a_start_that_failed_for_its_definition(plant):
    plant.register().crash_and_exit()
    plant.actor().fail_start(FailureCode.INVALID_REQUEST)
    plant.actor().exit()
    plant.advance(1)
    plant.actor().start()
    before = len(plant.logs)
    plant.advance(FULL_EVERY)
    plant.actor().crash_and_exit(Reason("KeyError", "KeyError: 'another bug'"))
    assert any("another bug" in log.text for log in plant.logs[before:])


# ---- what is told of a crash -----------------------------------------------------------


def test_the_last_crashes_are_kept_with_what_was_in_progress():
    plant = Harness(crash_reports=2)
    plant.register()
    for _ in range(3):
        plant.tell(SendData("plc", 1))
        plant.now += 2.0
        plant.actor().exit(ProcessExit.of(-11))
        plant.advance(2.0)
        plant.actor().start()
    last, newest = status(plant).crashes
    assert (last.incarnation, newest.incarnation) == (2, 3)
    assert (newest.signal, newest.in_progress) == ("SIGSEGV", "SendData")
    assert newest.uptime >= 2.0


def test_a_crash_loop_is_logged_in_a_bounded_number_of_lines(plant):
    plant.register(max_restarts=1000, period=1e6, backoff_min=0.01, backoff_max=0.01)
    for _ in range(100):
        plant.actor().crash_and_exit()
        plant.advance(0.02)
        plant.actor().start()
    assert len(plant.logs) == 1
    plant.advance(200.0)
    assert len(plant.logs) == 2
    assert "plc: crashed 99 times more" in plant.logs[1].text


def test_data_that_waited_for_a_restart_in_vain_is_answered_with_the_cause(plant):
    plant.register(backoff_min=2, backoff_max=2).crash_and_exit()
    plant.actor().start()
    plant.actor().crash()
    waiting = SendData("plc", b"")
    plant.tell(waiting)
    plant.actor().exit()
    assert plant.reply(waiting).text == "plc: crashed (ZeroDivisionError: division by zero)"


def test_a_system_that_crashed_is_told_nothing_more(plant):
    actor = plant.register()
    request = ReceiveData("plc")
    plant.tell(request)
    actor.crash()
    before = len(actor.told)
    plant.tell(CancelRequest((request.request_id,)))
    assert len(actor.told) == before


def test_who_waits_for_a_system_that_is_gone_before_it_was_built_is_told_so(plant):
    plant.tell(RegisterSystem(spec("plc")))
    waiting = SendData("plc", b"")
    plant.tell(waiting)
    plant.actor().fail_start()
    plant.actor().exit()
    assert "the system is gone: it was unregistered, or could not" in plant.reply(waiting).text
