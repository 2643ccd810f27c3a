"""Who is asked for a sign of life, and who has been silent for too long. Pure.

A system actor has two threads that can hang: the one that takes messages, and its event
loop. Each answers each beat. The silence of a thread is counted from the first beat that it
does not answer, so it is never longer than the thread has really been silent.

Only time in which the supervisor was awake counts. While a beat is unanswered, ticks are
planned at short steps; what lies between two ticks counts as two steps at most. When the
supervisor was stopped or the whole machine stood still, nobody is hung for that, and answers
that waited for the supervisor to wake are heard before anybody is judged.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from actors.messages import Thread

_BEATS: Final = 3
"""In one hang_timeout. A thread that falls silent just after an answer is found this much
later: after 1 + 1/3 hang_timeout."""
_STEPS: Final = 8
"""Ticks in one hang_timeout, while an answer is missing."""
_SLOTS: Final = 64
"""Moments between two beats of a system at which beats are sent, so that systems are spread
over many of them, and a supervisor of hundreds still does not wake for each alone."""
_SPREAD: Final = (math.sqrt(5) - 1) / 2
"""Multiples of it, less their whole part, lie evenly between 0 and 1, however many there are."""

_ROUNDING: Final = 1e-4
"""Sums of steps miss a limit by less than this part of it."""


@attrs.frozen
class Hung:
    """A system that does not answer."""

    name: str
    incarnation: int
    threads: tuple[Thread, ...]
    """Those that are silent. The event loop's answers go through the message thread: if that
    is silent, nobody knows of the event loop."""
    seconds: float
    """Of silence."""
    hang_timeout: float

    @property
    def text(self) -> str:
        """What happened, in words."""
        who = " and its ".join(each.value for each in self.threads)
        verb = "was" if len(self.threads) == 1 else "were"
        limit = f"hang_timeout {self.hang_timeout:g} s"
        return f"its {who} {verb} silent for {self.seconds:.3g} s ({limit})"


@attrs.define(eq=False)
class _Watched:
    name: str
    incarnation: int
    hang_timeout: float
    next_beat: float
    """When to ask next, once the last beat is answered."""
    number: int = 0
    """Of the last beat."""
    missing: frozenset[Thread] = frozenset()
    """The threads that have not answered it."""
    silence: float = 0.0
    """Seconds since it that count."""
    counted_at: float = 0.0
    """Until when they are counted."""

    @property
    def step(self) -> float:
        return self.hang_timeout / _STEPS

    @property
    def due(self) -> float:
        if not self.missing:
            return self.next_beat
        left = max(self.hang_timeout - self.silence, self.hang_timeout * _ROUNDING)
        return self.counted_at + min(self.step, left)

    def is_hung(self, now: float) -> bool:
        """Count the time since the last tick; whether it is silent for too long by now."""
        passed = max(0.0, now - self.counted_at)
        was_late = passed > 2 * self.step
        was_silent = self.silence
        self.silence += min(passed, 2 * self.step)
        self.counted_at = now
        # After a stall, answers wait to be heard: not this tick judges it but the next.
        silence = was_silent if was_late else self.silence
        return silence >= self.hang_timeout * (1 - _ROUNDING)

    def ask(self, now: float) -> None:
        self.number += 1
        self.missing = frozenset(Thread)
        self.silence = 0.0
        self.counted_at = now
        interval = self.hang_timeout / _BEATS
        slot = interval / _SLOTS
        self.next_beat = math.floor((now + interval) / slot) * slot


class Heartbeats:
    """Of all systems of a supervisor. A clock goes in with each call; times are seconds of a
    monotonic clock."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._count = 0

    def watch(self, name: str, incarnation: int, hang_timeout: float, now: float) -> None:
        """A system is up: ask it from now on.

        Args:
            hang_timeout: seconds; ``math.inf`` never asks.
        """
        self.forget(name)
        if hang_timeout == math.inf:
            return
        self._count += 1
        first = now + hang_timeout / _BEATS * (self._count * _SPREAD % 1.0)
        self._watched[name] = _Watched(name, incarnation, hang_timeout, first)

    def forget(self, name: str) -> None:
        """A system ends, or has ended."""
        self._watched.pop(name, None)

    def answered(
        self, name: str, incarnation: int, thread: Thread, number: int, now: float
    ) -> None:
        """A thread answered a beat. Answers to earlier ones, and of earlier incarnations, say
        nothing."""
        watched = self._watched.get(name)
        if watched is None or (watched.incarnation, watched.number) != (incarnation, number):
            return
        watched.missing -= {thread}
        watched.next_beat = max(watched.next_beat, now)

    def tick(self, now: float) -> tuple[list[tuple[str, int, int]], list[Hung]]:
        """What is due: the beats to send, each as name, incarnation and number, and the
        systems that hang. Those are not watched any more."""
        beats: list[tuple[str, int, int]] = []
        hung: list[Hung] = []
        for each in self._watched.values():
            if not each.missing:
                if each.next_beat <= now:
                    each.ask(now)
                    beats.append((each.name, each.incarnation, each.number))
            elif each.is_hung(now):
                silent = tuple(thread for thread in Thread if thread in each.missing)
                hung.append(
                    Hung(each.name, each.incarnation, silent, each.silence, each.hang_timeout)
                )
        for one in hung:
            self.forget(one.name)
        return beats, hung

    def next_due(self) -> float | None:
        """When :meth:`tick` is to be called next. Only :meth:`watch` and :meth:`tick` may
        bring it forward."""
        return min((each.due for each in self._watched.values()), default=None)
