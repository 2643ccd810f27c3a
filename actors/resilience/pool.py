"""Several connections to one system: which is lent to whom, and when one is opened or closed. Pure.

:class:`Pool` decides. It is told what was asked and what happened, with the time, and says what is
to be done (:meth:`Pool.take_actions`); whoever does it tells it what came of it. A connection is a
*slot*, a number from 0 on; whoever asks for one has a *ticket*, which may be anything.
"""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from collections.abc import Hashable
from random import Random
from typing import Final

import attrs

from actors.resilience.backoff import BackoffPolicy
from actors.resilience.pool_actions import (
    Check,
    Close,
    GoDown,
    Lend,
    Open,
    PoolAction,
    PoolState,
    Shed,
)
from actors.resilience.pool_policy import PoolPolicy
from actors.resilience.pool_reopening import Reopening
from actors.resilience.pool_slots import Slot, SlotIs, Slots

CHECK_AFTER: Final = 0.5
"""Seconds without a use after which a connection is looked at before it is lent."""
AT_ONCE: Final = 1.0
"""Seconds in which the last connection may be replaced; the pool counts as up meanwhile."""
REOPENING: Final = BackoffPolicy(backoff_min=0.2, backoff_max=30.0, stable_after=5.0)
"""Between attempts to open more connections where opening fails, or they do not hold."""
_LIFETIME_SHARE: Final = 0.1
"""Of its lifetime, that a connection may have less by chance."""
_NEWEST: Final = 0.2
"""What the last use counts in how long one usually takes."""


class _Phase(enum.Enum):
    DOWN = enum.auto()
    UP = enum.auto()
    CLOSING = enum.auto()


@attrs.define(eq=False)
class _Waiting:
    since: float
    shared: bool


