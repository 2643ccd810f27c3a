"""Systems that lost one server together do not come back to it together."""

from __future__ import annotations

from random import Random

import attrs
import pytest

from actors.resilience.backoff import BackoffPolicy, backoff_delay
from supervisor.specs.policies import ReconnectPolicy

SYSTEMS = 50
SEEDS = range(20)


def first_after(outage: float, policy: BackoffPolicy, random: Random) -> float:
    """When a system is connected again, counted from when its server is back. It is tried at
    once after the loss, and then by the policy."""
    time, failures = 0.0, 1
    while time < outage:
        failures += 1
        time += backoff_delay(policy, failures, random)
    return time - outage


def comes_back(outage: float, policy: BackoffPolicy, seed: int) -> list[float]:
    random = Random(seed)
    return [first_after(outage, policy, random) for _ in range(SYSTEMS)]


def busiest(times: list[float], window: float) -> int:
    """The most that come within so many seconds."""
    return max(sum(start <= each < start + window for each in times) for start in times)


@pytest.mark.parametrize(
    ("outage", "most"),
    [(0.5, 22), (2.0, 16), (5.0, 10), (20.0, 6), (120.0, 6), (3600.0, 6)],
)
def test_of_fifty_systems_few_come_back_within_a_tenth_of_a_second(outage, most):
    peaks = [busiest(comes_back(outage, ReconnectPolicy(), seed), 0.1) for seed in SEEDS]
    assert max(peaks) <= most


@pytest.mark.parametrize("outage", [0.5, 2.0, 5.0, 20.0, 120.0])
def test_the_longer_it_was_gone_the_more_they_spread_and_none_waits_much_longer(outage):
    policy = ReconnectPolicy()
    for seed in SEEDS:
        times = comes_back(outage, policy, seed)
        longest = min(policy.backoff_max, 2 * outage + policy.backoff_min)
        assert max(times) <= longest
        assert max(times) - min(times) >= 0.4 * min(outage, policy.backoff_max)


def test_fewer_than_half_as_many_come_at_once_as_by_the_jitter_of_a_restart():
    weak = attrs.evolve(ReconnectPolicy(), jitter=BackoffPolicy().jitter)
    ours, theirs = (
        sum(busiest(comes_back(0.5, policy, seed), 0.1) for seed in SEEDS)
        for policy in (ReconnectPolicy(), weak)
    )
    assert ours * 2 <= theirs
