"""Several addresses of one system are tried one after the other."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.resilience.endpoints import EndpointOrder, Endpoints

PLACES = st.lists(st.text(max_size=3), min_size=1, max_size=6, unique=True)


def test_they_are_tried_in_their_order_and_then_from_the_first():
    endpoints = Endpoints(("a", "b", "c"), EndpointOrder.IN_ORDER, Random(1))
    tried = []
    for _ in range(7):
        tried.append(endpoints.current)
        endpoints.advance()
    assert tried == list("abcabca")


def test_one_that_works_is_kept():
    endpoints = Endpoints(("a", "b"), EndpointOrder.IN_ORDER, Random(1))
    endpoints.advance()
    assert [endpoints.current for _ in range(3)] == ["b"] * 3


@given(PLACES, st.sampled_from(EndpointOrder), st.integers(), st.integers(0, 40))
def test_in_each_round_each_is_tried_once(places, order, seed, before):
    endpoints = Endpoints(places, order, Random(seed))
    for _ in range(before):
        endpoints.advance()
    tried = []
    for _ in places:
        tried.append(endpoints.current)
        endpoints.advance()
    assert sorted(tried) == sorted(places)


def test_systems_that_shuffle_begin_at_different_ones():
    random = Random(7)
    begun = Counter(Endpoints("abc", EndpointOrder.SHUFFLED, random).current for _ in range(300))
    assert min(begun[each] for each in "abc") > 70


def test_there_is_at_least_one():
    with pytest.raises(ValueError, match="needs an endpoint"):
        Endpoints((), EndpointOrder.IN_ORDER, Random(1))
