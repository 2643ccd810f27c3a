"""What a supervisor and its system actors say to each other."""

from __future__ import annotations

import enum
import traceback as traceback_module
from typing import Any, Final

import attrs

from actors.errors import describe, shorten
from actors.messages.output import OutputAddress
from actors.messages.requests import FailureCode, Reply, Request
from actors.payload import Payload, wrap_items
from actors.resilience.cache import CacheState
from actors.resilience.circuit_breaker import Circuit
from actors.resilience.policy import NO_POLICY, Policy
from actors.resilience.pool_actions import PoolState
from actors.resilience.state import NO_STATE, PolicyState

RENEWED: Final = "renewed"
"""The kind of the reason for which a system actor has ended a connection itself, and makes it
anew at once: a late answer could have been taken for another question's."""
MAX_PAYLOAD_BYTES: Final = 16 << 20
"""Unless the supervisor's options say something else."""
_TRACEBACK: Final = 64 << 10
"""Characters."""
NORMAL_EXIT: Final = "normal"
"""The kind of the reason of an end that is no crash, OTP's word for it."""


@attrs.frozen
class Reason:
    """Why something crashed, could not start, or lost its connection, as data: exceptions do
    not cross processes."""

    kind: str
    """The exception's type, or what ended the process: ``exit``, ``killed``, ``hang``, or
    :data:`NORMAL_EXIT`; of a connection also ``lost``, :data:`RENEWED`, or the code of the
    failed connect."""
    text: str
    traceback: str = attrs.field(default="", repr=False)
    is_fatal: bool = False
    """Of a connection: whether it is of no use to try again before somebody has mended it."""

    @classmethod
    def of(cls, error: BaseException) -> Reason:
        if isinstance(error, SystemExit) and not error.code:
            return cls(NORMAL_EXIT, "it ended itself (SystemExit)")
        lines = traceback_module.format_exception(error)
        return cls(type(error).__name__, describe(error), shorten("".join(lines), _TRACEBACK))


# ---- what a supervisor says ------------------------------------------------------------


@attrs.frozen
class SystemDefinition:
    """How to build one system: from a kind, or from the snapshot of an object."""

    system_name: str
    kind: str
    """``mock``, ``tcp``, or ``package.module:Class``; of a snapshot, its class's name."""
    connection_details: dict[str, Any] | Payload = attrs.field(factory=dict, repr=False)
    snapshot: bytes | None = attrs.field(default=None, repr=False)
    """The pickled object; None builds ``Class(system_name, connection_details)``."""
    policy: Policy = NO_POLICY
    """What stands around its calls."""
    policy_state: PolicyState = NO_STATE
    """What that knew when the incarnation before ended."""
    request_timeout: float = 30.0
    """Seconds until a request that names no timeout is given up by whoever asked."""


@attrs.frozen
class DoorAddress:
    """Where one incarnation of a system is to be reached by clients, without its supervisor."""

    path: str
    """Of the socket file that it is to listen on. Beside it is its tally."""
    mailbox_size: int
    """Items that may wait there, of all clients and of the supervisor together."""


@attrs.frozen
class StartSystem:
    """Build the system, and connect it, if that is asked for. Answered by :class:`SystemBegun`, and
    then by :class:`SystemStarted` or :class:`SystemStartFailed`."""

    definition: SystemDefinition
    incarnation: int
    door: DoorAddress | None = None
    """None when it is to be reached through its supervisor alone."""
    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    """The size of an item above which it is neither taken nor given."""
    output: OutputAddress | None = None
    """None when what it says goes where its supervisor's own words go."""
    connect_within: float | None = None
    """Seconds in which it is to be connected before it is started; None to wait for an order."""
    failed: str | None = None
    """Why it is not going to be connected before somebody asks for it, and what to do."""
    level_path: str | None = None
    """Of the file that its rate limit is kept in; None keeps it in its process."""


@attrs.frozen
class Deliver:
    """Requests to carry out, each with the number its reply must carry.

    ``number`` counts the deliveries of one incarnation: 1, 2, 3... A :class:`Report` that
    names it says that the event loop took this delivery and those before it.
    """

    number: int
    requests: tuple[tuple[int, Request], ...]


@attrs.frozen
class Forget:
    """Nobody waits for these requests any more: do not begin them, and give nobody data."""

    refs: tuple[int, ...]


@attrs.frozen
class TakeBack:
    """Items that were received for somebody who had left: hand them out again, first."""

    system_name: str
    items: tuple[Any, ...] = attrs.field(repr=False, converter=wrap_items)


@attrs.frozen
class TapData:
    """Begin or stop to receive on the system's own account, for subscribers."""

    on: bool


@attrs.frozen
class StopSystem:
    """Disconnect and exit; what is still waiting after ``grace`` seconds is abandoned."""

    grace: float


class Thread(enum.Enum):
    """The threads of a system actor that must stay alive."""

    MESSAGES = "message thread"
    LOOP = "event loop"


@attrs.frozen
class Heartbeat:
    """A question for a sign of life. Each thread answers with :class:`HeartbeatAnswered`."""

    number: int


# ---- what a system actor says ----------------------------------------------------------


@attrs.frozen
class HeartbeatAnswered:
    """One thread of a system actor got round to answering."""

    system_name: str
    incarnation: int
    thread: Thread
    number: int


@attrs.frozen
class SystemBegun:
    """The actor's process is there, and begins to build the system."""

    system_name: str
    incarnation: int
    pid: int


@attrs.frozen
class SystemStarted:
    """The system is built and its event loop runs."""

    system_name: str
    incarnation: int
    pid: int
    commands: tuple[str, ...]


@attrs.frozen
class SystemStartFailed:
    """The system could not be built; the actor exits."""

    system_name: str
    incarnation: int
    code: FailureCode
    reason: Reason
    unreachable: bool = False
    """Its class raised what says that its counterpart cannot be reached."""


@attrs.frozen
class SystemCrashed:
    """A connector raised what it must not. The actor waits to be killed, or exits itself."""

    system_name: str
    incarnation: int
    reason: Reason


@attrs.frozen
class SystemStopped:
    """The system has done what it was told to by :class:`StopSystem`, and exits."""

    system_name: str
    incarnation: int
    reason: Reason | None = None
    """Why it could not disconnect in order; None if it did."""


@attrs.frozen(kw_only=True)
class PolicyNews:
    """What the policies of a system have to tell since the last report."""

    state: PolicyState
    """What the next incarnation is to know; as it is now."""
    circuits: tuple[Circuit, ...] = ()
    """The changes of state of its circuit breaker, in order."""
    retried: int = 0
    """How often a call was tried again."""


@attrs.frozen
class Report:
    """What became of deliveries since the last report."""

    system_name: str
    incarnation: int
    taken: int
    """The number of the last :class:`Deliver` that the event loop took."""
    replies: tuple[tuple[int, Reply], ...]
    is_connected: bool
    tapped: tuple[Any, ...] = attrs.field(default=(), repr=False)
    """Wrapped items for subscribers."""
    lost: Reason | None = None
    """Why a connection was lost since the last report; None also if the system was told to
    disconnect."""
    dropped: int = 0
    """Items that came since the last report, and that nobody gets: unasked, or a second time."""
    pool: PoolState | None = None
    """What its pool has now; None if it has none."""
    connected_to: str | None = None
    """Where it is connected to, if that is new and its connector says so."""
    cache: CacheState | None = None
    """What its cache has now; None if it has none."""
    policies: PolicyNews | None = None
