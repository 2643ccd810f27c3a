"""So many at a time, so many in line, in order: against a naive list of all who came."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from actors.resilience.bulkhead import Bulkhead, Compartment
from actors.settings import MistakesError, read_table


def test_one_is_let_in_for_each_that_leaves_in_the_order_of_coming():
    compartment = Compartment(Bulkhead(concurrent=2, queue=2))
    assert [compartment.enter(who, 0.0) for who in "abcd"] == [True, True, False, False]
    assert compartment.is_full
    assert compartment.leave("b", 1.0) == ["c"]
    assert compartment.leave("a", 1.0) == ["d"]
    assert compartment.leave("c", 1.0) == []


def test_who_leaves_the_line_lets_nobody_in():
    compartment = Compartment(Bulkhead(concurrent=1))
    for who in "abc":
        compartment.enter(who, 0.0)
    assert compartment.leave("b", 1.0) == []
    assert compartment.leave("a", 2.0) == ["c"]


def test_it_tells_how_long_the_line_is_and_for_how_long_it_may_be():
    compartment = Compartment(Bulkhead(concurrent=2, queue=5))
    assert (compartment.waited(5.0), compartment.next_place(5.0)) == (0.0, 0.0)
    for number, who in enumerate("abcd"):
        compartment.enter(who, float(number))
    assert (compartment.waiting, compartment.waited(10.0)) == (2, 8.0)
    assert compartment.next_place(10.0) == 5.0  # a has been in for ten
    compartment.leave("a", 20.0)
    assert compartment.next_place(20.0) == 10.0
    compartment.leave("b", 21.0)
    assert compartment.next_place(21.0) == 10.0


def test_without_a_line_one_too_many_is_one_too_many():
    compartment = Compartment(Bulkhead(concurrent=1, queue=0))
    assert not compartment.is_full
    assert compartment.enter("a", 0.0)
    assert compartment.is_full


@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.one_of(st.none(), st.integers(0, 100)), max_size=60),
)
def test_it_is_the_first_so_many_of_a_list_of_all_who_came(concurrent, queue, steps):
    compartment = Compartment(Bulkhead(concurrent=concurrent, queue=queue))
    naive, inside, came = [], set(), 0
    for now, step in enumerate(steps):
        assert compartment.is_full == (len(naive) >= concurrent + queue)
        if step is None:
            if compartment.is_full:
                continue
            came += 1
            naive.append(came)
            if compartment.enter(came, float(now)):
                inside.add(came)
        elif naive:
            gone = naive.pop(step % len(naive))
            inside.discard(gone)
            inside.update(compartment.leave(gone, float(now)))
        assert inside == set(naive[:concurrent])
        assert compartment.waiting == len(naive[concurrent:])
        assert compartment.next_place(float(now)) >= 0


@pytest.mark.parametrize("table", [{}, {"concurrent": 0}, {"concurrent": 1, "queue": -1}])
def test_what_makes_no_sense_is_refused(table):
    with pytest.raises(MistakesError):
        read_table(Bulkhead, table)
