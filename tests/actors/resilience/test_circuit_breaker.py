"""When a circuit breaker opens, what it lets through then, and that it never sticks."""

from __future__ import annotations

from random import Random

import pytest

from actors.resilience.circuit_breaker import (
    Circuit,
    CircuitBreaker,
    CircuitBreakerPolicy,
    CircuitState,
)
from actors.settings import MistakesError, read_table

CLOSED, OPEN, HALF_OPEN = CircuitState


class NoChance(Random):
    def random(self) -> float:
        return 0.0


class Play:
    """A breaker and its clock."""

    def __init__(self, past=None, now=0.0, **settings):
        self.now = now
        self.changes = []
        policy = CircuitBreakerPolicy(**{"window": 4, "min_calls": 2, **settings})
        self.breaker = CircuitBreaker(policy, NoChance(), past, now, self.changes.append)

    @property
    def state(self):
        return self.breaker.circuit.state

    def begin(self):
        return self.breaker.begin(self.now)

    def call(self, failed=False, why="no answer"):
        """A call that ends at once; whether it was made."""
        permit = self.begin()
        if permit is None:
            return False
        if failed:
            self.breaker.failed(permit, self.now, why)
        else:
            self.breaker.succeeded(permit, self.now)
        return True

    def open(self):
        """Have it opened; the seconds it is open for."""
        while self.state is not OPEN:
            self.call(failed=True)
        return self.breaker.retry_after(self.now)

    def half_open(self):
        self.now += self.open()


def test_it_opens_when_the_share_of_failures_is_reached_and_not_before_enough_calls_are_known():
    play = Play(window=10, min_calls=4, failure_rate=0.5)
    play.call(failed=True)
    play.call(failed=True)
    play.call()
    assert play.state is CLOSED
    play.call(failed=True)
    assert play.state is OPEN
    assert play.breaker.circuit.why == "3 of the last 4 calls failed, the last: no answer"


def test_only_the_last_calls_count():
    play = Play(window=4, min_calls=4, failure_rate=1)
    for failed in (True, True, True, False, True, True, True):
        play.call(failed)
    assert play.state is CLOSED
    play.call(failed=True)
    assert play.state is OPEN


def test_a_success_never_opens_it():
    play = Play(min_calls=2, failure_rate=0.5)
    play.call(failed=True)
    play.call()
    assert play.state is CLOSED


def test_an_open_one_refuses_and_says_why_and_until_when():
    play = Play(backoff_min=2)
    play.open()
    assert play.begin() is None
    play.now += 0.5
    assert play.begin() is None
    assert play.breaker.retry_after(play.now) == 1.5
    assert play.breaker.refusal(play.now) == (
        "the circuit breaker is open: 2 of the last 2 calls failed, the last: no answer; "
        "it tries again in 1.5 s"
    )


def test_a_half_open_one_lets_its_probes_through_and_no_more():
    play = Play(probes=2, probe_timeout=3)
    play.half_open()
    first, second = play.begin(), play.begin()
    assert first.is_probe
    assert second.is_probe
    assert play.begin() is None
    assert "half-open, and its probes are under way, for 3 s at most" in play.breaker.refusal(
        play.now
    )
    play.breaker.succeeded(first, play.now)
    assert play.state is HALF_OPEN
    assert play.begin() is None  # one has passed, and one is under way
    play.breaker.succeeded(second, play.now)
    assert play.state is CLOSED


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_limit():
    play = Play(backoff_min=1, backoff_max=5)
    waits = [play.open()]
    for _ in range(4):
        play.now += waits[-1]
        play.call(failed=True)
        waits.append(play.breaker.retry_after(play.now))
    assert waits == [1, 2, 4, 5, 5]
    assert play.breaker.circuit.why == "a probe failed: no answer"


def test_chance_shortens_the_wait_by_a_quarter_at_most():
    waits = set()
    for seed in range(50):
        breaker = CircuitBreaker(CircuitBreakerPolicy(window=1, backoff_min=8), Random(seed))
        breaker.failed(breaker.begin(0), 0)
        waits.add(breaker.retry_after(0))
    assert len(waits) == 50
    assert min(waits) >= 6
    assert max(waits) <= 8


def test_it_opens_for_longer_until_it_was_closed_for_a_while():
    play = Play(backoff_min=1, backoff_max=100)
    play.half_open()
    play.call()
    assert play.state is CLOSED
    assert play.open() == 2  # soon again
    play.now += 2
    play.call()
    play.now += 100
    assert play.open() == 1


def test_a_probe_that_does_not_end_has_failed():
    play = Play(probe_timeout=3, backoff_min=1)
    play.half_open()
    permit = play.begin()
    assert play.breaker.next_due() == play.now + 3
    play.now += 3
    play.breaker.look(play.now)
    assert play.state is OPEN
    assert play.breaker.circuit.why == "a probe did not end within 3 s"
    play.breaker.succeeded(permit, play.now)  # too late
    assert play.state is OPEN
    play.now += 2
    assert play.call()
    assert play.state is CLOSED


