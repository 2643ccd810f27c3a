"""What the parts of a core share: what they know of the world, and their ways out to it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ParamSpec

from supervisor.core.actions import Client, CoreAction, TellClient
from supervisor.core.child import Child
from supervisor.core.doors import Doors
from supervisor.messages import LifecycleEvent
from supervisor.specs.options import SupervisorOptions
from supervisor.timing.timers import Timers
from supervisor.tree.decisions import Happened

P = ParamSpec("P")

OnBug = Callable[[str, Exception], None]
"""Is told what could not be dealt with, and what was raised."""


class Context:
    """Each part of one core is handed it. It decides nothing."""

    def __init__(
        self,
        options: SupervisorOptions,
        random: Random,
        wall_clock: Callable[[], float],
        doors: Doors,
        sequence: int,
        on_bug: OnBug | None = None,
        unread: Callable[[Client], int] = lambda _: 0,
    ) -> None:
        """
        Args:
            wall_clock: seconds since the epoch.
            sequence: of the last event of the supervisor before this one.
            on_bug: told of what :meth:`guard` caught; None has it raised.
            unread: bytes that a client was told and has not begun to read.
        """
        self.options = options
        self.random = random
        self.wall_clock = wall_clock
        self.doors = doors
        self.on_bug = on_bug
        self.unread = unread
        self.timers = Timers()
        self.children: dict[str, Child] = {}
        """All systems, by name."""
        self._sequence = sequence
        self._actions: list[CoreAction] = []
        self._listeners: list[Callable[[LifecycleEvent], None]] = []

    @property
    def now(self) -> float:
        """When what the core deals with at present happened; seconds of a monotonic clock."""
        return self.timers.now

    # ---- bugs -------------------------------------------------------------------------------

    def guard(
        self, what: str, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Make a call whose failure is to cost nobody else what he is owed.

        Args:
            what: could not be dealt with, should it fail.
        """
        try:
            call(*args, **kwargs)
        except Exception as error:
            if self.on_bug is None:
                raise
            self.on_bug(what, error)

    # ---- what is to be done -----------------------------------------------------------------

    def act(self, action: CoreAction) -> None:
        """Have the shell do something."""
        self._actions.append(action)

    def tell(self, client: Client, message: object) -> None:
        """Have the shell send a reply or an event to whoever asked or subscribed."""
        self._actions.append(TellClient(client, message))

    def take_actions(self) -> list[CoreAction]:
        """What is to be done, in order; it is handed out once."""
        actions, self._actions = self._actions, []
        return actions

    # ---- what happens -----------------------------------------------------------------------

    def listen(self, hear: Callable[[LifecycleEvent], None]) -> None:
        """Have a part told of all that happens from now on, after those that listen already."""
        self._listeners.append(hear)

    def publish(self, happened: Happened) -> None:
        """Number what happened, and tell it to all that listen: who subscribed, the record
        and the log know it from here and from nowhere else."""
        self._sequence += 1
        report = happened.report
        event = LifecycleEvent(
            sequence=self._sequence,
            time=self.wall_clock() if report is None else report.time,
            kind=happened.kind,
            system_name=happened.system_name,
            incarnation=happened.incarnation,
            reason=happened.reason,
            delay=happened.delay,
            report=report,
            connected_to=happened.connected_to,
        )
        for hear in self._listeners:
            self.guard(f"{event.kind} of {event.system_name}", hear, event)
