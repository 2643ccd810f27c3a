"""What a system actor understands, and what it answers.

A host sends the same requests to a supervisor, which passes them on untouched: a
request is one object on its whole way. Every request gets exactly one reply with its
``request_id``: the typed result named in its docstring, or a :class:`Failure`.

Data fields hold what :func:`actors.payload.wrap` makes, and never print.
"""

from __future__ import annotations

import enum
import itertools
import traceback as traceback_module
from typing import Any, Final

import attrs

from actors.errors import describe
from actors.payload import Payload, unwrap, wrap, wrap_each

_request_numbers = itertools.count(1)


def new_request_id() -> int:
    """A number that no other request of this process has."""
    return next(_request_numbers)


def _wrap_items(items: Any) -> tuple[Any, ...]:
    if isinstance(items, str | bytes | bytearray | memoryview):
        raise TypeError("items is a sequence of items, not one string; use SendData for one item")
    return wrap_each(items)


class FailureCode(enum.StrEnum):
    """Why a request failed. The values are stable: programs may test for them."""

    UNKNOWN_SYSTEM = "unknown_system"
    ALREADY_STARTED = "already_started"
    """The name is taken, by a child that runs."""
    ALREADY_PRESENT = "already_present"
    """The name is taken, by a child that does not run; perhaps it will be restarted."""
    NOT_FOUND = "not_found"
    """There is no child of this name."""
    RUNNING = "running"
    """The child must not run for this, and does."""
    RESTARTING = "restarting"
    """The child must not run for this, and is being restarted."""
    INVALID_SPEC = "invalid_spec"
    EVENTS_LOST = "events_lost"
    """The events asked for are not kept any more."""
    NOT_CONNECTED = "not_connected"
    SYSTEM_CRASHED = "system_crashed"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_COMMAND = "unknown_command"
    CONNECTOR_ERROR = "connector_error"
    UNAVAILABLE = "unavailable"


class Outcome(enum.StrEnum):
    """What happened to the data of a failed request."""

    NOT_SENT = "not_sent"
    """The system never got it: it is safe to send it again."""
    UNKNOWN = "unknown"
    """It went to the system, and nobody knows whether it arrived."""


@attrs.frozen(kw_only=True)
class Reply:
    """The answer to one request."""

    request_id: int
    system_name: str | None = None
    """The system concerned; None where the request concerned none or all."""


@attrs.frozen(kw_only=True)
class Failure(Reply):
    """The request failed."""

    code: FailureCode
    text: str
    """What happened, to which system, and what to do, in one line."""
    outcome: Outcome = Outcome.NOT_SENT


