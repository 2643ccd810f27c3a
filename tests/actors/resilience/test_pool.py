"""What a pool decides, one case at a time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actors.resilience.pool import AT_ONCE, CHECK_AFTER, Pool
from actors.resilience.pool_actions import Check, Close, GoDown, Lend, Open, PoolState, Shed
from actors.resilience.pool_policy import PoolPolicy
from actors.settings import MistakesError, read_table


class NoChance(Random):
    def random(self) -> float:
        return 0.0


def pool_of(size: int = 2, **fields: Any) -> Pool:
    """A pool whose first connection stands since 0."""
    pool = Pool(PoolPolicy(size=size, **fields), NoChance())
    pool.open(0.0)
    assert pool.take_actions() == [Open(0)]
    pool.opened(0, 0.0)
    assert pool.take_actions() == []
    return pool


def shown(state: PoolState) -> tuple[int, int, int, int]:
    return state.open, state.idle, state.borrowed, state.waiting


# ---- lending ------------------------------------------------------------------------------------


def test_a_free_connection_is_lent_and_another_is_opened_only_when_it_is_needed() -> None:
    pool = pool_of()
    pool.ask("ann", 0.1)
    assert pool.take_actions() == [Lend(0, "ann")]
    pool.ask("bob", 0.2)
    assert pool.take_actions() == [Open(1)]
    assert shown(pool.state()) == (1, 0, 1, 1)
    pool.opened(1, 0.3)
    assert pool.take_actions() == [Lend(1, "bob")]
    assert shown(pool.state()) == (2, 0, 2, 0)


def test_what_comes_free_goes_to_who_asked_first() -> None:
    pool = pool_of(1)
    for time, who in enumerate(["ann", "bob", "cyd"]):
        pool.ask(who, time / 10)
    assert pool.take_actions() == [Lend(0, "ann")]
    pool.give_back(0, 0.4)
    assert pool.take_actions() == [Lend(0, "bob")]
    pool.leave("cyd", 0.5)
    pool.give_back(0, 0.6)
    assert pool.take_actions() == []


def test_the_connection_that_was_used_last_is_lent_so_that_the_others_fall_idle() -> None:
    pool = pool_of()
    pool.ask("ann", 0.0)
    pool.ask("bob", 0.0)
    pool.opened(1, 0.1)
    pool.give_back(1, 0.2)
    pool.give_back(0, 0.3)
    pool.take_actions()
    pool.ask("cyd", 0.4)
    assert pool.take_actions() == [Lend(0, "cyd")]


def test_a_connection_that_was_idle_is_checked_before_it_is_lent() -> None:
    pool = pool_of()
    pool.ask("ann", CHECK_AFTER)
    assert pool.take_actions() == [Check(0)]
    pool.checked(0, True, CHECK_AFTER + 0.1)
    assert pool.take_actions() == [Lend(0, "ann")]


def test_one_that_does_not_pass_is_closed_and_another_takes_its_place() -> None:
    pool = pool_of()
    pool.ask("ann", 10.0)
    pool.take_actions()
    pool.checked(0, False, 10.1)
    assert pool.take_actions() == [Close(0, "it did not pass its check"), Open(1)]
    pool.opened(1, 10.2)
    assert pool.take_actions() == [Lend(1, "ann")]
    assert pool.state().lost == 1
    assert pool.is_up


def test_those_that_share_have_the_connection_with_the_fewest_and_one_more_is_opened() -> None:
    pool = pool_of()
    pool.ask(1, 0.0, shared=True)
    assert pool.take_actions() == [Lend(0, 1)]
    pool.ask(2, 0.0, shared=True)
    assert pool.take_actions() == [Lend(0, 2), Open(1)]
    pool.opened(1, 0.1)
    pool.ask(3, 0.1, shared=True)
    pool.ask(4, 0.1, shared=True)
    assert pool.take_actions() == [Lend(1, 3), Lend(1, 4)]
    pool.ask("send", 0.2)
    assert pool.take_actions() == [Lend(1, "send")]
    pool.ask(5, 0.2, shared=True)
    assert pool.take_actions() == [Lend(0, 5)]


# ---- shedding -----------------------------------------------------------------------------------


def test_who_waits_too_long_is_refused_with_a_hint_when_one_may_be_free() -> None:
    pool = pool_of(1, overflow_wait=2.0)
    pool.ask("ann", 0.0)
    pool.give_back(0, 0.4)  # a use takes 0.4 s
    for who in ("bob", "cyd", "dan"):
        pool.ask(who, 0.4)
    pool.take_actions()
    assert pool.due() == pytest.approx(2.4)
    pool.give_back(0, 0.8)
    assert pool.take_actions() == [Lend(0, "cyd")]
    pool.tick(2.3)
    assert pool.take_actions() == []
    pool.tick(2.5)
    [shed] = pool.take_actions()
    assert isinstance(shed, Shed)
    assert shed.ticket == "dan"
    assert shed.waited == pytest.approx(2.1)
    assert shed.retry_after == pytest.approx(1.7)  # as long as the use lasts already
    assert pool.state().refused == 1


# ---- closing ------------------------------------------------------------------------------------


def test_what_is_not_needed_for_long_is_closed_but_for_the_last() -> None:
    pool = pool_of(3, max_idle=10.0)
    for who in range(3):
        pool.ask(who, 0.0)
    for slot in (1, 2):
        pool.opened(slot, 0.0)
    for slot in range(3):
        pool.give_back(slot, float(slot))
    pool.take_actions()
    assert pool.due() == 10.0
    pool.tick(12.0)
    idle = "max_idle is over"
    assert pool.take_actions() == [Close(0, idle), Close(1, idle)]
    pool.closed(0, 12.0)
    pool.closed(1, 12.0)
    assert pool.due() is None
    pool.tick(1e6)
    assert pool.take_actions() == []
    assert pool.is_up


def test_an_old_connection_is_closed_when_it_is_given_back_and_not_before() -> None:
    pool = pool_of(2, max_lifetime=10.0)
    pool.ask("ann", 0.1)
    pool.ask("bob", 0.1)
    pool.opened(1, 0.1)
    pool.take_actions()
    pool.tick(20.0)
    assert pool.take_actions() == []
    pool.give_back(0, 20.0)
    assert pool.take_actions() == [Close(0, "max_lifetime is over")]


def test_the_last_one_is_replaced_before_it_is_closed_for_its_age() -> None:
    pool = pool_of(2, max_lifetime=10.0)
    pool.tick(10.0)
    assert pool.take_actions() == [Open(1)]
    pool.opened(1, 10.1)
    assert pool.take_actions() == [Close(0, "max_lifetime is over")]


def test_of_two_that_are_too_old_at_once_the_second_waits_for_one_to_take_its_place() -> None:
    pool = pool_of(2, max_lifetime=10.0)
    pool.ask("ann", 0.0)
    pool.ask("bob", 0.0)
    pool.opened(1, 0.0)
    pool.give_back(0, 0.1)
    pool.give_back(1, 0.2)
    pool.take_actions()
    pool.tick(10.0)
    assert pool.take_actions() == [Close(0, "max_lifetime is over")]
    pool.tick(11.0)
    assert pool.take_actions() == []
    pool.closed(0, 11.0)
    assert pool.take_actions() == [Open(0)]
    pool.opened(0, 11.1)
    assert pool.take_actions() == [Close(1, "max_lifetime is over")]


def test_nothing_is_due_again_and_again_while_what_is_needed_is_on_its_way() -> None:
    pool = pool_of(3, overflow_wait=5.0)
    pool.ask("ann", 1.0)
    assert pool.take_actions() == [Check(0)]
    assert pool.due() == 6.0


def test_a_pool_of_one_closes_it_and_opens_it_again_and_stays_up() -> None:
    pool = pool_of(1, max_lifetime=10.0)
    pool.tick(10.0)
    assert pool.take_actions() == [Close(0, "max_lifetime is over")]
    assert pool.is_up
    pool.closed(0, 10.1)
    assert pool.take_actions() == [Open(0)]
    pool.opened(0, 10.2)
    assert pool.is_up


def test_lifetimes_differ_by_chance() -> None:
    ends = set()
    for seed in range(20):
        pool = Pool(PoolPolicy(size=2, max_lifetime=100.0), Random(seed))
        pool.open(0.0)
        pool.opened(0, 0.0)
        due = pool.due()
        assert due is not None
        assert 90.0 <= due <= 100.0
        ends.add(due)
    assert len(ends) == 20


def test_all_are_closed_and_who_waited_is_named() -> None:
    pool = pool_of(2)
    for who in ("ann", "bob", "cyd"):
        pool.ask(who, 0.0)
    pool.opened(1, 0.0)
    pool.give_back(0, 0.1)
    pool.give_back(0, 0.2)
    pool.take_actions()
    pool.ask("dan", 0.2)
    pool.ask("eve", 0.2)
    assert pool.close(0.3) == ("eve",)
    assert pool.take_actions() == [Lend(0, "dan")]
    pool.give_back(1, 0.4)
    pool.give_back(0, 0.5)
    down = "the system disconnects"
    assert pool.take_actions() == [Close(1, down), Close(0, down)]
    pool.closed(0, 0.6)
    assert (pool.is_shut(0), pool.is_shut(1)) == (True, False)
    pool.closed(1, 0.6)
    assert pool.is_shut(1)


# ---- losses -------------------------------------------------------------------------------------


def test_a_loss_is_counted_and_the_others_go_on() -> None:
    pool = pool_of(2)
    pool.ask("ann", 0.0)
    pool.ask("bob", 0.0)
    pool.opened(1, 0.0)
    pool.take_actions()
    assert pool.lost(0, 0.1) is True
    assert pool.lost(0, 0.1) is False
    assert pool.is_up
    assert pool.state().lost == 1
    pool.give_back(0, 0.2)
    pool.give_back(1, 0.2)
    pool.ask("cyd", 0.3)
    assert pool.take_actions() == [Lend(1, "cyd")]


def test_the_last_one_is_replaced_at_once_and_who_waits_gets_the_new_one() -> None:
    pool = pool_of(1)
    pool.lost(0, 9.0)
    assert pool.take_actions() == [Open(0)]
    assert pool.is_up
    pool.ask("ann", 9.1)
    pool.opened(0, 9.2)
    assert pool.take_actions() == [Lend(0, "ann")]


def test_a_pool_goes_down_when_the_last_one_cannot_be_replaced() -> None:
    pool = pool_of(1)
    pool.lost(0, 9.0)
    pool.ask("ann", 9.1)
    pool.take_actions()
    pool.not_opened(0, 9.2)
    assert pool.take_actions() == [GoDown(("ann",))]
    assert not pool.is_up
    assert pool.due() is None
    pool.open(9.3)
    assert pool.take_actions() == [Open(0)]


def test_a_pool_goes_down_when_the_last_one_is_not_replaced_at_once_but_comes_up_later() -> None:
    pool = pool_of(1)
    pool.lost(0, 9.0)
    pool.take_actions()
    assert pool.due() == 9.0 + AT_ONCE
    pool.tick(9.0 + AT_ONCE)
    assert pool.take_actions() == [GoDown(())]
    pool.opened(0, 12.0)
    assert pool.is_up


def test_connections_that_never_hold_are_not_made_faster_and_faster() -> None:
    pool = pool_of(1)
    pool.lost(0, 0.1)
    assert pool.take_actions() == [Open(0)]  # once is no habit
    pool.opened(0, 0.2)
    pool.lost(0, 0.3)
    assert pool.take_actions() == [GoDown(())]  # whoever plans attempts waits longer


def test_while_others_hold_opening_is_tried_again_after_a_growing_wait() -> None:
    pool = pool_of(2, overflow_wait=100.0)
    pool.ask("ann", 0.0)
    pool.ask("bob", 0.0)
    pool.take_actions()
    waits = []
    now = 0.0
    for _ in range(9):
        pool.not_opened(1, now)
        assert pool.take_actions() == []
        due = pool.due()
        assert due is not None
        waits.append(round(due - now, 3))
        now = due
        pool.tick(now)
        assert pool.take_actions() == [Open(1)]
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
    assert pool.is_up


def test_connections_that_are_lost_together_count_as_one_failure() -> None:
    pool = pool_of(4)
    for who in range(4):
        pool.ask(who, 0.0)
    for slot in (1, 2, 3):
        pool.opened(slot, 0.0)
    for slot in range(4):
        pool.give_back(slot, 0.1)
    pool.take_actions()
    for slot in range(4):
        pool.lost(slot, 1.0)
    assert pool.take_actions() == [Open(0)]
    assert pool.is_up


def test_one_that_is_lost_while_it_is_used_is_opened_again_only_after_that() -> None:
    pool = pool_of(1)
    pool.ask("ann", 0.0)
    pool.take_actions()
    pool.lost(0, 6.0)
    assert pool.take_actions() == [GoDown(())]
    pool.open(6.1)
    assert pool.take_actions() == []
    pool.give_back(0, 6.2)
    assert pool.take_actions() == [Open(0)]


def test_what_is_of_no_use_is_not_tried_again_until_somebody_orders_it() -> None:
    pool = pool_of(2, overflow_wait=1.0)
    pool.ask("ann", 0.0)
    pool.ask("bob", 0.0)
    pool.take_actions()
    pool.not_opened(1, 0.1, fatal=True)
    assert pool.due() == 1.0
    pool.tick(1.0)
    [shed] = pool.take_actions()
    assert isinstance(shed, Shed)
    assert shed.ticket == "bob"
    pool.lost(0, 100.0)
    assert pool.take_actions() == [GoDown(())]
    pool.open(101.0)
    assert pool.take_actions() == [Open(1)]


def test_one_that_is_made_anew_while_it_is_used_counts_as_lost_and_goes_on() -> None:
    pool = pool_of(1)
    pool.ask("ann", 0.0)
    pool.take_actions()
    assert pool.renewed(0, 1.0) is True
    pool.give_back(0, 1.1)
    assert pool.state().lost == 1
    assert pool.is_up
    pool.ask("bob", 1.2)
    assert pool.take_actions() == [Lend(0, "bob")]


def test_one_that_somebody_else_connected_counts() -> None:
    pool = pool_of(1)
    pool.lost(0, 9.0)
    pool.not_opened(0, 9.1)
    pool.take_actions()
    assert not pool.is_up
    pool.found_open(0, 9.2)
    assert pool.is_up
    pool.close(9.3)
    pool.closed(0, 9.4)
    pool.found_open(0, 9.5)
    assert pool.is_shut(0)


def test_an_order_to_open_may_be_taken_back() -> None:
    pool = pool_of(1)
    pool.ask("ann", 0.0)
    pool.lost(0, 6.0)
    pool.open(6.1)
    pool.take_actions()
    assert pool.is_to_open
    pool.open_no_more()
    assert not pool.is_to_open
    pool.give_back(0, 6.2)
    assert pool.take_actions() == []


# ---- what is said of it -------------------------------------------------------------------------


def test_a_table_says_what_a_pool_is() -> None:
    policy = read_table(
        PoolPolicy,
        {"size": 8, "max_idle": "2m", "max_lifetime": "1h", "overflow_wait": "500ms"},
    )
    assert policy == PoolPolicy(size=8, max_idle=120.0, max_lifetime=3600.0, overflow_wait=0.5)
    assert (policy.idle, policy.lifetime) == (120.0, 3600.0)
    assert PoolPolicy(overflow_wait="2s").overflow_wait == 2.0


def test_what_is_not_said_of_a_pool_has_a_default() -> None:
    policy = PoolPolicy()
    assert (policy.size, policy.idle, policy.lifetime) == (4, 300.0, float("inf"))


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({"size": 0}, "size"),
        ({"size": True}, "size"),
        ({"size": 2.0}, "size"),
        ({"max_idle": 0}, "max_idle"),
        ({"max_idle": "never"}, "max_idle"),
        ({"max_lifetime": -1}, "max_lifetime"),
        ({"overflow_wait": "infinity"}, "overflow_wait"),
        ({"overflow_wait": 0}, "overflow_wait"),
        ({"max_size": 4}, "max_size"),
    ],
)
def test_a_mistake_in_it_names_its_key(table: dict[str, Any], path: str) -> None:
    with pytest.raises(MistakesError) as raised:
        read_table(PoolPolicy, table)
    [mistake] = raised.value.mistakes
    assert mistake.path == (path,)
