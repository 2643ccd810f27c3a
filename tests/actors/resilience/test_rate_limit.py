"""So many items a second and so many at once, against a bystander with a watch."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.resilience.rate_limit import Level, Overflow, RateLimit, Turn
from actors.settings import MistakesError, read_table
from tests.helpers.looking import long, quick

EXACT = 1e-6


def most_in_a_window(passes: list[tuple[float, int]], rate: float) -> float:
    """By how much any window has more items than drain meanwhile: the largest sum over windows
    of their items less ``rate`` times their length."""
    most = 0.0
    for first in range(len(passes)):
        items = 0
        for when, weight in passes[first:]:
            items += weight
            most = max(most, items - rate * (when - passes[first][0]))
    return most


def naively_allowed(passes: list[tuple[float, int]], now: float, weight: int, limit: RateLimit):
    """Whether no window that ends now would have too many."""
    return most_in_a_window([*passes, (now, weight)], limit.rate) <= limit.burst + EXACT


def test_a_burst_goes_at_once_and_the_rest_at_the_rate():
    limit = RateLimit(rate=10, burst=3)
    level, waits = Level(), []
    for _ in range(4):
        level, wait = limit.ask(level, 100.0)
        waits.append(wait)
    assert waits == [0.0, 0.0, 0.0, pytest.approx(0.1)]
    level, wait = limit.ask(level, 100.1)
    assert wait == 0.0
    level, wait = limit.ask(level, 100.1)
    assert wait == pytest.approx(0.1)


def test_after_a_quiet_time_there_is_no_more_than_a_burst():
    limit = RateLimit(rate=10, burst=2)
    level = Level()
    for _ in range(2):
        level, _ = limit.ask(level, 0.0)
    level, wait = limit.ask(level, 1e6)
    assert wait == 0.0
    level, wait = limit.ask(level, 1e6)
    assert wait == 0.0
    assert limit.ask(level, 1e6)[1] > 0


def test_who_waits_goes_before_who_comes_later():
    limit = RateLimit(rate=1, burst=1)
    level, _ = limit.ask(Level(), 0.0)
    level, first = limit.take_turn(level, 0.0)
    level, second = limit.take_turn(level, 0.5)
    assert (first.due, second.due) == (1.0, 2.0)
    level, wait = limit.ask(level, 1.0)
    assert wait == pytest.approx(2.0)
    level, wait = limit.go(level, 1.0, first)
    assert wait == 0.0


def test_who_goes_late_has_those_behind_him_wait():
    limit = RateLimit(rate=1, burst=1)
    level, _ = limit.ask(Level(), 0.0)
    level, first = limit.take_turn(level, 0.0)
    level, second = limit.take_turn(level, 0.0)
    level, _ = limit.go(level, 1.75, first)
    level, wait = limit.go(level, 2.0, second)
    assert wait == pytest.approx(0.75)


def test_a_turn_that_nobody_stands_behind_is_given_back():
    limit = RateLimit(rate=1, burst=1)
    level, _ = limit.ask(Level(), 0.0)
    level, turn = limit.take_turn(level, 0.0)
    level = limit.give_back(level, 0.5, turn)
    level, wait = limit.ask(level, 1.0)
    assert wait == 0.0


def test_a_turn_that_somebody_stands_behind_is_lost():
    limit = RateLimit(rate=1, burst=1)
    level, _ = limit.ask(Level(), 0.0)
    level, first = limit.take_turn(level, 0.0)
    level, second = limit.take_turn(level, 0.0)
    level = limit.give_back(level, 0.5, first)
    level, third = limit.take_turn(level, 0.5)
    assert (second.due, third.due) == (2.0, 3.0)


def test_what_another_clock_said_is_taken_as_said_now():
    limit = RateLimit(rate=1, burst=1)
    level, _ = limit.ask(Level(), 1e9)
    level, wait = limit.ask(level, 5.0)
    assert wait == pytest.approx(1.0)


def test_those_who_share_a_limit_and_do_not_agree_on_the_rate_count_the_same_items():
    slow, fast = RateLimit(rate=1, burst=2), RateLimit(rate=100, burst=2)
    level = Level()
    for _ in range(2):
        level, _ = slow.ask(level, 0.0)
    level, wait = fast.ask(level, 0.0)
    assert wait == pytest.approx(0.01)


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 5),
    gaps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=30),
)
def test_what_goes_is_what_a_naive_count_over_all_windows_allows(rate, burst, gaps):
    limit = RateLimit(rate=rate, burst=burst)
    level, now, passes = Level(), 0.0, []
    for gap, weight in gaps:
        now += gap / rate
        weight = min(weight, burst)
        level, wait = limit.ask(level, now, weight)
        excess = most_in_a_window([*passes, (now, weight)], rate) - burst
        if abs(excess) > EXACT:
            assert (wait == 0.0) == (excess < 0)
        if wait == 0.0:
            passes.append((now, weight))
        else:
            assert naively_allowed(passes, now + wait + EXACT / rate, weight, limit)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({}, "rate: is missing"),
        ({"rate": 0}, "rate: must be a finite number of items a second, more than 0, not 0"),
        ({"rate": math.inf}, "rate: must be a finite number"),
        ({"rate": 1, "burst": 0}, "burst: must be a whole number, 1 or greater, not 0"),
        ({"rate": 1, "shared": ""}, "shared: must be a name of 1 to 200 characters"),
        ({"rate": 1, "overflow": "drop"}, "overflow: must be one of wait, refuse, not 'drop'"),
        ({"rate": 1, "brust": 3}, "burst"),
    ],
)
def test_what_makes_no_sense_is_said_to_make_none(table: dict[str, Any], text: str):
    with pytest.raises(MistakesError, match=text):
        read_table(RateLimit, table, show_values=True)


def test_it_says_what_it_is():
    limit = read_table(RateLimit, {"rate": 10, "burst": 20, "shared": "gw", "overflow": "refuse"})
    assert limit == RateLimit(rate=10, burst=20, shared="gw", overflow=Overflow.REFUSE)
    assert str(limit) == "10 a second, 20 at once, shared as 'gw'"


# ---- those who share one, and are killed --------------------------------------------------


@attrs.define(eq=False)
class Sharer:
    """One of the processes: a call goes, or waits for its turn, or is killed."""

    turn: Turn | None = None
    due: float = math.inf
    asked: int = 0
    """Which of all it was to ask."""


class Sharing(RuleBasedStateMachine):
    """Several share one limit; each has one turn at a time; they are late, and get killed."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = RateLimit(rate=2.0, burst=3)
        self.level = Level()
        self.now = 0.0
        self.sharers = [Sharer() for _ in range(4)]
        self.passes: list[tuple[float, int]] = []
        self.order = itertools.count(1)
        self.killed = 0

    @rule(who=st.integers(0, 3), weight=st.integers(1, 3))
    def ask(self, who: int, weight: int) -> None:
        sharer = self.sharers[who]
        if sharer.turn is not None:
            return
        self.level, wait = self.limit.ask(self.level, self.now, weight)
        if wait == 0.0:
            self.passes.append((self.now, weight))
            return
        self.level, sharer.turn = self.limit.take_turn(self.level, self.now, weight)
        sharer.due, sharer.asked = sharer.turn.due, next(self.order)
        assert sharer.due >= max(each.turn.due for each in self.sharers if each.turn)

    @precondition(lambda self: any(each.turn for each in self.sharers))
    @rule(late=st.sampled_from((0.0, 0.0, 0.1, 1.0)))
    def the_next_goes(self, late: float) -> None:
        sharer = min((each for each in self.sharers if each.turn), key=lambda each: each.due)
        self.now = max(self.now, sharer.due) + late
        self.try_to_go(sharer)

    def try_to_go(self, sharer: Sharer) -> None:
        assert sharer.turn is not None
        self.level, wait = self.limit.go(self.level, self.now, sharer.turn)
        if wait:
            sharer.due = self.now + wait
            return
        self.passes.append((self.now, sharer.turn.weight))
        sharer.turn, sharer.due = None, math.inf

    @rule(who=st.integers(0, 3))
    def is_cut_off(self, who: int) -> None:
        sharer = self.sharers[who]
        if sharer.turn is not None:
            self.level = self.limit.give_back(self.level, self.now, sharer.turn)
            sharer.turn, sharer.due = None, math.inf

    @rule(who=st.integers(0, 3))
    def is_killed(self, who: int) -> None:
        self.sharers[who] = Sharer()

    @rule(seconds=st.sampled_from((0.01, 0.5, 3.0, 60.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_window_has_more_than_a_burst_and_what_drains(self) -> None:
        assert most_in_a_window(self.passes[-40:], self.limit.rate) <= self.limit.burst + EXACT

    def teardown(self) -> None:
        """All who wait go in the end, and then a burst may go."""
        waiting = [(each.due, number) for number, each in enumerate(self.sharers) if each.turn]
        heapq.heapify(waiting)
        for _ in range(100):
            if not waiting:
                break
            due, number = heapq.heappop(waiting)
            self.now = max(self.now, due)
            self.try_to_go(self.sharers[number])
            if self.sharers[number].turn is not None:
                heapq.heappush(waiting, (self.sharers[number].due, number))
        assert not any(each.turn for each in self.sharers)
        self.now += 100
        assert self.limit.ask(self.level, self.now, self.limit.burst)[1] == 0.0


TestSharing = pytest.mark.timeout(600)(Sharing.TestCase)
TestSharing.settings = quick(100, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestSharingForLong(Sharing.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
