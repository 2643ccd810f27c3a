"""How long to wait between attempts."""

from __future__ import annotations

from random import Random

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


@given(st.integers(2, 10_000), st.floats(0.001, 10), st.floats(1, 100), st.integers())
def test_backoff_stays_within_its_limits_less_a_quarter(failures, least, factor, seed):
    policy = BackoffPolicy(backoff_min=least, backoff_max=least * factor)
    delay = backoff_delay(policy, failures, Random(seed))
    assert 0.75 * policy.backoff_min <= delay <= policy.backoff_max


def test_backoff_differs_by_chance_and_by_chance_only():
    policy = BackoffPolicy(backoff_min=1)
    delays = {backoff_delay(policy, 2, Random(seed)) for seed in range(50)}
    assert len(delays) == 50
    assert backoff_delay(policy, 2, Random(7)) == backoff_delay(policy, 2, Random(7))
