"""What may be on its way to an actor that takes nothing, and what goes together."""

from collections import deque

import attrs

from actors.messages import Forget
from actors.messages.deliveries import Deliveries
from actors.messages.limits import DELIVERY_BYTES, DELIVERY_ITEMS, UNHEARD, WINDOW


@attrs.define(eq=False)
class Each:
    weight: int = 1
    size: int = 0


def test_they_are_counted_from_what_was_taken_before():
    deliveries = Deliveries(3)
    assert deliveries.are_taken
    deliveries.begin(deque([Each()]))
    assert deliveries.number == 4
    assert not deliveries.are_taken
    deliveries.heard(4)
    assert deliveries.are_taken


def test_only_so_many_go_before_any_is_taken():
    deliveries = Deliveries()
    for _ in range(WINDOW):
        assert deliveries.may_go_on
        deliveries.begin(deque([Each()]))
    assert not deliveries.may_go_on
    deliveries.heard()
    assert not deliveries.may_go_on
    deliveries.heard(1)
    assert deliveries.may_go_on


def test_what_was_heard_of_late_takes_nothing_back():
    deliveries = Deliveries(2)
    deliveries.heard(1)
    assert deliveries.taken == 2


def test_one_ends_with_what_reaches_its_items_or_its_bytes():
    many, small = Each(weight=DELIVERY_ITEMS - 1), Each()
    queue = deque([many, small, Each(size=DELIVERY_BYTES - 1), Each(size=1), Each()])
    sizes = []
    while queue:
        sizes.append(len(Deliveries().begin(queue)))
    assert sizes == [2, 2, 1]


def test_one_ends_before_what_may_not_go():
    stays = Each()
    queue = deque([Each(), stays, Each()])
    assert len(Deliveries().begin(queue, lambda each: each is not stays)) == 1
    assert queue[0] is stays


def test_all_that_nobody_waits_for_is_said_at_once():
    deliveries = Deliveries()
    assert deliveries.forgetting() is None
    deliveries.forget(1)
    deliveries.forget(2)
    assert deliveries.to_forget
    assert deliveries.forgetting() == Forget((1, 2))
    assert not deliveries.to_forget
    assert deliveries.forgetting() is None


def test_who_says_nothing_is_told_to_forget_so_often_only():
    deliveries = Deliveries()
    for ref in range(UNHEARD):
        deliveries.forget(ref)
        assert deliveries.forgetting() == Forget((ref,))
    deliveries.forget(100)
    assert deliveries.forgetting() is None
    deliveries.forget(101)
    deliveries.heard()
    assert deliveries.forgetting() == Forget((100, 101))
