"""Cancelled calls are never made, and do not pile up."""

import gc
import weakref
from functools import partial

from supervisor.timing.timers import Timers


def made(timers, now):
    timers.now = now
    return [call() for call in timers.due()]


def test_calls_are_made_when_due_the_earliest_first():
    timers = Timers()
    timers.at(2.0, lambda: "second")
    timers.at(1.0, lambda: "first")
    timers.at(2.0, lambda: "third")
    assert made(timers, 0.9) == []
    assert timers.next_due() == 1.0
    assert made(timers, 2.0) == ["first", "second", "third"]
    assert timers.next_due() is None


def test_a_cancelled_call_is_not_made():
    timers = Timers()
    timer = timers.at(1.0, lambda: "cancelled")
    timers.at(1.0, lambda: "kept")
    timers.cancel(timer)
    timers.cancel(timer)
    assert made(timers, 1.0) == ["kept"]


def test_a_call_may_cancel_itself_and_others_while_it_is_made():
    timers = Timers()
    mine = timers.at(1.0, lambda: (timers.cancel(mine), timers.cancel(other)))
    other = timers.at(1.0, lambda: "never")
    timers.at(1.0, lambda: "kept")
    assert made(timers, 1.0)[1:] == ["kept"]


def test_a_cancelled_timer_lets_go_of_what_its_call_holds():
    class Data:
        pass

    timers, data = Timers(), Data()
    gone = weakref.ref(data)
    timer = timers.at(1.0, lambda data=data: data)  # type: ignore[misc]
    del data
    timers.cancel(timer)
    gc.collect()
    assert gone() is None


def test_cancelled_timers_do_not_pile_up():
    timers = Timers()
    kept = [timers.at(100.0 + number, lambda: "kept") for number in range(10)]
    for number in range(10_000):
        timers.cancel(timers.at(50.0 + number, lambda: "cancelled"))
        assert len(timers._heap) < 200
    assert made(timers, 1e6) == ["kept"] * len(kept)


def test_calls_come_in_order_after_many_others_were_cancelled():
    timers = Timers()
    times = [float(number * 37 % 100) for number in range(100)]
    cancelled = []
    for when in times:
        cancelled += [timers.at(when, lambda: "cancelled") for _ in range(3)]
        timers.at(when, partial(float, when))
    for timer in cancelled:
        timers.cancel(timer)
    assert made(timers, 1e6) == sorted(times)
