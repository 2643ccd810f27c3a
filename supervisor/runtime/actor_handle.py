"""How a supervisor reaches one incarnation of a system actor, and its process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any, Final

import attrs
from thespian.actors import ActorAddress

from supervisor.core.exits import ProcessExit
from supervisor.runtime.oom import OomCounter

_LOOK_EVERY: Final = 0.5
"""Seconds between two looks for processes that ended unnoticed."""
_LAST_WORDS: Final = 0.02
"""Seconds in which what a process said before its end arrives."""


@attrs.define(eq=False)
class ActorHandle:
    """Of one incarnation, from its start until its end was dealt with."""

    name: str
    incarnation: int
    address: ActorAddress
    process: Any
    """Its multiprocessing.Process, where the base has one: it knows the exit code."""
    pid: int | None = None
    dead_since: float | None = None
    killed: bool = False
    """Whether this supervisor sent it a SIGKILL."""

    def how_it_ended(self, now: float, oom: OomCounter) -> ProcessExit:
        """What can be told of the end of its process.

        Args:
            now: seconds of a monotonic clock.
        """
        how = ProcessExit.of(getattr(self.process, "exitcode", None), out_of_memory=False)
        if how.signal != "SIGKILL" or self.killed:
            return how
        return attrs.evolve(how, out_of_memory=oom.claim(now))

    def kill(self) -> None:
        """End the process with SIGKILL, if it is there."""
        self.killed = True
        try:
            if self.process is not None:
                self.process.kill()  # does nothing once the process was waited for
            elif self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class ActorHandles:
    """Those of all actors of one supervisor. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._by_name: dict[str, ActorHandle] = {}
        self.look_at = 0.0
        """When to look for exits that nobody told of."""

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def __iter__(self) -> Iterator[ActorHandle]:
        return iter(list(self._by_name.values()))

    def add(self, handle: ActorHandle) -> None:
        self._by_name[handle.name] = handle

    def remove(self, handle: ActorHandle) -> None:
        del self._by_name[handle.name]

    def find(self, name: str, incarnation: int) -> ActorHandle | None:
        handle = self._by_name.get(name)
        return handle if handle is not None and handle.incarnation == incarnation else None

    def at(self, address: ActorAddress) -> ActorHandle | None:
        return next((each for each in self if each.address == address), None)

    def look_soon(self, now: float) -> None:
        """What killed one may have killed others."""
        self.look_at = now + _LAST_WORDS

    def look(self, now: float) -> list[ActorHandle]:
        """Those whose processes have ended without a word of it from Thespian, which loses some
        when many end at once. What they said last has come by now."""
        self.look_at = now + _LOOK_EVERY
        ended = []
        for handle in self:
            if handle.process is None or handle.process.is_alive():
                continue
            if handle.dead_since is None:
                handle.dead_since = now  # what it said last may still be on its way
            elif now - handle.dead_since >= _LAST_WORDS:
                ended.append(handle)
        if any(handle.dead_since is not None for handle in self):
            self.look_at = now + _LAST_WORDS
        return ended


@attrs.frozen
class ActorClient:
    """Whoever asked by an actor message. Thespian's addresses cannot be hashed."""

    address: ActorAddress = attrs.field(eq=False)
    text: str