@attrs.frozen
class Request:
    """A question or an order to one system."""

    system_name: str
    request_id: int = attrs.field(factory=new_request_id, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    """Seconds until the request is answered with ``timeout``; None takes the
    supervisor's default."""

    def failure(self, code: FailureCode, text: str, outcome: Outcome = Outcome.NOT_SENT) -> Failure:
        """The failed answer to this request; its text begins with the system's name."""
        return Failure(
            request_id=self.request_id,
            system_name=self.system_name,
            code=code,
            text=f"{self.system_name}: {text}",
            outcome=outcome,
        )


def invalid_request(message: object, text: str) -> Failure:
    """The answer to what cannot be a request, perhaps not even a message of ours."""
    request_id = getattr(message, "request_id", None)
    system_name = getattr(message, "system_name", None)
    return Failure(
        request_id=request_id if isinstance(request_id, int) else 0,
        system_name=system_name if isinstance(system_name, str) else None,
        code=FailureCode.INVALID_REQUEST,
        text=text,
    )


@attrs.frozen
class ConnectSystem(Request):
    """Connect, and stay connected across crashes. Answered by :class:`SystemConnected`."""


@attrs.frozen
class DisconnectSystem(Request):
    """Disconnect, and stay so across crashes. Answered by :class:`SystemDisconnected`.

    Sends asked for earlier go out first, if they can within the system's grace time."""


@attrs.frozen
class SendData(Request):
    """Send one item. Answered by :class:`DataSent`."""

    data: Any = attrs.field(repr=False, converter=wrap)


@attrs.frozen
class SendMany(Request):
    """Send items in order. Answered by :class:`ManySent`."""

    items: tuple[Any, ...] = attrs.field(repr=False, converter=_wrap_items)
    stream: bool = attrs.field(default=False, kw_only=True)
    """Answer in several :class:`ManySent`, as results come in; the last has ``final``."""


@attrs.frozen
class ReceiveData(Request):
    """Take one item. Answered by :class:`DataReceived` or :class:`NothingReceived`."""

    wait: float | None = None
    """Seconds to wait for data, counted by the system actor, so that no item is taken
    for a caller who has left; None waits as long as one ``receive_data`` of the system
    takes."""


@attrs.frozen
class ReceiveMany(Request):
    """Take up to ``max_items`` items. Answered by :class:`ManyReceived`."""

    max_items: int
    wait: float | None = None
    """Seconds to wait for the first item, as in :class:`ReceiveData`."""


@attrs.frozen
class CallCommand(Request):
    """Call a method marked with ``@command``. Answered by :class:`CommandCalled`."""

    command: str
    args: Any = attrs.field(default=(), repr=False, converter=wrap)
    kwargs: Any = attrs.field(factory=dict, repr=False, converter=wrap)


@attrs.frozen
class CheckHealth(Request):
    """Ask the system's ``check_health``. Answered by :class:`HealthChecked`."""


@attrs.frozen
class Fence(Request):
    """Ask the event loop for a sign that it took all that was asked before, the same way.
    Answered by :class:`FencePassed`, before anything of that needs to be done."""


@attrs.frozen(kw_only=True)
class SystemConnected(Reply):
    """The system is connected."""


@attrs.frozen(kw_only=True)
class SystemDisconnected(Reply):
    """The system is disconnected."""


@attrs.frozen(kw_only=True)
class DataSent(Reply):
    """The system took the item."""


@attrs.frozen(kw_only=True)
class ManySent(Reply):
    """For each item in order, True when the system took it, or its Failure."""

    results: tuple[bool | Failure, ...]
    final: bool = True
    """False in every part but the last of a streamed answer."""


@attrs.frozen(kw_only=True)
class DataReceived(Reply):
    """One item came."""

    data: Any = attrs.field(repr=False, converter=wrap)

    def load(self) -> Any:
        """The item.

        Raises:
            PayloadError: it cannot be unpickled in this process.
        """
        return unwrap(self.data)


@attrs.frozen(kw_only=True)
class NothingReceived(Reply):
    """No item came in time."""


@attrs.frozen(kw_only=True)
class ManyReceived(Reply):
    """The items that came, perhaps none."""

    items: tuple[Any, ...] = attrs.field(repr=False, converter=_wrap_items)

    def load(self) -> list[Any]:
        """The items.

        Raises:
            PayloadError: one of them cannot be unpickled in this process.
        """
        return [unwrap(item) for item in self.items]


@attrs.frozen(kw_only=True)
class CommandCalled(Reply):
    """The command returned."""

    result: Any = attrs.field(repr=False, converter=wrap)

    def load(self) -> Any:
        """What it returned.

        Raises:
            PayloadError: it cannot be unpickled in this process.
        """
        return unwrap(self.result)


@attrs.frozen(kw_only=True)
class HealthChecked(Reply):
    """What the system says of its health."""

    healthy: bool


@attrs.frozen(kw_only=True)
class FencePassed(Reply):
    """What was asked before has been taken."""


NORMAL_EXIT = "normal"
"""The kind of the reason of an end that is no crash, OTP's word for it."""


@attrs.frozen
class Reason:
    """Why something crashed or could not start, as data: exceptions do not cross processes."""

    kind: str
    """The exception's type, or what ended the process: ``exit``, ``killed``, ``hang``, or
    :data:`NORMAL_EXIT`."""
    text: str
    traceback: str = attrs.field(default="", repr=False)

    @classmethod
    def of(cls, error: BaseException) -> Reason:
        if isinstance(error, SystemExit) and not error.code:
            return cls(NORMAL_EXIT, "it ended itself (SystemExit)")
        lines = traceback_module.format_exception(error)
        return cls(type(error).__name__, describe(error), "".join(lines))


# ---- between a supervisor and its system actors ---------------------------------------


@attrs.frozen
class SystemDefinition:
    """How to build one system: from a kind, or from the snapshot of an object."""

    system_name: str
    kind: str
    """``mock``, ``tcp``, or ``package.module:Class``; of a snapshot, its class's name."""
    connection_details: dict[str, Any] | Payload = attrs.field(factory=dict, repr=False)
    snapshot: bytes | None = attrs.field(default=None, repr=False)
    """The pickled object; None builds ``Class(system_name, connection_details)``."""


@attrs.frozen
class DoorAddress:
    """Where one incarnation of a system is to be reached by clients, without its supervisor."""

    path: str
    """Of the socket file that it is to listen on. Beside it is its tally."""
    mailbox_size: int
    """Items that may wait there, of all clients and of the supervisor together."""


@attrs.frozen
class StartSystem:
    """Build the system. Answered by :class:`SystemStarted` or :class:`SystemStartFailed`."""

    definition: SystemDefinition
    incarnation: int
    door: DoorAddress | None = None
    """None when it is to be reached through its supervisor alone."""


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
    items: tuple[Any, ...] = attrs.field(repr=False, converter=_wrap_items)


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


@attrs.frozen
class HeartbeatAnswered:
    """One thread of a system actor got round to answering."""

    system_name: str
    incarnation: int
    thread: Thread
    number: int


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
    """The system has disconnected, as it was told to by :class:`StopSystem`, and exits."""

    system_name: str
    incarnation: int


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


# ---- between a system actor and its direct clients --------------------------------------
#
# A client says Deliver, Forget and TakeBack, as a supervisor does.

DIRECT_KINDS: Final = (SendData, SendMany, ReceiveData, ReceiveMany, CallCommand, CheckHealth)
"""What a client may ask. What changes how a system is meant to be is for its supervisor."""
RECEIVING_KINDS: Final = (ReceiveData, ReceiveMany)
"""Those among them that only wait for data."""


@attrs.frozen
class Answered:
    """What became of a client's deliveries since the last one."""

    system_name: str
    incarnation: int
    taken: int
    """The number of the last :class:`Deliver` that the event loop took."""
    replies: tuple[tuple[int, Reply], ...] = attrs.field(default=(), repr=False)
    refused: tuple[int, ...] = ()
    """Requests that were not begun, as the system is being stopped: its supervisor knows
    whether it comes back."""
    is_connected: bool = False
