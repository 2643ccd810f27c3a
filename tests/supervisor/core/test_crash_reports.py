"""What a crash report tells, and how much of a reason it keeps."""

from __future__ import annotations

import pytest

from actors.messages import Fence, Reason, ReceiveData, SendData
from supervisor.core.crash_reports import shortened
from supervisor.core.exits import ProcessExit
from supervisor.messages import EventKind, GetStatus, Subscribe
from tests.helpers.harness import BUG, Harness


def test_a_reason_of_usual_length_is_kept_as_it_is() -> None:
    reason = Reason("Bug", "x" * 4_000, "y" * 32_000)
    assert shortened(reason) is reason


def test_a_long_reason_loses_its_middle_and_says_how_much() -> None:
    text = "begin" + "x" * 100_000 + "end"
    short = shortened(Reason("Bug", text, "Traceback"))
    assert (short.kind, short.traceback) == ("Bug", "Traceback")
    assert short.text.startswith("beginx")
    assert short.text.endswith("xend")
    assert "[...96,008 characters...]" in short.text
    assert len(short.text) < 4_100


def test_a_long_traceback_keeps_where_it_began_and_where_it_ended() -> None:
    short = shortened(Reason("Bug", "text", "first " + "call\n" * 10_000 + "last"))
    assert short.text == "text"
    assert short.traceback.startswith("first call\n")
    assert short.traceback.endswith("call\nlast")
    assert len(short.traceback) < 32_100


@pytest.fixture
def plant():
    return Harness()


def report(plant):
    return plant.ask(GetStatus("plc")).status.crashes[-1]


def test_a_system_that_was_killed_for_its_crash_was_ended_by_no_signal_of_another(plant):
    actor = plant.register()
    actor.crash()
    actor.exit(ProcessExit.of(-9))
    told = report(plant)
    assert (told.reason, told.signal, told.exit_code) == (BUG, None, None)
    assert told.out_of_memory is False


def test_a_system_that_exits_in_order_has_not_crashed(plant):
    plant.tell(Subscribe(), "sue")
    plant.register(restart_type="transient").exit(ProcessExit.of(0))
    kinds = [event.kind for event in plant.events("sue")]
    assert kinds[-1] is EventKind.STOPPED
    assert EventKind.CRASHED not in kinds
    assert plant.ask(GetStatus("plc")).status.crashes == ()


def test_what_a_system_was_not_given_yet_was_not_in_progress(plant):
    actor = plant.register()
    plant.tell(SendData("plc", b""))
    plant.tell(ReceiveData("plc"))
    plant.tell(SendData("plc", b""))
    actor.report((actor.ref_of(actor.requests[0]), actor.requests[0].failure("timeout", "late")))
    plant.actor().crash_and_exit()
    assert report(plant).in_progress == "SendData"
    plant.tell(SendData("plc", b""))
    plant.actor().crash_and_exit()
    assert report(plant).in_progress is None


def test_a_fence_is_nothing_that_a_system_is_busy_with(plant):
    plant.register()
    plant.tell(Fence("plc"))
    plant.actor().crash_and_exit()
    assert report(plant).in_progress is None


def test_of_a_reason_only_what_is_too_long_is_shortened():
    text, traceback = "x" * 4000, "y" * 100_000
    short = shortened(Reason("OSError", text, traceback))
    assert short.text == text
    assert short.traceback == f"{'y' * 16_000} [...68,000 characters...] {'y' * 16_000}"
    fits = Reason("OSError", text, "y" * 32_000)
    assert shortened(fits) is fits


def test_the_time_that_a_system_was_up_is_told(plant):
    actor = plant.register(backoff_max=0.1)
    plant.advance(5)
    actor.crash_and_exit()
    assert report(plant).uptime == 5.0
    plant.actor().crash_and_exit()
    assert report(plant).uptime == 0.0
