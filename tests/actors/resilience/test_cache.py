"""Answers that are given again, and questions asked once for all who ask them together."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.resilience.cache import Asked, Cache, CachePolicy, Hit
from actors.settings import MistakesError, read_table

TTL = 10.0


def cache(**settings: int) -> Cache[str, str, str]:
    return Cache(CachePolicy(ttl=TTL, **settings))


def fill(kept: Cache[str, str, str], key: str, now: float = 0.0, size: int = 1) -> None:
    asked = kept.ask(key, "filler", now)
    assert isinstance(asked, Asked)
    kept.answered(asked.flight, f"answer to {key}", size, now)


def knows(kept: Cache[str, str, str], key: str, now: float = 0.0) -> bool:
    found = kept.ask(key, "asker", now)
    if isinstance(found, Hit):
        return True
    kept.leave(found.flight, "asker")
    return False


def test_settings_are_read_strictly():
    assert read_table(CachePolicy, {"ttl": "500ms", "max_entries": 2}).ttl == 0.5
    with pytest.raises(MistakesError, match="max_entries: must be a whole number, 1 or greater"):
        read_table(CachePolicy, {"ttl": 1, "max_entries": 0})
    with pytest.raises(MistakesError, match="ttl: is missing"):
        read_table(CachePolicy, {})


def test_an_answer_is_given_again_until_it_is_too_old():
    kept = cache()
    fill(kept, "a")
    assert kept.ask("a", "ann", 9.99) == Hit("answer to a")
    assert not knows(kept, "a", 10)
    assert (kept.state.hits, kept.state.misses) == (1, 2)


def test_what_is_under_way_is_asked_once_and_answers_all():
    kept = cache()
    first, second = kept.ask("a", "ann", 0), kept.ask("a", "bob", 1)
    assert isinstance(first, Asked)
    assert isinstance(second, Asked)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.flight is second.flight
    assert kept.answered(first.flight, "42", 2, 2) == ["ann", "bob"]
    assert (kept.state.hits, kept.state.misses) == (1, 1)


def test_a_failure_answers_all_and_is_not_kept():
    kept = cache()
    asked = kept.ask("a", "ann", 0)
    kept.ask("a", "bob", 0)
    assert isinstance(asked, Asked)
    assert kept.failed(asked.flight) == ["ann", "bob"]
    assert not knows(kept, "a")


def test_what_is_asked_goes_on_while_anybody_waits():
    kept = cache()
    asked = kept.ask("a", "ann", 0)
    kept.ask("a", "bob", 0)
    assert isinstance(asked, Asked)
    assert not kept.leave(asked.flight, "ann")
    assert kept.leave(asked.flight, "bob")
    again = kept.ask("a", "cat", 0)
    assert isinstance(again, Asked)
    assert again.is_new


def test_the_answer_that_was_not_asked_for_the_longest_makes_room():
    kept = cache(max_entries=2)
    fill(kept, "a")
    fill(kept, "b")
    assert knows(kept, "a")
    fill(kept, "c")
    assert not knows(kept, "b")
    assert knows(kept, "a")
    assert knows(kept, "c")


def test_answers_are_bounded_by_their_bytes():
    kept = cache(max_bytes=2000)
    fill(kept, "a", size=500)
    fill(kept, "b", size=500)
    assert kept.state.answers == 2
    fill(kept, "c", size=1500)
    assert kept.state.answers == 1
    fill(kept, "huge", size=3000)
    assert not knows(kept, "huge")
    assert knows(kept, "c")


def test_what_is_invalidated_is_asked_again():
    kept = cache()
    fill(kept, "a")
    fill(kept, "b")
    assert kept.invalidate(lambda key: key == "a") == 1
    assert not knows(kept, "a")
    assert knows(kept, "b")
    assert kept.invalidate() == 1
    assert (kept.state.answers, kept.state.size) == (0, 0)


def test_an_answer_that_comes_after_an_invalidation_is_only_for_who_had_asked_before():
    kept = cache()
    before = kept.ask("a", "ann", 0)
    kept.invalidate()
    after = kept.ask("a", "bob", 0)
    assert isinstance(before, Asked)
    assert isinstance(after, Asked)
    assert after.is_new
    assert kept.answered(before.flight, "old", 3, 1) == ["ann"]
    assert kept.state.answers == 0
    assert kept.answered(after.flight, "new", 3, 1) == ["bob"]
    assert kept.ask("a", "cat", 2) == Hit("new")


# ---- whatever happens ----------------------------------------------------------------------

KEYS = st.sampled_from("abcdef")
MOST_ENTRIES, MOST_BYTES = 3, 1500


class CacheMachine(RuleBasedStateMachine):
    """Beside a list of all answers that ever came."""

    @initialize()
    def begin(self) -> None:
        policy = CachePolicy(ttl=TTL, max_entries=MOST_ENTRIES, max_bytes=MOST_BYTES)
        self.kept: Cache[str, int, int] = Cache(policy)
        self.now = 0.0
        self.callers = 0
        self.world = 0
        """What every question is answered with; it changes with each invalidation."""
        self.flights: list[tuple[Asked[str, int], list[int], int]] = []
        self.answers: list[tuple[str, float, int]] = []
        """Key, when it came, and what it was."""
        self.asked = self.under_way = 0

    @rule(key=KEYS)
    def ask(self, key: str) -> None:
        self.callers += 1
        self.asked += 1
        found = self.kept.ask(key, self.callers, self.now)
        if isinstance(found, Hit):
            came = [(at, what) for k, at, what in self.answers if k == key]
            assert came, "an answer to what nobody answered"
            at, what = came[-1]
            assert self.now < at + TTL
            assert found.answer == what == self.world
        elif found.is_new:
            self.under_way += 1
            assert all(
                each.flight.key != key or seen != self.world for each, _, seen in self.flights
            )
            self.flights.append((found, [self.callers], self.world))
        else:
            [(_, callers, seen)] = [each for each in self.flights if each[0].flight is found.flight]
            assert seen == self.world, "joined a question from before an invalidation"
            callers.append(self.callers)

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), size=st.integers(0, 2000))
    def answer(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, len(self.flights) - 1))
        asked, callers, seen = self.flights.pop(index)
        assert self.kept.answered(asked.flight, seen, size, self.now) == callers
        if seen == self.world:
            self.answers.append((asked.flight.key, self.now, seen))

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.flights) - 1))
        asked, callers, _ = self.flights.pop(index)
        assert self.kept.failed(asked.flight) == callers

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.flights) - 1))
        asked, callers, _ = self.flights[index]
        caller = callers.pop(data.draw(st.integers(0, len(callers) - 1)))
        ended = self.kept.leave(asked.flight, caller)
        assert ended == (not callers)
        if ended:
            del self.flights[index]

    @rule()
    def invalidate(self) -> None:
        self.world += 1
        self.kept.invalidate()
        assert self.kept.state.answers == 0

    @rule(seconds=st.floats(0.0, 12.0))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def it_is_bounded_and_counts_all(self) -> None:
        if not hasattr(self, "kept"):
            return
        assert self.kept.state.answers <= MOST_ENTRIES
        assert 0 <= self.kept.state.size <= MOST_BYTES
        assert (self.kept.state.size == 0) == (self.kept.state.answers == 0)
        assert self.kept.state.misses == self.under_way
        assert self.kept.state.hits + self.kept.state.misses == self.asked


TestCache = CacheMachine.TestCase
