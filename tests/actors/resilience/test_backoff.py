"""How long to wait between attempts."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.resilience.backoff import BackoffPolicy, backoff_delay


class NoChance(Random):
    def random(self) -> float:
        return 0.0


NO_CHANCE = NoChance()


def test_a_wait_doubles_from_the_second_failure_on_up_to_its_limit():
    policy = BackoffPolicy(backoff_min=1, backoff_max=5)
    assert [policy.wait_after(failures) for failures in range(7)] == [0, 0, 1, 2, 4, 5, 5]
    assert policy.wait_after(10**9) == 5


def test_the_first_restart_is_at_once_and_the_next_ones_wait_longer():
    policy = BackoffPolicy(backoff_min=1, backoff_max=5)
    delays = [backoff_delay(policy, failures, NO_CHANCE) for failures in range(1, 7)]
    assert delays == [0.0, 1.0, 2.0, 4.0, 5.0, 5.0]


@given(
    st.integers(2, 10_000),
    st.floats(0.001, 10),
    st.floats(1, 100),
    st.floats(0, 1),
    st.integers(),
)
def test_backoff_stays_within_its_limits_less_what_chance_may_take(
    failures, least, factor, jitter, seed
):
    policy = BackoffPolicy(backoff_min=least, backoff_max=least * factor, jitter=jitter)
    delay = backoff_delay(policy, failures, Random(seed))
    assert (1 - jitter) * policy.wait_after(failures) <= delay <= policy.wait_after(failures)


def test_chance_takes_a_quarter_at_most_unless_told():
    delays = [backoff_delay(BackoffPolicy(), 2, Random(seed)) for seed in range(200)]
    assert 0.075 <= min(delays) < 0.08
    assert 0.095 < max(delays) <= 0.1


def test_without_jitter_there_is_no_chance():
    policy = BackoffPolicy(jitter=0)
    assert {backoff_delay(policy, 3, Random(seed)) for seed in range(9)} == {0.2}


def test_jitter_is_a_share():
    with pytest.raises(ValueError, match="jitter must be a number from 0 to 1"):
        BackoffPolicy(jitter=1.5)


def test_backoff_differs_by_chance_and_by_chance_only():
    policy = BackoffPolicy(backoff_min=1)
    delays = {backoff_delay(policy, 2, Random(seed)) for seed in range(50)}
    assert len(delays) == 50
    assert backoff_delay(policy, 2, Random(7)) == backoff_delay(policy, 2, Random(7))
