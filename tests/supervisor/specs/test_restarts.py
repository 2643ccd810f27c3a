"""Restart intensity is OTP's, and backoff doubles within limits."""

from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from supervisor.specs.policies import RestartPolicy
from supervisor.specs.restarts import RestartHistory, RestartWindow


def gives_up_at(times, max_restarts, period=5):
    """For each crash, whether it is one too many."""
    window = RestartWindow()
    return [not window.add(time, max_restarts, period) for time in times]


def goes_on(restarts, now, intensity, period):
    """The rule in one line: count all that are not older than the period, and this one."""
    return len([time for time in restarts if time >= now - period]) + 1 <= intensity


@given(st.lists(st.integers(0, 8)), st.integers(0, 4), st.integers(1, 10))
def test_giving_up_counts_the_restarts_within_a_period(gaps, intensity, period):
    window, restarts, now = RestartWindow(), [], 0
    for gap in gaps:
        now += gap
        assert window.add(now, intensity, period) == goes_on(restarts, now, intensity, period)
        restarts.append(now)


def test_one_crash_more_than_max_restarts_is_too_many():
    assert gives_up_at([0, 1, 2, 3], max_restarts=3, period=5) == [False, False, False, True]


def test_without_restarts_the_first_crash_is_too_many():
    assert gives_up_at([0], max_restarts=0) == [True]


def test_a_crash_exactly_a_period_ago_still_counts():
    assert gives_up_at([0, 5], max_restarts=1, period=5) == [False, True]
    assert gives_up_at([0, 5.001], max_restarts=1, period=5) == [False, False]


def test_the_window_slides():
    assert not any(gives_up_at(range(0, 300, 3), max_restarts=2, period=5))


def test_a_cleared_window_begins_anew():
    window = RestartWindow()
    assert window.add(0, 1, 5)
    window.clear()
    assert window.add(0, 1, 5)
    assert not window.add(0, 1, 5)


def test_each_restart_may_come_with_other_limits_than_the_one_before():
    window = RestartWindow()
    assert [window.add(0, most, 5) for most in (2, 2, 2, 4)] == [True, True, False, True]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"backoff_min": 0}, "backoff_min"),
        ({"backoff_max": -1}, "backoff_max"),
        ({"backoff_min": 2, "backoff_max": 1}, "backoff_max"),
        ({"max_restarts": -1}, "max_restarts"),
        ({"period": 0}, "period"),
        ({"period": float("nan")}, "period"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options, field):
    with pytest.raises(ValueError, match=field):
        RestartPolicy(**options)


def test_something_that_is_no_child_waits_longer_each_time_until_it_is_given_up():
    policy = RestartPolicy(max_restarts=3, period=60.0, backoff_min=1.0, backoff_max=8.0)
    history = RestartHistory(policy)
    no_chance = type("NoChance", (Random,), {"random": lambda self: 0.0})()
    delays = [history.next_delay(now, no_chance) for now in (0.0, 1.0, 2.0, 3.0)]
    assert delays == [0.0, 1.0, 2.0, None]
    assert history.next_delay(1000.0, no_chance) == 0.0
