"""What a supervisor tells without being asked each time: what happens, and what arrives."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from actors.messages import Reason
from actors.payload import unwrap
from supervisor.messages.crashes import CrashReport


class EventKind(enum.StrEnum):
    """What happened to a system."""

    REGISTERED = "registered"
    """Its spec was added."""
    STARTING = "starting"
    """A process for its next incarnation is being made; a group begins to start."""
    STARTED = "started"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """Also after a connect that failed; with its ``reason``, unless somebody asked for it, and
    after ``delay`` seconds it is tried again."""
    FAILED = "failed"
    """It could not be connected, or lost its connection, for a ``reason`` that somebody must mend
    first; it is not tried again by itself."""
    HUNG = "hung"
    """It is silent for too long, and is being killed; ``crashed`` follows."""
    CRASHED = "crashed"
    """It ended abnormally, also while it was being stopped, or could not be started."""
    ABANDONED = "abandoned"
    """Its process did not end by SIGKILL, and is left to itself."""
    RESTARTING = "restarting"
    """It is to be started again, after ``delay`` seconds."""
    QUARANTINED = "quarantined"
    GAVE_UP = "gave_up"
    """A group has used up its restarts, and ends."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """It ended as it was asked to, or by itself in order; ``reason`` if that went wrong."""
    CHANGED = "changed"
    """Its spec was changed while it runs."""
    DEAD_LETTER = "dead_letter"
    """A message that was sent to it durably is not tried any more; ``reason`` says why."""
    OUTBOX_BLOCKED = "outbox_blocked"
    """The same, and all messages behind it wait until something is done about it."""
    CIRCUIT_OPENED = "circuit_opened"
    """Too many of its last calls failed, or one that was to show whether it works again: it is not
    called any more; ``reason`` says why. After ``delay`` seconds it is tried."""
    CIRCUIT_HALF_OPEN = "circuit_half_open"
    """The next few calls are made, to see whether they succeed."""
    CIRCUIT_CLOSED = "circuit_closed"
    """It is called again, as ``reason`` says."""
    UNREGISTERED = "unregistered"
    """Its spec was removed."""


@attrs.frozen(kw_only=True)
class LifecycleEvent:
    """Something happened to a system or a group."""

    sequence: int
    """Counts the events of a supervisor without a gap: 1, 2, 3..."""
    time: float
    """Seconds since the epoch."""
    kind: EventKind
    system_name: str
    incarnation: int
    reason: Reason | None = None
    """Of a crash, a quarantine, a circuit breaker's change, or why it is not connected."""
    delay: float | None = None
    """Of ``restarting``: seconds until the next incarnation starts. Of ``disconnected``: until
    the next attempt to connect; None if none is planned. Of ``circuit_opened``: until the next
    call is made."""
    report: CrashReport | None = None
    """Of ``crashed``."""
    connected_to: str | None = None
    """Of ``connected``: to which of its addresses, if its connector says so."""


@attrs.frozen
class DataArrived:
    """Items received from a system, for subscribers."""

    system_name: str
    items: tuple[Any, ...] = attrs.field(repr=False)

    def load(self) -> list[Any]:
        """The items.

        Raises:
            PayloadError: one of them cannot be unpickled in this process.
        """
        return [unwrap(item) for item in self.items]


@attrs.frozen
class DataLost:
    """No more :class:`DataArrived` follow: the subscriber left too much unread. It may subscribe
    again."""

    text: str


@attrs.frozen
class SupervisorClosing:
    """The last message on every client's connection when the supervisor ends in order: it
    is not to be restarted."""

    reason: str | None = None
    """Why it ended for good by itself; None when it was asked to."""
    exit_code: int = 0
    """Of the runtime's root process."""
