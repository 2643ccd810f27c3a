"""What a supervisor knows of one system. Changed by the core and the router only."""

from __future__ import annotations

import enum
import math
from collections import deque
from typing import Final

import attrs

from actors.messages import ConnectSystem, Failure, FailureCode, Reason, Request, SendMany
from supervisor.actions import Client
from supervisor.crashes import CrashReport
from supervisor.messages import SupervisorRequest, SystemState, SystemStatus
from supervisor.orders import Order
from supervisor.restarts import RestartHistory
from supervisor.spec import SystemSpec
from supervisor.timers import Timer

WINDOW: Final = 2
"""Deliveries that an actor may have before it takes them. A hung actor never takes any:
Thespian stops sending to everybody after twenty messages that nobody takes."""
DELIVERY_ITEMS: Final = 1000
DELIVERY_BYTES: Final = 1 << 20
"""A delivery ends with the request that reaches one of these."""


class Phase(enum.Enum):
    """Where the child's process stands."""

    STARTING = enum.auto()
    RUNNING = enum.auto()
    ENDING = enum.auto()
    """It is to exit, or has crashed; its exit has not been noticed yet."""
    WAITING = enum.auto()
    """There is no process; the next starts after a delay."""
    QUARANTINED = enum.auto()
    GONE = enum.auto()
    """It is registered no more. Timers may still look at it, and must leave it alone."""


class Purpose(enum.Enum):
    """Why a child's process ends."""

    CRASH = enum.auto()
    RESTART = enum.auto()
    UNREGISTER = enum.auto()
    STOP = enum.auto()


@attrs.define(eq=False)
class Group:
    """A request to all systems, while their answers come in."""

    client: Client | None
    """None when nobody waits for the answer any more."""
    request: SupervisorRequest
    missing: int
    results: dict[str, bool | Failure] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Pending:
    """A request to a system, until it is answered."""

    ref: int
    client: Client | None
    """None when nobody waits for the answer any more, or the supervisor asks itself."""
    request: Request
    weight: int
    size: int
    group: Group | None = None
    own: bool = False
    """The supervisor's own connect, to bring a restarted system back."""
    deadline: float = math.inf
    timer: Timer | None = None
    """Of the deadline."""
    delivered: bool = False
    results: list[bool | Failure] = attrs.field(factory=list)
    """Of a SendMany: what is known so far, if it is not streamed."""
    answered: int = 0
    """Of a SendMany: how many items have a result."""
    refused: tuple[Failure, ...] = ()
    """Of a SendMany that did not fit into the mailbox: the results of its last items."""

    @property
    def streamed(self) -> bool:
        return isinstance(self.request, SendMany) and self.request.stream


@attrs.define(eq=False)
class Child:
    """One registered system."""

    spec: SystemSpec
    history: RestartHistory
    phase: Phase = Phase.STARTING
    purpose: Purpose | None = None
    """Set while ENDING."""
    incarnation: int = 0
    was_up: bool = False
    """Whether any incarnation was ever built."""
    keep: bool = False
    pid: int | None = None
    commands: tuple[str, ...] = ()
    wanted: bool = False
    """Whether it is meant to be connected."""
    last_disconnect: int = 0
    """The ref of the last order to disconnect."""
    is_connected: bool = False
    connect_failures: int = 0
    """How often in a row it could not be connected, or lost its connection soon."""
    connected_at: float = 0.0
    last_error: str | None = None
    """Why it is not connected, when it was tried."""
    started_at: float = 0.0
    restarts: int = 0
    sent: int = 0
    received: int = 0
    last_crash: Reason | None = None
    crashes: tuple[CrashReport, ...] = ()
    """The last of them, oldest first."""
    crash: Reason | None = None
    """What the current incarnation said of its crash, before its exit was noticed."""
    start_code: FailureCode | None = None
    """Of the last start that failed."""
    start_waiters: list[Order] = attrs.field(factory=list)
    """Register and restart requests, answered when the next start ends."""
    end_waiters: list[Order] = attrs.field(factory=list)
    """Unregister requests, answered when the process is gone."""
    mailbox: deque[Pending] = attrs.field(factory=deque)
    """Not delivered yet, oldest first."""
    open: dict[int, Pending] = attrs.field(factory=dict)
    """All not answered yet, by ref, oldest first: those in the mailbox and those delivered."""
    weight: int = 0
    size: int = 0
    """Of what is open, in items and in bytes."""
    delivered: int = 0
    """The number of the last delivery to this incarnation."""
    taken: int = 0
    """The number of the last that its event loop took."""
    returned: list[object] = attrs.field(factory=list)
    """Received items that reached nobody, on their way back to the system."""
    tapped: bool = False

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def has_process(self) -> bool:
        return self.phase in (Phase.STARTING, Phase.RUNNING, Phase.ENDING)

    @property
    def can_deliver(self) -> bool:
        return (
            self.phase is Phase.RUNNING
            and bool(self.mailbox)
            and self.delivered - self.taken < WINDOW
        )

    @property
    def state(self) -> SystemState:
        match self.phase:
            case Phase.STARTING:
                return SystemState.RESTARTING if self.was_up else SystemState.STARTING
            case Phase.WAITING:
                return SystemState.RESTARTING
            case Phase.QUARANTINED:
                return SystemState.QUARANTINED
            case Phase.GONE:
                return SystemState.STOPPING
            case Phase.ENDING:
                crashed = self.purpose in (Purpose.CRASH, Purpose.RESTART)
                return SystemState.RESTARTING if crashed else SystemState.STOPPING
        if self.is_connected:
            return SystemState.CONNECTED
        connecting = any(isinstance(each.request, ConnectSystem) for each in self.open.values())
        return SystemState.CONNECTING if connecting else SystemState.DISCONNECTED

    def is_still(self, incarnation: int, phase: Phase) -> bool:
        """For timers: whether what they were set for is still so. A child that was removed
        is GONE, whoever has its name by now."""
        return self.incarnation == incarnation and self.phase is phase

    def begin(self, now: float) -> None:
        """Count a new incarnation, and forget what was known of the one before."""
        self.incarnation += 1
        self.phase = Phase.STARTING
        self.purpose = None
        self.crash = None
        self.start_code = None
        self.pid = None
        self.is_connected = False
        self.connect_failures = 0
        self.started_at = now
        self.delivered = self.taken = 0
        self.tapped = False

    def status(self, now: float) -> SystemStatus:
        running = self.phase is Phase.RUNNING
        return SystemStatus(
            name=self.name,
            kind=self.spec.kind,
            state=self.state,
            incarnation=self.incarnation,
            is_connected=running and self.is_connected,
            pid=self.pid if self.has_process else None,
            uptime=now - self.started_at if running else 0.0,
            restarts=self.restarts,
            sent=self.sent,
            received=self.received,
            waiting=self.weight,
            commands=self.commands,
            last_crash=self.last_crash,
            last_error=self.last_error,
            crashes=self.crashes,
        )
