"""How a supervisor reaches one incarnation of a system actor, and its process."""

from __future__ import annotations

import os
import signal
from typing import Any

import attrs
from thespian.actors import ActorAddress

from supervisor.core.exits import ProcessExit
from supervisor.runtime.oom import OomCounter


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


@attrs.frozen
class ActorClient:
    """Whoever asked by an actor message. Thespian's addresses cannot be hashed."""

    address: ActorAddress = attrs.field(eq=False)
    text: str
