"""Cancelled calls are never made, and do not pile up."""

import gc
import weakref

from supervisor.timing.timers import Timers


def made(timers, now):
    return [call(now) for call in timers.due(now)]


def test_calls_are_made_when_due_the_earliest_first():
    timers = Timers()
    timers.add(2.0, lambda _: "second")
    timers.add(1.0, lambda _: "first")
    timers.add(2.0, lambda _: "third")
    assert made(timers, 0.9) == []
    assert timers.next_due() == 1.0
    assert made(timers, 2.0) == ["first", "second", "third"]
    assert timers.next_due() is None


def test_a_cancelled_call_is_not_made():
    timers = Timers()
    timer = timers.add(1.0, lambda _: "cancelled")
    timers.add(1.0, lambda _: "kept")
    timers.cancel(timer)
    timers.cancel(timer)
    assert made(timers, 1.0) == ["kept"]


def test_a_call_may_cancel_itself_and_others_while_it_is_made():
    timers = Timers()
    mine = timers.add(1.0, lambda _: (timers.cancel(mine), timers.cancel(other)))
    other = timers.add(1.0, lambda _: "never")
    timers.add(1.0, lambda _: "kept")
    assert made(timers, 1.0)[1:] == ["kept"]


def test_a_cancelled_timer_lets_go_of_what_its_call_holds():
    class Data:
        pass

    timers, data = Timers(), Data()
    gone = weakref.ref(data)
    timer = timers.add(1.0, lambda _, data=data: data)
    del data
    timers.cancel(timer)
    gc.collect()
    assert gone() is None


def test_cancelled_timers_do_not_pile_up():
    timers = Timers()
    kept = [timers.add(100.0 + number, lambda _: "kept") for number in range(10)]
    for number in range(10_000):
        timers.cancel(timers.add(50.0 + number, lambda _: "cancelled"))
        assert len(timers._heap) < 200
    assert made(timers, 1e6) == ["kept"] * len(kept)
