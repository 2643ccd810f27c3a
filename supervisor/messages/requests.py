"""What a supervisor understands, and what it answers.

It understands the requests of :mod:`actors.messages` as well, and passes them on to the
system they name. Every request gets exactly one reply: the typed result named in its
docstring, or a :class:`~actors.messages.Failure`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import attrs

from actors.messages import (
    Failure,
    FailureCode,
    Outcome,
    Reason,
    Reply,
    Request,
    new_request_id,
)
from actors.payload import unwrap, wrap_each
from supervisor.messages.crashes import CrashReport
from supervisor.specs.spec import ROOT, SystemSpec, seal_details


def _tuple_or_none(names: Iterable[str] | None) -> tuple[str, ...] | None:
    if isinstance(names, str):
        raise TypeError(f"data_from is a sequence of names, not one string: ({names!r},)")
    return None if names is None else tuple(names)


class SystemState(enum.StrEnum):
    """What a system is doing."""

    STARTING = "starting"
    """Its process is being made."""
    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RESTARTING = "restarting"
    """It crashed, and its next incarnation starts soon."""
    QUARANTINED = "quarantined"
    """It crashed too often, and waits for a :class:`RestartSystem`."""
    STOPPING = "stopping"
    TERMINATED = "terminated"
    """It does not run, and is not meant to: it was terminated, or has ended for good."""
    UP = "up"
    """Of a group: it is started."""


class DesiredState(enum.StrEnum):
    """What a system is meant to be; whatever restarts it brings it back to this."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    TERMINATED = "terminated"


