"""Random histories of a circuit breaker, against one that notes everything and reads all its notes
each time it is asked anything."""

from __future__ import annotations

from random import Random

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.resilience.circuit_breaker import CircuitBreaker, CircuitBreakerPolicy, CircuitState

CLOSED, OPEN, HALF_OPEN = CircuitState
EIGHTHS = st.integers(1, 32).map(lambda number: number / 8)
"""Times that add up exactly."""


class NoChance(Random):
    def random(self) -> float:
        return 0.0


class Naive:
    """Its notes: (time, "begun" or what came of it, number of the call)."""

    def __init__(self, policy):
        self.policy = policy
        self.notes = []

    def may_begin(self, now):
        """Whether a call may be made now, which is noted then."""
        number = len(self.notes)
        state, probes, _ = self.read(now)
        made = state is CLOSED or (state is HALF_OPEN and len(probes) < self.policy.probes)
        self.notes.append((now, "begun" if made else "refused", number))
        return number if made else None

    def note(self, now, what, number):
        self.notes.append((now, what, number))

    def read(self, now):
        """The state, its probes that did not end in vain, and since when, from all notes."""
        state, since, openings = CLOSED, 0.0, 0
        began, results, probes = {}, [], {}
        era = 0

        def enter(new, at):
            nonlocal state, since, era, results, probes
            state, since, results, probes = new, at, [], {}
            era += 1

        def wait():
            return min(self.policy.backoff_max, self.policy.backoff_min * 2 ** (openings - 1))

        for time, what, number in [*self.notes, (now, "now", None)]:
            # What time does is only seen when somebody looks, at the time of a note.
            if state is OPEN and time >= since + wait():
                enter(HALF_OPEN, time)
            elif any(
                result is None and time >= began[each][0] + self.policy.probe_timeout
                for each, result in probes.items()
            ):
                openings += 1
                enter(OPEN, time)
            if what == "begun":
                began[number] = (time, era)
                if state is HALF_OPEN:
                    probes[number] = None
                continue
            if number not in began or began[number][1] != era:
                continue
            if state is CLOSED and what in ("succeeded", "failed"):
                results.append(what)
                last = results[-self.policy.window :]
                rate = last.count("failed") / len(last)
                enough = len(last) >= self.policy.min_calls
                if what == "failed" and enough and rate >= self.policy.failure_rate:
                    if time - since >= self.policy.backoff_max:
                        openings = 0
                    openings += 1
                    enter(OPEN, time)
            elif state is HALF_OPEN:
                if what == "failed":
                    openings += 1
                    enter(OPEN, time)
                elif what == "dropped":
                    del probes[number]
                else:
                    probes[number] = what
                    passed = [each for each in probes.values() if each == "succeeded"]
                    if len(passed) == self.policy.probes:
                        enter(CLOSED, time)
        return state, probes, since


class Histories(RuleBasedStateMachine):
    @initialize(
        window=st.integers(1, 5),
        share=st.sampled_from([0.25, 0.5, 0.75, 1]),
        probes=st.integers(1, 3),
        least=EIGHTHS,
        factor=st.integers(1, 8),
        probe_timeout=EIGHTHS,
        data=st.data(),
    )
    def begin(self, window, share, probes, least, factor, probe_timeout, data):
        self.policy = CircuitBreakerPolicy(
            window=window,
            min_calls=data.draw(st.integers(1, window)),
            failure_rate=share,
            probes=probes,
            backoff_min=least,
            backoff_max=least * factor,
            probe_timeout=probe_timeout,
        )
        self.now = 0.0
        self.changes = []
        self.breaker = CircuitBreaker(self.policy, NoChance(), on_change=self.changes.append)
        self.naive = Naive(self.policy)
        self.open = {}

    @rule()
    def call(self):
        permit = self.breaker.begin(self.now)
        number = self.naive.may_begin(self.now)
        assert (permit is None) == (number is None)
        if permit is not None:
            self.open[number] = permit

    @precondition(lambda self: self.open)
    @rule(what=st.sampled_from(["succeeded", "failed", "failed", "dropped"]), data=st.data())
    def end(self, what, data):
        number = data.draw(st.sampled_from(sorted(self.open)))
        getattr(self.breaker, what)(self.open.pop(number), self.now)
        self.naive.note(self.now, what, number)

    @rule(seconds=EIGHTHS)
    def wait(self, seconds):
        self.now += seconds
        self.breaker.look(self.now)
        self.naive.note(self.now, "looked", None)

    @rule()
    def wait_until_something_is_due(self):
        due = self.breaker.next_due()
        if due is not None:
            before = len(self.changes)
            self.now = max(self.now, due)
            self.breaker.look(self.now)
            self.naive.note(self.now, "looked", None)
            assert len(self.changes) > before

    @rule()
    def hand_it_on(self):
        """Another process goes on; what was under way in this one is nobody's."""
        if self.breaker.circuit.probing:
            return
        past = self.breaker.circuit
        passed = sum(each == "succeeded" for each in self.naive.read(self.now)[1].values())
        if passed:
            return
        self.breaker = CircuitBreaker(
            self.policy, NoChance(), past, self.now, on_change=self.changes.append
        )
        assert self.breaker.circuit == past
        for number in self.open:
            self.naive.note(self.now, "dropped", number)
        self.open.clear()

    @invariant()
    def both_are_in_the_same_state(self):
        if not hasattr(self, "breaker"):
            return
        state, probes, since = self.naive.read(self.now)
        circuit = self.breaker.circuit
        assert (circuit.state, circuit.since) == (state, since)
        assert circuit.probing == sum(result is None for result in probes.values())
        if self.changes:
            assert self.changes[-1].state is state

    @invariant()
    def it_never_sticks(self):
        """When nobody says anything any more, some call is made after a bounded time."""
        if not hasattr(self, "breaker"):
            return
        if self.breaker.circuit.state is CLOSED:
            return
        due = self.breaker.next_due()
        longest = max(self.policy.backoff_max, self.policy.probe_timeout)
        if due is None:
            assert self.breaker.circuit.state is HALF_OPEN
            assert self.breaker.circuit.probing == 0
        else:
            assert due <= self.now + longest


TestHistories = Histories.TestCase
