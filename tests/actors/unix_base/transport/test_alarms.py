"""What is due happens, once, in the order of its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.unix_base.transport.alarms import Alarms, Wakeup


def test_nothing_is_due_when_nothing_was_asked_for():
    alarms = Alarms()

    assert alarms.next_due is None
    assert alarms.due(1e9) == []


@given(st.lists(st.integers(0, 20)), st.integers(0, 20))
def test_wakeups_come_in_the_order_of_their_time_and_then_of_asking(times, now):
    wakeups = [Wakeup(when, when, number) for number, when in enumerate(times)]
    alarms = Alarms()
    for each in wakeups:
        alarms.add_wakeup(each)
    in_order = sorted(wakeups, key=lambda each: (each.when, each.payload))

    assert alarms.wakeups == in_order
    assert alarms.due(now) == [each for each in in_order if each.when <= now]
    assert alarms.due(now) == []
    assert alarms.wakeups == [each for each in in_order if each.when > now]
    assert alarms.next_due == min((each for each in times if each > now), default=None)


def test_payloads_that_cannot_be_compared_may_be_due_at_the_same_time():
    alarms = Alarms()
    for payload in ({}, object(), {}):
        alarms.add_wakeup(Wakeup(1.0, 1, payload))
    alarms.add(1.0, lambda: None)

    assert len(alarms.wakeups) == 3
    assert len(alarms.due(1.0)) == 3


def test_a_call_is_made_once_when_it_is_due():
    calls, alarms = [], Alarms()
    alarms.add(2.0, lambda: calls.append("called"))

    alarms.due(1.9)
    assert calls == []
    alarms.due(2.0)
    alarms.due(3.0)
    assert calls == ["called"]


def test_a_call_may_ask_for_another_one():
    calls, alarms = [], Alarms()
    alarms.add(1.0, lambda: alarms.add(3.0, lambda: calls.append("second")))

    alarms.due(2.0)
    assert calls == []
    assert alarms.next_due == 3.0
    alarms.due(3.0)
    assert calls == ["second"]