@attrs.frozen
class SupervisorRequest:
    """A question or an order to the supervisor itself."""

    request_id: int = attrs.field(factory=new_request_id, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    """Seconds until the request is answered with ``timeout``; None takes the
    supervisor's default."""

    def failure(self, code: FailureCode, text: str, outcome: Outcome = Outcome.NOT_SENT) -> Failure:
        """The failed answer to this request."""
        return Failure(request_id=self.request_id, code=code, text=text, outcome=outcome)


@attrs.frozen
class RegisterSystem(SupervisorRequest):
    """Start a system as the last of a group. Answered by :class:`SystemRegistered` once it is
    built. A system that cannot be built leaves nothing behind."""

    spec: SystemSpec = attrs.field(converter=seal_details)
    group: str | None = None
    """None is the root group."""


@attrs.frozen
class UnregisterSystem(Request):
    """Disconnect a system, end its process, forget it. Answered by
    :class:`SystemUnregistered`."""


@attrs.frozen
class RestartSystem(Request):
    """End a system's process and start its next incarnation, also from quarantine.
    Answered by :class:`SystemRestarted`."""


@attrs.frozen
class ResolveSystem(Request):
    """Where a system is to be reached without its supervisor. Answered by
    :class:`SystemResolved`, at once; fails with ``unavailable`` while it is not up, or has no
    door."""


@attrs.frozen
class GetStatus(Request):
    """Answered by :class:`StatusGiven`, at once, also when the system hangs."""


@attrs.frozen
class GetAllStatus(SupervisorRequest):
    """Answered by :class:`AllStatusGiven`."""


@attrs.frozen
class ConnectAll(SupervisorRequest):
    """Connect all systems at once. Answered by :class:`AllConnected`."""


@attrs.frozen
class DisconnectAll(SupervisorRequest):
    """Disconnect all systems at once. Answered by :class:`AllDisconnected`."""


@attrs.frozen
class Subscribe(SupervisorRequest):
    """Have events sent to the asker, in place of what it subscribed to before. Answered
    by :class:`Subscribed`; :class:`LifecycleEvent` and :class:`DataArrived` follow.

    While a system has data subscribers it is received from all the time. An item goes to
    every subscriber, and also answers a ``ReceiveData`` that waits.
    """

    lifecycle: bool = True
    data_from: tuple[str, ...] | None = attrs.field(default=(), converter=_tuple_or_none)
    """Names of systems, also of ones not registered yet; None means all."""
    since: int | None = None
    """The sequence number of the last event that the asker has; those after it come first.
    Fails with ``events_lost`` if some of them are not kept any more. None begins now."""


@attrs.frozen
class Unsubscribe(SupervisorRequest):
    """Have no more events sent to the asker. Answered by :class:`Unsubscribed`."""


@attrs.frozen
class Ping(SupervisorRequest):
    """Answered by :class:`Pong`, by a supervisor that is not hung."""


@attrs.frozen
class StopSupervisor(SupervisorRequest):
    """Disconnect and end all systems. Answered by :class:`SupervisorStopped`."""


@attrs.frozen
class CancelRequest:
    """The asker does not wait any more; no reply follows. What has not begun never does."""

    request_ids: tuple[int, ...]


@attrs.frozen
class ReturnData:
    """Items that the asker was given and cannot use; the next receive gets them first."""

    system_name: str
    items: tuple[Any, ...] = attrs.field(repr=False, converter=wrap_each)


# ---- replies ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SupervisorReady(Reply):
    """The supervisor is set up, and listens."""

    supervisor_pid: int
    guardian_pid: int | None = None
    """Of the actor that restarts the supervisor; None without one."""
    admin_pid: int | None = None
    """Of the actor system's admin, where each actor has its own process."""


@attrs.frozen(kw_only=True)
class Pong(Reply):
    """The supervisor is there."""


@attrs.frozen(kw_only=True)
class SystemRegistered(Reply):
    """The system is built; it is connected only if its spec says so."""

    incarnation: int
    commands: tuple[str, ...]


@attrs.frozen(kw_only=True)
class SystemResolved(Reply):
    """Where one incarnation of a system is, and what holds for requests to it."""

    incarnation: int
    door: str
    """The path of a Unix socket."""
    mailbox_size: int
    max_payload_bytes: int
    request_timeout: float
    connect_timeout: float


@attrs.frozen(kw_only=True)
class SystemUnregistered(Reply):
    """The system is gone."""


@attrs.frozen(kw_only=True)
class SystemRestarted(Reply):
    """The system's next incarnation is built; it is being connected if it was meant to be."""

    incarnation: int


@attrs.frozen(kw_only=True)
class AllConnected(Reply):
    """For each system True, or its Failure."""

    results: dict[str, bool | Failure]


@attrs.frozen(kw_only=True)
class AllDisconnected(Reply):
    """For each system True, or its Failure."""

    results: dict[str, bool | Failure]


@attrs.frozen(kw_only=True)
class SystemStatus:
    """One system at one moment, for outsiders."""

    name: str
    kind: str
    state: SystemState
    incarnation: int
    """Which life of its actor this is: 1, 2, 3..."""
    is_connected: bool
    pid: int | None
    """The system actor's process; None while there is none."""
    uptime: float
    """Seconds since this incarnation started; 0 while there is none."""
    restarts: int
    """How often it was restarted after a crash."""
    sent: int
    """Items the system took, over all incarnations under this supervisor."""
    received: int
    """Items received from it and handed out, over all incarnations under this supervisor."""
    waiting: int
    """Items and requests not answered yet."""
    commands: tuple[str, ...]
    last_crash: Reason | None
    last_error: str | None
    """Why it could not be connected, or is not any more; None once it is."""
    group: str = ROOT
    """The group it is in."""
    desired: DesiredState = DesiredState.DISCONNECTED
    crashes: tuple[CrashReport, ...] = ()
    """The last of them, oldest first."""


@attrs.frozen(kw_only=True)
class StatusGiven(Reply):
    status: SystemStatus


@attrs.frozen(kw_only=True)
class AllStatusGiven(Reply):
    systems: tuple[SystemStatus, ...]
    """In the order of their registration."""


@attrs.frozen(kw_only=True)
class Subscribed(Reply):
    """Events follow, beginning with the sequence number given."""

    next_sequence: int


@attrs.frozen(kw_only=True)
class Unsubscribed(Reply):
    """No more events follow."""


@attrs.frozen(kw_only=True)
class SupervisorStopped(Reply):
    """All systems are gone; the supervisor ends."""


# ---- events -------------------------------------------------------------------------------


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
    """Also after a connect that failed."""
    HUNG = "hung"
    """It is silent for too long, and is being killed; ``crashed`` follows."""
    CRASHED = "crashed"
    """It ended abnormally, or could not be started."""
    ABANDONED = "abandoned"
    """Its process did not end by SIGKILL, and is left to itself."""
    RESTARTING = "restarting"
    """It is to be started again, after ``delay`` seconds."""
    QUARANTINED = "quarantined"
    GAVE_UP = "gave_up"
    """A group has used up its restarts, and ends."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """It ended as it was asked to, or by itself in order."""
    CHANGED = "changed"
    """Its spec was changed while it runs."""
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
    """Of a crash, or of a quarantine."""
    delay: float | None = None
    """Of ``restarting``: seconds until the next incarnation starts."""
    report: CrashReport | None = None
    """Of ``crashed``."""


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
class SupervisorClosing:
    """The last message on every client's connection when the supervisor ends in order: it
    is not to be restarted."""

    reason: str | None = None
    """Why it ended for good by itself; None when it was asked to."""
    exit_code: int = 0
    """Of the runtime's root process."""
