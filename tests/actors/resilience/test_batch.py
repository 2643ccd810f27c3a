"""What fits into one call, and when it goes. The clock is the test's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.resilience.batch import Batch, Filling


def test_it_is_full_by_count_or_by_bytes():
    filling = Filling(Batch(max_items=3, max_bytes=10, linger=1.0), since=5.0)
    assert filling.take(2, 4)
    assert filling.wait(5.0) == 1.0
    assert not filling.take(2, 0)
    assert not filling.take(1, 7)
    assert (filling.items, filling.size) == (2, 4)
    assert filling.take(1, 1)
    assert filling.wait(5.0) == 0.0


def test_it_lingers_from_its_first_item_on_and_no_longer():
    filling = Filling(Batch(linger=1.0), since=5.0)
    filling.take(1, 1)
    assert filling.wait(5.25) == 0.75
    filling.take(1, 1)
    assert filling.wait(5.75) == 0.25
    assert filling.wait(6.0) == 0.0
    assert filling.wait(100.0) == 0.0


def test_what_is_too_much_for_any_call_goes_alone():
    filling = Filling(Batch(max_items=3, max_bytes=10))
    assert filling.take(5, 50)
    assert not filling.take(1, 0)
    assert list(Batch(max_bytes=10).parts([4, 50, 4, 4, 4])) == [1, 1, 2, 1]


SIZES = st.lists(st.integers(0, 20), max_size=40)
BATCHES = st.builds(
    Batch, max_items=st.integers(1, 5), max_bytes=st.integers(1, 30), linger=st.just(0.0)
)


@given(BATCHES, SIZES)
def test_items_are_cut_as_if_each_call_were_filled_one_by_one(batch, sizes):
    calls: list[list[int]] = []
    for size in sizes:
        last = calls[-1] if calls else None
        if last is None or len(last) == batch.max_items or sum(last) + size > batch.max_bytes:
            calls.append([size])
        else:
            last.append(size)
    assert list(batch.parts(sizes)) == [len(call) for call in calls]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_items": 0}, "max_items"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"linger": -1}, "linger"),
        ({"linger": 61}, "60 at most"),
    ],
)
def test_a_mistake_is_told(wrong, said):
    with pytest.raises(ValueError, match=said):
        Batch(**wrong)