class Pool:
    """Connections of one system. Who asked first is served first; of the connections that are
    free, the one that was used last is lent, so that those which are not needed fall idle."""

    def __init__(
        self, policy: PoolPolicy, random: Random, reopening: BackoffPolicy = REOPENING
    ) -> None:
        self._policy = policy
        self._random = random
        self._reopening = Reopening(reopening, random)
        self._slots = Slots(policy.size)
        self._waiting: OrderedDict[Hashable, _Waiting] = OrderedDict()
        self._phase = _Phase.DOWN
        self._must_open = False
        """While it is down: it is to be opened."""
        self._gap: float | None = None
        """Since when it has been up without a connection."""
        self._retire_at = -math.inf
        """When to look at the latest whether one is to be closed, as it is old or was idle."""
        self._usual_use: float | None = None
        """Seconds."""
        self._lost = 0
        self._refused = 0
        self._actions: list[PoolAction] = []

    # ---- what it is ---------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether it has a connection, or is about to replace the last one."""
        return self._phase is _Phase.UP

    @property
    def is_closing(self) -> bool:
        """Whether all are closed, or to be."""
        return self._phase is _Phase.CLOSING

    @property
    def is_to_open(self) -> bool:
        """Whether, while it is down, one is being opened, or about to be."""
        return self._must_open or self._slots.any_is(SlotIs.OPENING)

    def holds(self, number: int) -> bool:
        """Whether a connection stands, as far as is known."""
        return self._slots[number].holds

    def is_shut(self, number: int) -> bool:
        """Whether a connection is not there, nor on its way."""
        return self._slots[number].state is SlotIs.CLOSED

    def state(self) -> PoolState:
        """What it has now."""
        return PoolState(
            size=self._policy.size,
            open=self._slots.holding,
            idle=sum(slot.holds and not slot.is_used for slot in self._slots),
            borrowed=sum(slot.is_used for slot in self._slots),
            waiting=len(self._waiting),
            lost=self._lost,
            refused=self._refused,
        )

    def take_actions(self) -> list[PoolAction]:
        """What is to be done, in this order."""
        actions, self._actions = self._actions, []
        return actions

    # ---- who wants one ------------------------------------------------------------------

    def ask(self, ticket: Hashable, now: float, *, shared: bool = False) -> None:
        """Lend a connection to this one, now or within ``overflow_wait``; only while it is up.

        Args:
            shared: whether others may have the same connection meanwhile, who share it, too, or
                one who does not.
        """
        self._waiting[ticket] = _Waiting(now, shared)
        self._look(now)

    def leave(self, ticket: Hashable, now: float) -> bool:
        """It does not wait any more; whether it had waited."""
        if self._waiting.pop(ticket, None) is None:
            return False
        self._look(now)
        return True

    def give_back(self, number: int, now: float, *, shared: bool = False) -> None:
        """A use of a connection is over."""
        slot = self._slots[number]
        if shared:
            slot.shared_by -= 1
        else:
            slot.is_taken = False
            took = now - slot.used_at
            usual = took if self._usual_use is None else self._usual_use
            self._usual_use = usual + _NEWEST * (took - usual)
        slot.used_at = now
        self._retire_at = min(self._retire_at, slot.expires_at, now + self._policy.idle)
        if not slot.lost:
            slot.proved_at = now
        elif not slot.is_used:
            slot.state, slot.lost = SlotIs.CLOSED, False
        self._look(now)

    # ---- orders -------------------------------------------------------------------------

    def open(self, now: float) -> None:
        """Have one connection, if there is none."""
        if self._phase is not _Phase.UP:
            self._phase = _Phase.DOWN
            self._must_open = True
            self._reopening.ordered()
        self._look(now)

    def open_no_more(self) -> None:
        """Nobody waits any more for it to be opened."""
        self._must_open = False

    def close(self, now: float) -> tuple[Hashable, ...]:
        """Close all, those that are used when they are given back; who waited for one."""
        waited = self._let_go()
        self._phase = _Phase.CLOSING
        self._look(now)
        return waited

    # ---- what became of a connection ----------------------------------------------------

    def opened(self, number: int, now: float) -> None:
        """It is connected."""
        slot = self._slots[number]
        slot.state = SlotIs.OPEN
        self._is_open_since(slot, now)
        if self._phase is not _Phase.CLOSING:
            self._phase, self._must_open, self._gap = _Phase.UP, False, None
        self._look(now, anew=True)

    def not_opened(self, number: int, now: float, *, fatal: bool = False) -> None:
        """It could not be connected.

        Args:
            fatal: whether it is of no use to try again: it is not, until it is ordered again.
        """
        self._slots[number].state = SlotIs.CLOSED
        self._must_open = False
        self._reopening.failed(now, fatal=fatal)
        self._look(now, anew=True)

    def found_open(self, number: int, now: float) -> None:
        """It is connected, whoever did that."""
        slot = self._slots[number]
        is_shut = slot.state is SlotIs.CLOSED and self._phase is not _Phase.CLOSING
        if is_shut or slot.lost:
            self.opened(number, now)

    def renewed(self, number: int, now: float) -> bool:
        """It was lost, and is connected again; whether that is news."""
        slot = self._slots[number]
        if slot.state not in (SlotIs.OPEN, SlotIs.CHECKING):
            return False
        self._count_loss(slot, now)
        self._is_open_since(slot, now)
        self._look(now, anew=True)
        return True

    def checked(self, number: int, good: bool, now: float) -> bool:
        """Whether it works; whether anybody is to know."""
        slot = self._slots[number]
        if slot.state is not SlotIs.CHECKING:
            return False
        slot.state = SlotIs.OPEN
        if good:
            slot.proved_at = now
        else:
            self._count_loss(slot, now)
            self._close(slot, "it did not pass its check")
        self._look(now, anew=True)
        return True

    def lost(self, number: int, now: float) -> bool:
        """It is not connected any more; whether that is news."""
        slot = self._slots[number]
        if not slot.holds:
            return False
        self._count_loss(slot, now)
        slot.lost = slot.is_used
        slot.state = SlotIs.OPEN if slot.is_used else SlotIs.CLOSED
        self._look(now, anew=True)
        return True

    def closed(self, number: int, now: float) -> None:
        """It is disconnected, as it was to be."""
        slot = self._slots[number]
        slot.lost = slot.is_used
        slot.state = SlotIs.OPEN if slot.is_used else SlotIs.CLOSED
        self._look(now, anew=True)

    # ---- time ---------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Time has passed."""
        self._look(now)

    def due(self) -> float | None:
        """When to :meth:`tick` at the latest; None while nothing is due."""
        if self._phase is not _Phase.UP:
            return None
        times = [self._retire_at]
        if self._waiting:
            times.append(next(iter(self._waiting.values())).since + self._policy.overflow_wait)
            if len(self._waiting) > self._slots.coming and self._slots.shut is not None:
                times.append(self._reopening.after)
        if self._gap is not None:
            times.append(self._gap + AT_ONCE)
        first = min(times)
        return None if first == math.inf else first

    # ---- what follows -------------------------------------------------------------------

    def _look(self, now: float, *, anew: bool = False) -> None:
        """Do what follows.

        Args:
            anew: whether connections have come or gone, and are to be judged anew.
        """
        match self._phase:
            case _Phase.UP:
                if anew or now >= self._retire_at:
                    self._retire(now)
                self._serve(now)
                self._shed(now)
                self._hold(now)
            case _Phase.DOWN if self._must_open:
                slot = self._slots.shut
                if slot is not None and not self._slots.any_is(SlotIs.OPENING):
                    self._open(slot)
            case _Phase.CLOSING:
                for slot in self._slots:
                    if slot.is_idle:
                        self._close(slot, "the system disconnects")

    def _retire(self, now: float) -> None:
        """Close what is too old, or was not needed for long; the last one is replaced first."""
        for slot in sorted(self._slots, key=lambda slot: slot.used_at):
            if now < self._end_of(slot):
                continue
            spare = self._slots.shut
            if self._slots.holding > slot.holds or spare is None:
                is_old = now >= slot.expires_at
                self._close(slot, f"max_{'lifetime' if is_old else 'idle'} is over")
            else:
                self._open(spare)
        self._retire_at = min(map(self._end_of, self._slots))

    def _end_of(self, slot: Slot) -> float:
        return self._slots.end_of(slot, self._policy.idle, self._reopening.after)

    def _serve(self, now: float) -> None:
        while self._waiting and (slot := self._slots.to_lend(now - CHECK_AFTER)) is not None:
            ticket, first = self._waiting.popitem(last=False)
            if first.shared:
                slot.shared_by += 1
            else:
                slot.is_taken = True
            slot.used_at = now
            self._actions.append(Lend(slot.number, ticket))
            if slot.shared_by > 1:
                self._open_another(now)
        for _ in range(len(self._waiting) - self._slots.coming if self._waiting else 0):
            stale = self._slots.to_check()
            if stale is not None:
                stale.state = SlotIs.CHECKING
                self._actions.append(Check(stale.number))
            elif not self._open_another(now, most=self._policy.size):
                break

    def _open_another(self, now: float, most: int = 1) -> bool:
        """Open one more, if fewer than ``most`` are on their way."""
        slot = self._slots.shut
        if slot is None or now < self._reopening.after or self._slots.coming >= most:
            return False
        self._open(slot)
        return True

    def _shed(self, now: float) -> None:
        patience = self._policy.overflow_wait
        while self._waiting:
            ticket, first = next(iter(self._waiting.items()))
            if now < first.since + patience:
                break
            del self._waiting[ticket]
            self._refused += 1
            self._actions.append(Shed(ticket, now - first.since, self._retry_after(now)))

    def _retry_after(self, now: float) -> float:
        """Seconds in which those that wait are served, if uses take as long as before."""
        uses = [now - slot.used_at for slot in self._slots if slot.is_used]
        one = max(self._usual_use or 0.0, min(uses, default=0.0))
        turns = (len(self._waiting) + 1) / self._policy.size
        return max(one * turns, self._reopening.after - now, 0.0)

    def _hold(self, now: float) -> None:
        """Have the last connection replaced at once, or go down."""
        if self._slots.any_holds:
            self._gap = None
            return
        if self._gap is None:
            self._gap = now
        may_open = now >= self._reopening.after
        slot = self._slots.shut
        if may_open and slot is not None and not self._slots.any_is(SlotIs.OPENING):
            self._open(slot)
        is_closing = self._slots.any_is(SlotIs.CLOSING)
        if now >= self._gap + AT_ONCE or not (
            self._slots.any_is(SlotIs.OPENING) or (is_closing and may_open)
        ):
            self._phase = _Phase.DOWN
            self._actions.append(GoDown(self._let_go()))

    def _let_go(self) -> tuple[Hashable, ...]:
        waited = tuple(self._waiting)
        self._waiting.clear()
        self._gap, self._must_open = None, False
        return waited

    # ---- small things -------------------------------------------------------------------

    def _is_open_since(self, slot: Slot, now: float) -> None:
        slot.lost = False
        slot.opened_at = slot.used_at = slot.proved_at = now
        less = _LIFETIME_SHARE * self._random.random()
        slot.expires_at = now + self._policy.lifetime * (1.0 - less)

    def _open(self, slot: Slot) -> None:
        slot.state = SlotIs.OPENING
        self._actions.append(Open(slot.number))

    def _close(self, slot: Slot, why: str) -> None:
        slot.state = SlotIs.CLOSING
        self._actions.append(Close(slot.number, why))

    def _count_loss(self, slot: Slot, now: float) -> None:
        self._lost += 1
        self._reopening.lost(slot.opened_at, now)
