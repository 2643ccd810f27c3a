"""What a supervisor understands, and what it answers.

It understands the requests of :mod:`actors.messages` as well, and passes them on to the
system they name. Every request gets exactly one reply: the typed result named in its
docstring, or a :class:`~actors.messages.Failure`.

``RegisterSystem``, ``RestartSystem`` and ``UnregisterSystem`` are the manager's words. Those of
OTP for the same orders, and for groups too, are in :mod:`supervisor.messages.children`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from actors.messages import (
    Failure,
    FailureCode,
    Outcome,
    Reply,
    Request,
    new_request_id,
)
from actors.messages.output import OutputLine
from actors.messages.supervision import MAX_PAYLOAD_BYTES
from actors.payload import wrap_each
from supervisor.messages.status import SystemStatus
from supervisor.specs.spec import SystemSpec, seal_details


def _data_from(names: Iterable[str] | None) -> tuple[str, ...] | None:
    return _names("data_from", names)


def _output_of(names: Iterable[str] | None) -> tuple[str, ...] | None:
    return _names("output_of", names)


def _names(field: str, names: Iterable[str] | None) -> tuple[str, ...] | None:
    if isinstance(names, str):
        raise TypeError(f"{field} is a sequence of names, not one string: ({names!r},)")
    return None if names is None else tuple(names)


@attrs.frozen
class SupervisorRequest:
    """A question or an order to the supervisor itself."""

    request_id: int = attrs.field(factory=new_request_id, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    """Seconds until the request is answered with ``timeout``; None takes the
    supervisor's default."""

    def failure(self, code: FailureCode, text: str, outcome: Outcome = Outcome.NOT_SENT) -> Failure:
        """The failed answer to this request."""
        return Failure.to(self, None, code, text, outcome)


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
class GetLogs(Request):
    """The last that a system's process said. Answered by :class:`LogsGiven`."""

    count: int = 100
    """At most so many lines; there are a thousand, or 256 KiB, of each system."""


@attrs.frozen
class ConnectAll(SupervisorRequest):
    """Connect all systems at once. Answered by :class:`AllConnected`."""

    keep_trying: bool = attrs.field(default=True, kw_only=True)
    """As of :class:`~actors.messages.ConnectSystem`."""


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
    data_from: tuple[str, ...] | None = attrs.field(default=(), converter=_data_from)
    """Names of systems, also of ones not registered yet; None means all."""
    since: int | None = None
    """The sequence number of the last event that the asker has; those after it come first.
    Fails with ``events_lost`` if some of them are not kept any more. None begins now."""
    output_of: tuple[str, ...] | None = attrs.field(default=(), converter=_output_of)
    """Names of systems, as of ``data_from``: what their processes say follows as
    :class:`LinesSaid`."""
    output_since: int | None = None
    """The sequence number of the last line that the asker has; those after it that are kept come
    first. None begins now."""


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
    durable: bool = False
    """Whether sends that do not say it are durable, and so go through the supervisor."""
    waits_when_down: bool = False
    """Whether what is asked while it is not connected waits with its supervisor."""
    is_connected: bool = True
    """Or is not meant to be."""
    next_attempt: float | None = None
    """Seconds until it is tried to connect it, where that is planned."""


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
class StatusGiven(Reply):
    status: SystemStatus


@attrs.frozen(kw_only=True)
class LogsGiven(Reply):
    lines: tuple[OutputLine, ...] = attrs.field(repr=False)
    """In order; of all its incarnations."""


@attrs.frozen(kw_only=True)
class AllStatusGiven(Reply):
    systems: tuple[SystemStatus, ...]
    """In the order of their registration."""


@attrs.frozen(kw_only=True)
class Subscribed(Reply):
    """Events follow, beginning with the sequence number given."""

    next_sequence: int
    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    """What the supervisor takes."""
    state_dir: str | None = None
    """Where its journal is, or would be."""


@attrs.frozen(kw_only=True)
class Unsubscribed(Reply):
    """No more events follow."""


@attrs.frozen(kw_only=True)
class SupervisorStopped(Reply):
    """All systems are gone; the supervisor ends."""
