"""Answers that are given again, and questions that are under way once however many ask them. Pure:
the time is an argument.

A question is *equal* to another by its key, any hashable: of a system's questions, the bytes that
they pickle to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

import attrs

from actors.settings import flag, seconds, setting, whole_number

_PER_ENTRY: Final = 200
"""Bytes that an entry takes beside its key and its answer, roughly."""

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")
C = TypeVar("C", bound=Hashable)


@attrs.frozen(kw_only=True)
class CachePolicy:
    """How long, and how many, answers of a system are kept to be given again."""

    ttl: float = setting(seconds())
    """Seconds for which an answer is given again, from when it came."""
    max_entries: int = attrs.field(default=1000, validator=whole_number(1))
    """Answers that are kept; what was not asked for the longest goes first."""
    max_bytes: int = attrs.field(default=16 << 20, validator=whole_number(1))
    """Of all questions and answers that are kept. An answer that alone is larger is not."""
    across_sends: bool = attrs.field(default=False, validator=flag())
    """Whether an answer is given again also after something was sent, or another command was
    called, which may have changed it."""
    queries: bool = attrs.field(default=True, validator=flag())
    """Whether answers to queries are kept, too; without it only those of commands with
    ``@command(cacheable=True)``."""


@attrs.frozen
class CacheState:
    """What a cache has at one moment, and how it was of use."""

    answers: int
    size: int
    """In bytes."""
    hits: int
    """Questions answered by what was there, or by what was under way."""
    misses: int
    """Questions that had to be asked."""


@attrs.frozen
class Hit(Generic[A]):
    """The answer is there."""

    answer: A


@attrs.define(eq=False)
class Flight(Generic[K, C]):
    """A question that is under way."""

    key: K
    callers: dict[C, None] = attrs.field(factory=dict)
    """Who waits for its answer, in the order of asking."""
    may_be_kept: bool = True
    """Whether its answer is of use for later questions."""


@attrs.frozen
class Asked(Generic[K, C]):
    """Nobody knows the answer yet."""

    flight: Flight[K, C]
    is_new: bool
    """Whether it is to be asked now; it is under way already otherwise."""


class Cache(Generic[K, A, C]):
    """Of one system."""

    def __init__(self, policy: CachePolicy) -> None:
        self._hits = 0
        self._misses = 0
        self._policy = policy
        self._entries: OrderedDict[K, tuple[float, int, A]] = OrderedDict()
        """When it is too old, its bytes, and the answer; what was asked for last is last."""
        self._size = 0
        self._flights: dict[K, Flight[K, C]] = {}

    @property
    def state(self) -> CacheState:
        """What it has now."""
        return CacheState(len(self._entries), self._size, self._hits, self._misses)

    def under_way(self, key: K) -> Flight[K, C] | None:
        """The question, if it is under way."""
        return self._flights.get(key)

    def pass_by(self) -> None:
        """A question that might have been answered is asked without this cache."""
        self._misses += 1

    def ask(self, key: K, caller: C, now: float) -> Hit[A] | Asked[K, C]:
        """Somebody asks a question."""
        entry = self._entries.get(key)
        if entry is not None:
            too_old_at, _, answer = entry
            if now < too_old_at:
                self._entries.move_to_end(key)
                self._hits += 1
                return Hit(answer)
            self._drop(key)
        flight = self._flights.get(key)
        is_new = flight is None
        if flight is None:
            flight = self._flights[key] = Flight(key)
            self._misses += 1
        else:
            self._hits += 1
        flight.callers[caller] = None
        return Asked(flight, is_new)

    def answered(self, flight: Flight[K, C], answer: A, size: int, now: float) -> list[C]:
        """Its answer came: keep it, unless it has become useless meanwhile.

        Args:
            size: of question and answer, in bytes.

        Returns:
            who waits for it.
        """
        self._end(flight)
        size += _PER_ENTRY
        if flight.may_be_kept and size <= self._policy.max_bytes:
            self._drop(flight.key)
            self._entries[flight.key] = now + self._policy.ttl, size, answer
            self._size += size
            while len(self._entries) > self._policy.max_entries or self._size > (
                self._policy.max_bytes
            ):
                self._drop(next(iter(self._entries)))
        return list(flight.callers)

    def failed(self, flight: Flight[K, C]) -> list[C]:
        """It has no answer: nothing is kept.

        Returns:
            who waits for it.
        """
        self._end(flight)
        return list(flight.callers)

    def leave(self, flight: Flight[K, C], caller: C) -> bool:
        """Somebody does not wait any more; whether nobody else does, and it has ended."""
        flight.callers.pop(caller, None)
        if flight.callers:
            return False
        self._end(flight)
        return True

    def invalidate(self, matches: Callable[[K], Any] = lambda key: True) -> int:
        """Forget answers; what is under way answers those who wait, and nobody else.

        Args:
            matches: of which keys.

        Returns:
            how many were kept.
        """
        for key in [key for key in self._flights if matches(key)]:
            self._flights.pop(key).may_be_kept = False
        forgotten = [key for key in self._entries if matches(key)]
        for key in forgotten:
            self._drop(key)
        return len(forgotten)

    def _end(self, flight: Flight[K, C]) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry[1]
