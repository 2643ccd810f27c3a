"""Calls to make later."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.timing.timers import Timers


@pytest.fixture
def made():
    return []


def add(timers, made, when, name):
    timers.at(when, lambda: made.append((name, timers.now)))


def tick(timers, now):
    timers.now = now
    for call in timers.due():
        call()


def test_nothing_is_due_in_the_beginning():
    timers = Timers()
    assert timers.next_due() is None
    timers.now = 1e9
    assert list(timers.due()) == []


def test_calls_are_made_once_when_they_are_due_and_not_before(made):
    timers = Timers()
    add(timers, made, 2.0, "a")
    assert timers.next_due() == 2.0
    tick(timers, 1.999)
    assert made == []
    tick(timers, 2.0)
    tick(timers, 3.0)
    assert made == [("a", 2.0)]
    assert timers.next_due() is None


def test_a_call_after_some_time_counts_from_now():
    timers = Timers()
    timers.now = 5.0
    timers.after(2.0, lambda: None)
    assert timers.next_due() == 7.0


def test_what_is_due_at_the_same_time_is_made_in_the_order_it_was_added(made):
    timers = Timers()
    for name in "abc":
        add(timers, made, 1.0, name)
    tick(timers, 5.0)
    assert made == [("a", 5.0), ("b", 5.0), ("c", 5.0)]


def test_a_call_may_add_another_that_is_made_in_its_turn(made):
    timers = Timers()
    timers.at(1.0, lambda: add(timers, made, 2.0, "early"))
    timers.at(1.5, lambda: add(timers, made, 9.0, "late"))
    tick(timers, 3.0)
    assert made == [("early", 3.0)]
    assert timers.next_due() == 9.0


def test_a_call_that_raises_takes_no_other_with_it(made):
    timers = Timers()
    timers.at(1.0, lambda: 1 / 0)
    add(timers, made, 1.0, "next")
    with pytest.raises(ZeroDivisionError):
        tick(timers, 1.0)
    tick(timers, 1.0)
    assert made == [("next", 1.0)]


def test_what_is_never_due_is_not_kept(made):
    timers = Timers()
    add(timers, made, math.inf, "never")
    assert timers.next_due() is None


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_calls_come_in_order_and_none_is_lost(times, looks):
    timers, seen = Timers(), []
    for when in times:
        timers.at(when, partial(seen.append, when))
    for look in sorted(looks):
        tick(timers, look)
        assert all(when <= look for when in seen)
        assert sorted(seen) == sorted(when for when in times if when <= look)
    tick(timers, 100)
    assert sorted(seen) == sorted(times)
    assert looks or seen == sorted(times)
