"""When requests run out, against the naive way: look at all of them."""

import math

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from supervisor.timing.deadlines import Deadlines

ids = st.integers(0, 20)


class DeadlinesMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.deadlines, self.naive, self.now = Deadlines(), {}, 0.0

    @rule(request=ids, seconds=st.integers(0, 50) | st.just(math.inf))
    def set(self, request, seconds):
        self.deadlines.set(request, self.now + seconds)
        self.naive[request] = self.now + seconds

    @rule(request=ids)
    def drop(self, request):
        self.deadlines.drop(request)
        self.naive.pop(request, None)

    @rule(seconds=st.integers(0, 30))
    def look(self, seconds):
        self.now += seconds
        ran_out = list(self.deadlines.due(self.now))
        expected = {each: when for each, when in self.naive.items() if when <= self.now}
        assert sorted(ran_out) == sorted(expected)
        assert [expected[each] for each in ran_out] == sorted(expected.values())
        for each in expected:
            del self.naive[each]

    @invariant()
    def nothing_is_looked_at_too_late(self):
        first = min(self.naive.values(), default=math.inf)
        due = self.deadlines.next_due()
        assert (math.inf if due is None else due) <= first


TestDeadlines = DeadlinesMachine.TestCase


@given(st.integers(1, 2000))
def test_what_was_dropped_takes_no_room_for_long(count):
    deadlines = Deadlines()
    for request in range(count):
        deadlines.set(request, 30.0)
        deadlines.drop(request)
    assert len(deadlines._heap) < 100


def test_a_request_that_is_given_more_time_runs_out_later_and_not_never():
    deadlines = Deadlines()
    deadlines.set(1, 10.0)
    deadlines.set(1, 20.0)
    assert list(deadlines.due(10.0)) == []
    assert list(deadlines.due(20.0)) == [1]


def test_a_request_that_is_given_endless_time_is_looked_at_no_more():
    deadlines = Deadlines()
    deadlines.set(1, 10.0)
    deadlines.set(1, math.inf)
    assert list(deadlines.due(10.0)) == []
    assert deadlines.next_due() is None


def test_a_request_whose_time_is_set_again_and_again_takes_the_room_of_one():
    deadlines = Deadlines()
    for number in range(1000):
        deadlines.set(1, 30.0 + number // 2)
    assert len(deadlines._heap) < 100


def test_what_is_not_answered_runs_out_in_order_after_many_others_were():
    deadlines = Deadlines()
    deadlines.set(0, math.inf)
    for request, deadline in ((1, 300.0), (2, 100.0), (3, 200.0)):
        deadlines.set(request, deadline)
    for request in range(10, 1000):
        deadlines.set(request, 30.0)
    for request in range(10, 1000):
        deadlines.drop(request)
    assert list(deadlines.due(250.0)) == [2, 3]
    assert list(deadlines.due(1e9)) == [1]
    assert deadlines.next_due() is None
