"""What a supervisor knows of one system, beside where it stands in the tree."""

from __future__ import annotations

from collections import deque
from collections.abc import Set

import attrs

from actors.messages import ConnectSystem, DisconnectSystem, FailureCode, Reason
from actors.messages.deliveries import Deliveries
from actors.messages.limits import Line
from actors.messages.tallied import NOTHING, Tallied
from actors.resilience.cache import CacheState
from actors.resilience.circuit_breaker import Circuit, CircuitState
from actors.resilience.pool_actions import PoolState
from actors.resilience.state import NO_STATE, PolicyState
from supervisor.core.doors import Doors
from supervisor.core.pending import Pending
from supervisor.messages import CircuitStatus, DesiredState, EventKind, SystemState, SystemStatus
from supervisor.messages.crashes import CrashReport
from supervisor.specs.policies import Startup
from supervisor.specs.spec import SystemSpec
from supervisor.timing.timers import Timer
from supervisor.tree.nodes import Down, Node, Status, System, Wish


@attrs.frozen(eq=False)
class Attempt:
    """A connect that the supervisor is going to ask for itself."""

    due: float
    timer: Timer


@attrs.define(eq=False)
class Child:
    """One system: its process, what it is meant to be, and the requests to it."""

    node: System
    """Where it stands in the tree."""
    wanted: bool = False
    """Whether it is meant to be connected."""
    connect_by_spec: bool = False
    """What its spec says of that."""
    startup_over: bool = False
    """Whether its first connect has ended, or somebody has asked for one."""
    has_process: bool = False
    turn_at: float | None = 0.0
    """When it was this incarnation's turn to be made, if it had to wait; None while it does."""
    crashed: bool = False
    """It said that it crashed and is being killed; its exit has not been noticed yet."""
    crash: Reason | None = None
    """What it said of its crash."""
    killed: bool = False
    """Its supervisor has sent it a SIGKILL."""
    said_stopped: bool = False
    """It was told to stop, did, and is about to exit."""
    not_stopped: Reason | None = None
    """Why it did not stop in order."""
    unreachable: bool = False
    """It said that it could not start for want of its counterpart."""
    start_code: FailureCode | None = None
    """Of the last start that failed."""
    pid: int | None = None
    commands: tuple[str, ...] = ()
    last_disconnect: int = 0
    """The ref of the last order to disconnect."""
    is_connected: bool = False
    connect_failures: int = 0
    """How often in a row it could not be connected, or lost its connection soon. It outlives the
    process: a crash is no reason to be hasty."""
    failed: Reason | None = None
    """Why it is not connected, and of no use to try again before somebody has mended it. It
    outlives the process as well, unless somebody restarts it."""
    connected_at: float = 0.0
    connected_to: str | None = None
    """Where it is, or was last, connected to, if its connector says so."""
    attempt: Attempt | None = None
    """The next one to connect it, while one is planned."""
    next_due: float = 0.0
    """When the next attempt is, or was, to be made; of use when its process has ended meanwhile."""
    announced: EventKind | None = None
    """The last event that told of its connection."""
    last_error: str | None = None
    """Why it could not be connected, or is not any more."""
    is_heard_out: bool = False
    """Its process has ended, and its last words are being looked for."""
    last_lines: tuple[str, ...] = ()
    """Those words."""
    crashes: tuple[CrashReport, ...] = ()
    """The last of them, oldest first."""
    sent: int = 0
    received: int = 0
    dropped: int = 0
    pool: PoolState | None = None
    """What this incarnation's pool has, if it has one."""
    cache: CacheState | None = None
    """The same of its cache."""
    retried: int = 0
    policies: PolicyState = NO_STATE
    """What the policies of its last incarnation knew at last."""
    mailbox: deque[Pending] = attrs.field(factory=deque)
    """Not delivered yet, oldest first."""
    held: deque[Pending] = attrs.field(factory=deque)
    """The same of what waits for the connection, and would be before all in the mailbox."""
    open: dict[int, Pending] = attrs.field(factory=dict)
    """All not answered yet, by ref, oldest first: those waiting and those delivered."""
    weight: int = 0
    size: int = 0
    """Of what is open, in items and in bytes."""
    deliveries: Deliveries = attrs.field(factory=Deliveries)
    """To this incarnation; taken by its event loop."""
    returned: list[object] = attrs.field(factory=list)
    """Received items that reached nobody, on their way back to the system."""
    tapped: bool = False
    has_direct_clients: bool = False
    """Whether somebody was told where this incarnation's door is."""
    tallied: Tallied = NOTHING
    """What it has of them, as far as was looked."""

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def spec(self) -> SystemSpec:
        return self.node.spec

    @property
    def incarnation(self) -> int:
        return self.node.incarnation

    @property
    def is_running(self) -> bool:
        """Whether it takes requests."""
        return self.node.status is Status.UP and not self.crashed

    @property
    def can_deliver(self) -> bool:
        return self.is_running and bool(self.mailbox) and self.deliveries.may_go_on

    @property
    def waits(self) -> bool:
        """Whether what is asked of it while it is down waits."""
        return self.spec.policy.waits_when_down

    @property
    def holds(self) -> bool:
        """Whether sends and questions wait for its connection just now."""
        is_down = self.is_running and not self.is_connected
        return is_down and self.waits and self.wanted and self.failed is None

    @property
    def desired(self) -> DesiredState:
        if self.node.is_to_stay_down:
            return DesiredState.TERMINATED
        return DesiredState.CONNECTED if self.wanted else DesiredState.DISCONNECTED

    @property
    def state(self) -> SystemState:
        if not self.is_running:
            return SystemState.RESTARTING if self.crashed else state_of(self.node)
        if self.is_connected:
            return SystemState.CONNECTED
        if self.is_connecting():
            return SystemState.CONNECTING
        return SystemState.DISCONNECTED if self.failed is None else SystemState.FAILED

    def next_attempt(self, now: float) -> float | None:
        """Seconds until it is tried to connect it, where that is planned."""
        return None if self.attempt is None else max(0.0, self.attempt.due - now)

    def line(self, now: float) -> Line:
        """What waits for it, for who is refused."""
        first = next(iter(self.open.values()), None)
        return Line(str(self.state), 0.0 if first is None else now - first.since)

    def is_connecting(self, ended: Set[int] = frozenset()) -> bool:
        """Whether a connect is asked for, by anybody.

        Args:
            ended: those of them, by ref, that do not count.
        """
        return any(
            isinstance(each.request, ConnectSystem) and ref not in ended
            for ref, each in self.open.items()
        )

    @property
    def connects_to_start(self) -> bool:
        """Whether its next incarnation is to be connected before it is up."""
        first = self.wanted and not self.startup_over and self.failed is None
        return first and self.spec.connect and self.spec.startup is Startup.ERROR

    @property
    def is_stranded(self) -> bool:
        """Whether it is up and meant to be connected, and nothing is done about it, though there
        is something to be done: there is never such a system when a core has dealt with what it
        was told."""
        looked_after = self.is_connected or self.attempt is not None or self.is_connecting()
        return self.wanted and self.failed is None and self.is_running and not looked_after

    @property
    def is_disconnecting(self) -> bool:
        """Whether somebody asked it to disconnect, or it is being stopped."""
        asked = any(isinstance(each.request, DisconnectSystem) for each in self.open.values())
        return asked or self.node.status is Status.STOPPING

    def begin(self) -> None:
        """A new incarnation starts: forget what was known of the one before."""
        self.crashed = self.unreachable = False
        self.killed = self.said_stopped = False
        self.crash = self.not_stopped = None
        self.is_heard_out = False
        self.last_lines = ()
        self.start_code = None
        self.pid = None
        self.is_connected = False
        self.connected_to = None
        self.announced = EventKind.DISCONNECTED if self.failed is None else EventKind.FAILED
        self.attempt = None
        self.pool = self.cache = None
        self.deliveries = Deliveries()
        self.tapped = False
        self.has_direct_clients = False

    def pardon(self) -> None:
        """Somebody restarts it: its connections so far count no more."""
        self.failed = None
        self.connect_failures = 0
        self.next_due = 0.0

    def look_at_tally(self, doors: Doors) -> None:
        """Learn what its process has of its direct clients, if it has any."""
        if self.has_direct_clients:
            self.tallied = doors.tally_of(self.name, self.incarnation)

    def close_tally(self) -> None:
        """Its process is gone: keep what it counted."""
        self.sent += self.tallied.sent
        self.received += self.tallied.received
        self.tallied = NOTHING
        self.has_direct_clients = False

    def status(self, now: float, outbox: int | None = 0) -> SystemStatus:
        """
        Args:
            outbox: messages that wait there to be delivered.
        """
        state = self.state
        if state is SystemState.CONNECTED and not self.tallied.is_connected:
            state = SystemState.DISCONNECTED  # its own word of that is on its way
        return SystemStatus(
            name=self.name,
            kind=self.spec.kind,
            group=self.node.parent.name,
            desired=self.desired,
            state=state,
            incarnation=self.incarnation,
            is_connected=state is SystemState.CONNECTED,
            pid=self.pid if self.has_process else None,
            uptime=now - self.node.up_since if self.is_running else 0.0,
            restarts=self.node.restarts,
            sent=self.sent + self.tallied.sent,
            received=self.received + self.tallied.received,
            waiting=self.weight + self.tallied.waiting,
            commands=self.commands,
            crashes=self.crashes,
            last_crash=self.crashes[-1].reason if self.crashes else None,
            last_error=self.last_error,
            dropped=self.dropped,
            pool=self.pool if self.is_running else None,
            cache=self.cache if self.is_running else None,
            outbox=outbox,
            circuit=self._circuit(now),
            retried=self.retried,
            next_attempt=self.next_attempt(now),
            connected_to=self.connected_to if state is SystemState.CONNECTED else None,
        )

    def _circuit(self, now: float) -> CircuitStatus | None:
        if self.spec.policy.circuit_breaker is None:
            return None
        circuit = self.policies.circuit or Circuit()
        is_open = circuit.state is CircuitState.OPEN
        return CircuitStatus(
            state=circuit.state,
            reason=None if circuit.state is CircuitState.CLOSED else circuit.why,
            next_try=max(0.0, circuit.retry_at - now) if is_open else None,
        )


