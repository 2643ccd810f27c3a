"""Restart intensity is OTP's, and backoff doubles within limits."""

from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from supervisor.policies import BackoffPolicy, RestartPolicy
from supervisor.restarts import RestartHistory, backoff_delay
from tests.supervisor.harness import NO_JITTER


def history(**policy):
    return RestartHistory(RestartPolicy(**policy))


def gives_up_at(times, **policy):
    """For each crash, whether it is one too many."""
    past = history(**policy)
    return [past.next_delay(time, NO_JITTER) is None for time in times]


def add_restart(restarts, now, intensity, period):
    """OTP's own, from lib/stdlib/src/supervisor.erl, in Python."""
    kept = []
    for restart in restarts:
        if restart < now - period:
            break
        kept.append(restart)
    restarts = [now, *kept]
    return restarts, len(restarts) <= intensity


@given(st.lists(st.integers(0, 8)), st.integers(0, 4), st.integers(1, 10))
def test_giving_up_follows_otp(gaps, intensity, period):
    past, restarts, now = history(max_restarts=intensity, period=period), [], 0
    for gap in gaps:
        now += gap
        restarts, goes_on = add_restart(restarts, now, intensity, period)
        assert (past.next_delay(now, NO_JITTER) is not None) == goes_on


def test_one_crash_more_than_max_restarts_is_too_many():
    assert gives_up_at([0, 1, 2, 3], max_restarts=3, period=5) == [False, False, False, True]


def test_without_restarts_the_first_crash_is_too_many():
    assert gives_up_at([0], max_restarts=0) == [True]


def test_a_crash_exactly_a_period_ago_still_counts():
    assert gives_up_at([0, 5], max_restarts=1, period=5) == [False, True]
    assert gives_up_at([0, 5.001], max_restarts=1, period=5) == [False, False]


def test_the_window_slides():
    assert not any(gives_up_at(range(0, 300, 3), max_restarts=2, period=5))


def test_a_cleared_history_begins_anew():
    past = history(max_restarts=1)
    past.next_delay(0, NO_JITTER)
    past.clear()
    assert past.next_delay(0, NO_JITTER) == 0.0
    assert past.next_delay(0, NO_JITTER) is None


def test_the_first_restart_is_at_once_and_the_next_ones_wait_longer():
    past = history(max_restarts=6, period=100, backoff_min=1, backoff_max=5)
    delays = [past.next_delay(0, NO_JITTER) for _ in range(7)]
    assert delays == [0.0, 1.0, 2.0, 4.0, 5.0, 5.0, None]


def test_a_stable_time_makes_the_next_restart_immediate_again():
    past = history(max_restarts=6, period=10)
    assert [past.next_delay(now, NO_JITTER) for now in (0, 1, 12)] == [0.0, 0.1, 0.0]


@given(st.integers(1, 10_000), st.floats(0.001, 10), st.floats(1, 100), st.integers())
def test_backoff_stays_within_its_limits_less_a_quarter(failures, least, factor, seed):
    policy = BackoffPolicy(backoff_min=least, backoff_max=least * factor)
    delay = backoff_delay(policy, failures, Random(seed))
    assert 0.75 * policy.backoff_min <= delay <= policy.backoff_max


def test_backoff_differs_by_chance_and_by_chance_only():
    policy = BackoffPolicy(backoff_min=1)
    delays = {backoff_delay(policy, 1, Random(seed)) for seed in range(50)}
    assert len(delays) == 50
    assert backoff_delay(policy, 1, Random(7)) == backoff_delay(policy, 1, Random(7))


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
