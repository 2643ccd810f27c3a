"""Who waits for data of one system, in the order of asking, and what is kept for the next.

Runs on the system actor's event loop, which counts the callers' time.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import attrs

from actors.messages import (
    DataReceived,
    FailureCode,
    ManyReceived,
    NothingReceived,
    ReceiveData,
    ReceiveMany,
    Reply,
)
from actors.payload import payload_size
from actors.system_actor.kept_items import KeptItems
from actors.system_actor.reports import Origin

_LINGER: Final = 0.01
"""Seconds a ReceiveMany that has an item waits for the next."""


@attrs.define(eq=False)
class Waiter:
    origin: Origin
    request: ReceiveData | ReceiveMany
    since_call: int
    """The number of the system's last call that had begun when this waiter came."""
    items: list[Any] = attrs.field(factory=list)
    size: int = 0
    """Their bytes."""
    timer: asyncio.TimerHandle | None = None

    @property
    def capacity(self) -> int:
        return self.request.max_items if isinstance(self.request, ReceiveMany) else 1


class Waiters:
    """Of one system, however many connections it has."""

    def __init__(self, max_payload_bytes: int) -> None:
        """
        Args:
            max_payload_bytes: above which what is received together is not one answer.
        """
        self._max_payload_bytes = max_payload_bytes
        self._waiters: deque[Waiter] = deque()
        self._kept = KeptItems()
        self._calls = itertools.count(1)
        self._last_call = 0

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiters)

    @property
    def first(self) -> Waiter | None:
        return self._waiters[0] if self._waiters else None

    def begin_call(self) -> int:
        """The number of a call of the system that begins."""
        self._last_call = next(self._calls)
        return self._last_call

    def add(self, origin: Origin, request: ReceiveData | ReceiveMany) -> None:
        """Let a caller wait, or answer it from what was kept."""
        waiter = Waiter(origin, request, self._last_call)
        self._waiters.append(waiter)
        if request.wait is not None:
            loop = asyncio.get_running_loop()
            waiter.timer = loop.call_later(request.wait, self._finish, waiter)
        self._hand_out_kept()

    def forget(self, origins: frozenset[Origin]) -> None:
        """Their callers have left. Items already gathered for one are kept."""
        for waiter in [each for each in self._waiters if each.origin in origins]:
            self._remove(waiter)
            self._kept.put_back(waiter.items)
        self._hand_out_kept()

    def put_back(self, items: Sequence[Any]) -> None:
        """Items that reached nobody: the next callers get them first."""
        self._kept.put_back(items)
        self._hand_out_kept()

    def hand_out(self, data: Any) -> bool:
        """Give a wrapped item to who waits; False if nobody does."""
        if not self._waiters:
            return False
        waiter = self._waiters[0]
        size = payload_size(data)
        if waiter.items and waiter.size + size > self._max_payload_bytes:
            self._finish(waiter)  # an answer is as long as an item may be, and no longer
            return self.hand_out(data)
        waiter.items.append(data)
        waiter.size += size
        if len(waiter.items) >= waiter.capacity:
            self._finish(waiter)
        else:
            if waiter.timer is not None:
                waiter.timer.cancel()
            loop = asyncio.get_running_loop()
            waiter.timer = loop.call_later(_LINGER, self._finish, waiter)
        return True

    @property
    def are_full(self) -> bool:
        """Whether so much is kept that no more should be taken ahead."""
        return self._kept.is_full

    def keep(self, data: Any, *, asked: bool) -> int:
        """Keep a wrapped item that nobody waits for; how many others are dropped for it.

        Args:
            asked: whether it came because somebody had waited.
        """
        return self._kept.add(data, asked=asked)

    def take_kept(self) -> list[Any]:
        """What is kept, if nobody waits for it."""
        return [] if self._waiters else [self._kept.take() for _ in range(len(self._kept))]

    def nothing_came(self, call: int) -> None:
        """The system's call with this number brought nothing."""
        # Only who waited during the whole call has waited for one call.
        for waiter in list(self._waiters):
            if waiter.items or (waiter.request.wait is None and waiter.since_call < call):
                self._finish(waiter)

    def fail_first(self, code: FailureCode, text: str) -> None:
        """Answer who waits longest: with what was gathered for it, or with a failure."""
        waiter = self._waiters[0]
        if waiter.items:
            self._finish(waiter)
            return
        self._remove(waiter)
        waiter.origin.reply(waiter.request.failure(code, text))

    def close(self) -> None:
        """Nobody is given anything any more. What was gathered is an answer."""
        for waiter in list(self._waiters):
            if waiter.items:
                self._finish(waiter)
            self._remove(waiter)

    def _hand_out_kept(self) -> None:
        while self._kept and self._waiters:
            item = self._kept.take()
            if not self.hand_out(item):  # it does not fit into the last one's answer
                self._kept.put_back([item])

    def _finish(self, waiter: Waiter) -> None:
        reply: Reply
        request_id, system_name = waiter.request.request_id, waiter.request.system_name
        if isinstance(waiter.request, ReceiveMany):
            reply = ManyReceived(
                request_id=request_id, system_name=system_name, items=tuple(waiter.items)
            )
        elif waiter.items:
            reply = DataReceived(
                request_id=request_id, system_name=system_name, data=waiter.items[0]
            )
        else:
            reply = NothingReceived(request_id=request_id, system_name=system_name)
        self._remove(waiter)
        waiter.origin.reply(reply)

    def _remove(self, waiter: Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
        if waiter in self._waiters:
            self._waiters.remove(waiter)
