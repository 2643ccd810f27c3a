"""The delivery of one system's outbox: in order, at least once. Pure.

Of what waits only the oldest entries are here, two windows at most: one that is under way, and
one to follow it. All others are in the journal alone. What is done about them goes round::

    wait until it is connected ─ begin (on the disk) ─ attempt ─ note what became of it
              ▲                                                            │
              └────────────────── after a while, if it failed ─────────────┘

An attempt is on the disk before it is made, so that a message that takes everything down with it
does not do so for ever. One that was tried before is tried alone: what ends the process then is
it, and no other.

Times are seconds of a monotonic clock, but for those in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import attrs

from actors.messages import Failure, FailureCode, Outcome
from actors.resilience.backoff import backoff_delay
from supervisor.durable.entry import HISTORY_KEPT, Entry, FailedAttempt
from supervisor.durable.steps import Attempt, Ended, Fetch, Note, Phase, Step
from supervisor.messages.journal import (
    AttemptFailed,
    BeginAttempt,
    Bury,
    Delivered,
    Operation,
    TakeBackAttempt,
)
from supervisor.specs.durable import DurablePolicy, OnDead, WhenFull

HELD_BYTES: Final = 2 << 20
"""Of data that is here of one system, above which no more is loaded; one message may exceed it."""
_ITS_OWN: Final = {
    *(FailureCode.CONNECTOR_ERROR, FailureCode.ITEM_REFUSED, FailureCode.INVALID_REQUEST),
}
"""Failures of a message itself, or of its system with it: it was tried, also if it was not sent."""


class Delivery:
    """Of one system. After anything was told, :meth:`next_step` says what is to be done, until
    it says None."""

    def __init__(
        self,
        policy: DurablePolicy,
        random: Random,
        wall_clock: Callable[[], float],
        on_end: Callable[[Ended], None] = lambda _: None,
        items: int = 0,
        size: int = 0,
    ) -> None:
        """
        Args:
            on_end: told of each entry that waits no more, once that is decided; it is on the
                disk with the next note.
            items: that wait in the journal, and their bytes.
        """
        self.policy = policy
        self.items, self.size = items, size
        """What waits, in the journal and here."""
        self.is_registered = True
        """Whether there is a system of this name, for which it is worth to load anything."""
        self.is_connected = False
        self.phase = Phase.RESTING
        self.blocked: Entry | None = None
        """A dead one, for which all others wait."""
        self._random = random
        self._wall_clock = wall_clock
        self._on_end = on_end
        self._held: dict[int, Entry] = {}
        """The oldest that wait, by id."""
        self._held_bytes = 0
        self._end = 0
        """The id of the last that was held."""
        self._is_fetching = False
        self._batch: list[int] = []
        """Of the attempt: those without a result yet."""
        self._notes: list[Operation] = []
        self._unnoted = 0
        """Notes that were asked for, and are not known to be on the disk."""
        self._is_stale = False
        """Whether what is held is to be loaded anew once nothing is under way: no attempt, no note
        that says who is gone, and nothing that was asked for before."""
        self._coming = self._coming_bytes = 0
        """What is being accepted."""
        self._failures = 0
        """Attempts in a row that failed, with none delivered,"""
        self._stalls = 0
        """and those in which nothing was even tried."""
        self._not_before = 0.0

    @property
    def due(self) -> float | None:
        """When :meth:`next_step` may have something to do that it has not now."""
        waits = self.phase is Phase.RESTING and self._held and self.is_connected
        return self._not_before if waits and self.blocked is None else None

    @property
    def is_full(self) -> bool:
        """Whether one more is to be refused."""
        return self.policy.when_full is WhenFull.REFUSE and (
            self.items + self._coming >= self.policy.max_items
            or self.size + self._coming_bytes >= self.policy.max_bytes
        )

    # ---- what is told -----------------------------------------------------------------------

    def expect(self, entry: Entry) -> None:
        """One more is being written; :meth:`accepted` or :meth:`not_accepted` follows."""
        self._coming += 1
        self._coming_bytes += entry.data.size

    def not_accepted(self, entry: Entry) -> None:
        """It is not on the disk, and never will be."""
        self._coming -= 1
        self._coming_bytes -= entry.data.size

    def accepted(self, entry: Entry) -> None:
        """It is on the disk."""
        self.not_accepted(entry)
        is_next = self.items == len(self._held) and not self._is_fetching
        self.items += 1
        self.size += entry.data.size
        if is_next and self._has_room:
            self._hold(entry)

    def loaded(self, entries: Sequence[Entry]) -> None:
        """What was fetched. None at all says that there are no more, whatever was counted."""
        if not self._is_fetching:
            return
        self._is_fetching = False
        if self._is_stale:  # so are these
            self._forget_what_is_stale()
            return
        if not entries:
            self.items = len(self._held)
            self.size = self._held_bytes
        for entry in entries:
            if entry.id > self._end:
                self._hold(entry)

    def fetch_failed(self, now: float) -> None:
        """It could not be read: it is tried again after a while."""
        self._is_fetching = False
        self._forget_what_is_stale()
        self._stall(now)

    def fetch_lost(self) -> None:
        """Whoever was to load has ended."""
        self._is_fetching = False
        self._forget_what_is_stale()

    def connection_changed(self, is_connected: bool, now: float) -> None:
        if is_connected and not self.is_connected and self._stalls:
            self._stalls = 0
            self._not_before = now  # it waited for the connection alone
        self.is_connected = is_connected

    def noted(self) -> None:
        """A note is on the disk."""
        self._unnoted -= 1
        self._forget_what_is_stale()

    def begun(self) -> None:
        """What begins an attempt is on the disk."""
        self.phase = Phase.BEGUN

    def heard(self, results: Sequence[bool | Failure], now: float, *, final: bool) -> None:
        """What became of the next ones of the attempt.

        Args:
            final: whether the attempt has ended; all without a result then were not tried.
        """
        delivered: list[int] = []
        passed_over: list[int] = []
        failed = False
        for result, entry_id in zip(results, self._batch, strict=False):
            if not isinstance(result, Failure):
                delivered.append(entry_id)
            elif _was_tried(result):
                self._has_failed(self._held[entry_id], result, first=not failed)
                failed = True
            else:
                passed_over.append(entry_id)
        self._batch = self._batch[len(results) :]
        if final:
            passed_over += self._batch
            self._batch = []
        if delivered:
            self._failures = self._stalls = 0
            self._notes.append(Delivered(tuple(delivered), self._wall_clock()))
            for entry_id in delivered:
                self._let_go(Ended(entry_id, None))
        if passed_over:
            self._take_back(passed_over)
        hints = [_hint(each) for each in results if isinstance(each, Failure)]
        if failed:
            self._failures += 1
            self._wait(now, self._failures, max(hints))
        elif passed_over:
            self._stall(now, max(hints, default=0.0))
        if final:
            self._rest()

    def failed(self, failure: Failure, now: float) -> None:
        """The whole rest of an attempt has failed."""
        self.heard([failure] * len(self._batch), now, final=True)

    def look_again(self) -> None:
        """Something was done to the entries in the journal by others: load them anew. Counts
        are the caller's to set."""
        self._is_stale = True
        self._forget_what_is_stale()

    # ---- what is to be done -----------------------------------------------------------------

    def next_step(self, now: float) -> Step | None:
        """The next thing to do; None if there is none for now."""
        self._drop_what_is_too_much()
        if self._wants_more:
            self._is_fetching = True
            room = max(1, HELD_BYTES - self._held_bytes)
            return Fetch(self._end, 2 * self.policy.window - len(self._held), room)
        if self.phase is Phase.BEGUN:
            if self.is_connected:
                self.phase = Phase.TRYING
                return Attempt(tuple([self._held[each] for each in self._batch]))
            self._take_back(self._batch)
            self._batch = []
            self._rest()
        begins = False
        if self.phase is Phase.RESTING and not self._is_stale:
            begins = self._begin(now)
        if not self._notes:
            return None
        notes, self._notes = tuple(self._notes), []
        self._unnoted += 1
        return Note(notes, begins)

    @property
    def _wants_more(self) -> bool:
        few = len(self._held) <= self.policy.window
        wants = self.is_registered and not self._is_fetching and not self._is_stale
        return wants and self.items > len(self._held) and few and self._has_room

    @property
    def _has_room(self) -> bool:
        return not self._held or (
            self._held_bytes < HELD_BYTES and len(self._held) < 2 * self.policy.window
        )

    def _begin(self, now: float) -> bool:
        """Begin an attempt, if it is time for one."""
        while (first := self._oldest) is not None and (why := self._why_dead(first)) is not None:
            if self.policy.on_dead is OnDead.BLOCK:
                self.blocked = first
                return False
            self._bury(first, why)
        self.blocked = None
        if first is None or not self.is_connected or now < self._not_before:
            return False
        batch = [first.id]
        if not first.attempts:
            for entry in self._held.values():
                if len(batch) == self.policy.window or entry.attempts:
                    break
                if entry is not first:
                    batch.append(entry.id)
        self._batch = batch
        for each in batch:
            entry = self._held[each]
            self._held[each] = attrs.evolve(entry, attempts=entry.attempts + 1, under_way=True)
        self._notes.append(BeginAttempt(tuple(batch)))
        self.phase = Phase.BEGINNING
        return True

    def _drop_what_is_too_much(self) -> None:
        policy = self.policy
        if policy.when_full is not WhenFull.DROP_OLDEST:
            return
        while self.items > policy.max_items or self.size > policy.max_bytes:
            oldest = next((e for e in self._held.values() if e.id not in self._batch), None)
            if oldest is None:
                return  # until more are loaded
            full = f"max_items {policy.max_items:,}, max_bytes {policy.max_bytes:,}"
            self._bury(oldest, f"the outbox was full ({full}), and it was the oldest")

    @property
    def _oldest(self) -> Entry | None:
        return next(iter(self._held.values()), None)

    # ---- details ----------------------------------------------------------------------------

    def _rest(self) -> None:
        self.phase = Phase.RESTING
        self._forget_what_is_stale()

    def _forget_what_is_stale(self) -> None:
        is_waiting = self._is_fetching or self._notes or self._unnoted
        if self._is_stale and self.phase is Phase.RESTING and not is_waiting:
            self._is_stale = False
            self._held = {}
            self._held_bytes = self._end = 0
            self.blocked = None

    def _hold(self, entry: Entry) -> None:
        self._held[entry.id] = entry
        self._held_bytes += entry.data.size
        self._end = entry.id

    def _let_go(self, ended: Ended) -> None:
        entry = self._held.pop(ended.id)
        self._held_bytes -= entry.data.size
        self.items -= 1
        self.size -= entry.data.size
        self._on_end(ended)

    def _has_failed(self, entry: Entry, failure: Failure, *, first: bool) -> None:
        # Of several that a crash leaves without a result, the first was probably being sent.
        crashed = first and failure.code is FailureCode.SYSTEM_CRASHED
        why = failure.text.removeprefix(f"{entry.system_name}: ")
        failed = FailedAttempt(self._wall_clock(), why, crashed)
        self._notes.append(AttemptFailed(entry.id, why, failed.at, crashed))
        self._held[entry.id] = attrs.evolve(
            entry,
            crashes=entry.crashes + crashed,
            under_way=False,
            history=(*entry.history, failed)[-HISTORY_KEPT:],
        )

    def _why_dead(self, entry: Entry) -> str | None:
        """Why an entry is not tried any more."""
        last = f"; the last: {entry.history[-1].why}" if entry.history else ""
        if entry.crashes >= self.policy.max_crashes:
            return f"its system's process ended in {entry.crashes} attempts (max_crashes){last}"
        if entry.attempts >= self.policy.max_attempts:
            return f"{entry.attempts} attempts failed (max_attempts){last}"
        return None

    def _bury(self, entry: Entry, why: str) -> None:
        self._notes.append(Bury(entry.id, why, self._wall_clock()))
        self._let_go(Ended(entry.id, why))

    def _take_back(self, ids: Sequence[int]) -> None:
        """They were not tried."""
        self._notes.append(TakeBackAttempt(tuple(ids)))
        for each in ids:
            entry = self._held[each]
            self._held[each] = attrs.evolve(entry, attempts=entry.attempts - 1, under_way=False)

    def _stall(self, now: float, least: float = 0.0) -> None:
        self._stalls += 1
        self._wait(now, self._stalls, least)

    def _wait(self, now: float, failures: int, least: float) -> None:
        delay = backoff_delay(self.policy.backoff, failures + 1, self._random)
        self._not_before = max(self._not_before, now + max(least, delay))


def _hint(failure: Failure) -> float:
    """Seconds for which it is of no use to try again, as the failure says."""
    return failure.retry_after or 0.0


def _was_tried(failure: Failure) -> bool:
    """Whether an attempt counts that failed so."""
    return failure.outcome is Outcome.UNKNOWN or failure.code in _ITS_OWN
