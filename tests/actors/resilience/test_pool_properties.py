"""Whatever is asked and whatever happens: what a pool decides makes sense, to somebody who only
keeps lists."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.resilience.pool import AT_ONCE, CHECK_AFTER, REOPENING, Pool
from actors.resilience.pool_actions import Check, Close, GoDown, Lend, Open, Shed
from actors.resilience.pool_policy import PoolPolicy
from tests.helpers.looking import long, quick

pick = st.integers(0, 1000)
A_BIT = 1e-9
"""Of what is added up in another order."""


@attrs.define(eq=False)
class Connection:
    """As its owner sees it."""

    state: str = "closed"
    alone: str | None = None
    shared: list[str] = attrs.field(factory=list)
    opened: float = 0.0
    used: float = 0.0
    good: float = 0.0
    lost: bool = False

    @property
    def is_used(self) -> bool:
        return self.alone is not None or bool(self.shared)

    @property
    def holds(self) -> bool:
        return self.state in ("open", "checking") and not self.lost

    @property
    def is_free(self) -> bool:
        return self.state == "open" and self.alone is None and not self.lost


class Pools(RuleBasedStateMachine):
    @initialize(
        size=st.integers(1, 4),
        max_idle=st.sampled_from([3.0, math.inf]),
        max_lifetime=st.sampled_from([4.0, 20.0, math.inf]),
        overflow_wait=st.sampled_from([0.3, 2.0]),
        seed=st.integers(0, 10),
    )
    def begin(
        self, size: int, max_idle: float, max_lifetime: float, overflow_wait: float, seed: int
    ) -> None:
        self.policy = PoolPolicy(
            size=size,
            max_idle="infinity" if max_idle == math.inf else max_idle,
            max_lifetime="infinity" if max_lifetime == math.inf else max_lifetime,
            overflow_wait=overflow_wait,
        )
        self.pool = Pool(self.policy, Random(seed))
        self.now = 100.0
        self.slots = [Connection() for _ in range(size)]
        self.waiting: dict[str, tuple[float, bool]] = {}
        """Oldest first: since when, and whether it shares."""
        self.asked = 0
        self.is_up = False
        self.is_wanted = False
        self.is_to_close = False
        self.gap: float | None = None
        self.lost = self.refused = 0

    # ---- what others do -----------------------------------------------------------------

    @precondition(lambda self: not self.is_wanted)
    @rule()
    def connect(self) -> None:
        self.is_wanted = True
        self.is_to_close = False
        self.pool.open(self.now)
        self.carry_out()

    @precondition(lambda self: self.is_up)
    @rule(shared=st.booleans())
    def ask(self, shared: bool) -> None:
        self.asked += 1
        ticket = f"ticket {self.asked}"
        self.waiting[ticket] = (self.now, shared)
        self.pool.ask(ticket, self.now, shared=shared)
        self.carry_out()

    @precondition(lambda self: self.waiting)
    @rule(which=pick)
    def leave(self, which: int) -> None:
        ticket = list(self.waiting)[which % len(self.waiting)]
        del self.waiting[ticket]
        assert self.pool.leave(ticket, self.now)
        self.carry_out()

    @precondition(lambda self: any(slot.is_used for slot in self.slots))
    @rule(which=pick)
    def give_back(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.is_used)
        shared = slot.alone is None
        if shared:
            slot.shared.pop()
        else:
            slot.alone = None
        slot.used = self.now
        if not slot.lost:
            slot.good = self.now
        elif not slot.is_used:
            slot.state, slot.lost = "closed", False
        self.pool.give_back(number, self.now, shared=shared)
        self.carry_out()

    @precondition(lambda self: self.is_wanted)
    @rule()
    def disconnect(self) -> None:
        self.is_wanted = self.is_up = False
        self.is_to_close = True
        self.gap = None
        assert self.pool.close(self.now) == tuple(self.waiting)
        self.waiting.clear()
        self.carry_out()

    # ---- what becomes of connections ----------------------------------------------------

    @precondition(lambda self: self.are("opening"))
    @rule(which=pick)
    def is_opened(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.state == "opening")
        slot.state = "open"
        slot.opened = slot.used = slot.good = self.now
        if not self.is_to_close:
            self.is_up = self.is_wanted = True  # also if nobody waits for it any more
        self.pool.opened(number, self.now)
        self.carry_out()

    @precondition(lambda self: self.are("opening"))
    @rule(which=pick)
    def is_not_opened(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.state == "opening")
        slot.state = "closed"
        if not self.is_up:
            self.is_wanted = False  # whoever wants it says so again
        self.pool.not_opened(number, self.now)
        self.carry_out()

    @precondition(lambda self: self.are("checking"))
    @rule(which=pick, good=st.booleans())
    def is_checked(self, which: int, good: bool) -> None:
        number, slot = self.one(which, lambda slot: slot.state == "checking")
        slot.state = "open"
        if good:
            slot.good = self.now
        else:
            slot.lost = True
            self.lost += 1
        self.pool.checked(number, good, self.now)
        self.carry_out()

    @precondition(lambda self: any(slot.holds for slot in self.slots))
    @rule(which=pick)
    def is_lost(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.holds)
        self.lost += 1
        if slot.is_used:
            slot.lost = True
        else:
            slot.state = "closed"
        assert self.pool.lost(number, self.now)
        self.carry_out()

    @precondition(lambda self: any(slot.holds for slot in self.slots))
    @rule(which=pick)
    def is_renewed(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.holds)
        self.lost += 1
        slot.opened = slot.used = slot.good = self.now
        assert self.pool.renewed(number, self.now)
        self.carry_out()

    @precondition(lambda self: self.are("closed") and not self.is_to_close)
    @rule(which=pick)
    def is_found_open(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.state == "closed")
        slot.state = "open"
        slot.opened = slot.used = slot.good = self.now
        self.is_up = self.is_wanted = True
        self.pool.found_open(number, self.now)
        self.carry_out()

    @precondition(lambda self: self.are("closing"))
    @rule(which=pick)
    def is_closed(self, which: int) -> None:
        number, slot = self.one(which, lambda slot: slot.state == "closing")
        slot.state = "closed"
        self.pool.closed(number, self.now)
        self.carry_out()

    @rule(seconds=st.sampled_from([0.05, 0.2, 0.6, 1.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.pool.due()) is not None and due <= end:
            assert due >= self.now - A_BIT
            self.now = max(self.now, due)
            self.pool.tick(self.now)
            self.carry_out()
            again = self.pool.due()
            assert again is None or again > self.now, "it is told of the same time again and again"
        self.now = end

    # ---- what it says is to be done -----------------------------------------------------

    def carry_out(self) -> None:
        for action in self.pool.take_actions():
            self.carry_out_one(action)

    def carry_out_one(self, action: Any) -> None:
        match action:
            case Open(number):
                assert self.slots[number].state == "closed"
                assert self.is_wanted
                self.slots[number].state = "opening"
            case Check(number):
                slot = self.slots[number]
                assert slot.is_free
                assert not slot.is_used
                assert self.now - slot.good >= CHECK_AFTER
                slot.state = "checking"
            case Lend(number, ticket):
                slot = self.slots[number]
                assert slot.is_free
                assert slot.is_used or self.now - slot.good < CHECK_AFTER
                first, (since, shared) = next(iter(self.waiting.items()))
                assert ticket == first, "not in the order of asking"
                assert self.now - since <= self.policy.overflow_wait + A_BIT
                del self.waiting[first]
                if shared:
                    slot.shared.append(first)
                else:
                    slot.alone = first
                slot.used = self.now
            case Close(number, why):
                self.close_one(self.slots[number], why)
            case Shed(ticket, waited, retry_after):
                first, (since, _) = next(iter(self.waiting.items()))
                assert ticket == first
                assert waited == self.now - since >= self.policy.overflow_wait - A_BIT
                assert 0 <= retry_after < math.inf
                del self.waiting[first]
                self.refused += 1
            case GoDown(tickets):
                assert tickets == tuple(self.waiting)
                assert not any(slot.holds for slot in self.slots)
                self.waiting.clear()
                self.is_up = self.is_wanted = False

    def close_one(self, slot: Connection, why: str) -> None:
        assert slot.state == "open", "it is not there"
        assert not slot.is_used, "in the middle of a call"
        if slot.lost:
            slot.lost = False
            assert why == "it did not pass its check"
        elif self.is_wanted:
            age, idle = self.now - slot.opened, self.now - slot.used
            is_old = age >= 0.9 * self.policy.lifetime - A_BIT
            assert is_old or idle >= self.policy.idle - A_BIT
            others = any(each.holds for each in self.slots if each is not slot)
            assert others or (is_old and self.policy.size == 1), "the last one"
        slot.state = "closing"

    # ---- what must be true --------------------------------------------------------------

    @invariant()
    def it_says_what_it_has(self) -> None:
        if not hasattr(self, "pool"):
            return
        state = self.pool.state()
        assert state.open == sum(slot.holds for slot in self.slots) <= self.policy.size
        assert state.idle == sum(slot.holds and not slot.is_used for slot in self.slots)
        assert state.borrowed == sum(slot.is_used for slot in self.slots)
        assert (state.waiting, state.lost) == (len(self.waiting), self.lost)
        assert state.refused == self.refused
        assert self.pool.is_up == self.is_up
        for number, slot in enumerate(self.slots):
            assert self.pool.holds(number) == slot.holds
            assert self.pool.is_shut(number) == (slot.state == "closed")

    @invariant()
    def nobody_waits_without_need(self) -> None:
        if not hasattr(self, "pool") or not self.waiting:
            return
        assert self.is_up
        fresh = [
            slot
            for slot in self.slots
            if slot.is_free and (slot.is_used or self.now - slot.good < CHECK_AFTER)
        ]
        assert fresh == []
        coming = self.are("opening") + self.are("checking")
        if len(self.waiting) > coming:
            assert not any(slot.is_free for slot in self.slots)
            due = self.pool.due()
            assert due is not None
            assert due <= self.now + self.policy.overflow_wait + A_BIT
            if self.are("closed"):
                assert due <= self.now + REOPENING.backoff_max

    @invariant()
    def it_is_up_only_with_a_connection_or_for_a_moment_without(self) -> None:
        if not hasattr(self, "pool"):
            return
        if not self.is_up or any(slot.holds for slot in self.slots):
            self.gap = None
            return
        self.gap = self.now if self.gap is None else self.gap
        assert self.now - self.gap <= AT_ONCE + 5.0  # what passes between two looks
        assert self.are("opening") or self.are("closing")
        due = self.pool.due()
        assert due is not None
        assert due <= self.gap + AT_ONCE + A_BIT

    @invariant()
    def what_is_wanted_is_open_or_on_its_way(self) -> None:
        if hasattr(self, "pool") and self.is_wanted and not self.is_up:
            assert self.are("opening") or not self.are("closed")

    def are(self, state: str) -> int:
        return sum(slot.state == state for slot in self.slots)

    def one(self, which: int, fits: Any) -> tuple[int, Connection]:
        found = [(number, slot) for number, slot in enumerate(self.slots) if fits(slot)]
        return found[which % len(found)]


TestPools = Pools.TestCase
TestPools.settings = quick(200, 50)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestPoolsForLong(Pools.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