def state_of(node: Node) -> SystemState:
    """What to call where a child stands; of a system that is up, :attr:`Child.state`
    knows more."""
    if node.status is Status.UP:
        return SystemState.UP
    if node.status is Status.STOPPING and node.wish is not Wish.RESTART:
        return SystemState.STOPPING
    if node.is_quarantined:
        return SystemState.QUARANTINED
    if not node.is_coming:
        return SystemState.TERMINATED
    if node.status is Status.DOWN and node.incarnation:
        return SystemState.WAITING
    return SystemState.RESTARTING if node.is_restarting else SystemState.STARTING


def why_down(node: System) -> str:
    """Why a system takes no requests, and what to do."""
    quarantined = _quarantined(node)
    if quarantined is not None and quarantined is not node:
        cause = quarantined.cause.text if quarantined.cause else "it crashed too often"
        return f"its group {quarantined.name} is quarantined ({cause}); mend the cause, restart it"
    if quarantined is not None:
        cause = node.cause.text if node.cause else "it crashed too often"
        return f"quarantined after repeated crashes ({cause}); mend the cause and restart it"
    if node.status is Status.STOPPING:
        return "the system is being stopped"
    if node.down is Down.ENDED:
        return "the system has ended by itself; restart it if it is needed"
    if node.down is Down.TERMINATED:
        return "the system was terminated; restart it if it is needed"
    return "its group does not run"


def _quarantined(node: Node) -> Node | None:
    """The child itself, or the group around it, that is in quarantine."""
    if not node.is_quarantined:
        return None
    group = node.parent
    above = _quarantined(group) if group is not None else None
    return above or node
