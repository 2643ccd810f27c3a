"""What is tried again, when, and how often."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.resilience.retry import Retry, RetryPolicy
from actors.settings import MistakesError, read_table


class NoChance(Random):
    def random(self) -> float:
        return 0.0


def test_what_was_not_done_is_tried_again_with_growing_waits():
    retry = Retry(RetryPolicy(attempts=5, backoff_min=1, backoff_max=3), NoChance())
    waits = [retry.wait_after(0.0, not_done=True) for _ in range(5)]
    assert waits == [1, 2, 3, 3, None]
    assert retry.attempts == 5


def test_what_may_have_been_done_is_not_tried_again():
    retry = Retry(RetryPolicy(), NoChance())
    assert retry.wait_after(0.0, not_done=False) is None
    assert retry.may_be_done


def test_what_may_be_done_twice_is_tried_again():
    retry = Retry(RetryPolicy(idempotent=True, backoff_min=1), NoChance())
    assert retry.wait_after(0.0, not_done=False) == 1
    assert retry.wait_after(0.0, not_done=True) == 2
    assert retry.may_be_done  # whatever became of the last attempt


def test_what_has_no_time_left_is_not_tried():
    policy = RetryPolicy(attempts=9, backoff_min=1, backoff_max=1)
    assert Retry(policy, NoChance(), deadline=10.0).wait_after(9.0, not_done=True) is None
    retry = Retry(policy, NoChance(), deadline=10.0)
    assert retry.wait_after(8.9, not_done=True) == 1
    assert retry.attempts == 2


def test_whoever_says_when_to_come_back_is_obeyed():
    retry = Retry(RetryPolicy(backoff_min=1), NoChance(), deadline=10.0)
    assert retry.wait_after(0.0, not_done=True, least=7.0) == 7.0
    assert retry.wait_after(7.0, not_done=True, least=7.0) is None


ATTEMPTS = st.lists(st.tuples(st.booleans(), st.floats(0, 5), st.floats(0, 3)), min_size=1)


@given(
    st.builds(
        RetryPolicy,
        attempts=st.integers(1, 6),
        backoff_min=st.floats(0.01, 1),
        backoff_max=st.floats(1, 8),
        idempotent=st.booleans(),
    ),
    st.none() | st.floats(0, 30),
    ATTEMPTS,
    st.integers(),
)
def test_any_history_of_attempts_is_what_a_naive_reader_of_the_settings_expects(
    policy, deadline, attempts, seed
):
    retry = Retry(policy, Random(seed), deadline)
    now, made = 0.0, []
    for not_done, took, least in attempts:
        now += took
        made.append(not_done)
        wait = retry.wait_after(now, not_done=not_done, least=least)
        longest = max(least, min(policy.backoff_max, policy.backoff_min * 2 ** (len(made) - 1)))
        may_go_on = len(made) < policy.attempts and (policy.idempotent or all(made))
        if wait is None:
            assert not may_go_on or (deadline is not None and now + longest >= deadline)
            break
        assert may_go_on
        assert max(least, 0.75 * policy.backoff_min) <= wait <= longest
        assert deadline is None or now + wait < deadline
        now += wait
        assert retry.attempts == len(made) + 1
    assert retry.may_be_done is not all(made)


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"attempts": 0}, "attempts: must be a whole number"),
        ({"backoff_min": 10}, "backoff_max (5) must not be less than backoff_min (10)"),
        ({"idempotent": "yes"}, "idempotent: must be true or false"),
        ({"attempt": 3}, 'did you mean "attempts"?'),
    ],
)
def test_wrong_settings_are_told(table, mistake):
    with pytest.raises(MistakesError) as raised:
        read_table(RetryPolicy, table, show_values=True)
    assert mistake in str(raised.value)
