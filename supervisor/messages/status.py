"""How a system fares at one moment."""

from __future__ import annotations

import enum

import attrs

from actors.messages import Reason
from actors.resilience.cache import CacheState
from actors.resilience.circuit_breaker import CircuitState
from actors.resilience.pool_actions import PoolState
from supervisor.messages.crashes import CrashReport
from supervisor.specs.spec import ROOT


class SystemState(enum.StrEnum):
    """What a system is doing."""

    STARTING = "starting"
    """Its process is being made."""
    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    """It runs, and is not connected for a reason that somebody must mend first: it is not tried
    again before it is asked to connect, or restarted."""
    RESTARTING = "restarting"
    """It crashed, and its next incarnation starts soon."""
    WAITING = "waiting"
    """It was stopped with others that are restarted together, and starts in its turn."""
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


@attrs.frozen(kw_only=True)
class CircuitStatus:
    """The circuit breaker of a system, at one moment."""

    state: CircuitState
    reason: str | None
    """Why it opened the last time, unless it is closed."""
    next_try: float | None
    """Seconds until a call is made again; None unless it is open."""


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
    dropped: int = 0
    """Items that came and that nobody got, as they came unasked or had come before, over all
    incarnations under this supervisor."""
    outbox: int | None = 0
    """Messages sent durably that wait to be delivered; None until the journal is open."""
    next_attempt: float | None = None
    """Seconds until it is tried to be connected again; None while it is connected, or being
    connected, or not meant to be."""
    pool: PoolState | None = None
    """Its connections, as they were half a second ago at most; None if it has no pool."""
    connected_to: str | None = None
    """Which of its addresses it is connected to, if it is and its connector says so."""
    cache: CacheState | None = None
    """What its cache has, and how often it was of use in this incarnation, as it was half a second
    ago at most; None if it has none."""
    circuit: CircuitStatus | None = None
    """None if it has no circuit breaker."""
    retried: int = 0
    """How often a call was made once more, over all incarnations under this supervisor."""