def test_a_probe_that_succeeds_too_late_has_failed_whether_or_not_anybody_has_looked():
    play = Play(probe_timeout=3)
    play.half_open()
    permit = play.begin()
    play.now += 3
    play.breaker.succeeded(permit, play.now)
    assert play.state is OPEN


def test_a_half_open_one_without_a_probe_has_nothing_to_wait_for():
    play = Play()
    play.half_open()
    play.breaker.look(play.now)
    assert play.breaker.next_due() is None
    assert play.breaker.retry_after(play.now) == 0
    assert play.breaker.circuit.retry_at == 0


def test_a_probe_that_says_nothing_leaves_its_place_to_the_next_call():
    play = Play()
    play.half_open()
    for _ in range(5):
        permit = play.begin()
        assert play.begin() is None
        play.breaker.dropped(permit, play.now)
    assert play.state is HALF_OPEN
    assert play.call()
    assert play.state is CLOSED


def test_what_began_before_the_last_change_says_nothing():
    play = Play()
    early = [play.begin() for _ in range(3)]
    play.half_open()
    probe = play.begin()
    play.breaker.succeeded(early[0], play.now)
    play.breaker.failed(early[1], play.now)
    assert play.state is HALF_OPEN
    play.breaker.succeeded(probe, play.now)
    play.breaker.failed(early[2], play.now)
    play.breaker.failed(probe, play.now)
    assert play.breaker.circuit.failed == ()


def test_a_probe_that_ends_twice_counts_once():
    play = Play(probes=2)
    play.half_open()
    probe = play.begin()
    play.breaker.succeeded(probe, play.now)
    play.breaker.succeeded(probe, play.now)
    assert play.state is HALF_OPEN


def test_each_change_is_told_once_in_order():
    play = Play()
    play.half_open()
    play.call(failed=True)
    play.half_open()
    play.call()
    states = [circuit.state for circuit in play.changes]
    assert states == [OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]


# ---- from one breaker to the next -------------------------------------------------------------


def test_the_next_one_is_open_for_as_long_as_the_one_before():
    play = Play(backoff_min=4)
    play.open()
    after = Play(play.breaker.circuit, play.now + 1, backoff_min=4)
    assert after.state is OPEN
    assert after.changes == []
    assert after.breaker.retry_after(after.now) == 3
    assert not after.call()
    after.now += 3
    after.call(failed=True)
    assert after.breaker.retry_after(after.now) == 8


def test_the_next_one_knows_the_last_calls():
    play = Play(min_calls=3, window=3, failure_rate=1)
    play.call(failed=True)
    play.call(failed=True)
    after = Play(play.breaker.circuit, 1.0, min_calls=3, window=3, failure_rate=1)
    after.call(failed=True)
    assert after.state is OPEN


def test_a_probe_that_was_under_way_at_the_end_has_failed():
    play = Play(backoff_min=1)
    play.half_open()
    play.begin()
    after = Play(play.breaker.circuit, play.now)
    assert after.state is OPEN
    assert [circuit.state for circuit in after.changes] == [OPEN]
    assert after.breaker.circuit.why == "the process ended while a probe was under way"
    assert after.breaker.retry_after(after.now) == 2


def test_a_half_open_one_without_a_probe_goes_on_half_open():
    play = Play()
    play.half_open()
    play.breaker.look(play.now)
    after = Play(play.breaker.circuit, play.now)
    assert after.state is HALF_OPEN
    assert after.call()
    assert after.state is CLOSED


def test_the_next_one_may_have_other_settings():
    past = Circuit(state=OPEN, since=0.0, why="it was down", retry_at=1000.0, openings=9)
    after = Play(past, 0.0, backoff_min=1, backoff_max=2)
    assert after.breaker.retry_after(0.0) == 2
    many = Circuit(failed=(True,) * 10)
    assert Play(many, 0.0, window=3).breaker.circuit.failed == (True,) * 3


# ---- settings -----------------------------------------------------------------------------------


def test_a_small_window_needs_few_calls():
    assert CircuitBreakerPolicy(window=5).min_calls == 5
    assert CircuitBreakerPolicy(window=50).min_calls == 10


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"failure_rate": 0}, "failure_rate: must be a number above 0, 1 at most"),
        ({"failure_rate": 1.5}, "failure_rate: must be a number above 0, 1 at most"),
        ({"window": 3, "min_calls": 4}, "min_calls (4) must not be more than window (3)"),
        ({"backoff_min": "2m"}, "backoff_max (60) must not be less than backoff_min (120)"),
        ({"probes": 0}, "probes: must be a whole number"),
        ({"probe_timeout": 0}, "probe_timeout: must be a finite number of seconds"),
        ({"windows": 3}, 'did you mean "window"?'),
    ],
)
def test_wrong_settings_are_told(table, mistake):
    with pytest.raises(MistakesError) as raised:
        read_table(CircuitBreakerPolicy, table, show_values=True)
    assert mistake in str(raised.value)


def test_durations_may_be_written_with_a_unit():
    policy = read_table(CircuitBreakerPolicy, {"backoff_min": "500ms", "probe_timeout": "1m"})
    assert (policy.backoff_min, policy.probe_timeout) == (0.5, 60)
